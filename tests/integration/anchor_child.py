"""What the drill of kills kills: seals, queues and anchors, one input after another, in forks of a warm process.

Reads lines from standard input: `go` forks one that works until it is killed, `finish` one that ends when all is final.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chartseal.chain.anchors import fill, open_queue, reading
from chartseal.chain.deployment import Deployment
from chartseal.chain.local.devnet import accounts
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender
from chartseal.errors import ChainError
from chartseal.sealing import OnePatient, Source, read_records, seal_run
from tests.anchoring import issuing, observations, worker
from tests.charts import HOLDER
from tests.victims import serve

RECORDS = 5
"""Of each input."""


def work(folder: Path, place: str, url: str, *, is_last: bool) -> None:
    deployment = Deployment.load(folder / "deployment.json")
    engine = open_queue(place)
    works = worker(engine, Sender(Node(url), accounts()[1]), deployment, lease=0.3)
    number = max((int(each.name) for each in folder.glob("[0-9]*") if each.is_dir()), default=0)
    while not is_last:
        seal(folder, number, deployment)
        fill(engine, read_records([folder / str(number)]))
        step(works)
        number += 1
    if (folder / f"{number}.json").exists():
        seal(folder, number, deployment)
        fill(engine, read_records([folder / str(number)]))
    while True:
        step(works)
        with reading(engine) as connection:
            status = works.queue.status(connection)
        if not any(status[:5]):
            return
        time.sleep(0.05)


def step(works: object) -> None:
    with suppress(ChainError):  # a rival of a killed one's transactions
        works.step()  # type: ignore[attr-defined]


def seal(folder: Path, number: int, deployment: Deployment) -> None:
    chart = folder / f"{number}.json"
    if not chart.exists():
        beside = chart.with_suffix(".tmp")
        beside.write_bytes(observations(RECORDS))
        beside.replace(chart)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    seal_run(
        Source(chart),
        issuing(deployment.domain()),
        OnePatient(HOLDER.keys.address()),
        folder / str(number),
        now=yesterday,
    )


def main() -> None:
    folder, place, url = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    serve(lambda word: work(folder, place, url, is_last=word == "finish"))


if __name__ == "__main__":
    main()
