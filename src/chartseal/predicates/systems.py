"""Code systems: their aliases and names. Rows: systems.tsv."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

GENDER = "http://hl7.org/fhir/administrative-gender"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ATC = "http://www.whocc.no/atc"


class CodeSystem(NamedTuple):
    """A code system that has an alias."""

    alias: str
    uri: str
    name: str


@lru_cache(maxsize=1)
def _rows() -> tuple[CodeSystem, ...]:
    text = files("chartseal.predicates").joinpath("systems.tsv").read_text("utf-8")
    return tuple(CodeSystem(*line.split("\t")) for line in text.splitlines()[1:])


@lru_cache(maxsize=1)
def by_alias() -> dict[str, CodeSystem]:
    """All rows by alias."""
    return {row.alias: row for row in _rows()}


@lru_cache(maxsize=1)
def by_uri() -> dict[str, CodeSystem]:
    """All rows by URI."""
    return {row.uri: row for row in _rows()}


def name_of(uri: str) -> str:
    """A system in words; the URI where it has no name."""
    row = by_uri().get(uri)
    return row.name if row else uri
