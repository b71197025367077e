"""Moving: what was sealed to an address is sealed again to the one that follows it, and its old seals are revoked.

    taken = take(vault, notice, map_path, actor="clerk-7", now=now)
    moved = Mover(vault, issuing, revoker, facts, "clerk-7").move(notice, now=now)

A patient who takes over a wallet that somebody kept for her needs it: who kept the wallet can sign for what was sealed
to it. A new record, its delivery, its anchor leaf and the note of what it was are there in one transaction, before the
old seal is revoked; so a run that is killed is finished by another, and each record is sealed again once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sqlalchemy import Connection, select, update

from chartseal.attestation import Address, Digest
from chartseal.chain.anchors import AnchorQueue
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.seals import Outcome, Revoker, Target
from chartseal.errors import AmendmentError, CoreError, MoveError, SuccessorError
from chartseal.keys import SuccessorNotice, verify_successor
from chartseal.sealing import Issuing, SealedLine, SealedRecord
from chartseal.sealing.reseal import DOCUMENT, Resealing, references_of
from chartseal.vault.audit import Act, Action, record_text
from chartseal.vault.audit.log import lock_head
from chartseal.vault.database import reading, storing, writing
from chartseal.vault.deliveries import withdraw
from chartseal.vault.moves import Ground, add_moves, due, moved_by, moves, set_revoked
from chartseal.vault.opening import COLUMNS, Entry, Opened, decrypt
from chartseal.vault.staying import Seen, Survey
from chartseal.vault.storing import Identity, Order, of_identities, put
from chartseal.vault.succession import BASIS, PURPOSE, is_passed, is_taken, mark
from chartseal.vault.tables import LIVE, RECORD
from chartseal.vault.terms import read_facts
from chartseal.vault.traces import Known, graves, revoked_before

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

T = TypeVar("T")

AT_ONCE = 100
"""Records of one batch."""

REASON = "other"
"""Of the revocations; it is not published, since it says nothing and costs as much as the revocation."""


class Moved(NamedTuple):
    """What a run did."""

    sealed: int
    """Records that were sealed again."""
    before: int
    """That earlier runs had sealed again."""
    outcomes: tuple[Outcome, ...]
    """Of the old seals that this run revoked, or found revoked without a note of it."""
    withdrawn: int
    """Deliveries that waited for the old address."""
    left: tuple[CoreError, ...]
    """Why records stay where they are; each names its record in its path."""
    revoked_before: tuple[Known, ...] = ()
    """Seals among the outcomes that stood when their records were sealed again, and that another had revoked since."""
    erased: tuple[str, ...] = ()
    """Names of the patient's records that were erased before they moved, and of which the seal still stands."""


