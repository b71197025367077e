"""The days to measure: from dates, lengths of time and what the events know, as windows; cut where a patient died."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import click
import pyarrow as pa

from chartseal.adherence import Column, Span, Window
from chartseal.adherence.tables import EventTable
from chartseal.cli.adherence_events import Gathered


@dataclass(frozen=True)
class Days:
    """What the options say; what they do not is None."""

    first: date | Span | Column | None = None
    last: date | None = None
    days: int | None = None
    follow_up_from: date | Span | Column | None = None
    follow_up: Span | None = None
    per_group: bool = False

    def __post_init__(self) -> None:
        if self.days is not None and self.last is not None:
            raise click.UsageError("--days counts from --from, or from each patient's first supply: leave --to out")
        relative = isinstance(self.first, Span | Column) or self.follow_up_from is not None
        if relative and self.follow_up is None:
            raise click.UsageError("--follow-up-from, and --from that is no date, need --follow-up: how long it lasts")
        counts = self.follow_up is not None or (self.days is not None and self.first is None)
        if self.per_group and not counts:
            raise click.UsageError("--per-group is of days that count from a first supply: --days, or --follow-up")
        if isinstance(self.first, date) and self.last is not None and self.last < self.first:
            raise click.UsageError("--to is before --from")

    def columns(self) -> tuple[str, ...]:
        """Columns that tell a patient's days."""
        return tuple(each.name for each in (self.first, self.follow_up_from) if isinstance(each, Column))


def window_of(gathered: Gathered, days: Days) -> Window:
    """The days to measure: from `first` to `last`, both counted, or so many; else all that is known.

    Follow-up is from the earliest event on, or so long as is said.

    Raises:
        click.UsageError: the end is before the first supply, or the days cannot be told.
    """
    if days.columns() and gathered.fhir is not None:
        raise click.UsageError("column:NAME is for tables: FHIR has no such columns")
    if days.follow_up is not None:
        length = _length(days)
        start = days.follow_up_from or Span(0)
        return Window(start, days.follow_up, days.first or Span(0), length, per_group=days.per_group)
    first = days.first if isinstance(days.first, date) else None
    if days.days is not None:
        if first is None:
            return Window(Span(0), Span(days.days), Span(0), Span(days.days), per_group=days.per_group)
        return Window.between(first, first + timedelta(days=days.days - 1))
    return _known(gathered, first, days.last)


def _length(days: Days) -> Span:
    """Of an observation window in a follow-up whose length is said."""
    if days.days is not None:
        return Span(days.days)
    if isinstance(days.first, date) and days.last is not None:
        return Span((days.last - days.first).days + 1)
    if days.first is None and days.last is None and days.follow_up is not None:
        return days.follow_up
    raise click.UsageError("say how long to measure: --days, or --from and --to as dates")


def _known(gathered: Gathered, first: date | None, last: date | None) -> Window:
    known = gathered.days() if first is None or last is None else (first, last)
    first, last = first or known[0], last or known[1]
    if first is None or last is None:
        return Window()  # nothing is supplied
    if last < first:
        raise click.UsageError("--to is before --from, or before the first supply")
    return Window.between(first, last)


def until_death(gathered: Gathered, window: Window) -> tuple[EventTable, Window]:
    """Events and a window whose last day, for who died in it, is the day of death: nobody is to take what is left.

    Of FHIR alone; a table of rows says nothing of death but by its own window columns.

    Raises:
        click.UsageError: the days count from each group's first supply: one length does not cut them all at death.
    """
    if gathered.fhir is None:
        return gathered.events, window
    events, starts, deaths = gathered.events, dict[str, date](), dict[str, date]()
    for patient, day, kind in zip(*(events[name].to_pylist() for name in ("patient", "date", "kind")), strict=True):
        if day is not None and kind in ("supply", "died"):
            known = deaths if kind == "died" else starts
            known[patient] = min(day, known.get(patient, day))
    if not deaths:
        return events, window
    if window.per_group and isinstance(window.follow_up_start, Span):
        raise click.UsageError("--per-group: some patients have died, which would cut each group's days otherwise")
    lengths = {each: _days_left(window, first, deaths.get(each)) for each, first in starts.items()}
    for at, name in enumerate(("follow_up_days", "observation_days")):
        column = [lengths.get(each, (None, None))[at] for each in events["patient"].to_pylist()]
        events = events.append_column(name, pa.array(column, pa.int32()))
    follow_up, observed = Column("follow_up_days"), Column("observation_days")
    return events, replace(window, follow_up_length=follow_up, observation_length=observed)


def _days_left(window: Window, first_supply: date, death: date | None) -> tuple[int | None, int | None]:
    """Days of follow-up and of observation up to death; None past the calendar's end, which no window reaches."""
    follow_up_start = _day(window.follow_up_start, first_supply)
    observation_start = None if follow_up_start is None else _day(window.observation_start, follow_up_start)
    return (
        _days(follow_up_start, window.follow_up_length, death),
        _days(observation_start, window.observation_length, death),
    )


def _day(start: Span | date | Column, origin: date) -> date | None:
    if isinstance(start, Column):
        raise TypeError("a patient's own days are of tables")
    return start.after(origin) if isinstance(start, Span) else start


def _days(start: date | None, length: Span | Column, death: date | None) -> int | None:
    end = length.after(start) if isinstance(length, Span) and start is not None else None
    if start is None or end is None:
        return None
    if death is not None and death < end:  # so that there is a day after it
        end = death + timedelta(days=1)
    return max(0, (end - start).days)
