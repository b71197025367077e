"""AdhereR's medication groups as ours: the values of a column, or named expressions of R.

    {"A": "CATEGORY == 'medA'", "AA": "{A} & PERDAY < 4"}

R's comparisons, `&`, `|`, `!`, `%in% c(…)` and parentheses are ours in other words; a name in braces is another group,
a bare name a column. What else R can say is an error. Supplies of no group are the group `__ALL_OTHERS__`.

Source: the reference manual of AdhereR 0.8.1, `medication.groups` of CMA0, and `getMGs`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from chartseal.adherence import grouped

ALL_OTHERS = "__ALL_OTHERS__"

_TOKENS = re.compile(
    r"""\s*(?:
        (?P<in>%in%\s*c\((?P<list>[^()]*)\))
      | \{(?P<group>[^}"]+)\}
      | (?P<compare><=|>=|==|!=|<|>)
      | (?P<and>&) | (?P<or>\|) | (?P<not>!)
      | (?P<paren>[()])
      | (?P<text>'[^'"]*'|"[^'"]*")
      | (?P<number>-?\d+(?:\.\d+)?)(?![\w.])
      | (?P<column>[A-Za-z.][\w.]*)(?![\w.(])
    )""",
    re.VERBOSE,
)
_VALUE = re.compile(r"\s*('[^'\"]*'|\"[^'\"]*\"|-?\d+(?:\.\d+)?)\s*(?:,|$)")
_WORDS: Mapping[str, Callable[[str], str]] = {
    "group": lambda name: f'group("{name}")',
    "and": lambda _: "and",
    "or": lambda _: "or",
    "not": lambda _: "not",
    "column": lambda name: f"`{name}`",
}


class UnknownExpressionError(Exception):
    """An expression of R that has no words of ours."""


def groups_of(events: pa.Table, expressions: Mapping[str, str]) -> pa.Table:
    """The events with a column `group`."""
    numeric = pa.table(
        {name: _numbers(column) for name, column in zip(events.column_names, events.columns, strict=True)}
    )
    found = grouped(numeric, {name: filter_of(text) for name, text in expressions.items()}, others=ALL_OTHERS)
    names = dict(zip(numeric.column_names, events.schema.types, strict=True))
    return pa.table(
        {name: found[name].cast(names[name]) if name in names else found[name] for name in found.column_names}
    )


def filter_of(expression: str) -> str:
    """R's expression as a filter of ours."""
    return " ".join(_translated(expression))


def _translated(expression: str) -> Iterator[str]:
    at, text = 0, expression.rstrip()
    while at < len(text):
        token = _TOKENS.match(text, at)
        if token is None:
            raise UnknownExpressionError(f"not mapped from character {at + 1} on")
        at, kind = token.end(), str(token.lastgroup)
        if token["in"]:
            yield f"in [{', '.join(_values(token['list']))}]"
        else:
            yield _WORDS.get(kind, str)(token[kind])


def _values(text: str) -> list[str]:
    values, at = [], 0
    while value := _VALUE.match(text, at):
        values.append(value[1])
        at = value.end()
    if at < len(text) or not values:
        raise UnknownExpressionError("not a list of texts and numbers")
    return values


def _numbers(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """A column of texts that all are numbers is one of numbers, as R reads it."""
    if not pa.types.is_string(column.type):
        return column
    try:
        return column.cast(pa.float64())
    except pa.ArrowInvalid:
        return column
