"""Stores in both databases."""

from __future__ import annotations

from tests.anchoring import place as place
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
