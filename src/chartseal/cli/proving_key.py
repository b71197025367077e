"""`chartseal proving-key`: the keys that proofs are made with, in the user's cache."""

from __future__ import annotations

import json
from typing import Any

import click

from chartseal.attestation import to_hex
from chartseal.circuits import KeyEntry, cache, development, manifest, sources
from chartseal.circuits.manifest import DEVELOPMENT
from chartseal.errors import CircuitKeyError

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_circuits = click.argument("circuits", nargs=-1, metavar="[CIRCUIT]...")


@click.group()
def proving_key() -> None:
    """Keys that proofs are made with: megabytes each, so they are made or fetched once and kept in a cache."""


@proving_key.command("list")
@_json
def list_keys(as_json: bool) -> None:
    """Show which keys there are, and which of them are here."""
    rows = [_row(key) for key in manifest().all_keys()]
    if as_json:
        click.echo(json.dumps({"folder": str(cache.folder()), "keys": rows}))
        return
    click.echo(f"keys in {cache.folder()}")
    for row in rows:
        state = "here" if row["here"] else "not here"
        marks = "  UNSAFE, for development" if row["unsafe"] else ""
        click.echo(f"{row['circuit']:<12}  {row['key']:<16}  {row['size']:>11,} bytes  {state}{marks}")


@proving_key.command("make")
@_circuits
@_json
def make(circuits: tuple[str, ...], as_json: bool) -> None:
    """Make development keys, of all circuits unless some are named. Everybody can prove anything under them."""
    wanted = [manifest().key(name, DEVELOPMENT) for name in circuits or manifest().circuits]
    made = [_made(key) for key in wanted]
    if as_json:
        click.echo(json.dumps({"keys": made}))
        return
    click.echo(
        "UNSAFE: development keys come from a public seed, and everybody can prove anything under them", err=True
    )


def _made(key: KeyEntry) -> dict[str, Any]:
    if _is_whole(key):
        click.echo(f"{key.circuit}  is here already", err=True)
    else:
        development.make(key.circuit)
        click.echo(f"{key.circuit}  made", err=True)
    return _row(key)


def _is_whole(key: KeyEntry) -> bool:
    """Whether it is here as it must be; one that was altered is made again."""
    try:
        cache.read(key)
    except CircuitKeyError:
        return False
    return True


@proving_key.command("fetch")
@click.argument("source", metavar="FILE|FOLDER|URL")
@_circuits
@click.option("--key", "name", help="Of these keys: the one of this name.  [default: all but development's]")
@_json
def fetch(source: str, circuits: tuple[str, ...], name: str | None, as_json: bool) -> None:
    """Take proving keys from a file, a folder, or a URL (with / at its end: a folder). Their hashes must be known."""
    wanted = [
        key
        for key in manifest().all_keys()
        if (not circuits or key.circuit in circuits) and (name == key.name if name else not key.is_unsafe)
    ]
    for circuit in circuits:
        manifest().circuit(circuit)
    places = sources.places(source, wanted)
    if not places:
        raise CircuitKeyError("the manifest has no such keys to fetch", "key_unknown")
    fetched = [sources.fetch(place) for place in places]
    if as_json:
        click.echo(json.dumps({"keys": [_row(key) for key in fetched]}))
        return
    for key in fetched:
        click.echo(f"{key.circuit}  {key.name}  fetched", err=True)


def _row(key: KeyEntry) -> dict[str, Any]:
    return {
        "circuit": key.circuit,
        "key": key.name,
        "unsafe": key.is_unsafe,
        "verificationKey": to_hex(key.verification_key),
        "provingKey": to_hex(key.proving_key),
        "size": key.proving_key_size,
        "here": cache.is_there(key),
        "file": str(cache.place(key)),
    }
