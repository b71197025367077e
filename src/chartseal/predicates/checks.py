"""What a policy's slots may not be together. Source: format specification, section "Predicates"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from chartseal.predicates.bounds import OPEN_HIGH, OPEN_LOW
from chartseal.predicates.slots import EQUAL, MOST_SLOTS, RANGE, Slot
from chartseal.predicates.subjects import Subject
from chartseal.predicates.syntax import Place

_TIMED = {
    "Observation",
    "Medication",
    "MedicationRequest",
    "MedicationDispense",
    "MedicationAdministration",
    "MedicationStatement",
    "Immunization",
    "Encounter",
    "DiagnosticReport",
    "Coverage",
}
"""Types whose facts hold at a time: `code = …` alone would be proved by a record of any age."""
_ONE_VALUE = {"sole-code", "sole-packed", "integer", "instant", "boolean"}
"""Kinds of which a record has one claim for a key at most, besides the low and high bounds."""


class Compiled(NamedTuple):
    """A slot, what it is about and where it is written."""

    slot: Slot
    subject: Subject
    place: Place


def check(compiled: Sequence[Compiled]) -> None:
    """Refuse slots that say nothing together, that no record satisfies, or that two repetitions could satisfy.

    Raises:
        PredicatePolicyError: `policy_too_many_slots`, `policy_slot_twice`, `policy_slot_redundant`,
            `policy_unsatisfiable`, `policy_repetitions`, `policy_time_missing`.
    """
    if len(compiled) > MOST_SLOTS:
        compiled[MOST_SLOTS].place.refuse("more than four slots: = and between need two", "policy_too_many_slots")
    for first, second in combinations(compiled, 2):
        _check_pair(first, second)
        if not _are_tied(first, second):
            second.place.refuse(
                "two repetitions of one element could satisfy this and what stands before", "policy_repetitions"
            )
    _check_time(compiled)


def _check_time(compiled: Sequence[Compiled]) -> None:
    first = compiled[0]
    if first.subject.element.type_name not in _TIMED:
        return
    if not any(_is_time(each.slot) and each.subject.element.tells_when for each in compiled):
        first.place.refuse("a policy on this type says when: bound one of its dates too", "policy_time_missing")


def _is_time(slot: Slot) -> bool:
    return slot.claim.kind in {"day-lo", "day-hi", "instant"}


def _check_pair(first: Compiled, second: Compiled) -> None:
    if first.slot == second.slot:
        second.place.refuse("this stands twice", "policy_slot_twice")
    bounds = _interval(first.slot), _interval(second.slot)
    if bounds[0] is None or bounds[1] is None or _one_value(first.slot) != _one_value(second.slot):
        return
    if max(bounds[0][0], bounds[1][0]) > min(bounds[0][1], bounds[1][1]):
        second.place.refuse("no value can satisfy this and what stands before", "policy_unsatisfiable")
    if first.slot.claim == second.slot.claim and _contains(bounds[0], bounds[1]) | _contains(bounds[1], bounds[0]):
        second.place.refuse("this says no more than what stands before, or makes it needless", "policy_slot_redundant")


def _one_value(slot: Slot) -> object:
    """The same for slots that speak of one number: low and high bounds of one value, claims that stand once."""
    family, _, side = slot.claim.kind.rpartition("-")
    if side in {"lo", "hi"}:
        return slot.claim._replace(kind=family)
    return slot.claim if slot.claim.kind in _ONE_VALUE else slot


def _interval(slot: Slot) -> tuple[int, int] | None:
    """Where the value must lie; a low bound that is equal to something leaves the value free above it."""
    if slot.op == RANGE:
        return slot.lo, slot.hi
    if slot.op != EQUAL:
        return None
    if slot.claim.kind.endswith("-lo"):
        return slot.lo, OPEN_HIGH
    if slot.claim.kind.endswith("-hi"):
        return OPEN_LOW, slot.hi
    return slot.lo, slot.hi


def _contains(outer: tuple[int, int], inner: tuple[int, int]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _are_tied(first: Compiled, second: Compiled) -> bool:
    """Whether the two speak of one repetition of each repeating element that both are under.

    A shared qualifier ties what stands under the element that carries it, since the same qualifier on two instances
    lifts nothing; bounds of one value are tied because an ordered value is lifted where it stands once.
    """
    if _is_ordered(first.slot) and _one_value(first.slot) == _one_value(second.slot):
        return True
    tied_to = _tied_depth(first.subject, second.subject)
    return all(depth <= tied_to for depth in _shared_repetitions(first.subject, second.subject))


def _is_ordered(slot: Slot) -> bool:
    return slot.claim.kind.endswith(("-lo", "-hi")) or slot.claim.kind in {"integer", "instant"}


def _tied_depth(first: Subject, second: Subject) -> int:
    at = first.element.qualified_at
    is_shared = at is not None and at == second.element.qualified_at and first.qualifier == second.qualifier
    return at if is_shared and at is not None else -1


def _shared_repetitions(first: Subject, second: Subject) -> Iterator[int]:
    steps = zip(first.element.steps, second.element.steps, strict=False)
    for depth, (one, other) in enumerate(steps):
        if one.name != other.name:
            return
        if one.repeats:
            yield depth
