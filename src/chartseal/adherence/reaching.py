"""Which supplies a report is of, and which of them its number cannot do without."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chartseal.errors import AdherenceError

_SUPPLY = ("patient", "date", "days_supply", "ingredient", "event")


def supplies_of(events: pa.Table, medication_class: str, end: date) -> pa.Table:
    """The supplies of a class up to the window's end, in columns that say nothing else: a `group` would part them.

    Raises:
        AdherenceError: `column_missing`, `patients_many`.
    """
    for name in ("patient", "date", "days_supply", "class", "event"):
        if name not in events.column_names:
            raise AdherenceError("there is no such column", "column_missing", name)
    if len(pc.unique(events.column("patient"))) > 1:
        raise AdherenceError("a report is about one patient", "patients_many")
    chosen = pc.equal(events.column("class"), medication_class)
    if "kind" in events.column_names:
        chosen = pc.and_(chosen, pc.equal(pc.fill_null(events.column("kind"), "supply"), "supply"))
    # An unknown date stays in: it cannot be told to lie outside.
    dated = pc.fill_null(pc.less_equal(events.column("date"), pa.scalar(end, pa.date32())), True)
    kept = [name for name in _SUPPLY if name in events.column_names]
    return events.filter(pc.and_(pc.fill_null(chosen, False), dated)).select(kept)


def reaching(supplies: Sequence[Mapping[str, Any]], start: date) -> list[str]:
    """The references, by date, of supplies without which the window might be covered otherwise.

    As in PDC, a combination `a|b` waits in the pool of each of its ingredients, and those of none are one pool.

    Raises:
        AdherenceError: `event_unknown`: such a supply has no reference.
    """
    pools: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(supplies, key=lambda row: row["date"]):
        parts = {part.strip() for part in (row.get("ingredient") or "").split("|")} - {""}
        for pool in parts or {""}:
            pools[pool].append(row)
    kept = [row for pool in pools.values() for row in _last_chain(pool, start)]
    if any(row["event"] is None for row in kept):
        raise AdherenceError("a supply has no reference", "event_unknown")
    return list(dict.fromkeys(row["event"] for row in sorted(kept, key=lambda row: (row["date"], row["event"]))))


def _last_chain(pool: Sequence[Mapping[str, Any]], start: date) -> list[Mapping[str, Any]]:
    """The supplies of a pool from the first that pushes on what reaches the window; none if nothing does."""
    chain: list[Mapping[str, Any]] = []
    first, free = start.toordinal(), 0
    for row in pool:
        on = row["date"].toordinal()
        if free <= min(on, first):
            chain = []  # all before was used up, outside of the window
        chain.append(row)
        free = max(free, on) + max(int(row["days_supply"]), 1)
    return chain if free > first else []
