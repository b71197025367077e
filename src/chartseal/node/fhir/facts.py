"""What a decision looks at in a sealed record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from chartseal import _core
from chartseal.consent import RecordFacts
from chartseal.errors import KeyFormatError, VaultDamageError
from chartseal.node.fhir.dates import stretch
from chartseal.node.fhir.elements import Elements
from chartseal.sealing import SealedRecord

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"

_LEVELS = ("U", "L", "M", "N", "R", "V")
"""Least to most: terminology.hl7.org/CodeSystem-v3-Confidentiality.html."""
_CODED = ("code", "medicationCodeableConcept", "vaccineCode")
_ORDER = (
    ("effectiveDateTime", "effectiveInstant", "effectivePeriod"),
    ("onsetDateTime", "onsetPeriod"),
    ("performedDateTime", "performedPeriod"),
    ("occurrenceDateTime", "occurrencePeriod"),
    ("whenHandedOver",),
    ("whenPrepared",),
    ("started",),
    ("period",),
    ("billablePeriod",),
    ("authoredOn",),
    ("recordedDate",),
    ("recorded",),
    ("dateAsserted",),
    ("issued",),
    ("sent",),
    ("created",),
    ("authored",),
    ("date",),
)
"""The first that a record has is when what it tells was."""


def record_facts(record: SealedRecord, elements: Elements) -> RecordFacts:
    """The facts of one record.

    Raises:
        VaultDamageError: `record_damaged`; it names no sealing address.
    """
    begins, ends = _days(elements)
    labels = frozenset(_labels(elements))
    return RecordFacts(
        holder=_holder(record.address),
        resource_type=record.resource_type,
        codes=frozenset(each.text for path in _CODED for each in elements.concepts(path)),
        categories=frozenset(each.text for each in elements.concepts("category")),
        begins=begins,
        ends=ends,
        labels=labels,
        confidentiality=_confidentiality(labels),
        is_labelled=bool(labels),
        mentioned=frozenset(each.text for each in elements.all_codings()),
    )


def _labels(elements: Elements) -> Iterator[str]:
    """Every label: R4 lets what is contained bear none. One without a code is a label too: `system|`."""
    found: dict[str, dict[str, str]] = {}
    for member in ("system", "version", "code", "display"):
        for each in elements.at(f"meta.security.{member}"):
            found.setdefault(each.owner, {})[member] = each.text
    return (f"{label.get('system', '')}|{label.get('code', '')}" for label in found.values())


@lru_cache(maxsize=1_024)  # whether it is a point takes longer than all else here
def _holder(address: str) -> bytes:
    try:
        return _core.parse_address(address)[:32]
    except KeyFormatError as exc:
        raise VaultDamageError("a record names no sealing address", "record_damaged") from exc


def _confidentiality(labels: frozenset[str]) -> str | None:
    codes = [each.removeprefix(f"{CONFIDENTIALITY}|") for each in labels if each.startswith(f"{CONFIDENTIALITY}|")]
    if not codes:
        return None
    # A code that is not known is taken for the highest: somebody meant to keep it back.
    return max(codes, key=lambda code: (_LEVELS.index(code) if code in _LEVELS else len(_LEVELS), code))


def _days(elements: Elements) -> tuple[date | None, date | None]:
    for group in _ORDER:
        for name in group:
            is_period = name.endswith("eriod")
            start = elements.first(f"{name}.start") if is_period else elements.first(name)
            end = elements.first(f"{name}.end") if is_period else start
            found = stretch(start, end)
            if found is not None:
                return found.days()
    return None, None
