"""Fields of resources against the vectors of two other implementations."""

import json
from pathlib import Path

from chartseal.record import read_fields


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
