"""`chartseal wallet scan|accept|receipts|list|show|erase|backup|restore`: the records that a wallet keeps."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from chartseal.attestation import checksum_address, to_hex
from chartseal.cli.chain_view import View, view_options
from chartseal.cli.opened import new_table, print_record
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.wallet_receipts import adding
from chartseal.cli.wallets import memory_of, own_files, patience_option
from chartseal.errors import ChartsealError, WalletStoreError
from chartseal.keys import Answers, Wallet
from chartseal.sealing import read_records
from chartseal.wallet import (
    CANDIDATE,
    KEPT,
    Acceptance,
    Held,
    OwnAddress,
    Scanned,
    WalletStore,
    open_mailbox,
    take_in,
)
from chartseal.wallet import (
    accept as accept_candidates,
)
from chartseal.wallet import (
    scan as scan_mailboxes,
)

SOME_REFUSED = 3
"""Exit status when something was refused or could not be had, and the rest was done."""

_FILE = click.Path(dir_okay=False, path_type=Path)
_LEAST_PREFIX = 6
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_select = click.argument("wanted", nargs=-1, metavar="[RECORD]...")
_addresses = (
    click.option("--numbers", type=click.IntRange(1, 64), default=2, show_default=True, help="So many addresses."),
    click.option("--epochs", type=click.IntRange(1, 64), default=1, show_default=True, help="So many epochs of each."),
)


@dataclass(frozen=True)
class _Opened:
    """A wallet, its records, and where its memory of answers is."""

    wallet: Wallet
    store: WalletStore
    memory: Path
    files: tuple[Path, ...]
    """The wallet's own, which nothing else may be written into."""


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--wallet`, `--store` and the passphrase; the command gets `opened`."""

    @click.option(
        "-w", "--wallet", "wallet_path", type=_FILE, default=Path("wallet.json"), show_default=True, help="Key file."
    )
    @click.option("--store", "store_path", type=_FILE, help="The wallet's records.  [default: WALLET.records]")
    @passphrase_option
    @functools.wraps(command)
    def wrapped(
        *args: Any, wallet_path: Path, store_path: Path | None, passphrase_fd: int | None, **options: Any
    ) -> Any:
        wallet = Wallet.load(wallet_path, read_passphrase(passphrase_fd))
        place = store_path or WalletStore.beside(wallet_path)
        memory, files = memory_of(wallet_path), own_files(wallet_path, store=store_path)
        with WalletStore.open(place, wallet) as store:
            return command(*args, opened=_Opened(wallet, store, memory, files), **options)

    return wrapped


def address_counts(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--numbers` and `--epochs`; the command gets `addresses`."""

    @functools.wraps(command)
    def wrapped(*args: Any, numbers: int, epochs: int, **options: Any) -> Any:
        own = [OwnAddress(*each) for each in product(range(numbers), range(epochs))]
        return command(*args, addresses=own, **options)

    for option in reversed(_addresses):
        wrapped = option(wrapped)
    return wrapped


@click.command("scan")
@click.argument("places", nargs=-1, required=True, metavar="MAILBOX...")
@click.option("--again", is_flag=True, help="Look through old pages too: for what a provider delivers again.")
@patience_option
@address_counts
@store_options
@_json
@click.pass_context
def scan(
    context: click.Context,
    places: tuple[str, ...],
    again: bool,
    patience: timedelta,
    addresses: Sequence[OwnAddress],
    opened: _Opened,
    as_json: bool,
) -> None:
    """Find and fetch new records at providers' mailboxes: folders, or http(s) URLs.

    What is fetched waits to be accepted. Ciphertexts that are not there yet are looked for again next time.
    """
    mailboxes = [open_mailbox(place, patience=patience) for place in places]
    found = scan_mailboxes(opened.store, opened.wallet, mailboxes, addresses, again=again)
    if as_json:
        click.echo(json.dumps(_scanned_to_json(found)))
    else:
        _print_scanned(found)
    context.exit(SOME_REFUSED if found.refused or found.unavailable else 0)


def _scanned_to_json(found: Scanned) -> dict[str, Any]:
    return {
        "pages": found.pages,
        "announcements": found.announcements,
        "matched": found.matched,
        "fetched": [_record_to_json(held) for held in found.fetched],
        "missing": found.missing,
        "refused": dict(sorted(found.refused.items())),
        "unavailable": found.unavailable,
    }


def _print_scanned(found: Scanned) -> None:
    click.echo(f"{found.announcements} announcements on {found.pages} new pages, {found.matched} may be yours")
    click.echo(f"{len(found.fetched)} records fetched" + (f", {found.missing} not there yet" if found.missing else ""))
    kinds = Counter((held.record.attester, held.record.resource_type) for held in found.fetched)
    for (attester, kind), count in sorted(kinds.items()):
        click.echo(f"  {count:>5}  {kind}  by {checksum_address(attester)}")
    if found.fetched:
        click.echo("to be accepted: chartseal wallet accept")
    for code, count in sorted(found.refused.items()):
        click.echo(f"refused: {count} {code}", err=True)
    for place in found.unavailable:
        click.echo(f"could not be read: {place}", err=True)


@click.command("accept")
@_select
@click.option("--file", "paths", multiple=True, type=click.Path(), help="Take in sealed records that came as files.")
@click.option(
    "--receipts", type=_FILE, help="Add to this file the receipts of what was kept: its provider deletes that."
)
@address_counts
@view_options
@store_options
@_json
@click.pass_context
def accept(
    context: click.Context,
    wanted: tuple[str, ...],
    paths: tuple[str, ...],
    receipts: Path | None,
    addresses: Sequence[OwnAddress],
    chain: View,
    opened: _Opened,
    as_json: bool,
) -> None:
    """Check what was fetched, and keep what holds: all of it, or the RECORDs named (numbers, or beginnings of uids).

    Checked are fields, claims and signature, that it is yours, and with --rpc or --index that it is not revoked.
    """
    with ExitStack() as stack:
        add = None if receipts is None else stack.enter_context(adding(receipts, opened.files))
        taken, refused = _taken(opened, paths, addresses)
        chosen = taken if paths and not wanted else _chosen(opened.store, wanted, CANDIDATE)
        answers = stack.enter_context(Answers.open(opened.memory, opened.wallet))
        view = stack.enter_context(chain())
        tell = None if add is None else functools.partial(_add_kept, add)
        done = accept_candidates(opened.store, opened.wallet, chosen, answers, chain=view, tell=tell)
    if as_json:
        told = [{"uid": to_hex(uid), "code": error.code} for uid, error in refused]
        click.echo(json.dumps({"records": [_acceptance_to_json(each) for each in done], "refused": told}))
    else:
        for uid, error in refused:
            click.echo(f"refused: {to_hex(uid)}: {error.code}: {error}", err=True)
        _print_acceptances(done)
    context.exit(SOME_REFUSED if refused or any(not each.is_kept for each in done) else 0)


def _add_kept(add: Callable[[Held], bool], done: Acceptance) -> None:
    if done.is_kept:
        add(done.held)


@click.command("receipts")
@_select
@click.option("-o", "--output", required=True, type=_FILE, help="Add them to this file.")
@store_options
@_json
def receipts(wanted: tuple[str, ...], output: Path, opened: _Opened, as_json: bool) -> None:
    """Make the receipts of deliveries again: of all that is kept, or of the RECORDs named."""
    with adding(output, opened.files) as add:
        count = sum(map(add, _chosen(opened.store, wanted, KEPT)))
    click.echo(json.dumps({"receipts": count}) if as_json else f"{count} receipts written")


def _taken(
    opened: _Opened, paths: Sequence[str], addresses: Sequence[OwnAddress]
) -> tuple[list[Held], list[tuple[bytes, ChartsealError]]]:
    """Records of files that are now candidates, and (uid, error) of those that are not."""
    taken, refused = list[Held](), list[tuple[bytes, ChartsealError]]()
    for record in read_records(paths):
        try:
            taken.append(take_in(opened.store, opened.wallet, record, addresses))
        except ChartsealError as exc:
            if isinstance(exc, WalletStoreError) and exc.code != "record_repeated":
                raise
            refused.append((record.uid, exc))
    return taken, refused


def _acceptance_to_json(done: Acceptance) -> dict[str, Any]:
    members = {**_record_to_json(done.held), "kept": done.is_kept, "revocation": done.revocation}
    return members if done.error is None else {**members, "error": done.error.code, "message": str(done.error)}


def _print_acceptances(done: Iterable[Acceptance]) -> None:
    kept, revocations = 0, set()
    for each in done:
        if each.error is None:
            kept += 1
            revocations.add(each.revocation)
        else:
            record = each.held.record
            click.echo(f"refused: {each.held.number} {record.resource_type}: {each.error.code}: {each.error}", err=True)
    click.echo(f"{kept} records kept" + (f" (revocation: {', '.join(sorted(revocations))})" if kept else ""))


@click.command("list")
@click.option("--type", "resource_type", help="Records of this type alone.")
@store_options
@_json
@click.pass_context
def list_records(context: click.Context, resource_type: str | None, opened: _Opened, as_json: bool) -> None:
    """List the records of the wallet, with the numbers that other commands take."""
    known, damaged = opened.store.looked_through()
    held = [each for each in known if resource_type in (None, each.record.resource_type)]
    counts = opened.store.counts()
    if as_json:
        click.echo(json.dumps({"records": list(map(_record_to_json, held)), "counts": counts, "damaged": damaged}))
        context.exit(SOME_REFUSED if damaged else 0)
    table = new_table("Records", "number", "type", "sealed", "by", "uid", "state")
    for each in held:
        members = _record_to_json(each)
        cells = ("number", "resourceType", "sealed", "attester", "uid", "state")
        table.add_row(*(Text(str(members[name])) for name in cells))
    Console().print(table)
    click.echo(", ".join(f"{counts[name]} {name}" for name in ("kept", "candidate", "waiting", "erased")))
    if damaged:
        click.echo(f"damaged, and to be erased by number: {', '.join(map(str, damaged))}", err=True)
        context.exit(SOME_REFUSED)


@click.command("show")
@_select
@store_options
@_json
def show(wanted: tuple[str, ...], opened: _Opened, as_json: bool) -> None:
    """Show what RECORDs hold, in full; this reads nobody else's copy, and tells nobody."""
    if not wanted:
        raise click.UsageError("name the records: numbers of `chartseal wallet list`, or beginnings of uids")
    console = Console()
    for held in _chosen(opened.store, wanted, CANDIDATE, KEPT):
        if as_json:
            click.echo(held.record.to_json())
        else:
            title = f"sealed by {checksum_address(held.record.attester)}, uid {to_hex(held.record.uid)}"
            print_record(held.record.resource_type, held.record.fields, title, console)


