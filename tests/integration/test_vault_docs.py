"""The commands of docs/vault.md, run as they stand on an export of one patient."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from chartseal.cli import cli
from chartseal.keys import IssuerKey, SuccessorNotice, Wallet

PAGE = (Path(__file__).resolve().parents[2] / "docs/vault.md").read_text()
BASE = "https://hospital.example/fhir/"
KEYS = {f"VK_{name}": f"{at:064x}" for at, name in enumerate(("INDEX", "PSEUDONYMS", "ACCOUNTING", "EPOCH_1"), 1)}
ELSEWHERE = ("anchor run", "vault move")
"""What needs a chain: docs/anchors.md and docs/proxies.md have it."""


def commands() -> Iterator[list[str]]:
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("chartseal ") and not any(each in line for each in ELSEWHERE):
                yield shlex.split(line, comments=True)[1:]


def prepare(folder: Path) -> None:
    IssuerKey.generate(base=BASE).save(folder / "issuer.json", "p")
    old, new = Wallet.generate(), Wallet.generate()
    (folder / "map.csv").write_text(f"p1,{old.sealing_address()}\n")
    now = datetime.now(UTC)
    notice = SuccessorNotice.make(old.sealing_address(), old, new.sealing_address(), now=now, new_wallet=new)
    (folder / "notice.json").write_bytes(notice.to_json())
    code = {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]}
    observation = {"resourceType": "Observation", "id": "o", "status": "final", "code": code}
    observation |= {"subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2026-05-04"}
    lines = [{"resourceType": "Patient", "id": "p1"}, observation]
    (folder / "export.ndjson").write_text("".join(json.dumps(each) + "\n" for each in lines))
    (folder / "receipts.txt").write_text(f"{'00' * 32} {'00' * 32}\n")


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner(
        env={"CHARTSEAL_PASSPHRASE": "p", "CHARTSEAL_VAULT": "vault.db", "CHARTSEAL_VAULT_KEYS": "env:VK", **KEYS}
    )
    told: dict[str, str] = {}
    for arguments in commands():
        if "0xATTESTER/0xUID" in arguments:
            listed = json.loads(runner.invoke(cli, ["vault", "list", "--json"]).stdout)["records"]
            arguments[arguments.index("0xATTESTER/0xUID")] = listed[0]["record"]
        given = ["mailbox" if each == "/srv/mailbox" else each for each in arguments]
        done = runner.invoke(cli, given)
        assert done.exit_code == 0, (given, done.output, done.exception)
        told[" ".join(arguments[:2])] = done.stdout
    assert told["seal export.ndjson"].startswith("2 records sealed into the vault")
    assert told["vault list"].count("live") == 1
    assert told["vault export"] == "2 records written\n"
    assert told["vault publish"] == "0 pages of announcements, 2 new deliveries, 0 removed\n"
    assert told["vault successor"] == "1 of the map's patients point to the new address\n"
    assert told["vault redeliver"] == "2 deliveries made\n"
