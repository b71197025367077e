"""Openings, digests and holder's messages against the vectors of two other implementations."""

import json
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import to_hex
from chartseal.disclosure import UnverifiedDisclosure, present, select
from tests.charts import AUDIENCE, EXPIRES_AT, HOLDER, NONCE, NOW, names_of, vector_record

PATTERNS = {
    "D1": {"Observation": "Observation.valueQuantity.value", "Condition": "Condition.code.coding[0].code"},
    "D2": {"x2": "Patient.name[0].given[1]"},
    "D3": {"x2": "Patient.identifier[0].value"},
    "D4": {"hl7_MedicationDispense_meddisp0305": "MedicationDispense.quantity.value"},
    "D5": {"ExplanationOfBenefit": "ExplanationOfBenefit.item[1].net.value"},
}


@pytest.mark.parametrize("name", PATTERNS)
def test_a_disclosure_is_the_vectors(name: str, shared: Path) -> None:
    expected: dict[str, Any] = json.loads((shared / "vectors/formats/once.json").read_text())["disclosures"][name]
    records = [vector_record(shared, record) for record in PATTERNS[name]]
    selection = select(records, PATTERNS[name].values())
    by_type = {choice.record.resource_type: sorted(names_of(choice)) for choice in selection.choices}
    wanted = zip(records, expected["opened"].values(), strict=True)
    assert by_type == {record.resource_type: sorted(opened) for record, opened in wanted}
    disclosure = present(selection, HOLDER, audience=AUDIENCE, nonce=NONCE, expires_at=EXPIRES_AT, now=NOW)
    assert to_hex(disclosure.digest()) == expected["digest"]
    message = _core.holder_message(disclosure.digest(), records[0].subject, AUDIENCE, NONCE, disclosure.expiry)
    assert int.from_bytes(message) == int(expected["M"])
    for record in disclosure.records:
        _core.verify_holder_signature(records[0].subject, message, record.signature)


@pytest.mark.parametrize("name", PATTERNS)
def test_both_forms_come_back(name: str, shared: Path) -> None:
    records = [vector_record(shared, record) for record in PATTERNS[name]]
    selection = select(records, PATTERNS[name].values())
    disclosure = present(selection, HOLDER, audience=AUDIENCE, nonce=NONCE, expires_at=EXPIRES_AT, now=NOW)
    assert UnverifiedDisclosure.loads(disclosure.to_json()) == disclosure
    assert UnverifiedDisclosure.loads(disclosure.to_json()).to_json() == disclosure.to_json()
    assert UnverifiedDisclosure.from_text(disclosure.to_text()) == disclosure
    assert len(disclosure.to_text()) < len(disclosure.to_json())
