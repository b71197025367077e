"""AdhereR's arguments as ours: each is taken once, and one that nobody takes is an error.

    arguments = Arguments(parameters["args"], table)
    window = arguments.window()
    same = arguments.flag("carry.only.for.same.medication", default=False)
    arguments.done()

Source: the reference manual of AdhereR 0.8.1.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import pyarrow as pa

from chartseal.adherence import Column, Columns, Span, Window
from chartseal.adherence.windows import Unit
from tests.vectors.adherer.medication_groups import groups_of

Value: TypeAlias = Any

WITHOUT_INFLUENCE = {
    "arguments.that.should.not.be.defined",
    "keep.window.start.end.dates",
    "parallel.backend",
    "parallel.threads",
    "return.data.table",
    "summary",
    "suppress.special.argument.checks",
    "suppress.warnings",
}
"""They say how to compute, what to warn of and what to print, never what comes out."""

UNITS = ("days", "weeks", "months", "years")
MISSING = (None, "NA", "")


class UnknownArgumentError(Exception):
    """An argument, or a value of one, that we cannot map."""


@dataclass(frozen=True)
class Input:
    """AdhereR's table: texts as they stand in the file."""

    names: list[str]
    rows: list[dict[str, str | None]]

    @classmethod
    def read(cls, path: Path) -> Input:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = [{name: None if text in MISSING else text for name, text in row.items()} for row in reader]
            return cls(list(reader.fieldnames or ()), rows)


