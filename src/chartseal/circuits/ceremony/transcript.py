"""The ceremony's record, `ceremony.json` in its folder: what was done so far, and the hash of each file it gave."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chartseal import _json
from chartseal.attestation.hexes import from_hex, to_hex
from chartseal.circuits.ceremony.sections import unreadable
from chartseal.circuits.manifest import FORMAT
from chartseal.errors import CeremonyError, PackageError

FILE = "ceremony.json"
SETUP, CONTRIBUTION, BEACON = "setup", "contribution", "beacon"
_LARGEST = 1 << 20
_MOST_STEPS = 1_000


@dataclass(frozen=True, slots=True)
class Step:
    """One file of the ceremony, `NNNN.zkey`, and how it came about."""

    kind: str
    name: str
    """Who contributed; empty at the setup."""
    hash: bytes
    """The contribution's own, 64 bytes, which is published; empty at the setup."""
    sha256: bytes
    """Of the file, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """All steps so far."""

    circuit: str
    r1cs: bytes
    """SHA-256 of the constraints, 32 bytes."""
    phase1_sha256: bytes
    phase1_blake2b: bytes
    tool: str
    steps: tuple[Step, ...]

    @property
    def is_finished(self) -> bool:
        """Whether the beacon was added, after which nobody contributes."""
        return bool(self.steps) and self.steps[-1].kind == BEACON

    def and_then(self, step: Step) -> Transcript:
        """With one step more."""
        return replace(self, steps=(*self.steps, step))

    def save(self, folder: Path) -> None:
        """Write it beside and move it into its place.

        Raises:
            CeremonyError: `file_unwritable`.
        """
        beside = folder / f".{secrets.token_hex(8)}.part"
        try:
            try:
                with beside.open("xb") as stream:
                    stream.write(json.dumps(_to_json(self), indent=1).encode() + b"\n")
                    stream.flush()
                    os.fsync(stream.fileno())
                beside.replace(folder / FILE)
            finally:
                beside.unlink(missing_ok=True)
        except OSError as exc:
            raise CeremonyError(f"cannot be written: {exc.strerror}", "file_unwritable", FILE) from exc


def load(folder: Path) -> Transcript:
    """The transcript of a folder.

    Raises:
        CeremonyError: `ceremony_malformed`, `file_unreadable`.
    """
    try:
        with (folder / FILE).open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as exc:
        raise unreadable(folder / FILE, exc) from exc
    try:
        return _from_json(_json.loads(data if len(data) <= _LARGEST else b""))
    except (ValueError, KeyError, TypeError, AttributeError, PackageError) as exc:
        raise _malformed() from exc


def _malformed() -> CeremonyError:
    return CeremonyError("the record of the ceremony does not have its form", "ceremony_malformed", FILE)


def _to_json(whole: Transcript) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "kind": "ceremony",
        "circuit": whole.circuit,
        "r1cs": to_hex(whole.r1cs),
        "phase1": {"sha256": to_hex(whole.phase1_sha256), "blake2b": to_hex(whole.phase1_blake2b)},
        "tool": whole.tool,
        "steps": [
            {"kind": each.kind, "name": each.name, "hash": to_hex(each.hash), "sha256": to_hex(each.sha256)}
            for each in whole.steps
        ],
    }


def _from_json(whole: Any) -> Transcript:
    steps = whole["steps"]
    if (whole["format"], whole["kind"]) != (FORMAT, "ceremony") or not 1 <= len(steps) <= _MOST_STEPS:
        raise _malformed()
    if not isinstance(whole["circuit"], str) or not isinstance(whole["tool"], str):
        raise _malformed()
    return Transcript(
        circuit=whole["circuit"],
        r1cs=from_hex(whole["r1cs"], "r1cs", 32),
        phase1_sha256=from_hex(whole["phase1"]["sha256"], "sha256", 32),
        phase1_blake2b=from_hex(whole["phase1"]["blake2b"], "blake2b", 64),
        tool=whole["tool"],
        steps=tuple(_step(number, each, len(steps)) for number, each in enumerate(steps)),
    )


def _step(number: int, members: Any, count: int) -> Step:
    """The setup comes first and alone; the beacon last, if at all."""
    kind, name = members["kind"], members["name"]
    allowed = {SETUP} if number == 0 else {CONTRIBUTION, BEACON} if number == count - 1 else {CONTRIBUTION}
    if kind not in allowed or not isinstance(name, str):
        raise _malformed()
    digest = from_hex(members["hash"], "hash", 0 if kind == SETUP else 64)
    return Step(kind, name, digest, from_hex(members["sha256"], "sha256", 32))
