"""Sealing a record again, as it is, for another holder: the same fields under a fresh seal.

    reseal = Resealing(issuing, address.data, references_of(events))
    [line] = reseal.lines([record], now=now)

What is sealed is the record as its issuer kept it, not the resource as its source has it by now. Whom the record is
about and which person it is of depend on the chart that it came out of; where they do not come out the same, it is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from chartseal import _core
from chartseal.attestation import ZERO_DIGEST, Digest
from chartseal.errors import ChartsealError, CoreError, SealingError
from chartseal.fhir import Reading
from chartseal.record import Event, Field
from chartseal.sealing.seal import Issuing, SealedLine, sign_lines
from chartseal.sealing.sealed import TEST_FORMAT, SealedRecord

DOCUMENT = "Bundle"

COUNTED = frozenset({"MedicationDispense", "MedicationRequest"})
"""Types of which uses are counted: prescriptions are dispensed so many times, dispensings paid for once. What the old
holder spent of them, the new one would have again with a credential; so these get none."""

_CONTROL, _PAD = "chartseal.", "chartseal.pad["
_PERSON = f"{_CONTROL}person"
_OWN = frozenset({f"{_CONTROL}subject", f"{_CONTROL}claims"})
"""Fields that are the holder's."""
_ENTRY = re.compile(r"chartseal\.entry\[\d+\]", re.ASCII)
_MODIFIER = re.compile(r".*\.modifierExtension\[\d+\]\.url(?:\+\d+)?", re.ASCII | re.DOTALL)
_RESTFUL = re.compile(r"(?P<root>https?://[^?#]*/)[A-Z][A-Za-z]*/[A-Za-z0-9.-]{1,64}(?:/_history/.*)?", re.ASCII)
_RELATIVE = re.compile(r"Patient/(?P<id>[A-Za-z0-9.-]{1,64})(?:/_history/.*)?", re.ASCII)
_RULES = re.compile(r".*\.implicitRules(?:\+\d+)?", re.ASCII | re.DOTALL)


def references_of(events: Iterable[Event]) -> _core.References:
    """What references between records resolve to, by those records' own URLs and ids."""
    found = _core.References()
    for each in events:
        found.add(each.full_url, each.resource_type, each.resource_id or None)
    return found


@dataclass(frozen=True)
class Resealing:
    """Who seals again, for which address (64 bytes), among which other records.

    `roots` are those of the records that documents' entries have become, by the roots that they had. `patients` are ids
    that the person may have where her own record is not among the others.
    """

    issuing: Issuing
    address: bytes = field(repr=False)
    references: _core.References
    roots: Mapping[Digest, Digest] = field(default_factory=dict)
    patients: tuple[str, ...] = field(default=(), repr=False)

    def lines(self, records: Sequence[SealedRecord], *, now: datetime) -> list[SealedLine | CoreError]:
        """The records sealed again, in their order, each until its old seal's end; in place of one that cannot be, why.

        Raises:
            SignatureError, StatusListError: as signing says.
        """
        found: dict[int, SealedLine | CoreError] = {}
        prepared: dict[int, _core.UnsignedRecord] = {}
        for at, record in enumerate(records):
            try:
                prepared[at] = self._prepared(record, self.issuing.sealed_at(now))
            except ChartsealError as exc:
                found[at] = _as_core_error(exc)
        for at, line in self._signed(records, prepared):
            found[at] = line if is_same(records[at], SealedRecord.from_json(line.line)) else _differs()
        return [found[at] for at in range(len(records))]

    def _signed(
        self, records: Sequence[SealedRecord], prepared: Mapping[int, _core.UnsignedRecord]
    ) -> Iterator[tuple[int, SealedLine]]:
        """Those of which uses are counted without a credential, the others as the issuer gives them."""
        plain = replace(self.issuing, proving=None, places=None)
        for counted, issuing in ((False, self.issuing), (True, plain)):
            chosen = [at for at in prepared if (records[at].resource_type in COUNTED) is counted]
            yield from zip(chosen, sign_lines([prepared[at] for at in chosen], issuing) if chosen else (), strict=True)

    @cached_property
    def _recipient(self) -> _core.SealRecipient:
        return _core.SealRecipient(self.address)

    def _prepared(self, record: SealedRecord, sealed_at: int) -> _core.UnsignedRecord:
        """The record, unsigned.

        Raises:
            SealingError: `document_incomplete`, `reseal_differs`.
            FhirError, LimitError, RecordError: it may not be sealed any more.
        """
        stated = _Stated.of(record)
        if not stated.stands_alone(self.issuing):
            return self._in_its_chart(record, stated, sealed_at)
        return _core.prepare_fields(
            record.resource_type,
            list(stated.fields),
            self._recipient,
            self.issuing.core,
            detached=list(record.detached),
            test=stated.is_test,
            full_url=stated.full_url,
            time=sealed_at,
            expiration=record.package.message.expiration_time,
            amends=stated.amends,
            entries=[self._root(each) for each in stated.entries],
        )

    def _in_its_chart(self, record: SealedRecord, stated: _Stated, sealed_at: int) -> _core.UnsignedRecord:
        """A record whose references mean what other records say: it is read again, among them."""
        if stated.amends != ZERO_DIGEST:  # amendments are sealed alone, so it would be another's work
            raise _differs()
        text, _ = _core.rebuild(record.resource_type, list(stated.fields), list(record.detached))
        order = _core.SealOrder(text.encode(), self._recipient, stated.full_url, [])
        [found] = _core.prepare_records(
            [order],
            self.issuing.core,
            self._references(stated),
            stated.reading().core,
            time=sealed_at,
            expirations={record.resource_type: record.package.message.expiration_time},
        )
        if isinstance(found, CoreError):
            raise found
        return found

    def _references(self, stated: _Stated) -> _core.References:
        """What the record's references mean; where its patient's record is gone, the URL that gives its person."""
        base, secret = self.issuing.base, self.issuing.person_secret
        for reference in stated.subjects():
            if self.references.resolve(reference, stated.full_url, base) is not None:
                continue
            for named, patient, url in self._meant(reference, stated.full_url):
                if _core.person_mark(secret, url) == stated.control.get(_PERSON):
                    found = _core.References()
                    found.add(named, "Patient", patient)
                    return found
        return self.references

    def _meant(self, reference: str, full_url: str) -> Iterator[tuple[str, str, str]]:
        """What a patient may be who is named so: the fullUrl, the id and the URL of her.

        A relative reference is of the record's own server; a urn:uuid is mostly the resource's own id.
        """
        own, relative = _RESTFUL.fullmatch(full_url), _RELATIVE.fullmatch(reference)
        if own and relative:
            url = f"{own['root']}Patient/{relative['id']}"
            yield url, relative["id"], url
        for patient in (reference.rpartition(":")[2], *self.patients):
            yield reference, patient, f"{self.issuing.base}Patient/{patient}"

    def _root(self, entry: Digest) -> bytes:
        try:
            return self.roots[entry]
        except KeyError:
            raise SealingError("an entry of the document was not sealed again", "document_incomplete") from None


