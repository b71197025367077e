"""The twelve steps: what they accept, and beside each what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core, errors
from chartseal.attestation import Digest, Form, Multiproof, OffchainMessage, PrivateData, PrivateValue, sign_offchain
from chartseal.disclosure import Selection, UnverifiedDisclosure, UnverifiedProof, UnverifiedRecord, select
from chartseal.disclosure.binding import Binding
from chartseal.errors import VerificationError
from chartseal.record import Field
from chartseal.sealing import SealedRecord
from chartseal.verification import TrustedIssuer, TrustPolicy, UnsafeTrustAnyone, VerifiedDisclosure, verify
from tests.charts import (
    AUDIENCE,
    CONTRACT,
    DOMAIN,
    HOLDER,
    ISSUER,
    ISSUING,
    NONCE,
    NOW,
    Holder,
    chart,
    issuing,
    open_paths,
    sealed,
    shown,
    texts,
    vector_record,
)

POLICY = TrustPolicy(issuers=(TrustedIssuer(ISSUER, "Example hospital"),), domains=frozenset({DOMAIN}))
VALUE = "Observation.valueQuantity.value"


def check(disclosure: Any, trust: TrustPolicy = POLICY, **options: Any) -> VerifiedDisclosure:
    given: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "now": NOW, **options}
    return verify(disclosure, trust, **given)


def refused(disclosure: Any, error: type[VerificationError], code: str, trust: TrustPolicy = POLICY, **o: Any) -> None:
    with pytest.raises(error) as caught:
        check(disclosure, trust, **o)
    assert caught.value.code == code
    assert caught.value.step == error.step or error is errors.NotCheckedError


@pytest.fixture(scope="module")
def records(shared: Path) -> tuple[SealedRecord, ...]:
    return chart(shared, "Observation", "Condition", "Observation_components")


@pytest.fixture(scope="module")
def disclosure(records: tuple[SealedRecord, ...]) -> UnverifiedDisclosure:
    return open_paths(records[:2], VALUE, "Condition.code")


def resigned(
    disclosure: UnverifiedDisclosure, records: tuple[UnverifiedRecord, ...] | None = None, **changes: Any
) -> Any:
    """The disclosure with other content, signed again by the holder: what a lying holder can make."""
    changed = replace(disclosure, records=disclosure.records if records is None else records, **changes)
    return signed(changed, HOLDER)


def signed(disclosure: UnverifiedDisclosure, holder: Holder) -> UnverifiedDisclosure:
    encs = {}
    for number in (0x44, *range(100, 104)):
        delivery = _core.Delivery(holder.keys.address(), bytes([number]) * 32)
        encs[delivery.subject] = delivery.enc
    made = []
    for record in disclosure.records:
        leaves = {leaf.name: leaf.value for leaf in record.multiproof.leaves}
        subject = leaves["chartseal.subject"]
        options: dict[str, Any] = {"nonce": disclosure.nonce, "expiry": disclosure.expiry}
        signature = holder.sign_disclosure(
            encs[subject], subject, disclosure.digest(), audience=disclosure.audience, **options
        )
        made.append(replace(record, signature=signature))
    return replace(disclosure, records=tuple(made))


def reopened(record: SealedRecord, names: set[str]) -> Multiproof:
    """A correct multiproof of just these fields."""
    return record.private_data.multiproof([at for at, each in enumerate(record.fields) if each.name in names])


def test_what_was_chosen_is_what_is_verified(
    records: tuple[SealedRecord, ...], disclosure: UnverifiedDisclosure
) -> None:
    for given in (disclosure, disclosure.to_json(), disclosure.to_json().decode(), disclosure.to_text()):
        result = check(given)
        chosen = select(records[:2], [VALUE, "Condition.code"])
        by_uid = {choice.record.package.uid: {opened.name for opened in choice.opened} for choice in chosen.choices}
        assert {record.attestation.uid: {each.name for each in record.fields} for record in result.records} == by_uid
        assert [record.issuer for record in result.records] == ["Example hospital"] * 2
    assert [(step.number, step.state) for step in result.steps] == [
        (number, "not checked" if number in (8, 9) else "checked") for number in range(1, 13)
    ]


def test_the_vectors_disclosure_verifies(shared: Path) -> None:
    pair = [vector_record(shared, "Observation"), vector_record(shared, "Condition")]
    result = check(open_paths(pair, VALUE, "Condition.code.coding[0].code"))
    assert result.same_person == "shown"


def test_step_1_limits_and_form(disclosure: UnverifiedDisclosure) -> None:
    refused(b"{", errors.FormError, "disclosure_malformed")
    refused("CS1:!", errors.FormError, "disclosure_malformed")
    small = replace(POLICY, limits=replace(POLICY.limits, size=len(disclosure.to_json()) - 1))
    refused(disclosure, errors.FormError, "limit_exceeded", small)
    check(disclosure, replace(POLICY, limits=replace(POLICY.limits, size=len(disclosure.to_json()))))
    refused(disclosure, errors.FormError, "limit_exceeded", replace(POLICY, limits=replace(POLICY.limits, records=1)))
    leaves = sum(len(record.multiproof.leaves) for record in disclosure.records)
    check(disclosure, replace(POLICY, limits=replace(POLICY.limits, leaves=leaves)))
    refused(
        disclosure,
        errors.FormError,
        "limit_exceeded",
        replace(POLICY, limits=replace(POLICY.limits, leaves=leaves - 1)),
    )


def test_step_1_a_hand_made_object_goes_through_the_same_reading(disclosure: UnverifiedDisclosure) -> None:
    for changed in (
        replace(disclosure, audience="\ud800"),
        replace(disclosure, audience=""),
        replace(disclosure, expiry=0),
        replace(disclosure, nonce=b""),
    ):
        refused(changed, errors.FormError, "disclosure_malformed")


def test_step_2_something_is_opened(disclosure: UnverifiedDisclosure) -> None:
    refused(replace(disclosure, records=()), errors.NothingOpenedError, "nothing_opened")
    record = disclosure.records[0]
    empty = replace(record, multiproof=Multiproof((), (Digest(record.package.message.data),), ()))
    refused(replace(disclosure, records=(empty,)), errors.NothingOpenedError, "nothing_opened")


def test_step_3_leaves_under_the_root(records: tuple[SealedRecord, ...], disclosure: UnverifiedDisclosure) -> None:
    first, second = disclosure.records
    swapped = replace(first, multiproof=second.multiproof)
    refused(replace(disclosure, records=(swapped,)), errors.MultiproofError, "root_mismatch")
    leaf = first.multiproof.leaves[0]
    for altered in (
        replace(leaf, value="other") if leaf.type == "string" else replace(leaf, value=b"\1" * 32),
        replace(leaf, salt=Digest(b"\1" * 32)),
        replace(leaf, name=leaf.name + "x"),
    ):
        leaves = (altered, *first.multiproof.leaves[1:])
        record = replace(first, multiproof=replace(first.multiproof, leaves=leaves))
        refused(replace(disclosure, records=(record, second)), errors.MultiproofError, "root_mismatch")
    refused(b"[]", errors.FormError, "disclosure_malformed")


def test_step_4_a_withheld_traveller_is_refused(records: tuple[SealedRecord, ...]) -> None:
    (choice,) = select(records[:1], [VALUE]).choices
    names = {opened.name for opened in choice.opened}
    honest = shown(Selection((choice,)))
    for left_out, code in [
        ("Observation.status", "slots_partly_shown"),
        ("Observation.valueQuantity.unit", "slots_partly_shown"),
        ("chartseal.slots.Observation", "slots_missing"),
        ("chartseal.about", "control_missing"),
        ("chartseal.format", "control_missing"),
        ("chartseal.labels", "control_missing"),
        ("chartseal.claims", "control_missing"),
    ]:
        record = replace(honest.records[0], multiproof=reopened(records[0], names - {left_out}))
        refused(resigned(honest, (record,)), errors.ContentError, code)


def test_step_4_pads_never_open(shared: Path) -> None:
    record = vector_record(shared, "x1")
    pad = next(each.name for each in record.fields if each.name.startswith("chartseal.pad["))
    disclosure = open_paths([record], "Observation.status")
    names = {leaf.name for leaf in disclosure.records[0].multiproof.leaves}
    changed = replace(disclosure.records[0], multiproof=reopened(record, names | {pad}))
    refused(resigned(disclosure, (changed,)), errors.ContentError, "pad_opened")


def forged(values: list[PrivateValue], by: Any = ISSUING, **message: Any) -> UnverifiedDisclosure:
    """What a lying issuer can make: any leaves, all opened, sealed with its key."""
    data = PrivateData(values)
    options: dict[str, Any] = {"time": int(NOW.timestamp()) // 86_400 * 86_400, "data": data.root, **message}
    options.setdefault("schema", ISSUED)
    package = sign_offchain(OffchainMessage(**options), message.pop("domain", DOMAIN), by.signer)
    record = UnverifiedRecord(package, data.multiproof(range(len(values))), bytes(64))
    return UnverifiedDisclosure(AUDIENCE, NONCE, int(NOW.timestamp()) + 60, (record,))


ISSUED = Digest(_core.keccak256(b"bytes32 privateData" + bytes(20) + b"\1"))


def leaves_of(record: SealedRecord) -> list[PrivateValue]:
    opened = select([record], ["**"]).choices[0].opened
    names = {each.name for each in opened}
    return [value for value in record.private_data.values if value.name in names]


def test_step_4_salts(records: tuple[SealedRecord, ...]) -> None:
    values = leaves_of(records[0])
    check(signed(forged(values), HOLDER))
    no_salt = [replace(values[0], salt=Digest(bytes(32))), *values[1:]]
    refused(signed(forged(no_salt), HOLDER), errors.ContentError, "salt_zero")
    twice = [replace(values[0], salt=values[1].salt), *values[1:]]
    refused(signed(forged(twice), HOLDER), errors.ContentError, "salt_repeated")


def test_step_4_control_fields_of_a_lying_issuer(records: tuple[SealedRecord, ...]) -> None:
    values = leaves_of(records[0])
    for name, value, code in [
        ("chartseal.format", "chartseal/2", "format_unknown"),
        ("chartseal.format", "chartseal/1-test", "format_test"),
        ("chartseal.fhirVersion", "5.0.0", "fhir_version_unknown"),
        ("chartseal.about", "relative", "about_mismatch"),
        ("chartseal.resourceType", "Condition", "element_unknown"),
        ("chartseal.slots.Observation", "status=1", "slots_row"),
        ("chartseal.claims", bytes(32), "control_zero"),
    ]:
        changed = [replace(each, value=value) if each.name == name else each for each in values]
        refused(signed(forged(changed), HOLDER), errors.ContentError, code)
    for index in ("[x]", "[00]", "[0", "[0]\nPatient.active"):
        more = [*values, PrivateValue("bytes32", f"chartseal.entry{index}", bytes(32), Digest(b"\7" * 32))]
        refused(signed(forged(more), HOLDER), errors.ContentError, "control_unknown")
    test = [replace(each, value="chartseal/1-test") if each.name == "chartseal.format" else each for each in values]
    accepted = check(signed(forged(test), HOLDER), replace(POLICY, test_issuers=frozenset({"Example hospital"})))
    assert accepted.records[0].is_test


def test_step_5_the_seal(records: tuple[SealedRecord, ...], disclosure: UnverifiedDisclosure) -> None:
    first, second = disclosure.records
    signature = bytearray(first.package.signature)
    signature[5] ^= 1
    broken = replace(first, package=replace(first.package, signature=bytes(signature)))
    with pytest.raises(errors.SealError):
        check(replace(disclosure, records=(broken, second)))
    other = replace(first, package=replace(first.package, uid=Digest(b"\1" * 32)))
    refused(replace(disclosure, records=(other, second)), errors.SealError, "uid_mismatch")
    values = leaves_of(records[0])
    refused(forged(values, schema=Digest(b"\7" * 32)), errors.SealError, "schema_refused")
    refused(forged(values, recipient=CONTRACT), errors.SealError, "seal_form")
    refused(forged(values, revocable=False), errors.SealError, "seal_form")
    refused(forged(values, ref_uid=Digest(b"\1" * 32)), errors.SealError, "seal_form")
    refused(forged(values, time=2**63), errors.SealError, "time_range")
    elsewhere = replace(POLICY, domains=frozenset({replace(DOMAIN, chain_id=1)}))
    refused(disclosure, errors.SealError, "domain_refused", elsewhere)


def test_step_6_the_issuer(disclosure: UnverifiedDisclosure, records: tuple[SealedRecord, ...]) -> None:
    refused(disclosure, errors.IssuerError, "issuer_untrusted", replace(POLICY, issuers=()))
    stranger = forged(leaves_of(records[0]), issuing(b"\x12" * 32))
    refused(signed(stranger, HOLDER), errors.IssuerError, "issuer_untrusted")
    day = timedelta(days=1)
    for valid_from, valid_until, good in [
        (NOW - 2 * day, NOW + day, True),
        (NOW, None, False),  # sealed before the issuer was trusted
        (None, NOW, False),  # trusted when it says it sealed, but no longer, and nothing proves the time
        (None, NOW + day, True),
    ]:
        policy = replace(POLICY, issuers=(TrustedIssuer(ISSUER, "Example hospital", valid_from, valid_until),))
        if good:
            check(disclosure, policy)
        else:
            refused(disclosure, errors.IssuerError, "issuer_untrusted", policy)


def test_step_7_times(disclosure: UnverifiedDisclosure, records: tuple[SealedRecord, ...]) -> None:
    before = disclosure.records[0].package.message.time
    at = NOW.replace(microsecond=0) - timedelta(seconds=int(NOW.timestamp()) - before)
    check(disclosure, now=at - POLICY.clock_skew)
    refused(disclosure, errors.SealTimeError, "not_yet_valid", now=at - POLICY.clock_skew - timedelta(seconds=1))
    values, now = leaves_of(records[0]), int(NOW.timestamp())
    check(signed(forged(values, expiration_time=now + 1), HOLDER))
    refused(signed(forged(values, expiration_time=now), HOLDER), errors.SealTimeError, "expired")
    refused(disclosure, errors.AudienceError, "disclosure_expired", now=datetime.max.replace(tzinfo=UTC))


def test_step_10_the_holders(disclosure: UnverifiedDisclosure, shared: Path) -> None:
    first, second = disclosure.records
    swapped = (replace(first, signature=second.signature), replace(second, signature=first.signature))
    refused(replace(disclosure, records=swapped), errors.HolderError, "signature_invalid")
    refused(resigned(disclosure, (second, first)), errors.HolderError, "records_unordered")
    refused(resigned(disclosure, (first, first)), errors.HolderError, "record_repeated")
    refused(replace(disclosure, records=(first,)), errors.HolderError, "signature_invalid")
    check(resigned(disclosure, (first,)))


def test_step_10_a_subject_that_is_no_point(records: tuple[SealedRecord, ...]) -> None:
    identity = (1).to_bytes(32, "little")
    for subject in (identity, b"\xff" * 32, b"\x02" + bytes(31)):
        values = [
            replace(each, value=subject) if each.name == "chartseal.subject" else each for each in leaves_of(records[0])
        ]
        with pytest.raises(errors.HolderError) as caught:
            check(forged(values))
        assert caught.value.code.startswith("point_")


def test_step_11_for_us_and_now(disclosure: UnverifiedDisclosure) -> None:
    refused(disclosure, errors.AudienceError, "audience_mismatch", audience=AUDIENCE + "/")
    refused(disclosure, errors.AudienceError, "nonce_mismatch", nonce=b"\x89" * 32)
    for changed in ({"audience": "https://other.example"}, {"nonce": b"\x89" * 32}, {"expiry": disclosure.expiry + 1}):
        given = replace(disclosure, **changed)
        refused(given, errors.HolderError, "signature_invalid", audience=given.audience, nonce=given.nonce)
    at = NOW + timedelta(seconds=disclosure.expiry - int(NOW.timestamp()))
    refused(disclosure, errors.AudienceError, "disclosure_expired", now=at)
    check(disclosure, now=at - timedelta(seconds=1))


def test_step_11_never_passes_silently(disclosure: UnverifiedDisclosure) -> None:
    refused(disclosure, errors.NotCheckedError, "step_not_checked", nonce=None)
    refused(disclosure, errors.NotCheckedError, "step_not_checked", audience=None)
    lenient = replace(POLICY, required=frozenset())
    result = check(disclosure, lenient, nonce=None, audience=None)
    assert result.steps[10].state == "not checked"
    assert "audience" in result.steps[10].reason
    assert "nonce" in result.steps[10].reason


def test_step_11_a_nonce_is_spent_once(disclosure: UnverifiedDisclosure) -> None:
    left = [NONCE]

    class Store:
        def spend(self, nonce: bytes, expires_at: datetime) -> bool:
            assert expires_at.timestamp() == disclosure.expiry
            return bool(left) and left.pop() == nonce

    store = Store()
    check(disclosure, nonce=None, nonces=store)
    refused(disclosure, errors.AudienceError, "nonce_spent", nonce=None, nonces=store)


def test_step_12_an_unknown_proof_is_refused(disclosure: UnverifiedDisclosure) -> None:
    proof = UnverifiedProof(Digest(b"\1" * 32), (Digest(b"\2" * 32),), b"proof")
    refused(replace(disclosure, proofs=(proof,)), errors.FormError, "disclosure_malformed")
    binding = Binding(b"\5" * 32)
    refused(replace(disclosure, proofs=(proof,), binding=binding), errors.HolderError, "signature_invalid")
    refused(resigned(disclosure, proofs=(proof,), binding=binding), errors.PredicateProofError, "key_unknown")


def test_a_policy_may_require_a_chain(disclosure: UnverifiedDisclosure) -> None:
    for step in (8, 9):
        with pytest.raises(errors.NotCheckedError) as caught:
            check(disclosure, replace(POLICY, required=frozenset({step})))
        assert caught.value.step == step


def test_trusting_anyone_is_logged(disclosure: UnverifiedDisclosure, caplog: pytest.LogCaptureFixture) -> None:
    result = check(disclosure, UnsafeTrustAnyone())
    assert result.steps[5].state == "not checked"
    assert "UnsafeTrustAnyone" in caplog.text
    assert result.records[0].issuer == ""


def test_facts_hold_what_was_opened_and_its_provenance(shared: Path) -> None:
    record = vector_record(shared, "Observation_components")
    result = check(open_paths([record], "Observation.component[1]", "Observation.subject"))
    (fact,) = result.facts
    resource = fact.resource
    assert len(resource["component"]) == 1
    assert fact.unopened == ("Observation.component[0]",)
    assert {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"} in resource[
        "meta"
    ]["tag"]
    provenance = fact.provenance
    assert provenance["target"] == [{"reference": fact.full_url}]
    assert provenance["extension"][0]["valueString"] == "Observation.component[0]"
    assert provenance["agent"][0]["who"]["display"] == "Example hospital"
    assert provenance["signature"][0]["sigFormat"] == "application/chartseal+json"
    assert result.records[0].targets_not_shown == ("Observation.subject.reference",)
    assert not result.records[0].is_complete


def test_another_issuer_does_not_answer_a_reference() -> None:
    """Any issuer may state any URL: what it seals under another's is not what the other's reference means."""
    url = "https://hospital.example/fhir/Patient/a"
    fields = texts({"Condition.subject.reference": url, "Condition.code.text": "x"})
    condition = sealed("Condition", fields, full_url="https://hospital.example/fhir/Condition/c", ikm=b"\x01" * 32)
    patients = [
        sealed("Patient", texts({"Patient.birthDate": "1980"}), full_url=url, by=by, ikm=bytes([number]) * 32)
        for number, by in ((2, ISSUING), (3, issuing(b"\x12" * 32)))
    ]
    other = TrustedIssuer(patients[1].attester, "Another")
    policy = replace(POLICY, issuers=(*POLICY.issuers, other))
    for patient, named, missing in (
        (patients[0], url, ()),
        (patients[1], "urn:uuid", ("Condition.subject.reference",)),
    ):
        opened = open_paths([condition, patient], "Condition.subject", "Patient.birthDate", "chartseal.fullUrl")
        records = {record.resource_type: record for record in check(opened, policy).records}
        assert records["Patient"].fact.full_url.startswith(named)
        assert records["Condition"].targets_not_shown == missing


def test_the_provenance_is_r4(disclosure: UnverifiedDisclosure) -> None:
    for fact in check(disclosure).facts:
        _core.read_resource(json.dumps(fact.provenance).encode())


def test_all_of_a_record_is_complete_when_names_are_opened(records: tuple[SealedRecord, ...]) -> None:
    everything = [
        each.name for each in records[0].fields if each.name.startswith("chartseal.") and "pad" not in each.name
    ]
    optional = [name for name in everything if name.split(".")[1] in ("person", "fullUrl", "amends", "names")]
    assert check(open_paths(records[:1], "**", *optional)).records[0].is_complete
    assert not check(open_paths(records[:1], VALUE, *optional)).records[0].is_complete


def test_several_persons_are_not_one() -> None:
    fields = texts({"Condition.subject.reference": "Patient/a", "Condition.code.text": "x"})
    other = texts({"Condition.subject.reference": "Patient/b", "Condition.code.text": "x"})
    one, again, another = (
        sealed("Condition", each, ikm=bytes([number]) * 32)
        for each, number in ((fields, 100), (fields, 101), (other, 102))
    )
    person = "chartseal.person"
    assert check(open_paths([one, again], "Condition.code", person)).same_person == "shown"
    assert check(open_paths([one, again], "Condition.code")).same_person == "not shown"
    assert check(open_paths([one, another], "Condition.code", person)).same_person == "not shown"
    assert check(open_paths([one], "Condition.code")).same_person == "shown"
    unknown = [Field("Condition.code.text", "string", "x")]
    nobody = [sealed("Condition", unknown, ikm=bytes([number]) * 32) for number in (100, 101)]
    assert check(open_paths(nobody, "Condition.code", person)).same_person == "not shown"


def test_a_twin_without_its_value_is_told(shared: Path) -> None:
    record = vector_record(shared, "x2")
    honest = open_paths([record], "Patient.name.given[1]")
    assert check(honest).records[0].values_not_shown == ()
    names = {leaf.name for leaf in honest.records[0].multiproof.leaves} - {"Patient.name[0].given[1]+2"}
    changed = replace(honest.records[0], multiproof=reopened(record, names))
    assert check(resigned(honest, (changed,))).records[0].values_not_shown == ("Patient.name[0].given[1]",)


def test_detached_texts_are_the_sealed_ones() -> None:
    image = {"resourceType": "Patient", "photo": [{"contentType": "image/png", "data": "SGVsbG8h" * 200}]}
    resource_type, fields, detached, _ = _core.read_resource(json.dumps(image).encode())
    record = sealed(resource_type, [Field(*each) for each in fields], detached=detached, ikm=bytes([100]) * 32)
    honest = open_paths([record], "Patient.photo")
    assert check(honest).facts[0].resource["photo"] == image["photo"]
    ((name, text),) = honest.records[0].detached
    for given, code in [
        ((), "base64_incomplete"),
        (((name, "SGVsbG8i" * 200),), "detached_contradicts"),
        (((name, text[:-4]),), "detached_contradicts"),
        (((name + "x", text),), "base64_incomplete"),
        (((name, text), ("Patient.photo[0].title", text)), "detached_unknown"),
    ]:
        changed = replace(honest.records[0], detached=given)
        refused(replace(honest, records=(changed,)), errors.ContentError, code)
    without = open_paths([record], "Patient.photo[0].contentType")
    assert without.records[0].detached == ()


def test_a_short_text_is_never_detached() -> None:
    image = {"resourceType": "Patient", "photo": [{"contentType": "image/png", "data": "SGVsbG8h"}]}
    resource_type, fields, _, _ = _core.read_resource(json.dumps(image).encode())
    record = sealed(resource_type, [Field(*each) for each in fields], ikm=bytes([100]) * 32)
    honest = open_paths([record], "Patient.photo")
    names = {leaf.name for leaf in honest.records[0].multiproof.leaves} - {"Patient.photo[0].data.text"}
    for text in ("SGVsbG8h", "SGVs bG8h"):
        changed = replace(
            honest.records[0], multiproof=reopened(record, names), detached=(("Patient.photo[0].data", text),)
        )
        refused(resigned(honest, (changed,)), errors.ContentError, "detached_short")


def test_older_forms_of_off_chain_attestations_verify(records: tuple[SealedRecord, ...]) -> None:
    data = PrivateData(leaves_of(records[0]))
    message = OffchainMessage(ISSUED, int(NOW.timestamp()), data.root)
    for form in Form:
        record = UnverifiedRecord(
            sign_offchain(message, DOMAIN, ISSUING.signer, form),
            data.multiproof(range(len(data.values))),
            bytes(64),
        )
        disclosure = UnverifiedDisclosure(AUDIENCE, NONCE, int(NOW.timestamp()) + 60, (record,))
        assert check(signed(disclosure, HOLDER)).records[0].attestation.form is form


def test_anothers_message_under_the_same_uid_is_another_record(records: tuple[SealedRecord, ...]) -> None:
    """Anyone can sign another's message; the identity is (attester, uid), and the holder signed for one attester."""
    honest = open_paths(records[:1], VALUE)
    package = honest.records[0].package
    stolen = sign_offchain(package.message, DOMAIN, issuing(b"\x12" * 32).signer)
    assert stolen.uid == package.uid
    changed = replace(honest.records[0], package=stolen)
    refused(replace(honest, records=(changed,)), errors.IssuerError, "issuer_untrusted")
    refused(replace(honest, records=(changed,)), errors.HolderError, "signature_invalid", UnsafeTrustAnyone())


