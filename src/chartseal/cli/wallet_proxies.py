"""`chartseal wallet delegate`, `proxy` and `successor`: let somebody sign for a while, and move to another address."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from chartseal.attestation import from_hex, to_hex
from chartseal.cli.files import write_private
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.times import Day
from chartseal.cli.wallets import address_finder, kept_records, own_files, patience_option, require_apart
from chartseal.disclosure import HeldRecord, Mandate, delegate
from chartseal.errors import AttestationError
from chartseal.keys import ProxyKey, SealingAddress, SuccessorNotice, ViewKey, Wallet
from chartseal.sealing import SealedRecord, read_records

_PATH = click.Path(dir_okay=False, path_type=Path)
_INDEX = click.IntRange(0, 2**32 - 1)
_wallet = click.option("-w", "--wallet", "path", type=_PATH, default=Path("wallet.json"), show_default=True)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_json_beside = click.option("--json", "as_json", is_flag=True, help="Tell what was done as JSON, on standard error.")


class _Key(click.ParamType[Any]):
    """A packed key: 32 bytes of hex with 0x."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Read a key."""
        try:
            return value if isinstance(value, bytes) else from_hex(value, "key", 32)
        except AttestationError:
            self.fail("expected 0x and 64 hex digits", param, ctx)


@click.group()
def proxy() -> None:
    """The key of whoever signs for a holder."""


