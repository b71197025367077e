"""A search as it was asked: pairs of names and values become one checked query, or an error.

What is not served is refused where leaving it out would answer another question (chains, modifiers, `_sort`, …). Any
other unknown parameter is refused under `Prefer: handling=strict`, else left out and reported with the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from chartseal.errors import FhirRequestError
from chartseal.node.fhir.table import INDEXED_CODES, TYPES, Kind, Parameter, reference_of
from chartseal.node.fhir.values import DateValue, Filter, alternatives, date_value, reference_value

LONGEST = 2_048
"""Bytes of a query: a page's link holds it, and has itself room in an address of 4,096."""
MOST_PARAMETERS = 40
DEFAULT_COUNT, MOST_COUNT = 50, 100
"""Matches of a page."""
CURSOR = "_cursor"
PROVENANCE = "Provenance:target"
JSON_FORMATS = frozenset({"json", "application/json", "application/fhir+json", "text/json"})

_NOT_SERVED = frozenset({"_content", "_contained", "_containedType", "_elements", "_filter", "_has", "_list"}) | {
    *("_query", "_sort", "_summary", "_text"),
}
_REPEATED = frozenset({"_include", "_revinclude", "_lastUpdated"})
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_.:$-]{0,63}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
_TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}", re.ASCII)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Query:
    """One checked search."""

    resource_type: str
    """Empty for all types of a patient ($everything)."""
    patients: tuple[str, ...] = field(default=(), repr=False)
    """References, of any of which the record is."""
    ids: tuple[str, ...] = field(default=(), repr=False)
    types: frozenset[str] = frozenset()
    """Of $everything: only these; empty for all."""
    filters: tuple[Filter, ...] = ()
    updated: tuple[tuple[DateValue, ...], ...] = ()
    includes: tuple[tuple[str, Parameter], ...] = ()
    """(Parameter's name, reference): whose targets are given too."""
    has_provenance: bool = False
    has_total: bool = False
    count: int = DEFAULT_COUNT
    pairs: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """What was understood, as asked."""
    left_out: tuple[str, ...] = ()
    """Names of what was not."""

    @property
    def text(self) -> str:
        """What was understood, as a query string."""
        return urlencode(self.pairs)

    @property
    def references(self) -> tuple[Parameter, ...]:
        """Those whose targets are given too."""
        return tuple(parameter for _, parameter in self.includes)

    @property
    def indexed_code(self) -> tuple[str, ...]:
        """`system|code` of all alternatives of one parameter, where the vault's index can find them; else nothing."""
        for each in self.filters:
            is_indexed = each.parameter.kind is Kind.CONCEPT and set(each.parameter.paths) <= INDEXED_CODES
            if is_indexed and all(token.system and token.code for token in each.tokens):
                return tuple(f"{token.system}|{token.code}" for token in each.tokens)
        return ()


def split(text: str) -> list[tuple[str, str]]:
    """The pairs of a query string or a form, decoded once.

    Raises:
        FhirRequestError: `query_too_long`, `query_malformed`.
    """
    if len(text) > LONGEST:
        raise FhirRequestError(f"a search has at most {LONGEST} bytes", "query_too_long")
    if _BAD_ESCAPE.search(text) or not text.isascii():
        raise FhirRequestError("the search is not percent-encoded", "query_malformed")
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError as exc:
        raise FhirRequestError("the search is not pairs of names and values in UTF-8", "query_malformed") from exc
    for name, value in pairs:
        if not value.isprintable() or not name.isprintable():
            raise FhirRequestError("the search holds a control character", "query_malformed", _shown(name))
    return pairs


def read_query(resource_type: str, pairs: Pairs, *, is_strict: bool) -> Query:
    """A search of one type.

    Raises:
        FhirRequestError: `parameter_unknown` (strict handling), `parameter_repeated`, `parameter_value`,
            `parameter_not_served`, `search_too_wide`, `format_not_served`.
    """
    builder = _Builder(resource_type)
    for name, value in pairs:
        builder.add(name, value)
    return builder.finish(is_strict=is_strict)


def read_everything(patient: str, pairs: Pairs, *, is_strict: bool) -> Query:
    """`$everything` of a patient.

    Raises:
        FhirRequestError: as `read_query`.
    """
    builder = _Builder("")
    builder.patients = (f"Patient/{patient}",)
    builder.has_provenance = True
    for name, value in pairs:
        builder.add(name, value)
    return builder.finish(is_strict=is_strict)


def is_id(text: str) -> bool:
    """Whether a text is an id of R4."""
    return _ID.fullmatch(text) is not None


def require_json(text: str) -> None:
    """Refuse any form but JSON.

    Raises:
        FhirRequestError: `format_not_served`.
    """
    if text.partition(";")[0].strip() not in JSON_FORMATS:
        raise FhirRequestError("answers are application/fhir+json", "format_not_served", "_format")


def _shown(name: str) -> str:
    """A parameter's name as errors tell it: nothing that a name does not have."""
    return name if _NAME.fullmatch(name) else "?"


