"""Places of keys: files with a quick scrypt, a keyring in memory, SoftHSM."""

from __future__ import annotations

from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from tests.softhsm import softhsm as softhsm


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work factors that a test can wait for."""
    from eth_keyfile import keyfile

    slow = keyfile.create_keyfile_json

    def create(secret: bytes, passphrase: bytes, **options: Any) -> Any:
        return slow(secret, passphrase, **options, iterations=2)

    monkeypatch.setattr(keyfile, "create_keyfile_json", create)


class MemoryKeyring(KeyringBackend):
    """A keyring that forgets with its process."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library's own has no types
        self.entries: dict[tuple[str, str], str] = {}
        self.keeps = True

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.keeps:
            self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def memory_keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    backend = MemoryKeyring()
    monkeypatch.setattr(keyring, "get_password", backend.get_password)
    monkeypatch.setattr(keyring, "set_password", backend.set_password)
    monkeypatch.setattr(keyring, "delete_password", backend.delete_password)
    return backend
