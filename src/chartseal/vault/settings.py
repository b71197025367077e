"""What is true of a vault as a whole: its id, what it was told when it was made, and a check of its keys."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select

from chartseal.errors import VaultDamageError, VaultError, VaultKeyError
from chartseal.vault.database import bytes_of, reading, storing, writing
from chartseal.vault.keys.provider import PSEUDONYMS, TAKEN, KeyProvider
from chartseal.vault.rows import NOTHING, insert_rows
from chartseal.vault.tables import META, OWNER

ID = "id"
_SEARCHABLE, _QUOTA, _BASE, _KEYS, _BLOBS = "searchable", "quota", "base", "keys", "blobs"
OF_PLACE = (_BLOBS, OWNER)
"""What says where large ciphertexts are, and is not the same in a copy that is put back elsewhere."""
_MAKING = "making"
"""Name of what tells, while a vault is made, that it took the keys: what dies then is made again with the same."""
_ID_SIZE = 16
_LONGEST_BASE = 1_024


@dataclass(frozen=True)
class Settings:
    """A vault's settings; they stay as they were when it was made."""

    id: bytes
    searchable: bool = True
    quota: int | None = None
    """Bytes of ciphertexts that it takes at most."""
    base: str = ""
    """FHIR base URL, against which a relative reference to a patient is taken."""

    @classmethod
    def fresh(cls, *, searchable: bool, quota: int | None, base: str) -> Settings:
        """Settings of a new vault.

        Raises:
            VaultError: `vault_settings`.
        """
        if quota is not None and not 0 < quota < 2**63:
            raise VaultError("a quota is a number of bytes", "vault_settings")
        if base and not (base.startswith(("https://", "http://")) and base.endswith("/") and len(base) < _LONGEST_BASE):
            raise VaultError("a base is an http or https URL with its final slash", "vault_settings")
        return cls(secrets.token_bytes(_ID_SIZE), searchable, quota, base)

    def write(self, connection: Connection, pseudonyms: bytes) -> None:
        """Put them into an empty vault.

        Raises:
            VaultError: `vault_exists`, `vault_unavailable`.
        """
        values = {
            ID: self.id,
            _SEARCHABLE: bytes([self.searchable]),
            _QUOTA: (self.quota or 0).to_bytes(8),
            _BASE: self.base.encode(),
            _KEYS: _check(self.id, pseudonyms),
        }
        with storing():
            insert_rows(connection, (META.c.name, META.c.value), [(ID, values.pop(ID))], NOTHING)  # the first has it
            if connection.execute(select(META.c.value).where(META.c.name == ID)).scalar() != self.id:
                raise VaultError("there is a vault already", "vault_exists")
            connection.execute(insert(META), [{"name": name, "value": value} for name, value in values.items()])

    @classmethod
    def read(cls, connection: Connection, pseudonyms: bytes) -> Settings:
        """Read them, and compare the keys with those that the vault was made with.

        Raises:
            VaultError: `vault_missing`, `vault_unavailable`.
            VaultKeyError: `keys_other_vault`.
            VaultDamageError: `settings_damaged`.
        """
        found = _found(connection)
        if ID not in found:
            raise VaultError("there is no vault: `chartseal vault init` makes one", "vault_missing")
        if not all(isinstance(found.get(name), bytes) for name in (ID, _SEARCHABLE, _QUOTA, _BASE, _KEYS)):
            raise _damaged()
        if not hmac.compare_digest(found[_KEYS], _check(found[ID], pseudonyms)):
            raise VaultKeyError("the keys are another vault's", "keys_other_vault")
        try:
            base = found[_BASE].decode()
        except UnicodeDecodeError:
            raise _damaged() from None
        return cls(found[ID], found[_SEARCHABLE] == b"\1", int.from_bytes(found[_QUOTA]) or None, base)


def _damaged() -> VaultDamageError:
    return VaultDamageError("the vault's settings are damaged", "settings_damaged", META.name)


def _found(connection: Connection) -> dict[str, Any]:
    """Single values by name: bytes, or what a damaged row has in their place."""
    with storing():
        return {row.name: row.value for row in connection.execute(select(META.c.name, META.c.value))}


