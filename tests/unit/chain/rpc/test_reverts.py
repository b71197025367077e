"""Contracts' refusals have names and stable codes, wherever a node puts their data."""

from __future__ import annotations

import secrets
import time
from typing import Any

import pytest
from eth_abi.abi import encode

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Digest, to_hex
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.rpc.reverts import decoded, known_errors, revert_of, snake_case
from chartseal.chain.schemas import PRIVATE_DATA, STATUS_ROOT
from chartseal.errors import RevertError
from tests.chain import Local

CODES = {
    "AccessDenied": "eas_access_denied",
    "AlreadyExists": "eas_already_exists",
    "AlreadyRevoked": "eas_already_revoked",
    "AlreadyRevokedOffchain": "eas_already_revoked_offchain",
    "AlreadyTimestamped": "eas_already_timestamped",
    "DeadlineExpired": "eas_deadline_expired",
    "ECDSAInvalidSignature": "eas_ecdsa_invalid_signature",
    "ECDSAInvalidSignatureLength": "eas_ecdsa_invalid_signature_length",
    "ECDSAInvalidSignatureS": "eas_ecdsa_invalid_signature_s",
    "FailedCall": "eas_failed_call",
    "InsufficientBalance": "eas_insufficient_balance",
    "InsufficientValue": "eas_insufficient_value",
    "InvalidAttestation": "eas_invalid_attestation",
    "InvalidAttestations": "eas_invalid_attestations",
    "InvalidEAS": "eas_invalid_eas",
    "InvalidExpirationTime": "eas_invalid_expiration_time",
    "InvalidLength": "eas_invalid_length",
    "InvalidNonce": "eas_invalid_nonce",
    "InvalidOffset": "eas_invalid_offset",
    "InvalidRegistry": "eas_invalid_registry",
    "InvalidRevocation": "eas_invalid_revocation",
    "InvalidRevocations": "eas_invalid_revocations",
    "InvalidSchema": "eas_invalid_schema",
    "InvalidShortString": "eas_invalid_short_string",
    "InvalidSignature": "eas_invalid_signature",
    "InvalidVerifier": "eas_invalid_verifier",
    "Irrevocable": "eas_irrevocable",
    "NotFound": "eas_not_found",
    "NotPayable": "eas_not_payable",
    "StringTooLong": "eas_string_too_long",
    "UsedSignature": "eas_used_signature",
    "WrongSchema": "eas_wrong_schema",
}
"""What callers may rely on."""


def test_codes_of_eas_are_these() -> None:
    assert {item.name: code for item, code in known_errors().values() if code.startswith("eas_")} == CODES


def test_codes_name_one_error_each() -> None:
    codes = [code for _, code in known_errors().values()]
    assert len(set(codes)) == len(codes)
    assert all(code.startswith(("eas_", "contract_")) for code in codes)


def test_names_become_codes() -> None:
    assert snake_case("AlreadyRevokedOffchain") == "already_revoked_offchain"
    assert snake_case("ECDSAInvalidSignatureS") == "ecdsa_invalid_signature_s"


@pytest.fixture
def eas(local: Local) -> Bound:
    return Contract.load("eas").at(local.deployment.eas)


def registered(local: Local, schema: str, revocable: bool) -> Digest:
    """A schema's uid, registered once."""
    registry = Contract.load("schema_registry").at(local.deployment.schema_registry)
    receipt = local.sender().send(
        registry.write("register", f"{schema}{secrets.token_hex(4)}", ZERO_ADDRESS, revocable)
    )
    [event] = registry.events_in(receipt, "Registered")
    return Digest(event["uid"])


def attestation(schema: Digest, *, expires: int = 0, ref_uid: bytes = ZERO_DIGEST, revocable: bool = True) -> Any:
    return schema, (ZERO_ADDRESS, expires, revocable, ref_uid, secrets.token_bytes(32), 0)


def refused(local: Local, bound: Bound, name: str, *arguments: Any) -> RevertError:
    """The same refusal while estimating and when it is mined."""
    with pytest.raises(RevertError) as estimated:
        local.sender().send(bound.write(name, *arguments))
    with pytest.raises(RevertError) as mined:
        local.sender().send(bound.write(name, *arguments), gas=500_000)
    with pytest.raises(RevertError) as waited:
        local.sender().wait(Digest(_last_transaction(local)))
    assert estimated.value.code == mined.value.code == waited.value.code
    assert estimated.value.name == mined.value.name
    return estimated.value


def _last_transaction(local: Local) -> bytes:
    block = local.node.request("eth_getBlockByNumber", ["latest", False])
    return bytes.fromhex(block["transactions"][-1][2:])


def test_timestamps_and_offchain_revocations_are_made_once(local: Local, eas: Bound) -> None:
    root = secrets.token_bytes(32)
    local.sender().send(eas.write("timestamp", root))
    assert refused(local, eas, "timestamp", root).code == "eas_already_timestamped"
    local.sender().send(eas.write("revokeOffchain", root))
    assert refused(local, eas, "revokeOffchain", root).name == "AlreadyRevokedOffchain"


