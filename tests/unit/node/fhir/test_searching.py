"""Searches: what matches and may be shown, page after page, and no sign of anything else."""

from __future__ import annotations

import json
import tracemalloc
from base64 import b64decode, urlsafe_b64decode
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from chartseal.consent import Basis, Decision, RecordFacts
from chartseal.disclosure import Selection
from chartseal.errors import DisclosureError, FhirRequestError, VaultError
from chartseal.node.fhir.outcomes import PART_2_NOTICE
from chartseal.sealing import SealedRecord
from chartseal.vault.database import writing
from chartseal.vault.tables import BLOB, MOVE, RECORD, SUCCESSION
from tests.charts import NOW
from tests.fhir_answers import (
    CATEGORY,
    HIV,
    NODE,
    Client,
    Node,
    answer_record,
    concept,
    entries,
    included,
    issues,
    keep,
    line_of,
    link,
    matches,
    observation,
    patient,
)
from tests.vault_records import BASE, LOINC, put


def is_labelled(facts: RecordFacts) -> bool:
    return facts.is_labelled


def labelled(identifier: str) -> dict[str, object]:
    return observation(identifier, meta={"security": [HIV]})


def chart(node: Node, count: int = 5) -> None:
    keep(node.vault, patient(), *(observation(f"o{at}") for at in range(count)))


def test_a_search_gives_a_patients_records_of_a_type(node: Node) -> None:
    chart(node)
    keep(node.vault, observation("other", subject={"reference": "Patient/p2"}))
    bundle = node.search("Observation", "patient=p1")
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    assert matches(bundle) == ["o0", "o1", "o2", "o3", "o4"]
    assert bundle["entry"][0]["fullUrl"] == f"{BASE}Observation/o0"
    assert link(bundle, "self") == f"{NODE}Observation?patient=p1"
    assert link(bundle, "next") is None
    assert "total" not in bundle
    assert {interaction for _, interaction in node.rules.asked} == {"s"}


@pytest.mark.parametrize(
    "text",
    [
        "patient=p1",
        "patient=Patient/p1",
        "subject=Patient/p1",
        "subject:Patient=p1",
        f"patient={BASE}Patient/p1",
        f"patient={NODE}Patient/p1",
        "patient=Patient/p1/_history/2",
        "patient=Patient%2Fp1",
        "patient=p0,p1",
        "_id=o0,o1,o2",
        "_id=o0,o1,o2&patient=p1",
        f"patient=p1&code={LOINC}|2823-3",
        f"patient=p1&code={LOINC}%7C2823-3,{LOINC}|x",
        "patient=p1&code=2823-3",
        f"patient=p1&code={LOINC}|",
        "patient=p1&category=laboratory,vital-signs",
        f"patient=p1&category={CATEGORY}|laboratory&status=final",
        "patient=p1&date=2026-05-04",
        "patient=p1&date=ge2026-05&date=le2026-05-04",
        "patient=p1&date=2026-05-04T07:30:00Z",
        "patient=p1&date=lt2026-05-04T08:00:00Z",
        "patient=p1&encounter=Encounter/e1",
        "patient=p1&encounter=e1",
        f"patient=p1&encounter={BASE}Encounter/e1",
    ],
)
def test_what_finds_all(node: Node, text: str) -> None:
    keep(node.vault, *(observation(f"o{at}", encounter={"reference": "Encounter/e1"}) for at in range(3)))
    assert node.ids("Observation", text) == ["o0", "o1", "o2"]


@pytest.mark.parametrize(
    "text",
    [
        "patient=p2",
        f"patient={BASE}Patient/p",
        "patient=https://elsewhere.example/fhir/Patient/p1",
        "_id=o9",
        "_id=o0&patient=p2",
        f"patient=p1&code={LOINC}|2823",
        "patient=p1&code=|2823-3",
        "patient=p1&code=http://snomed.info/sct|2823-3",
        "patient=p1&category=vital-signs",
        "patient=p1&status=Final",
        "patient=p1&date=2026-05-03",
        "patient=p1&date=gt2026-05-04",
        "patient=p1&date=ge2026-05&date=lt2026-05",
        "patient=p1&date=2026-05-04T07:31:00Z",
        "patient=p1&encounter=e2",
        "patient=p1&encounter=https://elsewhere.example/Encounter/e1",
    ],
)
def test_what_finds_nothing(node: Node, text: str) -> None:
    keep(node.vault, observation("o0", encounter={"reference": "Encounter/e1"}))
    bundle = node.search("Observation", text)
    assert "entry" not in bundle
    assert link(bundle, "next") is None