@dataclass(frozen=True)
class _Stated:
    """What a record says besides its resource, as far as a new seal must say it too."""

    resource_type: str
    fields: tuple[Field, ...] = field(repr=False)
    """Of the resource."""
    control: Mapping[str, object] = field(repr=False)

    @classmethod
    def of(cls, record: SealedRecord) -> _Stated:
        own = tuple(each for each in record.fields if not each.name.startswith(_CONTROL))
        control = {each.name: each.value for each in record.fields if each.name.startswith(_CONTROL)}
        return cls(record.resource_type, own, control)

    @property
    def is_test(self) -> bool:
        return self.control.get(f"{_CONTROL}format") == TEST_FORMAT

    @property
    def full_url(self) -> str:
        return str(self.control.get(f"{_CONTROL}fullUrl", ""))

    @property
    def amends(self) -> Digest:
        found = self.control.get(f"{_CONTROL}amends")
        return Digest(found) if isinstance(found, bytes) else ZERO_DIGEST

    @property
    def entries(self) -> list[Digest]:
        names = sorted((each for each in self.control if _ENTRY.fullmatch(each)), key=lambda each: (len(each), each))
        found = [self.control[each] for each in names]
        return [Digest(each) for each in found if isinstance(each, bytes)]

    def subjects(self) -> Iterator[str]:
        """References that may say whom it is about."""
        own = re.compile(
            rf"{self.resource_type}\.(?:subject|patient|beneficiary)(?:\[0\])?\.reference(?:\+\d+)?", re.ASCII
        )
        yield from (str(each.value) for each in self.fields if own.fullmatch(each.name))

    def stands_alone(self, issuing: Issuing) -> bool:
        """Whether its own fields give whom it is about and of which person it is."""
        own: list[Any] = list(self.fields)
        url = _core.patient_url(self.resource_type, own, self.full_url, issuing.base, [])
        person = bytes(32) if url is None else _core.person_mark(issuing.person_secret, url)
        about = _core.record_about(self.resource_type, own, [])
        return (about, person) == (self.control.get(f"{_CONTROL}about"), self.control.get(_PERSON))

    def reading(self) -> Reading:
        """That lets through what its issuer let through when it was sealed."""
        texts = [(each.name, str(each.value)) for each in self.fields]
        modifiers = {text for name, text in texts if _MODIFIER.fullmatch(name)}
        rules = {text for name, text in texts if _RULES.fullmatch(name)}
        return Reading(self.is_test, tuple(sorted(modifiers)), tuple(sorted(rules)))


def is_same(old: SealedRecord, new: SealedRecord) -> bool:
    """Whether two records say the same, each for its own holder."""
    return _said(old) == _said(new) and dict(old.detached) == dict(new.detached)


def _said(record: SealedRecord) -> dict[str, tuple[str, object]]:
    """Type and value of each field, and of those that are the holder's the type alone."""
    return {
        each.name: (each.abi_type, None if each.name in _OWN or _ENTRY.fullmatch(each.name) else each.value)
        for each in record.fields
        if not each.name.startswith(_PAD)
    }


def _differs() -> SealingError:
    detail = "sealed again, the record would not say the same: seal it from its source"
    return SealingError(detail, "reseal_differs")


def _as_core_error(error: ChartsealError) -> CoreError:
    return error if isinstance(error, CoreError) else SealingError("the record cannot be sealed again", error.code)
