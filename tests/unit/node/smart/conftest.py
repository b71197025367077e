"""A token endpoint in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chartseal.node.smart.replays import Replays
from tests.anchoring import place as place
from tests.node_clients import Site
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server


@pytest.fixture
def replays(tmp_path: Path) -> Iterator[Replays]:
    with Replays.open(str(tmp_path / "tokens.db")) as store:
        yield store


@pytest.fixture
def site(replays: Replays) -> Site:
    return Site(replays)
