"""What a consent says: who may have which of the patient's records, for what, and until when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from chartseal.attestation import Address, checksum_address
from chartseal.consent.vocabulary import PURPOSES, resource_types
from chartseal.errors import ConsentError, KeyFormatError
from chartseal.keys import SealingAddress
from chartseal.verification.chain import ROLES

FORMAT = "chartseal/1"
KIND = "consent"
MOST_ENTRIES = 256
"""Entries of one list of a consent."""
LONGEST_CODE = 512
"""Characters of a code or label with its system."""
LAST_MOMENT = 253_402_300_799
"""The end of the year 9999, in Unix seconds."""

_CODED = re.compile(r"[\x21-\x7b\x7d\x7e]+\|[^\s|](?:[^|]*[^\s|])?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

FIELDS = (
    ("string", "format"),
    ("string", "kind"),
    ("bytes", "patient"),
    ("address", "custodian"),
    ("address", "grantee.account"),
    ("string", "grantee.role"),
    ("string[]", "purposes"),
    ("uint64", "notBefore"),
    ("uint64", "expiry"),
    ("string[]", "types"),
    ("string[]", "codes"),
    ("string", "since"),
    ("string", "until"),
    ("string[]", "labels"),
    ("string[]", "except.types"),
    ("string[]", "except.codes"),
    ("string[]", "except.labels"),
)
"""ABI type and name of each salted value, in their order: every consent has exactly these."""


@dataclass(frozen=True, slots=True)
class Grantee:
    """Whom a consent is for: one account, or whoever is accredited for a role.

    Raises:
        ConsentError: `consent_malformed`: both, neither, or no such role.
    """

    account: Address | None = None
    """20 bytes."""
    role: str = ""
    """One of `verification.chain.ROLES`, or empty."""

    def __post_init__(self) -> None:
        """Refuse what the format does not have."""
        if (self.account is None) == (not self.role):
            raise malformed("a consent is for one account, or for one role", "grantee")
        if self.account is not None and (len(self.account) != 20 or not any(self.account)):
            raise malformed("expected an address", "grantee.account")
        if self.role and self.role not in ROLES:
            raise malformed(f"a role is one of {', '.join(ROLES)}", "grantee.role")

    def is_one_of(self, account: Address | None, roles: frozenset[str]) -> bool:
        """Whether who has this account and is accredited for these roles is meant."""
        return self.role in roles if self.account is None else self.account == account

    def __str__(self) -> str:
        return self.role if self.account is None else checksum_address(self.account)


@dataclass(frozen=True, slots=True)
class Exceptions:
    """What stays shut though the rest of the consent would open it."""

    types: frozenset[str] = frozenset()
    """Resource types."""
    codes: frozenset[str] = field(default=frozenset(), repr=False)
    """"system|code", of a code or category."""
    labels: frozenset[str] = field(default=frozenset(), repr=False)
    """Security labels, "system|code"."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a patient signs. An empty set of types or codes opens any; of labels, none.

    Raises:
        ConsentError: `consent_malformed`: a part is not one that the format has; `path` names it.
    """

    patient: SealingAddress = field(repr=False)
    custodian: Address
    """Who answers by this consent: 20 bytes."""
    grantee: Grantee
    purposes: frozenset[str]
    """Codes of v3 PurposeOfUse, at least one."""
    not_before: int
    """Unix seconds: from this second on it counts."""
    expiry: int
    """Unix seconds: from this second on it counts no more."""
    types: frozenset[str] = frozenset()
    codes: frozenset[str] = field(default=frozenset(), repr=False)
    """"system|code": records that have one of them, as code or category."""
    since: date | None = None
    """Records of this day and later."""
    until: date | None = None
    """Records of this day and earlier."""
    labels: frozenset[str] = field(default=frozenset(), repr=False)
    """Security labels that are opened, "system|code"; a record opens when all of its own are named."""
    exceptions: Exceptions = Exceptions()

    def __post_init__(self) -> None:
        """Refuse what the format does not have."""
        if len(self.custodian) != 20 or not any(self.custodian):
            raise malformed("expected an address", "custodian")
        if not 0 <= self.not_before < self.expiry <= LAST_MOMENT:
            raise malformed("a consent begins before it ends, by the year 9999", "expiry")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise malformed("the first day is after the last", "since")
        if not self.purposes or not self.purposes <= PURPOSES:
            raise malformed("a consent has purposes, codes of PurposeOfUse", "purposes")
        for name, types in (("types", self.types), ("except.types", self.exceptions.types)):
            if not types <= resource_types():
                raise malformed("not a resource type of R4", name)  # a mistyped exception would except nothing
        for name, coded in self._coded().items():
            _require_coded(coded, name)

    def _coded(self) -> dict[str, frozenset[str]]:
        return {
            "codes": self.codes,
            "labels": self.labels,
            "except.codes": self.exceptions.codes,
            "except.labels": self.exceptions.labels,
        }

    @property
    def holder(self) -> bytes:
        """The patient's spend key, which signs: 32 bytes."""
        return self.patient.spend_key

    @property
    def begins_at(self) -> datetime:
        """Its first moment, aware."""
        return datetime.fromtimestamp(self.not_before, UTC)

    @property
    def ends_at(self) -> datetime:
        """From when it counts no more, aware."""
        return datetime.fromtimestamp(self.expiry, UTC)

    def values(self) -> list[tuple[str, str, Any]]:
        """(ABI type, name, value) of each field, in the order of `FIELDS`."""
        lists = {"purposes": self.purposes, "types": self.types, "except.types": self.exceptions.types, **self._coded()}
        values: dict[str, Any] = {
            "format": FORMAT,
            "kind": KIND,
            "patient": self.patient.data,
            "custodian": self.custodian,
            "grantee.account": self.grantee.account or bytes(20),
            "grantee.role": self.grantee.role,
            "notBefore": self.not_before,
            "expiry": self.expiry,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
            **{name: sorted(each, key=str.encode) for name, each in lists.items()},
        }
        return [(kind, name, values[name]) for kind, name in FIELDS]

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Terms:
        """Read the values of a tree whose names and types are those of `FIELDS`.

        Raises:
            ConsentError: `consent_malformed`.
        """
        if (values["format"], values["kind"]) != (FORMAT, KIND):
            raise malformed("not a consent of a format that is read here", "format")
        account = _address(values["grantee.account"])
        try:
            patient = _sealing_address(bytes(values["patient"]))
        except KeyFormatError as exc:
            raise malformed("expected a sealing address", "patient") from exc
        return cls(
            patient,
            _address(values["custodian"]),
            Grantee(account if any(account) else None, values["grantee.role"]),
            _set(values, "purposes"),
            values["notBefore"],
            values["expiry"],
            _set(values, "types"),
            _set(values, "codes"),
            _day(values, "since"),
            _day(values, "until"),
            _set(values, "labels"),
            Exceptions(_set(values, "except.types"), _set(values, "except.codes"), _set(values, "except.labels")),
        )


