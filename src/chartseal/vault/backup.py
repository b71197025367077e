"""Backups: a vault as it is at one moment, while it is in use, in one file encrypted to a key that is elsewhere.

The file is an age stream (age-encryption.org/v1) over a tar archive: `backup.json` says what it is, `tables/` holds
rows as lines of JSON, `blobs/` the ciphertexts that stand outside the database, `missing/` the names of those that were
not there. It can be restored into SQLite or
PostgreSQL, whichever it came from. The vault's keys are not in it: a record that was erased is gone from backups once
its epoch's key is destroyed.
"""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, BinaryIO

import pyrage
from sqlalchemy import Column, Connection, Engine, LargeBinary, String, Table, func, insert, select

from chartseal._json import loads
from chartseal.chain.anchors import tables as anchor_tables
from chartseal.errors import VaultDamageError, VaultError
from chartseal.vault import tables
from chartseal.vault.audit import Act, Action, AuditLog
from chartseal.vault.blobs import Blobs, kind_of
from chartseal.vault.database import hold_moment, reading, storing, trusting_rows, writing
from chartseal.vault.epochs import forget_announced
from chartseal.vault.settings import OF_PLACE, set_blobs, use_blobs
from chartseal.vault.tables import BLOB, DELIVERY, META, MOVE, RECORD, SUCCESSION

FORMAT, KIND, VERSION = "chartseal/1", "vault-backup", 1

_PART = 8 << 20
"""Bytes of rows in one member of the archive, about."""
_LARGEST_PART = 256 << 20
_TABLES: Sequence[Table] = (*tables.METADATA.sorted_tables, *anchor_tables.METADATA.sorted_tables)
_LARGEST = 1 << 63
"""No number of a row is so large."""
_ABOUT, _BLOBS, _MISSING = "backup.json", "blobs", "missing"
_LATER = {SUCCESSION.name, MOVE.name}
"""Tables that came after the first backups were made: in those they are empty."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds."""

    records: int
    """Rows of records, erased ones included."""
    rows: int
    blobs: int
    """Ciphertexts from outside the database."""
    missing: int = 0
    """Those of them that a row named and that were not there, or not whole."""


