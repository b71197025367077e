"""What a record may be found by, as keyed hashes: its address, type, name, codes and date; and its patient's pseudonym.

Whoever has the database without the keys learns which records share a term, and of no term what it says.

    facts = read_facts(lines)
    words = terms(index, facts)
"""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice

from chartseal import _core
from chartseal.attestation import UnverifiedPackage, packages
from chartseal.errors import KeyFormatError, VaultError
from chartseal.keys import SealingAddress

ADDRESS, TYPE, NAME, CODE = b"address", b"type", b"name", b"code"
DAY, MONTH, YEAR = b"day", b"month", b"year"
"""Kinds of terms. `name` is type/id, as relative references have it. `day` holds the date as precisely as the record
knows it: a day, or a bare month or year.
"""
EARLIEST, LATEST = date(1900, 1, 1), date(2149, 12, 31)
"""Bounds of a search that names none: each year is one term."""

_LAST_MOMENT = 253_402_300_799
"""9999-12-31T23:59:59Z: later times are no dates, and no database keeps all of them."""
_CODED = ("code", "medicationCodeableConcept", "vaccineCode")
_DATES = (
    "effectiveDateTime",
    "effectiveInstant",
    "effectivePeriod.start",
    "authoredOn",
    "onsetDateTime",
    "onsetPeriod.start",
    "performedDateTime",
    "performedPeriod.start",
    "occurrenceDateTime",
    "occurrencePeriod.start",
    "whenHandedOver",
    "whenPrepared",
    "started",
    "period.start",
    "billablePeriod.start",
    "recordedDate",
    "recorded",
    "dateAsserted",
    "issued",
    "sent",
    "created",
    "date",
)
"""The first of them that a record has is its date, as FHIR's search by `date` takes it: hl7.org/fhir/R4/search.html."""
_ABOUT = ("subject", "patient", "beneficiary", "for", "individual")
"""`for` is Task's, `individual` ResearchSubject's."""
_LINKED = ("participant", "actor"), ("link", "target")
"""Lists of Appointment and Person that may name others beside the patient: the first that is a Patient counts."""

