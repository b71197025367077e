"""A copy of what EAS holds on one chain, in SQLite or PostgreSQL, that follows the chain wherever it goes.

In: a node and a deployment. Out: `Index`, which lists; `IndexFacts`, which answers what verification asks.

    engine = connect("sqlite:///index.db", create=True)
    with sole_follower(engine):
        store = Store(engine, deployment)
        store.migrate()
        Follower(NodeSource(node, deployment), store).sync()
    with Snapshot(engine) as moment:
        Index(moment).timestamps(data=root)
"""

from chartseal.chain.index.engine import connect, sole_follower
from chartseal.chain.index.facts import DEFAULT_MAX_AGE, IndexFacts
from chartseal.chain.index.follower import Follower, Progress
from chartseal.chain.index.queries import Counts, Index, Page
from chartseal.chain.index.rows import Anchoring, Event, IndexedAttestation, IndexedRevocation, IndexedTimestamp, Place
from chartseal.chain.index.snapshot import Snapshot
from chartseal.chain.index.source import NodeSource, Source
from chartseal.chain.index.store import Store

__all__ = [
    "DEFAULT_MAX_AGE",
    "Anchoring",
    "Counts",
    "Event",
    "Follower",
    "Index",
    "IndexFacts",
    "IndexedAttestation",
    "IndexedRevocation",
    "IndexedTimestamp",
    "NodeSource",
    "Page",
    "Place",
    "Progress",
    "Snapshot",
    "Source",
    "Store",
    "connect",
    "sole_follower",
]
