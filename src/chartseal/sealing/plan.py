"""Whose a record is: a first look over an input finds its patients, and which records go along with theirs.

A record in one patient's compartment goes to that patient, one in several to its subject alone. A record in none
(Organization, Practitioner, Medication, …) goes to each patient whose records refer to it, directly or through others.
Source: R4, compartmentdefinition-patient.html and bundle.html#references.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

from chartseal import _core
from chartseal.errors import KeyFormatError, LimitError, PatientError, SealingError
from chartseal.fhir import Document, Piece, Refused
from chartseal.sealing.lookahead import ahead

LARGEST_MAP = 64 << 20
"""Bytes of a map's file."""
_BATCH = 512
_LITERAL = re.compile(
    r"(?P<root>(?:https?://[^?#]*/)?)(?P<type>[A-Z][A-Za-z]*)/(?P<id>[A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?",
    re.ASCII,
)
"""A reference by type and id. Source: hl7.org/fhir/R4/references.html#literal."""
_SEARCH = re.compile(r"(?:[^?#]*/)?Patient\?", re.ASCII)


class Addresses(Protocol):
    """Where patients' records go."""

    def digest(self) -> bytes:
        """32 bytes that tell these addresses from others: a run is resumed only with its own."""

    def patient_of_chart(self, patients: Mapping[str, bool], base: str) -> None:
        """Told once, after the first look: the patients met, each with whether its Patient resource is there; and the
        issuer's base.
        """

    def address_of(self, patient: str) -> bytes:
        """The sealing address (64 bytes) of a patient by its URL, which ends with `Patient/` and an id.

        Raises:
            PatientError: there is none.
        """


class OnePatient:
    """One patient's chart, sealed to one address; records of other patients are refused."""

    def __init__(self, address: bytes, patient: str | None = None) -> None:
        """Take the address (64 bytes) and, where the chart holds several Patients, the id or URL of the right one."""
        self._address, self._named = address, patient
        self._patient = patient

    def digest(self) -> bytes:
        """SHA-256 over the address and the patient's name, if one was given."""
        return hashlib.sha256(self._address + (self._named or "").encode()).digest()

    def patient_of_chart(self, patients: Mapping[str, bool], base: str) -> None:
        """Settle whose chart it is: the one Patient resource in it, else the one patient that its records refer to.

        Raises:
            SealingError: `patient_ambiguous`: several, and none was named.
        """
        if self._named is not None:
            return
        present = [patient for patient, there in patients.items() if there] or list(patients)
        if len(present) > 1:
            raise SealingError("the chart holds several patients: name the one it is of", "patient_ambiguous")
        self._patient = present[0] if present else None

    def address_of(self, patient: str) -> bytes:
        """The address, if it is that patient's."""
        if self._patient is not None and not _is_same(patient, self._patient):
            raise PatientError("the record is another patient's", "another_patient")
        return self._address


class PatientMap:
    """Many patients' records, each sealed to its own address."""

    def __init__(self, addresses: Mapping[str, bytes]) -> None:
        """Take addresses (64 bytes) by patient id or URL."""
        self._addresses = dict(addresses)
        self._root: str | None = None
        """Of the server of which bare ids are."""

    def digest(self) -> bytes:
        """SHA-256 over the patients and their addresses, in the order of the patients."""
        lines = (f"{patient},{address.hex()}\n" for patient, address in sorted(self._addresses.items()))
        return hashlib.sha256("".join(lines).encode()).digest()

    @classmethod
    def read(cls, path: Path) -> PatientMap:
        """Read a CSV file of two columns, patient id and sealing address; a first line without an address is a heading.

        Raises:
            SealingError: `map_malformed`, with the line's number; `map_unreadable`.
        """
        addresses: dict[str, bytes] = {}
        try:
            if path.stat().st_size > LARGEST_MAP:
                raise LimitError("the map of patients is too large", "map_too_large")
            with path.open(newline="", encoding="utf-8-sig") as stream:
                for number, row in enumerate(csv.reader(stream), 1):
                    add_row(addresses, row, number)
        except (OSError, UnicodeDecodeError, csv.Error) as exc:
            raise SealingError("the map of patients cannot be read", "map_unreadable") from exc
        return cls(addresses)

    def patient_of_chart(self, patients: Mapping[str, bool], base: str) -> None:
        """Any number of patients will do. Bare ids are of the issuer's base, else of the one server that all are of."""
        roots = {found["root"] for found in map(_LITERAL.fullmatch, patients) if found}
        self._root = base if base in roots or len(roots) != 1 else roots.pop()

    def address_of(self, patient: str) -> bytes:
        """The patient's address, by URL; or by id, which other servers have for patients of their own."""
        if patient in self._addresses:
            return self._addresses[patient]
        named = _LITERAL.fullmatch(patient)
        by_id = self._addresses.get(named["id"]) if named else None
        if by_id is None:
            raise PatientError("the map has no address for the record's patient", "patient_unmapped")
        if named is None or named["root"] != self._root:
            detail = "the map's ids are of another server: it must name the record's patient by URL"
            raise PatientError(detail, "patient_ambiguous")
        return by_id


