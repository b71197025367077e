"""Signatures of keys, of contracts, and of contracts that are not yet deployed."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from eth_abi.abi import encode
from vyper.compiler import compile_code  # type: ignore[import-untyped]  # it has no types

from chartseal import _core
from chartseal.attestation import (
    PRIVATE_DATA_SCHEMA,
    ZERO_ADDRESS,
    Address,
    Digest,
    LocalSigner,
    OffchainMessage,
    UnverifiedPackage,
    sign_offchain,
    verify_offchain,
)
from chartseal.chain.contract import Contract
from chartseal.chain.eas import EAS, AttestationRequest
from chartseal.chain.signatures import WRAPPED, is_valid_signature, verify_offchain_with_chain
from chartseal.errors import DomainError, LimitError, SignatureError
from tests.chain import Local
from tests.vyper_contracts import compiled

MAGIC = bytes.fromhex("1626ba7e") + bytes(28)
OWNER = LocalSigner(b"\x42" * 32)
HASH = Digest(b"\x11" * 32)
NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[3]


def wallet(local: Local, answer: bytes = MAGIC, owner: Address = OWNER.address) -> Address:
    return local.sender().send(compiled("Wallet").deploy(owner, answer))


def signature(signer: LocalSigner = OWNER, digest: Digest = HASH) -> bytes:
    return signer.sign_digest(digest)


def wrapped(factory: Address, deployment: bytes, inner: bytes) -> bytes:
    return encode(["address", "bytes", "bytes"], [factory, deployment, inner]) + WRAPPED


class Counterfactual:
    """A wallet that a factory can deploy, and has not."""

    def __init__(self, local: Local) -> None:
        self.factory = local.sender().send(compiled("WalletFactory").deploy())
        code = compiled("Wallet").deploy(OWNER.address, MAGIC).data
        self.write = compiled("WalletFactory").at(self.factory).write("make", code)
        found = _core.keccak256(b"\xff" + self.factory + bytes(32) + _core.keccak256(code))
        self.address = Address(found[12:])

    def signature(self, inner: bytes) -> bytes:
        return wrapped(self.factory, self.write.data, inner)


def test_the_probe_in_the_package_is_its_source(local: Local) -> None:
    made = compile_code((ROOT / "contracts/SignatureProbe.vy").read_text(), output_formats=["bytecode"])
    assert Contract.load("signature_probe").bytecode == bytes.fromhex(made["bytecode"][2:])


def test_a_key(local: Local) -> None:
    assert is_valid_signature(local.node, OWNER.address, HASH, signature())
    assert not is_valid_signature(local.node, OWNER.address, Digest(b"\x12" * 32), signature())
    assert not is_valid_signature(local.node, local.keys[0].address, HASH, signature())
    assert not is_valid_signature(local.node, ZERO_ADDRESS, HASH, bytes(65))
    assert not is_valid_signature(local.node, OWNER.address, HASH, b"")


def test_a_contract(local: Local) -> None:
    address = wallet(local)
    assert is_valid_signature(local.node, address, HASH, signature())
    assert not is_valid_signature(local.node, address, Digest(b"\x12" * 32), signature())
    assert not is_valid_signature(local.node, address, HASH, signature(local.keys[1]))
    assert not is_valid_signature(local.node, address, HASH, signature()[:64])
    before = local.node.block().number - 1
    assert not is_valid_signature(local.node, address, HASH, signature(), block=before)  # not deployed then


@pytest.mark.parametrize(
    "answer",
    [
        (1).to_bytes(32),
        bytes(32),
        MAGIC[:4].rjust(32, b"\0"),
        MAGIC[:31] + b"\x01",
        b"\xff" * 32,
    ],
)
def test_a_contract_that_answers_something_else(local: Local, answer: bytes) -> None:
    assert not is_valid_signature(local.node, wallet(local, answer), HASH, signature())


def test_contracts_that_know_no_such_question(local: Local) -> None:
    assert not is_valid_signature(local.node, local.deployment.eas, HASH, signature())
    # The identity precompile answers with its input, and would with any prefix of it.
    assert not is_valid_signature(local.node, Address((4).to_bytes(20)), HASH, signature())


def test_a_contract_that_is_not_deployed_yet(local: Local) -> None:
    future = Counterfactual(local)
    assert not is_valid_signature(local.node, future.address, HASH, signature())
    assert is_valid_signature(local.node, future.address, HASH, future.signature(signature()))
    assert not is_valid_signature(local.node, future.address, HASH, future.signature(signature(local.keys[1])))
    assert not is_valid_signature(local.node, wallet(local, bytes(32)), HASH, future.signature(signature()))
    assert local.node.request("eth_getCode", ["0x" + future.address.hex(), "latest"]) == "0x"
    local.sender().send(future.write)
    assert is_valid_signature(local.node, future.address, HASH, future.signature(signature()))
    assert is_valid_signature(local.node, future.address, HASH, signature())


def test_wrapped_signatures_of_keys_and_nonsense(local: Local) -> None:
    assert is_valid_signature(local.node, OWNER.address, HASH, wrapped(ZERO_ADDRESS, b"", signature()))
    assert not is_valid_signature(local.node, OWNER.address, HASH, wrapped(ZERO_ADDRESS, b"", b"\x01"))
    assert not is_valid_signature(local.node, wallet(local), HASH, b"\xff" * 40 + WRAPPED)
    with pytest.raises(LimitError):
        is_valid_signature(local.node, OWNER.address, HASH, bytes(5_000))
    with pytest.raises(LimitError):
        is_valid_signature(local.node, OWNER.address, HASH, bytes(100_000) + WRAPPED)


class TestPackages:
    def package(self, local: Local, signer: Address) -> UnverifiedPackage:
        message = OffchainMessage(PRIVATE_DATA_SCHEMA, 1_700_000_000, secrets.token_bytes(32))
        made = sign_offchain(message, local.deployment.domain(), OWNER)
        return replace(made, signer=signer)

    def test_the_attester_is_the_contract(self, local: Local) -> None:
        address = wallet(local)
        package = self.package(local, address)
        with pytest.raises(SignatureError):
            verify_offchain(package, now=NOW)
        verified = verify_offchain_with_chain(package, local.node, now=NOW)
        assert verified.attester == address
        key = self.package(local, OWNER.address)
        assert verify_offchain_with_chain(key, local.node, now=NOW) == verify_offchain(key, now=NOW)

    def test_what_nobody_signed_is_refused(self, local: Local) -> None:
        address = wallet(local)
        package = self.package(local, address)
        for wrong in (
            replace(package, signer=wallet(local, owner=local.keys[1].address)),
            replace(package, uid=Digest(b"\x01" * 32)),
            replace(package, message=replace(package.message, time=1)),
            replace(package, signer=ZERO_ADDRESS),
        ):
            with pytest.raises(SignatureError):
                verify_offchain_with_chain(wrong, local.node, now=NOW)
        for name, chain_id in (("EAS", package.domain.chain_id), (package.domain.name, 1)):
            other = replace(package, domain=replace(package.domain, name=name, chain_id=chain_id))
            with pytest.raises(DomainError):
                verify_offchain_with_chain(other, local.node, now=NOW)
        with pytest.raises(DomainError):
            verify_offchain_with_chain(package, local.node, now=NOW, domains=[])

    def test_of_a_contract_that_is_not_deployed_yet(self, local: Local) -> None:
        future = Counterfactual(local)
        package = self.package(local, future.address)
        with pytest.raises(SignatureError):
            verify_offchain_with_chain(package, local.node, now=NOW)
        package = replace(package, signature=future.signature(package.signature))
        assert verify_offchain_with_chain(package, local.node, now=NOW).attester == future.address


def test_a_contract_delegates(local: Local) -> None:
    eas, address = EAS.connect(local.node, local.deployment, signer=local.keys[0]), wallet(local)
    schema = eas.schemas.register("bytes32 privateData", exist_ok=True)

    class Wallet:
        def __init__(self, key: LocalSigner) -> None:
            self.address, self.key = address, key

        def sign_digest(self, digest: Digest) -> bytes:
            return self.key.sign_digest(digest)

    request = AttestationRequest(schema, bytes(32))
    with pytest.raises(SignatureError):
        eas.attest_by_delegation(eas.delegate(request, Wallet(local.keys[1])))
    uid = eas.attest_by_delegation(eas.delegate(request, Wallet(OWNER)))
    attestation = eas.get_attestation(uid)
    assert attestation is not None
    assert attestation.attester == address
