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
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

_NUMBERS = itertools.count()


class Server:
    """A running server that listens on a socket in a folder of its own; nothing is synced to disk."""

    def __init__(self) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
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
            self._call("pg_ctl", "-D", data, "-w", "-l", str(self._folder / "log"), "-o", options, "start")
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _call(self, program: str, *arguments: str) -> None:
        command = [*self._prefix, str(self._programs / program), *arguments]
        subprocess.run(command, cwd=self._folder, check=True, stdout=subprocess.DEVNULL)

    def database(self) -> str:
        """A new empty database's SQLAlchemy URL."""
        name = f"test_{next(_NUMBERS)}"
        with psycopg.connect(f"host={self._folder} user=app dbname=postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://app@/{name}?host={self._folder}"

    def stop(self) -> None:
        """End it, whoever is still connected, and delete everything."""
        try:
            self._call("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


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
