"""One decision at a time: reasons, days, codes, labels, several consents, own records, emergencies."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest

from chartseal.consent import (
    DUTIES,
    REASONS,
    Basis,
    BreakGlass,
    Decision,
    Exceptions,
    Grantee,
    Part,
    Permit,
    Scopes,
    SitePolicy,
    VerifiedConsent,
    decide,
)
from tests.consents import (
    ACT,
    CATEGORY,
    ETH,
    GLUCOSE,
    HIV,
    NOTE,
    NOW,
    OTHER,
    PATIENT,
    RECORD,
    REQUESTER,
    STRANGER,
    TERMS,
    signed,
    verified,
)

HOLDER = PATIENT.sealing_address().spend_key
SITE = SitePolicy((Permit(frozenset({"TREAT"}), frozenset({"hospital"})),))
NOTHING = SitePolicy()
GLASS = BreakGlass(frozenset({"hospital"}))
REASON_NOTE = "http://terminology.hl7.org/CodeSystem/v3-ActReason|HIPAAPsyNotes"
"""In a system whose labels need not be named."""
EMERGENCY = replace(REQUESTER, purpose="ETREAT")
OWN = replace(
    REQUESTER, account=None, roles=frozenset(), is_accredited=False, purpose="PATRQT", holder=HOLDER,
    scopes=Scopes.parse("patient/*.rs"),
)  # fmt: skip


def decided(
    *consents: VerifiedConsent,
    policy: SitePolicy = NOTHING,
    requester: Any = REQUESTER,
    **record: Any,
) -> Decision:
    return decide(requester, "r", replace(RECORD, **record), consents, policy, NOW)


def test_nothing_opens_by_default() -> None:
    found = decided()
    assert found == Decision(
        False, Basis.NONE, None, ("consent_missing", "not_permitted_by_site"), frozenset(), frozenset()
    )
    assert [each.name for each in fields(found)] == [
        "is_permitted", "basis", "consent", "reasons", "withheld", "duties",
    ]  # fmt: skip


def test_a_consent_opens() -> None:
    consent = verified()
    assert decided(consent) == Decision(True, Basis.CONSENT, consent.root, (), frozenset(), frozenset())


@pytest.mark.parametrize(
    ("terms", "record", "reason"),
    [
        ({"types": frozenset({"Condition"})}, {}, "type_not_granted"),
        ({"types": frozenset({"Condition", "Observation"})}, {}, ""),
        ({"codes": frozenset({"http://loinc.org|1-8"})}, {}, "code_not_granted"),
        ({"codes": frozenset({"http://loinc.org|1-8", GLUCOSE})}, {}, ""),
        ({"codes": frozenset({GLUCOSE})}, {"codes": frozenset()}, "code_not_granted"),
        ({"codes": frozenset({f"{CATEGORY}|laboratory"})}, {}, ""),
        ({"codes": frozenset({f"{CATEGORY}|vital-signs"})}, {}, "code_not_granted"),
        ({"exceptions": Exceptions(codes=frozenset({f"{CATEGORY}|laboratory"}))}, {}, "code_excepted"),
        ({"since": date(2026, 5, 4)}, {}, ""),
        ({"since": date(2026, 5, 5)}, {}, "date_not_granted"),
        ({"until": date(2026, 5, 4)}, {}, ""),
        ({"until": date(2026, 5, 3)}, {}, "date_not_granted"),
        ({"since": date(2026, 1, 1)}, {"begins": date(2025, 12, 31)}, "date_not_granted"),
        ({"since": date(2026, 1, 1)}, {"begins": None, "ends": None}, "date_unknown"),
        ({"since": date(2026, 1, 1)}, {"ends": None}, ""),
        ({"until": date(2026, 6, 1)}, {"ends": None}, "date_unknown"),
        ({"until": date(2026, 6, 1)}, {"ends": date(2026, 6, 2)}, "date_not_granted"),
        ({"since": date(2026, 1, 1)}, {"resource_type": "Patient", "begins": None}, ""),
        ({"since": date(2026, 1, 1)}, {"resource_type": "Organization", "begins": None}, "date_unknown"),
        ({"purposes": frozenset({"HPAYMT", "COC"})}, {}, "purpose_not_granted"),
        ({"expiry": int(NOW.timestamp())}, {}, "consent_expired"),
        ({"expiry": int(NOW.timestamp()) + 1}, {}, ""),
        ({"not_before": int(NOW.timestamp()) + 1}, {}, "consent_not_begun"),
        ({"not_before": int(NOW.timestamp())}, {}, ""),
        ({"grantee": Grantee(role="hospital")}, {}, ""),
        ({"grantee": Grantee(role="clinic")}, {}, "consent_missing"),
        ({"grantee": Grantee(OTHER)}, {}, "consent_missing"),
        ({"patient": STRANGER.sealing_address()}, {}, "consent_missing"),
        ({}, {"labels": frozenset({HIV}), "is_labelled": True}, "label_not_granted"),
        ({"labels": frozenset({HIV})}, {"labels": frozenset({HIV}), "is_labelled": True}, ""),
        ({"labels": frozenset({HIV})}, {"labels": frozenset({HIV, ETH}), "is_labelled": True}, "label_not_granted"),
        ({"labels": frozenset({HIV})}, {"labels": frozenset({HIV, f"{ACT}|NORDSCLCD"}), "is_labelled": True}, ""),
        ({}, {"labels": frozenset({f"{ACT}|NORDSCLCD"}), "is_labelled": True}, "label_not_granted"),
        ({}, {"labels": frozenset({"urn:own|secret"}), "is_labelled": True}, "label_not_granted"),
        ({}, {"labels": frozenset({f"{ACT}|PSY"}), "confidentiality": "N", "is_labelled": True}, "label_not_granted"),
        ({}, {"confidentiality": "V", "is_labelled": True}, "label_not_granted"),
        ({}, {"confidentiality": "X", "is_labelled": True}, "label_not_granted"),
        ({}, {"confidentiality": "M", "is_labelled": True}, ""),
        ({}, {"labels": frozenset({NOTE}), "is_labelled": True}, "notes_need_own_grant"),
        ({"labels": frozenset({ETH})}, {"labels": frozenset({NOTE}), "is_labelled": True}, "notes_need_own_grant"),
        ({}, {"labels": frozenset({REASON_NOTE})}, "notes_need_own_grant"),
        ({"labels": frozenset({NOTE})}, {}, "notes_alone"),
        ({"labels": frozenset({NOTE})}, {"labels": frozenset({NOTE, HIV}), "is_labelled": True}, "label_not_granted"),
        ({"labels": frozenset({NOTE, HIV})}, {"labels": frozenset({NOTE, HIV}), "is_labelled": True}, ""),
        ({"exceptions": Exceptions(types=frozenset({"Observation"}))}, {}, "type_excepted"),
        ({"exceptions": Exceptions(types=frozenset({"Condition"}))}, {}, ""),
        ({"exceptions": Exceptions(codes=frozenset({GLUCOSE}))}, {}, "code_excepted"),
        ({"exceptions": Exceptions(codes=frozenset({"http://loinc.org|1-8"}))}, {}, ""),
        ({"exceptions": Exceptions(labels=frozenset({HIV}))}, {}, "label_excluded"),
    ],
)
def test_terms_and_records(terms: dict[str, Any], record: dict[str, Any], reason: str) -> None:
    found = decided(verified(**terms), **record)
    assert found.is_permitted is not bool(reason)
    assert set(found.reasons) - {"not_permitted_by_site"} == ({reason} if reason else set())


def test_all_reasons_are_told_in_order() -> None:
    far = verified(types=frozenset({"Condition"}), codes=frozenset({"urn:x|1"}), since=date(2026, 11, 1))
    assert decided(far, verified(purposes=frozenset({"HRESCH"}))).reasons == (
        "code_not_granted",
        "date_not_granted",
        "not_permitted_by_site",
        "purpose_not_granted",
        "type_not_granted",
    )


@pytest.mark.parametrize("kind", ["Claim", "ClaimResponse", "ExplanationOfBenefit", "Binary", "Media"])
def test_where_a_label_is_excepted_claims_and_attachments_stay_shut(kind: str) -> None:
    normal: dict[str, Any] = {"confidentiality": "N", "is_labelled": True}
    excepting = verified(exceptions=Exceptions(labels=frozenset({HIV})))
    assert decided(verified(), resource_type=kind, **normal).is_permitted
    shut = decided(excepting, resource_type=kind, **normal)
    assert (shut.is_permitted, shut.reasons) == (False, ("label_excluded",))
    other = decided(excepting, resource_type="DocumentReference", **normal)
    assert (other.is_permitted, other.withheld, other.reasons) == (True, frozenset(Part), ("label_excluded",))


def test_an_exception_wins_over_another_consent_and_the_site() -> None:
    excepting = VerifiedConsent(signed().root, replace(TERMS, exceptions=Exceptions(codes=frozenset({GLUCOSE}))))
    assert decided(verified()).is_permitted
    for order in ([verified(), excepting], [excepting, verified()]):
        assert decided(*order, policy=SITE).reasons == ("code_excepted",)
    assert decided(excepting, policy=SITE, codes=frozenset()).basis == Basis.CONSENT


def test_the_first_of_several_by_root_is_named() -> None:
    several = [verified() for _ in range(4)]
    for order in (several, several[::-1]):
        assert decided(*order).consent == min(each.root for each in several)


def test_consents_may_come_one_by_one() -> None:
    assert decide(REQUESTER, "s", RECORD, iter([verified()]), SitePolicy(), NOW).is_permitted
    assert decide(REQUESTER, "s", RECORD, iter([verified(types=frozenset({"Claim"}))]), SitePolicy(), NOW).reasons == (
        "not_permitted_by_site",
        "type_not_granted",
    )


@pytest.mark.parametrize(
    ("scopes", "permitted"),
    [
        ("system/Observation.r", True),
        ("user/Observation.r", True),
        ("patient/Observation.r", False),
        ("system/Observation.s", False),
        ("system/Condition.r", False),
        ("", False),
    ],
)
def test_scopes_come_first(scopes: str, permitted: bool) -> None:
    requester = replace(REQUESTER, scopes=Scopes.parse(scopes))
    found = decided(verified(), requester=requester)
    assert found.is_permitted is permitted
    assert permitted or found.reasons == ("scope_missing",)


def test_accreditation_withdrawn_ends_it() -> None:
    gone = replace(REQUESTER, is_accredited=False)
    glass = SitePolicy(SITE.permits, GLASS)
    assert decided(verified(), policy=SITE, requester=gone).reasons == ("not_accredited",)
    found = decided(requester=replace(gone, purpose="ETREAT"), policy=glass, resource_type="Condition")
    assert found.reasons == ("not_accredited",)


def test_a_patient_reads_her_own() -> None:
    found = decided(requester=OWN, labels=frozenset({HIV}), confidentiality="V", is_labelled=True)
    assert found == Decision(True, Basis.OWN_RECORD, None, (), frozenset(), frozenset())
    assert decided(requester=OWN, holder=STRANGER.sealing_address().spend_key).reasons == ("scope_missing",)
    wide = replace(OWN, scopes=Scopes.parse("system/*.rs patient/*.rs"))
    assert decided(requester=wide, holder=STRANGER.sealing_address().spend_key).reasons == ("not_accredited",)
    assert decided(requester=replace(OWN, purpose="TREAT")).reasons == ("not_accredited",)
    assert decided(requester=replace(OWN, holder=None)).reasons == ("scope_missing",)
    assert decided(requester=replace(OWN, scopes=Scopes.parse("patient/Patient.rs"))).reasons == ("scope_missing",)


def test_notes_are_the_patients_own_where_the_site_says_so() -> None:
    note: dict[str, Any] = {"labels": frozenset({NOTE}), "is_labelled": True}
    assert decided(requester=OWN, **note).reasons == ("notes_not_own",)
    assert decided(requester=OWN, policy=SitePolicy(own_notes=True), **note).is_permitted


@pytest.mark.parametrize("code", ["42CFRPart2", "ETH", "ETHUD", "OPIOIDUD", "SUD"])
def test_substance_use_goes_with_its_notice(code: str) -> None:
    for system in (ACT, "http://hl7.org/fhir/v3/ActCode"):
        label = frozenset({f"{system}|{code}"})
        assert decided(verified(labels=label), labels=label, is_labelled=True).duties == {"part2-notice"}
    assert decided(verified()).duties == frozenset()


def test_notes_are_told_by_their_code_alone() -> None:
    policy = SitePolicy(SITE.permits, GLASS)
    note: dict[str, Any] = {"labels": frozenset({REASON_NOTE}), "is_labelled": True, "resource_type": "Condition"}
    assert not decided(verified(), policy=policy, **note).is_permitted
    assert decided(policy=policy, requester=EMERGENCY, **note).reasons == ("label_not_open",)


def test_no_site_opens_part_2_or_notes() -> None:
    wide = SitePolicy((replace(SITE.permits[0], labels=frozenset({ETH})),))
    assert decided(policy=wide, labels=frozenset({ETH}), is_labelled=True).basis == Basis.SITE_POLICY
    for more in (f"{ACT}|42CFRPart2", NOTE, "http://hl7.org/fhir/v3/ActCode|42CFRPart2"):
        assert not decided(policy=wide, labels=frozenset({ETH, more}), is_labelled=True).is_permitted


@pytest.mark.parametrize(
    ("glass", "requester", "record", "reason"),
    [
        ({}, {}, {}, ""),
        ({}, {"roles": frozenset({"pharmacy"})}, {}, "emergency_role_missing"),
        ({}, {"person": ""}, {}, "clinician_missing"),
        ({}, {"organisation": " "}, {}, "clinician_missing"),
        ({}, {}, {"resource_type": "Procedure"}, "not_in_emergency_set"),
        ({}, {}, {"resource_type": "Observation"}, "not_in_emergency_set"),
        ({}, {}, {"resource_type": "Observation", "codes": frozenset({"http://loinc.org|82810-3"})}, ""),
        ({}, {}, {"resource_type": "Consent", "categories": frozenset({"http://loinc.org|64298-3"})}, ""),
        ({}, {}, {"labels": frozenset({HIV}), "is_labelled": True}, "label_not_open"),
        ({"labels": frozenset({HIV})}, {}, {"labels": frozenset({HIV}), "is_labelled": True}, ""),
        ({"labels": frozenset({HIV})}, {}, {"labels": frozenset({HIV, NOTE}), "is_labelled": True}, "label_not_open"),
        (
            {"labels": frozenset({ETH})},
            {},
            {"labels": frozenset({ETH, f"{ACT}|42CFRPart2"}), "is_labelled": True},
            "label_not_open",
        ),
    ],
)
def test_breaking_the_glass(
    glass: dict[str, Any], requester: dict[str, Any], record: dict[str, Any], reason: str
) -> None:
    policy = SitePolicy(SITE.permits, replace(GLASS, **glass))
    found = decided(
        policy=policy, requester=replace(EMERGENCY, **requester), **{"resource_type": "Condition", **record}
    )
    assert found.reasons == ((reason,) if reason else ())
    assert (found.basis == Basis.BREAK_GLASS) is not bool(reason)
    assert found.is_permitted is not bool(reason)


def test_nothing_but_an_emergency_breaks_the_glass() -> None:
    policy = SitePolicy((), GLASS)
    for purpose in ("TREAT", "BTG", "HOPERAT", "PATRQT", "etreat", ""):
        assert not decided(
            policy=policy, requester=replace(EMERGENCY, purpose=purpose), resource_type="Condition"
        ).is_permitted
    assert not decided(requester=EMERGENCY, resource_type="Condition").is_permitted


def test_duties_of_an_emergency() -> None:
    policy = SitePolicy((), replace(GLASS, labels=frozenset({ETH})))
    blood = frozenset({"http://loinc.org|882-1"})
    assert decided(policy=policy, requester=EMERGENCY, codes=blood).duties == {
        "emergency-notice",
        "not-for-transfusion",
    }
    labelled = decided(
        policy=policy, requester=EMERGENCY, resource_type="Condition", labels=frozenset({ETH}), is_labelled=True
    )
    assert labelled.duties == {"emergency-notice", "part2-emergency-record"}


def test_a_consent_for_emergencies_comes_before_the_glass() -> None:
    policy = SitePolicy((), GLASS)
    consent = verified(purposes=frozenset({"ETREAT"}))
    assert decided(consent, policy=policy, requester=EMERGENCY).basis == Basis.CONSENT
    assert decided(verified(), policy=policy, requester=EMERGENCY, resource_type="Patient").basis == Basis.BREAK_GLASS


def test_exceptions_in_an_emergency() -> None:
    excepting = verified(exceptions=Exceptions(frozenset({"Condition"}), labels=frozenset({HIV})))
    kept, broken = SitePolicy((), GLASS), SitePolicy((), replace(GLASS, overrides_exceptions=True))
    asked: dict[str, Any] = {"requester": EMERGENCY, "resource_type": "Condition"}
    assert decided(excepting, policy=kept, **asked).reasons == ("label_excluded", "type_excepted")
    found = decided(excepting, policy=broken, **asked)
    assert (found.basis, found.withheld) == (Basis.BREAK_GLASS, frozenset())
    own = replace(excepting, terms=replace(excepting.terms, purposes=frozenset({"ETREAT"})))
    assert decided(own, policy=broken, **asked).basis == Basis.BREAK_GLASS  # what she excepted is opened with a notice
    normal: dict[str, Any] = {"requester": EMERGENCY, "resource_type": "Patient", "is_labelled": True}
    assert decided(excepting, policy=kept, **normal).withheld == frozenset(Part)


def test_the_same_arguments_give_the_same_decision() -> None:
    consents = [verified(), verified(labels=frozenset({HIV}))]
    first = decide(REQUESTER, "r", RECORD, consents, SITE, NOW)
    assert all(decide(REQUESTER, "r", RECORD, consents, SITE, NOW) == first for _ in range(3))
    later = decide(REQUESTER, "r", RECORD, consents, SitePolicy(), NOW + timedelta(days=30))
    assert later.reasons == ("consent_expired", "not_permitted_by_site")


def test_every_code_is_explained() -> None:
    assert all(code.replace("_", "").isalpha() and text for code, text in REASONS.items())
    assert set(DUTIES) == {"part2-notice", "part2-emergency-record", "emergency-notice", "not-for-transfusion"}
    assert decide(REQUESTER, "c", RECORD, [verified()], SITE, NOW).reasons == ("interaction_unknown",)  # type: ignore[arg-type]  # refused


def test_no_decision_tells_a_value() -> None:
    record = replace(RECORD, labels=frozenset({HIV}))
    assert "HIV" not in repr(record)
    assert HOLDER.hex() not in repr(record)
    assert "2339-0" not in repr(record)


def test_what_is_merely_mentioned_is_excepted_and_not_granted() -> None:
    mentioning = replace(RECORD, codes=frozenset(), mentioned=frozenset({GLUCOSE}))
    excepting = verified(exceptions=Exceptions(codes=frozenset({GLUCOSE})))
    assert decide(REQUESTER, "r", mentioning, [excepting], NOTHING, NOW).reasons == ("code_excepted",)
    granting = verified(codes=frozenset({GLUCOSE}))
    assert "code_not_granted" in decide(REQUESTER, "r", mentioning, [granting], NOTHING, NOW).reasons
