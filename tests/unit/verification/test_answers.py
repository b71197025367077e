"""Answers through the twelve steps: what they accept, and every lie that a custodian could tell."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core, errors
from chartseal.attestation import Address, Digest
from chartseal.disclosure import (
    ByConsent,
    Ground,
    Selection,
    UnverifiedAnswer,
    UnverifiedAnswerRecord,
    answer_record,
    everything,
    select,
)
from chartseal.disclosure.answers import WHOLE
from chartseal.errors import NotCheckedError, VerificationError
from chartseal.sealing import SealedRecord
from chartseal.verification import CheckedConsent, TrustPolicy, UnsafeTrustAnyone, verify
from tests.answering import (
    BY_CONSENT,
    CONSENT,
    CUSTODIAN,
    GRANTEE,
    NONCE,
    TRUST,
    MadeConsents,
    answer,
    check,
    consent,
    root_of,
    with_data,
)
from tests.charts import AUDIENCE, HOLDER, NOW, Holder, chart, issuing, open_paths, sealed, texts, vectors

BASE = "https://issuer.example/fhir/"
OTHER = Address(b"\xc2" * 20)
STRANGER = Holder(_core.Wallet(b"\x23" * 64))


def refused(
    given: UnverifiedAnswer, error: type[VerificationError], code: str, trust: TrustPolicy = TRUST, **options: Any
) -> None:
    with pytest.raises(error) as caught:
        check(given, trust, **options)
    assert caught.value.code == code
    assert caught.value.step == error.step


@pytest.fixture(scope="module")
def records(shared: Path) -> tuple[SealedRecord, ...]:
    return chart(shared, "Observation", "Condition", "Observation_components", "AllergyIntolerance")


def test_what_is_opened_is_what_is_verified(records: tuple[SealedRecord, ...]) -> None:
    result = check(answer(*records))
    for record, verified in zip(records, result.records, strict=True):
        names = {each.name for each in everything(record).choices[0].opened}
        values = {each.name: each.value for each in record.fields if each.name in names}
        assert {each.name: each.value for each in verified.fields} == values
        assert (verified.issuer, verified.proxy) == ("Example hospital", None)
    assert (result.custodian, result.nonce) == (CUSTODIAN, NONCE)
    assert result.grounds == (CheckedConsent(root_of(CONSENT), HOLDER.keys.spend_public(), None),) * len(records)


def test_all_twelve_steps_are_reported(records: tuple[SealedRecord, ...]) -> None:
    result = check(answer(*records))
    assert [(step.number, step.state) for step in result.steps] == [
        (number, "not checked" if number in (8, 9) else "checked") for number in range(1, 13)
    ]
    assert [step.number for step in result.not_checked()] == [8, 9]
    assert (result.steps[9].name, result.steps[10].name) == ("holder's consent", "channel, nonce")
    assert f"0x{root_of(CONSENT).hex()}" in result.steps[9].reason
    assert "custodian's word" in result.steps[9].reason
    assert result.steps[11].reason == "no proofs"


def test_the_facts_are_those_of_a_disclosure(records: tuple[SealedRecord, ...]) -> None:
    disclosed = verify(open_paths(records, "**"), TRUST, audience=AUDIENCE, nonce=b"\x88" * 32, now=NOW)
    answered = check(answer(*records))
    by_url = {fact.full_url: fact for fact in disclosed.facts}
    assert [by_url[fact.full_url] for fact in answered.facts] == list(answered.facts)


def test_the_custodians_word_is_said_to_be_that(records: tuple[SealedRecord, ...]) -> None:
    for ground, words in (
        (Ground.SITE_POLICY, "by site policy"),
        (Ground.BREAK_GLASS, "by break-glass"),
        (Ground.OWN_RECORD, "as the requester's own"),
    ):
        result = check(answer(*records, basis=ground), consent=None)
        step = result.steps[9]
        assert (step.number, step.state) == (10, "not checked")
        assert step.reason == f"4 of 4 records {words}: the custodian's word"
        assert result.grounds == (ground,) * 4


def test_mixed_grounds_are_told_apart(records: tuple[SealedRecord, ...]) -> None:
    both = (*answer(records[0]).answered, *answer(records[1], basis=Ground.SITE_POLICY).answered)
    result = check(UnverifiedAnswer(CUSTODIAN, NONCE, both))
    assert result.steps[9].state == "not checked"
    assert "1 of 2 records by consent 0x" in result.steps[9].reason
    assert "1 of 2 records by site policy" in result.steps[9].reason
    assert isinstance(result.grounds[0], CheckedConsent)
    assert result.grounds[1] is Ground.SITE_POLICY


def test_a_policy_may_take_nobodys_word(records: tuple[SealedRecord, ...]) -> None:
    strict = replace(TRUST, required=TRUST.required | {10})
    check(answer(*records), strict)
    with pytest.raises(NotCheckedError) as caught:
        check(answer(*records, basis=Ground.SITE_POLICY), strict)
    assert caught.value.step == 10
    read = TrustPolicy.from_toml('required = ["consent"]')
    assert read.required == {10}


def test_step_1_limits_and_form(records: tuple[SealedRecord, ...]) -> None:
    given = answer(*records)
    leaves = sum(len(record.multiproof.leaves) for record in given.records())
    for limits in ({"size": given.size}, {"records": 4}, {"leaves": leaves}):
        check(given, replace(TRUST, limits=replace(TRUST.limits, **limits)))
        smaller = {name: value - 1 for name, value in limits.items()}
        refused(given, errors.FormError, "limit_exceeded", replace(TRUST, limits=replace(TRUST.limits, **smaller)))
    for data, code in ((b"", "disclosure_malformed"), (b"{}", "disclosure_malformed")):
        refused(with_data(given, 0, data), errors.FormError, code)
    refused(
        with_data(given, 0, open_paths(records[:1], "**").to_json()),
        errors.FormError,
        "disclosure_malformed",
    )


def test_step_2_nothing_is_opened(records: tuple[SealedRecord, ...]) -> None:
    refused(UnverifiedAnswer(CUSTODIAN, NONCE, ()), errors.NothingOpenedError, "nothing_opened")
    given = answer(records[0])
    (record,) = given.records()
    bare = replace(record.multiproof, leaves=(), siblings=(Digest(record.package.message.data),), flags=())
    data = replace(record, multiproof=bare).to_json()
    refused(with_data(given, 0, data), errors.NothingOpenedError, "nothing_opened")


def test_a_seal_of_one_record_stands_for_no_other(records: tuple[SealedRecord, ...]) -> None:
    given = answer(*records[:2])
    first, second = given.records()
    swapped = replace(first, package=second.package).to_json()
    refused(with_data(given, 0, swapped), errors.MultiproofError, "root_mismatch")


def test_a_withheld_traveller_is_refused(records: tuple[SealedRecord, ...]) -> None:
    record = records[0]
    (choice,) = everything(record).choices
    for left_out, code in (
        ("Observation.status", "slots_partly_shown"),
        ("chartseal.subject", "control_missing"),
        ("chartseal.slots.Observation", "slots_missing"),
    ):
        names = {each.name for each in choice.opened} - {left_out}
        places = [at for at, each in enumerate(record.fields) if each.name in names]
        data = UnverifiedAnswerRecord(record.package, record.private_data.multiproof(places)).to_json()
        refused(with_data(answer(record), 0, data), errors.ContentError, code)


def test_a_foreign_record_is_nobodys(records: tuple[SealedRecord, ...]) -> None:
    """Sealed by a key that the policy does not know: the custodian's own, made for the purpose."""
    forged = sealed("Condition", texts({"Condition.code.text": "x"}), by=issuing(b"\x12" * 32))
    refused(answer(records[0], forged), errors.IssuerError, "issuer_untrusted")
    check(answer(records[0], forged), UnsafeTrustAnyone())


