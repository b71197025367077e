"""Any bytes as a circuit's file end in a typed error, or in the very key that was meant."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal import _core
from chartseal.circuits import cache, manifest
from chartseal.circuits.ceremony import Phase1, contributions, transcript
from chartseal.circuits.ceremony.transcript import Step, Transcript
from chartseal.circuits.manifest import loads, to_json
from chartseal.circuits.verifying import verification_key
from chartseal.errors import CeremonyError, CircuitKeyError
from tests.circuit_inputs import development_prover
from tests.toy_ceremony import container, element, u32

CIRCUIT = min(manifest().circuits, key=lambda name: manifest().circuit(name).constraints)
TEMPORARY = settings(max_examples=40)
SLOW = settings(max_examples=25)

_edges = st.lists(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]), min_size=1, max_size=12).map(bytes)
_change = st.one_of(
    st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
    st.tuples(st.just("put"), st.floats(0, 1), st.binary(min_size=1, max_size=40) | _edges),
    st.tuples(st.just("over"), st.floats(0, 0.002), _edges),
    st.tuples(st.just("over"), st.floats(0, 1), st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("twice"), st.floats(0, 1), st.just(b"")),
)
Change = tuple[str, float, bytes]


def changed(data: bytes, changes: list[Change]) -> bytes:
    for kind, place, given_bytes in changes:
        at = int(place * len(data))
        match kind:
            case "cut":
                data = data[:at]
            case "put":
                data = data[:at] + given_bytes + data[at:]
            case "over":
                data = data[:at] + given_bytes + data[at + len(given_bytes) :]
            case "twice":
                data = data[:at] + data[at:] * 2
    return data


changes = st.lists(_change, min_size=1, max_size=2)


@pytest.fixture(scope="module")
def proving_key() -> bytes:
    return cache.read(development_prover(CIRCUIT).key)


@pytest.fixture(scope="module")
def zkey(proving_key: bytes) -> bytes:
    return _core.export_zkey(CIRCUIT, proving_key)


@SLOW
@given(changes)
def test_mutated_zkeys(zkey: bytes, proving_key: bytes, edits: list[Change]) -> None:
    data = changed(zkey, edits)
    try:
        imported, _ = _core.import_zkey(CIRCUIT, data)
    except CircuitKeyError as refused:
        assert refused.code in ("key_malformed", "key_other_circuit")  # noqa: PT017 (both outcomes are right)
        return
    assert imported == proving_key  # what a ceremony says of itself is no part of the key


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda rest: b"zkey" + u32(1, 10) + rest))
def test_any_bytes_as_zkeys(data: bytes) -> None:
    with pytest.raises(CircuitKeyError):
        _core.import_zkey(CIRCUIT, data)


@TEMPORARY
@given(changes)
def test_mutated_proving_keys(proving_key: bytes, edits: list[Change]) -> None:
    data = changed(proving_key, edits)
    if data == proving_key:
        return
    for read in (_core.CircuitProver, _core.export_zkey):
        with pytest.raises(CircuitKeyError):
            read(CIRCUIT, data)


@given(changes)
def test_mutated_verification_keys(edits: list[Change]) -> None:
    key = verification_key(manifest().key(CIRCUIT, "development"))
    data = changed(key, edits)
    try:
        verifier = _core.CircuitVerifier(CIRCUIT, data)
    except CircuitKeyError:
        return
    assert (verifier.hash == manifest().key(CIRCUIT, "development").verification_key) == (data == key)


@given(changes)
def test_mutated_manifests(edits: list[Change]) -> None:
    try:
        loads(changed(json.dumps(to_json(manifest())).encode(), edits))
    except CircuitKeyError as refused:
        assert refused.code == "manifest_malformed"  # noqa: PT017


def a_contribution(name: bytes, beacon: bytes) -> bytes:
    parameters = b"\x01" + bytes([len(name)]) + name
    if beacon:
        parameters += b"\x02\x0a\x03" + bytes([len(beacon)]) + beacon
    return bytes(3 * 64 + 128 + 64) + u32(1 if beacon else 0, len(parameters)) + parameters


CONTRIBUTED = container(
    b"zkey",
    1,
    {
        1: u32(1),
        10: bytes(64) + u32(2) + a_contribution(b"Ada", b"") + a_contribution(b"b", b"\xab"),
    },
)
POWERS = container(b"ptau", 1, {1: u32(32) + element(1) + u32(12, 12), 2: b"points"})
STEPS = (Step("setup", "", b"", bytes(32)), Step("contribution", "A", bytes(64), bytes(32)))
RECORD = Transcript(CIRCUIT, bytes(32), bytes(32), bytes(64), "t", STEPS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def test_what_is_not_mutated_is_read(folder: Path) -> None:
    (folder / "a.zkey").write_bytes(CONTRIBUTED)
    ada, beacon = contributions.read(folder / "a.zkey")
    assert (ada.name, ada.beacon, beacon.beacon, beacon.iterations) == ("Ada", None, b"\xab", 10)
    (folder / "a.ptau").write_bytes(POWERS)
    assert Phase1.open(folder / "a.ptau", hashlib.sha256(POWERS).digest()).power == 12
    RECORD.save(folder)
    assert transcript.load(folder) == RECORD


@given(changes)
def test_mutated_contributions(folder: Path, edits: list[Change]) -> None:
    (folder / "b.zkey").write_bytes(changed(CONTRIBUTED, edits))
    try:
        contributions.read(folder / "b.zkey")
    except CeremonyError as refused:
        assert refused.code == "file_malformed"  # noqa: PT017


@given(changes)
def test_mutated_phase_1_files(folder: Path, edits: list[Change]) -> None:
    data = changed(POWERS, edits)
    (folder / "b.ptau").write_bytes(data)
    try:
        Phase1.open(folder / "b.ptau", hashlib.blake2b(data).digest())
    except CeremonyError as refused:
        assert refused.code == "file_malformed"  # noqa: PT017


@given(changes)
def test_mutated_records(folder: Path, edits: list[Change]) -> None:
    RECORD.save(folder)
    data = (folder / transcript.FILE).read_bytes()
    (folder / transcript.FILE).write_bytes(changed(data, edits))
    try:
        transcript.load(folder)
    except CeremonyError as refused:
        assert refused.code == "ceremony_malformed"  # noqa: PT017
