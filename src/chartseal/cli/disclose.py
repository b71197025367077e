"""`chartseal disclose`: open parts of sealed records to one verifier."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from chartseal.cli.files import opened, write_private
from chartseal.cli.opened import print_selection, selection_to_json
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.times import Duration, Nonce
from chartseal.cli.wallets import address_finder, address_options, kept_records, own_files, require_apart
from chartseal.disclosure import DelegationFile, Selection, UnverifiedDisclosure, present, select
from chartseal.disclosure.delegation import LARGEST_DELEGATION
from chartseal.errors import DisclosureError
from chartseal.keys import ProxyKey, Wallet
from chartseal.sealing import read_records

_FILE = click.Path(dir_okay=False, path_type=Path)
_OF_WALLETS = {"--wallet": "wallet_path", "--number": "number", "--epoch": "epoch"}
_GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


@click.command()
@click.argument("paths", nargs=-1)
@click.option("--open", "patterns", multiple=True, metavar="PATH", help="Element to open: Observation.value, *.code, …")
@click.option("--about", "codes", multiple=True, metavar="CODE", help="Records about a code: system|code, or code.")
@click.option(
    "--to", "audience", required=True, metavar="ORIGIN", help="The verifier, as its channel authenticated it."
)
@click.option("--nonce", required=True, type=Nonce(), help="The verifier's nonce: 64 hex digits.")
@click.option(
    "--expires", default="10m", show_default=True, type=Duration(), help="For how long the verifier may use it."
)
@click.option(
    "-w", "--wallet", "wallet_path", default="wallet.json", show_default=True, type=click.Path(path_type=Path)
)
@address_options
@click.option("--proxy", "proxy_path", type=_FILE, help="Sign as a proxy, with this key, in place of a wallet.")
@click.option("--delegation", "delegation_path", type=_FILE, help="The holder's delegation to that proxy.")
@click.option("-o", "--output", default="-", show_default=True, help="The file to write, - for standard output.")
@click.option("--text", "as_text", is_flag=True, help="Write the compact text form (CS1:…) for a QR code.")
@click.option("--preview", is_flag=True, help="Show what the other side would see, and write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before writing.")
@click.option("--json", "as_json", is_flag=True, help="Tell what opens and why as JSON, on standard error.")
@passphrase_option
@click.pass_context
def disclose(
    context: click.Context,
    paths: tuple[str, ...],
    patterns: tuple[str, ...],
    codes: tuple[str, ...],
    audience: str,
    nonce: bytes,
    expires: timedelta,
    wallet_path: Path,
    number: int,
    epoch: int,
    proxy_path: Path | None,
    delegation_path: Path | None,
    output: str,
    as_text: bool,
    preview: bool,
    yes: bool,
    as_json: bool,
    passphrase_fd: int | None,
) -> None:
    """Open parts of sealed records (files, folders, -; else those that the wallet keeps) to one verifier.

    What must travel along opens too, and is told with its reason before anything is written.
    """
    if not patterns and not codes:
        raise click.UsageError("give --open or --about")
    require_apart(output, [*own_files(wallet_path), proxy_path, delegation_path])
    delegation = _delegation(context, proxy_path, delegation_path, has_records=bool(paths))
    wallet = None if paths else Wallet.load(wallet_path, read_passphrase(passphrase_fd))
    records = list(read_records(paths)) if wallet is None else kept_records(wallet, wallet_path)
    if not records:
        raise DisclosureError("no sealed record is there", "records_missing")
    selection = select(records, patterns, about=codes)
    _tell(selection, as_json=as_json)
    if preview:
        return
    if not yes:
        _confirm(audience)
    now = datetime.now(UTC)
    request: dict[str, Any] = {"audience": audience, "nonce": nonce, "expires_at": now + expires, "now": now}
    if proxy_path is not None:
        shown = present(
            selection, ProxyKey.load(proxy_path, read_passphrase(passphrase_fd)), delegation=delegation, **request
        )
    else:
        wallet = wallet or Wallet.load(wallet_path, read_passphrase(passphrase_fd))
        shown = present(selection, wallet, address_of=address_finder(wallet, number, epoch), **request)
    write_private(output, _written(shown, as_text=as_text))


def _delegation(
    context: click.Context, proxy: Path | None, delegation: Path | None, *, has_records: bool
) -> DelegationFile | None:
    if (proxy is None) != (delegation is None):
        raise click.UsageError("--proxy and --delegation go together")
    if delegation is None:
        return None
    given = [name for name, option in _OF_WALLETS.items() if context.get_parameter_source(option) in _GIVEN]
    if given:
        raise click.UsageError(f"a proxy signs with its own key: {', '.join(given)} goes with a wallet")
    if not has_records:
        raise click.UsageError("name the sealed records: a proxy has no wallet that keeps some")
    with opened(str(delegation)) as stream:
        return DelegationFile.loads(stream.read(LARGEST_DELEGATION + 1))


def _tell(selection: Selection, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"records": selection_to_json(selection)}), err=True)
    else:
        print_selection(selection, Console(stderr=True))


def _confirm(audience: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: give --yes, or --preview to look only")
    click.confirm(f"Show this to {audience}?", abort=True, err=True)


def _written(disclosure: UnverifiedDisclosure, *, as_text: bool) -> bytes:
    return (disclosure.to_text().encode() if as_text else disclosure.to_json()) + b"\n"
