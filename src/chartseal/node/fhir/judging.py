"""Records opened and judged one by one, and what of that is entered into the audit chain.

Nothing of a record is looked at for the caller before the gate has permitted it; nothing leaves before it is entered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from chartseal.attestation import to_hex
from chartseal.consent import Decision, Interaction
from chartseal.errors import ChartsealError, VaultKeyError
from chartseal.node.fhir.cutting import Shown, show
from chartseal.node.fhir.elements import Elements
from chartseal.node.fhir.facts import record_facts
from chartseal.node.fhir.gate import Caller, Gate
from chartseal.sealing import SealedRecord
from chartseal.vault import Entry, Opened, Vault
from chartseal.vault.audit import Act, Action
from chartseal.vault.audit.accounting import DESCRIPTION, RECIPIENT
from chartseal.vault.database import reading, writing
from chartseal.vault.opening import decrypt

MOST_OPENED = 50
"""Records that are decrypted at once."""
_LONGEST_BASIS = 128
_LONGEST_NAME = 512
"""Characters of a recipient's name that are kept."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A record that was opened, and what the gate says of it."""

    entry: Entry
    opened: Opened
    decision: Decision
    record: SealedRecord = field(repr=False)
    elements: Elements = field(repr=False)
    shown: Shown | None = field(repr=False)
    """None where it is not permitted, cannot stand without what is withheld, or has a duty that nobody does."""
    undone: frozenset[str] = frozenset()
    """Duties that nobody does here."""

    @property
    def name(self) -> str:
        """`type/id`; empty where the resource has no id."""
        own = self.elements.first("id")
        return f"{self.record.resource_type}/{own}" if own else ""

    @property
    def full_url(self) -> str:
        """The URL that the record states, or an empty text."""
        return next((str(each.value) for each in self.record.fields if each.name == "chartseal.fullUrl"), "")


class Refusal(NamedTuple):
    """What is kept of a record that may not be shown, until it is entered: nothing of the record itself."""

    what: str
    patient: bytes | None
    reason: str

    @classmethod
    def of(cls, judged: Judged) -> Refusal:
        """Why a record is not shown."""
        reasons = judged.decision.reasons
        if judged.decision.is_permitted:
            reasons = ("duty_not_done", *sorted(judged.undone)) if judged.undone else ("cut_not_possible",)
        return cls(judged.opened.what, judged.opened.patient, " ".join(reasons)[:_LONGEST_BASIS])


@dataclass(frozen=True, slots=True)
class Unread:
    """A record of which nobody knows whether it would be permitted: it cannot be opened."""

    entry: Entry
    code: str


def judge(
    vault: Vault,
    entries: Iterable[Entry],
    gate: Gate,
    interaction: Interaction,
    *,
    most_bytes: int,
    fulfilled: Set[str] = frozenset(),
) -> Iterator[list[Judged | Unread]]:
    """The records in their order, opened a few at a time: at most so many bytes, or one.

    One with a duty that is not among `fulfilled` is not shown: nobody would do what it is given for.

    Raises:
        VaultKeyError: the vault's keys are out of reach, so that nothing can be opened.
        VaultError: `vault_unavailable`, `blobs_unavailable`.
    """
    for chunk in _chunks(entries, most_bytes):
        with reading(vault.engine) as connection:
            found = decrypt(vault, connection, chunk)
        pairs = zip(chunk, found, strict=True)
        yield [_judged(entry, opened, gate, interaction, fulfilled) for entry, opened in pairs]


def _judged(
    entry: Entry, opened: Opened | ChartsealError, gate: Gate, interaction: Interaction, fulfilled: Set[str]
) -> Judged | Unread:
    if isinstance(opened, VaultKeyError):
        raise opened  # an empty answer would say that there is nothing
    if isinstance(opened, ChartsealError):
        return Unread(entry, opened.code)
    try:
        record = SealedRecord.from_json(opened.line)
        elements = Elements(record.resource_type, record.fields)
        facts = record_facts(record, elements)
    except ChartsealError as exc:
        return Unread(entry, exc.code)
    decision = gate(facts, interaction)  # what it cannot decide ends the answer: an empty one would be a lie
    try:
        may_show = decision.is_permitted and decision.duties <= fulfilled
        shown = show(record, decision.withheld) if may_show else None
    except ChartsealError as exc:
        return Unread(entry, exc.code)
    return Judged(entry, opened, decision, record, elements, shown, decision.duties - fulfilled)


def _chunks(entries: Iterable[Entry], most_bytes: int) -> Iterator[list[Entry]]:
    chunk, size = list[Entry](), 0
    for entry in entries:
        if chunk and (len(chunk) == MOST_OPENED or size + entry.size > most_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += max(entry.size, 0)
    if chunk:
        yield chunk


class Ledger:
    """Collects what one answer gives and refuses, and enters it at once: before the answer leaves."""

    def __init__(self, vault: Vault, caller: Caller, now: datetime) -> None:
        """Take the vault, who asks, and the time."""
        self._vault, self._now = vault, now
        requester = caller.requester
        self._purpose = requester.purpose
        self._actor = to_hex(requester.account) if requester.account is not None else caller.client_id
        recipients = (requester.organisation, requester.person)
        self._recipient = ", ".join(each for each in recipients if each)[:_LONGEST_NAME] or caller.client_id
        self._acts: list[Act] = []

    def give(self, judged: Judged) -> None:
        """Note that a record is given."""
        decision = judged.decision
        consent = f" {to_hex(decision.consent)}" if decision.consent is not None else ""
        detail = {RECIPIENT: self._recipient, DESCRIPTION: judged.record.resource_type}
        basis, opened = f"{decision.basis}{consent}", judged.opened
        self._acts.append(Act(self._actor, Action.DISCLOSE, opened.what, opened.patient, self._purpose, basis, detail))

    def refuse(self, refusal: Refusal) -> None:
        """Note that a record which was asked for is not given, and why."""
        what, patient, reason = refusal
        self._acts.append(Act(self._actor, Action.REFUSE, what, patient, self._purpose, reason))

    def refuse_unknown(self, resource_type: str) -> None:
        """Note that something was asked for that is not here."""
        self._acts.append(Act(self._actor, Action.REFUSE, resource_type, None, self._purpose, "unknown"))

    def search(self, resource_type: str, patient: bytes | None) -> None:
        """Note that a patient's records were counted, or searched without any being found."""
        self._acts.append(Act(self._actor, Action.SEARCH, resource_type or "everything", patient, self._purpose))

    def enter(self) -> None:
        """Enter all that was noted.

        Raises:
            AuditError: the log was tampered with, or an act cannot be entered.
            VaultError: `vault_unavailable`, `disk_full`.
        """
        if self._acts:
            with writing(self._vault.engine) as connection:
                self._vault.audit.append(connection, self._acts, now=self._now)
        self._acts = []
