"""What every measure's command is given: events, days, what is measured apart, and where the answer goes.

@click.command("episodes")
@carry_options
@measure_options
def command(asked: Asked, **carry: bool) -> None:
    events, window = until_death(asked.gathered, asked.window())
    asked.tell("episodes", episodes(events, window, columns=asked.columns, **carry), window)
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

import click
import pyarrow as pa

from chartseal.adherence import Columns, Window
from chartseal.adherence.groups import grouped
from chartseal.cli.adherence_days import Days, window_of
from chartseal.cli.adherence_events import ColumnNames, Gathered, gather
from chartseal.cli.adherence_notes import notes_of
from chartseal.cli.adherence_rows import Measured, print_json, print_rows
from chartseal.cli.adherence_spans import Length, OneDay, Start
from chartseal.cli.adherence_written import WRITTEN, write_table
from chartseal.errors import AdherenceError

_LARGEST_GROUPS = 1 << 20
CMAS = tuple(f"cma{number}" for number in range(1, 10))

_CODED = "each code is measured apart, so that another strength is another class: --classes says which go together"
_ENDS = "days end with the last that the events name: --to says up to when they are complete"

_Command: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Asked:
    """What the shared options say, read."""

    gathered: Gathered
    columns: Columns
    """With what is measured apart as the group."""
    days: Days
    in_groups: bool
    """Events have groups that --groups says."""
    output: str | None
    as_json: bool

    def window(self) -> Window:
        """The days to measure.

        Raises:
            click.UsageError: as `window_of`.
        """
        return window_of(self.gathered, self.days)

    def hints(self) -> list[str]:
        """What was left to us that changes numbers, and could be asked for."""
        kinds, names = {"supply"}, list[str | None]()
        if self.gathered.fhir is not None:
            events = self.gathered.fhir.events
            kinds, names = set(events["kind"].to_pylist()), events["class"].unique().to_pylist()
        if "supply" not in kinds:
            asked = "prescriptions are no supplies: --supplies prescribed measures what was prescribed"
            return [asked] if "prescribed" in kinds else []
        coded = self.columns.group == self.columns.medication_class and any("|" in name for name in names if name)
        ends = self.days.last is None and self.days.days is None and self.days.follow_up is None
        return [*([_CODED] if coded else []), *([_ENDS] if ends else [])]

    def tell(self, measure: str, result: pa.Table, window: Window | None = None, *, shown: Sequence[str] = ()) -> None:
        """Write the rows where a file is named, and print them: all columns, or for people those `shown`."""
        if self.output is not None:
            write_table(self.output, result)
        notes = notes_of(self.gathered, self.columns)
        hints = self.hints() if window is not None else ()
        found = Measured(result, measure, window, notes, self.gathered.fhir, hints)
        print_json(found) if self.as_json else print_rows(found, shown)


def _applied(options: Sequence[Callable[[_Command], _Command]], command: _Command) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command


_GROUPS = (
    click.option("--groups", type=click.Path(), help="TOML of name = 'condition': groups of supplies, measured apart."),
    click.option("--others", help="Name a group of the supplies that are in none of --groups; else they are left out."),
)
_EVENTS = (
    click.argument("paths", nargs=-1, required=True),
    click.option("--classes", type=click.Path(), help="CSV of system, code, class, ingredient: which codes mean what."),
    click.option("--columns", type=ColumnNames(), help="A table's own names: patient=PATIENT_ID,date=DATE,…"),
    click.option("--date-format", default="%Y-%m-%d", show_default=True, help="Of dates in CSV and JSON rows."),
    *_GROUPS,
    click.option("--patient", help="This patient alone: an id, or a reference."),
)
_SUPPLIES = click.option(
    "--supplies",
    type=click.Choice(("dispensed", "prescribed", "either")),
    default="dispensed",
    show_default=True,
    help="What counts in FHIR: either takes prescriptions that no dispense fills, too.",
)
_BY = click.option(
    "--by",
    type=click.Choice(("class", "patient", "group")),
    help="What is measured apart.  [default: a table's groups, else each class]",
)
_DAYS = (
    click.option("--from", "first", type=Start(), help="First day, or 180d after follow-up begins; else first supply."),
    click.option("--to", "last", type=OneDay(), help="Last day, counted; left out, the last that the events know."),
    click.option("--days", type=click.IntRange(1, 36_500), help="So many days from --from, or from each first supply."),
    click.option(
        "--follow-up-from",
        type=Start(),
        help="When supplies begin to count: a date, 90d after the first supply, or column:NAME. [the earliest]",
    ),
    click.option("--per-group", is_flag=True, help="Count from the first supply of each class or group, not patient."),
    click.option("--follow-up", type=Length(least=1), help="How long supplies count, as 2y. [up to the last day]"),
)
_ANSWER = (
    click.option("-o", "--output", type=click.Path(), help="Write all rows: FILE.csv, .parquet or .json."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
)


def measure_options(command: _Command) -> _Command:
    """Add options of events, days and answer; the command gets `asked`."""
    return _asking(command, (*_EVENTS, _SUPPLIES, _BY, *_DAYS, *_ANSWER))


def table_options(command: _Command) -> _Command:
    """Add options of events and answer alone, of what has no window and takes medications as they are."""
    return _asking(command, (*_EVENTS, *_ANSWER))


def patients_options(command: _Command) -> _Command:
    """Add options of events and answer, of what is of a patient and not of groups."""
    return _asking(command, (*(each for each in _EVENTS if each not in _GROUPS), *_ANSWER))


def _asking(command: _Command, options: Sequence[Callable[[_Command], _Command]]) -> _Command:
    @functools.wraps(command)
    def asking(
        paths: tuple[str, ...],
        classes: str | None,
        columns: Columns | None,
        date_format: str,
        patient: str | None,
        output: str | None,
        as_json: bool,
        groups: str | None = None,
        others: str | None = None,
        **given: Any,
    ) -> None:
        require_suffix(output, WRITTEN, "-o")
        if groups is not None and given.get("by") not in (None, "group"):
            raise click.UsageError("--groups measures by group: a supply in two of them would count twice otherwise")
        if others is not None and groups is None:
            raise click.UsageError("--others are of --groups")
        days = Days(**{each.name: given.pop(each.name) for each in fields(Days) if each.name in given})
        apart, supplies = given.pop("by", "as they are"), given.pop("supplies", "dispensed")
        gathered = gather(paths, classes=classes, columns=columns, date_format=date_format, supplies=supplies)
        gathered = gathered.of_patient(patient) if patient is not None else gathered
        gathered = _in_groups(gathered, groups, others) if groups is not None else gathered
        names = gathered.columns if apart == "as they are" else gathered.apart(apart)
        command(asked=Asked(gathered, names, days, groups is not None, output, as_json), **given)

    return _applied(options, asking)


def cma_option(command: _Command) -> _Command:
    """Add `--cma`; the command gets `cma`, as CMA7."""

    @functools.wraps(command)
    def with_name(cma: str, **given: Any) -> None:
        command(cma=cma.upper(), **given)

    option = click.option("--cma", type=click.Choice(CMAS), default="cma7", show_default=True, help="Which CMA.")
    return option(with_name)


def period_option(command: _Command) -> _Command:
    """Add `--period`; the command gets `period` as `pdc` names it."""

    @functools.wraps(command)
    def with_period(period: str, **given: Any) -> None:
        command(period="from_first_fill" if period == "first-fill" else "window", **given)

    option = click.option(
        "--period",
        type=click.Choice(("first-fill", "window")),
        default="first-fill",
        show_default=True,
        help="What PDC covers: from the first fill on, or the whole window.",
    )
    return option(with_period)


def shift_option(command: _Command) -> _Command:
    """Add `--shift`; the command gets `shift` as `pdc` names it."""
    option = click.option(
        "--shift",
        type=click.Choice(("ingredient", "class", "none")),
        default="ingredient",
        show_default=True,
        help="Supplies that overlap are shifted forward of one ingredient, of one class, or not at all.",
    )
    return option(command)


def carry_options(command: _Command) -> _Command:
    """Add how days left of a supply are carried over; the command gets both as the measures name them."""
    options = (
        click.option(
            "--carry-only-for-same-medication", is_flag=True, help="Carry nothing over to a supply of another class."
        ),
        click.option("--consider-dosage-change", is_flag=True, help="Count days carried over at the next dose."),
    )
    return _applied(options, command)


def require_suffix(path: str | None, known: tuple[str, ...], option: str) -> None:
    """Refuse a file whose name says none of the forms."""
    if path is not None and Path(path).suffix.lower() not in known:
        raise click.UsageError(f"{option} takes a file ending in {', '.join(known)}")


def _in_groups(gathered: Gathered, path: str, others: str | None) -> Gathered:
    """The events with a column `group`, one row for each group that an event is in.

    Raises:
        AdherenceError: `groups_unreadable`, and what `grouped` raises.
    """
    events = grouped(gathered.events, _groups_of(path), others=others, columns=gathered.columns)
    return replace(gathered, events=events, columns=replace(gathered.columns, group="group"))


def _groups_of(path: str) -> dict[str, str]:
    """Filters by the names of groups.

    Raises:
        AdherenceError: `groups_unreadable`.
    """
    try:
        with open(path, "rb") as stream:
            text = stream.read(_LARGEST_GROUPS + 1)
        conditions = tomllib.loads(text.decode())
    except (OSError, ValueError) as exc:
        raise AdherenceError("the groups cannot be read", "groups_unreadable", Path(path).name) from exc
    if len(text) > _LARGEST_GROUPS or not all(isinstance(each, str) for each in conditions.values()):
        raise AdherenceError("not lines of name = 'condition'", "groups_unreadable", Path(path).name)
    return conditions
