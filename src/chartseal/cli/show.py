"""`chartseal show`: look at a disclosure or at sealed records. Nothing is verified."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from chartseal import _json
from chartseal.attestation import checksum_address, to_hex
from chartseal.cli.files import read_disclosure
from chartseal.cli.opened import is_technical, print_disclosure, print_record, value_text, withheld
from chartseal.disclosure import UnverifiedDisclosure, preview
from chartseal.sealing import SealedRecord, read_records


@click.command()
@click.argument("path")
@click.option("--control", is_flag=True, help="Show technical fields too: format, keys, counts of fields.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(path: str, control: bool, as_json: bool) -> None:
    """Show a disclosure, or sealed records (file, folder, -), as tables. Nothing is verified."""
    disclosure = _disclosure(path)
    if disclosure is None:
        _show_records(path, as_json=as_json)
    elif as_json:
        click.echo(json.dumps(_disclosure_to_json(disclosure, control=control), ensure_ascii=False))
    else:
        console = Console()
        console.print("not verified", style="yellow")
        console.print(f"for {value_text(disclosure.audience)}", markup=False)
        print_disclosure(disclosure, console, control=control)


def _disclosure(path: str) -> UnverifiedDisclosure | None:
    """The disclosure at the path, or None where it holds sealed records."""
    if path == "-" or not Path(path).is_file():
        return None
    data = read_disclosure(path)
    if data.lstrip().startswith(b"CS1:"):
        return UnverifiedDisclosure.from_text(data.decode("ascii", "replace"))
    first = data.lstrip().split(b"\n", 1)[0]
    try:
        parsed = _json.loads(first)
    except ValueError:
        parsed = None
    is_record = isinstance(parsed, dict) and parsed.get("kind") == "sealed-record"
    return None if is_record else UnverifiedDisclosure.loads(data)


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
            }
        )
    return {"verified": False, "audience": disclosure.audience, "expiry": disclosure.expiry, "records": records}


def _show_records(path: str, *, as_json: bool) -> None:
    console = Console()
    for record in read_records([path]):
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
