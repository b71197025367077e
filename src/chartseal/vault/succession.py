"""Successor notices at a provider: patients move to another address, which the provider seals to from then on.

    taken = take(vault, notice, map_path, actor="clerk-7", now=now)
    print(taken.references)

An address that was left is finished: the vault remembers it, as a keyed hash, whatever the map of patients says later.
So no notice, old or new, leads a patient away from where she went, and nothing is stored any more that is sealed to it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, insert, select

from chartseal.errors import ChartsealError, SealingError, SuccessorError
from chartseal.keys import SealingAddress, SuccessorNotice, verify_successor
from chartseal.sealing import MapFile
from chartseal.vault.audit import Act, Action
from chartseal.vault.audit.log import lock_head
from chartseal.vault.database import reading, storing, writing
from chartseal.vault.tables import RECORD, SUCCESSION

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

WHAT = "sealing address"
"""What the log says was moved: no address."""
PURPOSE, BASIS = "PATRQT", "successor"
"""Of everything that is done for a notice: the patient asks for it."""


_CHUNK = 500


class Taken(NamedTuple):
    """A notice that is taken."""

    address: SealingAddress
    """Which is sealed to from now on."""
    references: int
    """How many of the map's patients point to it by this."""
    again: bool
    """An earlier run had taken it, and this one found the map as it was before."""


def take(
    vault: Vault, notice: SuccessorNotice, patients: Path, *, actor: str, now: datetime, several: bool = False
) -> Taken:
    """Let the patients of a map's file who have the notice's old address have the new one, and enter it in the log.

    Vault first, then map: a run that is killed between them is finished by another. What each run changes in the map
    is entered, also where the notice was taken before.

    Raises:
        SuccessorError: as `verify_successor`; `successor_superseded` for an address that was left, or a new one that
            was; `successor_unknown`: no patient of the map has the old one; `successor_several`: several have it, or
            records of several are sealed to it, the new one is another wallet's, and `several` does not say so.
        SignatureError: a spend key did not sign it.
        SealingError: `map_malformed`, `map_unreadable`, `map_changed`, `map_unwritable`; the file is as it was.
        VaultError: `vault_unavailable`, `disk_full`.
    """
    new = verify_successor(notice, current=notice.old, now=now)  # whose it is, the map says below
    # The map may name a patient otherwise than her records do: the log tells of her under both names.
    sealed = vault.addressed(str(notice.old), lambda *_: None)  # of what cannot be opened nobody knows whose it is
    moving = MapFile.read(patients).patients(notice.old.data)  # a large one takes a while: nobody waits for it
    named = [vault.pseudonym(each if "/" in each else f"Patient/{each}") for each in moving]
    with writing(vault.engine) as connection:
        lock_head(connection, vault.settings.id)
        known = is_taken(vault, connection, notice)
        if not moving:
            raise _superseded() if known else _unknown("no patient of the map has the address that the notice leaves")
        theirs = pseudonyms_of(connection, [each.id for each in sealed])
        if not several:
            _require_one(vault, notice, named, theirs)
        if not known:
            _note(vault, connection, notice, now)
            named += theirs
        _enter(vault, connection, named, actor, now)
    return Taken(new, _replace(vault, notice, patients), known)


def _replace(vault: Vault, notice: SuccessorNotice, patients: Path, tries: int = 10) -> int:
    """Let the map's patients have the new address, also where other notices change the map at the same time.

    Raises:
        SealingError, LimitError: as `MapFile`.
    """
    file = MapFile.read(patients)
    try:
        with writing(vault.engine) as connection:
            lock_head(connection, vault.settings.id)  # no other notice changes the map meanwhile
            return file.replace(notice.old.data, str(notice.new))
    except SealingError as exc:
        if exc.code != "map_changed" or not tries:
            raise
    return _replace(vault, notice, patients, tries - 1)


def take_again(
    vault: Vault, notice: SuccessorNotice, patients: Path, *, actor: str, now: datetime, several: bool = False
) -> int:
    """As `take`, but a notice that is in force, or was, is no error; returns how many of the map moved by this.

    Raises:
        ChartsealError: as `take`.
    """
    try:
        return take(vault, notice, patients, actor=actor, now=now, several=several).references
    except SuccessorError:
        with reading(vault.engine) as connection:
            if not is_passed(vault, connection, notice) and not is_taken(vault, connection, notice):
                raise
        return 0


