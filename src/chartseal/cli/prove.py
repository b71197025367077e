"""`chartseal prove`: prove facts about sealed records to one verifier, without opening them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from chartseal.attestation import Address
from chartseal.cli.addresses import Account
from chartseal.cli.asking import confirm, print_told, told_of, told_to_json
from chartseal.cli.files import write_private
from chartseal.cli.opened import print_selection, selection_to_json
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.questions import policy_option, read_policies, terms_options
from chartseal.cli.times import Duration, Nonce
from chartseal.cli.wallets import address_finder, address_options, kept_records, memory_of, own_files, require_apart
from chartseal.disclosure import Answer, MembershipOf, Proving, choose, prover_of, select
from chartseal.disclosure import prove as prove_answers
from chartseal.disclosure.binding import Terms
from chartseal.errors import DisclosureError, PredicateError
from chartseal.keys import Answers, GivenAnswer, Wallet
from chartseal.sealing import SealedRecord, read_records
from chartseal.verification import ROLES

_FILE = click.Path(dir_okay=False, path_type=Path)
_LINE_START = "\r\x1b[K"
"""Goes back to the beginning of a terminal's line and clears it."""


@click.command()
@click.argument("paths", nargs=-1)
@policy_option(required=True)
@click.option(
    "--to", "audience", required=True, metavar="ORIGIN", help="The verifier, as its channel authenticated it."
)
@click.option("--nonce", required=True, type=Nonce(), help="The verifier's nonce: 64 hex digits.")
@click.option("--expires", default="10m", show_default=True, type=Duration(), help="For how long it may be used.")
@click.option("--open", "patterns", multiple=True, metavar="PATH", help="Element to open besides: Observation.code, …")
@click.option("--anonymous", is_flag=True, help="Show neither the record nor its issuer.")
@click.option("--authority", type=Account(), help="With --anonymous: whose trust root the issuer stands under.")
@click.option("--role", type=click.Choice(ROLES), help="With --anonymous: as what.")
@click.option(
    "--status-list",
    "lists",
    multiple=True,
    type=_FILE,
    help="With --anonymous: the issuer's list, whole, as published.",
)
@click.option("--rpc", envvar="CHARTSEAL_RPC", metavar="URL", help="Ask this node (else CHARTSEAL_RPC).")
@click.option("--deployment", envvar="CHARTSEAL_DEPLOYMENT", type=_FILE, help="Where EAS is on its chain.")
@click.option("--index", envvar="CHARTSEAL_INDEX", metavar="DB-URL", help="Ask this index instead of a node.")
@terms_options
@click.option("--use", type=click.IntRange(0, 65_534), help="Which use to spend, to finish what was cut off.")
@click.option(
    "-w", "--wallet", "wallet_path", default="wallet.json", show_default=True, type=click.Path(path_type=Path)
)
@click.option("--memory", type=_FILE, help="The wallet's memory.  [default: WALLET.answers]")
@address_options
@click.option("--unsafe-development-keys", is_flag=True, help="Prove under keys that anybody can forge proofs with.")
@click.option("-o", "--output", default="-", show_default=True, help="The file to write, - for standard output.")
@click.option("--text", "as_text", is_flag=True, help="Write the compact text form (CS1:…) for a QR code.")
@click.option("--preview", is_flag=True, help="Say what would be proved, and prove nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before proving.")
@click.option("--json", "as_json", is_flag=True, help="Tell what is proved as JSON, on standard error.")
@passphrase_option
def prove(
    paths: tuple[str, ...],
    policy_paths: tuple[Path, ...],
    audience: str,
    nonce: bytes,
    expires: timedelta,
    patterns: tuple[str, ...],
    anonymous: bool,
    authority: Address | None,
    role: str | None,
    lists: tuple[Path, ...],
    rpc: str | None,
    deployment: Path | None,
    index: str | None,
    terms: Terms,
    use: int | None,
    wallet_path: Path,
    memory: Path | None,
    number: int,
    epoch: int,
    unsafe_development_keys: bool,
    output: str,
    as_text: bool,
    preview: bool,
    yes: bool,
    as_json: bool,
    passphrase_fd: int | None,
) -> None:
    """Prove policies about sealed records (files, folders, -; else the wallet's) to one verifier, opening none of it.

    For each policy the record that satisfies it is found, or it is said why none does, before anything is proved. What
    is proved, in words, what the verifier could infer together with your earlier answers, and what opens besides, is
    told first.

    With --anonymous neither the record nor the issuer is shown: it is proved that some issuer that the authority stands
    for gave it, as of the newest day. Else the record's seal is shown beside the proof, and nothing else of it.
    """
    require_apart(output, own_files(wallet_path, memory=memory))
    membership_of = _memberships(anonymous, authority, role, lists, rpc, deployment, index)
    policies = read_policies(policy_paths)
    wallet = None if paths else Wallet.load(wallet_path, read_passphrase(passphrase_fd))
    held = list(read_records(paths)) if wallet is None else kept_records(wallet, wallet_path)
    if not held:
        raise DisclosureError("no sealed record is there", "records_missing")
    wallet = wallet or Wallet.load(wallet_path, read_passphrase(passphrase_fd))
    records = _ours(held, wallet)
    now = datetime.now(UTC)
    with Answers.open(memory or memory_of(wallet_path), wallet) as answers:
        with membership_of as find:
            chosen = choose(records, policies, now=now, membership_of=find)
        told = told_of(chosen, audience, terms, answers)
        selection = select(records, patterns) if patterns else select([])
        if as_json:
            members = {**told_to_json(told, audience), "opens": selection_to_json(selection)}
            click.echo(json.dumps(members, ensure_ascii=False), err=True)
        else:
            print_told(told, audience, Console(stderr=True))
            print_selection(selection, Console(stderr=True))
        if preview:
            return
        if not yes:
            confirm(f"Prove this to {audience}?")
        _hold(answers, chosen)
        shown = prove_answers(
            chosen,
            wallet,
            audience=audience,
            nonce=nonce,
            expires_at=now + expires,
            now=now,
            terms=terms,
            uses=answers,
            use=use,
            selection=selection,
            address_of=address_finder(wallet, number, epoch),
            proving=Proving(partial(prover_of, unsafe_development_keys=unsafe_development_keys), _progress(as_json)),
        )
        if sys.stderr.isatty():
            click.echo(_LINE_START, nl=False, err=True)
        answers.note(audience, [GivenAnswer(each.policy, each.identity, anonymous, now) for each in chosen])
    write_private(output, (shown.to_text().encode() if as_text else shown.to_json()) + b"\n")


