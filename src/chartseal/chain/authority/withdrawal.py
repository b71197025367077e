"""How an authority ends an accreditation, and since when it no longer counts."""

from __future__ import annotations

from dataclasses import dataclass

from chartseal.attestation import ZERO_DIGEST, Address, Digest, Schema
from chartseal.chain.facts import Attestation
from chartseal.chain.schemas import CAUSES, WITHDRAWAL
from chartseal.errors import AuthorityError, FieldEncodingError

ORDINARY = "ordinary"
_OTHER = "other"
_SCHEMA = Schema.parse(WITHDRAWAL.text)
_LARGEST_TIME = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A withdrawal as it stands on chain. Times are Unix seconds."""

    uid: Digest
    authority: Address
    """Who attested it: it counts against that authority's accreditations alone."""
    accreditation: Digest
    """uid of what it ends: the data's, whatever the attestation refers to besides."""
    withdrawn_from: int
    """As stated."""
    cause: str
    """A word of chain/schemas.py."""
    attested_at: int
    """Time of its block."""

    @property
    def is_for_cause(self) -> bool:
        """Whether it may reach back."""
        return self.cause != ORDINARY

    @property
    def ends_at(self) -> int:
        """From when the accreditation no longer counts; an ordinary withdrawal never reaches back."""
        return self.withdrawn_from if self.is_for_cause else max(self.withdrawn_from, self.attested_at)


def encode_withdrawal(accreditation: Digest, withdrawn_from: int, cause: str) -> bytes:
    """The attestation's data.

    Raises:
        AuthorityError: `cause_unknown` or `withdrawal_malformed`.
    """
    if cause not in CAUSES:
        raise AuthorityError(f"a cause is one of {', '.join(CAUSES)}", "cause_unknown", "cause")
    if not 0 <= withdrawn_from <= _LARGEST_TIME:
        raise AuthorityError("a withdrawal begins at a time", "withdrawal_malformed", "withdrawnFrom")
    try:
        return _SCHEMA.encode([accreditation, withdrawn_from, CAUSES.index(cause)])
    except FieldEncodingError as exc:
        raise AuthorityError("a part does not fit its type", "withdrawal_malformed", exc.path) from exc


def read_withdrawal(attestation: Attestation) -> Withdrawn:
    """A withdrawal from its attestation; of which schema that is, the caller knows.

    What an authority meant badly put must not keep an accreditation alive: a cause that is not known reads as `other`,
    so that it may reach back, and data that cannot be read ends what the attestation refers to, from its block on.

    Raises:
        AuthorityError: `withdrawal_malformed`: the data cannot be read, and the attestation refers to nothing.
    """
    try:
        accreditation, withdrawn_from, cause = _SCHEMA.decode(attestation.data)
    except FieldEncodingError as exc:
        if attestation.ref_uid == ZERO_DIGEST:
            raise AuthorityError("a withdrawal's data is not of its schema", "withdrawal_malformed", "data") from exc
        accreditation, withdrawn_from, cause = attestation.ref_uid, attestation.time, CAUSES.index(_OTHER)
    return Withdrawn(
        uid=attestation.uid,
        authority=attestation.attester,
        accreditation=Digest(accreditation),
        withdrawn_from=withdrawn_from,
        cause=CAUSES[cause] if cause < len(CAUSES) else _OTHER,
        attested_at=attestation.time,
    )
