"""CMA9 and PDC in plain Python, by intervals: what one would write without a kernel, as benches' peer."""

from __future__ import annotations

from collections.abc import Sequence

Supplies = Sequence[tuple[int, float]]
"""Day and days of supply, by day."""


def cma9(supplies: Supplies, follow_up_end: int, start: int, end: int) -> float:
    """Days of `start` to `end`, each weighted by how much of its interval is supplied, by those days."""
    carried = weighted = 0.0
    for at, (day, days) in enumerate(supplies):
        until = supplies[at + 1][0] if at + 1 < len(supplies) else follow_up_end
        interval, supply = until - day, days + carried
        carried = max(0.0, supply - interval)
        within = min(until, end) - max(day, start)
        if within > 0:
            weighted += within * min(1.0, supply / interval)
    return weighted / (end - start)


def pdc(supplies: Supplies, start: int, end: int) -> float:
    """Days of `start` to `end` that a supply covers, each begun when the last one ends, by those days."""
    covered, free = 0, start
    for day, days in supplies:
        begins = max(day, free)
        free = begins + max(1, int(days))
        covered += max(0, min(free, end) - max(begins, start))
    return covered / (end - start)
