"""`chartseal adherence observation`: one patient's proportion of days covered, as the resource that is sealed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

import click

from chartseal.adherence.fhir import ClassTable, read_events
from chartseal.adherence.observation import Coding, report
from chartseal.cli.adherence_spans import OneDay
from chartseal.cli.files import write_private
from chartseal.errors import AdherenceError
from chartseal.predicates.systems import by_alias


class _Code(click.ParamType[Coding]):
    """`atc|C10AA`, or a system's URI before the bar."""

    name = "code"

    def convert(self, value: str | Coding, param: click.Parameter | None, ctx: click.Context | None) -> Coding:
        if isinstance(value, Coding):
            return value
        system, bar, code = value.rpartition("|")
        if not (bar and system and code):
            self.fail("not SYSTEM|CODE, as atc|C10AA", param, ctx)
        row = by_alias().get(system)
        return Coding(row.uri if row else system, code)


@click.command("observation")
@click.argument("charts", nargs=-1, required=True, metavar="CHART…")
@click.option("--class", "medication_class", required=True, metavar="NAME", help="The class, as the table names it.")
@click.option("--code", required=True, type=_Code(), help="The class's code: atc|C10AA.")
@click.option("--classes", type=click.Path(path_type=Path), help="Which codes are of which class (CSV).")
@click.option("--from", "start", required=True, type=OneDay(), help="The window's first day.")
@click.option("--to", "end", required=True, type=OneDay(), help="The window's last day.")
@click.option("--performer", metavar="REFERENCE", help="Who measured, as Organization/1.")
@click.option("-o", "--output", default="-", metavar="FILE", help="Where the Observation goes; standard output else.")
@click.option("--json", "as_json", is_flag=True, help="Print what is in it as one JSON object.")
def command(
    charts: tuple[str, ...],
    medication_class: str,
    code: Coding,
    classes: Path | None,
    start: date,
    end: date,
    performer: str | None,
    output: str,
    as_json: bool,
) -> None:
    """Write the proportion of days covered by one patient's dispensings as a FHIR Observation, for `chartseal seal`.

    It names the dispensings that it is derived from. Nothing is written where days of supply are unknown.
    """
    if as_json and output == "-":
        raise click.UsageError("--json prints to standard output too: name a file with -o")
    table = ClassTable.read(classes) if classes else None
    events = read_events(sources(charts), table).events
    made = report(events, medication_class, code, start, end, subject=_one(events["patient"].to_pylist()))
    resource = made.to_fhir(issued=datetime.now(UTC), performer=performer)
    write_private(output, (json.dumps(resource, indent=1) + "\n").encode())
    if as_json:
        said = {"coveredDays": made.covered_days, "periodDays": made.period_days, "pdc": float(made.pdc)}
        click.echo(json.dumps({**said, "dispensings": len(made.derived_from), "file": output}))


def sources(paths: Sequence[str]) -> list[Path | BinaryIO]:
    """Files and folders as they are, `-` as standard input."""
    return [sys.stdin.buffer if path == "-" else Path(path) for path in paths]


def _one(patients: Sequence[str]) -> str:
    if len(set(patients)) != 1:
        raise AdherenceError("a report is about one patient", "patients_many" if patients else "no_event_in_window")
    return patients[0]
