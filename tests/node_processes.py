"""Nodes as processes: made by `chartseal node init`, begun, asked, ended and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner

from chartseal.cli import cli
from tests.nodes import BASE, PASSPHRASE, WALLETS

KEYS = {f"VK_{name}": f"{at:064x}" for at, name in enumerate(("INDEX", "PSEUDONYMS", "ACCOUNTING", "EPOCH_1"), 1)}
"""The vault's keys in the environment, which takes no time to open."""


class NodeProcess:
    """One process of a node."""

    def __init__(self, folder: Path, environment: Mapping[str, str], command: list[str]) -> None:
        self.log = (folder / "log").open("ab")
        before = (folder / "log").stat().st_size
        everything = {**os.environ, "CHARTSEAL_NODE_LISTEN__PORT": "0", **environment}
        self.process = subprocess.Popen(command, env=everything, stderr=self.log)
        self.url = f"http://127.0.0.1:{self._port(folder / 'log', before)}"
        self.secret = (folder / "ehr.secret").read_text().strip()

    def _port(self, log: Path, before: int) -> int:
        for _ in range(1_200):
            for line in log.read_bytes()[before:].splitlines():
                if b'"listening"' in line:
                    return int(json.loads(line)["port"])
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(log.read_bytes()[before:].decode())

    def headers(self, kind: str = "application/fhir+json") -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}", "content-type": kind}

    def request(self, method: str, path: str, content: bytes | None = None, **headers: str) -> httpx.Response:
        kind = "application/fhir+ndjson" if path == "/import" else "application/fhir+json"
        given = {**self.headers(kind), **headers}
        return httpx.request(method, self.url + path, content=content, headers=given, timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()

    def end(self) -> int:
        """Tell it to end, and wait; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self.log.close()
        return status


def found(folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Make a node's folder, whose map has two patients."""
    given = {"CHARTSEAL_PASSPHRASE": PASSPHRASE, **KEYS, **(environment or {})}
    arguments = ["node", "init", str(folder), "--base", BASE, "--keys", "env:VK", *options, "--json"]
    done = CliRunner(env=given).invoke(cli, arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    rows = [f"{name},{wallet.sealing_address()}\n" for name, wallet in WALLETS.items()]
    (folder / "patients.csv").write_text("patient,address\n" + "".join(rows))
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@contextmanager
def running(folder: Path, module: str = "tests.integration.node_child", **environment: str) -> Iterator[NodeProcess]:
    """A node that answers until the block ends, if it is not ended in it."""
    node = start(folder, module, **environment)
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.kill()


def start(folder: Path, module: str = "tests.integration.node_child", **environment: str) -> NodeProcess:
    command = [sys.executable, "-m", module, "up", "--config", str(folder / "node.toml")]
    return NodeProcess(folder, {"CHARTSEAL_PASSPHRASE": PASSPHRASE, **KEYS, **environment}, command)
