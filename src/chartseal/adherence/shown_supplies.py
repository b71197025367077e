"""The supplies that the dispensings of a report are, read together: what one says may take back another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chartseal.adherence.fhir import ClassTable, read_events
from chartseal.adherence.fhir.links import Links
from chartseal.adherence.fhir.members import member, members, text
from chartseal.adherence.shown import Entry, Shown
from chartseal.errors import AdherenceError
from chartseal.fhir import Reading

_BESIDE = frozenset({"ExplanationOfBenefit", "Medication"})
"""What tells of dispensings beside those named: what they are, that one is reversed or told twice, its days."""
_HOLDER = {"reference": "Patient/holder"}


def supplies(
    report: Entry, named: Sequence[Entry], shown: Shown, medication_class: str, classes: ClassTable | None
) -> pa.Table:
    """The events of the dispensings named, each a supply of the class; `medication_code` tells medicines apart.

    Without a table of classes all are taken to be of the report's class.

    Raises:
        AdherenceError: `dispensing_not_counted`, with the place in the report's `derivedFrom`; `dispensing_not_shown`.
    """
    keys = [_key(each) for each in named]
    beside = _beside(report, named, shown)
    if len({*keys, *map(_key, beside)}) != len(keys) + len(beside):
        raise AdherenceError("two resources have one name", "dispensing_not_shown", "Observation.derivedFrom")
    events = read_events(_bundle([*named, *beside]), classes, reading=Reading(test=_is_test(report))).events
    events = events.append_column("medication_code", events.column("class"))
    if classes is None:
        ours = pa.array([medication_class] * events.num_rows, pa.string())
        events = events.set_column(events.column_names.index("class"), "class", ours)
    of_class = pc.and_(pc.equal(events.column("kind"), "supply"), pc.equal(events.column("class"), medication_class))
    of_named = pc.is_in(events.column("event"), value_set=pa.array(keys, pa.string()))
    events = events.filter(pc.and_(pc.fill_null(of_class, False), of_named))
    _require_all(keys, events.column("event").to_pylist(), is_class_known=classes is not None)
    return events


def _key(entry: Entry) -> str:
    """What the reader calls a resource."""
    return Links().add(entry.full_url, text(entry.resource, "resourceType"), text(entry.resource, "id"))


def _beside(report: Entry, named: Sequence[Entry], shown: Shown) -> list[Entry]:
    """What the same issuer says of the same patient besides, as far as that is opened."""
    taken = {id(each) for each in named}
    return [
        each
        for each in shown.entries
        if text(each.resource, "resourceType") in _BESIDE
        and each.issuer == report.issuer
        and each.patient in {"", report.patient}
        and id(each) not in taken
    ]


def _require_all(keys: Sequence[str], counted: Sequence[str], *, is_class_known: bool) -> None:
    """Each name is of a supply; of one alone where no table says which of several is of the class."""
    times = Counter(counted)
    for place, key in enumerate(keys):
        if not times[key] or (times[key] > 1 and not is_class_known):
            raise AdherenceError(
                "not a supply of the class that counts", "dispensing_not_counted", f"Observation.derivedFrom[{place}]"
            )


def _is_test(entry: Entry) -> bool:
    """A report that is marked as a test may rest on tests."""
    return any(text(each, "code") == "HTEST" for each in members(member(entry.resource, "meta"), "security"))


def _bundle(entries: Sequence[Entry]) -> bytes:
    listed = [{"fullUrl": each.full_url, "resource": _whole(each.resource)} for each in entries]
    listed = [each if each["fullUrl"] else {"resource": each["resource"]} for each in listed]
    return _written({"resourceType": "Bundle", "type": "collection", "entry": listed}).encode()


def _whole(resource: Mapping[str, Any]) -> dict[str, Any]:
    """One opened in part, as the reader takes it: what a supply rests on travels together, the rest may stay shut.

    Whose it is was compared before; where it is not opened, verification's same person says it.
    """
    whole = dict(resource)
    if isinstance(meta := whole.pop("meta", None), dict):
        tags = [each for each in members(meta, "tag") if text(each, "code") != "SUBSETTED"]
        left = {**{name: value for name, value in meta.items() if name != "tag"}, **({"tag": tags} if tags else {})}
        whole |= {"meta": left} if left else {}
    whose = {"MedicationDispense": "subject", "ExplanationOfBenefit": "patient"}.get(text(resource, "resourceType"))
    return {**whole, **({whose: _HOLDER} if whose else {})}


def _written(value: object) -> str:
    """JSON, decimals as they were written: a float would round 29.999… days up to 30."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_written(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)
