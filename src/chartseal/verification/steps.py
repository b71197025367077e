"""Verify a disclosure in twelve numbered steps: format specification, section "Verification"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from chartseal.attestation import ZERO_DIGEST, Digest, UnverifiedPackage, VerifiedAttestation
from chartseal.disclosure.form import UnverifiedDisclosure
from chartseal.errors import AttestationError, DisclosureError, FieldEncodingError, FormError, PredicateProofError
from chartseal.verification import facts, holder, seals
from chartseal.verification.chain import BatchChainView, ChainView
from chartseal.verification.content import Content, check_content, check_leaves, require_some_leaf
from chartseal.verification.policy import TrustPolicy
from chartseal.verification.report import Issuer, Report, VerifiedDisclosure, VerifiedRecord, VerifiedSeal, same_person
from chartseal.verification.seals import Anchors, Setting

_TEST_FORMAT = "chartseal/1-test"
_NO_ANCHORS: Anchors = {}


def verify(
    disclosure: UnverifiedDisclosure | bytes | str,
    trust: TrustPolicy,
    *,
    audience: str | None,
    nonce: bytes | None,
    now: datetime,
    chain: ChainView | None = None,
    anchors: Anchors = _NO_ANCHORS,
    nonces: holder.NonceStore | None = None,
) -> VerifiedDisclosure:
    """Check a disclosure (an object, JSON or text form) and return its facts, or raise the step's error.

    `audience` is our own origin or key, `nonce` the one we gave for this request (32 bytes) and `nonces` where
    given-out nonces are kept; what is None is not compared, which the policy must allow. `now` is aware. `chain`
    answers for accreditations, revocations and anchors; `anchors` are the inclusion proofs that came with the records.

    Raises:
        VerificationError: one class for each step; `code` says what exactly.
        ChainError: as the chain view raised it, unchanged: the chain cannot be asked, and nothing is verified.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    report, setting = Report(trust.required), Setting(trust, now, chain, anchors)
    shown = read(disclosure, trust)  # 1. limits and form
    report.checked(1)
    require_some_leaf(shown.records)  # 2. an empty multiproof fits any root that it carries
    report.checked(2)
    places = [f"records[{at}]" for at in range(len(shown.records))]
    opened = [check_leaves(*each) for each in zip(shown.records, places, strict=True)]  # 3. leaves under the root
    report.checked(3)
    contents = [  # 4. what is opened holds together
        check_content(record, fields, place, allow_test=trust.allows_test(record.package.signer))
        for record, fields, place in zip(shown.records, opened, places, strict=True)
    ]
    report.checked(4)
    sealed = check_seals([record.package for record in shown.records], places, setting, report)  # 5. to 9.
    attested, evidence = [each.attestation for each in sealed], [each.evidence_time for each in sealed]
    issuers = [each.issuer for each in sealed]
    holder.check_signatures(shown, [content.word("subject") for content in contents])  # 10. made by the holders
    report.checked(10)
    report.either(11, holder.check_request(shown, audience, nonce, nonces, now))  # 11. for us, now
    check_proofs(shown)  # 12. each proof
    report.checked(12, "no proofs")
    records = verified_records(contents, attested, issuers, evidence)
    return VerifiedDisclosure(
        audience=shown.audience,
        nonce=shown.nonce,
        expires_at=datetime.fromtimestamp(shown.expiry, UTC),
        records=records,
        steps=tuple(report.steps),
        same_person=same_person(
            [content.word("subject") for content in contents],
            [_person(content, seal) for content, seal in zip(contents, attested, strict=True)],
        ),
    )


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
    return check_seals(packages, places, Setting(trust, now, chain, anchors), Report(trust.required))


def check_seals(
    packages: Sequence[UnverifiedPackage], places: Sequence[str], setting: Setting, report: Report
) -> tuple[VerifiedSeal, ...]:
    """Steps 5 to 9, each for all seals.

    Raises:
        VerificationError: one class for each step.
        ChainError: as the chain view.
    """
    attested = [  # 5. signed, and a seal of ours
        seals.check_signature(package, setting, place) for package, place in zip(packages, places, strict=True)
    ]
    report.checked(5)
    evidence = evidence_times(attested, setting)
    issuers = check_issuers(attested, evidence, places, setting, report)  # 6. by somebody trusted at that time
    for seal, place in zip(attested, places, strict=True):  # 7. not expired, not from the future
        seals.check_time(seal, setting, place)
    report.checked(7)
    check_revocations(attested, places, setting, report)  # 8. not revoked
    check_anchors(attested, evidence, places, setting, report)  # 9. anchored in time
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


