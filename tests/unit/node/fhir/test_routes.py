"""The routes over HTTP: what a client sees, and a kept FHIR client beside it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
import uvicorn
from fhir.resources.R4B.bundle import Bundle
from fhirpy import SyncFHIRClient
from starlette.testclient import TestClient

from chartseal.fhir import Piece, pieces
from chartseal.node.fhir.parameters import LONGEST
from chartseal.node.fhir.routes import FORM
from chartseal.record import read_fields
from tests.fhir_answers import Node, app_of, entries, keep, link, matches, observation, patient

FHIR = "application/fhir+json"


@pytest.fixture
def client(node: Node) -> Iterator[TestClient]:
    keep(node.vault, patient(), *(observation(f"o{at}") for at in range(5)))
    with TestClient(app_of(node), base_url="https://node.example", headers={"authorization": "Bearer client-b"}) as it:
        yield it


def codes(body: bytes) -> list[str]:
    return [each["details"]["coding"][0]["code"] for each in json.loads(body)["issue"]]


def test_metadata_needs_no_token(node: Node) -> None:
    found = TestClient(app_of(node)).get("/fhir/metadata")
    assert (found.status_code, found.headers["content-type"]) == (200, f"{FHIR}; charset=utf-8")
    assert found.json()["fhirVersion"] == "4.0.1"
    read_fields(found.content)


@pytest.mark.parametrize(
    "path", ["/fhir/Observation/o1", "/fhir/Observation?patient=p1", "/fhir/Patient/p1/$everything", "/fhir/Foo/x"]
)
def test_nothing_else_is_answered_without_one(node: Node, path: str) -> None:
    keep(node.vault, patient(), observation("o1"))
    assert TestClient(app_of(node)).get(path).status_code == 401
    assert node.rules.asked == []


def test_a_read(client: TestClient) -> None:
    found = client.get("/fhir/Observation/o1", headers={"accept": FHIR})
    assert (found.status_code, found.json()["id"]) == (200, "o1")
    assert found.headers["cache-control"] == "no-store"
    assert client.get("/fhir/Observation/o1?_format=json&_pretty=true").status_code == 200


def test_an_unknown_and_a_refused_read_are_equal_byte_for_byte(client: TestClient, node: Node) -> None:
    unknown = client.get("/fhir/Observation/nobody")
    node.rules.refuse_all()
    refused = client.get("/fhir/Observation/o1")
    assert (refused.status_code, refused.content, dict(refused.headers)) == (
        unknown.status_code,
        unknown.content,
        dict(unknown.headers),
    )
    assert (refused.status_code, codes(refused.content)) == (404, ["not_found"])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/fhir/Foo/x", 404, "type_not_served"),
        ("/fhir/Foo?patient=p1", 404, "type_not_served"),
        ("/fhir/Observation/_history", 404, "not_found"),
        ("/fhir/Observation/..%5C..", 404, "not_found"),
        ("/fhir/Observation/o1?_summary=true", 400, "parameter_not_served"),
        ("/fhir/Observation/o1?_format=application/fhir%2Bxml", 406, "format_not_served"),
        ("/fhir/Observation?patient=p1&_elements=id", 400, "parameter_not_served"),
        ("/fhir/Observation?patient=p1&patient=p2", 400, "parameter_repeated"),
        ("/fhir/Observation", 400, "search_too_wide"),
        ("/fhir/Observation?_cursor=AAAA", 410, "cursor_refused"),
        ("/fhir/Observation?patient=p1&x=" + "a" * LONGEST, 414, "query_too_long"),
        ("/fhir/Patient/p1/$everything?_since=x", 400, "parameter_value"),
        ("/fhir/Patient/p!1/$everything", 400, "parameter_value"),
    ],
)
def test_errors_are_outcomes_with_our_codes(client: TestClient, path: str, status: int, code: str) -> None:
    found = client.get(path)
    assert (found.status_code, codes(found.content)) == (status, [code])
    assert read_fields(found.content).resource_type == "OperationOutcome"
    assert found.headers["content-type"].startswith(FHIR)


def test_a_client_that_takes_no_json_is_told_so(client: TestClient) -> None:
    for accepted, status in (("application/fhir+xml", 406), ("text/html, */*;q=0.1", 200), (f"{FHIR};q=0.9", 200)):
        assert client.get("/fhir/Observation/o1", headers={"accept": accepted}).status_code == status
    assert client.get("/fhir/Observation/o1?_format=json", headers={"accept": "text/html"}).status_code == 200


def test_strict_handling_is_asked_for_by_header(client: TestClient) -> None:
    path = "/fhir/Observation?patient=p1&colour=red"
    assert client.get(path).status_code == 200
    for preferred in ("handling=strict", "return=minimal, handling=strict", "respond-async; handling=strict"):
        assert client.get(path, headers={"prefer": preferred}).status_code == 400
    assert client.get(path, headers={"prefer": "handling=lenient"}).status_code == 200


def test_a_search_by_form_is_the_same_search(client: TestClient) -> None:
    by_link = client.get("/fhir/Observation?patient=p1&_count=2")
    by_form = client.post("/fhir/Observation/_search", data={"patient": "p1", "_count": "2"})
    assert by_form.status_code == 200
    assert [each["resource"]["id"] for each in by_form.json()["entry"]] == matches(by_link.json())


@pytest.mark.parametrize(
    ("path", "body", "media_type", "status", "code"),
    [
        ("/fhir/Observation/_search?patient=p2", "patient=p1", FORM, 400, "query_malformed"),
        ("/fhir/Observation/_search", '{"patient":"p1"}', "application/json", 415, "media_type_unsupported"),
        ("/fhir/Observation/_search", "patient=p1", "", 415, "media_type_unsupported"),
        ("/fhir/Observation/_search", "patient=p1&x=" + "a" * LONGEST, FORM, 413, "body_too_large"),
        ("/fhir/Observation/_search", "patient=p1&patient=p2", FORM, 400, "parameter_repeated"),
        ("/fhir/Foo/_search", "patient=p1", FORM, 404, "type_not_served"),
    ],
)
def test_forms_that_are_refused(
    client: TestClient, path: str, body: str, media_type: str, status: int, code: str
) -> None:
    found = client.post(path, content=body, headers={"content-type": media_type})
    assert (found.status_code, codes(found.content)) == (status, [code])


def test_bundles_are_valid_to_others_too(client: TestClient) -> None:
    for path in (
        "/fhir/Observation?patient=p1&_revinclude=Provenance:target&colour=red",
        "/fhir/Patient/p1/$everything",
    ):
        found = client.get(path)
        Bundle.model_validate(json.loads(found.content))
        for each in found.json()["entry"]:
            read_fields(json.dumps(each["resource"]).encode())
        read = list(pieces(BytesIO(found.content), ndjson=False))
        told = entries(found.json(), "match") + entries(found.json(), "include")
        assert [json.loads(each.text) for each in read if isinstance(each, Piece)] == [
            each["resource"] for each in found.json()["entry"] if each["resource"] in told
        ]


def test_a_large_answer_is_whole(client: TestClient, node: Node) -> None:
    keep(node.vault, *(observation(f"large{at}", note=[{"text": "x" * 200_000}]) for at in range(4)))
    found = client.get("/fhir/Observation?patient=p1")
    assert len(found.content) == int(found.headers["content-length"]) > 800_000
    assert len(matches(found.json())) == 9


def test_pages_are_followed_by_their_links(client: TestClient) -> None:
    seen, following = [], "/fhir/Observation?patient=p1&_count=2"
    while following:
        page = client.get(following).json()
        seen += matches(page)
        following = link(page, "next") or ""
    assert seen == [f"o{at}" for at in range(5)]


def test_another_callers_page_is_refused(client: TestClient) -> None:
    following = link(client.get("/fhir/Observation?patient=p1&_count=2").json(), "next")
    assert following is not None
    found = client.get(following, headers={"authorization": "Bearer client-c"})
    assert (found.status_code, codes(found.content)) == (410, ["cursor_refused"])


@contextmanager
def served(node: Node) -> Iterator[str]:
    """The app on a port of the loopback; gives its base."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/fhir/"
        server = uvicorn.Server(uvicorn.Config(app_of(node, base), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield base
        server.should_exit = True
        thread.join()


def test_a_kept_fhir_client_reads_searches_and_pages(node: Node) -> None:
    keep(node.vault, patient(), *(observation(f"o{at}") for at in range(5)))
    with served(node) as base:
        client = SyncFHIRClient(base.rstrip("/"), authorization="Bearer fhirpy")
        assert client.reference("Observation", "o1").to_resource()["status"] == "final"
        found: Any = client.resources("Observation").search(patient="p1", status="final").limit(2)
        assert [each["id"] for each in found.fetch_all()] == [f"o{at}" for at in range(5)]
        assert found.search(category="vital-signs").fetch_all() == []
        one = client.resources("Observation").search(_id="o3").include("Observation", "subject").fetch_raw()
        assert [each["resource"]["resourceType"] for each in one["entry"]] == ["Observation", "Patient"]
        assert client.resources("Patient").search(_id="p1").count() == 1
        subject = client.reference("Observation", "o1").to_resource()["subject"]
        assert subject.to_resource()["gender"] == "female"


def test_the_answer_to_one_caller_is_not_keyed_by_another(node: Node) -> None:
    keep(node.vault, patient(), observation("o1"))
    app = app_of(node)
    for name in ("a", "b"):
        TestClient(app, headers={"authorization": f"Bearer {name}"}).get("/fhir/Observation/o1")
    assert [each.action for each in node.log()] == ["disclose"] * 2
    assert len(entries(node.everything("p1"), "match")) == 2
