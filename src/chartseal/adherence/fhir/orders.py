"""One prescription told twice: by an order and by instances that were made from it.

Source: R4 codesystem-medicationrequest-intent.html (`instance-order`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from chartseal.adherence.fhir.rows import Row

Key = tuple[str, str]
"""Patient and event."""


def once(rows: Iterable[Row]) -> tuple[list[Row], Counter[str]]:
    """`rows` (their references followed) with what an order and its instances both tell once; how many went, and why.

    Where an instance tells day and days of supply, instances are the fills and their order goes (`told_by_instances`);
    else the order stays and its instances go (`instance_of_order`). What names one that went then names what stays, so
    that a fill of an order answers its instances.
    """
    listed = list(rows)
    found = _Orders(listed)
    for row in listed:
        named = (name for each in row.prescriptions for name in found.answers.get((row.patient, each), (each,)))
        row.prescriptions = tuple(dict.fromkeys(named))
    return [row for row in listed if id(row) not in found.gone], Counter(found.gone.values())


class _Orders:
    """Which rows go, and what stands for them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        prescribed = [row for row in rows if row.kind == "prescribed"]
        self.gone: dict[int, str] = {}
        self.answers: dict[Key, tuple[str, ...]] = {}
        stays: dict[int, list[Row]] = {}
        for row, instances in reversed(_of_orders(prescribed)):  # instances before what they are of
            told = [each for instance in instances for each in stays[id(instance)]]
            if any(each.days is not None and each.date is not None for each in told):
                self._drop(row, "told_by_instances", told)
                stays[id(row)] = told
            else:
                for each in told:
                    self._drop(each, "instance_of_order", [row])
                stays[id(row)] = [row]

    def _drop(self, row: Row, reason: str, stays: Iterable[Row]) -> None:
        self.gone[id(row)] = reason
        self.answers[row.patient, row.event] = tuple(each.event for each in stays)


def _of_orders(rows: Iterable[Row]) -> list[tuple[Row, list[Row]]]:
    """Each order and each instance that is of one, through other instances too, with its own instances; orders first.

    What only name each other are of no order.
    """
    instances: Mapping[Key, list[Row]] = defaultdict(list)
    reached = []
    for row in rows:
        if not row.instance_of:
            reached.append(row)
        for each in row.instance_of:
            instances[row.patient, each].append(row)
    seen, found = set(map(id, reached)), list[tuple[Row, list[Row]]]()
    for row in reached:
        own = [each for each in instances.get((row.patient, row.event), ()) if id(each) not in seen]
        seen.update(map(id, own))
        reached += own
        found.append((row, own))
    return found
