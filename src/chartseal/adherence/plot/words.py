"""What a picture says in words."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

from chartseal.adherence.plot.course import Course, Group

_LONGEST = 32

_REASONS = {
    "date_invalid": "a date is impossible",
    "date_unknown": "a date is unknown",
    "days_supply_invalid": "a days supply is impossible",
    "days_supply_unknown": "a days supply is unknown",
    "no_event_in_window": "no supply in the window",
    "period_not_begun": "the period has not begun",
    "window_empty": "the window is empty",
    "window_outside_calendar": "the window leaves the calendar",
    "window_outside_follow_up": "the window leaves the follow-up",
}


def text(given: str) -> str:
    """A name as it stands in the picture: one line, cut where it is long."""
    line = "".join(each if each.isprintable() else " " for each in given).strip()
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def dose_text(dose: float | None) -> str:
    """A dose a day, of whatever unit the events have."""
    return "" if dose is None else f"{dose:g} a day"


def day_text(day: date) -> str:
    """Such as 3 May 2025."""
    return f"{day.day} {day:%b %Y}"


def percent(part: int, whole: int) -> str:
    """One decimal, cut and not rounded: what is under a threshold does not read as if it reached it."""
    return f"{part * 1000 // whole / 10:.1f} %"


def threshold_text(threshold: Fraction) -> str:
    """Such as 80 %."""
    return f"{float(threshold * 100):g} %"


def left_text(group: Group) -> str:
    """How many gap days are left, or by how many there are too many."""
    left = group.proportion["gap_days_left"]
    days = "day" if abs(left) == 1 else "days"
    return f"{left} gap {days} left" if left >= 0 else f"{-left} gap {days} too many"


def summary(group: Group, threshold: Fraction) -> str:
    """PDC to date, how many gap days are left before it falls under the threshold, and when the supply ends."""
    name, found = text(group.name) or "all supplies", group.proportion
    if group.period is None:
        return f"{name}: no estimate, {_REASONS.get(group.reason or '', group.reason)}"
    covered, days, limit = found["covered_days"], group.period.length, threshold_text(threshold)
    left = f"{left_text(group)} " + (
        f"before it falls under {limit}" if found["gap_days_left"] >= 0 else f"for {limit}"
    )
    end = "" if found["supply_end"] is None else f"; last day of supply {day_text(found['supply_end'] - timedelta(1))}"
    return f"{name}: PDC to date {percent(covered, days)} ({covered} of {days} days), {left}{end}"


def summaries(course: Course) -> list[str]:
    """One line a group, eight at most."""
    lines = [summary(group, course.threshold) for group in course.groups]
    return (
        lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], f"and {len(lines) - _MOST_LINES + 1} more"]
    )


_MOST_LINES = 8
