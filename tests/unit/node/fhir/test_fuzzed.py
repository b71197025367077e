"""Generated requests: none ends in a server's error, and none tells what is refused from what is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from chartseal.errors import FhirRequestError
from chartseal.node.fhir.outcomes import refusal
from chartseal.node.fhir.routes import FORM
from chartseal.node.fhir.table import TYPES
from chartseal.record import read_fields
from tests.fhir_answers import PERMITTED, REFUSED, Node, app_of, keep, observation, patient
from tests.vault_records import create

NAMES = (
    "patient",
    "subject",
    "_id",
    "code",
    "date",
    "status",
    "_count",
    "_total",
    "_include",
    "_revinclude",
    "x",
    "_sort",
)
VALUES = (
    "p1",
    "Patient/p1",
    "o1",
    "final",
    "2026",
    "ge2026-05",
    "1",
    "accurate",
    "Observation:subject",
    "|",
    "",
    "\\",
    "é",
)


RELAXED: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    vault = create(str(tmp_path_factory.mktemp("fuzzed") / "vault.db"))
    keep(vault, patient(), observation("o1"), observation("o2"))
    yield Node(vault)
    vault.close()


def answered(node: Node, resource_type: str, text: str) -> tuple[int, bytes]:
    try:
        made = node.answers.search(resource_type, text, node.asked)
    except FhirRequestError as exc:
        made = refusal(exc)
    return made.status, made.body


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    resource_type=st.sampled_from([*TYPES, "Foo"]),
    pairs=st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.text(max_size=8)), max_size=4),
)
def test_searches_of_a_refused_patient_are_those_of_an_unknown_one(
    node: Node, resource_type: str, pairs: list[tuple[str, str]]
) -> None:
    node.rules.decide = lambda _: REFUSED
    text = "&".join(f"{name}={value}" for name, value in pairs)
    status, body = answered(node, resource_type, text)
    assert status < 500
    json.loads(body)
    assert answered(node, resource_type, text.replace("p1", "p9")) == (status, body.replace(b"p1", b"p9"))
    assert b"birthDate" not in body


@pytest.fixture(scope="module")
def client(node: Node) -> Iterator[TestClient]:
    with TestClient(app_of(node), headers={"authorization": "Bearer fuzzer"}) as made:
        yield made


def test_no_request_ends_in_a_servers_error(client: TestClient, node: Node) -> None:
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    operations = [each.ok() for each in schema.get_all_operations()]  # type: ignore[union-attr]
    assert len(operations) == 6
    for operation in operations:

        @settings(
            max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(), form=st.binary(max_size=40))
        def ask(case: Any, form: bytes) -> None:
            sent = case.as_transport_kwargs(base_url="http://testserver")
            is_form = sent["method"] == "POST"
            body: dict[str, Any] = {"content": form, "headers": {"content-type": FORM}} if is_form else {}
            found = client.request(sent["method"], sent["url"], params=sent.get("params"), **body)
            assert found.status_code < 500
            read_fields(found.content)

        node.rules.decide = lambda _: PERMITTED
        ask()
