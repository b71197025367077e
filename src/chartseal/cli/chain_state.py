"""What a chain has: `chartseal chain status`, `schemas` and `fund`, of the local chain or of any other."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from chartseal.attestation import address_from, checksum_address, to_hex
from chartseal.chain.checks import check_deployment
from chartseal.chain.local.devnet import fund
from chartseal.chain.local.kept import DEPLOYMENT, running
from chartseal.chain.registry import register, unregistered
from chartseal.chain.rpc.node import Node
from chartseal.chain.schemas import SCHEMAS
from chartseal.chain.sending.sender import Sender
from chartseal.cli.chain_options import DEPLOYMENT_VARIABLE, RPC_VARIABLE, Chain, Signing, connected, key_options
from chartseal.errors import NodeError, PackageError

_WEI = 10**18
_FILE = click.Path(dir_okay=False, path_type=Path)
folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("chain"),
    show_default=True,
    help="Where the local chain is kept.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class _Account(click.ParamType[Any]):
    """An address of 20 bytes in hex."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        try:
            return value if isinstance(value, bytes) else address_from(value, "address")
        except PackageError as exc:
            self.fail(str(exc), param, ctx)


def placed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --folder, --rpc and --deployment; the command gets the Chain as `on`."""

    @folder_option
    @click.option("--rpc", envvar=RPC_VARIABLE, metavar="URL", help=f"Another chain's node (else {RPC_VARIABLE}).")
    @click.option(
        "--deployment",
        envvar=DEPLOYMENT_VARIABLE,
        type=_FILE,
        metavar="FILE",
        help="Where EAS is, if not the public one.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, folder: Path, rpc: str | None, deployment: Path | None, **options: Any) -> Any:
        if rpc is not None:
            return command(*args, on=connected(rpc, deployment), **options)
        return command(*args, on=connected(running(folder).url, deployment or folder / DEPLOYMENT), **options)

    return wrapped


@click.command("status")
@placed
@click.option("--balance-of", "account", type=_Account(), help="Show this account's balance too.")
@json_option
def status(on: Chain, account: bytes | None, as_json: bool) -> None:
    """Check EAS on a chain, and show its head, what is final, and which schemas it knows."""
    check_deployment(on.node, on.deployment)
    show_status(status_of(on, account), as_json)


def status_of(on: Chain, account: bytes | None = None) -> dict[str, Any]:
    """What `status` shows of a chain whose EAS was checked."""
    node, deployment = on
    head = node.block()
    missing = unregistered(node, deployment)
    members: dict[str, Any] = {
        "chainId": deployment.chain_id,
        "host": node.host,
        "head": head.number,
        "headTime": head.time.isoformat(),
        "final": max(0, head.number - deployment.finality),
        "version": deployment.version,
        "eas": checksum_address(deployment.eas),
        "schemaRegistry": checksum_address(deployment.schema_registry),
        "schemas": {each.name: {"uid": to_hex(each.uid()), "registered": each not in missing} for each in SCHEMAS},
    }
    if account is not None:
        members["balance"] = str(_balance(node, account))
    return members


def _balance(node: Node, account: bytes) -> int:
    """In wei."""
    answer = node.request("eth_getBalance", [to_hex(account), "latest"])
    try:
        return int(answer, 16)
    except (TypeError, ValueError):
        raise NodeError("expected a number in hex", "node_malformed", "eth_getBalance") from None


def show_status(members: dict[str, Any], as_json: bool) -> None:
    """Print it."""
    if as_json:
        click.echo(json.dumps(members))
        return
    click.echo(f"chain {members['chainId']} at {members['host']}")
    click.echo(f"head {members['head']} ({members['headTime']}), final {members['final']}")
    click.echo(f"EAS {members['version']} {members['eas']}, SchemaRegistry {members['schemaRegistry']}: checked")
    for name, schema in members["schemas"].items():
        click.echo(f"  {schema['uid']}  {name}{'' if schema['registered'] else ': not registered'}")
    if "balance" in members:
        click.echo(f"balance {int(members['balance']) / _WEI:.6f} ether")


@click.command("schemas")
@placed
@click.option("--register", "registering", is_flag=True, help="Register those that are missing, with the key given.")
@key_options
@json_option
def schemas(on: Chain, registering: bool, signer: Signing, as_json: bool) -> None:
    """Show Chartseal's schemas and whether the chain knows them; register the missing ones."""
    check_deployment(on.node, on.deployment)
    made = register(Sender(on.node, signer()), on.deployment) if registering else []
    missing = unregistered(on.node, on.deployment)
    if as_json:
        shown = [
            {
                "name": each.name,
                "uid": to_hex(each.uid()),
                "schema": each.text,
                "revocable": each.revocable,
                "registered": each not in missing,
            }
            for each in SCHEMAS
        ]
        click.echo(json.dumps({"schemas": shown, "new": [each.name for each in made]}))
        return
    for each in SCHEMAS:
        state = "new" if each in made else "not registered" if each in missing else "registered"
        click.echo(f"{each.name}: {state}\n  {to_hex(each.uid())}\n  {each.text}")


@click.command("fund")
@click.argument("account", type=_Account())
@click.option("--ether", type=click.IntRange(0, 10**9), default=100, show_default=True, help="What it then has.")
@placed
@json_option
def fund_account(account: bytes, ether: int, on: Chain, as_json: bool) -> None:
    """Give an account money on a local chain."""
    fund(on.node, address_from(to_hex(account), "address"), ether * _WEI)
    wei = _balance(on.node, account)
    click.echo(
        json.dumps({"balance": str(wei)}) if as_json else f"{checksum_address(account)} has {wei / _WEI:g} ether"
    )
