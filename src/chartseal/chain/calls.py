"""What is asked of a chain and what comes back, without any connection: reads, writes, receipts, logs, blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from chartseal.attestation import Address, Digest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Log:
    """One event of a mined transaction; `topics[0]` says which."""

    address: Address
    topics: tuple[Digest, ...]
    data: bytes = field(repr=False)
    block_number: int
    block_hash: Digest
    tx_hash: Digest
    index: int
    """Position among all logs of the block."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction; `succeeded` is false where it reverted."""

    tx_hash: Digest
    block_number: int
    block_hash: Digest
    succeeded: bool
    gas_used: int
    contract: Address | None
    """What it deployed."""
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One block's header; `timestamp` in Unix seconds."""

    number: int
    hash: Digest
    parent: Digest
    timestamp: int
    base_fee: int | None = None
    """Wei per gas, where the chain has EIP-1559."""
    gas_limit: int = 0
    logs_bloom: bytes = field(default=b"", repr=False)
    """A filter over addresses and topics of all its logs, 256 bytes; empty where the node gives none."""

    @property
    def time(self) -> datetime:
        """When it was made, aware."""
        return datetime.fromtimestamp(self.timestamp, UTC)


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """A call that changes nothing: what to call (None runs `data` as creation code), and how to read the answer."""

    to: Address | None
    data: bytes = field(repr=False)
    decode: Callable[[bytes], T] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Write(Generic[T]):
    """A transaction to be sent: what to call (None deploys `data`), and how to read its receipt."""

    to: Address | None
    data: bytes = field(repr=False)
    decode: Callable[[Receipt], T] = field(repr=False)
    value: int = 0
    """Wei."""
