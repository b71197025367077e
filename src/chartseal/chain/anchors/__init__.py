"""Anchors: one timestamp on chain for a whole period's seals, announcements and audit statements.

In: sealed records, in the transaction that keeps them. Out: EAS timestamps, and for each seal its inclusion proof.

    engine, queue = open_queue("queue.db"), AnchorQueue(deployment.domain())
    with engine.begin() as connection:
        queue.add(connection, read_records([folder]))
    AnchorWorker(engine, node, Sender(node, signer), deployment).step()

The queue survives whatever dies: a leaf is in it once, a batch is closed in one transaction, and only what the chain
answers moves it from `pending` over `sent` and `mined` to `final`.
"""

from chartseal.chain.anchors.database import open_queue, reading, upgrade, writing
from chartseal.chain.anchors.filling import Filled, fill
from chartseal.chain.anchors.leaves import AnchorTree, announcements_leaf, implied_root, seal_leaf, statement_leaf
from chartseal.chain.anchors.pages import AnnouncementPage, read_pages
from chartseal.chain.anchors.periods import DAY
from chartseal.chain.anchors.proofs import AnchoredSeal, AnchorFile, leaf_proof, read_proofs
from chartseal.chain.anchors.queue import AnchorQueue, Status, queues
from chartseal.chain.anchors.recount import Recount, recount
from chartseal.chain.anchors.worker import AnchorWorker, Step

__all__ = [
    "DAY",
    "AnchorFile",
    "AnchorQueue",
    "AnchorTree",
    "AnchorWorker",
    "AnchoredSeal",
    "AnnouncementPage",
    "Filled",
    "Recount",
    "Status",
    "Step",
    "announcements_leaf",
    "fill",
    "implied_root",
    "leaf_proof",
    "open_queue",
    "queues",
    "read_pages",
    "read_proofs",
    "reading",
    "recount",
    "seal_leaf",
    "statement_leaf",
    "upgrade",
    "writing",
]
