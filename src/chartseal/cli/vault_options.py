"""Options of every command that uses a vault: where it is, and where its keys are.

    @click.command()
    @vault_options
    def command(vault: VaultPlace) -> None:
        records = vault.open().find()

Nothing is opened or loaded, and no passphrase asked, before a command needs it: `seal` has these options too, and does
without the extra `vault` where they are not used.
"""

from __future__ import annotations

import functools
import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chartseal._whole_files import with_companions
from chartseal.cli.files import is_one_of
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.texts import Text
from chartseal.errors import VaultError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from chartseal.vault import Vault
    from chartseal.vault.blobs import Blobs, BlobStore
    from chartseal.vault.keys import KeyProvider

VAULT_VARIABLE = "CHARTSEAL_VAULT"
KEYS_VARIABLE = "CHARTSEAL_VAULT_KEYS"
BLOBS_VARIABLE = "CHARTSEAL_VAULT_BLOBS"

actor_option = click.option(
    "--actor",
    type=Text(),
    default=getpass.getuser,
    metavar="NAME",
    help="Who does it, for the log.  [default: the system's user]",
)
purpose_option = click.option(
    "--purpose",
    type=Text(),
    default="TREAT",
    show_default=True,
    metavar="CODE",
    help="Why: a code of HL7's PurposeOfUse.",
)


@dataclass(frozen=True)
class VaultPlace:
    """Where a vault and its keys are."""

    place: str
    keys_place: str | None = None
    passphrase_fd: int | None = None
    blobs_place: str | None = None
    passphrase: str | None = field(default=None, repr=False)
    """Where the command has it already."""

    def database(self) -> Engine:
        """The vault's database.

        Raises:
            VaultError: as `open_database`.
        """
        from chartseal.vault.database import open_database

        return open_database(self.place, create=False)

    def keys(self) -> KeyProvider:
        """The vault's keys.

        Raises:
            click.UsageError: no place, or no passphrase.
            VaultKeyError: as `open_keys`.
        """
        from chartseal.vault.keys import open_keys

        return open_keys(self._keys_place(), self._passphrase)

    def _keys_place(self) -> str:
        """Beside an SQLite file, where no other place is given."""
        if self.keys_place is not None:
            return self.keys_place
        if "://" in self.place:
            raise click.UsageError(f"no keys: give --keys or set {KEYS_VARIABLE}")
        return f"{self.place}.keys"

    def _passphrase(self) -> str:
        return self.passphrase if self.passphrase is not None else read_passphrase(self.passphrase_fd)

    def blobs(self) -> Blobs:
        """The vault's ciphertexts, wherever they are.

        Raises:
            VaultError: as `open_blobs`.
        """
        from chartseal.vault.blobs import Blobs

        return Blobs(self._blobs())

    def _blobs(self) -> BlobStore | None:
        from chartseal.vault.blobs import open_blobs

        return None if self.blobs_place is None else open_blobs(self.blobs_place)

    def require_apart(self, output: str | Path, *others: Path | None) -> None:
        """Let nothing be written over the vault's database, its keys or its ciphertexts, or over `others`.

        Raises:
            VaultError: `output_is_own`; `vault_url`.
        """
        if output == "-":
            return
        own = [*self._files(), *(each for each in others if each is not None)]
        blobs = self.blobs_place or os.environ.get(BLOBS_VARIABLE) or ""
        inside = blobs and "://" not in blobs and Path(output).resolve().is_relative_to(Path(blobs).resolve())
        if inside or is_one_of(output, own):
            raise VaultError("it would be written over a file of the vault's own, or over a key", "output_is_own")

    def _files(self) -> list[Path]:
        from chartseal.vault.database import file_of
        from chartseal.vault.keys.places import file_of as keys_file_of

        file = file_of(self.place)
        beside = None if file is None else f"{self.place}.keys"
        keys = self.keys_place or os.environ.get(KEYS_VARIABLE) or beside
        keys_file = None if keys is None else keys_file_of(keys)
        return [*([] if file is None else with_companions(file)), *([] if keys_file is None else [keys_file])]

    def open(self) -> Vault:
        """The vault.

        Raises:
            click.UsageError: as `keys`.
            VaultError: as `Vault.open` and `open_blobs`.
        """
        from chartseal.vault import Vault

        self.database().dispose()  # a vault that is not there needs no passphrase
        return Vault.open(self.place, self.keys(), blobs=self._blobs())

    def create(self, *, searchable: bool, quota: int | None, base: str, now: datetime) -> Vault:
        """A new vault.

        Raises:
            click.UsageError: as `keys`.
            VaultError: as `Vault.create` and `open_blobs`.
        """
        from chartseal.vault import Vault

        options: Any = {"searchable": searchable, "quota": quota, "base": base, "blobs": self._blobs()}
        return Vault.create(self.place, self.keys(), now=now, **options)


keys_option = click.option(
    "--keys",
    "keys_place",
    envvar=KEYS_VARIABLE,
    metavar="PLACE",
    help=f"Its keys: a file, keyring:…, env:… or pkcs11:… (else {KEYS_VARIABLE}, else beside an SQLite file).",
)
blobs_option = click.option(
    "--blobs",
    "blobs_place",
    envvar=BLOBS_VARIABLE,
    metavar="PLACE",
    help=f"Its large ciphertexts: a folder or s3://… (else {BLOBS_VARIABLE}, else in the database).",
)
_place = click.option(
    "--vault",
    "--db",
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
    """Add `--vault`, `--keys`, `--blobs` and `--passphrase-fd`; the command gets `vault`."""

    @_place
    @keys_option
    @blobs_option
    @passphrase_option
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        place: str,
        keys_place: str | None,
        blobs_place: str | None,
        passphrase_fd: int | None,
        **options: Any,
    ) -> Any:
        return command(*args, vault=VaultPlace(place, keys_place, passphrase_fd, blobs_place), **options)

    return wrapped
