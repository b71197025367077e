"""Many requests in as few transactions as gas and size allow.

A transaction's gas is bounded by the block's limit and EIP-7825's cap; its size by what nodes pass on to one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from chartseal.attestation import Address
from chartseal.chain.calls import Block, Write
from chartseal.chain.sending.fees import TRANSACTION_GAS_CAP
from chartseal.chain.steps import Flow, Newest, Send, estimating
from chartseal.errors import ChainError, PartlySentError, RequestError, RevertError

I = TypeVar("I")  # noqa: E741 (items)
R = TypeVar("R")

_LARGEST_DATA = 120_000
"""Bytes of call data: geth passes on transactions of 128 KiB at most (core/txpool, txMaxSize)."""

_BLOCK_SHARE = 2
"""A transaction that asks for more than half a block waits long."""

_WORD_GAS = 23_000
"""For one more word of an attestation's data: a new storage slot (EIP-2929), its call data and hashing."""


class Batching:
    """Sends lists of requests for one account."""

    def __init__(self, me: Callable[[], Address]) -> None:
        """Take who sends, as a function that refuses if nobody does."""
        self._me = me

    def send(
        self,
        items: Sequence[I],
        write_of: Callable[[Sequence[I]], Write[list[R]]],
        budget: int | None = None,
        *,
        waiting: bool = False,
    ) -> Flow[list[R]]:
        """Send all, `budget` being the most gas of one transaction; results in the order of the items.

        With `waiting` each part is mined before the next is estimated, as nonces of delegated requests need it;
        else nothing is sent before every part has its estimate.

        Raises:
            RequestError: `gas_budget`; not even one fits.
            RevertError, SendError, NodeError: as the sender; none is on the chain.
            PartlySentError: some are.
        """
        most = yield from self._budget(budget)
        sent = _Sent[R](len(items))
        writes: list[Write[list[R]]] = []
        limits: list[int] = []
        done, each = 0, (yield from estimating(write_of(items[:1]), self._me()))
        while done < len(items) and sent.error is None:
            try:
                size, gas = yield from self._fitting(
                    items[done:], write_of, max(1, _without_margin(most) // each), most
                )
            except ChainError as error:
                sent.refuse(error)
                break
            writes.append(write_of(items[done : done + size]))
            limits.append(gas)
            sent.sizes.append(size)
            done, each = done + size, max(1, _without_margin(gas) // size)
            if waiting or done == len(items):
                sent.take((yield Send(writes, limits)))
                writes, limits = [], []
        return sent.all()

    def pipeline(self, writes: Sequence[Write[R]], sizes: Sequence[int], gas: int | None) -> Flow[list[R]]:
        """Send each as a transaction of its own, without waiting between them; `sizes` in bytes of their data.

        Where `gas`, the limit of each, is not given, the first is estimated and the others get as much, a quarter more
        and what larger data costs.

        Raises:
            RevertError, SendError, NodeError: as the sender; none is on the chain.
            PartlySentError: some are.
        """
        if gas is None:
            estimate = yield from estimating(writes[0], self._me())
            limits = [estimate * 5 // 4 + max(0, size - sizes[0] + 31) // 32 * _WORD_GAS for size in sizes]
        else:
            limits = [gas for _ in sizes]
        sent = _Sent[R](len(writes), [1 for _ in writes])
        outcomes = yield Send(writes, limits)
        sent.take([each if isinstance(each, ChainError) else [each] for each in outcomes])
        return sent.all()

    def _budget(self, asked: int | None) -> Flow[int]:
        block: Block = yield Newest()
        most = min(TRANSACTION_GAS_CAP, block.gas_limit or TRANSACTION_GAS_CAP)
        if asked is not None:
            return min(asked, most)
        return min(most, (block.gas_limit or most) // _BLOCK_SHARE)

    def _fitting(
        self, items: Sequence[I], write_of: Callable[[Sequence[I]], Write[list[R]]], size: int, most: int
    ) -> Flow[tuple[int, int]]:
        """How many of the first items fit one transaction, `size` at most, and its gas limit."""
        size = min(size, len(items))
        while True:
            write = write_of(items[:size])
            if len(write.data) > _LARGEST_DATA and size > 1:
                size = max(1, min(size - 1, size * _LARGEST_DATA // len(write.data)))
                continue
            try:
                gas = (yield from estimating(write, self._me())) * 6 // 5
            except RevertError as error:
                if error.code != "out_of_gas" or size == 1:
                    raise
                size //= 2
                continue
            if gas <= most:
                return size, gas
            if size == 1:
                raise RequestError("one request takes more gas than a transaction may", "gas_budget")
            size = max(1, min(size - 1, size * most // gas))


@dataclass
class _Sent(Generic[R]):
    """What became of the parts that were sent, in their order."""

    count: int
    """Of all items."""
    sizes: list[int] = field(default_factory=list)
    """Of the parts, in items."""
    results: list[R | None] = field(default_factory=list)
    error: ChainError | None = None
    """What the first that failed met."""
    _taken: int = 0

    def take(self, outcomes: Sequence[list[R] | ChainError]) -> None:
        """Note results or error of the next parts."""
        for outcome in outcomes:
            size = self.sizes[self._taken]
            self._taken += 1
            if isinstance(outcome, ChainError):
                self.error = self.error or outcome
                self.results += [None] * size
            else:
                self.results += outcome

    def refuse(self, error: ChainError) -> None:
        """Note what kept the next part, and those after it, from being sent."""
        self.error = error

    def all(self) -> list[R]:
        """The results, where nothing failed.

        Raises:
            ChainError: what failed first, where nothing is on the chain.
            PartlySentError: some is.
        """
        made = [each for each in self.results if each is not None]
        if self.error is None:
            return made
        if not made:
            raise self.error
        raise PartlySentError([*self.results, *[None] * (self.count - len(self.results))]) from self.error


def _without_margin(gas: int) -> int:
    return gas * 5 // 6
