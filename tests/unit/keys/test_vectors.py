"""The vectors that two other implementations of the format agree on."""

import json
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.keys import SealingAddress

SEED = b"\x22" * 64
IKM = b"\x44" * 32


@pytest.fixture(scope="module")
def once(shared: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((shared / "vectors/formats/once.json").read_text())
    return loaded


def test_wallet(once: dict[str, Any]) -> None:
    wallet = _core.Wallet(SEED)
    address = wallet.address()
    assert str(SealingAddress(address)) == once["wallet"]["address"]
    assert "0x" + wallet.spend_public().hex() == once["wallet"]["S"]
    assert "0x" + address[32:].hex() == once["wallet"]["view"]
    assert int.from_bytes(SealingAddress(address).holder_commitment()) == int(once["holder"])


def test_subjects(shared: Path) -> None:
    delivery = _core.Delivery(_core.Wallet(SEED).address(), IKM)
    lines = (shared / "vectors/formats/records.ndjson").read_text().splitlines()
    assert lines
    for expected in (json.loads(line)["expected"] for line in lines):
        assert "0x" + delivery.subject.hex() == expected["subject"]
        assert "0x" + delivery.tag.hex() == expected["viewTag"]
        assert "0x" + delivery.enc.hex() == expected["enc"]
        assert "0x" + delivery.announcement.hex() == expected["announcement"]


@pytest.mark.parametrize("name", ["D1", "D2", "D3", "D4", "D5"])
def test_holder_messages(once: dict[str, Any], name: str) -> None:
    disclosure = once["disclosures"][name]
    subject = _core.Delivery(_core.Wallet(SEED).address(), IKM).subject
    digest = bytes.fromhex(disclosure["digest"][2:])
    message = _core.holder_message(digest, subject, "https://verifier.example", b"\x88" * 32, 1798761600)
    assert int.from_bytes(message) == int(disclosure["M"])


def test_credential_message(once: dict[str, Any], shared: Path) -> None:
    """P(tagCred, attester, list, index, claimsRoot, holder, claimId, uses, sealedAt, expiry): ten inputs."""
    first = min(
        (json.loads(line) for line in (shared / "vectors/formats/records.ndjson").open()), key=lambda r: r["name"]
    )
    integers = [
        int(once["tags"]["cred"]),
        int(once["issuer"]["attester"], 16),
        0,
        5,
        int(first["expected"]["claimsRoot"], 0),
        int(once["holder"]),
        int.from_bytes(b"\x77" * 31),
        1,
        1798675200,
        2**64 - 1,
    ]
    message = _core.poseidon_hash([value.to_bytes(32) for value in integers])
    assert int.from_bytes(message) == int(once["credential"])
