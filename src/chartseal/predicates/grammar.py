"""From a policy's text to its predicates. The grammar: policy.lark."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, Tree
from lark.exceptions import LarkError, UnexpectedInput, VisitError

from chartseal.errors import PredicatePolicyError
from chartseal.predicates.sets import LONGEST_CODE, LONGEST_SYSTEM, is_plain
from chartseal.predicates.syntax import (
    CodedText,
    ElementText,
    HierarchyText,
    IntervalText,
    ListedCodes,
    MomentText,
    NamedCodes,
    NumberText,
    Part,
    Place,
    PredicateText,
    Qualifier,
    TruthText,
)
from chartseal.predicates.systems import by_alias

LONGEST_TEXT = 256 << 10
"""Characters of a policy's text: four sets of 4,095 codes of nine digits fit."""
LONGEST_UNIT = 64
LONGEST_NUMBER = 40
MOST_PREDICATES = 4
_EXCERPT = 60


@lru_cache(maxsize=1)
def _parser() -> Lark:
    text = files("chartseal.predicates").joinpath("policy.lark").read_text("utf-8")
    return Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def parse(text: str) -> tuple[PredicateText, ...]:
    """The predicates of a text, in its order.

    Raises:
        PredicatePolicyError: `policy_too_long`, `policy_characters`, `policy_syntax`, `policy_system_unknown`,
            `policy_too_many_predicates`.
    """
    _check_characters(text)
    try:
        predicates = _Reader().transform(_parser().parse(text))
    except UnexpectedInput as exc:
        _place_of(exc, text).refuse(_expected(exc), "policy_syntax")
    except VisitError as exc:
        if isinstance(exc.orig_exc, PredicatePolicyError):
            raise exc.orig_exc from None
        raise PredicatePolicyError("the text cannot be read", "policy_syntax", "1:1") from exc
    except LarkError as exc:
        raise PredicatePolicyError("the text cannot be read", "policy_syntax", "1:1") from exc
    assert isinstance(predicates, tuple)  # noqa: S101 (our own transformer)
    return predicates


def set_names(text: str) -> tuple[str, ...]:
    """The names of sets that a text refers to by `@name`, each once.

    Raises:
        PredicatePolicyError: as `parse`.
    """
    operands = [operand for predicate in parse(text) for operand in predicate.operands]
    return tuple(dict.fromkeys(each.name for each in operands if isinstance(each, NamedCodes)))


