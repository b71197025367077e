"""An anonymous proof in Chromium beside snarkjs in the same page, on the same circuit, key and witness.

Wall time in the page: a holder waits for it. Ours includes the witness, which snarkjs is given.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import _browser as browser
from _figures import Figure, table
from _statements import SEED, spend_secret, statement

from chartseal import _core

CIRCUIT = "anonymous-1"
_SNARKJS = Path(__file__).resolve().parent.parent / "tools/ceremony/node_modules/snarkjs/build"
_PEER = "snarkjs 0.7 in the page"
_ROUNDS = 3

_PEER_SCRIPT = """
async ([threads, rounds]) => {
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: "/snarkjs/snarkjs.min.js", onload: resolve, onerror: reject });
    document.documentElement.append(script);
  });
  const read = async (name) => new Uint8Array(await (await fetch(`/made/${name}`)).arrayBuffer());
  const [zkey, wtns] = [await read("c.zkey"), await read("c.wtns")];
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await snarkjs.groth16.prove(zkey, wtns, undefined, { singleThread: threads === 1 });
    times.push(performance.now() - start);
  }
  return times;
}
"""


def figures() -> list[Figure]:
    """Milliseconds a proof, on one thread and on two."""
    if reason := browser.why_not():
        print(f"the browser is left out: {reason}", file=sys.stderr)
        return []
    key, _ = _core.development_key(CIRCUIT, b"bench")
    inputs, _ = statement(CIRCUIT)
    secret = spend_secret(SEED)
    with tempfile.TemporaryDirectory() as made:
        Path(made, "c.zkey").write_bytes(_core.export_zkey(CIRCUIT, key))
        Path(made, "c.wtns").write_bytes(_core.witness_in_clear(CIRCUIT, inputs, secret))
        found = []
        for threads in (1, 2):
            with browser.page(snarkjs=_SNARKJS, made=Path(made)) as page:
                ours = browser.prove(page, CIRCUIT, key, inputs, secret, threads=threads, rounds=_ROUNDS)
                theirs = cast("list[float]", page.evaluate(_PEER_SCRIPT, [threads, _ROUNDS]))
            found += _figures(threads, ours, theirs)
    size = (browser.BUILT / "chartseal_wasm_bg.wasm").stat().st_size
    return [*found, Figure("the module for browsers", size / 1024, unit="KiB")]


def _figures(threads: int, ours: dict[str, Any], theirs: list[float]) -> list[Figure]:
    name = f"{CIRCUIT} proved in Chromium, {threads} thread{'s' if threads > 1 else ''} (clock)"
    return [
        Figure(name, min(ours["times"]) / 1000, _PEER, min(theirs) / 1000, 1),
        Figure(f"{name}: key loaded", ours["loaded"] / 1000),
    ]


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    print(table(figures()))
