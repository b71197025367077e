"""Finding one wallet's records among all announcements, beside X25519 alone on as many keys."""

from __future__ import annotations

import os
import secrets

from _figures import Figure, cpu_seconds, table
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from chartseal import _core

_ENTRIES = int(os.environ.get("CHARTSEAL_BENCH_ANNOUNCEMENTS", "100000"))


def figures() -> list[Figure]:
    """One row; the floor makes one shared secret a key and nothing else, for the first 20,000 keys, scaled."""
    wallet = _core.Wallet(b"\x22" * 64)
    key = wallet.view_key()
    announcements = secrets.token_bytes(34 * _ENTRIES)  # any 32 bytes are a point of the curve or of its twist
    sample = min(_ENTRIES, 20_000)
    publics = [X25519PublicKey.from_public_bytes(announcements[34 * at : 34 * at + 32]) for at in range(sample)]
    secret = X25519PrivateKey.from_private_bytes(wallet.view_secret())

    def exchange() -> None:
        for public in publics:
            secret.exchange(public)

    ours = cpu_seconds(lambda: key.scan(announcements), 1)
    floor = cpu_seconds(exchange, 1) * _ENTRIES / sample
    return [Figure(f"scan {_ENTRIES:,} announcements", ours, "X25519 alone (cryptography)", floor, 1.3, is_floor=True)]


if __name__ == "__main__":
    print(table(figures()))
