"""Used assertions: once each, in any process, before and after a restart, in both databases."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, func, inspect, select, text

from chartseal.errors import AccessError
from chartseal.node.smart.replays import KEPT_LONGER, Replays
from chartseal.node.smart.tables import METADATA, USED, VERSIONS
from tests.node_clients import NOW

ENDS = NOW + timedelta(minutes=5)
_RACER = """
import sys
from datetime import UTC, datetime, timedelta
from chartseal.errors import AccessError
from chartseal.node.smart.replays import Replays
now = datetime.fromtimestamp(int(sys.argv[2]), UTC)
taken = []
with Replays.open(sys.argv[1]) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for at in range(60):
        try:
            store.use("client", f"jti-{at}", now + timedelta(minutes=5), now)
            taken.append(at)
        except AccessError as exc:
            assert exc.code == "assertion_replayed", exc.code
print(*taken)
"""


def is_taken(store: Replays, jti: str, *, client: str = "client", now: datetime = NOW) -> bool:
    try:
        store.use(client, jti, now + timedelta(minutes=5), now)
    except AccessError as exc:
        if exc.code != "assertion_replayed":
            raise
        return False
    return True


def count(store: Replays) -> int:
    with store._engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(USED)) or 0)


def test_each_counts_once_and_after_a_restart_too(place: str) -> None:
    with Replays.open(place) as store:
        assert [is_taken(store, "a"), is_taken(store, "a"), is_taken(store, "b")] == [True, False, True]
        assert is_taken(store, "a", client="other")
    with Replays.open(place) as store:
        assert [is_taken(store, each) for each in ("a", "b", "c")] == [False, False, True]


def test_a_client_cannot_be_mixed_up_with_its_id(place: str) -> None:
    with Replays.open(place) as store:
        assert is_taken(store, "bc", client="a")
        assert is_taken(store, "c", client="ab")


def test_of_many_processes_one_takes_each(place: str) -> None:
    Replays.open(place).close()
    arguments = [sys.executable, "-c", _RACER, place, str(int(NOW.timestamp()))]
    racers = [subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=60)[0] for racer in racers]
    taken = [int(each) for line in said for each in line.split()]
    assert sorted(taken) == list(range(60))


def test_of_many_threads_one_takes_each(place: str) -> None:
    with Replays.open(place) as store, ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: is_taken(store, "a"), range(40))) == 1


def test_what_ended_long_ago_is_forgotten_and_nothing_sooner(place: str) -> None:
    with Replays.open(place) as store:
        for at in range(250):
            is_taken(store, f"old-{at}")
        late = ENDS + KEPT_LONGER
        assert is_taken(store, "new", now=late)
        assert not is_taken(store, "old-0", now=late)
        assert count(store) == 251
        for at, left in enumerate((152, 53, 4)):
            assert is_taken(store, f"later-{at}", now=late + timedelta(seconds=1))
            assert count(store) == left
        assert not is_taken(store, "new", now=late)


def test_a_file_is_its_owners_alone_and_names_nobody(tmp_path: Path) -> None:
    with Replays.open(str(tmp_path / "t.db")) as store:
        is_taken(store, "a-telling-id", client="a-telling-client")
        assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}
        assert b"telling" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


def test_without_its_table_nothing_is_taken(place: str) -> None:
    with Replays.open(place) as store:
        with store._engine.begin() as connection:
            connection.execute(text("DROP TABLE node_token_used"))
        with pytest.raises(AccessError) as caught:
            store.use("client", "a", ENDS, NOW)
        assert caught.value.code == "replays_unavailable"


def test_migrations_make_what_the_code_asks_for_and_come_back(place: str) -> None:
    with Replays.open(place) as store, store._engine.begin() as connection:
        options = {"compare_type": True, "version_table": VERSIONS}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []
        config = Config()
        config.set_main_option("script_location", "chartseal.node.smart:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == [VERSIONS]


def test_the_table_of_a_newer_program_is_left_alone(place: str) -> None:
    Replays.open(place).close()
    engine = create_engine(place if "://" in place else f"sqlite:///{place}")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSIONS} SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(AccessError) as caught:
        Replays.open(place)
    assert caught.value.code == "replays_version"


@pytest.mark.parametrize("where", ["mysql://u:secret@h/d", ":memory:"])
def test_places_that_keep_nothing_are_refused(where: str) -> None:
    with pytest.raises(AccessError) as caught:
        Replays.open(where)
    assert (caught.value.code, "secret" in str(caught.value)) == ("replays_url", False)
