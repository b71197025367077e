"""Deployment files and the numbers of schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chartseal.attestation import PRIVATE_DATA_SCHEMA, Address, network
from chartseal.chain.deployment import Deployment
from chartseal.chain.schemas import ACCREDITATION, PRIVATE_DATA, ROLES, SCHEMAS, role_bits, roles_of
from chartseal.errors import DeploymentError, SchemaError

GOOD = Deployment(31_337, "1.4.0", Address(b"\x01" * 20), Address(b"\x02" * 20), 7, 3, "local")


def test_a_deployment_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(GOOD.to_json())
    assert Deployment.load(path) == GOOD
    assert GOOD.domain().chain_id == GOOD.network().chain_id == 31_337


def test_a_public_network_is_known_by_its_chain() -> None:
    base = Deployment.public(8453)
    assert (base.eas, base.domain()) == (network("base").eas, network("base").domain())
    with pytest.raises(DeploymentError) as caught:
        Deployment.public(31_337)
    assert caught.value.code == "deployment_unknown"


@pytest.mark.parametrize(
    "change",
    [
        {"eas": "0x01"},
        {"eas": None},
        {"chainId": "1"},
        {"chainId": True},
        {"chainId": -1},
        {"finality": 1.5},
        {"version": 14},
        {"name": "n" * 101},
    ],
)
def test_a_malformed_deployment_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DeploymentError) as caught:
        Deployment.from_json(json.dumps({**json.loads(GOOD.to_json()), **change}))
    assert caught.value.code == "deployment_malformed"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"chainId": 1', " " * 70_000])
def test_what_is_no_deployment_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(DeploymentError):
        Deployment.from_json(text)
    with pytest.raises(DeploymentError) as caught:
        Deployment.load(tmp_path / "none.json")
    assert caught.value.code == "deployment_unreadable"


def test_schemas_differ_and_the_first_is_the_seals() -> None:
    assert PRIVATE_DATA.uid() == PRIVATE_DATA_SCHEMA
    assert len({schema.uid() for schema in SCHEMAS}) == len(SCHEMAS)
    assert ACCREDITATION.uid(Address(b"\x01" * 20)) != ACCREDITATION.uid()


def test_roles_are_bits() -> None:
    assert role_bits(["hospital"]) == 1
    assert roles_of(role_bits(ROLES)) == frozenset(ROLES)
    assert roles_of(1 << 200) == frozenset()
    with pytest.raises(SchemaError) as caught:
        role_bits(["hospital", "astrologer"])
    assert caught.value.code == "role_unknown"
