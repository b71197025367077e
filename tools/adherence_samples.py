"""Make the sample table of supplies and the sample timeline, the same on every machine.

python tools/adherence_samples.py
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow.csv

from chartseal.adherence import Window
from chartseal.adherence.generator import History, histories
from chartseal.adherence.plot import timeline

_REPOSITORY = Path(__file__).resolve().parent.parent

TABLE = _REPOSITORY / "examples/adherence/supplies.csv"
PICTURE = _REPOSITORY / "docs/adherence-timeline.svg"

SEED = 12
_COLUMNS = ("patient", "kind", "date", "end", "days_supply", "daily_dose", "class", "ingredient")


def table() -> str:
    """Six patients as rows: supplies, and stays in hospital as periods. The first is the one of the sample chart."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for history in patients():
        rows.writerows(_rows(history))
    return written.getvalue()


def patients() -> Iterator[History]:
    """The patient of the sample chart, and five who behave as they like."""
    yield from histories(SEED, 1, behaviours=("gaps", "switch", "hospital_stay"), claims=True)
    yield from list(histories(SEED, 6))[1:]


def _rows(history: History) -> Iterator[tuple[object, ...]]:
    if history.stay is not None:
        yield history.patient, "stay", *history.stay, "", "", "", ""
    for each in history.supplies:
        dose = "" if each.daily_dose is None else f"{each.daily_dose:g}"
        days = "" if each.days_supply is None else each.days_supply
        yield history.patient, "supply", each.date, "", days, dose, each.medication_class, each.ingredient


def draw(path: Path) -> None:
    """The sample chart's patient over the year."""
    year = Window.between(date(2025, 1, 1), date(2025, 12, 31))
    events = pyarrow.csv.read_csv(io.BytesIO(table().encode()))
    timeline(events, year, patient=next(patients()).patient, path=path)


if __name__ == "__main__":
    TABLE.write_text(table())
    draw(PICTURE)
