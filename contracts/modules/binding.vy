# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title What ties a presentation to its verifier, request, chain, contract and payee: context and scope.
@dev The format specification's F: a keccak256 hash shifted right by 8 bits, always below BN254's order.
"""


@view
@internal
def _context(
    audience_hash: bytes32,
    verifier_nonce: bytes32,
    holder_nonce: bytes32,
    expiry: uint64,
    spender: address,
    payee: address,
) -> uint256:
    return self._field_element(
        keccak256(
            abi_encode(
                "chartseal/1/context", audience_hash, verifier_nonce, holder_nonce, expiry, chain.id, spender, payee
            )
        )
    )


@view
@internal
def _scope(purpose: String[64], audience_hash: bytes32, spender: address, period: uint64) -> uint256:
    return self._field_element(
        keccak256(abi_encode("chartseal/1/scope", purpose, audience_hash, chain.id, spender, period))
    )


@pure
@internal
def _field_element(digest: bytes32) -> uint256:
    return convert(digest, uint256) >> 8
