"""Slots, control fields, claims and openings against the vectors of two other implementations."""

import json
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.errors import RecordError
from chartseal.record import Field, claims_root, lift, open_along, recount
from tests.charts import field_of

Records = dict[str, tuple[str, list[Field], dict[str, Any]]]
CHOSEN = {
    "D1": {"Observation": "Observation.valueQuantity.value", "Condition": "Condition.code.coding[0].code"},
    "D2": {"x2": "Patient.name[0].given[1]+2"},
    "D3": {"x2": "Patient.identifier[0].value"},
    "D4": {"hl7_MedicationDispense_meddisp0305": "MedicationDispense.quantity.value"},
    "D5": {"ExplanationOfBenefit": "ExplanationOfBenefit.item[1].net.value"},
}


@pytest.fixture(scope="module")
def records(shared: Path) -> Records:
    found: Records = {}
    for line in (shared / "vectors/formats/records.ndjson").read_text().splitlines():
        record = json.loads(line)
        fields = [field_of(name, *pair) for name, pair in record["expected"]["fields"].items()]
        found[record["name"]] = (json.loads(record["input"])["resourceType"], fields, record["expected"])
    return found


@pytest.fixture(scope="module")
def once(shared: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((shared / "vectors/formats/once.json").read_text())
    return loaded


def test_control_fields_and_pads(records: Records) -> None:
    for resource_type, fields, expected in records.values():
        resource = [each for each in fields if not each.name.startswith("chartseal.")]
        url = _core.patient_url(resource_type, list(resource), "", "https://issuer.example/fhir/", [])
        control = _core.compute_control(
            resource_type,
            list(resource),
            about=_core.record_about(resource_type, list(resource), []),
            subject=bytes.fromhex(expected["subject"][2:]),
            claims=bytes.fromhex(expected["claimsRoot"][2:]),
            full_url="",
            person=_core.person_mark(b"\x66" * 32, url) if url else bytes(32),
            amends=bytes(32),
            test=False,
        )
        assert [*resource, *(Field(*each) for each in control)] == fields
        assert len(fields) == expected["leafCount"]


def test_claims_and_root(records: Records, once: dict[str, Any]) -> None:
    holder = int(once["holder"]).to_bytes(32, "big")
    columns = ["path", "sense", "qualifierSystem", "qualifierCode", "kind", "unit", "scale"]
    for _, fields, expected in records.values():
        claims, dropped = lift(fields, holder)
        assert [claim[:7] for claim in claims] == [tuple(c[name] for name in columns) for c in expected["claims"]]
        assert [int.from_bytes(c.key) for c in claims] == [int(c["key"]) for c in expected["claims"]]
        assert [int.from_bytes(c.value) for c in claims] == [int(c["value"]) for c in expected["claims"]]
        assert dropped == expected["dropped"]
        assert "0x" + claims_root(fields, holder, b"\x5e" * 32).hex() == expected["claimsRoot"]


@pytest.mark.parametrize("name", CHOSEN)
def test_openings(name: str, records: Records, once: dict[str, Any]) -> None:
    for record, chosen in CHOSEN[name].items():
        resource_type, fields, _ = records[record]
        opened = [each.name for each in open_along(resource_type, fields, [chosen])]
        assert sorted(opened) == sorted(once["disclosures"][name]["opened"][record])


def test_any_choice_recounts_and_a_withheld_travelling_field_is_refused(records: Records) -> None:
    resource_type, fields, _ = records["Condition"]
    for each in (each for each in fields if not each.name.startswith("chartseal.pad")):
        names = {opened.name for opened in open_along(resource_type, fields, [each.name])}
        shown = [each for each in fields if each.name in names]
        recount(resource_type, shown)
    names = {opened.name for opened in open_along(resource_type, fields, ["Condition.code.coding[0].code"])}
    shown = [each for each in fields if each.name in names and "verificationStatus" not in each.name]
    with pytest.raises(RecordError, match="verificationStatus") as refused:
        recount(resource_type, shown)
    assert refused.value.code == "slots_partly_shown"
