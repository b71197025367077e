"""Reads: a resource as it was sealed, or the same 404 for what is not here and for what may not be shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, update

from chartseal.attestation import Digest
from chartseal.consent import Basis, Decision, RecordFacts
from chartseal.errors import ChartsealError, ConsentStoreError, FhirRequestError, VaultError, VaultKeyError
from chartseal.node.fhir.outcomes import PART_2_NOTICE, Answer, refusal
from chartseal.record import read_fields
from chartseal.vault.audit.accounting import account
from chartseal.vault.database import reading, writing
from chartseal.vault.erasure import Basis as Ground
from chartseal.vault.erasure import erase
from chartseal.vault.tables import BLOB, RECORD
from tests.charts import NOW
from tests.fhir_answers import PERMITTED, Client, Node, keep, observation, patient, who
from tests.vault_records import create


def refused(node: Node, resource_type: str, identifier: str) -> Answer:
    with pytest.raises(FhirRequestError) as caught:
        node.answers.read(resource_type, identifier, node.asked)
    return refusal(caught.value)


def test_a_resource_comes_as_it_was_sealed(node: Node) -> None:
    sealed = json.dumps(observation("o1")).replace("4.1", "0.0100")
    keep(node.vault, patient(), sealed)
    text = node.read("Observation/o1")
    assert '"value":0.0100' in text
    assert json.loads(text) == json.loads(sealed)
    assert read_fields(text.encode()).resource_type == "Observation"


def test_an_answer_is_kept_by_nobody_on_the_way(node: Node) -> None:
    keep(node.vault, patient())
    made = node.answers.read("Patient", "p1", node.asked)
    assert (made.status, made.headers["Cache-Control"]) == (200, "no-store")
    assert made.headers["Content-Type"].startswith("application/fhir+json")
    assert made.headers["Content-Length"] == str(len(made.body))


def test_a_refused_read_is_the_same_as_an_unknown_one(node: Node) -> None:
    keep(node.vault, observation("o1"))
    node.rules.refuse_all()
    answers = [refused(node, "Observation", each) for each in ("o1", "o2", "no id!", "x" * 65, "")]
    assert len({(each.status, each.body, tuple(each.headers.items())) for each in answers}) == 1
    assert answers[0].status == 404
    assert b"o1" not in answers[0].body


def test_what_is_given_and_what_is_refused_is_entered(node: Node) -> None:
    keep(node.vault, observation("o1"))
    node.rules.decide = lambda _: Decision(True, Basis.CONSENT, Digest(b"\x07" * 32))
    node.read("Observation/o1")
    node.rules.refuse_all()
    refused(node, "Observation", "o1")
    refused(node, "Observation", "o2")
    entry = node.vault.find()[0]
    given, kept_back, unknown = node.log()
    assert (given.action, given.actor, given.purpose) == ("disclose", "0x" + "b0" * 20, "TREAT")
    assert (given.basis, given.what) == ("consent 0x" + "07" * 32, f"{entry.name} 1")
    assert (kept_back.action, kept_back.basis, kept_back.what) == ("refuse", "no-consent", f"{entry.name} 1")
    assert given.patient == kept_back.patient == node.vault.pseudonym("Patient/p1")
    assert (unknown.action, unknown.what, unknown.patient) == ("refuse", "Observation", None)


def test_who_received_it_is_accounted_for(node: Node) -> None:
    keep(node.vault, observation("o1"))
    node.client = Client(requester=who(None, "PUBHLTH"))
    node.read("Observation/o1")
    with reading(node.vault.engine) as connection:
        [told] = account(node.vault.audit, connection, node.vault.pseudonym("Patient/p1"), now=NOW)
    assert (told.recipient, told.description, told.purpose) == ("Hospital B, Dr. Ada", "Observation", "PUBHLTH")
    assert node.log()[0].actor == "client-b"


def test_nothing_leaves_that_cannot_be_entered(node: Node) -> None:
    keep(node.vault, observation("o1"))
    node.client = Client(requester=who(purpose="x" * 65))
    with pytest.raises(ChartsealError) as caught:
        node.read("Observation/o1")
    assert (caught.value.code, refusal(caught.value).status) == ("act_malformed", 500)


def test_the_newest_version_is_shown_or_none(node: Node) -> None:
    keep(node.vault, observation("o1"), observation("o1", status="corrected"))
    assert json.loads(node.read("Observation/o1"))["status"] == "corrected"
    newest = node.vault.find()[-1]
    decisions = iter([Decision(False), PERMITTED])
    node.rules.decide = lambda _: next(decisions)
    refused(node, "Observation", "o1")
    assert node.log()[-1].what == f"{newest.name} 1"


def test_a_practitioner_of_many_charts_is_read_from_one_that_may_be_shown(node: Node) -> None:
    doctor = {"resourceType": "Practitioner", "id": "d1", "active": True}
    keep(node.vault, doctor, patient="Patient/p1")
    keep(node.vault, doctor | {"active": False}, patient="Patient/p2")
    decisions = iter([Decision(False), PERMITTED])
    node.rules.decide = lambda _: next(decisions)
    assert json.loads(node.read("Practitioner/d1"))["active"] is True
    assert [each.action for each in node.log()] == ["disclose"]


def test_types_that_are_not_served(node: Node) -> None:
    keep(node.vault, observation("o1"))
    for name in ("Foo", "observation", "Parameters"):
        assert refused(node, name, "o1").status == 404
    assert node.rules.asked == []


def test_erased_and_damaged_records_are_as_unknown_ones(node: Node) -> None:
    keep(node.vault, observation("o1"), observation("o2"))
    unknown = refused(node, "Observation", "o3").body
    erase(node.vault, node.vault.find()[:1], basis=Ground.PATIENT_REQUEST, actor="clerk", now=NOW)
    with writing(node.vault.engine) as connection:
        second = select(RECORD.c.blob).where(RECORD.c.id == 2).scalar_subquery()
        connection.execute(update(BLOB).where(BLOB.c.hash == second).values(data=b"x"))
    assert refused(node, "Observation", "o1").body == refused(node, "Observation", "o2").body == unknown


def test_keys_out_of_reach_are_no_missing_record(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(node.vault, observation("o1"))

    def fail(_: int) -> bytes:
        raise VaultKeyError("gone", "key_unreachable")

    monkeypatch.setattr(node.vault.epochs, "secret", fail)
    with pytest.raises(VaultKeyError) as caught:
        node.read("Observation/o1")
    made = refusal(caught.value)
    assert (made.status, b"gone" in made.body) == (503, False)


def test_what_the_receiver_must_be_told_goes_with_it(node: Node) -> None:
    keep(node.vault, observation("o1"))
    assert "Chartseal-Notice" not in node.answers.read("Observation", "o1", node.asked).headers
    node.rules.decide = lambda _: Decision(True, Basis.CONSENT, duties=frozenset({"part2-notice"}))
    assert node.answers.read("Observation", "o1", node.asked).headers["Chartseal-Notice"] == PART_2_NOTICE


def test_a_vault_without_an_index_answers_nothing(tmp_path: Path) -> None:
    bare = create(str(tmp_path / "bare.db"), searchable=False)
    with pytest.raises(VaultError) as caught:
        Node(bare).read("Observation/o1")
    assert (caught.value.code, refusal(caught.value).status) == ("not_searchable", 501)
    bare.close()


def test_what_cannot_be_decided_is_no_empty_answer(node: Node) -> None:
    keep(node.vault, patient(), observation("o1"))

    def unavailable(_: RecordFacts) -> Decision:
        raise ConsentStoreError("the register cannot be used", "register_unavailable")

    node.rules.decide = unavailable
    calls: tuple[Callable[[], object], ...] = (
        lambda: node.answers.read("Observation", "o1", node.asked),
        lambda: node.answers.search("Observation", "patient=p1&_total=accurate", node.asked),
        lambda: node.answers.everything("p1", "", node.asked),
    )
    for call in calls:
        with pytest.raises(ConsentStoreError) as caught:
            call()
        assert refusal(caught.value).status == 503
