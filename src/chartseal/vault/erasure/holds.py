"""Legal holds: while one stands, neither the record nor any of the patient's, later ones included, is erased."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Select, insert, select, update

from chartseal.errors import ErasureError, VaultError
from chartseal.vault.audit import Act, Action
from chartseal.vault.audit.log import lock_head
from chartseal.vault.database import reading, storing, writing
from chartseal.vault.opening import Entry, patient_of
from chartseal.vault.tables import ERASED, HOLD, RECORD

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

_BASIS = re.compile(r"[A-Za-z0-9][A-Za-z0-9./:()-]{0,63}", re.ASCII)


class Hold(NamedTuple):
    """A hold, on one record or on all of a patient."""

    id: int
    record_id: int | None
    patient: bytes | None
    """Pseudonym."""
    basis: str
    placed_at: int
    lifted_at: int | None


class Holds:
    """The holds of one vault. Placing and lifting are entered in its audit log."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def place(
        self, *, basis: str, actor: str, now: datetime, entry: Entry | None = None, patient: str | None = None
    ) -> int:
        """Hold one record, or all of a patient; returns the hold's number. `basis` is a code, such as a case's number.

        Raises:
            ErasureError: `hold_malformed`: not one of record and patient, or a basis that is no code.
            VaultError: `record_erased`: there is nothing left of it to hold.
            VaultError: `vault_unavailable`, `disk_full`.
        """
        if (entry is None) == (patient is None) or not _BASIS.fullmatch(basis):
            raise ErasureError("a hold is on a record or a patient, by a code of at most 64 letters", "hold_malformed")
        pseudonym = None if patient is None else self._vault.pseudonym(patient)
        row = {"record_id": entry and entry.id, "patient": pseudonym, "basis": basis, "placed_at": int(now.timestamp())}
        with writing(self._vault.engine) as connection:
            lock_head(connection, self._vault.settings.id)  # from here nobody erases
            if entry is not None and connection.scalar(_is_erased(entry)) is not None:
                raise VaultError("the record is erased", "record_erased", entry.name)
            number = int(connection.execute(insert(HOLD).values(row).returning(HOLD.c.id)).scalar_one())
            what = f"hold {number}" if entry is None else f"hold {number} on {entry.name}"
            about = pseudonym if entry is None else _patient(connection, entry.id)
            self._enter(connection, Act(actor, Action.HOLD, what, about, basis=basis), now)
        return number

    def lift(self, number: int, *, actor: str, now: datetime) -> None:
        """Lift a hold; one that was lifted stays so.

        Raises:
            ErasureError: `hold_unknown`.
            VaultError: `vault_unavailable`, `disk_full`.
        """
        with writing(self._vault.engine) as connection:
            found = connection.execute(select(HOLD).where(HOLD.c.id == number).with_for_update()).one_or_none()
            if found is None:
                raise ErasureError("there is no such hold", "hold_unknown", f"hold {number}")
            if found.lifted_at is not None:
                return
            lifted = update(HOLD).where(HOLD.c.id == number).values(lifted_at=int(now.timestamp()))
            connection.execute(lifted)
            about = found.patient if found.record_id is None else _patient(connection, found.record_id)
            act = Act(actor, Action.RELEASE, f"hold {number}", about, basis=found.basis)
            self._enter(connection, act, now)

    def all(self) -> list[Hold]:
        """Every hold that was ever placed, in order.

        Raises:
            VaultError: `vault_unavailable`.
        """
        with reading(self._vault.engine) as connection, storing():
            return [Hold(*row) for row in connection.execute(select(HOLD).order_by(HOLD.c.id))]

    def _enter(self, connection: Connection, act: Act, now: datetime) -> None:
        self._vault.audit.append(connection, [act], now=now)


def _patient(connection: Connection, record: int) -> bytes | None:
    """The pseudonym of the patient whose a record is."""
    return patient_of(connection.execute(select(RECORD.c.patient).where(RECORD.c.id == record)).one())


def _is_erased(entry: Entry) -> Select[tuple[int]]:
    return select(RECORD.c.id).where(RECORD.c.id == entry.id, RECORD.c.state == ERASED)


def held(connection: Connection, rows: Sequence[Any]) -> Iterator[int]:
    """Ids of those records that a hold stands on, of rows with `id` and `patient`.

    Raises:
        VaultError: `vault_unavailable`.
    """
    records, patients = [row.id for row in rows], set(map(patient_of, rows)) - {None}
    standing = select(HOLD.c.record_id, HOLD.c.patient).where(HOLD.c.lifted_at.is_(None))
    with storing():
        found = connection.execute(standing.where(HOLD.c.record_id.in_(records) | HOLD.c.patient.in_(patients))).all()
    of_record, of_patient = {row.record_id for row in found}, {row.patient for row in found} - {None}
    return (row.id for row in rows if row.id in of_record or row.patient in of_patient)
