"""A local chain has EAS, and our calls reach it."""

from __future__ import annotations

from chartseal.attestation import Digest
from chartseal.chain.contract import Contract
from tests.chain import Local


def test_a_timestamp_is_sent_and_read(local: Local) -> None:
    eas = Contract.load("eas").at(local.deployment.eas)
    root = Digest(b"\x11" * 32)
    receipt = local.sender().send(eas.write("timestamp", root))
    [event] = eas.events_in(receipt, "Timestamped")
    assert event["data"] == root
    assert local.node.read(eas.read("getTimestamp", root)) == event["timestamp"]
    assert local.deployment.version == "1.4.0"
