"""What every command does about its streams, its output and the times that it is given."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from chartseal.cli import cli
from chartseal.cli.files import write_private
from chartseal.cli.times import Day, Moment, Seconds
from chartseal.errors import DisclosureFormError, KeyFileError
from chartseal.keys import AuthorityKey

MAIN = [sys.executable, "-c", "from chartseal.cli import main; main()"]


def run(redirected: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell, its streams redirected so."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", *MAIN, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "CHARTSEAL_PASSPHRASE": "p", **environment},
        timeout=60,
        check=False,
    )


def test_a_closed_standard_input_has_nothing(tmp_path: Path) -> None:
    ended = run("<&-", "anchor", "add", "-", "--queue", str(tmp_path / "queue.db"))
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_closed_standard_output_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    ended = run(">&-", "authority", "init", "-o", str(tmp_path / "key.json"))
    assert (ended.returncode, ended.stderr) == (1, "error: input_output_failed: standard output is closed\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_output_that_takes_nothing_is_told(options: list[str], tmp_path: Path) -> None:
    ended = run(">/dev/full", "authority", "init", "-o", str(tmp_path / "key.json"), *options)
    assert ended.returncode == 1
    assert ended.stderr == "error: input_output_failed: No space left on device\n"


def test_a_character_that_a_terminal_does_not_know_ends_no_command() -> None:
    code = "from rich import print; import chartseal.cli as it; it._stand_streams(); print('\\u00e9\\udcff')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert shown.stdout == "\\xe9\\udcff\n"


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
@pytest.mark.parametrize("kind", [Moment(), Day()])
def test_a_time_that_utc_has_no_date_for_is_misuse(kind: Moment, text: str) -> None:
    with pytest.raises(click.BadParameter, match="years 1 to 9999"):
        kind.convert(text, None, None)
    assert Moment().convert(text[:19] + "Z", None, None).year in (1, 9999)


@pytest.mark.parametrize("text", ["nan", "inf", "0.09", "-1", "86401", "soon", "1e400"])
def test_seconds_are_a_number_that_can_be_waited(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Seconds().convert(text, None, None)
    assert (Seconds().convert("0.1", None, None), Seconds().convert("86400", None, None)) == (0.1, 86_400)


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        else:
            yield (*path, name), found


def test_every_command_takes_json_and_says_what_it_does() -> None:
    listed = dict(commands(cli))
    assert len(listed) > 40
    for path, command in listed.items():
        assert command.help, path
        assert any("--json" in each.opts for each in command.params), path


def test_a_card_is_told_as_json(tmp_path: Path) -> None:
    runner = CliRunner(env={"CHARTSEAL_PASSPHRASE": "p"})
    key, card = str(tmp_path / "key.json"), str(tmp_path / "card.json")
    made = json.loads(runner.invoke(cli, ["issuer", "init", "-o", key, "--json"]).stdout)
    told = runner.invoke(cli, ["issuer", "card", "--issuer", key, "--name", "N", "-o", card, "--json"])
    assert json.loads(told.stdout) == {"address": made["address"], "file": card}


@contextmanager
def small_files() -> Iterator[None]:
    """No file grows beyond 100 bytes meanwhile, as on a full disk: not the test run's own output either."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_cannot_be_written_whole_leaves_what_was_there(tmp_path: Path) -> None:
    path, link = tmp_path / "anchors.ndjson", tmp_path / "link"
    write_private(str(path), b"older")
    with small_files():
        with pytest.raises(DisclosureFormError) as refused:
            write_private(str(path), bytes(101))
        with pytest.raises(KeyFileError):
            AuthorityKey.generate().save(tmp_path / "key.json", "p")
    assert refused.value.code == "file_unwritable"
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("anchors.ndjson", b"older")]
    path.chmod(0o644)
    link.symlink_to(path)
    write_private(str(link), b"newer")
    assert (link.is_symlink(), path.read_bytes(), path.stat().st_mode & 0o777) == (True, b"newer", 0o600)
    write_private(os.devnull, b"x")
