"""Logs of any range, whatever the provider's limits; answers that cannot be all of them are not believed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest
from eth_bloom.bloom import BloomFilter

from chartseal.attestation import Digest, from_hex, to_hex
from chartseal.chain.calls import Block, Log
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.rpc.logs import (
    LogFilter,
    RangeSize,
    complete_logs,
    complete_logs_async,
    log_ranges,
    log_ranges_async,
)
from chartseal.chain.rpc.node import AsyncNode, Node
from chartseal.errors import NodeError
from tests.chain import Local
from tests.rpc_proxy import Call, Fault, RpcProxy, Script, always, never, once, seeded

COUNT = 60


@pytest.fixture(scope="module")
def eas(local: Local) -> Bound:
    """EAS with COUNT timestamps, a block each."""
    bound = Contract.load("eas").at(local.deployment.eas)
    sender = local.sender()
    for _ in range(COUNT):  # together they might be mined in one block
        sender.send(bound.write("timestamp", secrets.token_bytes(32)), gas=60_000)
    return bound


@pytest.fixture
def wanted(eas: Bound) -> LogFilter:
    return LogFilter.of([eas.address], [[eas.contract.events["Timestamped"].topic]])


@pytest.fixture
def proxy(local: Local) -> Iterator[RpcProxy]:
    with RpcProxy(local.url) as running:
        yield running


def all_logs(node: Node, wanted: LogFilter, size: RangeSize | None = None) -> list[Log]:
    found: list[Log] = []
    expected = 0
    for part in log_ranges(node, wanted, 0, node.block().number, size=size):
        assert part.first == expected
        expected = part.last + 1
        found += part.logs
    assert expected == node.block().number + 1
    return found


def at_most(blocks: int, fault: Fault = Fault.LOGS_TOO_MANY) -> Script:
    """A provider that takes ranges of so many blocks."""

    def script(call: Call) -> Fault | None:
        if call.method != "eth_getLogs":
            return None
        query = call.params[0]
        return fault if int(query["toBlock"], 16) - int(query["fromBlock"], 16) >= blocks else None

    return script


@pytest.mark.parametrize("fault", [Fault.LOGS_TOO_MANY, Fault.OVERSIZED, Fault.TIMEOUT])
@pytest.mark.parametrize("limit", [1, 7, 1_000])
def test_ranges_shrink_to_what_the_provider_takes(
    local: Local, proxy: RpcProxy, wanted: LogFilter, limit: int, fault: Fault
) -> None:
    if fault is Fault.TIMEOUT and limit == 1:
        limit = 16  # each refusal takes its time
    proxy.script, proxy.delay, proxy.oversize = at_most(limit, fault), 0.2, 2**19 + 2**18
    node = Node(proxy.url, timeout=0.15 if fault is Fault.TIMEOUT else 5, largest=2**19)
    found = all_logs(node, wanted)
    assert len(found) == COUNT
    assert found == local.node.logs(wanted.addresses, wanted.topics, 0, local.node.block().number)
    assert [(each.block_number, each.index) for each in found] == sorted((e.block_number, e.index) for e in found)


def test_a_single_block_that_is_refused_is_an_error(proxy: RpcProxy, wanted: LogFilter) -> None:
    proxy.script = always("eth_getLogs", Fault.LOGS_TOO_MANY)
    with pytest.raises(NodeError) as caught:
        list(log_ranges(Node(proxy.url), wanted, 0, 5))
    assert caught.value.code == "logs_too_many"


def test_sizes_grow_again_but_not_at_once_past_what_was_refused() -> None:
    size = RangeSize(100, 1_000)
    size.answered(100)
    assert size.blocks == 200
    assert size.refused(200)
    assert size.blocks == 100
    size.answered(100)
    assert size.blocks == 199
    size.answered(7)  # the end of what was wanted
    assert size.blocks == 199
    for _ in range(40):
        size.answered(size.blocks)
    assert size.blocks == 1_000
    assert not RangeSize(1).refused(1)


@pytest.mark.parametrize(
    "fault",
    [Fault.LOGS_SHUFFLED, Fault.LOGS_DOUBLED, Fault.LOGS_FOREIGN, Fault.LOGS_REMOVED, Fault.LAGGING],
)
def test_logs_that_contradict_themselves_are_not_believed(
    local: Local, proxy: RpcProxy, wanted: LogFilter, fault: Fault
) -> None:
    last = local.node.block().number
    proxy.script = (lambda _: fault) if fault is Fault.LAGGING else always("eth_getLogs", fault)
    with pytest.raises(NodeError) as caught:
        Node(proxy.url, attempts=2).logs(wanted.addresses, wanted.topics, 0, last)
    assert caught.value.code == ("block_unknown" if fault is Fault.LAGGING else "logs_inconsistent")
    already = proxy.done[fault]
    proxy.script = lambda _: fault if proxy.done[fault] < already + 2 else None
    assert len(Node(proxy.url).logs(wanted.addresses, wanted.topics, 0, last)) == COUNT


def headers(local: Local) -> list[Block]:
    return local.node.blocks(list(range(local.node.block().number + 1)))


@pytest.mark.parametrize("fault", [Fault.LOGS_MISSING, Fault.LAGGING])
def test_missing_logs_are_found_by_the_blocks_filters(
    local: Local, proxy: RpcProxy, wanted: LogFilter, fault: Fault
) -> None:
    def script(call: Call) -> Fault | None:
        return fault if call.method == "eth_getLogs" and "fromBlock" in call.params[0] else None

    known = headers(local)
    everything = local.node.logs(wanted.addresses, wanted.topics, 0, known[-1].number)
    proxy.script = script
    node = Node(proxy.url)
    assert len(node.logs(wanted.addresses, wanted.topics, 0, known[-1].number)) < COUNT
    assert complete_logs(node, wanted, known) == everything
    proxy.script = never
    assert complete_logs(node, wanted, known, twice=True) == everything


def test_with_a_second_look_both_answers_must_agree(local: Local, proxy: RpcProxy, eas: Bound) -> None:
    sender, known = local.sender(), local.node.block().number
    roots = [secrets.token_bytes(32) for _ in range(3)]
    sender.send(eas.write("multiTimestamp", roots))
    wanted = LogFilter.of([eas.address])
    block = [local.node.block(known + 1)]
    assert len(complete_logs(local.node, wanted, block, twice=True)) == 3
    proxy.script = once("eth_getLogs", Fault.LOGS_MISSING)  # one of the block's three: its filter cannot tell
    node = Node(proxy.url)
    assert len(complete_logs(node, wanted, block)) == 2
    proxy.script = lambda call: Fault.LOGS_MISSING if "fromBlock" in str(call.params) else None
    with pytest.raises(NodeError) as caught:
        complete_logs(node, wanted, block, twice=True)
    assert caught.value.code == "logs_inconsistent"


def test_logs_are_of_the_headers_that_were_given(local: Local, wanted: LogFilter) -> None:
    known = headers(local)
    other = [replace(known[-1], hash=Digest(b"\x07" * 32))]
    with pytest.raises(NodeError) as caught:
        complete_logs(Node(local.url, attempts=1), LogFilter.of(wanted.addresses), other)
    assert caught.value.code == "logs_inconsistent"
    with pytest.raises(ValueError, match="follow"):
        complete_logs(local.node, wanted, [known[0], known[2]])
    assert complete_logs(local.node, wanted, []) == []


def test_filters_of_blocks_never_pass_over_a_log(local: Local, eas: Bound, wanted: LogFilter) -> None:
    topics = eas.contract.events
    other = LogFilter.of([eas.address], [[topics["RevokedOffchain"].topic]])
    either = LogFilter.of([], [[topics["RevokedOffchain"].topic, topics["Timestamped"].topic]])
    known = headers(local)
    holding = {each.block_number for each in local.node.logs(wanted.addresses, wanted.topics, 0, known[-1].number)}
    assert {each.number for each in known if wanted.may_match(each)} >= holding
    assert {each.number for each in known if either.may_match(each)} >= holding
    assert not any(other.may_match(each) for each in known)
    assert all(other.may_match(replace(each, logs_bloom=b"")) for each in known)


def test_filters_are_those_of_eth_bloom() -> None:
    values = [secrets.token_bytes(32) for _ in range(40)]
    theirs = BloomFilter.from_iterable(values[:20])
    block = Block(1, Digest(bytes(32)), Digest(bytes(32)), 0, logs_bloom=int(theirs).to_bytes(256))
    assert [LogFilter.of([], [[Digest(value)]]).may_match(block) for value in values] == [v in theirs for v in values]
    assert LogFilter.of([], [[Digest(values[30]), Digest(values[0])], None, [Digest(values[1])]]).may_match(block)


def test_random_faults_lose_no_log(local: Local, proxy: RpcProxy, wanted: LogFilter) -> None:
    known = headers(local)
    everything = local.node.logs(wanted.addresses, wanted.topics, 0, known[-1].number)
    of_logs = (Fault.LOGS_SHUFFLED, Fault.LOGS_DOUBLED, Fault.LOGS_FOREIGN, Fault.LOGS_MISSING)
    whole = (Fault.LIMITED, Fault.TRUNCATED, Fault.WRONG_ID)
    proxy.script = seeded(11, dict.fromkeys(of_logs, 0.006) | dict.fromkeys(whole, 0.002))
    node = Node(proxy.url, attempts=12)
    for _ in range(8):
        assert complete_logs(node, wanted, known, twice=True) == everything
    assert len(proxy.done) >= 4


def test_without_blocking_it_is_the_same(local: Local, proxy: RpcProxy, wanted: LogFilter) -> None:
    proxy.script = at_most(7)
    known = headers(local)

    async def ask() -> tuple[list[Log], list[Log]]:
        async with AsyncNode(proxy.url) as node:
            found: list[Log] = []
            async for part in log_ranges_async(node, wanted, 0, known[-1].number):
                found += part.logs
            return found, await complete_logs_async(node, wanted, known)

    in_parts, complete = asyncio.run(ask())
    assert in_parts == complete == local.node.logs(wanted.addresses, wanted.topics, 0, known[-1].number)


def test_filters_read_as_nodes_want_them(eas: Bound) -> None:
    topic = Digest(b"\x01" * 32)
    assert LogFilter.of([], [None, [topic]]).to_json() == {"topics": [None, [to_hex(topic)]]}
    members = LogFilter.of([eas.address]).to_json()
    assert members["topics"] == []
    assert from_hex(members["address"][0], "address") == eas.address
