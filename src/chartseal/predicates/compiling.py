"""One predicate to one or two slots: which claims it tests, and between which bounds."""

from __future__ import annotations

from collections.abc import Mapping

from chartseal.predicates.coding import code_set, code_slot, hierarchy_slot, set_slot
from chartseal.predicates.elements import BOOLEAN
from chartseal.predicates.ordering import ordered_slots
from chartseal.predicates.sets import CodeSet
from chartseal.predicates.slots import EQUAL, Slot
from chartseal.predicates.subjects import Subject, need
from chartseal.predicates.syntax import CodedText, HierarchyText, ListedCodes, NamedCodes, PredicateText, TruthText


def slots_of(subject: Subject, predicate: PredicateText, sets: Mapping[str, CodeSet]) -> tuple[Slot, ...]:
    """The slots of a predicate, in the order in which they stand.

    Raises:
        PredicatePolicyError: the predicate means nothing, is always or never true, or cannot be tested.
    """
    operand = predicate.operands[0]
    if isinstance(operand, ListedCodes | NamedCodes):
        return (set_slot(subject, predicate, code_set(operand, sets), operand.place),)
    if isinstance(operand, HierarchyText):
        return (hierarchy_slot(subject, predicate, operand),)
    if isinstance(operand, CodedText):
        return (code_slot(subject, predicate, operand),)
    if isinstance(operand, TruthText):
        return (_truth_slot(subject, predicate, operand),)
    return ordered_slots(subject, predicate)


def _truth_slot(subject: Subject, predicate: PredicateText, operand: TruthText) -> Slot:
    need(subject, BOOLEAN, "true or false", operand.place)
    if predicate.operator != "=":
        predicate.place.refuse("compare true and false by = alone", "policy_operator")
    return Slot(EQUAL, subject.claim("boolean"), int(operand.value), int(operand.value))
