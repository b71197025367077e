"""The frame of the app: errors, limits, rates, health, counts, logs."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import structlog
from fastapi import APIRouter, Form, Request
from starlette.testclient import TestClient

from chartseal.errors import FhirError, NodeSettingsError, VaultDamageError, VaultError
from chartseal.node.app import Parts, create_app
from chartseal.node.settings import Settings

SECRET = "Olivia-Bauch-1961"
LIMITS: dict[str, Any] = {"body_bytes": 4_096, "header_bytes": 2_048, "headers": 20, "target_bytes": 512}


def raising(name: str) -> Exception:
    return {
        "fhir": FhirError("a field is missing", "element_missing", "Patient.name[0]"),
        "busy": VaultError("/srv/vault.db is locked", "vault_busy"),
        "damage": VaultDamageError("bad", "vault_damaged", "/srv/vault.db"),
        "bug": KeyError(SECRET),
    }[name]


def router() -> APIRouter:
    made = APIRouter()

    @made.get("/raise/{name}")
    @made.get("/fhir/raise/{name}")
    async def fail(name: str) -> None:
        raise raising(name)

    @made.post("/length")
    @made.post("/large")
    async def length(request: Request) -> int:
        return sum([len(piece) async for piece in request.stream()])

    @made.post("/form")
    async def form(word: Annotated[str, Form()]) -> str:
        return word

    @made.get("/number")
    async def number(number: int) -> int:
        return number

    return made


def client_of(tmp_path: Path, limits: dict[str, Any] | None = None, **parts: Any) -> TestClient:
    settings = Settings.of({"limits": LIMITS | (limits or {}), "base_url": "https://a.example"}, tmp_path)
    app = create_app(Parts(settings, routers=[router()], larger_bodies={"/large": 1 << 20}, **parts))
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return client_of(tmp_path)


def test_a_callers_fault_is_told_with_its_place(client: TestClient) -> None:
    answer = client.get("/raise/fhir")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    expected = {"code": "element_missing", "detail": "a field is missing", "path": "Patient.name[0]", "status": 422}
    assert answer.json().items() >= expected.items()
    assert answer.json()["requestId"] == answer.headers["x-request-id"]


def test_under_fhir_it_is_an_outcome(client: TestClient) -> None:
    answer = client.get("/fhir/raise/fhir")
    assert answer.headers["content-type"] == "application/fhir+json"
    (issue,) = answer.json()["issue"]
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert issue["code"] == "processing"
    assert issue["details"]["coding"][0]["code"] == "element_missing"
    assert issue["expression"] == ["Patient.name[0]"]


@pytest.mark.parametrize(("name", "status"), [("busy", 503), ("damage", 500), ("bug", 500)])
@pytest.mark.parametrize("prefix", ["", "/fhir"])
def test_the_nodes_own_faults_tell_nothing(client: TestClient, name: str, status: int, prefix: str) -> None:
    answer = client.get(f"{prefix}/raise/{name}")
    assert answer.status_code == status
    for hidden in ("/srv", SECRET, "Traceback", "KeyError", "locked"):
        assert hidden not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/fhir/Nothing/1", 404, "not_found"),
        ("DELETE", "/health", 405, "method_not_allowed"),
        ("GET", f"/number?number={SECRET}", 400, "request_malformed"),
        ("POST", "/form", 400, "request_malformed"),
    ],
)
def test_the_frameworks_errors_are_ours(client: TestClient, method: str, path: str, status: int, code: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert code in answer.text
    assert SECRET not in answer.text
    assert ("allow" in answer.headers) == (status == 405)


def test_every_answer_bears_the_headers(client: TestClient) -> None:
    for path in ("/health", "/nothing", "/raise/bug", f"/health?{'x' * 600}"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["strict-transport-security"]
        assert len(headers["x-request-id"]) == 32


def test_a_request_id_is_kept_where_it_is_a_name(client: TestClient) -> None:
    assert client.get("/health", headers={"x-request-id": "abc-12345"}).headers["x-request-id"] == "abc-12345"
    for other in ("short", "x" * 65, "with space", 'quo"te-123', ""):
        assert client.get("/health", headers={"x-request-id": other}).headers["x-request-id"] != other


@pytest.mark.parametrize("size", [4_096, 4_097])
def test_the_length_of_a_body(client: TestClient, size: int) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (b"x" * 512 for _ in range(size // 512))
        yield b"x" * (size % 512)

    for content in (b"x" * size, chunks()):
        answer = client.post("/length", content=content)
        assert answer.status_code == (200 if size == 4_096 else 413), answer.text
        is_unread = size > 4_096 and isinstance(content, bytes)  # its length alone refuses it
        assert answer.headers.get("connection") == ("close" if is_unread else None)
    packed = gzip.compress(b"x" * size)
    answer = client.post("/length", content=packed, headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.text if size == 4_096 else answer.json()["code"]) == (
        (200, "4096") if size == 4_096 else (413, "unpacks_too_large")
    )


def test_a_larger_body_where_it_is_allowed(client: TestClient) -> None:
    assert client.post("/large", content=b"x" * (1 << 20)).text == str(1 << 20)
    assert client.post("/large", content=b"x" * ((1 << 20) + 1)).json()["code"] == "body_too_large"


def test_a_form_that_is_too_long_is_told_so(client: TestClient) -> None:
    assert client.post("/form", data={"word": "x"}).json() == "x"

    def chunks() -> Iterator[bytes]:
        yield b"word="
        yield from (b"x" * 1_024 for _ in range(5))

    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/form", content=chunks(), headers=headers).json()["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("content", "encoding", "code"),
    [
        (b"not gzip", "gzip", "body_malformed"),
        (gzip.compress(b"x" * 100, mtime=0)[:-1], "gzip", "body_malformed"),
        (gzip.compress(b"x" * 100, mtime=0) + b"rest", "gzip", "body_malformed"),
        (gzip.compress(b"", mtime=0), "br", "encoding_unsupported"),
        (gzip.compress(gzip.compress(b"", mtime=0), mtime=0), "gzip, gzip", "encoding_unsupported"),
    ],
)
def test_packed_bodies_that_are_refused(client: TestClient, content: bytes, encoding: str, code: str) -> None:
    answer = client.post("/length", content=content, headers={"content-encoding": encoding})
    assert answer.json()["code"] == code
    assert answer.status_code in (400, 415)


def test_several_members_of_gzip(client: TestClient) -> None:
    content = gzip.compress(b"x" * 100) + gzip.compress(b"y" * 11)
    assert client.post("/length", content=content, headers={"content-encoding": "gzip"}).text == "111"


def test_a_bomb_is_refused_long_before_its_limit(tmp_path: Path) -> None:
    client = client_of(tmp_path, {"unpacked_ratio": 50, "body_bytes": 15 << 20})
    headers = {"content-encoding": "gzip"}
    assert client.post("/length", content=gzip.compress(bytes(1 << 20)), headers=headers).text == str(1 << 20)
    answer = client.post("/length", content=gzip.compress(bytes(10 << 20)), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "unpacks_too_large")


@pytest.mark.parametrize(("headers", "path", "code"), [
    ({f"x-{number}": "v" for number in range(21)}, "/health", "headers_too_large"),
    ({"x-long": "v" * 2_048}, "/health", "headers_too_large"),
    ({}, f"/health?{'q' * 512}", "target_too_long"),
])  # fmt: skip
def test_heads_that_are_too_long(client: TestClient, headers: dict[str, str], path: str, code: str) -> None:
    answer = client.get(path, headers=headers)
    assert answer.json()["code"] == code
    assert answer.status_code in (414, 431)


def test_a_body_with_two_lengths(client: TestClient) -> None:
    for headers in ([("content-length", "1"), ("content-length", "2")], [("content-length", "x")]):
        assert client.post("/length", content=b"x", headers=headers).json()["code"] == "request_malformed"
    headers = [("content-length", "1"), ("transfer-encoding", "chunked")]
    assert client.post("/length", content=b"x", headers=headers).json()["code"] == "request_malformed"


def test_rates_are_each_clients_own(tmp_path: Path) -> None:
    client = client_of(tmp_path, {"requests_per_minute": 3}, identify=lambda headers: headers.get("x-who"))
    assert [client.get("/nothing").status_code for _ in range(5)] == [404, 404, 404, 429, 429]
    assert client.get("/nothing").json()["code"] == "rate_exceeded"
    assert int(client.get("/nothing").headers["retry-after"]) > 0
    assert [client.get("/nothing", headers={"x-who": "b"}).status_code for _ in range(4)] == [404, 404, 404, 429]
    assert client.get("/health").status_code == 200  # the watcher is never held back


def test_ready_tells_what_is_not(tmp_path: Path) -> None:
    def broken() -> None:
        raise NodeSettingsError("a path", "secret_missing")

    def hanging() -> None:
        time.sleep(0.3)

    client = client_of(tmp_path, checks={"keys": broken, "database": lambda: None, "queue": raise_value})
    answer = client.get("/ready")
    assert answer.status_code == 503
    checks = {"keys": "secret_missing", "database": "ok", "queue": "internal_error"}
    assert answer.json() == {"ready": False, "checks": checks}
    assert client_of(tmp_path, checks={"database": lambda: None}).get("/ready").status_code == 200
    assert client_of(tmp_path, checks={"slow": hanging}).get("/ready").status_code == 200


def raise_value() -> None:
    raise ValueError(SECRET)


def test_a_check_that_hangs_is_not_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartseal.node.health.PATIENCE", 0.05)
    begun: list[int] = []

    def hanging() -> None:
        begun.append(1)
        time.sleep(0.5)

    client = client_of(tmp_path, checks={"slow": hanging})
    assert [client.get("/ready").json()["checks"]["slow"] for _ in range(3)] == ["timeout"] * 3
    assert begun == [1]


def test_counts_hold_routes_and_no_paths(client: TestClient) -> None:
    client.get(f"/raise/{SECRET}")
    client.get("/raise/fhir")
    client.get(f"/{SECRET}")
    client.request(SECRET.upper(), "/health")
    text = client.get("/metrics").text
    assert 'chartseal_requests_total{method="GET",route="/raise/{name}",status="422"} 1.0' in text
    assert 'route="unrouted",status="404"' in text
    assert 'chartseal_requests_refused_total{code="element_missing"} 1.0' in text
    assert SECRET.lower() not in text.lower()


def test_logs_hold_no_path_query_or_value(tmp_path: Path) -> None:
    client = client_of(tmp_path, identify=lambda _: "ehr")
    with structlog.testing.capture_logs() as lines:
        client.get("/raise/bug")
        client.get(f"/{SECRET}?patient={SECRET}", headers={"x-name": SECRET})
    fault, first, second = lines
    assert (fault["event"], fault["fault"]) == ("fault", "KeyError")
    assert fault["where"][-1].startswith("tests.unit.node.test_app:fail:") or "fail" in fault["where"][-1]
    assert (first["route"], first["status"], first["client"]) == ("/raise/{name}", 500, "ehr")
    assert (second["route"], second["status"]) == ("unrouted", 404)
    assert SECRET not in json.dumps(lines)


def test_the_page_and_the_schema_agree(client: TestClient) -> None:
    page = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"<td>{path}</td>" in page
    assert "<script" not in page


def test_services_begin_and_end(tmp_path: Path) -> None:
    from contextlib import asynccontextmanager

    seen: list[str] = []

    @asynccontextmanager
    async def service() -> AsyncIterator[None]:
        seen.append("begun")
        yield
        seen.append("ended")

    with client_of(tmp_path, services=[service]) as client:
        assert client.get("/health").status_code == 200
        assert seen == ["begun"]
    assert seen == ["begun", "ended"]
