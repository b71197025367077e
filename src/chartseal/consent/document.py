"""A consent as it is signed, given and kept: salted fields under one root, which is its name.

The patient's spend key signs F("consent"; bytes32 root, address custodian): the same words for another custodian, or
other words for this one, are another message. Format specification, section "Consent".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from chartseal import _core, _json
from chartseal.attestation import Address, Digest, PrivateData, abi, digest_from, from_hex, to_hex
from chartseal.consent.terms import FIELDS, FORMAT, KIND, MOST_ENTRIES, Terms, malformed
from chartseal.errors import AttestationError, ConsentError, FieldEncodingError, SignatureError
from chartseal.keys import SealingAddress
from chartseal.predicates.hashes import consent_message

LARGEST_CONSENT = 1 << 20
"""Bytes of JSON."""

_MEMBERS = frozenset({"format", "kind", "root", "values", "signature"})


class Signer(Protocol):
    """A wallet: signs consents with its spend key."""

    def sealing_address(self, address: int = 0, epoch: int = 0) -> SealingAddress:
        """One of its addresses; they share the spend key."""

    def sign_consent(self, root: bytes, custodian: bytes) -> bytes:
        """Sign a consent: 64 bytes."""


@dataclass(frozen=True, slots=True)
class VerifiedConsent:
    """Terms that the patient signed for this custodian. Only `Consent.check` and `verify` make one, and a store."""

    root: Digest
    """The consent's name: 32 bytes."""
    terms: Terms

    def is_in_force(self, now: datetime) -> bool:
        """Whether it counts at that time, as far as its period tells."""
        return self.terms.not_before <= now.timestamp() < self.terms.expiry


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent of which nothing is verified yet; its values give its root."""

    terms: Terms
    data: PrivateData = field(repr=False)
    signature: bytes = field(repr=False)
    """64 bytes."""

    @classmethod
    def sign(cls, terms: Terms, wallet: Signer) -> Consent:
        """Sign terms that were laid out by their patient; salts are fresh, so that the root is random.

        Raises:
            ConsentError: `consent_other_patient`: the wallet is not the patient's; `limit_exceeded`: a list has more
                than `MOST_ENTRIES` entries.
        """
        if wallet.sealing_address().spend_key != terms.holder:
            raise ConsentError("the wallet is not that of the patient whom the consent names", "consent_other_patient")
        values = terms.values()
        if any(isinstance(value, list) and len(value) > MOST_ENTRIES for _, _, value in values):
            raise ConsentError(f"a list of a consent has at most {MOST_ENTRIES} entries", "limit_exceeded")
        data = PrivateData.salted(values)
        return cls(terms, data, wallet.sign_consent(data.root, terms.custodian))

    @property
    def root(self) -> Digest:
        """Its name, and the pointer by which it is asked for: 32 bytes that tell nothing."""
        return self.data.root

    def check(self, custodian: Address) -> VerifiedConsent:
        """The terms, once the patient's signature for this custodian holds, whatever the time.

        Raises:
            ConsentError: `consent_other_custodian`, or `consent_invalid`: the patient did not sign it.
        """
        if self.terms.custodian != custodian:
            raise ConsentError("the consent is for another custodian", "consent_other_custodian")
        try:
            _core.verify_holder_signature(self.terms.holder, consent_message(self.root, custodian), self.signature)
        except SignatureError as exc:
            raise ConsentError("the patient did not sign the consent", "consent_invalid") from exc
        return VerifiedConsent(self.root, self.terms)

    def verify(self, custodian: Address, now: datetime) -> VerifiedConsent:
        """The terms, once the patient's signature for this custodian holds and the consent is in force by its period.

        Whether it was withdrawn, its custodian's store alone tells.

        Raises:
            ConsentError: as `check`; `consent_not_begun`, `consent_expired`.
        """
        verified = self.check(custodian)
        if now.timestamp() < self.terms.not_before:
            raise ConsentError("the consent has not begun", "consent_not_begun")
        if now.timestamp() >= self.terms.expiry:
            raise ConsentError("the consent has expired", "consent_expired")
        return verified

    def to_json(self) -> bytes:
        """Compact JSON, values in the format's order, without a line end."""
        members = {"format": FORMAT, "kind": KIND, **self.data.to_json(), "signature": to_hex(self.signature)}
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def loads(cls, text: bytes) -> Consent:
        """Read a consent; its values give its root, and nothing else of it is verified.

        Raises:
            ConsentError: `consent_malformed`, or `limit_exceeded`.
        """
        if len(text) > LARGEST_CONSENT:
            raise ConsentError("the consent is too long", "limit_exceeded")
        members = _members(text)
        try:
            data = PrivateData.from_json({"root": members["root"], "values": members["values"]})
            signature = from_hex(members["signature"], "signature", 64)
        except (AttestationError, FieldEncodingError) as exc:
            raise malformed(exc.detail, exc.path) from exc
        if not data.salts_sound:
            raise malformed("a salt is short, zero or stands twice", "values")
        return cls(Terms.from_values({each.name: each.value for each in data.values}), data, signature)


def kept_consent(text: bytes) -> VerifiedConsent:
    """A consent that this site verified before and kept where nobody else writes: neither tree nor signature again.

    Raises:
        ConsentError: `consent_malformed`.
    """
    members = _members(text)
    try:
        values = {
            each["name"]: abi.normalise(abi.parse_type(each["type"]), each["value"]) for each in members["values"]
        }
        root = digest_from(members["root"], "root")
    except (AttestationError, FieldEncodingError, KeyError) as exc:
        raise malformed("not as it was kept") from exc
    return VerifiedConsent(root, Terms.from_values(values))


def _members(text: bytes) -> dict[str, Any]:
    """The members of a consent's JSON, its values being of exactly the format's types and names."""
    try:
        members = _json.loads(text)
    except ValueError as exc:
        raise malformed("not JSON") from exc
    if not isinstance(members, dict) or members.keys() != _MEMBERS:
        raise malformed("expected an object with exactly the members of a consent")
    if (members["format"], members["kind"]) != (FORMAT, KIND):
        raise malformed("not a consent of a format that is read here", "format")
    values = members["values"]
    if not isinstance(values, list) or any(not isinstance(each, dict) for each in values):
        raise malformed("expected a list of values", "values")
    if [(each.get("type"), each.get("name")) for each in values] != list(FIELDS):
        raise malformed("expected exactly the fields of a consent, in their order", "values")
    return members
