"""Sealed records against the vectors of two other implementations."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chartseal.attestation import Domain, LocalSigner, address_from, to_hex
from chartseal.errors import ChartsealError, RootMismatchError, SealedRecordError
from chartseal.keys import SealingAddress, Wallet
from chartseal.sealing import Issuing, SealedRecord, seal_fields
from tests.charts import field_of

TIME = datetime.fromtimestamp(1_798_675_200, UTC)


@pytest.fixture(scope="module")
def issuing() -> Issuing:
    contract = address_from("0x5FbDB2315678afecb367f032d93F642f64180aa3", "")
    return Issuing(
        LocalSigner(b"\x11" * 32), Domain("1.4.0", 31337, contract), b"\x66" * 32, "https://issuer.example/fhir/"
    )


@pytest.fixture(scope="module")
def expected(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "vectors/formats/records.ndjson").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def address(shared: Path) -> bytes:
    once = json.loads((shared / "vectors/formats/once.json").read_text())
    return SealingAddress.parse(once["wallet"]["address"]).data


def sealed(vector: dict[str, Any], issuing: Issuing, address: bytes) -> SealedRecord:
    fields = [field_of(name, *pair) for name, pair in vector["expected"]["fields"].items()]
    return seal_fields(
        json.loads(vector["input"])["resourceType"],
        [each for each in fields if not each.name.startswith("chartseal.")],
        issuing,
        address,
        now=TIME,
        seed=b"\x5e" * 32,
        ikm=b"\x44" * 32,
    )


def test_every_vector_seals_to_its_uid_and_signature(
    expected: list[dict[str, Any]], issuing: Issuing, address: bytes
) -> None:
    for vector in expected:
        record = sealed(vector, issuing, address)
        wanted = vector["expected"]
        assert to_hex(record.subject) == wanted["subject"]
        assert to_hex(record.enc) == wanted["enc"]
        assert [list(pair) for pair in record.dropped] == wanted["dropped"]
        assert to_hex(record.root) == wanted["root"]
        if record.package.message.expiration_time == 0:  # the vectors' seals never expire
            assert to_hex(record.uid) == wanted["uid"]
            assert to_hex(record.package.signature) == wanted["signature"]
        record.check()


def test_the_file_form_comes_back(expected: list[dict[str, Any]], issuing: Issuing, address: bytes) -> None:
    for vector in expected:
        record = sealed(vector, issuing, address)
        assert SealedRecord.from_json(record.to_json()) == record


def test_an_altered_record_is_refused(expected: list[dict[str, Any]], issuing: Issuing, address: bytes) -> None:
    record = sealed(expected[0], issuing, address)
    data = json.loads(record.to_json())
    for at, (_, abi_type, value) in enumerate(data["fields"]):
        if abi_type == "string":
            altered = json.loads(record.to_json())
            altered["fields"][at][2] = value + "x"
            with pytest.raises(ChartsealError):
                SealedRecord.from_json(json.dumps(altered)).check()
    data["seed"] = "0x" + "5f" * 32
    with pytest.raises((RootMismatchError, ChartsealError)):
        SealedRecord.from_json(json.dumps(data)).check()
    other = str(Wallet.generate().sealing_address())
    with pytest.raises(ChartsealError, match="claims"):
        SealedRecord.from_json(json.dumps({**json.loads(record.to_json()), "for": other})).check()


@pytest.mark.parametrize(
    ("member", "value"),
    [("format", "chartseal/2"), ("kind", "disclosure"), ("enc", "0x00"), ("fields", {}), ("fields", [["a", "b"]])],
)
def test_malformed_records_are_named(
    member: str, value: Any, expected: list[dict[str, Any]], issuing: Issuing, address: bytes
) -> None:
    data = {**json.loads(sealed(expected[0], issuing, address).to_json()), member: value}
    with pytest.raises(SealedRecordError):
        SealedRecord.from_json(json.dumps(data))


def test_unknown_members_and_other_texts_are_refused() -> None:
    for text in ["", "[]", "{}", "[" * 100_000, '{"format":"chartseal/1"}']:
        with pytest.raises(SealedRecordError):
            SealedRecord.from_json(text)
