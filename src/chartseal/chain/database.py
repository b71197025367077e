"""Databases in SQLite and PostgreSQL that keep what must not be lost, and how their faults are told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from chartseal.chain import faults
from chartseal.errors import CoreError, MissingExtraError

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
_READS = "chartseal_reads"
_PATIENCE = 30
"""Seconds that a writer waits for another in SQLite."""
_ANSWER = 10
"""Seconds in which PostgreSQL's server answers who connects."""
_MIGRATING = 0x616E63686F72
"""Key of the lock under which PostgreSQL's schema is changed."""
_SETTINGS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of database: its codes are `disk_full` and `<name>_url`, `_version`, `_unavailable` and `_busy`."""

    name: str
    """What messages call it: one word."""
    error: type[CoreError]
    """What its faults are raised as."""
    settings: tuple[str, ...] = ()
    """SQLite's, beyond those that keep what is written: `name = value`."""
    damage: type[CoreError] | None = None
    """What a damaged database is raised as, with the code `<name>_damaged`; None tells it as any other fault."""

    def url(self, place: str) -> URL:
        """Where it is: an SQLAlchemy URL, or a path (SQLite).

        Raises:
            `error`: `<name>_url`; the URL is not shown, since it may hold a password.
        """
        try:
            url = make_url(place) if "://" in place else URL.create("sqlite", database=place)
        except (ArgumentError, ValueError):
            url = None
        if url is None or url.drivername not in _DRIVERS or not url.database:
            raise self.error(f"a {self.name} is an SQLite file or at postgresql+psycopg://…", f"{self.name}_url")
        if url.drivername == "sqlite" and (url.database == ":memory:" or url.query):
            raise self.error(
                f"a {self.name} in SQLite is a file: nothing else outlives the command", f"{self.name}_url"
            )
        return url.set(drivername=_DRIVERS[url.drivername])

    def engine(self, url: URL) -> Engine:
        """The database there. In SQLite a transaction that may write takes the write lock at once.

        A file that is made is its owner's alone (mode 0600); what a transaction wrote is on disk when it ends.

        Raises:
            `error`: `<name>_unavailable`.
            MissingExtraError: PostgreSQL's driver is not installed.
        """
        is_file = url.drivername == "sqlite"
        waiting = {"timeout": _PATIENCE} if is_file else {"connect_timeout": _ANSWER}
        if is_file:
            _make_private(Path(str(url.database)))
        with self.storing():
            engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=waiting)
        if is_file:
            event.listen(engine, "connect", self._on_connect)
            event.listen(engine, "begin", _on_begin)
        return engine

    def _on_connect(self, connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy begins them, not where the driver likes
        for setting in (*_SETTINGS, *self.settings):
            connection.execute(f"PRAGMA {setting}")

    def upgrade(self, connection: Connection, migrations: str) -> None:
        """Make the tables, or bring them up to date, in the caller's transaction; `migrations` is `package:folder`.

        Raises:
            `error`: `<name>_unavailable`, or `<name>_version`: a newer program made them.
        """
        config = Config()
        config.set_main_option("script_location", migrations)
        config.attributes["connection"] = connection
        with self.storing():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
            try:
                command.upgrade(config, "head")
            except (CommandError, AssertionError):  # a version that this program has no migration of, or that is none
                detail = f"the {self.name}'s tables are of a newer version than this program"
                raise self.error(detail, f"{self.name}_version") from None

    @contextmanager
    def reading(self, engine: Engine) -> Iterator[Connection]:
        """A connection that only reads, and so waits for no writer.

        Raises:
            `error`: as `storing`.
        """
        with self.storing(), engine.connect().execution_options(**{_READS: True}) as connection:
            yield connection

    @contextmanager
    def writing(self, engine: Engine) -> Iterator[Connection]:
        """A transaction that ends with the block.

        Raises:
            `error`: as `storing`.
        """
        with self.storing(), engine.begin() as connection:
            yield connection

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Tell a fault of the database as ours; its own words may quote the URL.

        Raises:
            `error`: `disk_full`, `<name>_unavailable`; `<name>_busy`: the server undid the transaction, since it and
                another waited for each other; `damage`: `<name>_damaged`.
            MissingExtraError: PostgreSQL's driver is not installed.
        """
        try:
            yield
        except ImportError:
            raise MissingExtraError(f"a {self.name} in PostgreSQL needs the extra `postgres`") from None
        except SQLAlchemyError as exc:
            raise self._fault(exc) from None
        except UnicodeDecodeError:  # of SQLite's own words too, where they quote a damaged schema
            raise self._damage("a text in it is damaged") from None

    def _fault(self, error: SQLAlchemyError) -> CoreError:
        detail = f"the {self.name}'s database cannot be used: {faults.told(error)}"
        if faults.is_full(error):
            return self.error(detail, "disk_full")
        if faults.is_busy(error):
            return self.error("somebody else was here, and nothing was done: run it again", f"{self.name}_busy")
        if faults.is_damaged(error):
            return self._damage(faults.told(error))
        return self.error(detail, f"{self.name}_unavailable")

    def _damage(self, told: str) -> CoreError:
        detail = f"the {self.name}'s database cannot be used: {told}"
        if self.damage is None:
            return self.error(detail, f"{self.name}_unavailable")
        return self.damage(detail, f"{self.name}_damaged")


def _make_private(path: Path) -> None:
    """Make the file, if there is none, readable by its owner alone; SQLite gives its companions the same mode."""
    with suppress(OSError):  # it is there already, or SQLite says better why it cannot be
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _on_begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
