"""Verify a disclosure in twelve numbered steps: format specification, section "Verification"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from chartseal.attestation import ZERO_DIGEST, Digest, VerifiedAttestation
from chartseal.disclosure.binding import NO_TERMS, Terms
from chartseal.disclosure.form import UnverifiedDisclosure
from chartseal.errors import AttestationError, DisclosureError, FieldEncodingError, FormError
from chartseal.verification import facts, holder, predicates, seals
from chartseal.verification.chain import ChainView
from chartseal.verification.content import Content, check_content, check_leaves, require_some_leaf
from chartseal.verification.inside import Inside
from chartseal.verification.policy import TrustPolicy
from chartseal.verification.report import (
    Issuer,
    Mark,
    Proxy,
    Report,
    VerifiedDisclosure,
    VerifiedRecord,
    same_person,
)
from chartseal.verification.seals import Anchors, Setting
from chartseal.verification.standing import check_seals
from chartseal.verification.trust_roots import TrustRoots

if TYPE_CHECKING:
    from chartseal.predicates import Policy

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
    policies: Sequence[Policy] = (),
    terms: Terms = NO_TERMS,
) -> VerifiedDisclosure:
    """Check a disclosure (an object, JSON or text form) and return its facts, or raise the step's error.

    `audience` is our own origin or key, `nonce` the one we gave for this request (32 bytes) and `nonces` where
    given-out nonces are kept; what is None is not compared, which the policy must allow. `now` is aware. `chain`
    answers for accreditations, revocations, anchors and trust roots; `anchors` are the inclusion proofs that came with
    the records. `policies` are what we asked to be proved, each of which must be; `terms` are for which contract, and
    for what a use is to be spent.

    Raises:
        VerificationError: one class for each step; `code` says what exactly.
        ChainError: as the chain view raised it, unchanged: the chain cannot be asked, and nothing is verified.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    setting = Setting(trust, now, chain, anchors)
    request = Request(disclosure, audience, nonce, tuple(policies), terms, anchors)
    examined = examine(request, setting, TrustRoots(setting), has_store=nonces is not None)
    predicates.check_all(examined.checkable)
    holder.spend_nonce(examined.result.nonce, examined.result.expires_at, nonces)
    return examined.result


class Request(NamedTuple):
    """One disclosure that came, and what it answers: as the arguments of `verify`."""

    disclosure: UnverifiedDisclosure | bytes | str
    audience: str | None
    nonce: bytes | None
    policies: tuple[Policy, ...] = ()
    terms: Terms = NO_TERMS
    anchors: Anchors = _NO_ANCHORS


class Examined(NamedTuple):
    """A disclosure of which everything holds, if its proofs do."""

    result: VerifiedDisclosure
    checkable: tuple[predicates.Checkable, ...]


def examine(request: Request, setting: Setting, roots: TrustRoots, *, has_store: bool) -> Examined:
    """The twelve steps, but for the proofs' own equations, which are checked for many at once.

    Raises:
        VerificationError, ChainError: as `verify`.
    """
    trust, report = setting.trust, Report(setting.trust.required)
    shown = read(request.disclosure, trust)  # 1. limits and form
    report.checked(1)
    require_some_leaf(shown.records, has_proofs=bool(shown.proofs))  # 2. an empty multiproof fits any root
    inside = Inside.of(shown)
    report.checked(2, inside.nothing_opened)
    places = [f"records[{at}]" for at in range(len(shown.records))]
    opened = [check_leaves(*each) for each in zip(shown.records, places, strict=True)]  # 3. leaves under the root
    report.checked(3, inside.nothing_opened)
    contents = [  # 4. what is opened holds together
        check_content(record, fields, place, allow_test=trust.allows_test(record.package.signer))
        for record, fields, place in zip(shown.records, opened, places, strict=True)
    ]
    report.checked(4, inside.nothing_opened)
    packages = [record.package for record in shown.records]
    sealed = check_seals(packages, places, setting, report, inside)  # 5. to 9.
    attested, evidence = [each.attestation for each in sealed], [each.evidence_time for each in sealed]
    issuers = [each.issuer for each in sealed]
    subjects = [content.word("subject") for content in contents]
    signers = holder.check_signatures(shown, subjects, setting.now, proxies=trust.proxies)  # 10. made by the holders
    report.checked(10, "; ".join(filter(None, [inside.holder, _by_proxies(signers)])))
    problem = holder.check_request(shown, request.audience, request.nonce, setting.now, has_store=has_store)
    report.either(11, problem)  # 11. for us, now
    question = predicates.Question(request.policies, request.terms)
    claims_roots = [content.word("claims") for content in contents]
    proven = predicates.examine(shown, claims_roots, issuers, trust, question, roots)  # 12. each proof
    report.checked(12, inside.count)
    result = VerifiedDisclosure(
        audience=shown.audience,
        nonce=shown.nonce,
        expires_at=datetime.fromtimestamp(shown.expiry, UTC),
        records=verified_records(contents, attested, issuers, evidence, signers),
        steps=tuple(report.steps),
        same_person=same_person(_marks(contents, attested, proven)),
        predicates=proven.predicates,
        terms=request.terms,
    )
    return Examined(result, proven.checkable)


def _by_proxies(signers: Sequence[Proxy | None]) -> str:
    count = sum(signer is not None for signer in signers)
    return f"{count} of {len(signers)} records signed by a proxy" if count else ""


def _marks(
    contents: Sequence[Content], attested: Sequence[VerifiedAttestation], proven: predicates.Proven
) -> list[set[Mark]]:
    """What joins the records: a subject, one issuer's `chartseal.person`, a pseudonym; then the anonymous proofs'."""
    marks: list[set[Mark]] = []
    for at, (content, seal) in enumerate(zip(contents, attested, strict=True)):
        person, pseudonym = content.word("person"), proven.pseudonyms.get(at)
        marks.append({("subject", content.word("subject"))})
        if person != bytes(32):
            marks[at].add(("person", seal.attester, person))
        if pseudonym is not None:
            marks[at].add(("pseudonym", pseudonym))
    marks.extend({("pseudonym", each.pseudonym)} for each in proven.predicates if each.pseudonym is not None)
    return marks


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


def verified_records(
    contents: Sequence[Content],
    attested: Sequence[VerifiedAttestation],
    issuers: Sequence[Issuer],
    evidence: Sequence[datetime | None],
    signers: Sequence[Proxy | None],
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
            fact=facts.fact(content, seal, issuer.name, links, None if signer is None else signer.key),
            proxy=signer,
        )
        for content, seal, issuer, time, signer in zip(contents, attested, issuers, evidence, signers, strict=True)
    )


def _amended(content: Content) -> Digest | None:
    uid = Digest(content.word("amends"))
    return uid if uid != ZERO_DIGEST else None