class MapRow(NamedTuple):
    """A line of a map of patients."""

    patient: str
    """Id or URL."""
    address: bytes
    """64 bytes."""


def map_row(row: Sequence[str], number: int) -> MapRow | None:
    """What a row of a map says, `number` being its own from 1; None for an empty one and for a heading.

    Raises:
        SealingError: `map_malformed`, with the line's number.
    """
    place = f"line {number}"
    if not row:
        return None
    if len(row) != 2:
        raise SealingError("expected a patient id and a sealing address", "map_malformed", place)
    if number == 1 and not row[1].strip().lower().startswith("seal1"):
        return None
    patient = row[0].strip().removeprefix("Patient/")
    if not patient:
        raise _repeated(place)
    try:
        return MapRow(patient, _core.parse_address(row[1].strip()))
    except KeyFormatError as exc:
        raise SealingError("not a sealing address", "map_malformed", place) from exc


def add_row(addresses: dict[str, bytes], row: Sequence[str], number: int) -> MapRow | None:
    """Take a row's address into those by patient; returns what `map_row` reads.

    Raises:
        SealingError: as `map_row`; a patient stands twice.
    """
    found = map_row(row, number)
    if found is not None:
        if found.patient in addresses:
            raise _repeated(f"line {number}")
        addresses[found.patient] = found.address
    return found


def _repeated(place: str) -> SealingError:
    return SealingError("a patient id is missing or stands twice", "map_malformed", place)


def _is_same(url: str, named: str) -> bool:
    return url == named or url.rpartition("/")[2] == named.removeprefix("Patient/")


class Outline(NamedTuple):
    """A fast look at one resource: its type and id, the reference that says whom it is about, those that place it in
    patients' compartments, and all of them.
    """

    resource_type: str
    id: str | None
    subject: str | None
    compartment: list[str]
    references: list[str]


class Recipient(NamedTuple):
    """Whom a record is sealed to, 64 bytes, and the URL of the patient whose it is; None where nothing says it."""

    address: bytes
    patient: str | None


RawOutline = tuple[str, str | None, str | None, list[str], list[str]]
Item = Piece | Refused | Document


