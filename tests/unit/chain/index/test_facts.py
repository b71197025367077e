"""What an index answers, on both databases: one moment's state, in few statements, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event

from chartseal.attestation import Address, Digest
from chartseal.chain.facts import Attestation
from chartseal.chain.index import Follower, Index, IndexFacts, Page, Snapshot, Store
from chartseal.errors import IndexingError
from tests.unit.chain.index.model import GENESIS_TIME, SCHEMAS, Action, FakeChain, deployment, indexed, person, word
from tests.unit.chain.index.test_reorganisation import busy

NOW = 1_000.0


def data(what: int) -> Digest:
    return word((what + 1).to_bytes(4))


@pytest.fixture
def chain() -> FakeChain:
    made = FakeChain()
    busy(made, 100)
    made.mine([Action("revoke", 1, 0)])
    made.mine(blocks=10)
    return made


@pytest.fixture
def follower(chain: FakeChain, engine: Engine) -> Follower:
    made = indexed(chain, engine)
    made.sync()
    return made


def facts(engine: Engine, **options: Any) -> IndexFacts:
    return IndexFacts(engine, deployment(), **{"clock": lambda: NOW, **options})


@contextmanager
def counting(engine: Engine) -> Iterator[list[str]]:
    seen: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    yield seen
    event.remove(engine, "before_cursor_execute", count)


def test_the_answers_are_the_chains(chain: FakeChain, follower: Follower, engine: Engine) -> None:
    state = chain.blocks[-1].state
    with facts(engine) as found:
        assert found.head.hash == chain.blocks[-1].header.hash
        assert found.final.hash == chain.blocks[-65].header.hash
        for body in state.bodies.values():
            assert found.attestation(body.uid) == body
        assert any(body.revocation_time for body in state.bodies.values())
        assert any(body.expiration_time == 2**64 - 1 for body in state.bodies.values())
        assert found.attestation(data(7)) is None
        assert [found.timestamp(data(at)) for at in (0, 99, 100)] == [GENESIS_TIME + 12, GENESIS_TIME + 1_200, 0]
        for schema in SCHEMAS:
            for who in (None, person(0), person(1)):
                for whom in (None, person(9), person(0)):
                    listed = found.attestations(schema, attester=who, recipient=whom)
                    assert list(listed) == [
                        each
                        for each in state.bodies.values()
                        if each.schema == schema.uid()
                        and who in (None, each.attester)
                        and whom in (None, each.recipient)
                    ]


def test_an_identity_is_revoker_and_data(follower: Follower, engine: Engine) -> None:
    with facts(engine) as found:
        pairs = [(person(who), data(at)) for at in range(4) for who in range(2)]
        answers = found.revoked_offchain_many(pairs)
        assert [bool(each) for each in answers] == [True, False, False, True, True, False, False, True]
        assert [found.revoked_offchain(*pair) for pair in pairs] == answers


def test_much_is_asked_in_few_statements(follower: Follower, engine: Engine) -> None:
    many = [data(at) for at in range(1_200)]
    with facts(engine) as found:
        with counting(engine) as seen:
            found.prefetch(timestamps=many, revoked=[(person(0), each) for each in many], attestations=many)
        assert len(seen) == 9
        with counting(engine) as seen:
            for each in many:
                found.timestamp(each)
                found.revoked_offchain(person(0), each)
                found.attestation(each)
        assert seen == []
        alone = facts(engine)
        assert [alone.timestamp(each) for each in many[:120]] == [found.timestamp(each) for each in many[:120]]
        alone.close()


@pytest.mark.parametrize("finality", [64, 0])
def test_a_node_that_has_stopped_keeps_no_index_fresh(chain: FakeChain, engine: Engine, finality: int) -> None:
    now = [float(chain.blocks[-1].header.timestamp)]
    store = Store(engine, deployment(finality))
    store.migrate()
    follower = Follower(chain, store, clock=lambda: now[0])
    follower.sync()
    for passed, is_fresh in ((900, True), (1, finality == 0)):
        now[0] += passed
        follower.sync()
        if is_fresh:
            IndexFacts(engine, deployment(finality), clock=lambda: now[0]).close()
            continue
        with pytest.raises(IndexingError) as refused:
            IndexFacts(engine, deployment(finality), clock=lambda: now[0])
        assert refused.value.code == "index_behind"


def test_answers_stay_of_one_moment_until_refreshed(chain: FakeChain, follower: Follower, engine: Engine) -> None:
    with facts(engine) as found:
        head = found.head
        chain.mine([Action("off", 2, 250), Action("stamp", 2, 250)])
        follower.sync()
        assert found.revoked_offchain(person(2), data(250)) == 0
        assert found.timestamp(data(250)) == 0
        assert found.head == head
        found.refresh()
        assert found.revoked_offchain(person(2), data(250)) == found.timestamp(data(250)) == found.head.timestamp


def test_an_index_that_does_not_keep_up_answers_nothing(follower: Follower, engine: Engine) -> None:
    now = [NOW]
    with facts(engine, max_age=60, clock=lambda: now[0]) as found:
        now[0] = NOW + 60
        found.timestamp(data(0))
        now[0] = NOW + 61
        questions = (
            lambda: found.timestamp(data(0)),
            lambda: found.attestation(data(0)),
            lambda: found.revoked_offchain(person(0), data(0)),
            lambda: found.attestations(SCHEMAS[0]),
            lambda: found.prefetch(timestamps=[data(0)]),
            lambda: facts(engine, max_age=60, clock=lambda: now[0]),
        )
        for ask in questions:
            with pytest.raises(IndexingError) as refused:
                ask()
            assert refused.value.code == "index_behind"


def test_another_deployments_index_answers_nothing(follower: Follower, engine: Engine) -> None:
    for other in (deployment(finality=65), deployment(finality=0)):
        with pytest.raises(IndexingError) as refused:
            IndexFacts(engine, other, clock=lambda: NOW)
        assert refused.value.code == "index_other_chain"


class Judge:
    """A node that knows one signature."""

    def is_valid_signature(self, signer: Address, digest: Digest, signature: bytes) -> bool:
        return (signer, digest, signature) == (person(1), data(1), b"good")


def test_contracts_signatures_need_a_node(follower: Follower, engine: Engine) -> None:
    with facts(engine) as found, pytest.raises(IndexingError) as refused:
        found.is_valid_signature(person(1), data(1), b"good")
    assert refused.value.code == "index_no_node"
    with facts(engine, node=Judge()) as found:
        assert found.is_valid_signature(person(1), data(1), b"good")
        assert not found.is_valid_signature(person(1), data(1), b"bad")


class State:
    """A node that knows when one uid was revoked, by anybody."""

    def __init__(self, at: int) -> None:
        self.at, self.asked = at, 0

    def revoked_offchain(self, revoker: Address, uid: Digest) -> int:
        self.asked += 1
        return self.at if uid == data(500) else 0


def test_a_nodes_state_finds_what_the_index_lacks(follower: Follower, engine: Engine) -> None:
    with facts(engine) as found:
        head = found.head.timestamp
    for at in (1, head - 1):
        with facts(engine, node=State(at)) as found:
            for _ in range(2):  # what was refused is not remembered as an answer
                with pytest.raises(IndexingError) as refused:
                    found.revoked_offchain(person(0), data(500))
                assert refused.value.code == "index_incomplete"
    for at in (0, head, head + 1):
        with facts(engine, node=State(at)) as found:
            assert found.revoked_offchain(person(0), data(500)) == at
    state = State(7)
    with facts(engine, node=state) as found:
        assert found.revoked_offchain(person(0), data(0)) > 0
        assert state.asked == 0  # a revocation needs no second word
        assert found.revoked_offchain(person(1), data(0)) == found.revoked_offchain(person(1), data(0)) == 0
        assert state.asked == 1


def test_nothing_is_final_on_a_young_chain(engine: Engine) -> None:
    chain = FakeChain()
    busy(chain, 10)
    indexed(chain, engine).sync()
    with facts(engine) as found:
        assert found.final.number == 0
    chain.mine(blocks=60)
    indexed(chain, engine).sync()
    with facts(engine) as found:
        assert found.final.number == 6


def test_a_late_beginning_is_final_before_anything_is(engine: Engine) -> None:
    chain, of = FakeChain(), deployment(from_block=8)
    busy(chain, 10)
    store = Store(engine, of)
    store.migrate()
    Follower(chain, store, clock=lambda: NOW).sync()
    with IndexFacts(engine, of, clock=lambda: NOW) as found:
        assert found.final.number == 7


def test_pages_join_to_the_whole(chain: FakeChain, follower: Follower, engine: Engine) -> None:
    with Snapshot(engine) as moment:
        index = Index(moment)
        whole = index.attestations(Page(1_000))
        assert [each.attestation for each in whole] == list(chain.blocks[-1].state.bodies.values())
        pages, after = [], None
        while page := index.attestations(Page(7, after)):
            pages += page
            after = page[-1].event.place
        assert pages == whole
        assert len(index.revocations(Page(1_000))) == 101
        assert [each.is_offchain for each in index.revocations(Page(1_000))].count(False) == 1
        since = datetime.fromtimestamp(GENESIS_TIME + 12 * 40, UTC)
        until = datetime.fromtimestamp(GENESIS_TIME + 12 * 50, UTC)
        assert index.timestamps(Page(since=since, until=until)) == index.timestamps(Page(1_000))[39:49]
        assert index.counts().attestations == 100
        assert index.schema_text(SCHEMAS[0].uid()) == SCHEMAS[0].text.encode()
        assert index.schema_text(data(0)) is None


def test_many_readers_at_once(chain: FakeChain, follower: Follower, engine: Engine) -> None:
    state = chain.blocks[-1].state
    uids = list(state.bodies)
    with facts(engine) as found, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(found.attestation, uids * 5)) == [state.bodies[uid] for uid in uids] * 5


def test_an_attestation_does_not_show_its_data(follower: Follower, engine: Engine) -> None:
    with facts(engine) as found:
        first = found.attestations(SCHEMAS[1])[3]
    assert isinstance(first, Attestation)
    assert "data=" not in repr(first)
