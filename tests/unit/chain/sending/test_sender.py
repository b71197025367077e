"""Each write is mined once, whoever else uses the key, whatever the node does to answers; fees stay under the caps."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from chartseal.attestation import Digest, LocalSigner, checksum_address, to_hex
from chartseal.chain.calls import Receipt, Write
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.rpc.node import AsyncNode, Node
from chartseal.chain.sending.fees import GWEI, FeePolicy, Fees, GasPolicy
from chartseal.chain.sending.outbox import Draft, Outbox, SendPolicy
from chartseal.chain.sending.sender import AsyncSender, Sender, batches
from chartseal.chain.sending.transactions import Transaction, transaction_hash
from chartseal.errors import ChainError, NodeError, RevertError, SendError
from tests.chain import Local
from tests.rpc_proxy import Call, Fault, RpcProxy, always, once, seeded

_WORKER = Path(__file__).resolve().parents[3] / "sending_worker.py"


@pytest.fixture
def eas(local: Local) -> Bound:
    return Contract.load("eas").at(local.deployment.eas)


@pytest.fixture
def proxy(local: Local) -> Iterator[RpcProxy]:
    with RpcProxy(local.url, delay=0.3) as running:
        yield running


@pytest.fixture
def paused(local: Local) -> Iterator[Local]:
    """The chain, which mines when it is told to."""
    local.node.request("evm_setAutomine", [False])
    yield local
    local.node.request("anvil_dropAllTransactions")
    local.node.request("evm_setAutomine", [True])
    local.node.request("evm_mine")


def root() -> Digest:
    return Digest(secrets.token_bytes(32))


def nonce(local: Local, at: int, tag: str = "latest") -> int:
    return int(local.node.request("eth_getTransactionCount", [to_hex(local.keys[at].address), tag]), 16)


def timestamped(local: Local, eas: Bound, roots: list[Digest]) -> bool:
    return all(local.node.read_many([eas.read("getTimestamp", each) for each in roots]))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_several_are_sent_in_few_round_trips(local: Local, eas: Bound, proxy: RpcProxy) -> None:
    sender = Sender(Node(proxy.url), local.keys[0])
    _ = sender.node.chain_id
    roots, before, asked = [root() for _ in range(100)], nonce(local, 0), proxy.exchanges
    receipts = sender.send_many([eas.write("timestamp", each) for each in roots])
    assert [eas.events_in(each, "Timestamped")[0]["data"] for each in receipts] == roots
    assert nonce(local, 0) == before + 100
    # Estimates and fees; the nonce; the transactions; then receipts, as often as it takes.
    assert proxy.exchanges - asked <= 3 + proxy.seen["eth_getTransactionReceipt"] // 100 + 1


def test_a_window_is_waited_for_before_the_next(local: Local, eas: Bound) -> None:
    sender = Sender(local.node, local.keys[0], policy=SendPolicy(window=7))
    roots = [root() for _ in range(20)]
    assert len(sender.send_many([eas.write("timestamp", each) for each in roots], gas=60_000)) == 20
    assert timestamped(local, eas, roots)


def test_nothing_is_sent_where_an_estimate_is_refused(local: Local, eas: Bound) -> None:
    made, before = root(), nonce(local, 0)
    local.sender().send(eas.write("timestamp", made))
    writes = [eas.write("timestamp", each) for each in (root(), made, root())]
    with pytest.raises(RevertError) as caught:
        local.sender().send_many(writes)
    assert caught.value.code == "eas_already_timestamped"
    assert caught.value.path.startswith("write 1")
    assert nonce(local, 0) == nonce(local, 0, "pending") == before + 1


def test_a_revert_when_mined_keeps_no_other_back(local: Local, eas: Bound) -> None:
    made, others = root(), [root(), root()]
    local.sender().send(eas.write("timestamp", made))
    writes = [eas.write("timestamp", each) for each in (others[0], made, others[1])]
    first, second, third = local.sender().send_each(writes, gas=60_000)
    assert isinstance(second, RevertError)
    assert second.name == "AlreadyTimestamped"
    assert isinstance(first, Receipt)
    assert isinstance(third, Receipt)
    with pytest.raises(RevertError):
        local.sender().send_many(writes[1:2], gas=60_000)
    with pytest.raises(RevertError) as caught:
        local.sender().send(eas.write("timestamp", root()), gas=30_000)
    assert caught.value.code == "out_of_gas"


def test_what_a_node_refuses_leaves_no_gap(local: Local, eas: Bound) -> None:
    roots, before = [root() for _ in range(3)], nonce(local, 1)
    sender = local.sender(1)
    outcomes = sender.send_each([eas.write("timestamp", each) for each in roots], gas=[60_000, 2**25, 60_000])
    assert [isinstance(each, Receipt) for each in outcomes] == [True, False, True]
    assert isinstance(outcomes[1], SendError)
    assert outcomes[1].code == "gas_over_cap"
    assert nonce(local, 1) == before + 3  # the gap was filled
    last = sender.send_each([eas.write("timestamp", root())], gas=2**25)[0]
    assert isinstance(last, SendError)
    assert nonce(local, 1, "pending") == before + 3  # after the last there is none
    with pytest.raises(ValueError, match="gas"):
        sender.send_many([eas.write("timestamp", root())], gas=[1, 2])


def test_an_account_without_funds(local: Local, eas: Bound) -> None:
    poor = Sender(local.node, LocalSigner(b"\x77" * 32))
    with pytest.raises(SendError) as caught:
        poor.send(eas.write("timestamp", root()), gas=60_000)
    assert caught.value.code == "funds_short"


def test_fees_over_the_cap_are_not_paid(local: Local, eas: Bound) -> None:
    before = nonce(local, 0)
    cheap = Sender(local.node, local.keys[0], fees=FeePolicy(max_fee_per_gas=1))
    with pytest.raises(SendError) as caught:
        cheap.send(eas.write("timestamp", root()))
    assert caught.value.code == "fees_over_cap"
    narrow = Sender(local.node, local.keys[0], gas=GasPolicy(cap=30_000))
    with pytest.raises(SendError) as caught:
        narrow.send(eas.write("timestamp", root()))
    assert caught.value.code == "gas_over_cap"
    assert nonce(local, 0, "pending") == before


def test_many_threads_share_a_key(local: Local, eas: Bound, proxy: RpcProxy) -> None:
    before, roots = nonce(local, 2), [root() for _ in range(200)]
    shared = Sender(local.node, local.keys[2])

    def work(at: int) -> None:
        # Half of them have a sender of their own, through another connection.
        sender = shared if at % 2 else Sender(Node(proxy.url), local.keys[2])
        for each in roots[at::8]:
            sender.send(eas.write("timestamp", each))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert timestamped(local, eas, roots)
    assert nonce(local, 2) == before + 200


@pytest.mark.long
def test_processes_share_a_key(local: Local, eas: Bound, drill_scale: float) -> None:
    before, count = nonce(local, 3), max(15, int(400 * drill_scale))
    arguments = [local.url, local.deployment.eas.hex(), "3", str(count)]
    workers = [
        subprocess.Popen([sys.executable, str(_WORKER), *arguments, together], stdout=subprocess.PIPE, text=True)
        for together in ("1", "1", "5")
    ]
    outputs = [worker.communicate(timeout=250)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    roots = [Digest(bytes.fromhex(line)) for output in outputs for line in output.split()]
    assert len(set(roots)) == 3 * count
    assert timestamped(local, eas, roots)
    assert nonce(local, 3) == before + 3 * count


@pytest.mark.parametrize(
    "fault",
    [
        Fault.BODY_LIMITED,
        Fault.CUT_OFF,
        Fault.DROPPED,
        Fault.FAILED,
        Fault.LIMITED,
        Fault.MISSING,
        Fault.TIMEOUT,
        Fault.TRUNCATED,
        Fault.WRONG_ID,
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_an_answer_that_is_lost_sends_nothing_twice(
    local: Local, eas: Bound, proxy: RpcProxy, fault: Fault, count: int
) -> None:
    before, roots = nonce(local, 0), [root() for _ in range(count)]
    proxy.script = once("eth_sendRawTransaction", fault)
    sender = Sender(Node(proxy.url, timeout=0.2), local.keys[0])
    assert len(sender.send_many([eas.write("timestamp", each) for each in roots], gas=60_000)) == count
    assert proxy.done[fault] >= 1
    assert timestamped(local, eas, roots)
    assert nonce(local, 0) == nonce(local, 0, "pending") == before + count


@pytest.mark.long
def test_random_faults_lose_and_double_nothing(local: Local, eas: Bound, proxy: RpcProxy, drill_scale: float) -> None:
    count = max(30, 6 * int(50 * drill_scale))
    before, roots = nonce(local, 1), [root() for _ in range(count)]
    faults = (Fault.DROPPED, Fault.LIMITED, Fault.FAILED, Fault.TRUNCATED, Fault.WRONG_ID, Fault.LAGGING)
    proxy.script, proxy.lag = seeded(5, dict.fromkeys(faults, 0.01)), 2
    sender = Sender(Node(proxy.url, attempts=30), local.keys[1])
    for at in range(0, count, 6):
        sender.send_many([eas.write("timestamp", each) for each in roots[at : at + 6]], gas=60_000)
    assert len(proxy.done) >= 2
    assert timestamped(local, eas, roots)
    assert nonce(local, 1) == before + count


def test_a_node_down_before_anything_is_sent(local: Local, eas: Bound, proxy: RpcProxy) -> None:
    proxy.script = always("eth_getTransactionCount", Fault.FAILED)
    with pytest.raises(NodeError) as caught:
        Sender(Node(proxy.url, attempts=2), local.keys[0]).send(eas.write("timestamp", root()))
    assert caught.value.code == "node_failed"
    assert proxy.seen["eth_sendRawTransaction"] == 0


def sent_aside(sender: Sender, write: Write[Receipt]) -> tuple[threading.Thread, list[Receipt | ChainError]]:
    """Send in a thread; its outcome comes into the list."""
    found: list[Receipt | ChainError] = []
    thread = threading.Thread(target=lambda: found.append(sender.send_each([write], gas=60_000)[0]))
    thread.start()
    return thread, found


def test_a_stuck_transaction_is_replaced(paused: Local, eas: Bound) -> None:
    before, made = nonce(paused, 0), root()
    sender = Sender(paused.node, paused.keys[0], policy=SendPolicy(patience=0.3))
    thread, found = sent_aside(sender, eas.write("timestamp", made))
    until(lambda: nonce(paused, 0, "pending") == before + 1)
    [first] = _pool(paused, 0)
    # Its fees no longer reach: blocks are mined without it.
    paused.node.request("anvil_setNextBlockBaseFeePerGas", [hex(20 * GWEI)])
    paused.node.request("evm_mine")
    assert nonce(paused, 0) == before
    until(lambda: any(int(each["maxFeePerGas"], 16) > 20 * GWEI for each in _pool(paused, 0)))
    paused.node.request("evm_mine")
    thread.join(10)
    [receipt] = found
    assert isinstance(receipt, Receipt)
    mined = paused.node.request("eth_getTransactionByHash", [to_hex(receipt.tx_hash)])
    assert mined["nonce"] == first["nonce"]
    assert mined["hash"] != first["hash"]
    for part in ("maxFeePerGas", "maxPriorityFeePerGas"):
        assert int(mined[part], 16) >= int(first[part], 16) * 9 / 8
    assert timestamped(paused, eas, [made])
    assert nonce(paused, 0) == nonce(paused, 0, "pending") == before + 1


def _pool(local: Local, at: int) -> list[dict[str, Any]]:
    pool = local.node.request("txpool_content")
    found: list[dict[str, Any]] = []
    for part in ("pending", "queued"):
        for address, by_nonce in pool[part].items():
            if address.lower() == to_hex(local.keys[at].address):
                found += by_nonce.values()
    return found


def test_replacing_stops_at_the_cap(paused: Local, eas: Bound) -> None:
    base = paused.node.block().base_fee or 0
    cap = 2 * base + 4 * GWEI
    policy = SendPolicy(patience=0.05, timeout=1.5)
    sender = Sender(paused.node, paused.keys[0], fees=FeePolicy(max_fee_per_gas=cap), policy=policy)
    [outcome] = sender.send_each([eas.write("timestamp", root())], gas=60_000)
    assert isinstance(outcome, SendError)
    assert outcome.code == "not_mined"
    [last] = _pool(paused, 0)
    assert cap * 0.88 < int(last["maxFeePerGas"], 16) <= cap


def outbox(local: Local, at: int, **policy: Any) -> Outbox:
    return Outbox(local.node.dialogue, local.keys[at], FeePolicy(), GasPolicy(), SendPolicy(**policy))


def under_way(local: Local, box: Outbox, write: Write[Any]) -> Draft:
    [draft] = local.node.carry(box.drafts([write], [60_000]))
    local.node.carry(box.broadcast([draft]))
    return draft


def test_a_write_mined_under_an_older_hash_is_known_by_it(paused: Local, eas: Bound) -> None:
    before, box = nonce(paused, 0), outbox(paused, 0, patience=0)
    draft = under_way(paused, box, eas.write("timestamp", root()))
    paused.node.carry(box._hasten([draft]))
    older, newer = draft.raws
    assert [each["hash"] for each in _pool(paused, 0)] == [to_hex(newer)]
    paused.node.request("anvil_dropTransaction", [to_hex(newer)])
    paused.node.request("eth_sendRawTransaction", [to_hex(draft.raws[older])])
    paused.node.request("evm_mine")
    assert paused.node.carry(box.watch([draft])) == []
    assert draft.receipt is not None
    assert draft.receipt.tx_hash == older
    assert nonce(paused, 0) == before + 1


def test_a_nonce_that_another_worker_took_is_proved_before_another_is_used(paused: Local, eas: Bound) -> None:
    before, made, box = nonce(paused, 0), root(), outbox(paused, 0)
    draft = under_way(paused, box, eas.write("timestamp", made))
    # Another process, which saw no pending nonce of ours and pays more.
    other = root()
    data = eas.write("timestamp", other).data
    fees = Fees(10 * draft.fees.max_fee, 10 * (draft.fees.tip or 0))
    raw = Transaction(31_337, before, fees, 60_000, eas.address, 0, data).signed(paused.keys[0])
    paused.node.request("eth_sendRawTransaction", [to_hex(raw)])
    for _ in range(5):
        paused.node.request("evm_mine")
    assert paused.node.carry(box.watch([draft])) == [draft]
    assert draft.raws == {}
    paused.node.carry(box.broadcast([draft]))
    assert draft.nonce == before + 1
    paused.node.request("evm_mine")
    assert paused.node.carry(box.watch([draft])) == []
    assert timestamped(paused, eas, [made, other])
    assert nonce(paused, 0) == before + 2


def test_a_receipt_that_is_late_is_waited_for(local: Local, eas: Bound, proxy: RpcProxy) -> None:
    before = nonce(local, 0)

    # The account's count comes from a node that is ahead of the one that gives receipts.
    def script(call: Call) -> Fault | None:
        return Fault.LAGGING if call.method == "eth_getTransactionReceipt" and call.number < 4 else None

    proxy.script, proxy.lag = script, 1
    Sender(Node(proxy.url), local.keys[0]).send(eas.write("timestamp", root()))
    assert proxy.seen["eth_getTransactionReceipt"] == 5
    assert nonce(local, 0) == before + 1


def test_a_node_without_history_never_lets_a_write_be_sent_anew(local: Local, eas: Bound, proxy: RpcProxy) -> None:
    def script(call: Call) -> Fault | None:
        if call.method == "eth_getTransactionReceipt" and call.number < 3:
            return Fault.LAGGING
        old = call.method == "eth_getTransactionCount" and call.params[1].startswith("0x")
        whole = call.method == "eth_getBlockByNumber" and call.params[1]
        return Fault.REFUSED if old or whole else None

    before, (proxy.script, proxy.lag) = nonce(local, 0), (script, 1)
    Sender(Node(proxy.url), local.keys[0]).send(eas.write("timestamp", root()), gas=60_000)
    assert proxy.seen["eth_sendRawTransaction"] == 1
    assert nonce(local, 0) == before + 1


def test_a_mined_transaction_that_a_reorganisation_undid_is_sent_again(local: Local, eas: Bound) -> None:
    made, before = root(), nonce(local, 0)
    sender = Sender(local.node, local.keys[0], policy=SendPolicy(patience=0.2, confirmations=2))
    thread, found = sent_aside(sender, eas.write("timestamp", made))
    until(lambda: nonce(local, 0) == before + 1)
    undone = local.node.block()
    local.node.request("anvil_reorg", [1, []])
    assert not found
    until(lambda: nonce(local, 0) == before + 1)
    local.node.request("anvil_mine", [hex(2)])
    thread.join(10)
    [receipt] = found
    assert isinstance(receipt, Receipt)
    assert receipt.block_hash != undone.hash
    assert local.node.block(receipt.block_number).hash == receipt.block_hash
    assert timestamped(local, eas, [made])
    assert nonce(local, 0) == before + 1


def test_a_mined_transaction_that_is_only_young_is_not_stuck(local: Local, eas: Bound, proxy: RpcProxy) -> None:
    before = nonce(local, 0)
    sender = Sender(Node(proxy.url), local.keys[0], policy=SendPolicy(patience=0.1, confirmations=1))
    thread, found = sent_aside(sender, eas.write("timestamp", root()))
    until(lambda: nonce(local, 0) == before + 1)
    until(lambda: proxy.seen["eth_getTransactionReceipt"] > 9)
    assert not found
    local.node.request("evm_mine")
    thread.join(10)
    assert isinstance(found[0], Receipt)
    assert proxy.seen["eth_sendRawTransaction"] == 1
    assert proxy.seen["eth_feeHistory"] == 1


def test_waiting_for_what_somebody_sent(local: Local, eas: Bound) -> None:
    receipt = local.sender().send(eas.write("timestamp", root()))
    assert local.sender(1).wait(receipt.tx_hash) == receipt
    local.node.request("anvil_mine", [hex(3)])
    assert local.sender().wait(receipt.tx_hash, confirmations=3) == receipt
    hasty = Sender(local.node, local.keys[0], policy=SendPolicy(timeout=0.1))
    for tx_hash, confirmations in ((receipt.tx_hash, 4), (root(), 0)):
        with pytest.raises(SendError) as caught:
            hasty.wait(tx_hash, confirmations=confirmations)
        assert caught.value.code == "not_mined"


def test_without_blocking_it_is_the_same(local: Local, eas: Bound, proxy: RpcProxy) -> None:
    before, roots = nonce(local, 1), [root() for _ in range(30)]
    proxy.script = once("eth_sendRawTransaction", Fault.DROPPED, times=2)

    async def work() -> None:
        async with AsyncNode(proxy.url) as node:
            sender = AsyncSender(node, local.keys[1])
            assert sender.address == local.keys[1].address
            receipts = await sender.send_many([eas.write("timestamp", each) for each in roots[:10]])
            assert await sender.wait(receipts[0].tx_hash) == receipts[0]
            await asyncio.gather(*(sender.send(eas.write("timestamp", each)) for each in roots[10:]))
            with pytest.raises(RevertError) as caught:
                await sender.send(eas.write("timestamp", roots[0]), gas=60_000)
            assert caught.value.name == "AlreadyTimestamped"

    asyncio.run(work())
    assert timestamped(local, eas, roots)
    assert nonce(local, 1) == before + 31


@pytest.mark.parametrize("deploys", [False, True])
@pytest.mark.parametrize("tip", [None, GWEI])
def test_bytes_are_those_of_eth_account(eas: Bound, tip: int | None, deploys: bool) -> None:
    secret = b"\x46" * 32
    price = {"gasPrice": 2 * GWEI} if tip is None else {"maxFeePerGas": 2 * GWEI, "maxPriorityFeePerGas": tip}
    members = {
        "chainId": 31_337,
        "nonce": 9,
        "gas": 21_000,
        "value": 10**18,
        "data": "0x" if deploys else "0xdeadbeef00",
        **price,
        **({} if deploys else {"to": checksum_address(eas.address)}),
    }
    to, data = (None, b"") if deploys else (eas.address, bytes.fromhex("deadbeef00"))
    raw = Transaction(31_337, 9, Fees(2 * GWEI, tip), 21_000, to, 10**18, data).signed(LocalSigner(secret))
    theirs = Account.sign_transaction({**members, **({} if tip is None else {"type": 2})}, secret)
    assert raw == bytes(theirs.raw_transaction)
    assert transaction_hash(raw) == bytes(theirs.hash)


def test_legacy_transactions_are_mined(local: Local, eas: Bound) -> None:
    made = root()
    data = eas.write("timestamp", made).data
    transaction = Transaction(31_337, nonce(local, 1), Fees(3 * GWEI, None), 60_000, eas.address, 0, data)
    raw = transaction.signed(local.keys[1])
    local.node.request("eth_sendRawTransaction", [to_hex(raw)])
    assert local.sender(1).wait(transaction_hash(raw)).succeeded
    assert timestamped(local, eas, [made])


def test_items_are_split_under_a_gas_budget() -> None:
    gas = {"a": 3, "b": 4, "c": 5, "d": 10, "e": 1}
    assert list(batches(list("abcde"), gas.__getitem__, 10)) == [["a", "b"], ["c"], ["d"], ["e"]]
    assert list(batches([], gas.__getitem__, 10)) == []
    assert list(batches(list("ab"), gas.__getitem__, 7)) == [["a", "b"]]
    assert list(batches(list("ab"), gas.__getitem__, 6)) == [["a"], ["b"]]
    with pytest.raises(SendError) as caught:
        list(batches(list("ad"), gas.__getitem__, 9))
    assert caught.value.code == "gas_over_cap"
