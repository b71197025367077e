"""docs/adherence-watch.md: its commands print what it says, and its Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from chartseal.adherence.watch import WatchPolicy
from chartseal.cli import cli

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/adherence-watch.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (policy,) = blocks("toml")
    Path("policy.toml").write_text(policy)
    Path("classes.csv").write_bytes((REPOSITORY / "examples/adherence/classes.csv").read_bytes())
    shown = []
    for block in blocks("sh"):
        for line in block.splitlines():
            command = shlex.split(line)
            assert command[:2] == ["chartseal", "adherence"]
            done = CliRunner().invoke(cli, command[1:])
            assert done.exit_code == 0, (line, done.output)
            shown.append(done.stdout)
    assert [shown[1]] == blocks("text")
    assert shown[2] != shown[1]
    assert '"status": "active"' in shown[3]


def test_the_python() -> None:
    (code,) = blocks("python")
    exec(compile(code, "docs/adherence-watch.md", "exec"), {})


def test_the_defaults_are_those_that_it_names() -> None:
    policy = WatchPolicy()
    told = (
        f"late after {policy.late_refill_days} days, discontinued after a gap of more than "
        f"{policy.permissible_gap_days}, never begun after {policy.first_fill_days} (new use: {policy.new_use_days} "
        f"without a fill), stock over {policy.stock_days} days, overuse over {float(policy.overuse_ratio)} in "
        f"{policy.overuse_window_days} days, PDC {float(policy.threshold):.2f} in windows of {policy.sliding_days} "
        f"days, a drop of {float(policy.drop):.2f}, fewer than {policy.gap_days_left} gap days left, "
        f"news for {policy.notice_days} days, kept for {policy.keep_days}"
    )
    assert told in " ".join(PAGE.split())


def test_every_kind_is_explained() -> None:
    for kind in WatchPolicy().kinds:
        assert f"`{kind}`" in PAGE, kind
