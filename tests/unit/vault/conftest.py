"""Vaults in both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from chartseal.vault.database import open_database
from tests.anchoring import place as place
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server


@pytest.fixture
def database(place: str) -> Iterator[Engine]:
    engine = open_database(place, create=True)
    yield engine
    engine.dispose()
