"""Fetching pages from a node that cannot be trusted: where a request goes, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from chartseal.attestation import to_hex
from chartseal.errors import PullError
from chartseal.node.pull.bundles import BundlePage, read_page
from chartseal.node.pull.pages import Pages, Peer, PullLimits
from tests.answering import CUSTODIAN, NONCE
from tests.answering_nodes import BASE, Node

START = f"{BASE}/Observation"
EMPTY = b'{"resourceType":"Bundle"}'


def fetch(node: Node, url: str = START, base: str = BASE, *, allow_loopback: bool = False, **options: Any) -> list[Any]:
    pages = Pages(node.client(), Peer(CUSTODIAN, base, allow_loopback), NONCE, "secret-token", **options)
    return list(pages.fetch(url))


def refused(code: str, node: Node, *args: Any, **options: Any) -> None:
    with pytest.raises(PullError) as caught:
        fetch(node, *args, **options)
    assert caught.value.code == code
    told = str(caught.value)
    assert "secret-token" not in told
    assert "a.example" not in told


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartseal.node.pull.pages.wait_random_exponential", lambda **_: lambda _: 0)


def to(url: str) -> Node:
    return Node({"Observation": []}, {"Observation": url})


@pytest.mark.parametrize(
    "url",
    [
        "https://b.example/fhir/Observation",
        "http://a.example/fhir/Observation",
        "https://a.example:8443/fhir/Observation",
        "//b.example/fhir",
        "https://a.example@b.example/fhir",
        "https://user@a.example/fhir/Observation",
        "https://a.example.b.example/",
        "file:///etc/passwd",
        "ftp://a.example/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "javascript:alert(1)",
    ],
)
def test_a_next_page_elsewhere_is_not_asked_for(url: str) -> None:
    node = to(url)
    refused("peer_other_origin", node)
    assert len(node.asked) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://[", "peer_other_origin"),
        ("https://a\x00b/", "answer_malformed"),
        ("x" * 9_000, "limit_exceeded"),
        ("", "answer_malformed"),
    ],
)
def test_a_next_page_that_is_no_url(url: str, code: str) -> None:
    refused(code, to(url))


@pytest.mark.parametrize("url", [START, "Observation", "Observation#x", "https://A.example:443/fhir/Observation"])
def test_pages_in_a_ring_end(url: str) -> None:
    node = to(url)
    refused("pages_repeated", node)
    assert len(node.asked) == 1


def test_pages_without_end_end() -> None:
    node = Node()

    def endless(request: httpx.Request) -> httpx.Response:
        link = [{"relation": "next", "url": f"Observation?page={len(node.asked)}"}]
        return node.answer(request, json.dumps({"resourceType": "Bundle", "link": link}).encode())

    node.before = endless
    refused("limit_exceeded", node, limits=PullLimits(pages=20))
    assert len(node.asked) == 20


@pytest.mark.parametrize(
    ("base", "allow_loopback", "good"),
    [
        ("https://a.example/fhir", False, True),
        ("http://a.example/fhir", False, False),
        ("http://a.example/fhir", True, False),
        ("http://127.0.0.1:8080/fhir", False, False),
        ("http://127.0.0.1:8080/fhir", True, True),
        ("http://localhost:8080/fhir", True, True),
        ("http://[::1]:8080/fhir", True, True),
        ("http://127.0.0.1.b.example/fhir", True, False),
        ("ftp://127.0.0.1/fhir", True, False),
    ],
)
def test_a_node_is_asked_over_tls(base: str, allow_loopback: bool, good: bool) -> None:
    node = Node({"Observation": []})
    if good:
        assert len(fetch(node, f"{base}/Observation", base, allow_loopback=allow_loopback)) == 1
        return
    with pytest.raises(PullError) as caught:
        fetch(node, f"{base}/Observation", base, allow_loopback=allow_loopback)
    assert caught.value.code == "peer_insecure"
    assert node.asked == []


@pytest.mark.parametrize(
    "base", ["", "a.example", "https://[/", "https://user:word@a.example/fhir", "https://a.example:x/"]
)
def test_a_base_that_is_none(base: str) -> None:
    node = Node()
    with pytest.raises(PullError):
        fetch(node, f"{base}/Observation", base)
    assert node.asked == []


@pytest.mark.parametrize(
    ("status", "code", "asked"),
    [
        (301, "peer_redirects", 1),
        (307, "peer_redirects", 1),
        (401, "peer_denied", 1),
        (403, "peer_denied", 1),
        (404, "peer_not_found", 1),
        (410, "peer_not_found", 1),
        (400, "peer_refused", 1),
        (204, "peer_refused", 1),
        (500, "peer_refused", 1),
        (429, "peer_unreachable", 3),
        (503, "peer_unreachable", 3),
    ],
)
def test_a_status_is_told_by_its_code(status: int, code: str, asked: int) -> None:
    node = Node(before=lambda _: httpx.Response(status, headers={"Location": "https://b.example/"}))
    refused(code, node)
    assert len(node.asked) == asked


def failing(error: Exception, times: int) -> Callable[[httpx.Request], httpx.Response | None]:
    left = [error] * times

    def before(_: httpx.Request) -> httpx.Response | None:
        if left:
            raise left.pop()
        return None

    return before


def test_what_fails_in_passing_is_tried_again() -> None:
    error = httpx.ConnectError("https://a.example refused")
    assert len(fetch(Node({"Observation": []}, before=failing(error, 2)))) == 1
    node = Node({"Observation": []}, before=failing(error, 3))
    refused("peer_unreachable", node)
    assert len(node.asked) == 3


def test_a_body_that_breaks_off_is_fetched_again() -> None:
    node = Node({"Observation": []})

    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield EMPTY[:10]
            raise httpx.ReadError("https://a.example broke off")

    def before(request: httpx.Request) -> httpx.Response | None:
        whole = node.answer(request, EMPTY)
        return None if len(node.asked) > 1 else httpx.Response(200, headers=whole.headers, stream=Broken())

    node.before = before
    assert len(fetch(node)) == 1
    assert len(node.asked) == 2


def test_a_body_without_end_ends() -> None:
    node = Node()

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b" " * 1_000

    node.before = lambda request: httpx.Response(200, headers=node.answer(request, b"").headers, stream=Endless())
    refused("limit_exceeded", node, limits=PullLimits(page_size=10_000))


def test_a_body_that_drips_ends() -> None:
    node, moments = Node(), iter(range(1_000))

    class Dripping(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b" "

    node.before = lambda request: httpx.Response(200, headers=node.answer(request, b"").headers, stream=Dripping())
    refused("limit_exceeded", node, limits=PullLimits(seconds=50), clock=lambda: float(next(moments)))
    assert next(moments) < 60


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "text/html"},
        {"Content_Type": ""},
        {"Content_Encoding": "gzip"},
        {"Content_Encoding": "br"},
        {"Chartseal_Nonce": ""},
        {"Chartseal_Nonce": "0x11"},
        {"Chartseal_Custodian": ""},
        {"Chartseal_Custodian": "0x11"},
        {"Chartseal_Custodian": to_hex(CUSTODIAN)[:-1] + "g"},
    ],
)
def test_an_answer_says_what_it_is(headers: dict[str, str]) -> None:
    node = Node()
    node.before = lambda request: node.answer(request, EMPTY, **headers)
    refused("answer_malformed", node)


def test_an_answer_without_the_headers_is_no_nodes() -> None:
    plain = httpx.Response(200, headers={"Content-Type": "application/fhir+json"}, stream=httpx.ByteStream(EMPTY))
    refused("answer_malformed", Node(before=lambda _: plain))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"resourceType":"Patient"}',
        b'{"resourceType":"Bundle","resourceType":"Bundle"}',
        b'{"resourceType":"Bundle","entry":{}}',
        b'{"resourceType":"Bundle","entry":[1]}',
        b'{"resourceType":"Bundle","entry":[{}]}',
        b'{"resourceType":"Bundle","entry":[{"resource":[]}]}',
        b'{"resourceType":"Bundle","link":[{"relation":"next"}]}',
        b'{"resourceType":"Bundle","link":[{"relation":"next","url":"a"},{"relation":"next","url":"b"}]}',
        b'{"resourceType":"Bundle","entry":' + b"[" * 100_000,
    ],
)
def test_a_page_of_another_shape(body: bytes) -> None:
    with pytest.raises(PullError) as caught:
        read_page(body)
    assert caught.value.code == "answer_malformed"


VERIFIED = '{"resourceType":"Observation","id":"a","valueQuantity":{"value":1.0,"unit":"g"},"note":[{"text":"x"}]}'


@pytest.mark.parametrize(
    ("resource", "same"),
    [
        (VERIFIED, True),
        ('{"valueQuantity":{"unit":"g","value":1.0},"note":[{"text":"x"}],"resourceType":"Observation"}', True),
        (VERIFIED.replace('"id":"a"', '"id":"b","meta":{"versionId":"7"}'), True),
        (VERIFIED.replace("1.0", "1.00"), False),
        (VERIFIED.replace("1.0", "1"), False),
        (VERIFIED.replace("1.0", '"1.0"'), False),
        (VERIFIED.replace("1.0", '["1.0"]'), False),
        (VERIFIED.replace('"g"', '"mg"'), False),
        (VERIFIED.replace('"unit":"g"', '"unit":"g","comparator":"<"'), False),
        (VERIFIED.replace(',"note":[{"text":"x"}]', ""), False),
        (VERIFIED.replace('[{"text":"x"}]', '[{"text":"x"},{"text":"x"}]'), False),
        (VERIFIED.replace('"Observation"', '"Condition"'), False),
    ],
)
def test_what_is_told_is_held_against_what_is_verified(resource: str, same: bool) -> None:
    body = f'{{"resourceType":"Bundle","entry":[{{"resource":{resource}}}]}}'.encode()
    (told,) = read_page(body).resources
    assert told.says(VERIFIED) is same
    masked = '{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}'
    assert told.says(VERIFIED.replace('"id":"a"', f'"_status":{masked},"subject":{masked}')) is same


def sealing(**changes: Any) -> bytes:
    signature = {"sigFormat": "application/chartseal+json", "data": "AA==", **changes.pop("signature", {})}
    provenance = {"resourceType": "Provenance", "target": [{"reference": "A/1"}], "signature": [signature], **changes}
    return json.dumps({"resourceType": "Bundle", "entry": [{"resource": provenance}]}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"target": []},
        {"target": [{"reference": "A/1"}, {"reference": "A/2"}]},
        {"target": [{"reference": 1}]},
        {"target": [{"reference": "x" * 2_049}]},
        {"target": "A/1"},
        {"signature": {"data": "A"}},
        {"signature": {"data": "é"}},
        {"signature": {"data": 1}},
    ],
)
def test_a_seals_provenance_of_another_shape(changes: dict[str, Any]) -> None:
    assert len(read_page(sealing()).proofs) == 1
    with pytest.raises(PullError) as caught:
        read_page(sealing(**changes))
    assert caught.value.code == "answer_malformed"


def test_a_clinical_provenance_is_a_resource_like_others() -> None:
    page = read_page(sealing(signature={"sigFormat": "application/jose"}))
    assert [each.resource_type for each in page.resources] == ["Provenance"]
    assert page.proofs == ()
    assert read_page(EMPTY) == BundlePage((), (), None)
    outcome = b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"OperationOutcome"}}]}'
    assert read_page(outcome).count == 0
