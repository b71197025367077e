"""`chartseal node`: a provider's vault, served over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from chartseal.attestation import Address
from chartseal.cli.addresses import Account
from chartseal.cli.files import write_private
from chartseal.cli.keys import seals_for
from chartseal.cli.texts import Text
from chartseal.errors import NodeSettingsError
from chartseal.node.app import create_app
from chartseal.node.assembly import assembled, check
from chartseal.node.founding import CONFIG, Wanted, found
from chartseal.node.network import asking
from chartseal.node.server import listen, serve
from chartseal.node.settings import Settings
from chartseal.node.smart import B2b

_config = click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(CONFIG),
    show_default=True,
    envvar="CHARTSEAL_NODE",
    help="The settings' file (else CHARTSEAL_NODE).",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def node() -> None:
    """Take in what an EHR pushes, and answer other providers."""


@node.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option(
    "--base-url",
    type=Text(),
    default="http://127.0.0.1:8080",
    show_default=True,
    metavar="URL",
    help="Where it is reached.",
)
@click.option("--base", type=Text(), default="", metavar="URL", help="FHIR base of the EHR.  [default: the node's own]")
@click.option("--vault", default="vault.db", show_default=True, metavar="FILE|URL", help="As `vault init --vault`.")
@click.option("--keys", metavar="PLACE", help="As `vault init --keys`.  [default: beside an SQLite file]")
@click.option("--network", help="As `issuer init --network`.")
@click.option("--deployment", type=click.Path(dir_okay=False, path_type=Path), help="As `issuer init --deployment`.")
@_json
def init(
    folder: Path,
    base_url: str,
    base: str,
    vault: str,
    keys: str | None,
    network: str | None,
    deployment: Path | None,
    as_json: bool,
) -> None:
    """Make FOLDER/node.toml and what it points to: vault, keystore, issuer's key, a secret for the EHR.

    What is there already stays as it is: the same command mends what is missing.
    """
    wanted = Wanted(base_url, base, vault, keys, seals_for(network, deployment))
    done = found(folder, wanted, now=datetime.now(UTC))
    if as_json:
        click.echo(json.dumps({"issuer": done.issuer, "made": done.made, "kept": done.kept}))
        return
    click.echo(f"{done.issuer}  seals")
    click.echo(f"made: {', '.join(done.made) or 'nothing'}")


@node.command("check")
@_config
@_json
@click.pass_context
def check_settings(context: click.Context, path: Path, as_json: bool) -> None:
    """Open everything that the settings point to, and look at it; the exit status is 1 if something cannot be used."""
    found_codes = check(Settings.load(path))
    is_well = all(each == "ok" for each in found_codes.values())
    if as_json:
        click.echo(json.dumps({"well": is_well, "checks": found_codes}))
    else:
        for name, code in found_codes.items():
            click.echo(f"{name:>9}  {code}")
    context.exit(0 if is_well else 1)


@node.command()
@_config
@click.option("--json", "as_json", is_flag=True, help="Print where it listens as one JSON object, once it is ready to.")
def up(path: Path, as_json: bool) -> None:
    """Answer until interrupted. Then nothing new is taken, what is in flight ends, and imports stop to go on later."""
    settings = Settings.load(path)
    with listen(settings) as listener, assembled(settings) as parts:
        if as_json:
            host, port = listener.getsockname()[:2]
            click.echo(json.dumps({"host": host, "port": port}))
        serve(settings, create_app(parts), listener)


@node.command()
@_config
@click.option("--peer", required=True, type=Account(), help="The account whose node is asked.")
@click.option("--purpose", default="TREAT", show_default=True, metavar="CODE", help="Code of HL7's PurposeOfUse.")
@click.option("--organisation", required=True, metavar="URI", help="Who asks: the facility.")
@click.option("--person", default="", metavar="URI", help="Who asks there: the clinician's id.")
@click.option("--scope", default="system/*.rs", show_default=True, help="SMART scopes to ask for.")
@click.option("-o", "--output", required=True, metavar="FILE", help="The file for the token, - for standard output.")
@_json
def token(
    path: Path, peer: Address, purpose: str, organisation: str, person: str, scope: str, output: str, as_json: bool
) -> None:
    """Get a token from another provider's node in this one's name, for `chartseal pull --token-file`."""
    settings = Settings.load(path)
    if settings.network is None:
        raise NodeSettingsError("the settings have no network", "settings_invalid", "network")
    b2b = B2b(organization_id=organisation, purpose=purpose, subject_id=person)
    with asking(settings, settings.network) as peers:
        given = peers.get(peer, b2b, scope)
    write_private(output, given.text.encode() + b"\n")
    ends = given.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    if as_json:
        told = {"fhir": given.fhir_url, "scope": given.scopes, "expiresAt": ends}
        click.echo(json.dumps(told), err=output == "-")
    else:
        click.echo(f"{given.fhir_url}  {given.scopes}  until {ends}", err=output == "-")
