"""The life of an issuer's status lists as its commands are typed: seal, revoke, publish, prove."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_keyfile import keyfile

from chartseal.attestation import to_hex
from chartseal.chain.authority import StatusList, status_root_of
from chartseal.cli import cli
from chartseal.errors import ChartsealError, StatusListError
from chartseal.keys import Wallet
from chartseal.sealing import SealedRecord, StatusStore, read_records
from tests.chain import Local

PASSPHRASE = "correct horse"


class Practice:
    """A folder with an issuer's key file and three sealed records, and the commands in it."""

    def __init__(self, folder: Path, local: Local) -> None:
        self.local, self.folder, self.key = local, folder, folder / "key.json"
        deployment = folder / "deployment.json"
        deployment.write_text(local.deployment.to_json())
        self.environment = {
            "CHARTSEAL_RPC": local.url,
            "CHARTSEAL_DEPLOYMENT": str(deployment),
            "CHARTSEAL_PASSPHRASE": PASSPHRASE,
        }
        self.who = self.json("issuer", "init", "-o", str(self.key), "--deployment", str(deployment))["address"]
        local.node.request("anvil_setBalance", [self.who, hex(10**20)])
        self.lists = folder / "lists"
        self.sealed = self.seal("sealed", "a", "b", "c")

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments, env=self.environment)

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        if result.exception is not None:
            raise result.exception
        return json.loads(result.stdout)

    def refuse(self, code: str, *arguments: str) -> None:
        with pytest.raises(ChartsealError) as caught:
            self.json(*arguments)
        assert caught.value.code == code

    def seal(self, name: str, *texts: str, key: Path | None = None) -> list[SealedRecord]:
        chart = self.folder / f"{name}.ndjson"
        conditions = [
            {"resourceType": "Condition", "code": {"text": text}, "subject": {"reference": "Patient/p"}}
            for text in texts
        ]
        chart.write_text("\n".join(map(json.dumps, conditions)))
        address = str(Wallet(b"\7" * 32).sealing_address())
        command = ("seal", str(chart), "--issuer", str(key or self.key), "--for", address)
        made = self.run(*command, "-o", str(self.folder / name), "--json")
        assert made.exit_code == 0, made.output
        assert json.loads(made.stdout)["credentials"]
        return list(read_records([self.folder / name]))

    def publish(self, *more: str) -> Any:
        [made] = self.json("status-list", "publish", "--key", str(self.key), "-o", str(self.lists), *more)["lists"]
        return made

    def revoke(self, *what: str) -> Any:
        return self.json("status-list", "revoke", *what, "--key", str(self.key))

    def prove_fresh(self, file: str = "list-0.json") -> tuple[int, Any]:
        done = self.run("status-list", "prove-fresh", str(self.lists / file), "--json")
        return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def practice(tmp_path: Path, local: Local, monkeypatch: pytest.MonkeyPatch) -> Practice:
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)
    return Practice(tmp_path, local)


def indices(records: Sequence[SealedRecord]) -> list[int]:
    return [record.credential.index for record in records if record.credential is not None]


def test_from_sealing_to_a_fresh_list(practice: Practice) -> None:
    first, second, third = indices(practice.sealed)
    made = practice.publish()
    assert (made["list"], made["revoked"], made["root"]) == (0, 0, to_hex(status_root_of([])))
    assert practice.prove_fresh()[0] == 0
    assert practice.publish()["uid"] is None, "what stands already is not attested again"
    practice.revoke(to_hex(practice.sealed[0].uid), str(practice.folder / "sealed"))
    assert practice.revoke(str(third), "--list", "0")["new"] == 0
    old = (practice.lists / "list-0.json").read_bytes()
    made = practice.publish()
    assert made["uid"] is not None
    assert made["root"] == to_hex(status_root_of([first, second, third]))
    published = StatusList.from_json((practice.lists / "list-0.json").read_bytes())
    assert published.revoked == {first, second, third}
    code, told = practice.prove_fresh()
    assert (code, told["fresh"], told["standing"]["root"]) == (0, True, made["root"])
    assert told["standing"]["epoch"] == told["standing"]["at"] // 86_400 + 1
    [before] = [each for each in practice.lists.iterdir() if each.read_bytes() == old]
    code, told = practice.prove_fresh(before.name)
    assert (code, told["fresh"]) == (1, False)
    shown = practice.run("status-list", "prove-fresh", str(practice.lists / "list-0.json"))
    assert "is what stands on chain" in shown.stdout


def test_lists_are_shown(practice: Practice) -> None:
    show = ("status-list", "show", "--key", str(practice.key))
    assert practice.json(*show)["lists"] == [{"list": 0, "given": 3, "revoked": 0, "published": False}]
    practice.revoke(to_hex(practice.sealed[0].uid))
    practice.publish()
    assert practice.json(*show)["lists"] == [{"list": 0, "given": 3, "revoked": 1, "published": True}]
    assert "3 credentials, 1 revoked, published" in practice.run(*show).stdout
    shown = practice.json("status-list", "show", str(practice.lists / "list-0.json"))
    assert (shown["attester"], shown["list"], shown["revoked"]) == (practice.who, 0, 1)


