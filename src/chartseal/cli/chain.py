"""`chartseal chain`: a local chain with EAS, and EAS on any other."""

from __future__ import annotations

import functools
import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from chartseal.attestation import address_from, checksum_address, to_hex
from chartseal.chain.checks import check_deployment
from chartseal.chain.deployment import DEFAULT_FINALITY, Deployment
from chartseal.chain.devnet import accounts, deploy_eas, fund
from chartseal.chain.kept import DEFAULT_PORT, DEPLOYMENT, KeptChain, running
from chartseal.chain.node import Node
from chartseal.chain.registry import register, unregistered
from chartseal.chain.schemas import SCHEMAS
from chartseal.chain.sender import Sender
from chartseal.cli import background
from chartseal.cli.chain_options import RPC_VARIABLE, Chain, Signing, connected, key_options, node_at
from chartseal.errors import DeploymentError, PackageError

_WEI = 10**18
_FILE = click.Path(dir_okay=False, path_type=Path)
_PLACE = Path("chain")
_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=_PLACE,
    show_default=True,
    help="Where the local chain is kept.",
)
_deployment = click.option("--deployment", type=_FILE, metavar="FILE", help="With --rpc: where EAS is on that chain.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class _Account(click.ParamType[Any]):
    """An address of 20 bytes in hex."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        try:
            return value if isinstance(value, bytes) else address_from(value, "address")
        except PackageError as exc:
            self.fail(str(exc), param, ctx)


@click.group()
def chain() -> None:
    """A local chain with EAS, and EAS on any other."""


class _Elsewhere(NamedTuple):
    """What `up` was told of another chain."""

    rpc: str
    deployment: Path | None
    deploy: bool
    registering: bool
    finality: int


@chain.command("up")
@_folder
@click.option("--port", type=click.IntRange(0, 65_535), default=DEFAULT_PORT, show_default=True, help="0: a free one.")
@click.option("--block-time", type=click.FloatRange(0, min_open=True), metavar="S", help="Seconds from block to block.")
@click.option("--detach", is_flag=True, help="Come back once it runs; `chartseal chain down` ends it.")
@click.option("--rpc", metavar="URL", help="Use the chain of this node instead of a local one.")
@_deployment
@click.option("--deploy", is_flag=True, help="With --rpc: deploy EAS there with the key given, if the folder has none.")
@click.option(
    "--register", "registering", is_flag=True, help="With --rpc: register missing schemas with the key given."
)
@click.option(
    "--finality",
    type=click.IntRange(0),
    default=DEFAULT_FINALITY,
    show_default=True,
    help="With --deploy: blocks above one that make it final.",
)
@key_options
@_json
def up(
    folder: Path,
    port: int,
    block_time: float | None,
    detach: bool,
    rpc: str | None,
    deployment: Path | None,
    deploy: bool,
    registering: bool,
    finality: int,
    signer: Signing,
    as_json: bool,
) -> None:
    """Run a local chain with EAS and Chartseal's schemas until Ctrl-C; the next `up` of its folder goes on from there.

    With --rpc no chain is started: EAS on the node's chain (the deployment given, or the public one of its chain id, or
    a new one) is checked by its own word, and FOLDER/deployment.json says where it is.
    """
    if rpc is None:
        if deployment or deploy or registering:
            raise click.UsageError("--deployment, --deploy and --register go with --rpc")
        _run(folder, port, block_time, detach, as_json)
    elif deployment and deploy:
        raise click.UsageError("give --deployment or --deploy, not both")
    else:
        _use(_Elsewhere(rpc, deployment, deploy, registering, finality), folder, signer, as_json)


def _run(folder: Path, port: int, block_time: float | None, detach: bool, as_json: bool) -> None:
    if detach:
        every = [] if block_time is None else ["--block-time", str(block_time)]
        _show_up(background.start(["chain", "up", "--folder", str(folder), "--port", str(port), *every]), as_json)
        return
    ended = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: ended.set())
    with KeptChain(folder, port=port or None, block_time=block_time) as kept:
        _show_up(_local_members(kept, folder), as_json)
        kept.keep(until=ended)


def _local_members(kept: KeptChain, folder: Path) -> dict[str, Any]:
    return {
        "url": kept.url,
        "deployment": str(folder / DEPLOYMENT),
        "chainId": kept.deployment.chain_id,
        "eas": checksum_address(kept.deployment.eas),
        "schemaRegistry": checksum_address(kept.deployment.schema_registry),
        "head": kept.devnet.node.block().number,
        "accounts": [checksum_address(each.address) for each in accounts()],
    }


def _show_up(members: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(members))
        return
    click.echo(f"chain {members['chainId']} at {members['url']}, block {members['head']}")
    click.echo(f"EAS {members['eas']}, SchemaRegistry {members['schemaRegistry']}")
    click.echo(f"for other commands: export {RPC_VARIABLE}={members['url']} and --deployment {members['deployment']}")
    click.echo("funded accounts, whose keys everybody knows (anvil's own; use them nowhere else):")
    for each in members["accounts"]:
        click.echo(f"  {each}")


def _use(told: _Elsewhere, folder: Path, signer: Signing, as_json: bool) -> None:
    """Find or deploy EAS on another chain, check it, and write where it is."""
    place = folder / DEPLOYMENT
    if told.deploy and not place.exists():
        node = node_at(told.rpc)
        used = Chain(node, deploy_eas(Sender(node, signer()), name="own", finality=told.finality))
    else:
        used = connected(told.rpc, place if told.deploy else told.deployment)
    check_deployment(used.node, used.deployment)
    _write_deployment(place, used.deployment)
    if told.registering:
        register(Sender(used.node, signer()), used.deployment)
    _show_status(_status(used, None), as_json)


def _write_deployment(place: Path, deployment: Deployment) -> None:
    """Write it where none is; another chain's is kept.

    Raises:
        DeploymentError: `deployment_exists`, `folder_unwritable`.
    """
    try:
        if place.exists():
            if Deployment.load(place) != deployment:
                raise DeploymentError("the folder has another deployment's file", "deployment_exists", str(place))
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(deployment.to_json())
    except OSError as exc:
        raise DeploymentError(f"the folder cannot be used: {exc.strerror}", "folder_unwritable") from exc


@chain.command("down")
@_folder
@_json
def down(folder: Path, as_json: bool) -> None:
    """End the local chain of a folder; its state is kept."""
    background.end(folder)
    click.echo(json.dumps({"folder": str(folder)}) if as_json else f"the chain of {folder} has ended")


def _placed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --folder, --rpc and --deployment; the command gets the Chain as `on`."""

    @_folder
    @click.option("--rpc", envvar=RPC_VARIABLE, metavar="URL", help=f"Another chain's node (else {RPC_VARIABLE}).")
    @_deployment
    @functools.wraps(command)
    def wrapped(*args: Any, folder: Path, rpc: str | None, deployment: Path | None, **options: Any) -> Any:
        if rpc is not None:
            return command(*args, on=connected(rpc, deployment), **options)
        if deployment is not None:
            raise click.UsageError("--deployment goes with --rpc")
        return command(*args, on=connected(running(folder).url, folder / DEPLOYMENT), **options)

    return wrapped


