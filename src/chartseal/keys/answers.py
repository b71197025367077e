"""The wallet's memory: what it proved to whom, which uses it spent, and which event each claimId stands for.

An SQLite file beside the wallet, mode 0600. Contents are encrypted (AES-256-GCM) and looked up by keyed hashes, both
under keys that the wallet's words give: without the wallet the file tells how much was proved, and nothing else.

    with Answers.open(path, wallet) as answers:
        earlier = answers.given(audience)
        use = answers.spend(claim_id, scope, uses)
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartseal.errors import KeyFileError, PredicateError
from chartseal.keys.contents import ContentKeys
from chartseal.predicates import Policy
from chartseal.record.credential import Event, is_of_event

if TYPE_CHECKING:
    from chartseal.keys.wallet import Wallet

VERSION = 1
MOST_GIVEN = 1_000
"""Answers to one verifier that are looked at, the newest."""

_LARGEST_ENTRY = 2 << 20
_WAIT_SECONDS = 10
_TABLES = """
CREATE TABLE wallet (mark BLOB NOT NULL);
CREATE TABLE answers (number INTEGER PRIMARY KEY, mark BLOB NOT NULL, entry BLOB NOT NULL);
CREATE INDEX answers_by_mark ON answers (mark);
CREATE TABLE uses (mark BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE events (claim_id BLOB NOT NULL, mark BLOB NOT NULL, entry BLOB NOT NULL, PRIMARY KEY (claim_id, mark));
"""


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """A policy that was proved to a verifier of a record; `is_anonymous` where the record was not shown."""

    policy: Policy
    record: tuple[bytes, bytes]
    """Its (attester, uid)."""
    is_anonymous: bool
    at: datetime
    """Aware."""


class Answers:
    """The memory of one wallet. Close it, or use it as a context manager."""

    def __init__(self, connection: sqlite3.Connection, keys: ContentKeys) -> None:
        """Use `open`."""
        self._connection, self._keys = connection, keys

    @classmethod
    def open(cls, path: Path, wallet: Wallet) -> Answers:
        """Open the file, or make it.

        Raises:
            KeyFileError: `answers_unreadable`, `answers_damaged`, `answers_busy`, `answers_full`, `answers_newer` of a
                later program, or `answers_other_wallet`.
        """
        keys = wallet.content_keys("answers")
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as exc:
            raise KeyFileError(f"the memory cannot be opened: {exc.strerror}", "answers_unreadable") from exc
        with _refusing():
            connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
        found = cls(connection, keys)
        try:
            found._begin()
        except BaseException:
            connection.close()
            raise
        return found

    def _begin(self) -> None:
        mark = self._keys.mark("wallet")
        with self._writing() as database:
            [version] = database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _TABLES.split(";"):
                    database.execute(statement)
                database.execute("INSERT INTO wallet VALUES (?)", [mark])
                database.execute(f"PRAGMA user_version = {VERSION}")
            elif version > VERSION:
                raise KeyFileError("the memory is a later program's", "answers_newer")
            if database.execute("SELECT mark FROM wallet").fetchall() != [(mark,)]:
                raise KeyFileError("the memory is another wallet's", "answers_other_wallet")

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone: two commands at once never spend one use."""
        with _refusing():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:  # SQLite has ended it where the disk was full
                    self._connection.execute("ROLLBACK")

    def note(self, audience: str, answers: Sequence[GivenAnswer]) -> None:
        """Keep what was proved to a verifier.

        Raises:
            KeyFileError: as `open`.
        """
        mark = self._keys.mark("answer", audience.encode())
        with self._writing() as database:
            for answer in answers:
                entry = self._keys.seal(zlib.compress(_encoded(answer)), mark)
                database.execute("INSERT INTO answers (mark, entry) VALUES (?, ?)", [mark, entry])

    def given(self, audience: str) -> list[GivenAnswer]:
        """What was proved to a verifier, of whatever record, oldest first.

        Raises:
            KeyFileError: as `open`.
        """
        mark = self._keys.mark("answer", audience.encode())
        newest = "SELECT entry FROM answers WHERE mark = ? ORDER BY number DESC LIMIT ?"
        with _refusing():
            entries = self._connection.execute(newest, [mark, MOST_GIVEN]).fetchall()
            return [_decoded(_inflated(self._keys.open(entry, mark))) for (entry,) in reversed(entries)]

    def unspent(self, claim_id: bytes, scope: bytes, uses: int) -> list[int]:
        """The uses of a credential that are not spent in a scope: numbers below `uses`, ascending.

        Raises:
            KeyFileError: as `open`.
        """
        with _refusing():
            return [use for use in range(uses) if not self._is_spent(self._connection, claim_id, scope, use)]

    def spend(self, claim_id: bytes, scope: bytes, uses: int, use: int | None = None) -> int:
        """Note a use as spent, before it is proved: the one given, else the next that is not; its number.

        To spend one again that was spent before is to show the same nullifier again: `use` allows it, since what was
        cut off before it was sent must be possible to finish.

        Raises:
            PredicateError: `uses_spent`, or `use_unknown` for a number that the credential does not have.
            KeyFileError: as `open`.
        """
        if use is not None and not 0 <= use < uses:
            raise PredicateError(f"the credential has {uses} uses, from 0", "use_unknown")
        with self._writing() as database:
            chosen = use
            if chosen is None:
                left = (each for each in range(uses) if not self._is_spent(database, claim_id, scope, each))
                chosen = next(left, None)
            if chosen is None:
                detail = f"all {uses} uses are spent there: --use shows one again, if what spent it was never sent"
                raise PredicateError(detail, "uses_spent")
            database.execute("INSERT OR IGNORE INTO uses VALUES (?)", [self._use_mark(claim_id, scope, chosen)])
            return chosen

    def release(self, claim_id: bytes, scope: bytes, use: int) -> None:
        """Take back a use of which nothing was proved after all.

        Raises:
            KeyFileError: as `open`.
        """
        with self._writing() as database:
            database.execute("DELETE FROM uses WHERE mark = ?", [self._use_mark(claim_id, scope, use)])

    def _is_spent(self, database: sqlite3.Connection, claim_id: bytes, scope: bytes, use: int) -> bool:
        mark = self._use_mark(claim_id, scope, use)
        return database.execute("SELECT 1 FROM uses WHERE mark = ?", [mark]).fetchone() is not None

    def _use_mark(self, claim_id: bytes, scope: bytes, use: int) -> bytes:
        return self._keys.mark("use", claim_id, scope, use.to_bytes(4))

    def hold(self, claim_id: bytes, event: Event) -> None:
        """Note which event a claimId stands for.

        Raises:
            PredicateError: `claim_id_reused`: who seals two events under one claimId makes the use of one the use of
                the other.
            KeyFileError: as `open`.
        """
        held = self._keys.mark("claim", claim_id)
        data = json.dumps([each.hex() if isinstance(each, bytes) else each for each in event]).encode()
        mark = self._keys.mark("event", claim_id, data)
        with self._writing() as database:
            rows = database.execute("SELECT mark, entry FROM events WHERE claim_id = ?", [held]).fetchall()
            if rows and not is_of_event(event, [_event(self._keys.open(entry, of)) for of, entry in rows]):
                raise PredicateError("a claimId that the wallet holds for another event", "claim_id_reused")
            if mark not in {of for of, _ in rows}:
                database.execute("INSERT INTO events VALUES (?, ?, ?)", [held, mark, self._keys.seal(data, mark)])


def _event(data: bytes) -> Event:
    attester, uid, *named, amends = json.loads(data)
    resource_type, full_url, resource_id = named
    return Event(
        bytes.fromhex(attester), bytes.fromhex(uid), resource_type, full_url, resource_id, bytes.fromhex(amends)
    )


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise KeyFileError("no space is left for the memory", "answers_full") from exc
        busy = "locked" in str(exc) or "busy" in str(exc)
        code, detail = ("answers_busy", "in use elsewhere") if busy else ("answers_unreadable", "not to be had")
        raise KeyFileError(f"the memory is {detail}", code) from exc
    except (sqlite3.Error, ValueError, zlib.error) as exc:
        raise KeyFileError("the memory is damaged", "answers_damaged") from exc


def _encoded(answer: GivenAnswer) -> bytes:
    members = {
        "policy": answer.policy.to_json().decode(),
        "record": [each.hex() for each in answer.record],
        "anonymous": answer.is_anonymous,
        "at": int(answer.at.timestamp()),
    }
    return json.dumps(members, ensure_ascii=False).encode()


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    found = inflater.decompress(data, _LARGEST_ENTRY)
    if not inflater.eof:
        raise ValueError("an entry inflates to too much")
    return found


def _decoded(data: bytes) -> GivenAnswer:
    """An entry that its own key opened: nobody else wrote it."""
    members: dict[str, Any] = json.loads(data)
    attester, uid = map(bytes.fromhex, members["record"])
    at = datetime.fromtimestamp(members["at"], UTC)
    return GivenAnswer(Policy.from_json(members["policy"]), (attester, uid), members["anonymous"], at)
