"""What the events behind a result say of themselves: how days of supply were found, and why some are not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chartseal.adherence import Columns
from chartseal.cli.adherence_events import Gathered
from chartseal.cli.opened import value_text

Key = tuple[Any, Any]
"""Patient and group."""


@dataclass
class Note:
    """The supplies of one patient and group."""

    supplies: int = 0
    medication: str = ""
    found: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


def notes_of(gathered: Gathered, columns: Columns) -> Mapping[Key, Note]:
    """Notes by patient and group, of events that came from FHIR; a table says nothing of how it was made."""
    notes: dict[Key, Note] = {}
    if gathered.fhir is None:
        return notes
    events = gathered.events
    wanted = ["patient", "kind", "medication", "fallback", "reason"]
    groups = events[columns.group].to_pylist() if columns.group in events.column_names else [None] * events.num_rows
    rows = zip(*(events[name].to_pylist() for name in wanted), groups, strict=True)
    for patient, kind, medication, fallback, reason, group in rows:
        if kind == "supply":
            note = notes.setdefault((patient, group), Note())
            note.supplies += 1
            note.medication = medication or note.medication
            note.found.update([fallback] if fallback and not reason else [])
            note.unknown.update([reason] if reason else [])
    return notes


def counted(counts: Mapping[str, int]) -> str:
    """`3 by days supply, 1 by quantity per dose`, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count:,} {words(code)}" for code, count in ordered)


def counted_kinds(kinds: Mapping[str, int]) -> str:
    """`11 supplies, 2 prescriptions`, the most frequent first."""
    ordered = sorted(kinds.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count:,} {_KINDS[kind][count != 1]}" for kind, count in ordered)


def label(group: str | None, medication: str) -> str:
    """A class for people: the short name of a code's system, and what the code is called."""
    system, bar, code = (group or "").partition("|")
    text = f"{_SYSTEMS.get(system, system)} {code} {medication}" if bar else group or ""
    return value_text(text.strip())


_KINDS = {
    "born": ("date of birth", "dates of birth"),
    "died": ("death", "deaths"),
    "enrolled": ("period of enrolment", "periods of enrolment"),
    "missed_dose": ("missed dose", "missed doses"),
    "not_dispensed": ("dispense that was not made", "dispenses that were not made"),
    "prescribed": ("prescription", "prescriptions"),
    "snf": ("skilled nursing stay", "skilled nursing stays"),
    "stay": ("hospital stay", "hospital stays"),
    "stop": ("medication not taken", "medications not taken"),
    "supply": ("supply", "supplies"),
}
_SYSTEMS = {
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://www.whocc.no/atc": "ATC",
    "http://hl7.org/fhir/sid/ndc": "NDC",
    "http://snomed.info/sct": "SNOMED",
}
_WORDS = {
    "days_supply": "as stated",
    "claim_days_supply": "as the claim states",
    "expected_supply_duration": "by expected supply duration",
    "quantity_per_dose": "by quantity and dose",
    "when_prepared": "dated when prepared",
    "billable_period": "dated when billed",
    "prescribed": "as prescribed",
}


def words(code: str) -> str:
    """A code as words."""
    return ", ".join(_WORDS.get(each, each.replace("_", " ")) for each in code.split("+"))
