"""Whom a verifier trusts, for which chains, within which times and limits: read from TOML, or made in code."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from chartseal.attestation import Address, Digest, Domain, address_from, digest_from, network
from chartseal.disclosure.form import LARGEST_DISCLOSURE, MOST_LEAVES, MOST_RECORDS
from chartseal.disclosure.statements import CIRCUITS
from chartseal.errors import ChartsealError, PolicyError
from chartseal.verification.chain import ROLES, Accreditation, AttestedTrustRoot
from chartseal.verification.report import OPTIONAL, IssuedUnder

_LOG = logging.getLogger(__name__)
_LARGEST_POLICY = 1 << 20
_LONGEST_NAME = 200
_EPOCH_SECONDS = 86_400
_LAST_EPOCH = 2_932_896
"""9999-12-31; what lies after it is no date."""


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
            development_keys = ["anonymous-1"]   # circuits: for development alone
            keys = ["0x…"]                       # hashes of verification keys
            largest_root_age_seconds = 259200
            [[trust_root]]
            authority = "0x…"
            role = "pharmacy"
            epoch = 20786                        # the day's number since 1970
            root = "0x…"

        Raises:
            PolicyError: not TOML, a member is unknown or malformed, an issuer has no name, an authority no role.
        """
        data = _Table(_parsed(text), "")
        policy = cls(
            issuers=tuple(_issuer(item) for item in data.tables("issuer")),
            domains=_domains(data),
            authorities=tuple(_authority(item) for item in data.tables("authority")),
            clock_skew=data.seconds("clock_skew_seconds", cls.clock_skew),
            largest_delay=data.seconds("largest_delay_seconds", cls.largest_delay),
            required=_required(data, cls.required),
            test_issuers=frozenset(data.texts("test_records")),
            limits=_limits(data.table("limits")),
            development_keys=_circuits(data),
            keys=frozenset(_digest(text, "keys") for text in data.texts("keys")),
            trust_roots=tuple(_trust_root(item) for item in data.tables("trust_root")),
            largest_root_age=data.seconds("largest_root_age_seconds", cls.largest_root_age),
        )
        data.require_no_more()
        unknown = policy.test_issuers - {known.name for known in policy.issuers}
        if unknown:
            raise PolicyError("no issuer has this name", path="test_records")
        return policy


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


class _Table:
    """A TOML table whose members are taken one by one, so that what is left over is unknown."""

    def __init__(self, data: Any, place: str) -> None:
        if not isinstance(data, dict):
            raise PolicyError("expected a table", path=place)
        self._data: dict[str, Any] = dict(data)
        self.place = place

    def take(self, name: str, kind: type[Any] | tuple[type[Any], ...], default: Any = None) -> Any:
        """A member of that kind; bool is no int."""
        value = self._data.pop(name, default)
        if value is not default and (not isinstance(value, kind) or isinstance(value, bool)):
            raise PolicyError("is of another type", path=f"{self.place} {name}".strip())
        return value

    def seconds(self, name: str, default: timedelta) -> timedelta:
        seconds = self.take(name, int)
        if seconds is None:
            return default
        if not 0 <= seconds <= 10**9:
            raise PolicyError("expected a number of seconds", path=name)
        return timedelta(seconds=seconds)

    def texts(self, name: str) -> list[str]:
        items = self.take(name, list, [])
        if any(not isinstance(item, str) for item in items):
            raise PolicyError("expected a list of texts", path=name)
        return list(items)

    def table(self, name: str) -> _Table:
        return _Table(self._data.pop(name, {}), name)

    def tables(self, name: str, members: set[str] | None = None) -> list[_Table]:
        items = self.take(name, list, [])
        found = [_Table(item, f"{name}[{at}]") for at, item in enumerate(items)]
        for item in found:
            if members is not None and item._data.keys() != members:
                raise PolicyError("has other members", path=item.place)
        return found

    def require_no_more(self) -> None:
        if self._data:
            raise PolicyError("no such member", path=f"{self.place} {min(self._data)}".strip())


