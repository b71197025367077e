"""`chartseal vault` and `seal --vault`: from a chart to a mailbox, and what the commands refuse."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from eth_keyfile import keyfile

from chartseal.cli import cli
from chartseal.errors import ChartsealError, DeliveryError, LimitError, VaultError, VaultKeyError, WrongPassphraseError
from chartseal.keys import IssuerKey, Wallet
from chartseal.sealing import SealedRecord, read_records
from chartseal.vault.backup import BackedUp, back_up, new_identity
from tests.anchoring import observations

BASE = "https://issuer.example/fhir/"


KEYS = {
    f"VK_{name}": "5a" * 31 + f"{at:02x}" for at, name in enumerate(("INDEX", "PSEUDONYMS", "ACCOUNTING", "EPOCH_1"))
}


class Shell:
    """Commands on one vault in a folder, its keys in the environment: a keystore file costs a second each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "CHARTSEAL_VAULT": str(folder / "vault.db"),
            "CHARTSEAL_VAULT_KEYS": "env:VK",
            "CHARTSEAL_PASSPHRASE": "p",
            **KEYS,
        }
        self.issuer = ""
        self.address = str(Wallet.generate().sealing_address())

    def run(self, *arguments: str, status: int = 0) -> str:
        result = CliRunner(env=self.environment).invoke(cli, list(arguments))
        if isinstance(result.exception, ChartsealError):
            raise result.exception
        assert result.exit_code == status, result.output
        return result.stdout

    def told(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status))

    def path(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return issuer_file(tmp_path_factory.mktemp("issuer") / "issuer.json")


def issuer_file(path: Path) -> str:
    """An issuer's key file that opens at once: its scrypt costs a hundredth."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)
        IssuerKey.generate(base=BASE).save(path, "p")
    return str(path)


@pytest.fixture
def shell(tmp_path: Path, issuer: str) -> Shell:
    shell = Shell(tmp_path)
    shell.issuer = issuer
    (tmp_path / "chart.json").write_bytes(observations(4))
    shell.told("vault", "init", "--base", BASE)
    return shell


def seal(shell: Shell, *more: str, status: int = 0) -> Any:
    options = ["--issuer", shell.issuer, "--for", shell.address, *more]
    return shell.told("seal", shell.path("chart.json"), *options, status=status)


def test_from_a_chart_to_a_mailbox(shell: Shell) -> None:
    assert seal(shell, "--vault", shell.path("vault.db"))["sealed"] == 4
    assert seal(shell, "--vault", shell.path("vault.db"))["resumedAt"] == 4
    listed = shell.told("vault", "list")["records"]
    assert [each["state"] for each in listed] == ["live"] * 4
    assert len(shell.told("vault", "list", "--patient", "Patient/p")["records"]) == 4
    assert len(shell.told("vault", "list", "--type", "Observation")["records"]) == 3
    assert shell.told("vault", "list", "--since", "2026-01-01")["records"] == []
    record = SealedRecord.from_json(shell.run("vault", "get", listed[0]["record"]).strip())
    record.check()
    assert shell.told("vault", "export", shell.path("all.ndjson"))["records"] == 4
    assert stat.S_IMODE((shell.folder / "all.ndjson").stat().st_mode) == 0o600
    assert len(list(read_records([shell.path("all.ndjson")]))) == 4
    assert shell.told("vault", "verify")["findings"] == []
    mailbox = shell.folder / "mailbox"
    assert shell.told("vault", "publish", str(mailbox), "--early") == {"pages": 1, "new": 4, "removed": 0}
    first = next((mailbox / "deliveries").iterdir()).name
    (shell.folder / "accepted").write_text(f"{first} {'00' * 32}\n")
    done = shell.told("vault", "accepted", shell.path("accepted"), status=3)
    refused = {"place": f"delivery 0x{first}", "code": "delivery_receipt_refused"}
    assert done["deliveries"] == 0
    assert done["refused"][0].items() >= refused.items()
    (shell.folder / "accepted").write_text(f"{first}\n")
    with pytest.raises(DeliveryError) as caught:
        shell.run("vault", "accepted", shell.path("accepted"))
    assert (caught.value.code, caught.value.path) == ("delivery_receipt_malformed", "line 1")
    assert shell.told("vault", "publish", str(mailbox))["removed"] == 0
    assert shell.told("vault", "redeliver")["deliveries"] == 4
    assert shell.told("vault", "expire")["deliveries"] == 0
    assert "live" in shell.run("vault", "list")


def test_two_backups_into_one_file_do_not_meet(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    output, (_, recipient) = shell.folder / "backup", new_identity()
    command, runs = ("vault", "backup", "-o", str(output), "--to", recipient), []

    def meanwhile(*args: Any, **options: Any) -> BackedUp:
        runs.append(output)
        if len(runs) == 1:
            assert shell.told(*command)["records"] == 0
        return back_up(*args, **options)

    before = set(shell.folder.iterdir())
    monkeypatch.setattr("chartseal.cli.vault_backup.back_up", meanwhile)
    assert shell.told(*command)["records"] == 0
    assert len(runs) == 2
    assert {each.name for each in set(shell.folder.iterdir()) - before} - {"vault.db-wal", "vault.db-shm"} == {"backup"}
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


def test_each_read_is_in_the_log(shell: Shell) -> None:
    seal(shell, "--vault", shell.path("vault.db"), "--actor", "sealer")
    record = shell.told("vault", "list")["records"][0]["record"]
    shell.run("vault", "get", record, "--actor", "clerk-7", "--purpose", "HPAYMT", "-o", shell.path("one.ndjson"))
    entries = shell.told("audit", "list")["entries"]
    assert [(each["actor"], each["action"]) for each in entries] == [("sealer", "create")] * 4 + [("clerk-7", "read")]
    assert entries[-1]["purpose"] == "HPAYMT"
    assert stat.S_IMODE((shell.folder / "one.ndjson").stat().st_mode) == 0o600


def test_records_sealed_elsewhere_are_checked_and_stored(shell: Shell) -> None:
    seal(shell, "-o", shell.path("sealed"))
    assert shell.told("vault", "store", shell.path("sealed")) == {"records": 4, "new": 4}
    assert shell.told("vault", "store", shell.path("sealed")) == {"records": 4, "new": 0}
    line = json.loads(next(read_records([shell.path("sealed")])).to_json())
    line["fields"][0][2] = "altered"
    (shell.folder / "altered.ndjson").write_text(json.dumps(line))
    with pytest.raises(ChartsealError):
        shell.run("vault", "store", shell.path("altered.ndjson"))


def test_what_is_refused_is_listed(shell: Shell) -> None:
    (shell.folder / "chart.json").write_text('{"resourceType":"Observation","id":"o","status":"nonsense-7","x":1}')
    seal(shell, "--vault", shell.path("vault.db"), "--rejects", shell.path("rejects.ndjson"), status=3)
    (rejected,) = (shell.folder / "rejects.ndjson").read_text().splitlines()
    assert json.loads(rejected)["position"] == 1


def test_folder_or_vault(shell: Shell) -> None:
    options = ["seal", shell.path("chart.json"), "--issuer", shell.issuer, "--for", shell.address]
    shell.run(*options, status=2)
    shell.run(*options, "-o", shell.path("sealed"), "--vault", shell.path("vault.db"), status=2)
    shell.run(*options, "--vault", shell.path("vault.db"), "--anchor-queue", shell.path("q.db"), status=2)


@pytest.mark.parametrize(
    ("arguments", "error", "code"),
    [
        (["init"], VaultError, "vault_exists"),
        (["list", "--vault", "nowhere.db"], VaultError, "vault_missing"),
        (["list", "--keys", "nowhere.keys"], VaultKeyError, "key_missing"),
        (["get", f"0x{'00' * 20}/0x{'00' * 32}"], VaultError, "record_unknown"),
    ],
)
def test_refusals(shell: Shell, arguments: list[str], error: type[ChartsealError], code: str) -> None:
    with pytest.raises(error) as caught:
        shell.run("vault", *arguments)
    assert caught.value.code == code


def test_keys_in_a_file_beside_the_vault(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)
    del shell.environment["CHARTSEAL_VAULT_KEYS"]
    other = shell.path("other.db")
    shell.told("vault", "init", "--db", other)
    assert (shell.folder / "other.db.keys").exists()
    assert shell.told("vault", "list", "--vault", other)["records"] == []
    shell.environment["CHARTSEAL_PASSPHRASE"] = "q"
    with pytest.raises(WrongPassphraseError):  # which is no damage
        shell.run("vault", "list", "--vault", other)


def damage_one(shell: Shell) -> None:
    with sqlite3.connect(shell.folder / "vault.db") as connection:
        connection.execute(
            "UPDATE vault_blob SET data = zeroblob(100) WHERE hash IN (SELECT blob FROM vault_record LIMIT 1)"
        )
    connection.close()


def test_damage_is_named_and_ends_with_status_3(shell: Shell) -> None:
    seal(shell, "--vault", shell.path("vault.db"))
    damage_one(shell)
    (finding,) = shell.told("vault", "verify", status=3)["findings"]
    assert finding["code"] == "blob_damaged"
    assert finding["place"].startswith("record 0x")


def test_what_is_whole_is_exported_and_the_rest_is_named(shell: Shell) -> None:
    seal(shell, "--vault", shell.path("vault.db"))
    damage_one(shell)
    done = shell.told("vault", "export", shell.path("all.ndjson"), status=3)
    assert done["records"] == 3 == len(list(read_records([shell.path("all.ndjson")])))
    assert [(each["code"], each["place"][:9]) for each in done["findings"]] == [("blob_damaged", "record 0x")]
    entries = shell.told("audit", "list")["entries"]
    exported = [each["what"] for each in entries if each["action"] == "export"]
    assert len(exported) == 3
    assert not any(each.startswith(done["findings"][0]["place"]) for each in exported)
    assert shell.run("vault", "export", shell.path("all.ndjson"), status=3) == "3 records written\n"


def own_files(shell: Shell) -> list[str]:
    """The database, what SQLite keeps beside it, the keys, a ciphertext, and links to the first of both kinds."""
    (shell.folder / "hard").hardlink_to(shell.folder / "vault.db")
    (shell.folder / "soft").symlink_to(shell.folder / "vault.db")
    names = ["vault.db", "vault.db-wal", "vault.db-shm", "vault.db-journal", "hard", "soft"]
    return [*names, f"../{shell.folder.name}/vault.db", "vault.keys", "blobs/00/ciphertext"]


@pytest.mark.parametrize(
    "command",
    [
        ("vault", "export"),
        ("vault", "get", f"0x{'00' * 20}/0x{'00' * 32}", "-o"),
        ("vault", "backup", "--to", "age1", "-o"),
        ("vault", "erase", "--basis", "patient-request", "--patient", "Patient/p", "-o"),
        ("audit", "export", "-o"),
        ("audit", "statement", "-o"),
        ("audit", "receipt", "1", "-o"),
    ],
)
def test_nothing_is_written_over_the_vaults_own_files(shell: Shell, command: tuple[str, ...]) -> None:
    shell.environment["CHARTSEAL_VAULT_KEYS"] = shell.path("vault.keys")
    shell.environment["CHARTSEAL_VAULT_BLOBS"] = shell.path("blobs")
    before = (shell.folder / "vault.db").stat().st_ino
    for own in own_files(shell):
        with pytest.raises(VaultError) as caught:
            shell.run(*command, shell.path(own))
        assert (own, caught.value.code) == (own, "output_is_own")
    assert (shell.folder / "vault.db").stat().st_ino == before
    assert shell.told("audit", "list")["entries"] == []
    assert not (shell.folder / "vault.keys").exists()


def test_receipts_are_not_written_over_the_key_that_signs_them(shell: Shell) -> None:
    options = ("--basis", "patient-request", "--patient", "Patient/p", "-k", shell.issuer, "-o", shell.issuer)
    with pytest.raises(VaultError) as caught:
        shell.run("vault", "erase", *options)
    assert caught.value.code == "output_is_own"


def test_a_file_beside_the_vault_is_no_file_of_it(shell: Shell) -> None:
    assert shell.told("vault", "export", shell.path("vault.db.ndjson"))["records"] == 0


@pytest.mark.parametrize("command", [("vault", "export"), ("audit", "statement", "-o")])
def test_what_a_killed_command_left_beside_goes(shell: Shell, command: tuple[str, ...]) -> None:
    (shell.folder / "out").mkdir()
    old, fresh, other = (shell.folder / "out" / f"{name}.part" for name in (f".{'0a' * 8}", f".{'0b' * 8}", "my"))
    for each in (old, fresh, other):
        each.write_text("a sealed record")
    for each in (old, other):
        os.utime(each, (time.time() - 4_000,) * 2)
    shell.run(*command, shell.path("out/all.ndjson"))
    assert {each.name for each in (shell.folder / "out").iterdir()} == {fresh.name, "my.part", "all.ndjson"}


def test_receipts_of_deliveries_are_read_within_limits(shell: Shell) -> None:
    line = f"{'00' * 32} {'00' * 32}"
    (shell.folder / "long").write_text(line.ljust(255) + "\n")
    assert shell.told("vault", "accepted", shell.path("long"))["deliveries"] == 0
    (shell.folder / "longer").write_text("\n" + line.ljust(256) + "\n")
    (shell.folder / "many").write_bytes(b"\n" * 250_001)
    for name, place in (("longer", "line 2"), ("many", "line 250001")):
        with pytest.raises(LimitError) as caught:
            shell.run("vault", "accepted", shell.path(name))
        assert caught.value.path == place
    with pytest.raises(LimitError):
        shell.run("vault", "accepted", "/dev/zero")
