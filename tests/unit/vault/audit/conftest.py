"""Logs in both databases."""

from tests.audit_log import engine as engine
from tests.audit_log import place as place
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
