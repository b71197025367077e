"""`chartseal show`: look at a disclosure, a presentation or sealed records. Nothing is verified."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import click
from rich.console import Console

from chartseal import _json
from chartseal.attestation import checksum_address, to_hex
from chartseal.cli.claims import show_claims
from chartseal.cli.files import opened, parse_disclosure, read_rest
from chartseal.cli.opened import is_technical, print_disclosure, print_record, value_text, withheld
from chartseal.cli.shown_proofs import print_proofs, proofs_to_json
from chartseal.disclosure import UnverifiedDisclosure, preview
from chartseal.sealing import SealedRecord, read_records
from chartseal.sealing.sealed import KIND, LARGEST_RECORD, lines_of, read_lines


@click.command()
@click.argument("path")
@click.option("--control", is_flag=True, help="Show technical fields too: format, keys, counts of fields.")
@click.option("--claims", is_flag=True, help="Show of sealed records what can be proved without opening them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: of sealed records, one a line.")
def show(path: str, control: bool, claims: bool, as_json: bool) -> None:
    """Show a disclosure or presentation, or sealed records (file, folder, -), as tables. Nothing is verified."""
    show_records = show_claims if claims else _show_records
    if Path(path).is_dir():
        show_records(read_records([path]), as_json=as_json)
        return
    name = "standard input" if path == "-" else Path(path).name
    with opened(path) as stream:
        first = stream.readline(LARGEST_RECORD + 1)
        if _is_record(first):
            show_records(read_lines(chain([first], lines_of(stream)), name), as_json=as_json)
            return
        if claims:
            raise click.UsageError("--claims shows sealed records: a disclosure holds no claims")
        data = read_rest(stream, path, first)
    _show_disclosure(parse_disclosure(data), control=control, as_json=as_json)


def _is_record(line: bytes) -> bool:
    try:
        parsed = _json.loads(line)
    except ValueError:
        return False
    return isinstance(parsed, dict) and parsed.get("kind") == KIND


def _show_disclosure(disclosure: UnverifiedDisclosure, *, control: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_disclosure_to_json(disclosure, control=control), ensure_ascii=False))
        return
    console = Console()
    console.print("not verified", style="yellow")
    console.print(f"for {value_text(disclosure.audience)}", markup=False)
    print_disclosure(disclosure, console, control=control)
    print_proofs(disclosure, console)


def _disclosure_to_json(disclosure: UnverifiedDisclosure, *, control: bool) -> dict[str, object]:
    rows = preview(disclosure)
    records = []
    for at, record in enumerate(disclosure.records):
        own = [row for row in rows if row.record == at]
        opened = [row for row in own if control or not is_technical(row.name)]
        records.append(
            {
                "attester": checksum_address(record.package.signer),
                "uid": to_hex(record.package.uid),
                "resourceType": own[0].resource_type if own else "?",
                "opened": {row.name: row.value.to_json()["value"] for row in opened},
                "withheld": withheld(own),
                "proxy": None if record.delegation is None else to_hex(record.delegation.mandate.proxy),
            }
        )
    head = {"verified": False, "audience": disclosure.audience, "expiry": disclosure.expiry, "records": records}
    binding = {} if disclosure.binding is None else {"binding": disclosure.binding.to_json()}
    return {**head, "proofs": proofs_to_json(disclosure), **binding}


def _show_records(records: Iterable[SealedRecord], *, as_json: bool) -> None:
    console = Console()
    for record in records:
        if as_json:
            click.echo(json.dumps(_record_to_json(record), ensure_ascii=False))
        else:
            title = f"sealed by {checksum_address(record.attester)}, uid {to_hex(record.uid)}"
            print_record(record.resource_type, record.fields, title, console)


def _record_to_json(record: SealedRecord) -> dict[str, object]:
    shown = {each.name: each.value for each in record.fields if not each.name.startswith("chartseal.")}
    return {
        "attester": checksum_address(record.attester),
        "uid": to_hex(record.uid),
        "resourceType": record.resource_type,
        "fields": {name: to_hex(value) if isinstance(value, bytes) else value for name, value in shown.items()},
    }
