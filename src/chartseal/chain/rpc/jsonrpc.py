"""JSON-RPC 2.0 as nodes speak it: requests with ids, answers matched to them, refusals sorted by what they mean.

Nodes say most things in words; what is looked for in them stands here. Their words never enter a message of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chartseal import _json
from chartseal.chain.rpc.exchange import Reply
from chartseal.chain.rpc.reverts import revert_of
from chartseal.errors import ChainError, NodeError, SendError

PASSING = frozenset(
    {
        "node_unreachable",
        "node_timeout",
        "node_limited",
        "node_failed",
        "node_truncated",
        "node_mismatched",
        "node_incomplete",
        "block_unknown",
        "logs_inconsistent",
    }
)
"""Codes of faults that another try may not meet."""

_LIMITED = re.compile(
    r"\brate\b.*\blimit|rate.?limit|too many requests|request (count|rate)|compute units|throughput|\bcapacity\b"
    r"|\bbusy\b|overloaded|\b429\b",
    re.I,
)
_UNKNOWN_BLOCK = re.compile(
    r"(header|block)( \w+)? not found|unknown block|could not find (the )?block|not (currently )?canonical"
    r"|block.?out.?of.?range|block height|block.* (is )?not (yet )?available|block not processed|no such block",
    re.I,
)
_TOO_MANY = re.compile(
    r"\brange\b|\bresults?\b|response size|too (many|large|wide|big)|exceed|limited to|time.?d? ?out|query returned",
    re.I,
)
_SENDING = (
    ("nonce_too_low", re.compile(r"nonce.*(too low|below)|oldnonce|old nonce|invalid nonce|nonce expired", re.I)),
    ("tx_known", re.compile(r"already (known|imported)|alreadyknown|known transaction", re.I)),
    ("replacement_underpriced", re.compile(r"replacement", re.I)),
    ("tx_underpriced", re.compile(r"underpriced|fee ?too ?low|below (the )?(configured )?minimum", re.I)),
    ("fees_below_base", re.compile(r"less than block base ?fee|below (block )?base ?fee", re.I)),
    ("funds_short", re.compile(r"insufficient funds|insufficient.*balance|exceeds.*balance", re.I)),
    ("gas_over_cap", re.compile(r"gas ?limit|exceeds.*gas|gas.*(too high|exceeds)", re.I)),
)
"""Refusals of eth_sendRawTransaction, by geth, anvil, Erigon, Nethermind, Besu and Reth."""
_OUT_OF_GAS = re.compile(r"gas required exceeds|out of gas|intrinsic gas too high", re.I)
_REVERTED = re.compile(r"revert|vm execution error|invalid opcode|bad instruction", re.I)
_RUNNING = frozenset({"eth_call", "eth_estimateGas"})


@dataclass(frozen=True, slots=True)
class Query:
    """One request, and how its result is read; reading may raise NodeError."""

    method: str
    params: Sequence[Any] = field(repr=False)
    read: Callable[[Any], Any] = field(default=lambda result: result, repr=False)


class BusyNodeError(NodeError):
    """A node that cannot answer now, with the seconds that the node asks us to wait."""

    retry_after: float | None = None


def encode(queries: Sequence[Query], first_id: int) -> bytes:
    """The request's text: an object for one, a batch for several; ids ascend from `first_id`."""
    made = [
        {"jsonrpc": "2.0", "id": first_id + at, "method": query.method, "params": list(query.params)}
        for at, query in enumerate(queries)
    ]
    return json.dumps(made[0] if len(made) == 1 else made, separators=(",", ":")).encode()


def outcomes(reply: Reply, queries: Sequence[Query], first_id: int, host: str) -> list[Any]:
    """For each query what it read, or the ChainError that it ended in.

    Raises:
        NodeError: nothing of the answer can be used; `batch_refused` where smaller ones may pass.
    """
    answers = _answers(reply, host)
    if isinstance(answers, dict):
        if len(queries) > 1:
            raise _whole_refusal(answers, host)
        answers = [answers]
    found = _by_id(answers, range(first_id, first_id + len(queries)), host)
    return [_outcome(found.get(first_id + at), query, host) for at, query in enumerate(queries)]