def _ours(held: Sequence[SealedRecord], wallet: Wallet) -> list[SealedRecord]:
    """The records that are this wallet's: a folder may have those of a family.

    Raises:
        PredicateError: `record_not_ours`: none is.
    """
    commitment = wallet.holder_commitment()
    found = [each for each in held if each.holder == commitment]
    if not found:
        raise PredicateError(f"none of {len(held)} records is this wallet's", "record_not_ours")
    return found


def _memberships(
    anonymous: bool,
    authority: Address | None,
    role: str | None,
    lists: tuple[Path, ...],
    rpc: str | None,
    deployment: Path | None,
    index: str | None,
) -> AbstractContextManager[MembershipOf | None]:
    """What finds a record's issuer under a trust root; nothing for linked proofs, which need no chain."""
    if not anonymous:
        if authority is not None or role is not None or lists:
            raise click.UsageError("--authority, --role and --status-list go with --anonymous")
        return nullcontext()
    if authority is None or role is None or not lists:
        raise click.UsageError("--anonymous needs --authority, --role and --status-list")
    from chartseal.cli.memberships import memberships

    return memberships(authority, role, lists, rpc, deployment, index)


def _hold(answers: Answers, chosen: Sequence[Answer]) -> None:
    """Refuse a claimId that stands for two events, before anything is proved by it."""
    for each in chosen:
        assert isinstance(each.record, SealedRecord)  # noqa: S101 (`read_records` gives no other)
        if each.record.credential is not None:
            answers.hold(each.record.credential.claim_id, each.record.event)


def _progress(as_json: bool) -> Callable[[str], None] | None:
    """Each stage of proving on a terminal's one line; to a file or a program nothing is told."""
    if as_json or not sys.stderr.isatty():
        return None
    return lambda stage: click.echo(f"{_LINE_START}proving: {stage}", nl=False, err=True)
