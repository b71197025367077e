"""`chartseal vault successor` and `vault move`: a patient takes over what a hospital's wallet had of her."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_keyfile import keyfile

from chartseal.cli import cli
from chartseal.errors import ChartsealError, NodeError
from chartseal.keys import IssuerKey, Wallet
from tests.chain import Local
from tests.chain import local as local
from tests.moves import BASE, chart_of, conditions, prescription

TO, NONCE = "https://school.example", "88" * 32
REQUEST = ("--open", "Condition.code", "--to", TO, "--nonce", NONCE, "--yes")
KEYS = ("INDEX", "PSEUDONYMS", "ACCOUNTING", "EPOCH_1")


class Shell:
    """Commands in one folder, of the hospital and of the patient."""

    def __init__(self, folder: Path, local: Local) -> None:
        self.folder, self.local = folder, local
        (folder / "deployment.json").write_text(local.deployment.to_json())
        keys = {f"VK_{name}": "5a" * 31 + f"{at:02x}" for at, name in enumerate(KEYS)}
        vault = {"CHARTSEAL_VAULT": "vault.db", "CHARTSEAL_VAULT_KEYS": "env:VK", "CHARTSEAL_PASSPHRASE": "p"}
        chain = {"CHARTSEAL_RPC": local.url, "CHARTSEAL_DEPLOYMENT": "deployment.json"}
        self.environment = {**vault, **keys, **chain}

    def result(self, *arguments: str) -> Result:
        return CliRunner(env=self.environment).invoke(cli, list(arguments))

    def run(self, *arguments: str, status: int = 0) -> str:
        done = self.result(*arguments)
        assert done.exit_code == status, (done.output, done.exception)
        return done.stdout

    def told(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status))

    def code(self, *arguments: str) -> str:
        done = self.result(*arguments)
        assert isinstance(done.exception, ChartsealError), done.output
        return done.exception.code

    def new_wallet(self, name: str, secret: bytes) -> str:
        wallet = Wallet(secret * 32)
        wallet.save(self.folder / name, "p")
        return str(wallet.sealing_address())

    def notice(self, old: str, new: str, output: str = "notice.json") -> None:
        to = self.told("wallet", "address", "-w", new)["address"]
        self.run("wallet", "successor", "-w", old, "--to", to, "--new-wallet", new, "-o", output)

    def scanned(self, wallet: str) -> list[dict[str, Any]]:
        """What a wallet finds in the mailbox and keeps."""
        self.run("wallet", "scan", "mailbox", "-w", wallet)
        self.run("wallet", "accept", "-w", wallet, "--receipts", f"{wallet}.receipts")
        found: list[dict[str, Any]] = self.told("wallet", "list", "-w", wallet)["records"]
        return found

    def verifies(self, wallet: str) -> str:
        """What becomes of a disclosure of all conditions that the wallet keeps, before a verifier with the chain."""
        self.run("wallet", "disclose", "-w", wallet, *REQUEST, "-o", f"{wallet}.shown")
        given = ("--trust", "trust.toml", "--as", TO, "--nonce", NONCE)
        chain = ("--rpc", self.local.url, "--deployment", "deployment.json")
        done = self.result("verify", f"{wallet}.shown", *given, *chain)
        return str(getattr(done.exception, "code", "")) if done.exit_code else "verified"


@pytest.fixture
def shell(local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A hospital that keeps a wallet for a patient, and has four records of her; her own wallet, and a notice."""
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)
    monkeypatch.chdir(tmp_path)
    mark = local.node.request("evm_snapshot")
    made = Shell(tmp_path, local)
    key = IssuerKey.generate(base=BASE, seals_for=local.deployment.network())
    key.save(tmp_path / "issuer.json", "p")
    local.node.request("anvil_setBalance", [key.address, hex(10**20)])
    domain = f'version = "{local.deployment.version}"\nchain_id = {local.deployment.chain_id}\n'
    contract = f'contract = "0x{local.deployment.eas.hex()}"\n'
    issuer = f'address = "{key.address}"\nname = "Hospital"\n'
    (tmp_path / "trust.toml").write_text(f"[[domain]]\n{domain}{contract}[[issuer]]\n{issuer}")
    old = made.new_wallet("kept.json", b"\1")
    made.new_wallet("mine.json", b"\2")
    (tmp_path / "map.csv").write_text(f"id,address\np1,{old}\np2,{Wallet(bytes(31) + bytes([9])).sealing_address()}\n")
    (tmp_path / "map.csv").chmod(0o640)
    (tmp_path / "chart.json").write_bytes(chart_of(conditions(3)))
    made.run("vault", "init", "--base", BASE)
    seal(made, "chart.json")
    made.notice("kept.json", "mine.json")
    yield made
    local.node.request("evm_revert", [mark])


