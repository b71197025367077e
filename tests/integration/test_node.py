"""A node as a process: pushes and imports over HTTP, slow and hostile clients, its end, and kill -9 in the middle."""

from __future__ import annotations

import json
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from chartseal.chain.anchors.tables import LEAF
from chartseal.cli import cli
from chartseal.vault import Vault
from chartseal.vault.audit import verify_log
from chartseal.vault.database import reading
from chartseal.vault.keys import open_keys
from chartseal.vault.tables import DELIVERY, KEY
from tests.anchoring import place as place
from tests.node_processes import KEYS, NodeProcess, found, running, start
from tests.nodes import PASSPHRASE, lines, observation
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.postgres import settle

KILLS = 40
"""In each database."""
COUNT = 600
"""Resources of an import."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("node") / "n"
    found(made)
    return made


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[NodeProcess]:
    with running(folder, CHARTSEAL_NODE_LIMITS__IDLE_SECONDS="1.5") as found_node:
        yield found_node


def opened(place: str, monkeypatch: pytest.MonkeyPatch) -> Vault:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return Vault.open(place, open_keys("env:VK", None))


def ended(node: NodeProcess, path: str) -> Any:
    for _ in range(3_000):
        answer = node.request("GET", path)
        if answer.status_code != 202:
            assert answer.status_code == 200, answer.text
            return answer.json()
        time.sleep(0.05)
    raise TimeoutError(path)


def path_of(answer: httpx.Response) -> str:
    assert answer.status_code == 202, answer.text
    return str(answer.headers["content-location"]).partition("8080")[2]


def raw(node: NodeProcess) -> socket.socket:
    host, _, port = node.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def rest(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    found_bytes = b""
    while piece := connection.recv(65_536):
        found_bytes += piece
    return found_bytes


def test_push_import_and_ready(node: NodeProcess) -> None:
    assert node.request("GET", "/ready").json()["ready"] is True
    body = json.dumps(observation(1)).encode()
    assert node.request("POST", "/fhir/Observation", body).status_code == 201
    assert node.request("POST", "/fhir/Observation", body).status_code == 200
    result = ended(node, path_of(node.request("POST", "/import", lines(*map(observation, range(10, 60))))))
    assert (result["resources"], result["refused"]) == (50, 0)


def test_nothing_is_in_the_clear_in_its_folder(node: NodeProcess, folder: Path) -> None:
    note = "Olivia Bauch was here"
    body = lines(observation(70, note=[{"text": note}]), observation(71, "p9", note=[{"text": note}]))
    assert ended(node, path_of(node.request("POST", "/import", body)))["refused"] == 1
    push = json.dumps(observation(72, "p9", note=[{"text": note}])).encode()
    assert node.request("POST", "/fhir/Observation?patient=Olivia", push).status_code == 422
    for each in folder.rglob("*"):
        if each.is_file():
            data = each.read_bytes()
            assert b"Olivia" not in data, each
            assert b"Bauch" not in data, each


def test_a_head_that_does_not_come(node: NodeProcess) -> None:
    for begun in (b"", b"GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: "):
        with raw(node) as connection:
            connection.sendall(begun)
            began = time.monotonic()
            assert rest(connection) == b""
            assert time.monotonic() - began < 15


def test_a_head_that_trickles(node: NodeProcess) -> None:
    with raw(node) as connection:
        began = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011  # whatever the system says of a closed connection
            trickle(connection)
        assert time.monotonic() - began < 15


def trickle(connection: socket.socket) -> None:
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    for _ in range(200):
        connection.sendall(b"x")
        time.sleep(0.1)


def test_a_body_that_does_not_come(node: NodeProcess) -> None:
    with raw(node) as connection:
        head = f"POST /fhir/Observation HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {node.secret}\r\n"
        connection.sendall(head.encode() + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request_too_slow" in answer
    assert b"connection: close" in answer.lower()


def test_a_head_that_never_ends(node: NodeProcess) -> None:
    with raw(node) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n")
        connection.sendall(b"".join(b"X-%d: %s\r\n" % (at, b"v" * 100) for at in range(400)))
        answer = rest(connection)
    assert re.match(rb"HTTP/1.1 4\d\d ", answer)
    assert node.request("GET", "/health").status_code == 200


def test_settings_that_are_wrong_end_it_with_their_code(folder: Path) -> None:
    runner = CliRunner(env={"CHARTSEAL_PASSPHRASE": PASSPHRASE, **KEYS})
    config = ["--config", str(folder / "node.toml")]
    checked = runner.invoke(cli, ["node", "check", *config, "--json"])
    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["well"] is True
    for variable, code in (
        ("CHARTSEAL_NODE_VAULT__PLACE", "vault_missing"),
        ("CHARTSEAL_NODE_ISSUER__KEY", "key_file_unreadable"),
        ("CHARTSEAL_NODE_INGEST__PATIENTS", "map_unreadable"),
    ):
        done = runner.invoke(cli, ["node", "check", *config, "--json"], env={variable: "not-there"})
        assert done.exit_code == 1
        assert code in json.loads(done.stdout)["checks"].values()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        variables = {"CHARTSEAL_NODE_LISTEN__PORT": str(taken.getsockname()[1])}
        done = runner.invoke(cli, ["node", "up", *config], env=variables)
    assert getattr(done.exception, "code", "") == "address_unusable"


def test_init_overwrites_nothing(folder: Path) -> None:
    before = {each: each.read_bytes() for each in folder.iterdir() if each.is_file() and "vault.db" not in each.name}
    again = CliRunner(env={"CHARTSEAL_PASSPHRASE": PASSPHRASE, **KEYS}).invoke(
        cli, ["node", "init", str(folder), "--base-url", "https://other.example", "--json"]
    )
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["made"] == []
    assert {each: each.read_bytes() for each in before} == before
    (folder / "ehr.secret").rename(folder / "kept")
    wrong = CliRunner(env={"CHARTSEAL_PASSPHRASE": "wrong", **KEYS}).invoke(cli, ["node", "init", str(folder)])
    assert wrong.exit_code == 1
    (folder / "kept").rename(folder / "ehr.secret")


def test_ending_lets_what_is_in_flight_end(node: NodeProcess) -> None:
    """The last of those that ask this node."""
    begun, statuses = threading.Event(), list[int]()

    def body() -> Iterator[bytes]:
        data = json.dumps(observation(500)).encode()
        yield data[:20]
        begun.set()
        time.sleep(1.0)
        yield data[20:]

    def push() -> None:
        with httpx.Client(timeout=30) as client:
            answer = client.post(f"{node.url}/fhir/Observation", content=body(), headers=node.headers())
            statuses.append(answer.status_code)

    pushing = threading.Thread(target=push)
    pushing.start()
    assert begun.wait(20)
    time.sleep(0.3)  # its first piece is there
    assert node.end() == 0
    pushing.join()
    assert statuses == [201]
    with pytest.raises(httpx.ConnectError):
        node.request("GET", "/health")


def whole(place: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many records there are: each with its key, delivery, leaf and audit entry."""
    settle(place)
    vault = opened(place, monkeypatch)
    with reading(vault.engine) as connection:
        rows = len(vault.find())
        for each in (KEY, DELIVERY, LEAF):
            assert connection.execute(select(func.count()).select_from(each)).scalar_one() == rows
        assert verify_log(connection, now=_now()).entries == rows
    vault.close()
    return rows


