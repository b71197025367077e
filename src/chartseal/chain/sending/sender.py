"""Transactions of one key: sent under caps, each write once, and waited for.

    sender = Sender(node, signer, fees=FeePolicy(max_fee_per_gas=30 * GWEI))
    uid = sender.send(write)
    uids = sender.send_many(writes)

Threads of one process, and several processes, may use one key: who loses a nonce takes the next. Writes then need not
be mined in the order in which they were given.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar
from weakref import WeakValueDictionary

from chartseal.attestation import Address, Digest, Signer
from chartseal.chain.calls import Receipt, Write
from chartseal.chain.rpc.node import AsyncNode, Node
from chartseal.chain.sending.fees import FeePolicy, GasPolicy
from chartseal.chain.sending.outbox import Draft, Outbox, SendPolicy
from chartseal.errors import ChainError, SendError

T = TypeVar("T")
Gas = int | Sequence[int | None] | None
"""Gas limits that callers know: one for all, or one for each; None is estimated."""


class _Account:
    """What all senders of one key in this process share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.outstanding: set[int] = set()


_accounts: WeakValueDictionary[tuple[int, Address], _Account] = WeakValueDictionary()
_accounts_lock = threading.Lock()


def _account(chain_id: int, address: Address) -> _Account:
    with _accounts_lock:
        found = _accounts.get((chain_id, address))
        if found is None:
            found = _accounts[chain_id, address] = _Account()
        return found


class Sender:
    """Sends transactions of one key through one node; safe to share between threads."""

    def __init__(
        self,
        node: Node,
        signer: Signer,
        *,
        fees: FeePolicy | None = None,
        gas: GasPolicy | None = None,
        policy: SendPolicy | None = None,
    ) -> None:
        """Take who sends, through which node, what it may cost and how long it may take."""
        self.node = node
        self.signer = signer
        self._policies = (fees or FeePolicy(), gas or GasPolicy(), policy or SendPolicy())
        self._shared: _Account | None = None

    @property
    def address(self) -> Address:
        """The account that pays."""
        return self.signer.address

    def send(self, write: Write[T], *, gas: int | None = None) -> T:
        """Send one, wait until it is mined, and give what its receipt says. `gas` is estimated if not given.

        Raises:
            RevertError: the contract refuses it, by its error's name where that is known.
            SendError: `fees_over_cap`, `gas_over_cap`, `funds_short`, `tx_refused` and kin: nothing was sent;
                `not_mined`: it may still be mined.
            NodeError: as the node, before anything was sent.
        """
        return self.send_many([write], gas=gas)[0]

    def send_many(self, writes: Sequence[Write[T]], *, gas: Gas = None) -> list[T]:
        """Send several without waiting for one another, then wait for all; results are in their order.

        Of each window of writes, none is sent if one is refused while estimating. One that the node refuses, or that
        reverts when mined, does not keep the others from being sent, and no nonce stays empty.

        Raises:
            RevertError, SendError, NodeError: as `send`, for the first write that failed, when all are settled.
        """
        outcomes = self.send_each(writes, gas=gas)
        for outcome in outcomes:
            if isinstance(outcome, ChainError):
                raise outcome
        return [each for each in outcomes if not isinstance(each, ChainError)]

    def send_each(self, writes: Sequence[Write[T]], *, gas: Gas = None) -> list[T | ChainError]:
        """As `send_many`, with an error in the place of the result for writes that failed once they were signed.

        Raises:
            RevertError, SendError, NodeError: while estimating; of that window nothing was sent.
        """
        account = self._account()
        found: list[T | ChainError] = []
        for part, limits in _windows(writes, gas, self._policies[2].window):
            outbox = self._outbox(account)
            drafts = self.node.carry(outbox.drafts(part, limits))
            try:
                self._settle(outbox, account, drafts)
            finally:
                with account.lock:
                    account.outstanding.difference_update(each.nonce for each in drafts if each.nonce is not None)
            found += [self.node.carry(outbox.concluded(each)) for each in drafts]
        return found

    def _settle(self, outbox: Outbox, account: _Account, drafts: list[Draft]) -> None:
        todo = drafts
        while todo:
            with account.lock:
                account.outstanding.difference_update(each.nonce for each in todo if each.nonce is not None)
                self.node.carry(outbox.broadcast(todo))
            todo = self.node.carry(outbox.watch(drafts))

    def wait(self, tx_hash: Digest, *, confirmations: int = 0) -> Receipt:
        """The receipt of a transaction, once there is one, in a block that `confirmations` others follow.

        Raises:
            RevertError: it reverted.
            SendError: `not_mined`; it may still be.
        """
        return self.node.carry(self._outbox(self._account()).awaited(tx_hash, confirmations))

    def _account(self) -> _Account:
        if self._shared is None:
            self._shared = _account(self.node.chain_id, self.address)
        return self._shared

    def _outbox(self, account: _Account) -> Outbox:
        return Outbox(self.node.dialogue, self.signer, *self._policies, account.outstanding)


