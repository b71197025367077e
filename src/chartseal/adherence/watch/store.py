"""A watch's memory: events and alerts of each patient in one SQLite file, whose owner alone reads it.

It holds health data in the clear: keep it where such data are kept.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from chartseal.adherence.watch.event import REVERSAL, Event
from chartseal.errors import AdherenceError

MOST_EVENTS = 10_000
"""Events of one patient."""

_APPLICATION = 0x43534157  # "CSAW", so that no other program's file is taken for one
_VERSION = 1
_PATIENCE_SECONDS = 30.0
_TABLES = """
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE refused (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE patient (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, events INTEGER NOT NULL, due INTEGER);
CREATE INDEX patient_due ON patient (due);
CREATE TABLE event (
    patient INTEGER NOT NULL, event TEXT NOT NULL, kind TEXT NOT NULL, day INTEGER NOT NULL, until INTEGER,
    days_supply INTEGER, daily_dose REAL, "group" TEXT NOT NULL, class TEXT NOT NULL, ingredient TEXT NOT NULL,
    PRIMARY KEY (patient, event, kind, class, ingredient)
) WITHOUT ROWID;
CREATE TABLE alert (
    patient INTEGER NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL, told INTEGER NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (patient, id)
) WITHOUT ROWID;
CREATE INDEX alert_untold ON alert (patient) WHERE told = 0;
CREATE TABLE resource (
    owner TEXT NOT NULL, key TEXT NOT NULL, medication TEXT NOT NULL, full_url TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (owner, key)
) WITHOUT ROWID;
CREATE INDEX resource_key ON resource (key);
CREATE INDEX resource_medication ON resource (medication) WHERE medication <> '';
"""
_COLUMNS = 'event, kind, day, until, days_supply, daily_dose, "group", class, ingredient'

_to_event = partial(tuple.__new__, Event)  # as Event._make, without a call in Python for each row


class Store:
    """The file, open. Several processes may use it: their transactions follow each other."""

    def __init__(self, path: Path | None, *, durable: bool) -> None:
        """Open or make it; None is memory. `durable` waits for the disk at each transaction.

        Raises:
            AdherenceError: `state_unusable`.
        """
        self._place = "memory" if path is None else path.name
        with self._errors():
            if path is not None and not path.exists():
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self.database = sqlite3.connect(path or ":memory:", timeout=_PATIENCE_SECONDS, isolation_level=None)
            self.database.execute("PRAGMA journal_mode = WAL")
            self.database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.database.execute("PRAGMA cache_size = -65536")  # KiB: patients come in no order
            self.database.execute("PRAGMA secure_delete = ON")  # who is forgotten is gone from the file
        with self.writing():
            self._require_ours()

    def close(self) -> None:
        """Close it."""
        self.database.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that nobody else's overlaps, or a part of the one that is open; what is raised in it undoes it.

        Raises:
            AdherenceError: `state_busy`: another process holds it for too long; `state_unusable`.
        """
        if self.database.in_transaction:
            yield
            return
        with self._errors():
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.database.execute("COMMIT")
            finally:
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            if "locked" in str(exc):
                raise AdherenceError("another process is using the state", "state_busy", self._place) from exc
            raise AdherenceError("the state cannot be used", "state_unusable", self._place) from exc

    def _require_ours(self) -> None:
        """Make the tables of an empty file; refuse another program's file, and a later program's."""
        (application,) = self.database.execute("PRAGMA application_id").fetchone()
        (version,) = self.database.execute("PRAGMA user_version").fetchone()
        if (application, version) == (_APPLICATION, _VERSION):
            return
        (tables,) = self.database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application or version or tables:
            raise AdherenceError("the file is no state of a watch of this form", "state_unusable", self._place)
        for statement in _TABLES.split(";"):
            self.database.execute(statement)
        self.database.execute(f"PRAGMA application_id = {_APPLICATION}")
        self.database.execute(f"PRAGMA user_version = {_VERSION}")

    def state(self) -> dict[str, str]:
        """What the watch as a whole remembers."""
        return dict(self.database.execute("SELECT name, value FROM state"))

    def set_state(self, name: str, value: str) -> None:
        """Remember it."""
        self.database.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value))

    def patient(self, name: str) -> int | None:
        """The number of a patient who is known."""
        found = self.database.execute("SELECT number FROM patient WHERE name = ?", (name,)).fetchone()
        return None if found is None else int(found[0])

    def name(self, patient: int) -> str:
        """A patient's own id."""
        found = self.database.execute("SELECT name FROM patient WHERE number = ?", (patient,)).fetchone()
        return str(found[0])

    def number(self, name: str) -> int:
        """The number of a patient, new or known."""
        known = self.patient(name)
        if known is not None:
            return known
        number = self.database.execute("INSERT INTO patient (name, events) VALUES (?, 0)", (name,)).lastrowid
        assert number is not None  # noqa: S101 (it was an INSERT)
        return number

    def add(self, event: Event, *, replace: bool) -> tuple[int | None, str | None]:
        """Keep an event: the patient who has changed by it, or None, and the code of why it was refused, if it was.

        The same event again changes nothing. A period that has ended takes the place of the open one. Anything else of
        the same reference, kind and product is a conflict.
        """
        patient = self.number(event.patient)
        known = self._event(patient, event)
        if known == event:
            return None, None
        if known is None:
            return self._add_new(patient, event)
        if not replace:
            if known._replace(end=None) != event._replace(end=None) or None not in (known.end, event.end):
                return None, "event_conflict"
            if event.end is None:
                return None, None
        self._put(patient, event)
        return patient, None

    def _add_new(self, patient: int, event: Event) -> tuple[int | None, str | None]:
        taken = self.database.execute(
            "UPDATE patient SET events = events + 1 WHERE number = ? AND events < ?", (patient, MOST_EVENTS)
        )
        if not taken.rowcount:
            return None, "patient_full"
        self._put(patient, event)
        return patient, None

    def _event(self, patient: int, event: Event) -> Event | None:
        rows = self.database.execute(
            f"SELECT {_COLUMNS} FROM event"  # noqa: S608 (our own names)
            " WHERE patient = ? AND event = ? AND kind = ? AND class = ? AND ingredient = ?",
            (patient, event.event, event.kind, event.medication_class, event.ingredient),
        )
        return next((Event(event.patient, *row) for row in rows), None)

    def _put(self, patient: int, event: Event) -> None:
        row = (patient, *event[1:])
        self.database.execute("INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def events(self, patient: int, name: str) -> list[Event]:
        """All events of a patient, without reversals and what they take back, whichever came first."""
        rows = self.database.execute(
            f"SELECT ?, {_COLUMNS} FROM event WHERE patient = ?",  # noqa: S608 (our own names)
            (name, patient),
        )
        found = list(map(_to_event, rows))
        reversed_ = {event.event for event in found if event.kind == REVERSAL}
        return [event for event in found if event.event not in reversed_] if reversed_ else found

    def clear(self, patient: int) -> None:
        """Forget a patient's events, and keep the alerts."""
        self.database.execute("DELETE FROM event WHERE patient = ?", (patient,))
        self.database.execute("UPDATE patient SET events = 0 WHERE number = ?", (patient,))

    def alerts(self, patient: int) -> dict[str, tuple[str, str]]:
        """A patient's alerts as (status, content), by id."""
        rows = self.database.execute("SELECT id, status, content FROM alert WHERE patient = ?", (patient,))
        return {name: (status, content) for name, status, content in rows}

    def all_alerts(self, *, untold: bool) -> Iterator[tuple[str, str, str, str]]:
        """(patient's name, id, status, content) of all, or of those that nobody has acknowledged."""
        where = "WHERE told = 0" if untold else ""
        statement = (
            "SELECT name, id, status, content FROM alert JOIN patient ON patient = number "  # noqa: S608 (ours)
            f"{where} ORDER BY name, id"
        )
        yield from self.database.execute(statement)

    def put_alert(self, patient: int, alert_id: str, status: str, content: str) -> None:
        """Keep an alert that is new or has changed, untold."""
        row = (patient, alert_id, status, 0, content)
        self.database.execute("INSERT OR REPLACE INTO alert VALUES (?, ?, ?, ?, ?)", row)

    def drop_alert(self, patient: int, alert_id: str) -> None:
        """Forget an alert."""
        self.database.execute("DELETE FROM alert WHERE patient = ? AND id = ?", (patient, alert_id))

    def set_told(self, name: str, alert_id: str, status: str, content: str) -> None:
        """Somebody has taken note of an alert, as it was; a withdrawn one is forgotten then."""
        patient = self.patient(name)
        key = (patient, alert_id, status, content)
        where = "WHERE patient = ? AND id = ? AND status = ? AND content = ?"
        if status == "withdrawn":
            self.database.execute(f"DELETE FROM alert {where}", key)  # noqa: S608 (ours)
        else:
            self.database.execute(f"UPDATE alert SET told = 1 {where}", key)  # noqa: S608 (ours)

    def set_due(self, patient: int, due: int | None) -> None:
        """The day on which a patient must be looked at next."""
        self.database.execute("UPDATE patient SET due = ? WHERE number = ?", (due, patient))

    def set_all_due(self) -> None:
        """Everybody must be looked at, on any day."""
        self.database.execute("UPDATE patient SET due = 0")

    def due(self, day: int) -> list[tuple[int, str]]:
        """(number, name) of the patients who must be looked at."""
        return list(self.database.execute("SELECT number, name FROM patient WHERE due <= ?", (day,)))

    def count_refused(self, counts: Mapping[str, int]) -> None:
        """Add to the counts of rows that were refused."""
        self.database.executemany(
            "INSERT INTO refused VALUES (?, ?) ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count",
            counts.items(),
        )

    def refused(self) -> dict[str, int]:
        """How many rows were refused, by the code of the reason."""
        return dict(self.database.execute("SELECT reason, count FROM refused ORDER BY reason"))

    def versions(self, key: str) -> dict[str, bytes]:
        """The texts of a FHIR resource that are kept, by owner."""
        rows = self.database.execute("SELECT owner, content FROM resource WHERE key = ?", (key,))
        return {owner: bytes(content) for owner, content in rows}

    def drop_resource(self, owner: str, key: str) -> None:
        """Forget a FHIR resource."""
        self.database.execute("DELETE FROM resource WHERE owner = ? AND key = ?", (owner, key))

    def put_resource(self, owner: str, key: str, medication: str, full_url: str, content: bytes) -> None:
        """Keep a FHIR resource in the place of the one of that key."""
        row = (owner, key, medication, full_url, content)
        self.database.execute("INSERT OR REPLACE INTO resource VALUES (?, ?, ?, ?, ?)", row)

    def owners(self, medication: str) -> list[str]:
        """Who has resources that refer to a Medication."""
        rows = self.database.execute("SELECT DISTINCT owner FROM resource WHERE medication = ?", (medication,))
        return [owner for (owner,) in rows]

    def resources(self, owner: str) -> list[tuple[str, bytes]]:
        """(fullUrl, text) of a patient's resources and their Medications; of versions, the last comes last."""
        statement = (
            "SELECT full_url, content, key FROM resource WHERE owner = ?1 UNION ALL "
            "SELECT full_url, content, key FROM resource WHERE owner = '' AND key IN "
            "(SELECT medication FROM resource WHERE owner = ?1 AND medication <> '') ORDER BY key DESC"
        )
        return [(full_url, content) for full_url, content, _ in self.database.execute(statement, (owner,))]

    def forget(self, patient: int) -> None:
        """Delete all that is known of a patient."""
        self.database.execute("DELETE FROM resource WHERE owner = ?", (self.name(patient),))
        for statement in _FORGET:
            self.database.execute(statement, (patient,))


_FORGET: Iterable[str] = (
    "DELETE FROM event WHERE patient = ?",
    "DELETE FROM alert WHERE patient = ?",
    "DELETE FROM patient WHERE number = ?",
)
