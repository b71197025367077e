"""A vault's keys in the system's keyring: Secret Service, KWallet, macOS's Keychain, Windows' Credential Locker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chartseal.errors import MissingExtraError, VaultKeyError
from chartseal.vault.keys.secret import (
    damaged,
    exists,
    is_name,
    missing,
    new_secret,
    require_name,
    require_size,
    unavailable,
)

_LIST = "names"
"""The entry that lists the others, which keyrings do not: names between blanks."""
_LONGEST = 64


class KeyringKeys:
    """Secrets in the keyring, in hex, under one service name. One process at a time may make or destroy any."""

    def __init__(self, service: str) -> None:
        """Take the service name.

        Raises:
            VaultKeyError: `keys_url`, or `keys_unavailable`: the system has no keyring.
            MissingExtraError: the library `keyring` is not installed.
        """
        if not service or len(service) > _LONGEST or not service.isprintable():
            raise VaultKeyError("a keyring's service has a short name", "keys_url")
        self._service = service
        self._keyring, self._fault = _library()
        self.names()

    def names(self) -> Sequence[str]:
        """The names that are kept, sorted."""
        return sorted(name for name in self._listed() if self._read(name) is not None)

    def get(self, name: str) -> bytes:
        """A secret, 32 bytes."""
        text = self._read(require_name(name))
        if text is None:
            raise missing(name)
        try:
            return require_size(name, bytes.fromhex(text))
        except ValueError:
            raise damaged(f"{name} is no hex") from None

    def make(self, name: str) -> bytes:
        """A new secret, which the keyring gave back once before it is given."""
        if self._read(require_name(name)) is not None:
            raise exists(name)
        secret = new_secret()
        self._list(self._listed() | {name})
        self._write(name, secret.hex())
        if self._read(name) != secret.hex():
            raise unavailable("the keyring did not keep a key")
        return secret

    def destroy(self, name: str) -> None:
        """Delete the entry; what the keyring does with its bytes is its own matter."""
        if self._read(require_name(name)) is not None:
            with self._using():
                self._keyring.delete_password(self._service, name)
        self._list(self._listed() - {name})

    def _listed(self) -> set[str]:
        names = set((self._read(_LIST) or "").split())
        if not all(is_name(each) for each in names):
            raise damaged("the list of names is none")
        return names

    def _list(self, names: set[str]) -> None:
        if names != self._listed():
            self._write(_LIST, " ".join(sorted(names)))

    def _read(self, entry: str) -> str | None:
        with self._using():
            found = self._keyring.get_password(self._service, entry)
        return None if found is None else str(found)

    def _write(self, entry: str, text: str) -> None:
        with self._using():
            self._keyring.set_password(self._service, entry, text)

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Tell a fault of the keyring as ours, by its kind: its words may say anything."""
        try:
            yield
        except self._fault as exc:
            raise unavailable(f"the keyring says {type(exc).__name__}") from None


def _library() -> tuple[Any, type[Exception]]:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise MissingExtraError("keys in the system's keyring need the extra `keyring`") from None
    return keyring, KeyringError