def new_identity() -> tuple[str, str]:
    """A key pair of age: the identity that opens backups, and the recipient that they are made for."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def back_up(
    engine: Engine, blobs: Blobs, output: BinaryIO, recipients: Sequence[str], *, actor: str, now: datetime
) -> BackedUp:
    """Write a backup; what others write meanwhile is wholly in it or not at all. It is entered in the audit log.

    Raises:
        VaultError: `recipient_malformed`, `vault_unavailable`, `blobs_unavailable`, `backup_unwritable`, `disk_full`;
            `blobs_missing`, `blobs_other`: the vault keeps large ciphertexts elsewhere.
        VaultDamageError: `vault_damaged`.
    """
    keys = _recipients(recipients)
    use_blobs(engine, kind_of(blobs.store))
    with _encrypted(output, keys) as archive, reading(engine) as connection:
        hold_moment(connection)
        rows = {table.name: _count(connection, table) for table in _TABLES}
        outside = [] if blobs.store is None else _outside(connection)
        about = {"format": FORMAT, "kind": KIND, "version": VERSION, "rows": rows, "blobs": len(outside)}
        _add(archive, _ABOUT, json.dumps(about).encode())
        for table in _TABLES:
            for number, part in enumerate(_parts(_lines(connection, table))):
                _add(archive, f"tables/{table.name}/{number:06}.ndjson", part)
        missing = sum(not _add_outside(archive, blobs, digest) for digest in outside)
    with writing(engine) as connection:
        what = f"backup of {rows[RECORD.name]} records"
        AuditLog(b"", None).append(connection, [Act(actor, Action.BACKUP, what)], now=now)
    return BackedUp(rows[RECORD.name], sum(rows.values()), len(outside) - missing, missing)


def restore(engine: Engine, blobs: Blobs, stream: BinaryIO, identity: str, *, actor: str, now: datetime) -> BackedUp:
    """Put a backup into a database whose tables are there and empty, all of it or nothing.

    It brings back what was there when it was made, records that were erased since included, as far as their keys still
    exist: erase those again.

    Raises:
        VaultError: `identity_malformed`, `vault_not_empty`, `backup_form`, `backup_version`, `vault_unavailable`,
            `blobs_unavailable`, `blobs_other_vault`: ciphertexts of others are there; `disk_full`.
        VaultDamageError: `backup_damaged`: cut, altered, or for another identity.
    """
    counts, outside, missing = dict.fromkeys((table.name for table in _TABLES), 0), 0, 0
    with writing(engine) as connection:
        _require_empty(connection)
        set_blobs(connection, kind_of(blobs.store))  # kept, so that what dies is run again with the same place
    with _decrypted(stream, identity) as (archive, to_end), writing(engine) as connection:
        _require_empty(connection)
        blobs.require_own(connection)
        members = iter(archive)
        stated, stated_blobs = _about(archive, next(members, None))
        known = {table.name: table for table in _TABLES}
        for member in members:
            folder, _, name = member.name.partition("/")
            if folder == "tables" and (table := known.get(name.partition("/")[0])) is not None:
                counts[table.name] += _insert(connection, table, _read(archive, member))
            elif folder == _BLOBS:
                blobs.put(connection, _read(archive, member))  # inside, where there is no place outside
                outside += 1
            elif folder == _MISSING:
                missing += 1
            else:
                raise VaultError("the backup holds what this program does not know", "backup_form", member.name[:80])
        to_end()
        if counts != stated or stated_blobs not in (None, outside + missing):
            raise VaultDamageError("the backup does not hold what it states", "backup_damaged")
        _renumber(connection)
        forget_announced(connection)
        what = f"restore of {counts[RECORD.name]} records"
        AuditLog(b"", None).append(connection, [Act(actor, Action.RESTORE, what)], now=now)
    return BackedUp(counts[RECORD.name], sum(counts.values()), outside, missing)


def _recipients(texts: Sequence[str]) -> list[Any]:
    try:
        found = [pyrage.x25519.Recipient.from_str(each) for each in texts]
    except pyrage.RecipientError:
        found = []
    if not found:
        raise VaultError("a backup is made for keys of age (age1…)", "recipient_malformed")
    return found


@contextmanager
def _encrypted(output: BinaryIO, recipients: Sequence[Any]) -> Iterator[tarfile.TarFile]:
    """An archive to write, whose bytes another thread encrypts into `output` as they come."""
    reader, writer = (os.fdopen(each, mode) for each, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    faults, told = list[BaseException](), _Telling(output)

    def encrypt() -> None:
        try:
            pyrage.encrypt_io(reader, told, recipients)
        except BaseException as exc:  # told to who waits
            faults.append(told.fault or exc)
        finally:
            reader.close()  # who still writes then ends with a broken pipe

    thread = threading.Thread(target=encrypt)
    thread.start()
    try:
        with writer, tarfile.open(fileobj=writer, mode="w|") as archive:
            yield archive
    except BrokenPipeError:
        pass  # `faults` says why
    finally:
        thread.join()
    if faults:
        fault = faults[0]
        is_full = isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)
        why = f": {fault.strerror}" if isinstance(fault, OSError) else ""
        raise VaultError(
            f"the backup cannot be written{why}", "disk_full" if is_full else "backup_unwritable"
        ) from fault


class _Telling:
    """An output that keeps why it could not be written: age tells that in words alone."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self.fault: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._output.write(data)
        except OSError as exc:
            self.fault = exc
            raise

    def flush(self) -> None:
        try:
            self._output.flush()
        except OSError as exc:
            self.fault = exc
            raise


@contextmanager
def _decrypted(stream: BinaryIO, identity: str) -> Iterator[tuple[tarfile.TarFile, Callable[[], None]]]:
    """An archive to read, decrypted as it is read; and what to call before anything of it is kept.

    That reads to the end, which is authenticated too: a file that is cut between two members looks whole until then.
    """
    try:
        key = pyrage.x25519.Identity.from_str(identity.strip())
    except pyrage.IdentityError:
        raise VaultError("not an identity of age (AGE-SECRET-KEY-1…)", "identity_malformed") from None
    reader, writer = (os.fdopen(each, mode) for each, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    faults: list[BaseException] = []

    def decrypt() -> None:
        try:
            pyrage.decrypt_io(stream, writer, [key])
            writer.close()
        except BaseException as exc:
            faults.append(exc)
            _close(writer)

    thread = threading.Thread(target=decrypt)

    def to_end() -> None:
        while reader.read(1 << 16):
            pass
        thread.join()
        if faults:
            raise tarfile.ReadError

    thread.start()
    try:
        with reader, tarfile.open(fileobj=reader, mode="r|") as archive:
            yield archive, to_end
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError):
        raise VaultDamageError("the backup is cut, altered, or for another key", "backup_damaged") from None
    finally:
        thread.join()


def _close(writer: IO[bytes]) -> None:
    with suppress(OSError):  # nobody reads any more
        writer.close()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    archive.addfile(member, io.BytesIO(data))


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if not member.isfile() or member.size > _LARGEST_PART:
        raise VaultError("the backup holds what this program does not know", "backup_form", member.name[:80])
    part = archive.extractfile(member)
    assert part is not None  # noqa: S101 (it is a file)
    return part.read()


