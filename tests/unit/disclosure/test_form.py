"""What is read as a disclosure, and beside it what is not."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import base45  # type: ignore[import-untyped]  # it ships no types
import pytest

from chartseal.attestation import Address, Digest
from chartseal.disclosure import UnverifiedDisclosure, UnverifiedProof
from chartseal.disclosure.audience import LONGEST_AUDIENCE
from chartseal.disclosure.binding import Binding, Terms
from chartseal.disclosure.form import MOST_PROOFS
from chartseal.errors import DisclosureFormError
from tests.charts import open_paths, vector_record


@pytest.fixture(scope="module")
def text(shared: Path) -> str:
    return open_paths([vector_record(shared, "Observation")], "Observation.value").to_json().decode()


def altered(text: str, change: Callable[[dict[str, Any]], Any]) -> str:
    data = json.loads(text)
    change(data)
    return json.dumps(data)


PROOF = {"key": "0x" + "01" * 32, "inputs": ["0x" + "02" * 32], "proof": "0x78"}
BINDING = Binding(b"\x05" * 32).to_json()

CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "unknown member": lambda d: d.update(extra=1),
    "missing member": lambda d: d.pop("proofs"),
    "other format": lambda d: d.update(format="chartseal/2"),
    "other kind": lambda d: d.update(kind="sealed-record"),
    "empty audience": lambda d: d.update(audience=""),
    "long audience": lambda d: d.update(audience="x" * (LONGEST_AUDIENCE + 1)),
    "control character in the audience": lambda d: d.update(audience="https://a\n"),
    "half a surrogate pair": lambda d: d.update(audience="\ud800"),
    "nonce of 31 bytes": lambda d: d.update(nonce="0x" + "88" * 31),
    "nonce of 33 bytes": lambda d: d.update(nonce="0x" + "88" * 33),
    "expiry as text": lambda d: d.update(expiry="1"),
    "expiry as truth": lambda d: d.update(expiry=True),
    "expiry zero": lambda d: d.update(expiry=0),
    "expiry over 64 bits": lambda d: d.update(expiry=2**64),
    "records as object": lambda d: d.update(records={}),
    "record as text": lambda d: d.update(records=["x"]),
    "unknown member of a record": lambda d: d["records"][0].update(extra=1),
    "signature of 63 bytes": lambda d: d["records"][0].update(signature="0x" + "00" * 63),
    "empty detached": lambda d: d["records"][0].update(detached={}),
    "detached as list": lambda d: d["records"][0].update(detached=["x"]),
    "a type that EAS has and records have not": lambda d: d["records"][0]["multiproof"]["leaves"][0].update(
        type="uint8", value="1"
    ),
    "a type spelled otherwise": lambda d: d["records"][0]["multiproof"]["leaves"][0].update(type="uint", value="1"),
    "a salt of 31 bytes": lambda d: d["records"][0]["multiproof"]["leaves"][0].update(salt="0x" + "11" * 31),
    "proofs as object": lambda d: d.update(proofs={}),
    "too many proofs": lambda d: d.update(proofs=[{}] * (MOST_PROOFS + 1)),
    "a proof without its key": lambda d: d.update(proofs=[{"inputs": [], "proof": "0x"}], binding=BINDING),
    "proofs without a binding": lambda d: d.update(proofs=[PROOF]),
    "a binding without proofs": lambda d: d.update(binding=BINDING),
    "detached null": lambda d: d["records"][0].update(detached=None),
    "a version that is no integer": lambda d: d["records"][0]["seal"]["sig"].update(version=2.0),
    "a large proof": lambda d: d.update(proofs=[{**PROOF, "proof": "0x" + "00" * 5_000}], binding=BINDING),
}

ADDRESS = "0x" + "11" * 20

BINDINGS: dict[str, Callable[[Any], Any]] = {
    "null": lambda b: None,
    "a list": lambda b: list(b.values()),
    "a missing member": lambda b: {name: value for name, value in b.items() if name != "period"},
    "an unknown member": lambda b: {**b, "scope": ""},
    "a nonce of zeros": lambda b: {**b, "holderNonce": "0x" + "00" * 32},
    "a nonce of 31 bytes": lambda b: {**b, "holderNonce": "0x" + "01" * 31},
    "a chain as text": lambda b: {**b, "chain": "0"},
    "a chain as a boolean": lambda b: {**b, "chain": False},
    "a negative chain": lambda b: {**b, "chain": -1, "contract": ADDRESS},
    "a chain of 65 bits": lambda b: {**b, "chain": 1 << 64, "contract": ADDRESS},
    "a chain without contract": lambda b: {**b, "chain": 1},
    "a contract without chain": lambda b: {**b, "contract": ADDRESS},
    "a payee without chain": lambda b: {**b, "payee": ADDRESS},
    "a contract of 19 bytes": lambda b: {**b, "chain": 1, "contract": "0x" + "11" * 19},
    "a purpose that is no text": lambda b: {**b, "purpose": None},
    "a long purpose": lambda b: {**b, "purpose": "a" * 257},
    "a purpose with a line end": lambda b: {**b, "purpose": "a\n"},
    "a purpose with half a pair": lambda b: {**b, "purpose": "\ud800"},
    "a period without purpose": lambda b: {**b, "period": 1},
    "a period of 65 bits": lambda b: {**b, "purpose": "a", "period": 1 << 64},
    "a period with a point": lambda b: {**b, "purpose": "a", "period": 1.0},
}


@pytest.mark.parametrize("change", BINDINGS)
def test_other_bindings_are_refused(change: str, text: str) -> None:
    data = {**json.loads(text), "proofs": [PROOF]}
    assert UnverifiedDisclosure.from_json({**data, "binding": BINDING}).binding == Binding(b"\x05" * 32)
    with pytest.raises(DisclosureFormError):
        UnverifiedDisclosure.from_json({**data, "binding": BINDINGS[change](BINDING)})


@pytest.mark.parametrize("change", CHANGES)
def test_other_objects_are_refused(change: str, text: str) -> None:
    UnverifiedDisclosure.loads(text)
    with pytest.raises(DisclosureFormError):
        UnverifiedDisclosure.loads(altered(text, CHANGES[change]))


@pytest.mark.parametrize(
    "given",
    ["", "{}", "[]", "null", "[" * 100_000, "{" * 1_000, '{"a":1,"a":1}', "\ufeff{}", b"\xff\xfe{\x00}\x00", b"\x80"],
)
def test_other_texts_are_refused(given: str | bytes) -> None:
    with pytest.raises(DisclosureFormError):
        UnverifiedDisclosure.loads(given)


def test_a_member_twice_is_refused(text: str) -> None:
    with pytest.raises(DisclosureFormError):
        UnverifiedDisclosure.loads(text.replace('"proofs":[]', '"proofs":[],"proofs":[]'))


def test_values_never_show_in_a_repr(shared: Path) -> None:
    record = vector_record(shared, "Observation")
    disclosure = open_paths([record], "Observation.value")
    for each in record.fields:
        if isinstance(each.value, str) and len(each.value) > 12 and not each.name.startswith("chartseal."):
            assert each.value not in repr(disclosure)


@pytest.mark.parametrize(
    "terms", [Terms(), Terms(purpose="refill", period=3), Terms(1, Address(b"\x11" * 20), Address(b"\x22" * 20), "é")]
)
def test_proofs_come_back(text: str, terms: Terms) -> None:
    data = json.loads(text)
    data["proofs"] = [UnverifiedProof(Digest(b"\1" * 32), (Digest(b"\2" * 32),), b"x").to_json()]
    data["binding"] = Binding(b"\3" * 32, terms).to_json()
    disclosure = UnverifiedDisclosure.from_json(data)
    assert disclosure.binding == Binding(b"\3" * 32, terms)
    assert UnverifiedDisclosure.loads(disclosure.to_json()) == disclosure
    assert UnverifiedDisclosure.from_text(disclosure.to_text()) == disclosure
    assert disclosure.digest() != UnverifiedDisclosure.loads(text).digest()


def compact(items: Any) -> str:
    return "CS1:" + str(base45.b45encode(zlib.compress(json.dumps(items).encode())).decode())


def test_other_compact_texts_are_refused(text: str) -> None:
    good = UnverifiedDisclosure.loads(text).to_text()
    UnverifiedDisclosure.from_text(good)
    items = json.loads(zlib.decompress(base45.b45decode(good[4:])))
    leaf = items[3][0][1][0]
    for bad in (
        good[:-3],
        good + "AAA",
        good[4:],
        "CS1:",
        "cs1:" + good[4:],
        compact(items[:4]),
        compact([*items, list(BINDING.values())]),
        compact([*items[:4], [PROOF]]),
        compact([*items[:4], [PROOF], list(BINDING.values())[:5]]),
        compact([*items[:4], [PROOF], BINDING]),
        compact([*items[:4], [PROOF], list(BINDING.values()), 0]),
        compact({"a": 1}),
        compact([*items[:3], [items[3][0][:5]], []]),
        compact([*items[:3], [[items[3][0][0], [leaf[:3]], *items[3][0][2:]]], []]),
        compact([*items[:3], [[*items[3][0][:3], "102", *items[3][0][4:]]], []]),
        compact([*items[:3], [[[1, 2], *items[3][0][1:]]], []]),
        compact([*items[:3], [[*items[3][0][:5], None]], []]),
    ):
        with pytest.raises(DisclosureFormError):
            UnverifiedDisclosure.from_text(bad)


def test_a_text_that_inflates_without_end_is_refused() -> None:
    bomb = "CS1:" + base45.b45encode(zlib.compress(b" " * (1 << 27), 9)).decode()
    with pytest.raises(DisclosureFormError) as refused:
        UnverifiedDisclosure.from_text(bomb)
    assert refused.value.code == "limit_exceeded"
