"""FHIR into a watch: versions, reversals and references settled whichever came first, and the command."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chartseal.adherence.fhir import ClassTable
from chartseal.adherence.watch import Alert, FhirFeed, Watch
from chartseal.cli import cli
from chartseal.errors import AdherenceError

EXAMPLES = Path(__file__).resolve().parents[4] / "examples/adherence"
CODE = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "617310"}]}
Resource = dict[str, Any]


def dispense(number: int, on: str, status: str = "completed", **members: Any) -> Resource:
    return {
        "resourceType": "MedicationDispense",
        "id": f"d{number}",
        "status": status,
        "medicationCodeableConcept": CODE,
        "subject": {"reference": "Patient/p"},
        "whenHandedOver": on,
        "daysSupply": {"value": 30, "system": "http://unitsofmeasure.org", "code": "d"},
        **members,
    }


def claim(number: int, on: str, status: str = "active", **members: Any) -> Resource:
    system = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBSupportingInfoType"
    return {
        "resourceType": "ExplanationOfBenefit",
        "id": f"c{number}",
        "identifier": [{"system": "urn:payer", "value": str(number)}],
        "status": status,
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "pharmacy"}]},
        "use": "claim",
        "patient": {"reference": "Patient/p"},
        "created": on,
        "insurer": {"display": "payer"},
        "provider": {"display": "pharmacy"},
        "outcome": "complete",
        "insurance": [{"focal": True, "coverage": {"display": "plan"}}],
        "supportingInfo": [
            {
                "sequence": 1,
                "category": {"coding": [{"system": system, "code": "dayssupply"}]},
                "valueQuantity": {"value": 30},
            }
        ],
        "item": [{"sequence": 1, "productOrService": CODE, "servicedDate": on, "informationSequence": [1]}],
        **members,
    }


def lines(resources: list[Resource]) -> BytesIO:
    return BytesIO("\n".join(map(json.dumps, resources)).encode())


def fed(parts: list[list[Resource]], as_of: str, classes: ClassTable | None = None) -> list[Alert]:
    with Watch(None) as watch:
        watch.tick(date.fromisoformat(as_of))
        feed = FhirFeed(watch, classes)
        for part in parts:
            feed.add(lines(part), ndjson=True)
        return watch.alerts()


def active(alerts: list[Alert]) -> list[str]:
    return sorted(each.kind for each in alerts if each.status == "active")


def test_a_correction_and_a_mistake_of_the_same_resource() -> None:
    first, second = dispense(1, "2031-01-01"), dispense(2, "2031-01-31")
    assert active(fed([[first]], "2031-02-10")) == ["late_refill"]
    assert active(fed([[first], [second]], "2031-02-10")) == []
    assert active(fed([[first], [second], [{**second, "status": "entered-in-error"}]], "2031-02-10")) == ["late_refill"]


def test_the_last_update_counts_whichever_came_first() -> None:
    older = dispense(1, "2031-01-01", meta={"lastUpdated": "2031-01-01T10:00:00Z"})
    newer = {**dispense(1, "2031-01-05"), "meta": {"lastUpdated": "2031-01-06T10:00:00+01:00"}}
    found = [fed([[a], [b]], "2031-02-15") for a, b in ((older, newer), (newer, older))]
    assert found[0] == found[1]
    assert found[0][0].since == date(2031, 2, 4)


def test_a_correction_that_names_another_patient_or_none() -> None:
    wrong = dispense(1, "2031-01-01", meta={"lastUpdated": "2031-01-01T10:00:00Z"})
    later = {"lastUpdated": "2031-01-02T10:00:00Z"}
    moved = {**wrong, "subject": {"reference": "Patient/q"}, "meta": later}
    mistaken = {**wrong, "status": "entered-in-error", "meta": later}
    del mistaken["subject"]
    for parts in ([[wrong], [moved]], [[moved], [wrong]]):
        assert [(each.patient, each.kind) for each in fed(parts, "2031-02-10")] == [("Patient/q", "late_refill")]
    for parts in ([[wrong], [mistaken]], [[mistaken], [wrong]]):
        assert fed(parts, "2031-02-10") == []
    other = {**dispense(1, "2031-01-01"), "subject": {"reference": "Patient/q"}}
    assert len(fed([[dispense(1, "2031-01-01")], [other]], "2031-02-10")) == 2  # nothing says that they are one


def person(birth: str | None = None, **members: Any) -> Resource:
    return {"resourceType": "Patient", "id": "p", **({"birthDate": birth} if birth else {}), **members}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_two_people_under_one_id_are_not_watched_as_one(order: tuple[int, ...]) -> None:
    unsaid = person(meta={"lastUpdated": "2031-01-03T10:00:00Z"})
    given = [person("1950-01-01"), person("1980-02-02"), unsaid, dispense(1, "2031-01-01")]
    with Watch(None) as watch:
        watch.tick(date(2031, 2, 10))
        feed = FhirFeed(watch)
        for each in order:
            feed.add(lines([given[each]]), ndjson=True)
        assert [each for each in watch.alerts() if each.status == "active"] == []
        assert watch.refused()["patient_ambiguous"] >= 1
        before = watch.refused()["patient_ambiguous"]
        assert feed.add(lines([dispense(2, "2030-11-01")]), ndjson=True) == []
        assert watch.refused()["patient_ambiguous"] == before + 1
        kept = b"".join(text for _, text in watch.store.resources("Patient/p"))
        assert all(each in kept for each in (b"1950-01-01", b"1980-02-02", b'"d1"', b'"d2"'))


def test_one_person_told_again_is_one() -> None:
    for again in (person("1950-01-01", active=True), person()):
        parts = [[person("1950-01-01")], [again], [dispense(1, "2031-01-01")]]
        assert active(fed(parts, "2031-02-10")) == ["late_refill"]
    died = person(deceasedDateTime="2031-01-20")
    assert active(fed([[person("1950-01-01")], [died], [dispense(1, "2031-01-01")]], "2031-02-10")) == []


def test_on_a_server_a_date_of_birth_is_corrected() -> None:
    def entry(birth: str) -> Resource:
        return {"fullUrl": "https://a.example/Patient/p", "resource": person(birth)}

    fill = {"fullUrl": "https://a.example/MedicationDispense/d1", "resource": dispense(1, "2031-01-01")}
    bundles = [{"resourceType": "Bundle", "type": "collection", "entry": [entry(b), fill]} for b in ("1950", "1980")]
    assert active(fed([[each] for each in bundles], "2031-02-10")) == ["late_refill"]


def test_a_claim_is_reversed_whichever_came_first() -> None:
    filled, again = claim(1, "2031-01-01"), claim(2, "2031-01-30")
    reversal = claim(3, "2031-01-30", "cancelled", related=[{"reference": {"system": "urn:payer", "value": "2"}}])
    for parts in ([[filled], [again], [reversal]], [[reversal], [again], [filled]], [[filled, again, reversal]]):
        assert active(fed(parts, "2031-02-10")) == ["late_refill"]
    assert active(fed([[filled], [again]], "2031-02-10")) == []


def test_a_medication_that_is_told_later() -> None:
    table = ClassTable.read(EXAMPLES / "classes.csv")
    told = {**dispense(1, "2031-01-01"), "medicationReference": {"reference": "Medication/m"}}
    del told["medicationCodeableConcept"]
    medication = {"resourceType": "Medication", "id": "m", "code": CODE}
    (alert,) = fed([[told], [medication]], "2031-02-10", table)
    assert alert.medication_class == "statins"
    assert alert == fed([[medication], [told]], "2031-02-10", table)[0]


def test_two_items_of_one_claim_are_two_supplies() -> None:
    both = claim(1, "2031-01-01")
    both["item"] = [{**both["item"][0], "sequence": number} for number in (1, 2)]
    assert active(fed([[both]], "2031-02-20")) == []
    assert active(fed([[claim(1, "2031-01-01")]], "2031-02-20")) == ["late_refill"]


def test_an_open_stay_that_ends() -> None:
    stay: Resource = {
        "resourceType": "Encounter",
        "id": "e",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": "Patient/p"},
        "period": {"start": "2031-01-20"},
    }
    ended = {**stay, "status": "finished", "period": {"start": "2031-01-20", "end": "2031-01-29"}}
    assert active(fed([[dispense(1, "2031-01-01")], [stay]], "2031-03-10")) == []
    (alert,) = fed([[dispense(1, "2031-01-01")], [stay], [ended]], "2031-03-10")
    assert (alert.kind, alert.since) == ("late_refill", date(2031, 2, 10))


def test_what_is_no_resource_of_a_patient_is_counted_and_ends_nothing() -> None:
    nobody = dispense(2, "2031-01-01", subject={"display": "somebody"})
    undated = dispense(3, "2031-01-01")
    del undated["whenHandedOver"]
    with Watch(None) as watch:
        watch.tick(date(2031, 2, 10))
        data = lines([dispense(1, "2031-01-01"), nobody, undated, {"resourceType": "MedicationDispense"}]).getvalue()
        found = FhirFeed(watch).add(BytesIO(b"{\n" + data), ndjson=True)
        assert active(found) == ["late_refill"]
        assert watch.refused()["patient_unknown"] == watch.refused()["date_unknown"] == 1
        assert sum(watch.refused().values()) == 4


def test_generated_patients_in_any_order_are_the_same() -> None:
    bundle = json.loads((EXAMPLES / "made-up-12-1.json").read_text())
    resources = [entry["resource"] for entry in bundle["entry"]]
    table = ClassTable.read(EXAMPLES / "classes.csv")
    last = max(each.get("whenHandedOver", "")[:10] for each in resources)
    as_of = str(date.fromisoformat(last) + timedelta(days=45))
    whole = fed([resources], as_of, table)
    assert whole
    with Watch(None) as watch:
        watch.tick(date.fromisoformat(as_of))
        FhirFeed(watch, table).add(BytesIO(json.dumps(bundle).encode()), ndjson=False)
        assert sorted(each.kind for each in watch.alerts()) == sorted(each.kind for each in whole)
    random.Random(1).shuffle(resources)
    assert fed([[each] for each in resources], as_of, table) == whole


def run(*arguments: str, given: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["adherence", "watch", "--ahead", *arguments], input=given)
    if isinstance(done.exception, AdherenceError):
        return 1, done.exception.code
    return done.exit_code, done.stdout


def test_dates_of_birth_are_not_counted_as_refused() -> None:
    patient = {"resourceType": "Patient", "id": "p", "birthDate": "1950-01-01"}
    lines = "".join(json.dumps(each) + "\n" for each in (patient, dispense(1, "2031-01-01")))
    with Watch(None) as watch:
        watch.tick(date(2031, 2, 20))
        assert FhirFeed(watch, None).add(BytesIO(lines.encode()), ndjson=True)
        assert watch.refused() == {}


def test_a_state_that_is_not_there_is_named_unless_events_begin_it(tmp_path: Path) -> None:
    state = tmp_path / "mistyped.db"
    assert run(str(state), "--as-of", "2031-02-10") == (1, "state_missing")
    assert not state.exists()
    assert run(str(state), "-", "--as-of", "2031-02-10") == (0, "")
    assert run(str(state), "--as-of", "2031-02-11") == (0, "")


def test_the_command_streams_lines_and_tells_each_change_once(tmp_path: Path) -> None:
    state, given = str(tmp_path / "s.db"), json.dumps(dispense(1, "2031-01-01"))
    status, told = run(state, "-", "--as-of", "2031-02-10", "--json", given=given + "\n\n")
    (alert,) = map(json.loads, told.splitlines())
    assert (status, alert["kind"], alert["evidence"]) == (0, "late_refill", ["MedicationDispense/d1"])
    assert run(state, "-", "--as-of", "2031-02-10", "--json", given=given) == (0, "")
    row = {"patient": "Patient/p", "event": "row/1", "date": "2031-02-11", "days_supply": 30, "class": alert["class"]}
    assert "resolved moderate late_refill" in run(state, "-", "--as-of", "2031-02-11", given=json.dumps(row))[1]
    assert run(state, "--list", "--as-of", "2031-02-11") == (0, "")


@pytest.mark.parametrize(("form", "kind"), [("flag", "Flag"), ("detected-issue", "DetectedIssue")])
def test_the_command_reads_files_and_writes_fhir(form: str, kind: str, tmp_path: Path) -> None:
    data = lines([dispense(1, "2031-01-01"), {"resourceType": "Patient", "id": "p"}]).getvalue()
    (tmp_path / "a.ndjson").write_bytes(data)
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(data))
    (tmp_path / "c.csv").write_text("patient,event,date,days_supply,class\np,row 1,2031-01-01,30,statins\n")
    for name in ("a.ndjson", "b.ndjson.gz", "c.csv"):
        told = run(str(tmp_path / f"{name}.db"), str(tmp_path / name), "--as-of", "2031-02-10", "--fhir", form)[1]
        assert [json.loads(each)["resourceType"] for each in told.splitlines()] == [kind], name


@pytest.mark.parametrize("given", ["[]", "{", "3", '{"a": 1, "a": 1}'])
def test_a_line_that_is_no_object_ends_the_command(given: str, tmp_path: Path) -> None:
    assert run(str(tmp_path / "s.db"), "-", given=given) == (1, "line_invalid")


def test_time_does_not_go_back(tmp_path: Path) -> None:
    assert run(str(tmp_path / "s.db"), "-", "--as-of", "2031-02-10") == (0, "")
    assert run(str(tmp_path / "s.db"), "--as-of", "2031-02-09") == (1, "as_of_backwards")


def test_the_command_goes_no_further_than_tomorrow_unless_told_to(tmp_path: Path) -> None:
    state, today = str(tmp_path / "s.db"), date.today()
    for days, expected in ((1, None), (3, "as_of_ahead")):
        arguments = ["adherence", "watch", state, "-", "--as-of", str(today + timedelta(days=days))]
        done = CliRunner().invoke(cli, arguments, input="")
        assert getattr(done.exception, "code", None) == expected
    assert run(state, "--as-of", str(today + timedelta(days=1))) == (0, "")  # nothing moved the day
    assert run(state, "--as-of", str(today + timedelta(days=3))) == (0, "")