def test_a_documents_record_names_its_entries() -> None:
    record = sealed("Bundle", texts({"Bundle.type": "document", "Bundle.entry[0].fullUrl": "urn:uuid:a"}))
    (shown_record,) = check(open_paths([record], "Bundle.entry[0]", "chartseal.entry[0]")).records
    assert shown_record.value("chartseal.entry[0]") == b"\1" * 32
    assert shown_record.fact.resource["entry"] == [{"fullUrl": "urn:uuid:a"}]


DEEP = [
    ("QuestionnaireResponse", "QuestionnaireResponse" + ".item[0]" * 5_000 + ".linkId"),
    ("QuestionnaireResponse", "chartseal.slots.QuestionnaireResponse" + ".item[0]" * 5_000),
    ("Observation", "Observation._status.extension[0]" + "._valueString.extension[0]" * 5_000 + ".url"),
]


@pytest.mark.parametrize(("resource_type", "name"), DEEP)
def test_a_name_without_end_is_refused_and_not_repeated(resource_type: str, name: str) -> None:
    """What a reader keeps grows with the square of a name's steps: 80 kB would fill gigabytes before step 5."""
    record = sealed("Observation", texts({"Observation.status": "final"}))
    control = [each for each in record.private_data.values if each.name.startswith("chartseal.")]
    always = [each for each in control if "slots" not in each.name and not each.name.startswith("chartseal.pad")]
    typed = [
        replace(each, value=resource_type) if each.name == "chartseal.resourceType" else each
        for each in always
        if each.name not in ("chartseal.names", "chartseal.fullUrl")
    ]
    data = PrivateData([*typed, PrivateValue("string", name, "x", Digest(b"\7" * 32))])
    message = replace(record.package.message, data=data.root)
    given = UnverifiedRecord(
        sign_offchain(message, DOMAIN, ISSUING.signer), data.multiproof(range(len(data.values))), bytes(64)
    )
    with pytest.raises(errors.ContentError) as caught:
        check(UnverifiedDisclosure(AUDIENCE, NONCE, int(NOW.timestamp()) + 600, (given,)))
    assert caught.value.code == "name_too_deep"


def test_a_hostile_name_does_not_fill_the_message() -> None:
    assert len(str(errors.ContentError("refused", path="x" * 1_000_000))) < 2_000
