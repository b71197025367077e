"""Transactions as bytes, signed by any signer of digests: EIP-1559, and EIP-155 for chains without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import rlp  # type: ignore[import-untyped]  # it ships no types

from chartseal import _core
from chartseal.attestation import Address, Digest, Signer
from chartseal.chain.sending.fees import Fees


@dataclass(frozen=True, slots=True)
class Transaction:
    """All that is signed."""

    chain_id: int
    nonce: int
    fees: Fees
    gas: int
    to: Address | None
    """None deploys `data`."""
    value: int
    """Wei."""
    data: bytes = field(repr=False)

    def signed(self, signer: Signer) -> bytes:
        """The raw transaction; its hash is keccak256 of it."""
        body: list[Any] = [self.gas, self.to or b"", self.value, self.data]
        if self.fees.tip is None:
            legacy = [self.nonce, self.fees.max_fee, *body]
            v, r, s = _signature(signer, bytes(rlp.encode([*legacy, self.chain_id, 0, 0])))
            return bytes(rlp.encode([*legacy, v + 35 + 2 * self.chain_id, r, s]))
        typed = [self.chain_id, self.nonce, self.fees.tip, self.fees.max_fee, *body, []]
        return b"\x02" + bytes(rlp.encode([*typed, *_signature(signer, b"\x02" + bytes(rlp.encode(typed)))]))


def _signature(signer: Signer, payload: bytes) -> tuple[int, int, int]:
    """Parity, r, s."""
    signature = signer.sign_digest(Digest(_core.keccak256(payload)))
    return signature[64] - 27, int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])


def transaction_hash(raw: bytes) -> Digest:
    """The hash that a raw transaction is known by."""
    return Digest(_core.keccak256(raw))
