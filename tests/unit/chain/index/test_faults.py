"""A node whose answers do not fit one another is not believed, and never reads as "not revoked"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from sqlalchemy import Engine

from chartseal.attestation import Digest, OffchainMessage
from chartseal.attestation.onchain import attestation_uid
from chartseal.chain.calls import Block, Log
from chartseal.chain.facts import Attestation
from chartseal.chain.index import Follower, IndexFacts, Store, connect
from chartseal.chain.index.bodies import SchemaRow, read_body, read_schema
from chartseal.chain.index.source import EAS
from chartseal.errors import IndexingError, NodeError
from tests.unit.chain.index.model import (
    SCHEMAS,
    Action,
    FakeChain,
    deployment,
    dump,
    encoded,
    indexed,
    made,
    person,
    word,
)
from tests.unit.chain.index.test_reorganisation import assert_as_fresh, busy

REVOKED = EAS.events["Revoked"].topic


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = connect("sqlite://")
    yield made
    made.dispose()


def refusal(follower: Follower) -> str:
    with pytest.raises(NodeError) as refused:
        follower.sync()
    return refused.value.code


def test_an_event_lost_near_the_head_is_missed(engine: Engine) -> None:
    chain = FakeChain()
    busy(chain, 80)
    for topic in {log.topics[0] for each in chain.blocks for log in each.logs}:
        chain.lose = lambda log, topic=topic: log.topics[0] == topic and log.block_number == chain.height - 2  # type: ignore[misc]
        assert refusal(indexed(chain, engine)) == "logs_missing"
    with pytest.raises(IndexingError) as refused:
        IndexFacts(engine, deployment(), clock=lambda: 1_000.0)
    assert refused.value.code == "index_behind"
    chain.lose = lambda log: False
    indexed(chain, engine).sync()
    assert_as_fresh(chain, engine)


def test_a_revocation_lost_long_ago_is_missed_by_the_body(engine: Engine) -> None:
    chain = FakeChain()
    chain.mine([Action("attest", 1, 4)])
    chain.mine([Action("revoke", 1, 0)])
    chain.mine(blocks=100)
    chain.lose = lambda log: log.topics[0] == REVOKED
    assert refusal(indexed(chain, engine)) == "logs_missing"
    assert dump(engine)["expected_revocations"]
    with pytest.raises(IndexingError) as refused:
        IndexFacts(engine, deployment(), clock=lambda: 1_000.0)
    assert refused.value.code == "index_behind"


def test_a_body_that_is_ahead_of_the_index_is_no_fault(engine: Engine) -> None:
    """Bodies are read at the newest block: one may tell of a revocation that is yet to be read, or undone."""
    chain = FakeChain()
    chain.mine([Action("attest", 1, 4)])
    chain.mine(blocks=5)
    head = chain.blocks[-1].header
    chain.mine([Action("revoke", 1, 0)])
    source = Overridden(chain, head=lambda: head)
    indexed(source, engine).sync()
    assert len(dump(engine)["expected_revocations"]) == 1
    assert not dump(engine)["revocations"]
    chain.reorganise(1, [[]])
    indexed(chain, engine).sync()
    assert_as_fresh(chain, engine)
    chain.mine([Action("revoke", 1, 0)])
    indexed(chain, engine).sync()
    assert len(dump(engine)["revocations"]) == 1
    assert_as_fresh(chain, engine)


def test_an_attestation_lost_long_ago_is_missed_when_revoked(engine: Engine) -> None:
    chain = FakeChain()
    chain.mine([Action("attest", 1, 4)])
    chain.mine(blocks=100)
    chain.mine([Action("revoke", 1, 0)])
    chain.lose = lambda log: log.block_number == 1
    assert refusal(indexed(chain, engine)) == "logs_missing"


def test_an_attestation_from_before_the_index_may_be_revoked(engine: Engine) -> None:
    chain = FakeChain()
    chain.mine([Action("attest", 1, 4)])
    chain.mine(blocks=10)
    chain.mine([Action("revoke", 1, 0)])
    indexed(chain, engine, deployment(from_block=5)).sync()
    assert len(dump(engine)["revocations"]) == 1


def test_thorough_reading_misses_what_was_lost_long_ago(engine: Engine) -> None:
    chain = FakeChain()
    chain.mine([Action("off", 1, 4)])
    chain.mine(blocks=200)
    chain.lose = lambda log: log.block_number == 1
    store = Store(engine, deployment())
    store.migrate()
    assert refusal(Follower(chain, store, thorough=True, pause=0.001, attempts=3)) == "logs_missing"
    chain.lose = lambda log: False
    Follower(chain, store, thorough=True, pause=0.001, attempts=3).sync()
    assert len(dump(engine)["offchain_revocations"]) == 1


class Overridden:
    """A chain some of whose answers are spoilt."""

    def __init__(self, chain: FakeChain, **answers: Callable[..., Any]) -> None:
        self.chain_id = chain.chain_id
        self._chain, self._answers = chain, answers

    def head(self) -> Block:
        found: Block = self._answers.get("head", self._chain.head)()
        return found

    def headers(self, numbers: Sequence[int]) -> list[Block]:
        found: list[Block] = self._answers.get("headers", self._chain.headers)(numbers)
        return found

    def range_logs(self, first: int, last: int) -> list[Log]:
        found: list[Log] = self._answers.get("range_logs", self._chain.range_logs)(first, last)
        return found

    def block_logs(self, hashes: Sequence[Digest]) -> list[list[Log]]:
        found: list[list[Log]] = self._answers.get("block_logs", self._chain.block_logs)(hashes)
        return found

    def receipt_logs(self, block: Block) -> list[Log]:
        return self._chain.receipt_logs(block)

    def bodies(self, uids: Sequence[Digest]) -> list[bytes]:
        found: list[bytes] = self._answers.get("bodies", self._chain.bodies)(uids)
        return found

    def schemas(self, uids: Sequence[Digest]) -> list[SchemaRow]:
        found: list[SchemaRow] = self._answers.get("schemas", self._chain.schemas)(uids)
        return found


def spoilt(change: Callable[[list[Log]], list[Log]]) -> Callable[[FakeChain], Overridden]:
    return lambda chain: Overridden(chain, range_logs=lambda *blocks: change(chain.range_logs(*blocks)))


def other_body(**members: Any) -> Callable[[FakeChain], Overridden]:
    def make(chain: FakeChain) -> Overridden:
        def bodies(uids: Sequence[Digest]) -> list[bytes]:
            state = chain.blocks[-1].state
            return [encoded(replace(state.bodies[uid], **members)) for uid in uids]

        return Overridden(chain, bodies=bodies)

    return make


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (spoilt(lambda logs: logs[::-1]), "logs_inconsistent"),
        (spoilt(lambda logs: [*logs[:3], *logs[2:]]), "logs_inconsistent"),
        (spoilt(lambda logs: [replace(logs[0], address=person(1)), *logs[1:]]), "logs_inconsistent"),
        (spoilt(lambda logs: [replace(logs[0], topics=()), *logs[1:]]), "logs_inconsistent"),
        (spoilt(lambda logs: [replace(logs[0], topics=logs[0].topics[:2]), *logs[1:]]), "logs_inconsistent"),
        (spoilt(lambda logs: [replace(logs[0], data=logs[0].data + b"\0"), *logs[1:]]), "logs_inconsistent"),
        (spoilt(lambda logs: [*logs[:-1], replace(logs[-1], block_number=5_000)]), "logs_inconsistent"),
        (spoilt(lambda logs: [*logs[:-1], replace(logs[-1], index=2**31)]), "logs_inconsistent"),
        (spoilt(lambda logs: [replace(logs[0], block_hash=word(b"\1")), *logs[3:]]), "chain_moved"),
        (lambda chain: Overridden(chain, bodies=lambda uids: [encoded(None) for _ in uids]), "node_lags"),
        (lambda chain: Overridden(chain, bodies=lambda uids: [b"" for _ in uids]), "node_malformed"),
        (lambda chain: Overridden(chain, schemas=lambda uids: []), "node_lags"),
        (other_body(data=b"another"), "logs_inconsistent"),
        (other_body(revocable=False), "logs_inconsistent"),
        (other_body(ref_uid=word(b"\1")), "logs_inconsistent"),
        (other_body(expiration_time=9), "logs_inconsistent"),
        (other_body(attester=person(7)), "logs_inconsistent"),
        (other_body(recipient=person(7)), "logs_inconsistent"),
        (other_body(time=77), "logs_inconsistent"),
        (other_body(uid=word(b"\1")), "logs_inconsistent"),
    ],
)
def test_answers_that_contradict_one_another_are_refused(
    engine: Engine, spoil: Callable[[FakeChain], Overridden], code: str
) -> None:
    chain = FakeChain()
    busy(chain, 80)
    assert refusal(indexed(spoil(chain), engine)) == code
    indexed(chain, engine).sync()  # nothing wrong was left
    assert_as_fresh(chain, engine)


@pytest.mark.parametrize("kind", ["off", "stamp"])
def test_an_event_of_another_time_than_its_block_is_refused(engine: Engine, kind: str) -> None:
    chain = FakeChain()
    chain.mine([Action(kind, 0, 1)])
    chain.mine(blocks=80)

    def later(logs: list[Log]) -> list[Log]:
        return [replace(log, topics=(*log.topics[:-1], word(b"\1"))) for log in logs]

    assert refusal(indexed(spoilt(later)(chain), engine)) == "logs_inconsistent"


def test_ranges_fit_the_providers_limits(engine: Engine) -> None:
    chain, asked = FakeChain(), []
    busy(chain, 600)

    def limited(first: int, last: int) -> list[Log]:
        asked.append(last - first + 1)
        if last - first + 1 > 50:
            raise NodeError("too many", "logs_too_many")
        return chain.range_logs(first, last)

    indexed(Overridden(chain, range_logs=limited), engine).sync()
    assert_as_fresh(chain, engine)
    assert sum(size for size in asked if size <= 50) == 600 - 64
    assert len(asked) < 40


def test_a_range_of_one_block_that_is_refused_is_an_error(engine: Engine) -> None:
    chain = FakeChain()
    busy(chain, 80)

    def refuse(first: int, last: int) -> list[Log]:
        raise NodeError("too many", "logs_too_many")

    assert refusal(indexed(Overridden(chain, range_logs=refuse), engine)) == "logs_too_many"


def test_another_chains_node_is_refused(engine: Engine) -> None:
    chain = FakeChain()
    chain.chain_id = 1
    assert refusal(indexed(chain, engine)) == "chain_wrong"


def test_a_lagging_node_takes_nothing_back_and_refreshes_nothing(engine: Engine) -> None:
    chain, now = FakeChain(), [1_000.0]
    busy(chain, 10)
    store = Store(engine, deployment())
    store.migrate()
    Follower(chain, store, clock=lambda: now[0]).sync()
    now[0] = 2_000.0
    lagging = Overridden(chain, head=lambda: chain.blocks[-3].header)
    assert Follower(lagging, store, clock=lambda: now[0]).sync().behind == 2
    assert_as_fresh(chain, engine)
    with pytest.raises(IndexingError) as refused:
        IndexFacts(engine, deployment(), max_age=999, clock=lambda: now[0])
    assert refused.value.code == "index_behind"
    Follower(chain, store, clock=lambda: now[0]).sync()
    IndexFacts(engine, deployment(), max_age=999, clock=lambda: now[0]).close()


def test_an_index_of_the_future_answers_nothing(engine: Engine) -> None:
    chain = FakeChain()
    busy(chain, 10)
    store = Store(engine, deployment())
    store.migrate()
    Follower(chain, store, clock=lambda: 2_000.0).sync()  # by a clock that was ahead, and then stopped
    for now in (1_000.0, 1_699.0, 2_301.0):
        with pytest.raises(IndexingError) as refused:
            IndexFacts(engine, deployment(), max_age=300, clock=lambda now=now: now)  # type: ignore[misc]
        assert refused.value.code == "index_behind"
    for now in (1_700.0, 2_300.0):
        IndexFacts(engine, deployment(), max_age=300, clock=lambda now=now: now).close()  # type: ignore[misc]


def test_while_blocks_are_undone_there_are_no_answers(engine: Engine) -> None:
    """A revocation on its way from one block to another is in neither: nothing is answered until it has arrived."""
    chain = FakeChain()
    chain.mine(blocks=3)
    chain.mine([Action("off", 1, 1)])
    chain.mine(blocks=200)
    thorough = Store(engine, deployment(finality=300))
    thorough.migrate()
    Follower(chain, thorough, clock=lambda: 1_000.0, pause=0.001, attempts=3).sync()
    chain.reorganise(201, [*[[]] * 200, [Action("off", 1, 1)]])
    reads = []

    def headers(numbers: Sequence[int]) -> list[Block]:
        # The second span is being read while the first is stored: fail it.
        reads.append(len(numbers))
        if len(reads) > 4:
            raise NodeError("gone", "node_unreachable")
        return chain.headers(numbers)

    with pytest.raises(NodeError):
        Follower(Overridden(chain, headers=headers), thorough, clock=lambda: 1_000.0, pause=0.001, attempts=3).sync()
    assert not dump(engine)["offchain_revocations"]
    with pytest.raises(IndexingError) as refused:
        IndexFacts(engine, deployment(finality=300), clock=lambda: 1_000.0)
    assert refused.value.code == "index_behind"
    Follower(chain, thorough, clock=lambda: 1_000.0, pause=0.001, attempts=3).sync()
    with IndexFacts(engine, deployment(finality=300), clock=lambda: 1_000.0) as facts:
        assert facts.revoked_offchain(person(1), word(b"\2"))


def test_bodies_are_read_strictly() -> None:
    body = made(person(1), 5, 1_700_000_000)
    data = encoded(body)
    found = read_body(data)
    assert found is not None
    assert Attestation(*found[:10]) == body
    assert found.gives_its_uid()
    assert read_body(encoded(None)) is None
    for at in (0, 32 * 3, 32 * 7, 32 * 9, 32 * 10, 32 * 11):  # offsets, paddings and sizes
        with pytest.raises(NodeError):
            read_body(data[:at] + b"\xff" + data[at + 1 :])
    for wrong in (data[:-32], data + bytes(32), data[:100], b""):
        with pytest.raises(NodeError):
            read_body(wrong)


def test_a_bumped_uid_is_known() -> None:
    body = made(person(1), 5, 1_700_000_000)
    message = OffchainMessage(body.schema, body.time, body.data, body.recipient)
    assert attestation_uid(message, body.attester) == body.uid
    bumped = read_body(encoded(replace(body, uid=attestation_uid(message, body.attester, 300))))
    assert bumped is not None
    assert bumped.gives_its_uid()


def test_a_schema_must_give_its_uid() -> None:
    kind = "(bytes32,address,bool,bytes)"
    schema = SCHEMAS[0]
    good = encode([kind], [(schema.uid(), "0x" + "00" * 20, True, schema.text.encode())])
    assert read_schema(good).text == schema.text.encode()
    for wrong in (
        (schema.uid(), "0x" + "00" * 20, False, schema.text.encode()),
        (schema.uid(), "0x" + "00" * 20, True, schema.text.encode() + b" "),
    ):
        with pytest.raises(NodeError):
            read_schema(encode([kind], [wrong]))
