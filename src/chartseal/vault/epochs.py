"""Epochs of a vault's reader key: data keys are wrapped for the newest one; rotating leaves the older ones behind."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.sql import Select

from chartseal import _core
from chartseal.errors import CoreError, VaultDamageError, VaultKeyError
from chartseal.vault.database import bytes_of, reading, storing, write_anew, writing
from chartseal.vault.keys.provider import KeyProvider, epoch_name
from chartseal.vault.keys.secret import missing
from chartseal.vault.settings import require_keys
from chartseal.vault.tables import EPOCH, KEY, META, NO_KEY, RECORD

BATCH = 500
"""Data keys that one transaction wraps anew."""
_DOMAIN = b"chartseal/1/vault-key\0"
_READER_SIZE = 32
_LARGEST = 2**32 - 1
"""Number of an epoch."""
_NEXT = "epoch_next"
"""Name in `vault_meta` of the epoch that is about to begin, 4 bytes: only a secret of that name is taken, not made."""
_ROTATION = "rotation"
"""Name in `vault_meta`, while a rotation is unfinished, of the epoch that it began: 4 bytes, big-endian."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch, and the X25519 public key that its data keys are wrapped for."""

    number: int
    reader: bytes

    def __post_init__(self) -> None:
        """See that a row of the database may be an epoch's.

        Raises:
            VaultDamageError: `vault_damaged`.
        """
        is_reader = isinstance(self.reader, bytes) and len(self.reader) == _READER_SIZE
        if not is_reader or not 0 < self.number <= _LARGEST:
            raise _damaged()

    def info(self, attester: bytes, uid: bytes) -> bytes:
        """What HPKE binds a record's wrapped data key to. Source: format specification, vault."""
        return _DOMAIN + attester + uid + self.number.to_bytes(4, "big") + self.reader


