"""FHIR in, the table of events out: references followed, versions and doubles counted once, classes looked up."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa

from chartseal.adherence.fhir import claimed, fills, orders
from chartseal.adherence.fhir.classes import ClassOf, ClassTable, own_class
from chartseal.adherence.fhir.links import Links, is_person, is_url
from chartseal.adherence.fhir.medications import Medication
from chartseal.adherence.fhir.reader import Found, Source, read
from chartseal.adherence.fhir.rows import Claim, Row
from chartseal.errors import AdherenceError
from chartseal.fhir import Reading
from chartseal.fhir.reading import DEFAULT_READING
from chartseal.verification.facts import Fact

Supplies: TypeAlias = Literal["dispensed", "prescribed", "either"]

MOST_EVENTS = 50_000_000
"""Rows of one reading; a larger export is read by parts, each of whole patients."""

SCHEMA = pa.schema(
    [
        ("patient", pa.string()),
        ("date", pa.date32()),
        ("days_supply", pa.float64()),
        ("daily_dose", pa.float64()),
        ("class", pa.string()),
        ("ingredient", pa.string()),
        ("kind", pa.string()),
        ("end", pa.date32()),
        ("event", pa.string()),
        ("medication", pa.string()),
        ("fallback", pa.string()),
        ("reason", pa.string()),
        ("source", pa.string()),
    ]
)

_DROPPED = pa.schema([("resource_type", pa.string()), ("reason", pa.string()), ("count", pa.int64())])
_OF_MEDICATIONS = frozenset({"supply", "prescribed", "not_dispensed", "missed_dose", "stop"})
_ANSWERS = frozenset({"supply", "not_dispensed", "reversal"})
"""What becomes of a prescription: it was filled, or not, or its claim was taken back."""


@dataclass(frozen=True)
class FhirEvents:
    """What FHIR tells of supply.

    `events` has a row for each supply, prescription, refusal, missed dose, stop, stay, enrolment and death (`kind`).
    `fallback` says how days of supply were found, and what stood in for the date; `reason` why days are not known.
    `dropped` counts, by resource type and reason, what is no row.
    """

    events: pa.Table
    dropped: pa.Table

    def counts(self, column: Literal["fallback", "reason"], kind: str = "supply") -> dict[str, int]:
        """How many events of a kind have each fallback or reason."""
        pairs = zip(self.events["kind"].to_pylist(), self.events[column].to_pylist(), strict=True)
        return dict(sorted(Counter(value for each, value in pairs if each == kind and value).items()))


def read_events(
    sources: Source | Iterable[Source],
    classes: ClassTable | None = None,
    *,
    supplies: Supplies = "dispensed",
    reading: Reading = DEFAULT_READING,
) -> FhirEvents:
    """The events that FHIR R4 tells: of files, folders, bytes, streams, or a verified disclosure's facts.

    What is dispensed or claimed is of kind `supply`, what is prescribed `prescribed`. With `supplies="prescribed"`
    prescriptions are the supplies, and with `"either"` those that no dispense or claim answers, be it by a refusal.
    Without `classes` a medication's first code is its class. A resource that is not R4 is counted and ends nothing.

    Raises:
        AdherenceError: `source_unreadable`, `source_empty`, `too_many_events`.
    """
    listed = [sources] if isinstance(sources, str | Path | bytes | Fact) or hasattr(sources, "read") else sources
    return _Events(classes, supplies).of(listed, reading)  # type: ignore[arg-type]  # a stream was put into a list


class _Events:
    """All that one reading gathers."""

    def __init__(self, classes: ClassTable | None, supplies: Supplies) -> None:
        self.classes, self.supplies = classes, supplies
        self.links = Links()
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.medications: dict[str, Medication] = {}
        self.ambiguous: set[str] = set()
        """Keys under which there are two people: no resource of theirs can be told to be of one of them."""

    def of(self, sources: Iterable[Source], reading: Reading) -> FhirEvents:
        found: dict[tuple[str, str] | int, Found] = {}
        keys: dict[int, str] = {}
        for each in read(sources, reading, self.dropped):
            key = self.links.add(each.full_url, each.resource_type, each.id)
            if each.medication is not None:
                self.medications[key] = each.medication
            elif self._is_newest(found, (key, each.subject) if key else len(keys), each):
                keys[id(each)] = key
            if len(found) > MOST_EVENTS:
                raise AdherenceError(f"more than {MOST_EVENTS} events", "too_many_events")
        kept = enumerate(self._last_versions(found.values(), keys))
        rows = [row for number, each in kept for row in self._followed(each, keys[id(each)], number)]
        return self._tables(self._counted_once(rows))

    def _is_newest(self, found: dict[tuple[str, str] | int, Found], key: tuple[str, str] | int, each: Found) -> bool:
        """Put a resource in the place of its older versions: of the last update, else of the last read."""
        older = found.get(key)
        if older is not None:
            self.dropped[each.resource_type, "older_version"] += 1
            if isinstance(key, tuple) and not is_url(key[0]) and len(_births(older) | _births(each)) > 1:
                self.ambiguous.add(key[0])
            if _moment(each.updated) < _moment(older.updated):
                return False
            del found[key]
        found[key] = each
        return True

    def _last_versions(self, found: Iterable[Found], keys: Mapping[int, str]) -> Iterator[Found]:
        """One of each resource, though its versions name the patient in other words, another patient, or none."""
        listed, alike = list(found), defaultdict[str, list[Found]](list)
        times = Counter(keys[id(each)] for each in listed)
        for each in listed:
            key = keys[id(each)]
            if not key or times[key] == 1:
                yield each
            else:
                alike[key].append(each)
        for key, versions in alike.items():
            kept = self._last(key, versions)
            self.dropped[versions[0].resource_type, "older_version"] += len(versions) - len(kept)
            yield from kept

    def _last(self, key: str, versions: list[Found]) -> list[Found]:
        """The last version; without a server or a time, what is of several patients need not be one resource."""
        last = max(reversed(versions), key=lambda each: _moment(each.updated))
        if is_url(key) or last.updated or not last.subject:
            return [last]
        return list({self._key(each.subject, each.full_url): each for each in versions}.values())

    def _followed(self, found: Found, key: str, number: int) -> Iterator[Row]:
        """Rows with keys in the place of references; `number` tells resources without a key apart."""
        if found.reason:
            self.dropped[found.resource_type, found.reason] += 1
        for row in found.rows:
            row.resource_type = found.resource_type
            row.event = key or f"{row.source}#{number}"
            patient = key if found.resource_type == "Patient" else self._key(row.patient, row.full_url)
            if not patient or not is_person(patient):
                self.dropped[found.resource_type, "patient_unresolved"] += 1
                continue
            if patient in self.ambiguous:
                self.dropped[found.resource_type, "patient_ambiguous"] += 1
                continue
            row.patient = patient
            row.prescriptions = self._keys(row.prescriptions, row.full_url)
            row.instance_of = self._keys(row.instance_of, row.full_url)
            if row.medication is not None and row.medication.reference:
                row.medication = self._medication(row.medication, row.full_url)
            if row.claim is not None:
                row.claim = self._claim(row.claim, row.full_url)
            yield row

    def _key(self, reference: str, full_url: str) -> str:
        return self.links.follow(reference, full_url) or "" if reference else ""

    def _keys(self, references: Iterable[str], full_url: str) -> tuple[str, ...]:
        return tuple(filter(None, (self._key(each, full_url) for each in references)))

    def _claim(self, claim: Claim, full_url: str) -> Claim:
        def followed(names: Iterable[str]) -> frozenset[str]:
            known = (name if name.startswith("identifier ") else self._key(name, full_url) for name in names)
            return frozenset(filter(None, known))

        return replace(claim, names=followed(claim.names), takes_back=followed(claim.takes_back))

    def _medication(self, medication: Medication, full_url: str) -> Medication:
        """What the Medication referred to says; the reference itself where it is not at hand."""
        key = self._key(medication.reference, full_url)
        found = self.medications.get(key)
        if found is not None and (found.codings or found.name):
            return found
        return Medication(name=medication.name, reference=key)

    def _counted_once(self, rows: list[Row]) -> list[Row]:
        rows, twice = orders.once(rows)
        rows, repeated = fills.named_once(rows)
        self._drop("MedicationRequest", twice)
        self._drop("MedicationDispense", {"identifier_repeated": repeated})
        answered = {(row.patient, each) for row in rows if row.kind in _ANSWERS for each in row.prescriptions}
        rows, gone = claimed.settle(rows)
        rows, same = fills.once(rows, self.classes)
        self._drop("ExplanationOfBenefit", {**gone, "same_fill_as_dispense": same})
        return self._supplied(rows, answered)

    def _drop(self, resource_type: str, counts: Mapping[str, int]) -> None:
        self.dropped.update({(resource_type, reason): count for reason, count in counts.items() if count})

    def _supplied(self, rows: list[Row], answered: set[tuple[str, str]]) -> list[Row]:
        """Which rows are supplies: those dispensed, those prescribed, or those and prescriptions with no answer."""
        if self.supplies == "dispensed":
            return rows
        kept = []
        for row in rows:
            if row.kind == "supply" and self.supplies == "prescribed":
                row.kind = "dispensed"
            elif row.kind == "prescribed" and not (self.supplies == "either" and (row.patient, row.event) in answered):
                row.kind = "supply"
                row.how.append("prescribed")
            kept.append(row)
        return kept

    def _tables(self, rows: list[Row]) -> FhirEvents:
        columns: dict[str, list[object]] = {name: [] for name in SCHEMA.names}
        for row in sorted(rows, key=lambda each: (each.patient, each.date is not None, each.date, each.event)):
            for means in self._means(row):
                for name, value in _values(row, means).items():
                    columns[name].append(value)
        counted = sorted((*key, count) for key, count in self.dropped.items())
        dropped = {name: [each[at] for each in counted] for at, name in enumerate(_DROPPED.names)}
        return FhirEvents(pa.table(columns, SCHEMA), pa.table(dropped, _DROPPED))

    def _means(self, row: Row) -> tuple[ClassOf | None, ...]:
        """The classes that a row counts in; none where its medication is not of those listed."""
        if row.kind not in _OF_MEDICATIONS | {"dispensed"}:
            return (None,)
        medication = row.medication or Medication()
        known = self.classes.find(medication) if self.classes else tuple(filter(None, [own_class(medication)]))
        if not known:
            reason = "class_unlisted" if medication.codings else "medication_unknown"
            self.dropped[row.resource_type, reason] += 1
        return known


def _values(row: Row, means: ClassOf | None) -> dict[str, object]:
    return {
        "patient": row.patient,
        "date": row.date,
        "days_supply": None if row.days is None else _as_float(row.days),
        "daily_dose": None if row.daily_dose is None else float(row.daily_dose),
        "class": means.medication_class if means else None,
        "ingredient": means.ingredient if means else None,
        "kind": row.kind,
        "end": row.end,
        "event": row.event,
        "medication": row.medication.name or None if row.medication else None,
        "fallback": "+".join(row.how) or None,
        "reason": ("date_unknown" if row.date is None else row.reason) or None,
        "source": row.source,
    }


def _births(found: Found) -> set[date | None]:
    return {row.date for row in found.rows if row.kind == "born"}


def _as_float(days: Fraction) -> float:
    """The nearest float that is of the same whole number of days."""
    nearest = float(days)
    return nearest if math.floor(nearest) == math.floor(days) else math.nextafter(nearest, -math.inf)


def _moment(instant: str) -> datetime:
    """A time of R4's instant; the first of times where there is none."""
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        moment = datetime.min
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
