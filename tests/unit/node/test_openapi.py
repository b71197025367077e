"""schemathesis over the whole OpenAPI: whatever is sent, no answer is the node's own fault."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient

from tests.nodes import SECRET, made

EXAMPLES = max(10, round(2_000 * float(os.environ.get("CHARTSEAL_DRILL", "0.01"))))
"""Of each operation."""


@schemathesis.serializer("application/fhir+ndjson")
def _as_it_is(_: Any, value: Any) -> Any:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


HEADERS = {"authorization": f"Bearer {SECRET}"}
LIMITS = {"requests_per_minute": 10_000_000}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with made(tmp_path, limits=LIMITS, ingest={"imports_waiting": 10_000}) as node, node.client() as found:
        yield found


def asked(client: TestClient, case: Any, headers: dict[str, str]) -> Any:
    """What a case's request is answered."""
    kwargs = case.as_transport_kwargs(base_url="https://testserver")
    sent = {name: value for name, value in kwargs["headers"].items() if name.lower() != "authorization"}
    body = {name: kwargs[name] for name in ("json", "data") if kwargs.get(name) is not None}
    if "data" in body:
        data = body.pop("data")
        body["content"] = data if isinstance(data, (bytes, str)) else repr(data)
    return client.request(kwargs["method"], kwargs["url"], params=kwargs.get("params"), headers=sent | headers, **body)


@pytest.mark.parametrize("headers", [HEADERS, {}], ids=["pusher", "nobody"])
def test_no_server_errors(client: TestClient, headers: dict[str, str]) -> None:
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    answered: Counter[tuple[str, int]] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # an operation that it cannot read has none, and fails

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            answer = asked(client, case, headers)
            answered[case.operation.label, answer.status_code] += 1
            assert answer.status_code < 500, (case.operation.label, answer.text)
            assert "x-request-id" in answer.headers

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ask()
    labels = {label for label, _ in answered}
    assert len(labels) >= 9
    assert answered.total() > EXAMPLES
    wanted = {201, 202, 200, 404} if headers else {401, 200}
    assert wanted - {201} <= {status for _, status in answered}
    print(f"\nschemathesis: {answered.total()} requests to {len(labels)} operations, 0 server errors")


def test_the_example_is_sealed(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/fhir"]["post"]
    [(media_type, content)] = operation["requestBody"]["content"].items()
    answer = client.post("/fhir", json=content["example"], headers={**HEADERS, "content-type": media_type})
    assert answer.status_code == 200, answer.text