def excerpt(text: str, path: str) -> str:
    """The line of a place `line:column` with a caret below; a long line is cut around it."""
    line, _, column = path.partition(":")
    lines = text.split("\n")
    if not (line.isdecimal() and column.isdecimal() and 0 < int(line) <= len(lines)):
        return ""
    shown, at = lines[int(line) - 1].replace("\t", " ").rstrip("\r"), int(column) - 1
    start = max(0, at - _EXCERPT // 2)
    return f"{shown[start : start + _EXCERPT]}\n{' ' * (at - start)}^"


def _check_characters(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise PredicatePolicyError(f"the text has more than {LONGEST_TEXT} characters", "policy_too_long", "1:1")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.isascii() or not line.isprintable():
            for column, char in enumerate(line, 1):
                # Bidi overrides and zero-width characters would let a policy read otherwise than it compiles.
                if not (char.isprintable() or char in "\t\r"):
                    Place(number, column).refuse("a character that cannot be seen", "policy_characters")


def _place_of(exc: UnexpectedInput, text: str) -> Place:
    if exc.line is not None and exc.line > 0 and exc.column > 0:
        return Place(exc.line, exc.column)
    lines = text.split("\n")
    return Place(len(lines), len(lines[-1]) + 1)


_WORDS = {
    "COMPARE": "a comparison",
    "EQUAL": "=",
    "BETWEEN": "between",
    "IN": "in",
    "NOT": "not in",
    "ONLY": "only",
    "_AND": "and",
    "_AS": "as",
    "_TO": "to",
    "TYPE": "a resource type",
    "NAME": "an element",
    "SENSE": "a sense",
    "NUMBER": "a number",
    "DATE": "a date",
    "DATETIME": "a dateTime",
    "TRUTH": "true or false",
    "ALIAS": "a code system",
    "URI": "a code system",
    "STRING": "a quoted text",
    "CODE": "a code",
    "PREFIX": "a code's beginning and *",
    "SET": "a set's name",
    "UNIT": "a unit",
    "DOT": ".",
    "LSQB": "[",
    "RSQB": "]",
    "LPAR": "(",
    "RPAR": ")",
    "LBRACE": "{",
    "RBRACE": "}",
    "VBAR": "|",
    "COMMA": ",",
    "COLON": ":",
    "AT": "@",
    "MINUS": "-",
    "$END": "the end",
}


def _expected(exc: UnexpectedInput) -> str:
    names = set(getattr(exc, "accepts", None) or getattr(exc, "expected", None) or getattr(exc, "allowed", None) or ())
    words = sorted({_WORDS[name] for name in names if name in _WORDS})
    return f"expected {', '.join(words)}" if words else "not a policy's text"


def _place(item: Token | Tree[Any]) -> Place:
    if isinstance(item, Token):
        return Place(item.line or 1, item.column or 1)
    return Place(item.meta.line, item.meta.column)


def _unquote(token: Token, longest: int) -> str:
    text = str(token)
    if token.type == "STRING":
        text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if not is_plain(text, longest):
        _place(token).refuse(f"expected 1 to {longest} visible characters, without space around them", "policy_syntax")
    return text


class _Reader(Transformer[Token, Any]):
    """Lark's tree to the dataclasses of `syntax`."""

    def start(self, items: list[PredicateText]) -> tuple[PredicateText, ...]:
        if len(items) > MOST_PREDICATES:
            items[MOST_PREDICATES].place.refuse("more than four predicates", "policy_too_many_predicates")
        return tuple(items)

    def predicate(self, items: list[Any]) -> PredicateText:
        element, *rest = items
        words = [str(item) for item in rest if isinstance(item, Token) and item.type != "TRUTH"]
        operands = [_truth(item) if isinstance(item, Token) else item for item in rest if _is_operand(item)]
        return PredicateText(element, " ".join(words), tuple(operands), element.place)

    def element(self, items: list[Any]) -> ElementText:
        tokens = {item.type: str(item) for item in items if isinstance(item, Token)}
        qualifiers = [item for item in items if isinstance(item, _Placed)]
        parts = tuple(item for item in items if isinstance(item, Part))
        places = [_place(item) for item in items if isinstance(item, Token)] or [parts[0].place]
        qualifier = qualifiers[0].qualifier if qualifiers else None
        return ElementText(tokens.get("TYPE"), tokens.get("SENSE"), qualifier, parts, places[0])

    def part(self, items: list[Any]) -> Part:
        qualifier = items[1].qualifier if len(items) > 1 else None
        return Part(str(items[0]), qualifier, _place(items[0]))

    def qualifier(self, items: list[Any]) -> _Placed:
        system, code = items
        return _Placed(Qualifier(system[0], code[0]))

    def system(self, items: list[Token]) -> tuple[str, Place]:
        [token] = items
        return (_system(token), _place(token))

    def code(self, items: list[Token]) -> tuple[str, Place]:
        return (_unquote(items[0], LONGEST_CODE), _place(items[0]))

    def coded(self, items: list[Any]) -> CodedText:
        (system, place), (code, _) = items
        return CodedText(system, code, place)

    def unit(self, items: list[Token]) -> str:
        return _unquote(items[0], LONGEST_UNIT)

    def number(self, items: list[Any]) -> NumberText:
        token, *units = items
        if len(token) > LONGEST_NUMBER:
            _place(token).refuse(f"a number has at most {LONGEST_NUMBER} characters", "policy_syntax")
        unit, converted_to = [*units, None, None][:2]
        return NumberText(str(token), unit, converted_to, _place(token))

    def moment(self, items: list[Token]) -> MomentText:
        return MomentText(str(items[0]), _place(items[0]))

    def interval(self, items: list[Token]) -> IntervalText:
        return IntervalText(str(items[0]), str(items[1]), _place(items[0]))

    def listed(self, items: list[Any]) -> ListedCodes:
        (system, place), *codes = items
        return ListedCodes(system, tuple(code for code, _ in codes), place)

    def named(self, items: list[Any]) -> NamedCodes:
        *before, name = items
        system, place = before[0] if before else (None, _place(name))
        return NamedCodes(system, str(name), place)

    def hierarchy(self, items: list[Token]) -> HierarchyText:
        alias, first, *more = items
        last = more[0] if more else first
        return HierarchyText(_system(alias), str(first)[:-1], str(last)[:-1], _place(alias))


class _Placed:
    """A qualifier, told apart from the tuples of a part."""

    def __init__(self, qualifier: Qualifier) -> None:
        self.qualifier = qualifier


def _is_operand(item: object) -> bool:
    return not isinstance(item, Token) or item.type == "TRUTH"


def _truth(token: Token) -> TruthText:
    return TruthText(str(token) == "true", _place(token))


def _system(token: Token) -> str:
    if token.type != "ALIAS":
        return _unquote(token, LONGEST_SYSTEM)
    row = by_alias().get(str(token))
    if row is None:
        _place(token).refuse("no alias of a code system; write its URI", "policy_system_unknown")
    return row.uri
