"""Bundles by their types, and the splitter beside Python's own JSON."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartseal import _core
from chartseal.errors import FhirError
from chartseal.fhir import Document, Piece, Refused, pieces

PATIENT = '{"resourceType":"Patient","id":"p","x": 1.00}'


def read(bundle: str) -> list[Piece | Refused | Document]:
    return list(pieces(io.BytesIO(bundle.encode()), ndjson=False))


def bundle(kind: str, *entries: str, rest: str = "") -> str:
    return f'{{"resourceType":"Bundle","type":"{kind}"{rest},"entry":[{",".join(entries)}]}}'


def code(found: Piece | Refused | Document) -> str:
    return found.error.code if isinstance(found, Refused) else ""


def entry(url: str = "urn:uuid:a", more: str = "", resource: str = PATIENT) -> str:
    return f'{{"fullUrl":"{url}","resource":{resource}{more}}}'


def request(method: str) -> str:
    return f',"request":{{"method":"{method}","url":"Patient"}}'


def test_a_collection_gives_its_resources_as_they_are() -> None:
    found = read(bundle("collection", entry(), entry("urn:uuid:b")))
    assert found == [
        Piece("Bundle.entry[0]", PATIENT.encode(), "urn:uuid:a"),
        Piece("Bundle.entry[1]", PATIENT.encode(), "urn:uuid:b"),
    ]


def test_a_search_gives_matches_and_what_they_include() -> None:
    modes = [entry(more=f',"search":{{"mode":"{mode}"}}') for mode in ("match", "include", "outcome", "other")]
    outcome = entry(resource='{"resourceType":"OperationOutcome"}')
    found = read(bundle("searchset", *modes, entry(), outcome))
    assert [each.place for each in found] == [f"Bundle.entry[{i}]" for i in (0, 1, 3, 4)]
    assert [code(each) for each in found] == ["", "", "bundle_search_mode", ""]


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_a_transaction_gives_what_it_writes_whole(kind: str) -> None:
    methods = ("POST", "PUT", "DELETE", "PATCH", "GET", "post")
    found = read(bundle(kind, *(entry(more=request(method)) for method in methods), entry()))
    refused = ["bundle_method_refused"] * 4
    assert [code(each) for each in found] == ["", "", *refused, "bundle_request_missing"]


@pytest.mark.parametrize("kind", ["history", "message", "transaction-response", "batch-response"])
def test_other_types_are_refused(kind: str) -> None:
    (found,) = read(bundle(kind, entry()))
    assert (found.place, code(found)) == ("", "bundle_type_refused")


@pytest.mark.parametrize("kind", ["", "Collection", "subscription-notification"])
def test_unknown_types_are_refused(kind: str) -> None:
    assert [code(each) for each in read(bundle(kind, entry()))] == ["bundle_type_unknown"]


def test_a_refused_entry_lets_the_rest_go_on() -> None:
    wrong = [
        ('{"fullUrl":"urn:uuid:a"}', "bundle_entry_empty"),
        (entry(more=request("POST")), "bundle_entry_request"),
        (entry(more=',"response":{"status":"200"}'), "bundle_entry_response"),
        (entry(more=',"modifierExtension":[]'), "bundle_entry_malformed"),
        (entry("http://example.org/Patient/1/_history/1"), "bundle_full_url"),
        ("{}", "bundle_entry_empty"),
    ]
    found = read(bundle("collection", *(text for text, _ in wrong), entry()))
    assert [code(each) for each in found] == [*(expected for _, expected in wrong), ""]


HEAD = ',"identifier":{"system":"urn:x","value":"1"},"timestamp":"2024-01-01T00:00:00Z"'
COMPOSITION = entry("urn:uuid:c", resource='{"resourceType":"Composition"}')


def test_a_document_is_a_record_too() -> None:
    *entries, document = read(bundle("document", COMPOSITION, entry(), rest=HEAD))
    assert [each.place for each in entries] == ["Bundle.entry[0]", "Bundle.entry[1]"]
    assert isinstance(document, Document)
    assert (document.place, document.entries) == ("Bundle", ("Bundle.entry[0]", "Bundle.entry[1]"))
    assert json.loads(document.text) == {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:x", "value": "1"},
        "timestamp": "2024-01-01T00:00:00Z",
        "entry": [{"fullUrl": "urn:uuid:c"}, {"fullUrl": "urn:uuid:a"}],
    }


@pytest.mark.parametrize(
    "text",
    [
        bundle("document", COMPOSITION),
        bundle("document", entry(), rest=HEAD),
        bundle("document", COMPOSITION, '{"fullUrl":"urn:uuid:a"}', rest=HEAD),
        bundle("document", '{"resource":{"resourceType":"Composition"}}', rest=HEAD),
        bundle("document", rest=HEAD),
    ],
)
def test_half_a_document_is_no_record(text: str) -> None:
    assert code(read(text)[-1]) == "bundle_document"


def test_implicit_rules_of_a_bundle_are_refused() -> None:
    found = read(bundle("collection", entry(), rest=',"implicitRules":"http://example.org"'))
    assert [code(each) for each in found] == ["", "bundle_implicit_rules"]


def test_members_in_any_order() -> None:
    text = f'{{"entry":[{entry()}],"type":"collection","total":1,"resourceType":"Bundle"}}'
    assert [type(each) for each in read(text)] == [Piece]
    listed = '{"entry":[{"item":{"reference":"Patient/1"}}],"status":"current","mode":"working","resourceType":"List"}'
    assert read(listed) == [Piece("", listed.encode(), "")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (bundle("collection", entry())[:-1], "json_malformed"),
        (bundle("collection", entry())[:-5], "json_malformed"),
        (bundle("collection", entry()) + "x", "bundle_trailing"),
        (bundle("collection", entry(), rest=',"type":"history"'), "json_duplicate_key"),
        (bundle("collection", entry())[:-1] + ',"entry":[]}', "bundle_entry_twice"),
    ],
)
def test_an_error_of_the_whole_comes_last(text: str, expected: str) -> None:
    *_, last = read(text)
    assert (last.place, code(last)) == ("", expected)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(
    st.sampled_from(["fullUrl", "entry", "a\\", '"', "é"]) | st.text(max_size=4), values, max_size=3
)


@given(entries=st.lists(objects, max_size=5), data=st.data(), plain=st.booleans(), indent=st.sampled_from([None, 2]))
def test_the_splitter_agrees_with_json(
    entries: list[Any], data: st.DataObject, plain: bool, indent: int | None
) -> None:
    whole = {"type": "collection", "x": {"entry": [1]}, "entry": entries, "resourceType": "Bundle"}
    text = json.dumps(whole, ensure_ascii=plain, indent=indent).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    splitter = _core.BundleSplitter()
    found: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += splitter.feed(text[start:end])
    assert [json.loads(each) for each in found] == entries
    kind, head = splitter.finish()
    assert kind == ("Bundle", "collection")
    assert json.loads(head) == {**whole, "entry": []}


def test_a_splitter_ends_once() -> None:
    splitter = _core.BundleSplitter()
    splitter.feed(b"{}")
    splitter.finish()
    with pytest.raises(FhirError) as refused:
        splitter.feed(b"{}")
    assert refused.value.code == "bundle_ended"
