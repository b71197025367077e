"""Following a real node: recounts, forks, faults on the way, the same answers as the node's own."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from chartseal.attestation import Digest
from chartseal.chain.contract import Contract
from chartseal.chain.facts import Attestation
from chartseal.chain.index import Follower, IndexFacts, NodeSource, Store, connect
from chartseal.chain.rpc.node import Node
from chartseal.errors import IndexingError, NodeError
from tests.chain import Local
from tests.rpc_proxy import Call, Fault, RpcProxy, always, never, seeded
from tests.unit.chain.index.history import SCHEMAS, History, assert_counted, finalised
from tests.unit.chain.index.model import dump


@pytest.fixture(scope="module")
def history(local: Local) -> History:
    made = History(local, 7)
    made.register()
    for _ in range(6):
        made.step()
    return made


def following(engine: Engine, local: Local, node: Node | None = None, finality: int = 64) -> Follower:
    of = finalised(local, finality)
    store = Store(engine, of)
    store.migrate()
    return Follower(NodeSource(node or local.node, of), store, pause=0.01)


def test_what_is_indexed_is_what_a_recount_finds(local: Local, history: History, engine: Engine) -> None:
    follower = following(engine, local)
    for _ in range(3):
        follower.sync()
        assert_counted(dump(engine), local.node, local.deployment)
        history.step()
    local.node.request("anvil_mine", [hex(150)])
    assert follower.sync().events > 0
    assert_counted(dump(engine), local.node, local.deployment)
    fresh = connect("sqlite://")  # what was near the head is far from it now
    following(fresh, local).sync()
    assert_counted(dump(fresh), local.node, local.deployment)


def test_the_index_answers_as_the_node_does(local: Local, history: History, engine: Engine) -> None:
    data, other = (Digest(history.random.randbytes(32)) for _ in range(2))
    history.timestamp(data)
    history.revoke_offchain(data, 1)
    uid = history.attest(1, 2)[0]
    history.revoke(uid, 2)
    follower = following(engine, local, finality=2)
    follower.sync()
    eas = Contract.load("eas").at(local.deployment.eas)
    with IndexFacts(engine, finalised(local, 2)) as facts:
        assert facts.head == _bare(local.node, facts.head.number)
        assert facts.final == _bare(local.node, facts.head.number - 2)
        assert facts.head.number == local.node.block().number
        for each in (data, other):
            assert facts.timestamp(each) == local.node.read(eas.read("getTimestamp", each))
            for sender in history.senders:
                read = eas.read("getRevokeOffchain", "0x" + sender.address.hex(), each)
                assert facts.revoked_offchain(sender.address, each) == local.node.read(read)
        assert facts.attestation(uid) == Attestation.from_tuple(local.node.read(eas.read("getAttestation", uid)))
        assert facts.attestation(other) is None
        for schema in SCHEMAS:
            rows = dump(engine)["attestations"]
            ordered = sorted((row for row in rows if row[1] == schema.uid()), key=lambda row: row[-3:-1])
            assert [each.uid for each in facts.attestations(schema)] == [row[0] for row in ordered]
            for sender in history.senders:
                mine = facts.attestations(schema, attester=sender.address)
                assert [each.uid for each in mine] == [row[0] for row in ordered if row[6] == sender.address]


def _bare(node: Node, number: int) -> object:
    return replace(node.block(number), base_fee=None, gas_limit=0, logs_bloom=b"")


@pytest.mark.parametrize("depth", [1, 5, 64])
def test_anvil_reorganises(local: Local, history: History, tmp_path: Path, depth: int) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'index.db'}", create=True)
    follower = following(engine, local)
    history.step()
    local.node.request("anvil_mine", [hex(max(0, depth - 3))])
    follower.sync()
    local.node.request("anvil_reorg", [depth, []])
    # anvil may make the first of them anew as it was.
    assert follower.sync().undone in {depth, max(1, depth - 1)}
    assert_counted(dump(engine), local.node, local.deployment)


def test_anvil_goes_back_and_does_other_things(local: Local, history: History, tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'index.db'}", create=True)
    follower = following(engine, local)
    local.node.request("anvil_mine", [hex(70)])
    snapshot = local.node.request("evm_snapshot", [])
    history.step()
    follower.sync()
    local.node.request("evm_revert", [snapshot])
    assert follower.sync().behind > 0
    local.node.request("evm_increaseTime", [hex(100)])
    for _ in range(4):
        history.step()
    assert follower.sync().undone > 0
    assert_counted(dump(engine), local.node, local.deployment)


RATES = {
    **dict.fromkeys(
        (Fault.LIMITED, Fault.FAILED, Fault.DROPPED, Fault.TRUNCATED, Fault.WRONG_ID, Fault.MISSING), 0.0005
    ),
    **dict.fromkeys((Fault.SHUFFLED, Fault.LAGGING), 0.001),
    **dict.fromkeys((Fault.LOGS_MISSING, Fault.LOGS_SHUFFLED, Fault.LOGS_DOUBLED, Fault.LOGS_FOREIGN), 0.01),
    Fault.LOGS_REMOVED: 0.01,
}
"""For each call; one round asks for some two hundred."""


@pytest.mark.parametrize("seed", range(3))
def test_faults_on_the_way_leave_no_trace(local: Local, history: History, tmp_path: Path, seed: int) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'index.db'}", create=True)
    with RpcProxy(local.url, seeded(seed, RATES), lag=2) as proxy:
        follower = following(engine, local, Node(proxy.url, attempts=2))
        for _ in range(3):
            history.step()
            for _ in range(6):
                with suppress(NodeError):
                    follower.sync()
        assert proxy.done
        proxy.script = never
        follower.sync()
        assert_counted(dump(engine), local.node, local.deployment)


def test_a_log_that_is_never_given_stops_the_index(local: Local, history: History, tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'index.db'}", create=True)
    history.revoke_offchain(Digest(history.random.randbytes(32)))
    with RpcProxy(local.url, always("eth_getLogs", Fault.LOGS_MISSING)) as proxy:
        with pytest.raises(NodeError) as refused:
            following(engine, local, Node(proxy.url, attempts=2)).sync()
        assert refused.value.code in {"logs_missing", "logs_inconsistent"}
    with pytest.raises(IndexingError):
        IndexFacts(engine, finalised(local))


def test_a_node_of_another_chain_is_refused(local: Local, history: History, tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'index.db'}", create=True)
    with (
        RpcProxy(local.url, always("eth_chainId", Fault.WRONG_CHAIN)) as proxy,
        pytest.raises(NodeError) as refused,
    ):
        following(engine, local, Node(proxy.url)).sync()
    assert refused.value.code == "chain_wrong"
    assert dump(engine)["deployment"] == []


def test_ranges_fit_what_the_provider_gives(local: Local, history: History, tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'index.db'}", create=True)

    def limited(call: Call) -> Fault | None:
        query = call.params[0] if call.method == "eth_getLogs" else {}
        if "fromBlock" in query and int(query["toBlock"], 16) - int(query["fromBlock"], 16) >= 10:
            return Fault.LOGS_TOO_MANY
        return None

    with RpcProxy(local.url, limited) as proxy:
        following(engine, local, Node(proxy.url)).sync()
    assert_counted(dump(engine), local.node, local.deployment)