@click.command("erase")
@_select
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@store_options
@_json
def erase(wanted: tuple[str, ...], yes: bool, opened: _Opened, as_json: bool) -> None:
    """Erase RECORDs from this wallet for good. Backups of it, and what others were shown, stay as they are."""
    if not wanted:
        raise click.UsageError("name the records: numbers of `chartseal wallet list`, or beginnings of uids")
    held, unreadable = opened.store.looked_through()
    damaged = {str(number) for number in unreadable} & set(wanted)
    chosen = _among(held, [name for name in wanted if name not in damaged])
    numbers = [*(each.number for each in chosen), *map(int, damaged)]
    if not yes:
        click.confirm(f"Erase {len(numbers)} records?", abort=True, err=True)
    cleaned = [opened.store.erase(number) for number in numbers]
    is_clean = all(cleaned)
    click.echo(json.dumps({"erased": numbers, "clean": is_clean}) if as_json else f"{len(numbers)} records erased")
    if not is_clean:
        click.echo(
            "another program reads the records: until it ends, and one is erased again, bytes may stay", err=True
        )


@click.command("backup")
@click.option("-o", "--output", required=True, type=_FILE, help="The copy; it opens by the wallet's words alone.")
@store_options
@_json
def backup(output: Path, opened: _Opened, as_json: bool) -> None:
    """Copy the wallet's records, encrypted as they are. The words are not in the copy: keep both."""
    opened.store.back_up(output)
    counts = opened.store.counts()
    click.echo(json.dumps({"file": str(output), **counts}) if as_json else f"{counts[KEPT]} records kept in {output}")


