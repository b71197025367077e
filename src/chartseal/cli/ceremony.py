"""`chartseal ceremony`: make production keys with others, and check those that others made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from chartseal.attestation import to_hex
from chartseal.circuits.ceremony import Ceremony, Phase1, Snarkjs, export
from chartseal.circuits.ceremony.contributions import Made

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})+)", re.ASCII)

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_tool = click.option(
    "--snarkjs",
    type=_FOLDER,
    help="Where snarkjs is installed.  [default: $CHARTSEAL_SNARKJS, or the checkout's]",
)
_folder = click.argument("folder", type=_FOLDER)
_ptau = click.option("--ptau", type=_FILE, required=True, help="The file of the public phase 1 (.ptau).")


class _Hex(click.ParamType[Any]):
    """Bytes as hex digits, with or without 0x."""

    name = "hex"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        found = _HEX.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            self.fail("expected hex digits", param, ctx)
        return bytes.fromhex(found[1])


_published = click.option(
    "--ptau-hash", type=_Hex(), required=True, help="Its published hash: BLAKE2b (128 digits) or SHA-256 (64)."
)


@click.group()
def ceremony() -> None:
    """Production keys. One honest contributor is enough; snarkjs does phase 2 (`npm ci` in tools/ceremony)."""


@ceremony.command("new")
@click.argument("circuit")
@_ptau
@_published
@click.option("-o", "--output", type=_FOLDER, required=True, help="The folder to begin in.")
@_tool
@_json
def new(circuit: str, ptau: Path, ptau_hash: bytes, output: Path, snarkjs: Path | None, as_json: bool) -> None:
    """Begin a ceremony for a circuit: its constraints, and a key that everybody contributes to."""
    begun = Ceremony.begin(output, circuit, Phase1.open(ptau, ptau_hash), Snarkjs.find(snarkjs))
    r1cs = to_hex(begun.transcript.r1cs)
    _show(as_json, f"{circuit}: begun in {output}, constraints {r1cs}", circuit=circuit, r1cs=r1cs, folder=str(output))


@ceremony.command("contribute")
@_folder
@click.option("--name", required=True, help="Who contributes, as the key will say for ever.")
@_tool
@_json
def contribute(folder: Path, name: str, snarkjs: Path | None, as_json: bool) -> None:
    """Contribute randomness, which is forgotten at once. Publish the hash that this prints."""
    step = Ceremony(folder).contribute(name, Snarkjs.find(snarkjs))
    _show(as_json, f"{name}: contributed {to_hex(step.hash)}", name=name, hash=to_hex(step.hash))


@ceremony.command("beacon")
@_folder
@click.option("--value", type=_Hex(), required=True, help="A value that became public after the last contribution.")
@click.option("--iterations", type=click.IntRange(10, 63), default=10, show_default=True, help="As a power of two.")
@_tool
@_json
def beacon(folder: Path, value: bytes, iterations: int, snarkjs: Path | None, as_json: bool) -> None:
    """End the contributions with a public beacon."""
    step = Ceremony(folder).finish(value, iterations, Snarkjs.find(snarkjs))
    _show(as_json, f"beacon: {to_hex(step.hash)}", beacon=to_hex(value), iterations=iterations, hash=to_hex(step.hash))


@ceremony.command("verify")
@_folder
@_ptau
@_published
@_tool
@_json
def verify(folder: Path, ptau: Path, ptau_hash: bytes, snarkjs: Path | None, as_json: bool) -> None:
    """Check a ceremony: our own constraints, the phase-1 file, and every contribution."""
    found = Ceremony(folder)
    made = found.verify(Phase1.open(ptau, ptau_hash), Snarkjs.find(snarkjs))
    lines = [f"{found.transcript.circuit}: the key follows from its constraints, phase 1 and these contributions"]
    lines += [f"  {to_hex(each.hash)}  {each.name}" for each in made]
    _show(as_json, "\n".join(lines), circuit=found.transcript.circuit, contributions=[_row(each) for each in made])


@ceremony.command("export")
@_folder
@_ptau
@_published
@click.option("--name", required=True, help="The key's name in the manifest.")
@click.option("-o", "--output", type=_FOLDER, required=True, help="The folder to write.")
@_tool
@_json
def export_key(
    folder: Path, ptau: Path, ptau_hash: bytes, name: str, output: Path, snarkjs: Path | None, as_json: bool
) -> None:
    """Verify once more, and write proving key, verification key and an entry for `tools/circuit_keys.py --add`."""
    key = export(Ceremony(folder), Phase1.open(ptau, ptau_hash), name, output, Snarkjs.find(snarkjs))
    text = f"{key.circuit} {name}: verification key {to_hex(key.verification_key)}, written to {output}"
    hashes = {"verificationKey": to_hex(key.verification_key), "provingKey": to_hex(key.proving_key)}
    _show(as_json, text, circuit=key.circuit, key=name, folder=str(output), **hashes)


def _row(made: Made) -> dict[str, Any]:
    beacon = {} if made.beacon is None else {"beacon": to_hex(made.beacon), "iterations": made.iterations}
    return {"name": made.name, "hash": to_hex(made.hash), **beacon}


def _show(as_json: bool, text: str, **members: Any) -> None:
    click.echo(json.dumps(members) if as_json else text)
