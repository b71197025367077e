"""A ceremony small enough for every run: one constraint, x · x = a; public inputs a, b, c as the circuit `holder` has.

Its files are written here from iden3's format, not by the code under test, and its import is snarkjs' own.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from chartseal import _core
from chartseal.circuits import snarkjs
from chartseal.circuits.ceremony import Snarkjs
from chartseal.errors import CircuitKeyError

CIRCUIT = "holder"
POWER = 4
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583


def u32(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def element(value: int) -> bytes:
    return value.to_bytes(32, "little")


def container(letters: bytes, version: int, sections: dict[int, bytes]) -> bytes:
    parts = [u32(number) + len(data).to_bytes(8, "little") + data for number, data in sections.items()]
    return letters + u32(version, len(sections)) + b"".join(parts)


def r1cs() -> bytes:
    """Wires 1, a, b, c, x."""
    header = u32(32) + element(R) + u32(5, 0, 3, 1) + (5).to_bytes(8, "little") + u32(1)
    row = u32(1, 4) + element(1)
    constraint = row + row + u32(1, 1) + element(1)
    labels = b"".join(wire.to_bytes(8, "little") for wire in range(5))
    return container(b"r1cs", 1, {1: header, 2: constraint, 3: labels})


def wtns(*values: int) -> bytes:
    """Of the wires after the constant one."""
    whole = (1, *values)
    return container(b"wtns", 2, {1: u32(32) + element(R) + u32(len(whole)), 2: b"".join(map(element, whole))})


def fake_core(tool: Snarkjs, folder: Path) -> Any:
    """What a ceremony asks of the circuits that are built, for the toy alone."""

    def import_zkey(circuit: str, zkey: bytes) -> tuple[bytes, bytes]:
        assert circuit == CIRCUIT
        (folder / "imported.zkey").write_bytes(zkey)
        if zkey[:4] != b"zkey":
            raise CircuitKeyError("not a key", "key_malformed")
        paths = [str(folder / name) for name in ("imported.zkey", "imported.json")]
        tool.run(["zkey", "export", "verificationkey", *paths])
        return zkey, snarkjs.key_from_json(json.loads((folder / "imported.json").read_text()))

    return SimpleNamespace(
        circuit_r1cs=lambda _: r1cs(),
        circuit_counts=lambda _: (1, 5, 3),
        import_zkey=import_zkey,
        CircuitVerifier=_core.CircuitVerifier,
    )


def phase1(tool: Snarkjs, folder: Path, power: int = POWER) -> Path:
    """A phase 1 of snarkjs' making, prepared for phase 2."""
    new, contributed, prepared = (str(folder / f"{number}.ptau") for number in range(3))
    tool.run(["powersoftau", "new", "bn128", str(power), new])
    tool.run(["powersoftau", "contribute", new, contributed, "--name=test"], secret="test")
    tool.run(["powersoftau", "prepare", "phase2", contributed, prepared])
    return Path(prepared)


def section_at(data: bytes | bytearray, wanted: int) -> int:
    """Where the content of a numbered section begins."""
    at = 12
    while int.from_bytes(data[at : at + 4], "little") != wanted:
        at += 12 + int.from_bytes(data[at + 4 : at + 12], "little")
    return at + 12


def section(data: bytes, number: int) -> bytes:
    """The content of a numbered section."""
    at = section_at(data, number)
    return data[at : at + int.from_bytes(data[at - 8 : at], "little")]
