"""What can be proved about sealed records, for `chartseal show --claims`."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click
from rich.console import Console
from rich.text import Text

from chartseal.attestation import checksum_address, to_hex
from chartseal.cli.opened import new_table, printable
from chartseal.predicates import asked_by, describe_claim, key_of
from chartseal.record import OpenClaim
from chartseal.sealing import SealedRecord


def show_claims(records: Iterable[SealedRecord], *, as_json: bool) -> None:
    """Print the claims of each record, in words and as a policy asks for them; their values are not shown."""
    console = Console()
    for record in records:
        if as_json:
            click.echo(json.dumps(_to_json(record), ensure_ascii=False))
        else:
            _print(record, console)


def _print(record: SealedRecord, console: Console) -> None:
    title = f"{record.resource_type}  sealed by {checksum_address(record.attester)}, uid {to_hex(record.uid)}"
    shown = new_table(printable(title), "can be proved", "asked for by")
    for claim in record.claims:
        shown.add_row(Text(printable(describe_claim(claim))), Text(printable(asked_by(key_of(claim)))))
    console.print(shown)
    if record.dropped:
        console.print(Text(f"too many to be proved: {printable(', '.join(record.dropped))}"))
    console.print()


def _to_json(record: SealedRecord) -> dict[str, object]:
    return {
        "attester": checksum_address(record.attester),
        "uid": to_hex(record.uid),
        "resourceType": record.resource_type,
        "claims": [_claim_to_json(claim) for claim in record.claims],
        "dropped": list(record.dropped),
    }


def _claim_to_json(claim: OpenClaim) -> dict[str, object]:
    return {
        "path": claim.path,
        "sense": claim.sense,
        "qualifierSystem": claim.qualifier_system,
        "qualifierCode": claim.qualifier_code,
        "kind": claim.kind,
        "unit": claim.unit,
        "scale": claim.scale,
        "key": to_hex(claim.key),
        "words": describe_claim(claim),
        "policy": asked_by(key_of(claim)),
    }
