"""Which records a request may mean: candidates by the vault's index, and of several versions of one the newest."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chartseal.consent import Interaction
from chartseal.node.fhir.dates import Stretch, compares
from chartseal.node.fhir.gate import Gate
from chartseal.node.fhir.judging import Judged, Refusal, Unread, judge
from chartseal.node.fhir.parameters import Query, is_id
from chartseal.node.fhir.table import Parameter
from chartseal.node.fhir.values import DateValue
from chartseal.vault import Entry, Vault
from chartseal.vault.tables import LIVE

MOST_NAMESAKES = 200
"""Records of one name, in several patients' charts, that a read looks through, the newest first."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finder:
    """Finds in one vault for one request. What it meets and may not show is in `refused`."""

    vault: Vault
    gate: Gate
    base: str
    """This server's own URL, ending in a slash."""
    most_bytes: int
    fulfilled: Set[str]
    """Duties that are done here."""
    refused: list[Refusal] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Codes of what cannot be opened."""

    def bearing(self, name: str, interaction: Interaction = "r") -> Judged | None:
        """The newest record of a name that may be shown; all that may not are refused only where none may.

        Raises:
            VaultError: as `Vault.named` and `judge`.
        """
        newest = (each.entry for each in self.vault.named([name], most=MOST_NAMESAKES))
        refused = list[Refusal]()
        for judged in self._judged(self.standing(newest), interaction):
            if judged.shown is not None:
                return judged
            refused.append(Refusal.of(judged))
        self.refused.extend(refused)
        return None

    def candidates(self, query: Query) -> list[Entry]:
        """Entries that may match, in the order of their storing, each once: by the index alone.

        Raises:
            VaultError: as `Vault.find`.
        """
        if query.patients:
            found = {each.id: each for patient in query.patients for each in self._of_patient(patient, query)}
        else:
            bearing = (self.bearing(f"{query.resource_type}/{each}", "s") for each in query.ids)
            found = {each.entry.id: each.entry for each in bearing if each is not None}
        standing = self.standing(found[number] for number in sorted(found))
        return [each for each in standing if _is_updated(each, query)]

    def _of_patient(self, patient: str, query: Query) -> Iterator[Entry]:
        types = (query.resource_type,) if query.resource_type else sorted(query.types) or (None,)
        for reference in self.references(patient):
            for resource_type in types:
                for code in query.indexed_code or (None,):
                    yield from self.vault.find(patient=reference, resource_type=resource_type, code=code)

    def references(self, patient: str) -> Iterator[str]:
        """How the vault may have filed a patient: by URL, or by the URN that her chart names her by."""
        own = patient.removeprefix(self.base)
        yield own
        if own.startswith("Patient/"):
            yield f"urn:uuid:{own.removeprefix('Patient/')}"

    def standing(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those of the entries that are neither erased nor sealed again for another address."""
        live = [each for each in entries if each.state == LIVE]
        moved = self.vault.moved(live)
        return [each for each in live if each.id not in moved]

    def matches(self, entries: Iterable[Entry], query: Query) -> Iterator[Judged]:
        """Records that may be shown, have all that is wanted, and are the newest of their name.

        Raises:
            VaultError: as `judge` and `Vault.named`.
        """
        interaction: Interaction = "s" if query.resource_type else "r"
        for chunk in self._chunks(entries, interaction):
            wanted = [each for each in chunk if isinstance(each, Judged) and self._is_wanted(each, query)]
            newest = self._newest(wanted) & {each.entry.id for each in wanted}
            for each in chunk:
                if isinstance(each, Unread):
                    self._note_unread(each)
                elif each.shown is None:
                    self.refused.append(Refusal.of(each))
                elif each.entry.id in newest:
                    yield each

    def _is_wanted(self, judged: Judged, query: Query) -> bool:
        if judged.shown is None:
            return False
        if query.ids and judged.elements.first("id") not in query.ids:
            return False
        bases = (self.vault.settings.base, self.base)
        return all(each.matches(judged.elements, bases) for each in query.filters)

    def _newest(self, records: Sequence[Judged]) -> set[int]:
        """Ids of those of which no later version is in the same patient's chart."""
        found = {each.entry.id for each in records if not each.name}
        names: dict[bytes | None, set[str]] = {}
        for each in records:
            if each.name:
                names.setdefault(each.opened.patient, set()).add(each.name)
        for patient, own in names.items():
            found.update(named.entry.id for named in self.vault.named(own, patient=patient))
        return found

    def included(self, judged: Judged, references: Iterable[Parameter]) -> Iterator[Judged]:
        """What a match refers to: records of the same patient's chart that may be shown.

        Raises:
            VaultError: as `Vault.named` and `judge`.
        """
        names = {name for each in references for name in _names(judged, each)}
        if not names or judged.opened.patient is None:
            return
        newest = (named.entry for named in self.vault.named(names, patient=judged.opened.patient))
        for each in self._judged(self.standing(newest), "r"):
            if each.shown is not None:
                yield each
            else:
                self.refused.append(Refusal.of(each))

    def _judged(self, entries: Iterable[Entry], interaction: Interaction) -> Iterator[Judged]:
        for chunk in self._chunks(entries, interaction):
            for each in chunk:
                if isinstance(each, Unread):
                    self._note_unread(each)
                else:
                    yield each

    def _chunks(self, entries: Iterable[Entry], interaction: Interaction) -> Iterator[list[Judged | Unread]]:
        given = self.vault, entries, self.gate, interaction
        return judge(*given, most_bytes=self.most_bytes, fulfilled=self.fulfilled)

    def _note_unread(self, unread: Unread) -> None:
        _LOG.warning("a record cannot be opened: %s", unread.code)
        self.unread.append(unread.code)


def _names(judged: Judged, reference: Parameter) -> Iterator[str]:
    """Names of records that a reference may mean."""
    for text in (each for path in reference.paths for each in judged.elements.texts(f"{path}.reference")):
        if text.startswith("urn:uuid:"):
            names = [f"{target}/{text.removeprefix('urn:uuid:')}" for target in reference.targets]
        else:
            parts = text.partition("/_history/")[0].split("/")
            names = ["/".join(parts[-2:])] if len(parts) > 1 and parts[-2] in reference.targets else []
        yield from (name for name in names if is_id(name.partition("/")[2]))


def _is_updated(entry: Entry, query: Query) -> bool:
    """Whether a record came to this vault when the search wants it."""
    return all(any(_compares(entry, each) for each in group) for group in query.updated)


def _compares(entry: Entry, wanted: DateValue) -> bool:
    at = datetime.fromtimestamp(entry.stored_at, wanted.written.offset or UTC).replace(tzinfo=None)
    return compares(wanted.prefix, wanted.written, Stretch(at, at))