def take_keys(connection: Connection, keys: KeyProvider) -> None:
    """Let a vault that is to be made have the keys; `keep_keys` follows, in a transaction after this one.

    Raises:
        VaultError: `vault_exists`, `vault_unavailable`.
        VaultKeyError: `keys_taken`: another vault has them; or they cannot be used.
    """
    found = _found(connection)
    if ID in found:
        raise VaultError("there is a vault already", "vault_exists")
    names = keys.names()
    own = _check(b"", keys.get(PSEUDONYMS) if PSEUDONYMS in names else keys.make(PSEUDONYMS))
    is_own = hmac.compare_digest(bytes_of(found.get(_MAKING, b""), META), own)
    if TAKEN in names and not is_own:
        raise VaultKeyError("another vault has these keys: give each its own", "keys_taken")
    if not is_own:
        with storing():
            connection.execute(delete(META).where(META.c.name == _MAKING))
            insert_rows(connection, (META.c.name, META.c.value), [(_MAKING, own)], NOTHING)  # others may make it too


def keep_keys(connection: Connection, keys: KeyProvider) -> None:
    """Let no other vault have the keys that this one took; a place that only reads cannot tell.

    Raises:
        VaultKeyError: `key_exists`: another took them meanwhile; or they cannot be used.
        VaultError: `vault_unavailable`.
    """
    if TAKEN not in keys.names():
        try:
            keys.make(TAKEN)
        except VaultKeyError as exc:
            if exc.code != "keys_read_only":
                raise
    with storing():
        connection.execute(delete(META).where(META.c.name == _MAKING))


def require_keys(connection: Connection, keys: KeyProvider) -> None:
    """See that the keys are the vault's, before something is written that only they open; tables without one take any.

    Raises:
        VaultKeyError: `keys_other_vault`, `key_missing`, or the keys cannot be used.
        VaultError: `vault_missing`, `vault_unavailable`.
        VaultDamageError: `settings_damaged`.
    """
    with storing():
        is_made = connection.execute(select(META.c.name).where(META.c.name == ID)).first() is not None
    if is_made:
        Settings.read(connection, keys.get(PSEUDONYMS))


def _check(vault: bytes, pseudonyms: bytes) -> bytes:
    """Tells the vault's keys from others, and nothing else."""
    return hmac.digest(pseudonyms, b"vault\0" + vault, hashlib.sha256)


def use_blobs(engine: Engine, kind: str) -> None:
    """Use a kind of place for large ciphertexts (empty: the database alone), or find that the vault has another.

    One that had none so far has this one from now on.

    Raises:
        VaultError: `blobs_missing`: there is a place, and none is given; `blobs_other`; `vault_unavailable`.
        VaultDamageError: `vault_damaged`.
    """
    with reading(engine) as connection, storing():
        found = connection.execute(select(META.c.value).where(META.c.name == _BLOBS)).scalar()
    known = bytes_of(found or b"", META).decode("ascii", "replace")
    if known == kind:
        if kind:
            _be_owner(engine)
        return
    if known and not kind:
        raise VaultError(f"the vault keeps large ciphertexts elsewhere ({known}): say where", "blobs_missing")
    if known:
        raise VaultError(f"the vault keeps large ciphertexts in another kind of place ({known})", "blobs_other")
    with writing(engine) as connection:
        set_blobs(connection, kind)


def set_blobs(connection: Connection, kind: str) -> None:
    """Let the vault have this kind of place, whatever it had: as it is where a backup is put back.

    Raises:
        VaultError: `vault_unavailable`.
    """
    with storing():
        connection.execute(delete(META).where(META.c.name == _BLOBS))
        if kind:
            connection.execute(insert(META).values(name=_BLOBS, value=kind.encode()))
            _own(connection, b"\0")
        else:
            connection.execute(delete(META).where(META.c.name == OWNER))


def _be_owner(engine: Engine) -> None:
    """Let a vault that used its place before places were marked be able to mark it."""
    with reading(engine) as connection, storing():
        is_one = connection.execute(select(META.c.name).where(META.c.name == OWNER)).first() is not None
    if not is_one:
        with writing(engine) as connection, storing():
            _own(connection, b"\1")


def _own(connection: Connection, was_used: bytes) -> None:
    owner = (OWNER, was_used + secrets.token_bytes(_ID_SIZE))
    insert_rows(connection, (META.c.name, META.c.value), [owner], NOTHING)
