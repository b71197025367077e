"""`chartseal audit`: who did what with which record, whether the log is whole, and to whom records went."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chartseal.attestation import Address, checksum_address, to_hex
from chartseal.chain.anchors import DAY, queues
from chartseal.cli.addresses import Account
from chartseal.cli.chain_options import Signing, key_options
from chartseal.cli.files import opened, read_rest, write_private
from chartseal.cli.texts import Text
from chartseal.cli.times import Day
from chartseal.cli.vault_options import VaultPlace, vault_option, vault_options
from chartseal.vault import Vault
from chartseal.vault.audit import (
    Act,
    Action,
    AuditLog,
    Entry,
    GivenReceipt,
    SignedStatement,
    close_periods,
    give,
    read_statements,
    verify_log,
)
from chartseal.vault.audit.accounting import Disclosure, account
from chartseal.vault.audit.fhir import to_ndjson
from chartseal.vault.audit.log import log_id
from chartseal.vault.database import reading, writing

_PERIODS = {"day": DAY, "hour": timedelta(hours=1)}

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_output = click.option(
    "-o", "--output", default="-", show_default=True, help="The file to write, - for standard output."
)
_patient = click.option(
    "--patient", type=Text(), metavar="REF", help="About one patient: URL, or Patient/ID on the vault's base."
)
_since = click.option("--since", type=Day(), help="From this date (00:00 UTC) or time on.")
_until = click.option("--until", type=Day(), help="Before this date (00:00 UTC) or time.")
_actor = click.option(
    "--actor",
    type=Text(),
    default=getpass.getuser,
    metavar="NAME",
    help="Who asks, for the log.  [default: the system's user]",
)


@click.group()
def audit() -> None:
    """Read and check a vault's audit log: what changed, who looked, to whom records went."""


@audit.command("list")
@vault_options
@_patient
@_since
@_until
@click.option("--action", type=click.Choice([each.value for each in Action]), help="Of one kind.")
@_json
def list_entries(
    vault: VaultPlace, patient: str | None, since: int | None, until: int | None, action: str | None, as_json: bool
) -> None:
    """Show entries, oldest first. A patient's are found with the vault's keys; all others without."""
    held = vault.open() if patient is not None else None
    log, engine = (held.audit, held.engine) if held is not None else (AuditLog(b"", None), vault.database())
    with reading(engine) as connection:
        name = _named(held, patient)
        found = log.find(connection, patient=name, since=_moment(since), until=_moment(until))
        entries = [each for each in found if action in (None, each.action.value)]
    if as_json:
        click.echo(json.dumps({"entries": [_members(each) for each in entries]}))
        return
    rows = ((_time(each.at), each.actor, each.action.value, each.what, each.purpose, each.basis) for each in entries)
    _show_table(["number", "time", "actor", "action", "what", "purpose", "basis"], entries, rows)


@audit.command()
@vault_option
@click.option("--provider", "providers", multiple=True, type=Account(), help="Whose statements count.")
@click.option("--statement", "statements", multiple=True, metavar="FILE", help="Statements kept elsewhere.")
@click.option("--receipt", "receipts", multiple=True, metavar="FILE", help="Receipts that were given out.")
@click.option("--anchored", is_flag=True, help="Each statement must be in the anchor queue.")
@_json
def verify(
    vault: VaultPlace,
    providers: tuple[Address, ...],
    statements: tuple[str, ...],
    receipts: tuple[str, ...],
    anchored: bool,
    as_json: bool,
) -> None:
    """Check the whole log. Ends with status 1 and names the first place where it was edited, cut, or rewritten.

    Needs no keys. Statements and receipts that others kept show what a rewritten log alone cannot. Without --provider
    statements of any key count: whoever rewrote the log may have signed them.
    """
    known = [SignedStatement.from_json(line) for path in statements for line in _lines(path)]
    given = [GivenReceipt.from_json(line) for path in receipts for line in _lines(path)]
    with reading(vault.database()) as connection:
        found = verify_log(
            connection,
            now=datetime.now(UTC),
            providers=providers or None,
            known=known,
            anchored=anchored,
        )
        for each in given:
            each.check(connection)
    members = {**found._asdict(), "head": to_hex(found.head)}
    members["providers"] = [checksum_address(each) for each in found.providers]
    if found.providers and not providers:
        click.echo("warning: statements of any key counted; name the provider's with --provider", err=True)
    _show(as_json, "\n".join(_counted(members)), members)


def _counted(members: dict[str, Any]) -> Iterator[str]:
    for name, value in members.items():
        if isinstance(value, int):
            yield f"{value:>9}  {name}"
    for address in members["providers"]:
        yield f"statements signed by {address}"


