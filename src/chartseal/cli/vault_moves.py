"""`chartseal vault successor` and `vault move`: patients go to another address, and their records with them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.seals import Revoker
from chartseal.chain.sending.sender import Sender
from chartseal.cli.chain_options import Connect, chain_options
from chartseal.cli.files import opened
from chartseal.cli.passphrase import read_passphrase
from chartseal.cli.revoke import outcome_to_json
from chartseal.cli.status_options import status_option
from chartseal.cli.vault_options import VaultPlace, actor_option, vault_options
from chartseal.keys import IssuerKey, SuccessorNotice
from chartseal.keys.successor import LARGEST_NOTICE
from chartseal.sealing import MapFile, StatusStore
from chartseal.vault import DELIVERY_DAYS, Vault
from chartseal.vault.moving import Moved, Mover
from chartseal.vault.succession import take, take_again, take_without_map

SOME_LEFT = 3
"""Exit status when some records stay where they are, and the others moved."""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_MAP = "CSV of patient id and sealing address, as `chartseal seal` takes it; it is changed in place."

_several = click.option(
    "--several-patients",
    "several",
    is_flag=True,
    help="The old address is of several patients, or of one under several names: all of it goes to the new wallet.",
)


@click.command("successor")
@click.argument("notice", metavar="NOTICE")
@vault_options
@click.option("--patients", "map_path", type=_FILE, required=True, metavar="MAP", help=_MAP)
@_several
@actor_option
@_json
def successor(notice: str, vault: VaultPlace, map_path: Path, several: bool, actor: str, as_json: bool) -> None:
    """Take a patient's NOTICE (a file, or -) that another address follows hers, which it then does in the map.

    A notice counts once, and only for the address that the map has now; the vault remembers which were left.
    """
    read = _read(notice)
    taken = take(vault.open(), read, map_path, actor=actor, now=_now(), several=several)
    told = f"{taken.references} of the map's patients point to the new address"
    members = {"address": str(taken.address), "references": taken.references, "again": taken.again}
    click.echo(json.dumps(members) if as_json else told)
    _warn_of_runs(taken.references)


@click.command("move")
@click.argument("notice", metavar="NOTICE")
@vault_options
@click.option(
    "--patients",
    "map_path",
    type=_FILE,
    metavar="MAP",
    help=f"{_MAP} Leave it out only where there is none, since records are sealed with --for: nothing else says which "
    "address the patient has now.",
)
@click.option("--issuer", "issuer_path", type=_FILE, required=True, help="The issuer's key file.")
@click.option(
    "--issuer-passphrase-fd", type=click.IntRange(min=0), metavar="N", help="Its passphrase, where it is another."
)
@_several
@click.option("--uses-spent", is_flag=True, help="The old wallet spent what was left of prescriptions and dispensings.")
@click.option(
    "--delivery-days",
    type=click.IntRange(0, 3_650),
    default=DELIVERY_DAYS,
    show_default=True,
    help="How long deliveries wait for the patient; 0 for none.",
)
@actor_option
@status_option
@chain_options
@_json
@click.pass_context
def move(
    context: click.Context,
    notice: str,
    vault: VaultPlace,
    map_path: Path | None,
    issuer_path: Path,
    issuer_passphrase_fd: int | None,
    several: bool,
    uses_spent: bool,
    delivery_days: int,
    actor: str,
    status: Path | None,
    connect: Connect,
    as_json: bool,
) -> None:
    """Let a patient take over a wallet that somebody kept for her, by her NOTICE (a file, or -).

    Takes the notice, seals the records of the old address again to the new one, and revokes the old seals. The same
    command finishes what was cut off, without sealing anything twice. Records that stay where they are get named, and
    the exit status is 3.
    """
    read = _read(notice)
    vault, key = _opened(vault, issuer_path, issuer_passphrase_fd)
    chain = connect()
    facts = RpcFacts(chain.node, chain.deployment)
    store = StatusStore(status or StatusStore.beside(issuer_path))
    revoker = Revoker(Sender(chain.node, key.signer), facts, store)
    held, now = vault.open(), _now()
    mover = Mover(held, key.issuing(places=store), revoker, facts, actor, delivery_days, are_uses_spent=uses_spent)
    mover.require(read, now=now)
    references = _taken(held, read, map_path, actor=actor, now=now, several=several)
    done = replace(mover, patients=_patients(map_path, read)).move(read, now=now)
    _report(done, references, as_json)
    _warn_of_runs(references)
    context.exit(SOME_LEFT if done.left else 0)


def _read(notice: str) -> SuccessorNotice:
    with opened(notice) as stream:
        return SuccessorNotice.loads(stream.read(LARGEST_NOTICE + 1))


def _opened(vault: VaultPlace, path: Path, descriptor: int | None) -> tuple[VaultPlace, IssuerKey]:
    """The issuer's key, under the vault's passphrase where it has none of its own."""
    if descriptor is not None:
        return vault, IssuerKey.load(path, read_passphrase(descriptor))
    passphrase = read_passphrase(vault.passphrase_fd)
    return replace(vault, passphrase=passphrase), IssuerKey.load(path, passphrase)


def _taken(
    vault: Vault, notice: SuccessorNotice, map_path: Path | None, *, actor: str, now: datetime, several: bool
) -> int:
    """How many of the map's patients point to the new address by this."""
    if map_path is None:
        take_without_map(vault, notice, actor=actor, now=now, several=several)
        return 0
    return take_again(vault, notice, map_path, actor=actor, now=now, several=several)


