"""Whatever a chain does, its index is what a fresh index of the chain would be."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from chartseal.chain.index import connect
from chartseal.errors import IndexingError, NodeError
from tests.unit.chain.index.model import Action, FakeChain, deployment, dump, indexed

ACTIONS = st.builds(
    Action, st.sampled_from(["attest", "attest", "revoke", "off", "stamp"]), st.integers(0, 2), st.integers(0, 9)
)
BLOCKS = st.lists(st.lists(ACTIONS, max_size=4), min_size=1, max_size=8)
FINALITY = 64


def assert_as_fresh(chain: FakeChain, engine: Any) -> None:
    fresh = connect("sqlite://")
    indexed(chain, fresh).sync()
    ours, theirs = dump(engine), dump(fresh)
    # What bodies told of while other blocks stood is settled by later ones.
    ours.pop("expected_revocations")
    theirs.pop("expected_revocations")
    assert ours == theirs
    fresh.dispose()


class Following(RuleBasedStateMachine):
    """A chain that grows and forks, and one index that follows."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = FakeChain()
        self.engine = connect("sqlite://")
        self.follower = indexed(self.chain, self.engine)
        self.seen = 0

    @rule(blocks=BLOCKS, idle=st.integers(0, 100))
    def grow(self, blocks: list[list[Action]], idle: int) -> None:
        for actions in blocks:
            self.chain.mine(actions)
        self.chain.mine(blocks=idle)

    @precondition(lambda self: self.chain.height > 1)
    @rule(depth=st.integers(1, FINALITY), blocks=BLOCKS, seed=st.integers(0, 9))
    def fork(self, depth: int, blocks: list[list[Action]], seed: int) -> None:
        self.reorganise(depth, blocks, seed)

    def reorganise(self, depth: int, blocks: list[list[Action]], seed: int) -> None:
        depth = min(depth, self.chain.height - 1, FINALITY - max(0, self.seen - self.chain.height))
        # Most of what was undone comes back, in other blocks.
        undone = [action for mined in self.chain.blocks[-depth:] for action in mined.actions]
        random.Random(seed).shuffle(undone)
        parts = [[*actions, *undone[at :: len(blocks)]] for at, actions in enumerate(blocks)]
        self.chain.reorganise(depth, [*parts, *[[]] * max(0, depth - len(parts))])

    @rule()
    def sync(self) -> None:
        assert self.follower.sync().head == self.chain.height
        self.seen = self.chain.height
        assert_as_fresh(self.chain, self.engine)

    @rule(calls=st.integers(1, 9), depth=st.integers(1, 20), blocks=BLOCKS)
    def sync_while_it_moves(self, calls: int, depth: int, blocks: list[list[Action]]) -> None:
        at = self.chain.calls + calls

        def move() -> None:
            if self.chain.calls == at and self.chain.height > 1:
                self.seen = max(self.seen, self.chain.height)
                self.reorganise(depth, blocks, calls)

        self.chain.before_call = move
        self.follower.sync()
        self.chain.before_call = lambda: None
        self.sync()

    def teardown(self) -> None:
        self.sync()
        self.engine.dispose()


TestFollowing = Following.TestCase
TestFollowing.settings = settings(max_examples=6, stateful_step_count=10, deadline=None)


@pytest.mark.long
def test_following_at_length(drill_scale: float) -> None:
    count = max(20, int(300 * drill_scale))
    run_state_machine_as_test(Following, settings=settings(max_examples=count, stateful_step_count=30, deadline=None))


def busy(chain: FakeChain, blocks: int) -> None:
    for number in range(blocks):
        chain.mine(
            [Action("attest", number % 3, number), Action("off", number % 2, number), Action("stamp", 0, number)]
        )


def test_a_fork_of_the_finality_depth_is_followed() -> None:
    chain, engine = FakeChain(), connect("sqlite://")
    busy(chain, 100)
    follower = indexed(chain, engine)
    follower.sync()
    chain.reorganise(FINALITY, [[Action("attest", 1, 5)]] * FINALITY)
    assert follower.sync().undone == FINALITY
    assert_as_fresh(chain, engine)


def test_a_deeper_fork_is_refused_and_changes_nothing() -> None:
    chain, engine = FakeChain(), connect("sqlite://")
    busy(chain, 100)
    follower = indexed(chain, engine)
    follower.sync()
    before = dump(engine)
    chain.reorganise(FINALITY + 1, [[]] * (FINALITY + 1))
    with pytest.raises(IndexingError) as refused:
        follower.sync()
    assert refused.value.code == "index_reorganised"
    assert dump(engine) == before


def test_with_no_finality_any_fork_is_refused() -> None:
    chain, engine = FakeChain(), connect("sqlite://")
    busy(chain, 3)
    follower = indexed(chain, engine, deployment(finality=0))
    follower.sync()
    chain.reorganise(1, [[]])
    with pytest.raises(IndexingError) as refused:
        follower.sync()
    assert refused.value.code == "index_reorganised"


def test_a_shorter_branch_waits_until_it_is_longer() -> None:
    chain, engine = FakeChain(), connect("sqlite://")
    busy(chain, 20)
    follower = indexed(chain, engine)
    follower.sync()
    before = dump(engine)
    chain.reorganise(5, [[Action("stamp", 0, 9)]])
    assert follower.sync().behind == 4
    assert dump(engine) == before
    chain.mine(blocks=4)
    assert follower.sync().undone == 5
    assert_as_fresh(chain, engine)


def test_a_chain_that_never_stands_still_is_an_error() -> None:
    chain, engine = FakeChain(), connect("sqlite://")
    busy(chain, 5)
    follower = indexed(chain, engine)
    chain.before_call = lambda: chain.reorganise(1, [[]])
    with pytest.raises(NodeError) as refused:
        follower.sync()
    assert refused.value.code in {"chain_moved", "block_unknown"}