def test_numbers_stay_as_they_were_sealed(node: Node) -> None:
    keep(node.vault, json.dumps(observation("o1")).replace("4.1", "1.50E+2"))
    body = node.answers.search("Observation", "patient=p1", node.asked).body
    assert b'"value":1.50E+2' in body


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
def test_pages_give_each_match_once(node: Node, count: int) -> None:
    chart(node)
    pages = list(node.pages("Observation", f"patient=p1&_count={count}"))
    assert [each for page in pages for each in matches(page)] == [f"o{at}" for at in range(5)]
    assert len(pages) == -(-5 // count)
    assert all(len(matches(page)) == count for page in pages[:-1])


def test_pages_hide_what_is_refused(node: Node) -> None:
    """With and without refused records between them, the same pages."""
    node.rules.refuse(is_labelled)
    keep(node.vault, observation("o1"), labelled("x1"), observation("o2"), labelled("x2"), labelled("x3"))
    first, *rest = list(node.pages("Observation", "patient=p1&_count=1&_total=accurate"))
    assert (matches(first), [matches(each) for each in rest]) == (["o1"], [["o2"]])
    assert [each["total"] for each in (first, *rest)] == [2, 2]
    keep(node.vault, labelled("x4"))
    whole = node.search("Observation", "patient=p1&_count=2")
    assert (matches(whole), link(whole, "next")) == (["o1", "o2"], None)


def test_an_answer_is_the_same_whether_nothing_is_there_or_nothing_may_be_shown(node: Node) -> None:
    chart(node)
    node.rules.refuse_all()
    for text in ("patient=p1&_total=accurate", "patient=p1&_include=Observation:subject&_revinclude=Provenance:target"):
        here = node.answers.search("Observation", text, node.asked).body
        there = node.answers.search("Observation", text.replace("p1", "p9"), node.asked).body
        assert here.replace(b"p1", b"p9") == there
    assert node.answers.everything("p1", "", node.asked).body.replace(b"p1", b"p9") == (
        node.answers.everything("p9", "", node.asked).body
    )


def test_totals_count_what_may_be_shown(node: Node) -> None:
    node.rules.refuse(is_labelled)
    keep(node.vault, observation("o1"), labelled("x1"), observation("o2"), observation("o2", status="amended"))
    assert node.search("Observation", "patient=p1&_total=accurate&_count=1")["total"] == 2
    counted = node.search("Observation", "patient=p1&_count=0")
    assert (counted["total"], "entry" in counted) == (2, False)
    assert "total" not in node.search("Observation", "patient=p1&_total=none")
    assert [each.what for each in node.log() if each.action == "search"] == ["Observation"] * 2


def test_a_search_that_finds_nothing_is_entered(node: Node) -> None:
    chart(node, 1)
    node.search("Observation", "patient=p9")
    node.everything("p9")
    assert [(each.action, each.what) for each in node.log()] == [("search", "Observation"), ("search", "everything")]
    assert {each.patient for each in node.log()} == {node.vault.pseudonym("Patient/p9")}


def test_an_older_version_is_no_match(node: Node) -> None:
    keep(node.vault, observation("o1"), observation("o1", status="amended"), observation("o2"))
    assert node.ids("Observation", "patient=p1") == ["o1", "o2"]
    assert node.ids("Observation", "patient=p1&status=final") == ["o2"]
    node.rules.refuse(is_labelled)
    keep(node.vault, labelled("o2"))
    assert node.ids("Observation", "patient=p1") == ["o1"]


def test_what_was_sealed_again_for_another_address_is_history(node: Node) -> None:
    keep(node.vault, observation("o1"), observation("o2"))
    with writing(node.vault.engine) as connection:
        connection.execute(insert(SUCCESSION).values(old=b"o" * 16, new=b"n" * 16, taken_at=1))
        move = {"record_id": 1, "successor_id": 2, "succession": b"o" * 16, "domain": b"d" * 32}
        connection.execute(insert(MOVE).values(move))
    assert node.ids("Observation", "patient=p1") == matches(node.everything("p1")) == ["o2"]
    with pytest.raises(FhirRequestError):
        node.read("Observation/o1")


def test_another_patients_record_of_the_same_name_hides_nothing(node: Node) -> None:
    keep(node.vault, observation("o1"), observation("o1", subject={"reference": "Patient/p2"}))
    assert node.ids("Observation", "patient=p1") == ["o1"]


def test_a_resource_without_an_id_is_found_and_named_by_its_seal(node: Node) -> None:
    without = {name: value for name, value in observation("").items() if name != "id"}
    for each in (without, without | {"id": "x"}):
        put(node.vault, [line_of(each, full_url="")], queue=None, delivery_days=0)
    first, second = node.search("Observation", "patient=p1")["entry"]
    assert first["fullUrl"].startswith("urn:uuid:")
    assert second["fullUrl"] == f"{NODE}Observation/x"


def test_consent_counts_anew_on_each_page(node: Node) -> None:
    chart(node)
    first = node.search("Observation", "patient=p1&_count=2")
    following = link(first, "next")
    assert following is not None
    token = following.partition("_cursor=")[2]
    assert b"patient" not in urlsafe_b64decode(token + "=" * (-len(token) % 4))
    node.rules.refuse_all()
    second = node.search("Observation", following.partition("?")[2])
    assert "entry" not in second
    assert link(second, "next") is None
    assert [each.action for each in node.log()] == ["disclose"] * 2 + ["refuse"] * 3


def test_a_page_is_one_callers_of_one_search_and_of_one_hour(node: Node) -> None:
    chart(node)
    following = link(node.search("Observation", "patient=p1&_count=2"), "next")
    assert following is not None
    token = following.partition("?")[2]
    others: list[tuple[Node, str, str]] = [
        (Node(node.vault, client=Client("client-c")), "Observation", token),
        (Node(node.vault, now=NOW + timedelta(hours=1)), "Observation", token),
        (node, "Condition", token),
        (node, "Observation", token[:-1] + ("A" if token[-1] != "A" else "B")),
        (node, "Observation", "_cursor="),
        (node, "Observation", "_cursor=" + "A" * 200),
        (node, "Observation", "_cursor=%E2%82%AC"),
    ]
    for other, resource_type, text in others:
        with pytest.raises(FhirRequestError) as caught:
            other.search(resource_type, text)
        assert caught.value.code == "cursor_refused"
    with pytest.raises(FhirRequestError) as caught:
        node.everything("p1", token)
    assert caught.value.code == "cursor_refused"
    with pytest.raises(FhirRequestError) as caught:
        node.search("Observation", f"{token}&patient=p2")
    assert caught.value.code == "parameter_repeated"
    assert matches(Node(node.vault, now=NOW + timedelta(minutes=59)).search("Observation", token)) == ["o2", "o3"]


def test_links_of_pages_tell_no_place(node: Node) -> None:
    chart(node)
    links = {link(node.search("Observation", f"patient=p1&_count={count}"), "next") for count in (1, 2, 3)}
    assert len({len(each or "") for each in links}) == 1


def test_a_page_has_room_for_one_match_at_least(node: Node) -> None:
    chart(node, 3)
    node.most_bytes = 1
    pages = list(node.pages("Observation", "patient=p1&_include=Observation:subject"))
    assert [matches(each) for each in pages] == [["o0"], ["o1"], ["o2"]]
    assert [included(each) for each in pages] == [["Patient/p1"]] * 3
    assert [each.action for each in node.log()] == ["disclose"] * 6


def test_what_is_included_counts_against_a_pages_room(node: Node) -> None:
    doctor = {"resourceType": "Practitioner", "id": "d", "name": [{"text": "x" * 20_000}]}
    doctors = [doctor | {"id": f"d{at}"} for at in range(4)]
    keep(node.vault, *doctors, patient="Patient/p1")
    keep(node.vault, *(observation(f"o{at}", performer=[{"reference": f"Practitioner/d{at}"}]) for at in range(4)))
    node.most_bytes = 50_000
    pages = list(node.pages("Observation", "patient=p1&_include=Observation:performer"))
    assert [each for page in pages for each in matches(page)] == ["o0", "o1", "o2", "o3"]
    assert [included(each) for each in pages] == [
        ["Practitioner/d0", "Practitioner/d1"],
        ["Practitioner/d2", "Practitioner/d3"],
    ]
    assert [each.action for each in node.log()] == ["disclose"] * 8


def test_includes_are_of_the_same_chart_and_pass_the_gate(node: Node) -> None:
    medication = {"resourceType": "Medication", "id": "m1", "code": concept("http://rx", "1")}
    request = {
        "resourceType": "MedicationRequest",
        "id": "r1",
        "status": "active",
        "intent": "order",
        "medicationReference": {"reference": "Medication/m1"},
        "subject": {"reference": "Patient/p1"},
        "requester": {"reference": "Practitioner/d1"},
    }
    doctor = {"resourceType": "Practitioner", "id": "d1"}
    keep(node.vault, request, patient())
    keep(node.vault, doctor, medication | {"id": "m1"}, patient="Patient/p1")
    keep(node.vault, medication | {"status": "inactive"}, patient="Patient/p2")
    text = "patient=p1&_include=MedicationRequest:medication&_include=MedicationRequest:patient"
    bundle = node.search("MedicationRequest", text)
    assert included(bundle) == ["Medication/m1", "Patient/p1"]
    assert "status" not in entries(bundle, "include")[0]
    node.rules.refuse(lambda facts: facts.resource_type == "Medication")
    assert included(node.search("MedicationRequest", text)) == ["Patient/p1"]
    assert [each.action for each in node.log()][-3:] == ["disclose", "disclose", "refuse"]
    both = node.search("MedicationRequest", "patient=p1&_include=MedicationRequest:requester:Practitioner")
    assert included(both) == ["Practitioner/d1"]


def test_what_two_matches_refer_to_is_there_once(node: Node) -> None:
    chart(node, 3)
    assert included(node.search("Observation", "patient=p1&_include=Observation:subject")) == ["Patient/p1"]
    keep(node.vault, observation("panel", hasMember=[{"reference": "Observation/o1"}]))
    bundle = node.search("Observation", "patient=p1&_include=Observation:has-member")
    assert (matches(bundle), included(bundle)) == (["o0", "o1", "o2", "panel"], [])


def test_references_of_one_transaction_are_followed(node: Node) -> None:
    number = "0b1c2d3e-0000-4000-8000-000000000001"
    her = f"urn:uuid:{number}"
    put(
        node.vault,
        [
            line_of(patient(number), full_url=her),
            line_of(observation("o1", subject={"reference": her}), full_url="urn:uuid:o1", patient=her),
        ],
        queue=None,
        delivery_days=0,
    )
    bundle = node.search("Observation", f"patient={number}&_include=Observation:patient")
    assert (matches(bundle), included(bundle)) == (["o1"], [f"Patient/{number}"])
    assert {each["fullUrl"] for each in bundle["entry"]} == {her, "urn:uuid:o1"}
    assert node.ids("Observation", f"patient={her}") == ["o1"]
    assert json.loads(node.read(f"Patient/{number}"))["id"] == number


def test_each_record_comes_with_its_seal(node: Node) -> None:
    chart(node, 1)
    node.rules.decide = lambda _: Decision(True, Basis.SITE_POLICY)
    bundle = node.search("Observation", "patient=p1&_revinclude=Provenance:target&_include=Observation:subject")
    made = [each for each in entries(bundle, "include") if each["resourceType"] == "Provenance"]
    assert [each["target"] for each in made] == [
        [{"reference": f"{BASE}Observation/o0"}],
        [{"reference": f"{BASE}Patient/p1"}],
    ]
    record = SealedRecord.from_json(next(node.vault.lines(node.vault.find()[-1:], actor="c", now=NOW)).line)
    signature = made[0]["signature"][0]
    assert signature["sigFormat"] == "application/chartseal+json"
    assert json.loads(b64decode(signature["data"])) == {"uid": record.uid.hex(), "opened": None}
    assert made[0]["policy"] == ["urn:chartseal:basis:site-policy"]
    assert made[0]["agent"][0]["who"]["identifier"]["value"].startswith("did:pkh:eip155:31337:0x")


def test_what_the_receiver_must_be_told_is_in_the_bundle(node: Node) -> None:
    chart(node, 2)
    node.rules.decide = lambda _: Decision(True, Basis.CONSENT, duties=frozenset({"part2-notice"}))
    bundle = node.search("Observation", "patient=p1")
    assert issues(bundle) == ["part2-notice"]
    assert entries(bundle, "outcome")[0]["issue"][0]["diagnostics"] == PART_2_NOTICE


def test_a_duty_is_done_before_anything_leaves_or_nothing_does(node: Node) -> None:
    chart(node, 2)
    node.rules.decide = lambda _: Decision(True, Basis.BREAK_GLASS, duties=frozenset({"emergency-notice"}))
    assert "entry" not in node.search("Observation", "patient=p1")
    assert {(each.action, each.basis) for each in node.log()} == {("refuse", "duty_not_done emergency-notice")}
    told: list[str] = []
    node.duties["emergency-notice"] = lambda _, judged: told.append(judged.name)
    assert matches(node.search("Observation", "patient=p1")) == ["o0", "o1"]
    node.read("Observation/o1")
    assert told == ["Observation/o0", "Observation/o1", "Observation/o1"]

    def fail(*_: object) -> None:
        raise VaultError("no", "vault_unavailable")

    node.duties["emergency-notice"] = fail
    before = len(node.log())
    for ask in (lambda: node.read("Observation/o1"), lambda: node.everything("p1")):
        with pytest.raises(VaultError):
            ask()
    assert len(node.log()) == before


def test_one_seal_that_cannot_be_given_does_not_keep_the_others_back(node: Node) -> None:
    chart(node, 2)
    calls = iter([True, False, True])

    def sometimes(record: SealedRecord, opened: Selection | None) -> bytes:
        if next(calls):
            return answer_record(record, opened)
        raise DisclosureError("too large", "limit_exceeded")

    node.answer_record = sometimes
    bundle = node.everything("p1")
    assert matches(bundle) == ["p1", "o0", "o1"]
    assert len(entries(bundle, "include")) == 2
    assert issues(bundle) == ["limit_exceeded"]


def test_everything_of_a_patient(node: Node) -> None:
    chart(node, 2)
    keep(node.vault, {"resourceType": "Practitioner", "id": "d1"}, patient="Patient/p1")
    keep(
        node.vault, {"resourceType": "Basic", "id": "b", "code": {"text": "x"}, "subject": {"reference": "Patient/p1"}}
    )
    keep(node.vault, observation("other", subject={"reference": "Patient/p2"}))
    bundle = node.everything("p1")
    assert matches(bundle) == ["p1", "o0", "o1", "d1", "b"]
    assert len(entries(bundle, "include")) == 5
    assert {interaction for _, interaction in node.rules.asked} == {"r"}
    assert matches(node.everything("p1", "_type=Patient,Basic")) == ["p1", "b"]
    first = node.everything("p1", "_count=2")
    following = link(first, "next")
    assert following is not None
    assert following.startswith(f"{NODE}Patient/p1/$everything?_cursor=")
    assert matches(node.everything("p1", following.partition("?")[2])) == ["o1", "d1"]
    with pytest.raises(FhirRequestError):
        node.everything("p2", following.partition("?")[2])


def test_since_when_this_node_has_a_record(node: Node) -> None:
    put(node.vault, [line_of(observation("o1"))], queue=None, delivery_days=0, now=NOW - timedelta(days=2))
    put(node.vault, [line_of(observation("o2"))], queue=None, delivery_days=0, now=NOW)
    day = f"{NOW - timedelta(days=1):%Y-%m-%d}"
    assert node.ids("Observation", f"patient=p1&_lastUpdated=ge{day}") == ["o2"]
    assert node.ids("Observation", f"patient=p1&_lastUpdated=lt{day}") == ["o1"]
    assert matches(node.everything("p1", f"_since={day}")) == ["o2"]


def test_what_was_not_understood_is_told(node: Node) -> None:
    chart(node, 1)
    bundle = node.search("Observation", "patient=p1&colour=red")
    assert issues(bundle) == ["parameter_unknown"]
    assert link(bundle, "self") == f"{NODE}Observation?patient=p1"
    with pytest.raises(FhirRequestError) as caught:
        node.search("Observation", "patient=p1&colour=red", is_strict=True)
    assert (caught.value.code, caught.value.path) == ("parameter_unknown", "colour")


def test_damaged_records_are_told_to_who_sees_others(node: Node) -> None:
    chart(node, 3)
    with writing(node.vault.engine) as connection:
        second = select(RECORD.c.blob).where(RECORD.c.id == 3).scalar_subquery()
        connection.execute(update(BLOB).where(BLOB.c.hash == second).values(data=b"x"))
    bundle = node.search("Observation", "patient=p1")
    assert (matches(bundle), issues(bundle)) == (["o0", "o2"], ["records_unread"])
    node.rules.refuse_all()
    assert "entry" not in node.search("Observation", "patient=p1")


def test_a_page_has_a_hundred_matches_at_most(node: Node) -> None:
    put(node.vault, [line_of(observation(f"o{at}")) for at in range(250)], queue=None, delivery_days=0)
    found = node.ids("Observation", "patient=p1&_count=1000")
    assert sorted(found) == sorted(f"o{at}" for at in range(250))
    assert len(list(node.pages("Observation", "patient=p1&_count=1000"))) == 3


@pytest.mark.parametrize("is_refused", [True, False])
def test_a_large_chart_is_not_in_memory_at_once(node: Node, is_refused: bool) -> None:
    keep(node.vault, *(observation(f"o{at}", note=[{"text": "x" * 400_000}]) for at in range(30)))
    node.most_bytes = 1 << 20
    if is_refused:
        node.rules.refuse_all()
    tracemalloc.start()
    node.search("Observation", "patient=p1")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20 < 30 * 400_000
