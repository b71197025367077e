"""Numbered migrations of the index's tables."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, inspect, text

from chartseal.errors import IndexingError

VERSION_TABLE = "index_version"
NEWEST = "0001"
"""The revision that this code reads and writes."""


def migrate(connection: Connection) -> None:
    """Bring the tables to the newest form, from whatever form or none, within the connection's transaction.

    Raises:
        IndexingError: `index_version`; a newer program made them.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, NEWEST)
    except CommandError:  # a version that this program has no migration of
        raise IndexingError("the index's tables are of a newer version than this program", "index_version") from None


def require_newest(engine: Engine) -> None:
    """Refuse tables of another form.

    Raises:
        IndexingError: `index_version`; `index_empty` where there are none.
    """
    with engine.connect() as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            raise IndexingError("there is no index in this database: `chartseal index run` makes one", "index_empty")
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 (ours)
    if found != NEWEST:
        raise IndexingError(
            "the index's tables are of another version: `chartseal index run` migrates older ones", "index_version"
        )
