"""What is said to a node and concluded from its answers: retries, smaller batches, checks. Nothing here waits or sends.

Each method is a talk (`chartseal.chain.rpc.exchange`), which Node and AsyncNode carry.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence, Set
from functools import partial
from typing import Any, TypeVar, cast

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from chartseal.attestation import Address, Digest, to_hex
from chartseal.chain.calls import Block, Log, Read, Receipt
from chartseal.chain.rpc import answers, jsonrpc
from chartseal.chain.rpc.exchange import Endpoint, Pause, Post, Reply, Talk
from chartseal.chain.rpc.filters import LogFilter
from chartseal.chain.rpc.jsonrpc import BusyNodeError, Query
from chartseal.errors import ChainError, NodeError

T = TypeVar("T")
Which = int | str | Digest
"""A block's number, its hash, or `latest`, `pending`, `finalized`, `safe`, `earliest`."""

_LARGEST_BATCH = 500
"""Requests in one HTTP exchange, until a node wants fewer."""
_SMALL_BATCH = 16
"""Requests that a node which answers too late is not to blame for."""
_BACK_OFF = wait_random_exponential(multiplier=0.1, max=5)


class Dialogue:
    """One node of one chain. `limit` shrinks when it refuses large batches; else nothing here changes."""

    def __init__(self, endpoint: Endpoint, expected: int | None, attempts: int) -> None:
        """`expected` is the chain's id where it is known; `attempts` counts tries of what fails in passing."""
        self.endpoint = endpoint
        self.limit = _LARGEST_BATCH
        self.chain_id: int | None = None
        self._expected = expected
        self._attempts = attempts
        self._ids = itertools.count(1)

    def chain(self) -> Talk[int]:
        """The chain's id, asked once.

        Raises:
            NodeError: `chain_wrong`.
        """
        if self.chain_id is None:
            query = Query("eth_chainId", [], lambda result: answers.number(result, "eth_chainId"))
            [outcome] = yield from self._settled([query])
            found = _value(outcome)
            if self._expected not in (None, found):
                raise self.endpoint.fault(f"the node is of chain {found}, not {self._expected}", "chain_wrong")
            self.chain_id = found
        return self.chain_id

    def outcomes(self, queries: Sequence[Query]) -> Talk[list[Any]]:
        """For each query its result, or the error that it ends in however often it is asked.

        Raises:
            NodeError: some answer is not to be had, after all attempts.
        """
        yield from self.chain()
        return (yield from self._settled(queries))

    def once(self, query: Query) -> Talk[Any]:
        """One query, asked a single time: for what must not be repeated unseen.

        Raises:
            ChainError: of whatever kind.
        """
        yield from self.chain()
        [outcome] = yield from self._exchange([query])
        return _value(outcome)

    def once_each(self, queries: Sequence[Query]) -> Talk[list[Any]]:
        """Outcomes of queries that are asked a single time, those in passing too."""
        yield from self.chain()
        found: list[Any] = []
        for part in self._parts(queries):
            try:
                found += yield from self._exchange(part)
            except NodeError as error:
                found += [error] * len(part)
        return found

    def ask(self, queries: Sequence[Query]) -> Talk[list[Any]]:
        """Results of all.

        Raises:
            ChainError: for the first that fails.
        """
        return [_value(each) for each in (yield from self.outcomes(queries))]

    def read_many(self, reads: Sequence[Read[T]], block: Which, sender: Address | None) -> Talk[list[T]]:
        """Results of views at one block."""
        at = tag(block)
        from_ = {"from": to_hex(sender)} if sender else {}
        queries = [
            Query(
                "eth_call",
                [{**_target(each.to), "data": to_hex(each.data), **from_}, at],
                partial(_decoded, each.decode),
            )
            for each in reads
        ]
        return (yield from self.ask(queries))

    def blocks(self, which: Sequence[Which]) -> Talk[list[Block]]:
        """Headers."""
        return (yield from self.ask([block_query(each) for each in which]))

    def receipts(self, hashes: Sequence[Digest]) -> Talk[list[Receipt | None]]:
        """Receipts; None for what is not mined."""
        return (yield from self.ask([receipt_query(each) for each in hashes]))

    def logs(self, wanted: LogFilter, first: int, last: int) -> Talk[list[Log]]:
        """Logs of a range whose last block the node has: one that lags would pass over the newest without a word."""
        query = [{**wanted.to_json(), "fromBlock": hex(first), "toBlock": hex(last)}]
        queries = [block_query(last), Query("eth_getLogs", query, answers.logs)]

        def ask() -> Talk[list[Log]]:
            # Always both: logs of an exchange in which the node did not have the block yet are not all.
            head, logs = map(_value, (yield from self.once_each(queries)))
            return wanted.check(logs, first, last, head)

        return (yield from self.repeated(ask, jsonrpc.PASSING - _unrepeated(queries)))

    def block_logs(self, wanted: LogFilter, hashes: Sequence[Digest]) -> Talk[list[list[Log]]]:
        """Logs of single blocks, each by its hash."""
        queries = [
            Query(
                "eth_getLogs",
                [{**wanted.to_json(), "blockHash": to_hex(each)}],
                partial(_of_block, wanted, each),
            )
            for each in hashes
        ]
        return (yield from self.ask(queries))

    def repeated(self, talk: Callable[[], Talk[T]], codes: Set[str]) -> Talk[T]:
        """A talk, held anew where it ends in a NodeError of these codes, with back-off and as often as is allowed."""
        pauses: list[float] = []
        for attempt in Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=_wait,
            retry=retry_if_exception(lambda exc: isinstance(exc, NodeError) and exc.code in codes),
            sleep=pauses.append,  # a talk does not sleep: it asks for a pause
            reraise=True,
        ):
            while pauses:
                yield Pause(pauses.pop())
            with attempt:
                return (yield from talk())
        raise AssertionError  # reraise leaves no other way out

    def _settled(self, queries: Sequence[Query]) -> Talk[list[Any]]:
        done: dict[int, Any] = {}
        yield from self.repeated(lambda: self._settle(queries, done), jsonrpc.PASSING - _unrepeated(queries))
        return [done[at] for at in range(len(queries))]

    def _settle(self, queries: Sequence[Query], done: dict[int, Any]) -> Talk[None]:
        """Ask what is open; what fails in passing stays open, and raises."""
        failed: ChainError | None = None
        for part in self._parts([at for at in range(len(queries)) if at not in done]):
            outcomes = yield from self._exchange([queries[at] for at in part])
            for at, outcome in zip(part, outcomes, strict=True):
                if isinstance(outcome, NodeError) and outcome.code in jsonrpc.PASSING:
                    failed = failed or outcome
                else:
                    done[at] = outcome
        if failed is not None:
            raise failed

    def _parts(self, items: Sequence[T]) -> list[Sequence[T]]:
        return [items[at : at + self.limit] for at in range(0, len(items), self.limit)]

    def _exchange(self, queries: Sequence[Query]) -> Talk[list[Any]]:
        """One HTTP exchange, or two of half the size where the node refuses so many at once."""
        first_id = next(self._ids)
        for _ in queries[1:]:
            next(self._ids)
        try:
            reply = yield Post(jsonrpc.encode(queries, first_id))
            return jsonrpc.outcomes(cast(Reply, reply), queries, first_id, self.endpoint.host)
        except NodeError as error:
            if len(queries) == 1:
                if error.code != "batch_refused":
                    raise
                raised: NodeError | None = NodeError(error.detail, "node_refused", error.path)
            elif error.code in ("batch_refused", "node_oversized"):
                raised = None
                self.limit = max(1, len(queries) // 2)
            else:
                if error.code == "node_timeout" and len(queries) > _SMALL_BATCH:
                    self.limit = max(_SMALL_BATCH, len(queries) // 2)
                raise
        if raised is not None:
            raise raised
        half = len(queries) // 2
        return (yield from self._exchange(queries[:half])) + (yield from self._exchange(queries[half:]))


def _wait(state: RetryCallState) -> float:
    """Exponential with jitter, and what the node asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, BusyNodeError) else None
    return max(_BACK_OFF(state), asked or 0.0)


def _unrepeated(queries: Sequence[Query]) -> set[str]:
    """A range of logs that takes too long is no better the next time: who asks makes it smaller."""
    ranges = [each for each in queries if each.method == "eth_getLogs"]
    wide = any(each.params[0].get("fromBlock") != each.params[0].get("toBlock") for each in ranges)
    return {"node_timeout"} if wide else set()


def _target(to: Address | None) -> dict[str, str]:
    """Without one, the call runs its data as creation code."""
    return {} if to is None else {"to": to_hex(to)}


def _decoded(decode: Callable[[bytes], T], result: Any) -> T:
    return decode(answers.data(result, "eth_call"))


def _of_block(wanted: LogFilter, block: Digest, result: Any) -> list[Log]:
    return wanted.check_block(answers.logs(result), block)


def _value(outcome: Any) -> Any:
    if isinstance(outcome, ChainError):
        raise outcome
    return outcome


def tag(which: Which) -> Any:
    """How a block is named in parameters; one by its hash must be of the chain as it stands (EIP-1898)."""
    if isinstance(which, bytes):
        return {"blockHash": to_hex(which), "requireCanonical": True}
    return hex(which) if isinstance(which, int) else which


def block_query(which: Which) -> Query:
    """Asks for a header."""
    method = "eth_getBlockByHash" if isinstance(which, bytes) else "eth_getBlockByNumber"
    named = to_hex(which) if isinstance(which, bytes) else tag(which)
    return Query(method, [named, False], lambda result: answers.block(result, which))


def receipt_query(tx_hash: Digest) -> Query:
    """Asks for a receipt."""
    return Query("eth_getTransactionReceipt", [to_hex(tx_hash)], lambda result: answers.receipt(result, tx_hash))