@dataclass(frozen=True)
class Mover:
    """Seals again with one issuer's key, and revokes with it."""

    vault: Vault
    issuing: Issuing
    revoker: Revoker
    facts: RpcFacts
    actor: str
    delivery_days: int = 90
    patients: tuple[str, ...] = field(default=(), repr=False)
    """Ids or URLs that the patient may have, as a map has them: for what names her by a record that is gone."""
    are_uses_spent: bool = False
    """The old wallet has spent what was left of prescriptions and dispensings: they may move, without credentials."""

    def move(self, notice: SuccessorNotice, *, now: datetime) -> Moved:
        """Seal the live records of the notice's old address again to its new one, then revoke their old seals.

        The notice is taken already (`take`). Left where they are, and named, are records of another attester
        (`attester_other`) or deployment (`domain_other`), those whose seal is revoked (`seal_revoked`), of which uses
        may be left (`uses_unspent`), that would not say the same (`reseal_differs`, `document_incomplete`), that may
        not be sealed any more or that are damaged. Where the new address was left too, nothing is sealed there any more
        (`successor_superseded`), and what an earlier run began is finished.

        Raises:
            SuccessorError: as `verify_successor`; `successor_untaken`, `successor_superseded`, or
                `successor_same_wallet`: who holds both addresses needs no new seals.
            AmendmentError: `domain_differs`: key and chain are not of one deployment of EAS.
            MoveError: `move_disturbed`: somebody moved or erased these records meanwhile; nothing of the batch is done.
            ChainError: as the facts and the sender; what was sealed again stays, and another run revokes.
            VaultError, SignatureError, StatusListError, QueueError: as the vault, the signer and the stores.
        """
        self.require(notice, now=now)
        with reading(self.vault.engine) as connection:
            passed = is_passed(self.vault, connection, notice)
            if not passed and not is_taken(self.vault, connection, notice):
                raise SuccessorError("the vault has not taken this notice", "successor_untaken")
        survey = Survey(self.vault, self.issuing, self.facts, self.are_uses_spent)
        entries = self.vault.addressed(str(notice.old), survey.leave)
        before = self.vault.moved(entries)
        ground = Ground(mark(self.vault, notice.old), self.issuing.domain.separator())
        run = _Run(self, notice, ground, survey, now)
        new = 0
        if passed:
            _leave(survey, [each for each in entries if each.id not in before])
        else:
            new = run.seal(survey.seen(entries, before, now=now))
        outcomes = run.revoke()
        with reading(self.vault.engine) as connection:
            gone = moved_by(connection, ground.succession)
        withdrawn = withdraw(self.vault, gone, actor=self.actor, now=now, basis=BASIS)
        erased = [
            each.name for each in survey.standing_graves(graves(self.vault, entries, self._named(), ground.succession))
        ]
        known = revoked_before(self.vault, self.issuing.signer.address, outcomes)
        return Moved(new, len(before), outcomes, withdrawn, tuple(survey.left), known, tuple(erased))

    def _named(self) -> list[str]:
        """Names that the patient's records may be filed under; a bare id is the issuer's, or the vault's."""
        bases = (self.issuing.base, "")
        bare = [f"{base}Patient/{each}" for each in self.patients if "/" not in each for base in bases]
        return [*self.patients, *bare]

    def require(self, notice: SuccessorNotice, *, now: datetime) -> None:
        """What must hold before anything is done, whether the notice is taken or not.

        Raises:
            SuccessorError, SignatureError: as `verify_successor`; `successor_same_wallet`.
            AmendmentError: `domain_differs`.
        """
        verify_successor(notice, current=notice.old, now=now)
        if notice.old.spend_key == notice.new.spend_key:
            detail = "both addresses are one wallet's: what was sealed to the old one needs no new seal"
            raise SuccessorError(detail, "successor_same_wallet")
        if self.issuing.domain != self.facts.deployment.domain():
            raise AmendmentError("key and chain are not of one deployment of EAS", "domain_differs")


