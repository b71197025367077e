"""`chartseal adherence generate`: seeded histories of made-up patients, as FHIR."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import cast

import click

from chartseal.adherence.generator import BEHAVIOURS, Behaviour, History, histories
from chartseal.cli.adherence_spans import OneDay
from chartseal.cli.files import write_public
from chartseal.errors import AdherenceError


@click.command("generate")
@click.option("--seed", type=int, required=True, help="The same seed gives the same patients everywhere.")
@click.option("--patients", type=click.IntRange(1, 100_000), default=1, show_default=True, help="How many.")
@click.option("--start", type=OneDay(), default="2025-01-01", show_default=True, help="First day.")
@click.option("--days", type=click.IntRange(30, 3_660), default=365, show_default=True, help="Days of history.")
@click.option(
    "--behaviour", "behaviours", multiple=True, type=click.Choice(BEHAVIOURS), help="All behave so (repeatable)."
)
@click.option(
    "--claims/--no-claims", default=None, help="Pharmacy claims beside dispenses; left out, for three of five."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A folder, or one FILE.ndjson.")
@click.option(
    "--truth", type=click.Path(path_type=Path), help="Write what is true of each patient into this file (JSON)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    seed: int,
    patients: int,
    start: date,
    days: int,
    behaviours: tuple[str, ...],
    claims: bool | None,
    output: Path,
    truth: Path | None,
    as_json: bool,
) -> None:
    """Write dispensing histories of made-up patients as FHIR R4: one Bundle each in a folder, or all as NDJSON.

    They hold gaps, switches, stockpiling, stays in hospital, reversals and more; nobody in them exists.
    """
    chosen = cast("tuple[Behaviour, ...]", behaviours) or None
    tally = _Tally()
    _write(tally.each(histories(seed, patients, start=start, days=days, behaviours=chosen, claims=claims)), output)
    if truth is not None:
        write_public(truth, json.dumps(tally.behaviours, indent=1).encode() + b"\n")
    resources = dict(sorted(tally.resources.items()))
    if as_json:
        click.echo(json.dumps({"patients": len(tally.behaviours), "resources": resources}))
        return
    click.echo(
        f"{len(tally.behaviours)} patients: " + ", ".join(f"{count} {name}" for name, count in resources.items())
    )


class _Tally:
    """What has passed: resources by type, behaviours by patient and class."""

    def __init__(self) -> None:
        self.resources: Counter[str] = Counter()
        self.behaviours: dict[str, dict[str, tuple[Behaviour, ...]]] = {}

    def each(self, made: Iterable[History]) -> Iterator[History]:
        for history in made:
            yield history
            self.behaviours[history.patient] = dict(history.behaviours)
            self.resources.update(each["resourceType"] for each in history.resources)


def _write(made: Iterable[History], output: Path) -> None:
    """Into one file where its name says NDJSON, else a Bundle a file; one patient in memory at a time."""
    if output.suffix != ".ndjson":
        for history in made:
            write_public(output / f"{history.patient}.json", history.json())
        return
    try:
        with output.open("wb") as lines:
            lines.writelines(history.ndjson() for history in made)
    except OSError as exc:
        raise AdherenceError(f"cannot be written: {exc.strerror}", "file_unwritable", output.name) from exc
