"""Zero-knowledge proofs beside snarkjs on the very same circuits and keys.

Wall time on all cores, unlike other benches: a holder waits for a proof. Ours includes the witness, which snarkjs is
given. Each circuit runs in processes of its own, ours and theirs one after the other, so that peaks of memory are too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _figures import Figure, table
from _statements import SEED, spend_secret, statement

from chartseal import _core
from chartseal.circuits import snarkjs

GOALS_MS = {"holder": 110, "linked-1": 110, "linked-4": 300, "anonymous-1": 280, "anonymous-4": 500}
"""Milliseconds a proof, on the two cores that the goals were set for."""
BATCH = 1_000
_ROUNDS = 7
_SEED = b"bench"
_PEER = "snarkjs 0.7"
_SCRIPT = Path(__file__).resolve().parent.parent / "tests" / "conformance" / "proving.cjs"


def best(run: Callable[[], object]) -> float:
    """Wall seconds of the fastest of some runs, the first not counted."""
    run()
    times = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return min(times)


def measure(circuit: str, folder: Path) -> dict[str, float]:
    """What this process needs, from a cold start on: seconds and bytes."""
    key, public = (folder / "c.pk").read_bytes(), (folder / "c.vk").read_bytes()
    begun = time.perf_counter()
    prover = _core.CircuitProver(circuit, key)
    cold = time.perf_counter() - begun
    del key  # as whoever loads a prover lets go of the file's bytes
    inputs, wallet = statement(circuit)
    proof, publics = prover.prove(inputs, wallet)
    prove = best(lambda: prover.prove(inputs, wallet))
    peak = _peak()
    verifier = _core.CircuitVerifier(circuit, public)
    many = [(verifier, publics, proof)] * BATCH
    return {
        "cold": cold,
        "prove": prove,
        "peak": peak,
        "verify": best(lambda: verifier.verify(publics, proof)),
        "batch": best(lambda: _core.verify_proofs(many)) / BATCH,
    }


def _peak() -> float:
    """Most bytes that this process had in memory; getrusage would count what its parent had when it began."""
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return float(kilobytes) * 1024


def peers(folder: Path) -> dict[str, float]:
    """The same of snarkjs, measured inside Node."""
    request = json.dumps({"folder": str(folder), "times": 3})
    run = subprocess.run(["node", str(_SCRIPT)], input=request, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(run.stdout)
    return answer


def _witness(circuit: str) -> bytes:
    inputs, wallet = statement(circuit)
    return _core.witness_in_clear(circuit, inputs, None if wallet is None else spend_secret(SEED))


def _prepare(circuit: str, folder: Path) -> None:
    key, public = _core.development_key(circuit, _SEED)
    (folder / "c.pk").write_bytes(key)
    (folder / "c.vk").write_bytes(public)
    (folder / "c.zkey").write_bytes(_core.export_zkey(circuit, key))
    (folder / "c.wtns").write_bytes(_witness(circuit))
    (folder / "vk.json").write_text(json.dumps(snarkjs.key_to_json(public)))


def compared(circuit: str) -> tuple[dict[str, float], dict[str, float]]:
    """Ours and snarkjs' figures of one circuit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(circuit, folder)
        command = [sys.executable, __file__, "--measure", circuit, name]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        ours: dict[str, float] = json.loads(run.stdout)
        return ours, peers(folder)


def figures() -> list[Figure]:
    """Proofs, then checks and memory of the dearest statements."""
    rows: list[Figure] = []
    found: dict[str, Any] = {circuit: compared(circuit) for circuit in GOALS_MS}
    for circuit, (ours, theirs) in found.items():
        what = f"prove {circuit} (wall; we aim at {GOALS_MS[circuit]} ms)"
        rows.append(Figure(what, ours["prove"], _PEER, theirs["prove"], 7))
    ours, theirs = found["anonymous-1"]
    rows.append(Figure("load anonymous-1's key, cold (wall)", ours["cold"]))
    rows.append(Figure("verify a proof (wall)", ours["verify"], _PEER, theirs["verify"]))
    rows.append(Figure(f"verify a proof, {BATCH:,} at once (wall)", ours["batch"], _PEER, theirs["verify"]))
    ours, theirs = found["anonymous-4"]
    unit = 2**20
    rows.append(Figure("memory of anonymous-4, peak", ours["peak"] / unit, _PEER, theirs["peak"] / unit, 4, unit="MiB"))
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
    else:
        print(table(figures()))
