"""Batches: groups of an input's items become lines of sealed records, over all cores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

from chartseal import _core
from chartseal.errors import CoreError, FhirError, PatientError
from chartseal.fhir import Document, Piece, Reading, Refused
from chartseal.sealing.plan import Item, Outline, Plan, Recipient
from chartseal.sealing.seal import EXPIRING, Issuing, SealedLine, sign, sign_lines

MOST_ITEMS = 1_024
MOST_BYTES = 16 << 20
"""Of a batch, about: what reaches one of them ends it, and a document Bundle is never split."""

_MOST_RECIPIENTS = 100_000


def batched_items(items: Iterable[Item], plan: Plan) -> Iterator[list[Item]]:
    """Batches of items; a document Bundle stays together with its entries, whose roots it holds."""
    group: list[Item] = []
    size = 0
    for item in items:
        group.append(item)
        size += 0 if isinstance(item, Refused) else len(item.text)
        inside = item.place in plan.document_entries and not isinstance(item, Document)
        if (len(group) >= MOST_ITEMS or size >= MOST_BYTES) and not inside:
            yield group
            group, size = [], 0
    if group:
        yield group


Refusals = list[tuple[int, CoreError]]
"""Position in the group, and why."""


@dataclass(frozen=True)
class Job:
    """One resource for one recipient; `at` is its item's position in the group."""

    at: int
    place: str
    recipient: Recipient
    order: _core.SealOrder


Prepared = tuple[Job, _core.UnsignedRecord]


@dataclass(frozen=True)
class Work:
    """A group of items with what is to be sealed of it, and what is refused already."""

    group: Sequence[Item]
    jobs: Sequence[Job]
    refused: Refusals


@dataclass
class Sealer:
    """Seals groups of items."""

    plan: Plan
    issuing: Issuing
    reading: Reading
    now: datetime
    _recipients: dict[bytes, _core.SealRecipient] = field(default_factory=dict)

    def plan_work(self, group: Sequence[Item]) -> Work:
        """Whose the group's records are, before any is sealed."""
        refused: Refusals = []
        return Work(group, list(self._jobs(group, refused)), refused)

    def seal(self, work: Work) -> tuple[list[bytes], Refusals]:
        """Lines of the records, and what was refused."""
        records, refused = self._records(work)
        return sign([record for _, record in records], self.issuing), refused

    def seal_lines(self, work: Work) -> tuple[list[SealedLine], Refusals]:
        """As `seal`, for an issuer that keeps what it seals."""
        records, refused = self._records(work)
        lines = sign_lines([record for _, record in records], self.issuing)
        whose = [job.recipient.patient for job, _ in records]
        return [replace(line, patient=each) for line, each in zip(lines, whose, strict=True)], refused

    def _records(self, work: Work) -> tuple[list[Prepared], Refusals]:
        """The records, unsigned, and what was refused."""
        refused = list(work.refused)
        records = list(self._prepared(work.jobs, refused))
        roots = {(job.place, job.recipient): record.root for job, record in records}
        documents = list(self._documents(work.group, roots, refused))
        records += self._prepared(documents, refused)
        once = {(at, error.code, error.path): (at, error) for at, error in refused}  # a companion is sealed for several
        return records, sorted(once.values(), key=lambda each: each[0])

    def _jobs(self, group: Sequence[Item], refused: Refusals) -> Iterator[Job]:
        texts = [item.text if isinstance(item, Piece) else b"" for item in group]
        for at, (item, found) in enumerate(zip(group, _core.outlines(texts), strict=True)):
            if isinstance(item, Refused):
                refused.append((at, item.error))
            if not isinstance(item, Piece):
                continue
            try:
                outline = Outline(*found) if found is not None else self._unreadable(item)
                self.reading.second_opinion(item.text)
                recipients = self.plan.recipients_of(item, outline)
            except CoreError as exc:
                refused.append((at, self._reason(item, exc)))
                continue
            full_url = item.full_url or self._url(outline)
            for each in recipients:
                yield Job(at, item.place, each, self._order(item.text, full_url, each.address))

    def _unreadable(self, item: Piece) -> Outline:
        """Raise what the reader says of a text that has no outline."""
        raise self._reason(item, FhirError("not a resource", "not_an_object"))

    def _reason(self, item: Piece, error: CoreError) -> CoreError:
        """What the reader says, where it refuses the resource too: whose a record is comes second."""
        (found,) = _core.read_resources([item.text], **self.reading.options())
        return found if isinstance(found, CoreError) else error

    def _url(self, outline: Outline) -> str:
        """base/type/id of a resource that stands in no Bundle."""
        known = outline.id and self.issuing.base
        return f"{self.issuing.base}{outline.resource_type}/{outline.id}" if known else ""

    def _order(self, text: bytes, full_url: str, address: bytes, entries: Sequence[bytes] = ()) -> _core.SealOrder:
        recipient = self._recipients.get(address)
        if recipient is None:
            if len(self._recipients) >= _MOST_RECIPIENTS:
                self._recipients.clear()
            recipient = self._recipients[address] = _core.SealRecipient(address)
        return _core.SealOrder(text, recipient, full_url, list(entries))

    def _prepared(self, jobs: Sequence[Job], refused: Refusals) -> Iterator[Prepared]:
        """The jobs that the core takes, with their records; the others are refused."""
        sealed_at = self.issuing.sealed_at(self.now)
        prepared = _core.prepare_records(
            [job.order for job in jobs],
            self.issuing.core,
            self.plan.references,
            self.reading.core,
            time=sealed_at,
            expirations={kind: self.issuing.expiration(kind, sealed_at) for kind in EXPIRING},
        )
        for job, found in zip(jobs, prepared, strict=True):
            if isinstance(found, CoreError):
                refused.append((job.at, found))
            else:
                yield job, found

    def _documents(
        self, group: Sequence[Item], sealed: Mapping[tuple[str, Recipient], bytes], refused: Refusals
    ) -> Iterator[Job]:
        """A document's own record, for each address that all its entries were sealed to."""
        roots = {(place, recipient.address): root for (place, recipient), root in sealed.items()}
        for at, item in enumerate(group):
            if not isinstance(item, Document):
                continue
            places = set(item.entries)
            addresses = {address for place, address in roots if place in places}
            whole = {address for address in addresses if all((place, address) in roots for place in item.entries)}
            if not whole:
                error = PatientError(
                    "an entry of the document was refused, so that its own record cannot hold them all",
                    "document_incomplete",
                )
                refused.append((at, error))
            for each in _subjects(item, sealed, whole):
                own = {place: root for (place, recipient), root in sealed.items() if recipient == each}
                entries = [own.get(place, roots[place, each.address]) for place in item.entries]
                yield Job(at, item.place, each, self._order(item.text, "", each.address, entries))


def _subjects(document: Document, sealed: Iterable[tuple[str, Recipient]], addresses: Set[bytes]) -> list[Recipient]:
    """Whose a document is that goes to these addresses: whom its Composition, the first entry, was sealed to."""
    found = {each for place, each in sealed if place == document.entries[0] and each.address in addresses}
    return sorted(found, key=lambda each: (each.address, each.patient or ""))