def seal(shell: Shell, chart: str) -> None:
    shell.run("seal", chart, "--issuer", "issuer.json", "--patients", "map.csv", "--vault", "vault.db")


def taken_over(shell: Shell, *more: str, notice: str = "notice.json", status: int = 0) -> Any:
    given = ("--patients", "map.csv", "--issuer", "issuer.json", *more)
    return shell.told("vault", "move", notice, *given, status=status)


def test_a_patient_takes_over_what_was_kept_for_her(shell: Shell) -> None:
    shell.run("vault", "publish", "mailbox", "--early")
    assert len(shell.scanned("kept.json")) == 4
    assert shell.verifies("kept.json") == "verified"
    done = taken_over(shell)
    assert (done["references"], done["sealed"], done["before"], done["left"]) == (1, 4, 0, [])
    assert [each["already"] for each in done["revoked"]] == [False] * 4
    assert done["withdrawn"] == 4
    shell.run("vault", "publish", "mailbox", "--early")
    assert len(shell.scanned("mine.json")) == 4
    assert shell.verifies("mine.json") == "verified"
    assert shell.verifies("kept.json") == "seal_revoked"
    assert taken_over(shell) | {"revoked": []} == {
        "references": 0,
        "sealed": 0,
        "before": 4,
        "revoked": [],
        "withdrawn": 0,
        "left": [],
        "revokedBefore": [],
        "erased": [],
    }


def test_the_log_and_the_list_say_what_was_done(shell: Shell) -> None:
    taken_over(shell)
    listed = shell.told("vault", "list")["records"]
    assert sorted(each["state"] for each in listed) == ["live"] * 4 + ["moved"] * 4
    entries = shell.told("audit", "list", "--patient", "Patient/p1")["entries"]
    done = [each["action"] for each in entries if each["basis"] == "successor"]
    assert sorted(done) == sorted(["move", *["read", "create", "revoke", "expire"] * 4])
    assert "seal1" not in json.dumps(entries)
    assert shell.told("audit", "verify")["entries"] >= len(entries)
    shell.run("audit", "export", "-o", "events.ndjson")
    events = [json.loads(line) for line in (shell.folder / "events.ndjson").read_text().splitlines()]
    assert any(
        each.get("entity", [{}])[-1].get("what", {}).get("identifier", {}).get("value") == "sealing address"
        for each in events
    )
    assert shell.told("vault", "verify")["findings"] == []


