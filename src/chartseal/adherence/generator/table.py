"""Made-up events as columns, millions at a time, for measuring how fast measures are."""

from __future__ import annotations

import pyarrow as pa

from chartseal.adherence.database import connect
from chartseal.errors import AdherenceError

MOST_EVENTS = 500_000_000

# Whole-number arithmetic alone, so that every machine and every version of DuckDB draws the same. The mix is lowbias32
# (Wellons, nullprogram.com/blog/2018/07/31), in 64 bits, which its products do not leave.
_MACROS = (
    "CREATE MACRO scale(x) AS (xor(x, x >> 16) * 2146121005::UBIGINT) & 4294967295::UBIGINT",
    "CREATE MACRO spread(x) AS (xor(x, x >> 15) * 2221713035::UBIGINT) & 4294967295::UBIGINT",
    "CREATE MACRO slotted(seed, slot) AS"
    " spread(scale((seed + slot::UBIGINT * 2654435769::UBIGINT) & 4294967295::UBIGINT))",
    "CREATE MACRO below(bound, seed, slot) AS ((slotted(seed, slot) * bound::UBIGINT) >> 32)::INTEGER",
)

_EVENTS = """
WITH numbered AS (
    SELECT row // $events AS patient, (row % $events)::INTEGER AS number
    FROM range($patients::BIGINT * $events) AS t(row)
), seeded AS (
    SELECT *, spread(scale((patient::UBIGINT + spread(scale($seed::UBIGINT))) & 4294967295::UBIGINT)) AS seed
    FROM numbered
), drawn AS (
    SELECT *, below(3, seed, 1) AS class, below(2, seed, 2) AS ingredient, 4 + below(60, seed, 3) AS start,
        below(10, seed, 4) AS gap_after, greatest(below(90, seed, 5) - 45, 0) AS gap,
        below(48, seed, 6) AS switch_at, below(9, seed, 100 + number) - 4 AS lateness
    FROM seeded
)
SELECT patient,
    DATE '2025-01-01' + (start + 31 * number + lateness + CASE WHEN number > gap_after THEN gap ELSE 0 END) AS date,
    30::DOUBLE AS days_supply,
    (10 + 10 * ingredient)::DOUBLE AS daily_dose,
    (['diabetes', 'ras_antagonists', 'statins'])[1 + class] AS class,
    (['metformin', 'glipizide', 'lisinopril', 'losartan', 'atorvastatin', 'simvastatin'])
        [1 + 2 * class + xor(ingredient, (number >= switch_at)::INTEGER)] AS ingredient
FROM drawn
"""


def event_table(seed: int, patients: int, events_per_patient: int) -> pa.Table:
    """So many supplies of 30 days each for each of so many patients, with early and late refills, gaps and switches.

    Columns `patient` (int64, in order), `date`, `days_supply`, `daily_dose`, `class`, `ingredient`. A seed's table is
    the same everywhere.

    Raises:
        AdherenceError: `limit_exceeded`.
    """
    if not (0 <= seed < 1 << 32 and patients >= 0 and 0 <= events_per_patient <= 10_000):
        raise AdherenceError("a seed of 32 bits, and up to 10,000 events a patient", "limit_exceeded")
    if patients * events_per_patient > MOST_EVENTS:
        raise AdherenceError(f"{MOST_EVENTS} events at most", "limit_exceeded")
    with connect() as connection:
        for macro in _MACROS:
            connection.execute(macro)
        numbers = {
            "seed": seed,
            "patients": patients if events_per_patient else 0,
            "events": max(events_per_patient, 1),
        }
        return connection.sql(_EVENTS, params=numbers).to_arrow_table()