def test_a_dropped_record_is_not_missed_and_nothing_says_that_all_is_there(records: tuple[SealedRecord, ...]) -> None:
    result = check(answer(*records[:3]))
    assert len(result.records) == 3
    assert not any("complete" in step.reason or "all" in step.reason.split() for step in result.steps)
    assert not any(record.is_complete for record in result.records)


def test_a_record_stands_once(records: tuple[SealedRecord, ...]) -> None:
    refused(answer(records[0], records[0]), errors.HolderError, "record_repeated")
    cut = answer(records[0], opened=select([records[0]], ["Observation.value"]))
    both = UnverifiedAnswer(CUSTODIAN, NONCE, (*answer(records[0]).answered, *cut.answered))
    refused(both, errors.HolderError, "record_repeated")


def test_a_cut_record_does_not_pass_as_whole(records: tuple[SealedRecord, ...]) -> None:
    record = records[0]
    whole = everything(record, control=WHOLE)
    assert check(answer(record, opened=whole)).records[0].is_complete
    assert not check(answer(record)).records[0].is_complete
    cut = everything(record, control=WHOLE, without=["*.issued", "*.performer", "*.category"])
    assert len(cut.choices[0].opened) < len(whole.choices[0].opened)
    verified = check(answer(record, opened=cut)).records[0]
    assert not verified.is_complete
    assert {"code": "SUBSETTED"}.items() <= verified.fact.resource["meta"]["tag"][-1].items()