_WANTED = frozenset(
    (
        *("resourceType", "fullUrl", "id"),
        *(f"{name}{index}.reference" for name in _ABOUT for index in ("", "[]")),
        *(f"{name}[].{member}.reference" for name, member in _LINKED),
        *(f"{name}.coding[].{member}" for name in _CODED for member in ("system", "code")),
        *_DATES,
    )
)
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?![0-9]).*)?)?", re.ASCII)
_RESTFUL = re.compile(r"(https?://[^?#]*/)[A-Z][A-Za-z]*/[A-Za-z0-9.-]{1,64}", re.ASCII)
_RELATIVE = re.compile(r"[A-Z][A-Za-z]*/[A-Za-z0-9.-]{1,64}", re.ASCII)
_PATIENT = re.compile(r"(?:https?://[^?#]*/)?Patient/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?", re.ASCII)
_INDEX = re.compile(r"\[(\d+)\]", re.ASCII)
_HISTORY = re.compile(r"/_history/[A-Za-z0-9.-]{1,64}$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Facts:
    """What of a sealed record its row and terms are made of. The texts are the patient's: they are never kept."""

    attester: bytes
    uid: bytes
    sealed_at: int
    announcement: bytes | None
    seal: str = field(repr=False)
    """The package, as JSON."""
    address: str = field(repr=False)
    resource_type: str = field(repr=False)
    name: str | None = field(repr=False)
    """`type/id`, whatever the base; None where the resource has no id."""
    patient: str | None = field(repr=False)
    """The reference to the patient whose it is, as far as the record itself makes it absolute; None where it names
    none.
    """
    codes: tuple[str, ...] = field(repr=False)
    """`system|code`."""
    date: str | None = field(repr=False)
    """YYYY, YYYY-MM or YYYY-MM-DD."""

    @property
    def package(self) -> UnverifiedPackage:
        """The seal.

        Raises:
            PackageError: malformed.
        """
        return packages.from_json(json.loads(self.seal))


def read_facts(lines: Sequence[bytes]) -> list[Facts]:
    """What sealed records' lines say, without reading all of them: over all cores, outside the interpreter lock.

    Raises:
        VaultError: `line_malformed`; its path says which of them, counted from one.
    """
    found = [None if read is None else _facts(*read) for read in _core.record_facts(lines, _WANTED)]
    return [_require(each, at) for at, each in enumerate(found, 1)]


def _require(facts: Facts | None, at: int) -> Facts:
    if facts is None:
        raise VaultError("not a sealed record's line", "line_malformed", f"line {at}")
    return facts


def _facts(
    address: str,
    announcement: bytes | None,
    attester: bytes,
    uid: bytes,
    sealed_at: int,
    seal: str,
    texts: list[tuple[str, str]],
) -> Facts | None:
    found: dict[str, str] = {}
    for name, text in texts:
        found.setdefault(name, text)
    if "resourceType" not in found or sealed_at > _LAST_MOMENT:
        return None
    return Facts(
        attester=attester,
        uid=uid,
        sealed_at=sealed_at,
        announcement=announcement,
        seal=seal,
        address=canonical(address),
        resource_type=found["resourceType"],
        name=f"{found['resourceType']}/{found['id']}" if found.get("id") else None,
        patient=_patient(found),
        codes=tuple(_codes(found)),
        date=_date(found),
    )


def canonical(address: str) -> str:
    """A sealing address as all are compared, in lower case, however it was spelled; what is none stays as it is."""
    if address == address.strip().lower():  # as nearly all come: there is no other spelling of it
        return address
    try:
        return str(SealingAddress.parse(address))
    except KeyFormatError:
        return address


def _patient(found: dict[str, str]) -> str | None:
    if found["resourceType"] == "Patient":
        return found.get("fullUrl") or (f"Patient/{found['id']}" if found.get("id") else None)
    names = (f"{name}{index}.reference" for name in _ABOUT for index in ("", "[0]"))
    references = (found[name] for name in names if name in found)
    reference = next(filter(_may_be_patient, references), None) or _linked(found)
    own = _RESTFUL.fullmatch(found.get("fullUrl", ""))
    return None if reference is None else absolute(reference, own[1] if own else "")


def _may_be_patient(reference: str) -> bool:
    """Whether it names a Patient, or by a URN something; what is contained in the record has no name outside it."""
    return _PATIENT.fullmatch(reference) is not None or reference.startswith("urn:")


def _linked(found: dict[str, str]) -> str | None:
    """The first Patient of a list, in the list's own order."""
    for name, member in _LINKED:
        patients = [
            (int(at[1]), value)
            for each, value in found.items()
            if each.startswith(f"{name}[") and each.endswith(f"].{member}.reference") and _PATIENT.fullmatch(value)
            if (at := _INDEX.search(each)) is not None
        ]
        if patients:
            return min(patients)[1]
    return None


def absolute(reference: str, base: str) -> str:
    """A reference as patients are told apart by: without a version, and absolute where the base is known."""
    reference = _HISTORY.sub("", reference)
    return base + reference if _RELATIVE.fullmatch(reference) else reference


def _codes(found: dict[str, str]) -> Iterator[str]:
    for name, value in found.items():
        if name.endswith("].code"):
            yield f"{found.get(name.removesuffix('code') + 'system', '')}|{value}"


def _date(found: dict[str, str]) -> str | None:
    text = next((found[name] for name in _DATES if name in found), None)
    parts = _DATE.match(text) if text is not None else None
    return "-".join(each for each in parts.groups() if each) if parts else None


def term(secret: bytes, kind: bytes, text: str) -> bytes:
    """The first 16 bytes of HMAC-SHA256 over kind ‖ 00 ‖ text."""
    [found] = _core.index_terms(secret, [_word(kind, text)])
    return found


def terms(secret: bytes, records: Sequence[Facts]) -> list[set[bytes]]:
    """All terms of each record."""
    words = [_words_of(facts) for facts in records]
    found = iter(_core.index_terms(secret, [each for group in words for each in group]))
    return [set(islice(found, len(group))) for group in words]


def _words_of(facts: Facts) -> list[bytes]:
    words = [_word(ADDRESS, facts.address), _word(TYPE, facts.resource_type)]
    words += [_word(NAME, facts.name)] if facts.name is not None else []
    words += [_word(CODE, code) for code in facts.codes]
    if facts.date is not None:
        words.append(_word(DAY, facts.date))
        words.append(_word(YEAR, facts.date[:4]))
        if len(facts.date) > len("2026"):
            words.append(_word(MONTH, facts.date[:7]))
    return words


def _word(kind: bytes, text: str) -> bytes:
    return kind + b"\0" + text.encode()


def date_terms(secret: bytes, since: date, until: date) -> set[bytes]:
    """Terms one of which each record has whose date may lie between two days, both included."""
    return set(_core.index_terms(secret, [_word(kind, text) for kind, text in _words(since, until)]))


def _words(since: date, until: date) -> Iterator[tuple[bytes, str]]:
    for year in range(since.year, until.year + 1) if since <= until else ():
        if since <= date(year, 1, 1) and date(year, 12, 31) <= until:
            yield YEAR, f"{year:04}"
        else:
            yield DAY, f"{year:04}"  # what knows its year alone
            yield from _months(year, since, until)


def _months(year: int, since: date, until: date) -> Iterator[tuple[bytes, str]]:
    for month in range(1, 13):
        first, last = date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
        if since <= first and last <= until:
            yield MONTH, f"{year:04}-{month:02}"
        elif first <= until and since <= last:
            yield DAY, f"{year:04}-{month:02}"  # what knows its month alone
            begin, end = max(first, since), min(last, until)
            yield from ((DAY, (begin + timedelta(days=at)).isoformat()) for at in range((end - begin).days + 1))
