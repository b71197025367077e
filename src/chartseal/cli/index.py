"""`chartseal index`: follow a chain into a database, and list what it holds."""

from __future__ import annotations

import functools
import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from chartseal.attestation import Address, Digest, checksum_address
from chartseal.chain.anchors.proofs import AnchorFile
from chartseal.chain.index import (
    Follower,
    Index,
    NodeSource,
    Page,
    Place,
    Progress,
    Snapshot,
    Store,
    sole_follower,
)
from chartseal.chain.index import connect as connect_database
from chartseal.chain.schemas import SCHEMAS, ChainSchema
from chartseal.cli import index_rows
from chartseal.cli.addresses import Account, Bytes32
from chartseal.cli.chain_options import Connect, chain_options
from chartseal.cli.times import Duration, Moment
from chartseal.errors import ChainError

DB_VARIABLE = "CHARTSEAL_INDEX"
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_db = click.option(
    "--db",
    envvar=DB_VARIABLE,
    required=True,
    metavar="URL",
    help=f"sqlite:///FILE or postgresql+psycopg://… (else {DB_VARIABLE}).",
)


class _Schema(click.ParamType[Any]):
    """One of Chartseal's schemas by name, whatever its resolver, or any by uid."""

    name = "schema"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        named = {each.name: each for each in SCHEMAS}
        return named[value] if value in named else Bytes32().convert(value, param, ctx)


class _Place(click.ParamType[Any]):
    """BLOCK:LOG, as `next` gives it."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        block, _, log = str(value).partition(":")
        if not (block.isascii() and block.isdecimal() and log.isascii() and log.isdecimal()):
            self.fail("expected BLOCK:LOG, as the page before ends with", param, ctx)
        if max(int(block), int(log)) >= 2**63:
            self.fail("expected smaller numbers", param, ctx)
        return Place(int(block), int(log))


@click.group()
def index() -> None:
    """A database that follows a chain's EAS: attestations, revocations, timestamps."""


@index.command("run")
@_db
@chain_options
@click.option("--interval", type=Duration(), default="4s", show_default=True, help="Between looks at the chain.")
@click.option("--once", is_flag=True, help="Index up to the newest block and end.")
@click.option("--thorough", is_flag=True, help="Hold every block's events against its receipts, not the newest alone.")
@click.option("--rebuild", is_flag=True, help="Forget what is indexed and begin anew.")
@_json
def run(
    db: str, connect: Connect, interval: timedelta, once: bool, thorough: bool, rebuild: bool, as_json: bool
) -> None:
    """Follow the chain; one line a round in which something came. Ends in order on Ctrl-C or SIGTERM."""
    chain, engine = connect(), connect_database(db, create=True)
    with sole_follower(engine), _until_signalled() as stopping:
        store = Store(engine, chain.deployment)
        store.migrate()
        if rebuild:
            store.clear()
        follower = Follower(NodeSource(chain.node, chain.deployment), store, thorough=thorough)
        report = functools.partial(_report, as_json)
        if once:
            report(follower.sync(stopping))
        else:
            follower.run(stopping, interval.total_seconds(), lambda each: report(each) if _is_news(each) else None)


