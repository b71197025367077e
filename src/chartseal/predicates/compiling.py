"""One predicate to one or two slots: which claims it tests, and between which bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from chartseal.predicates import bounds, elements
from chartseal.predicates.bounds import OPEN_HIGH, OPEN_LOW, SCALE
from chartseal.predicates.elements import BOOLEAN, CODED, DAY, INSTANT, INTEGER, MONEY, QUANTITY, Element
from chartseal.predicates.hashes import code_value
from chartseal.predicates.sets import MOST_MEMBERS, CodeSet
from chartseal.predicates.slots import EQUAL, MEMBER, NOT_EQUAL, NOT_MEMBER, RANGE, ClaimKey, Slot
from chartseal.predicates.syntax import (
    CodedText,
    HierarchyText,
    IntervalText,
    ListedCodes,
    MomentText,
    NamedCodes,
    NumberText,
    Place,
    PredicateText,
    Qualifier,
    TruthText,
)
from chartseal.predicates.systems import ATC, ICD_10, ICD_10_CM
from chartseal.predicates.units import convert

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_YEAR = re.compile(r"[0-9]{4}", re.ASCII)
_ICD = re.compile(r"[A-Z0-9]{1,3}|[A-Z0-9]{3}\.?[A-Z0-9]{0,3}", re.ASCII)
_ATC = re.compile(r"[A-Z0-9]{1,6}", re.ASCII)
_HIERARCHIES = {ICD_10_CM: _ICD, ICD_10: _ICD, ATC: _ATC}
_LO_AND_HI = {QUANTITY, MONEY, DAY}
_LAST_INTEGER = (1 << 31) - 1
_DOMAINS = {
    QUANTITY: (OPEN_LOW, OPEN_HIGH),
    MONEY: (OPEN_LOW, OPEN_HIGH),
    DAY: (bounds.FIRST_DAY, bounds.LAST_DAY),
    INSTANT: (bounds.FIRST_INSTANT, bounds.LAST_INSTANT),
}


class Subject(NamedTuple):
    """What a predicate is about: an element of records of that sense, and the qualifier of its claims."""

    element: Element
    sense: str
    qualifier: Qualifier | None

    def claim(self, kind: str, unit: str = "", scale: int = 0) -> ClaimKey:
        """The key of its claims of a kind."""
        qualifier = self.qualifier or Qualifier("", "")
        return ClaimKey(self.element.path, self.sense, *qualifier, kind, unit, scale)


class _Bound(NamedTuple):
    """An operand as a number: first and last are apart for a date of a year or a month."""

    family: str
    first: int
    last: int
    unit: str = ""


def slots_of(subject: Subject, predicate: PredicateText, sets: Mapping[str, CodeSet]) -> tuple[Slot, ...]:
    """The slots of a predicate, in the order in which they stand.

    Raises:
        PredicatePolicyError: the predicate means nothing, is always or never true, or cannot be tested.
    """
    operand = predicate.operands[0]
    if isinstance(operand, ListedCodes | NamedCodes):
        return (_set_slot(subject, predicate, _code_set(operand, sets), operand.place),)
    if isinstance(operand, HierarchyText):
        return (_hierarchy_slot(subject, predicate, operand),)
    if isinstance(operand, CodedText):
        return (_code_slot(subject, predicate, operand),)
    if isinstance(operand, TruthText):
        return (_truth_slot(subject, predicate, operand),)
    return _ordered_slots(subject, predicate)


def _need(subject: Subject, family: str, what: str, place: Place) -> None:
    if family not in subject.element.families:
        place.refuse(f"{subject.element.path} never holds {what} that claims are made of", "policy_kind_never")


# codes


def _coded_kind(subject: Subject, system: str, kind: str, place: Place) -> ClaimKey:
    _need(subject, CODED, "a code", place)
    if subject.element.system not in {"", system}:
        place.refuse(f"{subject.element.path} holds codes of {subject.element.system} alone", "policy_kind_never")
    return subject.claim(kind, system)


def _known(subject: Subject, codes: tuple[str, ...], place: Place) -> None:
    known = elements.codes_of(subject.element)
    if known and not set(codes) <= set(known):
        place.refuse(f"{subject.element.path} holds one of {', '.join(known)}", "policy_code_unknown")


def _code_slot(subject: Subject, predicate: PredicateText, operand: CodedText) -> Slot:
    operations = {"=": (EQUAL, "code"), "only =": (EQUAL, "sole-code"), "!=": (NOT_EQUAL, "sole-code")}
    if predicate.operator not in operations:
        predicate.place.refuse("codes have no order: compare them by =, !=, in or not in", "policy_operator")
    operation, kind = operations[predicate.operator]
    claim = _coded_kind(subject, operand.system, kind, operand.place)
    _known(subject, (operand.code,), operand.place)
    value = code_value(operand.system, operand.code)
    return Slot(operation, claim, value, value, (operand.code,))


def _code_set(operand: ListedCodes | NamedCodes, sets: Mapping[str, CodeSet]) -> CodeSet:
    if isinstance(operand, ListedCodes):
        found = CodeSet(operand.system, operand.codes)
    else:
        named = sets.get(operand.name)
        if named is None:
            operand.place.refuse("no set of that name is given", "policy_set_unknown")
        found = CodeSet(named.system or operand.system or "", named.codes)
        if not found.system:
            operand.place.refuse("the set's codes have no system: write system@name", "policy_set_system")
        if operand.system not in {None, found.system}:
            operand.place.refuse("the set's codes are of another system", "policy_set_system")
    if not 1 <= len(found.codes) <= MOST_MEMBERS:
        operand.place.refuse(f"a set has 1 to {MOST_MEMBERS} codes", "policy_set_size")
    if len(set(found.codes)) != len(found.codes):
        operand.place.refuse("a code stands twice in the set", "policy_set_twice")
    return found


def _set_slot(subject: Subject, predicate: PredicateText, codes: CodeSet, place: Place) -> Slot:
    kinds = {"in": (MEMBER, "code"), "only in": (MEMBER, "sole-code"), "not in": (NOT_MEMBER, "sole-code")}
    operation, kind = kinds[predicate.operator]
    claim = _coded_kind(subject, codes.system, kind, place)
    _known(subject, codes.codes, place)
    if set(codes.codes) == set(elements.codes_of(subject.element)):
        if operation == MEMBER:
            place.refuse("all codes that can stand there are in the set", "policy_vacuous")
        place.refuse("no other code can stand there", "policy_unsatisfiable")
    return Slot(operation, claim, codes=tuple(sorted(codes.codes)))


def _hierarchy_slot(subject: Subject, predicate: PredicateText, operand: HierarchyText) -> Slot:
    if predicate.operator == "not in":
        operand.place.refuse("a hierarchy is a range, and no slot denies one: list the codes", "policy_negation")
    kind = "packed" if predicate.operator == "in" else "sole-packed"
    claim = _coded_kind(subject, operand.system, kind, operand.place)
    spelling = _HIERARCHIES.get(operand.system)
    if spelling is None:
        operand.place.refuse("only ICD-10-CM, ICD-10 and ATC have hierarchies in their codes", "policy_hierarchy")
    if not (spelling.fullmatch(operand.first) and spelling.fullmatch(operand.last)):
        operand.place.refuse("no beginning of a code of that system", "policy_hierarchy")
    low, _ = bounds.packed_prefix(operand.first.replace(".", ""))
    _, high = bounds.packed_prefix(operand.last.replace(".", ""))
    _check_range(low, high, (bounds.LEAST_PACKED, bounds.GREATEST_PACKED), operand.place)
    return Slot(RANGE, claim, low, high)


def _truth_slot(subject: Subject, predicate: PredicateText, operand: TruthText) -> Slot:
    _need(subject, BOOLEAN, "true or false", operand.place)
    if predicate.operator != "=":
        predicate.place.refuse("compare true and false by = alone", "policy_operator")
    return Slot(EQUAL, subject.claim("boolean"), int(operand.value), int(operand.value))


# numbers and times


def _ordered_slots(subject: Subject, predicate: PredicateText) -> tuple[Slot, ...]:
    operand = predicate.operands[0]
    if predicate.operator == "!=":
        predicate.place.refuse(
            "numbers and times have no !=: only a record's sole code can be denied", "policy_negation"
        )
    if isinstance(operand, IntervalText):
        return _interval_slots(subject, operand)
    found = [_bound(subject, each) for each in _with_units(predicate)]
    first, last = found[0], found[-1]
    if (first.family, first.unit) != (last.family, last.unit):
        predicate.place.refuse("the two bounds are of different kinds or units", "policy_bounds_differ")
    low, high = {
        "<": (OPEN_LOW, first.first - 1),
        "<=": (OPEN_LOW, first.last),
        ">": (first.last + 1, OPEN_HIGH),
        ">=": (first.first, OPEN_HIGH),
        "=": (first.first, first.last),
        "between": (first.first, last.last),
    }[predicate.operator]
    if not (bounds.fits(low) and bounds.fits(high)):
        operand.place.refuse("the bound is beyond what claims can hold", "policy_bound_range")
    _check_range(low, high, _domain(subject, first.family), operand.place)
    is_exact = predicate.operator == "=" and low == high
    if first.family in _LO_AND_HI:
        return _lo_and_hi(subject, first, low, high, is_exact)
    return (Slot(EQUAL if is_exact else RANGE, subject.claim(first.family), low, high),)


def _with_units(predicate: PredicateText) -> list[NumberText | MomentText]:
    """The operands; where two bounds share the unit of the second, each has it."""
    found = [each for each in predicate.operands if isinstance(each, NumberText | MomentText)]
    if len(found) != len(predicate.operands):
        predicate.place.refuse("the two bounds are of different kinds or units", "policy_bounds_differ")
    first, last = found[0], found[-1]
    if isinstance(first, NumberText) and isinstance(last, NumberText) and first.unit is None:
        found[0] = first._replace(unit=last.unit, converted_to=last.converted_to)
    return found


def _lo_and_hi(subject: Subject, bound: _Bound, low: int, high: int, is_exact: bool) -> tuple[Slot, ...]:
    """≥ tests the low bound of what is claimed, ≤ its high one; an equality tests both."""
    scale = 0 if bound.family == DAY else SCALE
    lo, hi = (subject.claim(f"{bound.family}-{side}", bound.unit, scale) for side in ("lo", "hi"))
    if is_exact:
        return Slot(EQUAL, lo, low, low), Slot(EQUAL, hi, high, high)
    found = []
    if low != OPEN_LOW:
        found.append(Slot(RANGE, lo, low, OPEN_HIGH))
    if high != OPEN_HIGH:
        found.append(Slot(RANGE, hi, OPEN_LOW, high))
    return tuple(found)


def _interval_slots(subject: Subject, operand: IntervalText) -> tuple[Slot, ...]:
    _need(subject, DAY, "a date", operand.place)
    first, last = bounds.day_bounds(operand.first), bounds.day_bounds(operand.last)
    if first is None or last is None:
        operand.place.refuse("no such date", "policy_date")
    if first[0] > last[1]:
        operand.place.refuse("the interval ends before it begins", "policy_unsatisfiable")
    return _lo_and_hi(subject, _Bound(DAY, 0, 0), first[0], last[1], is_exact=True)


def _bound(subject: Subject, operand: NumberText | MomentText) -> _Bound:
    if isinstance(operand, MomentText):
        return _instant(subject, operand) if "T" in operand.text else _day(subject, operand.text, operand.place)
    if operand.unit is not None:
        return _amount(subject, operand)
    families = subject.element.families
    if INTEGER not in families and DAY in families and _YEAR.fullmatch(operand.lexeme):
        return _day(subject, operand.lexeme, operand.place)
    if INTEGER not in families and families & {QUANTITY, MONEY}:
        operand.place.refuse("the number has no unit, which claims have", "policy_unit_missing")
    _need(subject, INTEGER, "a number without a unit", operand.place)
    if "." in operand.lexeme:
        operand.place.refuse("the element holds whole numbers", "policy_bound_too_fine")
    number = int(operand.lexeme) + bounds.OFFSET
    return _Bound(INTEGER, number, number)


def _day(subject: Subject, text: str, place: Place) -> _Bound:
    _need(subject, DAY, "a date", place)
    found = bounds.day_bounds(text)
    if found is None:
        place.refuse("no such date", "policy_date")
    return _Bound(DAY, *found)


def _instant(subject: Subject, operand: MomentText) -> _Bound:
    _need(subject, INSTANT, "a time of day", operand.place)
    if bounds.has_fraction(operand.text):
        operand.place.refuse("claims hold whole seconds", "policy_bound_too_fine")
    number = bounds.instant(operand.text)
    if number is None or bounds.instant_text(number) is None:
        operand.place.refuse("no such moment", "policy_date")
    return _Bound(INSTANT, number, number)


def _amount(subject: Subject, operand: NumberText) -> _Bound:
    unit, place = operand.unit or "", operand.place
    if MONEY in subject.element.families:
        if not _CURRENCY.fullmatch(unit) or operand.converted_to is not None:
            place.refuse("money has an ISO 4217 currency, which is not converted", "policy_currency")
        return _scaled(MONEY, operand.lexeme, unit, place)
    _need(subject, QUANTITY, "a quantity", place)
    if operand.converted_to is None:
        return _scaled(QUANTITY, operand.lexeme, unit, place)
    return _scaled(QUANTITY, convert(operand.lexeme, unit, operand.converted_to, place), operand.converted_to, place)


def _scaled(family: str, lexeme: str, unit: str, place: Place) -> _Bound:
    number = bounds.scaled(lexeme)
    if number is None:
        place.refuse(f"claims have {SCALE} decimal places, the bound more", "policy_bound_too_fine")
    return _Bound(family, number, number, unit)


def _domain(subject: Subject, family: str) -> tuple[int, int]:
    if family == INTEGER:
        return subject.element.least_integer + bounds.OFFSET, _LAST_INTEGER + bounds.OFFSET
    return _DOMAINS[family]


def _check_range(low: int, high: int, domain: tuple[int, int], place: Place) -> None:
    """Refuse what every value satisfies, and what none does."""
    least, greatest = domain
    if low > high or high < least or low > greatest:
        place.refuse("no value can satisfy this", "policy_unsatisfiable")
    if low <= least and high >= greatest:
        place.refuse("every value satisfies this", "policy_vacuous")