def test_another_patients_record_is_not_told_from_hers(records: tuple[SealedRecord, ...]) -> None:
    """What step 10 does not prove: a record's subject is a one-time key that only its holder recomputes."""
    foreign = sealed("Condition", texts({"Condition.code.text": "x"}), holder=STRANGER)
    result = check(answer(records[0], foreign))
    assert result.same_person == "not shown"
    assert "whose the records are is the custodian's word" in result.steps[9].reason


def test_one_issuers_records_of_one_person_are_joined() -> None:
    def of(patient: str, number: int) -> SealedRecord:
        fields = texts({"Condition.subject.reference": f"Patient/{patient}", "Condition.code.text": "x"})
        return sealed("Condition", fields, full_url=f"{BASE}Condition/{number}", ikm=bytes([number]) * 32)

    one, two, foreign = of("a", 1), of("a", 2), of("b", 3)
    for others, told in (((two,), "shown"), ((two, foreign), "not shown")):
        made = [answer(each, opened=everything(each, control=["person"])).answered[0] for each in (one, *others)]
        assert check(UnverifiedAnswer(CUSTODIAN, NONCE, tuple(made))).same_person == told


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (lambda: consent(until=NOW), "made_expired"),
        (lambda: consent(grantee=OTHER), "made_other_grantee"),
        (lambda: consent(custodian=OTHER), "made_other_custodian"),
        (lambda: CONSENT.replace(GRANTEE.hex().encode(), OTHER.hex().encode()), "made_other_grantee"),
        (lambda: CONSENT.replace(b'"types": null', b'"types": []'), "made_unsigned"),
        (lambda: b"{}", "made_malformed"),
        (lambda: b"", "made_malformed"),
    ],
)
def test_a_consent_that_does_not_hold(
    document: Callable[[], bytes], code: str, records: tuple[SealedRecord, ...]
) -> None:
    refused(answer(*records, basis=ByConsent(document())), errors.HolderError, code)


def test_a_consent_holds_until_it_ends_or_is_withdrawn(records: tuple[SealedRecord, ...]) -> None:
    ends = ByConsent(consent(until=NOW + timedelta(seconds=1)))
    check(answer(*records, basis=ends))
    refused(answer(*records, basis=ends), errors.HolderError, "made_expired", now=NOW + timedelta(seconds=1))
    withdrawn = MadeConsents(withdrawn=frozenset({root_of(CONSENT)}))
    refused(answer(*records), errors.HolderError, "made_withdrawn", consent=withdrawn)
    refused(answer(*records), errors.HolderError, "made_other_grantee", consent=MadeConsents(OTHER))


def test_a_consent_that_nobody_can_check_opens_nothing(records: tuple[SealedRecord, ...]) -> None:
    refused(answer(*records), errors.HolderError, "consent_unknown", consent=None)


def test_a_consent_opens_the_types_that_it_names(records: tuple[SealedRecord, ...]) -> None:
    some = ByConsent(consent(types=["Observation"]))
    check(answer(records[0], records[2], basis=some))
    refused(answer(*records[:2], basis=some), errors.HolderError, "consent_type")


def test_each_consent_is_checked_once(records: tuple[SealedRecord, ...]) -> None:
    asked: list[bytes] = []
    held = MadeConsents()

    def counting(document: bytes, *, custodian: Address, now: datetime) -> CheckedConsent:
        asked.append(document)
        return held(document, custodian=custodian, now=now)

    check(answer(*records), consent=counting)
    assert asked == [CONSENT]


def test_step_11_the_channel_and_the_request(records: tuple[SealedRecord, ...]) -> None:
    given = answer(*records)
    refused(replace(given, nonce=b"\x78" * 32), errors.AudienceError, "nonce_mismatch")
    refused(replace(given, nonce=NONCE[:31]), errors.AudienceError, "nonce_mismatch")
    refused(given, errors.AudienceError, "nonce_mismatch", nonce=b"\x78" * 32)  # yesterday's answer, replayed
    refused(given, errors.AudienceError, "channel_mismatch", channel=OTHER)
    # Another custodian's answer passed on: its consent names that one, and the channel is not its own.
    theirs = answer(*records, basis=ByConsent(consent(custodian=OTHER)), custodian=OTHER)
    check(theirs, channel=OTHER)
    refused(theirs, errors.AudienceError, "channel_mismatch")
    refused(replace(theirs, custodian=CUSTODIAN), errors.HolderError, "made_other_custodian")