@dataclass
class Plan:
    """What a first look over an input found; then, for each of its pieces, the addresses that it is sealed to."""

    base: str
    addresses: Addresses
    references: _core.References = field(default_factory=_core.References)
    document_entries: set[str] = field(default_factory=set)
    """Places of the entries of document Bundles, whose roots the documents' own records need."""
    pieces: int = 0
    """Pieces, documents and refused places of the input."""
    _companions: set[str] = field(default_factory=set)
    _reached: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def survey(cls, read: Callable[[], Iterable[Item]], base: str, addresses: Addresses) -> Plan:
        """Look over an input twice: `read` begins it anew. Memory grows with fullUrls, patients and companions alone.

        Raises:
            SealingError: `patient_ambiguous`.
        """
        plan = cls(base, addresses)
        patients: dict[str, bool] = {}
        links: dict[str, set[str]] = defaultdict(set)
        for item, outline in _outlined(read()):
            plan._note(item, outline)
        for item, outline in _outlined(read()):
            if isinstance(item, Piece) and outline is not None:
                plan._follow(item, outline, patients, links)
        _spread(plan._reached, links)
        addresses.patient_of_chart(patients, base)
        return plan

    def _note(self, item: Item, outline: Outline | None) -> None:
        self.pieces += 1
        if isinstance(item, Document):
            self.document_entries.update(item.entries)
        if not isinstance(item, Piece) or outline is None:
            return
        if item.full_url:
            self.references.add(item.full_url, outline.resource_type, outline.id)
        if outline.resource_type != "Patient" and not outline.compartment:
            self._companions.add(self.key(item, outline))

    def _follow(self, piece: Piece, outline: Outline, patients: dict[str, bool], links: dict[str, set[str]]) -> None:
        own = self.key(piece, outline)
        targets = {key for reference in outline.references if (key := self._target(reference, piece))}
        targets &= self._companions
        targets.discard(own)
        try:
            patient = self._patient(piece, outline)
        except PatientError:
            return
        if patient is None:
            links[own] |= targets
            return
        patients[patient] = patients.get(patient, False) or outline.resource_type == "Patient"
        for target in targets:
            self._reached[target].add(patient)

    def key(self, piece: Piece, outline: Outline) -> str:
        """What references to the piece resolve to: its URL, or type and id where the base is unknown."""
        if piece.full_url.startswith(("http://", "https://")):
            return piece.full_url.partition("/_history/")[0]
        return f"{self.base}{outline.resource_type}/{outline.id}" if outline.id else piece.full_url

    def _target(self, reference: str, piece: Piece, wanted: str = "") -> str | None:
        """The key of what a reference names, or None: contained, conditional, or of another type than wanted.

        Exporters name entries by urn:uuid and refer to them by type and id, to which R4's Bundle rules give no meaning;
        to say whose a record is, that is enough.
        """
        found = self.references.resolve(reference, piece.full_url, self.base)
        if found is not None:
            return (found[1] or reference) if wanted in ("", found[0]) else None
        literal = _LITERAL.fullmatch(reference)
        if literal is None or wanted not in ("", literal["type"]):
            return None
        return f"{literal['root'] or self._root(piece)}{literal['type']}/{literal['id']}"

    def _root(self, piece: Piece) -> str:
        """What relative references of a resource begin with: its server's root, or the issuer's."""
        own = _LITERAL.fullmatch(piece.full_url)
        return own["root"] if own and own["root"] else self.base

    def _patient(self, piece: Piece, outline: Outline) -> str | None:
        """The patient whose record it is; None where it is in no compartment.

        Raises:
            PatientError: `patient_ambiguous`, `patient_unresolved`.
        """
        if outline.resource_type == "Patient":
            return self.key(piece, outline)
        if outline.subject is not None and (subject := self._target(outline.subject, piece, "Patient")):
            return subject
        found = {key for reference in outline.compartment if (key := self._target(reference, piece, "Patient"))}
        if len(found) > 1:
            raise PatientError("the record is in several patients' compartments, and about none", "patient_ambiguous")
        if not found and any(_SEARCH.match(reference) for reference in outline.compartment):
            raise PatientError("the record's patient is given by a search, which is not resolved", "patient_unresolved")
        return found.pop() if found else None

    def patients_of(self, piece: Piece, outline: Outline) -> list[str]:
        """The patients that a record is sealed for: one, or for a companion each whose records refer to it.

        Raises:
            PatientError: `patient_ambiguous`, `patient_unresolved`, `companion_unreferenced`.
        """
        patient = self._patient(piece, outline)
        if patient is not None:
            return [patient]
        reached = sorted(self._reached.get(self.key(piece, outline), ()))
        if not reached and self.pieces > 1:
            raise PatientError(
                "the record is in no patient's compartment, and none of theirs refers to it", "companion_unreferenced"
            )
        return reached

    def recipients_of(self, piece: Piece, outline: Outline) -> list[Recipient]:
        """Those of `patients_of` that have a sealing address.

        Raises:
            PatientError: as `patients_of`; or none of them has one, for the reason that the addresses give.
        """
        found: list[Recipient] = []
        refusal: PatientError | None = None
        # One resource alone, in no compartment, is of no patient: whoever gave the address says whose it is.
        for patient in self.patients_of(piece, outline) or [""]:
            try:
                found.append(Recipient(self.addresses.address_of(patient), patient or None))
            except PatientError as exc:
                refusal = exc
        if refusal is not None and not found:
            raise refusal
        return found


def _outlined(items: Iterable[Item]) -> Iterator[tuple[Item, Outline | None]]:
    """Each item with the outline of its resource, computed by the batch over all cores."""
    for batch, outlines in ahead(map(_with_outlines, batched(items, _BATCH))):
        for item, found in zip(batch, outlines, strict=True):
            yield item, Outline(*found) if found is not None else None


def _with_outlines(batch: list[Item]) -> tuple[list[Item], list[RawOutline | None]]:
    return batch, _core.outlines([item.text if isinstance(item, Piece) else b"" for item in batch])


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of at most `size`."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def _spread(reached: dict[str, set[str]], links: Mapping[str, set[str]]) -> None:
    """Companions of companions go along, too."""
    pending = list(reached)
    while pending:
        key = pending.pop()
        for target in links.get(key, ()):
            if not reached[key] <= reached[target]:
                reached[target] |= reached[key]
                pending.append(target)
