"""CMA9 and PDC of patients with 12 supplies each, in CPU seconds a patient: the kernel beside plain Python, and beside
what AdhereR 0.8.1 was measured to take for CMA9 on another machine (0.48 thousand patients a CPU second at its best).
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

import pyarrow as pa
from _adherence import EVENTS
from _adherence_plain import cma9, pdc
from _figures import Figure, cpu_seconds, table

from chartseal.adherence import Window
from chartseal.adherence.generator import event_table
from chartseal.adherence.kernel import measure
from chartseal.adherence.tables import batches

_PATIENTS = 20_000
_DAYS = 730
_ADHERER = 1 / 480
"""CPU seconds a patient."""


def _plain(events: pa.RecordBatch) -> list[list[tuple[int, float]]]:
    """The same events as lists; days from each patient's first."""
    days = events.column("date").cast(pa.int32()).to_pylist()
    rows = zip(events.column("patient").to_pylist(), days, events.column("days_supply").to_pylist(), strict=True)
    patients = []
    for _, own in groupby(rows, key=itemgetter(0)):
        supplies = sorted((day, supply) for _, day, supply in own)
        patients.append([(day - supplies[0][0], supply) for day, supply in supplies])
    return patients


def figures() -> list[Figure]:
    """CPU seconds a patient, all threads counted; both have the events in memory, in their own form."""
    [events] = batches(event_table(6, _PATIENTS, EVENTS), rows=_PATIENTS * EVENTS)
    settings = {"window": Window().to_json()}
    flags = {"cma": "CMA9", "carry_only_for_same_medication": False, "consider_dosage_change": False}
    patients = _plain(events)
    ours_cma = cpu_seconds(lambda: measure("cma", events, {**settings, **flags}), 10) / _PATIENTS
    ours_pdc = cpu_seconds(lambda: measure("pdc", events, {**settings, "shift": "class"}), 10) / _PATIENTS
    plain_cma = cpu_seconds(lambda: [cma9(each, _DAYS, 0, _DAYS) for each in patients], 5) / _PATIENTS
    plain_pdc = cpu_seconds(lambda: [pdc(each, 0, _DAYS) for each in patients], 5) / _PATIENTS
    return [
        Figure(f"CMA9 of a patient with {EVENTS} supplies", ours_cma, "plain Python", plain_cma, goal=10),
        Figure("the same", ours_cma, "AdhereR 0.8.1, as recorded", _ADHERER, goal=1_000),
        Figure(f"PDC of a patient with {EVENTS} supplies", ours_pdc, "plain Python", plain_pdc, goal=10),
    ]


if __name__ == "__main__":
    print(table(figures()))
