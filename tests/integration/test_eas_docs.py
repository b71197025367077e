"""The blocks of docs/eas.md, run as they stand, one after the other, on a chain of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chartseal.errors import RequestError
from tests.chain import known, started

PAGE = (Path(__file__).resolve().parents[2] / "docs/eas.md").read_text()
KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
"""Of anvil's first account, known to everybody."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with started() as running:
        deployment = tmp_path / "deployment.json"
        deployment.write_text(known(running).to_json())
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHARTSEAL_")}
        yield {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
            "CHARTSEAL_RPC": running.url,
            "CHARTSEAL_DEPLOYMENT": str(deployment),
            "CHARTSEAL_KEY": KEY,
        }


def test_python(environment: dict[str, str], tmp_path: Path) -> None:
    program = "\n".join(blocks("python"))
    typed = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert typed.returncode == 0, typed.stdout
    done = subprocess.run(
        [sys.executable, "-"], input=program, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert "False" not in done.stdout
    assert printed[:2] == ["True ['insulin', 7]", "1.4.0"]
    assert "data_malformed requests[1]" in printed
    assert "['days: 30', 'medication: metformin 500 mg']" in printed
    assert printed[-1] == "5"


def test_shell(environment: dict[str, str], tmp_path: Path) -> None:
    [block] = blocks("sh")
    command = ["bash", "-eu", "-o", "pipefail"]
    done = subprocess.run(
        command, input=block, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "2090-01-01" in done.stdout
    [stamping] = [line for line in block.splitlines() if line.startswith("chartseal eas timestamp")]
    again = subprocess.run(
        command, input=stamping, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert again.returncode == 1  # the same 32 bytes are timestamped once
    assert "already_timestamped" in again.stderr


def test_the_page_names_every_code() -> None:
    folder = Path(__file__).resolve().parents[2] / "src/chartseal/chain/eas"
    raised = {
        code
        for path in folder.glob("*.py")
        for code in re.findall(rf'{RequestError.__name__}\([^)]*?"([a-z]+(?:_[a-z]+)+)"', path.read_text(), re.DOTALL)
    }
    assert len(raised) > 10
    assert {code for code in raised if f"`{code}`" not in PAGE} == set()
