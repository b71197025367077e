"""Disclosures that a proxy signs: what holds, and each attack on the holder's delegation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import to_hex
from chartseal.disclosure import Delegation, DelegationFile, Mandate, UnverifiedDisclosure, delegate, select
from chartseal.errors import ChartsealError, DelegationError, DisclosureError, FormError, HolderError, KeyFormatError
from chartseal.keys import ProxyKey, Wallet
from chartseal.sealing import SealedRecord, seal_fields
from chartseal.verification import TrustedIssuer, TrustPolicy, VerifiedDisclosure, verify
from tests.charts import AUDIENCE, DOMAIN, EXPIRES_AT, ISSUER, ISSUING, NONCE, NOW, SEALED_AT, shown, texts

POLICY = TrustPolicy(issuers=(TrustedIssuer(ISSUER, "Example hospital"),), domains=frozenset({DOMAIN}))
CHILD = Wallet(b"\x07" * 32)
PARENT = ProxyKey((7).to_bytes(32, "little"))
OTHER = ProxyKey((8).to_bytes(32, "little"))
AT = int(NOW.timestamp())
MANDATE = Mandate(PARENT.public, not_before=AT - 60, expiry=AT + 86_400, majority=AT + 43_200)
ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041
"""The order of the subgroup; format specification, section "Notation"."""


def record_of(wallet: Wallet, code: str) -> SealedRecord:
    fields = texts(
        {
            "Condition.clinicalStatus.coding[0].code": "active",
            "Condition.verificationStatus.coding[0].code": "confirmed",
            "Condition.code.text": code,
            "Condition.subject.reference": "Patient/p",
        }
    )
    return seal_fields("Condition", fields, ISSUING, wallet.sealing_address().data, now=SEALED_AT)


@pytest.fixture(scope="module")
def records() -> list[SealedRecord]:
    return [record_of(CHILD, code) for code in ("asthma", "otitis")]


def made(
    records: list[SealedRecord], mandate: Mandate = MANDATE, signer: Any = PARENT, **options: Any
) -> UnverifiedDisclosure:
    """What an honest proxy makes."""
    selection = select(records, ["Condition.code"])
    return shown(selection, signer, delegation=delegate(records, CHILD, mandate), **options)


def stolen(disclosure: UnverifiedDisclosure, signer: ProxyKey, *delegations: Delegation | None) -> UnverifiedDisclosure:
    """The same, with other delegations, signed by whoever has that key: what a dishonest proxy can make."""
    changed = []
    for record, delegation in zip(disclosure.records, delegations, strict=True):
        signature = signer.sign_disclosure(
            b"",
            subject_of(record),
            disclosure.digest(),
            audience=disclosure.audience,
            nonce=disclosure.nonce,
            expiry=disclosure.expiry,
        )
        changed.append(replace(record, signature=signature, delegation=delegation))
    return replace(disclosure, records=tuple(changed))


def subject_of(record: Any) -> bytes:
    value = next(leaf.value for leaf in record.multiproof.leaves if leaf.name == "chartseal.subject")
    assert isinstance(value, bytes)
    return value


def own(disclosure: UnverifiedDisclosure, at: int = 0) -> Delegation:
    found = disclosure.records[at].delegation
    assert found is not None
    return found


def plus_order(signature: bytes) -> bytes:
    """S plus the order: the same equation, other bytes."""
    return signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")


def check(disclosure: Any, trust: TrustPolicy = POLICY, now: datetime = NOW) -> VerifiedDisclosure:
    return verify(disclosure, trust, audience=AUDIENCE, nonce=NONCE, now=now)


def refused(disclosure: Any, code: str, trust: TrustPolicy = POLICY, now: datetime = NOW) -> None:
    with pytest.raises(HolderError) as caught:
        check(disclosure, trust, now)
    assert (caught.value.code, caught.value.step) == (code, 10)


def test_a_proxy_signs_and_the_result_names_it(records: list[SealedRecord]) -> None:
    disclosure = made(records)
    for given in (disclosure, disclosure.to_json(), disclosure.to_text()):
        result = check(given)
        for record in result.records:
            assert record.proxy is not None
            assert record.proxy.key == PARENT.public
            assert (record.proxy.until, record.proxy.audience) == (NOW + timedelta(days=1), "")
            assert record.proxy.majority == datetime.fromtimestamp(AT + 43_200, UTC)
            assert record.proxy.words.startswith(f"signed by a proxy: key {to_hex(PARENT.public)}, until ")
            issuer, agent = record.fact.provenance["agent"]
            assert "onBehalfOf" not in issuer
            assert agent["role"][0]["coding"][0]["code"] == "DELEGATEE"
            assert agent["who"]["identifier"]["value"] == to_hex(PARENT.public)
            assert agent["onBehalfOf"]["identifier"]["value"] in {to_hex(each.subject) for each in records}
        assert [step.reason for step in result.steps if step.number == 10] == ["2 of 2 records signed by a proxy"]
    assert (
        UnverifiedDisclosure.from_text(disclosure.to_text())
        == disclosure
        == UnverifiedDisclosure.loads(disclosure.to_json())
    )


def test_the_holder_herself_is_named_nowhere(records: list[SealedRecord]) -> None:
    disclosure = shown(select(records, ["Condition.code"]), CHILD)
    result = check(disclosure)
    assert [record.proxy for record in result.records] == [None, None]
    assert b"delegation" not in disclosure.to_json()


def test_a_proxy_joins_no_records(records: list[SealedRecord]) -> None:
    assert check(made(records)).same_person == "not shown"


def test_a_policy_may_refuse_proxies(records: list[SealedRecord]) -> None:
    strict = TrustPolicy.from_toml("proxies = false")
    assert (strict.proxies, TrustPolicy.from_toml("").proxies) == (False, True)
    refused(made(records), "proxy_refused", replace(POLICY, proxies=False))
    check(shown(select(records, ["Condition.code"]), CHILD), replace(POLICY, proxies=False))


def test_times(records: list[SealedRecord]) -> None:
    disclosure = made(records[:1], replace(MANDATE, majority=0), expires_at=EXPIRES_AT + timedelta(days=30))
    begins, ends = (datetime.fromtimestamp(at, UTC) for at in (MANDATE.not_before, MANDATE.expiry))
    check(disclosure, now=begins)
    refused(disclosure, "delegation_not_begun", now=begins - timedelta(seconds=1))
    check(disclosure, now=ends - timedelta(seconds=1))
    refused(disclosure, "delegation_expired", now=ends)


def test_from_the_majority_date_on_the_proxy_counts_no_more(records: list[SealedRecord]) -> None:
    disclosure = made(records[:1])
    of_age = datetime.fromtimestamp(MANDATE.majority, UTC)
    check(disclosure, now=of_age - timedelta(seconds=1))
    refused(disclosure, "delegation_of_age", now=of_age)


def test_another_audience(records: list[SealedRecord]) -> None:
    ours = replace(MANDATE, audience=AUDIENCE)
    result = check(made(records, ours))
    assert [record.proxy and record.proxy.audience for record in result.records] == [AUDIENCE] * 2
    theirs = delegate(records, CHILD, replace(MANDATE, audience="https://school.example"))
    given = [theirs.of(subject_of(record)) for record in made(records).records]
    refused(stolen(made(records), PARENT, *given), "delegation_audience")


def test_another_subjects_delegation(records: list[SealedRecord]) -> None:
    foreign = record_of(Wallet(b"\x08" * 32), "asthma")
    theirs = delegate([foreign], Wallet(b"\x08" * 32), MANDATE).of(foreign.subject)
    disclosure = made(records)
    refused(stolen(disclosure, PARENT, own(disclosure), theirs), "delegation_invalid")


def test_a_delegation_replayed_for_another_record(records: list[SealedRecord]) -> None:
    disclosure = made(records)
    refused(stolen(disclosure, PARENT, own(disclosure, 1), own(disclosure, 0)), "delegation_invalid")
    check(stolen(disclosure, PARENT, own(disclosure, 0), own(disclosure, 1)))


def test_a_swapped_proxy(records: list[SealedRecord]) -> None:
    disclosure = made(records[:1])
    refused(stolen(disclosure, OTHER, own(disclosure)), "signature_invalid")
    named = replace(own(disclosure), mandate=replace(MANDATE, proxy=OTHER.public))
    refused(stolen(disclosure, OTHER, named), "delegation_invalid")


@pytest.mark.parametrize(
    "change",
    [
        {"not_before": MANDATE.not_before - 1},
        {"expiry": MANDATE.expiry + 1},
        {"majority": 0},
        {"majority": MANDATE.majority + 1},
        {"audience": AUDIENCE},
    ],
    ids=str,
)
def test_other_terms_than_the_holder_signed(records: list[SealedRecord], change: dict[str, Any]) -> None:
    disclosure = made(records[:1])
    wider = replace(own(disclosure), mandate=replace(MANDATE, **change))
    refused(stolen(disclosure, PARENT, wider), "delegation_invalid")


def test_a_removed_delegation(records: list[SealedRecord]) -> None:
    disclosure = made(records)
    refused(
        replace(disclosure, records=tuple(replace(record, delegation=None) for record in disclosure.records)),
        "signature_invalid",
    )


def test_a_delegation_beside_the_holders_own_signature(records: list[SealedRecord]) -> None:
    """Both present: one signature stands in a record, and beside a delegation it is the proxy's."""
    signed = shown(select(records[:1], ["Condition.code"]), CHILD)
    both = replace(signed, records=(replace(signed.records[0], delegation=own(made(records[:1]))),))
    refused(both, "signature_invalid")
    check(signed)