@chain.command("status")
@_placed
@click.option("--balance-of", "account", type=_Account(), help="Show this account's balance too.")
@_json
def status(on: Chain, account: bytes | None, as_json: bool) -> None:
    """Check EAS on a chain, and show its head, what is final, and which schemas it knows."""
    check_deployment(on.node, on.deployment)
    _show_status(_status(on, account), as_json)


def _status(on: Chain, account: bytes | None) -> dict[str, Any]:
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
    return int(node.request("eth_getBalance", [to_hex(account), "latest"]), 16)


def _show_status(members: dict[str, Any], as_json: bool) -> None:
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


@chain.command("schemas")
@_placed
@click.option("--register", "registering", is_flag=True, help="Register those that are missing, with the key given.")
@key_options
@_json
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


@chain.command("fund")
@click.argument("account", type=_Account())
@click.option("--ether", type=click.IntRange(0, 10**9), default=100, show_default=True, help="What it then has.")
@_placed
@_json
def fund_account(account: bytes, ether: int, on: Chain, as_json: bool) -> None:
    """Give an account money on a local chain."""
    fund(on.node, address_from(to_hex(account), "address"), ether * _WEI)
    wei = _balance(on.node, account)
    click.echo(json.dumps({"balance": str(wei)}) if as_json else f"{to_hex(account)} has {wei / _WEI:g} ether")
