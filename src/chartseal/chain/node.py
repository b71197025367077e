"""One chain's node over JSON-RPC: requests, batches, typed answers.

    node = Node("http://127.0.0.1:8545", chain_id=31337)
    node.read(Contract.load("eas").at(deployment.eas).read("getTimestamp", root))

A node that cannot be reached, limits us, answers nonsense or for another chain raises NodeError: nothing follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import requests
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from web3.providers.rpc import HTTPProvider
from web3.types import RPCEndpoint

from chartseal.attestation import Address, Digest, from_hex, to_hex
from chartseal.chain.calls import Block, Log, Read, Receipt
from chartseal.errors import NodeError, PackageError, RevertError

T = TypeVar("T")
Which = int | str
"""A block's number, or `latest`, `pending`, `finalized`, `safe`, `earliest`."""

_PASSING = {"node_unreachable", "node_limited", "node_failed", "node_truncated"}
"""Codes of faults that another try may not meet."""


class Node:
    """A connection to one node of one chain, safe to share between threads."""

    def __init__(self, url: str, *, chain_id: int | None = None, timeout: float = 20, attempts: int = 5) -> None:
        """Connect lazily; with `chain_id`, a node of another chain is refused at the first request.

        `timeout` is in seconds for one request, `attempts` counts tries of one that fails in passing.
        """
        self._provider = HTTPProvider(url, {"timeout": timeout}, exception_retry_configuration=None)
        self._expected = chain_id
        self._chain_id: int | None = None
        self._attempts = attempts
        self.host = urlsplit(url).hostname or ""
        """What errors may name: the rest of the URL may hold a key."""

    @property
    def chain_id(self) -> int:
        """The chain's id, asked once.

        Raises:
            NodeError: `chain_wrong` where another was expected.
        """
        if self._chain_id is None:
            found = _number(self._retried([("eth_chainId", [])])[0], "eth_chainId")
            if self._expected not in (None, found):
                raise NodeError(f"the node is of chain {found}, not {self._expected}", "chain_wrong", self.host)
            self._chain_id = found
        return self._chain_id

    def request(self, method: str, params: Sequence[Any] = ()) -> Any:
        """One request's result.

        Raises:
            NodeError: no answer, or none that may be relied on.
            RevertError: a contract refused the call.
        """
        return self.batch([(method, params)])[0]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Results of several requests in one round trip, in their order.

        Raises:
            NodeError, RevertError: as `request`, for the first that fails.
        """
        _ = self.chain_id
        return self._retried(calls)

    def _retried(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        if not calls:
            return []
        for attempt in Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            retry=retry_if_exception(lambda exc: isinstance(exc, NodeError) and exc.code in _PASSING),
            reraise=True,
        ):
            with attempt:
                return self._send(calls)
        raise AssertionError  # reraise leaves no other way out

    def _send(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        try:
            if len(calls) == 1:
                answers = [self._provider.make_request(cast(RPCEndpoint, calls[0][0]), list(calls[0][1]))]
            else:
                made = [(cast(RPCEndpoint, method), list(params)) for method, params in calls]
                answers = cast(list[Any], self._provider.make_batch_request(made))
        except requests.HTTPError as exc:
            status = exc.response.status_code if exc.response is not None else 0
            code = "node_limited" if status == 429 else "node_failed" if status >= 500 else "node_refused"
            raise NodeError(f"the node answers with status {status}", code, self.host) from None
        except requests.RequestException:
            raise NodeError("the node cannot be reached", "node_unreachable", self.host) from None
        except (ValueError, TypeError, KeyError):
            raise NodeError("the node's answer is no JSON-RPC", "node_truncated", self.host) from None
        if not isinstance(answers, list) or len(answers) != len(calls):
            raise NodeError("the node answers something else than was asked", "node_malformed", self.host)
        return [_result(answer, method) for answer, (method, _) in zip(answers, calls, strict=True)]

    def read(self, read: Read[T], block: Which = "latest", *, sender: Address | None = None) -> T:
        """Call a view.

        Raises:
            NodeError, RevertError.
        """
        return self.read_many([read], block, sender=sender)[0]

    def read_many(self, reads: Sequence[Read[T]], block: Which = "latest", *, sender: Address | None = None) -> list[T]:
        """Call several views in one round trip.

        Raises:
            NodeError, RevertError.
        """
        tag = _tag(block)
        from_ = {"from": to_hex(sender)} if sender else {}
        calls = [("eth_call", [{"to": to_hex(each.to), "data": to_hex(each.data), **from_}, tag]) for each in reads]
        answers = self.batch(calls)
        return [each.decode(_bytes(answer, "eth_call")) for each, answer in zip(reads, answers, strict=True)]

    def block(self, which: Which = "latest") -> Block:
        """A block's header.

        Raises:
            NodeError: `block_unknown` where the chain has none such.
        """
        return self.blocks([which])[0]

    def blocks(self, which: Sequence[Which]) -> list[Block]:
        """Several blocks' headers in one round trip.

        Raises:
            NodeError: `block_unknown`.
        """
        answers = self.batch([("eth_getBlockByNumber", [_tag(each), False]) for each in which])
        return [_block(answer) for answer in answers]

    def receipt(self, tx_hash: Digest) -> Receipt | None:
        """A mined transaction's receipt, or None while it is not mined."""
        answer = self.request("eth_getTransactionReceipt", [to_hex(tx_hash)])
        return None if answer is None else _receipt(answer)

    def logs(
        self,
        addresses: Sequence[Address],
        topics: Sequence[Sequence[Digest] | None],
        first: int,
        last: int,
    ) -> list[Log]:
        """Logs of blocks first to last, both included; of each topic any of those given, None for all.

        Raises:
            NodeError: `logs_too_many` where the provider wants a smaller range.
        """
        query = {
            "address": [to_hex(each) for each in addresses],
            "topics": [None if each is None else [to_hex(topic) for topic in each] for each in topics],
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }
        return [_log(each) for each in self.request("eth_getLogs", [query])]


