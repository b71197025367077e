"""A node that misbehaves ends in one typed error, or in an answer of another try, and never shows its URL."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from chartseal.attestation import Digest
from chartseal.chain.calls import Log
from chartseal.chain.contract import Contract
from chartseal.chain.rpc import answers
from chartseal.chain.rpc.answers import block
from chartseal.chain.rpc.exchange import Reply, _retry_after
from chartseal.chain.rpc.jsonrpc import Query, encode, outcomes
from chartseal.chain.rpc.node import AsyncNode, Node
from chartseal.errors import ChainError, NodeError, RevertError, SendError
from tests.chain import Local
from tests.rpc_proxy import Call, Fault, RpcProxy, Script, always, never, once, seeded

_ERRORS = {
    Fault.TIMEOUT: "node_timeout",
    Fault.SLOW: "node_timeout",
    Fault.LIMITED: "node_limited",
    Fault.FAILED: "node_failed",
    Fault.DROPPED: "node_unreachable",
    Fault.TRUNCATED: "node_truncated",
    Fault.CUT_OFF: "node_unreachable",
    Fault.OVERSIZED: "node_oversized",
    Fault.NOT_JSON: "node_truncated",
    Fault.WRONG_ID: "node_mismatched",
    Fault.MISSING: "node_incomplete",
    Fault.BODY_LIMITED: "node_limited",
    Fault.REFUSED: "node_refused",
}
_STAYING = {Fault.OVERSIZED, Fault.REFUSED}
_TWO: list[tuple[str, list[str]]] = [("eth_blockNumber", []), ("eth_chainId", [])]


@pytest.fixture
def proxy(local: Local) -> Iterator[RpcProxy]:
    with RpcProxy(local.url, delay=0.3, oversize=2**21) as running:
        yield running


def impatient(proxy: RpcProxy, attempts: int = 1) -> Node:
    return Node(proxy.url, timeout=0.15, attempts=attempts, largest=2**20)


@pytest.mark.parametrize("fault", list(_ERRORS))
def test_each_fault_is_one_typed_error(proxy: RpcProxy, fault: Fault) -> None:
    node = impatient(proxy)
    proxy.script = always("eth_blockNumber", fault)
    with pytest.raises(NodeError) as caught:
        node.batch(_TWO)
    assert caught.value.code == _ERRORS[fault]


@pytest.mark.parametrize("fault", sorted(set(_ERRORS) - _STAYING))
def test_what_passes_is_tried_again(proxy: RpcProxy, local: Local, fault: Fault) -> None:
    proxy.script = once("eth_blockNumber", fault, times=2)
    node = Node(proxy.url, timeout=0.15, attempts=3)
    assert int(node.batch(_TWO)[0], 16) == local.node.block().number
    assert proxy.seen["eth_blockNumber"] == 3


@pytest.mark.parametrize("fault", sorted(_STAYING))
def test_what_stays_is_not_tried_again(proxy: RpcProxy, fault: Fault) -> None:
    proxy.script = always("eth_blockNumber", fault)
    with pytest.raises(NodeError):
        Node(proxy.url, attempts=3, largest=2**20).request("eth_blockNumber")
    assert proxy.seen["eth_blockNumber"] == 1


@pytest.mark.parametrize("fault", [Fault.BODY_LIMITED, Fault.MISSING])
def test_of_a_batch_only_what_failed_is_asked_again(proxy: RpcProxy, fault: Fault) -> None:
    proxy.script = once("eth_blockNumber", fault)
    calls: list[tuple[str, list[str]]] = [("eth_gasPrice", []), ("eth_blockNumber", []), ("eth_gasPrice", [])]
    first, number, third = Node(proxy.url).batch(calls)
    assert first == third
    assert first != number
    assert (proxy.seen["eth_gasPrice"], proxy.seen["eth_blockNumber"]) == (2, 2)


def test_answers_are_matched_by_id(proxy: RpcProxy) -> None:
    proxy.script = always("eth_chainId", Fault.SHUFFLED)
    assert Node(proxy.url).batch([*_TWO, ("eth_gasPrice", [])])[1] == hex(31_337)


def test_a_batch_that_is_refused_is_halved(proxy: RpcProxy) -> None:
    def script(call: Call) -> Fault | None:
        return Fault.NO_BATCHES

    proxy.script = script
    node = Node(proxy.url)
    assert node.batch([("eth_chainId", [])] * 5) == [hex(31_337)] * 5
    asked = proxy.exchanges
    node.batch([("eth_chainId", [])] * 5)
    assert proxy.exchanges - asked == 5  # what it takes is remembered


def test_batches_are_split(proxy: RpcProxy) -> None:
    node = Node(proxy.url)
    _ = node.chain_id
    asked = proxy.exchanges
    assert len(node.batch([("eth_chainId", [])] * 1_200)) == 1_200
    assert proxy.exchanges - asked == 3


def test_retry_after_is_honoured(proxy: RpcProxy) -> None:
    proxy.script, proxy.retry_after = once("eth_gasPrice", Fault.LIMITED), "1"
    started = time.monotonic()
    Node(proxy.url).request("eth_gasPrice")
    assert time.monotonic() - started >= 1


def test_retry_after_is_seconds_or_a_date_and_bounded() -> None:
    assert _retry_after("7") == 7
    assert _retry_after("7200") == 60
    assert _retry_after("soon") is None
    assert _retry_after(None) is None
    assert _retry_after(format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)) == 0
    soon = _retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    assert soon is not None
    assert 25 < soon <= 30


def test_a_node_of_another_chain_is_refused(proxy: RpcProxy) -> None:
    proxy.script = once("eth_chainId", Fault.WRONG_CHAIN)
    node = Node(proxy.url, chain_id=31_337)
    with pytest.raises(NodeError) as caught:
        node.request("eth_blockNumber")
    assert caught.value.code == "chain_wrong"
    assert proxy.seen["eth_blockNumber"] == 0
    assert node.chain_id == 31_337  # the wrong answer is not kept


@pytest.mark.parametrize("url", ["ftp://node.example/", "node.example:8545", "http://", "http://[::1", ""])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(NodeError) as caught:
        Node(url)
    assert caught.value.code == "node_url"


@pytest.mark.parametrize("fault", sorted(_ERRORS))
def test_the_url_is_in_no_error_and_no_log(proxy: RpcProxy, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    proxy.script = always("eth_blockNumber", fault)
    with caplog.at_level(logging.INFO), pytest.raises(NodeError) as caught:
        impatient(proxy, 2).request("eth_blockNumber")
    seen: BaseException | None = caught.value
    chain = []
    while seen is not None:
        chain += [repr(seen), *map(repr, seen.args)]
        seen = seen.__cause__ or seen.__context__
    text = " ".join([*chain, *traceback.format_exception(caught.value), caplog.text, repr(impatient(proxy))])
    assert "secret-key" not in text
    assert "127.0.0.1" in str(caught.value) or "eth_blockNumber" in str(caught.value)


def test_nobody_listens(proxy: RpcProxy) -> None:
    proxy.stop()
    with pytest.raises(NodeError) as caught:
        Node(proxy.url, attempts=2).request("eth_blockNumber")
    assert caught.value.code == "node_unreachable"
    assert "secret-key" not in "".join(traceback.format_exception(caught.value))


def test_a_read_at_a_hash_is_of_that_state(local: Local) -> None:
    eas = Contract.load("eas").at(local.deployment.eas)
    before, root = local.node.block(), Digest(b"\x21" * 32)
    local.sender().send(eas.write("timestamp", root))
    after = local.node.block()
    read = eas.read("getTimestamp", root)
    assert local.node.read(read, before.hash) == local.node.read(read, before.number) == 0
    assert local.node.read(read, after.hash) == after.timestamp
    assert local.node.block(after.hash) == after


def test_a_read_at_a_hash_that_the_chain_left_is_refused(local: Local) -> None:
    eas = Contract.load("eas").at(local.deployment.eas)
    root = Digest(b"\x22" * 32)
    local.sender().send(eas.write("timestamp", root))
    gone = local.node.block()
    read = eas.read("getTimestamp", root)
    local.node.request("anvil_reorg", [1, []])
    with pytest.raises(NodeError) as caught:
        Node(local.url, attempts=2).read(read, gone.hash)
    assert caught.value.code == "block_unknown"
    assert local.node.read(read) == 0


def test_a_node_that_lags_does_not_answer_of_older_state(local: Local, proxy: RpcProxy) -> None:
    eas = Contract.load("eas").at(local.deployment.eas)
    root = Digest(b"\x23" * 32)
    local.sender().send(eas.write("timestamp", root))
    head = local.node.block()
    read = eas.read("getTimestamp", root)
    proxy.script, proxy.lag = always("eth_call", Fault.LAGGING), 1
    assert Node(proxy.url).read(read) == 0  # what `latest` is worth
    with pytest.raises(NodeError) as caught:
        Node(proxy.url, attempts=2).read(read, head.hash)
    assert caught.value.code == "block_unknown"
    proxy.script = _first(Fault.LAGGING, 2)
    assert Node(proxy.url).read(read, head.hash) == head.timestamp
    assert Node(proxy.url).read(read, head.number) == head.timestamp


def _first(fault: Fault, times: int) -> Script:
    left = [times]

    def script(call: Call) -> Fault | None:
        left[0] -= call.method == "eth_call"
        return fault if call.method == "eth_call" and left[0] >= 0 else None

    return script


def test_a_block_that_is_not_there(local: Local) -> None:
    node = Node(local.url, attempts=1)
    for which in (10**6, Digest(b"\x01" * 32)):
        with pytest.raises(NodeError) as caught:
            node.block(which)
        assert caught.value.code == "block_unknown"


def test_another_block_than_asked_is_refused(local: Local) -> None:
    answer = local.node.request("eth_getBlockByNumber", ["0x1", False])
    assert answers.block(answer, 1).number == 1
    for other in (2, Digest(bytes(32))):
        with pytest.raises(NodeError) as caught:
            answers.block(answer, other)
        assert caught.value.code == "node_mismatched"


def test_random_faults_change_no_answer(local: Local, proxy: RpcProxy) -> None:
    head = local.node.block().number
    expected = local.node.blocks(list(range(head + 1)))
    faults = (Fault.LIMITED, Fault.FAILED, Fault.TRUNCATED, Fault.DROPPED, Fault.WRONG_ID, Fault.MISSING)
    proxy.script = seeded(7, dict.fromkeys((*faults, Fault.BODY_LIMITED, Fault.LAGGING), 0.01))
    node = Node(proxy.url, attempts=30)
    for _ in range(20):
        assert node.blocks(list(range(head + 1))) == expected
    assert len(proxy.done) >= 5


@pytest.mark.parametrize("fault", [Fault.LIMITED, Fault.TIMEOUT, Fault.TRUNCATED, Fault.OVERSIZED, Fault.DROPPED])
def test_without_blocking_it_is_the_same(local: Local, proxy: RpcProxy, fault: Fault) -> None:
    async def ask(attempts: int) -> tuple[int, list[Log]]:
        async with AsyncNode(proxy.url, chain_id=31_337, timeout=0.15, attempts=attempts, largest=2**20) as node:
            number = (await node.block()).number
            assert await node.chain_id() == int(await node.request("eth_chainId"), 16)
            eas = Contract.load("eas").at(local.deployment.eas)
            assert await node.read(eas.read("getTimestamp", bytes(32))) == 0
            assert await node.receipt(Digest(bytes(32))) is None
            return number, await node.logs([eas.address], [], 0, number)

    async def fails() -> NodeError:
        with pytest.raises(NodeError) as caught:
            await ask(1)
        return caught.value

    proxy.script = always("eth_getBlockByNumber", fault)
    error = asyncio.run(fails())
    assert error.code == _ERRORS[fault]
    assert "secret-key" not in "".join(traceback.format_exception(error))
    proxy.script = never if fault is Fault.OVERSIZED else _once_more(proxy, fault)
    number, logs = asyncio.run(ask(3))
    assert number == local.node.block().number
    assert logs == local.node.logs([local.deployment.eas], [], 0, number)


def _once_more(proxy: RpcProxy, fault: Fault) -> Script:
    already = proxy.seen["eth_getBlockByNumber"]
    return lambda call: fault if call.method == "eth_getBlockByNumber" and call.number == already else None


def test_an_event_loop_is_not_blocked(proxy: RpcProxy) -> None:
    proxy.script, proxy.delay = always("eth_gasPrice", Fault.SLOW), 0.3

    async def both() -> float:
        async with AsyncNode(proxy.url) as node:
            await node.chain_id()
            started = time.monotonic()
            await asyncio.gather(*(node.request("eth_gasPrice") for _ in range(5)))
            return time.monotonic() - started

    assert asyncio.run(both()) < 1.0


def said(method: str, code: int, message: str, data: object = None) -> ChainError:
    """What we make of a node's error object."""
    error = {"code": code, "message": message, **({} if data is None else {"data": data})}
    query = Query(method, [{}])
    assert json.loads(encode([query], 5))["id"] == 5
    body = json.dumps({"jsonrpc": "2.0", "id": 5, "error": error}).encode()
    [found] = outcomes(Reply(200, body), [query], 5, "host")
    assert isinstance(found, ChainError)
    return found


