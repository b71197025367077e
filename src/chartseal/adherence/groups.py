"""Medication groups: boolean filters over events, by which supplies are measured apart.

    grouped(events, {"statins": 'class == "statin" and daily_dose >= 20', "others": "not statins"})

A filter compares columns of the events with texts ("…"), numbers, dates (2031-01-31) and `null`: `==`, `!=`, `<`,
`<=`, `>`, `>=` (not of texts), `in […]`, `starts_with "…"` (of texts). `and`, `or`, `not` and parentheses join them;
another group is named by itself or as `group("its name")`. A column with an odd name stands in backquotes. A comparison
with what is null is false (but `== null`, and `!=`), so that `not` of a group is all that the group leaves.

Source: AdhereR's manual, the medication groups of CMA0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any, NoReturn

import duckdb
import pyarrow as pa
from lark import Lark, Token, Tree
from lark.exceptions import LarkError, UnexpectedInput, UnexpectedToken

from chartseal.adherence.database import connect, quoted
from chartseal.adherence.tables import Columns, EventTable
from chartseal.errors import AdherenceError

MOST_GROUPS = 64
LONGEST_FILTER = 4_096
"""Characters."""
LONGEST_NAME = 256
DEEPEST = 32
"""Parentheses, `not` and operators within each other."""
LONGEST_NUMBER = 30

_OPERATORS = {"==": "IS NOT DISTINCT FROM", "!=": "IS DISTINCT FROM"}
_MEDICATIONS = ("", "supply", "prescribed")


def grouped(
    events: EventTable, groups: Mapping[str, str], *, others: str | None = None, columns: Columns | None = None
) -> pa.Table:
    """The events with a column `group`: each supply and prescription once for every group that it belongs to.

    Those of no group go, or are in a group named `others`. Rows of other kinds (stays, enrolment, …) stay, once,
    without a group.

    Raises:
        AdherenceError: `group_syntax`, `group_column_unknown`, `group_type`, `group_unknown`, `group_cycle`,
            `group_limit`, with name:line:column as path; `column_twice`, `table_unreadable`.
    """
    table, kind = _table(events), (columns or Columns()).kind
    _check_columns(table.column_names)
    filters = _in_order(groups, others)
    for name in [*filters, *([] if others is None else [others])]:
        _check_name(name)
    compiled = {name: _Compiler(name, table.schema, tuple(filters)).filter(tree) for name, tree in filters.items()}
    return _select(table, compiled, others, kind if kind in table.column_names else None)


@dataclass(frozen=True)
class _Sql:
    """An expression of DuckDB, and the values of its parameters in order."""

    text: str
    values: tuple[object, ...] = ()


@lru_cache(maxsize=1)
def _parser() -> Lark:
    text = files("chartseal.adherence").joinpath("groups.lark").read_text("utf-8")
    return Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def _in_order(groups: Mapping[str, str], others: str | None) -> dict[str, Tree[Token]]:
    """The parsed filters, each after those that it refers to."""
    if len(groups) > MOST_GROUPS:
        raise AdherenceError(f"more than {MOST_GROUPS} groups", "group_limit")
    if others in groups:
        raise AdherenceError("a group has this name", "group_limit", str(others))
    trees = {name: _parse(name, text) for name, text in groups.items()}
    ordered: dict[str, Tree[Token]] = {}
    while len(ordered) < len(trees):
        ready = [name for name in trees if name not in ordered and _references(name, trees) <= ordered.keys()]
        if not ready:
            raise AdherenceError("groups refer to each other in a circle", "group_cycle", min(trees.keys() - ordered))
        ordered.update((name, trees[name]) for name in ready)
    return ordered


def _parse(name: str, text: str) -> Tree[Token]:
    if len(text) > LONGEST_FILTER:
        raise AdherenceError(f"more than {LONGEST_FILTER} characters", "group_limit", name)
    try:
        return _parser().parse(text)
    except UnexpectedInput as exc:
        ended = isinstance(exc, UnexpectedToken) and exc.token.type == "$END"
        at = text if ended else text[: exc.pos_in_stream]
        place = f"{at.count(chr(10)) + 1}:{len(at) - at.rfind(chr(10))}"
        raise AdherenceError("not a filter from here on", "group_syntax", f"{name}:{place}") from exc
    except LarkError as exc:
        raise AdherenceError("not a filter", "group_syntax", name) from exc


def _references(name: str, trees: Mapping[str, Tree[Token]]) -> set[str]:
    found = set()
    for token in _referring(trees[name]):
        reference = _reference(token)
        if reference not in trees:
            _refuse(name, token, "no group has this name", "group_unknown")
        found.add(reference)
    return found


def _referring(tree: Tree[Token]) -> Iterator[Token]:
    for each in tree.find_pred(lambda node: node.data in ("named", "referred")):
        token = each.children[0]
        assert isinstance(token, Token)  # noqa: S101 (our own grammar)
        yield token


def _reference(token: Token) -> str:
    return str(token) if token.type == "NAME" else str(token)[1:-1]


@dataclass
class _Compiler:
    """One group's filter to DuckDB; values are bound, never part of the text."""

    name: str
    schema: pa.Schema
    groups: tuple[str, ...]
    depth: int = field(default=0, init=False)

    def filter(self, tree: Tree[Token]) -> _Sql:
        """The expression of a whole filter: true or false, never null."""
        return self._node(tree.children[0])

    def _node(self, node: Any) -> _Sql:
        self.depth += 1
        if self.depth > DEEPEST:
            raise AdherenceError(f"nested deeper than {DEEPEST}", "group_limit", self.name)
        made: _Sql = getattr(self, f"_{node.data}")(node.children)
        self.depth -= 1
        return made

    def _either(self, parts: list[Any]) -> _Sql:
        return _joined(" OR ", [self._node(part) for part in parts])

    def _both(self, parts: list[Any]) -> _Sql:
        return _joined(" AND ", [self._node(part) for part in parts])

    def _no(self, parts: list[Any]) -> _Sql:
        inner = self._node(parts[0])
        return _Sql(f"(NOT {inner.text})", inner.values)

    def _named(self, parts: list[Token]) -> _Sql:
        return _Sql(_flag(self.groups.index(_reference(parts[0]))))

    _referred = _named

    def _compared(self, parts: list[Any]) -> _Sql:
        column, operator, value = parts[0].children[0], parts[1], parts[2].children[0]
        kind = self._kind(column)
        if operator in _OPERATORS:
            bound = self._value(value, kind)
            return _Sql(f"({_column(column)} {_OPERATORS[operator]} ?)", (bound,))
        if kind == "text" or value.type == "NULL":
            self._refuse(operator, "texts and null are equal or not; they have no order here")
        return _Sql(f"coalesce({_column(column)} {operator} ?, false)", (self._value(value, kind),))

    def _listed(self, parts: list[Any]) -> _Sql:
        column, kind = parts[0].children[0], self._kind(parts[0].children[0])
        tokens = [part.children[0] for part in parts[1:]]
        values = tuple(self._value(token, kind) for token in tokens if token.type != "NULL")
        tests = [f"{_column(column)} IS NULL"] if len(values) < len(tokens) else []
        if values:
            tests.append(f"coalesce({_column(column)} IN ({', '.join('?' * len(values))}), false)")
        return _Sql(f"({' OR '.join(tests)})", values)

    def _begins(self, parts: list[Any]) -> _Sql:
        column, value = parts[0].children[0], parts[1].children[0]
        if self._kind(column) != "text" or value.type != "STRING":
            self._refuse(value, "starts_with is of texts")
        return _Sql(f"coalesce(starts_with({_column(column)}, ?), false)", (str(value)[1:-1],))

    def _kind(self, column: Token) -> str:
        """What a column holds: text, number, date."""
        name = _plain(column)
        if self.schema.names.count(name) != 1:
            self._refuse(column, "the events have no such column", "group_column_unknown")
        kind = _kind_of(self.schema.field(name).type)
        if kind is None:
            self._refuse(column, "only texts, numbers and dates are compared")
        return kind

    def _value(self, value: Token, kind: str) -> object:
        """A literal of a column's kind."""
        if value.type == "NULL":
            return None
        if {"STRING": "text", "NUMBER": "number", "DATE": "date"}[value.type] != kind:
            self._refuse(value, f"the column holds {kind}s")
        if value.type == "STRING":
            return str(value)[1:-1]
        return self._date(value) if value.type == "DATE" else self._number(value)

    def _date(self, value: Token) -> date:
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self._refuse(value, "no date of the calendar")

    def _number(self, value: Token) -> float:
        if len(value) > LONGEST_NUMBER:
            self._refuse(value, f"more than {LONGEST_NUMBER} characters", "group_limit")
        return float(value) if "." in value else int(value)

    def _refuse(self, token: Token, detail: str, code: str = "group_type") -> NoReturn:
        _refuse(self.name, token, detail, code)


