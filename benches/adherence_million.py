"""A cohort in Parquet to PDC per patient and class in Parquet, on all cores, and the memory that it takes at most.

The floor is DuckDB reading the same files, gathering and sorting each patient's and class's supplies, and writing them.
Each run is a process of its own; both may hold 1 GB while they sort.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from _adherence import EVENTS, Run, run, write_cohort
from _figures import Figure, table

_PATIENTS = 1_000_000
_MANY = int(os.environ.get("CHARTSEAL_BENCH_PATIENTS", str(10 * _PATIENTS)))
_ROUNDS = 2


def _best(name: str, cohort: Path, result: Path) -> Run:
    return min((run(name, cohort, result) for _ in range(_ROUNDS)), key=lambda each: each.wall)


def figures() -> list[Figure]:
    """Wall seconds from files to written result, and bytes at the peak."""
    with tempfile.TemporaryDirectory() as folder:
        cohort, many, result = Path(folder, "cohort"), Path(folder, "many"), Path(folder, "result.parquet")
        write_cohort(cohort, _PATIENTS)
        ours, floor = (_best(name, cohort, result) for name in ("pdc", "floor"))
        if ours.rows != floor.rows:
            raise RuntimeError("the two do not have the same patients and classes")
        write_cohort(many, _MANY)
        more = run("pdc", many, result)
    what = f"{_PATIENTS:,} patients with {EVENTS} supplies, Parquet to PDC per class in Parquet, wall"
    times = f"memory at {_MANY:,} patients"
    return [
        Figure(what, ours.wall, "DuckDB reads, sorts, lists", floor.wall, goal=3, is_floor=True),
        Figure(
            times,
            more.peak_bytes / 1e6,
            f"ours at {_PATIENTS:,}",
            ours.peak_bytes / 1e6,
            goal=1.5,
            is_floor=True,
            unit="MB",
        ),
    ]


if __name__ == "__main__":
    print(table(figures()))