@pytest.mark.parametrize(
    ("method", "code", "message", "expected"),
    [
        # geth, Erigon, Nethermind, Besu, Reth, anvil, and what providers put before them
        ("eth_call", -32000, "header not found", "block_unknown"),
        ("eth_call", -32000, "hash 0x12 is not currently canonical", "block_unknown"),
        ("eth_call", -32001, "Resource not found", "block_unknown"),
        ("eth_call", -32602, "BlockOutOfRangeError: block height is 14 but requested was 1000", "block_unknown"),
        ("eth_getLogs", -32000, "unknown block", "block_unknown"),
        ("eth_getLogs", -32005, "query returned more than 10000 results", "logs_too_many"),
        ("eth_getLogs", -32602, "Log response size exceeded. You can make eth_getLogs requests with", "logs_too_many"),
        ("eth_getLogs", -32614, "eth_getLogs is limited to a 10,000 range", "logs_too_many"),
        ("eth_getLogs", -32000, "exceed maximum block range: 50000", "logs_too_many"),
        ("eth_getLogs", -32000, "query timeout exceeded", "logs_too_many"),
        ("eth_getLogs", 429, "Your app has exceeded its compute units per second capacity", "node_limited"),
        ("eth_call", -32005, "daily request count exceeded, request rate limited", "node_limited"),
        ("eth_call", -32000, "insufficient funds for transfer", "funds_short"),
        ("eth_estimateGas", -32000, "gas required exceeds allowance (30000000)", "gas_over_cap"),
        ("eth_sendRawTransaction", -32000, "nonce too low: next nonce 5, tx nonce 4", "nonce_too_low"),
        ("eth_sendRawTransaction", -32010, "OldNonce, Current nonce: 5, nonce of rejected tx: 4", "nonce_too_low"),
        ("eth_sendRawTransaction", -32001, "Nonce too low", "nonce_too_low"),
        ("eth_sendRawTransaction", -32000, "already known", "tx_known"),
        ("eth_sendRawTransaction", -32003, "transaction already imported", "tx_known"),
        ("eth_sendRawTransaction", -32000, "Known transaction", "tx_known"),
        ("eth_sendRawTransaction", -32000, "replacement transaction underpriced", "replacement_underpriced"),
        ("eth_sendRawTransaction", -32000, "transaction underpriced: tip needed 1, got 0", "tx_underpriced"),
        ("eth_sendRawTransaction", -32000, "max fee per gas less than block base fee", "fees_below_base"),
        ("eth_sendRawTransaction", -32000, "insufficient funds for gas * price + value", "funds_short"),
        ("eth_sendRawTransaction", -32004, "Upfront cost exceeds account balance", "funds_short"),
        ("eth_sendRawTransaction", -32000, "exceeds block gas limit", "gas_over_cap"),
        ("eth_sendRawTransaction", -32000, "rlp: element is larger than containing list", "tx_refused"),
        ("eth_sendRawTransaction", -32005, "rate limit exceeded", "node_limited"),
        ("eth_getBalance", -32601, "the method does not exist", "node_refused"),
    ],
)
def test_refusals_in_many_words(method: str, code: int, message: str, expected: str) -> None:
    error = said(method, code, message)
    assert error.code == expected
    assert message not in str(error)
    assert isinstance(error, SendError if method == "eth_sendRawTransaction" and code != -32005 else ChainError)