def test_one_of_two_records_by_a_proxy(records: list[SealedRecord]) -> None:
    by_proxy, by_holder = made(records), shown(select(records, ["Condition.code"]), CHILD)
    mixed = replace(by_proxy, records=(by_proxy.records[0], by_holder.records[1]))
    assert [record.proxy is None for record in check(mixed).records] == [False, True]


def test_a_signature_has_one_form(records: list[SealedRecord]) -> None:
    disclosure = made(records[:1])
    [record] = disclosure.records
    delegation = own(disclosure)
    longer = replace(delegation, signature=plus_order(delegation.signature))
    refused(replace(disclosure, records=(replace(record, delegation=longer),)), "delegation_invalid")
    refused(
        replace(disclosure, records=(replace(record, signature=plus_order(record.signature)),)), "signature_malformed"
    )


def test_a_proxys_signature_is_for_one_request(records: list[SealedRecord]) -> None:
    disclosure = made(records)
    refused(replace(disclosure, expiry=disclosure.expiry + 1), "signature_invalid")
    refused(replace(disclosure, records=disclosure.records[:1]), "signature_invalid")


def test_every_flipped_byte_is_refused(records: list[SealedRecord]) -> None:
    disclosure = made(records[:1])
    [record] = disclosure.records
    delegation = own(disclosure)
    for at in range(0, 64, 7):
        flipped = bytearray(delegation.signature)
        flipped[at] ^= 1
        changed = replace(record, delegation=replace(delegation, signature=bytes(flipped)))
        refused(replace(disclosure, records=(changed,)), "delegation_invalid")


