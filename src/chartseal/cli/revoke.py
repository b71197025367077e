"""`chartseal revoke`: end seals, and say why."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from chartseal.attestation import Digest, digest_from, to_hex
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import REASONS
from chartseal.chain.seals.revoking import Outcome, Revoker, Target
from chartseal.chain.sending.sender import Sender
from chartseal.cli.chain_options import Connect, Signing, chain_options, key_options
from chartseal.cli.status_options import status_option, store_of
from chartseal.sealing import read_records

_UID = re.compile("0x[0-9a-fA-F]{64}", re.ASCII)
_WORDS = {
    "attester": "as its attester",
    "successor": "as its attester's successor",
    "authority": "as its attester's authority",
    None: "counts only if this key is, succeeds or has accredited the seal's attester",
}


@click.command()
@click.argument("seals", nargs=-1, required=True, metavar="UID|FILE…")
@click.option("--reason", required=True, type=click.Choice(REASONS), help="Why; published as a code.")
@click.option("--no-reason-on-chain", is_flag=True, help="Publish no reason.")
@status_option
@chain_options
@key_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def revoke(
    seals: tuple[str, ...],
    reason: str,
    no_reason_on_chain: bool,
    status: Path | None,
    connect: Connect,
    signer: Signing,
    as_json: bool,
) -> None:
    """Revoke seals, given by their uids or as files or folders of sealed records (- for standard input).

    Off-chain seals are revoked by EAS's revokeOffchain, seals on chain where they stand. It counts from the seal's
    attester, from its accredited successor, and from an authority that has accredited it; another key is refused. What
    is revoked already is a success, so that the same command finishes what was cut off. Credentials of the seals are
    revoked in the issuer's store besides: publish its status lists then.
    """
    targets, credited = _targets(seals)
    chain = connect()
    key = signer()
    store = store_of(status, click.get_current_context().params.get("key"))
    revoker = Revoker(Sender(chain.node, key), RpcFacts(chain.node, chain.deployment), store)
    outcomes = revoker.revoke(targets, reason, reason_on_chain=not no_reason_on_chain)
    left = [each for each in outcomes if each.place is None and each.uid in credited]
    if left:
        told = f"the credentials of {len(left)} of these seals are not revoked: their issuer's store (--status) does it"
        click.echo(told, err=True)
    if as_json:
        click.echo(json.dumps({"revoked": [outcome_to_json(each) for each in outcomes]}))
        return
    _print(outcomes)


def _targets(seals: Sequence[str]) -> tuple[list[Target], set[Digest]]:
    """What is to be revoked, and the uids of those that are known to have a credential."""
    targets: list[Target] = []
    credited: set[Digest] = set()
    for given in seals:
        if _UID.fullmatch(given):
            targets.append(Target(Digest(digest_from(given, "uid"))))
            continue
        for record in read_records([given]):
            targets.append(Target(record.uid, record.attester))
            if record.credential is not None:
                credited.add(record.uid)
    return targets, credited


def outcome_to_json(outcome: Outcome) -> dict[str, object]:
    """One revocation, times in Unix seconds."""
    return {
        "uid": to_hex(outcome.uid),
        "at": outcome.at,
        "already": outcome.already,
        "as": outcome.as_,
        "reason": outcome.reason,
        "status": None if outcome.place is None else {"list": outcome.place.list, "index": outcome.place.at},
    }


def outcome_text(outcome: Outcome) -> str:
    """One revocation in words."""
    when = f"{datetime.fromtimestamp(outcome.at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    done = "was revoked already" if outcome.already else "revoked"
    why = f", {outcome.reason}" if outcome.reason else ""
    bit = "" if outcome.place is None else "; its credential too, once `chartseal status-list publish` tells it"
    return f"{to_hex(outcome.uid)} {done} {when}, {_WORDS[outcome.as_]}{why}{bit}"


def _print(outcomes: Sequence[Outcome]) -> None:
    for each in outcomes:
        click.echo(outcome_text(each))
