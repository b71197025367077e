"""FHIR into a watch: resources as they arrive, one version of each kept, one patient's read anew when one changes.

What is dispensed, reversed, replaced, corrected or told twice is settled among all resources of a patient at once, by
`chartseal.adherence.fhir`, so that it does not matter which came first.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, NamedTuple

from chartseal import _core
from chartseal.adherence.fhir import ClassTable, read_events
from chartseal.adherence.fhir.links import Links, is_person, is_url
from chartseal.adherence.watch.alert import Alert
from chartseal.adherence.watch.event import events_of
from chartseal.adherence.watch.watch import Watch
from chartseal.errors import CoreError
from chartseal.fhir import Piece, Reading, Refused, pieces
from chartseal.fhir.reading import DEFAULT_READING

LARGEST_RESOURCE = 1 << 20
"""Bytes of one resource that is kept."""

_NEVER = datetime.min.replace(tzinfo=UTC)

_OWNERS = {
    "Encounter": "subject",
    "ExplanationOfBenefit": "patient",
    "MedicationAdministration": "subject",
    "MedicationDispense": "subject",
    "MedicationRequest": "subject",
    "MedicationStatement": "subject",
}
"""What is watched, and who it is of. Patients and Medications besides."""


class _Kept(NamedTuple):
    """A resource: whose it is ("" of Medications), its key, which Medication it refers to, and its text."""

    owner: str
    key: str
    medication: str
    full_url: str
    text: bytes


class FhirFeed:
    """What takes FHIR R4 resources in for a watch. A medication's class is what `classes` says, else its first code."""

    def __init__(self, watch: Watch, classes: ClassTable | None = None, *, reading: Reading = DEFAULT_READING) -> None:
        self.watch, self.classes, self.reading = watch, classes, reading

    def add(self, stream: BinaryIO, *, ndjson: bool) -> list[Alert]:
        """Take in a resource, a Bundle or NDJSON; the alerts that changed. All of it in one transaction.

        Of two versions of a resource that of the last update counts, else the one that came last. What is no R4
        resource of a patient is counted in `Watch.refused`, and ends nothing. Where two Patients of one id without a
        server were born on different days, what comes is kept, but nothing of either counts (`patient_ambiguous`).

        Raises:
            AdherenceError: as `Watch.add`.
        """
        refused: Counter[str] = Counter()
        with self.watch.store.writing():
            new: dict[str, set[str]] = {}
            for resource in list(self._kept(stream, ndjson, refused)):
                for owner in self._put(resource):
                    new.setdefault(owner, set()).add(resource.key)
            alerts = [alert for owner, keys in new.items() for alert in self._read(owner, keys, refused)]
            self.watch.store.count_refused(refused)
        return alerts

    def _kept(self, stream: BinaryIO, ndjson: bool, refused: Counter[str]) -> Iterator[_Kept]:
        """The resources of an input that are watched, their references followed within it."""
        found, links = [], Links()
        for piece in pieces(stream, ndjson=ndjson):
            if isinstance(piece, Refused):
                refused[piece.error.code] += 1
            elif isinstance(piece, Piece) and (resource := self._resource(piece.text, refused)):
                found.append(
                    (piece, resource, links.add(piece.full_url, resource["resourceType"], resource.get("id", "")))
                )
        for piece, resource, key in found:
            owner = self._owner(resource, key, piece.full_url, links)
            if not owner and resource["resourceType"] != "Medication":
                refused["patient_unknown"] += 1
                if key:
                    yield _Kept("", key, "", piece.full_url, _trace(resource))
            elif not key:
                refused["event_unknown"] += 1
            else:
                medication = resource.get("medicationReference", {}).get("reference", "")
                target = links.follow(medication, piece.full_url) or "" if medication else ""
                yield _Kept(owner, key, target, piece.full_url, piece.text)

    def _resource(self, text: bytes, refused: Counter[str]) -> dict[str, Any] | None:
        """A whole R4 resource of a type that is watched."""
        try:
            if _core.resource_kind(text)[0] not in {*_OWNERS, "Patient", "Medication"}:
                return None
        except CoreError as exc:
            refused[exc.code] += 1
            return None
        (result,) = _core.read_resources([text], **self.reading.options())
        if isinstance(result, CoreError) or len(text) > LARGEST_RESOURCE:
            refused[result.code if isinstance(result, CoreError) else "resource_too_large"] += 1
            return None
        resource: dict[str, Any] = json.loads(text)
        return resource

    @staticmethod
    def _owner(resource: dict[str, Any], key: str, full_url: str, links: Links) -> str:
        if resource["resourceType"] in ("Patient", "Medication"):
            return key if resource["resourceType"] == "Patient" else ""
        reference = resource.get(_OWNERS[resource["resourceType"]], {}).get("reference", "")
        owner = links.follow(reference, full_url) if reference else None
        return owner if owner is not None and is_person(owner) else ""

    def _put(self, resource: _Kept) -> Iterable[str]:
        """Keep a resource unless a later version is known, of whichever patient; whose events it may change."""
        store = self.watch.store
        known = store.versions(resource.key)
        is_one = is_url(resource.key) or not resource.owner or _updated(resource.text) > _NEVER
        known = {owner: text for owner, text in known.items() if is_one or owner in ("", resource.owner)}
        if known == {resource.owner: resource.text}:
            return []
        if any(_updated(resource.text) < _updated(text) for text in known.values()):
            return [resource.owner for text in known.values() if self._is_another(resource, resource.text, text)]
        for owner, text in known.items():
            self._is_another(resource, text, resource.text)
            store.drop_resource(owner, resource.key)
        store.put_resource(*resource)
        changed = {*known, resource.owner} - {""}
        return sorted(changed.union(() if resource.owner else store.owners(resource.key)))

    def _is_another(self, resource: _Kept, passed: bytes, last: bytes) -> bool:
        """Whether a Patient's version that is passed over has a birth date that the last has not: it is kept besides.

        Without a server in the key, these may be two people: `read_events` looks at the births of all versions.
        """
        birth = _birth(passed) if resource.owner == resource.key and not is_url(resource.key) else ""
        if birth in ("", _birth(last)):
            return False
        full_url = "" if resource.key.startswith("Patient/") else resource.key
        self.watch.store.put_resource(resource.owner, f"{resource.key}#{birth}", "", full_url, passed)
        return True

    def _read(self, owner: str, new: set[str], refused: Counter[str]) -> list[Alert]:
        """All resources of one patient as events; what of the new ones is no event is counted."""
        read = read_events([_bundle(self.watch.store.resources(owner))], self.classes, reading=self.reading)
        if "patient_ambiguous" in read.dropped["reason"].to_pylist():
            refused["patient_ambiguous"] += len(new)
        rows, seen = read.events.to_pylist(), Counter[tuple[object, ...]]()
        for row in rows:
            row["patient"] = owner
            key = tuple(row[name] for name in ("event", "kind", "class", "ingredient"))
            seen[key] += 1
            if seen[key] > 1:  # items of one claim
                row["event"] = f"{row['event']}#{seen[key]}"
        asked = (row for row in rows if row["event"] in new and row["kind"] != "born")  # births are no news to a watch
        for _ in events_of(asked, None, refused):
            pass
        return self.watch.set_events(owner, rows)


def _bundle(resources: Iterable[tuple[str, bytes]]) -> bytes:
    """Resources and their fullUrls as a collection, their own bytes unchanged."""
    entries = []
    for full_url, text in resources:
        url = f'"fullUrl":{json.dumps(full_url)},'.encode() if full_url else b""
        entries.append(b"{" + url + b'"resource":' + text + b"}")
    return b'{"resourceType":"Bundle","type":"collection","entry":[' + b",".join(entries) + b"]}"


def _trace(resource: dict[str, Any]) -> bytes:
    """Of a resource that names no patient: that there is a version of that time, nothing else of it."""
    return json.dumps({"meta": {"lastUpdated": resource.get("meta", {}).get("lastUpdated", "")}}).encode()


def _birth(text: bytes) -> str:
    """A Patient's date of birth, as it is written."""
    return str(json.loads(text).get("birthDate", ""))


def _updated(text: bytes) -> datetime:
    """When a resource was last updated; the first of times where it does not say."""
    updated = json.loads(text).get("meta", {}).get("lastUpdated", "")
    try:
        moment = datetime.fromisoformat(updated)
    except ValueError:
        moment = datetime.min
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
