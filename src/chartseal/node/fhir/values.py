"""Values of search parameters: read once, then compared with each record's elements.

Source: hl7.org/fhir/R4/search.html, its types of parameters and its escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chartseal.errors import FhirRequestError
from chartseal.node.fhir.dates import PREFIXES, Written, compares, read_date, stretch
from chartseal.node.fhir.elements import Coding, Elements
from chartseal.node.fhir.table import Kind, Parameter

MOST_VALUES = 50
"""Alternatives of one parameter."""

_ESCAPE = re.compile(r"\\([,|$\\])")
_REFERENCE = re.compile(r"(?:(?:https?://[^\s?#]{1,900}/)?[A-Z][A-Za-z]{0,63}/)?[A-Za-z0-9.-]{1,64}", re.ASCII)
_URN = re.compile(r"urn:(?:uuid|oid):[A-Za-z0-9.-]{1,64}", re.ASCII)
_HISTORY = re.compile(r"/_history/[A-Za-z0-9.-]{1,64}$", re.ASCII)


class Token(NamedTuple):
    """A code, of any system where that is None; or a system, with any code where the code is empty."""

    system: str | None
    code: str

    def matches(self, found: Coding) -> bool:
        """Whether a coding is meant."""
        return self.system in (None, found.system) and self.code in ("", found.code)


class DateValue(NamedTuple):
    """A prefix and a date."""

    prefix: str
    written: Written


@dataclass(frozen=True, slots=True)
class Filter:
    """What a record must have: of one parameter any of the values."""

    parameter: Parameter
    tokens: tuple[Token, ...] = field(default=(), repr=False)
    dates: tuple[DateValue, ...] = field(default=(), repr=False)
    references: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, name: str, parameter: Parameter, text: str) -> Filter:
        """Read the parameter's value.

        Raises:
            FhirRequestError: `parameter_value`; its path is the parameter's name.
        """
        values = alternatives(name, text)
        if parameter.kind is Kind.DATE:
            return cls(parameter, dates=tuple(date_value(name, each) for each in values))
        if parameter.kind is Kind.REFERENCE:
            return cls(parameter, references=tuple(reference_value(name, each) for each in values))
        tokens = tuple(_token(name, each) for each in values)
        if parameter.kind is Kind.CODE and any(each.system for each in tokens):
            raise FhirRequestError("this code has one system: ask for the code alone", "parameter_value", name)
        return cls(parameter, tokens=tokens)

    def matches(self, elements: Elements, bases: Sequence[str]) -> bool:
        """Whether a record has one of the values; `bases` are what its relative references stand under."""
        return any(_COMPARING[self.parameter.kind](self, elements, path, bases) for path in self.parameter.paths)

    def _of_codings(self, found: Sequence[Coding]) -> bool:
        return any(token.matches(each) for token in self.tokens for each in found)

    def _of_dates(self, elements: Elements, path: str) -> bool:
        return any(
            compares(wanted.prefix, wanted.written, found)
            for wanted in self.dates
            for start, end in _ends(elements, path)
            if (found := stretch(start, end, wanted.written.offset)) is not None
        )

    def _of_references(self, found: Sequence[str], bases: Sequence[str]) -> bool:
        return any(is_same(each, wanted, self.parameter.targets, bases) for each in found for wanted in self.references)


_COMPARING: dict[Kind, Callable[[Filter, Elements, str, Sequence[str]], bool]] = {
    Kind.CONCEPT: lambda wanted, elements, path, _: wanted._of_codings(elements.concepts(path)),
    Kind.CODING: lambda wanted, elements, path, _: wanted._of_codings(elements.codings(path)),
    Kind.CODE: lambda wanted, elements, path, _: wanted._of_codings([Coding("", it) for it in elements.texts(path)]),
    Kind.IDENTIFIER: lambda wanted, elements, path, _: wanted._of_codings(_identifiers(elements, path)),
    Kind.DATE: lambda wanted, elements, path, _: wanted._of_dates(elements, path),
    Kind.REFERENCE: lambda wanted, elements, path, bases: wanted._of_references(
        elements.texts(f"{path}.reference"), bases
    ),
}


def _identifiers(elements: Elements, path: str) -> list[Coding]:
    systems = {each.owner: each.text for each in elements.at(f"{path}.system")}
    return [Coding(systems.get(each.owner, ""), each.text) for each in elements.at(f"{path}.value")]


def _ends(elements: Elements, path: str) -> Iterator[tuple[str, str]]:
    """Beginnings and ends of an element's dates."""
    if not path.lower().endswith("period"):
        yield from ((each, each) for each in elements.texts(path))
        return
    starts = {each.owner: each.text for each in elements.at(f"{path}.start")}
    stops = {each.owner: each.text for each in elements.at(f"{path}.end")}
    for owner in starts.keys() | stops.keys():
        yield starts.get(owner, ""), stops.get(owner, "")


def alternatives(name: str, text: str) -> list[str]:
    """A value's alternatives, still escaped.

    Raises:
        FhirRequestError: `parameter_value`; one is empty, or there are too many.
    """
    values = _parts(text, ",")
    if not all(values):
        raise FhirRequestError("a value is empty", "parameter_value", name)
    if len(values) > MOST_VALUES:
        raise FhirRequestError(f"a parameter has at most {MOST_VALUES} values", "parameter_value", name)
    return values


def _parts(text: str, sign: str) -> list[str]:
    """A text, parted at each sign that is not escaped."""
    found, is_escaped = [""], False
    for each in text:
        if each == sign and not is_escaped:
            found.append("")
            continue
        found[-1] += each
        is_escaped = each == "\\" and not is_escaped
    return [""] if is_escaped else found  # a last backslash that escapes nothing


def _plain(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)


def _token(name: str, text: str) -> Token:
    parts = [_plain(each) for each in _parts(text, "|")]
    if len(parts) > 2 or not any(parts):
        raise FhirRequestError("expected code, system|code, system| or |code", "parameter_value", name)
    return Token(None, parts[0]) if len(parts) == 1 else Token(*parts)


def date_value(name: str, text: str) -> DateValue:
    """A date with its prefix.

    Raises:
        FhirRequestError: `parameter_value`.
    """
    prefix, rest = (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)
    written = read_date(rest) if prefix in PREFIXES else None
    if written is None:
        raise FhirRequestError("expected a date of FHIR, with one of its prefixes", "parameter_value", name)
    return DateValue(prefix, written)


def reference_value(name: str, text: str) -> str:
    """A reference: an id, type/id, a URL that ends so, or a URN; without a version.

    Raises:
        FhirRequestError: `parameter_value`.
    """
    reference = _HISTORY.sub("", _plain(text))
    if not _REFERENCE.fullmatch(reference) and not _URN.fullmatch(reference):
        raise FhirRequestError("expected an id, type/id, or a URL", "parameter_value", name)
    return reference


def is_same(found: str, wanted: str, targets: Sequence[str], bases: Sequence[str]) -> bool:
    """Whether a record's reference is the one that is wanted; an id alone stands for one of the target types."""
    found = _HISTORY.sub("", found)
    if "/" not in wanted and not wanted.startswith("urn:"):
        return any(is_same(found, f"{target}/{wanted}", (), bases) for target in targets)
    if found == wanted:
        return True
    if found.startswith("urn:uuid:"):  # as resources of one transaction name each other, by what became their ids
        return wanted.rpartition("/")[2] == found.removeprefix("urn:uuid:")
    return any(base + found == wanted or base + wanted == found for base in bases if base)
