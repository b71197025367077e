"""`chartseal chain deploy`: put a contract of ours on a chain, and keep where it stands in a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from chartseal.attestation import address_from, checksum_address
from chartseal.chain.checks import check_deployment
from chartseal.chain.deploy import (
    NAMES,
    OF_EAS,
    Argument,
    Deployed,
    Deployments,
    deploy,
    load_deployments,
    save_deployments,
)
from chartseal.chain.schemas import ROLES, role_bits
from chartseal.chain.sending.sender import Sender
from chartseal.cli.chain_options import Chain, Signing, key_options
from chartseal.cli.chain_state import json_option, placed
from chartseal.errors import DeploymentError, PackageError

_LONGEST_NUMBER = 78
"""Digits of the largest uint256."""

_PLAIN = tuple(name for name in NAMES if name != "dispense_credit")
"""Those whose arguments are words; `chartseal credit deploy` deploys the other."""


@click.command("deploy")
@click.argument("contract", type=click.Choice(_PLAIN))
@click.argument("arguments", nargs=-1, metavar="[ARGUMENT]...")
@click.option(
    "--into",
    "kept",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="Where it is written down, besides what stands there already.",
)
@placed
@key_options
@json_option
def deploy_contract(
    contract: str, arguments: tuple[str, ...], kept: Path, on: Chain, signer: Signing, as_json: bool
) -> None:
    """Deploy CONTRACT with what it takes besides EAS: addresses, numbers, or roles like hospital,pharmacy."""
    eas = [on.deployment.eas] if contract in OF_EAS else []
    given = [*eas, *(_argument(each) for each in arguments)]
    check_deployment(on.node, on.deployment)
    before = known_deployments(kept, on.deployment.chain_id)
    made = deploy(Sender(on.node, signer()), contract, *given)
    try:
        save_deployments(kept, before.with_(made))
    except DeploymentError:
        _show(made, as_json, err=True)  # it stands, and was paid for: the address must not get lost
        raise
    _show(made, as_json)


def known_deployments(kept: Path, chain_id: int) -> Deployments:
    """What the file says so far: read before money is spent.

    Raises:
        DeploymentError: unreadable, malformed, or another chain's (`deployment_mismatch`); `folder_unwritable`.
    """
    if not os.access(kept.parent, os.W_OK):
        raise DeploymentError(
            "the folder of the deployments' file is missing, or cannot be written",
            "folder_unwritable",
            str(kept.parent),
        )
    if not kept.exists():
        return Deployments(chain_id)
    before = load_deployments(kept)
    if before.chain_id != chain_id:
        raise DeploymentError("the deployments are another chain's", "deployment_mismatch", "chainId")
    return before


def _argument(text: str) -> Argument:
    names: Sequence[str] = text.split(",")
    if set(names) <= set(ROLES):
        return role_bits(names)
    if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER:
        return int(text)
    try:
        return address_from(text, "argument")
    except PackageError:
        raise click.UsageError("an argument is an address, a number, or names of roles joined by commas") from None


def _show(made: Deployed, as_json: bool, *, err: bool = False) -> None:
    members = {"contract": made.contract, "address": checksum_address(made.address), "block": made.block_number}
    text = f"{made.contract} at {members['address']}, block {members['block']}"
    click.echo(json.dumps(members) if as_json else text, err=err)
