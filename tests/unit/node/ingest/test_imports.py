"""Imports: uploaded, sealed beside the requests, polled, cancelled, and taken up again after a restart."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from chartseal.errors import VaultError
from chartseal.keys import IssuerKey
from chartseal.node.ingest.intake import Intake
from chartseal.node.ingest.jobs import Job
from tests.nodes import BASE, NDJSON, OTHER_SECRET, Made, lines, made, observation, write_map
from tests.vaults import MemoryKeys

PATIENTS = [{"resourceType": "Patient", "id": name} for name in ("p1", "p2")]
OTHER = NDJSON | {"authorization": f"Bearer {OTHER_SECRET}"}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Made]:
    with made(tmp_path) as found:
        yield found


@pytest.fixture
def client(node: Made) -> Iterator[TestClient]:
    with node.client() as found:
        yield found


def path_of(answer: Any) -> str:
    assert answer.status_code == 202, answer.text
    where: str = answer.headers["content-location"]
    assert where.startswith("https://hospital.example/node/import/")
    return where.removeprefix("https://hospital.example/node")


def ended(client: TestClient, path: str) -> Any:
    for _ in range(1_500):
        answer = client.get(path, headers=NDJSON)
        if answer.status_code != 202:
            return answer
        assert answer.headers["retry-after"]
        time.sleep(0.02)
    raise TimeoutError(path)


def export(count: int, *more: dict[str, Any]) -> bytes:
    return lines(*PATIENTS, *(observation(number, f"p{1 + number % 2}") for number in range(count)), *more)


def test_an_import_from_upload_to_result(node: Made, client: TestClient, tmp_path: Path) -> None:
    data = export(20, observation(90, "p9"), observation(91) | {"status": 7}) + b"no json\n"
    path = path_of(client.post("/import", content=data, headers=NDJSON))
    result = ended(client, path).json()
    assert (result["resources"], result["refused"], result["output"]) == (25, 3, [])
    assert sum(result["codes"].values()) == 3
    assert result["error"] == [
        {"type": "OperationOutcome", "url": f"https://hospital.example/node{path}/errors", "count": 3}
    ]
    answer = client.get(f"{path}/errors", headers=NDJSON)
    assert answer.headers["content-type"] == "application/fhir+ndjson"
    issues = [json.loads(line)["issue"][0] for line in answer.text.splitlines()]
    assert [each["expression"][0].split(".")[0] for each in issues] == ["line 23", "line 24", "line 25"]
    assert issues[0]["details"]["coding"][0]["code"] == "patient_unmapped"
    assert len(node.vault.find()) == 22
    assert not list((tmp_path / "spool").glob("*.age"))
    assert 'chartseal_imports{state="done"} 1.0' in client.get("/metrics").text
    assert "Bauch" not in answer.text


def test_the_same_again_seals_nothing_twice(node: Made, client: TestClient) -> None:
    for _ in range(2):
        result = ended(client, path_of(client.post("/import", content=export(5), headers=NDJSON))).json()
        assert (result["resources"], result["refused"]) == (7, 0)
    assert len(node.vault.find()) == 7


def test_two_of_the_same_at_once_seal_it_once(node: Made, client: TestClient) -> None:
    paths = [path_of(client.post("/import", content=export(300), headers=NDJSON)) for _ in range(2)]
    assert [ended(client, path).json()["resources"] for path in paths] == [302, 302]
    assert len(node.vault.find()) == 302


def test_two_imports_at_once(node: Made, client: TestClient) -> None:
    others = lines(*PATIENTS, *(observation(1_000 + number) for number in range(50)))
    paths = [path_of(client.post("/import", content=each, headers=NDJSON)) for each in (export(50), others)]
    assert [ended(client, path).json()["refused"] for path in paths] == [0, 0]
    assert len(node.vault.find()) == 104  # the Patients twice: they are of two runs


def test_a_packed_import(client: TestClient, node: Made) -> None:
    headers = NDJSON | {"content-encoding": "gzip"}
    assert ended(client, path_of(client.post("/import", content=gzip.compress(export(5)), headers=headers))).is_success
    assert len(node.vault.find()) == 7
    answer = client.post("/import", content=gzip.compress(export(5)), headers=NDJSON)
    assert (answer.status_code, answer.json()["code"]) == (415, "encoding_unsupported")


def test_uploads_that_are_refused_leave_nothing(tmp_path: Path) -> None:
    with made(tmp_path, ingest={"import_bytes": 4_096}) as node, node.client() as client:

        def pieces() -> Iterator[bytes]:
            yield from (b"x" * 1_024 for _ in range(5))

        for content, headers in (
            (pieces(), NDJSON),
            (gzip.compress(bytes(5_000)), NDJSON | {"content-encoding": "gzip"}),
            (gzip.compress(bytes(5_000))[:-3], NDJSON | {"content-encoding": "gzip"}),
            (b"{}", NDJSON | {"content-type": "text/csv"}),
        ):
            assert 400 <= client.post("/import", content=content, headers=headers).status_code < 500
        assert {each.name for each in (tmp_path / "spool").iterdir()} == {"spool.key", ".lock"}


def test_imports_are_their_pushers_own(client: TestClient) -> None:
    path = path_of(client.post("/import", content=export(1), headers=NDJSON))
    ended(client, path)
    for method, where in (("GET", path), ("GET", f"{path}/errors"), ("DELETE", path)):
        answer = client.request(method, where, headers=OTHER)
        assert (answer.status_code, answer.json()["code"]) == (404, "import_unknown")
        assert client.request(method, where).status_code == 401
    assert client.get(path, headers=NDJSON).status_code == 200
    unknown = client.get(f"/import/{'0' * 32}", headers=NDJSON)
    answer = client.get(path, headers=OTHER)
    assert {**unknown.json(), "requestId": ""} == {**answer.json(), "requestId": ""}


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "0" * 31, "A" * 32, "spool.key"])
def test_no_other_file_is_reached(client: TestClient, name: str) -> None:
    assert client.get(f"/import/{name}", headers=NDJSON).status_code in (400, 404)
    assert client.delete(f"/import/{name}", headers=NDJSON).status_code in (400, 404)


class Held:
    """Lets a test hold an import in its first batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        take = Intake.take

        def held(intake: Intake, *arguments: Any) -> Any:
            self.begun.set()
            assert self.go_on.wait(20)
            return take(intake, *arguments)

        monkeypatch.setattr(Intake, "take", held)