class Epochs:
    """The epochs of one vault: public keys in its database, secrets in its KeyProvider."""

    def __init__(self, engine: Engine, keys: KeyProvider) -> None:
        self._engine = engine
        self._keys = keys

    def current(self, connection: Connection) -> Epoch:
        """The newest epoch. It is not destroyed before the transaction ends, so what is wrapped for it stays readable.

        Raises:
            VaultKeyError: `key_missing`; the vault has no epoch.
            VaultError: `vault_unavailable`.
            VaultDamageError: `vault_damaged`.
        """
        newest = select(EPOCH.c.number, EPOCH.c.reader).order_by(EPOCH.c.number.desc()).limit(1)
        with storing():
            row = connection.execute(newest.with_for_update(read=True, key_share=True)).first()
        if row is None:
            raise missing(epoch_name(1))
        return Epoch(*row)

    def known(self, connection: Connection) -> int:
        """The largest number of an epoch that the vault or its KeyProvider has, 0 where there is none.

        Where an older backup was put back the KeyProvider has epochs that the vault does not know, and other backups
        are wrapped for these.

        Raises:
            VaultKeyError: `keys_unavailable`.
            VaultError: `vault_unavailable`.
        """
        return max(_newest(connection), *kept_epochs(self._keys), 0)

    def announce(self, connection: Connection) -> int:
        """The number of the epoch to begin in a transaction after this one: the one that was announced, or a new one.

        Raises:
            VaultKeyError: `keys_unavailable`.
            VaultError: `vault_unavailable`, `disk_full`.
            VaultDamageError: `vault_damaged`.
        """
        with storing():
            value = connection.scalar(select(META.c.value).where(META.c.name == _NEXT))
        if value is not None and (number := int.from_bytes(bytes_of(value, META))) > _newest(connection):
            return number
        number = self.known(connection) + 1
        if number > _LARGEST:
            raise _damaged()
        with storing():
            connection.execute(delete(META).where(META.c.name == _NEXT))
            connection.execute(insert(META).values(name=_NEXT, value=number.to_bytes(4, "big")))
        return number

    def begin(self, connection: Connection, *, now: datetime, number: int | None = None) -> Epoch:
        """A new epoch, the newest once the transaction ends: `number` as announced, else one that nobody ever had.

        Its secret is kept before its row is, so a transaction that fails leaves a secret that the next attempt takes,
        where it was announced or is a vault's first; where the KeyProvider only reads, whoever runs the vault has put
        the secret there. Epochs before it that the KeyProvider alone knows become the vault's, so that they are
        destroyed with others.

        Raises:
            VaultKeyError: `keys_read_only`, `keys_unavailable`.
            VaultError: `vault_unavailable`, `disk_full`.
        """
        newest, kept = _newest(connection), kept_epochs(self._keys)
        if number is None:
            number = max(kept, default=1) if newest == 0 else self.known(connection) + 1
        name = epoch_name(number)
        secret = self._keys.get(name) if number in kept else self._keys.make(name)
        epoch = Epoch(number, _core.reader_public(secret))
        unknown = [each for each in kept if newest < each < number]
        epochs = [*(Epoch(each, _core.reader_public(self._keys.get(epoch_name(each)))) for each in unknown), epoch]
        made_at = int(now.timestamp())
        with storing():
            rows = [{"number": each.number, "reader": each.reader, "made_at": made_at} for each in epochs]
            connection.execute(insert(EPOCH), rows)
            connection.execute(delete(META).where(META.c.name == _NEXT))
        return epoch

    def secret(self, number: int) -> bytes:
        """The X25519 secret of an epoch whose row is committed.

        Raises:
            VaultKeyError: `key_missing`, `key_destroyed`, `key_mismatch`: the KeyProvider has another vault's;
                `keys_damaged`, `keys_unavailable`.
            VaultError: `vault_unavailable`.
            VaultDamageError: `vault_damaged`.
        """
        of_epoch = select(EPOCH.c.reader, EPOCH.c.destroyed_at).where(EPOCH.c.number == number)
        with reading(self._engine) as connection:
            row = connection.execute(of_epoch).first()
        if row is None:
            raise missing(epoch_name(number))
        if row.destroyed_at is not None:
            raise VaultKeyError(f"the key {epoch_name(number)} was destroyed", "key_destroyed")
        return self.read_back(Epoch(number, row.reader))

    def read_back(self, epoch: Epoch) -> bytes:
        """The X25519 secret of an epoch, as the KeyProvider has it at this moment.

        Raises:
            VaultKeyError: `key_missing`, `key_mismatch`, `keys_damaged`, `keys_unavailable`.
        """
        secret = self._keys.get(epoch_name(epoch.number))
        if not hmac.compare_digest(_core.reader_public(secret), epoch.reader):
            raise VaultKeyError(f"the key {epoch_name(epoch.number)} is not this vault's", "key_mismatch")
        return secret

    def destroy(self, number: int, *, now: datetime, noted: Noted | None = None) -> None:
        """Destroy an epoch's secret: what is wrapped for it alone, as in older backups, is gone. Twice is no fault.

        The row that says so follows the secret; if the process dies between, the same call says it later.

        Raises:
            VaultKeyError: `epoch_in_use`: it is the newest, or a data key is wrapped for it; `key_missing`: no such
                epoch, or the newest's secret is gone; `key_mismatch`, `keys_read_only`, `keys_unavailable`.
            VaultError: `vault_unavailable`, `disk_full`.
        """
        with writing(self._engine) as connection:
            # Waits for whoever is storing under this epoch, and keeps others from it.
            of_epoch = select(EPOCH.c.destroyed_at).where(EPOCH.c.number == number).with_for_update()
            row = connection.execute(of_epoch).first()
            if row is None:
                raise missing(epoch_name(number))
            if row.destroyed_at is not None:
                return
            in_use = select(KEY.c.record_id).where(KEY.c.epoch == number, KEY.c.wrapped != NO_KEY).limit(1)
            newest = self.current(connection)
            if newest.number == number or connection.execute(in_use).first() is not None:
                raise VaultKeyError(f"{epoch_name(number)} is in use", "epoch_in_use")
            self.read_back(newest)  # what this epoch's keys were wrapped anew for must open before this one goes
            self._keys.destroy(epoch_name(number))
            done = update(EPOCH).where(EPOCH.c.number == number).values(destroyed_at=int(now.timestamp()))
            connection.execute(done)
            if noted is not None:
                noted(connection, Step("destroyed", number, 0))