MALFORMED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "null": lambda r: r.update(delegation=None),
    "a list": lambda r: r.update(delegation=[]),
    "unknown member": lambda r: r["delegation"].update(purpose="school"),
    "no majority": lambda r: r["delegation"].pop("majority"),
    "true": lambda r: r["delegation"].update(majority=True),
    "a fraction": lambda r: r["delegation"].update(expiry=1e10),
    "negative": lambda r: r["delegation"].update(notBefore=-1),
    "ends before it begins": lambda r: r["delegation"].update(expiry=MANDATE.not_before),
    "of age before it begins": lambda r: r["delegation"].update(majority=MANDATE.not_before),
    "year 10000": lambda r: r["delegation"].update(expiry=253_402_300_800),
    "short key": lambda r: r["delegation"].update(proxy="0x" + "00" * 31),
    "the identity": lambda r: r["delegation"].update(proxy="0x01" + "00" * 31),
    "no point": lambda r: r["delegation"].update(proxy="0x" + "ff" * 32),
    "short signature": lambda r: r["delegation"].update(signature="0x" + "00" * 63),
    "audience": lambda r: r["delegation"].update(audience="a\n"),
    "no audience": lambda r: r["delegation"].update(audience=None),
    "two signatures": lambda r: r.update(proxySignature=r["signature"]),
    "no signature": lambda r: r.pop("signature"),
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_is_refused_at_step_1(records: list[SealedRecord], change: Callable[[Any], Any]) -> None:
    data = json.loads(made(records[:1]).to_json())
    check(json.dumps(data))
    change(data["records"][0])
    with pytest.raises(FormError) as caught:
        check(json.dumps(data))
    assert caught.value.code in ("delegation_malformed", "disclosure_malformed")


