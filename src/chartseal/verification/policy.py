"""Whom a verifier trusts, for which chains, within which times and limits: read from TOML, or made in code."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from chartseal.attestation import Address, Digest, Domain
from chartseal.disclosure.form import LARGEST_DISCLOSURE, MOST_LEAVES, MOST_RECORDS
from chartseal.errors import PolicyError
from chartseal.verification.chain import Accreditation, AttestedTrustRoot
from chartseal.verification.report import OPTIONAL, IssuedUnder

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An attester whom the verifier knows by name; trusted from `valid_from` until before `valid_until` (aware)."""

    address: Address
    name: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def is_trusted_at(self, moment: datetime) -> bool:
        """Whether the moment lies in its period."""
        begun = self.valid_from is None or self.valid_from <= moment
        return begun and (self.valid_until is None or moment < self.valid_until)


@dataclass(frozen=True, slots=True)
class TrustedAuthority:
    """Whose accreditations count, and for which of the roles that it gives."""

    address: Address
    roles: frozenset[str]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a disclosure may have; the format's own limits hold besides."""

    size: int = LARGEST_DISCLOSURE
    """Bytes."""
    records: int = MOST_RECORDS
    leaves: int = MOST_LEAVES
    """Opened leaves in all records together."""


@dataclass(frozen=True)
class TrustPolicy:
    """What a verifier relies on.

    `domains` None accepts seals for any chain and contract. `authorities` are those whose accreditations count, where a
    ChainView is given. `required` holds the numbers of steps that must not end as `not checked`. `test_issuers`
    names the issuers whose test records (HTEST) are accepted. Proofs count under any production key of the manifest,
    or under `keys` alone where there are some; under a development key only for the circuits that `development_keys`
    names. `trust_roots` count besides those that a chain has.
    """

    issuers: tuple[TrustedIssuer, ...] = ()
    domains: frozenset[Domain] | None = frozenset()
    authorities: tuple[TrustedAuthority, ...] = ()
    clock_skew: timedelta = timedelta(minutes=5)
    largest_delay: timedelta = timedelta(days=2)
    """From a seal's time to its evidence time."""
    required: frozenset[int] = frozenset({OPTIONAL["issuer"], OPTIONAL["audience"]})
    test_issuers: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    development_keys: frozenset[str] = frozenset()
    """Circuits of which proofs under the development key count: anybody can forge those."""
    keys: frozenset[Digest] = frozenset()
    """Hashes of verification keys."""
    trust_roots: tuple[AttestedTrustRoot, ...] = ()
    largest_root_age: timedelta = timedelta(days=3)
    """From the start of a trust root's day until now: what an issuer revokes later, a proof does not know."""
    proxies: bool = True
    """Whether a holder's proxy may sign in her place."""

    def issuer(self, attester: Address, moments: Collection[datetime]) -> str | None:
        """The name of an issuer that is trusted at all these moments, or None."""
        for known in self.issuers:
            if known.address == attester and all(known.is_trusted_at(moment) for moment in moments):
                return known.name
        return None

    @cached_property
    def authority_addresses(self) -> frozenset[Address]:
        """Of all authorities."""
        return frozenset(known.address for known in self.authorities)

    def accepted(self, accreditation: Accreditation) -> IssuedUnder | None:
        """What the policy takes of an accreditation: its authority's roles that it has; None if there are none."""
        roles = [known.roles for known in self.authorities if known.address == accreditation.authority]
        accepted = accreditation.roles & frozenset[str]().union(*roles)
        return IssuedUnder(accreditation.authority, accepted) if accepted else None

    def allows_test(self, attester: Address) -> bool:
        """Whether test records of that attester are accepted."""
        return any(known.address == attester and known.name in self.test_issuers for known in self.issuers)

    @property
    def trusts_anyone(self) -> bool:
        """Issuers are not looked at: only in UnsafeTrustAnyone."""
        return False

    @classmethod
    def load(cls, path: Path) -> TrustPolicy:
        """Read a policy file.

        Raises:
            PolicyError: it cannot be read, or as `from_toml`.
        """
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise PolicyError("the policy file cannot be read", "policy_unreadable") from exc
        return cls.from_toml(data)

    @classmethod
    def from_toml(cls, text: bytes | str) -> TrustPolicy:
        """Read a policy. All members are optional, none unknown:

            clock_skew_seconds = 300
            largest_delay_seconds = 172800
            networks = ["sepolia"]               # of the networks table
            required = ["issuer", "audience"]    # besides or instead: "revocation", "anchor"
            test_records = ["Example hospital"]  # issuers whose test records are accepted
            development_keys = ["anonymous-1"]   # circuits: for development alone
            keys = ["0x…"]                       # hashes of verification keys
            largest_root_age_seconds = 259200
            proxies = false                      # the holder alone may sign
            [limits]
            size = 1000000
            [[domain]]
            version = "1.4.0"
            chain_id = 31337
            contract = "0x…"
            [[issuer]]
            address = "0x…"
            name = "Example hospital"
            valid_from = 2026-01-01
            valid_until = 2027-01-01
            [[authority]]
            address = "0x…"
            roles = ["hospital", "pharmacy"]     # at least one
            name = "Example board of health"     # optional
            [[trust_root]]
            authority = "0x…"
            role = "pharmacy"
            epoch = 20786                        # the day's number since 1970
            root = "0x…"

        Raises:
            PolicyError: not TOML, a member is unknown or malformed, an issuer has no name, an authority no role.
        """
        from chartseal.verification import policy_file

        return cls(**policy_file.read(text))


class UnsafeTrustAnyone(TrustPolicy):
    """Takes any issuer and any chain: for tests and for looking at what somebody sent. Logged each time it is used."""

    @property
    def trusts_anyone(self) -> bool:
        """Issuers are not looked at."""
        _LOG.warning("UnsafeTrustAnyone: issuers are not checked")
        return True

    def __init__(
        self, *, required: Collection[int] = (), allow_test: bool = False, development_keys: Collection[str] = ()
    ) -> None:
        """`required` are numbers of steps that must be checked; `allow_test` takes anybody's test records."""
        super().__init__(domains=None, required=frozenset(required), development_keys=frozenset(development_keys))
        object.__setattr__(self, "_allow_test", allow_test)

    def allows_test(self, attester: Address) -> bool:
        """As it was made."""
        return bool(self.__dict__["_allow_test"])
