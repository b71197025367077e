"""Holder keys: Poseidon beside light-poseidon, signatures beside circomlibjs, and a delivery, in microseconds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_PEER = _ROOT / "tests" / "conformance"
_CASE = {"key": "11" * 32, "message": "42"}


def ours() -> dict[str, float]:
    """Microseconds by name, of rust/core/benches/keys.rs: ours and light-poseidon in one run."""
    command = ["cargo", "bench", "--quiet", "--package", "chartseal-core", "--bench", "keys"]
    run = subprocess.run(command, cwd=_ROOT / "rust", capture_output=True, text=True, check=True)
    return {name: float(value) for name, value in (line.split() for line in run.stdout.splitlines())}


def circomlibjs(call: str, argument: Any, times: int) -> tuple[Any, float]:
    """One answer and CPU microseconds a call, measured inside Node."""
    request = json.dumps({"call": call, "arguments": [argument], "times": times})
    run = subprocess.run(
        ["node", "circomlib.cjs"], cwd=_PEER, input=request, capture_output=True, text=True, check=True
    )
    answer = json.loads(run.stdout)
    return answer["answers"][0], answer["cpu_seconds"] * 1e6


def main() -> None:
    """Print one row for each operation: ours, its peer, the ratio."""
    timed = ours()
    rows = [
        (f"Poseidon of {count}", timed[f"poseidon_{count}"], timed[f"light_poseidon_{count}"], "light-poseidon")
        for count in (2, 4, 5)
    ]
    signed, sign = circomlibjs("sign", _CASE, 200)
    _, verify = circomlibjs("verify", {**signed, "message": _CASE["message"]}, 200)
    rows.append(("sign", timed["sign"], sign, "circomlibjs"))
    rows.append(("verify", timed["verify"], verify, "circomlibjs"))
    for name, mine, peer, who in rows:
        print(f"{name:<16}{mine:9.1f} us  {who:<15}{peer:10.1f} us  {peer / mine:7.1f}x")
    for name in ("unpack_point", "deliver", "receive"):
        print(f"{name:<16}{timed[name]:9.1f} us")


if __name__ == "__main__":
    main()
