"""Our contracts on a real chain, and the file that says where they stand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartseal.attestation import Address, Digest, checksum_address
from chartseal.chain.deploy import (
    Deployed,
    Deployments,
    deploy,
    is_ours,
    load_deployments,
    node_code,
    save_deployments,
)
from chartseal.errors import DeploymentError, FieldEncodingError, RevertError
from tests.chain import Local

AUTHORITY = Address(b"\x0a" * 20)
DIGEST = Digest(b"\x44" * 32)


def deployed(local: Local) -> Deployments:
    """Those of EAS, in an order that their arguments allow."""
    sender, eas = local.sender(), local.deployment.eas
    first = deploy(sender, "accreditation_resolver", eas, AUTHORITY)
    more = (
        deploy(sender, "record_resolver", eas, first.address, 1 << 2),
        deploy(sender, "private_data_verifier", eas),
        deploy(sender, "anchor_verifier", eas),
    )
    return Deployments(local.node.chain_id, (first, *more))


@pytest.fixture(scope="module")
def ours(local: Local) -> Deployments:
    return deployed(local)


def test_each_is_kept_and_found_again(local: Local, ours: Deployments, tmp_path: Path) -> None:
    path = tmp_path / "deployments" / "local.json"
    save_deployments(path, ours)
    again = load_deployments(path)
    assert again == ours
    assert [each.name for each in path.parent.iterdir()] == ["local.json"]
    node = local.node
    assert node.read(again.at(node, "accreditation_resolver").read("authority")) == AUTHORITY
    records = again.at(node, "record_resolver")
    assert node.read(records.read("accreditations")) == ours.find("accreditation_resolver").address
    assert node.read(records.read("roles")) == 4
    for name in ("private_data_verifier", "anchor_verifier"):
        assert node.read(again.at(node, name).read("eas")) == local.deployment.eas


def test_verifiers_are_deployed_without_eas(local: Local, tmp_path: Path) -> None:
    sender, path = local.sender(), tmp_path / "local.json"
    groth16 = deploy(sender, "groth16_verifier")
    presentations = deploy(sender, "presentation_verifier", groth16.address)
    save_deployments(path, Deployments(local.node.chain_id, (groth16, presentations)))
    again = load_deployments(path)
    verifier = again.at(local.node, "presentation_verifier")
    assert local.node.read(verifier.read("verifier")) == again.at(local.node, "groth16_verifier").address
    with pytest.raises(RevertError) as caught:
        deploy(sender, "presentation_verifier", AUTHORITY)
    assert caught.value.name == "VerifierMissing"


def test_the_newest_of_a_name_counts(local: Local, ours: Deployments) -> None:
    newer = deploy(local.sender(), "anchor_verifier", local.deployment.eas)
    assert ours.with_(newer).find("anchor_verifier") == newer
    assert ours.find("anchor_verifier") != newer
    with pytest.raises(DeploymentError) as caught:
        Deployments(local.node.chain_id).find("anchor_verifier")
    assert caught.value.code == "deployment_unknown"


def mismatch(deployments: Deployments, local: Local, name: str) -> None:
    with pytest.raises(DeploymentError) as caught:
        deployments.at(local.node, name)
    assert caught.value.code == "deployment_mismatch"


def test_code_that_is_not_there_or_another_is_refused(local: Local, ours: Deployments) -> None:
    anchors, records = ours.find("anchor_verifier"), ours.find("record_resolver")
    empty = replace(anchors, address=Address(b"\x0b" * 20))
    another = replace(anchors, address=records.address)
    for wrong in (empty, another, replace(anchors, code_hash=Digest(bytes(32)))):
        mismatch(ours.with_(wrong), local, "anchor_verifier")
    mismatch(replace(ours, chain_id=ours.chain_id + 1), local, "anchor_verifier")


def test_code_that_the_file_vouches_for_must_still_be_ours(local: Local, ours: Deployments) -> None:
    """A file with the right hash of somebody's contract under our contract's name."""
    records = ours.find("record_resolver")
    mismatch(ours.with_(replace(records, contract="anchor_verifier")), local, "anchor_verifier")


def test_our_code_is_told_from_nearly_ours(local: Local, ours: Deployments) -> None:
    code = node_code(local.node, ours.find("record_resolver").address)
    assert is_ours("record_resolver", code)
    changed = bytes([code[50] ^ 1])
    for wrong in (b"", code[:-1], code + b"\0", code[1:] + b"\0", code[:50] + changed + code[51:]):
        assert not is_ours("record_resolver", wrong)
    assert not is_ours("accreditation_resolver", code)


def test_what_cannot_be_deployed(local: Local) -> None:
    sender, eas = local.sender(), local.deployment.eas
    with pytest.raises(DeploymentError) as caught:
        deploy(sender, "eas", eas)
    assert caught.value.code == "deployment_unknown"
    with pytest.raises(FieldEncodingError):
        deploy(sender, "anchor_verifier")
    with pytest.raises(RevertError):
        deploy(sender, "anchor_verifier", AUTHORITY)


GOOD: dict[str, Any] = {
    "contract": "record_resolver",
    "address": checksum_address(AUTHORITY),
    "arguments": [checksum_address(AUTHORITY), str(2**256 - 1)],
    "transaction": "0x" + "11" * 32,
    "block": 7,
    "codeHash": "0x" + "22" * 32,
}


def file_of(**changes: Any) -> str:
    return json.dumps({"chainId": 1, "contracts": [{**GOOD, **changes}]})


def test_a_file_is_read_as_it_is_written() -> None:
    read = Deployments.from_json(file_of())
    assert read.contracts == (
        Deployed(
            "record_resolver",
            AUTHORITY,
            (AUTHORITY, 2**256 - 1),
            Digest(b"\x11" * 32),
            7,
            Digest(b"\x22" * 32),
        ),
    )
    assert Deployments.from_json(read.to_json()) == read


def test_every_kind_of_argument_is_read_as_it_is_written() -> None:
    """A text that looks like a number or an address stays a text."""
    texts = ("", "7", "0x" + "0a" * 20, "0x" + "0a" * 32, "é")
    struct = (Digest(b"\x33" * 32), 5, AUTHORITY, *texts)
    whole = Deployments(1, (Deployed("dispense_credit", AUTHORITY, (AUTHORITY, struct, 0), DIGEST, 7, DIGEST),))
    assert Deployments.from_json(whole.to_json()) == whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"chainId": 1}',
        '{"chainId": true, "contracts": []}',
        '{"chainId": -1, "contracts": []}',
        '{"chainId": 1, "contracts": {}}',
        '{"chainId": 1, "contracts": [], "more": 1}',
        '{"chainId": 1, "chainId": 2, "contracts": []}',
        '{"chainId": 1, "contracts": [7]}',
        file_of(contract="eas"),
        file_of(contract=7),
        file_of(address="0x00"),
        file_of(address=checksum_address(AUTHORITY)[:-1] + "A"),
        file_of(arguments="x"),
        file_of(arguments=["1"] * 11),
        file_of(arguments=[7]),
        file_of(arguments=["-1"]),
        file_of(arguments=["9" * 79]),
        file_of(arguments=[["1"] * 11]),
        file_of(arguments=[[["1"]]]),
        file_of(arguments=[{"text": 7}]),
        file_of(arguments=[{"text": "x", "more": 1}]),
        file_of(arguments=["0x" + "0g" * 32]),
        file_of(transaction="0x11"),
        file_of(block="7"),
        file_of(codeHash=None),
        file_of(more=1),
        " " * (1 << 20) + "{}",
    ],
)
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(DeploymentError) as caught:
        Deployments.from_json(text)
    assert caught.value.code == "deployment_malformed"


def test_a_file_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError) as caught:
        load_deployments(tmp_path / "none.json")
    assert caught.value.code == "deployment_unreadable"
    (tmp_path / "file").write_text("x")
    with pytest.raises(DeploymentError) as caught:
        save_deployments(tmp_path / "file" / "x.json", Deployments(1))
    assert caught.value.code == "deployment_unwritable"
