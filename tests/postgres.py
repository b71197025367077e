"""PostgreSQL for tests: one temporary server a session from the distribution's package, one fresh database a test.

A conftest takes both fixtures: `from tests.postgres import postgres as postgres, postgres_server as postgres_server`.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

_NUMBERS = itertools.count()


class Server:
    """A running server that listens on a socket in a folder of its own; nothing is synced to disk."""

    def __init__(self) -> None:
        self._programs = programs()
        self.folder = self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self._prefix: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            user = _other_user()
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            who = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            self._prefix = ["setpriv", *who]
        data = str(self._folder / "data")
        self._data = data
        try:
            self._call("initdb", "-D", data, "-U", "app", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
            options = f"-k {self._folder} -c listen_addresses='' -c fsync=off -c max_connections=50"
            self._start = ["-D", data, "-w", "-l", str(self._folder / "log"), "-o", options]
            self._call("pg_ctl", *self._start, "start")
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _call(self, program: str, *arguments: str) -> None:
        command = [*self._prefix, str(self._programs / program), *arguments]
        subprocess.run(command, cwd=self._folder, check=True, stdout=subprocess.DEVNULL)

    def database(self, folder: Path | None = None) -> str:
        """A new empty database's SQLAlchemy URL; its files in the folder, where one is given."""
        name = f"test_{next(_NUMBERS)}"
        with self._connect() as connection:
            if folder is None:
                connection.execute(f'CREATE DATABASE "{name}"')
            else:
                self._open_to_server(folder)
                connection.execute(f"""CREATE TABLESPACE "{folder.name}" LOCATION '{folder}'""")
                connection.execute(f'CREATE DATABASE "{name}" TABLESPACE "{folder.name}"')
        return f"postgresql+psycopg://app@/{name}?host={self._folder}"

    def dump(self, url: str, file: Path) -> None:
        """Write a database as SQL, with the distribution's program."""
        self._client("pg_dump", url, f"--file={file}")

    def load(self, url: str, file: Path) -> None:
        """Run a file of SQL."""
        self._client("psql", url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={file}")

    def _client(self, program: str, url: str, *arguments: str) -> None:
        found = self._programs / program
        command = [str(found if found.exists() else program), f"--dbname={_libpq(url)}", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def drop(self, url: str, folder: Path | None = None) -> None:
        """Delete a database that `database` made."""
        name = url.partition("@/")[2].partition("?")[0]
        with self._connect() as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            if folder is not None:
                connection.execute(f'DROP TABLESPACE "{folder.name}"')

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(f"host={self._folder} user=app dbname=postgres", autocommit=True)

    def _open_to_server(self, folder: Path) -> None:
        """Let the server's user have a folder, and pass through those above it."""
        if os.geteuid() == 0:
            user = _other_user()
            os.chown(folder, user.pw_uid, user.pw_gid)
        for each in [*folder.parents][:-2]:
            each.chmod(each.stat().st_mode | 0o011)

    def restart(self) -> None:
        """Break off whatever is going on, and start again: it recovers as after a crash."""
        self._call("pg_ctl", *self._start, "-m", "immediate", "restart")

    def stop(self) -> None:
        """End it, whoever is still connected, and delete everything."""
        try:
            self._call("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _libpq(url: str) -> str:
    """An SQLAlchemy URL as libpq takes it."""
    return url.replace("postgresql+psycopg", "postgresql", 1)


def settle(place: str) -> None:
    """Wait until nobody else is in a database: a killed client's last statement may still run, and commit."""
    if "://" not in place:
        return
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(_libpq(place), autocommit=True) as connection:
        for _ in range(3_000):
            if connection.execute(others + " AND backend_type = 'client backend'").fetchone() == (0,):
                return
            time.sleep(0.01)
    raise TimeoutError("somebody is still connected")


def programs() -> Path:
    """The folder of initdb and pg_ctl.

    Raises:
        FileNotFoundError: PostgreSQL's server is not installed.
    """
    if (found := shutil.which("initdb")) and shutil.which("pg_ctl"):
        return Path(found).parent
    installed = [each for each in Path("/usr/lib/postgresql").glob("*/bin") if (each / "initdb").exists()]
    if not installed:
        raise FileNotFoundError("PostgreSQL's server is not installed (Debian: postgresql)")
    return max(installed, key=lambda each: float(each.parent.name))


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise FileNotFoundError("PostgreSQL needs another user than root")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    try:
        server = Server()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    yield server
    server.stop()


@pytest.fixture
def postgres(postgres_server: Server) -> str:
    """A fresh database's SQLAlchemy URL."""
    return postgres_server.database()
