"""What paths and codes choose, what travels, and what never opens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.disclosure import Pattern, Selection, about_code, preview, select
from chartseal.errors import (
    ChartsealError,
    DisclosureError,
    KeyFormatError,
    RecordError,
    SealedRecordError,
    SelectionError,
)
from chartseal.record import Field, open_along
from chartseal.sealing import SealedRecord
from tests.charts import EXPIRES_AT, NOW, Holder, issuing, names_of, open_paths, sealed, shown, texts, vector_record


def chosen(record: SealedRecord, *patterns: str) -> set[str]:
    (choice,) = select([record], patterns).choices
    return {opened.name for opened in choice.opened if opened.reason == "chosen"}


def resource_names(record: SealedRecord) -> set[str]:
    return {each.name for each in record.fields if not each.name.startswith("chartseal.")}


@pytest.fixture(scope="module")
def pressure(shared: Path) -> SealedRecord:
    return vector_record(shared, "Observation_components")


def test_paths(pressure: SealedRecord) -> None:
    names = resource_names(pressure)
    under = {name for name in names if name.startswith("Observation.component[1].valueQuantity.")}
    assert chosen(pressure, "Observation.component[1].value") == under
    assert chosen(pressure, "Observation.component[1].valueQuantity") == under
    assert chosen(pressure, "Observation.component.value") > under
    assert chosen(pressure, "Observation.component[*].value.value") == {
        name for name in names if name.endswith("valueQuantity.value")
    }
    assert chosen(pressure, "**.valueQuantity.value") == chosen(pressure, "Observation.component.value.value")
    assert chosen(pressure, "*.status") == {"Observation.status"}
    assert chosen(pressure, "Observation") == chosen(pressure, "**") == chosen(pressure, "*") == names
    assert chosen(pressure, "Observation.**.code") >= chosen(pressure, "Observation.component.code")


def test_twins_and_base64_belong_to_their_element(shared: Path) -> None:
    patient = vector_record(shared, "x2")
    assert {name.split("[0].", 1)[1] for name in chosen(patient, "Patient.name.given[1]")} == {
        "given[1]+2",
        "_given[1].extension[0].url",
        "_given[1].extension[0].valueCode",
    }


@pytest.mark.parametrize("pattern", ["Observation.status", "*.nothing", "Patient.name[7]", "Patient.given", "patient"])
def test_a_path_that_chooses_nothing_is_named(pattern: str, shared: Path) -> None:
    with pytest.raises(SelectionError, match=r"no field of any record") as refused:
        select([vector_record(shared, "x2")], ["Patient.name", pattern])
    assert refused.value.path == pattern
    assert refused.value.code == "pattern_unmatched"


@pytest.mark.parametrize(
    "pattern", ["", ".", "Patient.", "Patient..name", "Patient.name[-1]", "Patient.na me", "***", "a[*", "x" * 2_000]
)
def test_malformed_paths(pattern: str, shared: Path) -> None:
    with pytest.raises(SelectionError) as refused:
        select([vector_record(shared, "x2")], [pattern])
    assert refused.value.code == "pattern_malformed"


def test_many_wildcards_end(pressure: SealedRecord) -> None:
    pattern = Pattern.parse(".".join(["**", "*"] * 31))
    assert not pattern.matches([])
    with pytest.raises(SelectionError):
        select([pressure], [pattern.text])


def test_records_without_a_match_are_left_out(shared: Path, pressure: SealedRecord) -> None:
    selection = select([vector_record(shared, "x2"), pressure], ["Patient.name"])
    assert [choice.record.resource_type for choice in selection.choices] == ["Patient"]


def test_pads_never_open_and_control_fields_open_no_other_record(shared: Path, pressure: SealedRecord) -> None:
    records = [vector_record(shared, "x2"), pressure]
    with pytest.raises(SelectionError) as refused:
        select(records, ["chartseal.pad[0]"])
    assert refused.value.code == "pad_chosen"
    selection = select(records, ["Patient.name", "chartseal.person"])
    assert len(selection.choices) == 1
    assert "chartseal.person" in names_of(selection.choices[0])
    with pytest.raises(SelectionError):
        select(records, ["chartseal.person"])
    with pytest.raises(SelectionError):
        select(records, ["Patient.name", "chartseal.seed"])


def test_what_travels_says_why(shared: Path) -> None:
    (choice,) = select([vector_record(shared, "Condition")], ["Condition.code.text"]).choices
    reasons = {opened.name: opened.reason for opened in choice.travelling()}
    assert "refuted" in reasons["Condition.verificationStatus.coding[0].code"]
    assert all(reasons.values())
    assert set(reasons) == names_of(choice) - {"Condition.code.text"}


BASE = "https://issuer.example/fhir/"
SCT = "http://snomed.info/sct"


def of(resource_type: str, number: int, **values: str) -> SealedRecord:
    fields = {
        f"{resource_type}.{name.replace('__', '.').replace('_', '[0].')}": value for name, value in values.items()
    }
    named = texts({f"{resource_type}.id": f"r{number}", **fields})
    return sealed(resource_type, named, ikm=bytes([number]) * 32, full_url=f"{BASE}{resource_type}/r{number}")


def coded(resource_type: str, number: int, element: str, code: str, **more: str) -> SealedRecord:
    fields = {
        f"{resource_type}.{element}.coding[0].system": SCT,
        f"{resource_type}.{element}.coding[0].code": code,
        f"{resource_type}.id": f"r{number}",
        **more,
    }
    url = f"{BASE}{resource_type}/r{number}"
    return sealed(resource_type, texts(fields), ikm=bytes([number]) * 32, full_url=url)


@pytest.fixture(scope="module")
def story() -> list[SealedRecord]:
    return [
        coded("Condition", 100, "code", "254837009", **{"Condition.note[0].text": "private"}),
        coded("Condition", 101, "code", "38341003"),
        coded(
            "MedicationRequest",
            102,
            "medicationCodeableConcept",
            "387003001",
            **{"MedicationRequest.reasonReference[0].reference": "Condition/r100"},
        ),
        coded("Procedure", 103, "reasonCode[0]", "254837009", **{"Procedure.code.text": "biopsy"}),
        coded(
            "Encounter", 104, "type[0]", "185349003", **{"Encounter.diagnosis[0].condition.reference": "Condition/r100"}
        ),
        coded("Observation", 105, "code", "75367002"),
    ]


def by_type(selection: Selection) -> dict[str, set[str]]:
    return {choice.record.resource_type: names_of(choice) for choice in selection.choices}


def test_everything_about_a_code(story: Sequence[SealedRecord]) -> None:
    found = by_type(about_code(story, f"{SCT}|254837009"))
    assert set(found) == {"Condition", "MedicationRequest", "Procedure", "Encounter"}
    assert len(about_code(story, "254837009").choices) == 4
    assert "Condition.code.coding[0].code" in found["Condition"]
    assert "MedicationRequest.reasonReference[0].reference" in found["MedicationRequest"]
    assert "MedicationRequest.medicationCodeableConcept.coding[0].code" in found["MedicationRequest"]
    assert "Procedure.code.text" in found["Procedure"]
    assert "Encounter.diagnosis[0].condition.reference" in found["Encounter"]
    assert all("chartseal.fullUrl" in found[name] for name in ("Condition", "MedicationRequest", "Encounter"))
    assert not any(".note" in name or name.endswith(".id") for names in found.values() for name in names)
    assert not any("r101" in str(choice.record.fields) for choice in about_code(story, "254837009").choices)


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("http://loinc.org|254837009", "pattern_unmatched"),
        ("1", "pattern_unmatched"),
        ("", "pattern_malformed"),
        ("|1", "pattern_malformed"),
        ("a|", "pattern_malformed"),
    ],
)
def test_codes_that_choose_nothing(code: str, refusal: str, story: Sequence[SealedRecord]) -> None:
    with pytest.raises(SelectionError) as refused:
        select(story, ["Condition.code"], about=[code])
    assert refused.value.code == refusal


def test_a_medication_brings_what_travels_in_it() -> None:
    drug = coded(
        "Medication",
        110,
        "code",
        "387003001",
        **{"Medication.status": "entered-in-error", "Medication.manufacturer.display": "Example"},
    )
    order = of("MedicationRequest", 111, medicationReference__reference="Medication/r110", status="active")
    found = by_type(select([drug, order], ["MedicationRequest.status"]))
    assert "Medication.status" in found["Medication"]
    assert "Medication.manufacturer.display" not in found["Medication"]
    assert set(by_type(select([order], ["MedicationRequest.status"]))) == {"MedicationRequest"}
    choices = select([drug, order], ["MedicationRequest.status"]).choices
    assert choices[0].cause == "named by MedicationRequest.medicationReference.reference"
    assert choices[1].cause == ""


def test_another_issuers_record_of_that_name_is_not_meant() -> None:
    fields = texts({"Medication.id": "r110", "Medication.status": "active"})
    other = sealed("Medication", fields, by=issuing(b"\x12" * 32), ikm=bytes([112]) * 32)
    order = of("MedicationRequest", 111, medicationReference__reference="Medication/r110", status="active")
    assert set(by_type(select([other, order], ["MedicationRequest.status"]))) == {"MedicationRequest"}
    drug = coded("Medication", 110, "code", "387003001")
    both = select([other, drug, order], ["MedicationRequest.status"])
    assert {choice.record.package.signer for choice in both.choices} == {order.package.signer}


def test_a_record_with_broken_names_is_refused_not_misread(pressure: SealedRecord) -> None:
    for index in ("[].code", "[x", "[" + "9" * 5_000 + "]"):
        added = Field(f"Observation.component{index}", "string", "x")
        broken = replace(pressure, fields=(*pressure.fields, added))
        with pytest.raises(ChartsealError):
            select([broken], ["**"])


def test_a_detached_text_that_is_not_the_sealed_one_is_noticed() -> None:
    image = {"resourceType": "Patient", "photo": [{"contentType": "image/png", "data": "SGVsbG8h" * 200}]}
    resource_type, fields, detached, _ = _core.read_resource(json.dumps(image).encode())
    record = sealed(resource_type, [Field(*each) for each in fields], detached=detached)
    record.check()
    for given in ((), ((detached[0][0], "SGVsbG8i" * 200),)):
        with pytest.raises(RecordError):
            replace(record, detached=given).check()


def test_present_refuses(shared: Path, pressure: SealedRecord) -> None:
    selection = select([pressure], ["Observation.status"])
    shown(selection)
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"nonce": b"\x88" * 31}, "nonce_malformed"),
        ({"expires_at": NOW}, "expiry_past"),
        ({"audience": ""}, "disclosure_malformed"),
    ]
    for options, code in refusals:
        with pytest.raises(DisclosureError) as refused:
            shown(selection, **options)
        assert refused.value.code == code
    shown(selection, expires_at=NOW + timedelta(seconds=1))
    with pytest.raises(DisclosureError, match="nothing"):
        shown(Selection(()))
    with pytest.raises(DisclosureError, match="twice"):
        shown(Selection((*selection.choices, *selection.choices)))
    with pytest.raises(ValueError, match="aware"):
        shown(selection, expires_at=EXPIRES_AT.replace(tzinfo=None))


def test_only_the_holder_signs(pressure: SealedRecord) -> None:
    with pytest.raises(KeyFormatError) as refused:
        shown(select([pressure], ["Observation.status"]), Holder(_core.Wallet(b"\x23" * 64)))
    assert refused.value.code == "subject_not_ours"


def test_a_record_that_does_not_hold_is_not_shown(pressure: SealedRecord) -> None:
    broken = replace(pressure, seed=b"\x5f" * 32)
    with pytest.raises(ChartsealError):
        shown(select([broken], ["Observation.status"]))
    elsewhere = replace(
        pressure, package=replace(pressure.package, message=replace(pressure.package.message, data=b""))
    )
    with pytest.raises(SealedRecordError):
        shown(select([elsewhere], ["Observation.status"]))


def test_a_choice_that_leaves_a_traveller_behind_is_not_signed(pressure: SealedRecord) -> None:
    (choice,) = select([pressure], ["Observation.component[0].value"]).choices
    fewer = tuple(opened for opened in choice.opened if not opened.name.startswith("Observation.component[0].code"))
    assert len(fewer) < len(choice.opened)
    with pytest.raises(RecordError) as refused:
        shown(Selection((replace(choice, opened=fewer),)))
    assert refused.value.code == "slots_partly_shown"


def test_the_preview_is_what_is_in_the_object(pressure: SealedRecord) -> None:
    disclosure = open_paths([pressure], "Observation.component[0]")
    rows = preview(disclosure)
    opened = open_along("Observation", pressure.fields, [row.name for row in rows])
    assert {row.name for row in rows} == {each.name for each in opened}
    values = {each.name: each.value for each in pressure.fields}
    text = disclosure.to_json().decode()
    for name, value in values.items():
        if name not in {row.name for row in rows}:
            assert f'"{name}"' not in text
            if isinstance(value, str) and len(value) > 8:
                assert value not in text or value in {row.value.value for row in rows}
