"""`chartseal policy`: compile questions about records, and look at policies before answering or asking them."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from chartseal.attestation import to_hex
from chartseal.cli.files import opened
from chartseal.cli.opened import new_table, printable
from chartseal.errors import PredicatePolicyError
from chartseal.predicates import (
    LARGEST_POLICY,
    LARGEST_SET_FILE,
    CodeSet,
    Policy,
    compile_policy,
    read_set,
    set_names,
    slot_text,
)


@click.group()
def policy() -> None:
    """Policies: questions about sealed records that are answered by a proof."""


@policy.command("compile")
@click.argument("text")
@click.option("-o", "--output", default="-", metavar="FILE", help="Where the policy goes; standard output else.")
@click.option("--name", default="", help="The policy's name, for people.")
@click.option("--version", default=1, show_default=True, help="Its version, for people.")
@click.option("--set", "named", multiple=True, metavar="NAME=FILE", help="A set that the text names by @NAME.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def compile_command(text: str, output: str, name: str, version: int, named: tuple[str, ...], as_json: bool) -> None:
    """Compile TEXT, or the text of a file of that name (- for standard input).

    A set that no --set gives is read from the file of its name, in this folder or below.
    """
    source = _source(text)
    try:
        made = compile_policy(source, name=name, version=version, sets=_sets(source, named))
    except PredicatePolicyError as exc:
        if exc.excerpt and not as_json:
            click.echo(exc.excerpt, err=True)
        raise
    if output == "-":
        click.echo(made.to_json(), nl=False)
        return
    Path(output).write_bytes(made.to_json())
    _report(made, as_json=as_json)


def _source(text: str) -> str:
    try:
        is_file = text == "-" or Path(text).is_file()
    except (OSError, ValueError):  # longer than a name may be
        is_file = False
    if not is_file:
        return text
    return _read(text, LARGEST_POLICY).decode("utf-8", "replace")


def _read(path: str, most: int) -> bytes:
    with opened(path) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise PredicatePolicyError(f"the file has more than {most} bytes", "policy_too_long")
    return data


def _sets(source: str, named: tuple[str, ...]) -> dict[str, CodeSet]:
    """Sets by --set, and those of files that the text names: none outside of this folder, whoever wrote the text."""
    files = {}
    for each in named:
        name, equals, file = each.partition("=")
        if not (name and equals and file):
            raise click.UsageError("--set is NAME=FILE")
        files[name] = file
    for name in set_names(source):
        path = Path(name)
        if name not in files and not path.is_absolute() and ".." not in path.parts and path.is_file():
            files[name] = name
    return {name: read_set(_read(file, LARGEST_SET_FILE)) for name, file in files.items()}


@policy.command("show")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(file: str, as_json: bool) -> None:
    """Show a policy's file: in words, its text, its slots and its hash. It is compiled again first."""
    found = Policy.from_json(_read(file, LARGEST_POLICY))
    if as_json:
        click.echo(json.dumps(_described(found) | {"slots": json.loads(found.to_json())["slots"]}, ensure_ascii=False))
        return
    _report(found, as_json=False)
    shown = new_table("", "slot", "tests", "key")
    for number, slot in enumerate(found.slots, 1):
        shown.add_row(str(number), Text(printable(slot_text(slot))), to_hex(slot.key))
    Console().print(shown)


@policy.command("check")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(file: str, as_json: bool) -> None:
    """Compile a policy's text again, and refuse the file if it says anything else."""
    found = Policy.from_json(_read(file, LARGEST_POLICY))
    if as_json:
        click.echo(json.dumps(_described(found), ensure_ascii=False))
    else:
        click.echo(f"the text compiles to the hash that the file states: {to_hex(found.hash)}")


def _described(found: Policy) -> dict[str, object]:
    return {
        "name": found.name,
        "version": found.version,
        "text": found.text,
        "words": found.words("holder"),
        "verifierWords": found.words("verifier"),
        "circuitSize": found.circuit_size,
        "hash": to_hex(found.hash),
    }


def _report(found: Policy, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_described(found), ensure_ascii=False))
        return
    title = f"{found.name}, version {found.version}" if found.name else f"version {found.version}"
    for line in (title, found.words("verifier"), found.text, to_hex(found.hash)):
        click.echo(printable(line))
