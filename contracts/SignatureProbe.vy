# pragma version 0.4.3
# pragma evm-version london
# pragma optimize codesize
# SPDX-License-Identifier: Apache-2.0
"""
@title SignatureProbe
@notice Asks whether a signer accepts a signature, within one eth_call, on chains of any age.
@dev Never deployed: its creation code is run by eth_call, and the last word of what that returns is the answer, 1 or
    0. So no node needs to pass on revert data, and nothing of a factory's work remains.
@custom:security A signer that has code is asked as it is: the factory of an ERC-6492 signature is called only for a
    signer that is not deployed, since the call is anybody's to choose.
"""

MAGIC: constant(bytes32) = 0x1626ba7e00000000000000000000000000000000000000000000000000000000
SELECTOR: constant(bytes4) = 0x1626ba7e  # isValidSignature(bytes32,bytes)
ASKING_GAS: constant(uint256) = 3_000_000
DEPLOYING_GAS: constant(uint256) = 10_000_000

ANSWER: immutable(uint256)


@deploy
def __init__(signer: address, digest: bytes32, signature: Bytes[4096], factory: address, deployment: Bytes[24576]):
    if signer.codesize == 0 and factory != empty(address):
        # Whether it worked shows in the signer's code.
        deployed: bool = raw_call(factory, deployment, gas=DEPLOYING_GAS, revert_on_failure=False)
    accepted: bool = False
    if signer.codesize != 0:
        succeeded: bool = False
        response: Bytes[32] = b""
        succeeded, response = raw_call(
            signer,
            abi_encode(digest, signature, method_id=SELECTOR),
            max_outsize=32,
            gas=ASKING_GAS,
            is_static_call=True,
            revert_on_failure=False,
        )
        # Exactly the selector and 28 zero bytes: a contract that answers everything with 1, or with its input, is none.
        accepted = succeeded and len(response) == 32 and convert(response, bytes32) == MAGIC
    ANSWER = convert(accepted, uint256)


@external
@view
def answer() -> uint256:
    return ANSWER
