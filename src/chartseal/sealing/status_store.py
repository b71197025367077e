"""The issuer's own store of its status lists: which place each credential has, and which are revoked.

One SQLite file, beside the key file unless it is put elsewhere. It is private: it tells which seal has which place. An
issuer has one such store. An older copy would give places out again and forget revocations; publishing refuses it.
"""

from __future__ import annotations

import os
import random
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from chartseal.attestation import Address, Digest
from chartseal.errors import StatusListError
from chartseal.record.credential import LARGEST_LIST, LIST_SIZE

MIXED = 1_024
"""Free places, at least, among which each is drawn: an index tells no more of the order than that."""

_APPLICATION = 0x43535354  # "CSST", so that no other program's file is taken for one
_VERSION = 1
_PATIENCE_SECONDS = 30.0
_ASKED_AT_ONCE = 500
_TABLES = """
CREATE TABLE issuer (id INTEGER PRIMARY KEY, address BLOB NOT NULL UNIQUE);
CREATE TABLE list (
    issuer INTEGER NOT NULL, number INTEGER NOT NULL,
    next INTEGER NOT NULL, pool BLOB NOT NULL, published BLOB,
    PRIMARY KEY (issuer, number)
) WITHOUT ROWID;
CREATE TABLE root (
    issuer INTEGER NOT NULL, list INTEGER NOT NULL, root BLOB NOT NULL,
    PRIMARY KEY (issuer, list, root)
) WITHOUT ROWID;
CREATE TABLE place (
    issuer INTEGER NOT NULL, uid BLOB NOT NULL, list INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (issuer, uid)
) WITHOUT ROWID;
CREATE UNIQUE INDEX place_once ON place (issuer, list, at);
CREATE TABLE revoked (
    issuer INTEGER NOT NULL, list INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (issuer, list, at)
) WITHOUT ROWID;
"""


class Place(NamedTuple):
    """A credential's bit: which list, and which bit of it."""

    list: int
    at: int


class ListState(NamedTuple):
    """One list as the store has it."""

    number: int
    given: int
    """Places that have a seal."""
    revoked: int
    published: Digest | None
    """The root that was published last from here."""


