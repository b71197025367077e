"""Options of every command that uses a vault: where it is, and where its keys are.

    @click.command()
    @vault_options
    def command(vault: VaultPlace) -> None:
        engine, log = vault.database(), vault.audit_log()

Nothing is opened, and no passphrase asked, before a command needs it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy import Engine

from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.vault.audit import AuditLog
from chartseal.vault.database import open_database
from chartseal.vault.keys import KeyProvider, open_keys
from chartseal.vault.keys.provider import ACCOUNTING, PSEUDONYMS

VAULT_VARIABLE = "CHARTSEAL_VAULT"
KEYS_VARIABLE = "CHARTSEAL_VAULT_KEYS"


@dataclass(frozen=True)
class VaultPlace:
    """Where a vault and its keys are."""

    place: str
    keys_place: str | None = None
    passphrase_fd: int | None = None

    def database(self) -> Engine:
        """The vault's database.

        Raises:
            VaultError: as `open_database`.
        """
        return open_database(self.place, create=False)

    def keys(self) -> KeyProvider:
        """The vault's keys.

        Raises:
            click.UsageError: no place, or no passphrase.
            VaultKeyError: as `open_keys`.
        """
        if self.keys_place is None:
            raise click.UsageError(f"no keys: give --keys or set {KEYS_VARIABLE}")
        return open_keys(self.keys_place, lambda: read_passphrase(self.passphrase_fd))

    def audit_log(self) -> AuditLog:
        """The vault's audit log, with the keys of pseudonyms and details.

        Raises:
            click.UsageError, VaultKeyError: as `keys`.
        """
        keys = self.keys()
        return AuditLog(keys.get(PSEUDONYMS), keys.get(ACCOUNTING))


_place = click.option(
    "--vault",
    "place",
    required=True,
    envvar=VAULT_VARIABLE,
    metavar="FILE|URL",
    help=f"The vault: an SQLite file, or postgresql://… (else {VAULT_VARIABLE}).",
)


def vault_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--vault` alone, for what needs no keys; the command gets `vault`."""

    @_place
    @functools.wraps(command)
    def wrapped(*args: Any, place: str, **options: Any) -> Any:
        return command(*args, vault=VaultPlace(place), **options)

    return wrapped


def vault_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--vault`, `--keys` and `--passphrase-fd`; the command gets `vault`."""

    @_place
    @click.option(
        "--keys",
        "keys_place",
        envvar=KEYS_VARIABLE,
        metavar="PLACE",
        help=f"Its keys: a file, keyring:…, env:… or pkcs11:… (else {KEYS_VARIABLE}).",
    )
    @passphrase_option
    @functools.wraps(command)
    def wrapped(*args: Any, place: str, keys_place: str | None, passphrase_fd: int | None, **options: Any) -> Any:
        return command(*args, vault=VaultPlace(place, keys_place, passphrase_fd), **options)

    return wrapped
