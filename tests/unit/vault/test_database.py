"""A vault's database: made, brought up to date, private, and its faults told."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import DataCorrupted, DeadlockDetected, DiskFull, Error, SerializationFailure
from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.exc import OperationalError

from chartseal.chain.anchors import open_queue
from chartseal.chain.anchors import tables as queue
from chartseal.errors import VaultDamageError, VaultError
from chartseal.vault.database import empty_log, open_database, reading, storing, writing
from chartseal.vault.tables import BLOB, LIVE, META, METADATA, RECORD, TERM, VERSIONS

CONFIG = Config()
CONFIG.set_main_option("script_location", "chartseal.vault:migrations")
NUMBERS = [each.revision for each in ScriptDirectory.from_config(CONFIG).walk_revisions()][::-1]


def differences(connection: Connection) -> list[object]:
    def ours(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or ((name or "").startswith("vault_") and name != VERSIONS)

    options = {"compare_type": True, "include_name": ours, "version_table": VERSIONS}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def refused(place: str, *, create: bool = False) -> VaultError:
    with pytest.raises(VaultError) as caught:
        open_database(place, create=create)
    return caught.value


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [f"{number:04}" for number in range(1, len(NUMBERS) + 1)] == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_every_version_comes_to_the_newest_and_back(place: str, number: str) -> None:
    with create_engine(place if "://" in place else f"sqlite:///{place}").begin() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, number)
    engine = open_database(place, create=False)
    with engine.begin() as connection:
        CONFIG.attributes["connection"] = connection
        assert differences(connection) == []
        command.downgrade(CONFIG, "base")
        assert not [name for name in inspect(connection).get_table_names() if name in METADATA.tables]
    engine.dispose()


def test_terms_stay_when_their_table_is_made_anew(place: str) -> None:
    with create_engine(place if "://" in place else f"sqlite:///{place}").begin() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, "0003")
        row = {"attester": b"a" * 20, "uid": b"u" * 32, "version": 1, "state": LIVE, "size": 1, "sealed_at": 1}
        record = connection.execute(insert(RECORD).values(**row, stored_at=1).returning(RECORD.c.id)).scalar_one()
        connection.execute(insert(TERM), [{"term": each * 16, "record_id": record} for each in (b"b", b"a")])
    engine = open_database(place, create=False)
    with engine.begin() as connection:
        kept = [(row.term, row.record_id) for row in connection.execute(select(TERM).order_by(TERM.c.term))]
        assert kept == [(b"a" * 16, record), (b"b" * 16, record)]
        CONFIG.attributes["connection"] = connection
        command.downgrade(CONFIG, "0003")
        assert len(connection.execute(select(TERM)).all()) == 2
    engine.dispose()


def test_migrations_make_what_the_code_asks_for(database: Engine) -> None:
    with reading(database) as connection:
        made = set(inspect(connection).get_table_names())
        assert made >= {*METADATA.tables, *queue.METADATA.tables, VERSIONS, queue.VERSIONS}
        assert differences(connection) == []


def test_what_is_kept_is_there_when_it_is_opened_again(place: str) -> None:
    engine = open_database(place, create=True)
    with writing(engine) as connection:
        connection.execute(insert(META).values(name="id", value=b"v" * 16))
    engine.dispose()
    for create in (False, True):
        engine = open_database(place, create=create)
        with reading(engine) as connection:
            assert connection.scalar(select(META.c.value)) == b"v" * 16
        engine.dispose()


def test_a_transaction_that_fails_leaves_nothing(database: Engine) -> None:
    with pytest.raises(VaultError) as caught, writing(database) as connection:
        connection.execute(insert(META), [{"name": "id", "value": b"secret value"}] * 2)
    assert caught.value.code == "vault_unavailable"
    assert "secret" not in str(caught.value)
    with reading(database) as connection:
        assert connection.scalars(select(META.c.name)).all() == []


def test_a_vault_is_not_made_unless_asked(place: str) -> None:
    assert refused(place).code == "vault_missing"
    if "://" not in place:
        assert not Path(place).exists()
    open_queue(place).dispose()  # a database, yet no vault
    assert refused(place).code == "vault_missing"
    open_database(place, create=True).dispose()
    open_database(place, create=False).dispose()


def test_the_tables_of_a_newer_program_are_left_alone(place: str) -> None:
    engine = open_database(place, create=True)
    with writing(engine) as connection:
        connection.execute(text(f"UPDATE {VERSIONS} SET version_num = '9999'"))
    assert refused(place, create=True).code == "vault_version"
    with reading(engine) as connection:
        assert connection.scalar(text(f"SELECT version_num FROM {VERSIONS}")) == "9999"
    engine.dispose()


@pytest.mark.parametrize("place", ["mysql://u:secret@h/d", "sqlite://", ":memory:", "sqlite:///x?mode=ro", "a://b://c"])
def test_places_that_cannot_be_a_vault_are_refused(place: str) -> None:
    error = refused(place, create=True)
    assert error.code == "vault_url"
    assert "secret" not in str(error)


def test_a_server_that_is_not_there_is_told_without_its_address() -> None:
    error = refused("postgresql://user:secret@127.0.0.1:1/none", create=True)
    assert (error.code, "secret" in str(error)) == ("vault_unavailable", False)


def test_a_file_is_its_owners_alone_and_forgets_what_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chartseal.chain.database._PATIENCE", 0.1)
    path = tmp_path / "vault.db"
    engine = open_database(str(path), create=True)
    marker = b"what is deleted" * 400
    with writing(engine) as connection:
        settings = [connection.scalar(text(f"PRAGMA {each}")) for each in ("journal_mode", "synchronous")]
        assert [*settings, connection.scalar(text("PRAGMA secure_delete"))] == ["wal", 2, 1]
        connection.execute(insert(BLOB).values(hash=b"h" * 32, data=marker))
        assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}
    assert empty_log(engine)
    assert b"what is deleted" in path.read_bytes()
    with writing(engine) as connection:
        connection.execute(BLOB.delete())
    assert b"what is deleted" in path.read_bytes()
    with reading(engine) as connection:
        connection.execute(select(BLOB.c.data)).all()
        assert not empty_log(engine)
    assert empty_log(engine)
    engine.dispose()
    assert b"what is deleted" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    engine = open_database(str(tmp_path / "vault.db"), create=True)
    with writing(engine) as connection:
        connection.execute(insert(BLOB).values(hash=b"a" * 32, data=b"kept"))
    engine.dispose()

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    event.listen(engine, "connect", limit)
    with pytest.raises(VaultError) as caught, writing(engine) as connection:
        connection.execute(insert(BLOB).values(hash=b"b" * 32, data=bytes(100_000)))
    assert caught.value.code == "disk_full"
    with reading(engine) as connection:
        assert connection.scalars(select(BLOB.c.data)).all() == [b"kept"]
    engine.dispose()


def test_a_servers_full_disk_and_damage_are_told() -> None:
    with pytest.raises(VaultError) as full, storing():
        raise OperationalError("", {}, DiskFull("secret"))
    with pytest.raises(VaultDamageError) as damaged, storing():
        raise OperationalError("", {}, DataCorrupted("secret"))
    assert (full.value.code, damaged.value.code) == ("disk_full", "vault_damaged")
    assert "secret" not in f"{full.value} {damaged.value}"


@pytest.mark.parametrize("fault", [DeadlockDetected, SerializationFailure])
def test_a_transaction_that_a_server_broke_off_is_told(fault: type[Error]) -> None:
    with pytest.raises(VaultError, match="run it again") as caught, storing():
        raise OperationalError("", {}, fault("secret"))
    assert caught.value.code == "vault_busy"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("at", [0, 4096 * 3])
def test_a_damaged_file_is_told_and_kept(at: int, tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    engine = open_database(str(path), create=True)
    with writing(engine) as connection:
        connection.execute(insert(BLOB), [{"hash": bytes([n]) * 32, "data": bytes(5_000)} for n in range(20)])
    engine.dispose()
    data = bytearray(path.read_bytes())
    data[at : at + 4096 * 10] = b"\xa5" * 4096 * 10
    path.write_bytes(data)
    with pytest.raises(VaultDamageError) as caught, reading(open_database(str(path), create=False)) as connection:
        connection.execute(text("SELECT * FROM vault_blob, vault_record, vault_audit")).all()
    assert caught.value.code == "vault_damaged"
    assert path.read_bytes() == bytes(data)
