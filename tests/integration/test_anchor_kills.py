"""kill -9 at random moments while records are sealed, queued and anchored: a recount finds nothing lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from chartseal.attestation import recover_offchain
from chartseal.chain.anchors import AnchorFile, open_queue, queues, read_proofs, reading, recount
from chartseal.chain.anchors.tables import BATCH
from chartseal.chain.contract import Contract
from chartseal.chain.local.devnet import Devnet
from chartseal.sealing import read_records
from tests.anchoring import place as place
from tests.anchoring import timestamps, with_finality
from tests.chain import known, started
from tests.integration.anchor_child import RECORDS
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.victims import Victims

KILLS = 100
"""In each database."""


@pytest.fixture
def devnet() -> Iterator[Devnet]:
    with started() as running:
        yield running


def mine(devnet: Devnet, *, at_once: bool) -> None:
    """A block for each transaction, or one a second, so that what is broadcast waits in the pool."""
    devnet.node.request("evm_setAutomine", [at_once])
    if not at_once:
        devnet.node.request("anvil_setIntervalMining", [1])


def found(place: str) -> str:
    """The earliest state that something is in."""
    with reading(open_queue(place)) as connection:
        all_ = [dict(each.status(connection)._asdict()) for each in queues(connection)]
    return next((name for status in all_ for name, count in status.items() if count and name != "final"), "nothing")


@pytest.mark.long
def test_kills_lose_and_double_nothing(devnet: Devnet, place: str, tmp_path: Path, drill_scale: float) -> None:
    deployment = with_finality(known(devnet), 1)
    (tmp_path / "deployment.json").write_text(deployment.to_json())
    victims = Victims("tests.integration.anchor_child", str(tmp_path), place, devnet.url)
    source, kills = random.Random(11), 0
    longest, inputs, met = 0.5, 0, Counter[str]()
    for number in range(max(2, round(KILLS * drill_scale))):
        mine(devnet, at_once=number % 2 == 0)
        child = victims.start("go")
        time.sleep(source.uniform(0.02, longest))
        os.kill(child, signal.SIGKILL)
        kills += victims.end() == -signal.SIGKILL
        met[found(place)] += 1
        # So long that about every second one gets through a whole input before it dies.
        before, inputs = inputs, len(list(tmp_path.glob("[0-9]*.json")))
        longest = max(0.1, longest * 0.8) if inputs > before else min(5, longest * 1.25)
    mine(devnet, at_once=False)
    victims.start("finish")
    assert victims.end() == 0
    victims.close()

    inputs = len(list(tmp_path.glob("[0-9]*.json")))
    records = list(read_records([path for path in tmp_path.glob("[0-9]*") if path.is_dir()]))
    assert len({(each.attester, each.uid) for each in records}) == len(records) == inputs * RECORDS
    with reading(open_queue(place)) as connection:
        counted = recount(connection, records, devnet.node, deployment)
        roots = list(connection.execute(select(BATCH.c.root)).scalars())
        anchors = AnchorFile.of(read_proofs(connection)).anchors
    print(f"\nkills: {kills}, having left behind {dict(met)}; {inputs} inputs, {counted}")
    assert kills > 0
    assert counted.is_whole
    assert counted.records == counted.anchored == len(anchors) == len(records)
    assert Counter(timestamps(devnet.node, deployment)) == Counter(roots)  # each once, and nothing else
    eas = Contract.load("eas").at(deployment.eas)
    seals = [recover_offchain(each.package) for each in records]
    reads = [eas.read("getTimestamp", anchors[seal.attester, seal.uid].root(seal)) for seal in seals]
    assert all(devnet.node.read_many(reads))