def _answers(reply: Reply, host: str) -> Any:
    """The answer's JSON; some nodes send errors in it with a status of failure."""
    if reply.status == 429:
        error = BusyNodeError("the node limits our requests", "node_limited", host)
        error.retry_after = reply.retry_after
        raise error
    try:
        answers = _json.loads(reply.body)
    except ValueError:
        answers = None
    if isinstance(answers, (list, dict)) and (reply.status == 200 or _is_rpc(answers)):
        return answers
    raise _status_error(reply, host)


def _is_rpc(answers: Any) -> bool:
    members = answers if isinstance(answers, list) else [answers]
    return bool(members) and all(isinstance(each, dict) and "jsonrpc" in each for each in members)


def _status_error(reply: Reply, host: str) -> NodeError:
    if reply.status == 200:
        return NodeError("the node's answer is no JSON-RPC", "node_truncated", host)
    code = "node_refused"
    if reply.status in (408, 504):
        code = "node_timeout"
    elif reply.status >= 500:
        code = "node_failed"
    elif reply.status in (400, 413):
        code = "batch_refused"
    error = BusyNodeError(f"the node answers with status {reply.status}", code, host)
    error.retry_after = reply.retry_after
    return error


def _whole_refusal(answer: dict[str, Any], host: str) -> ChainError:
    error = answer.get("error")
    if not isinstance(error, dict):
        return NodeError("the node answers a batch with something else", "node_malformed", host)
    if _LIMITED.search(_words(error)):
        return NodeError("the node limits our requests", "node_limited", host)
    return NodeError("the node refuses a batch", "batch_refused", host)


def _by_id(answers: list[Any], ids: range, host: str) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for answer in answers:
        if not isinstance(answer, dict):
            raise NodeError("the node's answer is no JSON-RPC", "node_malformed", host)
        number = answer.get("id")
        if len(ids) == 1 and number is None and "error" in answer:
            number = ids[0]  # a request that could not even be read is answered so
        if not isinstance(number, int) or isinstance(number, bool) or number not in ids or number in found:
            raise NodeError("the node answers something else than was asked", "node_mismatched", host)
        found[number] = answer
    return found


def _outcome(answer: dict[str, Any] | None, query: Query, host: str) -> Any:
    if answer is None:
        return NodeError("the node leaves out an answer", "node_incomplete", host)
    error = answer.get("error")
    if error is not None:
        return _refusal(error if isinstance(error, dict) else {}, query.method)
    if "result" not in answer:
        return NodeError("the node's answer has neither result nor error", "node_malformed", query.method)
    try:
        return query.read(answer["result"])
    except ChainError as exc:
        return exc


def _words(error: dict[str, Any]) -> str:
    message, data = error.get("message"), error.get("data")
    words = message if isinstance(message, str) else ""
    return (words + " " + data if isinstance(data, str) and not data.startswith("0x") else words)[:2_000]


def _refusal(error: dict[str, Any], method: str) -> ChainError:
    """What an error object means for a request of that method."""
    words, number = _words(error), error.get("code")
    known = number if isinstance(number, int) and not isinstance(number, bool) else 0
    if method in _RUNNING and (known == 3 or _REVERTED.search(words)):
        return revert_of(error, method)
    if known == 429 or _LIMITED.search(words):
        return NodeError("the node limits our requests", "node_limited", method)
    if method == "eth_sendRawTransaction":
        return _send_refusal(words, known, method)
    if known == -32001 or _UNKNOWN_BLOCK.search(words):  # EIP-1474: resource not found
        return NodeError("the node does not know the block", "block_unknown", method)
    if method == "eth_getLogs" and (known == -32005 or _TOO_MANY.search(words)):
        return NodeError("the node wants a smaller range of blocks", "logs_too_many", method)
    if method in _RUNNING and _OUT_OF_GAS.search(words):
        return SendError("the call needs more gas than may be used", "gas_over_cap", method)
    if known == -32005:
        return NodeError("the node limits our requests", "node_limited", method)
    if method in _RUNNING and re.search("insufficient funds", words, re.I):
        return SendError("the account cannot pay for it", "funds_short", method)
    return NodeError(f"the node refuses the request (code {known})", "node_refused", method)


def _send_refusal(words: str, number: int, method: str) -> ChainError:
    for code, pattern in _SENDING:
        if pattern.search(words):
            if code == "funds_short":
                return SendError("the account cannot pay for it", code, method)
            return SendError(f"the node does not take the transaction (code {number})", code, method)
    return SendError(f"the node refuses the transaction (code {number})", "tx_refused", method)
