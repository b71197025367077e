"""Transactions of one key: nonces, fees, gas, and waiting for receipts."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from eth_account.typed_transactions.typed_transaction import TypedTransaction

from chartseal import _core
from chartseal.attestation import Address, Digest, Signer, checksum_address, to_hex
from chartseal.chain.calls import Receipt, Write
from chartseal.chain.node import Node
from chartseal.errors import RevertError, SendError

T = TypeVar("T")
_GAS_MARGIN = 1.2
_PATIENCE = 120.0
"""Seconds that one waits for a transaction to be mined."""


class Sender:
    """Sends transactions of one key through one node; safe to share between threads."""

    def __init__(self, node: Node, signer: Signer) -> None:
        """Take who sends, and through which node."""
        self.node = node
        self.signer = signer
        self._lock = threading.Lock()

    @property
    def address(self) -> Address:
        """The account that pays."""
        return self.signer.address

    def send(self, write: Write[T]) -> T:
        """Send one, wait until it is mined, and give what its receipt says.

        Raises:
            RevertError: the contract refuses it.
            SendError: it cannot be sent, or is not mined in time.
            NodeError: as the node.
        """
        return self.send_many([write])[0]

    def send_many(self, writes: Sequence[Write[T]]) -> list[T]:
        """Send several without waiting for one another, then wait for all.

        Raises:
            RevertError, SendError, NodeError: for the first that fails.
        """
        with self._lock:
            hashes = self._broadcast(writes)
        receipts = [self.wait(each) for each in hashes]
        return [write.decode(receipt) for write, receipt in zip(writes, receipts, strict=True)]

    def _broadcast(self, writes: Sequence[Write[Any]]) -> list[Digest]:
        me = to_hex(self.address)
        nonce = int(self.node.request("eth_getTransactionCount", [me, "pending"]), 16)
        tip = int(self.node.request("eth_maxPriorityFeePerGas"), 16)
        base = self.node.block().base_fee or 0
        hashes = []
        for at, write in enumerate(writes):
            to = {"to": checksum_address(write.to)} if write.to else {}
            call = {**to, "from": me, "data": to_hex(write.data), "value": hex(write.value)}
            gas = int(self.node.request("eth_estimateGas", [call]), 16)
            members = {
                "type": 2,
                "chainId": self.node.chain_id,
                "nonce": nonce + at,
                "maxPriorityFeePerGas": tip,
                "maxFeePerGas": 2 * base + tip,
                "gas": int(gas * _GAS_MARGIN),
                "value": write.value,
                "data": to_hex(write.data),
                **to,
            }
            raw = signed(members, self.signer)
            self.node.request("eth_sendRawTransaction", [to_hex(raw)])
            hashes.append(Digest(_core.keccak256(raw)))
        return hashes

    def wait(self, tx_hash: Digest) -> Receipt:
        """The receipt, once there is one.

        Raises:
            RevertError: it reverted.
            SendError: `not_mined`; it may still be.
        """
        deadline, pause = time.monotonic() + _PATIENCE, 0.01
        while (receipt := self.node.receipt(tx_hash)) is None:
            if time.monotonic() > deadline:
                raise SendError("the transaction is not mined in time", "not_mined")
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        if not receipt.succeeded:
            raise RevertError("the transaction was mined and reverted")
        return receipt


def signed(members: dict[str, Any], signer: Signer) -> bytes:
    """A raw EIP-1559 transaction: any signer of digests signs it."""
    transaction: Any = TypedTransaction.from_dict(members)
    signature = signer.sign_digest(Digest(bytes(transaction.hash())))
    parts = {
        "v": signature[64] - 27,
        "r": int.from_bytes(signature[:32]),
        "s": int.from_bytes(signature[32:64]),
    }
    return bytes(TypedTransaction.from_dict({**members, **parts}).encode())
