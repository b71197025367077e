"""What each predicate of a policy is about: one type, one sense, and each element's own qualifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chartseal.predicates.elements import Element, Row, element_of, elements_of, row_of
from chartseal.predicates.slots import ClaimKey
from chartseal.predicates.syntax import ElementText, Place, PredicateText, Qualifier


class Subject(NamedTuple):
    """What a predicate is about: an element of records of that sense, and the qualifier of its claims."""

    element: Element
    sense: str
    qualifier: Qualifier | None

    def claim(self, kind: str, unit: str = "", scale: int = 0) -> ClaimKey:
        """The key of its claims of a kind."""
        qualifier = self.qualifier or Qualifier("", "")
        return ClaimKey(self.element.path, self.sense, *qualifier, kind, unit, scale)


def need(subject: Subject, family: str, what: str, place: Place) -> None:
    """Refuse a family of kinds that the element's claims never have.

    Raises:
        PredicatePolicyError: `policy_kind_never`.
    """
    if family not in subject.element.families:
        place.refuse(f"{subject.element.path} never holds {what} that claims are made of", "policy_kind_never")


@dataclass
class _Stated:
    """`Type(sense)[qualifier]` as it was last written."""

    row: Row
    sense: str
    qualifier: Qualifier | None
    place: Place
    used: bool = False


def subjects(predicates: Sequence[PredicateText]) -> list[Subject]:
    """The subject of each predicate; what one leaves out it has from the one before.

    Raises:
        PredicatePolicyError: `policy_type_missing`, `policy_type_unknown`, `policy_two_types`, `policy_sense_missing`,
            `policy_sense_unknown`, `policy_two_senses`, `policy_element_unknown`, `policy_qualifier_missing`,
            `policy_qualifier_needless`.
    """
    stated: list[_Stated] = []
    found = []
    for predicate in predicates:
        text = predicate.element
        if text.type_name is not None:
            stated.append(_state(text, text.type_name))
            _check_same(stated[0], stated[-1])
        if not stated:
            text.place.refuse("the first predicate names the resource's type", "policy_type_missing")
        found.append(_subject(stated[-1], text))
    for each in stated:
        if each.qualifier is not None and not each.used:
            each.place.refuse("no value here has the qualifier in its claims", "policy_qualifier_needless")
    return found


def _state(text: ElementText, type_name: str) -> _Stated:
    row = row_of(type_name)
    if row is None:
        text.place.refuse("no type whose records affirm anything that can be proved", "policy_type_unknown")
    sense = text.sense if text.sense is not None else row.default_sense()
    if sense is None:
        text.place.refuse(f"say in which sense, as {type_name}(…): {row.senses()}", "policy_sense_missing")
    if text.sense is not None and not row.is_sense(sense):
        text.place.refuse(f"{type_name} is affirmed in the sense: {row.senses() or 'none'}", "policy_sense_unknown")
    return _Stated(row, sense, text.qualifier, text.place)


def _check_same(first: _Stated, other: _Stated) -> None:
    """All slots of a policy are claims of one record, which has one type and one sense."""
    if other.row != first.row:
        other.place.refuse("a policy is about one record, hence one type", "policy_two_types")
    if other.sense != first.sense:
        other.place.refuse("a policy is about one record, hence one sense", "policy_two_senses")


def _subject(stated: _Stated, text: ElementText) -> Subject:
    name = ".".join(part.name for part in text.parts)
    element = element_of(stated.row.type_name, name)
    if element is None:
        text.parts[0].place.refuse(
            f"no element of {stated.row.type_name} that claims are lifted from; there are: "
            f"{', '.join(each.name for each in elements_of(stated.row.type_name))}",
            "policy_element_unknown",
        )
    return Subject(element, stated.sense, _qualifier(stated, text, element))


def _qualifier(stated: _Stated, text: ElementText, element: Element) -> Qualifier | None:
    at = element.qualified_at
    for index, part in enumerate(text.parts):
        if part.qualifier is not None and index != at:
            part.place.refuse("claims of this element have no qualifier here", "policy_qualifier_needless")
    if at is None:
        return None
    if at == -1:
        stated.used = True
        found = stated.qualifier
    else:
        found = text.parts[at].qualifier
    if found is None:
        where = stated.row.type_name if at == -1 else text.parts[at].name
        what = "questionnaire|linkId" if stated.row.type_name == "QuestionnaireResponse" else "system|code"
        text.place.refuse(f"say which value is meant: {where}[{what}]", "policy_qualifier_missing")
    return found