def test_a_notice_is_taken_once(shell: Shell) -> None:
    given = ("vault", "successor", "notice.json", "--patients", "map.csv")
    new = shell.told("wallet", "address", "-w", "mine.json")["address"]
    assert shell.told(*given) == {"address": new, "references": 1, "again": False}
    rows = (shell.folder / "map.csv").read_text().splitlines()
    assert rows[:2] == ["id,address", f"p1,{new}"]
    assert (shell.folder / "map.csv").stat().st_mode & 0o777 == 0o640
    before = (shell.folder / "map.csv").read_bytes()
    assert shell.code(*given) == "successor_superseded"
    shell.new_wallet("thief.json", b"\3")
    shell.notice("kept.json", "thief.json", "lured.json")
    assert shell.code("vault", "successor", "lured.json", "--patients", "map.csv") == "successor_superseded"
    shell.notice("thief.json", "kept.json", "nobodys.json")
    assert shell.code("vault", "successor", "nobodys.json", "--patients", "map.csv") == "successor_superseded"
    shell.new_wallet("fourth.json", b"\4")
    shell.notice("thief.json", "fourth.json", "unknown.json")
    assert shell.code("vault", "successor", "unknown.json", "--patients", "map.csv") == "successor_unknown"
    assert (shell.folder / "map.csv").read_bytes() == before
    (shell.folder / "bad.json").write_text("{}")
    assert shell.code("vault", "successor", "bad.json", "--patients", "map.csv") == "successor_malformed"
    moved = taken_over(shell)  # a notice that was taken moves records as well
    assert (moved["references"], moved["sealed"]) == (0, 4)


def test_what_stays_is_named_and_ends_with_a_status_of_its_own(shell: Shell) -> None:
    (shell.folder / "more.json").write_bytes(chart_of([prescription()]))
    seal(shell, "more.json")
    done = taken_over(shell, status=3)
    [left] = done["left"]
    assert left["code"] == "uses_unspent"
    assert left["record"].startswith("record 0x")
    text = shell.result("vault", "move", "notice.json", "--patients", "map.csv", "--issuer", "issuer.json")
    assert text.exit_code == 3
    assert "1 records stay where they are" in text.stderr
    assert left["record"] in text.stderr
    assert taken_over(shell, "--uses-spent")["sealed"] == 1


def test_without_a_map_records_say_whose_the_address_was(shell: Shell) -> None:
    done = shell.told("vault", "move", "notice.json", "--issuer", "issuer.json")
    assert (done["references"], done["sealed"]) == (0, 4)
    assert "kept" not in (shell.folder / "map.csv").read_text()


def test_nothing_is_done_before_all_is_known(shell: Shell) -> None:
    before = (shell.folder / "map.csv").read_bytes()
    moving = ("vault", "move", "notice.json", "--patients", "map.csv", "--issuer", "issuer.json")
    assert isinstance(shell.result(*moving, "--rpc", "http://127.0.0.1:9").exception, NodeError)
    IssuerKey.generate(base=BASE).save(shell.folder / "elsewhere.json", "p")
    assert shell.code(*moving[:-1], "elsewhere.json") == "domain_differs"
    to = shell.told("wallet", "address", "-w", "kept.json", "--epoch", "1")["address"]
    shell.run("wallet", "successor", "-w", "kept.json", "--to", to, "-o", "epoch.json")
    assert shell.code("vault", "move", "epoch.json", *moving[3:]) == "successor_same_wallet"
    assert (shell.folder / "map.csv").read_bytes() == before
    assert shell.told("vault", "successor", "epoch.json", "--patients", "map.csv")["references"] == 1
    assert shell.told("vault", "list")["records"][0]["state"] == "live"


def test_the_issuers_passphrase_may_be_another(shell: Shell) -> None:
    key = IssuerKey.load(shell.folder / "issuer.json", "p")
    key.save(shell.folder / "issuer.json", "other", force=True)
    reader, writer = os.pipe()
    os.write(writer, b"other\n")
    os.close(writer)
    assert taken_over(shell, "--issuer-passphrase-fd", str(reader))["sealed"] == 4


def test_who_changes_the_map_is_told_that_it_begins_another_run(shell: Shell) -> None:
    done = shell.result("vault", "successor", "notice.json", "--patients", "map.csv")
    assert done.exit_code == 0
    assert "a second time" in done.stderr
    assert (
        "a second time"
        not in shell.result("vault", "move", "notice.json", "--patients", "map.csv", "--issuer", "issuer.json").stderr
    )
