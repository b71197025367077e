"""Queues in both databases."""

from tests.anchoring import engine as engine
from tests.anchoring import place as place
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
