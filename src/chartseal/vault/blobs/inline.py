"""All ciphertexts of a vault: small ones in its database, in the transaction that names them, larger ones outside."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, Engine, delete, select, union_all

from chartseal.errors import VaultDamageError, VaultError
from chartseal.vault.blobs import digests
from chartseal.vault.blobs.store import BlobStore
from chartseal.vault.database import bytes_of, storing, writing
from chartseal.vault.rows import insert_rows
from chartseal.vault.tables import BLOB, DELIVERY, HEAD, META, OWNER, RECORD

_T = TypeVar("_T")
INLINE = 262_144
"""Bytes of the largest ciphertext that stands in the database."""
_DOMAIN = b"chartseal/1/blobs\0"
_CHUNK = 500
_STATEMENT = 16 << 20
"""Bytes of ciphertexts in one statement, unless one alone is larger."""
_AGAIN = "ON CONFLICT (hash) DO UPDATE SET data = excluded.data"
"""What is there already may be damaged."""
_ALONE = 20
"""Blobs that are deleted while other writers wait."""
YOUNG = timedelta(hours=1)
"""How long a blob may wait for the transaction that names it."""


class Blobs:
    """Ciphertexts by their hash, wherever they are."""

    def __init__(self, store: BlobStore | None, inline: int = INLINE) -> None:
        """Take the store of those larger than `inline` bytes; without one all stand in the database."""
        self.store = store
        self._inline = inline
        self._leaving: set[bytes] = set()
        self._lock = threading.Lock()
        self._is_own = False

    def require_own(self, connection: Connection) -> None:
        """See that the place outside is this vault's; one that is empty becomes it.

        A copy that was restored elsewhere names other ciphertexts, and would sweep away what it does not name.

        Raises:
            VaultError: `blobs_other_vault`, `blobs_unavailable`, `vault_unavailable`.
        """
        if self.store is None:
            return
        with storing():
            found = connection.execute(select(META.c.value).where(META.c.name == OWNER)).scalar()
        value = None if found is None else bytes_of(found, META)
        mark = "" if value is None else hashlib.sha256(_DOMAIN + value[1:]).hexdigest()
        there = self.store.mark()
        if there == "" and value is not None and (value[:1] > b"\0" or next(iter(self.store.digests()), None) is None):
            self.store.set_mark(mark)
            there = self.store.mark()
        if not hmac.compare_digest(there.encode(), mark.encode()):
            told = "the ciphertexts there are another vault's, or of the vault that this is a copy of"
            raise VaultError(told, "blobs_other_vault")
        self._is_own = True

    def put(self, connection: Connection, data: bytes) -> bytes:
        """Keep one; returns its hash.

        Raises:
            VaultError: as `put_many`.
        """
        return self.put_many(connection, [data])[0]

    def put_many(self, connection: Connection, ciphertexts: Sequence[bytes]) -> list[bytes]:
        """Keep them; returns their hashes. One that is there already is not kept twice.

        What goes outside is durable before this returns; if the transaction fails, `sweep` finds it. The transaction
        has locked the log's head before: whoever deletes does so too, and so never takes what is about to be named.

        Raises:
            VaultError: `blobs_other_vault`, `blobs_unavailable`, `vault_unavailable`, `disk_full`.
        """
        hashes = [digests.digest_of(each) for each in ciphertexts]
        rows: dict[bytes, bytes] = {}
        for digest, data in zip(hashes, ciphertexts, strict=True):
            if self.store is None or len(data) <= self._inline:
                rows[digest] = data
            else:
                if not self._is_own:
                    self.require_own(connection)
                self.store.put(digest, data)
        with storing():
            # In one order, whoever puts: two that waited for each other's rows would wait for ever.
            for part in _parts(sorted(rows.items())):
                insert_rows(connection, (BLOB.c.hash, BLOB.c.data), part, _AGAIN)
        return hashes

    def get(self, connection: Connection, digest: bytes) -> bytes:
        """One ciphertext, its hash checked.

        Raises:
            VaultDamageError: `blob_missing`, `blob_damaged`, `blob_unreadable`, `blob_address`.
            VaultError: `blobs_unavailable`, `vault_unavailable`.
        """
        found = self.get_many(connection, [digest])[0]
        if isinstance(found, VaultError):
            raise found
        return found

    def get_many(self, connection: Connection, hashes: Sequence[bytes]) -> list[bytes | VaultDamageError]:
        """The ciphertexts in the order of their hashes; in place of one that is damaged or missing, its error.

        Raises:
            VaultError: `blobs_unavailable`, `vault_unavailable`.
        """
        inside: dict[bytes, bytes] = {}
        with storing():
            for chunk in _chunks(hashes):
                rows = connection.execute(select(BLOB.c.hash, BLOB.c.data).where(BLOB.c.hash.in_(chunk)))
                inside.update((digest, data) for digest, data in rows)
        return [self._checked(digest, inside.get(digest)) for digest in hashes]

    def _checked(self, digest: bytes, inside: object) -> bytes | VaultDamageError:
        try:
            name = digests.name(digest)
            if isinstance(inside, bytes):
                return digests.require(digest, inside)
            if inside is not None:
                return VaultDamageError("a ciphertext is not what was stored", "blob_damaged", name)
            if self.store is not None:
                return self.store.get(digest)
        except VaultDamageError as exc:
            return exc
        return digests.missing(digest)

    def delete(self, connection: Connection, digest: bytes) -> None:
        """Forget one that no row will name once the transaction ends; outside it goes with `after_commit`.

        Raises:
            VaultError: `vault_unavailable`, `disk_full`.
        """
        if not digests.is_digest(digest):  # of a damaged row: it names nothing
            return
        with storing():
            inside = connection.execute(delete(BLOB).where(BLOB.c.hash == digest)).rowcount
        if not inside and self.store is not None:
            with self._lock:
                self._leaving.add(digest)

    def after_commit(self, engine: Engine) -> int:
        """Delete what `delete` left outside, except what a row names after all; returns how many went.

        If it is not called, since the process died, `sweep` does it later.

        Raises:
            VaultError: `blobs_other_vault`, `blobs_unavailable`, `vault_unavailable`.
        """
        with self._lock:
            leaving, self._leaving = self._leaving, set()
        try:
            return self._delete_unnamed(engine, leaving)
        except VaultError:
            with self._lock:
                self._leaving |= leaving
            raise

    def sweep(self, engine: Engine, *, now: datetime) -> int:
        """Delete what lies outside, is older than an hour and is named by no row; returns how many went.

        Raises:
            VaultError: `blobs_other_vault`, `blobs_unavailable`, `vault_unavailable`.
        """
        if self.store is None:
            return 0
        return self._delete_unnamed(engine, self.store.digests(before=(now - YOUNG).timestamp()))

    def _delete_unnamed(self, engine: Engine, hashes: Iterable[bytes]) -> int:
        gone = 0
        for chunk in _chunks(hashes, _ALONE):
            with writing(engine) as connection:
                _be_alone(connection)
                self.require_own(connection)
                unnamed = set(chunk) - named(connection, chunk)
                for digest in unnamed:
                    if self.store is not None:
                        self.store.delete(digest)
            gone += len(unnamed)
        return gone


def _be_alone(connection: Connection) -> None:
    """Let nobody put ciphertexts until the transaction ends: a delivery that is made again has the very same one.

    In SQLite the transaction does it by being one.
    """
    with storing():
        connection.execute(select(META.c.value).where(META.c.name == HEAD).with_for_update()).all()


def named(connection: Connection, hashes: Sequence[bytes]) -> set[bytes]:
    """Those hashes that a record or a delivery names.

    Raises:
        VaultError: `vault_unavailable`.
    """
    with storing():
        columns = (RECORD.c.blob, DELIVERY.c.blob)
        return set(connection.scalars(union_all(*(select(each).where(each.in_(hashes)) for each in columns))))


def _parts(rows: Iterable[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    """As many as one statement takes."""
    part, size = list[tuple[bytes, bytes]](), 0
    for row in rows:
        if part and size + len(row[1]) > _STATEMENT:
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row[1])
    yield part


def _chunks(items: Iterable[_T], size: int = _CHUNK) -> Iterator[list[_T]]:
    rest = iter(items)
    return iter(lambda: list(islice(rest, size)), [])
