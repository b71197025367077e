"""Holder keys: Poseidon beside light-poseidon, signatures beside circomlibjs, and a delivery."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from _figures import Figure, table

_ROOT = Path(__file__).resolve().parent.parent
_PEER = _ROOT / "tests" / "conformance"
_CASE = {"key": "11" * 32, "message": "42"}


def ours() -> dict[str, float]:
    """Microseconds by name, of rust/core/benches/keys.rs: ours and light-poseidon in one run."""
    command = ["cargo", "bench", "--quiet", "--package", "chartseal-core", "--bench", "keys"]
    run = subprocess.run(command, cwd=_ROOT / "rust", capture_output=True, text=True, check=True)
    return {name: float(value) for name, value in (line.split() for line in run.stdout.splitlines())}


def circomlibjs(call: str, argument: Any, times: int) -> tuple[Any, float]:
    """One answer and CPU seconds a call, measured inside Node."""
    request = json.dumps({"call": call, "arguments": [argument], "times": times})
    run = subprocess.run(
        ["node", "circomlib.cjs"], cwd=_PEER, input=request, capture_output=True, text=True, check=True
    )
    answer = json.loads(run.stdout)
    return answer["answers"][0], answer["cpu_seconds"]


def figures() -> list[Figure]:
    """One row for each operation; deliveries have no peer."""
    timed = {name: value / 1e6 for name, value in ours().items()}
    rows = [
        Figure(f"Poseidon of {n}", timed[f"poseidon_{n}"], "light-poseidon 0.5", timed[f"light_poseidon_{n}"])
        for n in (2, 4, 5)
    ]
    signed, sign = circomlibjs("sign", _CASE, 200)
    _, verify = circomlibjs("verify", {**signed, "message": _CASE["message"]}, 200)
    rows.append(Figure("sign as a holder", timed["sign"], "circomlibjs 0.1.7", sign))
    rows.append(Figure("verify a holder's signature", timed["verify"], "circomlibjs 0.1.7", verify))
    alone = {"unpack_point": "read a point", "deliver": "start a delivery", "receive": "find one's delivery"}
    return rows + [Figure(what, timed[name]) for name, what in alone.items()]


if __name__ == "__main__":
    print(table(figures()))
