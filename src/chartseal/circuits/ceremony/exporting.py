"""The end of a ceremony: a verified `.zkey` becomes the project's own key files, and an entry for the manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from chartseal import _core
from chartseal.attestation.hexes import to_hex
from chartseal.circuits import entries
from chartseal.circuits.ceremony.contributions import Made
from chartseal.circuits.ceremony.phase1 import Phase1
from chartseal.circuits.ceremony.run import Ceremony
from chartseal.circuits.ceremony.tool import Snarkjs
from chartseal.circuits.ceremony.transcript import Transcript
from chartseal.circuits.manifest import DEVELOPMENT, is_key_name, key_to_json
from chartseal.errors import CeremonyError

ENTRY = "entry.json"


def export(ceremony: Ceremony, phase1: Phase1, name: str, folder: Path, tool: Snarkjs) -> entries.KeyEntry:
    """Verify the ceremony again, import its key, and write `CIRCUIT.NAME.key`, `CIRCUIT.NAME.vk` and `entry.json`.

    snarkjs checks that the key follows from our constraints, the phase-1 file and the contributions; the import checks
    every point and the constraints' coefficients once more, without it.

    Raises:
        CeremonyError: `beacon_missing`, `name_refused`, `file_unwritable`, or as `Ceremony.verify`.
        CircuitKeyError: `key_malformed`, `key_other_circuit`.
    """
    if not ceremony.transcript.is_finished:
        raise CeremonyError("without a beacon the last contributor has the last word", "beacon_missing")
    if not is_key_name(name) or name == DEVELOPMENT:
        raise CeremonyError("a key's name has lower-case letters, digits and hyphens", "name_refused")
    made = ceremony.verify(phase1, tool)
    circuit = ceremony.transcript.circuit
    proving_key, verification_key = _core.import_zkey(circuit, ceremony.zkey())
    key = entries.KeyEntry(
        circuit=circuit,
        name=name,
        is_unsafe=False,
        verification_key=_core.CircuitVerifier(circuit, verification_key).hash,
        proving_key=hashlib.sha256(proving_key).digest(),
        proving_key_size=len(proving_key),
        ceremony=_facts(ceremony.transcript, made, tool),
    )
    entry = {"circuit": circuit, "r1cs": to_hex(ceremony.transcript.r1cs), "key": key_to_json(key)}
    _write(folder, {key.file: proving_key, key.verification_key_file: verification_key, ENTRY: _text(entry)})
    return key


def _facts(record: Transcript, made: tuple[Made, ...], tool: Snarkjs) -> entries.Ceremony:
    last = made[-1]
    assert last.beacon is not None  # noqa: S101 (the ceremony is finished, and its record is the key's)
    return entries.Ceremony(
        contributions=tuple(entries.Contribution(each.name, each.hash) for each in made),
        beacon=last.beacon,
        beacon_iterations=last.iterations,
        phase1={"sha256": record.phase1_sha256, "blake2b": record.phase1_blake2b},
        tool=tool.version,
    )


def _text(members: dict[str, Any]) -> bytes:
    return json.dumps(members, indent=1).encode() + b"\n"


def _write(folder: Path, files: dict[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            with (folder / name).open("xb") as stream:
                stream.write(data)
    except FileExistsError as exc:
        raise CeremonyError("a file of that name exists and is kept", "file_exists", folder.name) from exc
    except OSError as exc:
        raise CeremonyError(f"cannot be written: {exc.strerror}", "file_unwritable", folder.name) from exc
