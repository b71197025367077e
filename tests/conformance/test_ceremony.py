"""Whole ceremonies with snarkjs, phase 1 included, of a toy circuit; `make drills` runs one of a real circuit."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from chartseal import _core
from chartseal.circuits import snarkjs
from chartseal.circuits.ceremony import Ceremony, Phase1, Snarkjs, contributions, exporting, run, transcript
from chartseal.circuits.manifest import key_from_json
from chartseal.cli import cli
from chartseal.errors import CeremonyError, CircuitKeyError, ProofError
from tests import toy_ceremony
from tests.toy_ceremony import CIRCUIT

TOOLS = Path(__file__).resolve().parents[2] / "tools/ceremony"
BEACON = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"


@pytest.fixture(scope="module")
def tool() -> Snarkjs:
    try:
        return Snarkjs.find(TOOLS)
    except CeremonyError as missing:
        pytest.skip(str(missing))


class Done(NamedTuple):
    """A finished ceremony, the file of its phase 1 and that file's hash."""

    folder: Path
    ptau: Path
    published: bytes


@pytest.fixture(scope="module")
def done(tool: Snarkjs, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One contribution after the other by the commands, then the beacon."""
    folder = tmp_path_factory.mktemp("ceremony")
    ptau = toy_ceremony.phase1(tool, folder)
    published = hashlib.blake2b(ptau.read_bytes()).digest()
    with pytest.MonkeyPatch.context() as patched:
        fake = toy_ceremony.fake_core(tool, folder)
        patched.setattr(run, "_core", fake)
        place = folder / "c"
        options = ["--ptau", str(ptau), "--ptau-hash", published.hex(), "-o", str(place)]
        assert command("new", CIRCUIT, *options)["circuit"] == CIRCUIT
        for name in ("Ada", "Bo Åkesson"):
            assert command("contribute", str(place), "--name", name)["name"] == name
        assert command("beacon", str(place), "--value", BEACON)["iterations"] == 10
    return Done(place, ptau, published)


@pytest.fixture(autouse=True)
def _toy(tool: Snarkjs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = toy_ceremony.fake_core(tool, tmp_path)
    monkeypatch.setattr(run, "_core", fake)
    monkeypatch.setattr(exporting, "_core", fake)


def command(name: str, *arguments: str) -> dict[str, Any]:
    found = CliRunner().invoke(
        cli, ["ceremony", name, *arguments, "--snarkjs", str(TOOLS), "--json"], catch_exceptions=False
    )
    assert found.exit_code == 0
    shown: dict[str, Any] = json.loads(found.stdout)
    return shown


def copied(done: Done, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done.folder, tmp_path / "copy"))


def refused(folder: Path, done: Done, tool: Snarkjs) -> str:
    with pytest.raises((CeremonyError, CircuitKeyError)) as error:
        Ceremony(folder).verify(Phase1.open(done.ptau, done.published), tool)
    return error.value.code


def test_it_verifies_and_names_all_who_contributed(done: Done) -> None:
    shown = command("verify", str(done.folder), "--ptau", str(done.ptau), "--ptau-hash", done.published.hex())
    steps = transcript.load(done.folder).steps[1:]
    assert [each["hash"] for each in shown["contributions"]] == ["0x" + step.hash.hex() for step in steps]
    assert [each["name"] for each in shown["contributions"]] == ["Ada", "Bo Åkesson", "beacon"]
    assert shown["contributions"][-1]["beacon"] == "0x" + BEACON


def test_hashes_are_those_that_snarkjs_shows(done: Done, tool: Snarkjs) -> None:
    found = Ceremony(done.folder)
    output = tool.run(["zkey", "verify", *map(str, (done.folder / "circuit.r1cs", done.ptau, found.last))])
    digits = "".join(char for char in output if char in "0123456789abcdef\t \n").split()
    for made in found.contributions():
        words = [made.hash.hex()[at : at + 8] for at in range(0, 128, 8)]
        assert any(digits[at : at + 16] == words for at in range(len(digits)))


def test_its_key_proves_and_verifies(done: Done, tool: Snarkjs, tmp_path: Path) -> None:
    """The exported verification key takes a proof that snarkjs makes with the ceremony's key, of no other inputs."""
    options = ["--ptau", str(done.ptau), "--ptau-hash", done.published.hex(), "--name", "2027-01"]
    shown = command("export", str(done.folder), *options, "-o", str(tmp_path / "out"))
    entry = json.loads((tmp_path / "out/entry.json").read_text())
    key = key_from_json(entry["circuit"], entry["key"])
    assert key.ceremony is not None
    assert [each.name for each in key.ceremony.contributions] == ["Ada", "Bo Åkesson", "beacon"]
    assert key.ceremony.beacon.hex() == BEACON
    assert key.ceremony.phase1["blake2b"] == done.published
    assert (key.is_unsafe, key.ceremony.tool) == (False, tool.version)

    verifier = _core.CircuitVerifier(CIRCUIT, (tmp_path / "out" / key.verification_key_file).read_bytes())
    assert shown["verificationKey"] == "0x" + verifier.hash.hex()
    (tmp_path / "w.wtns").write_bytes(toy_ceremony.wtns(9, 1, 2, 3))
    paths = [str(tmp_path / name) for name in ("w.wtns", "proof.json", "public.json")]
    tool.run(["groth16", "prove", str(Ceremony(done.folder).last), *paths])
    proof = snarkjs.proof_from_json(json.loads((tmp_path / "proof.json").read_text()))
    inputs = [value.to_bytes(32) for value in (9, 1, 2)]
    verifier.verify(inputs, proof)
    with pytest.raises(ProofError):
        verifier.verify([inputs[0], inputs[2], inputs[1]], proof)


def test_nothing_is_exported_twice_over(done: Done, tool: Snarkjs, tmp_path: Path) -> None:
    phase1 = Phase1.open(done.ptau, done.published)
    (tmp_path / "holder.a.key").write_bytes(b"kept")
    with pytest.raises(CeremonyError) as error:
        exporting.export(Ceremony(done.folder), phase1, "a", tmp_path, tool)
    assert error.value.code == "file_exists"
    assert (tmp_path / "holder.a.key").read_bytes() == b"kept"


@pytest.mark.parametrize("name", ["development", "", "../a", "A"])
def test_a_keys_name_is_a_name(done: Done, tool: Snarkjs, tmp_path: Path, name: str) -> None:
    with pytest.raises(CeremonyError) as error:
        exporting.export(Ceremony(done.folder), Phase1.open(done.ptau, done.published), name, tmp_path, tool)
    assert error.value.code == "name_refused"


def test_no_step_follows_the_beacon(done: Done, tool: Snarkjs, tmp_path: Path) -> None:
    folder = copied(done, tmp_path)
    with pytest.raises(CeremonyError) as error:
        Ceremony(folder).contribute("Eve", tool)
    assert error.value.code == "ceremony_finished"
    with pytest.raises(CeremonyError) as error:
        Ceremony(folder).finish(b"1", 10, tool)
    assert error.value.code == "ceremony_finished"
    assert Ceremony(folder).transcript == transcript.load(done.folder)


def rewound(folder: Path, steps: int) -> Ceremony:
    """The ceremony as it was after so many steps."""
    whole = transcript.load(folder)
    replace(whole, steps=whole.steps[:steps]).save(folder)
    return Ceremony(folder)


def test_a_beacon_needs_a_contribution_and_an_export_the_beacon(done: Done, tool: Snarkjs, tmp_path: Path) -> None:
    folder = copied(done, tmp_path)
    with pytest.raises(CeremonyError) as error:
        exporting.export(rewound(folder, 3), Phase1.open(done.ptau, done.published), "a", tmp_path / "out", tool)
    assert error.value.code == "beacon_missing"
    with pytest.raises(CeremonyError) as error:
        rewound(folder, 1).finish(bytes.fromhex(BEACON), 10, tool)
    assert error.value.code == "contribution_missing"


def test_an_altered_contribution_is_refused(done: Done, tool: Snarkjs, tmp_path: Path) -> None:
    """A bit of the file, first with its recorded hash, then with a hash made to fit."""
    folder = copied(done, tmp_path)
    last = Ceremony(folder).last
    data = bytearray(last.read_bytes())
    at = data.index(b"Bo \xc3\x85kesson") - 70  # in the transcript hash of that contribution
    data[at] ^= 1
    last.write_bytes(data)
    assert refused(folder, done, tool) == "ceremony_altered"
    whole = transcript.load(folder)
    fitted = replace(whole.steps[-1], sha256=hashlib.sha256(data).digest())
    replace(whole, steps=(*whole.steps[:-1], fitted)).save(folder)
    assert refused(folder, done, tool) == "ceremony_altered"
    # With its own hash in the record too, snarkjs finds it.
    made = contributions.read(last)
    steps = [replace(step, hash=each.hash) for step, each in zip(whole.steps[1:-1], made[:-1], strict=True)]
    fitted = replace(fitted, hash=made[-1].hash)
    replace(whole, steps=(whole.steps[0], *steps, fitted)).save(folder)
    assert refused(folder, done, tool) == "snarkjs_failed"


def test_an_altered_point_is_refused(done: Done, tool: Snarkjs, tmp_path: Path) -> None:
    """One of the points of H stands for another; the record is made to fit."""
    folder = copied(done, tmp_path)
    last = Ceremony(folder).last
    data = bytearray(last.read_bytes())
    at = toy_ceremony.section_at(data, 9)
    data[at : at + 64], data[at + 64 : at + 128] = data[at + 64 : at + 128], data[at : at + 64]
    last.write_bytes(data)
    whole = transcript.load(folder)
    fitted = replace(whole.steps[-1], sha256=hashlib.sha256(data).digest())
    replace(whole, steps=(*whole.steps[:-1], fitted)).save(folder)
    assert refused(folder, done, tool) == "snarkjs_failed"


def test_a_skipped_contribution_is_refused(done: Done, tmp_path: Path) -> None:
    folder = copied(done, tmp_path)
    whole = transcript.load(folder)
    replace(whole, steps=(whole.steps[0], *whole.steps[2:])).save(folder)
    shutil.copy(done.folder / "0003.zkey", folder / "0002.zkey")
    with pytest.raises(CeremonyError) as error:
        Ceremony(folder)
    assert error.value.code == "ceremony_altered"


def test_another_circuit_is_refused(done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied(done, tmp_path)
    monkeypatch.setattr("chartseal.circuits.ceremony.run._core.circuit_r1cs", lambda _: toy_ceremony.r1cs() + b"\0")
    with pytest.raises(CeremonyError) as error:
        Ceremony(folder)
    assert error.value.code == "circuit_changed"


def test_another_phase_1_is_refused(done: Done, tool: Snarkjs, tmp_path: Path) -> None:
    other = tmp_path / "other.ptau"
    other.write_bytes(done.ptau.read_bytes() + b"\0")
    with pytest.raises(CeremonyError) as error:
        Phase1.open(other, done.published)
    assert error.value.code == "phase1_other"
    opened = Phase1.open(other, hashlib.sha256(other.read_bytes()).digest())
    with pytest.raises(CeremonyError) as error:
        Ceremony(done.folder).verify(opened, tool)
    assert error.value.code == "phase1_other"


def test_a_small_phase_1_is_refused(done: Done, tool: Snarkjs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartseal.circuits.ceremony.run._core.circuit_counts", lambda _: (13, 17, 3))
    with pytest.raises(CeremonyError) as error:
        Ceremony.begin(tmp_path / "new", CIRCUIT, Phase1.open(done.ptau, done.published), tool)
    assert error.value.code == "phase1_small"
    assert not (tmp_path / "new").exists()


def test_a_setup_that_fails_leaves_an_empty_folder(
    done: Done, tool: Snarkjs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """snarkjs ends with status 0 where its setup refuses; what it did not make is found missing."""
    phase1 = Phase1.open(done.ptau, done.published)
    monkeypatch.setattr("chartseal.circuits.ceremony.run._core.circuit_r1cs", lambda _: large_r1cs())
    with pytest.raises((CeremonyError, CircuitKeyError)):
        Ceremony.begin(tmp_path / "new", CIRCUIT, phase1, tool)
    assert list((tmp_path / "new").iterdir()) == []


def large_r1cs() -> bytes:
    """The toy's, which says that it has more constraints than phase 1 has powers for."""
    data = bytearray(toy_ceremony.r1cs())
    at = toy_ceremony.section_at(data, 1) + 60
    data[at : at + 4] = (100).to_bytes(4, "little")
    return bytes(data)


def test_a_program_that_a_folder_brings_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: Snarkjs
) -> None:
    brought = tmp_path / "node_modules/snarkjs/build/cli.cjs"
    brought.parent.mkdir(parents=True)
    brought.write_bytes(b"")
    (brought.parent.parent / "package.json").write_text('{"version": "6.6.6"}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHARTSEAL_SNARKJS", raising=False)
    assert Snarkjs.find() == tool
    monkeypatch.setenv("CHARTSEAL_SNARKJS", str(tmp_path))
    assert Snarkjs.find().version == "snarkjs 6.6.6"
    monkeypatch.setenv("CHARTSEAL_SNARKJS", str(tmp_path / "missing"))
    with pytest.raises(CeremonyError) as error:
        Snarkjs.find()
    assert error.value.code == "snarkjs_missing"


def test_a_folder_in_use_is_kept(done: Done, tool: Snarkjs) -> None:
    with pytest.raises(CeremonyError) as error:
        Ceremony.begin(done.folder, CIRCUIT, Phase1.open(done.ptau, done.published), tool)
    assert error.value.code == "ceremony_exists"


def test_two_contributions_at_once_do_not_mix(done: Done, tool: Snarkjs, tmp_path: Path) -> None:
    folder = copied(done, tmp_path)
    first, second = rewound(folder, 2), Ceremony(folder)
    first.contribute("First", tool)
    with pytest.raises(CeremonyError) as error:
        second.contribute("Second", tool)
    assert error.value.code == "ceremony_busy"
    assert [step.name for step in Ceremony(folder).transcript.steps] == ["", "Ada", "First"]


def test_what_snarkjs_fails_at_leaves_nothing(done: Done, tool: Snarkjs, tmp_path: Path) -> None:
    folder = copied(done, tmp_path)
    before = sorted(path.name for path in folder.iterdir())
    broken = Snarkjs(tool.node, tmp_path / "missing.cjs", tool.version)
    with pytest.raises(CeremonyError) as error:
        rewound(folder, 2).contribute("Ada", broken)
    assert error.value.code == "snarkjs_failed"
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("name", ["", "a\nb", "é" * 33])
def test_a_contributors_name_is_short_and_printable(done: Done, tool: Snarkjs, tmp_path: Path, name: str) -> None:
    with pytest.raises(CeremonyError) as error:
        rewound(copied(done, tmp_path), 2).contribute(name, tool)
    assert error.value.code == "name_refused"
