"""The report that is sealed, and its recomputation, on a made-up chart of statins."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chartseal.adherence.fhir import ClassTable, FhirEvents, read_events
from chartseal.adherence.observation import ATC, AdherenceReport, Coding, question, report
from chartseal.adherence.recomputing import recompute
from chartseal.errors import AdherenceError, ReportDiffersError
from chartseal.predicates import compile_policy
from chartseal.record import read_fields

FOLDER = Path(__file__).resolve().parents[3] / "examples/adherence"
CHART = json.loads((FOLDER / "made-up-12-1.json").read_text())
CLASSES = ClassTable.read(FOLDER / "classes.csv")
STATINS = Coding(ATC, "C10AA")
START, END = date(2025, 1, 15), date(2025, 7, 13)

Json = dict[str, Any]


@pytest.fixture(scope="module")
def found() -> FhirEvents:
    return read_events(FOLDER / "made-up-12-1.json", CLASSES)


def made(found: FhirEvents, start: date = START, end: date = END) -> AdherenceReport:
    return report(found.events, "statins", STATINS, start, end, subject="Patient/made-up-12-1")


def facts(found: FhirEvents) -> Json:
    """The report and the dispensings, as a Bundle of plain resources."""
    resource = made(found).to_fhir()
    dispensed = [each for each in CHART["entry"] if each["resource"]["resourceType"] == "MedicationDispense"]
    reported = {"fullUrl": f"https://fhir.example.org/Observation/{resource['id']}", "resource": resource}
    return {"resourceType": "Bundle", "type": "collection", "entry": copy.deepcopy([reported, *dispensed])}


def test_a_half_year_of_statins(found: FhirEvents) -> None:
    # By hand: six supplies of 30 days from 15 January; 26 of 180 days between them are without.
    resource = made(found).to_fhir(issued=datetime(2025, 7, 14, 9, tzinfo=UTC), performer="Organization/1")
    assert resource["valueQuantity"] == {
        "value": 0.855555,
        "unit": "{1}",
        "system": "http://unitsofmeasure.org",
        "code": "{1}",
    }
    assert [each["valueQuantity"]["value"] for each in resource["component"][:2]] == [154, 180]
    assert resource["effectivePeriod"] == {"start": "2025-01-15", "end": "2025-07-13"}
    assert len(resource["derivedFrom"]) == 6
    assert read_fields(json.dumps(resource).encode()).resource_type == "Observation"


def test_it_reads_back(found: FhirEvents) -> None:
    assert AdherenceReport.from_fhir(made(found).to_fhir()) == made(found)


def test_the_same_report_is_one_resource(found: FhirEvents) -> None:
    first, again = (made(found).to_fhir(issued=datetime(2025, 7, day, tzinfo=UTC)) for day in (14, 15))
    assert first["id"] == again["id"]
    assert made(found, end=date(2025, 7, 12)).to_fhir()["id"] != first["id"]


def test_nothing_below_the_threshold_reads_as_it() -> None:
    reports = [AdherenceReport("", STATINS, date(2025, 1, 1), date(2034, 12, 31), days, ()) for days in (2921, 2922)]
    assert [each.period_days for each in reports] == [3652, 3652]
    assert reports[0].pdc < Decimal("0.8") < reports[1].pdc
    thirds = AdherenceReport("", STATINS, date(2025, 1, 1), date(2025, 1, 3), 2, ())
    assert thirds.pdc == Decimal("0.666666")


def test_a_supply_used_up_before_the_window_is_not_named(found: FhirEvents) -> None:
    # The fill of 16 February is used up on 17 March at the latest; that of 9 April reaches the window of late April.
    named = made(found, date(2025, 4, 20), date(2025, 6, 30)).derived_from
    assert [name.rsplit("-", 1)[1] for name in named] == ["3", "4", "5"]


def test_what_has_to_be_guessed_is_not_reported(found: FhirEvents) -> None:
    chart = copy.deepcopy(CHART)
    chart["entry"] = [each for each in chart["entry"] if each["resource"]["resourceType"] != "ExplanationOfBenefit"]
    for entry in chart["entry"]:
        if entry["resource"]["id"] == "made-up-12-1-fill-2":
            del entry["resource"]["daysSupply"], entry["resource"]["quantity"]
    events = read_events(json.dumps(chart).encode(), CLASSES).events
    with pytest.raises(AdherenceError) as caught:
        report(events, "statins", STATINS, START, END, subject="Patient/made-up-12-1")
    assert caught.value.code == "days_supply_unknown"


def test_no_supply_is_no_report(found: FhirEvents) -> None:
    with pytest.raises(AdherenceError):
        report(found.events, "insulins", STATINS, START, END, subject="Patient/made-up-12-1")
    with pytest.raises(AdherenceError) as caught:
        made(found, END, START)
    assert caught.value.code == "window_empty"


@pytest.mark.parametrize(
    "subject", ["Patient/made-up-12-2", "made-up-12", "up-12-1", "https://other.example/Patient/made-up-12-1", ""]
)
def test_a_report_is_about_the_patient_of_its_events(found: FhirEvents, subject: str) -> None:
    [whole] = set(found.events["patient"].to_pylist())
    assert report(found.events, "statins", STATINS, START, END, subject=whole).covered_days == 154
    with pytest.raises(AdherenceError) as caught:
        report(found.events, "statins", STATINS, START, END, subject=subject)
    assert (caught.value.code, caught.value.path) == ("patient_differs", "subject")


def test_the_policy_is_one_on_this_report(found: FhirEvents) -> None:
    policy = compile_policy(made(found).question(Decimal("0.80")))
    assert policy.circuit_size == 4
    assert policy.words().startswith("your proportion of days covered")
    assert "your class of medicines" in policy.words()


@pytest.mark.parametrize("at_least", ["0", "1.01", "-0.5"])
def test_a_threshold_is_a_proportion(at_least: str) -> None:
    with pytest.raises(AdherenceError) as caught:
        question(STATINS, START, END, Decimal(at_least))
    assert caught.value.code == "threshold_invalid"


def test_recomputed_from_what_is_shown(found: FhirEvents) -> None:
    [checked] = recompute(json.dumps(facts(found)), CLASSES, "statins")
    assert (checked.report.covered_days, checked.report.period_days, checked.dispensings) == (154, 180, 6)
    assert checked.not_checked == ()
    assert not checked.issuer


def test_what_is_not_said_is_not_checked(found: FhirEvents) -> None:
    shown = facts(found)
    for entry in shown["entry"]:
        del entry["resource"]["subject"]
    [checked] = recompute(json.dumps(shown))
    assert checked.not_checked == ("class", "patient")


def _state(name: str, value: float) -> Callable[[Json], None]:
    def change(observation: Json) -> None:
        for each in observation["component"]:
            if each["code"]["coding"][0]["code"] == name:
                each["valueQuantity"]["value"] = value

    return change


def _value(observation: Json) -> None:
    observation["valueQuantity"]["value"] = 0.9


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (_value, ["pdc"]),
        (_state("covered-days", 170), ["covered-days"]),
        (_state("period-days", 170), ["period-days"]),
    ],
)
def test_another_number_is_named(found: FhirEvents, change: Callable[[Json], None], differs: list[str]) -> None:
    shown = facts(found)
    change(shown["entry"][0]["resource"])
    with pytest.raises(ReportDiffersError) as caught:
        recompute(json.dumps(shown), CLASSES, "statins")
    assert list(caught.value.differences) == differs
    assert "170" not in str(caught.value)


def _dispensing(shown: Json, number: int) -> Json:
    resource: Json = shown["entry"][number]["resource"]
    assert resource["resourceType"] == "MedicationDispense"
    return resource


def _hide(shown: Json) -> None:
    del shown["entry"][2]


def _twice(shown: Json) -> None:
    shown["entry"].append(shown["entry"][2])


def _decline(shown: Json) -> None:
    _dispensing(shown, 2)["status"] = "declined"


def _another_class(shown: Json) -> None:
    _dispensing(shown, 2)["medicationCodeableConcept"]["coding"][0]["code"] = "6809"


def _another_patient(shown: Json) -> None:
    _dispensing(shown, 2)["subject"]["reference"] = "Patient/other"


def _preliminary(shown: Json) -> None:
    shown["entry"][0]["resource"]["status"] = "preliminary"


def _unnamed(shown: Json) -> None:
    del shown["entry"][0]["resource"]["derivedFrom"]


def _no_report(shown: Json) -> None:
    del shown["entry"][0]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_hide, "dispensing_not_shown"),
        (_twice, "dispensing_not_shown"),
        (_decline, "dispensing_not_counted"),
        (_another_class, "dispensing_not_counted"),
        (_another_patient, "patients_many"),
        (_preliminary, "report_malformed"),
        (_unnamed, "dispensing_not_shown"),
        (_no_report, "report_missing"),
    ],
)
def test_what_cannot_be_recomputed(found: FhirEvents, change: Callable[[Json], None], code: str) -> None:
    shown = facts(found)
    change(shown)
    with pytest.raises(AdherenceError) as caught:
        recompute(json.dumps(shown), CLASSES, "statins")
    assert caught.value.code == code


def test_fewer_days_of_supply_are_found(found: FhirEvents) -> None:
    shown = facts(found)
    _dispensing(shown, 2)["daysSupply"]["value"] = 10
    with pytest.raises(ReportDiffersError) as caught:
        recompute(json.dumps(shown), CLASSES, "statins")
    assert list(caught.value.differences) == ["pdc", "covered-days"]


def _provenance(url: str, who: str, *unopened: str) -> Json:
    return {
        "resource": {
            "resourceType": "Provenance",
            "extension": [{"url": "urn:chartseal:1:unopened", "valueString": each} for each in unopened],
            "target": [{"reference": url}],
            "agent": [{"who": {"identifier": {"value": who}}}],
            "signature": [{"sigFormat": "application/chartseal+json"}],
        }
    }


def test_another_issuers_dispensing_is_none_of_the_reports(found: FhirEvents) -> None:
    shown = facts(found)
    urls = [entry["fullUrl"] for entry in shown["entry"]]
    shown["entry"] += [_provenance(url, "did:pharmacy") for url in urls]
    [checked] = recompute(json.dumps(shown), CLASSES, "statins")
    assert checked.issuer == "did:pharmacy"
    shown["entry"][-1] = _provenance(urls[-1], "did:other")
    assert recompute(json.dumps(shown), CLASSES, "statins")  # the last dispensing is not one of the six
    shown["entry"][len(urls) + 1] = _provenance(urls[1], "did:other")
    with pytest.raises(AdherenceError) as caught:
        recompute(json.dumps(shown), CLASSES, "statins")
    assert (caught.value.code, caught.value.path) == ("dispensing_not_shown", "Observation.derivedFrom[0]")


def test_days_after_the_seal_are_not_covered_yet(found: FhirEvents) -> None:
    def checked(when: str) -> Any:
        shown = facts(found)
        shown["entry"] += [_provenance(entry["fullUrl"], "did:pharmacy") for entry in shown["entry"]]
        shown["entry"][len(shown["entry"]) // 2]["resource"]["signature"][0]["when"] = when
        return recompute(json.dumps(shown), CLASSES, "statins")

    assert checked("2025-07-13T00:00:00Z")
    assert checked("2025-07-12T23:30:00-02:00")
    with pytest.raises(AdherenceError) as caught:
        checked("2025-07-12T23:59:59Z")
    assert (caught.value.code, caught.value.path) == ("window_not_over", "Observation.effectivePeriod")
    with pytest.raises(AdherenceError) as caught:
        checked("13 July")
    assert caught.value.code == "bundle_malformed"


def test_dispensings_not_opened_are_not_passed_over(found: FhirEvents) -> None:
    shown = facts(found)
    url = shown["entry"][0]["fullUrl"]
    shown["entry"].append(_provenance(url, "", "Observation.derivedFrom[3]"))
    with pytest.raises(AdherenceError) as caught:
        recompute(json.dumps(shown), CLASSES, "statins")
    assert caught.value.code == "dispensing_not_shown"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"entry": 1}', '{"entry": [{"resource": {}}]}', '{"entry": [null]}'])
def test_what_is_no_bundle(text: str) -> None:
    with pytest.raises(AdherenceError) as caught:
        recompute(text)
    assert caught.value.code == "bundle_malformed"
