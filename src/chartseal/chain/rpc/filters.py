"""Which logs are wanted, and whether an answer can be all of them: order, range, matching, and the blocks' filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chartseal import _core
from chartseal.attestation import Address, Digest, to_hex
from chartseal.chain.calls import Block, Log
from chartseal.errors import NodeError


@dataclass(frozen=True)
class LogFilter:
    """Logs of any of the addresses (none: of all), and at each position any of the topics (None: any)."""

    addresses: tuple[Address, ...]
    topics: tuple[tuple[Digest, ...] | None, ...] = ()

    @classmethod
    def of(cls, addresses: Sequence[Address], topics: Sequence[Sequence[Digest] | None] = ()) -> LogFilter:
        """From any sequences."""
        return cls(tuple(addresses), tuple(None if each is None else tuple(each) for each in topics))

    def to_json(self) -> dict[str, Any]:
        """The members of eth_getLogs' parameter that say which."""
        members: dict[str, Any] = {
            "topics": [None if each is None else [to_hex(topic) for topic in each] for each in self.topics]
        }
        if self.addresses:
            members["address"] = [to_hex(each) for each in self.addresses]
        return members

    def matches(self, log: Log) -> bool:
        """Whether a log is wanted."""
        if (self.addresses and log.address not in self.addresses) or len(log.topics) < len(self.topics):
            return False
        return all(each is None or topic in each for each, topic in zip(self.topics, log.topics, strict=False))

    def check(self, logs: list[Log], first: int, last: int, end: Block | None = None) -> list[Log]:
        """The logs, which are all wanted, inside the range, ascending, and of one chain; `end` is the last block.

        Raises:
            NodeError: `logs_inconsistent`.
        """
        hashes: dict[int, Digest] = {end.number: end.hash} if end else {}
        before = (-1, -1)
        for log in logs:
            here = (log.block_number, log.index)
            if not first <= log.block_number <= last or not self.matches(log):
                raise NodeError("the node gives logs that were not asked for", "logs_inconsistent", "eth_getLogs")
            if here <= before:
                raise NodeError("the node gives logs out of order or twice", "logs_inconsistent", "eth_getLogs")
            if hashes.setdefault(log.block_number, log.block_hash) != log.block_hash:
                raise NodeError("the node gives logs of two chains", "logs_inconsistent", "eth_getLogs")
            before = here
        return logs

    def check_block(self, logs: list[Log], block: Digest) -> list[Log]:
        """The logs, which are all of that block.

        Raises:
            NodeError: `logs_inconsistent`.
        """
        if any(each.block_hash != block for each in logs):
            raise NodeError("the node gives another block's logs", "logs_inconsistent", "eth_getLogs")
        return self.check(logs, 0, 2**64)

    def check_headers(self, logs: Iterable[Log], headers: Mapping[int, Block]) -> None:
        """All logs are of these blocks, by number.

        Raises:
            NodeError: `logs_inconsistent`.
        """
        for log in logs:
            header = headers.get(log.block_number)
            if header is None or header.hash != log.block_hash:
                raise NodeError("the node gives logs of another chain", "logs_inconsistent", "eth_getLogs")

    def may_match(self, block: Block) -> bool:
        """Whether the block may hold wanted logs, by its bloom filter; True where it has none."""
        if not block.logs_bloom:
            return True
        bloom = int.from_bytes(block.logs_bloom)
        return all(any(bloom & mask == mask for mask in group) for group in self._masks)

    @cached_property
    def _masks(self) -> list[list[int]]:
        groups: list[Sequence[bytes]] = [self.addresses] if self.addresses else []
        groups += [each for each in self.topics if each is not None]
        return [[_mask(value) for value in group] for group in groups]


def _mask(value: bytes) -> int:
    """The three bits of a value. Source: Ethereum yellow paper 4.3.1 (M3:2048)."""
    hashed = _core.keccak256(value)
    bits = (int.from_bytes(hashed[at : at + 2]) & 2_047 for at in (0, 2, 4))
    mask = 0
    for bit in bits:
        mask |= 1 << bit
    return mask
