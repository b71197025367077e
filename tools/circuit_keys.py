"""Write src/chartseal/circuits/manifest.json and the verification keys from the circuits that are built.

Development keys are made anew. Production keys stay as long as their circuit does: a changed circuit's are dropped, and
said to be. `--add FOLDER` takes in what `chartseal ceremony export` wrote.
"""

import argparse
import hashlib
import json
from pathlib import Path

from chartseal import _core, _json
from chartseal.circuits import cache, manifest
from chartseal.circuits.development import SEED
from chartseal.circuits.entries import CircuitEntry, KeyEntry, Manifest
from chartseal.circuits.manifest import DEVELOPMENT, KEY_FOLDER, key_from_json, to_json

_FOLDER = Path(__file__).resolve().parent.parent / "src/chartseal/circuits"
_MANIFEST = _FOLDER / "manifest.json"
_KEYS = _FOLDER / KEY_FOLDER


def _development(circuit: str) -> KeyEntry:
    """Make a development key: its verification key goes beside the manifest, its proving key into the cache."""
    proving_key, verification_key = _core.development_key(circuit, SEED)
    key = KeyEntry(
        circuit=circuit,
        name=DEVELOPMENT,
        is_unsafe=True,
        verification_key=_core.CircuitVerifier(circuit, verification_key).hash,
        proving_key=hashlib.sha256(proving_key).digest(),
        proving_key_size=len(proving_key),
        ceremony=None,
    )
    (_KEYS / key.verification_key_file).write_bytes(verification_key)
    cache.install([proving_key], lambda _: key, len(proving_key))
    return key


def _kept(circuit: str, r1cs: bytes) -> list[KeyEntry]:
    """Production keys of the circuit, if it is still the one that they were made for."""
    before = manifest().circuits.get(circuit) if _MANIFEST.exists() else None
    production = [key for key in before.keys if not key.is_unsafe] if before else []
    if before and before.r1cs != r1cs:
        for key in production:
            print(f"{circuit}: dropped {key.name}, which is of other constraints")
        return []
    return production


def _added(folder: Path) -> KeyEntry:
    """The key in an exported folder, its verification key copied."""
    entry = _json.loads((folder / "entry.json").read_bytes())
    key = key_from_json(entry["circuit"], entry["key"])
    data = (folder / key.verification_key_file).read_bytes()
    if _core.CircuitVerifier(key.circuit, data).hash != key.verification_key:
        raise SystemExit(f"{folder}: the verification key is not the entry's")
    if bytes.fromhex(entry["r1cs"][2:]) != hashlib.sha256(_core.circuit_r1cs(key.circuit)).digest():
        raise SystemExit(f"{folder}: the key is of other constraints than those built")
    (_KEYS / key.verification_key_file).write_bytes(data)
    return key


def _circuit(name: str, added: list[KeyEntry]) -> CircuitEntry:
    r1cs = hashlib.sha256(_core.circuit_r1cs(name)).digest()
    constraints, wires, _ = _core.circuit_counts(name)
    new = [key for key in added if key.circuit == name]
    kept = [key for key in _kept(name, r1cs) if key.name not in {each.name for each in new}]
    keys = (_development(name), *kept, *new)
    return CircuitEntry(name, tuple(_core.circuit_publics(name)), constraints, wires, r1cs, keys)


def main() -> None:
    """Rewrite the manifest and the verification keys."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--add", type=Path, action="append", default=[], metavar="FOLDER")
    _KEYS.mkdir(exist_ok=True)
    added = [_added(folder) for folder in parser.parse_args().add]
    whole = Manifest({name: _circuit(name, added) for name in _core.circuit_names()})
    wanted = {key.verification_key_file for key in whole.all_keys()}
    for file in _KEYS.glob("*.vk"):
        if file.name not in wanted:
            file.unlink()
    _MANIFEST.write_text(json.dumps(to_json(whole), indent=1) + "\n")


if __name__ == "__main__":
    main()
