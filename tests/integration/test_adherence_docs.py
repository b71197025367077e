"""The guide to adherence, run from top to bottom as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from chartseal import adherence
from chartseal.cli.adherence import adherence as commands

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


def rows() -> list[list[str]]:
    """The table of measures: what it is, command, function, definition."""
    table = PAGE.split("| Measure | `chartseal adherence …` | Python | Definition |")[1].split("\n\n")[0]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_every_measure_has_its_row() -> None:
    functions = {each[2] for each in rows()}
    helpers = {"measures", "summary", "supplies", "with_periods"}
    assert functions == {name for name in adherence.__all__ if name[0].islower()} - helpers


def test_every_command_of_the_table_and_its_options_are_there() -> None:
    context = click.Context(commands)
    for _, words, _, _ in rows():
        name, *options = words.split()
        command = commands.get_command(context, name)
        assert command is not None
        known = {each for parameter in command.params for each in parameter.opts}
        assert {each for each in options if each.startswith("--")} <= known


def anchors(text: str) -> Iterator[str]:
    """Those that GitHub gives to headings outside of code."""
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.M):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_between_the_pages_lead_somewhere() -> None:
    count = 0
    for page in sorted((ROOT / "docs").glob("adherence*.md")):
        text = page.read_text()
        assert len(re.findall(r"^```", text, re.MULTILINE)) % 2 == 0, page.name
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            found = (page.parent / path).resolve() if path else page
            assert found.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(found.read_text()), f"{page.name}: {target}"
            count += 1
    assert count > 30
