"""Sealing records again for another holder: they say the same, or are refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import Digest
from chartseal.errors import CoreError
from chartseal.fhir import Reading
from chartseal.keys import Wallet
from chartseal.sealing import Issuing, OnePatient, SealedLine, SealedRecord, StatusStore, seal_chart, seal_resource
from chartseal.sealing.reseal import Resealing, is_same, references_of
from tests.charts import issuing
from tests.moves import document_of

OLD, NEW = (Wallet(bytes([number]) * 32) for number in (1, 2))
OLD_ADDRESS, ADDRESS = OLD.sealing_address().data, NEW.sealing_address().data
BEFORE, NOW = (datetime(2026, month, 4, 9, tzinfo=UTC) for month in (5, 11))
CHART = Path(__file__).resolve().parents[3] / "examples/Olivia_Bauch_844ccbe1.json.gz"
BASE = "https://issuer.example/fhir/"


@pytest.fixture
def crediting(tmp_path: Path) -> Issuing:
    key = _core.ProvingKey((7).to_bytes(32, "little"))
    return replace(issuing(), proving=key, places=StatusStore(tmp_path / "key.status.db"))


def again(records: Sequence[SealedRecord], by: Issuing, **more: Any) -> list[SealedRecord | CoreError]:
    work = Resealing(by, ADDRESS, references_of(each.event for each in records), **more)
    found = work.lines(records, now=NOW)
    return [SealedRecord.from_json(each.line) if isinstance(each, SealedLine) else each for each in found]


def one(record: SealedRecord, by: Issuing, **more: Any) -> SealedRecord:
    [found] = again([record], by, **more)
    assert isinstance(found, SealedRecord), found
    return found


def code(record: SealedRecord, by: Issuing, **more: Any) -> str:
    [found] = again([record], by, **more)
    assert isinstance(found, CoreError)
    return found.code


def request(**more: Any) -> bytes:
    resource = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": "http://a.example", "code": "1"}]},
        "subject": {"reference": "Patient/p1"},
        "dispenseRequest": {"numberOfRepeatsAllowed": 2},
    }
    return json.dumps({**resource, **more}).encode()


def test_a_chart_says_the_same_to_its_new_holder(crediting: Issuing) -> None:
    """Its records name their patient by urn:uuid, which only the chart resolves."""
    chart = seal_chart(CHART, crediting, OLD_ADDRESS, now=BEFORE)
    records = chart.records[:60]
    assert any(each.resource_type == "Patient" for each in records)
    for old, new in zip(records, again(records, crediting), strict=True):
        assert isinstance(new, SealedRecord), new
        new.check()
        assert is_same(old, new)
        assert (new.attester, new.address) == (old.attester, str(NEW.sealing_address()))
        assert new.package.message.time == crediting.sealed_at(NOW) > old.package.message.time
        ours, theirs = ({each.uid, each.enc, each.seed, each.subject, each.root} for each in (old, new))
        assert not ours & theirs
        assert NEW.is_mine(new.enc, new.subject)
        assert not OLD.is_mine(new.enc, new.subject)
        assert len(new.claims) == len(old.claims)


def test_without_its_patient_a_record_needs_her_id(crediting: Issuing) -> None:
    """Which its urn:uuid is mostly; else whoever knows the patient says it."""
    chart = seal_chart(CHART, crediting, OLD_ADDRESS, now=BEFORE)
    alone = of_type(chart.records, "Condition")
    assert is_same(alone, one(alone, crediting))
    named = "urn:uuid:00000000-0000-4000-8000-000000000001"
    condition = {"resourceType": "Condition", "subject": {"reference": named}, "code": {"text": "x"}}
    entries = [{"fullUrl": named, "resource": {"resourceType": "Patient", "id": "p1"}}]
    entries += [{"fullUrl": named.replace("0001", "0002"), "resource": condition}]
    bundle = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    alone = of_type(seal_chart(bundle, crediting, OLD_ADDRESS, now=BEFORE).records, "Condition")
    assert code(alone, crediting) == "reseal_differs"
    assert code(alone, crediting, patients=("p2",)) == "reseal_differs"
    assert is_same(alone, one(alone, crediting, patients=("p2", "p1")))
    elsewhere = of_type(seal_chart(document_of(), crediting, OLD_ADDRESS, now=BEFORE).records, "Composition")
    assert elsewhere.event.full_url.startswith("https://hospital.example")
    assert is_same(elsewhere, one(elsewhere, crediting))  # of another server than the issuer's base


def of_type(records: Sequence[SealedRecord], resource_type: str) -> SealedRecord:
    return next(each for each in records if each.resource_type == resource_type)


def test_credentials_are_the_new_holders_own(crediting: Issuing) -> None:
    condition = {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}, "code": {"text": "x"}}
    old = seal_resource(json.dumps(condition), crediting, OLD_ADDRESS, now=BEFORE)
    new = one(old, crediting)
    assert old.credential is not None
    assert new.credential is not None
    assert new.credential.claim_id != old.credential.claim_id
    assert (new.credential.list, new.credential.index) != (old.credential.list, old.credential.index)


def test_what_is_counted_gets_none_and_holds_no_longer_than_before(crediting: Issuing) -> None:
    old = seal_resource(request(), crediting, OLD_ADDRESS, now=BEFORE)
    assert old.credential is not None
    assert old.credential.uses == 3
    new = one(old, crediting)
    new.check()
    assert new.credential is None
    assert new.package.message.expiration_time == old.package.message.expiration_time > 0
    short = replace(crediting, validity=timedelta(days=3))
    assert one(seal_resource(request(), short, OLD_ADDRESS, now=BEFORE), crediting).package.message.expiration_time == (
        short.sealed_at(BEFORE) + 3 * 86_400
    )


def test_an_amendment_stays_one(crediting: Issuing) -> None:
    amends = Digest(b"\7" * 32)
    url = f"{BASE}MedicationRequest/m1"
    old = seal_resource(request(), crediting, OLD_ADDRESS, now=BEFORE, amends=amends, full_url=url)
    new = one(old, crediting)
    assert (new.event.amends, new.event.full_url) == (amends, url)


def test_what_the_issuer_let_through_it_lets_through_again() -> None:
    """A modifier, rules, a test record and a long attachment, among what needs the chart to be read again."""
    image = base64.b64encode(bytes(2_000)).decode()
    patient = {"resourceType": "Patient", "id": "p1", "meta": {"security": [security()]}}
    media = {
        "resourceType": "Media",
        "id": "i1",
        "meta": {"security": [security()]},
        "implicitRules": "https://a.example/rules",
        "modifierExtension": [{"url": "https://a.example/modifier", "valueBoolean": True}],
        "status": "completed",
        "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
        "content": {"contentType": "image/png", "data": image},
    }
    entries = [
        {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001", "resource": patient},
        {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000002", "resource": media},
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    reading = Reading(True, ("https://a.example/modifier",), ("https://a.example/rules",))
    chart = seal_chart(json.dumps(bundle), issuing(), OLD_ADDRESS, now=BEFORE, reading=reading)
    assert len(chart.records) == 2
    for old, new in zip(chart.records, again(chart.records, issuing()), strict=True):
        assert isinstance(new, SealedRecord), new
        new.check()
        assert is_same(old, new)
        assert new.detached == old.detached
        assert bool(new.detached) is (new.resource_type == "Media")


def security() -> dict[str, str]:
    return {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}


def test_a_document_holds_the_new_roots_of_its_entries() -> None:
    chart = seal_chart(document_of(), issuing(), OnePatient(OLD_ADDRESS), now=BEFORE)
    *entries, whole = sorted(chart.records, key=lambda each: each.resource_type == "Bundle")
    assert (len(entries), whole.resource_type) == (2, "Bundle")
    moved = [one(each, issuing()) for each in entries]
    roots = {old.root: new.root for old, new in zip(entries, moved, strict=True)}
    new = one(whole, issuing(), roots=roots)
    new.check()
    assert is_same(whole, new)
    held = {each.value for each in new.fields if each.name.startswith("chartseal.entry[")}
    assert held == set(roots.values())
    assert code(whole, issuing(), roots={entries[0].root: moved[0].root}) == "document_incomplete"


def test_what_would_say_something_else_is_refused(crediting: Issuing) -> None:
    old = seal_resource(request(), crediting, OLD_ADDRESS, now=BEFORE)
    assert code(old, replace(crediting, person_secret=b"\5" * 32)) == "reseal_differs"
    assert code(old, replace(crediting, base="https://else.example/fhir/")) == "reseal_differs"
    chart = seal_chart(CHART, crediting, OLD_ADDRESS, now=BEFORE)
    patient, condition = (of_type(chart.records, kind) for kind in ("Patient", "Condition"))
    fields = tuple(
        replace_value(each, b"\1" * 32) if each.name == "chartseal.amends" else each for each in condition.fields
    )
    _, found = again([patient, replace(condition, fields=fields)], crediting)
    assert isinstance(found, CoreError)
    assert found.code == "reseal_differs"


def replace_value(field: Any, value: bytes) -> Any:
    return field._replace(value=value)