def test_refusals_of_attestations(local: Local, eas: Bound) -> None:
    assert refused(local, eas, "attest", attestation(Digest(b"\x05" * 32))).name == "InvalidSchema"
    once = registered(local, STATUS_ROOT.text, revocable=False)
    assert refused(local, eas, "attest", attestation(once)).name == "Irrevocable"
    schema = registered(local, PRIVATE_DATA.text, revocable=True)
    assert refused(local, eas, "attest", attestation(schema, expires=1)).code == "eas_invalid_expiration_time"
    assert refused(local, eas, "attest", attestation(schema, ref_uid=b"\x09" * 32)).code == "eas_not_found"


def test_refusals_of_revocations(local: Local, eas: Bound) -> None:
    schema = registered(local, PRIVATE_DATA.text, revocable=True)
    receipt = local.sender().send(eas.write("attest", attestation(schema)))
    [event] = eas.events_in(receipt, "Attested")
    revocation = schema, (event["uid"], 0)
    with pytest.raises(RevertError) as caught:
        local.sender(1).send(eas.write("revoke", revocation))
    assert caught.value.code == "eas_access_denied"
    local.sender().send(eas.write("revoke", revocation))
    assert refused(local, eas, "revoke", revocation).code == "eas_already_revoked"
    assert refused(local, eas, "revoke", (schema, (b"\x08" * 32, 0))).code == "eas_not_found"


def test_refusals_of_delegations(local: Local, eas: Bound) -> None:
    schema = registered(local, PRIVATE_DATA.text, revocable=True)
    body = attestation(schema)[1]
    nobody = local.keys[1].address
    signature = (27, b"\x01" * 32, b"\x02" * 32)
    late = (schema, body, signature, nobody, 1)
    assert refused(local, eas, "attestByDelegation", late).name == "DeadlineExpired"
    wrong = (schema, body, signature, nobody, int(time.time()) + 10**6)
    assert refused(local, eas, "attestByDelegation", wrong).name == "InvalidSignature"


def test_a_schema_is_registered_once(local: Local) -> None:
    registry = Contract.load("schema_registry").at(local.deployment.schema_registry)
    arguments = (f"bytes32 {secrets.token_hex(4)}", ZERO_ADDRESS, True)
    local.sender().send(registry.write("register", *arguments))
    assert refused(local, registry, "register", *arguments).code == "eas_already_exists"


SELECTOR = bytes.fromhex("2e267946")
assert SELECTOR in known_errors()


@pytest.mark.parametrize(
    "error",
    [
        {"code": 3, "message": "execution reverted", "data": to_hex(SELECTOR)},
        {"code": -32015, "message": "VM execution error.", "data": "Reverted " + to_hex(SELECTOR)},
        {"code": -32000, "message": "revert", "data": {"data": to_hex(SELECTOR)}},
        {"code": -32000, "message": "revert", "data": {"result": to_hex(SELECTOR), "message": "revert"}},
        {
            "code": -32000,
            "message": "revert",
            "data": {"0x" + "ab" * 32: {"error": "revert", "return": to_hex(SELECTOR)}},
        },
        {"code": -32000, "message": "revert", "originalError": {"code": 3, "data": to_hex(SELECTOR)}},
        {"code": -32000, "message": "execution reverted: " + to_hex(SELECTOR)},
    ],
)
def test_data_is_found_wherever_a_node_puts_it(error: dict[str, Any]) -> None:
    assert revert_of(error).name == "AlreadyTimestamped"


def reason(text: str) -> bytes:
    return bytes.fromhex("08c379a0") + encode(["string"], [text])


def test_reasons_and_panics() -> None:
    spoken = decoded(reason("not the attester"), "write 3")
    assert (spoken.code, spoken.name, spoken.path) == ("call_reverted", "not the attester", "write 3")
    assert revert_of({"code": 3, "message": "execution reverted: not the attester"}).name == "not the attester"
    panic = decoded(bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]))
    assert (panic.code, panic.name) == ("call_panicked", "Panic(0x11)")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x2e\x26\x79",
        b"\xff\xff\xff\xff",
        reason("\x1b[31m"),
        reason("x" * 81),
        reason("long enough")[:-20],
        bytes.fromhex("4e487b71"),
        bytes.fromhex("08c379a0") + b"\xff" * 64,
    ],
)
def test_what_cannot_be_read_is_not_guessed(data: bytes) -> None:
    error = decoded(data)
    assert (error.code, error.name) == ("call_reverted", "")


@pytest.mark.parametrize("data", [None, 7, [], {"data": 5}, {"a": {"return": 1}}, "0x", "0xzz", "0x" + "ab" * 20])
def test_strange_data_is_no_reason(data: Any) -> None:
    assert revert_of({"code": 3, "message": None, "data": data}).code == "call_reverted"