class StatusStore:
    """The status lists of one issuer (or several: each has lists of its own)."""

    def __init__(self, path: Path) -> None:
        """Open the store; it is made, mode 0600, when the first place is given."""
        self.path = path

    @staticmethod
    def beside(key_path: Path) -> Path:
        """Where the store of a key file is by default: `key.json` has `key.status.db`."""
        return key_path.with_name(f"{key_path.stem}.status.db")

    @property
    def exists(self) -> bool:
        """Whether any place was ever given."""
        return self.path.exists()

    def reserve(self, attester: Address, uids: Sequence[bytes]) -> Sequence[tuple[int, int]]:
        """(list, index) for each seal, the one it has if it has one, in one transaction: all of them or none.

        Two processes never get the same; a crash wastes what was reserved.

        Raises:
            StatusListError: `status_store_unusable`, `status_lists_full`.
        """
        with self._writing() as database:
            issuer = _issuer(database, attester)
            known = _places(database, issuer, uids)
            new = [uid for uid in dict.fromkeys(uids) if uid not in known]
            given = dict(zip(new, _draw(database, issuer, len(new)), strict=True))
            rows = [(issuer, uid, *place) for uid, place in given.items()]
            database.executemany("INSERT INTO place (issuer, uid, list, at) VALUES (?, ?, ?, ?)", rows)
            known.update(given)
            return [known[uid] for uid in uids]

    def find(self, attester: Address, uids: Sequence[bytes]) -> dict[bytes, Place]:
        """Places of that attester's seals, by uid; seals without a credential have none.

        Raises:
            StatusListError: `status_store_unusable`.
        """
        if not self.exists:
            return {}
        with self._writing() as database:
            return _places(database, _issuer(database, attester), uids)

    def revoke(self, attester: Address, places: Iterable[tuple[int, int]]) -> int:
        """Set the bits; how many were not set before. A bit is never taken back.

        Raises:
            StatusListError: `status_index`: no place of a list; `status_store_unusable`.
        """
        wanted = [_checked(*place) for place in places]
        if not wanted:
            return 0
        with self._writing() as database:
            issuer = _issuer(database, attester)
            before = database.total_changes
            database.executemany(
                "INSERT OR IGNORE INTO revoked (issuer, list, at) VALUES (?, ?, ?)",
                [(issuer, *place) for place in wanted],
            )
            added = database.total_changes - before
            for number in {place.list for place in wanted}:
                _make_list(database, issuer, number)
            return added

    def revoked(self, attester: Address, number: int) -> frozenset[int]:
        """Indices that are revoked in a list.

        Raises:
            StatusListError: `status_store_unusable`.
        """
        if not self.exists:
            return frozenset()
        with self._writing() as database:
            found = database.execute(
                "SELECT at FROM revoked WHERE issuer = ? AND list = ?", (_issuer(database, attester), number)
            )
            return frozenset(at for (at,) in found)

    def lists(self, attester: Address) -> list[ListState]:
        """All lists of an issuer, by number.

        Raises:
            StatusListError: `status_store_unusable`.
        """
        if not self.exists:
            return []
        with self._writing() as database:
            found = database.execute(
                "SELECT number,"
                " (SELECT count(*) FROM place WHERE place.issuer = list.issuer AND place.list = number),"
                " (SELECT count(*) FROM revoked WHERE revoked.issuer = list.issuer AND revoked.list = number),"
                " published FROM list WHERE issuer = ? ORDER BY number",
                (_issuer(database, attester),),
            )
            return [ListState(number, given, gone, published) for number, given, gone, published in found]

    def open_list(self, attester: Address, number: int) -> None:
        """Give places in a new list from now on: after the store was lost, or for a second store of one issuer.

        Raises:
            StatusListError: `status_list_number`: not above all of its lists; `status_store_unusable`.
        """
        with self._writing() as database:
            issuer = _issuer(database, attester)
            newest = _newest(database, issuer)
            if not (-1 if newest is None else newest) < number <= LARGEST_LIST:
                raise StatusListError(
                    "a new list has a number above all others, of 32 bits", "status_list_number", "list"
                )
            _make_list(database, issuer, number)

    def note_root(self, attester: Address, number: int, root: Digest) -> None:
        """Remember a root that is about to be published: whatever comes of it, `knows_root` then tells it as ours.

        Raises:
            StatusListError: `status_store_unusable`.
        """
        with self._writing() as database:
            database.execute(
                "INSERT OR IGNORE INTO root (issuer, list, root) VALUES (?, ?, ?)",
                (_issuer(database, attester), number, bytes(root)),
            )

    def knows_root(self, attester: Address, number: int, root: Digest) -> bool:
        """Whether a root was published from here, now or ever: one that was not is of a store that knows more.

        Raises:
            StatusListError: `status_store_unusable`.
        """
        if not self.exists:
            return False
        with self._writing() as database:
            found = database.execute(
                "SELECT 1 FROM root WHERE issuer = ? AND list = ? AND root = ?",
                (_issuer(database, attester), number, bytes(root)),
            )
            return found.fetchone() is not None

    def set_published(self, attester: Address, number: int, root: Digest) -> None:
        """Remember which root of a list was published last.

        Raises:
            StatusListError: `status_store_unusable`.
        """
        with self._writing() as database:
            issuer = _issuer(database, attester)
            _make_list(database, issuer, number)
            database.execute(
                "UPDATE list SET published = ? WHERE issuer = ? AND number = ?", (bytes(root), issuer, number)
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else's overlaps; what is raised in it undoes it."""
        try:
            self._make()
            connection = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS, isolation_level=None)
            with closing(connection) as database:
                database.execute("PRAGMA synchronous = FULL")  # a place that was given is on disk
                database.execute("BEGIN IMMEDIATE")
                _require_ours(database)
                yield database
                database.execute("COMMIT")
        except (sqlite3.Error, OSError) as exc:
            raise StatusListError(
                "the store of status lists cannot be used", "status_store_unusable", self.path.name
            ) from exc

    def _make(self) -> None:
        """An empty file that its owner alone reads, where there is none: SQLite gives its journal the same mode."""
        if not self.path.exists():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))


