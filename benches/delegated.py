"""Delegated attestations signed by one key and sent by another, beside eas-sdk sending the same on the same chain.

python benches/delegated.py [COUNT]

Wall time, since both wait for the chain: from the first signature to the last uid. Each side has a fresh anvil. The SDK
awaits each transaction, as its documentation does; we keep several under way.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))

from _figures import Figure, table
from _peer import SDK, Peer

from chartseal.attestation import Digest, checksum_address, digest_from, to_hex
from chartseal.chain.deployment import Deployment
from chartseal.chain.eas import EAS, AttestationRequest
from chartseal.chain.local.devnet import Devnet, accounts
from chartseal.chain.rpc.node import Node

FULL_COUNT = 10_000
_TOGETHER = 50
"""Attestations in one transaction of the SDK's multi form, which it leaves to the caller; we fill this much gas."""
_BUDGET = 12_000_000
_KEYS = (
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
)
"""Of anvil's first accounts, known to everybody: who sends and who signs."""


def figures() -> list[Figure]:
    """One transaction each, and many in one."""
    count = int(os.environ.get("CHARTSEAL_DELEGATED", FULL_COUNT))
    data = [secrets.token_bytes(32) for _ in range(count)]
    what = f"{count:,} delegated attestations through one key"
    return [
        Figure(f"{what}, one a transaction", _ours(data, 1), SDK, _theirs(data, 1), goal=3),
        Figure(f"{what}, {_TOGETHER} a transaction", _ours(data, _TOGETHER), SDK, _theirs(data, _TOGETHER)),
    ]


@contextmanager
def _started() -> Iterator[tuple[str, Deployment, Digest]]:
    with Devnet() as running:
        assert running.deployment is not None
        eas = EAS.connect(running.node, running.deployment, signer=accounts()[0])
        yield running.url, running.deployment, eas.schemas.register("bytes32 privateData", exist_ok=True)


def _ours(data: list[bytes], together: int) -> float:
    relay, patron = accounts()[:2]
    with _started() as (url, deployment, schema):
        begun = time.perf_counter()
        eas = EAS.connect(Node(url, chain_id=deployment.chain_id), deployment, signer=relay)
        signed = eas.delegate_many([AttestationRequest(schema, each, patron.address) for each in data], patron)
        uids = eas.relay(signed) if together == 1 else eas.multi_attest_by_delegation(signed, budget=_BUDGET)
        took = time.perf_counter() - begun
        _require_attested(eas, uids, data)
    return took


def _theirs(data: list[bytes], together: int) -> float:
    shown = [to_hex(each) for each in data]
    with _started() as (url, deployment, schema), Peer() as peer:
        where = {"url": url, "of": "EAS", "at": checksum_address(deployment.eas), "key": _KEYS[0]}
        request = {**where, "patron": _KEYS[1], "schema": to_hex(schema)}
        peer.call("relay", **request, data=shown[:1], size=1)  # warm
        begun = time.perf_counter()
        uids = peer.call("relay", **request, data=shown, size=together)
        took = time.perf_counter() - begun
        eas = EAS.connect(Node(url, chain_id=deployment.chain_id), deployment)
        _require_attested(eas, [digest_from(each, "uid") for each in uids], data)
    return took


def _require_attested(eas: EAS, uids: list[Digest], data: list[bytes]) -> None:
    assert len(set(uids)) == len(data)
    assert [each.data for each in eas.get_attestations(uids) if each] == data


if __name__ == "__main__":
    if sys.argv[1:]:
        os.environ["CHARTSEAL_DELEGATED"] = sys.argv[1]
    print(table(figures()))
