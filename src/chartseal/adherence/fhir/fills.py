"""One fill told twice: by two dispenses of one identifier, or by a pharmacy's dispense and by its claim."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta

from chartseal.adherence.fhir.classes import ClassTable, code_key
from chartseal.adherence.fhir.rows import Row

WAITING = timedelta(days=14)
"""How long a filled prescription waits to be picked up, where nothing says when it was prepared: then pharmacies put it
back and reverse the claim."""


def named_once(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """`rows` with one dispense of each identifier, patient, day and medication, and how many others there were.

    Of several, the last read stays whose days of supply are known, with the prescriptions that any of them names. An
    identifier alone does not make two dispenses one: some pharmacies give the number of the prescription to all its
    fills.
    """
    listed = list(rows)
    gone = {id(each) for same in _same_names(listed) for each in _all_but_one(same)}
    return [row for row in listed if id(row) not in gone], len(gone)


def _same_names(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows that have a name in common, through others too, in the order in which they were read."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        names = _names(row)
        joined: list[Row] = []
        for group in {id(groups[name]): groups[name] for name in names if name in groups}.values():
            joined, other = (group, joined) if len(group) > len(joined) else (joined, group)
            joined += other
            groups |= {name: joined for each in other for name in _names(each)}
        joined.append(row)
        groups |= dict.fromkeys(names, joined)
    return list({id(group): group for group in groups.values()}.values())


def _all_but_one(same: list[Row]) -> list[Row]:
    """Those that go; the one that stays takes what they know besides."""
    stays = max(enumerate(same), key=lambda each: (each[1].days is not None, each[0]))[1]
    stays.prescriptions = tuple(dict.fromkeys(name for each in same for name in each.prescriptions))
    stays.prepared = stays.prepared or next((each.prepared for each in same if each.prepared), None)
    return [each for each in same if each is not stays]


def _names(row: Row) -> list[object]:
    """What a dispense shares with others that tell of its fill."""
    if row.kind != "supply" or row.date is None or row.medication is None:
        return []
    medication = (
        frozenset(map(code_key, row.medication.codings)) or row.medication.reference.lower() or row.medication.name
    )
    return [(row.patient, row.date, medication, identifier) for identifier in row.identifiers]


def once(rows: Iterable[Row], classes: ClassTable | None) -> tuple[list[Row], int]:
    """`rows` without claims for what a dispense tells too, and how many those were; one claim for one dispense.

    They tell of the same fill where patient and day are the same (the claim's lies between preparing and handing over)
    and so is the medication: a code, the prescription, or what the table of classes makes of their codes. Of what is
    then left, a claim and a dispense up to `WAITING` after it are the same, if nothing says when it was prepared and
    their days of supply do not differ: days are rather missed than counted twice. A dispense that says no days of
    supply takes those of its claim.
    """
    listed = list(rows)
    dispenses: dict[str, list[Row]] = defaultdict(list)
    for row in listed:
        if row.kind == "supply" and row.claim is None and row.date is not None:
            dispenses[row.patient].append(row)
    kept = listed
    for near in (_same_day, _picked_up_later):
        kept = [row for row in kept if not _is_told(row, dispenses[row.patient], near, classes)]
    return kept, len(listed) - len(kept)


def _is_told(row: Row, dispenses: list[Row], near: Callable[[Row, Row], bool], classes: ClassTable | None) -> bool:
    """Whether a claim is of one of the dispenses, which then is no other claim's."""
    if row.kind != "supply" or row.claim is None:
        return False
    same = next((each for each in dispenses if near(row, each) and _same_medication(row, each, classes)), None)
    if same is None:
        return False
    dispenses.remove(same)
    _complete(same, row)
    return True


def _picked_up_later(claim: Row, dispense: Row) -> bool:
    if claim.date is None or dispense.date is None or dispense.prepared is not None:
        return False
    if None not in (claim.days, dispense.days) and claim.days != dispense.days:
        return False
    return claim.date <= dispense.date <= claim.date + WAITING


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
