"""Salted Merkle root of 30 string fields, beside eas-sdk's PrivateData."""

from __future__ import annotations

from _figures import Figure, cpu_seconds, table
from _peer import SDK, Peer
from _private_data import FIELDS, data, values

from chartseal.attestation import PrivateData


def figures() -> list[Figure]:
    """Values to root, both with a tree that proofs can be made of."""
    items = values()
    with Peer() as peer:
        request = [item.to_json() for item in items]
        assert peer.call("tree", values=request) == data().to_json()
        theirs = peer.cpu_seconds("tree", 200, values=request)
    ours = cpu_seconds(lambda: PrivateData(items).root, 5_000)
    return [Figure(f"tree of {FIELDS} string fields", ours, SDK, theirs, goal=100)]


if __name__ == "__main__":
    print(table(figures()))