def _patients(map_path: Path | None, notice: SuccessorNotice) -> tuple[str, ...]:
    """Ids or URLs of those whom the map has at the new address."""
    return () if map_path is None else tuple(MapFile.read(map_path).patients(notice.new.data))


def _report(done: Moved, references: int, as_json: bool) -> None:
    if as_json:
        members = {
            "references": references,
            "sealed": done.sealed,
            "before": done.before,
            "revoked": [outcome_to_json(each) for each in done.outcomes],
            "withdrawn": done.withdrawn,
            "left": [{"record": each.path, "code": each.code} for each in done.left],
            "revokedBefore": [each._asdict() for each in done.revoked_before],
            "erased": list(done.erased),
        }
        click.echo(json.dumps(members))
        return
    again = f" (after {done.before} by earlier runs)" if done.before else ""
    click.echo(f"{done.sealed} records sealed again{again}, {len(done.outcomes)} old seals revoked")
    click.echo(f"{done.withdrawn} deliveries to the old address withdrawn")
    if any(each.place is not None for each in done.outcomes):
        click.echo("their credentials are revoked too, once `chartseal status-list publish` tells it")
    _tell_traces(done)
    if done.left:
        click.echo(f"{len(done.left)} records stay where they are:", err=True)
        for code, count in Counter(each.code for each in done.left).most_common():
            click.echo(f"  {count:>7}  {code}", err=True)
        for each in done.left:
            click.echo(f"{each.path}: {each.code}", err=True)


def _warn_of_runs(references: int) -> None:
    if references:
        told = "the map has changed: `chartseal seal` with input that was sealed by it before would seal everybody's"
        click.echo(f"{told} records a second time, so give it only what is new", err=True)


def _tell_traces(done: Moved) -> None:
    """What the patient's seals are that somebody must look at."""
    if done.revoked_before:
        told = f"{len(done.revoked_before)} of the old seals were revoked before: by a move that was cut off, or for an"
        click.echo(f"{told} error, which lives on in what the record became: revoke that too then", err=True)
        for known in done.revoked_before:
            click.echo(f"{known.record} became {known.successor}", err=True)
    if done.erased:
        told = f"{len(done.erased)} records of the patient were erased before, and their seals stand"
        click.echo(f"{told}: revoke those that whoever kept the wallet may have (`chartseal revoke`)", err=True)
        for name in done.erased:
            click.echo(name, err=True)


def _now() -> datetime:
    return datetime.now(UTC)
