"""How accreditations and their state are shown, to people and to programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, checksum_address, to_hex
from chartseal.chain.authority import Accredited, Standing
from chartseal.chain.authority.standing import LIVE, NEVER
from chartseal.chain.facts import ChainFacts, final_until
from chartseal.cli.opened import printable

_LAST_MOMENT = 253_402_300_799
"""9999-12-31T23:59:59Z; what lies after it is no date."""


def now_of(facts: ChainFacts) -> int:
    """Unix seconds: the clock's, or the chain's where that is ahead (a local one may be)."""
    return max(int(time.time()), facts.head.timestamp)


def show_standing(
    facts: ChainFacts, standing: Standing, chosen: Sequence[Accredited], at: int, *, as_json: bool
) -> None:
    """Print accreditations with their state at a time, and how many others could not be read."""
    if as_json:
        listed = [_to_json(facts, standing, each, at) for each in chosen]
        passed = [{"uid": to_hex(each.uid), "code": each.code} for each in standing.malformed]
        click.echo(json.dumps({"at": at, "accreditations": listed, "malformed": passed}, ensure_ascii=False))
        return
    table = Table("State", "Issuer", "Name", "Roles", "From", "Until", "Authority", "Accreditation", box=None)
    for accredited in chosen:
        table.add_row(*(Text(printable(cell)) for cell in _row(facts, standing, accredited, at)))
    width = None if chosen and sys.stdout.isatty() else 320  # a pipe takes whole lines
    Console(width=width).print(table if chosen else Text("no accreditation"))
    if standing.malformed:
        click.echo(f"{len(standing.malformed)} attestations are malformed and passed over", err=True)


def _row(facts: ChainFacts, standing: Standing, each: Accredited, at: int) -> list[str]:
    return [
        _state(facts, standing, each, at),
        checksum_address(each.issuer),
        each.name,
        ", ".join(sorted(each.roles)),
        moment_text(each.begins_at),
        moment_text(standing.end(each).at),
        checksum_address(each.authority),
        to_hex(each.uid),
    ]


def _state(facts: ChainFacts, standing: Standing, each: Accredited, at: int) -> str:
    state = standing.state(each, at)
    return "live, not final yet" if state == LIVE and not _is_final(facts, each) else state


def _is_final(facts: ChainFacts, each: Accredited) -> bool:
    return each.attested_at <= final_until(facts)


def moment_text(seconds: int) -> str:
    """Unix seconds as a date and time; empty where there is none."""
    if seconds in (0, NEVER):
        return ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds <= _LAST_MOMENT else str(seconds)


def _to_json(facts: ChainFacts, standing: Standing, each: Accredited, at: int) -> dict[str, Any]:
    end = standing.end(each)
    return {
        "uid": to_hex(each.uid),
        "authority": checksum_address(each.authority),
        "issuer": checksum_address(each.issuer),
        "name": each.name,
        "roles": sorted(each.roles),
        "endpoint": each.endpoint or None,
        "provingKey": None if each.proving_key == ZERO_DIGEST else to_hex(each.proving_key),
        "transportKey": None if each.transport_key == ZERO_DIGEST else to_hex(each.transport_key),
        "predecessor": None if each.predecessor == ZERO_ADDRESS else checksum_address(each.predecessor),
        "state": standing.state(each, at),
        "final": _is_final(facts, each),
        "begins": each.begins_at,
        "ends": None if end.at == NEVER else end.at,
        "endsBy": None if end.at == NEVER else end.reason,
    }
