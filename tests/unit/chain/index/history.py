"""A history on a local chain, and what an index must hold of it, counted by other means."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from chartseal.attestation import ZERO_ADDRESS, Digest, checksum_address, from_hex, to_hex
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import Attestation
from chartseal.chain.rpc.node import Node
from chartseal.chain.schemas import PRIVATE_DATA, SAMPLE
from chartseal.chain.sending.sender import Sender
from tests.chain import Local

SCHEMAS = (PRIVATE_DATA, SAMPLE)


class History:
    """Random attestations, revocations and timestamps by several keys; a seed makes the same again."""

    def __init__(self, local: Local, seed: int) -> None:
        self.local, self.random = local, random.Random(seed)
        self.eas: Bound = Contract.load("eas").at(local.deployment.eas)
        self.senders: list[Sender] = [local.sender(at) for at in range(3)]

    def register(self) -> None:
        registry = Contract.load("schema_registry").at(self.local.deployment.schema_registry)
        for schema in SCHEMAS:
            self.senders[0].send(registry.write("register", schema.text, checksum_address(ZERO_ADDRESS), True))

    def attest(self, count: int = 5, who: int = 0, size: int = 32) -> list[Digest]:
        schema = self.random.choice(SCHEMAS).uid()
        recipient = checksum_address(self.random.choice(self.senders).address)
        requests = [(recipient, 0, True, bytes(32), self.random.randbytes(size), 0) for _ in range(count)]
        receipt = self.senders[who].send(self.eas.write("multiAttest", [(schema, requests)]))
        return [event["uid"] for event in self.eas.events_in(receipt, "Attested")]

    def revoke(self, uid: Digest, who: int = 0) -> None:
        found = Attestation.from_tuple(self.local.node.read(self.eas.read("getAttestation", uid)))
        assert found
        self.senders[who].send(self.eas.write("revoke", (found.schema, (uid, 0))))

    def revoke_offchain(self, data: Digest, who: int = 0) -> None:
        self.senders[who].send(self.eas.write("revokeOffchain", data))

    def timestamp(self, data: Digest) -> None:
        self.senders[0].send(self.eas.write("timestamp", data))

    def step(self) -> None:
        """A few transactions, each in a block of its own."""
        who = self.random.randrange(len(self.senders))
        uids = self.attest(self.random.randrange(1, 6), who, self.random.randrange(100))
        if self.random.random() < 0.5:
            self.revoke(uids[0], who)
        if self.random.random() < 0.5:
            self.revoke_offchain(Digest(self.random.randbytes(32)), who)
        if self.random.random() < 0.5:
            self.timestamp(Digest(self.random.randbytes(32)))


def finalised(local: Local, finality: int = 64) -> Deployment:
    return replace(local.deployment, finality=finality)


def recount(node: Node, deployment: Deployment) -> dict[str, list[Any]]:
    """What an index must hold, from one eth_getLogs over the whole chain and one getAttestation for each uid."""
    eas = Contract.load("eas").at(deployment.eas)
    logs = node.request("eth_getLogs", [{"address": to_hex(deployment.eas), "fromBlock": "0x0", "toBlock": "latest"}])
    found: dict[str, list[Any]] = {
        "attestations": [],
        "revocations": [],
        "offchain_revocations": [],
        "timestamps": [],
    }
    topics = {to_hex(eas.contract.events[name].topic): name for name in eas.contract.events}
    times: dict[str, int] = {}
    for log in logs:
        at = log["blockNumber"]
        if at not in times:
            times[at] = int(node.request("eth_getBlockByNumber", [at, False])["timestamp"], 16)
        words = [from_hex(each, "topic") for each in log["topics"]]
        place = (int(at, 16), int(log["logIndex"], 16), from_hex(log["transactionHash"], "tx"))
        name, data = topics[log["topics"][0]], from_hex(log["data"], "data")
        if name == "Attested":
            body = Attestation.from_tuple(node.read(eas.read("getAttestation", data)))
            assert body
            own = (body.uid, body.schema, body.time, body.expiration_time, body.ref_uid, body.recipient, body.attester)
            found["attestations"].append((*own, body.revocable, body.data, *place))
            if body.revocation_time:
                found["revocations"].append((body.uid, body.attester, body.revocation_time))
        elif name == "RevokedOffchain":
            found["offchain_revocations"].append((words[2], words[1][12:], times[at], *place))
        elif name == "Timestamped":
            found["timestamps"].append((words[1], times[at], *place))
    return {name: sorted(rows) for name, rows in found.items()}


def held(dumped: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """An index's dump in the form of `recount`: revocations without their place, which bodies do not tell."""
    return {
        name: sorted(row[:3] for row in dumped[name]) if name == "revocations" else dumped[name]
        for name in ("attestations", "revocations", "offchain_revocations", "timestamps")
    }


def assert_counted(dumped: dict[str, list[Any]], node: Node, deployment: Deployment) -> None:
    assert held(dumped) == recount(node, deployment)
