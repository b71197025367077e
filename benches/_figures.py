"""What a bench finds: one figure a row, ours beside a peer's, in CPU seconds of everything that works on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_ROUNDS = 5


@dataclass(frozen=True)
class Figure:
    """One row. `ours` and `theirs` are CPU seconds for one of `what`, or what `unit` says.

    `goal` is how many times cheaper than the peer we mean to be; a floor (`is_floor`) is work that nobody can avoid,
    and its ratio is how many times dearer we are.
    """

    what: str
    ours: float
    peer: str = ""
    theirs: float | None = None
    goal: float | None = None
    is_floor: bool = False
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        """How many times cheaper than the peer, or dearer than the floor."""
        if self.theirs is None:
            return None
        return self.ours / self.theirs if self.is_floor else self.theirs / self.ours


def cpu_seconds(run: Callable[[], object], times: int) -> float:
    """CPU seconds of one call, all threads of this process counted.

    The best of five means, since other work on the machine only ever adds.
    """
    run()
    best = float("inf")
    for _ in range(_ROUNDS):
        begun = time.process_time()
        for _ in range(max(1, times // _ROUNDS)):
            run()
        best = min(best, (time.process_time() - begun) / max(1, times // _ROUNDS))
    return best


def shown(amount: float, unit: str) -> str:
    """An amount in the unit that keeps it readable."""
    if unit != "s":
        return f"{amount:,.0f} {unit}"
    for size, name in ((1, "s"), (1e-3, "ms")):
        if amount >= size:
            return f"{amount / size:,.2f} {name}"
    return f"{amount * 1e6:,.1f} µs"


def table(figures: list[Figure]) -> str:
    """Markdown, one row a figure."""
    rows = ["| What | Ours | Peer | Its figure | Ratio | Goal |", "|---|---:|---|---:|---:|---:|"]
    for figure in figures:
        theirs = "" if figure.theirs is None else shown(figure.theirs, figure.unit)
        ratio = "" if figure.ratio is None else f"{figure.ratio:,.1f}x{' the floor' if figure.is_floor else ''}"
        goal = "" if figure.goal is None else f"{'≤' if figure.is_floor else '≥'} {figure.goal:g}x"
        rows.append(
            f"| {figure.what} | {shown(figure.ours, figure.unit)} | {figure.peer} | {theirs} | {ratio} | {goal} |"
        )
    return "\n".join(rows)
