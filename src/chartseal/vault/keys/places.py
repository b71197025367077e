"""Where a vault's keys are, as it is written in a setting."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from chartseal.errors import VaultKeyError
from chartseal.vault.keys.environment import EnvironmentKeys
from chartseal.vault.keys.file import KeystoreFile
from chartseal.vault.keys.provider import KeyProvider
from chartseal.vault.keys.system import KeyringKeys
from chartseal.vault.keys.token import TokenKeys

_PIN_FROM = "env:"
_ELSEWHERE = {"keyring", "env", "pkcs11"}
"""Schemes of places that are no files."""


def file_of(place: str) -> Path | None:
    """The file that keys are in; None where they are elsewhere."""
    return None if place.partition(":")[0] in _ELSEWHERE else Path(place)


def open_keys(place: str, passphrase: Callable[[], str] | None) -> KeyProvider:
    """The keys at a file's path, `keyring:SERVICE`, `env:PREFIX` or `pkcs11:MODULE?token=LABEL&pin=env:NAME`.

    `passphrase` is asked for a file's passphrase, and for a token's PIN where no variable holds it; None where there is
    nobody to ask. A file that is not there is made with its first key.

    Raises:
        WrongPassphraseError: the passphrase or PIN does not open it.
        VaultKeyError: `keys_url`, `keys_locked`: a passphrase is needed; `keys_damaged`, `keys_unavailable`.
        MissingExtraError: the keyring's or PKCS#11's library is not installed.
    """
    scheme, _, rest = place.partition(":")
    if scheme == "keyring":
        return KeyringKeys(rest)
    if scheme == "env":
        return EnvironmentKeys(rest)
    if scheme == "pkcs11":
        return _open_token(rest, passphrase)
    if not place or "://" in place or "\0" in place:
        raise VaultKeyError("keys are in a file, or at keyring:, env: or pkcs11:", "keys_url")
    return KeystoreFile(Path(place), _asked(passphrase))


def _open_token(text: str, passphrase: Callable[[], str] | None) -> KeyProvider:
    wrong = VaultKeyError("a token is at pkcs11:MODULE?token=LABEL&pin=env:NAME", "keys_url")
    module, _, rest = text.partition("?")
    try:
        options = parse_qs(rest, strict_parsing=True)
    except ValueError:
        raise wrong from None
    once = all(len(values) == 1 for values in options.values()) and set(options) <= {"token", "pin"}
    if not module or not once or "token" not in options:
        raise wrong
    return TokenKeys(module, options["token"][0], _pin(options.get("pin", [None])[0], passphrase))


def _pin(source: str | None, passphrase: Callable[[], str] | None) -> str:
    if source is None:
        return _asked(passphrase)
    if not source.startswith(_PIN_FROM):  # a PIN in the place itself would end in histories and lists of processes
        raise VaultKeyError("a PIN is asked for, or comes from pin=env:NAME", "keys_url")
    pin = os.environ.get(source.removeprefix(_PIN_FROM))
    if pin is None:
        raise VaultKeyError("the environment variable for the PIN is not set", "keys_locked")
    return pin


def _asked(passphrase: Callable[[], str] | None) -> str:
    if passphrase is None:
        raise VaultKeyError("the vault's keys need a passphrase", "keys_locked")
    return passphrase()
