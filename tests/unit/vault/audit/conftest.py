"""Logs in both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.audit_log import begun


@pytest.fixture
def engine(database: Engine) -> Engine:
    return begun(database)
