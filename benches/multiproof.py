"""Verifying an opening of 3 of 30 fields, beside eas-sdk's verifyMultiProof."""

from __future__ import annotations

from _figures import Figure, cpu_seconds, table
from _peer import SDK, Peer
from _private_data import FIELDS, OPENED, data

from chartseal.attestation import Multiproof, to_hex


def figures() -> list[Figure]:
    """From a proof that is read, and from its JSON object, which is what the SDK's function takes."""
    tree = data()
    proof, root = tree.multiproof(OPENED), tree.root
    sent = proof.to_json()
    with Peer() as peer:
        assert peer.call("verifyMultiproof", root=to_hex(root), proof=sent) is True
        assert peer.call("verifyMultiproof", root=to_hex(root[::-1]), proof=sent) is False
        theirs = peer.cpu_seconds("verifyMultiproof", 300, root=to_hex(root), proof=sent)
    what = f"multiproof of {len(OPENED)} of {FIELDS} fields"
    verified = cpu_seconds(lambda: proof.verify(root), 5_000)
    read = cpu_seconds(lambda: Multiproof.from_json(sent).verify(root), 5_000)
    return [
        Figure(f"verify a {what}", verified, SDK, theirs, goal=50),
        Figure(f"read and verify a {what}", read, SDK, theirs),
    ]


if __name__ == "__main__":
    print(table(figures()))
