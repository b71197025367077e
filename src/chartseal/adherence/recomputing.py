"""A verifier recomputes a sealed report from the dispensings that it is shown beside it.

    verified = verify(disclosure, trust, audience=us, nonce=nonce, now=now)
    [checked] = recompute(bundle(verified.facts))
    checked.report.pdc

References are followed as verification follows them: within the resources of the issuer that the report is from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chartseal import _json
from chartseal.adherence.fhir import ClassTable, read_events
from chartseal.adherence.observation import SYSTEM, AdherenceReport, report, stated_numbers
from chartseal.errors import AdherenceError, ReportDiffersError
from chartseal.verification.facts import UNOPENED_URL

LARGEST_BUNDLE = 64 * 1024 * 1024
"""Bytes of a Bundle of facts."""


@dataclass(frozen=True)
class Recomputed:
    """A report whose every number follows from the dispensings shown."""

    report: AdherenceReport = field(repr=False)
    full_url: str
    is_sealed: bool
    """The Bundle says with a Provenance that the report is a verified seal's; `recompute` itself checks no seal."""
    dispensings: int
    """How many dispensings it was recomputed from."""
    not_checked: tuple[str, ...]
    """`class`: no table of classes was given; `patient`: whose a report or dispensing is was not opened."""


@dataclass(frozen=True)
class _Entry:
    full_url: str
    resource: Mapping[str, Any] = field(repr=False)
    issuer: str = ""
    unopened: tuple[str, ...] = ()


def recompute(
    bundle: str | bytes, classes: ClassTable | None = None, medication_class: str | None = None
) -> list[Recomputed]:
    """Recompute every adherence report of a Bundle: verified facts (`verification.bundle`), or plain resources.

    `classes` tells which dispensings are of the report's class; `medication_class` is that class's name in the table,
    else its code is.

    Raises:
        AdherenceError: `bundle_malformed`, `report_missing`, `report_malformed`, `dispensing_not_shown`,
            `dispensing_not_counted` (its path is the report's `derivedFrom`), or why PDC cannot be measured.
        ReportDiffersError: which numbers of a report are others than its dispensings give.
    """
    entries = _entries(bundle)
    reports = [entry for entry in entries if _is_report(entry.resource)]
    if not reports:
        raise AdherenceError("no Observation with the proportion of days covered", "report_missing")
    return [_recompute(entry, entries, classes, medication_class) for entry in reports]


def _recompute(
    entry: _Entry, entries: Sequence[_Entry], classes: ClassTable | None, medication_class: str | None
) -> Recomputed:
    stated = AdherenceReport.from_fhir(entry.resource)
    if any(place.startswith("Observation.derivedFrom") for place in entry.unopened):
        raise AdherenceError("not all dispensings are named", "dispensing_not_shown", "Observation.derivedFrom")
    if not stated.derived_from:
        raise AdherenceError("no dispensing is named", "dispensing_not_shown", "Observation.derivedFrom")
    shown = [_dispensing(entry, place, reference, entries) for place, reference in enumerate(stated.derived_from)]
    unsaid = _unsaid(entry, shown)
    name = medication_class or stated.medication_class.code
    events = pa.concat_tables([_event(each.resource, place, name, classes) for place, each in enumerate(shown)])
    again = report(events, name, stated.medication_class, stated.start, stated.end, subject=stated.subject)
    _compare(stated_numbers(entry.resource), again)
    not_checked = [name for name, missing in (("class", classes is None), ("patient", unsaid)) if missing]
    return Recomputed(stated, entry.full_url, bool(entry.issuer), len(shown), tuple(not_checked))


def _entries(bundle: str | bytes) -> list[_Entry]:
    if len(bundle) > LARGEST_BUNDLE:
        raise AdherenceError("larger than a Bundle of facts may be", "bundle_malformed")
    try:
        parsed = _json.loads(bundle)
        resources = [(str(entry.get("fullUrl", "")), entry["resource"]) for entry in parsed["entry"]]
        said = dict(_said_by(resource) for _, resource in resources if resource["resourceType"] == "Provenance")
        return [
            _Entry(url, resource, *said.get(url, ("", ())))
            for url, resource in resources
            if resource["resourceType"] != "Provenance"
        ]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as exc:
        raise AdherenceError("not a Bundle of resources", "bundle_malformed") from exc


def _said_by(provenance: Mapping[str, Any]) -> tuple[str, tuple[str, tuple[str, ...]]]:
    """(its target, (who sealed it, positions not opened))."""
    who = str(provenance["agent"][0]["who"]["identifier"]["value"])
    unopened = tuple(
        str(each["valueString"]) for each in provenance.get("extension", ()) if each.get("url") == UNOPENED_URL
    )
    return str(provenance["target"][0]["reference"]), (who, unopened)


def _is_report(resource: Mapping[str, Any]) -> bool:
    codings = resource.get("code", {}).get("coding", ()) if resource["resourceType"] == "Observation" else ()
    return any(coding.get("system") == SYSTEM and coding.get("code") == "pdc" for coding in codings)


def _dispensing(entry: _Entry, place: int, reference: str, entries: Sequence[_Entry]) -> _Entry:
    names = {reference, f"{_base(entry)}/{reference}"} if entry.full_url.startswith("http") else {reference}
    found = [
        each
        for each in entries
        if each.issuer == entry.issuer and (each.full_url in names or _relative(each.resource) == reference)
    ]
    if len(found) != 1:
        raise AdherenceError(
            "the dispensing is not shown" if not found else "more than one resource has this name",
            "dispensing_not_shown",
            f"Observation.derivedFrom[{place}]",
        )
    return found[0]


def _relative(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource.get('id', '')}"


def _event(resource: Mapping[str, Any], place: int, name: str, classes: ClassTable | None) -> pa.Table:
    """The one supply that a dispensing is; without a table of classes it is taken to be of the report's class."""
    # Tagged as a part in `meta`: what a supply rests on travels together, so the rest may stay shut.
    whole = {name: value for name, value in resource.items() if name != "meta"}
    whole["subject"] = {"reference": "Patient/holder"}
    events = read_events(json.dumps(whole).encode(), classes).events
    if classes is None:
        events = events.set_column(events.column_names.index("class"), "class", pa.array([name] * events.num_rows))
    found = events.filter(pc.and_(pc.equal(events.column("kind"), "supply"), pc.equal(events.column("class"), name)))
    if found.num_rows != 1:
        raise AdherenceError(
            "not one supply of the class", "dispensing_not_counted", f"Observation.derivedFrom[{place}]"
        )
    return found


def _compare(stated: Mapping[str, Decimal], again: AdherenceReport) -> None:
    found = {"pdc": again.pdc, "covered-days": Decimal(again.covered_days), "period-days": Decimal(again.period_days)}
    differences = {code: (stated[code], found[code]) for code in found if stated[code] != found[code]}
    if differences:
        raise ReportDiffersError(differences)


def _unsaid(entry: _Entry, shown: Sequence[_Entry]) -> bool:
    whose = {_whose(each) for each in (entry, *shown)}
    if len(whose - {""}) > 1:
        raise AdherenceError("the report and its dispensings are not of one patient", "patients_many")
    return "" in whose


def _whose(entry: _Entry) -> str:
    """The patient's reference, made absolute where the resource's own URL is."""
    reference = str(entry.resource.get("subject", {}).get("reference", ""))
    is_relative = reference.count("/") == 1 and entry.full_url.startswith("http")
    return f"{_base(entry)}/{reference}" if is_relative else reference


def _base(entry: _Entry) -> str:
    return entry.full_url.rsplit("/", 2)[0]
