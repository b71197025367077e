"""Fields of resources against the vectors of two other implementations."""

import json
from pathlib import Path

import pytest

from chartseal import _core
from chartseal.errors import FhirError, LimitError, RecordError
from chartseal.record import read_fields, rebuild


def test_fields_are_those_of_the_vectors_in_their_order(shared: Path) -> None:
    lines = (shared / "vectors/formats/records.ndjson").read_text().splitlines()
    assert lines
    for line in lines:
        record = json.loads(line)
        expected = [
            (name, abi_type, value)
            for name, (abi_type, value) in record["expected"]["fields"].items()
            if not name.startswith("chartseal.")
        ]
        resource = read_fields(record["input"].encode())
        written = [(name, abi_type, as_json(value)) for name, abi_type, value in resource.fields]
        assert written == expected, record["name"]


def as_json(value: str | bool | int | bytes) -> str:
    """A value as the vectors write it."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value).lower() if isinstance(value, bool) else str(value)


PATIENT = b'{"resourceType":"Patient","active":true}'
HTEST = b'{"resourceType":"Patient","meta":{"security":[{"code":"HTEST"}]}}'
MODIFIED = (
    b'{"resourceType":"Patient","implicitRules":"http://r","modifierExtension":[{"url":"http://m","valueCode":"c"}]}'
)


def test_a_refusal_has_its_code_and_path_but_no_value() -> None:
    with pytest.raises(FhirError) as refused:
        read_fields(b'{"resourceType":"Patient","name":[{"use":"Zebedee"}]}')
    assert (refused.value.code, refused.value.path) == ("code_unknown", "Patient.name[0].use")
    assert "Zebedee" not in str(refused.value)
    with pytest.raises(LimitError) as limited:
        read_fields(b"[" * 100)
    assert limited.value.code == "json_too_deep"


def test_what_the_issuer_lists_is_let_through() -> None:
    assert not read_fields(PATIENT, test=True).is_test
    assert read_fields(HTEST, test=True).is_test
    with pytest.raises(FhirError, match="HTEST"):
        read_fields(HTEST)
    assert read_fields(MODIFIED, modifier_extensions=["http://m"], implicit_rules=["http://r"]).fields
    with pytest.raises(FhirError, match="implicitRules"):
        read_fields(MODIFIED, modifier_extensions=["http://m"])
    with pytest.raises(FhirError, match="modifierExtension"):
        read_fields(MODIFIED, implicit_rules=["http://r"])


def test_a_batch_gives_what_each_text_gives() -> None:
    patient, refused, limited = _core.read_resources([PATIENT, HTEST, b"[" * 100])
    assert patient == _core.read_resource(PATIENT)
    assert isinstance(refused, FhirError)
    assert refused.code == "test_data"
    assert isinstance(limited, LimitError)


def test_a_long_text_travels_detached_and_comes_back() -> None:
    data = "QUJD" * 300
    resource = read_fields(json.dumps({"resourceType": "Binary", "contentType": "text/plain", "data": data}).encode())
    names = [field.name for field in resource.fields]
    assert names == ["Binary.contentType", "Binary.data", "Binary.data.size"]
    assert resource.detached == (("Binary.data", data),)
    assert json.loads(rebuild("Binary", resource.fields, resource.detached).text)["data"] == data
    with pytest.raises(RecordError) as changed:
        rebuild("Binary", resource.fields, [("Binary.data", "QUJE" * 300)])
    assert changed.value.code == "detached_contradicts"
    with pytest.raises(RecordError) as missing:
        rebuild("Binary", resource.fields)
    assert missing.value.code == "base64_incomplete"


def test_positions_that_are_not_opened_are_listed() -> None:
    text = b'{"resourceType":"Patient","name":[{"family":"a"},{"family":"b"},{"family":"c"}]}'
    fields = [field for field in read_fields(text).fields if "[1]" not in field.name]
    rebuilt = rebuild("Patient", fields, partial=True)
    assert rebuilt.unopened == ("Patient.name[1]",)
    assert [name["family"] for name in json.loads(rebuilt.text)["name"]] == ["a", "c"]
    with pytest.raises(RecordError) as missing:
        rebuild("Patient", fields)
    assert missing.value.code == "position_missing"
