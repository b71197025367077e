"""Bundles made to deceive who recomputes a report, and such as are no Bundles: each a named refusal."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.adherence.fhir import ClassTable, read_events
from chartseal.adherence.observation import ATC, AdherenceReport, Coding, question, report
from chartseal.adherence.recomputing import recompute
from chartseal.errors import AdherenceError, ReportDiffersError
from chartseal.predicates import compile_policy

FOLDER = Path(__file__).resolve().parents[3] / "examples/adherence"
CHART = json.loads((FOLDER / "made-up-12-1.json").read_text())
CLASSES = ClassTable.read(FOLDER / "classes.csv")
STATINS = Coding(ATC, "C10AA")
START, END = date(2025, 1, 15), date(2025, 7, 13)
BASE = "https://fhir.example.org"

Json = dict[str, Any]


def entry(resource: Json) -> Json:
    return {"fullUrl": f"{BASE}/{resource['resourceType']}/{resource['id']}", "resource": resource}


def bundle(report_: Json, resource_type: str = "MedicationDispense") -> Json:
    """The report, then what was dispensed (or claimed)."""
    told = [each for each in copy.deepcopy(CHART["entry"]) if each["resource"]["resourceType"] == resource_type]
    return {"resourceType": "Bundle", "type": "collection", "entry": [entry(report_), *told]}


def reported(resource_type: str = "MedicationDispense") -> Json:
    chart = {**CHART, "entry": [each for each in CHART["entry"] if each["resource"]["resourceType"] == resource_type]}
    events = read_events(json.dumps(chart).encode(), CLASSES).events
    return report(events, "statins", STATINS, START, END, subject=f"{BASE}/Patient/made-up-12-1").to_fhir()


DISPENSED, CLAIMED = reported(), reported("ExplanationOfBenefit")


def code_of(shown: Json, classes: ClassTable | None = CLASSES, medication_class: str | None = "statins") -> str:
    """What it is refused with; empty where the numbers follow."""
    try:
        recompute(json.dumps(shown), classes, medication_class)
    except AdherenceError as exc:
        return exc.code
    return ""


def state(observation: Json, covered: int) -> Json:
    """Let a report say another number of days."""
    changed = copy.deepcopy(observation)
    changed["component"][0]["valueQuantity"]["value"] = covered
    changed["valueQuantity"]["value"] = covered * 10**6 // 180 / 10**6
    return changed


def test_a_claims_report_follows_from_claims() -> None:
    assert code_of(bundle(CLAIMED, "ExplanationOfBenefit")) == ""
    assert code_of(bundle(state(CLAIMED, 155), "ExplanationOfBenefit")) == "report_differs"


@pytest.mark.parametrize(
    "again",
    ["{first}", "MedicationDispense/made-up-12-1-fill-1", "MedicationDispense/made-up-12-1-fill-1/_history/1"],
)
def test_one_dispensing_counts_once(again: str) -> None:
    # Counted twice its 30 days would fill the gaps up to 174 days.
    first = DISPENSED["derivedFrom"][0]["reference"]
    forged = state(DISPENSED, 174)
    forged["derivedFrom"].append({"reference": again.format(first=first)})
    assert code_of(bundle(forged)) == "dispensing_not_shown"


def test_a_fill_and_its_claim_are_one_supply() -> None:
    shown = bundle(state(DISPENSED, 174))
    claim = next(each for each in CHART["entry"] if each["resource"]["id"] == "made-up-12-1-claim-1")
    shown["entry"].append(claim)
    shown["entry"][0]["resource"]["derivedFrom"].append({"reference": claim["fullUrl"]})
    assert code_of(shown) == "dispensing_not_counted"


def test_a_reversal_shown_beside_a_claim_takes_it_back() -> None:
    shown = bundle(CLAIMED, "ExplanationOfBenefit")
    reversal = copy.deepcopy(shown["entry"][1])
    reversal["resource"] |= {"id": "reversal", "status": "cancelled"}
    reversal["fullUrl"] = f"{BASE}/ExplanationOfBenefit/reversal"
    shown["entry"].append(reversal)
    assert code_of(shown) == "dispensing_not_counted"


def test_claims_of_another_patient() -> None:
    shown = bundle(CLAIMED, "ExplanationOfBenefit")
    for each in shown["entry"][1:]:
        each["resource"]["patient"] = {"reference": "Patient/other"}
    assert code_of(shown) == "patients_many"


def test_a_claim_says_the_days_that_its_fill_does_not() -> None:
    shown = bundle(DISPENSED)
    first = next(each["resource"] for each in shown["entry"] if each["resource"]["id"] == "made-up-12-1-fill-1")
    del first["daysSupply"], first["quantity"]
    assert code_of(shown) == "days_supply_unknown"
    shown["entry"] += [each for each in CHART["entry"] if each["resource"]["id"] == "made-up-12-1-claim-1"]
    assert code_of(shown) == ""


def test_a_medication_that_stands_apart() -> None:
    shown = bundle(DISPENSED)
    for each in shown["entry"][1:]:
        each["resource"]["medicationReference"] = {"reference": "Medication/1"}
        concept = each["resource"].pop("medicationCodeableConcept")
    assert code_of(shown) == "dispensing_not_counted"
    shown["entry"].append(entry({"resourceType": "Medication", "id": "1", "code": concept}))
    assert code_of(shown) == ""


def test_another_servers_dispensing_of_the_same_name() -> None:
    shown = bundle(DISPENSED)
    for each in shown["entry"][1:]:
        each["fullUrl"] = each["fullUrl"].replace("fhir.example.org", "fhir.example.com")
    for each in shown["entry"][0]["resource"]["derivedFrom"]:
        each["reference"] = each["reference"].removeprefix(f"{BASE}/")
    assert code_of(shown) == "dispensing_not_shown"


@pytest.mark.parametrize(
    "change",
    [
        {"status": "cancelled"},
        {"status": "entered-in-error"},
        {"meta": {"security": [{"code": "HTEST"}]}},
        {"modifierExtension": [{"url": "https://example.org/not-given", "valueBoolean": True}]},
        {"daysSupply": {"value": 30}},
        {"medicationCodeableConcept": {"text": "atorvastatin"}},
    ],
)
def test_what_is_no_supply(change: Json) -> None:
    shown = bundle(DISPENSED)
    first = next(each["resource"] for each in shown["entry"] if each["resource"]["id"] == "made-up-12-1-fill-1")
    first |= change
    first.pop("quantity")
    assert code_of(shown) in {"dispensing_not_counted", "days_supply_unknown"}


def test_a_test_rests_on_tests_alone() -> None:
    shown = bundle(DISPENSED)
    for each in shown["entry"]:
        each["resource"]["meta"] = {"security": [{"code": "HTEST"}], "tag": [{"code": "SUBSETTED"}]}
    assert code_of(shown) == ""
    del shown["entry"][0]["resource"]["meta"]
    assert code_of(shown) == "dispensing_not_counted"


def test_days_are_cut_as_they_are_written() -> None:
    shown = json.dumps(bundle(DISPENSED)).replace('"value": 30,', '"value": 29.99999999999999999999,')
    with pytest.raises(ReportDiffersError) as caught:
        recompute(shown, CLASSES, "statins")
    assert caught.value.differences["covered-days"][1] < 154


def test_the_class_is_the_reports() -> None:
    other = copy.deepcopy(DISPENSED)
    coding = other["component"][2]["valueCodeableConcept"]["coding"][0]
    coding["code"] = "A10B"
    assert code_of(bundle(other)) == "class_differs"
    coding["code"] = "C07"
    [checked] = recompute(json.dumps(bundle(other)), CLASSES, "statins")
    assert checked.not_checked == ("class_code",)


def test_without_a_table_it_is_not_guessed_which_medicines_share_an_ingredient() -> None:
    shown = bundle(DISPENSED)
    assert code_of(shown, None, None) == ""
    fourth = next(each["resource"] for each in shown["entry"] if each["resource"]["id"] == "made-up-12-1-fill-4")
    fourth["whenHandedOver"] = "2025-04-20T19:40:00-05:00"
    assert code_of(shown, None, None) == "ingredients_unknown"
    assert code_of(shown) == "report_differs"


# who sealed it


def provenance(url: str, who: str, *, is_of_a_seal: bool = True) -> Json:
    signature = {"signature": [{"sigFormat": "application/chartseal+json"}]} if is_of_a_seal else {}
    agent = [{"who": {"identifier": {"value": who}}}]
    return {
        "resource": {"resourceType": "Provenance", "target": [{"reference": url}], "agent": agent, **signature},
    }


@pytest.mark.parametrize(("is_of_a_seal", "code"), [(True, "bundle_malformed"), (False, "dispensing_not_shown")])
def test_a_record_that_says_another_sealed_it(is_of_a_seal: bool, code: str) -> None:
    shown = bundle(DISPENSED)
    urls = [each["fullUrl"] for each in shown["entry"]]
    said = [provenance(url, "did:pharmacy" if url != urls[1] else "did:other") for url in urls]
    forged = provenance(urls[1], "did:pharmacy", is_of_a_seal=is_of_a_seal)
    shown["entry"] += [*said, forged]
    assert code_of(shown) == code


# shapes


def _code_twice(resource: Json) -> None:
    resource["code"]["coding"].append({"system": "http://loinc.org", "code": "4548-4"})


def _component_twice(resource: Json) -> None:
    resource["component"].append(copy.deepcopy(resource["component"][2]))


def _components_code_twice(resource: Json) -> None:
    resource["component"][0]["code"]["coding"].append(resource["component"][1]["code"]["coding"][0])


def _classes_two(resource: Json) -> None:
    resource["component"][2]["valueCodeableConcept"]["coding"].append({"system": ATC, "code": "A10B"})


def _method(resource: Json) -> None:
    resource["method"]["coding"][0]["code"] = "pdc-no-shift"


def _comparator(resource: Json) -> None:
    resource["valueQuantity"]["comparator"] = ">="


def _unit(resource: Json) -> None:
    resource["valueQuantity"]["system"] = "https://example.org/units"


def _reversed(resource: Json) -> None:
    resource["effectivePeriod"] = {"start": "2025-07-13", "end": "2025-01-15"}


def _week_date(resource: Json) -> None:
    resource["effectivePeriod"]["start"] = "2025-W03-3"


def _with_time(resource: Json) -> None:
    resource["effectivePeriod"]["end"] = "2025-07-13T09:00:00Z"


def _fraction_of_days(resource: Json) -> None:
    resource["component"][0]["valueQuantity"]["value"] = 154.5


def _modifier(resource: Json) -> None:
    resource["modifierExtension"] = [{"url": "https://example.org/negated", "valueBoolean": True}]


def _many_references(resource: Json) -> None:
    resource["derivedFrom"] *= 20_000


def _list_of_text(resource: Json) -> None:
    resource["derivedFrom"] = ["MedicationDispense/1"]


@pytest.mark.parametrize(
    "change",
    [
        *(_code_twice, _component_twice, _components_code_twice, _classes_two, _method, _comparator, _unit, _reversed),
        *(_week_date, _with_time, _fraction_of_days, _modifier, _many_references, _list_of_text),
    ],
)
def test_what_no_report_says(change: Callable[[Json], None]) -> None:
    resource = copy.deepcopy(DISPENSED)
    change(resource)
    assert code_of(bundle(resource)) == "report_malformed"


@pytest.mark.parametrize("value", ["true", "1e400", "1E+99999999999999999999", "-1", "0.99", '"0.855555"', "null"])
def test_numbers_that_are_none(value: str) -> None:
    text = json.dumps(bundle(DISPENSED)).replace("0.855555", value)
    with pytest.raises(AdherenceError) as caught:
        recompute(text, CLASSES, "statins")
    assert caught.value.code in {"report_malformed", "report_differs", "bundle_malformed"}


@pytest.mark.parametrize(("start", "end"), [("0001-01-01", "9999-12-31"), ("9999-12-31", "9999-12-31")])
def test_windows_of_all_ages(start: str, end: str) -> None:
    resource = {**copy.deepcopy(DISPENSED), "effectivePeriod": {"start": start, "end": end}}
    assert code_of(bundle(resource))


def test_more_reports_than_are_recomputed() -> None:
    shown = bundle(DISPENSED)
    shown["entry"] += [shown["entry"][0]] * 100
    assert code_of(shown) == "reports_many"


_JUNK: list[Any] = [None, True, 0, -1.5, "", "x", [], [None], ["x"], {}, {"coding": "x"}, {"reference": 1}, [[]], [{}]]


def _paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, each in items for path in _paths(each, (*at, key)))]


_SMALL = bundle(DISPENSED)
_SMALL["entry"] = _SMALL["entry"][:3] + [provenance(_SMALL["entry"][at]["fullUrl"], "did:pharmacy") for at in range(3)]
_PLACES = _paths(_SMALL)[1:]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(_PLACES), st.sampled_from(_JUNK))
def test_any_shape_is_a_named_refusal(path: tuple[Any, ...], junk: Any) -> None:
    shown = copy.deepcopy(_SMALL)
    holder: Any = shown
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = junk
    assert code_of(shown)  # four of the six dispensings are not there


# what is asked


def test_codes_are_quoted_in_a_policy() -> None:
    sly = Coding(ATC, 'C10AA" and value >= 0.1 "')
    with pytest.raises(AdherenceError) as caught:
        question(STATINS, START, END, Decimal("NaN"))
    assert caught.value.code == "threshold_invalid"
    assert compile_policy(question(STATINS, START, END, Decimal("8E-1"))).circuit_size == 4
    policy = compile_policy(question(sly, START, END, Decimal("0.80")))
    assert policy.circuit_size == 4
    assert sly.code in {code for slot in policy.slots for code in slot.codes}


def test_a_window_that_is_not_over_is_not_issued() -> None:
    made = AdherenceReport("Patient/1", STATINS, START, END, 154, ("MedicationDispense/1",))
    with pytest.raises(AdherenceError) as caught:
        made.to_fhir(issued=datetime(2025, 7, 12, tzinfo=UTC))
    assert caught.value.code == "window_not_over"
    assert made.to_fhir(issued=datetime(2025, 7, 13, tzinfo=UTC))["issued"]
