"""Taking over a wallet, as docs/proxies.md has it, run as it stands before a chain of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chartseal.chain.local.devnet import Devnet
from chartseal.keys import IssuerKey, Wallet
from tests.chain import known, started
from tests.moves import BASE, chart_of, conditions

PAGE = (Path(__file__).resolve().parents[2] / "docs/proxies.md").read_text()
TO, NONCE = "https://school.example", "88" * 32


class Reader:
    """Somebody who types commands in one folder."""

    def __init__(self, running: Devnet, folder: Path) -> None:
        self.folder = folder
        (folder / "deployment.json").write_text(known(running).to_json())
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHARTSEAL_")}
        keys = {
            f"VK_{name}": f"{at:064x}" for at, name in enumerate(("INDEX", "PSEUDONYMS", "ACCOUNTING", "EPOCH_1"), 1)
        }
        self.environment = {
            **kept,
            **keys,
            "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
            "CHARTSEAL_RPC": running.url,
            "CHARTSEAL_DEPLOYMENT": "deployment.json",
            "CHARTSEAL_PASSPHRASE": "p",
            "CHARTSEAL_VAULT": "vault.db",
            "CHARTSEAL_VAULT_KEYS": "env:VK",
        }

    def type(self, text: str, *, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ("bash", "-eu", "-o", "pipefail"),
            input=text.replace("/srv/mailbox", "mailbox"),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == status, done.stderr
        return done


@pytest.mark.long
def test_taking_over_as_the_page_has_it(tmp_path: Path) -> None:
    section = PAGE[PAGE.index("## Taking over") :]
    [block] = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    with started() as running:
        reader = Reader(running, tmp_path)
        prepare(running, tmp_path)
        reader.type(
            "chartseal vault init\n"
            "chartseal seal chart.json --issuer issuer.json --patients map.csv --vault vault.db\n"
            "chartseal vault publish mailbox --early\n"
            "chartseal wallet scan mailbox -w kept.json && chartseal wallet accept -w kept.json\n"
            f"{disclose('kept.json')}\n{verify('kept.json')}\n"
        )
        told = reader.type(block).stdout
        assert "3 records sealed again, 3 old seals revoked\n" in told
        assert "3 records kept" in told
        reader.type(f"{disclose('mine.json')}\n{verify('mine.json')}\n")
        assert "seal_revoked" in reader.type(verify("kept.json"), status=1).stderr


def prepare(running: Devnet, folder: Path) -> None:
    """A hospital on the chain, which keeps a wallet for its patient."""
    network = known(running).network()
    key = IssuerKey.generate(base=BASE, seals_for=network)
    key.save(folder / "issuer.json", "p")
    running.node.request("anvil_setBalance", [key.address, hex(10**20)])
    domain = f'version = "{network.version}"\nchain_id = {network.chain_id}\ncontract = "0x{network.eas.hex()}"\n'
    issuer = f'address = "{key.address}"\nname = "Hospital"\n'
    (folder / "trust.toml").write_text(f"[[domain]]\n{domain}[[issuer]]\n{issuer}")
    kept = Wallet(b"\1" * 32)
    kept.save(folder / "kept.json", "p")
    (folder / "map.csv").write_text(f"p1,{kept.sealing_address()}\n")
    (folder / "chart.json").write_bytes(chart_of(conditions(2)))


def disclose(wallet: str) -> str:
    asked = f"--open Condition.code --to {TO} --nonce {NONCE} --yes"
    return f"chartseal wallet disclose -w {wallet} {asked} -o {wallet}.shown"


def verify(wallet: str) -> str:
    chain = '--rpc "$CHARTSEAL_RPC" --deployment deployment.json'
    return f"chartseal verify {wallet}.shown --trust trust.toml --as {TO} --nonce {NONCE} {chain}"


def test_the_codes_of_the_page_are_the_programs() -> None:
    source = "".join(each.read_text() for each in (Path(__file__).resolve().parents[2] / "src").rglob("*.py"))
    codes = re.findall(r"`([a-z]+_[a-z_]+)`", PAGE[PAGE.index("## Moving") :])
    assert len(codes) > 10
    assert [
        each for each in codes if f'"{each}"' not in source and each not in {"signature_invalid", "vault_move"}
    ] == []
    assert json.dumps(codes).count("successor_") >= 7
