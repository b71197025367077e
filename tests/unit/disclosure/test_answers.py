"""Answer records: what opens, what stays shut, and their bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chartseal.attestation import Digest
from chartseal.disclosure import (
    Choice,
    Selection,
    UnverifiedAnswer,
    UnverifiedAnswerRecord,
    answer_record,
    everything,
    select,
)
from chartseal.disclosure.answers import WHOLE
from chartseal.errors import DisclosureError, DisclosureFormError, RecordError, RootMismatchError, SelectionError
from chartseal.sealing import SealedRecord
from tests.answering import CUSTODIAN, NONCE, answer
from tests.charts import chart, names_of, sealed, texts, vector_record, vectors

VECTOR = Path(__file__).parents[2] / "vectors/answers.json"


def opened_names(data: bytes) -> set[str]:
    return {leaf.name for leaf in UnverifiedAnswerRecord.loads(data).multiproof.leaves}


def made() -> SealedRecord:
    fields = {"Observation.status": "final", "Observation.code.text": "x", "Observation.note[0].text": "worried"}
    return sealed("Observation", texts(fields), seed=b"\x5e" * 32, ikm=b"\x44" * 32)


@pytest.fixture(scope="module")
def records(shared: Path) -> tuple[SealedRecord, ...]:
    return chart(shared, *vectors(shared))


def test_the_vector() -> None:
    vector: dict[str, Any] = json.loads(VECTOR.read_text())
    record = sealed("Observation", texts(vector["input"]["fields"]), seed=b"\x5e" * 32, ikm=b"\x44" * 32)
    data = answer_record(record, select([record], vector["input"]["open"]))
    assert data.decode() == vector["expected"]["record"]


def test_the_vector_by_another_implementation() -> None:
    """Its leaves and root by eth-abi, eth-utils and OpenZeppelin's processMultiProof, written out."""
    vector: dict[str, Any] = json.loads(VECTOR.read_text())
    record = json.loads(vector["expected"]["record"])
    stack = []
    for leaf in record["multiproof"]["leaves"]:
        plain = leaf["value"] if leaf["type"] == "string" else bytes.fromhex(leaf["value"][2:])
        value = encode([leaf["type"]], [plain])
        row = [leaf["type"], leaf["name"], value, bytes.fromhex(leaf["salt"][2:])]
        stack.append(keccak(keccak(encode(["string", "string", "bytes", "bytes32"], row))))
    assert all(one < other for one, other in pairwise(stack))
    siblings = [bytes.fromhex(text[2:]) for text in record["multiproof"]["proof"]]
    for flag in record["multiproof"]["proofFlags"]:
        first = stack.pop(0)
        other = stack.pop(0) if flag else siblings.pop(0)
        stack.append(keccak(min(first, other) + max(first, other)))
    root = "0x" + stack[0].hex()
    message = record["seal"]["sig"]["message"]
    assert (siblings, len(stack), root) == ([], 1, message["data"]) == ([], 1, vector["expected"]["root"])


def test_all_of_the_resource_opens_and_nothing_that_links(records: tuple[SealedRecord, ...]) -> None:
    for record in records:
        names = opened_names(answer_record(record))
        shut = {each.name for each in record.fields} - names
        assert {name for name in shut if not name.startswith("chartseal.pad[")} <= {
            f"chartseal.{each}" for each in WHOLE
        }
        assert {f"chartseal.{each}" for each in WHOLE}.isdisjoint(names)
        assert not any(name.startswith("chartseal.pad[") for name in names)


def test_it_is_what_a_disclosure_of_all_opens(records: tuple[SealedRecord, ...]) -> None:
    for record in records:
        (choice,) = select([record], ["**"]).choices
        assert opened_names(answer_record(record)) == names_of(choice)
        assert answer_record(record) == answer_record(record, Selection((choice,)))


def test_control_fields_open_by_their_names(records: tuple[SealedRecord, ...]) -> None:
    record = records[0]
    all_of_it = opened_names(answer_record(record, everything(record, control=WHOLE)))
    assert all_of_it == {each.name for each in record.fields if not each.name.startswith("chartseal.pad[")}
    one = opened_names(answer_record(record, everything(record, control=["chartseal.fullUrl"])))
    assert one - opened_names(answer_record(record)) == {"chartseal.fullUrl"}
    for name, code in (("pad[0]", "pad_chosen"), ("chartseal.pad[0]", "pad_chosen"), ("nothing", "pattern_unmatched")):
        with pytest.raises(SelectionError) as refused:
            everything(record, control=[name])
        assert refused.value.code == code


def test_what_is_withheld_stays_shut() -> None:
    record = made()
    data = answer_record(record, everything(record, without=["*.note", "*.text"]))
    assert "Observation.note[0].text" not in opened_names(data)
    assert "Observation.code.text" in opened_names(data)
    assert b"worried" not in data
    assert b"worried" in answer_record(record)


