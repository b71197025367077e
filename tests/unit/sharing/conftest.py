"""Stores of links in both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chartseal.sharing.links import ShareStore
from tests.anchoring import place as place
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server

BASE = "https://share.example/s"


@pytest.fixture
def store(place: str) -> Iterator[ShareStore]:
    made = ShareStore.open(place, base=BASE, create=True)
    yield made
    made.close()