def _parsed(text: bytes | str) -> Mapping[str, Any]:
    if len(text) > _LARGEST_POLICY:
        raise PolicyError("the policy is too long")
    try:
        return tomllib.loads(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as exc:
        raise PolicyError("not TOML") from exc


def _address(table: _Table, name: str = "address") -> Address:
    try:
        return address_from(table.take(name, str), f"{table.place} {name}")
    except ChartsealError as exc:
        raise PolicyError("expected an address", path=f"{table.place} {name}") from exc


def _authority(table: _Table) -> TrustedAuthority:
    roles = frozenset(table.texts("roles"))
    if not roles or not roles <= set(ROLES):
        raise PolicyError(f"an authority has roles, of {', '.join(ROLES)}", path=table.place)
    name = table.take("name", str, "")
    if name and not _is_name(name):
        raise PolicyError("expected a name", path=table.place)
    authority = TrustedAuthority(_address(table), roles, name)
    table.require_no_more()
    return authority


def _is_name(text: str | None) -> bool:
    return text is not None and bool(text.strip()) and len(text) <= _LONGEST_NAME and text.isprintable()


def _issuer(table: _Table) -> TrustedIssuer:
    name = table.take("name", str)
    if not _is_name(name):
        raise PolicyError("an issuer has a name", path=table.place)
    issuer = TrustedIssuer(_address(table), name, _moment(table, "valid_from"), _moment(table, "valid_until"))
    table.require_no_more()
    return issuer


def _moment(table: _Table, name: str) -> datetime | None:
    """An offset date-time, or a date, which is its beginning in UTC."""
    value: date | None = table.take(name, date)
    if value is None:
        return None
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    if value.tzinfo is None:
        raise PolicyError("a time needs its offset from UTC", path=f"{table.place} {name}")
    return value


def _domains(data: _Table) -> frozenset[Domain]:
    try:
        found = {network(name).domain() for name in data.texts("networks")}
        for table in data.tables("domain", {"version", "chain_id", "contract"}):
            contract = address_from(table.take("contract", str), f"{table.place} contract")
            found.add(Domain(table.take("version", str), table.take("chain_id", int), contract))
    except PolicyError:
        raise
    except ChartsealError as exc:
        raise PolicyError(f"no such network or domain: {exc}", path="networks or domain") from exc
    return frozenset(found)


def _circuits(data: _Table) -> frozenset[str]:
    names = frozenset(data.texts("development_keys"))
    if not names <= set(CIRCUITS):
        raise PolicyError(f"expected some of {', '.join(CIRCUITS)}", path="development_keys")
    return names


def _digest(text: Any, place: str) -> Digest:
    try:
        return digest_from(text, place)
    except ChartsealError as exc:
        raise PolicyError("expected 32 bytes of hex", path=place) from exc


def _trust_root(table: _Table) -> AttestedTrustRoot:
    role, epoch = table.take("role", str), table.take("epoch", int)
    if role not in ROLES:
        raise PolicyError(f"a trust root has a role, of {', '.join(ROLES)}", path=table.place)
    if epoch is None or not 0 <= epoch <= _LAST_EPOCH:
        raise PolicyError("a trust root has an epoch, a day's number", path=table.place)
    begins_at = datetime.fromtimestamp(epoch * _EPOCH_SECONDS, UTC)
    root = _digest(table.take("root", str), f"{table.place} root")
    found = AttestedTrustRoot(_address(table, "authority"), role, begins_at, root)
    table.require_no_more()
    return found


def _required(data: _Table, default: frozenset[int]) -> frozenset[int]:
    words = data.take("required", list)
    if words is None:
        return default
    if any(not isinstance(word, str) or word not in OPTIONAL for word in words):
        raise PolicyError(f"expected some of {', '.join(OPTIONAL)}", path="required")
    return frozenset(OPTIONAL[word] for word in words)


def _limits(table: _Table) -> Limits:
    found = {name: table.take(name, int, getattr(Limits(), name)) for name in ("size", "records", "leaves")}
    if any(number < 1 for number in found.values()):
        raise PolicyError("a limit is at least 1", path=table.place)
    table.require_no_more()
    return Limits(**found)