class Arguments:
    """One parameter set over one table; `take` and what stands on it mark an argument as mapped."""

    def __init__(self, args: Mapping[str, Value], table: Input) -> None:
        self._left = {name: value for name, value in args.items() if name not in WITHOUT_INFLUENCE}
        self._table = table
        self._windows: dict[str, str] = {}
        self.patient = self._column("ID.colname", required=True)
        self.date = self._column("event.date.colname", required=True)
        self.duration = self._column("event.duration.colname", required=True)
        self.dose = self._column("event.daily.dose.colname")
        self.medication = self._column("medication.class.colname")
        self.date_format = str(self.take("date.format", "%m/%d/%Y"))
        self._groups: str | Mapping[str, str] | None = None

    def take(self, name: str, default: Value) -> Value:
        """The value, and the argument is mapped."""
        return self._left.pop(name, default)

    def flag(self, name: str, *, default: bool) -> bool:
        """A logical; NA is the default."""
        value = self.take(name, default)
        if value in MISSING:
            return default
        if not isinstance(value, bool):
            raise UnknownArgumentError(f"{name}: not a logical")
        return value

    def fixed(self, name: str, value: bool) -> None:
        """A logical that the function fixes: saying otherwise is an error."""
        if self.flag(name, default=value) != value:
            raise UnknownArgumentError(f"{name}: fixed by the function")

    def whole(self, name: str, default: int) -> int:
        """A whole number."""
        return _whole(name, self.take(name, default))

    def unit(self, name: str, default: Unit = "days") -> Unit:
        """A unit of time."""
        return _unit(name, self.take(name, default))

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of some words."""
        value = self.take(name, default)
        if value not in choices:
            raise UnknownArgumentError(f"{name}: none of {', '.join(choices)}")
        return str(value)

    def window(self) -> Window:
        """Follow-up and observation window."""
        per_group = self.flag("followup.window.start.per.medication.group", default=False)
        return Window(
            self._start("followup.window"),
            self._length("followup.window"),
            self._start("observation.window"),
            self._length("observation.window"),
            per_group=per_group,
        )

    def medication_groups(self) -> None:
        """A column that names groups, or named expressions; `events` and `columns` then have them."""
        groups = self.take("medication.groups", None)
        self.flag("flatten.medication.groups", default=False)  # says in which form they come out
        self.take("medication.groups.colname", None)  # `Case.rows` reads it
        if isinstance(groups, Mapping) and all(isinstance(text, str) for text in groups.values()):
            self._groups = dict(groups)
        elif groups not in MISSING and groups not in self._table.names:
            raise UnknownArgumentError("medication.groups: neither a column nor named expressions")
        else:
            self._groups = None if groups in MISSING else str(groups)

    def done(self) -> None:
        """Raise for each argument that was not taken."""
        if self._left:
            raise UnknownArgumentError(f"not mapped: {', '.join(sorted(self._left))}")

    def columns(self, group: str | None = None) -> Columns:
        """What `events` calls its columns."""
        return Columns(
            patient=self.patient or "",
            date=self.date or "",
            days_supply=self.duration or "",
            daily_dose=self.dose or "no dose",
            medication_class=self.medication or "no class",
            group=group or self._group_column(),
            ingredient="no ingredient",
            kind="no kind",
            end="no end",
        )

    def events(self) -> pa.Table:
        """The table with typed columns, and `event`: the number of the row, from 1."""
        columns: dict[str, pa.Array[Any]] = {name: self._text(name) for name in self._table.names}
        columns[self.date or ""] = self._dates(self.date or "")
        for name in (self.duration, self.dose):
            if name is not None:
                columns[name] = pa.array([_number(row[name]) for row in self._table.rows], pa.float64())
        for name in self._windows:
            columns[name] = self._days_or_dates(name)
        columns["event"] = pa.array([str(place) for place in range(1, len(self._table.rows) + 1)], pa.string())
        table = pa.table(columns)
        return groups_of(table, self._groups) if isinstance(self._groups, Mapping) else table

    def _group_column(self) -> str:
        if isinstance(self._groups, Mapping):
            return "group"
        return self._groups or "no group"

    def require_column(self, name: str, value: str) -> None:
        """Refuse what is not a column of the table."""
        if value not in self._table.names:
            raise UnknownArgumentError(f"{name}: no such column")

    def _column(self, name: str, *, required: bool = False) -> str | None:
        value = self.take(name, None)
        if value in MISSING and not required:
            return None
        if value not in self._table.names:
            raise UnknownArgumentError(f"{name}: no such column")
        return str(value)

    def _start(self, window: str) -> Span | date | Column:
        name = f"{window}.start"
        value, unit = self.take(name, 0), self.unit(f"{name}.unit")
        if isinstance(value, Mapping) and set(value) == {"date"}:
            return date.fromisoformat(value["date"])
        return self._span_or_column(name, value, unit)

    def _length(self, window: str) -> Span | Column:
        name = f"{window}.duration"
        value, unit = self.take(name, 730), self.unit(f"{name}.unit")
        return self._span_or_column(name, value, unit)

    def _span_or_column(self, name: str, value: Value, unit: Unit) -> Span | Column:
        if isinstance(value, str):
            if value not in self._table.names:
                raise UnknownArgumentError(f"{name}: no such column")
            self._windows[value] = name
            return Column(value, unit)
        return Span(_whole(name, value), unit)

    def _text(self, name: str) -> pa.Array[Any]:
        return pa.array([row[name] for row in self._table.rows], pa.string())

    def _dates(self, name: str) -> pa.Array[Any]:
        return pa.array([_date(row[name], self.date_format) for row in self._table.rows], pa.date32())

    def _days_or_dates(self, name: str) -> pa.Array[Any]:
        """Windows' columns hold dates of the events' format, or numbers."""
        try:
            return self._dates(name)
        except ValueError:
            numbers = [_number(row[name]) for row in self._table.rows]
            return pa.array([None if each is None else _whole(name, each) for each in numbers], pa.int32())


@dataclass(frozen=True)
class Rules:
    """How supplies are carried over."""

    carry_only_for_same_medication: bool
    consider_dosage_change: bool


def carry_rules(arguments: Arguments, *, default: bool = False) -> Rules:
    """The two flags that all functions share; treatment episodes have them on by default."""
    return Rules(
        arguments.flag("carry.only.for.same.medication", default=default),
        arguments.flag("consider.dosage.change", default=default),
    )


@dataclass(frozen=True)
class ResultNames:
    """What the result calls its columns, where a caller may choose."""

    interval: str
    gap: str


def result_names(arguments: Arguments) -> ResultNames:
    """Names of the columns of intervals and gaps."""
    return ResultNames(
        str(arguments.take("event.interval.colname", "event.interval")),
        str(arguments.take("gap.days.colname", "gap.days")),
    )


CmaName: TypeAlias = Literal["CMA0", "CMA1", "CMA2", "CMA3", "CMA4", "CMA5", "CMA6", "CMA7", "CMA8", "CMA9"]


def cma_name(name: str) -> CmaName:
    """AdhereR's name of a CMA is ours."""
    if name not in {f"CMA{number}" for number in range(10)}:
        raise UnknownArgumentError(f"{name}: no such CMA")
    return cast(CmaName, name)


def _whole(name: str, value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise UnknownArgumentError(f"{name}: not a whole number")
    return int(value)


def _unit(name: str, value: Value) -> Unit:
    if value not in UNITS:
        raise UnknownArgumentError(f"{name}: no such unit")
    return cast(Unit, value)


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _date(text: str | None, date_format: str) -> date | None:
    return None if text is None else datetime.strptime(text, date_format).date()
