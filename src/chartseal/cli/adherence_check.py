"""`chartseal adherence check`: recompute sealed reports from the dispensings shown beside them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from chartseal.adherence.fhir import ClassTable
from chartseal.adherence.recomputing import Recomputed, recompute
from chartseal.adherence.shown import LARGEST_BUNDLE
from chartseal.cli.files import opened
from chartseal.errors import ReportDiffersError


@click.command("check")
@click.argument("facts")
@click.option("--classes", type=click.Path(path_type=Path), help="Which codes are of which class (CSV).")
@click.option("--class", "medication_class", metavar="NAME", help="The class, as the table names it; else by its code.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(facts: str, classes: Path | None, medication_class: str | None, as_json: bool) -> None:
    """Recompute the reports of FACTS, a Bundle as `chartseal verify -o` writes it (- for standard input).

    Ends with status 1 and says which numbers differ where a report is not what its dispensings give. It checks no
    seal: that is what `chartseal verify` did when it wrote the file, and says no more of a file that was changed since.
    """
    with opened(facts) as stream:
        text = stream.read(LARGEST_BUNDLE + 1)
    table = ClassTable.read(classes) if classes else None
    try:
        checked = recompute(text, table, medication_class)
    except ReportDiffersError as exc:
        if not as_json:
            for code, (stated, found) in exc.differences.items():
                click.echo(f"{code}: stated {stated}, recomputed {found}", err=True)
        raise
    if as_json:
        click.echo(json.dumps({"reports": [_to_json(each) for each in checked]}))
        return
    for each in checked:
        click.echo(_line(each))


def _to_json(checked: Recomputed) -> dict[str, object]:
    made = checked.report
    return {
        "pdc": float(made.pdc),
        "coveredDays": made.covered_days,
        "periodDays": made.period_days,
        "class": made.medication_class.to_fhir(),
        "start": made.start.isoformat(),
        "end": made.end.isoformat(),
        "dispensings": checked.dispensings,
        "sealedBy": checked.issuer or None,
        "notChecked": list(checked.not_checked),
    }


def _line(checked: Recomputed) -> str:
    made = checked.report
    unsaid = f"; not checked: {', '.join(checked.not_checked)}" if checked.not_checked else ""
    seal = f"sealed by {checked.issuer}, says the file" if checked.issuer else "no seal stands in the file"
    return (
        f"PDC {made.pdc} ({made.covered_days} of {made.period_days} days, {made.start} to {made.end}, "
        f"{made.medication_class.system}|{made.medication_class.code}) follows from its {checked.dispensings} "
        f"dispensings; {seal}{unsaid}"
    )
