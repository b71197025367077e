"""Moves: records that were sealed again for another address, what they became, whether their old seals are revoked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from chartseal.vault.database import bytes_of, storing
from chartseal.vault.tables import MOVE, RECORD

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Ground:
    """By which succession records move, and the deployment of EAS on which their seals are revoked."""

    succession: bytes
    """How the vault remembers the old address: 16 bytes."""
    domain: bytes
    """The deployment's EIP-712 separator: 32 bytes."""


class Due(NamedTuple):
    """A record that moved, and whose old seal is to be revoked."""

    id: int
    attester: bytes
    uid: bytes


def moves(connection: Connection, records: Sequence[int]) -> dict[int, int]:
    """Those of the records (ids) that moved, and what they became.

    Raises:
        VaultError: `vault_unavailable`.
    """
    found: dict[int, int] = {}
    for at in range(0, len(records), _CHUNK):
        wanted = select(MOVE).where(MOVE.c.record_id.in_(records[at : at + _CHUNK]))
        with storing():
            found.update({row.record_id: row.successor_id for row in connection.execute(wanted)})
    return found


def add_moves(connection: Connection, successors: Mapping[int, int], ground: Ground) -> None:
    """Note what records (ids) became: none of them moved before.

    Raises:
        VaultError: `vault_unavailable`.
    """
    own = {"succession": ground.succession, "domain": ground.domain}
    rows = [{"record_id": each, "successor_id": successor, **own} for each, successor in successors.items()]
    if rows:
        with storing():
            connection.execute(insert(MOVE), rows)


def due(connection: Connection, ground: Ground, attester: bytes) -> list[Due]:
    """An attester's records that moved and are not noted as revoked, erased ones too: whoever has one could show it.

    Raises:
        VaultError: `vault_unavailable`.
    """
    columns = select(RECORD.c.id, RECORD.c.attester, RECORD.c.uid).join(MOVE, MOVE.c.record_id == RECORD.c.id)
    own = (MOVE.c.succession == ground.succession, MOVE.c.domain == ground.domain, RECORD.c.attester == attester)
    with storing():
        rows = connection.execute(columns.where(*own, MOVE.c.revoked_at.is_(None)).order_by(RECORD.c.id)).all()
    return [Due(row.id, bytes_of(row.attester, RECORD), bytes_of(row.uid, RECORD)) for row in rows]


def moved_by(connection: Connection, succession: bytes) -> list[int]:
    """Ids of all records that moved by a succession.

    Raises:
        VaultError: `vault_unavailable`.
    """
    wanted = select(MOVE.c.record_id).where(MOVE.c.succession == succession).order_by(MOVE.c.record_id)
    with storing():
        return list(connection.scalars(wanted))


def set_revoked(connection: Connection, records: Iterable[int], at: int) -> list[int]:
    """Note that their seals are found revoked at a time (Unix seconds); returns those for which that was to be noted.

    Raises:
        VaultError: `vault_unavailable`.
    """
    own = MOVE.c.record_id == bindparam("of")
    noted = update(MOVE).where(own, MOVE.c.revoked_at.is_(None)).values(revoked_at=at)
    with storing():
        return [each for each in records if connection.execute(noted, {"of": each}).rowcount == 1]
