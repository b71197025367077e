"""Credentials: against the vectors of two other implementations, and every part that may not be altered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.chain.authority import status_root
from chartseal.errors import ChartsealError, CredentialError, SealedRecordError
from chartseal.record import Credential, Event, is_of_event
from chartseal.record.credential import LIST_SIZE, NEVER
from chartseal.sealing import SealedRecord, StatusStore
from tests.charts import ISSUER, ISSUING, Holder, sealed, texts, vector_record, vectors

KEY = _core.ProvingKey((7).to_bytes(32, "little"))
ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
REPEATS = "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed"
URL = "https://issuer.example/fhir/MedicationRequest/1"
PRESCRIPTION = texts({"MedicationRequest.status": "active", "MedicationRequest.intent": "order"})


@pytest.fixture
def store(tmp_path: Path) -> StatusStore:
    return StatusStore(tmp_path / "key.status.db")


@pytest.fixture
def record(store: StatusStore) -> SealedRecord:
    return prescription(store)


def prescription(store: StatusStore, *, repeats: int = 3, **options: Any) -> SealedRecord:
    fields = [*PRESCRIPTION, (REPEATS, "int256", repeats)]
    options.setdefault("full_url", URL)
    return sealed("MedicationRequest", fields, by=replace(ISSUING, proving=KEY, places=store), **options)  # type: ignore[arg-type]  # tuples do


def credential_of(record: SealedRecord) -> Credential:
    assert record.credential is not None
    return record.credential


def test_the_message_of_the_vectors(shared: Path) -> None:
    once = json.loads((shared / "vectors/formats/once.json").read_text())
    name = min(vectors(shared))
    found = vector_record(shared, name)
    holder = int(once["holder"]).to_bytes(32)
    assert (found.resource_type, found.holder) == ("AllergyIntolerance", holder)
    credential = Credential(
        list=0,
        index=5,
        claim_id=b"\x77" * 31,
        uses=1,
        key=KEY.public(),
        signature=bytes(64),
        sealed_at=found.package.message.time,
        expiry=NEVER,
    )
    message = credential.message(bytes.fromhex(once["issuer"]["attester"][2:]), found.claims_root, found.holder)
    assert int.from_bytes(message) == int(once["credential"])


def test_open_claims_give_the_sealed_root(shared: Path) -> None:
    for name, vector in vectors(shared).items():
        found = vector_record(shared, name)
        expected = vector["expected"]["claims"]
        assert [(each.index, each.kind, each.path) for each in found.claims] == [
            (claim["index"], claim["kind"], claim["path"]) for claim in expected
        ]
        tag = (_core.keccak256(_abi_string("chartseal/1/tag/claim"))[:31]).rjust(32, b"\0")
        for claim in found.claims:
            assert _core.poseidon_hash([tag, claim.key, claim.value, claim.salt]) == claim.leaf
        assert _core.poseidon_root([claim.leaf for claim in found.claims], 3) == found.claims_root
        assert found.claims[0].value == found.holder


def _abi_string(text: str) -> bytes:
    data = text.encode()
    return (32).to_bytes(32) + len(data).to_bytes(32) + data.ljust(-(-len(data) // 32) * 32, b"\0")


def test_a_sealed_record_has_a_credential_that_holds(record: SealedRecord, store: StatusStore) -> None:
    record.check()
    credential = credential_of(record)
    assert (credential.uses, credential.key, credential.list) == (4, KEY.public(), 0)
    assert credential.sealed_at == record.package.message.time
    assert credential.expiry == record.package.message.expiration_time > 0
    [place] = store.reserve(ISSUER, [record.uid])
    assert place == (0, credential.index)
    assert SealedRecord.from_json(record.to_json()) == record
    never = sealed(
        "Observation", texts({"Observation.status": "final"}), by=replace(ISSUING, proving=KEY, places=store)
    )
    never.check()
    assert (credential_of(never).expiry, credential_of(never).uses) == (NEVER, 1)


def test_neither_key_nor_places_alone_give_one(store: StatusStore) -> None:
    for by in (ISSUING, replace(ISSUING, proving=KEY), replace(ISSUING, places=store)):
        plain = sealed("MedicationRequest", PRESCRIPTION, by=by)
        plain.check()
        assert plain.credential is None
        assert b'"credential"' not in plain.to_json()
    assert not store.exists


OTHER_KEY = _core.ProvingKey((8).to_bytes(32, "little"))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[Credential], Credential]:
    return lambda each: replace(each, **{name: change(getattr(each, name))})


CHANGES: dict[str, tuple[Callable[[Credential], Credential], str]] = {
    "list": (changed("list", lambda it: it + 1), "credential_signature"),
    "list too large": (changed("list", lambda _: 2**32), "credential_malformed"),
    "index": (changed("index", lambda it: it ^ 1), "credential_signature"),
    "index outside a list": (changed("index", lambda _: LIST_SIZE), "credential_malformed"),
    "claimId": (changed("claim_id", lambda it: flipped(it, 0)), "credential_signature"),
    "claimId too long": (changed("claim_id", lambda it: it + b"\0"), "credential_malformed"),
    "more uses": (changed("uses", lambda it: it + 1), "credential_uses"),
    "no uses": (changed("uses", lambda _: 0), "credential_uses"),
    "another key": (changed("key", lambda _: OTHER_KEY.public()), "credential_signature"),
    "key that is the identity": (changed("key", lambda _: b"\1" + bytes(31)), "credential_key"),
    "key out of range": (changed("key", lambda _: b"\xff" * 32), "credential_key"),
    "signature's point": (changed("signature", lambda it: b"\xff" * 32 + it[32:]), "credential_signature"),
    "signature's scalar": (changed("signature", lambda it: flipped(it, 40)), "credential_signature"),
    "sealed later": (changed("sealed_at", lambda it: it + 86_400), "credential_times"),
    "holds longer": (changed("expiry", lambda _: NEVER), "credential_times"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_altered_part_is_refused(name: str, record: SealedRecord) -> None:
    change, code = CHANGES[name]
    altered = replace(record, credential=change(credential_of(record)))
    with pytest.raises(CredentialError) as refused:
        altered.check()
    assert refused.value.code == code
    assert refused.value.path.startswith("credential")


def test_anothers_credential_is_refused(record: SealedRecord, store: StatusStore) -> None:
    """Of another record, and of another holder with the same fields."""
    again = prescription(store)
    other = prescription(store, holder=Holder(_core.Wallet(b"\x23" * 64)))
    for each in (again, other):
        with pytest.raises(CredentialError) as refused:
            replace(record, credential=each.credential).check()
        assert refused.value.code == "credential_signature"


def test_a_root_that_is_no_field_element_is_refused(record: SealedRecord) -> None:
    credential = credential_of(record)
    with pytest.raises(CredentialError) as refused:
        credential.check(ISSUER, ORDER.to_bytes(32), record.holder)
    assert refused.value.code == "credential_malformed"
    with pytest.raises(CredentialError):
        credential.check(ISSUER, (ORDER - 1).to_bytes(32), record.holder)


def test_test_records_get_none_and_may_have_none(store: StatusStore, record: SealedRecord) -> None:
    """A proof that does not show the record would not show that it is a test."""
    test = prescription(store, test=True)
    test.check()
    assert test.credential is None
    with pytest.raises(CredentialError) as refused:
        replace(test, credential=record.credential).check()
    assert refused.value.code == "credential_on_test"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("list", -1),
        ("list", 2**32),
        ("list", "0"),
        ("list", True),
        ("index", LIST_SIZE),
        ("index", 1.0),
        ("claimId", "0x" + "77" * 32),
        ("claimId", "77" * 31),
        ("uses", 0),
        ("uses", 65_536),
        ("uses", None),
        ("key", "0x" + "00" * 31),
        ("signature", "0x" + "00" * 65),
        ("more", 1),
    ],
)
def test_malformed_members_are_named(member: str, value: Any, record: SealedRecord) -> None:
    data = json.loads(record.to_json())
    data["credential"][member] = value
    with pytest.raises(SealedRecordError) as refused:
        SealedRecord.from_json(json.dumps(data))
    assert refused.value.path.startswith("credential")
    wrong: Any
    for wrong in (None, [], {}, {"list": 0}):
        with pytest.raises(SealedRecordError):
            SealedRecord.from_json(json.dumps({**data, "credential": wrong}))


def test_claim_ids_are_the_events_and_the_holders(store: StatusStore) -> None:
    first = credential_of(prescription(store)).claim_id
    assert credential_of(prescription(store, repeats=5)).claim_id == first
    others = [
        prescription(store, full_url=URL + "1"),
        prescription(store, holder=Holder(_core.Wallet(b"\x23" * 64))),
        prescription(store, full_url=""),
        prescription(store, full_url=""),
    ]
    assert len({credential_of(each).claim_id for each in others} | {first}) == 5
    kept = prescription(store, full_url="", claim_id=first)
    assert credential_of(kept).claim_id == first
    kept.check()


@pytest.mark.parametrize(("repeats", "uses"), [(0, 1), (65_533, 65_534), (65_534, 65_535), (65_535, 65_535)])
def test_repeats_are_uses(repeats: int, uses: int, store: StatusStore) -> None:
    found = prescription(store, repeats=repeats)
    assert credential_of(found).uses == uses
    found.check()


def test_errors_carry_no_values(record: SealedRecord) -> None:
    credential = credential_of(record)
    shown = [repr(credential), repr(record), *(repr(each) for each in record.claims)]
    for change, _ in CHANGES.values():
        with pytest.raises(ChartsealError) as refused:
            replace(record, credential=change(credential)).check()
        shown.append(str(refused.value))
    secrets = [credential.claim_id, credential.signature, credential.key, record.claims[0].value, record.claims[0].salt]
    for text in shown:
        assert not any(each.hex() in text or repr(each) in text for each in secrets)


def event(
    uid: int, *, url: str = URL, own: str = "", amends: int = 0, kind: str = "MedicationRequest", by: int = 1
) -> Event:
    return Event(bytes([by]) * 20, bytes([uid]) * 32, kind, url, own, bytes([amends]) * 32)


def test_one_claim_id_is_one_event() -> None:
    held = [event(1), event(2, url="", amends=1)]
    allowed = [event(1, url="x"), event(3), event(4, url="", amends=2), event(5, url="", amends=1, by=2)]
    refused = [
        event(3, url=""),
        event(3, url=URL + "1"),
        event(3, by=2),
        event(3, kind="Coverage"),
        event(4, url="", amends=9),
    ]
    assert all(is_of_event(each, held) for each in allowed)
    assert not any(is_of_event(each, held) for each in refused)
    assert is_of_event(event(1, url="", amends=0), [event(2, url="", amends=1)])
    assert not is_of_event(event(1), [])


def test_a_resource_exported_otherwise_is_the_same_event() -> None:
    held = [event(1, own="7")]
    assert is_of_event(event(2, url="urn:uuid:1", own="7"), held)
    assert is_of_event(event(2, url=f"{URL}/_history/2"), held)
    assert not is_of_event(event(2, url="urn:uuid:1", own="8"), held)
    assert not is_of_event(event(2, url="urn:uuid:1", own="7", by=2), held)


def test_a_records_event_is_read_of_its_fields(record: SealedRecord, store: StatusStore) -> None:
    amended = prescription(store, amends=record.uid, full_url="")
    assert record.event == Event(ISSUER, record.uid, "MedicationRequest", URL, "", bytes(32))
    assert amended.event.amends == record.uid
    assert is_of_event(amended.event, [record.event])


def test_both_sides_have_one_size_of_lists() -> None:
    assert LIST_SIZE == status_root.LIST_SIZE
