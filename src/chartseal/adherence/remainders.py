"""What is made of event durations before they are measured: remainders dropped, special periods counted as covered.

Overestimates: a patient who refills after discharge does not take what was left before; one who never refills has
stopped. Underestimates: a hospital supplies its patients, and no dispensing tells so.

Source: AdhereR's manual, prune_event_durations and cover_special_periods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from chartseal.adherence.database import connect
from chartseal.adherence.tables import Columns, EventTable, batches
from chartseal.errors import AdherenceError

Cut: TypeAlias = Literal["dose_change", "special_period", "interruption"]

_CUTS: tuple[Cut, ...] = ("dose_change", "special_period", "interruption")
_MEDICATION = ("patient", "group", "class", "ingredient")
_NEEDED = ("patient", "date", "days_supply", "dispensed", "supply", "part", "begun")
_MOST_DAYS = 3_660


def supplies(durations: pa.Table) -> pa.Table:
    """The parts to be measured: without those of no days, of which nothing is taken.

    Parts of unknown days stay: what they are of cannot be measured, and says so.
    """
    _require(durations)
    return _query(durations, "SELECT * FROM parts WHERE days_supply IS NULL OR days_supply > 0 ORDER BY place")


def prune(
    durations: pa.Table,
    *,
    include: Sequence[Cut] = _CUTS,
    refilled_within: int | None = None,
    not_refilled_within: int | None = None,
    keep_all: bool = False,
) -> pa.Table:
    """Drop what was left of supplies after a change of dose, a special period or an interruption (`include`).

    A remainder that begins on day B goes if the medication is dispensed anew from B to B + `refilled_within` days, or
    if it is not from B to B + `not_refilled_within`; so do later parts of the same supply. With `keep_all` nothing
    goes: a column `pruned` tells what would.

    Raises:
        AdherenceError: `settings_invalid`, `column_missing`.
    """
    _require(durations)
    for cut in include:
        if cut not in _CUTS:
            raise AdherenceError(f"of {', '.join(_CUTS)}", "settings_invalid", "include")
    near, far = _days(refilled_within, "refilled_within"), _days(not_refilled_within, "not_refilled_within")
    rows = _query(durations, _PRUNED, {"cuts": list(include), "near": near, "far": far})
    return rows if keep_all else supplies(rows.filter(pc.invert(rows["pruned"])).drop_columns(["pruned"]))


def cover(
    durations: pa.Table,
    events: EventTable,
    *,
    kinds: Sequence[str] = ("stay",),
    days_before: int = 7,
    days_after: int = 7,
    columns: Columns | None = None,
) -> pa.Table:
    """Add each special period (`kinds`) as a supply where the patient had supply before it and after it.

    A period is covered for a medication if a part ends on its first day or up to `days_before` days before it, another
    begins on the first day after it or up to `days_after` days later, and none is taken in between. Touching and
    overlapping periods are one. Supplies that overlap are shifted by most measures, and so would be a stay: compute
    durations with `carry_over=True`, and prune before. Rows added have `begun` `covered`.

    Raises:
        AdherenceError: `settings_invalid`, `column_missing`, `column_type`, `table_unreadable`.
    """
    _require(durations)
    before, after = _days(days_before, "days_before"), _days(days_after, "days_after")
    periods = pa.Table.from_batches(list(batches(events, columns)))
    if not {"kind", "end"} <= set(periods.column_names):
        return durations
    tables = {"periods": periods.select(["patient", "kind", "date", "end"])}
    return _query(durations, _COVERED, {"kinds": list(kinds), "before": before, "after": after}, tables)


_PRUNED = """
WITH dispensings AS (SELECT DISTINCT medication, dispensed FROM parts),
flagged AS (
    SELECT parts.*, part > 0 AND list_contains($cuts, begun) AND (
        coalesce(dispensings.dispensed - date <= $near, false)
        OR ($far IS NOT NULL AND coalesce(dispensings.dispensed - date > $far, true))
    ) AS flag
    FROM parts ASOF LEFT JOIN dispensings
        ON parts.medication = dispensings.medication AND parts.date <= dispensings.dispensed
)
SELECT * EXCLUDE (flag), coalesce(bool_or(flag) OVER (PARTITION BY medication, supply ORDER BY part), false) AS pruned
FROM flagged ORDER BY place
"""

_COVERED = """
WITH known AS (
    SELECT patient, date AS start, coalesce("end", DATE '9999-12-31') AS stop FROM periods
    WHERE list_contains($kinds, kind) AND date IS NOT NULL AND coalesce(date < "end", true)
),
fresh AS (
    SELECT *, coalesce(start > max(stop) OVER before, true)::INT AS begins FROM known
    WINDOW before AS (PARTITION BY patient ORDER BY start, stop ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
runs AS (
    SELECT *, sum(begins) OVER (PARTITION BY patient ORDER BY start, stop ROWS UNBOUNDED PRECEDING) AS run FROM fresh
),
stays AS (SELECT patient, min(start) AS start, max(stop) AS stop FROM runs GROUP BY patient, run),
taken AS (SELECT *, date + ceil(days_supply)::INT AS stop FROM parts WHERE days_supply > 0),
pairs AS (
    SELECT taken.medication, stays.start, stays.stop, min(taken.place) AS place,
        bool_or(taken.stop BETWEEN stays.start - $before AND stays.start)
            AND bool_or(taken.date BETWEEN stays.stop AND stays.stop + $after)
            AND NOT bool_or(taken.date < stays.stop AND taken.stop > stays.start) AS covered
    FROM taken JOIN stays ON stays.patient = taken.patient GROUP BY ALL
)
SELECT * FROM parts
UNION ALL BY NAME
SELECT {keys}, parts.medication, parts.place, pairs.start AS date, 'covered' AS begun,
    (pairs.stop - pairs.start)::DOUBLE AS days_supply
FROM pairs JOIN parts ON parts.place = pairs.place WHERE pairs.covered
ORDER BY medication, date, place
"""


def _query(
    durations: pa.Table,
    query: str,
    parameters: Mapping[str, Any] | None = None,
    tables: Mapping[str, pa.Table] | None = None,
) -> pa.Table:
    """A query over `parts`: the durations with their `place` in the table and a number of their `medication`."""
    keys = ", ".join(f'"{name}"' for name in _MEDICATION if name in durations.column_names)
    with connect() as connection:
        for name, table in (tables or {}).items():
            connection.register(name, table)
        connection.register("rows", durations.append_column("place", pa.array(range(durations.num_rows), pa.int64())))
        numbered = f"SELECT *, dense_rank() OVER (ORDER BY {keys}) AS medication FROM rows"  # noqa: S608 (our names)
        connection.execute(f"CREATE VIEW parts AS {numbered}")
        result = connection.sql(
            query.replace("{keys}", _qualified(keys)), params=dict(parameters or {})
        ).to_arrow_table()
    return result.drop_columns(["place", "medication"])


def _qualified(keys: str) -> str:
    return ", ".join(f"parts.{key}" for key in keys.split(", "))


def _require(durations: pa.Table) -> None:
    for name in _NEEDED:
        if name not in durations.column_names:
            raise AdherenceError("not a table of event durations: there is no such column", "column_missing", name)


def _days(days: int | None, path: str) -> int | None:
    if days is not None and not 0 <= days <= _MOST_DAYS:
        raise AdherenceError(f"from 0 to {_MOST_DAYS} days", "settings_invalid", path)
    return days
