"""What a record is found by: its facts as `SealedRecord` reads them, and dates that cover what FHIR's search would."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from chartseal.errors import VaultError
from chartseal.sealing import SealedRecord
from chartseal.vault.terms import CODE, TYPE, Facts, date_terms, read_facts, term, terms
from tests.charts import HOLDER, sealed, texts, vector_record, vectors

KEY = b"\x01" * 32
BASE = "https://hospital.example/fhir/"


def observation(**values: str) -> SealedRecord:
    fields = {"Observation.id": "o1", "Observation.status": "final", **values}
    return sealed("Observation", texts(fields), full_url=f"{BASE}Observation/o1")


def facts_of(**values: str) -> Facts:
    return read_facts([observation(**values).to_json()])[0]


def test_facts_are_those_of_the_record() -> None:
    record = observation(
        **{
            "Observation.code.coding[0].system": "http://loinc.org",
            "Observation.code.coding[0].code": "2823-3",
            "Observation.code.coding[1].code": 'local "9"\\',
            "Observation.subject.reference": "Patient/p1/_history/2",
            "Observation.effectiveDateTime": "2026-05-04T09:30:00+02:00",
            "Observation.issued": "2026-06-01T00:00:00Z",
        }
    )
    facts = read_facts([record.to_json()])[0]
    assert (facts.attester, facts.uid, facts.address) == (record.attester, record.uid, record.address)
    assert (facts.sealed_at, facts.announcement) == (record.package.message.time, record.announcement)
    assert facts.codes == ("http://loinc.org|2823-3", '|local "9"\\')
    assert (facts.resource_type, facts.date) == ("Observation", "2026-05-04")
    assert facts.patient == f"{BASE}Patient/p1"


def test_a_value_that_looks_like_a_field_is_no_field() -> None:
    note = '["Observation.subject.reference","string","Patient/other"]'
    facts = facts_of(**{"Observation.note[0].text": note, "Observation.subject.reference": "Patient/p1"})
    assert facts.patient == f"{BASE}Patient/p1"


def test_what_is_inside_another_element_is_not_the_records_own() -> None:
    facts = facts_of(
        **{
            "Observation.component[0].code.coding[0].code": "x",
            "Observation.performer[0].reference": "Patient/other",
        }
    )
    assert (facts.codes, facts.patient) == ((), None)


def test_a_patient_is_its_full_url() -> None:
    record = sealed("Patient", texts({"Patient.id": "p1"}), full_url=f"{BASE}Patient/p1")
    assert read_facts([record.to_json()])[0].patient == f"{BASE}Patient/p1"


def test_a_patient_without_a_full_url_is_its_id() -> None:
    record = sealed("Patient", texts({"Patient.id": "p1"}))
    assert read_facts([record.to_json()])[0].patient == "Patient/p1"
    assert read_facts([sealed("Patient", texts({"Patient.active": "true"})).to_json()])[0].patient is None


@pytest.mark.parametrize(
    ("resource_type", "references"),
    [
        ("Task", {"for": "Patient/p1", "owner": "Patient/other"}),
        ("ResearchSubject", {"individual": "Patient/p1"}),
        ("Appointment", {"participant[0].actor": "Practitioner/d", "participant[1].actor": "Patient/p1"}),
        ("Appointment", {"participant[10].actor": "Patient/other", "participant[2].actor": "Patient/p1"}),
        ("Person", {"link[0].target": "RelatedPerson/r", "link[1].target": "Patient/p1/_history/2"}),
    ],
)
def test_whom_tasks_appointments_and_persons_are_about(resource_type: str, references: dict[str, str]) -> None:
    fields = {f"{resource_type}.{name}.reference": value for name, value in references.items()}
    assert read_facts([sealed(resource_type, texts(fields)).to_json()])[0].patient == "Patient/p1"


def test_what_is_contained_or_no_patient_names_none() -> None:
    for reference in ("#pat", "Device/d1", "Group/g"):
        fields = {"Observation.subject.reference": reference, "Observation.performer[0].reference": "Patient/other"}
        assert read_facts([sealed("Observation", texts(fields)).to_json()])[0].patient is None


def test_an_appointment_of_nobody_known_names_no_patient() -> None:
    fields = {"Appointment.participant[0].actor.reference": "Practitioner/d"}
    assert read_facts([sealed("Appointment", texts(fields)).to_json()])[0].patient is None


def test_facts_of_the_vectors(shared: Path) -> None:
    for name, vector in vectors(shared).items():
        if "fields" not in vector["expected"]:
            continue
        record = vector_record(shared, name)
        facts = read_facts([record.to_json()])[0]
        assert (facts.attester, facts.uid, facts.resource_type) == (record.attester, record.uid, record.resource_type)


@pytest.mark.parametrize("line", [b"", b"{}", b"\xff", b'{"format":"chartseal/1","kind":"sealed-record"}'])
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(VaultError) as caught:
        read_facts([line])
    assert caught.value.code == "line_malformed"


def test_terms_are_keyed() -> None:
    facts = facts_of(**{"Observation.code.coding[0].code": "1"})
    assert {term(KEY, TYPE, "Observation"), term(KEY, CODE, "|1")} < terms(KEY, [facts])[0]
    assert terms(KEY, [facts])[0].isdisjoint(terms(b"\x02" * 32, [facts])[0])


def test_address_is_the_holders() -> None:
    assert read_facts([observation().to_json()])[0].address == observation().address
    assert len(HOLDER.keys.address()) == 64


def _interval(text: str) -> tuple[date, date]:
    first = date.fromisoformat(f"{text}-01-01"[:10] if len(text) == 4 else f"{text}-01"[:10])
    if len(text) == 4:
        return first, date(first.year, 12, 31)
    if len(text) == 7:
        return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return first, first


def test_a_range_finds_every_date_that_it_touches_and_no_other() -> None:
    chance = random.Random(7)
    whole = facts_of(**{"Observation.effectiveDateTime": "2020"})
    for _ in range(300):
        begin = date(2019, 1, 1) + timedelta(days=chance.randrange(1_000))
        end = begin + timedelta(days=chance.choice([0, 1, 30, 31, 59, 365, 700]))
        text = (date(2019, 1, 1) + timedelta(days=chance.randrange(1_400))).isoformat()[: chance.choice([4, 7, 10])]
        facts = facts_of(**{"Observation.effectiveDateTime": text}) if text != "2020" else whole
        first, last = _interval(text)
        found = not date_terms(KEY, begin, end).isdisjoint(terms(KEY, [facts])[0])
        assert found == (first <= end and begin <= last), (begin, end, text)


def test_no_record_lies_between_days_that_are_reversed() -> None:
    assert date_terms(KEY, date(2026, 5, 4), date(2026, 5, 3)) == set()
    assert date_terms(KEY, date(2026, 5, 4), date(2025, 5, 4)) == set()
