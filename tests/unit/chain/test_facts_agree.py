"""A node and an index are asked the same about one random history, and say the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chartseal.attestation import ZERO_ADDRESS, Address, Digest, Schema
from chartseal.chain.authority import Grant
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import ChainFacts, Prefetching
from chartseal.chain.index import Follower, IndexFacts, NodeSource, Store
from chartseal.chain.index import connect as connect_index
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import ACCREDITATION, CAUSES, PRIVATE_DATA, REVOCATION_REASON, SCHEMAS
from chartseal.chain.view import FactsView
from chartseal.errors import RevertError
from chartseal.verification import Question
from tests.chain import Local
from tests.chain_actions import Actor, register_schemas

AUTHORITIES, KEYS = 2, 4
FINALITY = 3
_REASON = Schema.parse(REVOCATION_REASON.text)


@dataclass
class History:
    """Random deeds of four keys, the first two of them authorities, on a few uids and roots."""

    local: Local
    chance: random.Random
    accredited: list[tuple[int, Digest, Address]] = field(default_factory=list)
    on_chain: list[tuple[int, Digest]] = field(default_factory=list)
    data: list[Digest] = field(default_factory=lambda: [Digest(bytes([each]) * 32) for each in range(1, 7)])

    def actor(self, at: int) -> Actor:
        return Actor.of(self.local, at)

    def address(self, at: int) -> Address:
        return self.local.keys[at].address

    def now(self) -> int:
        return self.local.node.block().timestamp

    def act(self) -> None:
        deeds: list[Callable[[], Any]] = [
            *[self.accredit] * 3,
            self.withdraw,
            self.revoke_accreditation,
            *[self.revoke_off_chain] * 3,
            *[self.stamp] * 3,
            self.seal_on_chain,
            self.revoke_on_chain,
            self.state_reason,
            *[self.wait] * 3,
        ]
        try:
            self.chance.choice(deeds)()
        except RevertError:
            return  # done before: the contract refuses it, and nothing has changed

    def accredit(self) -> None:
        by, issuer = self.chance.randrange(AUTHORITIES), self.address(self.chance.randrange(KEYS))
        predecessor = self.chance.choice([ZERO_ADDRESS, *(self.address(at) for at in range(KEYS))])
        if predecessor == issuer:
            predecessor = ZERO_ADDRESS
        expires_at = self.chance.choice([0, 0, self.now() + self.chance.randrange(100, 4_000)])
        roles = frozenset(self.chance.sample(["hospital", "pharmacy", "device"], 2))
        name = f"Issuer {self.chance.randrange(100)}"
        given = Grant(issuer=issuer, name=name, roles=roles, predecessor=predecessor, expires_at=expires_at)
        self.accredited.append((by, self.actor(by).accredit(given), issuer))

    def withdraw(self) -> None:
        if self.accredited:
            by, uid, issuer = self.chance.choice(self.accredited)
            from_ = max(0, self.now() + self.chance.randrange(-3_000, 3_000))
            self.actor(by).withdraw(uid, issuer, from_, self.chance.choice(CAUSES))

    def revoke_accreditation(self) -> None:
        if self.accredited:
            by, uid, _ = self.chance.choice(self.accredited)
            self.actor(by).revoke(ACCREDITATION, uid)

    def revoke_off_chain(self) -> None:
        self.actor(self.chance.randrange(KEYS)).revoke_offchain(self.chance.choice(self.data))

    def stamp(self) -> None:
        self.actor(0).timestamp(self.chance.choice(self.data))

    def seal_on_chain(self) -> None:
        by = self.chance.randrange(KEYS)
        self.on_chain.append((by, self.actor(by).attest(PRIVATE_DATA, self.chance.choice(self.data))))

    def revoke_on_chain(self) -> None:
        if self.on_chain:
            by, uid = self.chance.choice(self.on_chain)
            self.actor(by).revoke(PRIVATE_DATA, uid)

    def state_reason(self) -> None:
        data = _REASON.encode([self.chance.choice(self.data), self.chance.randrange(7)])
        self.actor(self.chance.randrange(KEYS)).attest(REVOCATION_REASON, data)

    def wait(self) -> None:
        self.local.node.request("evm_increaseTime", [self.chance.randrange(1, 2_000)])
        self.local.node.request("anvil_mine", [hex(self.chance.randrange(1, 4))])

    def answers(self, facts: ChainFacts) -> list[Any]:
        """Every question of facts and view, about everybody and everything."""
        keys, uids = [self.address(at) for at in range(KEYS)], [*self.data, *(uid for _, uid in self.on_chain)]
        view, domain = FactsView([facts]), facts.deployment.domain()
        given: list[Any] = [facts.head.hash, facts.final.hash]
        given += [facts.attestations(schema) for schema in SCHEMAS]
        given += [facts.attestations(schema, attester=key) for schema in SCHEMAS for key in keys]
        given += [facts.attestations(schema, recipient=key) for schema in SCHEMAS for key in keys]
        given += [facts.attestation(uid) for uid in uids]
        given += [view.timestamped_at(domain, uid) for uid in uids]
        now = facts.head.timestamp
        moments = [datetime.fromtimestamp(now + each, UTC) for each in range(-6_000, 4_001, 500)]
        for names in (frozenset(keys[:1]), frozenset(keys[:AUTHORITIES]), frozenset[Address]()):
            given += [view.accreditations(domain, key, at, names) for key in keys for at in moments]
            given += [view.revocation(domain, key, uid, names) for key in keys for uid in uids]
        return given


@contextmanager
def index_facts(local: Local, deployment: Deployment, path: Path) -> Iterator[IndexFacts]:
    path.touch()
    engine = connect_index(f"sqlite:///{path}")
    store = Store(engine, deployment)
    store.migrate()
    Follower(NodeSource(local.node, deployment), store).sync()
    with IndexFacts(engine, deployment) as facts:
        yield facts
    engine.dispose()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_node_and_an_index_say_the_same(local: Local, tmp_path: Path, seed: int, drill_scale: float) -> None:
    mark = local.node.request("evm_snapshot")
    register_schemas(local)
    history = History(local, random.Random(seed))
    deployment = replace(local.deployment, finality=FINALITY)
    told: set[str] = set()
    for _ in range(max(2, int(40 * drill_scale))):
        for _ in range(20):
            history.act()
        by_node = RpcFacts(local.node, deployment, clock=lambda: 0.0)
        with index_facts(local, deployment, tmp_path / "index.db") as by_index:
            asked = [
                Question(deployment.domain(), history.address(1), uid, uid)
                for uid in history.data
                if history.chance.random() < 0.5
            ]
            for facts in (by_node, by_index):
                assert isinstance(facts, Prefetching)
                FactsView([facts]).prefetch(asked, frozenset({history.address(0)}))
            ours, theirs = history.answers(by_node), history.answers(by_index)
            assert len(ours) == len(theirs)
            for one, other in zip(ours, theirs, strict=True):
                assert _plain(one) == _plain(other)
        told.update(type(each).__name__ for each in ours)
    assert {"Attestation", "Revocation", "datetime"} <= told, "the history has something of everything"
    local.node.request("evm_revert", [mark])


def _plain(answer: Any) -> Any:
    return list(answer) if isinstance(answer, tuple | list) and not hasattr(answer, "_fields") else answer
