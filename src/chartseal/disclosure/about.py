"""A holder's records as one chart: which record a reference names, and everything about a code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from chartseal.errors import SelectionError

if TYPE_CHECKING:
    from chartseal.disclosure.selection import HeldRecord

CHOSEN = "chosen"
FULL_URL = "chartseal.fullUrl"
_SLOTS = "chartseal.slots."
_LONGEST = 1_024

_CONCEPT = re.compile(r"[A-Za-z]+\.(?:code|medicationCodeableConcept|vaccineCode)\.coding\[\d+\]\.code", re.ASCII)
_REASON = re.compile(r"[A-Za-z]+\.reasonCode\[\d+\]\.coding\[\d+\]\.code", re.ASCII)
_LINK = re.compile(r"[A-Za-z]+\.(?:reasonReference\[\d+\]|diagnosis\[\d+\]\.condition)\.reference", re.ASCII)


class Chart:
    """Records with an index of what references name. A reference that fits two records names none."""

    def __init__(self, records: Sequence[HeldRecord]) -> None:
        """Index the records by full URL and by type and id."""
        self.records = tuple(records)
        self._texts = [
            {field.name.split("+")[0]: field.value for field in record.fields if isinstance(field.value, str)}
            for record in self.records
        ]
        self._by_url: dict[str, set[int]] = {}
        for at, record in enumerate(self.records):
            resource_id = self.text(at, f"{record.resource_type}.id")
            url = self.text(at, FULL_URL)
            for name in {url, f"{record.resource_type}/{resource_id}" if resource_id else ""} - {""}:
                self._by_url.setdefault(name, set()).add(at)

    def text(self, at: int, name: str) -> str:
        """A text field's value by its name without `+n`; empty where there is none."""
        return self._texts[at].get(name, "")

    def texts(self, at: int) -> Iterator[tuple[str, str]]:
        """(name, value) of a record's text fields, `+n` left out."""
        yield from self._texts[at].items()

    def field_name(self, at: int, plain: str) -> str:
        """The name of a field as it is hashed, `+n` included."""
        return next(field.name for field in self.records[at].fields if field.name.split("+")[0] == plain)

    def target(self, at: int, name: str) -> int | None:
        """The one record that a reference field names, or None.

        A reference that is no absolute URL means a record of the same issuer: another's `Medication/1` is another's.
        """
        reference = self.text(at, name.split("+")[0]).split("/_history/")[0]
        url = self.text(at, FULL_URL)
        base = url.removesuffix("/".join(url.split("/")[-2:])) if url.startswith("http") else ""
        for candidate in (reference, base + reference if base and "/" in reference else ""):
            found = self._by_url.get(candidate, set()) if candidate else set()
            if not candidate.startswith(("http://", "https://")):
                found = {other for other in found if self._issuer(other) == self._issuer(at)}
            if len(found) == 1:
                return next(iter(found))
        return None

    def _issuer(self, at: int) -> bytes:
        return self.records[at].package.signer

    def travelling(self, at: int) -> str:
        """The slots field whose choice opens what travels in the whole record."""
        return _SLOTS + self.records[at].resource_type

    def choose_travelling(self, chosen: list[dict[str, str]], at: int) -> bool:
        """Choose what travels in a record; whether that is new."""
        name = self.travelling(at)
        new = name not in chosen[at]
        chosen[at].setdefault(name, CHOSEN)
        return new

    def choose_link(self, chosen: list[dict[str, str]], source: int, target: int) -> None:
        """Open both full URLs, so that a verifier sees which record the reference names."""
        for at in (source, target):
            if self.text(at, FULL_URL):
                chosen[at].setdefault(FULL_URL, "tells which record a reference names")


class CodeQuery(NamedTuple):
    """Everything about one code.

    Chosen are, in full: (1) of each record with a coding of that code (and system, where one is given) directly in
    its `code`, `medication[x]` or `vaccineCode`: that coding; (2) of each record with such a coding in a `reasonCode`:
    that coding; (3) of each record whose `reasonReference` or `diagnosis.condition` names a record of (1) that is in
    the chart: that reference, and both records' full URLs. In each of them opens besides what always travels in a
    record of its type (status, dates, values, …). Narrative, notes, identifiers and other references stay shut unless
    a path opens them; contained resources, children of the code and synonyms in other systems are not looked for.
    """

    system: str
    code: str

    @classmethod
    def parse(cls, text: str) -> CodeQuery:
        """Read `system|code`, or `code` of any system.

        Raises:
            SelectionError: `pattern_malformed`.
        """
        system, _, code = text.rpartition("|")
        if not code or len(text) > _LONGEST or ("|" in text and not system):
            raise SelectionError("expected system|code or a code", "pattern_malformed", text[:80])
        return cls(system, code)

    def matches(self, chart: Chart, at: int) -> bool:
        """Whether the record's own code (that of a medication and a vaccine too) is this one."""
        return bool(self._codings(chart, at, _CONCEPT))

    def choose(self, chart: Chart, chosen: list[dict[str, str]]) -> None:
        """Add to what is chosen of each record.

        Raises:
            SelectionError: `pattern_unmatched`, when no record has the code.
        """
        having: set[int] = set()
        found = False
        for at in range(len(chart.records)):
            concepts = self._codings(chart, at, _CONCEPT)
            if concepts:
                having.add(at)
            for name in [*concepts, *self._codings(chart, at, _REASON)]:
                chosen[at][chart.field_name(at, name)] = CHOSEN
                chart.choose_travelling(chosen, at)
                found = True
        if not found:
            raise SelectionError("no record has this code", path=f"{self.system}|{self.code}".removeprefix("|"))
        for at in range(len(chart.records)):
            self._choose_links(chart, at, having, chosen)

    def _codings(self, chart: Chart, at: int, form: re.Pattern[str]) -> list[str]:
        return [
            name
            for name, value in chart.texts(at)
            if value == self.code
            and form.fullmatch(name)
            and self.system in ("", chart.text(at, name.removesuffix("code") + "system"))
        ]

    @staticmethod
    def _choose_links(chart: Chart, at: int, having: set[int], chosen: list[dict[str, str]]) -> None:
        for name, _ in list(chart.texts(at)):
            target = chart.target(at, name) if _LINK.fullmatch(name) else None
            if target in having and target is not None:
                chosen[at][chart.field_name(at, name)] = CHOSEN
                chart.choose_travelling(chosen, at)
                chart.choose_link(chosen, at, target)
