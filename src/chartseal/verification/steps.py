"""Verify a disclosure in twelve numbered steps: format specification, section "Verification"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from chartseal.disclosure.binding import NO_TERMS, Terms
from chartseal.disclosure.form import UnverifiedDisclosure
from chartseal.errors import AttestationError, DisclosureError, FieldEncodingError, FormError
from chartseal.verification import holder, predicates
from chartseal.verification.chain import ChainView
from chartseal.verification.inside import Inside
from chartseal.verification.policy import TrustPolicy
from chartseal.verification.records import Checked, check_records, verified_records
from chartseal.verification.report import Mark, Report, VerifiedDisclosure, same_person
from chartseal.verification.seals import Anchors, Setting
from chartseal.verification.trust_roots import TrustRoots

if TYPE_CHECKING:
    from chartseal.predicates import Policy

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
    report = Report(setting.trust.required)
    shown = read(request.disclosure, setting.trust)  # 1. limits and form
    report.checked(1)
    inside = Inside.of(shown)
    vouching = holder.Holders(shown, setting, request.audience, request.nonce, has_store)
    checked = check_records(shown.records, inside, setting, report, vouching)  # 2. to 11.
    issuers = [seal.issuer for seal in checked.seals]
    question = predicates.Question(request.policies, request.terms)
    claims_roots = [content.word("claims") for content in checked.contents]
    proven = predicates.examine(shown, claims_roots, issuers, setting.trust, question, roots)  # 12. each proof
    report.checked(12, inside.count)
    result = VerifiedDisclosure(
        audience=shown.audience,
        nonce=shown.nonce,
        expires_at=datetime.fromtimestamp(shown.expiry, UTC),
        records=verified_records(checked),
        steps=tuple(report.steps),
        same_person=same_person(_marks(checked, proven)),
        predicates=proven.predicates,
        terms=request.terms,
    )
    return Examined(result, proven.checkable)


def _marks(checked: Checked, proven: predicates.Proven) -> list[set[Mark]]:
    """What joins the records, and then the records that anonymous proofs speak of."""
    marks = checked.marks(proven.pseudonyms)
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
