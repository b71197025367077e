"""`chartseal chain`: a local chain with EAS, and EAS on any other."""

from __future__ import annotations

import json
import shlex
import signal
import threading
from pathlib import Path
from typing import Any, NamedTuple

import click

from chartseal.attestation import checksum_address
from chartseal.chain.checks import check_deployment
from chartseal.chain.deployment import DEFAULT_FINALITY, Deployment
from chartseal.chain.local.devnet import accounts, deploy_eas
from chartseal.chain.local.kept import DEFAULT_PORT, DEPLOYMENT, KeptChain
from chartseal.chain.registry import register
from chartseal.chain.sending.sender import Sender
from chartseal.cli import background
from chartseal.cli.chain_deploy import deploy_contract
from chartseal.cli.chain_options import (
    DEPLOYMENT_VARIABLE,
    RPC_VARIABLE,
    Chain,
    Signing,
    connected,
    key_options,
    node_at,
)
from chartseal.cli.chain_state import (
    folder_option,
    fund_account,
    json_option,
    schemas,
    show_status,
    status,
    status_of,
)
from chartseal.cli.times import Seconds
from chartseal.errors import DeploymentError


@click.group()
def chain() -> None:
    """A local chain with EAS, and EAS on any other."""


for _each in (deploy_contract, fund_account, schemas, status):
    chain.add_command(_each)


class _Elsewhere(NamedTuple):
    """What `up` was told of another chain."""

    rpc: str
    deployment: Path | None
    deploy: bool
    registering: bool
    finality: int


@chain.command("up")
@folder_option
@click.option("--port", type=click.IntRange(0, 65_535), default=DEFAULT_PORT, show_default=True, help="0: a free one.")
@click.option("--block-time", type=Seconds(), metavar="S", help="Seconds from block to block.")
@click.option("--detach", is_flag=True, help="Come back once it runs; `chartseal chain down` ends it.")
@click.option("--rpc", metavar="URL", help="Use the chain of this node instead of a local one.")
@click.option(
    "--deployment",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --rpc: where EAS is on that chain, if not the public one.",
)
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
@json_option
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
    click.echo("for other commands:")
    click.echo(f"  export {RPC_VARIABLE}={members['url']} {DEPLOYMENT_VARIABLE}={shlex.quote(members['deployment'])}")
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
    show_status(status_of(used), as_json)


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
@folder_option
@json_option
def down(folder: Path, as_json: bool) -> None:
    """End the local chain of a folder; its state is kept."""
    background.end(folder)
    click.echo(json.dumps({"folder": str(folder)}) if as_json else f"the chain of {folder} has ended")
