"""A verifier recomputes a sealed report from the dispensings that it is shown beside it.

    verified = verify(disclosure, trust, audience=us, nonce=nonce, now=now)
    [checked] = recompute(bundle(verified.facts))
    checked.report.pdc

References are followed as verification follows them: within the resources of the issuer that the report is from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chartseal.adherence.fhir import ClassTable
from chartseal.adherence.fhir.members import codes, member, text
from chartseal.adherence.observation import ATC, SYSTEM, AdherenceReport, Coding, report, stated_numbers
from chartseal.adherence.shown import Entry, Shown, read_bundle
from chartseal.adherence.shown_supplies import supplies
from chartseal.errors import AdherenceError, ReportDiffersError

MOST_REPORTS = 100
"""Of one Bundle."""


@dataclass(frozen=True)
class Recomputed:
    """A report whose every number follows from the dispensings shown."""

    report: AdherenceReport = field(repr=False)
    full_url: str
    issuer: str
    """Who sealed the report, as the Bundle says with a Provenance; empty where it does not. No seal is checked here."""
    dispensings: int
    """How many dispensings it was recomputed from."""
    not_checked: tuple[str, ...]
    """`class`: no table of classes was given; `class_code`: the table does not list the report's code for its class;
    `patient`: whose a report or dispensing is was not opened."""


def recompute(
    bundle: str | bytes, classes: ClassTable | None = None, medication_class: str | None = None
) -> list[Recomputed]:
    """Recompute every adherence report of a Bundle: verified facts (`verification.bundle`), or plain resources.

    `classes` tells which dispensings are of the report's class, and which share an ingredient; `medication_class` is
    that class's name in the table, else its code is.

    Raises:
        AdherenceError: `bundle_malformed`, `report_missing`, `reports_many`, `report_malformed`, `class_differs`,
            `patients_many`, `dispensing_not_shown`, `dispensing_not_counted` (its path is the report's `derivedFrom`),
            `ingredients_unknown`, `window_not_over` (the seal is older than the window's last day), or why PDC cannot
            be measured.
        ReportDiffersError: which numbers of a report are others than its dispensings give.
    """
    shown = read_bundle(bundle)
    reports = [entry for entry in shown.entries if _is_report(entry.resource)]
    if not reports:
        raise AdherenceError("no Observation with the proportion of days covered", "report_missing")
    if len(reports) > MOST_REPORTS:
        raise AdherenceError(f"more than {MOST_REPORTS} reports", "reports_many")
    return [_recompute(entry, shown, classes, medication_class) for entry in reports]


def _is_report(resource: Mapping[str, Any]) -> bool:
    return text(resource, "resourceType") == "Observation" and (SYSTEM, "pdc") in codes(member(resource, "code"))


def _recompute(entry: Entry, shown: Shown, classes: ClassTable | None, medication_class: str | None) -> Recomputed:
    stated = AdherenceReport.from_fhir(entry.resource)
    _require_over(entry, stated)
    _require_opened(entry)
    named = _dispensings(entry, stated.derived_from, shown)
    is_patient_said = _is_one_patients([entry, *named])
    name = medication_class or stated.medication_class.code
    is_class_said = classes is not None and _is_class(stated.medication_class, name, classes)
    found = [_again(stated, name, events) for events in _pooled(supplies(entry, named, shown, name, classes), classes)]
    if any(each.covered_days != found[0].covered_days for each in found):
        raise AdherenceError("which of the medicines share an ingredient decides: no table says", "ingredients_unknown")
    _compare(stated_numbers(entry.resource), found[0])
    missing = {
        "class": classes is None,
        "class_code": bool(classes) and not is_class_said,
        "patient": not is_patient_said,
    }
    not_checked = tuple(each for each, is_missing in missing.items() if is_missing)
    return Recomputed(stated, entry.full_url, entry.issuer, len(named), not_checked)


def _require_over(entry: Entry, stated: AdherenceReport) -> None:
    """Nobody knows days to come. The last day may be that of the seal, as it may be that of the report."""
    if entry.sealed is not None and entry.sealed < stated.end:
        raise AdherenceError("sealed before the window's last day", "window_not_over", "Observation.effectivePeriod")


def _require_opened(entry: Entry) -> None:
    if any(place.startswith("Observation.derivedFrom") for place in entry.unopened):
        raise AdherenceError("not all dispensings are named", "dispensing_not_shown", "Observation.derivedFrom")
    if any(place.startswith("Observation.component") for place in entry.unopened):
        raise AdherenceError("not all of the report is opened", "report_malformed", "Observation.component")


def _dispensings(entry: Entry, references: Sequence[str], shown: Shown) -> list[Entry]:
    """Each of the dispensings that a report names, which are different ones."""
    if not references:
        raise AdherenceError("no dispensing is named", "dispensing_not_shown", "Observation.derivedFrom")
    named: dict[int, Entry] = {}
    for place, reference in enumerate(references):
        found = shown.find(entry, reference)
        if len(found) != 1 or id(found[0]) in named:
            wrong = (
                "is named twice" if found and id(found[0]) in named else "is not shown, or more than one has its name"
            )
            raise AdherenceError(f"the dispensing {wrong}", "dispensing_not_shown", f"Observation.derivedFrom[{place}]")
        named[id(found[0])] = found[0]
    return list(named.values())


def _is_one_patients(entries: Sequence[Entry]) -> bool:
    """Whether all say whose they are, which must be one patient's."""
    whose = {each.patient for each in entries}
    if len(whose - {""}) > 1:
        raise AdherenceError("the report and its dispensings are not of one patient", "patients_many")
    return "" not in whose


def _is_class(coding: Coding, name: str, classes: ClassTable) -> bool:
    """Whether the table has the report's code for the class of that name: itself, or, of ATC, a code below it.

    Raises:
        AdherenceError: `class_differs`: it has the code for other classes alone.
    """
    below = [means for key, means in classes.rows.items() if _is_below(key, coding)]
    listed = {each.medication_class for means in below for each in means}
    if listed and name not in listed:
        raise AdherenceError("the table has the report's code for another class", "class_differs")
    return bool(listed)


def _is_below(key: tuple[str, str], coding: Coding) -> bool:
    system, code = key
    return system == coding.system and (code == coding.code or (system == ATC and code.startswith(coding.code)))


def _pooled(events: pa.Table, classes: ClassTable | None) -> list[pa.Table]:
    """Without a table, medicines of different codes may be of one ingredient, or each of its own: both."""
    if classes is not None or len(codes_seen := pc.unique(events.column("medication_code"))) == 1:
        return [events]
    own = pc.index_in(events.column("medication_code"), value_set=codes_seen).cast(pa.string())
    return [events, events.set_column(events.column_names.index("ingredient"), "ingredient", own)]


def _again(stated: AdherenceReport, name: str, events: pa.Table) -> AdherenceReport:
    """The report of the events, whose patient was compared with the subject before."""
    patient = str(events["patient"][0])
    return report(events, name, stated.medication_class, stated.start, stated.end, subject=patient)


def _compare(stated: Mapping[str, Decimal], again: AdherenceReport) -> None:
    found = {"pdc": again.pdc, "covered-days": Decimal(again.covered_days), "period-days": Decimal(again.period_days)}
    differences = {code: (stated[code], found[code]) for code in found if stated[code] != found[code]}
    if differences:
        raise ReportDiffersError(differences)