def test_an_import_is_cancelled(
    client: TestClient, node: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = Held(monkeypatch)
    path = path_of(client.post("/import", content=export(5), headers=NDJSON))
    assert held.begun.wait(20)
    assert client.get(path, headers=NDJSON).json() == {"state": "running"}
    assert client.get(f"{path}/errors", headers=NDJSON).json()["code"] == "import_not_done"
    assert client.delete(path, headers=NDJSON).status_code == 202
    assert client.get(path, headers=NDJSON).status_code == 404
    held.go_on.set()
    second = path_of(client.post("/import", content=export(1), headers=NDJSON))
    assert ended(client, second).is_success
    assert len(node.vault.find()) == 3
    assert not list((tmp_path / "spool").glob("*.age"))


def test_too_many_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    with made(tmp_path, ingest={"imports_waiting": 2, "imports_at_once": 1}) as node, node.client() as client:
        paths = [path_of(client.post("/import", content=export(number), headers=NDJSON)) for number in (1, 2)]
        answer = client.post("/import", content=export(3), headers=NDJSON)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        held.go_on.set()
        assert all(ended(client, path).is_success for path in paths)
        path_of(client.post("/import", content=export(3), headers=NDJSON))


def test_what_passes_is_waited_for(client: TestClient, node: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    take, met = Intake.take, list[str]()

    def failing(intake: Intake, *arguments: Any) -> Any:
        if len(met) < 2:
            met.append("disk_full" if met else "vault_busy")
            raise VaultError("not now", met[-1])
        return take(intake, *arguments)

    monkeypatch.setattr(Intake, "take", failing)
    monkeypatch.setattr("chartseal.node.ingest.jobs._FIRST_WAIT", 0.01)
    assert ended(client, path_of(client.post("/import", content=export(5), headers=NDJSON))).is_success
    assert len(met) == 2
    assert len(node.vault.find()) == 7


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(VaultError("full", "quota_exceeded"), 507, "quota_exceeded"), (KeyError("Olivia"), 500, "internal_error")],
)
def test_what_does_not_pass_fails_the_import(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, status: int, code: str
) -> None:
    def failing(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(Intake, "take", failing)
    answer = ended(client, path_of(client.post("/import", content=export(5), headers=NDJSON)))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "Olivia" not in answer.text
    assert not list((tmp_path / "spool").glob("*.age"))


def test_an_import_goes_on_after_a_restart_with_the_run_that_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the map of patients changed meanwhile: else all would be sealed a second time."""
    keys, issuer = MemoryKeys(), IssuerKey.generate(base=BASE)
    monkeypatch.setattr("chartseal.sealing.batch.MOST_ITEMS", 2)
    go_on = threading.Event()
    write_map(tmp_path, "p1")
    with made(tmp_path, keys, issuer) as node, node.client() as client:
        take = Intake.take

        def stopping(intake: Intake, source: Any, actor: Any, addresses: Any, progress: Any, told: Any) -> Any:
            def watched(done: Any) -> None:
                if done.items >= 10:
                    go_on.set()
                    node.imports._jobs[path[-32:]].stop.wait(20)
                progress(done)

            return take(intake, source, actor, addresses, watched, told)

        monkeypatch.setattr(Intake, "take", stopping)
        answer = client.post("/import", content=export(28), headers=NDJSON)
        path = path_of(answer)
        assert go_on.wait(20)
    before = Job.from_json((tmp_path / f"spool/{path[-32:]}.json").read_bytes())
    assert before.state == "running"
    monkeypatch.setattr(Intake, "take", take)
    write_map(tmp_path, "p1", "p2")
    with made(tmp_path, keys, issuer) as node, node.client() as client:
        sealed_before = len(node.vault.find())
        assert 0 < sealed_before < 30
        result = ended(client, path).json()
        assert result["resources"] == 30
        records = node.vault.find()
        assert len(records) + result["refused"] == 30
        assert len(records) > sealed_before
        assert list(node.vault.verify()) == []


def test_results_are_kept_for_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with made(tmp_path, ingest={"keep_results_hours": 1}) as node, node.client() as client:
        path = path_of(client.post("/import", content=export(1), headers=NDJSON))
        ended(client, path)
        second = path_of(client.post("/import", content=export(2), headers=NDJSON))
        assert ended(client, path).is_success
        ended(client, second)
        now = node.imports._now()
        monkeypatch.setattr(node.imports, "_now", lambda: now + 3_602)
        path_of(client.post("/import", content=export(3), headers=NDJSON))
        assert client.get(path, headers=NDJSON).status_code == 404
        assert not (tmp_path / f"spool/{path[-32:]}.json").exists()


def test_a_damaged_job_is_dropped(tmp_path: Path) -> None:
    with made(tmp_path) as node:
        upload = node.spool.begin()
        upload.keep()
        node.spool.write(upload.name, b'{"id": 5}')
        with node.client() as client:
            assert client.get(f"/import/{upload.name}", headers=NDJSON).status_code == 404
        assert {each.name for each in (tmp_path / "spool").iterdir()} == {"spool.key", ".lock"}
