"""Ends at any moment while a chain is indexed: nothing lost, nothing doubled, by recount from the chain."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from chartseal.chain.index import Snapshot, connect
from chartseal.chain.local.devnet import accounts
from chartseal.errors import IndexingError
from tests.chain import Local, known, started
from tests.postgres import Server
from tests.postgres import postgres_server as postgres_server
from tests.unit.chain.index.history import History, assert_counted, finalised
from tests.unit.chain.index.model import dump

KILLS = 200
ROUNDS = 5
"""Each with a chain of its own: anvil loses its state when one of over a thousand blocks is reorganised."""
_COMMAND = [sys.executable, "-c", "from chartseal.cli import main; main()", "index", "run", "--interval", "1s"]


@pytest.fixture
def urls(tmp_path: Path, postgres_server: Server) -> list[str]:
    return [f"sqlite:///{tmp_path / 'index.db'}", postgres_server.database()]


@pytest.fixture
def engines(urls: list[str]) -> Iterator[list[Engine]]:
    made = [connect(url, create=True) for url in urls]
    yield made
    for each in made:
        each.dispose()


@pytest.fixture
def local() -> Iterator[Local]:
    with started() as running:
        yield Local(running.url, running.node, known(running), accounts())


@pytest.mark.long
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_kills_while_indexing(
    local: Local, tmp_path: Path, urls: list[str], engines: list[Engine], drill_scale: float, seed: int
) -> None:
    history, chance = History(local, seed), random.Random(seed)
    history.register()
    local.node.request("anvil_mine", [hex(70)])  # no fork undoes the contracts
    place = tmp_path / "deployment.json"
    place.write_text(finalised(local).to_json())
    followed = ["--rpc", local.url, "--deployment", str(place)]
    stood, begun, reorganised = [set[int](), set[int]()], [0, 0], 0
    whole = min(_whole_run(url, followed) for url in urls)
    for kill in range(max(4, int(KILLS / ROUNDS * drill_scale))):
        which = kill % 2
        for _ in range(chance.randrange(1, 6)):
            history.step()
        if chance.random() < 0.3:
            local.node.request("anvil_mine", [hex(chance.randrange(1, 20))])
            local.node.request("anvil_reorg", [chance.randrange(1, 64), []])
            reorganised += 1
        with subprocess.Popen([*_COMMAND, "--db", urls[which], *followed], stdout=subprocess.DEVNULL) as process:
            # The end falls before, within and after indexing.
            time.sleep(whole * chance.uniform(0.5, 1.3))
            begun[which] += process.poll() is None
            process.kill()
        stood[which].add(_at(engines[which]))
    assert min(begun) > 0
    for url, engine in zip(urls, engines, strict=True):
        _whole_run(url, followed)
        assert _at(engine) == local.node.block().number
        assert_counted(dump(engine), local.node, local.deployment)
    print(f"\n{sum(begun)} kills, {reorganised} forks, {[len(each) for each in stood]} heights seen")


def _whole_run(url: str, followed: list[str]) -> float:
    """Seconds of a run to the newest block."""
    since = time.monotonic()
    subprocess.run([*_COMMAND, "--once", "--db", url, *followed], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - since


def _at(engine: Engine) -> int:
    """The block that an index has got to; whatever it holds is whole."""
    try:
        with Snapshot(engine) as moment:
            return moment.head.number
    except IndexingError as error:
        if error.code != "index_empty":
            raise
        return -1