@dataclass(frozen=True)
class _Run:
    """One run of one notice."""

    mover: Mover
    notice: SuccessorNotice
    ground: Ground
    survey: Survey
    now: datetime

    @property
    def vault(self) -> Vault:
        return self.mover.vault

    def seal(self, seen: Sequence[Seen]) -> int:
        """Seal again what is to be, documents after what they hold; returns how many records."""
        todo = self.survey.standing(seen)
        references = references_of(each.event for each in seen)
        ids = tuple(each.rpartition("/")[2] for each in self.mover.patients)
        work = Resealing(self.mover.issuing, self.notice.new.data, references, patients=ids)
        documents = [each for each in todo if each.event.resource_type == DOCUMENT]
        new = self._in_batches(work, [each for each in todo if each.event.resource_type != DOCUMENT])
        if documents:
            new += self._in_batches(replace(work, roots=self._new_roots(seen)), documents)
        return new

    def _new_roots(self, seen: Sequence[Seen]) -> dict[Digest, Digest]:
        """Roots of what moved, by those that it had."""
        roots: dict[Digest, Digest] = {}
        for part in _parts(seen):
            with reading(self.vault.engine) as connection:
                moved = moves(connection, [each.entry.id for each in part])
                opened = decrypt(self.vault, connection, _entries(connection, list(moved.values())))
            found = {each.id: each for each in opened if isinstance(each, Opened)}
            for each in part:
                if (new := found.get(moved.get(each.entry.id, 0))) is not None:
                    roots[each.root] = SealedRecord.from_json(new.line).root
        return roots

    def _in_batches(self, work: Resealing, seen: Sequence[Seen]) -> int:
        return sum(self._batch(work, [each.entry for each in part]) for part in _parts(seen))

    def _batch(self, work: Resealing, entries: Sequence[Entry]) -> int:
        mover = self.mover
        opened = list(self.vault.lines(entries, actor=mover.actor, now=self.now, purpose=PURPOSE, basis=BASIS))
        records = [SealedRecord.from_json(each.line) for each in opened]
        lines: dict[int, SealedLine] = {}
        for entry, found in zip(entries, work.lines(records, now=self.now), strict=True):
            if isinstance(found, CoreError):
                self.survey.leave(entry, found)
            else:
                lines[entry.id] = found
        if lines:
            identities = {number: _identity(line) for number, line in lines.items()}
            queue, patients = AnchorQueue(mover.issuing.domain), self._patients(opened, identities)
            order = Order(mover.actor, self.now, queue, mover.delivery_days, PURPOSE, BASIS, patients)
            put(self.vault, list(lines.values()), order, self._noted(identities))
        return len(lines)

    def _patients(self, opened: Iterable[Opened], identities: Mapping[int, Identity]) -> dict[Identity, bytes]:
        """What moves is the same patient's as before, unless it was filed under the old address alone."""
        nobody = self.vault.pseudonym_of_address(str(self.notice.old))
        return {
            identities[each.id]: each.patient
            for each in opened
            if each.id in identities and each.patient not in (None, nobody)
        }

    def _noted(self, identities: Mapping[int, Identity]) -> Callable[[Connection], None]:
        """In the transaction that stores new records: what is what, unless somebody else was here."""

        def note(connection: Connection) -> None:
            is_taken(self.vault, connection, self.notice)  # and not superseded meanwhile
            if _live(connection, identities) != set(identities) or moves(connection, sorted(identities)):
                raise MoveError("records were moved or erased meanwhile: run it again", "move_disturbed")
            ids = _ids(connection, identities.values())
            successors = {number: ids[identity] for number, identity in identities.items()}
            add_moves(connection, successors, self.ground)
            _keep_as_long(connection, successors)

        return note

    def revoke(self) -> tuple[Outcome, ...]:
        """Revoke the old seals of what moved and is not noted as revoked, and enter it in the log."""
        with reading(self.vault.engine) as connection:
            left = due(connection, self.ground, self.mover.issuing.signer.address)
        if not left:
            return ()
        targets = [Target(Digest(each.uid), Address(each.attester)) for each in left]
        outcomes = self.mover.revoker.revoke(targets, REASON, reason_on_chain=False)
        with writing(self.vault.engine) as connection:
            lock_head(connection, self.vault.settings.id)
            noted = set_revoked(connection, [each.id for each in left], int(self.now.timestamp()))
            self.vault.audit.append(connection, list(self._acts(connection, noted)), now=self.now)
        return tuple(outcomes)

    def _acts(self, connection: Connection, records: Sequence[int]) -> Iterator[Act]:
        for part in _parts(records):
            with storing():
                rows = connection.execute(select(RECORD).where(RECORD.c.id.in_(part)).order_by(RECORD.c.id)).all()
            for row in rows:
                what = record_text(bytes(row.attester), bytes(row.uid), row.version)
                patient = None if row.patient is None else bytes(row.patient)
                yield Act(self.mover.actor, Action.REVOKE, what, patient, PURPOSE, BASIS)


def _leave(survey: Survey, entries: Iterable[Entry]) -> None:
    for each in entries:
        detail = "the new address was left too: the record moves by a notice that leads to the one of now"
        survey.leave(each, MoveError(detail, "successor_superseded"))


def _identity(line: SealedLine) -> Identity:
    [facts] = read_facts([line.line])
    return facts.attester, facts.uid


def _entries(connection: Connection, ids: Sequence[int]) -> list[Entry]:
    """Live records."""
    with storing():
        rows = connection.execute(select(*COLUMNS).where(RECORD.c.id.in_(ids), RECORD.c.state == LIVE)).all()
    return [Entry.of(row) for row in rows]


def _live(connection: Connection, records: Collection[int]) -> set[int]:
    """Those of the records (ids) that are not erased."""
    with storing():
        return set(connection.scalars(select(RECORD.c.id).where(RECORD.c.id.in_(records), RECORD.c.state == LIVE)))


def _ids(connection: Connection, identities: Iterable[Identity]) -> dict[Identity, int]:
    with storing():
        rows = connection.execute(select(*COLUMNS).where(of_identities(identities))).all()
    return {(bytes(row.attester), bytes(row.uid)): row.id for row in rows}


def _keep_as_long(connection: Connection, successors: Mapping[int, int]) -> None:
    """What had to be kept until a day must be in its new form, too."""
    with storing():
        old = select(RECORD.c.id, RECORD.c.retain_until).where(RECORD.c.id.in_(successors))
        kept = [row for row in connection.execute(old) if row.retain_until is not None]
        for row in kept:
            own = update(RECORD).where(RECORD.c.id == successors[row.id])
            connection.execute(own.values(retain_until=row.retain_until))


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + AT_ONCE] for at in range(0, len(items), AT_ONCE))
