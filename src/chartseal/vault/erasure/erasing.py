"""Erasing: a record's keys, ciphertexts, terms and pseudonym go in one transaction, and its tombstone stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, text, update

from chartseal.errors import ErasureError
from chartseal.vault.audit import Act, Action, record_text
from chartseal.vault.audit.log import lock_head
from chartseal.vault.database import empty_log, reading, storing, write_anew, writing
from chartseal.vault.epochs import is_rotating
from chartseal.vault.erasure.bases import Basis
from chartseal.vault.erasure.holds import held
from chartseal.vault.opening import Entry, patient_of, record_name
from chartseal.vault.tables import BLOB, DELIVERY, ERASED, ERASURE, KEY, LIVE, NO_KEY, RECORD, TERM

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

_CHUNK = 100
"""Records of one transaction: each is wholly there or wholly erased, and so are those it is erased with."""


@dataclass(frozen=True, slots=True)
class Order:
    """By whom, when and why records are erased; `override` where the basis is to end a retention or a hold."""

    basis: Basis
    actor: str
    now: datetime
    override: bool = False

    def refusal(self, row: Any, held_ids: set[int]) -> ErasureError | None:
        """Why a record stays, or None."""
        name = record_name(row.attester, row.uid)
        if row.id in held_ids and not (self.override and self.basis.ends_hold):
            return ErasureError("the record is under a legal hold", "record_held", name)
        is_retained = _is_retained(row.retain_until, int(self.now.timestamp()))
        if is_retained and not (self.override and self.basis.ends_retention):
            return ErasureError("the record must still be kept", "record_retained", name)
        return None


def _is_retained(until: object, now: int) -> bool:
    """Whether a record must be kept: also where a damaged row of SQLite does not tell until when."""
    return until is not None and not (isinstance(until, int) and until <= now)


class Erasing(NamedTuple):
    """What a call did. Records that were erased before are in neither."""

    erased: int
    refused: tuple[ErasureError, ...]
    """`record_held` or `record_retained`; their path names the record."""
    is_clean: bool
    """Whether SQLite's log is empty too: somebody who reads holds it back, and then the next call empties it."""


def erase(
    vault: Vault, entries: Iterable[Entry], *, basis: Basis, actor: str, now: datetime, override: bool = False
) -> Erasing:
    """Erase records for good; what was refused is entered in the audit log too, and the others are erased.

    If the process dies, the same call goes on; ciphertexts that it left outside go with it or with `Blobs.sweep`.

    Raises:
        AuditError: the log was tampered with.
        VaultError: `vault_unavailable`, `blobs_unavailable`, `disk_full`: what was erased stays erased.
    """
    order, rest = Order(basis, actor, now, override), iter(entries)
    erased, refused = 0, list[ErasureError]()
    while ids := [each.id for each in islice(rest, _CHUNK)]:
        with writing(vault.engine) as connection, storing():
            new, others = _erase(vault, connection, ids, order)
        vault.blobs.after_commit(vault.engine)
        erased += new
        refused += others
    with reading(vault.engine) as connection:
        rotating = is_rotating(connection)
    if rotating:  # it ends by writing the data keys anew, and may never end
        write_anew(vault.engine, (KEY,))
    return Erasing(erased, tuple(refused), empty_log(vault.engine))


def vacuum(vault: Vault) -> bool:
    """Let the database's files forget what was deleted: dead rows in PostgreSQL, copies of terms in SQLite's pages.

    Returns whether SQLite's log is empty, as `Erasing.is_clean`: until then it holds old pages. PostgreSQL's table of
    data keys and SQLite's table of terms are written anew, and whoever writes waits.

    Raises:
        VaultError: `vault_unavailable`, `disk_full`.
    """
    if vault.engine.dialect.name == "sqlite":
        write_anew(vault.engine, (KEY, TERM))
        return empty_log(vault.engine)
    tables: Sequence[tuple[str, Table]] = [
        ("FULL", KEY),
        *(("FREEZE", each) for each in (BLOB, TERM, DELIVERY, RECORD)),
    ]
    with storing(), vault.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for how, table in tables:
            connection.execute(text(f"VACUUM ({how}) {table.name}"))
    return True


