"""May this record be answered to this requester? One pure function, which denies what nothing permits.

In turn: the scopes; the patient's own record; accreditation; what a consent excepts; the consents; the site's policy;
break-glass. Format specification, section "Consent"; clinical rules, privacy.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from chartseal.consent.document import VerifiedConsent
from chartseal.consent.policy import BLOOD_GROUPS, BreakGlass, SitePolicy
from chartseal.consent.requests import Decision, Interaction, RecordFacts, Requester
from chartseal.consent.terms import Terms
from chartseal.consent.vocabulary import (
    FREE_PARTS,
    Basis,
    Part,
    is_note,
    is_part_2,
    is_substance_use,
    labels_to_name,
)

DUTIES = {
    "part2-notice": "send the statement of 42 CFR 2.32 along, and the consent or its scope",
    "part2-emergency-record": "record what 42 CFR 2.51(c) lists",
    "emergency-notice": "commit a notice to the patient before the record leaves",
    "not-for-transfusion": "mark a blood group as not for transfusion",
}
"""What whoever answers must do, by code."""

REASONS = {
    "interaction_unknown": "neither a read nor a search",
    "scope_missing": "no scope of the token opens it",
    "not_accredited": "nobody whom the site trusts stands for the requester now",
    "notes_not_own": "psychotherapy notes are not among what a patient's own app reads here",
    "type_excepted": "a consent for the requester excepts its type",
    "code_excepted": "a consent for the requester excepts a code or category of it",
    "label_excepted": "a consent for the requester excepts a label of it",
    "label_excluded": "a consent for the requester excepts a label: this could speak of it, and is withheld",
    "consent_missing": "no consent of the patient is for the requester",
    "consent_not_begun": "the consent has not begun",
    "consent_expired": "the consent has expired",
    "purpose_not_granted": "the consent is for another purpose",
    "type_not_granted": "the consent is for other types",
    "code_not_granted": "the consent is for other codes",
    "date_not_granted": "the consent is for other days",
    "date_unknown": "the consent is for some days, and the record does not say of which it is",
    "label_not_granted": "a label of it is not named",
    "notes_need_own_grant": "psychotherapy and counselling notes need a consent that names them",
    "notes_alone": "the consent names such notes, and opens nothing else",
    "not_permitted_by_site": "the site's policy permits it neither",
    "emergency_role_missing": "the site's policy lets nobody of these roles break the glass",
    "clinician_missing": "an emergency names the clinician and the facility",
    "not_in_emergency_set": "it is not of what an emergency opens",
    "label_not_open": "the site's law does not open the label so",
}
"""Why, by code."""

_EMERGENCY = "ETREAT"
_OWN = "PATRQT"
_CLAIM_TYPES = frozenset({"Claim", "ClaimResponse", "ExplanationOfBenefit"})
_ATTACHMENT_TYPES = frozenset({"Binary", "Media"})
"""Types that are an attachment as a whole."""
_UNDATED = frozenset({"Patient"})
"""Types that are of no day: not those of organisations and medicines, which tell whom a patient once saw, and why."""
_PROVIDER = frozenset({"system", "user"})
_PATIENT = frozenset({"system", "user", "patient"})
_NOTHING: frozenset[Part] = frozenset()
_NO_DUTY: frozenset[str] = frozenset()


class _Case(NamedTuple):
    """What is asked, and what all stages need of it."""

    requester: Requester
    record: RecordFacts
    labels: frozenset[str]
    """Those that must be named."""
    is_note: bool
    concerning: list[VerifiedConsent]
    """The patient's consents for this requester that are in force, for whatever purpose."""


def decide(
    requester: Requester,
    interaction: Interaction,
    record: RecordFacts,
    consents: Iterable[VerifiedConsent],
    policy: SitePolicy,
    now: datetime,
) -> Decision:
    """Decide on one record. `consents` are verified for this custodian and not withdrawn; those of others do no harm.

    `now` is aware. Nothing is read, kept or raised: the same arguments give the same decision.
    """
    if interaction not in ("r", "s"):
        return _denied("interaction_unknown")
    is_own = requester.holder is not None and requester.holder == record.holder
    contexts = _PATIENT if is_own else _PROVIDER
    if not requester.scopes.allows(record.resource_type, interaction, record.categories, contexts=contexts):
        return _denied("scope_missing")
    has_note = any(is_note(each) for each in record.labels)
    if is_own and requester.purpose == _OWN:
        if has_note and not policy.own_notes:
            return _denied("notes_not_own")
        return Decision(True, Basis.OWN_RECORD, None, (), _NOTHING, _NO_DUTY)
    if not requester.is_accredited:
        return _denied("not_accredited")
    consents = list(consents)
    concerning = [each for each in consents if _concerns(each.terms, requester, record) and each.is_in_force(now)]
    labels = labels_to_name(record.labels, record.confidentiality)
    case = _Case(requester, record, labels, has_note, concerning)
    excepted = _excepted(case)
    glass = policy.break_glass if requester.purpose == _EMERGENCY else None
    if excepted and (glass is None or not glass.overrides_exceptions):
        return _denied(*excepted)
    found = None if excepted else (_by_consent(case) or _by_site(case, policy))
    if found is not None:
        return found
    if glass is not None:
        return _by_emergency(case, glass)
    return _denied(*_missing(case, consents, now))


def _denied(*reasons: str) -> Decision:
    return Decision(False, Basis.NONE, None, tuple(sorted(set(reasons))), _NOTHING, _NO_DUTY)