@dataclass(frozen=True, slots=True)
class Step:
    """Something that rotating did: `begun` an epoch, `moved` a batch of data keys to it, `destroyed` another epoch."""

    what: str
    epoch: int
    keys: int


Noted = Callable[[Connection, Step], None]
"""Told of each step in the transaction that makes it, so that an audit entry commits with it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A record whose data key could not be wrapped anew, and why: the code of the error."""

    attester: bytes
    uid: bytes
    code: str


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: refused records keep their old wrap, and their epoch its secret."""

    epoch: Epoch
    moved: int
    refused: tuple[Refused, ...]
    destroyed: tuple[int, ...]


def rotate(
    engine: Engine,
    keys: KeyProvider,
    *,
    now: datetime,
    destroy_old: bool = False,
    batch: int = BATCH,
    noted: Noted | None = None,
) -> Rotation:
    """Begin a new epoch and wrap every data key for it; ciphertexts stay as they are.

    One transaction a batch replaces old wraps by new ones. If the process dies, the next call goes on with the same
    epoch. `destroy_old` destroys the secrets of the older epochs for which nothing is wrapped any more.

    Raises:
        VaultKeyError: `keys_other_vault`, `keys_read_only`, `keys_unavailable`, `key_missing`, `key_mismatch`; of
            another vault's keys, or none, nothing was changed.
        VaultError: `vault_unavailable`, `disk_full`.
        VaultDamageError: `vault_damaged`; an epoch's row, or a record's that tells no identity.
    """
    rotating = _Rotating(engine, Epochs(engine, keys), batch, noted)
    with reading(engine) as connection:
        require_keys(connection, keys)
    target = rotating.target(now)
    moved, refused = rotating.move_all(target)
    destroyed = rotating.destroy_before(target, now) if destroy_old else ()
    write_anew(engine, (KEY,))  # a larger epoch number takes more room, for which SQLite rearranges pages
    with writing(engine) as connection:
        connection.execute(delete(META).where(META.c.name == _ROTATION))
    return Rotation(target, moved, refused, destroyed)


def is_rotating(connection: Connection) -> bool:
    """Whether a rotation has begun and not ended.

    Raises:
        VaultError: `vault_unavailable`.
    """
    with storing():
        return connection.scalar(select(META.c.value).where(META.c.name == _ROTATION)) is not None


def forget_announced(connection: Connection) -> None:
    """Let a vault that came out of a backup begin epochs of its own: others may have begun what was announced then.

    Raises:
        VaultError: `vault_unavailable`, `disk_full`.
    """
    with storing():
        connection.execute(delete(META).where(META.c.name == _NEXT))


class _Rotating:
    """One call of `rotate`."""

    def __init__(self, engine: Engine, epochs: Epochs, batch: int, noted: Noted | None) -> None:
        self._engine, self._epochs = engine, epochs
        self._batch, self._noted = batch, noted

    def _note(self, connection: Connection, what: str, epoch: int, keys: int) -> None:
        if self._noted is not None:
            self._noted(connection, Step(what, epoch, keys))

    def target(self, now: datetime) -> Epoch:
        """The epoch of a rotation that was interrupted, or a new one."""
        with writing(self._engine) as connection:
            number = None if is_rotating(connection) else self._epochs.announce(connection)
        with writing(self._engine) as connection:
            is_new = not is_rotating(connection)
            begin, current = self._epochs.begin, self._epochs.current
            epoch = begin(connection, now=now, number=number) if is_new else current(connection)
            self._epochs.read_back(epoch)
            if not is_new:
                return epoch
            connection.execute(insert(META).values(name=_ROTATION, value=epoch.number.to_bytes(4, "big")))
            self._note(connection, "begun", epoch.number, 0)
            return epoch

    def move_all(self, target: Epoch) -> tuple[int, tuple[Refused, ...]]:
        """Wrap for the target what is wrapped for others, until a whole pass finds nothing that can be.

        A second pass finds what somebody stored under the epoch before, and committed behind the first.
        """
        moved = 0
        while True:
            new, refused = self._move_pass(target)
            moved += new
            if not new:
                return moved, tuple(refused)

    def _move_pass(self, target: Epoch) -> tuple[int, list[Refused]]:
        moved, refused, after = 0, list[Refused](), (0, 0)
        while True:
            with writing(self._engine) as connection:
                rows = connection.execute(_wrapped_before(target, after).limit(self._batch)).all()
                if not rows:
                    return moved, refused
                new, others = self._wrapped_anew(target, rows)
                if new:
                    connection.execute(_REPLACE, new)
                    self._note(connection, "moved", target.number, len(new))
            moved += len(new)
            refused += others
            after = (rows[-1].record_id, rows[-1].epoch)

    def _wrapped_anew(self, target: Epoch, rows: Sequence[Row[Any]]) -> tuple[list[dict[str, Any]], list[Refused]]:
        new, refused = list[dict[str, Any]](), list[Refused]()
        for (number, reader), group in groupby(sorted(rows, key=_epoch_of), _epoch_of):
            old, of_epoch, items = Epoch(number, reader), list[Row[Any]](), list[tuple[bytes, bytes, bytes]]()
            for row in group:
                identity = bytes_of(row.attester, RECORD), bytes_of(row.uid, RECORD)
                if not isinstance(row.wrapped, bytes):  # SQLite keeps anything in any column
                    refused.append(Refused(*identity, VaultDamageError.code))
                    continue
                of_epoch.append(row)
                items.append((row.wrapped, old.info(*identity), target.info(*identity)))
            wraps = _core.rewrap_keys(self._epochs.secret(number), target.reader, items)
            for row, wrapped in zip(of_epoch, wraps, strict=True):
                if isinstance(wrapped, CoreError):
                    refused.append(Refused(row.attester, row.uid, wrapped.code))
                else:
                    key = {"of_record": row.record_id, "of_epoch": number}
                    new.append({**key, "epoch": target.number, "wrapped": wrapped})
        return new, refused

    def destroy_before(self, target: Epoch, now: datetime) -> tuple[int, ...]:
        """Destroy the older epochs for which nothing is wrapped; returns those."""
        older = select(EPOCH.c.number).where(EPOCH.c.number < target.number, EPOCH.c.destroyed_at.is_(None))
        with reading(self._engine) as connection:
            numbers = connection.scalars(older.order_by(EPOCH.c.number)).all()
        destroyed = []
        for number in numbers:
            try:
                self._epochs.destroy(number, now=now, noted=self._noted)
            except VaultKeyError as exc:
                if exc.code != "epoch_in_use":
                    raise
            else:
                destroyed.append(number)
        return tuple(destroyed)


def kept_epochs(keys: KeyProvider) -> list[int]:
    """Numbers of the epochs whose secrets a KeyProvider has, ascending.

    Raises:
        VaultKeyError: `keys_unavailable`.
    """
    start = epoch_name(0).removesuffix("0")
    return sorted(int(each.removeprefix(start)) for each in keys.names() if each.startswith(start))


def _damaged() -> VaultDamageError:
    return VaultDamageError("a row holds what its columns cannot", "vault_damaged", EPOCH.name)


def _newest(connection: Connection) -> int:
    with storing():
        return connection.scalar(select(func.max(EPOCH.c.number))) or 0


_REPLACE = (
    update(KEY)
    .where(KEY.c.record_id == bindparam("of_record"), KEY.c.epoch == bindparam("of_epoch"))
    .values(epoch=bindparam("epoch"), wrapped=bindparam("wrapped"))
)


def _wrapped_before(target: Epoch, after: tuple[int, int]) -> Select[Any]:
    """Data keys of older epochs, in the order of their records; nobody erases them until the transaction ends."""
    key = tuple_(KEY.c.record_id, KEY.c.epoch)
    columns = (*KEY.c, EPOCH.c.reader, RECORD.c.attester, RECORD.c.uid)
    joined = select(*columns).join(RECORD, RECORD.c.id == KEY.c.record_id).join(EPOCH, EPOCH.c.number == KEY.c.epoch)
    older = joined.where(KEY.c.epoch < target.number, KEY.c.wrapped != NO_KEY, key > tuple_(*after))
    return older.order_by(KEY.c.record_id, KEY.c.epoch).with_for_update(of=KEY)


def _epoch_of(row: Row[Any]) -> tuple[int, bytes]:
    return row.epoch, row.reader
