"""Bounds written in another unit than the claim's: exact, or refused.

Parser and tables of UCUM are ucumvert's (the extra `ucum`); the factors are computed in fractions, since pint's are
rounded. Never converted: dimensionless units and their kin, amounts to counts or masses, arbitrary and special units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lark import LarkError, Token, Transformer

from chartseal.errors import MissingExtraError
from chartseal.predicates.syntax import Place

if TYPE_CHECKING:
    from lark import Lark

_OWN_DIMENSIONS = {"mol", "eq", "osm", "mo"}
"""UCUM defines the first three as numbers of things and a month as days; here they are what they measure."""
_REDEFINED = {"a": ("12", "mo")}
_LARGEST_POWER = 64
_LONGEST_LEXEME = 60


@dataclass(frozen=True)
class _Measure:
    """A factor, powers of base units, and whether anything in it may not be converted."""

    factor: Fraction = Fraction(1)
    powers: tuple[tuple[str, int], ...] = ()
    is_fixed: bool = False

    def times(self, other: _Measure, power: int = 1) -> _Measure:
        powers = Counter(dict(self.powers))
        for name, exponent in other.powers:
            powers[name] += exponent * power
        kept = tuple(sorted((name, exponent) for name, exponent in powers.items() if exponent))
        return _Measure(self.factor * other.factor**power, kept, self.is_fixed or other.is_fixed)


@dataclass(frozen=True)
class _Definition:
    value: str
    unit: str
    is_fixed: bool


def convert(lexeme: str, unit: str, into: str, place: Place) -> str:
    """The number in the other unit, as a decimal lexeme.

    Raises:
        MissingExtraError: ucumvert is not installed.
        PredicatePolicyError: `policy_unit_unknown`, `policy_unit_conversion`, `policy_conversion_inexact`.
    """
    tables = _Tables.load()
    source, target = (tables.measure(text, place) for text in (unit, into))
    if source.is_fixed or target.is_fixed or not source.powers or source.powers != target.powers:
        place.refuse("the units measure different things, or are never converted", "policy_unit_conversion")
    converted = _decimal(Fraction(lexeme) * source.factor / target.factor)
    if converted is None:
        place.refuse("the bound has no exact decimal in that unit", "policy_conversion_inexact")
    return converted


def _decimal(number: Fraction) -> str | None:
    rest, places = number.denominator, 0
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    for prime in (2, 5):
        while rest % prime == 0:
            rest, places = rest // prime, places + 1
    if rest != 1 or places > _LONGEST_LEXEME:
        return None
    digits = abs(number.numerator) * 10**places // number.denominator
    text = f"{digits:0{places + 1}}"
    whole, fraction = text[: len(text) - places], text[len(text) - places :].rstrip("0")
    return f"{'-' if number < 0 else ''}{whole}{'.' + fraction if fraction else ''}"


@dataclass
class _Tables:
    """UCUM's essence as ucumvert carries it."""

    parser: Lark
    prefixes: dict[str, Fraction]
    bases: frozenset[str]
    definitions: dict[str, _Definition]
    known: dict[str, _Measure] = field(default_factory=dict)

    @staticmethod
    @lru_cache(maxsize=1)
    def load() -> _Tables:
        try:
            from ucumvert import get_ucum_parser, xml_util  # type: ignore[import-untyped]  # an extra, slow to load, untyped
        except ImportError as exc:
            raise MissingExtraError("converting units needs the extra `ucum`: pip install 'chartseal[ucum]'") from exc
        prefixes = {
            each.attrib["Code"]: Fraction(each.find("{*}value").attrib["value"])
            for each in xml_util.root.findall(".//{*}prefix[@Code]")
        }
        definitions = {
            each.code_cs: _Definition(
                str(each.conversion_factor), each.defining_unit, each.is_special or each.is_arbitrary
            )
            for each in xml_util.get_units_with_full_definition()
        }
        return _Tables(get_ucum_parser(), prefixes, frozenset(xml_util.get_base_units()), definitions)

    def measure(self, text: str, place: Place) -> _Measure:
        try:
            return self._parse(text)
        except (LarkError, KeyError, ValueError, RecursionError, OverflowError, ZeroDivisionError):
            place.refuse("no unit of UCUM", "policy_unit_unknown")

    def _parse(self, text: str) -> _Measure:
        found = _Reader(self).transform(self.parser.parse(text))
        assert isinstance(found, _Measure)  # noqa: S101 (our own transformer)
        return found

    def atom(self, name: str) -> _Measure:
        """What a unit without prefix is."""
        if name not in self.known:
            self.known[name] = self._atom(name)
        return self.known[name]

    def _atom(self, name: str) -> _Measure:
        if name in _OWN_DIMENSIONS or (name in self.bases and name not in {"rad"}):
            return _Measure(powers=((name, 1),))
        if name in {"10*", "10^"}:
            return _Measure(Fraction(10))
        if name in _REDEFINED:
            value, unit = _REDEFINED[name]
            return _Measure(Fraction(value)).times(self._parse(unit))
        definition = self.definitions[name]
        if definition.is_fixed:
            return _Measure(powers=((name, 1),), is_fixed=True)
        return _Measure(Fraction(definition.value)).times(self._parse(definition.unit))


class _Reader(Transformer[Token, Any]):
    """ucumvert's tree to a measure."""

    def __init__(self, tables: _Tables) -> None:
        super().__init__()
        self._tables = tables

    def main_term(self, items: list[Any]) -> _Measure:
        return _Measure().times(_measured(items[-1]), -1 if len(items) == 2 else 1)

    def term(self, items: list[Any]) -> _Measure:
        left, operator, right = items
        return _measured(left).times(_measured(right), 1 if operator == "." else -1)

    def component(self, items: list[Any]) -> _Measure:
        return _product(items)

    def annotatable(self, items: list[Any]) -> _Measure:
        base, exponent = items
        power = int(exponent)
        if abs(power) > _LARGEST_POWER:
            raise ValueError("too large a power")
        return _Measure().times(_measured(base), power)

    def simple_unit(self, items: list[Token]) -> _Measure:
        if items[-1].type == "FACTOR":
            return _Measure(Fraction(str(items[-1])))
        found = self._tables.atom(str(items[-1]))
        return _Measure(self._tables.prefixes[str(items[0])]).times(found) if len(items) == 2 else found


def _measured(item: Any) -> _Measure:
    """An annotation says what is counted: units that have one are never converted."""
    return item if isinstance(item, _Measure) else _Measure(is_fixed=True)


def _product(items: Iterable[Any]) -> _Measure:
    found = _Measure()
    for item in items:
        found = found.times(_measured(item))
    return found
