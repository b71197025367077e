"""Keys and records of vaults for tests."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, insert, select

from chartseal import _core
from chartseal.errors import VaultKeyError
from chartseal.vault.database import reading, writing
from chartseal.vault.epochs import Epoch, Epochs
from chartseal.vault.keys.secret import exists, missing, new_secret
from chartseal.vault.tables import KEY, LIVE, RECORD

ATTESTER = b"a" * 20


class MemoryKeys:
    """A KeyProvider that forgets with its process."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def names(self) -> Sequence[str]:
        return sorted(self.kept)

    def get(self, name: str) -> bytes:
        if name not in self.kept:
            raise missing(name)
        return self.kept[name]

    def make(self, name: str) -> bytes:
        if name in self.kept:
            raise exists(name)
        return self.kept.setdefault(name, new_secret())

    def destroy(self, name: str) -> None:
        self.kept.pop(name, None)


def uid_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def add_records(engine: Engine, epoch: Epoch, numbers: range) -> dict[bytes, bytes]:
    """Rows with wrapped data keys, as of records; returns their ciphertexts by UID."""
    with writing(engine) as connection:
        return insert_records(connection, epoch, numbers)


def insert_records(connection: Connection, epoch: Epoch, numbers: range) -> dict[bytes, bytes]:
    uids = [uid_of(number) for number in numbers]
    infos = [epoch.info(ATTESTER, uid) for uid in uids]
    encrypted = _core.encrypt_records([b"record " + uid for uid in uids], uids, infos, epoch.reader)
    row = {"attester": ATTESTER, "version": 1, "state": LIVE, "size": 1, "sealed_at": 0, "stored_at": 0}
    for uid, (_, wrapped) in zip(uids, encrypted, strict=True):
        record = connection.execute(insert(RECORD).values(uid=uid, **row).returning(RECORD.c.id)).scalar_one()
        connection.execute(insert(KEY).values(record_id=record, epoch=epoch.number, wrapped=wrapped))
    return {uid: ciphertext for uid, (ciphertext, _) in zip(uids, encrypted, strict=True)}


def unreadable(engine: Engine, epochs: Epochs, ciphertexts: dict[bytes, bytes]) -> set[bytes]:
    """UIDs of what no wrap opens."""
    query = select(RECORD.c.uid, KEY.c.epoch, KEY.c.wrapped).join(KEY, KEY.c.record_id == RECORD.c.id)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    lost = set(ciphertexts)
    for number in {row.epoch for row in rows}:
        try:
            secret = epochs.secret(number)
        except VaultKeyError:
            continue
        epoch = Epoch(number, _core.reader_public(secret))
        of_epoch = [row for row in rows if row.epoch == number]
        infos = [(row.wrapped, epoch.info(ATTESTER, row.uid), ciphertexts[row.uid], row.uid) for row in of_epoch]
        for row, opened in zip(of_epoch, _core.decrypt_records(secret, infos), strict=True):
            if opened == b"record " + row.uid:
                lost.discard(row.uid)
    return lost