def _now() -> Any:
    from chartseal.node.provider import now

    return now()


@pytest.mark.long
def test_killed_in_the_middle_nothing_is_lost_or_doubled(
    place: str, tmp_path: Path, drill_scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "n"
    found(folder, "--vault", place)
    body = lines(*map(observation, range(COUNT)))
    node = start(folder)
    path = path_of(node.request("POST", "/import", body))
    kills, rows, within = max(3, round(KILLS * drill_scale)), 0, 0
    for _ in range(kills):
        node.request("GET", "/health")  # it has taken up what was left
        time.sleep(random.uniform(0, 0.8))
        node.kill()
        before, rows = rows, whole(place, monkeypatch)
        assert rows >= before
        within += 0 < rows < COUNT
        node = start(folder)
    result = ended(node, path)
    assert (result["resources"], result["refused"]) == (COUNT, 0)
    assert node.end() == 0
    assert whole(place, monkeypatch) == COUNT
    vault = opened(place, monkeypatch)
    assert list(vault.verify()) == []
    records = vault.read(vault.find(), actor="test", now=_now())
    ids = Counter(each.value for record in records for each in record.fields if each.name == "Observation.id")
    assert ids == Counter(f"o{number}" for number in range(COUNT))
    vault.close()
    assert not list((folder / "spool").glob("*.age"))
    print(f"\nimport: {kills} kills ({within} within the work), {COUNT} records")