class AsyncSender:
    """As Sender, for one event loop; have one of a key in a loop, which many tasks share."""

    def __init__(
        self,
        node: AsyncNode,
        signer: Signer,
        *,
        fees: FeePolicy | None = None,
        gas: GasPolicy | None = None,
        policy: SendPolicy | None = None,
    ) -> None:
        """As Sender."""
        self.node = node
        self.signer = signer
        self._policies = (fees or FeePolicy(), gas or GasPolicy(), policy or SendPolicy())
        self._lock = asyncio.Lock()
        self._outstanding: set[int] = set()

    @property
    def address(self) -> Address:
        """The account that pays."""
        return self.signer.address

    async def send(self, write: Write[T], *, gas: int | None = None) -> T:
        """As Sender.send."""
        return (await self.send_many([write], gas=gas))[0]

    async def send_many(self, writes: Sequence[Write[T]], *, gas: Gas = None) -> list[T]:
        """As Sender.send_many."""
        outcomes = await self.send_each(writes, gas=gas)
        for outcome in outcomes:
            if isinstance(outcome, ChainError):
                raise outcome
        return [each for each in outcomes if not isinstance(each, ChainError)]

    async def send_each(self, writes: Sequence[Write[T]], *, gas: Gas = None) -> list[T | ChainError]:
        """As Sender.send_each."""
        found: list[T | ChainError] = []
        for part, limits in _windows(writes, gas, self._policies[2].window):
            outbox = self._outbox()
            drafts = await self.node.carry(outbox.drafts(part, limits))
            try:
                await self._settle(outbox, drafts)
            finally:
                self._outstanding.difference_update(each.nonce for each in drafts if each.nonce is not None)
            found += [await self.node.carry(outbox.concluded(each)) for each in drafts]
        return found

    async def _settle(self, outbox: Outbox, drafts: list[Draft]) -> None:
        todo = drafts
        while todo:
            async with self._lock:
                self._outstanding.difference_update(each.nonce for each in todo if each.nonce is not None)
                await self.node.carry(outbox.broadcast(todo))
            todo = await self.node.carry(outbox.watch(drafts))

    async def wait(self, tx_hash: Digest, *, confirmations: int = 0) -> Receipt:
        """As Sender.wait."""
        return await self.node.carry(self._outbox().awaited(tx_hash, confirmations))

    def _outbox(self) -> Outbox:
        return Outbox(self.node.dialogue, self.signer, *self._policies, self._outstanding)


def _windows(
    writes: Sequence[Write[T]], gas: Gas, window: int
) -> Iterator[tuple[Sequence[Write[T]], list[int | None]]]:
    limits = [gas] * len(writes) if gas is None or isinstance(gas, int) else list(gas)
    if len(limits) != len(writes):
        raise ValueError("one gas limit for each write")
    for at in range(0, len(writes), window):
        yield writes[at : at + window], limits[at : at + window]


def batches(items: Sequence[T], gas_of: Callable[[T], int], budget: int) -> Iterator[list[T]]:
    """Runs of items, in order, each for one write under a gas budget (base cost and margin are the caller's to leave).

    Raises:
        SendError: `gas_over_cap`; one item alone is over the budget.
    """
    found: list[T] = []
    spent = 0
    for item in items:
        gas = gas_of(item)
        if gas > budget:
            raise SendError(f"one item needs {gas} gas, over the budget of {budget}", "gas_over_cap")
        if found and spent + gas > budget:
            yield found
            found, spent = [], 0
        found.append(item)
        spent += gas
    if found:
        yield found
