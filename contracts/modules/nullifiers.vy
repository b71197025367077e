# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title The uses that were spent: a nullifier passes once.
@dev Nullifiers are kept, never proofs: anyone makes other bytes of a proof, nobody another nullifier of a use. They are
    field elements, so n and n + r would be one use: those not below r are refused here too, whoever checked the proof.
"""

SCALAR_FIELD: constant(uint256) = 21888242871839275222246405745257275088548364400416034343698204186575808495617

spent: HashMap[uint256, bool]


@internal
def _spend(nullifier: uint256):
    assert nullifier < SCALAR_FIELD, "NullifierOutOfRange"
    assert not self.spent[nullifier], "NullifierSpent"
    self.spent[nullifier] = True


@view
@external
def isSpent(nullifier: uint256) -> bool:
    return self.spent[nullifier]
