"""Which accreditations are live at a moment, and why others are not: pure, from attestations alone.

    standing = Standing(facts.attestations(ACCREDITATION, attester=a), facts.attestations(WITHDRAWAL, attester=a))
    standing.live(issuer, at)

Who may accredit is the caller's choice: give only the attestations of authorities that are trusted. Withdrawals are to
be asked for by attester, never by recipient: they count whomever they name as such.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from chartseal.attestation import ZERO_ADDRESS, Address, Digest
from chartseal.chain.authority.accreditation import Accredited, read_accreditation
from chartseal.chain.authority.withdrawal import Withdrawn, read_withdrawal
from chartseal.chain.facts import Attestation
from chartseal.errors import AuthorityError

T = TypeVar("T")

NEVER = 2**64 - 1
"""An end that does not come: the largest uint64."""

LIVE, NOT_BEGUN, EXPIRED = "live", "not_begun", "expired"
WITHDRAWN, WITHDRAWN_FOR_CAUSE, REVOKED = "withdrawn", "withdrawn_for_cause", "revoked"
_GRAVEST_FIRST = (REVOKED, WITHDRAWN_FOR_CAUSE, WITHDRAWN, EXPIRED)


@dataclass(frozen=True, slots=True)
class Malformed:
    """An attestation that is passed over."""

    uid: Digest
    authority: Address
    issuer: Address
    """Its recipient."""
    code: str
    """Of the error that refuses it."""


@dataclass(frozen=True, slots=True)
class End:
    """When an accreditation ends (Unix seconds; NEVER) and by what: `expired`, `withdrawn`, …"""

    at: int
    reason: str


class Standing:
    """Accreditations and withdrawals of some authorities, as far as they were on chain before `known_before`."""

    def __init__(
        self,
        accreditations: Sequence[Attestation],
        withdrawals: Sequence[Attestation],
        *,
        known_before: int | None = None,
    ) -> None:
        """Read all; what was attested or revoked at a block time of `known_before` or later is not known yet."""
        self.malformed: list[Malformed] = []
        """What is passed over, accreditations first."""
        self.accreditations: tuple[Accredited, ...] = tuple(
            self._read(read_accreditation, known(accreditations, known_before))
        )
        """All well-formed ones, live or not, in the order in which they were given."""
        self._of_issuer: dict[Address, list[Accredited]] = defaultdict(list)
        self._after: dict[Address, list[Accredited]] = defaultdict(list)
        self._withdrawals: dict[tuple[Address, Digest], list[Withdrawn]] = defaultdict(list)
        for accredited in self.accreditations:
            self._of_issuer[accredited.issuer].append(accredited)
            if accredited.predecessor != ZERO_ADDRESS:
                self._after[accredited.predecessor].append(accredited)
        for withdrawn in self._read(read_withdrawal, known(withdrawals, known_before)):
            self._withdrawals[withdrawn.authority, withdrawn.accreditation].append(withdrawn)

    def _read(self, read: Callable[[Attestation], T], attestations: Sequence[Attestation]) -> list[T]:
        found = []
        for each in attestations:
            try:
                found.append(read(each))
            except AuthorityError as refusal:
                self.malformed.append(Malformed(each.uid, each.attester, each.recipient, refusal.code))
        return found

    def of(self, attester: Address) -> Sequence[Accredited]:
        """All accreditations of an issuer, whenever."""
        return tuple(self._of_issuer.get(attester, ()))

    def live(self, attester: Address, at: int) -> Sequence[Accredited]:
        """Those of an issuer that are live at a time, in Unix seconds."""
        return tuple(each for each in self.of(attester) if self.is_live(each, at))

    def successors(self, attester: Address, at: int) -> Sequence[Accredited]:
        """Accreditations live at a time that name the issuer as their predecessor."""
        return tuple(each for each in self._after.get(attester, ()) if self.is_live(each, at))

    def withdrawals(self, accredited: Accredited) -> Sequence[Withdrawn]:
        """Those by the same authority that name it."""
        return tuple(self._withdrawals.get((accredited.authority, accredited.uid), ()))

    def is_live(self, accredited: Accredited, at: int) -> bool:
        """Whether it has begun and not ended: start <= at < end."""
        return accredited.begins_at <= at < self.end(accredited).at

    def end(self, accredited: Accredited) -> End:
        """The earliest of expiration, revocation and withdrawals; of several at once, the gravest."""
        ends = [End(NEVER, EXPIRED)]
        if accredited.expires_at:
            ends.append(End(accredited.expires_at, EXPIRED))
        if accredited.revoked_at:
            ends.append(End(accredited.revoked_at, REVOKED))
        ends.extend(
            End(each.ends_at, WITHDRAWN_FOR_CAUSE if each.is_for_cause else WITHDRAWN)
            for each in self.withdrawals(accredited)
        )
        return min(ends, key=lambda end: (end.at, _GRAVEST_FIRST.index(end.reason)))

    def state(self, accredited: Accredited, at: int) -> str:
        """`live`, `not_begun`, or why it has ended: `expired`, `revoked`, `withdrawn`, `withdrawn_for_cause`."""
        end = self.end(accredited)
        if at >= end.at:
            return end.reason
        return LIVE if accredited.begins_at <= at else NOT_BEGUN


def known(attestations: Sequence[Attestation], before: int | None) -> Sequence[Attestation]:
    """The attestations as they stood before the first block of that time or later; None takes all as they are."""
    if before is None:
        return attestations
    return [
        replace(each, revocation_time=0) if each.revocation_time >= before else each
        for each in attestations
        if each.time < before
    ]
