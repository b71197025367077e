"""Answers: reads, searches and `$everything` over one vault, each record through the gate of the request.

A record that may not be shown is nowhere in an answer: not in counts, totals, pages, links, nor in errors. Of several
versions of a resource only the newest is shown, and none where that one may not be.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from chartseal.errors import ChartsealError, FhirRequestError
from chartseal.node.fhir.bundle import Page, entry_of, pieces, seal_of, url_of
from chartseal.node.fhir.cursors import Cursor, Cursors
from chartseal.node.fhir.finding import Finder
from chartseal.node.fhir.gate import Caller, Gate
from chartseal.node.fhir.judging import Judged, Ledger
from chartseal.node.fhir.outcomes import NOTICES, Answer, answer, issue, not_found
from chartseal.node.fhir.parameters import CURSOR, Pairs, Query, is_id, read_everything, read_query, split
from chartseal.node.fhir.provenance import AnswerRecord
from chartseal.node.fhir.table import TYPES
from chartseal.vault import Entry, Vault

LARGEST_PAGE = 8 << 20
"""Bytes of a page's entries; a match that is larger comes alone."""

_LOG = logging.getLogger(__name__)


Duty = Callable[[Caller, Judged], None]
"""Does what a decision demands before its record leaves: a notice to the patient, say. If it raises, nothing leaves."""


class Asked(NamedTuple):
    """Who asks, what may be shown to it, and when: of one request."""

    caller: Caller
    gate: Gate
    now: datetime


