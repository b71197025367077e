"""Staying: which records of an address that is left may not be sealed again, and why.

survey = Survey(vault, issuing, facts, are_uses_spent=False)
standing = survey.standing(survey.seen(entries, moves, now=now))
print(survey.left)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from chartseal.attestation import Address, Digest
from chartseal.chain.facts import ChainFacts
from chartseal.chain.schemas import ACCREDITATION
from chartseal.chain.view import FactsView
from chartseal.errors import ChartsealError, CoreError, MoveError
from chartseal.record import Event
from chartseal.sealing import Issuing, SealedRecord
from chartseal.sealing.reseal import COUNTED
from chartseal.vault.database import reading
from chartseal.vault.opening import Entry, Opened, chunks, decrypt
from chartseal.verification import Question

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault


class Seen(NamedTuple):
    """A record of the old address, looked at."""

    entry: Entry
    event: Event
    root: Digest
    stays: bool
    """It moved before, or may not."""


@dataclass
class Survey:
    """What would be moved by an issuer; `left` grows by what may not, each error named for its record in its path."""

    vault: Vault
    issuing: Issuing
    facts: ChainFacts
    are_uses_spent: bool
    left: list[CoreError] = field(default_factory=list)

    def seen(self, entries: Iterable[Entry], moved: Collection[int], *, now: datetime) -> list[Seen]:
        """All that can be read, those that stay too: references of other records lead to them.

        What is opened is given to nobody, and so not entered in the audit chain. `moved` are ids of what moved before.

        Raises:
            VaultError: `vault_unavailable`, `blobs_unavailable`.
        """
        return [each for chunk in chunks(entries) for each in self._seen(chunk, moved, now)]

    def _seen(self, entries: Sequence[Entry], moved: Collection[int], now: datetime) -> Iterator[Seen]:
        with reading(self.vault.engine) as connection:
            found = decrypt(self.vault, connection, entries)
        for entry, opened in zip(entries, found, strict=True):
            try:
                yield self._look(entry, opened, entry.id in moved, now)
            except ChartsealError as exc:
                self.leave(entry, exc)

    def _look(self, entry: Entry, opened: Opened | ChartsealError, moved: bool, now: datetime) -> Seen:
        if isinstance(opened, ChartsealError):
            raise opened
        record = SealedRecord.from_json(opened.line)
        refusal = None if moved else self._refusal(record, now)
        if refusal is not None:
            self.leave(entry, refusal)
        return Seen(entry, record.event, record.root, moved or refusal is not None)

    def _refusal(self, record: SealedRecord, now: datetime) -> MoveError | None:
        """Why a record stays, as far as it tells itself.

        Raises:
            ChartsealError: it does not hold, as `SealedRecord.check` says.
        """
        if record.attester != self.issuing.signer.address:
            return MoveError("the record was sealed by another key", "attester_other")
        if record.package.domain != self.issuing.domain:
            return MoveError("the record's seal is of another deployment of EAS", "domain_other")
        record.check()
        held = record.credential
        may_be_left = held is not None and record.resource_type in COUNTED and now.timestamp() < held.expiry
        if may_be_left and not self.are_uses_spent:
            return MoveError("uses of the record may be left, and would be lost", "uses_unspent")
        return None

    def standing(self, seen: Iterable[Seen]) -> list[Seen]:
        """Those that may move and whose seal stands, whoever of its attester's authorities a verifier believes.

        Raises:
            ChainError: as the facts.
        """
        asked = [each for each in seen if not each.stays]
        stand = self._stand(Digest(each.event.uid) for each in asked)
        for each in asked:
            if each.event.uid not in stand:
                self.leave(each.entry, MoveError("the record's seal is revoked", "seal_revoked"))
        return [each for each in asked if each.event.uid in stand]

    def standing_graves(self, graves: Iterable[Entry]) -> list[Entry]:
        """Those erased records of which the issuer's seal stands.

        Raises:
            ChainError: as the facts.
        """
        ours = [each for each in graves if each.identity[0] == self.issuing.signer.address]
        stand = self._stand(Digest(each.identity[1]) for each in ours)
        return [each for each in ours if each.identity[1] in stand]

    def _stand(self, uids: Iterable[Digest]) -> set[bytes]:
        """Those of the issuer's seals that are not revoked."""
        asked = list(uids)
        if not asked:
            return set()
        attester, domain, view = self.issuing.signer.address, self.issuing.domain, FactsView([self.facts])
        given = self.facts.attestations(ACCREDITATION, recipient=attester)
        authorities = frozenset(Address(each.attester) for each in given)
        view.prefetch([Question(domain, attester, each) for each in asked], authorities)
        return {each for each in asked if view.revocation(domain, attester, each, authorities) is None}

    def leave(self, entry: Entry, error: ChartsealError) -> None:
        """Note why a record stays; of an error that is not ours the code alone, since its text may tell."""
        detail = error.detail if isinstance(error, MoveError) else "the record cannot be sealed again"
        self.left.append(MoveError(detail, error.code, entry.name))