@pytest.mark.parametrize("code", [3, -32000, -32015])
def test_a_revert_is_one_wherever_it_is_said(code: int) -> None:
    assert isinstance(said("eth_call", code, "execution reverted"), RevertError)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "node_truncated"),
        (b"[]", "node_incomplete"),
        (b"[1]", "node_malformed"),
        (b'"text"', "node_truncated"),
        (b'{"jsonrpc":"2.0","id":true,"result":1}', "node_mismatched"),
        (b'{"jsonrpc":"2.0","id":"5","result":1}', "node_mismatched"),
        (b'{"jsonrpc":"2.0","id":5}', "node_malformed"),
        (b'{"jsonrpc":"2.0","id":5,"error":"x"}', "node_refused"),
        (b'{"jsonrpc":"2.0","id":5,"result":1,"result":2}', "node_truncated"),
        (b"[" * 10_000, "node_truncated"),
    ],
)
def test_answers_that_are_none(body: bytes, expected: str) -> None:
    try:
        [found] = outcomes(Reply(200, body), [Query("eth_chainId", [])], 5, "host")
    except NodeError as error:
        found = error
    assert isinstance(found, NodeError)
    assert found.code == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, "node_refused"),
        (401, "node_refused"),
        (404, "node_refused"),
        (408, "node_timeout"),
        (413, "batch_refused"),
        (429, "node_limited"),
        (500, "node_failed"),
        (502, "node_failed"),
        (504, "node_timeout"),
    ],
)
def test_statuses(status: int, expected: str) -> None:
    with pytest.raises(NodeError) as caught:
        outcomes(Reply(status, b"no"), [Query("eth_chainId", [])], 1, "host")
    assert caught.value.code == expected


def test_an_error_in_json_counts_whatever_the_status() -> None:
    body = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"header not found"}}'
    [found] = outcomes(Reply(400, body), [Query("eth_call", [{}])], 1, "host")
    assert isinstance(found, NodeError)
    assert found.code == "block_unknown"


@pytest.mark.parametrize("member", ["number", "timestamp"])
def test_a_block_beyond_any_calendar_is_refused(member: str) -> None:
    header = {"number": "0x1", "hash": "0x" + "11" * 32, "parentHash": "0x" + "22" * 32, "timestamp": "0x3afff4417f"}
    assert block(header, "latest").time.year == 9999
    for text in ("0x3afff44180", "0x-1", "0x1_0"):
        with pytest.raises(NodeError) as caught:
            block({**header, member: text}, "latest")
        assert caught.value.code == "node_malformed"
