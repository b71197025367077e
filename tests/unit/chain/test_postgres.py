"""The server that tests start is one, and each test's database is its own."""

from __future__ import annotations

import sqlalchemy

from tests.postgres import Server
from tests.postgres import postgres_server as postgres_server


def test_databases_are_apart(postgres_server: Server) -> None:
    first, second = (sqlalchemy.create_engine(postgres_server.database()) for _ in range(2))
    with first.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE here (n int)"))
    assert sqlalchemy.inspect(first).get_table_names() == ["here"]
    assert sqlalchemy.inspect(second).get_table_names() == []
    first.dispose()
    second.dispose()
