"""Answers: what a custodian shows of records that it keeps, to one who asked; no holder signs it.

An answer record is a disclosure's record without a signature: the seal, what is opened of it, and what leads from that
to the sealed root. It stands in a Provenance's signature beside the resource, and is the same bytes whoever asks. Who
lets it be shown, and for which request, stands beside it. Format specification, section "Answers".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from chartseal.attestation import Address, Digest, Multiproof, UnverifiedPackage, digest_from, to_hex
from chartseal.disclosure.form import (
    FORMAT,
    LARGEST_DISCLOSURE,
    MOST_LEAVES,
    MOST_RECORDS,
    parts_to_json,
    record_parts,
    strict_json,
)
from chartseal.disclosure.opening import open_choice
from chartseal.disclosure.selection import Choice, HeldRecord, Selection, everything
from chartseal.errors import AttestationError, DisclosureError, DisclosureFormError, RootMismatchError

KIND = "answer-record"
SIGNATURE_FORMAT = "application/chartseal+json"
"""`sigFormat` of the Provenance.signature whose data is an answer record."""
WHOLE = ("person", "fullUrl", "amends", "names")
"""Control fields without which nobody can tell that all of a record is opened, each `chartseal.` + name."""

LARGEST_ANSWER = LARGEST_DISCLOSURE
"""Bytes that all answer records of an answer may have together."""

_DEEPEST = 64
"""Levels of an anchor's tree."""
_MEMBERS = frozenset({"format", "kind", "seal", "multiproof"})
_ALL = _MEMBERS | {"detached", "anchor"}


class Ground(StrEnum):
    """Why a custodian shows a record that no consent opens: its own word."""

    SITE_POLICY = "site-policy"
    BREAK_GLASS = "break-glass"
    OWN_RECORD = "own-record"


@dataclass(frozen=True, slots=True)
class ByConsent:
    """A record is shown because its holder consents, by this document."""

    document: bytes = field(repr=False)


AnswerBasis: TypeAlias = ByConsent | Ground


@dataclass(frozen=True, slots=True)
class UnverifiedAnswerRecord:
    """One record of an answer: its seal and what is opened of it."""

    package: UnverifiedPackage
    multiproof: Multiproof = field(repr=False)
    detached: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Base64 texts too long for a leaf, by the name of the field that holds their hash."""
    anchor: tuple[Digest, ...] | None = None
    """Siblings that lead from the seal to the root of its anchor; None where no anchor is given."""

    @property
    def identity(self) -> tuple[bytes, bytes]:
        """(attester, uid) as stated."""
        return self.package.signer, self.package.uid

    def to_json(self) -> bytes:
        """Compact JSON, members in the format's order, without a line end."""
        members: dict[str, Any] = {"format": FORMAT, "kind": KIND, **parts_to_json(self)}
        if self.detached:
            members["detached"] = dict(self.detached)
        if self.anchor is not None:
            members["anchor"] = [to_hex(sibling) for sibling in self.anchor]
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def loads(cls, text: bytes, place: str = "") -> UnverifiedAnswerRecord:
        """Read an answer record from JSON text (UTF-8).

        Raises:
            DisclosureFormError: malformed (`disclosure_malformed`, or the code of the part), of another format or kind
                (`format_unknown`), or over a limit (`limit_exceeded`).
        """
        data = strict_json(text)
        if not isinstance(data, dict) or not _MEMBERS <= data.keys() <= _ALL:
            raise DisclosureFormError("expected an object with exactly the members of an answer record", path=place)
        if (data["format"], data["kind"]) != (FORMAT, KIND):
            raise DisclosureFormError("not an answer record of a format that is read here", "format_unknown", place)
        parts = record_parts(data, place)
        if len(parts.multiproof.leaves) > MOST_LEAVES:
            raise DisclosureFormError("too many leaves are opened", "limit_exceeded", place)
        return cls(*parts, anchor=_anchor(data["anchor"], place) if "anchor" in data else None)