def _about(archive: tarfile.TarFile, member: tarfile.TarInfo | None) -> tuple[dict[str, int], int | None]:
    """The rows of each table, and how many ciphertexts follow, as the backup's first member states.

    Older backups do not state the latter.
    """
    if member is None or member.name != _ABOUT:
        raise VaultError("the file is no backup of a vault", "backup_form")
    about = loads(_read(archive, member))
    rows: dict[str, int] = about["rows"]
    if not isinstance(rows, dict):
        raise TypeError
    if (about.get("format"), about.get("kind")) != (FORMAT, KIND):
        raise VaultError("the file is no backup of a vault", "backup_form")
    every = {table.name for table in _TABLES}
    if about.get("version") != VERSION or not every - _LATER <= rows.keys() <= every:
        raise VaultError("the backup is of another version of this program", "backup_version")
    return {**dict.fromkeys(every, 0), **rows}, about.get("blobs")


def _count(connection: Connection, table: Table) -> int:
    with storing():
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _require_empty(connection: Connection) -> None:
    with storing():
        others = connection.execute(select(META.c.name).where(META.c.name.not_in(OF_PLACE)).limit(1)).first()
    if others is not None or any(_count(connection, table) for table in _TABLES if table is not META):
        raise VaultError("there are records already: restore into a database of its own", "vault_not_empty")


def _lines(connection: Connection, table: Table) -> Iterator[bytes]:
    columns = list(table.columns)
    rows = connection.execution_options(yield_per=_CHUNK).execute(select(table).order_by(*table.primary_key.columns))
    for row in rows:
        with trusting_rows(table):
            values = [_stated(column, value) for column, value in zip(columns, row, strict=True)]
        yield json.dumps(values, separators=(",", ":")).encode() + b"\n"


def _stated(column: Column[Any], value: object) -> str | int | None:
    """What stands in a backup for a value: one that its column cannot hold could never be restored.

    Raises:
        TypeError: it is such a one.
    """
    if value is None and column.nullable:
        return None
    if isinstance(column.type, LargeBinary) and isinstance(value, bytes):
        return base64.b64encode(value).decode()
    kind = str if isinstance(column.type, String) else int
    if isinstance(column.type, LargeBinary) or not isinstance(value, kind):
        raise TypeError
    return value


def _parts(lines: Iterable[bytes]) -> Iterator[bytes]:
    part = bytearray()
    for line in lines:
        part += line
        if len(part) >= _PART:
            yield bytes(part)
            part.clear()
    if part:
        yield bytes(part)


def _insert(connection: Connection, table: Table, part: bytes) -> int:
    columns = list(table.columns)
    rows = [
        {column.name: _value(column, value) for column, value in zip(columns, loads(line), strict=True)}
        for line in part.splitlines()
    ]
    kept = [row for row in rows if table is not META or row["name"] not in OF_PLACE]
    with storing():
        for start in range(0, len(kept), _CHUNK):
            connection.execute(insert(table), kept[start : start + _CHUNK])
    return len(rows)


def _value(column: Column[Any], value: object) -> bytes | str | int | None:
    """What a column may hold: of others the database's driver would say what nobody expects.

    Raises:
        ValueError, TypeError: it may not hold that.
    """
    if value is None and column.nullable:
        return None
    if isinstance(column.type, LargeBinary | String):
        if not isinstance(value, str):
            raise TypeError
        return value if isinstance(column.type, String) else base64.b64decode(value, validate=True)
    if type(value) is not int:
        raise TypeError
    if not -_LARGEST <= value < _LARGEST:
        raise ValueError
    return value


def _outside(connection: Connection) -> Sequence[bytes]:
    """Ciphertexts that rows name and that do not stand in the database."""
    named = select(RECORD.c.blob).where(RECORD.c.blob.is_not(None)).union(select(DELIVERY.c.blob)).subquery()
    inside = select(BLOB.c.hash).where(BLOB.c.hash == named.c.blob).exists()
    return connection.scalars(select(named.c.blob).where(~inside)).all()


def _add_outside(archive: tarfile.TarFile, blobs: Blobs, digest: bytes) -> bool:
    """Add a ciphertext, or that it is not there; returns whether it is."""
    assert blobs.store is not None  # noqa: S101 (what is outside was counted)
    try:
        _add(archive, f"{_BLOBS}/{digest.hex()}", blobs.store.get(digest))
    except VaultDamageError:  # erased since, or damaged: `vault verify` tells which
        _add(archive, f"{_MISSING}/{digest.hex()}", b"")
        return False
    return True


def _renumber(connection: Connection) -> None:
    """Let PostgreSQL number new rows after those that were put back with their numbers."""
    if connection.dialect.name != "postgresql":
        return
    for table in _TABLES:
        key = list(table.primary_key.columns)
        sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, key[0].name)))
        if sequence is not None:
            newest = select(func.coalesce(func.max(key[0]), 0) + 1).scalar_subquery()
            connection.execute(select(func.setval(sequence, newest, False)))
