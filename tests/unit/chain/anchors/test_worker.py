"""The worker before a real chain: who sent a timestamp, what died and what was reorganised must not matter."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, select

from chartseal.attestation import Digest, to_hex
from chartseal.chain.anchors import (
    AnchorQueue,
    Recount,
    Step,
    open_queue,
    reading,
    recount,
    writing,
)
from chartseal.chain.anchors.tables import BATCH, FINAL, MINED, SENT
from chartseal.chain.calls import Write
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.outbox import SendPolicy
from chartseal.chain.sending.sender import Sender
from chartseal.errors import ChainError, DeploymentError, RevertError, SendError
from tests.anchoring import records, timestamps, total, with_finality, worker
from tests.chain import Local
from tests.rpc_proxy import Call, Fault, RpcProxy, always, never, once, seeded

T = TypeVar("T")


HASTY = SendPolicy(patience=0.5, timeout=1)


class Killed(BaseException):
    """What no code catches."""


class Meddling(Sender):
    """A sender to which something happens before or after it sends."""

    def __init__(self, sender: Sender, before: Callable[[], None] = lambda: None, *, dies: bool = False) -> None:
        super().__init__(sender.node, sender.signer)
        self.before, self.dies = before, dies

    def send(self, write: Write[T], *, gas: int | None = None) -> T:
        self.before()
        self.before = lambda: None
        result = super().send(write, gas=gas)
        if self.dies:
            raise Killed
        return result


@pytest.fixture
def own(tmp_path: Path) -> Engine:
    return open_queue(str(tmp_path / "own.db"))


def fill(engine: Engine, deployment: Deployment, batches: int = 1) -> list[Digest]:
    """Batches of a few leaves each; their roots."""
    queue, roots = AnchorQueue(deployment.domain()), []
    for _ in range(batches):
        some = records(deployment.domain(), 2)
        with writing(engine) as connection:
            queue.add(connection, some)
            roots += queue.close(connection, now=_now(some), period=None)
    return roots


def _now(some: Sequence[Any]) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(some[0].package.message.time, UTC) + timedelta(days=1)


def states(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(select(BATCH.c.state).order_by(BATCH.c.id)).scalars())


def mine(local: Local, blocks: int) -> None:
    local.node.request("anvil_mine", [hex(blocks)])


def nonce(local: Local, at: int) -> int:
    return int(local.node.request("eth_getTransactionCount", [to_hex(local.keys[at].address), "latest"]), 16)


def timestamp(local: Local, root: Digest, by: int = 3) -> None:
    local.sender(by).send(Contract.load("eas").at(local.deployment.eas).write("timestamp", root))


def test_a_batch_is_sent_mined_and_final_when_blocks_stand_above_it(local: Local, engine: Engine) -> None:
    deployment = with_finality(local.deployment, 3)
    fill(engine, deployment)
    works = worker(engine, local.sender(), deployment)
    assert works.step() == Step(sent=1, mined=1)
    assert states(engine) == [MINED]
    mine(local, 2)
    assert works.step() == Step()
    assert states(engine) == [MINED]
    mine(local, 1)
    assert works.step() == Step(final=1)
    assert states(engine) == [FINAL]
    assert works.step() == Step()
    with reading(engine) as connection:
        row = connection.execute(select(BATCH)).one()
    eas = Contract.load("eas").at(deployment.eas)
    assert row.timestamp == local.node.read(eas.read("getTimestamp", row.root))
    assert local.node.block(row.block_number).hash == row.block_hash
    assert local.node.receipt(row.tx_hash) is not None


def test_several_batches_go_out_in_one_transaction(local: Local, engine: Engine) -> None:
    roots, before = fill(engine, local.deployment, 4), nonce(local, 0)
    assert worker(engine, local.sender(), local.deployment).step() == Step(sent=4, final=4)
    assert nonce(local, 0) == before + 1
    assert set(roots) <= set(timestamps(local.node, local.deployment))


@pytest.mark.parametrize("batches", [1, 3])
def test_what_a_stranger_timestamped_first_costs_nothing(local: Local, own: Engine, batches: int) -> None:
    roots, before = fill(own, local.deployment, batches), nonce(local, 0)
    for root in roots:
        timestamp(local, root)
    assert worker(own, local.sender(), local.deployment).step().final == batches
    assert states(own) == [FINAL] * batches
    assert nonce(local, 0) == before


@pytest.mark.parametrize("batches", [1, 3])
def test_what_a_stranger_timestamps_in_the_same_moment_is_success(local: Local, own: Engine, batches: int) -> None:
    roots = fill(own, local.deployment, batches)
    meddling = Meddling(local.sender(), lambda: timestamp(local, roots[0]))
    assert worker(own, meddling, local.deployment).step().final == batches
    assert states(own) == [FINAL] * batches
    seen = Counter(timestamps(local.node, local.deployment))
    assert [seen[root] for root in roots] == [1] * batches


def test_who_dies_after_sending_finds_the_timestamp_on_the_chain(local: Local, own: Engine) -> None:
    roots = fill(own, local.deployment, 2)
    with suppress(Killed):
        worker(own, Meddling(local.sender(), dies=True), local.deployment).step()
    assert states(own) == [SENT] * 2
    before = nonce(local, 0)
    assert worker(own, local.sender(), local.deployment).step() == Step(final=2)
    assert nonce(local, 0) == before
    assert Counter(timestamps(local.node, local.deployment))[roots[0]] == 1


def test_who_dies_before_sending_leaves_it_to_others_after_the_lease(local: Local, own: Engine) -> None:
    def die() -> None:
        raise Killed

    fill(own, local.deployment)
    with suppress(Killed):
        worker(own, Meddling(local.sender(), die), local.deployment, lease=300).step()
    other = worker(own, local.sender(), local.deployment)
    assert other.step() == Step()
    assert states(own) == [SENT]
    with writing(own) as connection:  # after the lease
        connection.execute(BATCH.update().values(lease_until=BATCH.c.lease_until - 300_000))
    assert other.step() == Step(sent=1, final=1)


def test_a_lease_of_a_clock_that_went_wrong_holds_nothing_up(local: Local, own: Engine) -> None:
    [root] = fill(own, local.deployment)
    other = worker(own, local.sender(), local.deployment)
    now = int(time.time() * 1000)
    for until, step in ((now + 1_800_000, Step()), (now + 86_400_000, Step(sent=1, final=1))):
        with writing(own) as connection:
            connection.execute(BATCH.update().values(state=SENT, lease_until=until))
        assert other.step() == step
    assert Counter(timestamps(local.node, local.deployment))[root] == 1


def test_what_waits_in_the_nodes_pool_is_not_sent_again(local: Local, own: Engine) -> None:
    deployment = local.deployment
    [root] = fill(own, deployment)
    eas = Contract.load("eas").at(deployment.eas)
    local.node.request("evm_setAutomine", [False])
    try:
        thread = threading.Thread(target=local.sender(2).send, args=(eas.write("timestamp", root),))
        thread.start()
        while not local.node.read(eas.read("getTimestamp", root), "pending"):
            pass
        assert worker(own, local.sender(), deployment).step() == Step()
    finally:
        local.node.request("evm_setAutomine", [True])
        mine(local, 1)
    thread.join()
    assert worker(own, local.sender(), deployment).step() == Step(final=1)


@pytest.fixture
def proxy(local: Local) -> Iterator[RpcProxy]:
    with RpcProxy(local.url, delay=0.2) as running:
        yield running


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("eth_getBlockByNumber", Fault.FAILED),
        ("eth_call", Fault.TRUNCATED),
        ("eth_call", Fault.REFUSED),
        ("eth_sendRawTransaction", Fault.DROPPED),
        ("eth_sendRawTransaction", Fault.REFUSED),
        ("eth_getTransactionReceipt", Fault.FAILED),
        ("eth_estimateGas", Fault.FAILED),
    ],
)
def test_a_fault_of_the_node_loses_and_doubles_nothing(
    local: Local, own: Engine, proxy: RpcProxy, method: str, fault: Fault
) -> None:
    [root] = fill(own, local.deployment)
    node = Node(proxy.url, chain_id=local.deployment.chain_id, attempts=1, timeout=5)
    works = worker(own, Sender(node, local.keys[1], policy=HASTY), local.deployment)
    proxy.script = always(method, fault)
    with suppress(ChainError):
        works.step()
    proxy.script = never
    assert total([works.step() for _ in range(3)]).final == 1 or states(own) == [FINAL]
    assert Counter(timestamps(local.node, local.deployment))[root] == 1


def test_random_faults_only_delay(local: Local, own: Engine, proxy: RpcProxy) -> None:
    roots = fill(own, local.deployment, 5)
    faults = (Fault.FAILED, Fault.TRUNCATED, Fault.DROPPED, Fault.MISSING, Fault.LAGGING, Fault.BODY_LIMITED)
    proxy.script = seeded(7, dict.fromkeys(faults, 0.02))
    node = Node(proxy.url, chain_id=local.deployment.chain_id, attempts=1, timeout=5)
    works = worker(own, Sender(node, local.keys[1], policy=HASTY), local.deployment)
    for _ in range(400):
        with suppress(ChainError):
            works.step()
        if states(own) == [FINAL] * 5:
            break
    assert states(own) == [FINAL] * 5
    seen = Counter(timestamps(local.node, local.deployment))
    assert [seen[root] for root in roots] == [1] * 5


def test_a_node_that_lags_undoes_nothing(local: Local, own: Engine, proxy: RpcProxy) -> None:
    deployment = with_finality(local.deployment, 64)
    fill(own, deployment)
    works = worker(own, local.sender(), deployment, lease=300)
    mine(local, 8)
    works.step()
    mine(local, 1)
    works.step()
    node = Node(proxy.url, chain_id=deployment.chain_id)
    proxy.script = lambda _: Fault.LAGGING
    assert worker(own, Sender(node, local.keys[0]), deployment).step() == Step()
    assert states(own) == [MINED]


@pytest.mark.parametrize("depth", [1, 17, 64])
def test_a_reorganised_anchor_is_sent_again(local: Local, own: Engine, depth: int) -> None:
    deployment = with_finality(local.deployment, 64)
    [root] = fill(own, deployment)
    works = worker(own, local.sender(), deployment)
    mine(local, depth)
    snapshot = local.node.request("evm_snapshot")
    assert works.step() == Step(sent=1, mined=1)
    mine(local, depth - 1)  # so that the whole of the branch is as deep
    assert works.step() == Step()
    assert local.node.request("evm_revert", [snapshot])
    mine(local, depth + 1)
    assert root not in timestamps(local.node, deployment)
    step = works.step()
    assert (step.undone, step.sent) == (1, 1)
    assert states(own) == [MINED]
    mine(local, 64)
    assert works.step() == Step(final=1)
    assert timestamps(local.node, deployment).count(root) == 1


def test_a_reorganisation_that_mines_the_anchor_in_another_block_tells_its_new_time(local: Local, own: Engine) -> None:
    deployment = with_finality(local.deployment, 4)
    [root] = fill(own, deployment)
    works = worker(own, local.sender(), deployment)
    snapshot = local.node.request("evm_snapshot")
    works.step()
    assert local.node.request("evm_revert", [snapshot])
    local.node.request("evm_increaseTime", [hex(1000)])
    mine(local, 1)
    timestamp(local, root)
    mine(local, 4)
    assert works.step() == Step(final=1)
    with reading(own) as connection:
        [kept] = connection.execute(select(BATCH.c.timestamp)).scalars()
    assert kept == local.node.read(Contract.load("eas").at(deployment.eas).read("getTimestamp", root))


def test_a_node_without_old_state_tells_what_is_final_too(local: Local, own: Engine, proxy: RpcProxy) -> None:
    deployment = with_finality(local.deployment, 2)
    fill(own, deployment)
    works = worker(own, Sender(Node(proxy.url, attempts=1), local.keys[1]), deployment)
    local.node.request("anvil_setBlockTimestampInterval", [0])  # however slow this machine is
    works.step()

    def forget(call: Call) -> Fault | None:
        is_old = call.params[1:] and call.params[1] != {
            "blockHash": to_hex(local.node.block().hash),
            "requireCanonical": True,
        }
        return Fault.REFUSED if call.method == "eth_call" and is_old else None

    proxy.script = forget
    local.node.request("anvil_mine", [hex(3), hex(0)])  # blocks of one time: which of them it is in, old state tells
    assert works.step() == Step()
    assert proxy.done[Fault.REFUSED] == 1
    local.node.request("anvil_removeBlockTimestampInterval")
    local.node.request("anvil_mine", [hex(3), hex(12)])
    assert works.step() == Step(final=1)
    assert proxy.done[Fault.REFUSED] == 1


def test_workers_at_once_send_each_root_once(local: Local, engine: Engine) -> None:
    roots = fill(engine, local.deployment, 8)
    failures: list[BaseException] = []

    def work(at: int) -> None:
        try:
            for _ in range(3):
                worker(engine, local.sender(at), local.deployment, lease=60).step()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert states(engine) == [FINAL] * 8
    seen = Counter(timestamps(local.node, local.deployment))
    assert [seen[root] for root in roots] == [1] * 8


def test_another_chain_or_contract_is_refused_before_anything_is_closed(local: Local, own: Engine) -> None:
    fill(own, local.deployment)
    for wrong, kind, code in [
        (replace(local.deployment, chain_id=1), DeploymentError, "chain_wrong"),
        (replace(local.deployment, version="1.3.0"), DeploymentError, "contract_wrong"),
        (replace(local.deployment, eas=local.deployment.schema_registry), DeploymentError, "contract_wrong"),
        (replace(local.deployment, eas=local.keys[0].address), DeploymentError, "contract_missing"),
    ]:
        with pytest.raises(kind) as caught:
            worker(own, local.sender(), wrong).step()
        assert caught.value.code == code
    assert states(own) == ["pending"]


def test_a_loop_tells_passing_faults_and_goes_on(local: Local, own: Engine, proxy: RpcProxy) -> None:
    fill(own, local.deployment)
    proxy.script = once("eth_getBlockByNumber", Fault.FAILED)
    node = Node(proxy.url, chain_id=local.deployment.chain_id, attempts=1)
    stop, steps, faults = threading.Event(), list[Step](), list[ChainError]()

    def told(step: Step) -> None:
        steps.append(step)
        if total(steps).final:
            stop.set()

    works = worker(own, Sender(node, local.keys[1], policy=HASTY), local.deployment)
    works.run(stop, every=timedelta(milliseconds=10), told=told, failed=faults.append)
    assert [fault.code for fault in faults] == ["node_failed"]
    assert states(own) == [FINAL]


def test_a_loop_ends_with_a_fault_that_stays(local: Local, own: Engine) -> None:
    works = worker(own, local.sender(), replace(local.deployment, chain_id=1))
    with pytest.raises(DeploymentError) as caught:
        works.run(threading.Event())
    assert caught.value.code == "chain_wrong"


@pytest.mark.parametrize(("code", "again"), [("fees_over_cap", 1), ("not_mined", 0)])
def test_what_was_not_sent_is_tried_again_and_what_may_be_mined_yet_is_left(
    local: Local, own: Engine, code: str, again: int
) -> None:
    def fail() -> None:
        raise SendError("the transaction cannot be sent", code)

    fill(own, local.deployment)
    with pytest.raises(SendError):
        worker(own, Meddling(local.sender(), fail), local.deployment, lease=300).step()
    assert worker(own, local.sender(), local.deployment).step().sent == again
    assert states(own) == [FINAL if again else SENT]


def test_a_root_that_eas_refuses_keeps_no_other_from_being_sent(local: Local, own: Engine) -> None:
    class Refusing(Meddling):
        def send(self, write: Write[T], *, gas: int | None = None) -> T:
            if write.data.count(roots[1]):
                raise RevertError("the contract refuses the call")
            return super().send(write, gas=gas)

    roots = fill(own, local.deployment, 3)
    works = worker(own, Refusing(local.sender()), local.deployment, lease=300)
    with pytest.raises(RevertError):
        works.step()
    works.step()
    assert states(own) == [FINAL, SENT, FINAL]


def test_a_thousand_records_cost_at_most_fifty_gas_each(local: Local, own: Engine) -> None:
    some = records(local.deployment.domain(), 1_000)
    with writing(own) as connection:
        AnchorQueue(local.deployment.domain()).add(connection, some)
    assert worker(own, local.sender(), local.deployment).step() == Step(closed=1, sent=1, final=1)
    with reading(own) as connection:
        row = connection.execute(select(BATCH.c.tx_hash, BATCH.c.leaves)).one()
        counted = recount(connection, some, local.node, local.deployment)
    receipt = local.node.receipt(row.tx_hash)
    assert receipt is not None
    print(f"{receipt.gas_used / 1_000:.1f} gas a record")
    assert (row.leaves, receipt.gas_used <= 50_000) == (1_001, True)
    assert counted == Recount(1_000, 1_000, 0, 0, 0, 1, 0)