def _refuse(name: str, token: Token, detail: str, code: str) -> NoReturn:
    raise AdherenceError(detail, code, f"{name}:{token.line}:{token.column}")


def _check_columns(names: Sequence[str]) -> None:
    folded = [name.casefold() for name in names]  # as DuckDB takes them
    if "group" in folded:
        raise AdherenceError("the events have groups already", "column_twice", "group")
    for name, fold in zip(names, folded, strict=True):
        if folded.count(fold) > 1:
            raise AdherenceError("two columns have this name, or one that differs in case alone", "column_twice", name)


def _check_name(name: str) -> None:
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or '"' in name:
        raise AdherenceError(f"a group's name is 1 to {LONGEST_NAME} visible characters", "group_limit")


def _kind_of(data_type: pa.DataType) -> str | None:
    if pa.types.is_dictionary(data_type):
        return _kind_of(data_type.value_type)
    if pa.types.is_string(data_type) or pa.types.is_large_string(data_type) or pa.types.is_string_view(data_type):
        return "text"
    if pa.types.is_integer(data_type) or pa.types.is_floating(data_type) or pa.types.is_decimal(data_type):
        return "number"
    return "date" if pa.types.is_date(data_type) else None


def _joined(word: str, parts: list[_Sql]) -> _Sql:
    text = word.join(part.text for part in parts)
    return _Sql(f"({text})", tuple(value for part in parts for value in part.values))