@proxy.command("init")
@click.option("-o", "--output", type=_PATH, default=Path("proxy.json"), show_default=True, help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite a file of that name.")
@passphrase_option
@_json
def proxy_init(output: Path, force: bool, passphrase_fd: int | None, as_json: bool) -> None:
    """Make a proxy's key, and show what the holder names in `chartseal wallet delegate`.

    Make one for each holder: verifiers see the key, and would know whom else you sign for.
    """
    made = ProxyKey.generate()
    made.save(output, read_passphrase(passphrase_fd, confirm=True), force=force)
    key = to_hex(made.public)
    click.echo(json.dumps({"key": key, "file": str(output)}) if as_json else f"{key}\nwritten to {output}")


@proxy.command("read")
@click.argument("mailboxes", nargs=-1, required=True)
@click.option("--view-key", "key_path", required=True, type=_PATH, help="The view key that the holder gave.")
@click.option("-o", "--output", default="-", show_default=True, help="The file to write, - for standard output.")
@patience_option
@passphrase_option
@_json_beside
def proxy_read(
    mailboxes: tuple[str, ...],
    key_path: Path,
    output: str,
    patience: timedelta,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Find and read what providers' mailboxes (folders, URLs) have for a view key's address, as sealed records."""
    from chartseal.wallet import open_mailbox, read_mailbox  # needs the extra `vault`

    require_apart(output, [key_path])
    key = ViewKey.load(key_path, read_passphrase(passphrase_fd))
    found = [each for place in mailboxes for each in read_mailbox(key, open_mailbox(place, patience=patience))]
    records = {each.enc: each for each in found if isinstance(each, SealedRecord)}
    refused = Counter(each.code for each in found if not isinstance(each, SealedRecord))
    write_private(output, b"".join(each.to_json() + b"\n" for each in records.values()))
    told = "".join(f", {count} refused ({code})" for code, count in sorted(refused.items()))
    members = {"records": len(records), "refused": dict(sorted(refused.items()))}
    click.echo(json.dumps(members) if as_json else f"{len(records)} records{told}", err=True)


@click.command("view-key")
@click.option("--number", type=_INDEX, default=0, show_default=True, help="The address: 0 general, 1 confidential, …")
@click.option("--epoch", type=_INDEX, default=0, show_default=True, help="Its epoch.")
@_wallet
@click.option("-o", "--output", type=_PATH, default=Path("view.json"), show_default=True, help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite a file of that name.")
@click.option("--new-passphrase-fd", type=click.IntRange(min=0), metavar="N", help="The passphrase of the new file.")
@passphrase_option
@_json
def view_key(
    number: int,
    epoch: int,
    path: Path,
    output: Path,
    force: bool,
    new_passphrase_fd: int | None,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Write the view key of one address: who has it finds and reads what is sealed there, and signs nothing.

    It cannot be called back: to end it, begin another epoch.
    """
    require_apart(output, own_files(path))
    key = ViewKey.of(Wallet.load(path, read_passphrase(passphrase_fd)), number, epoch)
    key.save(output, read_passphrase(new_passphrase_fd, confirm=True), force=force)
    members = {"address": str(key.address), "file": str(output)}
    click.echo(json.dumps(members) if as_json else f"{key.address}\nwritten to {output}")


@click.command("delegate")
@click.argument("paths", nargs=-1)
@click.option("--to", "key", required=True, type=_Key(), metavar="KEY", help="The proxy's key, as `proxy init` shows.")
@click.option("--until", required=True, type=Day(), metavar="DATE", help="When it ends: a date (00:00 UTC) or a time.")
@click.option("--from", "since", type=Day(), metavar="DATE", help="When it begins, likewise; else now.")
@click.option("--majority", type=Day(), metavar="DATE", help="From when the holder signs for herself, likewise.")
@click.option("--audience", default="", metavar="ORIGIN", help="The one verifier that it is for, else any.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Records of this type alone.")
@click.option("--number", type=_INDEX, default=0, show_default=True, help="Records of this address: 1 confidential, …")
@click.option("--epoch", type=_INDEX, default=0, help="Its epoch, where it is above 7.")
@_wallet
@click.option("-o", "--output", default="delegation.json", show_default=True, help="The file to write, - for output.")
@passphrase_option
@_json_beside
def delegate_records(
    paths: tuple[str, ...],
    key: bytes,
    until: int,
    since: int | None,
    majority: int | None,
    audience: str,
    types: tuple[str, ...],
    number: int,
    epoch: int,
    path: Path,
    output: str,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Let a proxy sign disclosures of sealed records (files, folders, -; else those that the wallet keeps).

    It counts until its end and cannot be called back before. Records of other addresses are left out: those of the
    confidential one are in it only if you ask for them with --number 1.
    """
    require_apart(output, own_files(path))
    if majority is not None and majority <= 0:
        raise click.UsageError("--majority is a date after 1970")
    begins = int(datetime.now(UTC).timestamp()) if since is None else since
    mandate = Mandate(key, begins, until, majority or 0, audience)
    wallet = Wallet.load(path, read_passphrase(passphrase_fd))
    records = list(read_records(paths)) if paths else kept_records(wallet, path)
    address_of = address_finder(wallet, number, epoch)
    chosen = list(_chosen(records, types, number, address_of))
    made = delegate(chosen, wallet, mandate, address_of=address_of)
    write_private(output, made.to_json() + b"\n")
    count, left = len(made.signatures), len(records) - len(chosen)
    told = json.dumps({"records": count, "leftOut": left}) if as_json else f"{count} records, {left} left out"
    click.echo(told, err=True)


def _chosen(
    records: Iterable[SealedRecord], types: tuple[str, ...], number: int, address_of: Any
) -> Iterable[HeldRecord]:
    for record in records:
        if record.resource_type in (types or (record.resource_type,)) and address_of(record)[0] == number:
            yield record


@click.command("successor")
@click.option("--to", "new", required=True, metavar="ADDRESS", help="The new sealing address.")
@click.option("--number", type=_INDEX, default=0, show_default=True, help="The old address: 0 general, …")
@click.option("--epoch", type=_INDEX, default=0, show_default=True, help="Its epoch.")
@_wallet
@click.option("--new-wallet", "new_path", type=_PATH, help="The new address's wallet, where it is another.")
@click.option("--new-passphrase-fd", type=click.IntRange(min=0), metavar="N", help="As --passphrase-fd, for that one.")
@click.option("-o", "--output", default="-", show_default=True, help="The file to write, - for standard output.")
@passphrase_option
@_json_beside
def successor(
    new: str,
    number: int,
    epoch: int,
    path: Path,
    new_path: Path | None,
    new_passphrase_fd: int | None,
    output: str,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Sign a notice, to give to providers, that another sealing address follows one of this wallet's."""
    require_apart(output, [*own_files(path), *(own_files(new_path) if new_path is not None else ())])
    wallet = Wallet.load(path, read_passphrase(passphrase_fd))
    new_wallet = None if new_path is None else Wallet.load(new_path, read_passphrase(new_passphrase_fd))
    old, now = wallet.sealing_address(number, epoch), datetime.now(UTC)
    notice = SuccessorNotice.make(old, wallet, SealingAddress.parse(new), now=now, new_wallet=new_wallet)
    write_private(output, notice.to_json() + b"\n")
    if as_json:
        click.echo(json.dumps({"old": str(old), "new": new}), err=True)
