"""Pushing over HTTP: one resource or Bundle, whole or not at all, sealed once, by who may."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from chartseal.chain.anchors.tables import ANNOUNCEMENT, LEAF
from chartseal.errors import NodeSettingsError, SealingError
from chartseal.node.ingest import Pushers
from chartseal.vault.audit import verify_log
from chartseal.vault.database import reading
from chartseal.vault.tables import DELIVERY
from tests.nodes import BASE, HEADERS, SECRET, Made, bundle, made, observation, settings_of, write_map

PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female"}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Made]:
    with made(tmp_path) as found:
        yield found


def push(node: Made, resource: Any, path: str | None = None, **headers: str) -> Any:
    data = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
    path = path or f"/fhir/{resource['resourceType']}"
    return node.client().post(path, content=data, headers=HEADERS | headers)


def codes(answer: Any) -> list[str]:
    return [each["details"]["coding"][0]["code"] for each in answer.json()["issue"]]


def counted(node: Made) -> list[int]:
    with reading(node.vault.engine) as connection:
        return [
            connection.execute(select(func.count()).select_from(each)).scalar_one()
            for each in (DELIVERY, LEAF, ANNOUNCEMENT)
        ]


def test_one_resource_is_sealed_stored_delivered_and_queued(node: Made) -> None:
    answer = push(node, observation(1))
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "https://hospital.example/node/fhir/Observation/o1"
    assert codes(answer) == ["sealed"]
    (entry,) = node.vault.find(patient="Patient/p1", code="http://loinc.org|2823-3")
    record = node.vault.get(*entry.identity, actor="me", now=node.provider.clock())
    record.check()
    assert record.attester == node.provider.issuing.signer.address
    assert counted(node) == [1, 1, 1]
    with reading(node.vault.engine) as connection:
        assert verify_log(connection, now=node.provider.clock()).entries == 2
    assert "chartseal_records_sealed_total 1.0" in node.metrics.text().decode()


def test_the_same_bytes_are_sealed_once(node: Made) -> None:
    assert push(node, observation(1)).status_code == 201
    answer = push(node, observation(1))
    assert (answer.status_code, codes(answer)) == (200, ["sealed_before"])
    assert push(node, observation(1, status="amended")).status_code == 201
    assert len(node.vault.find()) == 2


def test_who_is_not_in_the_map_is_sealed_once_she_is(node: Made, tmp_path: Path) -> None:
    write_map(tmp_path, "p2")
    answer = push(node, observation(1))
    assert (answer.status_code, codes(answer)) == (422, ["patient_unmapped"])
    assert node.vault.find() == []
    write_map(tmp_path, "p1", "p2")
    assert push(node, observation(1)).status_code == 201


def test_a_transaction_is_answered_entry_by_entry(node: Made) -> None:
    answer = push(node, bundle("transaction", PATIENT, observation(1), observation(2)), "/fhir")
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "transaction-response"
    told = [each["response"] for each in answer.json()["entry"]]
    assert [each["status"] for each in told] == ["201 Created"] * 3
    assert told[1]["location"].endswith("/fhir/Observation/o1")
    assert len(node.vault.find()) == 3
    again = push(node, bundle("transaction", PATIENT, observation(1), observation(2)), "/fhir")
    assert [each["response"]["status"] for each in again.json()["entry"]] == ["200 OK"] * 3


@pytest.mark.parametrize("kind", ["transaction", "collection"])
def test_a_bundle_is_taken_whole_or_not_at_all(node: Made, kind: str) -> None:
    wrong = observation(2) | {"status": 7}
    answer = push(node, bundle(kind, PATIENT, observation(1), wrong, observation(3, "p9")), "/fhir")
    assert answer.status_code == 422
    assert len(answer.json()["issue"]) == 2
    assert answer.json()["issue"][0]["expression"][0].startswith("Bundle.entry[2]")
    assert codes(answer)[1] == "patient_unmapped"
    assert node.vault.find() == []
    assert counted(node) == [0, 0, 0]
    assert push(node, bundle(kind, PATIENT, observation(1)), "/fhir").is_success
    assert len(node.vault.find()) == 2


def test_what_is_refused_shows_no_value(node: Made) -> None:
    answer = push(node, observation(1, note=[{"text": 5}], bodySite={"Olivia": "Bauch"}))
    assert answer.status_code == 422
    assert "Bauch" not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/fhir/Patient", observation(1), 422, "resource_type_other"),
        ("/fhir", observation(1), 422, "bundle_type_refused"),
        ("/fhir", bundle("batch", PATIENT), 422, "bundle_type_refused"),
        ("/fhir", bundle("history", PATIENT), 422, "bundle_type_refused"),
        ("/fhir/Bundle", bundle("transaction", PATIENT), 422, "bundle_type_refused"),
        ("/fhir", {"resourceType": "Bundle", "type": "collection", "entry": 5}, 422, "type_mismatch"),
        ("/fhir/Observation", b'{"resourceType": "Observation", "id": "a", "id": "b"}', 422, None),
        ("/fhir/Observation", b"[]", 422, None),
        ("/fhir/Observation", b"", 422, None),
        ("/fhir/Observation", b"\xff\xfe", 422, None),
        ("/fhir/Observation", b"[" * 100_000, None, None),
        ("/fhir/Observation", gzip.compress(b"{}", mtime=0), 415, "encoding_unsupported"),
        ("/fhir/observation", observation(1), 404, "not_found"),
        ("/fhir/$export", observation(1), 404, "not_found"),
    ],
)
def test_other_bodies_are_refused(node: Made, path: str, body: Any, status: int | None, code: str | None) -> None:
    answer = push(node, body, path)
    assert answer.status_code == status or (status is None and 400 <= answer.status_code < 500), answer.text
    assert code is None or code in codes(answer)
    assert node.vault.find() == []


def test_too_many_at_once(node: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartseal.node.ingest.intake.MOST_AT_ONCE", 2)
    answer = push(node, bundle("collection", *map(observation, range(3))), "/fhir")
    assert (answer.status_code, codes(answer)) == (413, ["push_too_large"])
    assert push(node, bundle("collection", *map(observation, range(2))), "/fhir").is_success


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("application/fhir+json", True),
        ("application/fhir+json; fhirVersion=4.0; charset=UTF-8", True),
        ("application/json", True),
        ("application/fhir+xml", False),
        ("application/fhir+json; fhirVersion=5.0", False),
        ("application/json; charset=latin-1", False),
        ("", False),
    ],
)
def test_media_types(node: Made, kind: str, taken: bool) -> None:
    answer = push(node, observation(1), **{"content-type": kind})
    assert answer.status_code == (201 if taken else 415)


def test_a_packed_body(node: Made) -> None:
    data = gzip.compress(json.dumps(observation(1)).encode())
    assert push(node, data, "/fhir/Observation", **{"content-encoding": "gzip"}).status_code == 201


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, "credential_missing"),
        ("", "credential_refused"),
        ("Bearer", "credential_refused"),
        (f"Bearer {SECRET[:-1]}", "credential_refused"),
        (f"Bearer {SECRET}s", "credential_refused"),
        (f"Basic {SECRET}", "credential_refused"),
        ("Bearer " + "s" * 8_000, "credential_refused"),
    ],
)
@pytest.mark.parametrize("path", ["/fhir/Observation", "/fhir", "/import"])
def test_who_may_not_push(node: Made, given: str | None, code: str, path: str) -> None:
    headers = {"content-type": "application/fhir+json"} | ({} if given is None else {"authorization": given})
    answer = node.client().post(path, content=b"{}", headers=headers)
    assert answer.status_code == 401
    assert code in answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert node.vault.find() == []


def test_two_credentials_are_none(node: Made) -> None:
    headers = [("authorization", f"Bearer {SECRET}"), ("authorization", "Bearer other")]
    answer = node.client().post("/fhir/Observation", content=b"{}", headers=headers)
    assert answer.status_code == 401


def test_pushers_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EHR", SECRET)
    monkeypatch.setenv("WEAK", "w" * 31)

    def pushers(*named: tuple[str, str]) -> Pushers:
        listed = [{"name": name, "secret": f"env:{variable}"} for name, variable in named]
        return Pushers.of(settings_of(tmp_path, ingest={"pushers": listed}))

    from starlette.datastructures import Headers

    assert pushers(("ehr", "EHR")).require(Headers({"authorization": f"bearer {SECRET}"})) == "ehr"
    for wrong in ([("ehr", "WEAK")], [("ehr", "EHR"), ("lab", "EHR")], [("ehr", "EHR"), ("ehr", "EHR")]):
        with pytest.raises(NodeSettingsError) as caught:
            pushers(*wrong)
        assert SECRET not in str(caught.value)


def test_nobody_pushes_where_no_secret_is_set(tmp_path: Path) -> None:
    from starlette.datastructures import Headers

    from chartseal.errors import ServiceError

    with pytest.raises(ServiceError) as caught:
        Pushers.of(settings_of(tmp_path)).require(Headers({"authorization": "Bearer x"}))
    assert caught.value.code == "push_off"


def test_a_map_that_is_broken_is_the_nodes_fault(node: Made, tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text("p1,nothing\np1,else\n")
    answer = push(node, observation(1))
    assert (answer.status_code, codes(answer)) == (500, ["map_malformed"])
    (tmp_path / "patients.csv").unlink()
    assert codes(push(node, observation(1))) == ["map_unreadable"]
    assert str(tmp_path) not in push(node, observation(1)).text


def test_the_base_tells_who_is_meant(node: Made) -> None:
    answer = push(node, observation(1) | {"subject": {"reference": f"{BASE}Patient/p1"}})
    assert answer.status_code == 201
    assert len(node.vault.find(patient="Patient/p1")) == 1


def test_many_at_once(node: Made) -> None:
    bodies = [json.dumps(observation(number)).encode() for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda data: node.intake.push(data, "ehr"), bodies))
    assert [each.sealed for each in done] == [1] * 24
    assert len(node.vault.find()) == 24
    assert list(node.vault.verify()) == []


def test_the_same_by_many_at_once(node: Made) -> None:
    data = json.dumps(bundle("collection", *map(observation, range(20)))).encode()

    def push_it(_: int) -> int | str:
        try:
            return node.intake.push(data, "ehr").sealed
        except SealingError as error:
            return error.code

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(push_it, range(8)))
    assert found.count(20) == 1
    assert set(found) <= {20, 0, "sealing_in_progress"}
    assert len(node.vault.find()) == 20