@pytest.mark.parametrize("nonce", [b"", b"\x77" * 31, b"\x77" * 33])
def test_a_nonce_of_ours_has_32_bytes(nonce: bytes, records: tuple[SealedRecord, ...]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        check(replace(answer(*records), nonce=nonce), nonce=nonce)


def test_now_is_aware(records: tuple[SealedRecord, ...]) -> None:
    with pytest.raises(ValueError, match="aware"):
        check(answer(*records), now=datetime(2026, 12, 31))


def test_nothing_of_it_shows_in_a_log(records: tuple[SealedRecord, ...]) -> None:
    told = repr(answer(*records)) + repr(check(answer(*records)))
    for record in records:
        values = [str(each.value) for each in record.fields if not each.name.startswith("chartseal.")]
        assert not [value for value in values if len(value) > 12 and value in told]
        assert record.seed.hex() not in told


def reread(data: bytes) -> Any:
    """What a changed text says, or None where it is no answer record."""
    try:
        return UnverifiedAnswerRecord.loads(data)
    except errors.CoreError:
        return None


def mutated(data: bytes, drawn: random.Random) -> bytes:
    """One bit flipped, a byte dropped or doubled, or two stretches swapped."""
    at, kind = drawn.randrange(len(data)), drawn.randrange(4)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ 1 << drawn.randrange(8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[at + 1 :]
    if kind == 2:
        return data[: at + 1] + data[at:]
    cut = drawn.randrange(len(data))
    low, high = sorted((at, cut))
    return data[low:high] + data[:low] + data[high:]


def test_hundreds_of_changed_bytes_verify_nothing_else(records: tuple[SealedRecord, ...]) -> None:
    """What a changed text still says is either what it said before, or is refused by a step."""
    drawn = random.Random(20_261_130)
    given, records_before = answer(*records), answer(*records).records()
    facts = [fact.text for fact in check(given).facts]
    refusals = 0
    for _ in range(600):
        at = drawn.randrange(len(records))
        data = mutated(given.answered[at].data, drawn)
        try:
            result = check(with_data(given, at, data))
        except VerificationError:
            refusals += 1
            continue
        assert reread(data) == records_before[at]  # the same, spelled otherwise: hex in capitals
        assert [fact.text for fact in result.facts] == facts
    assert refusals > 550


def test_every_leafs_change_is_refused(records: tuple[SealedRecord, ...]) -> None:
    given = answer(records[0])
    members = json.loads(given.answered[0].data)
    for at, leaf in enumerate(members["multiproof"]["leaves"]):
        for name, value in (
            ("value", leaf["value"][:-1] + ("0" if leaf["value"][-1:] != "0" else "1")),
            ("salt", leaf["salt"][:-1] + ("0" if leaf["salt"][-1] != "0" else "1")),
            ("name", leaf["name"] + "x"),
        ):
            changed = json.loads(given.answered[0].data)
            changed["multiproof"]["leaves"][at][name] = value
            with pytest.raises(VerificationError):
                check(with_data(given, 0, json.dumps(changed).encode()))


def test_a_disclosure_has_more_than_an_answer_gives(records: tuple[SealedRecord, ...]) -> None:
    """Nobody makes a disclosure of an answer: no holder signed it."""
    shown = open_paths(records[:1], "**")
    (answered,) = answer(records[0], opened=Selection(everything(records[0]).choices)).records()
    forged = replace(shown, records=(replace(shown.records[0], signature=bytes(64), multiproof=answered.multiproof),))
    with pytest.raises(errors.HolderError):
        verify(forged, TRUST, audience=AUDIENCE, nonce=b"\x88" * 32, now=NOW)


def test_a_seal_in_a_provenance_is_no_answer_record(records: tuple[SealedRecord, ...]) -> None:
    """Verified facts carry seals alone under the same sigFormat; nothing is opened by one."""
    (fact,) = check(answer(records[0])).facts
    seal = base64.b64decode(fact.provenance["signature"][0]["data"])
    refused(with_data(answer(records[0]), 0, seal), errors.FormError, "disclosure_malformed")
    assert answer_record(records[0]) != seal
    assert BY_CONSENT.document == CONSENT


def test_all_kinds_of_records_come_through(shared: Path) -> None:
    every = chart(shared, *vectors(shared))
    result = check(answer(*every), UnsafeTrustAnyone(allow_test=True))
    assert [record.resource_type for record in result.records] == [record.resource_type for record in every]
