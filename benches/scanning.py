"""Finding one wallet's records among all announcements, beside X25519 alone on as many keys.

The floor is the same library's, one shared secret a key and nothing else, in one run of rust/core/benches/scan.rs over
all cores. OpenSSL's, which is written in assembly, stands beside it on one core.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

from _figures import Figure, cpu_seconds, table
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from chartseal import _core

_ROOT = Path(__file__).resolve().parent.parent
_ENTRIES = int(os.environ.get("CHARTSEAL_BENCH_ANNOUNCEMENTS", "1000000"))
_SAMPLE = 20_000


def ours() -> dict[str, float]:
    """Seconds by name, of rust/core/benches/scan.rs."""
    command = ["cargo", "bench", "--quiet", "--package", "chartseal-core", "--bench", "scan"]
    environment = os.environ | {"CHARTSEAL_BENCH_ANNOUNCEMENTS": str(_ENTRIES)}
    run = subprocess.run(command, cwd=_ROOT / "rust", capture_output=True, text=True, check=True, env=environment)
    return {name: float(value) for name, value in (line.split() for line in run.stdout.splitlines())}


def _one_core() -> tuple[float, float]:
    """CPU seconds of an announcement through Python, and of OpenSSL's X25519 on its key."""
    wallet = _core.Wallet(secrets.token_bytes(64))
    key = wallet.view_key()
    announcements = secrets.token_bytes(34 * _SAMPLE)  # any 32 bytes are a point of the curve or of its twist
    publics = [X25519PublicKey.from_public_bytes(announcements[34 * at : 34 * at + 32]) for at in range(_SAMPLE)]
    secret = X25519PrivateKey.from_private_bytes(wallet.view_secret())

    def exchange() -> None:
        for public in publics:
            secret.exchange(public)

    return cpu_seconds(lambda: key.scan(announcements), 1) / _SAMPLE, cpu_seconds(exchange, 1) / _SAMPLE


def figures() -> list[Figure]:
    """Two rows."""
    timed = ours()
    scanned, exchanged = _one_core()
    peer = "X25519 alone (the same library)"
    return [
        Figure(f"scan {_ENTRIES:,} announcements", timed["scan"], peer, timed["x25519"], 1.3, is_floor=True),
        Figure("scan an announcement, CPU", scanned, "X25519 alone (OpenSSL)", exchanged, is_floor=True),
    ]


if __name__ == "__main__":
    print(table(figures()))
