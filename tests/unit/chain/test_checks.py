"""EAS is where a deployment says, or one clear error says what is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from eth_abi.abi import encode

from chartseal import _core
from chartseal.attestation import Address, to_hex
from chartseal.chain.checks import check_deployment, contract_version
from chartseal.chain.deployment import Deployment
from chartseal.chain.local.devnet import fund
from chartseal.chain.registry import register, unregistered
from chartseal.chain.rpc.node import Node
from chartseal.chain.schemas import SCHEMAS
from chartseal.errors import DeploymentError, NodeError
from tests.chain import Local

FAKE = Address(b"\xfa" * 20)


def refused(node: Node, deployment: Deployment) -> tuple[str, str]:
    with pytest.raises(DeploymentError) as caught:
        check_deployment(node, deployment)
    return caught.value.code, caught.value.path


def test_what_was_deployed_passes(local: Local) -> None:
    check_deployment(local.node, local.deployment)
    assert contract_version(local.node, local.deployment.eas) == "1.4.0"


def test_each_difference_has_its_error(local: Local) -> None:
    node, right = local.node, local.deployment
    assert refused(node, replace(right, chain_id=1)) == ("chain_wrong", "")
    assert refused(node, replace(right, eas=Address(b"\x07" * 20))) == ("contract_missing", "eas")
    assert refused(node, replace(right, schema_registry=FAKE)) == ("contract_missing", "schemaRegistry")
    assert refused(node, replace(right, version="1.3.0")) == ("contract_wrong", "version")
    assert refused(node, replace(right, eas=right.schema_registry)) == ("contract_wrong", "eas")
    assert refused(node, replace(right, schema_registry=right.eas)) == ("contract_wrong", "schemaRegistry")


def answering(answers: Mapping[str, bytes]) -> bytes:
    """Code of a contract that answers these functions with constants and reverts on others."""
    size = 6 + 11 * len(answers) + 5
    jumps, returns, data = b"", b"", b""
    first_data = size + 16 * len(answers)
    for signature, answer in answers.items():
        selector = _core.keccak256(signature.encode())[:4]
        jumps += b"\x80\x63" + selector + b"\x14\x61" + (size + len(returns)).to_bytes(2) + b"\x57"
        length = len(answer).to_bytes(2)
        at = (first_data + len(data)).to_bytes(2)
        returns += b"\x5b\x61" + length + b"\x61" + at + b"\x60\x00\x39\x61" + length + b"\x60\x00\xf3"
        data += answer
    return bytes.fromhex("60003560e01c") + jumps + bytes.fromhex("60006000fd") + returns + data


def test_contracts_before_1_0_are_known_by_their_own_word(local: Local) -> None:
    old = Deployment(local.deployment.chain_id, "0.26", FAKE, local.deployment.schema_registry)
    answers = {
        "VERSION()": encode(["string"], ["0.26"]),
        "getDomainSeparator()": old.domain("EAS").separator(),
        "getSchemaRegistry()": encode(["address"], ["0x" + old.schema_registry.hex()]),
    }

    def placed(**changed: bytes) -> None:
        code = answering({**answers, **{f"{name}()": answer for name, answer in changed.items()}})
        local.node.request("anvil_setCode", [to_hex(FAKE), to_hex(code)])

    placed()
    check_deployment(local.node, old)
    placed(VERSION=encode(["string"], ["0.27"]))
    assert refused(local.node, old) == ("contract_wrong", "version")
    placed(VERSION=b"")
    assert refused(local.node, old) == ("contract_wrong", "version")
    placed(getDomainSeparator=bytes(32))
    assert refused(local.node, old) == ("contract_wrong", "eas")
    placed(getSchemaRegistry=bytes(32))
    assert refused(local.node, old) == ("contract_wrong", "schemaRegistry")
    local.node.request("anvil_setCode", [to_hex(FAKE), "0x"])


def test_a_beta_calls_itself_by_the_version_that_it_leads_to(local: Local) -> None:
    check_deployment(local.node, replace(local.deployment, version="1.4.0-beta.1"))


def test_no_answer_is_no_refusal_of_the_contract(local: Local) -> None:
    silent = Node("http://127.0.0.1:9", chain_id=local.deployment.chain_id, attempts=1)
    with pytest.raises(NodeError) as caught:
        check_deployment(silent, local.deployment)
    assert caught.value.code == "node_unreachable"


def test_schemas_are_registered_once(local: Local) -> None:
    assert unregistered(local.node, local.deployment) == list(SCHEMAS)
    assert register(local.sender(), local.deployment, SCHEMAS[:2]) == list(SCHEMAS[:2])
    assert register(local.sender(1), local.deployment) == list(SCHEMAS[2:])
    assert register(local.sender(), local.deployment) == []
    with_resolver = unregistered(local.node, local.deployment, resolver=local.deployment.eas)
    assert with_resolver == list(SCHEMAS)


def test_a_local_chain_gives_money(local: Local) -> None:
    fund(local.node, FAKE, 5)
    assert local.node.request("eth_getBalance", [to_hex(FAKE), "latest"]) == "0x5"


def test_another_node_is_not_asked_for_money(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def request(method: str, _params: object = ()) -> str:
        asked.append(method)
        return "Geth/v1.16.0"

    monkeypatch.setattr(local.node, "request", request)
    with pytest.raises(DeploymentError) as caught:
        fund(local.node, FAKE, 5)
    assert (caught.value.code, asked) == ("not_local", ["web3_clientVersion"])
