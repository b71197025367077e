"""A wallet's records, in one SQLite file that tells nobody without the wallet's words more than numbers and sizes.

Contents are encrypted and looked up by keyed hashes, as in the wallet's memory of answers, under keys of their own.

    with WalletStore.open(path, wallet) as store:
        for held in store.records(KEPT):
            print(held.record.resource_type)
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartseal._whole_files import clear_parts, give_name, part_of, sync, with_companions
from chartseal.errors import ChartsealError, WalletStoreError
from chartseal.sealing import SealedRecord

if TYPE_CHECKING:
    from chartseal.keys import Wallet
    from chartseal.keys.contents import ContentKeys

VERSION = 1
CANDIDATE, KEPT, ERASED = "candidate", "kept", "erased"
"""States of a record: fetched and not accepted; accepted; erased, of which only the mark is left."""

_APPLICATION = 0x43535741  # "CSWA": no other program's file is taken for one
_WAIT_SECONDS = 10
_STATES = {CANDIDATE: 1, KEPT: 2, ERASED: 3}
_TABLES = """
CREATE TABLE wallet (mark BLOB NOT NULL);
CREATE TABLE record (number INTEGER PRIMARY KEY, mark BLOB NOT NULL UNIQUE, state INTEGER NOT NULL, entry BLOB);
CREATE INDEX record_state ON record (state);
CREATE TABLE seen (mark BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE page (mark BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE parcel (mark BLOB PRIMARY KEY, seen BLOB NOT NULL, tries INTEGER NOT NULL, entry BLOB NOT NULL)
    WITHOUT ROWID;
CREATE INDEX parcel_seen ON parcel (seen);
"""


@dataclass(frozen=True)
class Parcel:
    """What an announcement says is waiting, until its ciphertext has come: for which address, and where."""

    enc: bytes
    """32 bytes."""
    locator: bytes
    """32 bytes."""
    address: int
    epoch: int
    source: str
    tries: int = 0


@dataclass(frozen=True)
class Held:
    """A record that the wallet has, and how it came."""

    number: int
    """The store's own, from 1."""
    record: SealedRecord = field(repr=False)
    state: str
    parcel: Parcel
    """`source` is empty for one that came as a file."""


class WalletStore:
    """The records of one wallet. Close it, or use it as a context manager."""

    def __init__(self, database: sqlite3.Connection, keys: ContentKeys) -> None:
        """Use `open`."""
        self._database, self._keys = database, keys

    @classmethod
    def beside(cls, wallet_path: Path) -> Path:
        """Where a wallet's records are unless it is said: `wallet.json.records`."""
        return wallet_path.with_name(f"{wallet_path.name}.records")

    @classmethod
    def open(cls, path: Path, wallet: Wallet) -> WalletStore:
        """Open the file, or make it (mode 0600).

        Raises:
            WalletStoreError: `store_unavailable`, `store_busy`, `store_full`, `store_damaged`, `store_version` of
                another program or a later one, or `store_other_wallet`.
        """
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as exc:
            raise WalletStoreError(f"the records cannot be opened: {exc.strerror}", "store_unavailable") from exc
        with translated():
            database = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
        store = cls(database, wallet.content_keys("records"))
        try:
            store._begin()
        except BaseException:
            database.close()
            raise
        return store

    def _begin(self) -> None:
        with translated():
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("PRAGMA secure_delete = ON")
        mark = self._keys.mark("wallet")
        with self.writing():
            [application] = self._database.execute("PRAGMA application_id").fetchone()
            [version] = self._database.execute("PRAGMA user_version").fetchone()
            [tables] = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if (application, version, tables) == (0, 0, 0):
                for statement in _TABLES.split(";"):
                    self._database.execute(statement)
                self._database.execute("INSERT INTO wallet VALUES (?)", [mark])
                self._database.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._database.execute(f"PRAGMA user_version = {VERSION}")
            elif (application, version) != (_APPLICATION, VERSION):
                raise WalletStoreError("the file holds no wallet's records of this form", "store_version")
            if self._database.execute("SELECT mark FROM wallet").fetchall() != [(mark,)]:
                raise WalletStoreError("the records are another wallet's", "store_other_wallet")

    def __enter__(self) -> WalletStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, alone, or a part of the one that is open; what is raised in it undoes all of it.

        Raises:
            WalletStoreError: as `open`.
        """
        if self._database.in_transaction:
            yield
            return
        with translated():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")

    # pages and parcels: a mailbox is believed for itself alone, or one could hide what another has

    def has_page(self, source: str, page: bytes, address: int, epoch: int) -> bool:
        """Whether a mailbox's page was scanned for an address of the wallet."""
        mark = self._page_mark(source, page, address, epoch)
        with translated():
            return self._database.execute("SELECT 1 FROM page WHERE mark = ?", [mark]).fetchone() is not None

    def add_page(self, source: str, page: bytes, address: int, epoch: int) -> None:
        """Note that a mailbox's page was scanned for an address."""
        mark = self._page_mark(source, page, address, epoch)
        with self.writing():
            self._database.execute("INSERT OR IGNORE INTO page VALUES (?)", [mark])

    def _page_mark(self, source: str, page: bytes, address: int, epoch: int) -> bytes:
        return self._keys.mark("page", _source(source), page, address.to_bytes(4), epoch.to_bytes(4))

    def add_parcel(self, parcel: Parcel) -> bool:
        """Note what is to be fetched; False where its record came before, or is waited for already."""
        mark, seen = self._parcel_mark(parcel), self._keys.mark("seen", parcel.enc)
        with self.writing():
            if self._database.execute("SELECT 1 FROM seen WHERE mark = ?", [seen]).fetchone():
                return False
            entry = self._keys.seal(_parcel_to_json(parcel), mark)
            added = self._database.execute("INSERT OR IGNORE INTO parcel VALUES (?, ?, 0, ?)", [mark, seen, entry])
            return added.rowcount > 0

    def _parcel_mark(self, parcel: Parcel) -> bytes:
        own = parcel.address.to_bytes(4) + parcel.epoch.to_bytes(4)
        return self._keys.mark("parcel", parcel.enc, own, _source(parcel.source))

    def parcels(self) -> list[Parcel]:
        """What is to be fetched, in no order that tells anything."""
        with translated():
            rows = self._database.execute("SELECT mark, tries, entry FROM parcel ORDER BY mark").fetchall()
            return [_parcel(json.loads(self._keys.open(entry, mark)), tries) for mark, tries, entry in rows]

    def count_try(self, parcel: Parcel, most: int) -> None:
        """Note that a parcel did not come, or not as it should; after `most` times it is given up."""
        mark = self._parcel_mark(parcel)
        with self.writing():
            self._database.execute("UPDATE parcel SET tries = tries + 1 WHERE mark = ?", [mark])
            self._database.execute("DELETE FROM parcel WHERE mark = ? AND tries >= ?", [mark, most])

    def drop_parcel(self, parcel: Parcel) -> None:
        """Wait for it no more."""
        with self.writing():
            self._database.execute("DELETE FROM parcel WHERE mark = ?", [self._parcel_mark(parcel)])

    # records

    def is_seen(self, record: SealedRecord) -> bool:
        """Whether a record's key or subject came before, in whatever record."""
        marks = [self._keys.mark("seen", part) for part in (record.enc, record.subject)]
        with translated():
            found = self._database.execute("SELECT 1 FROM seen WHERE mark IN (?, ?)", marks)
            return found.fetchone() is not None

    def add(self, record: SealedRecord, parcel: Parcel) -> Held:
        """Hold a record as a candidate; its key and subject are seen from now on, so it must have been checked.

        Raises:
            WalletStoreError: `record_repeated`: its key, its subject or the record itself came before.
        """
        mark = self._keys.mark("record", record.attester, record.uid)
        data = json.dumps({"line": record.to_json().decode(), **_parcel_members(parcel)}).encode()
        with self.writing():
            if self.is_seen(record):
                raise WalletStoreError("the record's key or subject came before", "record_repeated")
            for part in (record.enc, record.subject):
                self._database.execute("INSERT INTO seen VALUES (?)", [self._keys.mark("seen", part)])
            if self._database.execute("SELECT 1 FROM record WHERE mark = ?", [mark]).fetchone():
                raise WalletStoreError("the record came before", "record_repeated")
            row = [mark, _STATES[CANDIDATE], self._keys.seal(data, _bound(mark, CANDIDATE))]
            number = self._database.execute("INSERT INTO record (mark, state, entry) VALUES (?, ?, ?)", row).lastrowid
            self._database.execute("DELETE FROM parcel WHERE seen = ?", [self._keys.mark("seen", record.enc)])
            assert number is not None  # noqa: S101 (it was an INSERT)
            return Held(number, record, CANDIDATE, parcel)

    def keep(self, held: Held) -> None:
        """Let a candidate be kept; one that is kept already stays so.

        Raises:
            WalletStoreError: `record_erased` meanwhile; `store_damaged`.
        """
        with self.writing():
            row = self._database.execute(
                "SELECT mark, state, entry FROM record WHERE number = ?", [held.number]
            ).fetchone()
            if row is None or row[1] == _STATES[ERASED]:
                raise WalletStoreError("the record was erased", "record_erased")
            if row[1] == _STATES[CANDIDATE]:
                data = self._keys.open(row[2], _bound(row[0], CANDIDATE))
                kept = [_STATES[KEPT], self._keys.seal(data, _bound(row[0], KEPT)), held.number]
                self._database.execute("UPDATE record SET state = ?, entry = ? WHERE number = ?", kept)

    def erase(self, number: int) -> bool:
        """Forget a record for good. The marks of its identity, key and subject stay, so that it does not come again.

        Returns whether no byte of it is left in the file: who reads meanwhile holds back what stands in the log.

        Raises:
            WalletStoreError: `record_unknown`.
        """
        with self.writing():
            erased = self._database.execute(
                "UPDATE record SET state = ?, entry = NULL WHERE number = ?", [_STATES[ERASED], number]
            )
            if not erased.rowcount:
                raise WalletStoreError("the wallet has no such record", "record_unknown")
        with translated():
            [busy, *_] = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def records(self, *states: str) -> Iterator[Held]:
        """Records in these states that can be read, in the order in which they came; `damaged` tells of the others."""
        for number, mark, state in self._numbered(states):
            held = self._held(number, mark, state)
            if held is not None:
                yield held

    def damaged(self) -> list[int]:
        """The numbers of candidates and kept records that cannot be read."""
        return self.looked_through()[1]

    def looked_through(self) -> tuple[list[Held], list[int]]:
        """Candidates and kept records, and the numbers of those that cannot be read, each opened once."""
        held, damaged = list[Held](), list[int]()
        for number, mark, state in self._numbered((CANDIDATE, KEPT)):
            found = self._held(number, mark, state)
            if found is None:
                damaged.append(number)
            else:
                held.append(found)
        return held, damaged

    def _numbered(self, states: Iterable[str]) -> list[tuple[int, bytes, str]]:
        with translated():
            rows = self._database.execute("SELECT number, mark, state FROM record ORDER BY number").fetchall()
        names = {number: name for name, number in _STATES.items() if name in states and name != ERASED}
        return [(number, mark, names[state]) for number, mark, state in rows if state in names]

    def _held(self, number: int, mark: bytes, state: str) -> Held | None:
        with translated():
            row = self._database.execute("SELECT entry FROM record WHERE number = ?", [number]).fetchone()
        try:
            members = json.loads(self._keys.open(row[0], _bound(mark, state)))
            return Held(number, SealedRecord.from_json(members["line"]), state, _parcel(members, 0))
        except (ValueError, KeyError, TypeError, ChartsealError):
            return None

    def counts(self) -> dict[str, int]:
        """How many records are in which state, and how many parcels are waited for."""
        with translated():
            rows = dict(self._database.execute("SELECT state, count(*) FROM record GROUP BY state").fetchall())
            [waiting] = self._database.execute("SELECT count(*) FROM parcel").fetchone()
        return {**{name: rows.get(number, 0) for name, number in _STATES.items()}, "waiting": waiting}

    def back_up(self, path: Path) -> None:
        """Copy the file as it is at one moment, while it may be in use; the copy opens by the same words.

        It is written beside, and has its name once it is whole.

        Raises:
            WalletStoreError: `backup_exists`, `store_unavailable`, `store_full`.
        """
        _require_free(path, "there is such a file already", "backup_exists")
        beside = part_of(path)
        try:
            clear_parts(path.parent, time.time())
            os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with translated(), closing(sqlite3.connect(beside)) as copy:
                self._database.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file
            give_name(beside, path)
            beside.unlink(missing_ok=True)
            sync(path.parent)
        except OSError as exc:
            raise _uncopied(exc) from exc
        finally:
            for each in (beside, beside.with_name(f"{beside.name}-journal")):
                with suppress(OSError):
                    each.unlink(missing_ok=True)

    @classmethod
    def restore(cls, copy: Path, path: Path, wallet: Wallet) -> dict[str, int]:
        """Put a copy where there are no records yet; its counts, and how many of its records are damaged.

        Raises:
            WalletStoreError: `store_exists`, or as `open` says of the copy.
        """
        _require_free(path, "there are records already", "store_exists")
        if not copy.is_file():
            raise WalletStoreError("there is no such copy", "store_unavailable")
        with translated(), closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as source:
            read = cls(source, wallet.content_keys("records"))
            read._require_own()
            counts = {**read.counts(), "damaged": len(read.damaged())}
            read.back_up(path)
        return counts

    def _require_own(self) -> None:
        [application] = self._database.execute("PRAGMA application_id").fetchone()
        [version] = self._database.execute("PRAGMA user_version").fetchone()
        if (application, version) != (_APPLICATION, VERSION):
            raise WalletStoreError("the file holds no wallet's records of this form", "store_version")
        if self._database.execute("SELECT mark FROM wallet").fetchall() != [(self._keys.mark("wallet"),)]:
            raise WalletStoreError("the records are another wallet's", "store_other_wallet")


def _require_free(path: Path, detail: str, code: str) -> None:
    """SQLite would take what an older file of that name left beside it for a part of the new one.

    Raises:
        WalletStoreError: `code`.
    """
    _, *companions = with_companions(path)
    if os.path.lexists(path):
        raise WalletStoreError(detail, code)
    for each in filter(os.path.lexists, companions):
        raise WalletStoreError(f"what records that are gone left is there still: move {each.name} away", code)


def _uncopied(error: OSError) -> WalletStoreError:
    if isinstance(error, FileExistsError):
        return WalletStoreError("there is such a file already", "backup_exists")
    code = "store_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "store_unavailable"
    return WalletStoreError(f"the copy cannot be made: {error.strerror}", code)


def _bound(mark: bytes, state: str) -> bytes:
    """What an entry is bound to: in another state, which nobody accepted or kept it in, it does not open."""
    return mark + bytes([_STATES[state]])


def _source(source: str) -> bytes:
    """A mailbox's place; the path of a folder may have bytes that are no UTF-8."""
    return source.encode("utf-8", "surrogateescape")


def _parcel_members(parcel: Parcel) -> dict[str, Any]:
    return {
        "enc": parcel.enc.hex(),
        "locator": parcel.locator.hex(),
        "address": parcel.address,
        "epoch": parcel.epoch,
        "source": parcel.source,
    }


def _parcel_to_json(parcel: Parcel) -> bytes:
    return json.dumps(_parcel_members(parcel)).encode()


def _parcel(members: dict[str, Any], tries: int) -> Parcel:
    enc, locator = bytes.fromhex(members["enc"]), bytes.fromhex(members["locator"])
    return Parcel(enc, locator, members["address"], members["epoch"], members["source"], tries)


_CODES = {
    sqlite3.SQLITE_BUSY: ("another process is using the records", "store_busy"),
    sqlite3.SQLITE_FULL: ("no space is left for the records", "store_full"),
    sqlite3.SQLITE_CORRUPT: ("the records' file is damaged", "store_damaged"),
    sqlite3.SQLITE_NOTADB: ("the file is no database", "store_version"),
}


@contextmanager
def translated() -> Iterator[None]:
    """Tell a fault of the file as ours.

    Raises:
        WalletStoreError: `store_busy`, `store_full`, `store_damaged`, `store_version`, `store_unavailable`.
    """
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        raise WalletStoreError(*_CODES.get(code, ("the records cannot be used", "store_unavailable"))) from exc
    except (ValueError, KeyError) as exc:
        raise WalletStoreError("what the records hold is damaged", "store_damaged") from exc
