# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title AnchorVerifier
@notice See IAnchorVerifier, which says what each function promises.
"""

from .interfaces import IAnchorVerifier
from .modules import merkle

implements: IAnchorVerifier

DEEPEST: constant(uint256) = 32

EAS: immutable(address)

interface IEAS:
    def getTimestamp(data: bytes32) -> uint64: view


@deploy
def __init__(eas: address):
    assert eas.is_contract, "EasMissing"
    EAS = eas


@view
@external
def existedBy(uid: bytes32, signatureHash: bytes32, path: DynArray[bytes32, DEEPEST]) -> uint64:
    value: bytes32 = keccak256(abi_encode("chartseal/1/anchor-seal", uid, signatureHash))
    at: uint64 = staticcall IEAS(EAS).getTimestamp(merkle._root(merkle._leaf(keccak256(value)), path))
    assert at != 0, "RootUnknown"
    return at


@view
@external
def eas() -> address:
    return EAS
