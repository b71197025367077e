"""Asking again whether 1,000 seals stand: with accreditation and revocation by an index or a node, beside signature,
name and time alone.

The index is a database that exists, read anew each time; the node is anvil on this machine, asked anew each time. What
other processes do (the node) is not in CPU seconds, so wall time is told for the node besides.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from _figures import Figure, cpu_seconds, table

from chartseal import _core
from chartseal.attestation import (
    PRIVATE_DATA_SCHEMA,
    ZERO_DIGEST,
    Digest,
    OffchainMessage,
    UnverifiedPackage,
    sign_offchain_many,
)
from chartseal.chain.anchors.leaves import AnchorTree, seal_leaf
from chartseal.chain.authority import Grant
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import ChainFacts
from chartseal.chain.index import Follower, IndexFacts, NodeSource, Store, connect
from chartseal.chain.local.devnet import Devnet, accounts
from chartseal.chain.registry import register
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import ACCREDITATION
from chartseal.chain.sending.sender import Sender
from chartseal.chain.view import FactsView
from chartseal.verification import TrustedAuthority, TrustedIssuer, TrustPolicy, verify_seals
from chartseal.verification.seals import Anchors

_COUNT = 1_000
_OTHERS = 10_000
"""Revocations of other issuers' seals that the index holds besides."""
_AT_ONCE = 250


@dataclass(frozen=True)
class World:
    """A chain with an authority, its issuer, 1,000 anchored seals and many revocations of others."""

    devnet: Devnet
    deployment: Deployment
    packages: Sequence[UnverifiedPackage]
    anchors: Anchors
    named: TrustPolicy
    accredited: TrustPolicy

    def reverify(self, facts: ChainFacts, *, anchored: bool = False) -> None:
        """All seals, with a chain."""
        anchors = self.anchors if anchored else {}
        view = FactsView([facts])
        verify_seals(self.packages, self.accredited, now=datetime.now(UTC), chain=view, anchors=anchors)

    def plain(self) -> None:
        """All seals, without."""
        verify_seals(self.packages, self.named, now=datetime.now(UTC))


@contextmanager
def _world() -> Iterator[World]:
    with Devnet() as devnet:
        deployment = devnet.deployment
        assert deployment is not None
        board, issuer, other = accounts()[:3]
        sender, eas = Sender(devnet.node, board), Contract.load("eas").at(deployment.eas)
        register(sender, deployment)
        grant = Grant(issuer=issuer.address, name="Provider", roles=frozenset({"hospital"}))
        request = (issuer.address, 0, True, ZERO_DIGEST, grant.encode(), 0)
        sender.send(eas.write("attest", (ACCREDITATION.uid(), request)))
        uids = [Digest(_core.keccak256(b"%d" % at)) for at in range(_OTHERS)]
        strangers = Sender(devnet.node, other)
        for at in range(0, _OTHERS, _AT_ONCE):  # one by one: anvil leaves waiting what a full block has no room for
            strangers.send(eas.write("multiRevokeOffchain", uids[at : at + _AT_ONCE]))
        today = int(time.time()) // 86_400 * 86_400
        messages = [OffchainMessage(PRIVATE_DATA_SCHEMA, today, uid) for uid in uids[:_COUNT]]
        packages = sign_offchain_many(messages, deployment.domain(), issuer)
        values = [seal_leaf(each.uid, _core.keccak256(each.signature)) for each in packages]
        tree = AnchorTree(values)
        sender.send(eas.write("timestamp", tree.root))
        anchors = {(each.signer, each.uid): tree.proof(value) for each, value in zip(packages, values, strict=True)}
        domains = frozenset({deployment.domain()})
        authority = TrustedAuthority(board.address, frozenset({"hospital"}))
        yield World(
            devnet,
            deployment,
            packages,
            anchors,
            TrustPolicy(issuers=(TrustedIssuer(issuer.address, "Provider"),), domains=domains),
            TrustPolicy(authorities=(authority,), domains=domains, required=frozenset({6, 8})),
        )


def figures() -> list[Figure]:
    """By an index and by a node, beside signature, name and time alone."""
    with _world() as world, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.db"
        path.touch()
        engine = connect(f"sqlite:///{path}")
        store = Store(engine, world.deployment)
        store.migrate()
        Follower(NodeSource(world.devnet.node, world.deployment), store).sync()

        def by_index(*, anchored: bool = False) -> None:
            with IndexFacts(engine, world.deployment) as facts:
                world.reverify(facts, anchored=anchored)

        def by_node() -> None:
            world.reverify(RpcFacts(world.devnet.node, world.deployment))

        plain = cpu_seconds(world.plain, 40)
        index = cpu_seconds(by_index, 40)
        with_anchors = cpu_seconds(lambda: by_index(anchored=True), 20)
        node = cpu_seconds(by_node, 10)
        engine.dispose()
        begun = time.perf_counter()
        by_node()
        wall = time.perf_counter() - begun
    without = "signature, name, time"
    return [
        Figure(f"{_COUNT:,} seals: accreditation, revocation by index", index, without, plain, is_floor=True),
        Figure(f"{_COUNT:,} seals: and anchors", with_anchors, without, plain, is_floor=True),
        Figure(f"{_COUNT:,} seals: accreditation, revocation by node", node, without, plain, is_floor=True),
        Figure(f"{_COUNT:,} seals: the same, wall time", wall, without, plain, is_floor=True),
    ]


if __name__ == "__main__":
    print(table(figures()))
