"""The commands and the code of docs/index.md, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from chartseal.attestation import Digest
from tests.chain import Local
from tests.chain import local as local
from tests.chain_actions import Actor, register_schemas

PAGE = (Path(__file__).resolve().parents[2] / "docs/index.md").read_text()
UID = Digest(b"\x11" * 32)


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_commands(local: Local, tmp_path: Path) -> None:
    register_schemas(local)
    Actor.of(local, 0).revoke_offchain(UID)
    Actor.of(local, 0).timestamp(UID)
    (tmp_path / "deployment.json").write_text(local.deployment.to_json())
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHARTSEAL_")}
    environment = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
        "CHARTSEAL_RPC": local.url,
        "CHARTSEAL_DEPLOYMENT": "deployment.json",
    }
    done = subprocess.run(
        ["bash", "-eu"], input=block("sh"), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "off-chain" in done.stdout
    assert "the uid itself  final" in done.stdout


def test_the_code(local: Local, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    there: dict[str, Any] = {}
    exec(block("python"), there)
    there["follow"](local.node, local.deployment)
    head = local.node.block().number
    assert capsys.readouterr().out.splitlines()[-1] == f"{head} {head}"
