"""What a policy's text says, before it is known whether it means anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, NoReturn, TypeAlias

from chartseal.errors import PredicatePolicyError


class Place(NamedTuple):
    """Where something stands in the text, both from 1."""

    line: int
    column: int

    def refuse(self, detail: str, code: str) -> NoReturn:
        """Raise PredicatePolicyError at this place."""
        raise PredicatePolicyError(detail, code, f"{self.line}:{self.column}")


class Qualifier(NamedTuple):
    """`[system|code]`: which of several things of one kind an element is about."""

    system: str
    code: str


class Part(NamedTuple):
    """One step of an element's path."""

    name: str
    qualifier: Qualifier | None
    place: Place


@dataclass(frozen=True)
class ElementText:
    """`Type(sense)[qualifier].part.part`; what is left out is None."""

    type_name: str | None
    sense: str | None
    qualifier: Qualifier | None
    parts: tuple[Part, ...]
    place: Place


class CodedText(NamedTuple):
    """`system|code`."""

    system: str
    code: str
    place: Place


class NumberText(NamedTuple):
    """A decimal; its unit; the unit it is to be converted to."""

    lexeme: str
    unit: str | None
    converted_to: str | None
    place: Place


class MomentText(NamedTuple):
    """A date of ten or seven characters, or a dateTime with zone."""

    text: str
    place: Place


class IntervalText(NamedTuple):
    """`first to last`: dates, of four, seven or ten characters."""

    first: str
    last: str
    place: Place


class TruthText(NamedTuple):
    """`true` or `false`."""

    value: bool
    place: Place


class ListedCodes(NamedTuple):
    """`system{code, code}`."""

    system: str
    codes: tuple[str, ...]
    place: Place


class NamedCodes(NamedTuple):
    """`@name`, or `system@name`."""

    system: str | None
    name: str
    place: Place


class HierarchyText(NamedTuple):
    """`system:first*`, or `system:first*-last*`; the stars are left out."""

    system: str
    first: str
    last: str
    place: Place


Value: TypeAlias = CodedText | NumberText | MomentText | IntervalText | TruthText
Codes: TypeAlias = ListedCodes | NamedCodes | HierarchyText


@dataclass(frozen=True)
class PredicateText:
    """An element, an operator and its operands.

    `operator` is one of = != < <= > >= between in, `not in`, `only =`, `only in`.
    """

    element: ElementText
    operator: str
    operands: tuple[Value | Codes, ...]
    place: Place
