"""The commands of docs/operating.md, run as they stand, beside the node that they begin."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.node_processes import NodeProcess
from tests.nodes import BASE, WALLETS, bundle, lines, observation

PAGE = (Path(__file__).resolve().parents[2] / "docs/operating.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
UP = "chartseal node up --config node/node.toml"


def run(block: str, folder: Path, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    everything = {**os.environ, **environment, "PATH": path, "CHARTSEAL_PASSPHRASE": "only for trying out"}
    command = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(command, cwd=folder, env=everything, capture_output=True, text=True)
    assert done.returncode == 0, (block, done.stdout, done.stderr)
    return done.stdout


def test_the_commands(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    configure, push, back_up = BLOCKS
    assert configure.count(f"\n{UP}\n") == 1
    told = run(configure.replace(UP, ""), tmp_path)
    assert re.search(r"^ +spool +ok$", told, re.MULTILINE)
    rows = [f"{name},{wallet.sealing_address()}\n" for name, wallet in WALLETS.items()]
    (tmp_path / "node/patients.csv").write_text("".join(rows))
    (tmp_path / "observation.json").write_text(json.dumps(observation(1)))
    patient = {"resourceType": "Patient", "id": "p1"}
    (tmp_path / "transaction.json").write_text(json.dumps(bundle("transaction", patient, observation(2))))
    (tmp_path / "export.ndjson").write_bytes(lines(observation(3), observation(4, "p9")))
    program, *arguments, config = UP.split()
    command = [str(Path(sys.executable).parent / program), *arguments, str(tmp_path / config)]
    node = NodeProcess(tmp_path / "node", {"CHARTSEAL_PASSPHRASE": "only for trying out"}, command)
    try:
        answers = run(push, tmp_path, NODE=node.url)
        assert '"sealed"' in answers
        assert answers.count("201 Created") == 2
        assert json.loads(node.request("GET", "/ready").text)["ready"] is True
        assert run(back_up, tmp_path).startswith("age1")
    finally:
        assert node.end() == 0
    assert (tmp_path / "vault.age").stat().st_size > 1_000
    assert BASE in configure


def test_every_code_that_the_page_names_is_one() -> None:
    sources = (Path(__file__).resolve().parents[2] / "src/chartseal").rglob("*.py")
    spelled = "".join(path.read_text() for path in sources)
    rows = PAGE[PAGE.index("## What to do when") :]
    cells = re.findall(r"^\| (.+?) \|", rows, re.MULTILINE)
    named = {code for cell in cells for code in re.findall(r"`([a-z_]+)`", cell)}
    assert len(named) > 15
    assert [code for code in named if f'"{code}"' not in spelled and code not in ("vault_busy", "queue_busy")] == []
