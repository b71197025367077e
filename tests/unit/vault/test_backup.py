"""Backups: whole, of one moment, and readable by their key alone."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest
from sqlalchemy import Engine, func, select

from chartseal.errors import VaultError
from chartseal.vault.audit import verify_log
from chartseal.vault.audit.log import LOG_ID
from chartseal.vault.backup import _TABLES, back_up, new_identity, restore
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import open_database, reading, writing
from chartseal.vault.epochs import Epochs, rotate
from chartseal.vault.keys import PSEUDONYMS
from chartseal.vault.settings import Settings
from chartseal.vault.tables import BLOB, META, MOVE, RECORD, SUCCESSION
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.vaults import MemoryKeys, add_records

NOW = datetime(2031, 1, 14, tzinfo=UTC)
IDENTITY, RECIPIENT = new_identity()
CHUNK = 65_536
"""Bytes that age encrypts together; each chunk is 16 longer then."""


@contextmanager
def refusal(code: str) -> Iterator[None]:
    with pytest.raises(VaultError) as caught:
        yield
    assert caught.value.code == code


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "vault.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres"))


def made(place: str, keys: MemoryKeys, count: int = 20) -> Engine:
    engine = open_database(place, create=True)
    with writing(engine) as connection:
        Settings(b"v" * 16).write(connection, keys.make(PSEUDONYMS))
        epoch = Epochs(engine, keys).begin(connection, now=NOW)
    add_records(engine, epoch, range(count))
    return engine


def rows(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with reading(engine) as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in _TABLES
        }


def copied(engine: Engine, blobs: Blobs | None = None) -> bytes:
    stream = io.BytesIO()
    back_up(engine, blobs or Blobs(None), stream, [RECIPIENT], actor="clerk", now=NOW)
    return stream.getvalue()


def put_back(place: str, copy: bytes, identity: str = IDENTITY, blobs: Blobs | None = None) -> Engine:
    engine = open_database(place, create=True)
    restore(engine, blobs or Blobs(None), io.BytesIO(copy), identity, actor="clerk", now=NOW)
    return engine


def test_a_backup_restores_every_row(place: str, tmp_path: Path) -> None:
    engine = made(place, MemoryKeys())
    before = rows(engine)
    copy = copied(engine)
    after = rows(put_back(str(tmp_path / "again.db"), copy))
    for name in before.keys() - {"vault_audit", "vault_meta"}:  # which say that it was backed up, and restored
        assert after[name] == before[name]
    with reading(open_database(str(tmp_path / "again.db"), create=False)) as connection:
        assert verify_log(connection, now=NOW).entries == 1


def test_from_sqlite_into_postgresql_and_on(tmp_path: Path, postgres: str) -> None:
    keys = MemoryKeys()
    engine = put_back(postgres, copied(made(str(tmp_path / "vault.db"), keys)))
    with reading(engine) as connection:
        epoch = Epochs(engine, keys).current(connection)
    add_records(engine, epoch, range(100, 103))  # numbered after those that were restored
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(RECORD)) == 23


def test_nobody_reads_it_without_the_key(tmp_path: Path) -> None:
    engine = made(str(tmp_path / "vault.db"), MemoryKeys())
    copy = copied(engine)
    assert b"vault_record" not in copy
    with refusal("backup_damaged"):
        put_back(str(tmp_path / "other.db"), copy, new_identity()[0])
    with refusal("identity_malformed"):
        put_back(str(tmp_path / "other.db"), copy, "AGE-SECRET-KEY-1NONE")
    with refusal("recipient_malformed"):
        back_up(engine, Blobs(None), io.BytesIO(), ["age1none"], actor="clerk", now=NOW)


@pytest.mark.parametrize("harm", ["cut", "flipped", "emptied"])
def test_a_damaged_backup_restores_nothing(harm: str, tmp_path: Path) -> None:
    copy = bytearray(copied(made(str(tmp_path / "vault.db"), MemoryKeys(), 200)))
    if harm == "cut":
        del copy[-100:]
    elif harm == "flipped":
        copy[len(copy) // 2] ^= 1
    else:
        copy.clear()
    with refusal("backup_damaged"):
        put_back(str(tmp_path / "again.db"), bytes(copy))
    with reading(open_database(str(tmp_path / "again.db"), create=False)) as connection:
        assert connection.scalar(select(func.count()).select_from(RECORD)) == 0


def test_a_backup_that_is_cut_between_two_ciphertexts_restores_nothing(tmp_path: Path) -> None:
    """Where a chunk of age ends just where a member of the archive begins, what came before looks whole."""
    engine, outside = made(str(tmp_path / "vault.db"), MemoryKeys(), 2), Blobs(FolderBlobs(tmp_path / "blobs"), 10)

    def copied_with(size: int) -> tuple[bytes, int]:
        with writing(engine) as connection:
            for number, digest in enumerate(outside.put_many(connection, [b"1" * size, b"2" * size]), 1):
                connection.execute(RECORD.update().where(RECORD.c.id == number).values(blob=digest))
        copy = copied(engine, outside)
        plain = pyrage.decrypt(copy, [pyrage.x25519.Identity.from_str(IDENTITY)])
        with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
            at = [each.offset for each in archive if each.name.startswith("blobs/")][1]
        return copy, at

    size, (copy, at) = 300_032, copied_with(300_032)
    while at % CHUNK:
        size += CHUNK - at % CHUNK
        copy, at = copied_with(size)
    plain = len(pyrage.decrypt(copy, [pyrage.x25519.Identity.from_str(IDENTITY)]))
    head = len(copy) - (plain // CHUNK * (CHUNK + 16) + plain % CHUNK + 16)
    cut = copy[: head + at // CHUNK * (CHUNK + 16)]
    again = Blobs(FolderBlobs(tmp_path / "again"), 10)
    with refusal("backup_damaged"):
        put_back(str(tmp_path / "again.db"), cut, blobs=again)
    left = rows(open_database(str(tmp_path / "again.db"), create=False))
    assert not any(found for name, found in left.items() if name != META.name)
    assert put_back(str(tmp_path / "again.db"), copy, blobs=again)


@pytest.mark.parametrize("blobs", [1, 3, -1, "2", [2]])
def test_a_backup_that_states_other_ciphertexts_is_damaged(blobs: object, tmp_path: Path) -> None:
    members = [HEADED, ("blobs/" + "0" * 64, b"x"), ("missing/" + "1" * 64, b"")]
    counts = {**dict.fromkeys((each.name for each in _TABLES), 0), META.name: 1}
    with refusal("backup_damaged"):
        put_back(str(tmp_path / "again.db"), forged(stated(counts, blobs=blobs), *members))
    put_back(str(tmp_path / "again.db"), forged(stated(counts, blobs=2), *members))
    put_back(str(tmp_path / "older.db"), forged(stated(counts), *members))  # of when they were not stated


def test_a_backup_of_before_there_were_moves_is_restored(tmp_path: Path) -> None:
    names = [each.name for each in _TABLES if each not in (SUCCESSION, MOVE)]
    put_back(str(tmp_path / "again.db"), forged(stated({**dict.fromkeys(names, 0), META.name: 1}), HEADED))
    for other in (names[1:], [*names, "vault_other"]):
        with refusal("backup_version"):
            put_back(str(tmp_path / "other.db"), forged(stated(dict.fromkeys(other, 0))))


def test_a_ciphertext_that_is_gone_is_counted(tmp_path: Path) -> None:
    engine, outside = made(str(tmp_path / "vault.db"), MemoryKeys(), 1), Blobs(FolderBlobs(tmp_path / "blobs"), 10)
    with writing(engine) as connection:
        digest = outside.put(connection, b"L" * 100)
        connection.execute(RECORD.update().values(blob=digest))
    FolderBlobs(tmp_path / "blobs").delete(digest)
    stream = io.BytesIO()
    done = back_up(engine, outside, stream, [RECIPIENT], actor="clerk", now=NOW)
    stream.seek(0)
    again = restore(
        open_database(str(tmp_path / "again.db"), create=True),
        Blobs(None),
        stream,
        IDENTITY,
        actor="clerk",
        now=NOW,
    )
    assert (done.blobs, done.missing) == (again.blobs, again.missing) == (0, 1)


def forged(about: bytes, *parts: tuple[str, bytes]) -> bytes:
    """A backup that somebody else made for a key that is known."""
    archive, stream = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w|") as members:
        for name, data in (("backup.json", about), *parts):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            members.addfile(member, io.BytesIO(data))
    archive.seek(0)
    pyrage.encrypt_io(archive, stream, [pyrage.x25519.Recipient.from_str(RECIPIENT)])
    return stream.getvalue()


def stated(rows: object = None, **more: object) -> bytes:
    about = {"format": "chartseal/1", "kind": "vault-backup", "version": 1, **more}
    return json.dumps(
        {**about, "rows": dict.fromkeys((each.name for each in _TABLES), 0) if rows is None else rows}
    ).encode()


HEADED = ("tables/vault_meta/000000.ndjson", b'["%s","dnZ2dnZ2dnZ2dnZ2dnZ2dg=="]\n' % LOG_ID.encode())
"""A vault's id, without which there is no log."""
DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "about", [b"[]", b"1", b"null", b"{", b"\xff", DEEP, stated([]), stated([1]), stated(1), stated("x")]
)
def test_a_forged_backup_that_states_nonsense_is_damaged(about: bytes, tmp_path: Path) -> None:
    with refusal("backup_damaged"):
        put_back(str(tmp_path / "again.db"), forged(about))