def test_without_a_chain_a_file_is_written_and_nothing_attested(practice: Practice) -> None:
    made = practice.publish("--no-chain")
    assert made["uid"] is None
    assert StatusList.from_json((practice.lists / "list-0.json").read_bytes()).root == status_root_of([])
    code, told = practice.prove_fresh()
    assert (code, told["standing"]) == (1, None)


def test_an_older_copy_of_the_store_takes_nothing_back(practice: Practice) -> None:
    store = StatusStore.beside(practice.key)
    practice.publish()
    copy = store.read_bytes()
    practice.revoke(to_hex(practice.sealed[0].uid))
    revoked = practice.publish()
    store.write_bytes(copy)
    command = ("status-list", "publish", "--key", str(practice.key), "-o", str(practice.lists))
    practice.refuse("status_list_diverged", *command)
    assert practice.prove_fresh()[1]["standing"]["root"] == revoked["root"]
    assert practice.publish("--force")["root"] == to_hex(status_root_of([]))
    assert practice.json("status-list", "open", "--key", str(practice.key)) == {"list": 1}
    [later] = practice.seal("later", "d")
    assert later.credential is not None
    assert later.credential.list == 1


def test_a_crash_after_attesting_is_no_older_copy(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    practice.publish()
    practice.revoke(to_hex(practice.sealed[0].uid))
    fast = keyfile.get_default_work_factor_for_kdf
    monkeypatch.setattr(StatusStore, "set_published", died)
    with pytest.raises(StatusListError):
        practice.publish()
    monkeypatch.undo()
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", fast)
    assert practice.prove_fresh()[0] == 0
    practice.revoke(to_hex(practice.sealed[1].uid))
    assert practice.publish()["revoked"] == 2


def died(*_: object) -> None:
    raise StatusListError("dead", "status_store_unusable")


def test_seals_without_a_place_are_named(practice: Practice) -> None:
    other = practice.folder / "other.json"
    practice.json("issuer", "init", "-o", str(other), "--deployment", str(practice.folder / "deployment.json"))
    practice.seal("others", "d", key=other)
    for what in ("0x" + "11" * 32, str(practice.folder / "others")):
        practice.refuse("credential_unknown", "status-list", "revoke", what, "--key", str(practice.key))
    practice.refuse("status_index", "status-list", "revoke", "1024000", "--key", str(practice.key))
    assert practice.json("status-list", "show", "--key", str(practice.key))["lists"][0]["revoked"] == 0


def test_revoking_a_seal_revokes_its_credential(practice: Practice) -> None:
    first = practice.sealed[0]
    command = ("revoke", to_hex(first.uid), "--reason", "entered-in-error", "--key", str(practice.key))
    [done] = practice.json(*command)["revoked"]
    assert done["status"] == {"list": 0, "index": indices([first])[0]}
    assert practice.publish()["root"] == to_hex(status_root_of(indices([first])))
    assert "its credential too" in practice.run(*command).stdout
    [done] = practice.json("revoke", "0x" + "11" * 32, "--reason", "other", "--key", str(practice.key))["revoked"]
    assert done["status"] is None
    elsewhere = ("--status", str(practice.folder / "elsewhere.db"))
    warned = practice.run("revoke", str(practice.folder / "sealed"), *command[2:], *elsewhere)
    assert "the credentials of 3 of these seals are not revoked" in warned.stderr


def test_a_key_file_of_an_earlier_form_seals_without(practice: Practice) -> None:
    whole = json.loads(practice.key.read_text())
    from chartseal.keys import _files

    members = {name: value for name, value in whole.items() if name not in ("format", "kind", "checksum")}
    for name in ("proving", "provingKey", "transport", "transportKey"):
        del members[name]
    older = practice.folder / "older.json"
    older.write_bytes(_files.encode("issuer-key", members))
    address = str(Wallet(b"\7" * 32).sealing_address())
    chart = str(practice.folder / "sealed.ndjson")
    done = practice.run("seal", chart, "--issuer", str(older), "--for", address, "-o", str(practice.folder / "plain"))
    assert done.exit_code == 0, done.output
    assert "without credentials" in done.stdout
    assert all(record.credential is None for record in read_records([practice.folder / "plain"]))
    assert not StatusStore.beside(older).exists()
    upgraded = practice.json("issuer", "upgrade", "--issuer", str(older))
    [record] = practice.seal("after", "d", key=older)
    assert record.credential is not None
    assert to_hex(record.credential.key) == upgraded["provingKey"]
