"""Steps 5 to 9: the seal is signed, by somebody trusted at that time, and stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from chartseal.attestation import (
    PRIVATE_DATA_SCHEMA,
    ZERO_ADDRESS,
    ZERO_DIGEST,
    Address,
    Digest,
    UnverifiedPackage,
    VerifiedAttestation,
    recover_offchain,
)
from chartseal.errors import AnchorError, IssuerError, RevokedError, SealError, SealTimeError
from chartseal.verification.chain import ROLE, AnchorProof, ChainView
from chartseal.verification.content import refusing
from chartseal.verification.policy import TrustPolicy

Anchors = Mapping[tuple[Address, Digest], AnchorProof]
"""Inclusion proofs by the seal's identity, (attester, uid)."""


@dataclass(frozen=True)
class Setting:
    """What seals are judged by: the policy, the time, and a chain if there is one."""

    trust: TrustPolicy
    now: datetime
    chain: ChainView | None
    anchors: Anchors


def sealed_at(seal: VerifiedAttestation) -> datetime:
    """The seal's own time."""
    return datetime.fromtimestamp(seal.message.time, UTC)


def expires_at(seal: VerifiedAttestation) -> datetime | None:
    """When the seal ends, or None for never."""
    expiration = seal.message.expiration_time
    return datetime.fromtimestamp(expiration, UTC) if expiration else None


_LAST_MOMENT = 253_402_300_799
"""9999-12-31T23:59:59Z; what lies after it is no date."""


def check_signature(package: UnverifiedPackage, trust: TrustPolicy, place: str) -> VerifiedAttestation:
    """The seal, if its signer signed it and it is a seal of this format for a chain that the policy lists.

    Raises:
        SealError: `signature_invalid`, `uid_mismatch`, `signer_mismatch`, `schema_refused`, `domain_refused`,
            `seal_form` or `time_range`.
    """
    with refusing(SealError, place):
        seal = recover_offchain(package)
    message = seal.message
    if message.schema != PRIVATE_DATA_SCHEMA:
        raise SealError("the attestation is not under the private data schema", "schema_refused", place)
    unused = (message.recipient, message.ref_uid) != (ZERO_ADDRESS, ZERO_DIGEST)
    if unused or not message.revocable or len(message.data) != 32:
        raise SealError("not a seal: recipient, refUID, revocable or data", "seal_form", place)
    if max(message.time, message.expiration_time) > _LAST_MOMENT:
        raise SealError("a time is no date", "time_range", place)
    if trust.domains is not None and seal.domain not in trust.domains:
        raise SealError("for a chain or contract that the policy does not list", "domain_refused", place)
    return seal


def evidence_time(seal: VerifiedAttestation, setting: Setting) -> datetime | None:
    """When a chain proves that the seal existed; None without an anchor that holds it. Step 9 refuses wrong ones."""
    proof = setting.anchors.get((seal.attester, seal.uid))
    if proof is None or setting.chain is None:
        return None
    return setting.chain.timestamped_at(seal.domain, proof.root(seal))


def check_issuer(seal: VerifiedAttestation, evidence: datetime | None, setting: Setting, place: str) -> str:
    """The issuer's name in the policy, or in an accreditation of an authority that the policy trusts.

    With an anchor it must be trusted at evidence time, else now: an issuer's own `time` proves nothing once its key may
    be in other hands. By name it must be trusted at the seal's time besides.

    Raises:
        IssuerError: `issuer_untrusted`.
    """
    judged_at = evidence or setting.now
    name = setting.trust.issuer(seal.attester, [sealed_at(seal), judged_at])
    if name is not None:
        return name
    if setting.chain is not None and setting.trust.authorities:
        for accreditation in setting.chain.accreditations(seal.attester, judged_at):
            if accreditation.authority in setting.trust.authorities and accreditation.role == ROLE:
                return accreditation.name
    raise IssuerError("sealed by nobody whom the policy trusts at that time", path=place)


def check_time(seal: VerifiedAttestation, setting: Setting, place: str) -> None:
    """Not expired, not from the future.

    Raises:
        SealTimeError: `expired` or `not_yet_valid`.
    """
    with refusing(SealTimeError, place):
        seal.require_live(setting.now, setting.trust.clock_skew)


def check_not_revoked(seal: VerifiedAttestation, chain: ChainView, place: str) -> None:
    """Not revoked, whenever.

    Raises:
        RevokedError: `seal_revoked`.
    """
    if chain.revoked_at(seal.domain, seal.attester, seal.uid) is not None:
        raise RevokedError("the seal is revoked", path=place)


def check_anchor(seal: VerifiedAttestation, evidence: datetime | None, setting: Setting, place: str) -> None:
    """The anchor given for the seal is timestamped, at a time that fits the seal's own.

    Raises:
        AnchorError: `anchor_unknown`, or `evidence_time` for one before the seal or too long after it.
    """
    if evidence is None:
        raise AnchorError("no anchor of this chain holds the seal", "anchor_unknown", place)
    if not -setting.trust.clock_skew <= evidence - sealed_at(seal) <= setting.trust.largest_delay:
        raise AnchorError("anchored before its own time, or too long after it", "evidence_time", place)
    if evidence - setting.now > setting.trust.clock_skew:
        raise AnchorError("anchored in the future", "evidence_time", place)
