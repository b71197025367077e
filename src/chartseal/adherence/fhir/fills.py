"""One fill told twice: by a pharmacy's dispense and by its claim."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from chartseal.adherence.fhir.classes import ClassTable, code_key
from chartseal.adherence.fhir.rows import Row


def once(rows: Iterable[Row], classes: ClassTable | None) -> tuple[list[Row], int]:
    """`rows` without claims for what a dispense tells too, and how many those were; one claim for one dispense.

    They tell of the same fill where patient and day are the same (the claim's lies between preparing and handing over)
    and so is the medication: a code, the prescription, or what the table of classes makes of their codes. A dispense
    that says no days of supply takes those of its claim.
    """
    listed = list(rows)
    dispenses: dict[str, list[Row]] = defaultdict(list)
    for row in listed:
        if row.kind == "supply" and row.claim is None and row.date is not None:
            dispenses[row.patient].append(row)
    kept: list[Row] = []
    for row in listed:
        pairs = dispenses[row.patient] if row.kind == "supply" and row.claim is not None else []
        same = next((each for each in pairs if _same_day(row, each) and _same_medication(row, each, classes)), None)
        if same is None:
            kept.append(row)
            continue
        pairs.remove(same)
        _complete(same, row)
    return kept, len(listed) - len(kept)


def _same_day(claim: Row, dispense: Row) -> bool:
    if claim.date is None or dispense.date is None:
        return False
    first = min(dispense.prepared or dispense.date, dispense.date)
    return first <= claim.date <= dispense.date


def _same_medication(claim: Row, dispense: Row, classes: ClassTable | None) -> bool:
    if set(claim.prescriptions) & set(dispense.prescriptions):
        return True
    if claim.medication is None or dispense.medication is None:
        return False
    if {code_key(each) for each in claim.medication.codings} & {code_key(each) for each in dispense.medication.codings}:
        return True
    means = classes.find(claim.medication) if classes else ()
    return bool(means) and classes is not None and means == classes.find(dispense.medication)


def _complete(dispense: Row, claim: Row) -> None:
    if dispense.days is None and claim.days is not None:
        dispense.days, dispense.reason = claim.days, ""
        dispense.how.insert(0, "claim_days_supply")
