"""Rows of supplies beside AdhereR's `event.info`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.vectors.adherer.arguments import ResultNames
from tests.vectors.adherer.expected import Case, of_group, same_date, same_flag, same_number

ROW_NUMBERS = ("ROW", "..ORIGINAL.ROW.ORDER..")
STEPS_OF_THE_COMPUTATION = (".TDIFF1", ".TDIFF2")
"""AdhereR's own: from a supply's end to the window's start, and to the next supply in follow-up, window or not."""

COMPARED = (
    ".CARRY.OVER.FROM.BEFORE",
    ".FU.START.DATE",
    ".FU.END.DATE",
    ".OBS.START.DATE",
    ".OBS.END.DATE",
    ".OBS.WITHIN.FU",
    ".EVENT.STARTS.BEFORE.OBS.WINDOW",
    ".EVENT.STARTS.AFTER.OBS.WINDOW",
    ".EVENT.WITHIN.FU.WINDOW",
)


def by_event(case: Case, rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """Rows by the number of the event in the input, and by its group."""
    column = next(name for name in ROW_NUMBERS if name in rows[0])
    return {of_group(row[column], row[case.patient].partition("/")[2]): row for row in rows}


@dataclass(frozen=True)
class RowCheck:
    """Compares one supply; AdhereR hides intervals of supplies before the window unless `all_intervals`."""

    names: ResultNames
    all_intervals: bool

    def left_over(self, theirs: dict[str, str]) -> set[str]:
        """Columns of AdhereR's own (they begin with a dot) that nothing here compares."""
        return {name for name in theirs if name.startswith(".")} - {*COMPARED, *STEPS_OF_THE_COMPUTATION, *ROW_NUMBERS}

    def __call__(self, ours: dict[str, Any], theirs: dict[str, str]) -> bool:
        """Whether all that has a meaning of ours is the same."""
        day, start, end = ours["date"], ours["window_start"], ours["window_end"]
        hidden = day < start and not self.all_intervals
        followed = ours["follow_up_start"] <= day <= ours["follow_up_end"]
        within = ours["follow_up_start"] <= start and end <= ours["follow_up_end"]
        return all(
            (
                same_number(None if hidden else ours["interval_days"], theirs[self.names.interval]),
                same_number(ours["gap_days"], theirs[self.names.gap]),
                same_number(ours["carried_over"], theirs[".CARRY.OVER.FROM.BEFORE"]),
                same_date(ours["follow_up_start"], theirs[".FU.START.DATE"]),
                same_date(ours["follow_up_end"], theirs[".FU.END.DATE"]),
                same_date(start, theirs[".OBS.START.DATE"]),
                same_date(end, theirs[".OBS.END.DATE"]),
                same_flag(within, theirs[".OBS.WITHIN.FU"]),
                same_flag(day < start, theirs[".EVENT.STARTS.BEFORE.OBS.WINDOW"]),
                same_flag(day > end, theirs[".EVENT.STARTS.AFTER.OBS.WINDOW"]),
                same_flag(followed, theirs[".EVENT.WITHIN.FU.WINDOW"]),
            )
        )