class _Builder:
    """Takes one pair after another."""

    def __init__(self, resource_type: str) -> None:
        self.resource_type = resource_type
        self.patients: tuple[str, ...] = ()
        self.ids: tuple[str, ...] = ()
        self.types: frozenset[str] = frozenset()
        self.filters: list[Filter] = []
        self.updated: list[tuple[DateValue, ...]] = []
        self.includes: dict[str, Parameter] = {}
        self.has_provenance = False
        self.has_total = False
        self.count = DEFAULT_COUNT
        self.pairs: list[tuple[str, str]] = []
        self.left_out: list[str] = []
        self._seen: set[str] = set()
        self._served = TYPES.get(resource_type)
        of_results: dict[str, Callable[[str], None]] = {
            "_count": self._count,
            "_total": self._total,
            "_format": require_json,
            "_pretty": lambda _: None,
            "_lastUpdated": lambda value: self.updated.append(_dates("_lastUpdated", value)),
        }
        of_search: dict[str, Callable[[str], None]] = {
            "_id": self._id,
            "_include": self._include,
            "_revinclude": self._revinclude,
        }
        of_everything: dict[str, Callable[[str], None]] = {
            "_type": self._type,
            "_since": lambda value: self.updated.append(_dates("_since", f"ge{value}")),
        }
        self._of_results = of_results | (of_search if resource_type else of_everything)

    def add(self, name: str, value: str) -> None:
        """Take a pair."""
        plain = self._without_type(name)
        if "." in plain or ":" in plain or plain in _NOT_SERVED:
            raise FhirRequestError(
                "chains, modifiers and this parameter are not served", "parameter_not_served", _shown(name)
            )
        known = self._of_results.get(plain)
        parameter = self._served.parameters.get(plain) if self._served else None
        is_patient = self._served is not None and plain in self._served.names_of_patient
        if known is None and parameter is None and not is_patient:
            self.left_out.append(_shown(name))
            return
        key = "patient" if is_patient else plain
        is_date = parameter is not None and parameter.kind is Kind.DATE
        if key in self._seen and plain not in _REPEATED and not is_date:
            raise FhirRequestError("the parameter stands twice", "parameter_repeated", _shown(name))
        self._seen.add(key)
        self.pairs.append((name, value))
        if known is not None:
            known(value)
        elif is_patient:
            self._patient(name, value)
        elif parameter is not None:
            self.filters.append(Filter.read(name, parameter, value))

    def _without_type(self, name: str) -> str:
        """`subject:Patient` is `subject`: of a reference's own types alone."""
        plain, _, modifier = name.partition(":")
        reference = reference_of(self.resource_type, plain) if modifier else None
        return plain if reference is not None and modifier in reference.targets else name

    def finish(self, *, is_strict: bool) -> Query:
        """The query, if it can be answered from one patient's records or by ids."""
        if is_strict and self.left_out:
            raise FhirRequestError("not a parameter that is served", "parameter_unknown", self.left_out[0])
        if not self.patients and not self.ids:
            wanted = "_id" if self._served and not self._served.names_of_patient else "patient or _id"
            raise FhirRequestError(f"a search here needs {wanted}", "search_too_wide", self.resource_type)
        return Query(
            self.resource_type,
            self.patients,
            self.ids,
            self.types,
            tuple(self.filters),
            tuple(self.updated),
            tuple(self.includes.items()),
            self.has_provenance,
            self.has_total,
            self.count,
            tuple(self.pairs),
            tuple(self.left_out),
        )

    def _patient(self, name: str, value: str) -> None:
        references = (reference_value(name, each) for each in alternatives(name, value))
        found = [each if "/" in each or each.startswith("urn:") else f"Patient/{each}" for each in references]
        for each in found:
            if not each.startswith("urn:") and each.rsplit("/", 2)[-2] != "Patient":
                raise FhirRequestError("expected a Patient", "parameter_value", name)
        self.patients = tuple(dict.fromkeys(found))

    def _id(self, value: str) -> None:
        found = alternatives("_id", value)
        if not all(map(is_id, found)):
            raise FhirRequestError("expected ids", "parameter_value", "_id")
        self.ids = tuple(dict.fromkeys(found))

    def _type(self, value: str) -> None:
        found = alternatives("_type", value)
        if not all(map(_TYPE.fullmatch, found)):
            raise FhirRequestError("expected resource types", "parameter_value", "_type")
        self.types = frozenset(found)

    def _count(self, value: str) -> None:
        if not (value.isascii() and value.isdigit()) or len(value) > 9:
            raise FhirRequestError("expected a number", "parameter_value", "_count")
        self.count = min(int(value), MOST_COUNT)
        self.has_total = self.has_total or self.count == 0  # hl7.org/fhir/R4/search.html#count: as _summary=count

    def _total(self, value: str) -> None:
        if value not in ("none", "accurate"):
            raise FhirRequestError("expected none or accurate", "parameter_value", "_total")
        self.has_total = self.has_total or value == "accurate"

    def _include(self, value: str) -> None:
        resource_type, _, rest = value.partition(":")
        name, _, target = rest.partition(":")
        found = reference_of(resource_type, name) if resource_type == self.resource_type else None
        if found is None or (target and target not in found.targets):
            raise FhirRequestError("this include is not served", "parameter_not_served", "_include")
        self.includes[value] = found._replace(targets=(target,)) if target else found

    def _revinclude(self, value: str) -> None:
        if value != PROVENANCE:
            raise FhirRequestError(f"{PROVENANCE} alone is served", "parameter_not_served", "_revinclude")
        self.has_provenance = True


def _dates(name: str, value: str) -> tuple[DateValue, ...]:
    return tuple(date_value(name, each) for each in alternatives(name, value))
