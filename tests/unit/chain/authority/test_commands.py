"""The commands of authorities and issuers, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_keyfile import keyfile

from chartseal.attestation import to_hex
from chartseal.chain.authority import status_root_of
from chartseal.cli import cli
from chartseal.errors import ChartsealError
from chartseal.keys import AuthorityKey, IssuerKey
from tests.chain import Local

PASSPHRASE = "correct horse"
NAME = "Pharmacy at the Market"
ENDPOINT = "https://pharmacy.example/node"


class Shop:
    """A folder with an authority's and an issuer's files, and the commands in it."""

    def __init__(self, folder: Path, local: Local) -> None:
        self.local = local
        self.authority, self.issuer = str(folder / "authority.json"), str(folder / "key.json")
        self.card = folder / "card.json"
        deployment = folder / "deployment.json"
        deployment.write_text(local.deployment.to_json())
        self.environment = {
            "CHARTSEAL_RPC": local.url,
            "CHARTSEAL_DEPLOYMENT": str(deployment),
            "CHARTSEAL_PASSPHRASE": PASSPHRASE,
        }
        self.by = self.json("authority", "init", "-o", self.authority)["address"]
        self.who = self.json("issuer", "init", "-o", self.issuer, "--deployment", str(deployment))["address"]
        for address in (self.by, self.who):
            local.node.request("anvil_setBalance", [address, hex(10**20)])

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
        assert PASSPHRASE not in str(caught.value)
        assert self.local.url not in str(caught.value)

    def make_card(self, *arguments: str) -> None:
        made = self.run("issuer", "card", "--issuer", self.issuer, "-o", str(self.card), "--name", NAME, *arguments)
        assert made.exit_code == 0, made.output

    def accredit(self, *arguments: str) -> tuple[str, ...]:
        return ("authority", "accredit", str(self.card), "--role", "pharmacy", "--key", self.authority, *arguments)


@pytest.fixture
def shop(tmp_path: Path, local: Local, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)
    return Shop(tmp_path, local)


def test_from_card_to_standing(shop: Shop) -> None:
    shop.make_card("--endpoint", ENDPOINT)
    made = shop.json(*shop.accredit("--until", "2090-01-01", "--from", "2020-01-01T00:00:00+01:00"))
    assert (made["authority"], made["issuer"]) == (shop.by, shop.who)
    [row] = shop.json("issuer", "standing", shop.issuer)["accreditations"]
    key = IssuerKey.load(Path(shop.issuer), PASSPHRASE)
    assert (
        row.items()
        >= {
            "uid": made["uid"],
            "state": "live",
            "final": True,
            "name": NAME,
            "endpoint": ENDPOINT,
            "roles": ["pharmacy"],
            "provingKey": to_hex(key.proving_key),
            "transportKey": to_hex(key.transport_key),
            "ends": 3_786_912_000,
        }.items()
    )
    [listed] = shop.json("authority", "list", shop.authority)["accreditations"]
    assert listed == row
    assert shop.json("authority", "list", shop.by, "--live", "--at", "2090-01-01")["accreditations"] == []
    assert shop.json("issuer", "standing", shop.who, "--authority", shop.who)["accreditations"] == []
    shown = shop.run("issuer", "standing", shop.issuer)
    assert NAME in shown.stdout
    assert made["uid"] in shown.stdout
    renewed = shop.json("authority", "renew", made["uid"], "--until", "2091-01-01", "--key", shop.authority)
    shop.json("authority", "withdraw", made["uid"], "--key", shop.authority)
    states = {each["uid"]: each["state"] for each in shop.json("issuer", "standing", shop.issuer)["accreditations"]}
    assert states == {made["uid"]: "withdrawn", renewed["uid"]: "live"}
    withdrawn = shop.json(
        "authority", "withdraw", shop.who, "--cause", "misconduct", "--from", "2020-01-01", "--key", shop.authority
    )
    assert {each["accreditation"] for each in withdrawn["withdrawn"]} == set(states)
    rows = shop.json("issuer", "standing", shop.issuer)["accreditations"]
    assert {each["state"] for each in rows} == {"withdrawn_for_cause"}
    for who in (shop.who, str(shop.card)):
        shop.refuse("nothing_to_withdraw", "authority", "withdraw", who, "--key", shop.authority)
    shop.refuse("not_ours", "authority", "withdraw", withdrawn["withdrawn"][0]["withdrawal"], "--key", shop.authority)


def test_a_card_is_what_its_issuer_signed(shop: Shop) -> None:
    shop.make_card("--endpoint", ENDPOINT)
    whole = json.loads(shop.card.read_text())
    changes = [
        ({"endpoint": "https://elsewhere.example"}, "card_signature"),
        ({"transportKey": "0x" + "01" * 32}, "card_signature"),
        ({"address": shop.by}, "card_signature"),
        ({"name": "Another"}, "card_signature"),
        ({"signature": "0x" + "00" * 65}, "card_signature"),
        ({"name": "a\u202eb"}, "name_refused"),
        ({"possession": "0x" + "00" * 63}, "card_malformed"),
        ({"kind": "issuer-key"}, "card_malformed"),
        ({"more": 1}, "card_malformed"),
        ({"name": 1}, "card_malformed"),
    ]
    for change, code in changes:
        shop.card.write_text(json.dumps({**whole, **change}))
        shop.refuse(code, *shop.accredit())
    for text in ("", "[]", "[" * 100_000, json.dumps(whole) + " " * 20_000):
        shop.card.write_text(text)
        shop.refuse("card_malformed", *shop.accredit())
    shop.card.write_text(json.dumps(whole))
    shop.refuse("card_contradicted", *shop.accredit("--endpoint", ENDPOINT + "/"))
    shop.refuse("validity_empty", *shop.accredit("--until", "2020-01-01"))
    shop.json(*shop.accredit("--endpoint", ENDPOINT))


def test_a_predecessor_is_said_by_the_authority_too(shop: Shop) -> None:
    shop.make_card("--predecessor", shop.by)
    shop.refuse("predecessor_unconfirmed", *shop.accredit())
    shop.refuse("predecessor_unconfirmed", *shop.accredit("--predecessor", "0x" + "01" * 20))
    shop.json(*shop.accredit("--predecessor", shop.by))
    [row] = shop.json("issuer", "standing", shop.who)["accreditations"]
    assert row["predecessor"] == shop.by


def test_an_address_alone(shop: Shop) -> None:
    command = ("authority", "accredit", shop.who, "--role", "clinic", "--role", "device", "--key", shop.authority)
    shop.refuse("name_refused", *command)
    shop.json(*command, "--name", NAME)
    [row] = shop.json("issuer", "standing", shop.who)["accreditations"]
    assert (row["roles"], row["provingKey"], row["endpoint"], row["ends"]) == (["clinic", "device"], None, None, None)
    assert shop.run(*command, "--name", NAME, "--until", "soon").exit_code != 0
    assert shop.run("authority", "accredit", "0x12", "--role", "clinic", "--key", shop.authority).exit_code != 0


def test_roots_are_published_and_checked(shop: Shop, tmp_path: Path) -> None:
    shop.refuse("nothing_to_publish", "trust-root", "publish", "--key", shop.authority)
    shop.make_card()
    shop.json(*shop.accredit())
    indices = tmp_path / "revoked.txt"
    indices.write_text("5\n1023999\n")
    publish = ("status-list", "publish", "--key", shop.issuer, "--list", "3")
    made = shop.json(*publish, "--revoked", str(indices))
    assert made["root"] == to_hex(status_root_of([5, 1_023_999]))
    for text in ("5\nx\n", "-1\n", "1024000\n", "²\n", "9" * 5_000):
        indices.write_text(text)
        shop.refuse("status_index", *publish, "--revoked", str(indices))
    assert shop.run(*publish, "--revoked", str(indices), "--root", "0x" + "00" * 32).exit_code == 2
    check = ("trust-root", "check", "--authority", shop.by)
    shop.refuse("trust_root_missing", *check)
    shop.local.node.request("evm_increaseTime", [86_400])
    shop.local.node.request("evm_mine")
    [published] = shop.json("trust-root", "publish", "--key", shop.authority)["roots"]
    assert [(leaf["attester"], leaf["list"]) for leaf in published["leaves"]] == [(shop.who, 3)]
    assert shop.json("trust-root", "publish", "--key", shop.authority, "--role", "pharmacy")["roots"] == [published]
    [checked] = shop.json(*check)["checks"]
    uid = published.pop("uid")
    assert (checked["outcome"], checked["computed"]) == ("agrees", published)
    assert [each["uid"] for each in checked["attested"]] == [uid]
    index = f"sqlite:///{tmp_path}/index.db"
    indexed = shop.run("index", "run", "--once", "--db", index)
    assert indexed.exit_code == 0, indexed.output
    assert shop.json(*check, "--index", index)["checks"] == [checked]
    listing = ("authority", "list", shop.authority)
    assert shop.json(*listing, "--index", index)["accreditations"] == shop.json(*listing)["accreditations"]
    shown = shop.run(*check)
    assert (shown.exit_code, "agrees, 1 leaves" in shown.stdout) == (0, True)
    missing = shop.run(*check, "--role", "clinic", "--epoch", str(published["epoch"]), "--json")
    assert (missing.exit_code, json.loads(missing.stdout)["checks"][0]["outcome"]) == (1, "missing")
    for _ in range(2):
        shop.json("trust-root", "revoke", uid, "--key", shop.authority)
    shop.refuse("trust_root_missing", *check)
    day = shop.run(*check, "--role", "pharmacy", "--epoch", "2020-01-01")
    assert (day.exit_code, "epoch 18262: missing, 0 leaves" in day.stdout) == (1, True)


def test_whose_key_it_is(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = AuthorityKey.load(Path(shop.authority), PASSPHRASE)
    assert key.address == shop.by
    shop.make_card()
    shop.refuse("key_file_kind", *shop.accredit("--key", shop.issuer))
    shop.refuse("key_file_kind", "issuer", "standing", shop.authority)
    shop.refuse("key_file_unreadable", "authority", "list", str(tmp_path / "absent.json"))
    assert shop.run(*shop.accredit("--key-fd", "9")).exit_code != 0
    shop.refuse("key_file_exists", "authority", "init", "-o", shop.authority)
    secret = "0x" + "11" * 32
    shop.environment["CHARTSEAL_KEY"] = secret
    arguments = ("authority", "accredit", str(shop.card), "--role", "pharmacy")
    shop.local.node.request("anvil_setBalance", ["0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A", hex(10**20)])
    assert shop.json(*arguments)["authority"] == "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