def _require_ours(database: sqlite3.Connection) -> None:
    """Make the tables of an empty file; refuse another program's file, and a later program's.

    Raises:
        StatusListError: `status_store_unusable`.
    """
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if (application, version) == (_APPLICATION, _VERSION):
        return
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application or version or tables:
        raise StatusListError("the file is no store of status lists of this form", "status_store_unusable")
    for statement in _TABLES.split(";"):
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {_APPLICATION}")
    database.execute(f"PRAGMA user_version = {_VERSION}")


def _issuer(database: sqlite3.Connection, attester: Address) -> int:
    database.execute("INSERT OR IGNORE INTO issuer (address) VALUES (?)", (bytes(attester),))
    (found,) = database.execute("SELECT id FROM issuer WHERE address = ?", (bytes(attester),)).fetchone()
    return int(found)


def _places(database: sqlite3.Connection, issuer: int, uids: Sequence[bytes]) -> dict[bytes, Place]:
    found: dict[bytes, Place] = {}
    for start in range(0, len(uids), _ASKED_AT_ONCE):
        asked = [bytes(uid) for uid in uids[start : start + _ASKED_AT_ONCE]]
        marks = ",".join("?" * len(asked))
        rows = database.execute(
            f"SELECT uid, list, at FROM place WHERE issuer = ? AND uid IN ({marks})",  # noqa: S608 (question marks alone)
            (issuer, *asked),
        )
        found.update((uid, Place(number, at)) for uid, number, at in rows)
    return found


def _newest(database: sqlite3.Connection, issuer: int) -> int | None:
    (number,) = database.execute("SELECT max(number) FROM list WHERE issuer = ?", (issuer,)).fetchone()
    return None if number is None else int(number)


def _make_list(database: sqlite3.Connection, issuer: int, number: int) -> None:
    database.execute("INSERT OR IGNORE INTO list (issuer, number, next, pool) VALUES (?, ?, 0, x'')", (issuer, number))


def _draw(database: sqlite3.Connection, issuer: int, count: int) -> list[Place]:
    """Places that were never given, drawn from the newest list's free ones; a full list opens the next number.

    Raises:
        StatusListError: `status_lists_full`.
    """
    drawn: list[Place] = []
    number = _newest(database, issuer) or 0
    while len(drawn) < count:
        if number > LARGEST_LIST:
            raise StatusListError("all status lists are full", "status_lists_full")
        _make_list(database, issuer, number)
        drawn += [Place(number, at) for at in _draw_from(database, issuer, number, count - len(drawn))]
        number += 1
    return drawn


def _draw_from(database: sqlite3.Connection, issuer: int, number: int, count: int) -> list[int]:
    """Up to so many indices of one list, fewer where it is full."""
    key = (issuer, number)
    start, kept = database.execute("SELECT next, pool FROM list WHERE issuer = ? AND number = ?", key).fetchone()
    pool = list(struct.unpack(f"<{len(kept) // 4}I", kept))
    end = max(start, min(LIST_SIZE, start + count + MIXED - len(pool)))
    pool.extend(range(start, end))
    gone = database.execute(
        "SELECT at FROM revoked WHERE issuer = ? AND list = ? AND at >= ?", (*key, min(pool, default=0))
    )
    revoked = {at for (at,) in gone}  # a place may be revoked that this store never gave
    pool = [at for at in pool if at not in revoked]
    random.SystemRandom().shuffle(pool)
    drawn, left = pool[:count], pool[count:]
    database.execute(
        "UPDATE list SET next = ?, pool = ? WHERE issuer = ? AND number = ?",
        (end, struct.pack(f"<{len(left)}I", *left), *key),
    )
    return drawn


def _checked(number: int, index: int) -> Place:
    if not (0 <= number <= LARGEST_LIST and 0 <= index < LIST_SIZE):
        raise StatusListError(f"a list's number has 32 bits, an index is below {LIST_SIZE}", "status_index", "index")
    return Place(number, index)
