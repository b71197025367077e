"""Reading FHIR: sources in, checked resources out, each told apart by its type."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from chartseal import _core
from chartseal.adherence.fhir import claimed, dispensed, periods
from chartseal.adherence.fhir.estimates import NotCountedError
from chartseal.adherence.fhir.medications import Medication, of_concept
from chartseal.adherence.fhir.members import Json, member, text
from chartseal.adherence.fhir.rows import Row
from chartseal.errors import AdherenceError, CoreError, FhirError, LimitError
from chartseal.fhir import Document, Piece, Reading, Refused, is_ndjson, pieces
from chartseal.fhir.ndjson import LARGEST
from chartseal.verification.facts import Fact

Source: TypeAlias = str | Path | bytes | BinaryIO | Fact
"""A file or folder, the bytes of a resource, Bundle or NDJSON, a stream of them, or a verified fact."""

FILES = ("*.json", "*.ndjson", "*.jsonl", "*.json.gz", "*.ndjson.gz", "*.jsonl.gz")
"""What is read of a folder, and of those in it."""
_BATCH = 512
_GZIP = b"\x1f\x8b"

_TELLS: Mapping[str, Callable[[Json], list[Row]]] = {
    "Coverage": periods.coverage,
    "Encounter": periods.encounter,
    "ExplanationOfBenefit": claimed.benefit,
    "MedicationAdministration": dispensed.administration,
    "MedicationDispense": dispensed.dispense,
    "MedicationRequest": dispensed.request,
    "MedicationStatement": dispensed.statement,
    "Patient": periods.patient,
}


class _Text(NamedTuple):
    """A resource's bytes, where they stood, and whether they are still to be checked."""

    source: str
    text: bytes
    full_url: str
    checked: bool


@dataclass
class Found:
    """One resource: its rows, or why it has none; `medication` of a Medication."""

    resource_type: str
    id: str
    full_url: str
    updated: str
    rows: list[Row] = field(default_factory=list)
    reason: str = ""
    medication: Medication | None = None
    subject: str = ""


def read(sources: Iterable[Source], reading: Reading, dropped: Counter[tuple[str, str]]) -> Iterator[Found]:
    """Each resource that can tell of supply or of its patient; what is refused is counted in `dropped`.

    Raises:
        AdherenceError: `source_unreadable`, `source_empty` (a folder without FHIR files).
    """
    texts = _texts(sources, dropped)
    while batch := list(islice(texts, _BATCH)):
        for item in _accepted(batch, reading, dropped):
            found = _tell(item)
            if found is not None:
                yield found


def _texts(sources: Iterable[Source], dropped: Counter[tuple[str, str]]) -> Iterator[_Text]:
    for source in sources:
        if isinstance(source, Fact):
            yield _Text("verified", source.text.encode(), source.full_url, checked=True)
            continue
        for name, item in _items(source):
            if isinstance(item, Refused):
                dropped["", item.error.code] += 1
            elif isinstance(item, Piece) and _is_told(item.text):
                yield _Text(f"{name} {item.place}".strip(), item.text, item.full_url, checked=False)


def _items(source: str | Path | bytes | BinaryIO) -> Iterator[tuple[str, Piece | Refused | Document]]:
    if isinstance(source, str | Path):
        for path in files_of(Path(source)):
            try:
                with path.open("rb") as file:
                    lines = is_ndjson(path.name) or _begins_as_lines(file)
                    yield from ((path.name, item) for item in pieces(file, ndjson=lines))
            except OSError as exc:
                raise AdherenceError("cannot be read", "source_unreadable", path.name) from exc
        return
    stream = BytesIO(source) if isinstance(source, bytes) else source
    yield from (("", item) for item in pieces(stream, ndjson=_begins_as_lines(stream)))


def _begins_as_lines(stream: BinaryIO) -> bool:
    """Whether the first line is JSON by itself and another follows, where no name says so."""
    if not stream.seekable():
        return False
    start = stream.tell()
    packed = stream.read(2) == _GZIP
    stream.seek(start)
    lines: Any = gzip.GzipFile(fileobj=stream) if packed else stream
    try:
        _core.check_json(lines.readline(LARGEST))
        return bool(lines.readline(LARGEST).strip())
    except (OSError, EOFError, ValueError, zlib.error):
        return False  # one document, or nothing that is read: reading it says what is wrong
    finally:
        stream.seek(start)


def files_of(path: Path) -> list[Path]:
    """The file, or the FHIR files of a folder and of those in it, by name.

    Raises:
        AdherenceError: `source_empty`.
    """
    if not path.is_dir():
        return [path]
    found = sorted({each for pattern in FILES for each in path.rglob(pattern) if each.is_file()})
    if not found:
        raise AdherenceError("the folder holds no FHIR files", "source_empty", path.name)
    return found


def _is_told(resource: bytes) -> bool:
    """Whether it is of a type that tells something; one whose type cannot be read is looked at, to be counted."""
    try:
        return _core.resource_kind(resource)[0] in {*_TELLS, "Medication", None}
    except CoreError:
        return True


def _accepted(batch: list[_Text], reading: Reading, dropped: Counter[tuple[str, str]]) -> Iterator[_Text]:
    """Those that are whole R4 resources, or verified."""
    unchecked = [item for item in batch if not item.checked]
    results = iter(_core.read_resources([item.text for item in unchecked], **reading.options()))
    for item in batch:
        result = None if item.checked else next(results)
        if isinstance(result, FhirError | LimitError):
            dropped[_type_of(item.text), result.code] += 1
        else:
            yield item


def _type_of(resource: bytes) -> str:
    try:
        return _core.resource_kind(resource)[0] or ""
    except CoreError:
        return ""


def _tell(item: _Text) -> Found | None:
    resource: Any = json.loads(item.text, parse_float=Decimal)
    resource_type = text(resource, "resourceType")
    updated = text(member(resource, "meta"), "lastUpdated")
    found = Found(resource_type, text(resource, "id"), item.full_url, updated)
    if resource_type == "Medication":
        found.medication = of_concept(member(resource, "code"))
        return found
    tell = _TELLS.get(resource_type)
    if tell is None:
        return None
    try:
        found.rows = tell(resource)
    except NotCountedError as exc:
        found.reason = exc.reason
    for name in ("subject", "patient", "beneficiary"):
        found.subject = found.subject or text(member(resource, name), "reference")
    for row in found.rows:
        row.full_url, row.source = item.full_url, item.source
    return found
