"""What the drill of kills kills: seals one numbered chart after another into a vault, in small batches.

`go` seals until it is killed, a number until that chart is sealed.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from chartseal.chain.anchors import AnchorQueue
from chartseal.sealing import OnePatient, Source, batch, seal_run
from chartseal.vault import Vault, VaultOutput
from chartseal.vault.blobs import BlobStore
from tests.anchoring import issuing, observations
from tests.charts import DOMAIN, HOLDER
from tests.vault_records import keys_of
from tests.victims import serve

RECORDS = 25
"""Of each chart."""
KEYS = {"index": b"\1" * 32, "pseudonyms": b"\2" * 32, "accounting": b"\3" * 32, "epoch-1": b"\4" * 32}
AT = datetime(2026, 5, 4, tzinfo=UTC)


def opened(place: str, blobs: BlobStore | None = None) -> Vault:
    """The vault, its keys known to all who test."""
    return Vault.open(place, keys_of(KEYS), blobs=blobs)


def seal(vault: Vault, chart: Path) -> None:
    output = VaultOutput(vault, "sealer", lambda: AT, AnchorQueue(DOMAIN), 30)
    seal_run(Source(chart), issuing(DOMAIN), OnePatient(HOLDER.keys.address()), output, now=AT)


def work(folder: Path, place: str, word: str) -> None:
    """Seal the charts whose turn it is."""
    batch.MOST_ITEMS = 4
    vault = opened(place)
    begun = len(list(folder.glob("*.json")))
    for number in count(max(0, begun - 2)) if word == "go" else range(int(word) + 1):  # those before are done
        chart = folder / f"{number}.json"
        if not chart.exists():
            beside = chart.with_suffix(".tmp")
            beside.write_bytes(observations(RECORDS) + b" " * number)  # another input each
            beside.replace(chart)
        seal(vault, chart)


if __name__ == "__main__":
    serve(lambda word: work(Path(sys.argv[1]), sys.argv[2], word))
