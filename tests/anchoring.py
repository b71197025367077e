"""Sealed records, queues and timestamps for tests of anchoring."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from chartseal.attestation import Digest, Domain, LocalSigner
from chartseal.chain.anchors import AnchorWorker, Step, open_queue
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender
from chartseal.sealing import Issuing, SealedRecord, seal_chart
from tests.charts import HOLDER

YESTERDAY = timedelta(days=1)


def issuing(domain: Domain, secret: bytes = b"\x11" * 32) -> Issuing:
    return Issuing(LocalSigner(secret), domain, b"\x66" * 32, "https://issuer.example/fhir/")


def observations(count: int) -> bytes:
    patient = {"resourceType": "Patient", "id": "p"}
    entries = [{"fullUrl": "https://issuer.example/fhir/Patient/p", "resource": patient}]
    for at in range(count - 1):
        observation = {
            "resourceType": "Observation",
            "id": f"o{at}",
            "status": "final",
            "code": {"text": "weight"},
            "subject": {"reference": "Patient/p"},
        }
        entries.append({"fullUrl": f"https://issuer.example/fhir/Observation/o{at}", "resource": observation})
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def records(domain: Domain, count: int, *, at: datetime | None = None) -> list[SealedRecord]:
    """Seals of yesterday, where no other time is given: their period has ended."""
    when = at or datetime.now(UTC) - YESTERDAY
    sealing = seal_chart(observations(count), issuing(domain), HOLDER.keys.address(), now=when)
    assert len(sealing.records) == count
    return list(sealing.records)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a queue may live."""
    if request.param == "sqlite":
        return str(tmp_path / "queue.db")
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def engine(place: str) -> Engine:
    return open_queue(place)


def timestamps(node: Node, deployment: Deployment) -> list[Digest]:
    """What EAS has timestamped, once for each event."""
    eas = Contract.load("eas").at(deployment.eas)
    logs = node.logs([deployment.eas], [[eas.contract.events["Timestamped"].topic]], 0, node.block().number)
    return [log.topics[1] for log in logs]


def with_finality(deployment: Deployment, blocks: int) -> Deployment:
    return replace(deployment, finality=blocks)


def worker(engine: Engine, sender: Sender, deployment: Deployment, *, lease: float = 0) -> AnchorWorker:
    """One that takes all that waits."""
    return AnchorWorker(engine, sender.node, sender, deployment, period=None, lease=timedelta(seconds=lease))


def total(steps: Sequence[Step]) -> Step:
    return Step(*map(sum, zip(*steps, strict=True)))
