"""The credential: the issuer's signature over a record's claims, for proofs that show neither record nor issuer.

Format specification, section "Credential". A holder checks it before accepting a record: from one that does not hold,
or is another holder's, no proof can be made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from chartseal import _core
from chartseal.errors import CredentialError, FieldEncodingError, KeyFormatError, SignatureError

NEVER = 2**64 - 1
"""Expiry of what never expires."""
LIST_SIZE = 1_024_000
"""Indices of one status list."""
CLAIM_ID_SIZE = 31
LARGEST_LIST = 2**32 - 1
MOST_USES = 65_535

_NO_UID = bytes(32)


@dataclass(frozen=True, slots=True)
class Credential:
    """What an issuer signed of one record. Times are Unix seconds, and the seal's."""

    list: int = field(repr=False)
    """Number of the issuer's status list."""
    index: int = field(repr=False)
    """Its bit in that list."""
    claim_id: bytes = field(repr=False)
    """31 bytes, stable for the event and bound to its holder."""
    uses: int = field(repr=False)
    """How often the event may be used."""
    key: bytes = field(repr=False)
    """The issuer's proving key, packed: 32 bytes."""
    signature: bytes = field(repr=False)
    """packPoint(R) ‖ LE(S), 64 bytes."""
    sealed_at: int
    expiry: int
    """`NEVER` for none."""

    def message(self, attester: bytes, claims_root: bytes, holder: bytes) -> bytes:
        """P(tagCred, attester, list, index, claimsRoot, holder, claimId, uses, sealedAt, expiry): 32 bytes.

        Raises:
            CredentialError: `credential_malformed`: a part is out of its range.
        """
        ranges = (
            (self.list, 0, LARGEST_LIST, "list"),
            (self.index, 0, LIST_SIZE - 1, "index"),
            (self.uses, 1, MOST_USES, "uses"),
            (self.sealed_at, 0, NEVER, "sealedAt"),
            (self.expiry, 0, NEVER, "expiry"),
        )
        for value, least, most, name in ranges:
            if not least <= value <= most:
                raise CredentialError("out of its range", "credential_malformed", f"credential.{name}")
        if len(self.claim_id) != CLAIM_ID_SIZE:
            raise CredentialError("expected 31 bytes", "credential_malformed", "credential.claimId")
        try:
            return _core.credential_message(
                attester,
                list_number=self.list,
                index=self.index,
                claims_root=claims_root,
                holder=holder,
                claim_id=self.claim_id,
                uses=self.uses,
                sealed_at=self.sealed_at,
                expiry=self.expiry,
            )
        except FieldEncodingError as exc:
            raise CredentialError("the claims' root is no field element", "credential_malformed") from exc

    def check(self, attester: bytes, claims_root: bytes, holder: bytes) -> None:
        """Check that its key signed exactly this for the record with that root (32 bytes), of that holder's commitment.

        Whose key it is, only a trust root tells.

        Raises:
            CredentialError: `credential_malformed`, `credential_key` (the key is no point that counts),
                `credential_signature`.
        """
        message = self.message(attester, claims_root, holder)
        try:
            _core.verify_holder_signature(self.key, message, self.signature)
        except KeyFormatError as exc:
            raise CredentialError("the key is refused as a point", "credential_key", "credential.key") from exc
        except SignatureError as exc:
            raise CredentialError(
                "its key did not sign it for this record and holder", "credential_signature", "credential.signature"
            ) from exc


class Event(NamedTuple):
    """What tells one event's records from another's: of a held record, beside its claimId."""

    attester: bytes
    uid: bytes
    resource_type: str
    full_url: str
    """Empty where unknown."""
    resource_id: str
    """The resource's own, empty where it has none."""
    amends: bytes
    """Uid of the seal that the record replaces, or zeros."""


def is_of_event(new: Event, held: Iterable[Event]) -> bool:
    """Whether a record may have the claimId of held ones: it is one of them, the same resource sealed again, or one of
    the two amends the other.

    A wallet refuses a record whose claimId it holds for another event: proofs from one would spend the other's uses.
    """
    return any(_is_same(new, each) for each in held)


def _is_same(new: Event, held: Event) -> bool:
    if new.resource_type != held.resource_type:
        return False
    if (new.attester, new.uid) == (held.attester, held.uid):
        return True
    if new.attester == held.attester and _is_same_resource(new, held):
        return True
    return (new.amends != _NO_UID and new.amends == held.uid) or (held.amends != _NO_UID and held.amends == new.uid)


def _is_same_resource(new: Event, held: Event) -> bool:
    """By its id, which every export keeps, or by its URL without the version."""
    by_id = new.resource_id != "" and new.resource_id == held.resource_id
    url, other = (each.full_url.partition("/_history/")[0] for each in (new, held))
    return by_id or (url != "" and url == other)
