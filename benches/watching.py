"""One new dispensing to refreshed alerts, in a state of 10,000 patients, beside recomputing everybody's.

CPU seconds, the state's file and its transaction included; the middle one of many, each of another patient.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from _figures import Figure, table

from chartseal.adherence.watch import Watch, WatchPolicy

PATIENTS = 10_000
LONG, TIMED = 200, 200
"""Events of a long history, and patients who have one."""
_SHORT = 12
_GOAL_SECONDS = 1e-3
_AS_OF = date(2031, 6, 1)


def history(patient: int, count: int) -> Iterator[dict[str, Any]]:
    """Monthly fills up to a month ago, in time, early and late, one in ten of another ingredient."""
    chance = Random(patient)  # a seed, and no secret
    day = _AS_OF
    for number in reversed(range(count)):
        day -= timedelta(days=chance.choice((24, 28, 30, 30, 31, 33, 38, 75 if number % 9 == 0 else 45)))
        yield fill(patient, number, day, "ab"[chance.random() < 0.1])


def fill(patient: int, number: int, day: date, ingredient: str) -> dict[str, Any]:
    """One dispensing."""
    event = f"MedicationDispense/{patient}-{number}"
    row = {"patient": f"Patient/{patient}", "event": event, "date": day, "days_supply": 30.0, "daily_dose": 20.0}
    return {**row, "class": "statins", "ingredient": ingredient}


def filled(path: Path) -> Watch:
    """The state: the first patients have long histories."""
    watch = Watch(path)
    watch.tick(_AS_OF)
    for start in range(0, PATIENTS, 500):
        patients = range(start, start + 500)
        watch.add(row for each in patients for row in history(each, LONG if each < TIMED else _SHORT))
    return watch


def added(watch: Watch, patients: range) -> float:
    """The middle time of adding one dispensing to each of these patients."""
    times = []
    for patient in patients:
        row = fill(patient, LONG, _AS_OF, "a")
        begun = time.process_time()
        watch.add([row])
        times.append(time.process_time() - begun)
    return statistics.median(times)


def recomputed(path: Path) -> float:
    """Everybody's alerts anew: what another policy makes necessary."""
    with Watch(path, WatchPolicy(late_refill_days=8)) as watch:
        begun = time.process_time()
        watch.tick(_AS_OF)
        return time.process_time() - begun


def figures() -> list[Figure]:
    """Short and long histories, each beside the goal, and all patients at once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "watch.db"
        with filled(path) as watch:
            short, long = added(watch, range(TIMED, 2 * TIMED)), added(watch, range(TIMED))
        everybody = recomputed(path)
    what = "one new dispensing to refreshed alerts, {} events in history"
    return [
        Figure(what.format(_SHORT), short, "the goal, 1 ms", _GOAL_SECONDS, goal=1),
        Figure(what.format(LONG), long, "the goal, 1 ms", _GOAL_SECONDS, goal=1),
        Figure(what.format(_SHORT), short, f"all {PATIENTS:,} patients recomputed", everybody),
    ]


if __name__ == "__main__":
    print(table(figures()))
