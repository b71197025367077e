"""The first commands of docs/erasure.md, run as they stand on a vault of one patient."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from chartseal.cli import cli
from chartseal.keys import IssuerKey
from tests.vault_records import create, keys_of, lines_of, put

PAGE = (Path(__file__).resolve().parents[2] / "docs/erasure.md").read_text()
KEYS = {f"VK_{name}": f"{at:064x}" for at, name in enumerate(("INDEX", "PSEUDONYMS", "ACCOUNTING", "EPOCH_1"), 1)}


def commands() -> list[list[str]]:
    block = re.search(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert block is not None
    return [shlex.split(line, comments=True)[1:] for line in block[1].splitlines()]


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    vault = create(
        "vault.db", keys_of({name[3:].lower().replace("_", "-"): bytes.fromhex(each) for name, each in KEYS.items()})
    )
    put(vault, lines_of(2))
    vault.close()
    IssuerKey.generate(base="https://hospital.example/fhir/").save(tmp_path / "issuer.json", "p")
    runner = CliRunner(
        env={"CHARTSEAL_PASSPHRASE": "p", "CHARTSEAL_VAULT": "vault.db", "CHARTSEAL_VAULT_KEYS": "env:VK", **KEYS}
    )
    told = []
    for arguments in commands():
        done = runner.invoke(cli, ["mailbox" if each == "/srv/mailbox" else each for each in arguments])
        assert done.exit_code == 0, (arguments, done.output, done.exception)
        told.append(done.stdout)
    assert told[0] == "2 records are now kept until 2026-06-30\n"
    assert told[1] == "hold 1\n"
    assert "lifted" not in told[2]
    assert "lifted" in told[3]
    assert told[4] == "2 records erased\n"
    assert told[6].count("erased") == 2
