"""A node over an empty vault in SQLite, and in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fhir_answers import Node
from tests.vault_records import create


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    vault = create(str(tmp_path / "vault.db"))
    yield Node(vault)
    vault.close()