def _tag(which: Which) -> str:
    return hex(which) if isinstance(which, int) else which


def _result(answer: Any, method: str) -> Any:
    if not isinstance(answer, dict):
        raise NodeError("the node's answer is no JSON-RPC", "node_truncated", method)
    error = answer.get("error")
    if error is None:
        if "result" not in answer:
            raise NodeError("the node's answer has neither result nor error", "node_malformed", method)
        return answer["result"]
    message = str(error.get("message", ""))
    if error.get("code") == 3 or "revert" in message:
        raise RevertError("the contract refuses the call", path=method)
    raise NodeError(f"the node refuses the request (code {error.get('code')})", "node_refused", method)


def _number(value: Any, place: str) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise NodeError("expected a number in hex", "node_malformed", place) from None


def _bytes(value: Any, place: str, size: int | None = None) -> bytes:
    try:
        return from_hex(value, place, size)
    except PackageError as exc:
        raise NodeError(exc.detail, "node_malformed", place) from exc


def _block(answer: Any) -> Block:
    if answer is None:
        raise NodeError("the node knows no such block", "block_unknown", "block")
    try:
        return Block(
            number=_number(answer["number"], "block.number"),
            hash=Digest(_bytes(answer["hash"], "block.hash", 32)),
            parent=Digest(_bytes(answer["parentHash"], "block.parentHash", 32)),
            timestamp=_number(answer["timestamp"], "block.timestamp"),
            base_fee=_number(answer["baseFeePerGas"], "block.baseFeePerGas") if answer.get("baseFeePerGas") else None,
            gas_limit=_number(answer.get("gasLimit", "0x0"), "block.gasLimit"),
        )
    except (KeyError, TypeError):
        raise NodeError("a block has not the members of one", "node_malformed", "block") from None


def _receipt(answer: Any) -> Receipt:
    try:
        deployed = answer.get("contractAddress")
        return Receipt(
            tx_hash=Digest(_bytes(answer["transactionHash"], "receipt", 32)),
            block_number=_number(answer["blockNumber"], "receipt.blockNumber"),
            block_hash=Digest(_bytes(answer["blockHash"], "receipt.blockHash", 32)),
            succeeded=_number(answer["status"], "receipt.status") == 1,
            gas_used=_number(answer["gasUsed"], "receipt.gasUsed"),
            contract=Address(_bytes(deployed, "receipt.contractAddress", 20)) if deployed else None,
            logs=tuple(_log(each) for each in answer["logs"]),
        )
    except (KeyError, TypeError, AttributeError):
        raise NodeError("a receipt has not the members of one", "node_malformed", "receipt") from None


def _log(answer: Any) -> Log:
    try:
        return Log(
            address=Address(_bytes(answer["address"], "log.address", 20)),
            topics=tuple(Digest(_bytes(each, "log.topics", 32)) for each in answer["topics"]),
            data=_bytes(answer["data"], "log.data"),
            block_number=_number(answer["blockNumber"], "log.blockNumber"),
            block_hash=Digest(_bytes(answer["blockHash"], "log.blockHash", 32)),
            tx_hash=Digest(_bytes(answer["transactionHash"], "log.transactionHash", 32)),
            index=_number(answer["logIndex"], "log.logIndex"),
        )
    except (KeyError, TypeError):
        raise NodeError("a log has not the members of one", "node_malformed", "log") from None
