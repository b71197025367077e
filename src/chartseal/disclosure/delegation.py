"""A delegation: a holder lets a proxy sign disclosures of chosen records, for a time.

Each record's subject signs the mandate for itself, so a delegation is worth nothing for a record that it does not name.
The proxy signs under a key of its own: verifiers see that, and until when. Format specification, section "Delegation".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from chartseal import _core, _json
from chartseal.attestation import from_hex, to_hex
from chartseal.disclosure.audience import audience_from
from chartseal.errors import AttestationError, DelegationError, DisclosureFormError, KeyFormatError, SignatureError
from chartseal.predicates.hashes import delegation_message

if TYPE_CHECKING:
    from chartseal.disclosure.selection import HeldRecord

FORMAT = "chartseal/1"
KIND = "delegation"
MOST_SUBJECTS = 10_000
"""Records of one delegation."""
LARGEST_DELEGATION = 1 << 22
"""Bytes of JSON that a delegation may have."""
LAST_MOMENT = 253_402_300_799
"""The end of the year 9999, in Unix seconds."""

_TERMS = ("proxy", "audience", "notBefore", "expiry", "majority")
_DELEGATION = frozenset({*_TERMS, "signature"})
_WHOLE = frozenset({"format", "kind", *_TERMS, "records"})
_RECORD = frozenset({"subject", "signature"})


@dataclass(frozen=True, slots=True)
class Mandate:
    """Who may sign, for which audience, and when. Times are Unix seconds.

    Raises:
        DelegationError: `delegation_malformed`: a part is out of its range, or the key is no point of the subgroup.
    """

    proxy: bytes
    """The proxy's public key, a packed Baby Jubjub point: 32 bytes."""
    not_before: int
    expiry: int
    """From this second on the proxy's signature counts no more."""
    majority: int = 0
    """From this second on the holder signs for herself and the proxy's signature counts no more; 0 for none."""
    audience: str = ""
    """The one verifier that it is for; empty for any."""

    def __post_init__(self) -> None:
        """Refuse what the format does not have."""
        if not 0 <= self.not_before < self.expiry <= LAST_MOMENT:
            raise _malformed("a delegation begins before it ends, by the year 9999")
        if self.majority and not self.not_before < self.majority <= LAST_MOMENT:
            raise _malformed("a delegation begins before the holder is of age")
        try:
            _core.check_point(self.proxy)
            if self.audience:
                audience_from(self.audience)
        except (KeyFormatError, DisclosureFormError) as exc:
            raise _malformed(exc.detail) from exc

    def message(self, subject: bytes) -> bytes:
        """What a record's subject (32 bytes) signs: 32 bytes, big-endian."""
        return delegation_message(
            subject,
            self.proxy,
            self.audience,
            not_before=self.not_before,
            expiry=self.expiry,
            majority=self.majority,
        )

    def require(self, audience: str, now: datetime) -> None:
        """Refuse another time or audience.

        Raises:
            DelegationError: `delegation_not_begun`, `delegation_expired`, `delegation_of_age`, `delegation_audience`.
        """
        seconds = now.timestamp()
        if seconds < self.not_before:
            raise DelegationError("the delegation has not begun", "delegation_not_begun")
        if seconds >= self.expiry:
            raise DelegationError("the delegation has expired", "delegation_expired")
        if self.majority and seconds >= self.majority:
            raise DelegationError("the holder is of age, and signs for herself", "delegation_of_age")
        if self.audience not in ("", audience):
            raise DelegationError("the delegation is for another verifier", "delegation_audience")

    @property
    def until(self) -> datetime:
        """Its expiry."""
        return datetime.fromtimestamp(self.expiry, UTC)

    @property
    def of_age_at(self) -> datetime | None:
        """The majority date, or None."""
        return datetime.fromtimestamp(self.majority, UTC) if self.majority else None

    def to_json(self) -> dict[str, Any]:
        """The members in the format's order."""
        return {
            "proxy": to_hex(self.proxy),
            "audience": self.audience,
            "notBefore": self.not_before,
            "expiry": self.expiry,
            "majority": self.majority,
        }

    @classmethod
    def from_members(cls, data: Mapping[str, Any], place: str) -> Mandate:
        """Read the members out of an object that has them.

        Raises:
            DelegationError: `delegation_malformed`.
        """
        times = {name: data[name] for name in ("notBefore", "expiry", "majority")}
        if any(type(value) is not int for value in times.values()):
            raise _malformed("expected seconds since 1970", place)
        if not isinstance(data["audience"], str):
            raise _malformed("expected a text", place)
        proxy = _bytes(data["proxy"], 32, f"{place} proxy")
        try:
            return cls(proxy, times["notBefore"], times["expiry"], times["majority"], data["audience"])
        except DelegationError as exc:
            raise _malformed(exc.detail, place) from exc


