"""Retention: the day before which a record is not erased."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update

from chartseal.vault.audit import Act, Action, record_text
from chartseal.vault.database import storing, writing
from chartseal.vault.opening import Entry, patient_of
from chartseal.vault.tables import LIVE, RECORD

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

_CHUNK = 500


def retain(
    vault: Vault, entries: Iterable[Entry], until: datetime, *, actor: str, now: datetime, shorten: bool = False
) -> int:
    """Keep records until a time; returns of how many that is new. Erased ones are passed over.

    One that is kept longer already stays so, unless `shorten`.

    Raises:
        VaultError: `vault_unavailable`, `disk_full`.
    """
    rest, ids, changed = iter(entries), list[int](), 0
    while ids := [each.id for each in islice(rest, _CHUNK)]:
        changed += _retain(vault, ids, until.astimezone(UTC), actor, now, shorten=shorten)
    return changed


def _retain(vault: Vault, ids: list[int], until: datetime, actor: str, now: datetime, *, shorten: bool) -> int:
    at = int(until.timestamp())
    other = RECORD.c.retain_until != at if shorten else RECORD.c.retain_until < at
    wanted = select(RECORD.c.id, RECORD.c.attester, RECORD.c.uid, RECORD.c.version, RECORD.c.patient).where(
        RECORD.c.id.in_(ids), RECORD.c.state == LIVE, or_(RECORD.c.retain_until.is_(None), other)
    )
    with writing(vault.engine) as connection, storing():
        rows = connection.execute(wanted.order_by(RECORD.c.id).with_for_update(key_share=True)).all()
        connection.execute(update(RECORD).where(RECORD.c.id.in_([row.id for row in rows])).values(retain_until=at))
        basis = f"retained until {until:%Y-%m-%dT%H:%M:%SZ}"
        acts = [
            Act(actor, Action.HOLD, record_text(row.attester, row.uid, row.version), patient_of(row), basis=basis)
            for row in rows
        ]
        vault.audit.append(connection, acts, now=now)
    return len(rows)