def take_without_map(
    vault: Vault, notice: SuccessorNotice, *, actor: str, now: datetime, several: bool = False
) -> bool:
    """Take a notice where no map says whose address it is, but records that the vault has; whether it was taken before.

    One that was in force and is followed by another now is none to be refused: what it moved is finished by it.

    Raises:
        SuccessorError, SignatureError: as `take`; `successor_unknown`: nothing was sealed to the old address.
        VaultError: `vault_unavailable`, `blobs_unavailable`.
        VaultDamageError: a vault without index found none, but could not open all.
    """
    verify_successor(notice, current=notice.old, now=now)
    with reading(vault.engine) as connection:
        if is_passed(vault, connection, notice) or is_taken(vault, connection, notice):
            return True
    unread = list[ChartsealError]()
    found = [each.id for each in vault.addressed(str(notice.old), lambda _, fault: unread.append(fault))]
    if not found and unread:
        raise unread[0]
    if not found:
        raise _unknown("the vault has no record that is sealed to the address that the notice leaves")
    with writing(vault.engine) as connection:
        lock_head(connection, vault.settings.id)
        if is_taken(vault, connection, notice):
            return True
        theirs = pseudonyms_of(connection, found)
        if not several:
            _require_one(vault, notice, theirs)
        _note(vault, connection, notice, now)
        _enter(vault, connection, theirs, actor, now)
    return False


def _require_one(vault: Vault, notice: SuccessorNotice, *pseudonyms: Sequence[bytes]) -> None:
    """To another wallet one patient goes: what was kept of others at the same address is not hers to take.

    Raises:
        SuccessorError: `successor_several`.
    """
    if notice.old.spend_key == notice.new.spend_key:
        return
    nobody = vault.pseudonym_of_address(str(notice.old))
    most = max(len(set(each) - {nobody}) for each in pseudonyms)
    if most > 1:
        detail = f"the address is of {most} patients by their names, and all of it would go to the one who asks"
        raise SuccessorError(detail, "successor_several")


def is_taken(vault: Vault, connection: Connection, notice: SuccessorNotice) -> bool:
    """Whether what the vault took leads from the old address to the new one, at once or over others, and no further.

    Raises:
        SuccessorError: `successor_superseded`: the old address was left for another one, or the new one was left.
    """
    new, way = mark(vault, notice.new), _way(vault, connection, notice)
    if way and hmac.compare_digest(way[-1], new):
        return True
    if way or _next(connection, new) is not None:
        raise _superseded()
    return False


def is_any_left(vault: Vault, connection: Connection, addresses: Iterable[str]) -> bool:
    """Whether one of the addresses was left for another one.

    Raises:
        KeyFormatError: one is no sealing address.
        VaultError: `vault_unavailable`.
    """
    with storing():
        if connection.execute(select(SUCCESSION.c.old).limit(1)).first() is None:  # reading an address takes a while
            return False
    marks = [mark(vault, SealingAddress.parse(each)) for each in addresses]
    parts = (marks[at : at + _CHUNK] for at in range(0, len(marks), _CHUNK))
    with storing():
        found = (select(SUCCESSION.c.old).where(SUCCESSION.c.old.in_(part)).limit(1) for part in parts)
        return any(connection.scalar(each) is not None for each in found)


def is_passed(vault: Vault, connection: Connection, notice: SuccessorNotice) -> bool:
    """Whether what the vault took leads from the old address to the new one, and from there on to another."""
    return mark(vault, notice.new) in _way(vault, connection, notice)[:-1]


def _way(vault: Vault, connection: Connection, notice: SuccessorNotice) -> list[bytes]:
    """Marks of the addresses that followed the notice's old one, one after another."""
    way: list[bytes] = []
    at: bytes | None = mark(vault, notice.old)
    while at is not None and (at := _next(connection, at)) is not None and at not in way:
        way.append(at)
    return way


def _next(connection: Connection, at: bytes) -> bytes | None:
    """The mark of the address that follows an address (its mark), where that was left."""
    with storing():
        found = connection.scalar(select(SUCCESSION.c.new).where(SUCCESSION.c.old == at))
    return None if found is None else bytes(found)


def mark(vault: Vault, address: SealingAddress) -> bytes:
    """How the vault remembers an address, 16 bytes: keyed, so that whoever has the database alone cannot try one."""
    return vault.audit.pseudonym(b"left\0" + address.data)


def _note(vault: Vault, connection: Connection, notice: SuccessorNotice, now: datetime) -> None:
    marks = {"old": mark(vault, notice.old), "new": mark(vault, notice.new)}
    with storing():
        connection.execute(insert(SUCCESSION).values(**marks, taken_at=int(now.timestamp())))


def _enter(vault: Vault, connection: Connection, pseudonyms: Iterable[bytes], actor: str, now: datetime) -> None:
    acts = [Act(actor, Action.MOVE, WHAT, each, PURPOSE, BASIS) for each in dict.fromkeys(pseudonyms)]
    vault.audit.append(connection, acts, now=now)


def pseudonyms_of(connection: Connection, ids: Sequence[int]) -> list[bytes]:
    """Of records (ids), as their rows bear them."""
    found: list[bytes] = []
    for at in range(0, len(ids), _CHUNK):
        rows = select(RECORD.c.patient).where(RECORD.c.id.in_(ids[at : at + _CHUNK])).order_by(RECORD.c.id)
        with storing():
            found += [bytes(each) for each in connection.scalars(rows) if each is not None]
    return found


def _superseded() -> SuccessorError:
    return SuccessorError("the notice is of an address that was left, or leads to one", "successor_superseded")


def _unknown(detail: str) -> SuccessorError:
    return SuccessorError(detail, "successor_unknown")
