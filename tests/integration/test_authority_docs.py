"""The commands of docs/authority.md, run in their order as they stand, a day apart where the page says so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chartseal.attestation import Address, address_from
from chartseal.chain.local.devnet import Devnet
from chartseal.chain.schemas import CAUSES, ROLES
from chartseal.keys import Wallet
from chartseal.verification import TrustPolicy
from tests.chain import known, started

PAGE = (Path(__file__).resolve().parents[2] / "docs/authority.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


class Reader:
    """Somebody who types the page's commands in one folder."""

    def __init__(self, running: Devnet, folder: Path) -> None:
        self.running, self.folder = running, folder
        deployment = folder / "deployment.json"
        deployment.write_text(known(running).to_json())
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHARTSEAL_")}
        self.environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
            "CHARTSEAL_RPC": running.url,
            "CHARTSEAL_DEPLOYMENT": str(deployment),
            "CHARTSEAL_PASSPHRASE": "correct horse",
        }

    def type(self, text: str, *command: str) -> str:
        done = subprocess.run(
            command or ("bash", "-eu", "-o", "pipefail"),
            input=text,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fund(self, name: str) -> Address:
        address = address_from(json.loads((self.folder / name).read_text())["address"], name)
        self.running.node.request("anvil_setBalance", ["0x" + address.hex(), hex(10**20)])
        return address

    def seal_a_record(self) -> None:
        (self.folder / "chart.json").write_text('{"resourceType":"Patient","id":"p","gender":"female"}')
        address = Wallet(b"\7" * 32).sealing_address()
        self.type(f"chartseal seal chart.json --issuer key.json --for {address} -o sealed")

    def sleep_a_day(self) -> None:
        self.running.node.request("evm_increaseTime", [86_400])
        self.running.node.request("evm_mine")


@pytest.mark.long
def test_the_page_as_it_stands(tmp_path: Path) -> None:
    init, card, accredit, withdraw, status, roots = blocks("sh")
    library, membership = blocks("python")
    with started() as running:
        reader = Reader(running, tmp_path)
        reader.type(init)
        authority = reader.fund("authority.json")
        reader.type(card)
        issuer = reader.fund("key.json")
        assert reader.type(accredit).count("live") == 2
        head = (
            "from chartseal.attestation import Address\n"
            "from chartseal.chain.deployment import Deployment\n"
            "from chartseal.chain.rpc.node import Node\n"
            "from pathlib import Path\n"
            f"node, deployment = Node({running.url!r}), Deployment.load(Path('deployment.json'))\n"
            f"authority, issuer = Address({authority!r}), Address({issuer!r})\n"
        )
        assert reader.type(head + library, sys.executable, "-") == "Pharmacy at the Market ['pharmacy']\n"
        reader.seal_a_record()
        assert "is what stands on chain" in reader.type(status)
        reader.sleep_a_day()
        assert "agrees, 1 leaves, 0 left out" in reader.type(roots)
        held = "from chartseal.sealing import read_records\n[record] = read_records([Path('sealed')])\n"
        facts = "from chartseal.chain.rpc_facts import RpcFacts\nfacts = RpcFacts(node, deployment)\n"
        assert reader.type(head + held + facts + membership, sys.executable, "-").startswith("one of 1 issuers")
        assert reader.type(withdraw) == "withdrawn: 1\n"
        assert "withdrawn_for_cause" in reader.type("chartseal issuer standing key.json")
        reader.sleep_a_day()
        assert "agrees, 0 leaves, 1 left out" in reader.type(roots)


def test_the_policy_reads() -> None:
    [policy] = blocks("toml")
    [named] = TrustPolicy.from_toml(policy).authorities
    assert named.roles == {"pharmacy"}


@pytest.mark.parametrize("word", [*ROLES, *CAUSES])
def test_every_role_and_cause_is_named(word: str) -> None:
    assert f"`{word}`" in PAGE
