"""Traces: what is left elsewhere of records that moved or are erased: seals, and the same under another address.

for each in revoked_before(vault, attester, outcomes):
    print(each.record, each.successor)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import ColumnElement, Connection, select

from chartseal.attestation import Address
from chartseal.chain.seals import Outcome
from chartseal.vault.database import reading, storing
from chartseal.vault.erasure.receipts import erased_under
from chartseal.vault.moves import moves
from chartseal.vault.opening import COLUMNS, Entry, record_name
from chartseal.vault.storing import of_identities
from chartseal.vault.succession import pseudonyms_of
from chartseal.vault.tables import ERASED, LIVE, MOVE, RECORD, SUCCESSION

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

_CHUNK = 500


class Known(NamedTuple):
    """Names of a record whose seal was found revoked, and of what it became: what was wrong with it lives on there."""

    record: str
    successor: str


def revoked_before(vault: Vault, attester: Address, outcomes: Iterable[Outcome]) -> tuple[Known, ...]:
    """Of an attester's records that moved those that were revoked before: by a move that was cut off, or for an error.

    Raises:
        VaultError: `vault_unavailable`.
    """
    found = [(bytes(attester), bytes(each.uid)) for each in outcomes if each.already]
    known: list[Known] = []
    for part in (found[at : at + _CHUNK] for at in range(0, len(found), _CHUNK)):
        with reading(vault.engine) as connection:
            old = _names(connection, of_identities(part))
            became = moves(connection, list(old))
            new = _names(connection, RECORD.c.id.in_(became.values()))
        known += [Known(name, new[became[number]]) for number, name in old.items() if number in became]
    return tuple(known)


def graves(vault: Vault, entries: Sequence[Entry], patients: Iterable[str], succession: bytes) -> list[Entry]:
    """Erased records that were there when a notice was taken and did not move, of the patients of records or names.

    Where they were sealed to, nobody knows any more: it may have been another address of theirs.

    Raises:
        VaultError: `vault_unavailable`.
    """
    with reading(vault.engine) as connection:
        pseudonyms = set(pseudonyms_of(connection, [each.id for each in entries]))
    pseudonyms |= {vault.pseudonym(each) for each in patients}
    erased = {each.id: each for of in pseudonyms for each in erased_under(vault, of)}
    if not erased:
        return []
    with reading(vault.engine) as connection:
        gone = _later(connection, succession) | moves(connection, sorted(erased)).keys()
    return [erased[number] for number in sorted(erased.keys() - gone)]


def twins(vault: Vault, entries: Iterable[Entry]) -> list[Entry]:
    """Live records that say the same as others, which became them or which they became; those themselves left out.

    Raises:
        VaultError: `vault_unavailable`.
    """
    given = {each.id for each in entries}
    with reading(vault.engine) as connection, storing():
        found, new = set(given), sorted(given)
        while new:
            near = {each for at in range(0, len(new), _CHUNK) for each in _near(connection, new[at : at + _CHUNK])}
            new = sorted(near - found)
            found |= near
        parts = sorted(found - given)
        chosen = (RECORD.c.id.in_(parts[at : at + _CHUNK]) for at in range(0, len(parts), _CHUNK))
        live = (connection.execute(select(*COLUMNS).where(each, RECORD.c.state == LIVE)) for each in chosen)
        return [Entry.of(row) for rows in live for row in rows.all()]


def _near(connection: Connection, ids: Sequence[int]) -> set[int]:
    """What records became, and came of."""
    wanted = select(MOVE.c.record_id, MOVE.c.successor_id)
    rows = connection.execute(wanted.where(MOVE.c.record_id.in_(ids) | MOVE.c.successor_id.in_(ids))).all()
    return {each for row in rows for each in row}


def _later(connection: Connection, succession: bytes) -> set[int]:
    """Erased records that were stored after the notice was taken, or that others became."""
    taken_at = select(SUCCESSION.c.taken_at).where(SUCCESSION.c.old == succession).scalar_subquery()
    came = (RECORD.c.stored_at > taken_at) | RECORD.c.id.in_(select(MOVE.c.successor_id))
    with storing():
        return set(connection.scalars(select(RECORD.c.id).where(RECORD.c.state == ERASED, came)))


def _names(connection: Connection, condition: ColumnElement[bool]) -> dict[int, str]:
    with storing():
        rows = connection.execute(select(RECORD.c.id, RECORD.c.attester, RECORD.c.uid).where(condition)).all()
    return {row.id: record_name(bytes(row.attester), bytes(row.uid)) for row in rows}