@contextmanager
def _until_signalled() -> Iterator[threading.Event]:
    stopping = threading.Event()
    before = {each: signal.signal(each, lambda *_: stopping.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _is_news(found: Progress | ChainError) -> bool:
    return isinstance(found, ChainError) or bool(found.events or found.undone or found.behind)


def _report(as_json: bool, found: Progress | ChainError) -> None:
    if isinstance(found, ChainError):
        members: dict[str, Any] = {"error": {"code": found.code, "message": str(found)}}
        click.echo(json.dumps(members) if as_json else f"error: {found.code}: {found}", err=not as_json)
        return
    members = {"head": found.head, "events": found.events, "undone": found.undone, "ahead": found.behind}
    if as_json:
        click.echo(json.dumps(members))
        return
    undone = f", {found.undone} blocks undone" if found.undone else ""
    lagging = f", the node is {found.behind} blocks behind" if found.behind else ""
    click.echo(f"block {found.head}: {found.events} events{undone}{lagging}")


def _reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--db`, `--max-age` and `--json`; the command gets an open `Index`."""

    @_db
    @click.option("--max-age", type=Duration(), help="Refuse an index that was last level longer ago.")
    @_json
    @functools.wraps(command)
    def wrapped(*args: Any, db: str, max_age: timedelta | None, **options: Any) -> Any:
        age = None if max_age is None else max_age.total_seconds()
        with Snapshot(connect_database(db), max_age=age) as moment:
            moment.require_fresh()
            return command(Index(moment), *args, **options)

    return wrapped


def _paged(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a list; the command gets a `page`."""

    @click.option("--from", "since", type=Moment(), help="Made at or after this time.")
    @click.option("--to", "until", type=Moment(), help="Made before this time.")
    @click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many.")
    @click.option("--after", type=_Place(), help="Go on after this place, which a page ends with.")
    @functools.wraps(command)
    def wrapped(
        *args: Any, since: datetime | None, until: datetime | None, limit: int, after: Place | None, **options: Any
    ) -> Any:
        return command(*args, page=Page(limit, after, since, until), **options)

    return wrapped


@index.command("status")
@_reading
def status(found: Index, as_json: bool) -> None:
    """Whose index it is, how far it has got, how much it holds."""
    moment, counts = found.snapshot, found.counts()
    synced = None if moment.synced_at is None else index_rows.time(moment.synced_at)
    members = {
        "chainId": moment.deployment.chain_id,
        "eas": checksum_address(moment.deployment.eas),
        "head": moment.head.number,
        "headTime": index_rows.time(moment.head.timestamp),
        "final": moment.final.number,
        "syncedAt": synced,
        "attestations": counts.attestations,
        "revocations": counts.revocations,
        "offchainRevocations": counts.offchain_revocations,
        "timestamps": counts.timestamps,
        "schemas": counts.schemas,
    }
    if as_json:
        click.echo(json.dumps(members))
        return
    for name, value in members.items():
        click.echo(f"{name:<20} {'not yet' if value is None else value}")


@index.command("attestations")
@click.option("--schema", type=_Schema(), help=f"A uid, or one of {', '.join(each.name for each in SCHEMAS)}.")
@click.option("--attester", type=Account(), help="Made by this address.")
@click.option("--recipient", type=Account(), help="About this address.")
@click.option("--ref-uid", type=Bytes32(), help="Referring to this attestation.")
@_paged
@_reading
def attestations(
    found: Index,
    page: Page,
    schema: Digest | ChainSchema | None,
    attester: Address | None,
    recipient: Address | None,
    ref_uid: Digest | None,
    as_json: bool,
) -> None:
    """Attestations on chain, as they were made."""
    chosen = found.attestations(page, schema=schema, attester=attester, recipient=recipient, ref_uid=ref_uid)
    _list([index_rows.attestation(each) for each in chosen], page, as_json, "uid", "attester")


@index.command("revocations")
@click.option("--uid", type=Bytes32(), help="Of this attestation, on chain or off.")
@click.option("--revoker", type=Account(), help="By this address.")
@_paged
@_reading
def revocations(found: Index, page: Page, uid: Digest | None, revoker: Address | None, as_json: bool) -> None:
    """Revocations, on chain and of off-chain uids."""
    _list(
        [index_rows.revocation(each) for each in found.revocations(page, uid=uid, revoker=revoker)],
        page,
        as_json,
        "uid",
        "revoker",
        "kind",
    )


@index.command("timestamps")
@click.option("--data", type=Bytes32(), help="A root, or whatever was timestamped.")
@_paged
@_reading
def timestamps(found: Index, page: Page, data: Digest | None, as_json: bool) -> None:
    """What EAS timestamped."""
    _list([index_rows.timestamp(each) for each in found.timestamps(page, data=data)], page, as_json, "data")


@index.command("accreditations")
@click.option("--at", type=Moment(), help="Live at this time, by what is known now; without it, now.")
@click.option("--authority", type=Account(), help="By this authority alone.")
@click.option("--issuer", type=Account(), help="Of this issuer alone.")
@_reading
def accreditations(
    found: Index, at: datetime | None, authority: Address | None, issuer: Address | None, as_json: bool
) -> None:
    """Accreditations that were live at a time. Anybody can call himself an authority: name yours."""
    live = found.accreditations(at or datetime.now(UTC), authority=authority, issuer=issuer)
    rows = [index_rows.accreditation(each) for each in live]
    if as_json:
        click.echo(json.dumps({"items": rows}))
        return
    for row in rows:
        click.echo(f"{row['issuer']}  {','.join(row['roles'])}  {row['name']!r}  by {row['authority']}")


@index.command("anchors")
@click.argument("uid", type=Bytes32())
@click.option(
    "--anchors",
    "proofs",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Proofs (`chartseal anchor proofs`) that lead from the seal to what was timestamped.",
)
@_reading
def anchors(found: Index, uid: Digest, proofs: Path | None, as_json: bool) -> None:
    """When a seal of this uid was anchored. The chain has roots alone: give the proofs."""
    known = AnchorFile.load(proofs).entries if proofs else ()
    items = [index_rows.anchoring(each) for each in found.anchors(uid, known)]
    if as_json:
        click.echo(json.dumps({"items": items}))
        return
    for item in items:
        of = f"seal of {item['attester']}" if item["attester"] else "the uid itself"
        state = "final" if item["final"] else "not final"
        click.echo(f"{item['time']}  {item['root']}  {of}  {state}{'' if item['proven'] else ', unproven'}")


def _list(items: Sequence[dict[str, Any]], page: Page, as_json: bool, *shown: str) -> None:
    """A page; `next` is where the following one begins, where there may be one. A line has the members `shown`."""
    following = items[-1]["place"] if len(items) == page.limit else None
    if as_json:
        click.echo(json.dumps({"items": items, "next": following}))
        return
    for item in items:
        click.echo("  ".join(str(item[name]) for name in ("time", "place", *shown)))
    if following:
        click.echo(f"more: --after {following}", err=True)
