"""Pulling from a node: what is verified is shown, and whatever else it tells is not."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from chartseal.attestation import Address
from chartseal.disclosure import Answered, ByConsent, everything
from chartseal.errors import AudienceError, CoreError, DelegationError, FormError, PullError
from chartseal.node.pull import Peer, Pulled, PullLimits, RefusedRecord, State, everything_of, pull, search
from chartseal.node.pull.questions import everything_under
from chartseal.sealing import SealedRecord
from chartseal.verification import CheckedConsent, VerifiedRecord
from tests.answering import CONSENT, CUSTODIAN, TRUST, MadeConsents, consent, root_of
from tests.answering_nodes import BASE, BY_CONSENT, SITE_POLICY, Node, by_consent, entries_of, provenance_of
from tests.charts import NOW, chart, issuing, sealed, texts

PEER = Peer(CUSTODIAN, BASE)
ALL = everything_of("p")


def ask(node: Node, question: str = ALL, peer: Peer = PEER, **options: Any) -> Pulled:
    given: dict[str, Any] = {"now": NOW, "consent": MadeConsents(), "consents": [CONSENT], **options}
    trust = given.pop("trust", TRUST)
    return pull(node.client(), peer, question, trust, **given)


def records_of(pulled: Pulled) -> tuple[VerifiedRecord, ...]:
    return () if pulled.answer is None else pulled.answer.records


def states(pulled: Pulled) -> list[State]:
    return [each.state for each in pulled.told]


@pytest.fixture(scope="module")
def records(shared: Path) -> tuple[SealedRecord, ...]:
    return chart(shared, "Observation", "Condition", "Observation_components", "AllergyIntolerance")


@pytest.fixture
def node(records: tuple[SealedRecord, ...]) -> Node:
    return Node({ALL: entries_of(records)})


def test_all_that_holds_is_shown(node: Node, records: tuple[SealedRecord, ...]) -> None:
    pulled = ask(node)
    assert pulled.holds_whole
    assert states(pulled) == [State.AS_SEALED] * 4
    assert pulled.answer is not None
    assert [each.attestation.uid for each in pulled.answer.records] == [record.uid for record in records]
    assert all(isinstance(ground, CheckedConsent) for ground in pulled.answer.grounds)
    (request,) = node.asked
    assert str(request.url) == f"{BASE}/Patient/p/$everything"
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in request.headers


def test_each_pull_has_a_nonce_of_its_own(node: Node) -> None:
    ask(node)
    ask(node, token="t")
    nonces = {request.headers["Chartseal-Nonce"] for request in node.asked}
    assert len(nonces) == 2
    assert all(len(nonce) == 66 for nonce in nonces)
    assert node.asked[1].headers["Authorization"] == "Bearer t"


def test_pages_are_followed_and_a_record_that_two_bring_is_one(records: tuple[SealedRecord, ...]) -> None:
    first, second = entries_of(records[:2]), entries_of(records[1:3])
    shared_by_both = entries_of(records[:2])[2:]
    node = Node(
        {ALL: first, "Patient/p/page2": second[2:] + shared_by_both},
        {ALL: "page2"},  # relative, and absolute below
    )
    assert ask(node).holds_whole
    node.following = {ALL: f"{BASE}/Patient/p/page2"}
    pulled = ask(node)
    assert [record.attestation.uid for record in records_of(pulled)] == [record.uid for record in records[:3]]
    assert len({request.headers["Chartseal-Nonce"] for request in node.asked[2:]}) == 1


def test_what_is_shown_is_what_was_sealed_whatever_a_node_tells(node: Node, records: tuple[SealedRecord, ...]) -> None:
    told = node.pages[ALL][0]["resource"]
    told["valueQuantity"]["value"] = 271828
    told["comment"] = "made up"
    pulled = ask(node)
    assert states(pulled) == [State.DIFFERS, *[State.AS_SEALED] * 3]
    assert not pulled.holds_whole
    shown = "".join(fact.text for fact in pulled.facts)
    assert "271828" not in shown
    assert "made up" not in shown
    value = next(each.value for each in records[0].fields if each.name == "Observation.valueQuantity.value")
    assert str(pulled.facts[0].resource["valueQuantity"]["value"]) == value


def test_a_number_that_is_spelled_otherwise_differs() -> None:
    fields = texts(
        {"Observation.status": "final", "Observation.code.text": "x", "Observation.valueQuantity.value": "5.0"}
    )
    record = sealed("Observation", fields)
    node = Node({ALL: entries_of([record])})
    assert ask(node).holds_whole
    node.pages[ALL][0]["resource"]["valueQuantity"]["value"] = 5
    assert states(ask(node)) == [State.DIFFERS]


def test_a_resource_without_a_record_is_not_shown(node: Node) -> None:
    node.pages[ALL].append({"resource": {"resourceType": "Condition", "id": "c", "code": {"text": "made up"}}})
    node.pages[ALL].append({"resource": {"resourceType": "<script>", "id": 7}})
    pulled = ask(node)
    assert states(pulled)[4:] == [State.NOT_PROVED] * 2
    assert [each.resource_type for each in pulled.told[4:]] == ["Condition", "?"]
    assert "made up" not in repr(pulled) + "".join(fact.text for fact in pulled.facts)


def test_swapped_records_change_nothing_of_what_is_shown(node: Node, records: tuple[SealedRecord, ...]) -> None:
    first, second = node.pages[ALL][1]["resource"], node.pages[ALL][3]["resource"]
    first["target"], second["target"] = second["target"], first["target"]
    pulled = ask(node)
    assert states(pulled)[:2] == [State.DIFFERS] * 2
    assert sorted(record.attestation.uid for record in records_of(pulled)) == sorted(record.uid for record in records)


def test_a_record_that_does_not_hold_is_left_out_and_the_others_are_shown(
    node: Node, records: tuple[SealedRecord, ...]
) -> None:
    forged = sealed("Condition", texts({"Condition.code.text": "made up"}), by=issuing(b"\x12" * 32))
    node.pages[ALL] += [
        {"resource": {"resourceType": "Condition", "id": "f", "code": {"text": "made up"}}},
        {"resource": provenance_of(forged, "Condition/f")},
    ]
    pulled = ask(node)
    assert pulled.refused == (RefusedRecord(6, "issuer_untrusted"),)
    assert states(pulled) == [*[State.AS_SEALED] * 4, State.REFUSED]
    assert len(pulled.facts) == 4
    assert "made up" not in "".join(fact.text for fact in pulled.facts)


def test_nothing_is_shown_where_nothing_holds() -> None:
    forged = sealed("Condition", texts({"Condition.code.text": "x"}), by=issuing(b"\x12" * 32))
    pulled = ask(Node({ALL: entries_of([forged])}))
    assert (pulled.answer, pulled.facts, states(pulled)) == (None, (), [State.REFUSED])


def test_an_empty_answer_is_no_answer() -> None:
    pulled = ask(Node({ALL: []}))
    assert (pulled.answer, pulled.told, pulled.holds_whole) == (None, (), True)


def test_one_record_in_two_ways_is_shown_in_neither(node: Node, records: tuple[SealedRecord, ...]) -> None:
    cut = everything(records[0], without=["*.category"])
    node.pages[ALL].append({"resource": provenance_of(records[0], "Observation/n0", opened=cut)})
    pulled = ask(node)
    assert pulled.refused == (RefusedRecord(10, "record_repeated"),) * 2
    assert states(pulled) == [State.REFUSED, *[State.AS_SEALED] * 3]


def test_a_cut_record_is_told_as_cut(records: tuple[SealedRecord, ...]) -> None:
    cut = everything(records[0], without=["*.category"])
    honest = Node({ALL: entries_of(records[:1], opened=cut)})
    assert ask(honest).holds_whole
    whole = Node({ALL: entries_of(records[:1])})
    whole.pages[ALL][1] = {"resource": provenance_of(records[0], "Observation/n0", opened=cut)}
    pulled = ask(whole)
    assert states(pulled) == [State.DIFFERS]
    assert "category" not in pulled.facts[0].resource
    assert pulled.answer is not None
    assert not pulled.answer.records[0].is_complete


def test_consents_are_our_own_and_hold_before_anything_is_asked(node: Node) -> None:
    for other, code in (
        (consent(until=NOW), "made_expired"),
        (consent(custodian=Address(b"\7" * 20)), "made_other_custodian"),
    ):
        with pytest.raises(DelegationError) as refused:
            ask(node, consents=[CONSENT, other])
        assert refused.value.code == code
    assert node.asked == []
    given: tuple[dict[str, Any], ...] = (
        {"consents": []},
        {"consent": None},
        {"consents": [consent(types=["Observation"])]},
    )
    for options in given:
        pulled = ask(node, **options)
        assert pulled.refused == (RefusedRecord(10, "consent_unknown"),) * 4
        assert pulled.facts == ()


def test_a_record_that_the_consent_does_not_open_is_refused(node: Node) -> None:
    some = consent(types=["Observation"])
    for entry in node.pages[ALL][1::2]:
        entry["resource"]["policy"] = by_consent(root_of(some))
    pulled = ask(node, consents=[some])
    assert {record.resource_type for record in records_of(pulled)} == {"Observation"}
    assert pulled.refused == (RefusedRecord(10, "consent_type"),) * 2


def test_the_custodians_word_is_told_as_that_or_refused(records: tuple[SealedRecord, ...]) -> None:
    node = Node({ALL: entries_of(records[:1], policy=SITE_POLICY) + entries_of(records[1:2], policy=BY_CONSENT)})
    pulled = ask(node)
    assert pulled.answer is not None
    assert "1 of 2 records by site policy" in pulled.answer.steps[9].reason
    strict = ask(node, trust=replace(TRUST, required=TRUST.required | {10}))
    assert strict.refused == (RefusedRecord(10, "step_not_checked"),)
    assert [record.resource_type for record in records_of(strict)] == ["Condition"]


@pytest.mark.parametrize(
    "policy",
    [
        [],
        ["x"],
        ["urn:chartseal:basis:"],
        ["urn:chartseal:basis:none"],
        ["urn:chartseal:basis:consent"],
        BY_CONSENT[1:],
        ["urn:chartseal:basis:consent", "urn:chartseal:consent:0x00"],
        [*BY_CONSENT, f"urn:chartseal:consent:0x{'11' * 32}"],
        [*BY_CONSENT, *SITE_POLICY],
        [*SITE_POLICY, BY_CONSENT[1]],
        [*SITE_POLICY, "urn:chartseal:basis:break-glass"],
    ],
)
def test_a_ground_that_is_not_known_opens_nothing(policy: list[str], records: tuple[SealedRecord, ...]) -> None:
    pulled = ask(Node({ALL: entries_of(records[:1], policy=policy)}))
    assert (pulled.refused, pulled.facts) == ((RefusedRecord(10, "basis_unknown"),), ())
    further = Node({ALL: entries_of(records[:1], policy=["https://law.example/1", *BY_CONSENT])})
    assert ask(further).holds_whole
    further.pages[ALL][1]["resource"]["policy"] = "x"
    assert ask(further).refused == (RefusedRecord(10, "basis_unknown"),)


def test_a_replayed_answer_is_refused(node: Node) -> None:
    ask(node)
    node.nonce = node.asked[0].headers["Chartseal-Nonce"]
    with pytest.raises(AudienceError) as refused:
        ask(node)
    assert refused.value.code == "nonce_mismatch"


def test_a_page_of_another_answer_is_refused(records: tuple[SealedRecord, ...]) -> None:
    node = Node({ALL: entries_of(records[:1]), "Patient/p/page2": entries_of(records[1:2])}, {ALL: "page2"})

    def before(request: httpx.Request) -> None:
        node.nonce = "0x" + "11" * 32 if request.url.path.endswith("page2") else None

    node.before = before
    with pytest.raises(AudienceError) as refused:
        ask(node)
    assert refused.value.code == "nonce_mismatch"


def test_another_custodians_answer_is_refused(node: Node) -> None:
    node.custodian = Address(b"\xc2" * 20)
    with pytest.raises(AudienceError) as refused:
        ask(node)
    assert refused.value.code == "channel_mismatch"


def test_a_policys_limit_refuses_all(node: Node) -> None:
    with pytest.raises(FormError) as refused:
        ask(node, trust=replace(TRUST, limits=replace(TRUST.limits, records=3)))
    assert refused.value.code == "limit_exceeded"


def test_hundreds_of_changed_bytes_show_nothing_else(node: Node, records: tuple[SealedRecord, ...]) -> None:
    drawn = random.Random(8)
    honest = {fact.text for fact in ask(node).facts}
    bundle = json.dumps({"resourceType": "Bundle", "entry": node.pages[ALL]}).encode()
    changed = [b""]
    node.before = lambda request: node.answer(request, changed[0])
    refusals = 0
    for _ in range(300):
        at = drawn.randrange(len(bundle))
        changed[0] = bundle[:at] + bytes([bundle[at] ^ 1 << drawn.randrange(8)]) + bundle[at + 1 :]
        try:
            shown = {fact.text for fact in ask(node).facts}
        except CoreError:
            refusals += 1
            continue
        assert shown <= honest
        refusals += shown < honest
    assert refusals > 100


def test_nothing_of_an_answer_shows_in_a_log(node: Node, records: tuple[SealedRecord, ...]) -> None:
    told = repr(ask(node)) + repr(Answered(b"secret", ByConsent(b"secret")))
    assert "secret" not in told
    for record in records:
        values = [str(each.value) for each in record.fields if not each.name.startswith("chartseal.")]
        assert not [value for value in values if len(value) > 16 and value in told]


@pytest.mark.parametrize("patient", ["", "..", ".", "a/b", "Patient/", "a?b", "a b", "a" * 65, "Practitioner/1", "é"])
def test_a_patient_is_named_by_an_id(patient: str) -> None:
    with pytest.raises(PullError) as refused:
        everything_of(patient)
    assert refused.value.code == "question_malformed"
    assert everything_of("Patient/a.b-C1") == everything_of("a.b-C1") == "Patient/a.b-C1/$everything"


@pytest.mark.parametrize(
    "text", ["", "observation", "Observation?", "../x", "Observation/1", "Observation?a=b#c", "A?b c"]
)
def test_a_search_is_one(text: str) -> None:
    with pytest.raises(PullError) as refused:
        search(text)
    assert refused.value.code == "question_malformed"


def test_a_search_asks_for_the_records() -> None:
    assert search("Observation") == "Observation?_revinclude=Provenance:target"
    assert search("Observation?code=x") == "Observation?code=x&_revinclude=Provenance:target"
    assert search(search("Observation?code=x")) == search("Observation?code=x")
    assert everything_under(b"\1" * 32) == "Patient/$everything?consent=0x" + "01" * 32


@pytest.mark.parametrize("name", ["pages", "page_size", "total_size", "entries", "seconds"])
def test_an_answer_has_limits(name: str, records: tuple[SealedRecord, ...]) -> None:
    node = Node({ALL: entries_of(records[:1]), "Patient/p/page2": entries_of(records[1:2])}, {ALL: "page2"})
    sizes = [len(json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": node.pages[ALL]}))]
    sizes[0] += len(json.dumps({"link": [{"relation": "self", "url": "x"}, {"relation": "next", "url": "page2"}]}))
    sizes.append(
        len(json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": node.pages["Patient/p/page2"]}))
    )
    enough = {"pages": 2, "page_size": max(sizes), "total_size": sum(sizes), "entries": 4, "seconds": 60}[name]
    too_little = 0 if name == "seconds" else enough - 1
    assert ask(node, limits=PullLimits(**{name: enough})).holds_whole
    with pytest.raises(PullError) as refused:
        ask(node, limits=PullLimits(**{name: too_little}))
    assert refused.value.code == "limit_exceeded"