@click.command("restore")
@click.argument("copy", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-w", "--wallet", "wallet_path", type=_FILE, default=Path("wallet.json"), show_default=True)
@click.option("--store", "store_path", type=_FILE, help="Where to put them.  [default: WALLET.records]")
@passphrase_option
@_json
def restore(copy: Path, wallet_path: Path, store_path: Path | None, passphrase_fd: int | None, as_json: bool) -> None:
    """Put a copy of a wallet's records in place, where there are none yet."""
    wallet = Wallet.load(wallet_path, read_passphrase(passphrase_fd))
    counts = WalletStore.restore(copy, store_path or WalletStore.beside(wallet_path), wallet)
    click.echo(json.dumps(counts) if as_json else f"{counts[KEPT]} records kept, {counts[CANDIDATE]} to be accepted")


def _chosen(store: WalletStore, wanted: Sequence[str], *states: str) -> list[Held]:
    """The records named by number or by the beginning of a uid; all of those states where none is.

    Raises:
        WalletStoreError: `record_unknown`, `record_ambiguous`.
    """
    held = list(store.records(*states))
    return _among(held, wanted) if wanted else held


def _among(held: Sequence[Held], wanted: Sequence[str]) -> list[Held]:
    """Those of the records that are named, each once.

    Raises:
        WalletStoreError: `record_unknown`, `record_ambiguous`.
    """
    return list({each.number: each for each in (_named(held, name) for name in wanted)}.values())


def _named(held: Sequence[Held], name: str) -> Held:
    same = [each for each in held if str(each.number) == name]
    if not same:  # the beginning of a uid may be digits alone
        digits = name.lower().removeprefix("0x")
        same = [each for each in held if len(digits) >= _LEAST_PREFIX and each.record.uid.hex().startswith(digits)]
    if len(same) == 1:
        return same[0]
    code = "record_ambiguous" if same else "record_unknown"
    raise WalletStoreError("several records begin so" if same else "the wallet has no such record", code)


def _record_to_json(held: Held) -> dict[str, Any]:
    record = held.record
    return {
        "number": held.number,
        "resourceType": record.resource_type,
        "sealed": datetime.fromtimestamp(record.package.message.time, UTC).date().isoformat(),
        "attester": checksum_address(record.attester),
        "uid": to_hex(record.uid),
        "state": held.state,
    }
