"""Signing and verifying an off-chain attestation over a root, beside eas-sdk's Offchain."""

from __future__ import annotations

from datetime import UTC, datetime

from _figures import Figure, cpu_seconds, table
from _peer import SDK, Peer
from _private_data import data

from chartseal.attestation import (
    PRIVATE_DATA_SCHEMA,
    Digest,
    LocalSigner,
    OffchainMessage,
    network,
    packages,
    sign_offchain,
    sign_offchain_many,
    to_hex,
    verify_offchain,
)

_SECRET = bytes([0x11]) * 32
_BATCH = 1_000


def figures() -> list[Figure]:
    """Version 2, one root; signing one by one and many at a time."""
    now, domain, signer = datetime(2030, 1, 1, tzinfo=UTC), network("base").domain(), LocalSigner(_SECRET)
    message = OffchainMessage(PRIVATE_DATA_SCHEMA, 1_700_000_000, data().root, salt=Digest(bytes([0x22]) * 32))
    package = sign_offchain(message, domain, signer)
    sent = packages.to_json(package)
    unsigned = {name: value for name, value in sent["sig"]["message"].items() if name != "version"}
    request = {"key": to_hex(_SECRET), "domain": sent["sig"]["domain"], "version": 2, "message": unsigned}
    with Peer() as peer:
        assert packages.from_json(peer.call("sign", **request)) == package
        assert peer.call("verify", pkg=sent) is True
        signing, verifying = peer.cpu_seconds("sign", 300, **request), peer.cpu_seconds("verify", 300, pkg=sent)
    many = [message] * _BATCH
    one = cpu_seconds(lambda: sign_offchain(message, domain, signer), 3_000)
    each = cpu_seconds(lambda: sign_offchain_many(many, domain, signer), 10) / _BATCH
    verified = cpu_seconds(lambda: verify_offchain(package, now=now), 3_000)
    return [
        Figure("sign a seal", one, SDK, signing, goal=20),
        Figure(f"sign a seal, {_BATCH:,} at a time", each, SDK, signing, goal=20),
        Figure("verify a seal", verified, SDK, verifying, goal=50),
    ]


if __name__ == "__main__":
    print(table(figures()))
