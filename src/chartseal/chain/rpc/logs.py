"""All logs of a range of blocks, whatever a provider's limits, and what can be known of their completeness.

    for part in log_ranges(node, LogFilter.of([eas], [[attested, revoked]]), first, last):
        part.first, part.last, part.logs

`log_ranges` trusts a node that has the range's last block to give all logs of it. `complete_logs` also holds them
against headers that the caller already trusts: their hashes, and their filters, which tell of logs that are missing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from chartseal.chain.calls import Block, Log
from chartseal.chain.rpc.dialogue import Dialogue
from chartseal.chain.rpc.exchange import Talk
from chartseal.chain.rpc.filters import LogFilter as LogFilter
from chartseal.chain.rpc.node import AsyncNode, Node
from chartseal.errors import NodeError

_SMALLER = frozenset({"logs_too_many", "node_oversized", "node_timeout"})
"""Codes after which a smaller range may pass."""
_RELAX_AFTER = 32
"""Answers after which a size that was once refused is tried again."""


@dataclass(frozen=True, slots=True)
class LogRange:
    """Logs of blocks `first` to `last`, both included, ascending."""

    first: int
    last: int
    logs: list[Log] = field(repr=False)


class RangeSize:
    """How many blocks to ask for: halved when refused, doubled when answered, below what was refused lately."""

    def __init__(self, start: int = 4_096, largest: int = 65_536) -> None:
        """Take sizes in blocks."""
        self.blocks = max(1, min(start, largest))
        self._largest = largest
        self._ceiling = largest
        self._answered = 0

    def refused(self, blocks: int) -> bool:
        """A range of so many blocks was refused; False where none is smaller."""
        if blocks <= 1:
            return False
        self._ceiling, self._answered = blocks - 1, 0
        self.blocks = blocks // 2
        return True

    def answered(self, blocks: int) -> None:
        """A range of so many blocks was answered."""
        self._answered += 1
        if self._answered >= _RELAX_AFTER:
            self._ceiling, self._answered = self._largest, 0
        if blocks >= self.blocks:  # the last range of all says nothing of larger ones
            self.blocks = min(2 * self.blocks, self._ceiling)


def log_ranges(
    node: Node, wanted: LogFilter, first: int, last: int, *, size: RangeSize | None = None
) -> Iterator[LogRange]:
    """The logs of blocks first to last in ascending ranges without gaps; `size` keeps what was learnt of the node.

    Raises:
        NodeError: as Node.logs, when a single block cannot be had.
    """
    size = size or RangeSize()
    while first <= last:
        part = node.carry(next_range(node.dialogue, wanted, first, last, size))
        yield part
        first = part.last + 1


async def log_ranges_async(
    node: AsyncNode, wanted: LogFilter, first: int, last: int, *, size: RangeSize | None = None
) -> AsyncIterator[LogRange]:
    """As `log_ranges`."""
    size = size or RangeSize()
    while first <= last:
        part = await node.carry(next_range(node.dialogue, wanted, first, last, size))
        yield part
        first = part.last + 1


def next_range(dialogue: Dialogue, wanted: LogFilter, first: int, last: int, size: RangeSize) -> Talk[LogRange]:
    """The largest range from `first` that the node answers."""
    while True:
        end = min(first + size.blocks - 1, last)
        try:
            logs = yield from dialogue.logs(wanted, first, end)
        except NodeError as error:
            if error.code not in _SMALLER or not size.refused(end - first + 1):
                raise
            continue
        size.answered(end - first + 1)
        return LogRange(first, end, logs)


def complete_logs(node: Node, wanted: LogFilter, headers: Sequence[Block], *, twice: bool = False) -> list[Log]:
    """The logs of blocks that follow one another, whose headers are given.

    Each log is of the given header's hash. A block whose filter may match, but of which the node gave nothing, is
    asked for again by its hash; with `twice` every block that may match is, and both answers must agree. (Chains
    whose headers carry no filters, or empty ones, cannot be held against them.)

    Raises:
        NodeError: `logs_inconsistent` where the answers contradict the headers or one another, and as Node.logs.
        ValueError: the headers do not follow one another.
    """
    return node.carry(complete(node.dialogue, wanted, headers, twice))


async def complete_logs_async(
    node: AsyncNode, wanted: LogFilter, headers: Sequence[Block], *, twice: bool = False
) -> list[Log]:
    """As `complete_logs`."""
    return await node.carry(complete(node.dialogue, wanted, headers, twice))


def complete(dialogue: Dialogue, wanted: LogFilter, headers: Sequence[Block], twice: bool) -> Talk[list[Log]]:
    """The talk of `complete_logs`."""
    by_number = {each.number: each for each in headers}
    for before, after in pairwise(headers):
        if after.parent != before.hash or after.number != before.number + 1:
            raise ValueError("headers do not follow one another")
    found: list[Log] = []
    at, size = 0, RangeSize(len(headers) or 1, len(headers) or 1)

    def next_part() -> Talk[tuple[int, list[Log]]]:
        part = yield from next_range(dialogue, wanted, headers[at].number, headers[-1].number, size)
        wanted.check_headers(part.logs, by_number)
        covered = headers[at : at + part.last - part.first + 1]
        return len(covered), (yield from _supplemented(dialogue, wanted, part.logs, covered, twice))

    while at < len(headers):
        count, logs = yield from dialogue.repeated(next_part, {"logs_inconsistent"})
        found += logs
        at += count
    return found


def _supplemented(
    dialogue: Dialogue, wanted: LogFilter, logs: list[Log], headers: Sequence[Block], twice: bool
) -> Talk[list[Log]]:
    """The logs, and those of blocks that were passed over."""
    given: dict[int, list[Log]] = {}
    for log in logs:
        given.setdefault(log.block_number, []).append(log)
    doubted = [each for each in headers if (twice or each.number not in given) and wanted.may_match(each)]
    again = yield from dialogue.block_logs(wanted, [each.hash for each in doubted])
    for header, second in zip(doubted, again, strict=True):
        if given.setdefault(header.number, second) != second:
            raise NodeError("the node gives different logs of one block", "logs_inconsistent", "eth_getLogs")
    return [log for number in sorted(given) for log in given[number]]