@pytest.mark.parametrize(
    "row",
    [b"[]", b"{}", b"1", DEEP, b'["x",{}]', b'["x",[]]', b"[1,2]", b"[null,null]", b'["x",%d]' % 2**70, b'["x","-"]'],
)
def test_a_forged_backup_with_rows_of_nonsense_is_damaged(row: bytes, place: str) -> None:
    with refusal("backup_damaged"):
        put_back(place, forged(stated(), ("tables/vault_meta/000000.ndjson", row + b"\n")))


@pytest.mark.parametrize("number", [2**70, -(2**63) - 1, 1.5, "x"])
def test_a_forged_backup_with_a_number_that_is_none_is_damaged(number: object, place: str) -> None:
    row = json.dumps([number, "AA==", 0, None]).encode()
    with refusal("backup_damaged"):
        put_back(place, forged(stated(), ("tables/vault_epoch/000000.ndjson", row + b"\n")))


def test_a_vault_that_holds_records_is_not_written_over(tmp_path: Path) -> None:
    copy = copied(made(str(tmp_path / "vault.db"), MemoryKeys()))
    before = rows(open_database(str(tmp_path / "vault.db"), create=False))
    with refusal("vault_not_empty"):
        put_back(str(tmp_path / "vault.db"), copy)
    assert rows(open_database(str(tmp_path / "vault.db"), create=False)) == before