def test_a_proxy_discloses_only_what_it_may(records: list[SealedRecord]) -> None:
    selection = select(records, ["Condition.code"])
    cases: list[tuple[DelegationFile, Any, str]] = [
        (delegate(records[:1], CHILD, MANDATE), PARENT, "delegation_missing"),
        (delegate(records, CHILD, MANDATE), OTHER, "proxy_other"),
        (delegate(records, CHILD, MANDATE), CHILD, "proxy_other"),
        (delegate(records, CHILD, replace(MANDATE, audience="https://school.example")), PARENT, "delegation_audience"),
        (delegate(records, CHILD, replace(MANDATE, not_before=AT + 1)), PARENT, "delegation_not_begun"),
        (delegate(records, CHILD, replace(MANDATE, majority=AT)), PARENT, "delegation_of_age"),
    ]
    for delegation, signer, code in cases:
        with pytest.raises(DisclosureError) as caught:
            shown(selection, signer, delegation=delegation)
        assert caught.value.code == code
    check(shown(selection, PARENT, delegation=delegate(records, CHILD, MANDATE)))


def test_a_wallet_delegates_its_own_records_alone(records: list[SealedRecord]) -> None:
    with pytest.raises(KeyFormatError) as caught:
        delegate(records, Wallet(b"\x08" * 32), MANDATE)
    assert caught.value.code == "subject_not_ours"
    with pytest.raises(DelegationError) as none:
        delegate([], CHILD, MANDATE)
    assert none.value.code == "records_missing"


def test_a_delegation_file(records: list[SealedRecord]) -> None:
    whole = delegate(records, CHILD, replace(MANDATE, audience="Prüfstelle"))
    assert DelegationFile.loads(whole.to_json()) == whole
    data = json.loads(whole.to_json())
    assert [each["subject"] for each in data["records"]] == sorted(to_hex(record.subject) for record in records)
    malformed: tuple[Any, ...] = (
        {**data, "kind": "disclosure"},
        {**data, "records": []},
        {**data, "records": data["records"][:1] * 2},
        {**data, "records": data["records"][::-1]},
        {**data, "records": [{"subject": "0x"}]},
        {**data, "note": ""},
        [],
    )
    for changed in malformed:
        with pytest.raises(DelegationError) as caught:
            DelegationFile.loads(json.dumps(changed).encode())
        assert caught.value.code == "delegation_malformed"
    for text in (b"", b"\xff", b"[" * 100_000):
        with pytest.raises(DelegationError):
            DelegationFile.loads(text)


def test_nothing_signed_is_shown(records: list[SealedRecord]) -> None:
    disclosure = made(records)
    assert own(disclosure).signature.hex() not in repr(disclosure) + repr(delegate(records, CHILD, MANDATE))


def test_a_delegation_signs_no_disclosure(records: list[SealedRecord]) -> None:
    """The two messages differ by name: a signature of one is none of the other."""
    disclosure = made(records[:1])
    [record] = disclosure.records
    taken = replace(record, signature=own(disclosure).signature, delegation=None)
    refused(replace(disclosure, records=(taken,)), "signature_invalid")
    subject = subject_of(record)
    message = _core.holder_message(disclosure.digest(), subject, AUDIENCE, NONCE, disclosure.expiry)
    assert message != MANDATE.message(subject)


def test_a_record_that_says_another_type_of_itself_is_not_delegated(records: list[SealedRecord]) -> None:
    fields = tuple(
        each._replace(value="Immunization") if each.name == "chartseal.resourceType" else each
        for each in records[0].fields
    )
    with pytest.raises(ChartsealError):
        delegate([replace(records[0], fields=fields)], CHILD, MANDATE)
