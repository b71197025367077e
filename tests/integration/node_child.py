"""A node as a process that seals in small batches: `python -m tests.integration.node_child up --config …`."""

from __future__ import annotations

import sys

from chartseal.cli import cli
from chartseal.sealing import batch

if __name__ == "__main__":
    batch.MOST_ITEMS = 16
    cli.main(["node", *sys.argv[1:]])