def test_a_backup_is_of_one_moment(place: str, tmp_path: Path) -> None:
    keys = MemoryKeys()
    engine = made(place, keys, 200)
    with reading(engine) as connection:
        epoch = Epochs(engine, keys).current(connection)
    done = threading.Event()

    def go_on() -> None:
        number = 1_000
        while not done.is_set():
            add_records(engine, epoch, range(number, number + 5))
            number += 5

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        copies = [copied(engine) for _ in range(3)]
    finally:
        done.set()
        writer.join()
    for at, copy in enumerate(copies):
        found = rows(put_back(str(tmp_path / f"again{at}.db"), copy))
        assert len(found["vault_key"]) == len(found["vault_record"])
        assert len(found["vault_record"]) % 5 == 0


def test_ciphertexts_outside_come_along(tmp_path: Path) -> None:
    keys = MemoryKeys()
    engine, outside = made(str(tmp_path / "vault.db"), keys, 1), Blobs(FolderBlobs(tmp_path / "blobs"), inline=10)
    with writing(engine) as connection:
        large, small = outside.put_many(connection, [b"L" * 100, b"small"])
        connection.execute(RECORD.update().values(blob=large))
    copy = copied(engine, outside)
    again = Blobs(FolderBlobs(tmp_path / "again"), inline=10)
    restored = put_back(str(tmp_path / "again.db"), copy, blobs=again)
    with reading(restored) as connection:
        assert again.get_many(connection, [large, small]) == [b"L" * 100, b"small"]
    inside = Blobs(None)
    restored = put_back(str(tmp_path / "inside.db"), copy, blobs=inside)  # where there is no place outside
    with reading(restored) as connection:
        assert inside.get(connection, large) == b"L" * 100
        assert connection.scalar(select(func.count()).select_from(BLOB)) == 2
    copied(restored, inside)  # it has no place outside any more
    with pytest.raises(VaultError) as caught:
        copied(engine)  # which would lack what is outside
    assert caught.value.code == "blobs_missing"


def test_what_is_wrapped_for_a_destroyed_epoch_is_gone_from_backups(tmp_path: Path) -> None:
    keys = MemoryKeys()
    engine = made(str(tmp_path / "vault.db"), keys)
    copy = copied(engine)
    rotate(engine, keys, now=NOW, destroy_old=True)
    assert keys.names() == ["epoch-2", PSEUDONYMS]
    restored = put_back(str(tmp_path / "again.db"), copy)
    with pytest.raises(VaultError) as caught:
        Epochs(restored, keys).secret(1)
    assert caught.value.code == "key_missing"