def _concerns(terms: Terms, requester: Requester, record: RecordFacts) -> bool:
    return terms.holder == record.holder and terms.grantee.is_one_of(requester.account, requester.roles)


def _excepted(case: _Case) -> list[str]:
    """Why a consent for the requester keeps the record shut, whatever else would open it."""
    record, reasons = case.record, []
    for each in case.concerning:
        excepts = each.terms.exceptions
        if record.resource_type in excepts.types:
            reasons.append("type_excepted")
        if excepts.codes and (_has_one(record, excepts.codes) or not excepts.codes.isdisjoint(record.mentioned)):
            reasons.append("code_excepted")
        if excepts.labels:
            if not excepts.labels.isdisjoint(record.labels):
                reasons.append("label_excepted")
            if not record.is_labelled or record.resource_type in _CLAIM_TYPES | _ATTACHMENT_TYPES:
                reasons.append("label_excluded")
    return reasons


def _withheld(case: _Case) -> tuple[tuple[str, ...], frozenset[Part]]:
    """Where a label is excepted, what of an open record could speak of anything, and why."""
    if any(each.terms.exceptions.labels for each in case.concerning):
        return ("label_excluded",), FREE_PARTS
    return (), _NOTHING


def _by_consent(case: _Case) -> Decision | None:
    """The decision by the first of the consents, by root, that opens the record."""
    purpose = case.requester.purpose
    opening = [each.root for each in case.concerning if purpose in each.terms.purposes and not _shut(each.terms, case)]
    if not opening:
        return None
    duties = _NO_DUTY
    if any(is_substance_use(each) for each in case.record.labels):
        duties = frozenset({"part2-notice"})
    return Decision(True, Basis.CONSENT, min(opening), *_withheld(case), duties)


def _shut(terms: Terms, case: _Case) -> list[str]:
    """Why these terms do not open the record: nothing if they do."""
    record, reasons = case.record, []
    if terms.types and record.resource_type not in terms.types:
        reasons.append("type_not_granted")
    if terms.codes and not _has_one(record, terms.codes):
        reasons.append("code_not_granted")
    if (terms.since or terms.until) and record.resource_type not in _UNDATED:
        reasons += _other_day(terms, record)
    if case.labels or terms.labels or case.is_note:
        reasons += _other_labels(terms, case)
    return reasons


def _has_one(record: RecordFacts, coded: frozenset[str]) -> bool:
    return not (coded.isdisjoint(record.codes) and coded.isdisjoint(record.categories))


def _other_day(terms: Terms, record: RecordFacts) -> list[str]:
    begins, ends = record.begins, record.ends
    if begins is None or (terms.until and ends is None):
        return ["date_unknown"]
    if (terms.since and begins < terms.since) or (terms.until and ends and ends > terms.until):
        return ["date_not_granted"]
    return []


def _other_labels(terms: Terms, case: _Case) -> list[str]:
    names_notes = any(is_note(each) for each in terms.labels)
    if case.is_note and not names_notes:
        return ["notes_need_own_grant"]
    if names_notes and not case.is_note:
        return ["notes_alone"]
    return [] if case.labels <= terms.labels else ["label_not_granted"]


def _by_site(case: _Case, policy: SitePolicy) -> Decision | None:
    requester, record = case.requester, case.record
    if case.is_note or any(is_part_2(each) for each in record.labels):
        return None
    for permit in policy.permits:
        if (
            requester.purpose in permit.purposes
            and not permit.roles.isdisjoint(requester.roles)
            and (not permit.types or record.resource_type in permit.types)
            and case.labels <= permit.labels
        ):
            return Decision(True, Basis.SITE_POLICY, None, *_withheld(case), _NO_DUTY)
    return None


def _by_emergency(case: _Case, glass: BreakGlass) -> Decision:
    requester, record = case.requester, case.record
    if glass.roles.isdisjoint(requester.roles):
        return _denied("emergency_role_missing")
    if not requester.person.strip() or not requester.organisation.strip():
        return _denied("clinician_missing")
    if record.resource_type not in glass.types and not _has_one(record, glass.codes):
        return _denied("not_in_emergency_set")
    if case.is_note or not case.labels <= glass.labels:
        return _denied("label_not_open")
    if any(is_part_2(each) and each not in glass.labels for each in record.labels):
        return _denied("label_not_open")
    reasons, withheld = ((), _NOTHING) if glass.overrides_exceptions else _withheld(case)
    return Decision(True, Basis.BREAK_GLASS, None, reasons, withheld, frozenset(_emergency_duties(record)))


def _emergency_duties(record: RecordFacts) -> Iterable[str]:
    yield "emergency-notice"
    if any(is_substance_use(each) for each in record.labels):
        yield "part2-emergency-record"
    if not BLOOD_GROUPS.isdisjoint(record.codes):
        yield "not-for-transfusion"


def _missing(case: _Case, consents: Iterable[VerifiedConsent], now: datetime) -> list[str]:
    """Why no consent opened the record."""
    reasons = ["not_permitted_by_site"]
    seconds, purpose = now.timestamp(), case.requester.purpose
    for each in consents:
        terms = each.terms
        if not _concerns(terms, case.requester, case.record):
            continue
        if seconds < terms.not_before:
            reasons.append("consent_not_begun")
        elif seconds >= terms.expiry:
            reasons.append("consent_expired")
        elif purpose not in terms.purposes:
            reasons.append("purpose_not_granted")
        else:
            reasons += _shut(terms, case)
    return reasons if len(reasons) > 1 else [*reasons, "consent_missing"]
