"""Consents and withdrawals: what is signed is what is read, and nobody else's word is taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chartseal.attestation import Address, Digest, PrivateData, to_hex
from chartseal.consent import Consent, Exceptions, Grantee, Terms, Withdrawal
from chartseal.consent.document import LARGEST_CONSENT
from chartseal.consent.terms import FIELDS, LAST_MOMENT, MOST_ENTRIES
from chartseal.errors import ConsentError
from tests.consents import CUSTODIAN, GLUCOSE, GRANTEE, HIV, NOW, OTHER, PATIENT, STRANGER, TERMS, signed

FULL = replace(
    TERMS,
    grantee=Grantee(role="laboratory"),
    purposes=frozenset({"TREAT", "HPAYMT"}),
    types=frozenset({"Observation", "Condition"}),
    codes=frozenset({GLUCOSE, "http://snomed.info/sct|73211009"}),
    since=date(2020, 1, 1),
    until=date(2026, 12, 31),
    labels=frozenset({HIV}),
    exceptions=Exceptions(frozenset({"Claim"}), frozenset({"http://loinc.org|1-8"}), frozenset({"urn:x|SUD"})),
)
SIGNED = Consent.sign(FULL, PATIENT)


def code(call: Callable[[], object]) -> str:
    with pytest.raises(ConsentError) as caught:
        call()
    return caught.value.code


@pytest.mark.parametrize("terms", [TERMS, FULL])
def test_what_was_signed_is_read(terms: Terms) -> None:
    consent = Consent.sign(terms, PATIENT)
    read = Consent.loads(consent.to_json())
    verified = read.verify(CUSTODIAN, NOW)
    assert (verified.terms, verified.root) == (terms, consent.root)
    assert read.to_json() == consent.to_json()
    assert verified.terms.holder == PATIENT.sealing_address().spend_key


def test_the_root_tells_nothing() -> None:
    assert signed().root != signed().root


def test_every_address_of_a_wallet_has_one_holder() -> None:
    consent = Consent.sign(replace(TERMS, patient=PATIENT.sealing_address(1, 3)), PATIENT)
    assert consent.check(CUSTODIAN).terms.holder == PATIENT.sealing_address().spend_key


def test_nobody_signs_for_another_patient() -> None:
    assert code(lambda: Consent.sign(TERMS, STRANGER)) == "consent_other_patient"
    forged = replace(SIGNED, signature=STRANGER.sign_consent(SIGNED.root, CUSTODIAN))
    assert code(lambda: forged.check(CUSTODIAN)) == "consent_invalid"


def test_a_consent_is_for_one_custodian() -> None:
    assert code(lambda: SIGNED.check(OTHER)) == "consent_other_custodian"
    moved = replace(SIGNED, terms=replace(FULL, custodian=OTHER))
    assert code(lambda: moved.check(OTHER)) == "consent_invalid"


def test_a_withdrawal_is_no_consent_and_no_consent_a_withdrawal() -> None:
    lent = replace(SIGNED, signature=PATIENT.sign_withdrawal(SIGNED.root))
    assert code(lambda: lent.check(CUSTODIAN)) == "consent_invalid"
    turned = Withdrawal(SIGNED.root, FULL.holder, SIGNED.signature)
    assert code(turned.verify) == "withdrawal_invalid"


@pytest.mark.parametrize(
    ("second", "expected"),
    [(-1, "consent_not_begun"), (0, ""), (TERMS.expiry - TERMS.not_before - 1, "")],
)
def test_the_period_is_from_its_beginning_until_before_its_end(second: int, expected: str) -> None:
    now = TERMS.begins_at + timedelta(seconds=second)
    if expected:
        assert code(lambda: SIGNED.verify(CUSTODIAN, now)) == expected
    else:
        assert SIGNED.verify(CUSTODIAN, now).is_in_force(now)


def test_at_its_end_it_has_expired() -> None:
    assert code(lambda: SIGNED.verify(CUSTODIAN, TERMS.ends_at)) == "consent_expired"
    assert not SIGNED.check(CUSTODIAN).is_in_force(TERMS.ends_at)
    east = TERMS.ends_at.astimezone(datetime.now(UTC).astimezone().tzinfo) - timedelta(seconds=1)
    assert SIGNED.verify(CUSTODIAN, east)


OTHERS: dict[str, Any] = {
    "patient": STRANGER.sealing_address().data,
    "custodian": OTHER,
    "grantee.account": OTHER,
    "grantee.role": "clinic",
    "purposes": ["HOPERAT"],
    "notBefore": TERMS.not_before - 1,
    "expiry": TERMS.expiry + 1,
    "types": ["Encounter"],
    "codes": [],
    "since": "",
    "until": "",
    "labels": [],
    "except.types": [],
    "except.codes": [],
    "except.labels": [],
}


@pytest.mark.parametrize("name", OTHERS)
def test_no_value_is_changed_under_a_signature(name: str) -> None:
    terms = TERMS if name == "grantee.account" else FULL
    consent = Consent.sign(terms, PATIENT)
    members = json.loads(consent.to_json())
    kinds = [each for _, each in FIELDS]
    assert set(kinds) == {*OTHERS, "format", "kind"}
    values = [replace(each, value=OTHERS[name]) if each.name == name else each for each in consent.data.values]
    changed = PrivateData(values)
    members["values"] = changed.to_json()["values"]
    assert code(lambda: Consent.loads(_dumped(members))) == "consent_malformed"  # not under the stated root
    members["root"] = to_hex(changed.root)
    read = Consent.loads(_dumped(members))
    assert code(lambda: read.check(read.terms.custodian)) == "consent_invalid"


def _dumped(members: Any) -> bytes:
    return json.dumps(members).encode()


def test_every_byte_of_the_signature_counts() -> None:
    for at in range(64):
        flipped = bytearray(SIGNED.signature)
        flipped[at] ^= 1
        forged = replace(SIGNED, signature=bytes(flipped))
        assert code(lambda forged=forged: forged.check(CUSTODIAN)) == "consent_invalid"  # type: ignore[misc]  # bound


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    """How a consent is refused whose JSON was changed."""
    members = json.loads(SIGNED.to_json())
    change(members)
    return code(lambda: Consent.loads(_dumped(members)))


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a member more": lambda it: it.update(extra=1),
    "a member less": lambda it: it.pop("signature"),
    "another format": lambda it: it.update(format="chartseal/2"),
    "another kind": lambda it: it.update(kind="delegation"),
    "a short signature": lambda it: it.update(signature="0x" + "11" * 63),
    "a signature that is no text": lambda it: it.update(signature=1),
    "values that are no list": lambda it: it.update(values={}),
    "a value less": lambda it: it["values"].pop(),
    "a value twice": lambda it: it["values"].append(it["values"][0]),
    "another order": lambda it: it["values"].reverse(),
    "a short salt": lambda it: it["values"][0].update(salt="0x11"),
    "no salt": lambda it: it["values"][0].update(salt="0x" + "00" * 32),
    "another root": lambda it: it.update(root="0x" + "11" * 32),
    "a lone surrogate": lambda it: it["values"][5].update(value="\ud800"),
    "another type": lambda it: it["values"][5].update(type="bytes"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_no_consent(change: Callable[[dict[str, Any]], object]) -> None:
    assert changed(change) == "consent_malformed"


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b'{"format":1,"format":1}', b"\xff", b"[" * 100_000])
def test_what_is_no_object(text: bytes) -> None:
    assert code(lambda: Consent.loads(text)) == "consent_malformed"
    assert code(lambda: Withdrawal.loads(text)) == "withdrawal_malformed"


def test_the_largest_consent() -> None:
    padding = b" " * (LARGEST_CONSENT - len(SIGNED.to_json()))
    assert Consent.loads(SIGNED.to_json() + padding).root == SIGNED.root
    assert code(lambda: Consent.loads(SIGNED.to_json() + padding + b" ")) == "limit_exceeded"


def resigned(name: str, value: Any) -> Consent:
    """A consent with one value that no program of ours would write, truly signed, and read."""
    values = [(kind, each, value if each == name else given) for kind, each, given in FULL.values()]
    data = PrivateData.salted(values)
    return Consent.loads(Consent(FULL, data, PATIENT.sign_consent(data.root, CUSTODIAN)).to_json())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "chartseal/2"),
        ("kind", "record"),
        ("patient", b"\1" * 64),
        ("patient", b"\1" * 63),
        ("custodian", bytes(20)),
        ("grantee.account", GRANTEE),
        ("grantee.role", ""),
        ("grantee.role", "friend"),
        ("purposes", []),
        ("purposes", ["TREAT", "HPAYMT"]),
        ("purposes", ["TREAT", "TREAT"]),
        ("purposes", ["treat"]),
        ("notBefore", TERMS.expiry),
        ("expiry", LAST_MOMENT + 1),
        ("types", ["Observations"]),
        ("except.types", ["observation"]),
        ("except.types", ["*"]),
        ("codes", ["2339-0"]),
        ("codes", ["http://loinc.org|"]),
        ("labels", ["|HIV"]),
        ("labels", ["a|b|c"]),
        ("labels", ["a|b\x9bc"]),
        ("labels", ["a|b\u202ec"]),
        ("labels", ["a|" + "b" * 511]),
        ("except.codes", ["http://loinc.org| 1"]),
        ("except.labels", ["a b|c"]),
        ("since", "2026-02-30"),
        ("since", "2026"),
        ("since", "20260101"),
        ("since", "2027-01-01"),
        ("until", "2019-12-31"),
    ],
)
def test_values_that_no_consent_has(name: str, value: Any) -> None:
    assert code(lambda: resigned(name, value)) == "consent_malformed"


def test_a_neighbour_of_each_limit_is_taken() -> None:
    assert resigned("labels", ["a|" + "b" * 510]).check(CUSTODIAN)
    assert resigned("expiry", LAST_MOMENT).check(CUSTODIAN)
    assert resigned("codes", ["http://snomed.info/sct|two words"]).check(CUSTODIAN)
    entries = sorted(f"urn:x|{at}" for at in range(MOST_ENTRIES))
    assert resigned("codes", entries).check(CUSTODIAN)
    assert code(lambda: resigned("codes", sorted([*entries, "urn:y|0"]))) == "limit_exceeded"
    many = replace(FULL, codes=frozenset([*entries, "urn:y|0"]))
    assert code(lambda: Consent.sign(many, PATIENT)) == "limit_exceeded"


@pytest.mark.parametrize("account", [None, Address(bytes(20)), Address(b"\1" * 19)])
def test_a_grantee_is_somebody(account: Address | None) -> None:
    assert code(lambda: Grantee(account)) == "consent_malformed"


def test_no_value_is_told() -> None:
    text = json.dumps(json.loads(SIGNED.to_json()))
    for member in ("HIV", "2339-0", "73211009", SIGNED.signature.hex(), FULL.patient.data.hex()):
        assert member in text
        assert member not in repr(SIGNED)
    with pytest.raises(ConsentError) as caught:
        resigned("codes", ["secret-code"])
    assert "secret-code" not in str(caught.value)


def test_a_withdrawal_is_read_and_verified() -> None:
    withdrawal = Withdrawal.sign(SIGNED.root, PATIENT)
    read = Withdrawal.loads(withdrawal.to_json())
    assert read == withdrawal
    read.verify()
    assert read.holder == FULL.holder


@pytest.mark.parametrize(
    "change", [{"root": Digest(b"\1" * 32)}, {"holder": STRANGER.sealing_address().spend_key}, {"holder": b"\1" * 32}]
)
def test_a_withdrawal_of_other_words(change: dict[str, Any]) -> None:
    assert code(replace(Withdrawal.sign(SIGNED.root, PATIENT), **change).verify) == "withdrawal_invalid"


@pytest.mark.parametrize(
    "change", [{"extra": 1}, {"kind": "consent"}, {"format": "x"}, {"root": "0x11"}, {"holder": 1}, {"signature": "0x"}]
)
def test_what_is_no_withdrawal(change: dict[str, Any]) -> None:
    members = {**json.loads(Withdrawal.sign(SIGNED.root, PATIENT).to_json()), **change}
    assert code(lambda: Withdrawal.loads(_dumped(members))) == "withdrawal_malformed"
    longer = Withdrawal.sign(SIGNED.root, PATIENT).to_json() + b" " * 2_048
    assert code(lambda: Withdrawal.loads(longer)) == "withdrawal_malformed"
