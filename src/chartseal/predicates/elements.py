"""Which elements become claims, of which kinds and in which senses: table B (record/claims.tsv) and R4's types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from chartseal.predicates.systems import GENDER

CODED, QUANTITY, MONEY, DAY, INSTANT, INTEGER, BOOLEAN = (
    "coded",
    "quantity",
    "money",
    "day",
    "instant",
    "integer",
    "boolean",
)
"""Families of kinds: what a bound on an element may be."""

_QUANTITIES = ("Quantity", "Age", "Count", "Distance", "Duration", "MoneyQuantity", "SimpleQuantity")
_INTEGERS = ("integer", "positiveInt", "unsignedInt")
_FAMILIES = {
    "CodeableConcept": {CODED},
    "Coding": {CODED},
    **{target: {QUANTITY} for target in _QUANTITIES},
    "Money": {MONEY},
    "Period": {DAY},
    "date": {DAY},
    "dateTime": {DAY, INSTANT},
    "instant": {DAY, INSTANT},
    **{target: {INTEGER} for target in _INTEGERS},
    "boolean": {BOOLEAN},
}
_LEAST_INTEGER = {"integer": -(1 << 31), "unsignedInt": 0, "positiveInt": 1}
_DEEPEST_ITEMS = 16
_ITEM_PATH = re.compile(r"item(?:\.item|\.answer\.item)*\.answer\.value")
_ROLE = re.compile(r"[A-Z][A-Z0-9]{1,15}")
"""Spelling of v3-RoleCode's codes: hl7.org/fhir/R4/v3/RoleCode/cs.html."""
_NOT_WHEN = {"value", "component.value", "expirationDate"}
"""Dates that do not say when what the record affirms held: a result that is a date, and how long a product keeps."""


@dataclass(frozen=True)
class Step:
    """One element of a path: its name, and whether R4 lets it repeat."""

    name: str
    repeats: bool


@dataclass(frozen=True)
class Element:
    """An element that table B lifts."""

    type_name: str
    steps: tuple[Step, ...]
    targets: tuple[str, ...]

    @property
    def name(self) -> str:
        """Path below the resource."""
        return ".".join(step.name for step in self.steps)

    @property
    def path(self) -> str:
        """Path as claims have it."""
        return f"{self.type_name}.{self.name}"

    @property
    def families(self) -> frozenset[str]:
        """What its claims may be."""
        if self.system:
            return frozenset({CODED})
        return frozenset(family for target in self.targets for family in _FAMILIES.get(target, ()))

    @property
    def system(self) -> str:
        """The system that a primitive code is of; empty where the record says it."""
        return GENDER if self.steps[-1].name == "gender" and self.targets == ("code",) else ""

    @property
    def least_integer(self) -> int:
        """The least integer that R4 lets stand here."""
        return min(_LEAST_INTEGER[target] for target in self.targets if target in _LEAST_INTEGER)

    @property
    def tells_when(self) -> bool:
        """Whether a bound on it fixes when what is affirmed held."""
        return DAY in self.families and self.name not in _NOT_WHEN

    @property
    def qualified_at(self) -> int | None:
        """Which step carries the qualifier that the element's claims have: -1 is the resource, None is no step."""
        if self.type_name == "Observation" and self.steps[-1].name in {"value", "interpretation"}:
            return len(self.steps) - 2
        if self.type_name == "QuestionnaireResponse" and self.steps[-1].name == "value":
            return max(at for at, step in enumerate(self.steps) if step.name == "item")
        return None


@dataclass(frozen=True)
class Row:
    """A type's row of table B."""

    type_name: str
    sense: str
    elements: tuple[str, ...]

    def default_sense(self) -> str | None:
        """The sense that is meant where a policy names none; None where one must be named."""
        if self.sense == "clinicalStatus":
            return "current"
        if self.sense == "relationship" or "{" in self.sense:
            return None
        return self.sense

    def is_sense(self, sense: str) -> bool:
        """Whether records of the type can affirm anything in that sense."""
        if self.sense == "clinicalStatus":
            return sense in {"current", "past"}
        if self.sense == "relationship":
            return _ROLE.fullmatch(sense) is not None
        prefix, brace, rest = self.sense.partition("{")
        if not brace:
            return sense == self.sense
        return sense.startswith(prefix) and sense.removeprefix(prefix) in _codes(self.type_name, rest.rstrip("}"))

    def senses(self) -> str:
        """The senses in words, for errors."""
        if self.sense == "clinicalStatus":
            return "current, past"
        if self.sense == "relationship":
            return "a code of v3-RoleCode, as MTH"
        prefix, brace, rest = self.sense.partition("{")
        return ", ".join(prefix + code for code in _codes(self.type_name, rest.rstrip("}"))) if brace else self.sense


@lru_cache(maxsize=1)
def _rows() -> dict[str, Row]:
    text = files("chartseal.record").joinpath("claims.tsv").read_text("utf-8")
    found = {}
    for line in text.splitlines()[1:]:
        type_name, _, sense, elements, _ = line.split("\t")
        found[type_name] = Row(type_name, sense, tuple(elements.split(",")))
    return found


@lru_cache(maxsize=1)
def _types() -> dict[str, dict[str, tuple[bool, tuple[str, ...], tuple[str, ...]]]]:
    """(repeats, R4 types, codes of a required binding) of each element of each type, choices by base name."""
    text = files("chartseal.fhir").joinpath("r4_elements.tsv").read_text("utf-8")
    found: dict[str, dict[str, tuple[bool, tuple[str, ...], tuple[str, ...]]]] = {}
    for line in text.splitlines()[1:]:
        _, owner, name, _, most, targets, _, _, _, codes = line.split("\t")
        row = (most != "1", tuple(targets.split("|")), tuple(codes.split("|")) if codes else ())
        found.setdefault(owner, {})[name.removesuffix("[x]")] = row
    return found


def _codes(type_name: str, path: str) -> tuple[str, ...]:
    at = type_name
    *before, last = path.split(".")
    for name in before:
        at = _types()[at][name][1][0]
    return _types()[at][last][2]


def row_of(type_name: str) -> Row | None:
    """The type's row; None where its records affirm nothing."""
    return _rows().get(type_name)


@lru_cache(maxsize=1_024)
def element_of(type_name: str, name: str) -> Element | None:
    """The element at a path below the resource; None where no claim is ever lifted from it."""
    row = row_of(type_name)
    if row is None or not (name in row.elements or _is_answer(type_name, name)):
        return None
    at, steps = type_name, []
    targets: tuple[str, ...] = ()
    for part in name.split("."):
        found = _types().get(at, {}).get(part)
        if found is None:
            return None
        repeats, targets, _ = found
        steps.append(Step(part, repeats))
        at = targets[0]
    element = Element(type_name, tuple(steps), targets)
    return element if element.families else None


def _is_answer(type_name: str, name: str) -> bool:
    """Answers stand at any depth of items."""
    return (
        type_name == "QuestionnaireResponse"
        and name.count("item") <= _DEEPEST_ITEMS
        and _ITEM_PATH.fullmatch(name) is not None
    )


def elements_of(type_name: str) -> tuple[Element, ...]:
    """All elements that the type's row lifts."""
    row = row_of(type_name)
    found = (element_of(type_name, name) for name in row.elements) if row else ()
    return tuple(element for element in found if element is not None)


def codes_of(element: Element) -> tuple[str, ...]:
    """All codes that a primitive code can have; none where R4 leaves it open."""
    return _codes(element.type_name, element.name) if element.system else ()
