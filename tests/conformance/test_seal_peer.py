"""What we seal and disclose, the real eas-sdk 2.10 verifies: seals, full trees, and a disclosure's multiproofs."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from _peer import Peer, PeerError

from chartseal.attestation import packages, to_hex
from chartseal.disclosure import present, select
from chartseal.keys import IssuerKey, Wallet
from chartseal.sealing import SealedRecord, seal_chart

CHART = Path(__file__).resolve().parents[2] / "examples" / "Della_Hettinger_8386e1d9.json.gz"
PATTERNS = ["Observation.code", "Condition.code", "Immunization.vaccineCode", "AllergyIntolerance.code", "Claim.total"]

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wallet() -> Wallet:
    return Wallet.generate()


@pytest.fixture(scope="module")
def records(wallet: Wallet, drill_scale: float) -> tuple[SealedRecord, ...]:
    """All records of a chart in a drill, a part of them otherwise."""
    issuing = IssuerKey.generate(base="https://provider.example/fhir/").issuing()
    sealing = seal_chart(CHART, issuing, wallet.sealing_address().data)
    assert not sealing.refused
    every = max(1, round(len(sealing.records) / max(20, len(sealing.records) * drill_scale)))
    return sealing.records[::every]


def accepts(peer: Peer, package: Any) -> bool:
    """Whether the SDK's verifier says yes; it throws where no key fits a signature."""
    try:
        return peer.call("verify", pkg=package) is True
    except PeerError:
        return False


def test_seals(peer: Peer, records: tuple[SealedRecord, ...]) -> None:
    for record in records:
        package = packages.to_json(record.package)
        assert accepts(peer, package)
        package["sig"]["message"]["data"] = to_hex(record.root[::-1])
        assert not accepts(peer, package)


def test_full_trees(peer: Peer, records: tuple[SealedRecord, ...]) -> None:
    for record in records:
        tree = record.private_data.to_json()
        assert peer.call("verifyTree", tree=tree) == tree["root"] == to_hex(record.package.message.data)
        tree["values"][0]["name"] += "x"
        assert peer.call("verifyTree", tree=tree) != tree["root"]


def test_disclosed_multiproofs(peer: Peer, records: tuple[SealedRecord, ...], wallet: Wallet) -> None:
    now, types = datetime.now(UTC), {record.resource_type for record in records}
    disclosure = present(
        select(records, [pattern for pattern in PATTERNS if pattern.partition(".")[0] in types]),
        wallet,
        audience="https://verifier.example",
        nonce=secrets.token_bytes(32),
        expires_at=now + timedelta(minutes=10),
        now=now,
    )
    assert len(disclosure.records) > 1
    for record in disclosure.records:
        proof, root = record.multiproof.to_json(), to_hex(record.package.message.data)
        assert accepts(peer, packages.to_json(record.package))
        assert peer.call("verifyMultiproof", root=root, proof=proof) is True
        proof["leaves"][-1]["name"] += "x"
        assert peer.call("verifyMultiproof", root=root, proof=proof) is False
