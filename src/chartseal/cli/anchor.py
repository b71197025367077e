"""`chartseal anchor`: sealed records into the queue, the queue onto a chain, proofs out of it."""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from chartseal.attestation import checksum_address
from chartseal.chain.anchors import (
    DAY,
    AnchorFile,
    AnchorWorker,
    Step,
    fill,
    open_queue,
    queues,
    read_pages,
    read_proofs,
    reading,
    recount,
)
from chartseal.chain.sending.sender import Sender
from chartseal.cli.chain_options import Connect, Signing, chain_options, key_options
from chartseal.cli.files import parse_disclosure, read_disclosure, write_private
from chartseal.cli.times import Moment, Seconds
from chartseal.sealing import read_records
from chartseal.sealing.sealed import ANCHORS

SOME_WITHOUT = 3
"""Exit status when some of the records have no proof yet."""

_PERIODS: dict[str, timedelta | None] = {"day": DAY, "hour": timedelta(hours=1), "now": None}
_queue = click.option(
    "--queue",
    "place",
    required=True,
    envvar="CHARTSEAL_QUEUE",
    metavar="FILE|URL",
    help="The queue: an SQLite file, or postgresql+psycopg://… (else CHARTSEAL_QUEUE).",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def anchor() -> None:
    """Timestamp many seals at once: one Merkle root a period on chain, a proof for each seal."""


@anchor.command()
@click.argument("paths", nargs=-1, required=True, metavar="SEALED...")
@_queue
@_json
def add(paths: tuple[str, ...], place: str, as_json: bool) -> None:
    """Add sealed records (files, folders, -) to the queue; those that are in it already stay as they are."""
    filled = fill(open_queue(place), read_records(paths))
    _show(as_json, f"{filled.new} of {filled.records} records are new in the queue", filled._asdict())


@anchor.command()
@_queue
@chain_options
@click.option("--once", is_flag=True, help="Do what can be done now, and end.")
@click.option(
    "--period",
    type=click.Choice(sorted(_PERIODS)),
    default="day",
    show_default=True,
    help="Make one anchor a period, once it has ended; now: of all that waits.",
)
@click.option("--every", type=Seconds(), default=15.0, show_default=True, help="Seconds between looks.")
@key_options
@_json
def run(place: str, connect: Connect, once: bool, period: str, every: float, signer: Signing, as_json: bool) -> None:
    """Anchor what waits, until interrupted. Several may run on one queue; whatever breaks off, the next run goes on."""
    chain, engine = connect(), open_queue(place)
    worker = AnchorWorker(engine, chain.node, Sender(chain.node, signer()), chain.deployment, period=_PERIODS[period])
    if once:
        _tell(worker.step(), as_json, always=True)
        return
    worker.run(
        _stop_at_signals(),
        every=timedelta(seconds=every),
        told=lambda step: _tell(step, as_json),
        failed=lambda error: click.echo(f"trying again: {error.code}: {error}", err=True),
    )


def _stop_at_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _tell(step: Step, as_json: bool, *, always: bool = False) -> None:
    if always or any(step):
        told = ", ".join(f"{count} {name}" for name, count in step._asdict().items() if count)
        _show(as_json, told or "nothing to do", step._asdict())


@anchor.command()
@_queue
@_json
def status(place: str, as_json: bool) -> None:
    """Show how much is in which state, for each chain that seals of the queue are for."""
    with reading(open_queue(place, create=False)) as connection:
        found = [(each.domain, each.status(connection)) for each in queues(connection)]
    if as_json:
        members = [
            {
                "chainId": domain.chain_id,
                "eas": checksum_address(domain.contract),
                "version": domain.version,
                **state._asdict(),
            }
            for domain, state in found
        ]
        click.echo(json.dumps({"queues": members}))
        return
    width = None if sys.stdout.isatty() else 160  # a pipe takes whole lines
    table = Table("chain", "EAS", "waiting", "announcements", "pending", "sent", "mined", "final", show_edge=False)
    for domain, state in found:
        table.add_row(str(domain.chain_id), checksum_address(domain.contract), *map(str, state))
    Console(width=width).print(table)


@anchor.command("proofs")
@click.argument("paths", nargs=-1, metavar="[SEALED...]")
@_queue
@click.option("-o", "--output", default=ANCHORS, show_default=True, help="The file to write, - for standard output.")
@click.option("--young", is_flag=True, help="Of anchors too that are mined but may yet be undone.")
@_json
@click.pass_context
def write_proofs(
    context: click.Context, paths: tuple[str, ...], place: str, output: str, young: bool, as_json: bool
) -> None:
    """Write the proofs of sealed records (files, folders, -), or of all that the queue has.

    Ends with status 3 when some of the records have no final anchor yet; the others' proofs are written.
    """
    packages = [record.package for record in read_records(paths)] if paths else None
    with reading(open_queue(place, create=False)) as connection:
        wanted = None if packages is None else {(each.signer, each.uid) for each in packages}
        found = AnchorFile.of(read_proofs(connection, wanted, young=young))
    if packages is not None:
        found = found.trim(packages)
    write_private(output, found.to_ndjson())
    without = 0 if packages is None else len({each.signature for each in packages}) - len(found.entries)
    told = f"{len(found.entries)} proofs written" + (f", {without} records have none yet" if without else "")
    _show(as_json, told, {"proofs": len(found.entries), "without": without}, err=output == "-")
    context.exit(SOME_WITHOUT if without else 0)


@anchor.command()
@click.argument("proofs", type=click.Path(path_type=Path))
@click.argument("disclosure")
@click.option("-o", "--output", default="-", show_default=True, help="The file to write, - for standard output.")
@_json
@click.pass_context
def trim(context: click.Context, proofs: Path, disclosure: str, output: str, as_json: bool) -> None:
    """Write those of the PROOFS that go along with a DISCLOSURE (file, or - for standard input): a holder's whole file
    would show how many records there are.

    Ends with status 3 when some of its records have none.
    """
    packages = [record.package for record in parse_disclosure(read_disclosure(disclosure)).records]
    found = AnchorFile.load(proofs).trim(packages)
    write_private(output, found.to_ndjson())
    without = len({each.signature for each in packages}) - len(found.entries)
    told = f"{len(found.entries)} proofs written" + (f", {without} records have none" if without else "")
    _show(as_json, told, {"proofs": len(found.entries), "without": without}, err=output == "-")
    context.exit(SOME_WITHOUT if without else 0)


@anchor.command()
@_queue
@click.option("-o", "--output", default="-", show_default=True, help="The file to write, - for standard output.")
@click.option("--since", type=Moment(), help="Only of anchors of that time and later.")
@_json
def announcements(place: str, output: str, since: datetime | None, as_json: bool) -> None:
    """Write the announcements of final anchors, one page a line, for wallets to scan."""
    with reading(open_queue(place, create=False)) as connection:
        found = [
            page.to_json() + b"\n" for page in read_pages(connection, since=int(since.timestamp()) if since else 0)
        ]
    write_private(output, b"".join(found))
    _show(as_json, f"{len(found)} pages written", {"pages": len(found)}, err=output == "-")


@anchor.command()
@click.argument("paths", nargs=-1, required=True, metavar="SEALED...")
@_queue
@chain_options
@_json
@click.pass_context
def check(context: click.Context, paths: tuple[str, ...], place: str, connect: Connect, as_json: bool) -> None:
    """Recount: every record is in exactly one final anchor, every anchor is on the chain. Ends with status 1 if not."""
    chain = connect()
    with reading(open_queue(place, create=False)) as connection:
        found = recount(connection, read_records(paths), chain.node, chain.deployment)
    lines = [f"{count:>9}  {name}" for name, count in found._asdict().items()]
    _show(as_json, "\n".join(lines), {**found._asdict(), "whole": found.is_whole})
    context.exit(0 if found.is_whole else 1)


def _show(as_json: bool, text: str, members: dict[str, Any], *, err: bool = False) -> None:
    click.echo(json.dumps(members) if as_json else text, err=err)
