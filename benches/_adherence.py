"""What benches of adherence share: a cohort in Parquet, and runs in a process of their own.

python benches/_adherence.py NAME COHORT RESULT    one run; prints what it took as JSON
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

EVENTS = 12
"""Supplies of a patient."""

MEMORY = "1GB"
"""What sorting may hold, ours and the floor's, at any number of patients."""

_PATIENTS_AT_ONCE = 1_000_000


def write_cohort(path: Path, patients: int) -> None:
    """`patients` with 12 supplies each of three classes, in no order; a folder of Parquet files of a million patients.

    Plain enough for a bench: a supply of 30 days about every 30, its day and class by a hash.
    """
    path.mkdir()
    with duckdb.connect() as connection:
        for start in range(0, patients, _PATIENTS_AT_ONCE):
            end = min(patients, start + _PATIENTS_AT_ONCE)
            connection.execute(
                f"""COPY (
                    SELECT patient, DATE '2031-01-01' + (k * 28 + hash(patient, k) % 25)::INTEGER AS date,
                        30.0::DOUBLE AS days_supply, 'class ' || hash(k, patient) % 3 AS class
                    FROM range({start}, {end}) p(patient), range({EVENTS}) q(k) ORDER BY hash(patient, k, 6)
                ) TO '{path}/{start}.parquet'"""
            )


@dataclass(frozen=True)
class Run:
    """What a run took: seconds of wall time from reading to the written result, and of memory at its peak."""

    wall: float
    peak_bytes: int
    rows: int


def run(name: str, cohort: Path, result: Path) -> Run:
    """`name` in a process of its own; starting it is not counted.

    Raises:
        CalledProcessError: it failed.
    """
    command = [sys.executable, __file__, name, str(cohort), str(result)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Run(**json.loads(done.stdout))


def _pdc(cohort: Path, result: Path) -> int:
    from chartseal.adherence import Columns, Window
    from chartseal.adherence.kernel import stream, write_parquet
    from chartseal.adherence.tables import Limits

    with Limits(MEMORY, result.parent).connect() as connection:
        events = connection.read_parquet(f"{cohort}/*.parquet")
        settings = {"window": Window().to_json()}
        return write_parquet(stream("pdc", events, settings, columns=Columns(group="class")), result)


def _floor(cohort: Path, result: Path) -> int:
    config: dict[str, Any] = {"memory_limit": MEMORY, "temp_directory": str(result.parent)}
    with duckdb.connect(config=config) as connection:
        connection.execute(
            f"""COPY (
                SELECT patient, class, list(date ORDER BY date), list(days_supply ORDER BY date)
                FROM '{cohort}/*.parquet' GROUP BY ALL
            ) TO '{result}' (FORMAT parquet, COMPRESSION zstd)"""
        )
        counted = connection.execute(f"SELECT count(*) FROM '{result}'").fetchone()
        assert counted is not None
        return int(counted[0])


_RUNS: dict[str, Callable[[Path, Path], int]] = {"pdc": _pdc, "floor": _floor}


def main(name: str, cohort: str, result: str) -> None:
    """One run, told as JSON."""
    measured = _RUNS[name]
    if name == "pdc":
        pass
    os.environ.setdefault("TZ", "UTC")
    begun = time.perf_counter()
    rows = measured(Path(cohort), Path(result))
    wall = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"wall": wall, "peak_bytes": peak, "rows": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:])
