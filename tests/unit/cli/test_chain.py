"""`chartseal chain`: a local chain up, asked, ended and up again; and EAS on another chain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chartseal.attestation import checksum_address
from chartseal.chain.deploy import load_deployments
from chartseal.chain.deployment import Deployment
from chartseal.chain.local.devnet import Devnet, accounts
from chartseal.chain.local.kept import is_locked
from chartseal.chain.schemas import SCHEMAS
from chartseal.cli import cli
from chartseal.errors import ChartsealError
from tests.chain import started

SECRET = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # anvil's first, known to everybody
ACCOUNT = "0x00000000000000000000000000000000000000aa"
UNSET = {"CHARTSEAL_RPC": None, "CHARTSEAL_DEPLOYMENT": None}
COMMAND = [sys.executable, "-c", "from chartseal.cli import main; main()", "chain"]


def run(*arguments: str, key: str | None = None) -> Any:
    result = CliRunner().invoke(cli, ["chain", *arguments, "--json"], env={**UNSET, "CHARTSEAL_KEY": key})
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


def refused(*arguments: str, key: str | None = None) -> str:
    with pytest.raises(ChartsealError) as caught:
        run(*arguments, key=key)
    return caught.value.code


@pytest.fixture(scope="module")
def bare() -> Iterator[Devnet]:
    """A chain without EAS."""
    with started(deploy=False) as running:
        yield running


def begin(folder: Path) -> tuple[subprocess.Popen[bytes], Any]:
    up = subprocess.Popen([*COMMAND, "up", "--folder", str(folder), "--port", "0", "--json"], stdout=subprocess.PIPE)
    assert up.stdout is not None
    return up, json.loads(up.stdout.readline())


def test_up_runs_until_it_is_interrupted_and_goes_on_from_there(tmp_path: Path, bare: Devnet) -> None:
    up, shown = begin(tmp_path)
    assert [account.lower() for account in shown["accounts"]] == ["0x" + each.address.hex() for each in accounts()]
    assert Deployment.load(Path(shown["deployment"])).chain_id == shown["chainId"] == 31_337
    assert refused("up", "--folder", str(tmp_path), "--port", "0") == "chain_running"
    run("fund", ACCOUNT, "--ether", "7", "--folder", str(tmp_path))
    up.send_signal(signal.SIGINT)
    rest, _ = up.communicate(timeout=20)
    assert (up.returncode, rest, is_locked(tmp_path)) == (0, b"", False)
    assert refused("status", "--folder", str(tmp_path)) == "chain_not_running"
    again, shown_again = begin(tmp_path)
    assert (shown_again["eas"], shown_again["head"]) == (shown["eas"], shown["head"])
    assert run("status", "--folder", str(tmp_path), "--balance-of", ACCOUNT)["balance"] == str(7 * 10**18)
    again.terminate()
    again.communicate(timeout=20)


def test_a_detached_chain_is_ended_by_its_own_command(tmp_path: Path, bare: Devnet) -> None:
    shown = run("up", "--folder", str(tmp_path), "--port", "0", "--detach")
    try:
        status = run("status", "--folder", str(tmp_path))
        assert (status["eas"], status["version"], status["final"]) == (shown["eas"], "1.4.0", status["head"])
        assert [name for name, each in status["schemas"].items() if each["registered"]] == [s.name for s in SCHEMAS]
        assert refused("up", "--folder", str(tmp_path), "--port", "0", "--detach") == "chain_running"
    finally:
        assert run("down", "--folder", str(tmp_path)) == {"folder": str(tmp_path)}
    assert not is_locked(tmp_path)
    assert refused("down", "--folder", str(tmp_path)) == "chain_not_running"


def test_another_chain_gets_eas_once(tmp_path: Path, bare: Devnet) -> None:
    there = ("--rpc", bare.url, "--folder", str(tmp_path))
    assert refused("up", *there) == "deployment_unknown"
    assert refused("up", *there, "--deploy") == "key_invalid"
    made = run("up", *there, "--deploy", "--finality", "3", key=SECRET)
    assert not any(each["registered"] for each in made["schemas"].values())
    deployment = Deployment.load(tmp_path / "deployment.json")
    assert (deployment.finality, made["final"]) == (3, max(0, made["head"] - 3))
    again = run("up", *there, "--deploy", "--register", key=SECRET)
    assert again["eas"] == made["eas"]
    assert all(each["registered"] for each in again["schemas"].values())
    stated = ("--rpc", bare.url, "--deployment", str(tmp_path / "deployment.json"))
    assert run("up", *stated, "--folder", str(tmp_path / "b"))["eas"] == made["eas"]
    assert run("schemas", *stated, "--register", key=SECRET)["new"] == []
    assert run("status", *stated)["chainId"] == 31_337


def test_a_wrong_statement_about_a_chain_is_refused(tmp_path: Path, bare: Devnet) -> None:
    there = ("--rpc", bare.url, "--deployment", str(tmp_path / "stated.json"), "--folder", str(tmp_path / "kept"))
    stated = Deployment(31_337, "1.4.0", accounts()[0].address, accounts()[1].address)
    (tmp_path / "stated.json").write_text(stated.to_json())
    assert refused("up", *there) == "contract_missing"
    assert not (tmp_path / "kept").exists()
    (tmp_path / "stated.json").write_text(Deployment(1, "1.4.0", stated.eas, stated.schema_registry).to_json())
    assert refused("up", *there) == "chain_wrong"


def test_a_file_of_another_deployment_is_kept(tmp_path: Path, bare: Devnet) -> None:
    first = run("up", "--rpc", bare.url, "--folder", str(tmp_path / "a"), "--deploy", key=SECRET)
    second = run("up", "--rpc", bare.url, "--folder", str(tmp_path / "b"), "--deploy", key=SECRET)
    assert first["eas"] != second["eas"]
    before = (tmp_path / "b/deployment.json").read_bytes()
    there = ("--rpc", bare.url, "--deployment", str(tmp_path / "a/deployment.json"))
    assert refused("up", *there, "--folder", str(tmp_path / "b")) == "deployment_exists"
    assert (tmp_path / "b/deployment.json").read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "--deploy"],
        ["up", "--register"],
        ["up", "--deployment", "d.json"],
        ["up", "--rpc", "http://127.0.0.1:9", "--deploy", "--deployment", "d.json"],
        ["up", "--port", "65536"],
        ["up", "--block-time", "0"],
        ["status", "--rpc", "ws://127.0.0.1:9"],
        ["fund", "0x00"],
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments, "--folder", str(tmp_path / "kept"))
    assert caught.value.code == 2
    assert not (tmp_path / "kept").exists()


def test_an_error_names_no_more_of_a_url_than_its_host(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/v2/hidden-key?token=hidden"
    environment = {**os.environ, "CHARTSEAL_KEY": SECRET}
    arguments = ["up", "--deploy", "--folder", str(tmp_path), "--rpc", url]
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, env=environment, timeout=60)
    assert ended.returncode == 1
    assert b"node_unreachable: 127.0.0.1" in ended.stderr
    assert b"hidden" not in ended.stderr + ended.stdout


def test_our_contracts_are_deployed_and_written_down(tmp_path: Path, bare: Devnet) -> None:
    run("up", "--rpc", bare.url, "--folder", str(tmp_path), "--deploy", key=SECRET)
    there = ("--rpc", bare.url, "--deployment", str(tmp_path / "deployment.json"))
    kept = tmp_path / "ours.json"
    into = (*there, "--into", str(kept))
    first = run("deploy", "accreditation_resolver", ACCOUNT, *into, key=SECRET)
    second = run("deploy", "record_resolver", first["address"], "hospital,pharmacy", *into, key=SECRET)
    ours = load_deployments(kept)
    assert [checksum_address(each.address) for each in ours.contracts] == [first["address"], second["address"]]
    node = bare.node
    assert node.read(ours.at(node, "record_resolver").read("roles")) == 0b101
    assert "0x" + node.read(ours.at(node, "accreditation_resolver").read("authority")).hex() == ACCOUNT

    before = kept.read_bytes()
    number = int(node.request("eth_blockNumber"), 16)
    refusals = {
        ("anchor_verifier", "7"): "field_encoding",
        ("record_resolver", ACCOUNT, "1"): "call_reverted",
    }
    for arguments, code in refusals.items():
        assert refused("deploy", *arguments, *into, key=SECRET) == code
    kept.write_bytes(before.replace(b"31337", b"1"))
    assert refused("deploy", "anchor_verifier", *into, key=SECRET) == "deployment_mismatch"
    nowhere = (*there, "--into", str(tmp_path / "none" / "ours.json"))
    assert refused("deploy", "anchor_verifier", *nowhere, key=SECRET) == "folder_unwritable"  # before it is paid for
    with pytest.raises(SystemExit):
        run("deploy", "record_resolver", "0x00", *into, key=SECRET)
    assert int(node.request("eth_blockNumber"), 16) == number
