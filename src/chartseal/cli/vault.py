"""`chartseal vault`: a provider's vault made, filled, searched, opened, checked, and its deliveries given out."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from chartseal.attestation import Domain, to_hex
from chartseal.chain.anchors import AnchorQueue
from chartseal.cli.files import opened, read_lines, write_private
from chartseal.cli.texts import Text
from chartseal.cli.vault_backup import backup, backup_key, restore, rotate_keys
from chartseal.cli.vault_erasure import (
    erase,
    hold,
    receipt,
    release,
    require_one_wallet,
    retain,
    several_wallets,
    tell_beside,
)
from chartseal.cli.vault_moves import move, successor
from chartseal.cli.vault_names import Name
from chartseal.cli.vault_options import VaultPlace, actor_option, purpose_option, vault_options
from chartseal.errors import ChartsealError, DeliveryError
from chartseal.keys import DeliveryReceipt, SealingAddress
from chartseal.keys.delivery import LONGEST_LINE
from chartseal.sealing import SealedLine, SealedRecord, read_records
from chartseal.vault import DELIVERY_DAYS, MOST_LINES, Entry, Finding, Opened, Vault
from chartseal.vault.audit import Action
from chartseal.vault.deliveries import accepted, expire, publish, redeliver
from chartseal.vault.exporting import PRIVATE, write_lines
from chartseal.vault.tables import ERASED

DAMAGED = 3
"""Exit status when something of the vault is damaged or was refused, and the rest was done."""

_MOST_RECEIPTS = 250_000
"""Lines of one file of receipts of deliveries, all of which are read before one counts."""
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"([1-9][0-9]{0,11})([KMGT]?)", re.ASCII)

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Size(click.ParamType[Any]):
    """Bytes, as `500M` or `2T`."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a size."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value))
        if not found:
            self.fail("expected a number of bytes, with K, M, G or T where you like", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


_day = click.DateTime(["%Y-%m-%d"])


def wanted_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the criteria by which records are found; they go to `_found`."""
    options = (
        click.option(
            "--patient", type=Text(), metavar="REF", help="About this patient: URL, or Patient/ID on the vault's base."
        ),
        click.option("--for", "address", type=Text(), metavar="ADDRESS", help="Sealed to this address."),
        click.option("--type", "resource_type", type=Text(), metavar="TYPE", help="Of this FHIR resource type."),
        click.option(
            "--code",
            type=Text(),
            metavar="SYSTEM|CODE",
            help="With this code of what was observed, given or prescribed.",
        ),
        click.option("--since", type=_day, metavar="DAY", help="Dated this day or later."),
        click.option("--until", type=_day, metavar="DAY", help="Dated this day or earlier."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _found(vault: Vault, wanted: dict[str, Any]) -> list[Entry]:
    days: dict[str, date | None] = {
        name: wanted[name].date() if wanted[name] is not None else None for name in ("since", "until")
    }
    if wanted["address"] is not None:
        SealingAddress.parse(wanted["address"])  # a mistyped address would find nothing
    return vault.find(**{**wanted, **days})


def _now() -> datetime:
    return datetime.now(UTC)


@click.group()
def vault() -> None:
    """Keep sealed records encrypted, find them again, give them out, and account for it."""


@vault.command()
@vault_options
@click.option("--no-search", is_flag=True, help="Keep no index: records are then found by patient alone.")
@click.option("--quota", type=Size(), metavar="BYTES", help="Take at most so much, say 500G.")
@click.option(
    "--base",
    type=Text(),
    default="",
    metavar="URL",
    help="FHIR base that relative references to patients are taken on.",
)
@_json
def init(vault: VaultPlace, no_search: bool, quota: int | None, base: str, as_json: bool) -> None:
    """Make a vault: SQLite at a path, or tables at postgresql://…; its keys go where --keys says, apart from it."""
    made = vault.create(searchable=not no_search, quota=quota, base=base, now=_now())
    _tell(as_json, f"vault {made.settings.id.hex()} made", {"id": made.settings.id.hex()})


@vault.command()
@click.argument("paths", nargs=-1, required=True, metavar="SEALED...")
@vault_options
@actor_option
@_json
def store(paths: tuple[str, ...], vault: VaultPlace, actor: str, as_json: bool) -> None:
    """Store sealed records (files, folders, -) that were sealed elsewhere, each of which must hold.

    What delivers them stayed where they were sealed: the vault keeps them and does not deliver them.
    """
    held, new, seen = vault.open(), 0, 0
    for chunk in _chunks(_checked(read_records(paths)), MOST_LINES):
        seen += len(chunk)
        for domain, lines in _by_domain(chunk).items():
            done = held.put(lines, actor=actor, now=_now(), queue=AnchorQueue(domain), delivery_days=0)
            new += done.new
    _tell(as_json, f"{new} of {seen} records are new in the vault", {"records": seen, "new": new})


def _checked(records: Iterable[SealedRecord]) -> Iterator[SealedRecord]:
    for record in records:
        record.check()
        yield record


def _by_domain(records: Sequence[SealedRecord]) -> dict[Domain, list[SealedLine]]:
    found: dict[Domain, list[SealedLine]] = {}
    for record in records:
        line = SealedLine(record.to_json(), b"", SealingAddress.parse(record.address).data)
        found.setdefault(record.package.domain, []).append(line)
    return found


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    return iter(lambda: list(islice(rest, size)), [])


@vault.command("list")
@vault_options
@wanted_options
@_json
def list_records(vault: VaultPlace, as_json: bool, **wanted: Any) -> None:
    """List records without opening them; of erased ones the tombstones, of moved ones what was sealed before."""
    held = vault.open()
    entries = _found(held, wanted)
    moved = held.moved(entries)
    if as_json:
        click.echo(json.dumps({"records": [_members(each, moved) for each in entries]}))
        return
    table = Table("record", "sealed for", "stored", "bytes", "state", show_edge=False)
    for each in entries:
        shown = _members(each, moved)
        table.add_row(shown["record"], shown["sealedAt"][:10], shown["storedAt"], str(each.size), shown["state"])
    Console(width=None if sys.stdout.isatty() else 200).print(table)  # a pipe takes whole lines


def _members(entry: Entry, moved: set[int]) -> dict[str, Any]:
    attester, uid = entry.identity
    kept = "moved" if entry.id in moved else "live"
    return {
        "record": f"{to_hex(attester)}/{to_hex(uid)}",
        "sealedAt": _time(entry.sealed_at),
        "storedAt": _time(entry.stored_at),
        "size": entry.size,
        "state": "erased" if entry.state == ERASED else kept,
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@vault.command()
@click.argument("record", type=Name(), metavar="RECORD")
@vault_options
@click.option("-o", "--output", default="-", show_default=True, help="The file to write, - for standard output.")
@actor_option
@purpose_option
@click.option("--json", "as_json", is_flag=True, help="Tell what was written as JSON, on standard error.")
def get(record: tuple[bytes, bytes], vault: VaultPlace, output: str, actor: str, purpose: str, as_json: bool) -> None:
    """Write one sealed record, with everything in it; RECORD is as `vault list` shows it. The audit log says who."""
    vault.require_apart(output)
    found = vault.open().get(*record, actor=actor, now=_now(), purpose=purpose)
    write_private(output, found.to_json() + b"\n")
    if as_json:
        click.echo(json.dumps({"attester": to_hex(record[0]), "uid": to_hex(record[1])}), err=True)


@vault.command()
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@vault_options
@wanted_options
@actor_option
@purpose_option
@click.option("--basis", type=Text(), default="", metavar="CODE", help="Code of the legal basis, for the audit log.")
@several_wallets
@_json
@click.pass_context
def export(
    context: click.Context,
    /,
    output: Path,
    vault: VaultPlace,
    actor: str,
    purpose: str,
    basis: str,
    several_wallets: bool,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Write sealed records as NDJSON into the file OUTPUT (mode 0600): all, or those that the criteria find.

    What is damaged is named and left out, and the exit status is 3.
    """
    vault.require_apart(output)
    held = vault.open()
    live = [each for each in _found(held, wanted) if each.state != ERASED]
    if wanted["patient"] is not None and not several_wallets:
        require_one_wallet(held, live)
    if [name for name, value in wanted.items() if value is not None] == ["patient"]:
        tell_beside(held, live)
    found = held.outcomes(live, actor=actor, now=_now(), purpose=purpose, basis=basis, action=Action.EXPORT)
    findings = list[Finding]()
    count = write_lines(output, _whole(live, found, findings), PRIVATE)
    _tell(as_json, f"{count} records written", {"records": count, "findings": [each._asdict() for each in findings]})
    _exit_with(context, findings, as_json=as_json)


def _whole(
    entries: Iterable[Entry], found: Iterable[Opened | ChartsealError], findings: list[Finding]
) -> Iterator[bytes]:
    """Lines of the records that could be had; of the others a finding."""
    for entry, each in zip(entries, found, strict=True):
        if isinstance(each, ChartsealError):
            findings.append(Finding.of(entry.name, each))
        else:
            yield each.line


def _exit_with(context: click.Context, findings: Sequence[Finding], *, as_json: bool) -> None:
    """Name what is damaged on standard error, where no JSON names it, and end with status 3."""
    for each in [] if as_json else findings:
        click.echo(f"{each.place}: {each.code}: {each.detail}", err=True)
    context.exit(DAMAGED if findings else 0)


@vault.command()
@vault_options
@_json
@click.pass_context
def verify(context: click.Context, vault: VaultPlace, as_json: bool) -> None:
    """Decrypt and check everything; what is damaged is named, and the exit status is 3.

    `audit verify` checks the log.
    """
    findings = list(vault.open().verify())
    if as_json:
        click.echo(json.dumps({"findings": [each._asdict() for each in findings]}))
    for each in [] if as_json else findings:
        click.echo(f"{each.place}: {each.code}: {each.detail}")
    if not as_json:
        click.echo(f"{len(findings)} findings" if findings else "all is well", err=bool(findings))
    context.exit(DAMAGED if findings else 0)


@vault.command("publish")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@vault_options
@click.option("--early", is_flag=True, help="Announce too what no final anchor covers yet.")
@actor_option
@_json
def publish_folder(folder: Path, vault: VaultPlace, early: bool, actor: str, as_json: bool) -> None:
    """Bring FOLDER up to date, which a web server gives to patients' wallets: announcements and deliveries."""
    done = publish(vault.open(), folder, actor=actor, now=_now(), early=early)
    told = f"{done.pages} pages of announcements, {done.new} new deliveries, {done.removed} removed"
    _tell(as_json, told, done._asdict())


@vault.command("accepted")
@click.argument("source", metavar="RECEIPTS")
@vault_options
@actor_option
@_json
@click.pass_context
def take_accepted(context: click.Context, source: str, vault: VaultPlace, actor: str, as_json: bool) -> None:
    """Delete deliveries that patients have: RECEIPTS is a file (or -) as `wallet accept --receipts` writes it.

    A receipt that whoever opened the delivery did not write is refused, and the exit status is then 3.
    """
    with opened(source) as stream:
        lines = read_lines(stream, longest=LONGEST_LINE, most=_MOST_RECEIPTS)
        receipts = [_receipt(line, number) for number, line in lines]
    done = accepted(vault.open(), receipts, actor=actor, now=_now())
    findings = [Finding.of(f"delivery {to_hex(locator)}", error) for locator, error in done.refused]
    members = {"deliveries": done.deleted, "refused": [each._asdict() for each in findings]}
    _tell(as_json, f"{done.deleted} deliveries deleted", members)
    _exit_with(context, findings, as_json=as_json)


def _receipt(line: bytes, number: int) -> DeliveryReceipt:
    try:
        return DeliveryReceipt.from_line(line)
    except DeliveryError as exc:
        raise DeliveryError(exc.detail, exc.code, f"line {number}") from None


@vault.command("expire")
@vault_options
@actor_option
@_json
def expire_deliveries(vault: VaultPlace, actor: str, as_json: bool) -> None:
    """Delete deliveries whose time has passed; the records stay."""
    held = vault.open()
    count = expire(held, actor=actor, now=_now())
    held.blobs.sweep(held.engine, now=_now())
    _tell(as_json, f"{count} deliveries deleted", {"deliveries": count})


@vault.command("redeliver")
@vault_options
@wanted_options
@click.option("--days", type=click.IntRange(1, 3_650), default=DELIVERY_DAYS, show_default=True, help="Wait so long.")
@actor_option
@_json
def redeliver_records(vault: VaultPlace, days: int, actor: str, as_json: bool, **wanted: Any) -> None:
    """Make deliveries again, of all records or of those that the criteria find: the very same as before."""
    held = vault.open()
    live = [each for each in _found(held, wanted) if each.state != ERASED]
    count = redeliver(held, live, actor=actor, now=_now(), days=days)
    _tell(as_json, f"{count} deliveries made", {"deliveries": count})


def _tell(as_json: bool, told: str, members: dict[str, Any]) -> None:
    click.echo(json.dumps(members) if as_json else told)


for command in (backup, backup_key, erase, hold, move, receipt, release, restore, retain, rotate_keys, successor):
    vault.add_command(command)
