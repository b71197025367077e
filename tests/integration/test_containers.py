"""Containerfile and compose.yaml: their commands are run here as they stand, with a folder in place of a volume."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.nodes import lines, observation
from tests.postgres import Server
from tests.postgres import postgres_server as postgres_server

REPOSITORY = Path(__file__).resolve().parents[2]
CONTAINERFILE = (REPOSITORY / "Containerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
NODES = {name: service for name, service in COMPOSE["services"].items() if name != "database"}


def environment_of(service: dict[str, Any], database: str) -> dict[str, str]:
    """What compose sets, but for this machine's database and a free port."""
    given = {name: str(value) for name, value in service["environment"].items()}
    assert given["VAULT_PLACE"].startswith("postgresql://")
    given |= {"VAULT_PLACE": database, "CHARTSEAL_PASSPHRASE": "only for trying out"}
    return {**given, "CHARTSEAL_NODE_LISTEN__HOST": "127.0.0.1", "CHARTSEAL_NODE_LISTEN__PORT": "0"}


def test_two_nodes_start_as_compose_starts_them(tmp_path: Path, postgres_server: Server) -> None:
    assert len(NODES) == 2
    running = []
    for name, service in NODES.items():
        (tmp_path / name).mkdir()
        assert service["volumes"] == [f"{name}:/data"]
        shell, flag, command = service["command"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        given = {**os.environ, **environment_of(service, postgres_server.database()), "PATH": path}
        log = tmp_path / f"{name}.log"
        with log.open("wb") as stream:
            line = command.replace("/data", str(tmp_path / name))
            running.append((name, log, subprocess.Popen([shell, flag, line], env=given, stderr=stream)))
    try:
        for name, log, process in running:
            ask(port_of(log, process), tmp_path / name, NODES[name]["environment"]["CHARTSEAL_NODE_BASE_URL"])
    finally:
        for _, _, process in running:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(timeout=60) for _, _, process in running] == [0, 0]


def ask(port: int, folder: Path, base_url: str) -> None:
    headers = {"authorization": f"Bearer {(folder / 'ehr.secret').read_text().strip()}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        assert client.get("/ready").json()["ready"] is True
        kind = {"content-type": "application/fhir+ndjson"}
        answer = client.post("/import", content=lines(observation(1)), headers=kind)
        assert answer.headers["content-location"].startswith(f"{base_url}/import/")


def port_of(log: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(1_800):
        for line in log.read_bytes().splitlines():
            if b'"listening"' in line:
                return int(json.loads(line)["port"])
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise TimeoutError(log.read_text())


def test_each_node_is_its_own() -> None:
    ports = [service["ports"] for service in NODES.values()]
    assert len({port for each in ports for port in each}) == 2
    assert all(port.startswith("127.0.0.1:") and port.endswith(":8080") for each in ports for port in each)
    places = {service["environment"]["VAULT_PLACE"].rpartition("/")[2] for service in NODES.values()}
    made = set(re.findall(r"CREATE DATABASE (\w+);", COMPOSE["configs"]["databases"]["content"]))
    assert places == made == set(NODES)
    grace = int(next(iter(NODES.values()))["stop_grace_period"].removesuffix("s"))
    assert grace > 30  # longer than shutdown_seconds


def test_images_name_no_registry_and_hold_no_secret() -> None:
    images = re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)
    images += [service["image"] for service in COMPOSE["services"].values()]
    assert len(images) >= 4
    assert all("/" not in image for image in images)
    assert "PASSPHRASE" not in CONTAINERFILE
    for service in COMPOSE["services"].values():
        for name, value in service["environment"].items():
            assert "PASS" not in name or str(value).startswith("${"), name


def test_the_image_runs_the_node_as_nobody_special() -> None:
    command = json.loads(re.findall(r"^CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)[-1])
    for service in NODES.values():
        assert " ".join(command) in service["command"][2]
    assert CONTAINERFILE.index("USER chartseal") < CONTAINERFILE.index("CMD [")
    assert "STOPSIGNAL SIGTERM" in CONTAINERFILE
