"""`chartseal trust-root`: publish it, and recompute it from the chain."""

from __future__ import annotations

import json
from typing import Any

import click

from chartseal.attestation import ZERO_ADDRESS, Address, Digest, checksum_address, to_hex
from chartseal.chain.authority import (
    Authority,
    Check,
    Outcome,
    Standing,
    TrustRoot,
    check_trust_root,
    newest_epoch,
)
from chartseal.chain.authority.checking import roots_to_check
from chartseal.chain.authority.trust_root import EPOCH_SECONDS
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import ACCREDITATION, ROLES
from chartseal.chain.sending.sender import Sender
from chartseal.cli.addresses import Account, Bytes32
from chartseal.cli.chain_facts import Facts, facts_options
from chartseal.cli.chain_options import Connect, Signing, authority_key_options, chain_options
from chartseal.cli.times import Day
from chartseal.errors import AuthorityError

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class _Epoch(click.ParamType[Any]):
    """An epoch's number, or its day."""

    name = "epoch"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read an epoch."""
        text = str(value)
        return (
            int(text) if text.isdecimal() and len(text) < 11 else int(Day().convert(text, param, ctx)) // EPOCH_SECONDS
        )


_epoch = click.option("--epoch", type=_Epoch(), help="A day (2026-11-24) or its number; the newest if not given.")


@click.group("trust-root")
def trust_root() -> None:
    """The root of a day over all issuers that an authority stands for in a role."""


@trust_root.command("publish")
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(ROLES), help="Role; all of its issuers' if not given."
)
@_epoch
@click.option("--resolver", type=Account(), default=ZERO_ADDRESS, help="AccreditationResolver of this authority.")
@chain_options
@authority_key_options
@_json
def trust_root_publish(
    roles: tuple[str, ...], epoch: int | None, resolver: Address, connect: Connect, signer: Signing, as_json: bool
) -> None:
    """Compute and attest an authority's roots of a day; what was attested already is kept."""
    chain = connect()
    by = Authority(Sender(chain.node, signer()), chain.deployment, resolver=resolver)
    facts = RpcFacts(chain.node, chain.deployment)
    day = newest_epoch(facts) if epoch is None else epoch
    published = [by.publish_trust_root(facts, role, day) for role in roles or _roles(facts, by.address)]
    if as_json:
        click.echo(json.dumps({"roots": [{"uid": to_hex(uid), **_to_json(root)} for uid, root in published]}))
        return
    for uid, root in published:
        click.echo(f"{root.role}: {_summary(root)}, attested as {to_hex(uid)}")


def _roles(facts: RpcFacts, by: Address) -> list[str]:
    standing = Standing(facts.attestations(ACCREDITATION, attester=by), ())
    named = {role for each in standing.accreditations for role in each.roles}
    if not named:
        raise AuthorityError("this key has accredited nobody on this chain", "nothing_to_publish")
    return [role for role in ROLES if role in named]


@trust_root.command("revoke")
@click.argument("uid", type=Bytes32())
@chain_options
@authority_key_options
@_json
def trust_root_revoke(uid: Digest, connect: Connect, signer: Signing, as_json: bool) -> None:
    """Revoke a root that is wrong, so that another can be published; one that is revoked already stays so."""
    chain = connect()
    Authority(Sender(chain.node, signer()), chain.deployment).revoke_trust_root(uid)
    click.echo(json.dumps({"revoked": to_hex(uid)}) if as_json else f"revoked: {to_hex(uid)}")


@trust_root.command("check")
@click.option("--authority", type=Account(), help="Its roots; all authorities' if not given.")
@click.option("--role", type=click.Choice(ROLES), help="Roots of this role; of all if not given.")
@_epoch
@facts_options
@_json
def trust_root_check(
    authority: Address | None, role: str | None, epoch: int | None, facts: Facts, as_json: bool
) -> None:
    """Recompute roots from the chain and compare them with what was attested; ends with status 1 where they differ."""
    with facts() as known:
        if authority is not None and role is not None and epoch is not None:
            wanted = [(authority, role, epoch)]
        else:
            wanted = roots_to_check(known, authority, role, epoch)
        if not wanted:
            raise AuthorityError("no such trust root was attested on this chain", "trust_root_missing")
        checks = [check_trust_root(known, *each) for each in wanted]
    if as_json:
        click.echo(json.dumps({"checks": [_check_to_json(each) for each in checks]}))
    else:
        for each in checks:
            _show(each)
    if any(each.outcome != Outcome.AGREES for each in checks):
        click.get_current_context().exit(1)


def _show(check: Check) -> None:
    computed = check.computed
    whose = f"{checksum_address(computed.authority)} {computed.role} epoch {computed.epoch}"
    click.echo(f"{whose}: {check.outcome}, {_summary(computed)}")
    for difference in check.differences:
        click.echo(f"  {difference}")
    for attested in check.attested:
        click.echo(f"  attested {to_hex(attested.root)} as {to_hex(attested.uid)}")
    click.echo(f"  computed {to_hex(computed.root)}")
    for left in computed.left_out:
        place = "" if left.list is None else f" list {left.list}"
        click.echo(f"  left out {checksum_address(left.issuer)}{place}: {left.reason}")


def _summary(root: TrustRoot) -> str:
    return f"{len(root.leaves)} leaves, {len(root.left_out)} left out"


def _to_json(root: TrustRoot) -> dict[str, Any]:
    return {
        "authority": checksum_address(root.authority),
        "role": root.role,
        "epoch": root.epoch,
        "root": to_hex(root.root),
        "leaves": [
            {
                "attester": checksum_address(leaf.attester.to_bytes(20)),
                "ax": str(leaf.ax),
                "ay": str(leaf.ay),
                "list": leaf.list,
                "notAfter": str(leaf.not_after),
                "statusRoot": to_hex(leaf.status_root.to_bytes(32)),
            }
            for leaf in root.leaves
        ],
        "leftOut": [
            {
                "accreditation": to_hex(each.accreditation),
                "issuer": checksum_address(each.issuer),
                "list": each.list,
                "reason": each.reason,
            }
            for each in root.left_out
        ],
    }


def _check_to_json(check: Check) -> dict[str, Any]:
    attested = [{"uid": to_hex(each.uid), "root": to_hex(each.root), "at": each.attested_at} for each in check.attested]
    head = {"outcome": check.outcome.value, "differences": list(check.differences), "attested": attested}
    return {**head, "computed": _to_json(check.computed)}
