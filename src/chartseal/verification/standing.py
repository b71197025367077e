"""Steps 5 to 9, each for all seals of a disclosure: signed, by whom, in time, not revoked, anchored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chartseal.attestation import UnverifiedPackage, VerifiedAttestation
from chartseal.verification import seals
from chartseal.verification.chain import BatchChainView, ChainView
from chartseal.verification.inside import Inside
from chartseal.verification.policy import TrustPolicy
from chartseal.verification.report import Issuer, Report, VerifiedSeal
from chartseal.verification.seals import Anchors, Setting

_NO_ANCHORS: Anchors = {}


def verify_seals(
    packages: Sequence[UnverifiedPackage],
    trust: TrustPolicy,
    *,
    now: datetime,
    chain: ChainView | None = None,
    anchors: Anchors = _NO_ANCHORS,
) -> tuple[VerifiedSeal, ...]:
    """Check seals alone, steps 5 to 9: for who keeps records whose content was verified, and asks whether they stand.

    Raises:
        SealError, IssuerError, SealTimeError, RevokedError, AnchorError, NotCheckedError: as the steps; the path says
            which seal.
        ChainError: as the chain view raised it.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    places = [f"seals[{at}]" for at in range(len(packages))]
    return check_seals(packages, places, Setting(trust, now, chain, anchors), Report(trust.required), Inside())


def check_seals(
    packages: Sequence[UnverifiedPackage], places: Sequence[str], setting: Setting, report: Report, inside: Inside
) -> tuple[VerifiedSeal, ...]:
    """Steps 5 to 9, each for all seals; `inside` says what anonymous proofs prove of seals that are not shown.

    Raises:
        VerificationError: one class for each step.
        ChainError: as the chain view.
    """
    attested = [  # 5. signed, and a seal of ours
        seals.check_signature(package, setting, place) for package, place in zip(packages, places, strict=True)
    ]
    report.checked(5, inside.signature)
    evidence = evidence_times(attested, setting)
    issuers = check_issuers(attested, evidence, places, setting, report, inside)  # 6. by somebody trusted at that time
    for seal, place in zip(attested, places, strict=True):  # 7. not expired, not from the future
        seals.check_time(seal, setting, place)
    report.checked(7, inside.time)
    check_revocations(attested, places, setting, report, inside)  # 8. not revoked
    check_anchors(attested, evidence, places, setting, report, inside)  # 9. anchored in time
    return tuple(VerifiedSeal(*each) for each in zip(attested, issuers, evidence, strict=True))


def evidence_times(attested: Sequence[VerifiedAttestation], setting: Setting) -> list[datetime | None]:
    """Of each seal; None without a chain, or an anchor that it knows.

    Raises:
        ChainError: as the chain view.
    """
    if setting.chain is None:
        return [None] * len(attested)
    questions = [seals.question(seal, setting.anchors) for seal in attested]
    if isinstance(setting.chain, BatchChainView):
        setting.chain.prefetch(questions, setting.trust.authority_addresses)
    return [seals.evidence_time(asked, setting.chain) for asked in questions]


def check_issuers(
    attested: Sequence[VerifiedAttestation],
    evidence: Sequence[datetime | None],
    places: Sequence[str],
    setting: Setting,
    report: Report,
    inside: Inside,
) -> list[Issuer]:
    """Step 6, for all records: the issuers.

    Raises:
        IssuerError, NotCheckedError.
    """
    if setting.trust.trusts_anyone:
        report.skipped(6, "UnsafeTrustAnyone takes any issuer")
        return [Issuer("")] * len(attested)
    issuers = [
        seals.check_issuer(seal, time, setting, place)
        for seal, time, place in zip(attested, evidence, places, strict=True)
    ]
    report.checked(6, inside.issuer)
    return issuers


def check_revocations(
    attested: Sequence[VerifiedAttestation], places: Sequence[str], setting: Setting, report: Report, inside: Inside
) -> None:
    """Step 8, for all records.

    Raises:
        RevokedError, NotCheckedError.
    """
    if setting.chain is not None:
        for seal, place in zip(attested, places, strict=True):
            seals.check_not_revoked(seal, setting.chain, setting.trust, place)
    elif attested or not inside.is_some:
        report.skipped(8, "no chain given")
        return
    report.checked(8, inside.revocation)


def check_anchors(
    attested: Sequence[VerifiedAttestation],
    evidence: Sequence[datetime | None],
    places: Sequence[str],
    setting: Setting,
    report: Report,
    inside: Inside,
) -> None:
    """Step 9, for all records: an anchor that is given must hold, also where others have none. It dates no contract's.

    Raises:
        AnchorError, NotCheckedError.
    """
    if setting.chain is None and attested:
        report.skipped(9, "no chain given")
        return
    without = [seal for seal in attested if seals.anchor_of(seal, setting.anchors) is None]
    for seal, time, place in zip(attested, evidence, places, strict=True):
        if seals.anchor_of(seal, setting.anchors) is not None:
            seals.check_anchor(seal, time, setting, place)
    report.either(9, _no_anchor(without, len(attested)) or inside.anchor)


def _no_anchor(without: Sequence[VerifiedAttestation], count: int) -> str:
    contracts = sum(seal.by_contract for seal in without)
    parts = [f"no anchor given for {len(without) - contracts} of {count} records"] if len(without) > contracts else []
    parts += [f"no anchor dates {contracts} of {count} seals, signed by contracts"] if contracts else []
    return "; ".join(parts)
