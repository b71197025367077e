"""Databases of both kinds, and the chain of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from chartseal.chain.index import connect
from tests.postgres import postgres_server as postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database's URL, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'index.db'}"
    return str(request.getfixturevalue("postgres_server").database())


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = connect(url, create=True)
    yield made
    made.dispose()