@dataclass(frozen=True)
class Answers:
    """Answers over one vault. `base` is this server's own URL, ending in a slash."""

    vault: Vault
    cursors: Cursors
    answer_record: AnswerRecord
    base: str
    most_bytes: int = LARGEST_PAGE
    duties: Mapping[str, Duty] = field(default_factory=dict)
    """By code, besides those that are done by telling the receiver. A record with any other is not shown."""

    def read(self, resource_type: str, identifier: str, asked: Asked) -> Answer:
        """One resource.

        Raises:
            FhirRequestError: `not_found`, `type_not_served`.
            VaultError: as `Finder.bearing` and `Ledger.enter`.
        """
        _require_served(resource_type)
        finder, ledger = self._finder(asked), Ledger(self.vault, asked.caller, asked.now)
        found = finder.bearing(f"{resource_type}/{identifier}") if is_id(identifier) else None
        if found is not None and found.shown is not None:
            self._give([found], asked, ledger)
            ledger.enter()
            return answer(200, found.shown.text.encode(), duties=found.decision.duties)
        for each in finder.refused:
            ledger.refuse(each)
        if not finder.refused:  # so that both take the log's time
            ledger.refuse_unknown(resource_type)
        ledger.enter()
        raise not_found()

    def unknown(self, resource_type: str, asked: Asked) -> FhirRequestError:
        """What is raised of something that is not here, once it is entered that it was asked for.

        Raises:
            VaultError: as `Ledger.enter`.
        """
        ledger = Ledger(self.vault, asked.caller, asked.now)
        ledger.refuse_unknown(resource_type)
        ledger.enter()
        return not_found()

    def search(self, resource_type: str, text: str, asked: Asked, *, is_strict: bool = False) -> Answer:
        """A search of one type: its first page, or the one that `_cursor` names.

        Raises:
            FhirRequestError: as `read_query` and `Cursors.open`; `type_not_served`.
            VaultError: as `Finder.matches` and `Ledger.enter`.
        """
        _require_served(resource_type)
        pairs = split(text)
        cursor = self._cursor(pairs, resource_type, asked, is_everything=False)
        query = read_query(resource_type, cursor.pairs if cursor else pairs, is_strict=is_strict)
        return self._answer(query, asked, resource_type, cursor.begins if cursor else 0)

    def everything(
        self, patient: str, text: str, asked: Asked, *, is_strict: bool = False, path: str | None = None
    ) -> Answer:
        """All of a patient's records that may be shown, with their seals; an unknown patient has none. Links have
        another `path` where who asks did not name her by her id.

        Raises:
            FhirRequestError, VaultError: as `search`.
        """
        if not is_id(patient):
            raise FhirRequestError("not an id", "parameter_value", "id")
        pairs = split(text)
        cursor = self._cursor(pairs, patient, asked, is_everything=True)
        query = read_everything(patient, cursor.pairs if cursor else pairs, is_strict=is_strict)
        return self._answer(query, asked, patient, cursor.begins if cursor else 0, path)

    def _finder(self, asked: Asked) -> Finder:
        return Finder(self.vault, asked.gate, self.base, self.most_bytes, NOTICES.keys() | self.duties.keys())

    def _give(self, records: Iterable[Judged], asked: Asked, ledger: Ledger) -> None:
        """Do what the decisions demand, and note that the records are given."""
        for each in records:
            for duty in sorted(each.decision.duties & self.duties.keys()):
                self.duties[duty](asked.caller, each)
            ledger.give(each)

    def _cursor(self, pairs: Pairs, target: str, asked: Asked, *, is_everything: bool) -> Cursor | None:
        tokens = [value for name, value in pairs if name == CURSOR]
        if not tokens:
            return None
        if len(pairs) != 1:
            raise FhirRequestError("a page's link is followed as it is", "parameter_repeated", CURSOR)
        found = self.cursors.open(tokens[0], client_id=asked.caller.client_id, now=asked.now)
        if (found.target, found.is_everything) != (target, is_everything):
            raise FhirRequestError("the link is another search's", "cursor_refused")
        return found

    def _answer(self, query: Query, asked: Asked, target: str, begins: int, path: str | None = None) -> Answer:
        ledger, finder = Ledger(self.vault, asked.caller, asked.now), self._finder(asked)
        page = self._page(query, finder, begins)
        if query.has_total:
            counter = self._finder(asked)
            page.total = sum(1 for _ in counter.matches(counter.candidates(query), query))
        page.issues.extend(_left_out(query))
        own_link, next_link = self._links(query, asked, target, page.begins_next, path)
        made = answer(200, *pieces(page, own_link=own_link, next_link=next_link), duties=page.duties)
        self._give(page.given, asked, ledger)
        for each in finder.refused:
            ledger.refuse(each)
        if query.has_total or not (page.given or finder.refused):  # so that what finds nothing takes the log's time too
            ledger.search(query.resource_type, self.vault.pseudonym(query.patients[0]) if query.patients else None)
        ledger.enter()
        return made

    def _links(
        self, query: Query, asked: Asked, target: str, begins_next: int | None, stated: str | None
    ) -> tuple[str, str | None]:
        """The page's own link, as the search was understood, and the next one's."""
        is_everything = not query.resource_type
        path = self.base + (stated or (f"Patient/{target}/$everything" if is_everything else target))
        more = "&" if "?" in path else "?"
        own_link = f"{path}{more}{query.text}" if query.pairs else path
        if begins_next is None:
            return own_link, None
        cursor = Cursor(target, is_everything, query.pairs, begins_next)
        token = self.cursors.make(cursor, client_id=asked.caller.client_id, now=asked.now)
        return own_link, f"{path}{more}{CURSOR}={token}"

    def _page(self, query: Query, finder: Finder, begins: int) -> Page:
        entries = finder.candidates(query) if query.count else []
        chosen, begins_next = self._chosen((each for each in entries if each.id >= begins), query, finder)
        refused = len(finder.refused)
        while True:
            page, fitting = self._filled(chosen, query, finder)
            if fitting == len(chosen):
                break
            chosen, begins_next = chosen[:fitting], chosen[fitting].entry.id
            del finder.refused[refused:]
        page.begins_next = begins_next
        if finder.unread and page.given:  # who sees nothing of a patient learns nothing of her records' state either
            told = "some records cannot be read here now: this answer may lack them"
            page.issues.append(issue("warning", "incomplete", "records_unread", told))
        return page

    def _chosen(self, entries: Iterable[Entry], query: Query, finder: Finder) -> tuple[list[Judged], int | None]:
        """The page's matches, and the row of the one that follows."""
        chosen, size = list[Judged](), 0
        for judged in finder.matches(entries, query):
            if len(chosen) == query.count or (chosen and size + judged.entry.size > self.most_bytes):
                return chosen, judged.entry.id
            chosen.append(judged)
            size += judged.entry.size
        return chosen, None

    def _filled(self, chosen: Sequence[Judged], query: Query, finder: Finder) -> tuple[Page, int]:
        """A page of matches with what belongs to them, as many as have room, and how many these are; one always has."""
        page, size = Page(), 0
        urls = {url_of(each, self.base) for each in chosen}
        for at, judged in enumerate(chosen):
            included = {url_of(each, self.base): each for each in finder.included(judged, query.references)}
            fresh = [each for url, each in included.items() if url not in urls]
            entries = [entry_of(judged, "match", self.base), *(entry_of(each, "include", self.base) for each in fresh)]
            unsealed = list(self._seal([judged, *fresh], entries)) if query.has_provenance else []
            size += sum(map(len, entries))
            if at and size > self.most_bytes:
                return page, at
            page.given += [judged, *fresh]
            page.entries += entries
            page.issues += unsealed
            urls.update(included)
        return page, len(chosen)

    def _seal(self, records: Iterable[Judged], entries: list[bytes]) -> Iterator[dict[str, object]]:
        """Put the records' Provenances with their entries; of those that have none, a warning each."""
        for each in records:
            try:
                entries.append(seal_of(each, self.base, self.answer_record))
            except ChartsealError as exc:  # the others' answers are not to fail by one
                _LOG.warning("a record's seal cannot be given: %s", exc.code)
                yield issue("warning", "incomplete", exc.code, "a record comes without its seal", each.name)


def _require_served(resource_type: str) -> None:
    if resource_type not in TYPES:
        raise FhirRequestError("this type is not served here", "type_not_served")


def _left_out(query: Query) -> list[dict[str, object]]:
    told = "not a parameter that is served: it was left out"
    return [issue("warning", "not-supported", "parameter_unknown", told, each) for each in query.left_out]
