"""A run of sealing: an input of any size to a folder of sealed records, or a chart to records in memory."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from chartseal import _core
from chartseal.attestation import to_hex
from chartseal.errors import CoreError, FhirError, PatientError, SealingError
from chartseal.fhir import Document, Piece, Reading, Refused, is_ndjson, pieces
from chartseal.fhir.reading import DEFAULT_READING
from chartseal.record import read_fields
from chartseal.sealing.folder import RunFolder, run_folder
from chartseal.sealing.plan import Addresses, Item, OnePatient, Outline, Plan
from chartseal.sealing.seal import EXPIRING, Issuing, sign
from chartseal.sealing.sealed import FORMAT, SealedRecord

BATCH = 1_024
"""Sealed records in a file, about: a document Bundle is never split."""

_CHUNK = 1 << 20
_MOST_RECIPIENTS = 100_000


@dataclass(frozen=True)
class Done:
    """How far a run is: `items` of the `total` that the input has."""

    items: int
    total: int


@dataclass
class Summary:
    """What a run did: records sealed now; places refused, those before it was resumed too, as its folder lists them."""

    sealed: int = 0
    resumed_at: int = 0
    """Items of the input that an earlier run had done."""
    codes: Counter[str] = field(default_factory=Counter)
    """How many refusals bear each code."""

    @property
    def refused(self) -> int:
        """How many places are refused."""
        return self.codes.total()

    def add(self, sealed: int, codes: Sequence[str]) -> None:
        """Count one batch."""
        self.sealed += sealed
        self.codes.update(codes)


class Source:
    """An input that can be read several times: a file; a pipe or standard input kept in an unlinked temporary file."""

    def __init__(self, path: Path | None, stream: BinaryIO | None = None, *, ndjson: bool | None = None) -> None:
        """Take a path, or a stream that is read to its end now; `ndjson` tells apart lines from one document.

        Raises:
            SealingError: `input_unreadable`.
        """
        self._path = path
        self._kept: BinaryIO | None = None
        self.ndjson = ndjson if ndjson is not None else path is not None and is_ndjson(path.name)
        if stream is not None:
            self._keep(stream)
        elif path is not None and (path.is_fifo() or path.is_char_device()):  # say /dev/stdin, or a shell's <(…)
            with self.open() as pipe:
                self._keep(pipe)

    def _keep(self, stream: BinaryIO) -> None:
        try:
            kept = tempfile.TemporaryFile()  # noqa: SIM115 (kept open as long as the source)
            for chunk in iter(lambda: stream.read(_CHUNK), b""):
                kept.write(chunk)
        except OSError as exc:
            raise SealingError(f"the input cannot be kept: {exc.strerror}", "input_unreadable") from exc
        self._kept = kept

    def open(self) -> BinaryIO:
        """The input from its beginning."""
        if self._kept is not None:
            self._kept.seek(0)
            return self._kept
        try:
            assert self._path is not None  # noqa: S101 (path or stream)
            return self._path.open("rb")
        except OSError as exc:
            raise SealingError(f"the input cannot be read: {exc.strerror}", "input_unreadable") from exc

    def items(self) -> Iterator[Item]:
        """Its resources, refused places and documents."""
        stream = self.open()
        try:
            yield from pieces(stream, ndjson=self.ndjson)
        finally:
            if stream is not self._kept:
                stream.close()

    def digest(self) -> str:
        """SHA-256 of the bytes as they are."""
        stream = self.open()
        try:
            digest = hashlib.sha256()
            for chunk in iter(lambda: stream.read(_CHUNK), b""):
                digest.update(chunk)
            return "0x" + digest.hexdigest()
        finally:
            if stream is not self._kept:
                stream.close()


def seal_run(
    source: Source,
    issuing: Issuing,
    addresses: Addresses,
    output: Path,
    *,
    reading: Reading = DEFAULT_READING,
    now: datetime | None = None,
    progress: Callable[[Done], None] = lambda _: None,
) -> Summary:
    """Seal every resource of the input for its own patient into the folder `output`; refused ones are listed there.

    Raises:
        SealingError: `patient_ambiguous`, `input_unreadable`, or the folder holds another run (`sealing_other_run`), is
            in use (`sealing_in_progress`) or cannot be written (`output_unwritable`).
    """
    with run_folder(output, _identity(source, issuing, addresses, reading)) as run:
        plan = Plan.survey(source.items, issuing.base, addresses)
        batch = _Batch(plan, issuing, reading, now or datetime.now(UTC))
        return _fill(run, source, batch, progress)


def _fill(run: RunFolder, source: Source, batch: _Batch, progress: Callable[[Done], None]) -> Summary:
    """Seal what is not in the folder yet; reading, sealing and writing overlap."""
    summary = Summary(resumed_at=run.done, codes=run.refused)
    done = run.done
    groups = _groups(islice(source.items(), run.done, None), batch.plan)
    with ThreadPoolExecutor(max_workers=1) as writer:
        written: Future[None] | None = None
        for work in _ahead(map(batch.plan_work, groups)):
            lines, refused = batch.seal(work)
            rejects = [(done + at + 1, work.group[at].place, error) for at, error in refused]
            done += len(work.group)
            if written is not None:
                written.result()
            written = writer.submit(run.write, done, lines, rejects)
            summary.add(len(lines), [error.code for _, error in refused])
            progress(Done(done, batch.plan.pieces))
        if written is not None:
            written.result()
    return summary


def _ahead(items: Iterator[_Work]) -> Iterator[_Work]:
    """The same, each got by a thread of its own while the one before is worked on."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting = reader.submit(next, items, None)
        while (item := waiting.result()) is not None:
            waiting = reader.submit(next, items, None)
            yield item