def _erase(vault: Vault, connection: Connection, ids: Sequence[int], order: Order) -> tuple[int, list[ErasureError]]:
    rows = _locked(connection, ids)
    # From here no hold is placed. Whoever locks several of these, rotations too, does so in this order: records, data
    # keys, the head, deliveries and ciphertexts. So nobody waits in a circle.
    lock_head(connection, vault.settings.id)
    held_ids = set(held(connection, rows))
    refusals = {row.id: found for row in rows if (found := order.refusal(row, held_ids)) is not None}
    going = [row for row in rows if row.id not in refusals]
    acts = [_act(row, order, refusals.get(row.id)) for row in rows]
    receipts = vault.audit.append(connection, acts, now=order.now)
    if going:
        numbers = {row.id: receipt.sequence for row, receipt in zip(rows, receipts, strict=True)}
        _destroy(vault, connection, going)
        _bury(vault, connection, {row.id: numbers[row.id] for row in going}, order)
    return len(going), list(refusals.values())


def _locked(connection: Connection, ids: Sequence[int]) -> Sequence[Any]:
    """The live ones of the records, and their data keys, in one order: nobody else changes them from here.

    Rows may still be made that point at the records: whoever holds the head and makes one must not wait for us.
    """
    live = select(RECORD).where(RECORD.c.id.in_(ids), RECORD.c.state == LIVE)
    rows = connection.execute(live.order_by(RECORD.c.id).with_for_update(key_share=True)).all()
    keys = select(KEY.c.record_id).where(KEY.c.record_id.in_([row.id for row in rows]))
    connection.execute(keys.order_by(KEY.c.record_id, KEY.c.epoch).with_for_update()).all()
    return rows


def _act(row: Any, order: Order, refusal: ErasureError | None) -> Act:
    action = Action.ERASE if refusal is None else Action.REFUSE
    code = "" if refusal is None else refusal.code
    what = record_text(row.attester, row.uid, row.version)
    return Act(order.actor, action, what, patient_of(row), purpose=code, basis=order.basis.value)


def _destroy(vault: Vault, connection: Connection, rows: Sequence[Any]) -> None:
    ids = [row.id for row in rows]
    waiting = select(DELIVERY.c.locator, DELIVERY.c.blob).where(DELIVERY.c.record_id.in_(ids))
    deliveries = connection.execute(waiting.order_by(DELIVERY.c.locator).with_for_update()).all()
    connection.execute(update(KEY).where(KEY.c.record_id.in_(ids)).values(wrapped=NO_KEY))
    for table in (TERM, DELIVERY):
        connection.execute(delete(table).where(table.c.record_id.in_(ids)))
    for digest in _hashes(rows, deliveries):
        vault.blobs.delete(connection, digest)


def _hashes(*groups: Sequence[Any]) -> Iterator[bytes]:
    return (row.blob for rows in groups for row in rows if row.blob is not None)


def _bury(vault: Vault, connection: Connection, numbers: dict[int, int], order: Order) -> None:
    """Leave tombstones: of the records by id, with the numbers of their audit entries."""
    nothing = {"state": ERASED, "blob": None, "size": 0, "patient": None, "retain_until": None}
    connection.execute(
        update(RECORD).where(RECORD.c.id == bindparam("of")).values(nothing), [{"of": each} for each in numbers]
    )
    same = {
        "erased_at": int(order.now.timestamp()),
        "basis": order.basis.value,
        "epoch": vault.epochs.known(connection),
    }
    connection.execute(insert(ERASURE), [{"record_id": each, "sequence": at, **same} for each, at in numbers.items()])
