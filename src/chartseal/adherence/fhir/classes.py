"""Which class and ingredient a medication's code means: a table that the user gives."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from chartseal.adherence.fhir.medications import Coding, Medication
from chartseal.errors import AdherenceError

ATC = "http://www.whocc.no/atc"
NDC = "http://hl7.org/fhir/sid/ndc"
_SHORT = {
    "atc": ATC,
    "ndc": NDC,
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "snomed": "http://snomed.info/sct",
}
_LARGEST = 64 << 20
_ATC_LENGTHS = (7, 5, 4, 3, 1)
"""Characters of ATC's five levels, the deepest first (whocc.no)."""
_NDC_PARTS = (5, 4, 2)


class ClassOf(NamedTuple):
    """A class, and the ingredient in it, where the table says one."""

    medication_class: str
    ingredient: str | None


@dataclass(frozen=True)
class ClassTable:
    """Classes by code. A code may stand for several: each ingredient of a combination counts by itself."""

    rows: dict[tuple[str, str], tuple[ClassOf, ...]]

    @classmethod
    def read(cls, path: str | Path) -> ClassTable:
        """Read a CSV file with columns `system`, `code`, `class` and, if there, `ingredient`.

        `system` is a URI, or one of rxnorm, atc, ndc, snomed. An ATC code stands for all below it; NDCs are compared as
        eleven digits.

        Raises:
            AdherenceError: `classes_unreadable`; `classes_malformed` with the line; `classes_too_large`.
        """
        path = Path(path)
        try:
            if path.stat().st_size > _LARGEST:
                raise AdherenceError(f"more than {_LARGEST} bytes", "classes_too_large", path.name)
            with path.open(newline="", encoding="utf-8-sig") as stream:
                return cls.of(csv.DictReader(stream, restval="", restkey=""))
        except (OSError, UnicodeDecodeError, csv.Error) as exc:
            raise AdherenceError("the table of classes cannot be read", "classes_unreadable", path.name) from exc

    @classmethod
    def of(cls, rows: Iterable[dict[str, str]]) -> ClassTable:
        """Take rows with the columns that `read` names.

        Raises:
            AdherenceError: `classes_malformed`.
        """
        found: dict[tuple[str, str], list[ClassOf]] = {}
        for number, row in enumerate(rows, 2):
            stated = [(row.get(name) or "").strip() for name in ("system", "code", "class", "ingredient")]
            if not all(stated[:3]):
                raise AdherenceError("a system, code or class is missing", "classes_malformed", f"line {number}")
            key = _key(_SHORT.get(stated[0].lower(), stated[0]), stated[1])
            means = ClassOf(stated[2], stated[3] or None)
            if means not in found.setdefault(key, []):
                found[key].append(means)
        return cls({key: tuple(means) for key, means in found.items()})

    def find(self, medication: Medication) -> tuple[ClassOf, ...]:
        """What the first coding means that the table lists; else the nearest ATC level above one; else nothing."""
        for coding in medication.codings:
            if found := self.rows.get(code_key(coding)):
                return found
        for coding in medication.codings:
            if coding.system == ATC and (found := self._above(coding.code)):
                return found
        return ()

    def _above(self, code: str) -> tuple[ClassOf, ...]:
        for length in _ATC_LENGTHS:
            if length < len(code) and (found := self.rows.get((ATC, code[:length]))):
                return found
        return ()


def code_key(coding: Coding) -> tuple[str, str]:
    """What is compared of a code: NDCs as eleven digits."""
    return _key(coding.system, coding.code)


def _key(system: str, code: str) -> tuple[str, str]:
    return system, _ndc(code) if system == NDC else code


def _ndc(code: str) -> str:
    """5-4-2 digits: each part of a ten-digit code filled up with zeros. Without hyphens ten digits are not told apart.

    Source: 45 CFR 162.1002; FDA, National Drug Code format.
    """
    parts = code.split("-")
    if len(parts) == 3 and all(len(part) <= size for part, size in zip(parts, _NDC_PARTS, strict=True)):
        return "".join(part.zfill(size) for part, size in zip(parts, _NDC_PARTS, strict=True))
    return code


def own_class(medication: Medication) -> ClassOf | None:
    """Without a table: the first code as `system|code`, as FHIR writes tokens, else the reference, else the name."""
    if medication.codings:
        first = medication.codings[0]
        return ClassOf(f"{first.system}|{first.code}", None)
    name = medication.reference or medication.name
    return ClassOf(name, None) if name else None
