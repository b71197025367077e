"""Pages: searchset Bundles made of texts, so that no number of a record is ever read and written again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from chartseal.node.fhir.judging import Judged
from chartseal.node.fhir.outcomes import NOTICES, issue, outcome
from chartseal.node.fhir.provenance import AnswerRecord, provenance, provenance_id


@dataclass(slots=True)
class Page:
    """What one Bundle holds."""

    given: list[Judged] = field(default_factory=list)
    """All records on it."""
    entries: list[bytes] = field(default_factory=list, repr=False)
    """Theirs, and those of their Provenances."""
    begins_next: int | None = None
    """The row of the first match that is not on it; None on the last page."""
    total: int | None = None
    issues: list[dict[str, object]] = field(default_factory=list)

    @property
    def duties(self) -> frozenset[str]:
        """What the receiver is told with it."""
        return frozenset(duty for each in self.given for duty in each.decision.duties)


def url_of(judged: Judged, base: str) -> str:
    """How an answer names a record: as it names itself, else as this server does, else by its seal."""
    if judged.full_url:
        return judged.full_url
    if judged.name:
        return base + judged.name
    record = judged.record
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'chartseal {record.attester.hex()} {record.uid.hex()}')}"


def entry_of(judged: Judged, mode: str, base: str) -> bytes:
    """A record's entry; nothing of one that is not shown."""
    return b"" if judged.shown is None else _entry(url_of(judged, base), judged.shown.text, mode)


def seal_of(judged: Judged, base: str, answer: AnswerRecord) -> bytes:
    """The entry of a record's Provenance.

    Raises:
        ChartsealError: as `answer`; it is larger than an answer's record may be, say.
    """
    identity = provenance_id(judged.record.attester, judged.record.uid)
    name = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, identity)}"
    return _entry(name, provenance(judged, url_of(judged, base), answer), "include")


def _entry(full_url: str, resource: str, mode: str) -> bytes:
    return f'{{"fullUrl":{json.dumps(full_url)},"resource":{resource},"search":{{"mode":"{mode}"}}}}'.encode()


def pieces(page: Page, *, own_link: str, next_link: str | None) -> Iterable[bytes]:
    """The Bundle's bytes, in pieces."""
    links = [{"relation": "self", "url": own_link}]
    links += [{"relation": "next", "url": next_link}] if next_link is not None else []
    head = {"resourceType": "Bundle", "type": "searchset", **({} if page.total is None else {"total": page.total})}
    text = json.dumps({**head, "link": links}, ensure_ascii=False, separators=(",", ":"))
    entries = list(page.entries)
    issues = [*page.issues, *_notices(page)]
    if issues:
        told = outcome(issues).decode()
        entries.append(f'{{"resource":{told},"search":{{"mode":"outcome"}}}}'.encode())
    if not entries:  # R4 has no empty list
        yield text.encode()
        return
    yield f'{text[:-1]},"entry":['.encode()
    for at, entry in enumerate(entries):
        yield b"," + entry if at else entry
    yield b"]}"


def _notices(page: Page) -> list[dict[str, object]]:
    """What the receiver must be told, in the Bundle itself: headers are lost where it is kept."""
    return [
        issue("information", "informational", each, NOTICES[each]) for each in sorted(page.duties) if each in NOTICES
    ]
