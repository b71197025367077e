"""Migrations: from nothing, from each version, beside a vault's own, and what they make is what the code asks for."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from chartseal.chain.anchors import open_queue, upgrade
from chartseal.chain.anchors.tables import METADATA, VERSIONS
from chartseal.errors import QueueError

CONFIG = Config()
CONFIG.set_main_option("script_location", "chartseal.chain.anchors:migrations")
NUMBERS = [each.revision for each in ScriptDirectory.from_config(CONFIG).walk_revisions()][::-1]


@pytest.fixture
def empty(place: str) -> Engine:
    return create_engine(place if "://" in place else f"sqlite:///{place}")


def differences(connection: Connection) -> list[object]:
    def ours(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or ((name or "").startswith("anchor_") and name != VERSIONS)

    options = {"compare_type": True, "include_name": ours, "version_table": VERSIONS}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [f"{number:04}" for number in range(1, len(NUMBERS) + 1)] == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_every_version_comes_to_the_newest_and_back(empty: Engine, number: str) -> None:
    with empty.begin() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, number)
        upgrade(connection)
        upgrade(connection)
        assert differences(connection) == []
        command.downgrade(CONFIG, "base")
        assert {name for name in inspect(connection).get_table_names() if name != VERSIONS} == set()
    with empty.begin() as connection:
        upgrade(connection)
        assert differences(connection) == []


def test_a_vault_keeps_the_queue_beside_its_own_tables(empty: Engine, place: str) -> None:
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('vault-7')"))
        connection.execute(text("CREATE TABLE vault_record (id INTEGER PRIMARY KEY)"))
        upgrade(connection)
    with open_queue(place).begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "vault-7"
        assert connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar_one() == NUMBERS[-1]
        assert "vault_record" in inspect(connection).get_table_names()


def test_an_upgrade_ends_with_the_callers_transaction(place: str) -> None:
    if "://" not in place:
        pytest.skip("SQLite's driver ends transactions itself unless told otherwise, as open_queue does")
    engine = create_engine(place)
    with engine.connect() as connection, connection.begin() as transaction:
        upgrade(connection)
        transaction.rollback()
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []


def test_the_queue_is_on_disk_when_a_transaction_ends(tmp_path_factory: pytest.TempPathFactory) -> None:
    engine = open_queue(str(tmp_path_factory.mktemp("settings") / "queue.db"))
    with engine.connect() as connection:
        settings = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]


def test_the_tables_of_a_newer_program_are_left_alone(empty: Engine, place: str) -> None:
    open_queue(place).dispose()
    with empty.begin() as connection:
        connection.execute(text(f"UPDATE {VERSIONS} SET version_num = '9999'"))
    with pytest.raises(QueueError) as caught:
        open_queue(place)
    assert caught.value.code == "queue_version"
    with empty.begin() as connection:
        assert connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar_one() == "9999"