def _plain(column: Token) -> str:
    return str(column).strip("`")


def _column(column: Token) -> str:
    return quoted(_plain(column))


def _flag(place: int) -> str:
    return f'"group flag {place}"'


def _table(events: EventTable) -> pa.Table:
    if isinstance(events, duckdb.DuckDBPyRelation):
        return events.to_arrow_table()
    try:
        return events if isinstance(events, pa.Table) else pa.table(events)
    except (TypeError, ValueError, pa.ArrowException) as exc:
        raise AdherenceError("not a table: it exports no Arrow stream", "table_unreadable") from exc


def _select(table: pa.Table, compiled: Mapping[str, _Sql], others: str | None, kind: str | None) -> pa.Table:
    """Each filter is a column that later ones may name; then one SELECT for each group."""
    is_medication = "true" if kind is None else f"(coalesce(lower(trim({quoted(kind)})), '') IN {_MEDICATIONS})"
    source, values = "events", list[object]()
    for place, filter_ in enumerate(compiled.values()):
        source = f"(SELECT *, {is_medication} AND {filter_.text} AS {_flag(place)} FROM {source})"  # noqa: S608
        values = [*filter_.values, *values]
    flags = [_flag(place) for place in range(len(compiled))]
    parts: list[tuple[str, str | None]] = [(flag, name) for flag, name in zip(flags, compiled, strict=True)]
    if others is not None:
        parts.append((f"{is_medication} AND NOT ({' OR '.join([*flags, 'false'])})", others))
    parts.append((f"NOT {is_medication}", None))
    return _run(table, source, values, parts)


def _run(table: pa.Table, source: str, values: list[object], parts: list[tuple[str, str | None]]) -> pa.Table:
    chosen = ", ".join(map(quoted, table.column_names))
    selects = [f'SELECT {chosen}, CAST(? AS VARCHAR) AS "group" FROM flagged WHERE {test}' for test, _ in parts]  # noqa: S608
    query = f"WITH flagged AS MATERIALIZED (SELECT * FROM {source}) {' UNION ALL '.join(selects)}"  # noqa: S608
    with connect() as connection:
        try:
            connection.register("events", table)
            return connection.sql(query, params=[*values, *(name for _, name in parts)]).to_arrow_table()
        except duckdb.Error as exc:
            raise AdherenceError("the events cannot be read", "table_unreadable") from exc
