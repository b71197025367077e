"""What a record may be found by, as keyed hashes: its address, type, codes and date; and its patient's pseudonym.

Whoever has the database without the keys learns which records share a term, and of no term what it says.

    facts = read_facts(line)
    words = terms(index, facts)
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from chartseal.attestation import UnverifiedPackage, packages
from chartseal.errors import VaultError

SIZE = 16
"""Bytes of a term and of a pseudonym."""
ADDRESS, TYPE, CODE, DAY, MONTH, YEAR = b"address", b"type", b"code", b"day", b"month", b"year"
"""Kinds of terms. `day` holds the date as precisely as the record knows it: a day, or a bare month or year."""
EARLIEST, LATEST = date(1900, 1, 1), date(2149, 12, 31)
"""Bounds of a search that names none: each year is one term."""

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

_HEX = r"0x[0-9a-fA-F]"
_HEAD = re.compile(
    rf'\{{"format":"chartseal/1","kind":"sealed-record","for":"(seal1[0-9a-z]{{1,200}})","enc":"({_HEX}{{64}})"'
    rf'(?:,"tag":"({_HEX}{{4}})")?,"seed":"{_HEX}{{64}}","seal":(\{{"sig":\{{"version":\d+,"uid":"({_HEX}{{64}})",'
    rf'.*?"time":"(\d{{1,19}})".*?"signer":"({_HEX}{{40}})"\}}),"fields":\[',
    re.ASCII | re.DOTALL,
)
_NAMES = "|".join(
    (
        r"resourceType|fullUrl|id",
        rf"(?:{'|'.join(_ABOUT)})(?:\[0\])?\.reference",
        *(rf"{name}\[\d+\]\.{member}\.reference" for name, member in _LINKED),
        rf"(?:{'|'.join(_CODED)})\.coding\[\d+\]\.(?:system|code)",
        *map(re.escape, _DATES),
    )
)
_FIELD = re.compile(rf'\["(?:chartseal|[A-Z][A-Za-z]+)\.({_NAMES})(?:\+\d+)?","string",("(?:[^"\\]|\\.)*")\]')
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
    patient: str | None = field(repr=False)
    """The reference to whom it is about, as far as the record itself makes it absolute; None where there is none."""
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


def read_facts(line: bytes) -> Facts:
    """Read a line as sealing writes it, without reading all of it: whoever stores a batch looks at each record.

    Raises:
        VaultError: `line_malformed`.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise _malformed() from None
    head = _HEAD.match(text)
    if head is None:
        raise _malformed()
    address, enc, tag, seal, uid, time, signer = head.groups()
    found: dict[str, str] = {}
    for name, value in _FIELD.findall(text, head.end()):
        found.setdefault(name, json.loads(value) if "\\" in value else value[1:-1])
    if "resourceType" not in found:
        raise _malformed()
    return Facts(
        attester=_bytes(signer),
        uid=_bytes(uid),
        sealed_at=int(time),
        announcement=_bytes(enc) + _bytes(tag) if tag else None,
        seal=seal,
        address=address,
        resource_type=found["resourceType"],
        patient=_patient(found),
        codes=tuple(_codes(found)),
        date=_date(found),
    )


def _malformed() -> VaultError:
    return VaultError("not a sealed record as sealing writes it", "line_malformed")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _patient(found: dict[str, str]) -> str | None:
    if found["resourceType"] == "Patient":
        return found.get("fullUrl") or (f"Patient/{found['id']}" if found.get("id") else None)
    names = (f"{name}{index}.reference" for name in _ABOUT for index in ("", "[0]"))
    reference = next((found[name] for name in names if found.get(name)), None) or _linked(found)
    own = _RESTFUL.fullmatch(found.get("fullUrl", ""))
    return None if reference is None else absolute(reference, own[1] if own else "")


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
    return hmac.digest(secret, kind + b"\0" + text.encode(), hashlib.sha256)[:SIZE]


def terms(secret: bytes, facts: Facts) -> set[bytes]:
    """All terms of a record."""
    words = [(ADDRESS, facts.address), (TYPE, facts.resource_type)]
    words += [(CODE, code) for code in facts.codes]
    if facts.date is not None:
        words.append((DAY, facts.date))
        words.append((YEAR, facts.date[:4]))
        if len(facts.date) > len("2026"):
            words.append((MONTH, facts.date[:7]))
    return {term(secret, kind, text) for kind, text in words}


def date_terms(secret: bytes, since: date, until: date) -> set[bytes]:
    """Terms one of which each record has whose date may lie between two days, both included."""
    return {term(secret, kind, text) for kind, text in _words(since, until)}


def _words(since: date, until: date) -> Iterator[tuple[bytes, str]]:
    for year in range(since.year, until.year + 1):
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
