"""CMA9 over a Spark DataFrame with one and with two tasks at a time, one kernel thread a task; start-up is not counted.

Each is a local Spark of its own, in a process of its own, that measures the cohort once before it is timed. The figure
is wall time; both halves of the machine's work, the JVM's and the Python workers', are in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _adherence import EVENTS, write_cohort
from _figures import Figure, table

_PATIENTS = 400_000
_PARTITIONS = 8
_ROUNDS = 3


def seconds(workers: int, cohort: Path) -> float:
    """Wall seconds in a process of its own."""
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    command = [sys.executable, __file__, str(workers), str(cohort)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return float(done.stdout.splitlines()[-1])


def _timed(workers: int, cohort: str) -> float:
    from pyspark.sql import SparkSession

    from chartseal.adherence import Window
    from chartseal.adherence.spark import spark_measure

    flags = {"carry_only_for_same_medication": False, "consider_dosage_change": False}
    spark = (
        SparkSession.builder.master(f"local[{workers}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", str(_PARTITIONS))
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "200000")
        .getOrCreate()
    )
    measured = spark_measure("cma", spark.read.parquet(cohort), {"window": Window().to_json(), "cma": "CMA9", **flags})
    taken = []
    for _ in range(1 + _ROUNDS):  # the first warms the machine up
        begun = time.perf_counter()
        measured.write.format("noop").mode("overwrite").save()
        taken.append(time.perf_counter() - begun)
    spark.stop()
    return min(taken[1:])


def figures() -> list[Figure]:
    """Wall seconds of two tasks at a time beside one."""
    with tempfile.TemporaryDirectory() as folder:
        cohort = Path(folder, "cohort")
        write_cohort(cohort, _PATIENTS)
        one, two = (seconds(workers, cohort) for workers in (1, 2))
    what = f"Spark, CMA9 of {_PATIENTS:,} patients with {EVENTS} supplies, two tasks at a time, wall"
    return [Figure(what, two, "one at a time", one, goal=1.5)]


if __name__ == "__main__":
    print(_timed(int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 1 else table(figures()))
