# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title DispenseCredit
@notice See IDispenseCredit, which says what each function promises.
"""

from .interfaces import IAccreditationResolver
from .interfaces import IDispenseCredit
from .interfaces import IPresentationVerifier
from .modules import nullifiers

implements: IDispenseCredit
initializes: nullifiers
exports: nullifiers.isSpent

PRESENTATIONS: immutable(address)
QUESTION: immutable(IPresentationVerifier.Question)
AMOUNT: immutable(uint256)
PAYEE_ROLES: immutable(uint256)
FUNDER: immutable(address)

credited: HashMap[address, uint256]
owed: uint256  # to all payees together


@deploy
def __init__(
    presentation_verifier: address,
    question: IPresentationVerifier.Question,
    amount: uint256,
    payee_roles: uint256,
    funder: address,
):
    assert presentation_verifier.is_contract and question.resolver.is_contract, "ContractMissing"
    assert len(question.purpose) != 0, "PurposeMissing"
    assert amount != 0, "AmountMissing"
    assert funder != empty(address), "FunderMissing"
    PRESENTATIONS = presentation_verifier
    QUESTION = question
    AMOUNT = amount
    PAYEE_ROLES = payee_roles
    FUNDER = funder


@payable
@external
def fund():
    log IDispenseCredit.Funded(funder=msg.sender, amount=msg.value)


@external
def redeem(presentation: IPresentationVerifier.Presentation):
    payee: address = presentation.payee
    if PAYEE_ROLES != 0:
        is_accredited: bool = staticcall IAccreditationResolver(QUESTION.resolver).isAccredited(payee, PAYEE_ROLES)
        assert is_accredited, "PayeeNotAccredited"
    assert self._free() >= AMOUNT, "FundsShort"
    nullifiers._spend(presentation.nullifier)
    # It answers with true or a revert, which undoes the line before.
    assert staticcall IPresentationVerifier(PRESENTATIONS).check(QUESTION, presentation)
    self.credited[payee] += AMOUNT
    self.owed += AMOUNT
    log IDispenseCredit.Redeemed(payee=payee, nullifier=presentation.nullifier, amount=AMOUNT)


@external
def withdraw():
    amount: uint256 = self.credited[msg.sender]
    assert amount != 0, "NothingOwed"
    # Before the payee's code runs: called again, it finds nothing.
    self.credited[msg.sender] = 0
    self.owed -= amount
    log IDispenseCredit.Withdrawn(payee=msg.sender, amount=amount)
    raw_call(msg.sender, b"", value=amount)


@external
def reclaim(amount: uint256):
    assert msg.sender == FUNDER, "CallerNotFunder"
    assert amount <= self._free(), "FundsShort"
    log IDispenseCredit.Reclaimed(amount=amount)
    raw_call(FUNDER, b"", value=amount)


@view
@external
def owedTo(payee: address) -> uint256:
    return self.credited[payee]


@view
@external
def free() -> uint256:
    return self._free()


@view
@external
def question() -> IPresentationVerifier.Question:
    return QUESTION


@view
@external
def terms() -> (uint256, uint256, address):
    return AMOUNT, PAYEE_ROLES, FUNDER


@view
@external
def presentations() -> address:
    return PRESENTATIONS


@view
@internal
def _free() -> uint256:
    return self.balance - self.owed
