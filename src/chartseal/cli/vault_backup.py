"""`chartseal vault backup-key|backup|restore|rotate-keys`: copies of a vault, and new keys for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click
import pyrage
from sqlalchemy import Connection

from chartseal._whole_files import clear_parts
from chartseal.cli.files import write_private
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.vault_options import VaultPlace, actor_option, vault_options
from chartseal.errors import VaultError, WrongPassphraseError
from chartseal.vault.audit import Act, Action, AuditLog
from chartseal.vault.backup import back_up, new_identity
from chartseal.vault.backup import restore as restore_backup
from chartseal.vault.database import open_database
from chartseal.vault.epochs import Step, rotate
from chartseal.vault.exporting import PRIVATE, whole

SOME_REFUSED = 3
"""Exit status when some data keys could not be wrapped anew, and the rest was."""

_FILE = click.Path(dir_okay=False, path_type=Path)
_LARGEST_KEY = 1 << 16
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command("backup-key")
@click.option("-o", "--output", required=True, type=_FILE, help="The identity that opens backups, under a passphrase.")
@passphrase_option
@_json
def backup_key(output: Path, passphrase_fd: int | None, as_json: bool) -> None:
    """Make the key that backups are made for, once, and away from the vault: the vault needs its public part alone.

    The file is one of age (age-encryption.org): any program of that form opens backups with it.
    """
    identity, recipient = new_identity()
    passphrase = read_passphrase(passphrase_fd, confirm=True)
    if output.exists():
        raise VaultError("there is such a file already", "file_exists")
    write_private(str(output), pyrage.passphrase.encrypt(identity.encode(), passphrase))
    click.echo(json.dumps({"recipient": recipient, "file": str(output)}) if as_json else recipient)


@click.command("backup")
@vault_options
@actor_option
@click.option("-o", "--output", required=True, type=_FILE, help="The file to write; it is whole or not there.")
@click.option("--to", "recipients", multiple=True, required=True, metavar="KEY", help="Public key (age1…), repeatable.")
@_json
def backup(vault: VaultPlace, actor: str, output: Path, recipients: tuple[str, ...], as_json: bool) -> None:
    """Copy the vault as it is at this moment, while it is in use. Its keys are not in the copy: keep them elsewhere."""
    vault.require_apart(output)
    now = datetime.now(UTC)
    clear_parts(output.parent, now.timestamp())
    with whole(output, PRIVATE) as stream:
        done = back_up(vault.database(), vault.blobs(), stream, recipients, actor=actor, now=now)
    members = {"records": done.records, "rows": done.rows, "blobs": done.blobs, "missing": done.missing}
    short = f", {done.missing} ciphertexts were not there" if done.missing else ""
    click.echo(json.dumps(members) if as_json else f"{done.records} records in {output}{short}")


@click.command("restore")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="BACKUP")
@vault_options
@actor_option
@click.option("--identity", required=True, type=_FILE, help="The file of `vault backup-key`.")
@click.option("--identity-passphrase-fd", type=click.IntRange(min=0), metavar="N", help="Its passphrase's descriptor.")
@_json
def restore(
    source: Path, vault: VaultPlace, actor: str, identity: Path, identity_passphrase_fd: int | None, as_json: bool
) -> None:
    """Put BACKUP into --vault, which must not be there yet. What was erased since comes back: erase it again."""
    key = _identity(identity, identity_passphrase_fd)
    engine = open_database(vault.place, create=True)
    with source.open("rb") as stream:
        done = restore_backup(engine, vault.blobs(), stream, key, actor=actor, now=datetime.now(UTC))
    members = {"records": done.records, "rows": done.rows, "blobs": done.blobs}
    click.echo(json.dumps(members) if as_json else f"{done.records} records restored")


def _identity(path: Path, descriptor: int | None) -> str:
    """The identity of a file, which a passphrase opens.

    Raises:
        VaultError: `identity_unreadable`.
        WrongPassphraseError: it does not open it.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_KEY)
    except OSError as exc:
        raise VaultError(f"the identity cannot be read: {exc.strerror}", "identity_unreadable") from None
    try:
        return str(pyrage.passphrase.decrypt(data, read_passphrase(descriptor)).decode())
    except (pyrage.DecryptError, ValueError):
        raise WrongPassphraseError("the passphrase does not open the identity, or the file is none") from None


@click.command("rotate-keys")
@vault_options
@actor_option
@click.option("--destroy-old", is_flag=True, help="Destroy older keys that nothing needs: older backups become void.")
@_json
@click.pass_context
def rotate_keys(context: click.Context, vault: VaultPlace, actor: str, destroy_old: bool, as_json: bool) -> None:
    """Begin a new epoch: every record's data key is wrapped for a new key. Ciphertexts stay; it can be broken off."""
    now = datetime.now(UTC)

    def noted(connection: Connection, step: Step) -> None:
        act = Act(actor, Action.ROTATE, f"epoch {step.epoch} {step.what}, {step.keys} keys")
        AuditLog(b"", None).append(connection, [act], now=now)

    done = rotate(vault.database(), vault.keys(), now=now, destroy_old=destroy_old, noted=noted)
    members = {
        "epoch": done.epoch.number,
        "moved": done.moved,
        "refused": [
            {"attester": each.attester.hex(), "uid": each.uid.hex(), "code": each.code} for each in done.refused
        ],
        "destroyed": list(done.destroyed),
    }
    gone = f", destroyed: {', '.join(map(str, done.destroyed))}" if done.destroyed else ""
    click.echo(json.dumps(members) if as_json else f"epoch {done.epoch.number}: {done.moved} keys wrapped anew{gone}")
    if done.refused:
        click.echo(f"{len(done.refused)} could not be: `chartseal vault verify` names them", err=True)
    context.exit(SOME_REFUSED if done.refused else 0)
