"""Codes, sets and hierarchies to slots."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chartseal.predicates import bounds, elements
from chartseal.predicates.elements import CODED
from chartseal.predicates.hashes import code_value
from chartseal.predicates.ordering import check_range
from chartseal.predicates.sets import LONGEST_CODE, LONGEST_SYSTEM, MOST_MEMBERS, CodeSet, is_plain
from chartseal.predicates.slots import EQUAL, MEMBER, NOT_EQUAL, NOT_MEMBER, RANGE, ClaimKey, Slot
from chartseal.predicates.subjects import Subject, need
from chartseal.predicates.syntax import CodedText, HierarchyText, ListedCodes, NamedCodes, Place, PredicateText
from chartseal.predicates.systems import ATC, ICD_10, ICD_10_CM

_ICD = re.compile(r"[A-Z0-9]{1,3}|[A-Z0-9]{3}\.?[A-Z0-9]{0,3}", re.ASCII)
_ATC = re.compile(r"[A-Z0-9]{1,6}", re.ASCII)
_HIERARCHIES = {ICD_10_CM: _ICD, ICD_10: _ICD, ATC: _ATC}


def _coded_kind(subject: Subject, system: str, kind: str, place: Place) -> ClaimKey:
    need(subject, CODED, "a code", place)
    if subject.element.system not in {"", system}:
        place.refuse(f"{subject.element.path} holds codes of {subject.element.system} alone", "policy_kind_never")
    return subject.claim(kind, system)


def _known(subject: Subject, codes: tuple[str, ...], place: Place) -> None:
    known = elements.codes_of(subject.element)
    if known and not set(codes) <= set(known):
        place.refuse(f"{subject.element.path} holds one of {', '.join(known)}", "policy_code_unknown")


def code_slot(subject: Subject, predicate: PredicateText, operand: CodedText) -> Slot:
    """A slot that a code is, or is not, that one."""
    operations = {"=": (EQUAL, "code"), "only =": (EQUAL, "sole-code"), "!=": (NOT_EQUAL, "sole-code")}
    if predicate.operator not in operations:
        predicate.place.refuse("codes have no order: compare them by =, !=, in or not in", "policy_operator")
    operation, kind = operations[predicate.operator]
    claim = _coded_kind(subject, operand.system, kind, operand.place)
    _known(subject, (operand.code,), operand.place)
    value = code_value(operand.system, operand.code)
    return Slot(operation, claim, value, value, (operand.code,))


def code_set(operand: ListedCodes | NamedCodes, sets: Mapping[str, CodeSet]) -> CodeSet:
    """The set that a text lists or names; its limits are checked."""
    if isinstance(operand, ListedCodes):
        found = CodeSet(operand.system, operand.codes)
    else:
        named = sets.get(operand.name)
        if named is None:
            operand.place.refuse("no set of that name is given", "policy_set_unknown")
        found = CodeSet(named.system or operand.system or "", named.codes)
        if not found.system:
            operand.place.refuse("the set's codes have no system: write system@name", "policy_set_system")
        if not is_plain(found.system, LONGEST_SYSTEM) or not all(is_plain(code, LONGEST_CODE) for code in found.codes):
            operand.place.refuse("the set has a code or a system that cannot stand in a text", "policy_set_codes")
        if operand.system not in {None, found.system}:
            operand.place.refuse("the set's codes are of another system", "policy_set_system")
    if not 1 <= len(found.codes) <= MOST_MEMBERS:
        operand.place.refuse(f"a set has 1 to {MOST_MEMBERS} codes", "policy_set_size")
    if len(set(found.codes)) != len(found.codes):
        operand.place.refuse("a code stands twice in the set", "policy_set_twice")
    return found


def set_slot(subject: Subject, predicate: PredicateText, codes: CodeSet, place: Place) -> Slot:
    """A slot that a code is in a set, or is not."""
    kinds = {"in": (MEMBER, "code"), "only in": (MEMBER, "sole-code"), "not in": (NOT_MEMBER, "sole-code")}
    operation, kind = kinds[predicate.operator]
    claim = _coded_kind(subject, codes.system, kind, place)
    _known(subject, codes.codes, place)
    if set(codes.codes) == set(elements.codes_of(subject.element)):
        if operation == MEMBER:
            place.refuse("all codes that can stand there are in the set", "policy_vacuous")
        place.refuse("no other code can stand there", "policy_unsatisfiable")
    return Slot(operation, claim, codes=tuple(sorted(codes.codes)))


def hierarchy_slot(subject: Subject, predicate: PredicateText, operand: HierarchyText) -> Slot:
    """A slot that a packed code lies between two prefixes."""
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
    check_range(low, high, (bounds.LEAST_PACKED, bounds.GREATEST_PACKED), operand.place)
    return Slot(RANGE, claim, low, high)