def malformed(detail: str, place: str = "") -> ConsentError:
    """The refusal of what is no consent."""
    return ConsentError(detail, "consent_malformed", place)


@lru_cache(maxsize=1_024)
def _sealing_address(data: bytes) -> SealingAddress:
    """The address, its point checked once: a patient's consents are read at each of a requester's queries."""
    return SealingAddress(data)


def _require_coded(coded: Iterable[str], place: str) -> None:
    for each in coded:
        if len(each) > LONGEST_CODE or not each.isprintable() or not _CODED.fullmatch(each):
            raise malformed("expected system|code", place)


def _address(value: Any) -> Address:
    return Address(bytes(value))


def _set(values: Mapping[str, Any], name: str) -> frozenset[str]:
    """A list that is sorted and has nothing twice, so that one consent has one form."""
    items: Sequence[str] = values[name]
    if len(items) > MOST_ENTRIES:
        raise ConsentError(f"a list of a consent has at most {MOST_ENTRIES} entries", "limit_exceeded", name)
    encoded = [each.encode() for each in items]
    if sorted(set(encoded)) != encoded:
        raise malformed("a list ascends, and has nothing twice", name)
    return frozenset(items)


def _day(values: Mapping[str, Any], name: str) -> date | None:
    text: str = values[name]
    if not text:
        return None
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise malformed("expected a date", name)
