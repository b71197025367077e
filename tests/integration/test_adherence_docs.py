"""The guide to adherence, run from top to bottom as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/adherence.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def run(*command: str, text: str, folder: Path) -> str:
    shutil.copytree(ROOT / "examples/adherence", folder / "examples/adherence")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        command, input=text, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_code_of_the_page_runs(tmp_path: Path) -> None:
    said = run(sys.executable, "-", text="\n".join(blocks("python")), folder=tmp_path)
    rows = [line.split() for line in said.splitlines()]
    (first,) = [row for row in rows if "made-up-12-1" in row]
    assert first[1:6] == ["made-up-12-1", "statins", "11.0", "302.0", "0.827397"]
    drawn = (tmp_path / "timeline.svg").read_text()
    assert drawn == (ROOT / "docs/adherence-timeline.svg").read_text()


def test_the_first_block_is_ten_lines() -> None:
    assert len([line for line in blocks("python")[0].splitlines() if line]) <= 10


def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    run("bash", "-eu", "-o", "pipefail", text="\n".join(blocks("sh")), folder=tmp_path)
    assert "statins: PDC to date" in (tmp_path / "timeline.svg").read_text()
    assert len(list((tmp_path / "made-up").iterdir())) == 100
