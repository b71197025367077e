"""Ciphertexts inside and outside the database, and what happens to them with the transaction."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select, update

from chartseal.errors import VaultDamageError, VaultError
from chartseal.vault.blobs import INLINE, Blobs, FolderBlobs
from chartseal.vault.database import reading, writing
from chartseal.vault.tables import BLOB, DELIVERY, LIVE, RECORD

SMALL, EDGE, LARGE = b"small", b"e" * 100, b"l" * 101
ALL = [SMALL, EDGE, LARGE]
LATER = datetime.now(UTC) + timedelta(hours=2)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(FolderBlobs(tmp_path / "blobs"), inline=100)


def outside(blobs: Blobs) -> set[bytes]:
    assert blobs.store is not None
    return set(blobs.store.digests())


def digest_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def name_it(engine: Engine, digest: bytes, uid: bytes = bytes(32)) -> None:
    """Give the blob a record."""
    row = {"attester": bytes(20), "uid": uid, "version": 1, "state": LIVE, "size": 1, "sealed_at": 0, "stored_at": 0}
    with writing(engine) as connection:
        connection.execute(insert(RECORD).values(blob=digest, **row))


def test_small_ones_are_inside_and_large_ones_outside(database: Engine, blobs: Blobs) -> None:
    with writing(database) as connection:
        hashes = blobs.put_many(connection, [*ALL, SMALL])
        assert blobs.put(connection, LARGE) == hashes[2]
    assert hashes == [digest_of(each) for each in [*ALL, SMALL]]
    assert outside(blobs) == {digest_of(LARGE)}
    with reading(database) as connection:
        assert set(connection.scalars(select(BLOB.c.data))) == {SMALL, EDGE}
        assert blobs.get_many(connection, hashes[::-1]) == [SMALL, LARGE, EDGE, SMALL]


def test_without_a_store_all_are_inside(database: Engine) -> None:
    blobs, huge = Blobs(None), bytes(INLINE + 1)
    with writing(database) as connection:
        digest = blobs.put(connection, huge)
    with reading(database) as connection:
        assert blobs.get(connection, digest) == huge
    assert blobs.sweep(database, now=LATER) == blobs.after_commit(database) == 0


def test_damage_is_named_and_the_rest_stays_readable(database: Engine, blobs: Blobs) -> None:
    with writing(database) as connection:
        small, edge, large = blobs.put_many(connection, ALL)
        connection.execute(update(BLOB).where(BLOB.c.hash == small).values(data=b"Small"))
    missing = bytes(32)
    with reading(database) as connection:
        damaged, whole, other, none = blobs.get_many(connection, [small, edge, large, missing])
        assert (whole, other) == (EDGE, LARGE)
        for error, code, digest in ((damaged, "blob_damaged", small), (none, "blob_missing", missing)):
            assert isinstance(error, VaultDamageError)
            assert (error.code, error.path) == (code, digest.hex())
            with pytest.raises(VaultDamageError):
                blobs.get(connection, digest)


def test_many_are_read_and_written_in_chunks(database: Engine, blobs: Blobs) -> None:
    many = [f"{number}".encode() for number in range(1_203)]
    with writing(database) as connection:
        hashes = blobs.put_many(connection, many)
        assert connection.scalar(select(func.count()).select_from(BLOB)) == len(many)
        assert blobs.get_many(connection, hashes) == many
        assert blobs.put_many(connection, []) == blobs.get_many(connection, []) == []


def test_what_is_deleted_goes_outside_only_after_the_transaction(database: Engine, blobs: Blobs) -> None:
    with writing(database) as connection:
        hashes = blobs.put_many(connection, ALL)
    with writing(database) as connection:
        for digest in hashes:
            blobs.delete(connection, digest)
        assert outside(blobs) == {hashes[2]}
    assert blobs.after_commit(database) == 1
    assert outside(blobs) == set()
    with reading(database) as connection:
        assert [type(each) for each in blobs.get_many(connection, hashes)] == [VaultDamageError] * 3
    assert blobs.after_commit(database) == 0


def test_what_a_failed_transaction_would_have_deleted_stays(database: Engine, blobs: Blobs) -> None:
    with writing(database) as connection:
        large = blobs.put(connection, LARGE)
    name_it(database, large)
    with database.connect() as connection:
        blobs.delete(connection, large)
        connection.rollback()
    assert blobs.after_commit(database) == 0
    with reading(database) as connection:
        assert blobs.get(connection, large) == LARGE


def test_a_store_that_fails_is_asked_to_delete_again(
    database: Engine, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(database) as connection:
        large = blobs.put(connection, LARGE)
        blobs.delete(connection, large)

    def fail(_: object, __: bytes) -> None:
        raise VaultError("", "blobs_unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(FolderBlobs, "delete", fail)
        with pytest.raises(VaultError):
            blobs.after_commit(database)
    assert blobs.after_commit(database) == 1
    assert outside(blobs) == set()


def test_sweeping_takes_what_is_old_and_nobodys(database: Engine, blobs: Blobs) -> None:
    named_by_record, named_by_delivery, nobodys = (letter * 200 for letter in (b"r", b"d", b"n"))
    with writing(database) as connection:
        hashes = blobs.put_many(connection, [named_by_record, named_by_delivery, nobodys])
    name_it(database, hashes[0])
    with writing(database) as connection:
        record = connection.scalar(select(RECORD.c.id))
        row = {"record_id": record, "locator": bytes(32), "size": 200, "expires_at": 0}
        connection.execute(insert(DELIVERY).values(blob=hashes[1], **row))
    assert blobs.sweep(database, now=datetime.now(UTC)) == 0
    assert blobs.sweep(database, now=LATER) == 1
    assert outside(blobs) == set(hashes[:2])
