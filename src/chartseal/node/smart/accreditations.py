"""Who is accredited now, as what, and where its node is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from chartseal.attestation import Address
from chartseal.chain.authority import Standing
from chartseal.chain.facts import ChainFacts, final_until
from chartseal.chain.schemas import ACCREDITATION, WITHDRAWAL
from chartseal.verification.policy import TrustedAuthority

LASTING = 3.0
"""Seconds for which an answer of the chain stands: a withdrawal ends tokens at the latest then."""


@dataclass(frozen=True, slots=True)
class Member:
    """An account that authorities accredit now."""

    account: Address
    roles: frozenset[str]
    """Of `verification.chain.ROLES`, as far as each authority may give them."""
    name: str
    endpoint: str
    """https URL of its node without a slash at its end; empty where it states none."""


class Accreditations(Protocol):
    """Says who is accredited. Raises a ChainError where that cannot be known: silence is never a yes."""

    def find(self, account: Address, now: datetime) -> Member | None:
        """The account's standing now, or None: it is not accredited by anybody who counts here."""


class Relocated:
    """Other accreditations, with nodes elsewhere than they state: for a machine that plays several nodes."""

    def __init__(self, accreditations: Accreditations, endpoints: Mapping[Address, str]) -> None:
        """`endpoints`: base URLs by account."""
        self._accreditations = accreditations
        self._endpoints = endpoints

    def find(self, account: Address, now: datetime) -> Member | None:
        """The account's standing now; that it is accredited, the settings cannot say.

        Raises:
            ChainError: as the accreditations.
        """
        member = self._accreditations.find(account, now)
        if member is None or account not in self._endpoints:
            return member
        return replace(member, endpoint=self._endpoints[account].rstrip("/"))


class ChainAccreditations:
    """From a chain's facts: accreditations count once final, what ends them at once."""

    def __init__(
        self,
        facts: Callable[[], AbstractContextManager[ChainFacts]],
        authorities: Iterable[TrustedAuthority],
        *,
        lasting: float = LASTING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`facts` gives those of the newest block each time. An index is faster than a node."""
        self._facts = facts
        self._authorities = {each.address: each.roles for each in authorities}
        self._lasting = lasting
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, bytes, Standing] | None = None

    def find(self, account: Address, now: datetime) -> Member | None:
        """The account's standing now.

        Of several live accreditations the newest that states one gives name and endpoint.

        Raises:
            ChainError: as the facts.
        """
        live = sorted(self._standing().live(account, int(now.timestamp())), key=lambda each: each.attested_at)
        counting = [each for each in live if each.roles & self._authorities[each.authority]]
        if not counting:
            return None
        roles = frozenset().union(*(each.roles & self._authorities[each.authority] for each in counting))
        placed = [each for each in counting if each.endpoint]
        newest = placed[-1] if placed else counting[-1]
        return Member(account, roles, newest.name, newest.endpoint.rstrip("/"))

    def _standing(self) -> Standing:
        with self._lock:  # who comes meanwhile waits for the same answer
            now = self._clock()
            if self._known is None or not 0 <= now - self._known[0] < self._lasting:
                self._known = (now, *self._asked())
            return self._known[2]

    def _asked(self) -> tuple[bytes, Standing]:
        with self._facts() as facts:
            head = facts.head.hash
            if self._known is not None and self._known[1] == head:
                return head, self._known[2]
            ordered = sorted(self._authorities)
            given = [each for one in ordered for each in facts.attestations(ACCREDITATION, attester=one)]
            ended = [each for one in ordered for each in facts.attestations(WITHDRAWAL, attester=one)]
            final = final_until(facts)
        return head, Standing([each for each in given if each.time <= final], ended)
