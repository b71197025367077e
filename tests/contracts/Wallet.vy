# pragma version 0.4.3
"""
@title A wallet that accepts what its owner signs (EIP-1271), for tests
"""

OWNER: immutable(address)
ANSWER: immutable(bytes32)


@deploy
def __init__(owner: address, answer: bytes32):
    OWNER = owner
    ANSWER = answer


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[65]) -> bytes32:
    assert len(signature) == 65, "size"
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    r: uint256 = extract32(signature, 0, output_type=uint256)
    s: uint256 = extract32(signature, 32, output_type=uint256)
    assert ecrecover(digest, v, r, s) == OWNER, "owner"
    return ANSWER