def _identity(source: Source, issuing: Issuing, addresses: Addresses, reading: Reading) -> dict[str, str]:
    """What a folder's run is of. A run with another address or option must not pass for the rest of an earlier one."""
    settings = [
        to_hex(issuing.domain.separator()),
        issuing.base,
        issuing.validity.total_seconds(),
        issuing.period.total_seconds(),
        reading.test,
        reading.full,
        sorted(reading.modifier_extensions),
        sorted(reading.implicit_rules),
        to_hex(addresses.digest()),
    ]
    return {
        "format": FORMAT,
        "kind": "sealing-run",
        "input": source.digest(),
        "attester": to_hex(issuing.signer.address),
        "settings": to_hex(hashlib.sha256(json.dumps(settings).encode()).digest()),
    }


@dataclass(frozen=True)
class Sealing:
    """A chart, sealed in memory: its records, and (place, error) of what was refused."""

    records: tuple[SealedRecord, ...]
    refused: tuple[tuple[str, CoreError], ...]


def seal_chart(
    text: bytes | str | BinaryIO | Path,
    issuing: Issuing,
    addresses: Addresses | bytes,
    *,
    reading: Reading = DEFAULT_READING,
    now: datetime | None = None,
) -> Sealing:
    """Seal a resource, a Bundle or (from a path whose name says so) NDJSON in memory; an address (64 bytes) stands for
    one patient's chart.

    Raises:
        SealingError: `patient_ambiguous`, `input_unreadable`.
    """
    if isinstance(text, Path):
        source = Source(text)
    else:
        data = text.encode() if isinstance(text, str) else text
        source = Source(None, BytesIO(data) if isinstance(data, bytes) else data)
    whose = OnePatient(addresses) if isinstance(addresses, bytes) else addresses
    plan = Plan.survey(source.items, issuing.base, whose)
    batch = _Batch(plan, issuing, reading, now or datetime.now(UTC))
    records: list[SealedRecord] = []
    refused: list[tuple[str, CoreError]] = []
    for work in map(batch.plan_work, _groups(source.items(), plan)):
        lines, errors = batch.seal(work)
        records += map(SealedRecord.from_json, lines)
        refused += [(work.group[at].place, error) for at, error in errors]
    return Sealing(tuple(records), tuple(refused))


def _groups(items: Iterable[Item], plan: Plan) -> Iterator[list[Item]]:
    """Batches of items; a document Bundle stays together with its entries, whose roots it holds."""
    group: list[Item] = []
    inside = False
    for item in items:
        group.append(item)
        inside = item.place in plan.document_entries and not isinstance(item, Document)
        if len(group) >= BATCH and not inside:
            yield group
            group = []
    if group:
        yield group


