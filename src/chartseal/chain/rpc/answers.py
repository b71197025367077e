"""A node's answers, read into what they mean, each checked to be of what was asked."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from chartseal.attestation import Address, Digest, from_hex
from chartseal.chain.calls import Block, Log, Receipt
from chartseal.errors import NodeError, PackageError

_LARGEST_NUMBER = 66
"""Characters: 0x and 32 bytes."""
_NUMBER = re.compile("0x[0-9a-fA-F]+", re.ASCII)
_LATEST = 253_402_300_799
"""9999-12-31T23:59:59Z, in seconds: the last moment that a date can say."""


def number(value: Any, place: str) -> int:
    """A quantity in hex.

    Raises:
        NodeError: `node_malformed`.
    """
    if isinstance(value, str) and len(value) <= _LARGEST_NUMBER and _NUMBER.fullmatch(value):
        return int(value[2:], 16)
    raise NodeError("expected a number in hex", "node_malformed", place)


def data(value: Any, place: str, size: int | None = None) -> bytes:
    """Bytes in hex.

    Raises:
        NodeError: `node_malformed`.
    """
    # A log holds nine of these: what is well formed is read at once, the rest is left to say what is wrong with it.
    try:
        found = bytes.fromhex(value[2:])
        if value[:2] == "0x" and 2 * len(found) + 2 == len(value) and size in (None, len(found)):
            return found
        return from_hex(value, place, size)
    except (TypeError, ValueError):
        raise NodeError("expected hex bytes with 0x", "node_malformed", place) from None
    except PackageError as exc:
        raise NodeError(exc.detail, "node_malformed", place) from exc


@lru_cache(maxsize=4_096)
def _repeated(value: Any, place: str, size: int) -> bytes:
    """`data` of what stands in one log after the other: addresses, topics, blocks, transactions."""
    return data(value, place, size)


def block(answer: Any, asked: int | str | bytes) -> Block:
    """A block's header, which is of the number or hash that was asked for.

    Raises:
        NodeError: `block_unknown` where there is none, `node_mismatched` for another, `node_malformed`.
    """
    if answer is None:
        raise NodeError("the node knows no such block", "block_unknown", "block")
    try:
        found = Block(
            number=number(answer["number"], "block.number"),
            hash=Digest(data(answer["hash"], "block.hash", 32)),
            parent=Digest(data(answer["parentHash"], "block.parentHash", 32)),
            timestamp=number(answer["timestamp"], "block.timestamp"),
            base_fee=number(answer["baseFeePerGas"], "block.baseFeePerGas") if answer.get("baseFeePerGas") else None,
            gas_limit=number(answer.get("gasLimit", "0x0"), "block.gasLimit"),
            logs_bloom=data(answer["logsBloom"], "block.logsBloom", 256) if answer.get("logsBloom") else b"",
        )
    except (KeyError, TypeError, AttributeError):
        raise NodeError("a block has not the members of one", "node_malformed", "block") from None
    if max(found.number, found.timestamp) > _LATEST:
        raise NodeError("a block's number or time is beyond any calendar", "node_malformed", "block")
    if asked not in (found.number, found.hash) and not isinstance(asked, str):
        raise NodeError("the node answers with another block", "node_mismatched", "block")
    return found


def receipt(answer: Any, asked: Digest) -> Receipt | None:
    """The receipt of that transaction; None while it is not mined.

    Raises:
        NodeError: `node_mismatched` for another's, `node_malformed`.
    """
    if answer is None or (isinstance(answer, dict) and answer.get("blockHash", "") is None):
        return None  # some nodes give a receipt without a block while the transaction is pending
    try:
        deployed = answer.get("contractAddress")
        found = Receipt(
            tx_hash=Digest(data(answer["transactionHash"], "receipt", 32)),
            block_number=number(answer["blockNumber"], "receipt.blockNumber"),
            block_hash=Digest(data(answer["blockHash"], "receipt.blockHash", 32)),
            succeeded=number(answer["status"], "receipt.status") == 1,
            gas_used=number(answer["gasUsed"], "receipt.gasUsed"),
            contract=Address(data(deployed, "receipt.contractAddress", 20)) if deployed else None,
            logs=tuple(log(each) for each in answer["logs"]),
        )
    except (KeyError, TypeError, AttributeError):
        raise NodeError("a receipt has not the members of one", "node_malformed", "receipt") from None
    if found.tx_hash != asked:
        raise NodeError("the node answers with another receipt", "node_mismatched", "receipt")
    return found


def log(answer: Any) -> Log:
    """One log that stands.

    Raises:
        NodeError: `logs_inconsistent` for one that was undone, `node_malformed`.
    """
    try:
        if answer.get("removed"):
            raise NodeError("the node gives a log that was undone", "logs_inconsistent", "log")
        return Log(
            address=Address(_repeated(answer["address"], "log.address", 20)),
            topics=tuple([Digest(_repeated(each, "log.topics", 32)) for each in answer["topics"]]),
            data=data(answer["data"], "log.data"),
            block_number=number(answer["blockNumber"], "log.blockNumber"),
            block_hash=Digest(_repeated(answer["blockHash"], "log.blockHash", 32)),
            tx_hash=Digest(_repeated(answer["transactionHash"], "log.transactionHash", 32)),
            index=number(answer["logIndex"], "log.logIndex"),
        )
    except (KeyError, TypeError, AttributeError):
        raise NodeError("a log has not the members of one", "node_malformed", "log") from None


def logs(answer: Any) -> list[Log]:
    """A list of logs.

    Raises:
        NodeError: as `log`.
    """
    if not isinstance(answer, list):
        raise NodeError("logs are a list", "node_malformed", "logs")
    return [log(each) for each in answer]
