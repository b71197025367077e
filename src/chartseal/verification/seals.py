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
    checksum_address,
    offchain_uid,
    recover_offchain,
)
from chartseal.errors import AnchorError, IssuerError, RevokedError, SealError, SealTimeError, SignatureError
from chartseal.verification.chain import AnchorProof, ChainView, Question
from chartseal.verification.content import refusing
from chartseal.verification.policy import TrustPolicy
from chartseal.verification.report import Issuer

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


def check_signature(package: UnverifiedPackage, setting: Setting, place: str) -> VerifiedAttestation:
    """The seal, if its signer signed it and it is a seal of this format for a chain that the policy lists.

    A signature that is not the stated signer's own key's may be a contract's (EIP-1271), which a chain tells, as of
    now. The attester is then the contract, whatever address the signature would give.

    Raises:
        SealError: `signature_invalid`, `uid_mismatch`, `signer_mismatch`, `schema_refused`, `domain_refused`,
            `seal_form` or `time_range`.
        ChainError: as the view.
    """
    with refusing(SealError, place):
        seal, refusal = _recovered(package)
    _require_seal(seal, place)
    trust = setting.trust
    if trust.domains is not None and seal.domain not in trust.domains:
        raise SealError("for a chain or contract that the policy does not list", "domain_refused", place)
    if refusal is not None and not _is_contracts(package, setting.chain):
        raise SealError(refusal.detail, refusal.code, f"{place} {refusal.path}".strip()) from refusal
    return seal


def _recovered(package: UnverifiedPackage) -> tuple[VerifiedAttestation, SignatureError | None]:
    """The seal, signed by its signer's own key; else with the reason, which a contract at that address may mend.

    Raises:
        SignatureError: `uid_mismatch`, or no signer is stated.
    """
    try:
        return recover_offchain(package), None
    except SignatureError as exc:
        if package.signer == ZERO_ADDRESS or offchain_uid(package.message, package.form) != package.uid:
            raise
        stated = VerifiedAttestation(
            package.signer,
            package.uid,
            package.form,
            package.domain,
            package.message,
            package.signature,
            by_contract=True,
        )
        return stated, exc


def _is_contracts(package: UnverifiedPackage, chain: ChainView | None) -> bool:
    return chain is not None and chain.is_valid_signature(
        package.domain, package.signer, package.digest(), package.signature
    )


def _require_seal(seal: VerifiedAttestation, place: str) -> None:
    message = seal.message
    if message.schema != PRIVATE_DATA_SCHEMA:
        raise SealError("the attestation is not under the private data schema", "schema_refused", place)
    unused = (message.recipient, message.ref_uid) != (ZERO_ADDRESS, ZERO_DIGEST)
    if unused or not message.revocable or len(message.data) != 32:
        raise SealError("not a seal: recipient, refUID, revocable or data", "seal_form", place)
    if max(message.time, message.expiration_time) > _LAST_MOMENT:
        raise SealError("a time is no date", "time_range", place)


def anchor_of(seal: VerifiedAttestation, anchors: Anchors) -> AnchorProof | None:
    """The anchor that was given for the seal; none for a contract's, which no anchor dates.

    Bytes can be anchored that the contract takes for its signature only later, by other owners or other code: else who
    gets hold of a contract could bring forth seals from the time when it was accredited.
    """
    return None if seal.by_contract else anchors.get((seal.attester, seal.uid))


def question(seal: VerifiedAttestation, anchors: Anchors) -> Question:
    """What a chain will be asked about the seal."""
    proof = anchor_of(seal, anchors)
    return Question(seal.domain, seal.attester, seal.uid, proof.root(seal) if proof else None)


def evidence_time(asked: Question, chain: ChainView) -> datetime | None:
    """When a chain proves that the seal existed; None without an anchor that holds it. Step 9 refuses wrong ones.

    Raises:
        ChainError: as the view.
    """
    return None if asked.anchor_root is None else chain.timestamped_at(asked.domain, asked.anchor_root)


def check_issuer(seal: VerifiedAttestation, evidence: datetime | None, setting: Setting, place: str) -> Issuer:
    """The issuer, by the policy's name for it or by an accreditation of an authority that the policy trusts.

    With an anchor it must be trusted at evidence time, else now: an issuer's own `time` proves nothing once its key may
    be in other hands. By name it must be trusted at the seal's time besides.

    Raises:
        IssuerError: `issuer_untrusted`, or `issuer_untrusted_then` of one that is accredited only since.
        ChainError: as the view.
    """
    trust, judged_at = setting.trust, evidence or setting.now
    name = trust.issuer(seal.attester, [sealed_at(seal), judged_at])
    if name is not None:
        return Issuer(name)
    if (accredited := _accredited(seal, judged_at, setting)) is not None:
        return accredited
    if evidence is not None and _accredited(seal, setting.now, setting) is not None:
        detail = "the issuer is accredited now, but was not when the seal was anchored"
        raise IssuerError(detail, "issuer_untrusted_then", place)
    raise IssuerError("sealed by nobody whom the policy trusts at that time", path=place)


def _accredited(seal: VerifiedAttestation, at: datetime, setting: Setting) -> Issuer | None:
    """The issuer by an accreditation that was live then and that the policy takes; None if there is none."""
    trust = setting.trust
    if setting.chain is None or not trust.authorities:
        return None
    for each in setting.chain.accreditations(seal.domain, seal.attester, at, trust.authority_addresses):
        if (issued_under := trust.accepted(each)) is not None:
            return Issuer(each.name, issued_under)
    return None


def check_time(seal: VerifiedAttestation, setting: Setting, place: str) -> None:
    """Not expired, not from the future.

    Raises:
        SealTimeError: `expired` or `not_yet_valid`.
    """
    with refusing(SealTimeError, place):
        seal.require_live(setting.now, setting.trust.clock_skew)


def check_not_revoked(seal: VerifiedAttestation, chain: ChainView, trust: TrustPolicy, place: str) -> None:
    """Not revoked, whenever, by nobody whose revocation counts.

    Raises:
        RevokedError: `seal_revoked`; its members say when, by whom and why.
        ChainError: as the view.
    """
    found = chain.revocation(seal.domain, seal.attester, seal.uid, trust.authority_addresses)
    if found is not None:
        by = "its attester" if found.by == seal.attester else checksum_address(found.by)
        why = f", reason {found.reason}" if found.reason else ""
        raise RevokedError(f"the seal was revoked by {by}{why}", place, at=found.at, by=found.by, reason=found.reason)


def check_anchor(seal: VerifiedAttestation, evidence: datetime | None, setting: Setting, place: str) -> None:
    """The anchor given for the seal is timestamped, at a time that fits the seal's own.

    Raises:
        AnchorError: `anchor_unknown`, or `evidence_time` for one before the seal or too long after it.
    """
    if evidence is None:
        raise AnchorError("no anchor that is final on this chain holds the seal", "anchor_unknown", place)
    if not -setting.trust.clock_skew <= evidence - sealed_at(seal) <= setting.trust.largest_delay:
        raise AnchorError("anchored before its own time, or too long after it", "evidence_time", place)
    if evidence - setting.now > setting.trust.clock_skew:
        raise AnchorError("anchored in the future", "evidence_time", place)