Refusals = list[tuple[int, CoreError]]
"""Position in the group, and why."""


@dataclass(frozen=True)
class _Job:
    """One resource for one address; `at` is its item's position in the group."""

    at: int
    place: str
    address: bytes
    order: _core.SealOrder


@dataclass(frozen=True)
class _Work:
    """A group of items with what is to be sealed of it, and what is refused already."""

    group: Sequence[Item]
    jobs: Sequence[_Job]
    refused: Refusals


@dataclass
class _Batch:
    """Seals groups of items."""

    plan: Plan
    issuing: Issuing
    reading: Reading
    now: datetime
    _recipients: dict[bytes, _core.SealRecipient] = field(default_factory=dict)

    def plan_work(self, group: Sequence[Item]) -> _Work:
        """Whose the group's records are, before any is sealed."""
        refused: Refusals = []
        return _Work(group, list(self._jobs(group, refused)), refused)

    def seal(self, work: _Work) -> tuple[list[bytes], Refusals]:
        """Lines of the records, and what was refused."""
        refused = list(work.refused)
        prepared: list[_core.UnsignedRecord] = []
        roots: dict[tuple[str, bytes], bytes] = {}
        for job, found in zip(work.jobs, self._prepare(work.jobs), strict=True):
            if isinstance(found, CoreError):
                refused.append((job.at, found))
            else:
                prepared.append(found)
                roots[job.place, job.address] = found.root
        documents = list(self._documents(work.group, roots, refused))
        for job, found in zip(documents, self._prepare(documents), strict=True):
            if isinstance(found, CoreError):
                refused.append((job.at, found))
            else:
                prepared.append(found)
        return sign(prepared, self.issuing), sorted(refused, key=lambda each: each[0])

    def _jobs(self, group: Sequence[Item], refused: Refusals) -> Iterator[_Job]:
        texts = [item.text if isinstance(item, Piece) else b"" for item in group]
        for at, (item, found) in enumerate(zip(group, _core.outlines(texts), strict=True)):
            if isinstance(item, Refused):
                refused.append((at, item.error))
            if not isinstance(item, Piece):
                continue
            try:
                outline = Outline(*found) if found is not None else self._unreadable(item)
                self.reading.second_opinion(item.text)
                addresses = self.plan.addresses_of(item, outline)
            except CoreError as exc:
                refused.append((at, exc))
                continue
            full_url = item.full_url or self._url(outline)
            for address in addresses:
                yield _Job(at, item.place, address, self._order(item.text, full_url, address))

    def _unreadable(self, item: Piece) -> Outline:
        """Raise what the reader says of a text that has no outline."""
        read_fields(item.text)
        raise FhirError("not a resource", "not_an_object")

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

    def _prepare(self, jobs: Sequence[_Job]) -> list[_core.UnsignedRecord | CoreError]:
        sealed_at = self.issuing.sealed_at(self.now)
        return _core.prepare_records(
            [job.order for job in jobs],
            self.issuing.core,
            self.plan.references,
            self.reading.core,
            time=sealed_at,
            expirations={kind: self.issuing.expiration(kind, sealed_at) for kind in EXPIRING},
        )

    def _documents(
        self, group: Sequence[Item], roots: Mapping[tuple[str, bytes], bytes], refused: Refusals
    ) -> Iterator[_Job]:
        """A document's own record, for each address that all its entries were sealed to."""
        for at, item in enumerate(group):
            if not isinstance(item, Document):
                continue
            places = set(item.entries)
            addresses = sorted({address for place, address in roots if place in places})
            whole = [address for address in addresses if all((place, address) in roots for place in item.entries)]
            if not whole:
                error = PatientError(
                    "an entry of the document was refused, so that its own record cannot hold them all",
                    "document_incomplete",
                )
                refused.append((at, error))
            for address in whole:
                entries = [roots[place, address] for place in item.entries]
                yield _Job(at, item.place, address, self._order(item.text, "", address, entries))
