"""One prescription told twice: by an order and by instances that were made from it.

Source: R4 codesystem-medicationrequest-intent.html (`instance-order`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chartseal.adherence.fhir.rows import Row


def once(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """`rows` (their references followed) without instances of orders that are told too, and how many those were.

    What names an instance then names its order, so that a fill of the one answers the other.
    """
    listed = list(rows)
    order_of = _orders(listed)
    for row in listed:
        row.prescriptions = tuple(dict.fromkeys(order_of.get(each, each) for each in row.prescriptions))
    kept = [row for row in listed if row.kind != "prescribed" or row.event not in order_of]
    return kept, len(listed) - len(kept)


def _orders(rows: Iterable[Row]) -> Mapping[str, str]:
    """The order that each instance is of, through other instances too; nothing for those that only name each other."""
    prescribed = [row for row in rows if row.kind == "prescribed"]
    order_of = {(row.patient, row.event): row.event for row in prescribed if not row.instance_of}
    waiting, found = [row for row in prescribed if row.instance_of], dict[str, str]()
    while reached := [(row, order) for row in waiting if (order := _order(row, order_of))]:
        new = {row.event: order for row, order in reached}
        found |= new
        order_of |= {(row.patient, row.event): order for row, order in reached}
        waiting = [row for row in waiting if row.event not in new]
    return found


def _order(row: Row, order_of: Mapping[tuple[str, str], str]) -> str:
    return next((order_of[row.patient, each] for each in row.instance_of if (row.patient, each) in order_of), "")
