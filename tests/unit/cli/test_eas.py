"""`chartseal eas` on a local chain, and the options that every chain command shares."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_keyfile import keyfile

from chartseal.attestation import checksum_address, to_hex
from chartseal.chain.contract import Contract
from chartseal.cli import cli
from chartseal.errors import ChartsealError, PackageError
from chartseal.keys import _files
from tests.chain import Local
from tests.chain import local as local

KEYS = (
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
)
TEXT = "uint256 number,string word"


class Command:
    """The command with a chain and a key in the environment."""

    def __init__(self, local: Local, folder: Path) -> None:
        self.deployment = folder / "deployment.json"
        self.deployment.write_text(local.deployment.to_json())
        self.url = local.url

    def run(self, *arguments: str, given: str = "", **environment: str | None) -> Result:
        known: Mapping[str, str | None] = {
            "CHARTSEAL_RPC": self.url,
            "CHARTSEAL_DEPLOYMENT": str(self.deployment),
            "CHARTSEAL_KEY": KEYS[0],
            "CHARTSEAL_PASSPHRASE": "secret",
            **environment,
        }
        return CliRunner(env=known).invoke(cli, ["eas", *arguments], input=given)

    def answer(self, *arguments: str, given: str = "", **environment: str | None) -> Any:
        done = self.run(*arguments, "--json", given=given, **environment)
        assert done.exit_code == 0, (done.output, done.exception)
        return json.loads(done.stdout)

    def code(self, *arguments: str, given: str = "", **environment: str | None) -> str:
        done = self.run(*arguments, given=given, **environment)
        assert isinstance(done.exception, ChartsealError), (done.output, done.exception)
        return done.exception.code


@pytest.fixture(scope="module")
def command(local: Local, tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(local, tmp_path_factory.mktemp("eas"))


@pytest.fixture(scope="module")
def schema(command: Command) -> str:
    return str(command.answer("schema", "register", TEXT)["uid"])


def test_schemas(command: Command, schema: str) -> None:
    assert command.answer("schema", "show", schema) == {
        "uid": schema,
        "schema": TEXT,
        "resolver": "0x" + "0" * 40,
        "revocable": True,
    }
    assert command.code("schema", "register", TEXT) == "schema_exists"
    assert command.answer("schema", "register", TEXT, "--exist-ok")["uid"] == schema
    assert command.code("schema", "show", "0x" + "11" * 32) == "schema_unregistered"
    assert TEXT in command.run("schema", "show", schema).stdout


def test_attest_show_revoke(command: Command, schema: str) -> None:
    uid = command.answer(
        "attest", "--schema", schema, "--values", '[7, "a\\u001b[31m"]', "--expires", "2090-01-01T00:00:00Z"
    )["uid"]
    shown = command.answer("show", uid)
    assert [each["value"] for each in shown["values"]] == ["7", "a\x1b[31m"]
    assert (shown["expirationTime"], shown["revocationTime"]) == (3786912000, 0)
    text = command.run("show", uid).stdout
    assert "2090-01-01" in text
    assert "\x1b" not in text
    assert command.code("show", "0x" + "11" * 32) == "attestation_unknown"
    assert command.code("revoke", uid, CHARTSEAL_KEY=KEYS[1]) == "attester_other"
    assert command.answer("revoke", uid)["revoked"] == [uid]
    assert command.answer("show", uid)["revocationTime"] > 0
    assert command.code("revoke", uid) == "already_revoked"
    assert command.code("attest", "--schema", schema, "--data", "0x01") == "data_malformed"
    assert command.run("attest", "--schema", schema).exit_code == 2


def test_multi_attest(command: Command, schema: str) -> None:
    items = [
        {"schema": schema, "values": ["1", "one"], "recipient": "0x" + "22" * 20},
        {"schema": schema, "values": [2, "two"], "revocable": False, "expirationTime": "4000000000"},
    ]
    for text in (json.dumps(items), "\n".join(map(json.dumps, items)) + "\n"):
        uids = command.answer("multi-attest", "-", given=text)["uids"]
        shown = [command.answer("show", uid) for uid in uids]
        assert [each["values"][1]["value"] for each in shown] == ["one", "two"]
        assert [each["revocable"] for each in shown] == [True, False]
        assert shown[0]["recipient"] == checksum_address(b"\x22" * 20)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"schema": "0x11"}, "package_malformed"),
        ({"unknown": 1}, "package_malformed"),
        ({"revocable": "no"}, "package_malformed"),
        ({"data": "0x"}, "package_malformed"),
        ({"values": ["x", "y"]}, "field_encoding"),
        ({"values": 1}, "package_malformed"),
        ({"schema": "0x" + "11" * 32}, "schema_unregistered"),
        ({"expirationTime": 1}, "expiration_past"),
        ({"refUID": "0x" + "11" * 32}, "reference_unknown"),
    ],
)
def test_malformed_requests_are_refused(command: Command, schema: str, change: dict[str, Any], code: str) -> None:
    item = {"schema": schema, "values": [1, "one"], **change}
    assert command.code("multi-attest", "-", given=json.dumps([item])) == code


def test_times(command: Command, local: Local) -> None:
    digest, uid = to_hex(secrets.token_bytes(32)), to_hex(secrets.token_bytes(32))
    time = command.answer("timestamp", digest)["times"][digest]
    assert time == local.node.block().timestamp
    assert command.code("timestamp", digest) == "already_timestamped"
    assert command.answer("when", digest, uid)["times"] == {digest: time, uid: 0}
    assert command.code("timestamp", uid, uid) == "timestamp_duplicate"
    assert command.answer("revoke-offchain", uid)["times"][uid] > 0
    assert command.code("revoke-offchain", uid) == "already_revoked"
    me, other = (checksum_address(local.keys[at].address) for at in (0, 1))
    assert command.answer("when", uid, "--revoked-by", me)["times"][uid] > 0
    assert command.answer("when", uid, "--revoked-by", other)["times"][uid] == 0
    assert "never" in command.run("when", uid, "--revoked-by", other).stdout
    assert command.run("timestamp", "0x11").exit_code == 2


def test_delegation(command: Command, local: Local, schema: str) -> None:
    patron, deadline = local.keys[1], ("--deadline", "2090-01-01T00:00:00Z")
    signed = command.run(
        *("delegate", "sign", "--schema", schema, "--values", '[1, "one"]', *deadline), CHARTSEAL_KEY=KEYS[1]
    ).stdout
    assert json.loads(signed)["message"]["attester"] == checksum_address(patron.address)
    [uid] = command.answer("delegate", "send", "-", given=signed)["uids"]
    assert command.answer("show", uid)["attester"] == checksum_address(patron.address)
    assert command.code("delegate", "send", "-", given=signed) == "nonce_used"
    revocation = command.run("delegate", "sign-revocation", uid, CHARTSEAL_KEY=KEYS[1]).stdout
    assert command.answer("delegate", "send", "-", given=revocation)["revoked"] == [uid]
    assert command.answer("show", uid)["revocationTime"] > 0
    assert command.answer("nonce", checksum_address(patron.address))["nonce"] == 2
    assert command.answer("nonce", "--raise-to", "9", CHARTSEAL_KEY=KEYS[1])["nonce"] == 9
    assert command.run("nonce").exit_code == 2


def test_misuse_of_times_and_the_place_of_a_malformed_request(command: Command, schema: str) -> None:
    some = ("--schema", schema, "--data", "0x")
    for arguments in (("attest", "--expires"), ("delegate", "sign", "--deadline")):
        for text in ("1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"):  # the second is EAS's word for never
            assert command.run(*arguments, text, *some).exit_code == 2
    refused = command.run("delegate", "send", "-", given='{"a": 1}\n').exception
    assert isinstance(refused, PackageError)
    assert refused.path.startswith("requests[0]")


def test_a_proxy(command: Command, local: Local, schema: str) -> None:
    proxy = local.sender(2).send(Contract.load("eip712_proxy").deploy(local.deployment.eas, "Clinic"))
    option = ("--proxy", checksum_address(proxy))
    request = ("--schema", schema, "--values", '[1, "one"]')
    assert command.run("delegate", "sign", *request, *option, "--nonce", "1").exit_code == 2
    signed = command.run("delegate", "sign", *request, *option, CHARTSEAL_KEY=KEYS[1]).stdout
    assert command.code("delegate", "send", "-", given=signed) == "domain_refused"
    [uid] = command.answer("delegate", "send", "-", *option, given=signed)["uids"]
    assert command.answer("show", uid)["attester"] == checksum_address(proxy)
    revocation = command.run("delegate", "sign-revocation", uid, *option, CHARTSEAL_KEY=KEYS[1]).stdout
    assert command.answer("delegate", "send", "-", *option, given=revocation)["revoked"] == [uid]
    assert command.answer("show", uid)["revocationTime"] > 0


class TestOptions:
    def test_a_url_is_never_shown(self, command: Command, schema: str) -> None:
        for url in ("http://127.0.0.1:9/v2/hidden-key?token=hidden-key", "ftp://h/hidden-key", "http://[hidden-key"):
            done = command.run("schema", "show", schema, "--rpc", url)
            assert done.exit_code != 0
            assert "hidden-key" not in done.output + str(done.exception)

    def test_no_node_no_deployment_no_key(self, command: Command, schema: str) -> None:
        assert command.run("schema", "show", schema, CHARTSEAL_RPC=None).exit_code == 2
        assert command.code("schema", "show", schema, CHARTSEAL_DEPLOYMENT=None) == "deployment_unknown"
        assert command.code("revoke", schema, CHARTSEAL_KEY=None) == "key_invalid"
        assert command.run("revoke", schema, "--key", "a", "--key-fd", "0").exit_code == 2

    def test_another_chain_is_refused(self, command: Command, schema: str, local: Local, tmp_path: Path) -> None:
        other = tmp_path / "deployment.json"
        other.write_text(local.deployment.to_json().replace("31337", "10"))
        assert command.code("schema", "show", schema, "--deployment", str(other)) == "chain_wrong"

    def test_keys_from_files(self, command: Command, local: Local, tmp_path: Path) -> None:
        keystore, issuer = tmp_path / "keystore.json", tmp_path / "issuer.json"
        secret = bytes.fromhex(KEYS[1])
        cheap = keyfile.create_keyfile_json(secret, b"secret", kdf="pbkdf2", iterations=1_000)
        keystore.write_text(json.dumps(cheap))
        members = {"address": checksum_address(local.keys[1].address), "base": "", "network": "sepolia"}
        issuer.write_bytes(_files.encode("issuer-key", {**members, "seal": cheap, "person": cheap}))
        for option in (("--key", str(keystore)), ("--key", str(issuer))):
            uid = to_hex(secrets.token_bytes(32))
            assert command.answer("revoke-offchain", uid, *option, CHARTSEAL_KEY=None)["times"][uid] > 0
