"""`chartseal issuer`: make and show an issuer's keys."""

from __future__ import annotations

import json
from pathlib import Path

import click

from chartseal.attestation import ZERO_ADDRESS, Address, Network, to_hex
from chartseal.cli.addresses import Account
from chartseal.cli.files import write_private
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.texts import Text
from chartseal.keys import IssuerCard, IssuerKey
from chartseal.keys.issuer import DEFAULT_NETWORK

_PATH = click.Path(dir_okay=False, path_type=Path)
_force = click.option("--force", is_flag=True, help="Overwrite a file of that name.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def _show(as_json: bool, text: str, **members: str) -> None:
    click.echo(json.dumps(members) if as_json else text)


class _IssuerGroup(click.Group):
    """A group whose commands that need a chain are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "standing"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "standing":
            from chartseal.cli.issuer_standing import issuer_standing

            return issuer_standing
        return super().get_command(ctx, cmd_name)


@click.group(cls=_IssuerGroup)
def issuer() -> None:
    """Keys of an issuer, who seals records."""


@issuer.command("init")
@click.option("-o", "--output", type=_PATH, default=Path("key.json"), show_default=True, help="The file to write.")
@click.option(
    "--base", type=Text(), default="", metavar="URL", help="FHIR base URL, against which relative ids are read."
)
@click.option("--network", help=f"Network whose EAS the seals name.  [default: {DEFAULT_NETWORK}]")
@click.option("--deployment", type=_PATH, help="Instead of a network: the deployment file of another chain.")
@_force
@passphrase_option
@_json
def issuer_init(
    output: Path,
    base: str,
    network: str | None,
    deployment: Path | None,
    force: bool,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Make an issuer key and write it to a file under a passphrase."""
    key = IssuerKey.generate(base=base, seals_for=seals_for(network, deployment))
    key.save(output, read_passphrase(passphrase_fd, confirm=True), force=force)
    _show(as_json, f"{key.address}  written to {output}", address=key.address, file=str(output))


@issuer.command("upgrade")
@click.option("--issuer", "path", type=_PATH, default=Path("key.json"), show_default=True, help="The key file.")
@passphrase_option
@_json
def issuer_upgrade(path: Path, passphrase_fd: int | None, as_json: bool) -> None:
    """Add what a key file of an earlier form lacks: a proving and a transport key. Nothing else changes."""
    passphrase = read_passphrase(passphrase_fd)
    key = IssuerKey.load(path, passphrase)
    if not key.is_complete:
        key = key.upgraded()
        key.save(path, passphrase, force=True)
    keys = {"provingKey": to_hex(key.proving_key), "transportKey": to_hex(key.transport_key)}
    _show(as_json, f"{key.address}  has all keys", address=key.address, **keys)


@issuer.command("card")
@click.option("--issuer", "path", type=_PATH, default=Path("key.json"), show_default=True, help="The key file.")
@click.option("--name", required=True, help="The issuer's name, as verifiers are to see it.")
@click.option("--endpoint", default="", metavar="URL", help="The issuer's node (https).")
@click.option("--predecessor", type=Account(), default=ZERO_ADDRESS, help="The issuer's address before this one.")
@click.option(
    "-o", "--output", default="card.json", show_default=True, help="The file to write; - for standard output."
)
@passphrase_option
@_json
def issuer_card(
    path: Path, name: str, endpoint: str, predecessor: Address, output: str, passphrase_fd: int | None, as_json: bool
) -> None:
    """Make the card that an authority accredits by: address, name, endpoint and keys, signed."""
    key = IssuerKey.load(path, read_passphrase(passphrase_fd))
    card = IssuerCard.make(key, name=name, endpoint=endpoint, predecessor=predecessor)
    write_private(output, card.to_json().encode())
    if output != "-":
        _show(as_json, f"{key.address}  written to {output}", address=key.address, file=output)


def seals_for(name: str | None, deployment: Path | None) -> Network | str:
    """The network of that name, or the one of a deployment's file.

    Raises:
        click.UsageError: both were given.
        DeploymentError: the file is malformed.
    """
    if name and deployment:
        raise click.UsageError("give --network or --deployment, not both")
    if deployment is None:
        return name or DEFAULT_NETWORK
    from chartseal.chain.deployment import Deployment  # needs the extra `chain`

    return Deployment.load(deployment).network()
