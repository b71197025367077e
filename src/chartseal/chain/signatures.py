"""Whether a signer accepts a signature: a key's by recovery, a contract's by asking it (EIP-1271), one that is not yet
deployed by deploying it within the question (ERC-6492).

    is_valid_signature(node, signer, digest, signature)
    verify_offchain_with_chain(package, node, now=datetime.now(UTC)).attester

Only a chain can say so of a contract, and only as of a block: tomorrow its owner may be another.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from chartseal import _core
from chartseal.attestation import (
    ZERO_ADDRESS,
    Address,
    Digest,
    Domain,
    UnverifiedPackage,
    VerifiedAttestation,
    offchain_uid,
    recover_offchain,
)
from chartseal.attestation.networks import OFFCHAIN_NAME
from chartseal.chain.calls import Read
from chartseal.chain.contract import Contract
from chartseal.chain.rpc.node import AsyncNode, Node, Which
from chartseal.chain.steps import Ask, Flow, run, run_async
from chartseal.errors import DomainError, LimitError, NodeError, SignatureError

WRAPPED = bytes.fromhex("6492" * 16)
"""What an ERC-6492 signature ends with."""

_KEYS_SIGNATURE = 65
_LONGEST_SIGNATURE = 4_096
_LONGEST_DEPLOYMENT = 24_576
"""Bytes that contracts/SignatureProbe.vy takes: creation code may have 49,152 in all (EIP-3860)."""

_ANSWERS = {(0).to_bytes(32): False, (1).to_bytes(32): True}


class _Question(NamedTuple):
    """A signature with what deploys its signer, if that is not deployed."""

    signature: bytes
    factory: Address = ZERO_ADDRESS
    deployment: bytes = b""


def is_valid_signature(
    node: Node, signer: Address, digest: Digest, signature: bytes, *, block: Which = "latest"
) -> bool:
    """Whether the signer, a key or a contract, accepts the signature as of that block.

    A signer that is deployed is asked as it stands; the factory in an ERC-6492 signature is called for one that is not.

    Raises:
        LimitError: `signature_size`; over 4,096 bytes, or 24,576 to deploy the signer.
        NodeError: the node does not answer: nothing follows.
    """
    return run(checking(signer, digest, signature, block=block), node)


def verify_offchain_with_chain(
    package: UnverifiedPackage,
    node: Node,
    *,
    now: datetime,
    clock_skew: timedelta = timedelta(0),
    schemas: Collection[Digest] | None = None,
    domains: Collection[Domain] | None = None,
    block: Which = "latest",
) -> VerifiedAttestation:
    """Check a package as `chartseal.attestation.verify_offchain` does, its signer being a key or a contract.

    A contract is asked on the node's chain, which must be that of the package's domain. The attester is the contract.

    Raises:
        SignatureError, DomainError, SchemaError, ExpiredError, NotYetValidError: as `verify_offchain`;
            DomainError `chain_wrong` where the node is of another chain.
        LimitError, NodeError: as `is_valid_signature`.
    """
    verified = run(recovering(package, chain_id=node.chain_id, block=block), node)
    verified.require_accepted(now, clock_skew, schemas, domains)
    return verified


async def is_valid_signature_async(
    node: AsyncNode, signer: Address, digest: Digest, signature: bytes, *, block: Which = "latest"
) -> bool:
    """As `is_valid_signature`."""
    return await run_async(checking(signer, digest, signature, block=block), node)


async def verify_offchain_with_chain_async(
    package: UnverifiedPackage,
    node: AsyncNode,
    *,
    now: datetime,
    clock_skew: timedelta = timedelta(0),
    schemas: Collection[Digest] | None = None,
    domains: Collection[Domain] | None = None,
    block: Which = "latest",
) -> VerifiedAttestation:
    """As `verify_offchain_with_chain`."""
    verified = await run_async(recovering(package, chain_id=await node.chain_id(), block=block), node)
    verified.require_accepted(now, clock_skew, schemas, domains)
    return verified


def recovering(package: UnverifiedPackage, *, chain_id: int, block: Which = "latest") -> Flow[VerifiedAttestation]:
    """Check signature and uid alone, of a key or a contract.

    Raises:
        SignatureError, DomainError, LimitError, NodeError: as `verify_offchain_with_chain`.
    """
    try:
        if len(package.signature) != _KEYS_SIGNATURE:
            raise SignatureError("the signature is not a key's")
        return recover_offchain(package)
    except SignatureError as refusal:
        _require_a_contract_may_have_signed(package, chain_id, refusal)
        if not (yield from checking(package.signer, package.digest(), package.signature, block=block)):
            raise
    return VerifiedAttestation(
        package.signer, package.uid, package.form, package.domain, package.message, package.signature, by_contract=True
    )


def _require_a_contract_may_have_signed(package: UnverifiedPackage, chain_id: int, refusal: SignatureError) -> None:
    """What `recover_offchain` checks before and beside the signature."""
    if package.domain.name != OFFCHAIN_NAME:
        raise DomainError("an off-chain attestation is signed under the name 'EAS Attestation'", path="domain.name")
    if offchain_uid(package.message, package.form) != package.uid or package.signer == ZERO_ADDRESS:
        raise refusal
    if package.domain.chain_id != chain_id:
        raise DomainError("the node is of another chain than the attestation", "chain_wrong", "domain.chainId")


def checking(signer: Address, digest: Digest, signature: bytes, *, block: Which = "latest") -> Flow[bool]:
    """`is_valid_signature` as a flow.

    Raises:
        LimitError: as `is_valid_signature`.
    """
    if _recovered(digest, signature) == signer != ZERO_ADDRESS:
        return True
    question = _unwrapped(signature)
    if question is None or signer == ZERO_ADDRESS:
        return False
    if question.signature != signature and _recovered(digest, question.signature) == signer:
        return True
    read = _asking(signer, digest, question)
    [answer] = yield Ask([read], block)
    return bool(answer)


def _recovered(digest: Digest, signature: bytes) -> bytes | None:
    return _core.recover_addresses([(digest, signature)])[0] if len(signature) == _KEYS_SIGNATURE else None


def _unwrapped(signature: bytes) -> _Question | None:
    """The parts of an ERC-6492 signature; None for one that only looks like it."""
    if len(signature) > _LONGEST_SIGNATURE + _LONGEST_DEPLOYMENT:
        raise LimitError("the signature is too long to be checked on the chain", "signature_size", "signature")
    if not signature.endswith(WRAPPED):
        question = _Question(signature)
    else:
        try:
            factory, deployment, inner = abi_decode(["address", "bytes", "bytes"], signature[: -len(WRAPPED)])
        except (DecodingError, ValueError, OverflowError):
            return None
        question = _Question(inner, Address(bytes.fromhex(factory[2:])), deployment)
    if len(question.signature) > _LONGEST_SIGNATURE or len(question.deployment) > _LONGEST_DEPLOYMENT:
        raise LimitError("the signature is too long to be checked on the chain", "signature_size", "signature")
    return question


def _asking(signer: Address, digest: Digest, question: _Question) -> Read[bool]:
    probe = Contract.load("signature_probe")
    made = probe.deploy(signer, digest, question.signature, question.factory, question.deployment)
    return Read(None, made.data, _decoded)


def _decoded(code: bytes) -> bool:
    """The answer is the probe's immutable, the last word of its code."""
    if code[-32:] not in _ANSWERS:
        raise NodeError("the node does not run creation code in a call", "node_malformed", "eth_call")
    return _ANSWERS[code[-32:]]