@dataclass(frozen=True, slots=True)
class Delegation:
    """A mandate for one record, as a disclosure carries it: signed by the record's subject."""

    mandate: Mandate
    signature: bytes = field(repr=False)
    """64 bytes."""

    def check(self, subject: bytes, audience: str, now: datetime) -> None:
        """Check that the subject gave this mandate, and that it covers this audience now.

        Raises:
            DelegationError: `delegation_invalid`: another key signed it, or another mandate; as `Mandate.require`.
            KeyFormatError: the subject is no point of the subgroup.
        """
        try:
            _core.verify_holder_signature(subject, self.mandate.message(subject), self.signature)
        except SignatureError as exc:
            raise DelegationError("the record's holder did not sign the delegation", "delegation_invalid") from exc
        self.mandate.require(audience, now)

    def to_json(self) -> dict[str, Any]:
        """The members in the format's order."""
        return {**self.mandate.to_json(), "signature": to_hex(self.signature)}

    @classmethod
    def from_json(cls, data: Any, place: str = "delegation") -> Delegation:
        """Read what stands beside a record.

        Raises:
            DelegationError: `delegation_malformed`.
        """
        data = _object(data, _DELEGATION, place)
        return cls(Mandate.from_members(data, place), _bytes(data["signature"], 64, f"{place} signature"))


@dataclass(frozen=True, slots=True)
class DelegationFile:
    """What a holder gives to a proxy: a mandate, and each record's signature of it by the record's subject."""

    mandate: Mandate
    signatures: Mapping[bytes, bytes] = field(repr=False)
    """By subject."""

    def of(self, subject: bytes) -> Delegation:
        """The delegation of one record.

        Raises:
            DelegationError: `delegation_missing`.
        """
        if subject not in self.signatures:
            raise DelegationError("the delegation does not name this record", "delegation_missing")
        return Delegation(self.mandate, self.signatures[subject])

    def to_json(self) -> bytes:
        """Compact JSON, records ascending by subject, without a line end."""
        records = [
            {"subject": to_hex(subject), "signature": to_hex(self.signatures[subject])}
            for subject in sorted(self.signatures)
        ]
        members = {"format": FORMAT, "kind": KIND, **self.mandate.to_json(), "records": records}
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def loads(cls, text: bytes) -> DelegationFile:
        """Read a delegation's file; its signatures are checked where they are used.

        Raises:
            DelegationError: `delegation_malformed`, or `limit_exceeded`.
        """
        if len(text) > LARGEST_DELEGATION:
            raise DelegationError("the delegation is too long", "limit_exceeded")
        try:
            data = _object(_json.loads(text), _WHOLE, "")
        except ValueError as exc:
            raise _malformed("not JSON") from exc
        if (data["format"], data["kind"]) != (FORMAT, KIND):
            raise _malformed("not a delegation of a format that is read here", "format")
        records = data["records"]
        if not isinstance(records, list) or not 0 < len(records) <= MOST_SUBJECTS:
            raise _malformed(f"expected a list of 1 to {MOST_SUBJECTS} records", "records")
        pairs = [_pair(item, f"records[{at}]") for at, item in enumerate(records)]
        if any(later <= earlier for (earlier, _), (later, _) in pairwise(pairs)):
            raise _malformed("records ascend by subject, none twice", "records")
        return cls(Mandate.from_members(data, ""), dict(pairs))


class Delegator(Protocol):
    """A wallet: lets a proxy sign, under the one-time keys that it recomputes."""

    def delegate(
        self,
        enc: bytes,
        subject: bytes,
        *,
        proxy: bytes,
        audience: str,
        not_before: int,
        expiry: int,
        majority: int,
        address: int = 0,
        epoch: int = 0,
    ) -> bytes:
        """Sign a mandate under one record's subject: 64 bytes."""


def delegate(
    records: Iterable[HeldRecord],
    holder: Delegator,
    mandate: Mandate,
    *,
    address_of: Callable[[HeldRecord], tuple[int, int]] = lambda _: (0, 0),
) -> DelegationFile:
    """Let a proxy sign disclosures of these records. `address_of` gives a record's (address, epoch) of the wallet.

    Raises:
        DelegationError: `records_missing`, or `limit_exceeded` for more than a delegation may name.
        KeyFormatError: `subject_not_ours`, when the wallet does not own a record.
        SealedRecordError, RootMismatchError, RecordError, SignatureError: a record does not hold.
    """
    signatures: dict[bytes, bytes] = {}
    for record in records:
        record.check()  # it may have come from the proxy, and be chosen by what it says of itself
        address, epoch = address_of(record)
        signatures[record.subject] = holder.delegate(
            record.enc,
            record.subject,
            proxy=mandate.proxy,
            audience=mandate.audience,
            not_before=mandate.not_before,
            expiry=mandate.expiry,
            majority=mandate.majority,
            address=address,
            epoch=epoch,
        )
        if len(signatures) > MOST_SUBJECTS:
            raise DelegationError(f"a delegation names at most {MOST_SUBJECTS} records", "limit_exceeded")
    if not signatures:
        raise DelegationError("a delegation names a record", "records_missing")
    return DelegationFile(mandate, signatures)


def _pair(data: Any, place: str) -> tuple[bytes, bytes]:
    data = _object(data, _RECORD, place)
    return _bytes(data["subject"], 32, f"{place} subject"), _bytes(data["signature"], 64, f"{place} signature")


def _object(data: Any, members: Set[str], place: str) -> dict[str, Any]:
    if not isinstance(data, dict) or data.keys() != members:
        raise _malformed("expected an object with exactly the members of a delegation", place)
    return data


def _bytes(value: Any, size: int, place: str) -> bytes:
    try:
        return from_hex(value, place, size)
    except AttestationError as exc:
        raise _malformed(exc.detail, place) from exc


def _malformed(detail: str, place: str = "") -> DelegationError:
    return DelegationError(detail, "delegation_malformed", place.strip())