def test_what_travels_cannot_be_withheld() -> None:
    with pytest.raises(SelectionError) as refused:
        everything(made(), without=["*.status"])
    assert (refused.value.code, refused.value.path) == ("withheld_travels", "Observation.status")
    with pytest.raises(SelectionError) as nothing:
        everything(made(), without=["**"])
    assert nothing.value.code == "nothing_selected"


def test_nothing_of_another_record_is_in_it(records: tuple[SealedRecord, ...]) -> None:
    first, second = records[:2]
    both = select([first, second], ["**"])
    assert answer_record(first, both) == answer_record(first)
    with pytest.raises(DisclosureError) as refused:
        answer_record(first, everything(second))
    assert refused.value.code == "nothing_selected"
    with pytest.raises(DisclosureError) as twice:
        answer_record(first, Selection(2 * everything(first).choices))
    assert twice.value.code == "record_repeated"


def test_a_choice_that_leaves_out_what_travels_is_refused() -> None:
    record = made()
    (choice,) = everything(record).choices
    cut = Choice(record, tuple(each for each in choice.opened if each.name != "Observation.status"))
    with pytest.raises(RecordError) as refused:
        answer_record(record, Selection((cut,)))
    assert refused.value.code == "slots_partly_shown"


def test_a_record_that_was_changed_makes_no_answer() -> None:
    record = made()
    fields = [each._replace(value="amended") if each.name == "Observation.status" else each for each in record.fields]
    with pytest.raises(RootMismatchError):
        answer_record(replace(record, fields=tuple(fields)))
    with pytest.raises(RootMismatchError):
        answer_record(replace(record, seed=b"\x5f" * 32))


def test_no_key_seed_or_address_is_in_it(records: tuple[SealedRecord, ...]) -> None:
    for record in records:
        data = answer_record(record, everything(record, control=WHOLE)).decode()
        for secret in (record.seed.hex(), record.enc.hex(), record.address):
            assert secret not in data


def test_it_comes_back(shared: Path) -> None:
    for name in vectors(shared):
        data = answer_record(vector_record(shared, name))
        assert UnverifiedAnswerRecord.loads(data).to_json() == data
    anchored = answer_record(made(), anchor=[Digest(b"\1" * 32)] * 64)
    assert UnverifiedAnswerRecord.loads(anchored).to_json() == anchored
    assert UnverifiedAnswerRecord.loads(answer_record(made(), anchor=[])).anchor == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format": "chartseal/2"}, "format_unknown"),
        ({"kind": "disclosure"}, "format_unknown"),
        ({"signature": "0x" + "00" * 64}, "disclosure_malformed"),
        ({"seal": {}}, "package_malformed"),
        ({"multiproof": {"leaves": []}}, "package_malformed"),
        ({"detached": {}}, "disclosure_malformed"),
        ({"anchor": None}, "disclosure_malformed"),
        ({"anchor": ["0x00"]}, "disclosure_malformed"),
        ({"anchor": ["0x" + "11" * 32] * 65}, "disclosure_malformed"),
    ],
)
def test_another_form_is_refused(change: dict[str, Any], code: str) -> None:
    members = {**json.loads(answer_record(made())), **change}
    with pytest.raises(DisclosureFormError) as refused:
        UnverifiedAnswerRecord.loads(json.dumps(members).encode())
    assert refused.value.code == code


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b'{"format":1,"format":1}', b"[" * 100_000])
def test_other_json_is_refused(text: bytes) -> None:
    with pytest.raises(DisclosureFormError) as refused:
        UnverifiedAnswerRecord.loads(text)
    assert refused.value.code == "disclosure_malformed"


def test_an_answer_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    given = answer(made(), made())
    assert len(given.records()) == 2
    leaves = sum(len(record.multiproof.leaves) for record in given.records())
    for limit, enough in (("LARGEST_ANSWER", given.size), ("MOST_RECORDS", 2), ("MOST_LEAVES", leaves)):
        monkeypatch.setattr(f"chartseal.disclosure.answers.{limit}", enough)
        given.records()
        monkeypatch.setattr(f"chartseal.disclosure.answers.{limit}", enough - 1)
        with pytest.raises(DisclosureFormError) as refused:
            given.records()
        assert refused.value.code == "limit_exceeded"
        monkeypatch.undo()


def test_nothing_of_it_shows_in_a_log() -> None:
    given = answer(made())
    assert "worried" not in repr(given)
    assert "worried" not in repr(given.records())
    assert UnverifiedAnswer(CUSTODIAN, NONCE, ()).records() == ()
    assert Digest(given.records()[0].identity[1]) == made().uid