def read(disclosure: UnverifiedDisclosure | bytes | str, trust: TrustPolicy) -> UnverifiedDisclosure:
    """Step 1: read the disclosure under the policy's limits. An object goes through its JSON: it may be hand-made.

    Raises:
        FormError: malformed, or over a limit (`limit_exceeded`).
    """
    try:
        given = disclosure.to_json() if isinstance(disclosure, UnverifiedDisclosure) else disclosure
        _require_size(given, trust)
        if isinstance(given, str) and given.lstrip().startswith("CS1:"):
            shown = UnverifiedDisclosure.from_text(given)
            _require_size(shown.to_json(), trust)
        else:
            shown = UnverifiedDisclosure.loads(given)
    except (DisclosureError, AttestationError, FieldEncodingError) as exc:
        raise FormError(exc.detail, exc.code, exc.path) from exc
    except UnicodeEncodeError as exc:
        raise FormError("a text is not Unicode") from exc
    leaves = sum(len(record.multiproof.leaves) for record in shown.records)
    if len(shown.records) > trust.limits.records or leaves > trust.limits.leaves:
        raise FormError("more records or leaves than the policy allows", "limit_exceeded", "records")
    return shown


def _require_size(given: bytes | str, trust: TrustPolicy) -> None:
    size = len(given) if isinstance(given, bytes) else len(given.encode("utf-8", "surrogatepass"))
    if size > trust.limits.size:
        raise FormError("the disclosure is too long", "limit_exceeded")


def check_issuers(
    attested: Sequence[VerifiedAttestation],
    evidence: Sequence[datetime | None],
    places: Sequence[str],
    setting: Setting,
    report: Report,
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
    report.checked(6)
    return issuers


def check_revocations(
    attested: Sequence[VerifiedAttestation], places: Sequence[str], setting: Setting, report: Report
) -> None:
    """Step 8, for all records.

    Raises:
        RevokedError, NotCheckedError.
    """
    if setting.chain is None:
        report.skipped(8, "no chain given")
        return
    for seal, place in zip(attested, places, strict=True):
        seals.check_not_revoked(seal, setting.chain, setting.trust, place)
    report.checked(8)


def check_anchors(
    attested: Sequence[VerifiedAttestation],
    evidence: Sequence[datetime | None],
    places: Sequence[str],
    setting: Setting,
    report: Report,
) -> None:
    """Step 9, for all records: an anchor that is given must hold, also where others have none. It dates no contract's.

    Raises:
        AnchorError, NotCheckedError.
    """
    if setting.chain is None:
        report.skipped(9, "no chain given")
        return
    without = [seal for seal in attested if seals.anchor_of(seal, setting.anchors) is None]
    for seal, time, place in zip(attested, evidence, places, strict=True):
        if seals.anchor_of(seal, setting.anchors) is not None:
            seals.check_anchor(seal, time, setting, place)
    report.either(9, _no_anchor(without, len(attested)))


def _no_anchor(without: Sequence[VerifiedAttestation], count: int) -> str:
    contracts = sum(seal.by_contract for seal in without)
    parts = [f"no anchor given for {len(without) - contracts} of {count} records"] if len(without) > contracts else []
    parts += [f"no anchor dates {contracts} of {count} seals, signed by contracts"] if contracts else []
    return "; ".join(parts)


def check_proofs(disclosure: UnverifiedDisclosure) -> None:
    """Step 12: no kind of proof is known to this release, so any is refused rather than passed over.

    Raises:
        PredicateProofError: `proof_unsupported`.
    """
    if disclosure.proofs:
        raise PredicateProofError("this release checks no zero-knowledge proofs", "proof_unsupported", "proofs[0]")


def verified_records(
    contents: Sequence[Content],
    attested: Sequence[VerifiedAttestation],
    issuers: Sequence[Issuer],
    evidence: Sequence[datetime | None],
) -> tuple[VerifiedRecord, ...]:
    """The records with their facts, once every step has held."""
    links = facts.Links(contents, [seal.attester for seal in attested])
    return tuple(
        VerifiedRecord(
            attestation=seal,
            issuer=issuer.name,
            issued_under=issuer.issued_under,
            resource_type=content.resource_type,
            about=content.text("about"),
            labels=tuple(label for label in content.text("labels").split(",") if label),
            sealed_at=seals.sealed_at(seal),
            expires_at=seals.expires_at(seal),
            evidence_time=time,
            amends=_amended(content),
            is_test=content.text("format") == _TEST_FORMAT,
            is_complete=content.is_complete,
            fields=content.fields,
            containers=content.containers,
            targets_not_shown=links.targets_not_shown(content, seal),
            values_not_shown=facts.values_not_shown(content),
            fact=facts.fact(content, seal, issuer.name, links),
        )
        for content, seal, issuer, time in zip(contents, attested, issuers, evidence, strict=True)
    )


def _amended(content: Content) -> Digest | None:
    uid = Digest(content.word("amends"))
    return uid if uid != ZERO_DIGEST else None


def _person(content: Content, seal: VerifiedAttestation) -> tuple[bytes, bytes] | None:
    person = content.word("person")
    return (seal.attester, person) if person != bytes(32) else None