@audit.command()
@vault_options
@_patient
@_since
@_until
@_output
@_actor
@_json
def export(
    vault: VaultPlace,
    patient: str | None,
    since: int | None,
    until: int | None,
    output: str,
    actor: str,
    as_json: bool,
) -> None:
    """Write entries as FHIR R4: AuditEvent and Provenance, one resource a line. The log keeps that it was done."""
    vault.require_apart(output)
    held = vault.open()
    log, name = held.audit, _named(held, patient)
    with writing(held.engine) as connection:
        found = log.find(connection, patient=name, since=_moment(since), until=_moment(until))
        lines = list(to_ndjson(log_id(connection), found))
        log.append(connection, [Act(actor, Action.OPEN, "audit log", name)], now=datetime.now(UTC))
    write_private(output, b"".join(lines))
    _show(as_json, f"{len(lines)} resources written", {"resources": len(lines)}, err=output == "-")


@audit.command()
@vault_options
@click.option(
    "--patient", type=Text(), required=True, metavar="REF", help="Whose: URL, or Patient/ID on the vault's base."
)
@click.option("--all", "exempt", is_flag=True, help="Also what need not be accounted for (45 CFR 164.528(a)(1)).")
@_actor
@_json
def accounting(vault: VaultPlace, patient: str, exempt: bool, actor: str, as_json: bool) -> None:
    """Show to whom a patient's records went in the last six years (45 CFR 164.528). The log keeps that it was done."""
    held, now = vault.open(), datetime.now(UTC)
    log, name = held.audit, held.pseudonym(patient)
    with writing(held.engine) as connection:
        found = account(log, connection, name, now=now, exempt=exempt)
        log.append(connection, [Act(actor, Action.OPEN, "accounting of disclosures", name)], now=now)
    if as_json:
        click.echo(json.dumps({"disclosures": [_told(each) for each in found]}))
        return
    rows = (
        (f"{each.at:%Y-%m-%d}", each.recipient, each.address, each.description, each.purpose, each.exemption or "")
        for each in found
    )
    _show_table(["number", "date", "received by", "address", "what", "purpose", "not owed"], found, rows)


@audit.command()
@vault_option
@click.option("--all", "is_all", is_flag=True, help="All, not the newest alone.")
@_output
@_json
def statement(vault: VaultPlace, is_all: bool, output: str, as_json: bool) -> None:
    """Write signed statements, one a line, for others to keep: `audit verify --statement` compares them."""
    vault.require_apart(output)
    with reading(vault.database()) as connection:
        found = list(read_statements(connection).values())
    lines = [each.to_json() + b"\n" for each in (found if is_all else found[-1:])]
    write_private(output, b"".join(lines))
    _show(as_json, f"{len(lines)} statements written", {"statements": len(lines)}, err=output == "-")


@audit.command()
@vault_option
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@_output
@_json
def receipt(vault: VaultPlace, number: int, output: str, as_json: bool) -> None:
    """Write the receipt of entry NUMBER, for whom it is about: `audit verify --receipt` compares it."""
    vault.require_apart(output)
    with reading(vault.database()) as connection:
        found = give(connection, number)
    write_private(output, found.to_json() + b"\n")
    _show(as_json, "1 receipt written", {"receipts": 1}, err=output == "-")


@audit.command()
@vault_option
@key_options
@click.option(
    "--period", type=click.Choice(sorted(_PERIODS)), default="day", show_default=True, help="One statement a …"
)
@_json
def close(vault: VaultPlace, signer: Signing, period: str, as_json: bool) -> None:
    """Sign a statement for each period that has ended, empty ones too, and queue it for its anchor."""
    engine, key = vault.database(), signer()
    with writing(engine) as connection:
        found = queues(connection)
        made = close_periods(connection, key, queues=found, now=datetime.now(UTC), period=_PERIODS[period])
    where = "" if found or not made else "; there is no anchor queue in the vault, so nothing anchors them"
    _show(as_json, f"{len(made)} statements made{where}", {"statements": len(made), "queues": len(found)})


def _named(vault: Vault | None, patient: str | None) -> bytes | None:
    return None if vault is None or patient is None else vault.pseudonym(patient)


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lines(path: str) -> list[bytes]:
    with opened(path) as stream:
        return read_rest(stream, path).splitlines()


def _members(entry: Entry) -> dict[str, Any]:
    members = {**asdict(entry), "at": _time(entry.at)}
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in members.items()}


def _told(disclosure: Disclosure) -> dict[str, Any]:
    return {**asdict(disclosure), "at": _time(int(disclosure.at.timestamp()))}


def _show_table(columns: list[str], found: Sequence[Entry | Disclosure], rows: Iterator[tuple[str, ...]]) -> None:
    width = None if sys.stdout.isatty() else 200  # a pipe takes whole lines
    table = Table(*columns, show_edge=False)
    for each, row in zip(found, rows, strict=True):
        table.add_row(str(each.sequence), *(escape(_printable(text)) for text in row))
    Console(width=width).print(table)


def _printable(text: str) -> str:
    """A detail may name whom others named: no escape of theirs reaches the terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)


def _show(as_json: bool, text: str, members: dict[str, Any], *, err: bool = False) -> None:
    click.echo(json.dumps(members) if as_json else text, err=err)