def _anchor(data: Any, place: str) -> tuple[Digest, ...]:
    place = f"{place} anchor".lstrip()
    if not isinstance(data, list) or len(data) > _DEEPEST:
        raise DisclosureFormError(f"expected a list of at most {_DEEPEST} hashes", path=place)
    try:
        return tuple(digest_from(item, f"{place}[{at}]") for at, item in enumerate(data))
    except AttestationError as exc:
        raise DisclosureFormError(exc.detail, path=exc.path) from exc


@dataclass(frozen=True, slots=True)
class Answered:
    """One record as it came: an answer record's bytes, and why the custodian says that it shows it."""

    data: bytes = field(repr=False)
    basis: AnswerBasis


@dataclass(frozen=True, slots=True)
class UnverifiedAnswer:
    """What a custodian answered to one request; nothing of it is true until it is verified.

    `nonce` has 32 bytes: the request's, as the answer repeats it.
    """

    custodian: Address
    """Who says that it answers: an account as accreditations have it."""
    nonce: bytes
    answered: tuple[Answered, ...]

    @property
    def size(self) -> int:
        """Bytes of all answer records."""
        return sum(len(each.data) for each in self.answered)

    def records(self) -> tuple[UnverifiedAnswerRecord, ...]:
        """The answer records, read.

        Raises:
            DisclosureFormError: one is malformed, or there is too much (`limit_exceeded`).
        """
        if len(self.answered) > MOST_RECORDS or self.size > LARGEST_ANSWER:
            raise DisclosureFormError("more than an answer may hold", "limit_exceeded", "records")
        found = tuple(
            UnverifiedAnswerRecord.loads(each.data, f"records[{at}]") for at, each in enumerate(self.answered)
        )
        if sum(len(record.multiproof.leaves) for record in found) > MOST_LEAVES:
            raise DisclosureFormError("too many leaves are opened", "limit_exceeded", "records")
        return found


def answer_record(
    record: HeldRecord, opened: Selection | None = None, *, anchor: Sequence[Digest] | None = None
) -> bytes:
    """The answer record of a sealed record, as Provenance.signature.data has it before base64.

    `opened` has a choice of this record, as `select` or `everything` made it; None opens the whole resource, and no
    control field that is opened by choice. `anchor` are the siblings of the seal's inclusion proof, where it is
    anchored. The record is the caller's own, and was checked when it was kept: only that
    what opens leads to its sealed root is checked again.

    Raises:
        DisclosureError: `nothing_selected` where the selection has no choice of this record, `record_repeated` where it
            has several, `salts_unsound`, or more than an answer may hold (`limit_exceeded`).
        RecordError: the choice leaves out what must travel.
        RootMismatchError: the record's fields do not give its sealed root.
    """
    choice = _choice_of(record, everything(record) if opened is None else opened)
    if record.private_data.root != record.package.message.data:
        raise RootMismatchError("the fields do not give the sealed root")
    multiproof, detached = open_choice(choice)
    siblings = None if anchor is None else tuple(anchor)
    data = UnverifiedAnswerRecord(record.package, multiproof, detached, siblings).to_json()
    if len(data) > LARGEST_ANSWER or len(multiproof.leaves) > MOST_LEAVES:
        raise DisclosureError("more than an answer may hold", "limit_exceeded", record.resource_type)
    return data


def _choice_of(record: HeldRecord, selection: Selection) -> Choice:
    """The choice that opens this record, which it opens itself: a choice of a like record would open that one."""
    identity = (record.package.signer, record.package.uid)
    found = [each for each in selection.choices if (each.record.package.signer, each.record.package.uid) == identity]
    if not found:
        raise DisclosureError("nothing of this record is selected", "nothing_selected", record.resource_type)
    if len(found) > 1:
        raise DisclosureError("a record is selected twice", "record_repeated", record.resource_type)
    return Choice(record, found[0].opened)
