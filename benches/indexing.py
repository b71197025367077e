"""Indexing attestations with their bodies, beside the node answering the very same requests with nothing made of it.

Clock seconds, since the node works too: the requests of one indexing run are recorded, then posted again as they were
and their answers read and thrown away.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from _figures import Figure, table

from chartseal.attestation import ZERO_ADDRESS, checksum_address
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.index import Follower, NodeSource, Store, connect
from chartseal.chain.local.devnet import Devnet, accounts
from chartseal.chain.rpc.exchange import Connection, Reply
from chartseal.chain.rpc.node import Node
from chartseal.chain.schemas import PRIVATE_DATA
from chartseal.chain.sending.sender import Sender

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.postgres import Server

ATTESTATIONS = 6_000
_A_TRANSACTION = 100
_ROUNDS = 5
_GOAL = 0.6
_PEER = "the node answering the same requests"


def fill(node: Node, deployment: Deployment) -> None:
    """Attest a private-data root each, a hundred in a transaction, then stand still for some blocks."""
    sender = Sender(node, accounts()[0])
    registry = Contract.load("schema_registry").at(deployment.schema_registry)
    sender.send(registry.write("register", PRIVATE_DATA.text, checksum_address(ZERO_ADDRESS), True))
    eas, recipient = Contract.load("eas").at(deployment.eas), checksum_address(ZERO_ADDRESS)
    for at in range(0, ATTESTATIONS, _A_TRANSACTION):
        roots = [number.to_bytes(32) for number in range(at, at + _A_TRANSACTION)]
        asked = [(recipient, 0, True, bytes(32), root, 0) for root in roots]
        sender.send(eas.write("multiAttest", [(PRIVATE_DATA.uid(), asked)]))
    node.request("anvil_mine", [hex(80)])


@contextmanager
def recording(into: list[bytes]) -> Iterator[None]:
    """Keep the body of every exchange."""
    post = Connection.post

    def recorded(self: Connection, body: bytes) -> Reply:
        into.append(body)
        return post(self, body)

    Connection.post = recorded  # type: ignore[method-assign]
    try:
        yield
    finally:
        Connection.post = post  # type: ignore[method-assign]


def index(url: str, node_url: str, deployment: Deployment) -> float:
    """Clock seconds of indexing the whole chain into a fresh database."""
    engine = connect(url, create=True)
    store = Store(engine, deployment)
    store.migrate()
    follower = Follower(NodeSource(Node(node_url), deployment), store)
    begun = time.perf_counter()
    found = follower.sync()
    elapsed = time.perf_counter() - begun
    assert found.events == ATTESTATIONS, found
    engine.dispose()
    return elapsed


def replay(node_url: str, bodies: list[bytes]) -> float:
    """Clock seconds of the same exchanges, unread."""
    with requests.Session() as session:
        session.headers["Content-Type"] = "application/json"
        begun = time.perf_counter()
        for body in bodies:
            assert session.post(node_url, body).content
        return time.perf_counter() - begun


def _best(run: Callable[[], float], raw: Callable[[], float]) -> tuple[float, float]:
    """The best of each, taken in turns: other work on the machine only ever adds."""
    pairs = [(run(), raw()) for _ in range(_ROUNDS)]
    return min(each for each, _ in pairs), min(each for _, each in pairs)


def figures() -> list[Figure]:
    """SQLite and PostgreSQL."""
    found, server = [], Server()
    try:
        with Devnet() as devnet, tempfile.TemporaryDirectory() as folder:
            assert devnet.deployment is not None
            deployment = devnet.deployment
            fill(devnet.node, deployment)
            bodies: list[bytes] = []
            with recording(bodies):
                index("sqlite://", devnet.url, deployment)
            numbers = iter(range(1_000))
            urls = {
                "SQLite": lambda: f"sqlite:///{folder}/{next(numbers)}.db",
                "PostgreSQL": server.database,
            }
            for name, url in urls.items():
                ours, raw = _best(
                    lambda url=url: index(url(), devnet.url, deployment),  # type: ignore[misc]
                    lambda: replay(devnet.url, bodies),
                )
                what = f"index an attestation with its body in {name} (clock)"
                found.append(Figure(what, ours / ATTESTATIONS, _PEER, raw / ATTESTATIONS, goal=_GOAL))
                found.append(Figure(f"attestations indexed a second in {name}", ATTESTATIONS / ours, unit="/s"))
    finally:
        server.stop()
    return found


if __name__ == "__main__":
    print(table(figures()))
