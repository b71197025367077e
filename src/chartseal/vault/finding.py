"""Finding: entries of records by patient, address, type, code and date, through keyed terms alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from chartseal.errors import ChartsealError, VaultError
from chartseal.vault import terms
from chartseal.vault.database import trusting_rows
from chartseal.vault.opening import COLUMNS, Entry, chunks, decrypt, patient_of
from chartseal.vault.tables import LIVE, RECORD, TERM

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

Unread = Callable[[Entry, ChartsealError], None]
"""Is told of a record that cannot be opened, and why."""

_CHUNK = 1_000


class Named(NamedTuple):
    """A record that bears a name which was looked for."""

    name: str
    """`type/id`."""
    patient: bytes | None
    """The pseudonym on its row."""
    entry: Entry


@dataclass(frozen=True)
class Wanted:
    """What a record must have; of what is None, anything."""

    patient: str | None = field(default=None, repr=False)
    """Reference: an absolute URL, or one relative to the vault's base."""
    address: str | None = field(default=None, repr=False)
    resource_type: str | None = None
    code: str | None = field(default=None, repr=False)
    """`system|code`."""
    since: date | None = None
    until: date | None = None
    """Days, both included; a record that knows its month or year alone is found if that touches them."""

    @property
    def _uses_terms(self) -> bool:
        given = (self.address, self.resource_type, self.code, self.since, self.until)
        return any(each is not None for each in given)

    def groups(self, secret: bytes) -> Iterator[set[bytes]]:
        """Sets of terms: a record has one of each."""
        address = None if self.address is None else terms.canonical(self.address)
        for kind, text in ((terms.ADDRESS, address), (terms.TYPE, self.resource_type), (terms.CODE, self.code)):
            if text is not None:
                yield {terms.term(secret, kind, text)}
        if self.since is not None or self.until is not None:
            yield terms.date_terms(secret, self.since or terms.EARLIEST, self.until or terms.LATEST)

    def require_searchable(self, searchable: bool) -> None:
        """A vault without a blind index finds by patient alone.

        Raises:
            VaultError: `not_searchable`.
        """
        if self._uses_terms and not searchable:
            raise VaultError("this vault keeps no index: it finds records by patient alone", "not_searchable")


def find(vault: Vault, connection: Connection, wanted: Wanted) -> Iterator[Entry]:
    """Entries in the order of their storing; without criteria all, tombstones too.

    Raises:
        VaultError: `not_searchable`, `vault_unavailable`.
        VaultDamageError: `vault_damaged`.
    """
    wanted.require_searchable(vault.settings.searchable)
    query = _query(vault, wanted)
    last = 0
    while True:
        with trusting_rows(RECORD):
            rows = connection.execute(query.where(RECORD.c.id > last).order_by(RECORD.c.id).limit(_CHUNK)).all()
            entries = [Entry.of(row) for row in rows]
        yield from entries
        if len(rows) < _CHUNK:
            return
        last = rows[-1].id


def addressed(vault: Vault, connection: Connection, address: str, unread: Unread | None) -> Iterator[Entry]:
    """Entries of the live records that are sealed to an address, as the records themselves say.

    Raises:
        VaultError: `vault_unavailable`, `blobs_unavailable`.
        VaultDamageError: one cannot be opened, and there is no `unread` to be told so.
    """
    live = (entry for entry in find(vault, connection, Wanted()) if entry.state == LIVE)
    for chunk in chunks(live):
        for entry, found in zip(chunk, decrypt(vault, connection, chunk), strict=True):
            if isinstance(found, ChartsealError):
                if unread is None:
                    raise found
                unread(entry, found)
                continue
            [facts] = terms.read_facts([found.line])
            if facts.address == terms.canonical(address):
                yield entry


def addresses(vault: Vault, connection: Connection, entries: Iterable[Entry]) -> set[str]:
    """Sealing addresses of records, erased and damaged ones left out: by the index one record of each is opened.

    What is opened is given to nobody, and so not entered in the audit chain.

    Raises:
        VaultError: `vault_unavailable`, `blobs_unavailable`.
    """
    left = {each.id: each for each in entries if each.state == LIVE}
    found = set[str]()
    while left:
        asked = list(left.values())[: 1 if vault.settings.searchable else _CHUNK]
        opened = decrypt(vault, connection, asked)
        lines = [each.line for each in opened if not isinstance(each, ChartsealError)]  # those for `check` to name
        met = {facts.address for facts in terms.read_facts(lines)} - found
        found |= met
        known = (each.id for address in met for each in _indexed(vault, connection, address))
        for number in (*(each.id for each in asked), *known):
            left.pop(number, None)
    return found


def beside(vault: Vault, connection: Connection, entries: Iterable[Entry]) -> list[Entry]:
    """Records that are sealed to the same addresses as these and are not among them, erased ones left out.

    Raises:
        VaultError: `not_searchable`; as `addresses`.
    """
    Wanted(address="").require_searchable(vault.settings.searchable)
    own = list(entries)
    met = addresses(vault, connection, own)
    there = {each.id: each for address in met for each in _indexed(vault, connection, address)}
    return [there[number] for number in sorted(there.keys() - {each.id for each in own})]


def _indexed(vault: Vault, connection: Connection, address: str) -> list[Entry]:
    """What the index, if there is one, has of an address; erased records have left it."""
    return list(find(vault, connection, Wanted(address=address))) if vault.settings.searchable else []


def named(
    vault: Vault, connection: Connection, names: Collection[str], patient: bytes | None, most: int
) -> list[Named]:
    """Of each patient the newest live record of each name, the newest first, at most so many; or of one patient's.

    Raises:
        VaultError: `not_searchable`, `vault_unavailable`.
        VaultDamageError: `vault_damaged`.
    """
    if not vault.settings.searchable:
        raise VaultError("this vault keeps no index: it finds records by patient alone", "not_searchable")
    by_term = {terms.term(vault.index, terms.NAME, name): name for name in names}
    bearing = select(TERM.c.term, func.max(RECORD.c.id).label("id")).select_from(
        RECORD.join(TERM, TERM.c.record_id == RECORD.c.id)
    )
    bearing = bearing.where(TERM.c.term.in_(by_term), RECORD.c.state == LIVE).group_by(TERM.c.term, RECORD.c.patient)
    if patient is not None:
        bearing = bearing.where(RECORD.c.patient == patient)
    newest = bearing.subquery()
    query = select(*COLUMNS, RECORD.c.patient, newest.c.term).join(newest, newest.c.id == RECORD.c.id)
    with trusting_rows(RECORD):
        rows = connection.execute(query.order_by(RECORD.c.id.desc()).limit(most)).all()
        return [Named(by_term[bytes(row.term)], patient_of(row), Entry.of(row)) for row in rows]


def _query(vault: Vault, wanted: Wanted) -> Select[Any]:
    query: Select[Any] = select(*COLUMNS)
    if wanted.patient is not None:
        query = query.where(RECORD.c.patient == vault.pseudonym(wanted.patient))
    for group in wanted.groups(vault.index):
        query = query.where(RECORD.c.id.in_(select(TERM.c.record_id).where(TERM.c.term.in_(group))))
    return query
