# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title PresentationVerifier
@notice See IPresentationVerifier, which says what each function promises.
"""

from .interfaces import IAccreditationResolver
from .interfaces import IGroth16Verifier
from .interfaces import IPresentationVerifier
from .modules import binding

implements: IPresentationVerifier

EPOCH_SECONDS: constant(uint256) = 86400

VERIFIER: immutable(address)


@deploy
def __init__(verifier: address):
    assert verifier.is_contract, "VerifierMissing"
    VERIFIER = verifier


@view
@external
def check(question: IPresentationVerifier.Question, presentation: IPresentationVerifier.Presentation) -> bool:
    assert block.timestamp < convert(presentation.expiry, uint256), "PresentationExpired"
    context: uint256 = binding._context(
        question.audienceHash,
        presentation.verifierNonce,
        presentation.holderNonce,
        presentation.expiry,
        msg.sender,
        presentation.payee,
    )
    scope: uint256 = context
    if len(question.purpose) != 0:
        scope = binding._scope(question.purpose, question.audienceHash, msg.sender, question.period)
    inputs: uint256[7] = [
        self._trust_root(question.resolver, presentation.epoch, question.role),
        convert(presentation.epoch, uint256) * EPOCH_SECONDS,
        question.policyHash,
        scope,
        context,
        presentation.nullifier,
        presentation.pseudonym,
    ]
    return staticcall IGroth16Verifier(VERIFIER).verify7(question.keyHash, inputs, presentation.proof)


@view
@external
def contextOf(
    audienceHash: bytes32,
    verifierNonce: bytes32,
    holderNonce: bytes32,
    expiry: uint64,
    spender: address,
    payee: address,
) -> uint256:
    return binding._context(audienceHash, verifierNonce, holderNonce, expiry, spender, payee)


@view
@external
def scopeOf(purpose: String[64], audienceHash: bytes32, spender: address, period: uint64) -> uint256:
    return binding._scope(purpose, audienceHash, spender, period)


@view
@external
def verifier() -> address:
    return VERIFIER


@view
@internal
def _trust_root(resolver: address, epoch: uint32, role: uint8) -> uint256:
    # The block's time says which epochs count. Before the authority has attested today's root, yesterday's serves.
    today: uint256 = block.timestamp // EPOCH_SECONDS
    stated: uint256 = convert(epoch, uint256)
    assert stated == today or stated + 1 == today, "EpochRefused"
    root: bytes32 = staticcall IAccreditationResolver(resolver).trustRoot(epoch, role)
    assert root != empty(bytes32), "TrustRootMissing"
    return convert(root, uint256)
