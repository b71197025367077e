"""Two providers' nodes on one chain: sealed here, consented, pulled and verified there, withdrawn, refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from chartseal.attestation import ZERO_DIGEST, Digest, address_from, checksum_address
from chartseal.chain.authority import Grant
from tests.chain import Local
from tests.chain import local as local
from tests.chain_actions import Actor, register_schemas
from tests.node_processes import NodeProcess

BASE = "https://a.example/ehr/"
PASSPHRASE = "only for trying out"
AUTHORITY = 1
RUN = "from chartseal.cli import main; main()"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Typist:
    """Somebody who types commands in one folder."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, status: int = 0) -> str:
        command = (sys.executable, "-c", RUN, *arguments)
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stdout + done.stderr

    def told(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@dataclass
class Site:
    """A provider: its node's folder, port and account."""

    name: str
    port: int
    account: str
    accreditation: Digest = ZERO_DIGEST

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Network:
    """A chain with an authority, two sites that it accredits, and a patient."""

    def __init__(self, chain: Local, folder: Path) -> None:
        self.chain, self.authority = chain, Actor.of(chain, AUTHORITY)
        register_schemas(chain)
        (folder / "deployment.json").write_text(chain.deployment.to_json())
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHARTSEAL_")}
        environment = {**kept, "CHARTSEAL_PASSPHRASE": PASSPHRASE, "CHARTSEAL_RPC": chain.url}
        self.typist = Typist(folder, environment)
        self.sites = {name: self._site(name) for name in ("a", "b")}
        for site in self.sites.values():
            self._join(site)

    def _site(self, name: str) -> Site:
        port = free_port()
        options = ("--base-url", f"http://127.0.0.1:{port}", "--base", BASE, "--deployment", "deployment.json")
        return Site(name, port, self.typist.told("node", "init", name, *options)["issuer"])

    def _join(self, site: Site) -> None:
        issuer = address_from(site.account, "issuer")
        grant = Grant(issuer=issuer, name=f"Hospital {site.name}", roles=frozenset({"hospital"}))
        site.accreditation = self.authority.accredit(grant)
        folder = self.typist.folder / site.name
        roles = f'roles = ["hospital"]\nname = "Ministry"\naddress = "{checksum_address(self.authority.address)}"\n'
        domain = self.chain.deployment.domain()
        accepted = f'[[domain]]\nversion = "{domain.version}"\nchain_id = {domain.chain_id}\n'
        accepted += f'contract = "{checksum_address(domain.contract)}"\n'
        (folder / "trust.toml").write_text(f"[[authority]]\n{roles}{accepted}")
        endpoints = "\n".join(f'"{each.account}" = "{each.url}"' for each in self.sites.values())
        with (folder / "node.toml").open("a") as settings:
            settings.write(
                f'\n[network]\nrpc = "env:CHARTSEAL_RPC"\ndeployment = "../deployment.json"\nallow_loopback = true\n'
                f"[network.endpoints]\n{endpoints}\n"
            )
        self.typist.told("node", "init", site.name)

    @contextmanager
    def up(self, name: str) -> Iterator[NodeProcess]:
        site, folder = self.sites[name], self.typist.folder / name
        command = [sys.executable, "-c", RUN, "node", "up", "--config", str(folder / "node.toml")]
        environment = {**self.typist.environment, "CHARTSEAL_NODE_LISTEN__PORT": str(site.port)}
        node = NodeProcess(folder, environment, command)
        try:
            yield node
        finally:
            assert node.end() == 0

    def pull(self, consent: str, status: int = 0, purpose: str = "TREAT") -> Any:
        """B asks A for all that a consent opens."""
        a, b = self.sites["a"], self.sites["b"]
        given = (
            "--peer",
            a.account,
            "--organisation",
            "https://b.example/org",
            "--person",
            "urn:x:dr-1",
            "-o",
            "token",
        )
        told = self.typist.told("node", "token", "--config", "b/node.toml", "--purpose", purpose, *given)
        fhir = told["fhir"]
        asked = ("--from", fhir, "--custodian", a.account, "--consent", consent, "--as", b.account)
        trusted = ("--trust", "b/trust.toml", "--token-file", "token", "--allow-loopback")
        chain = ("--deployment", "deployment.json")
        found = self.typist.run("pull", *asked, *trusted, *chain, "--json", status=status)
        return json.loads(found) if status == 0 else found


def chart() -> bytes:
    mine = {"reference": "Patient/p1"}
    resources: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": "p1", "birthDate": "1970-02-03", "gender": "female"},
        {
            "resourceType": "MedicationRequest",
            "id": "m1",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {
                "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "860975"}]
            },
            "subject": mine,
            "authoredOn": "2026-05-04",
        },
        {
            "resourceType": "Condition",
            "id": "c1",
            "code": {"text": "asthma"},
            "subject": mine,
            "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}]},
        },
    ]
    entries = [{"fullUrl": f"{BASE}{each['resourceType']}/{each['id']}", "resource": each} for each in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def types_of(pulled: Any) -> list[str]:
    return sorted(each["resourceType"] for each in pulled["told"])


@pytest.fixture
def network(local: Local, tmp_path: Path) -> Network:
    return Network(local, tmp_path)


def test_from_a_chart_to_another_hospital_and_back_to_no(network: Network) -> None:
    typist, a, b = network.typist, network.sites["a"], network.sites["b"]
    typist.run("wallet", "init", "-o", "wallet.json")
    address = typist.told("wallet", "address", "-w", "wallet.json")["address"]
    (typist.folder / "a" / "patients.csv").write_text(f"patient,address\np1,{address}\n")
    granted = ("--to", b.account, "--custodian", a.account, "--purpose", "TREAT", "--until", "2090-01-01")
    typist.run("consent", "grant", *granted, "-o", "consent.json", "-w", "wallet.json")
    consent = (typist.folder / "consent.json").read_bytes()
    with network.up("a") as node, network.up("b"):
        assert httpx.get(f"{a.url}/ready").json()["ready"] is True
        assert httpx.post(f"{a.url}/consents", content=consent).status_code == 422  # nobody's address yet
        assert node.request("POST", "/fhir", chart()).status_code == 201
        refused = network.pull("consent.json", status=1)  # no consent is here
        assert "peer_not_found" in refused
        assert httpx.post(f"{a.url}/consents", content=consent).status_code == 201
        pulled = network.pull("consent.json")
        assert pulled["verified"] is True
        assert pulled["holdsWhole"] is True
        assert types_of(pulled) == ["MedicationRequest", "Patient"]  # what bears a label, the consent does not name
        assert {each["state"] for each in pulled["told"]} == {"as sealed"}
        assert "860975" in json.dumps(pulled["facts"])
        assert "peer_not_found" in network.pull("consent.json", status=1, purpose="HMARKT")
        typist.run("consent", "withdraw", "consent.json", "-o", "withdrawal.json", "-w", "wallet.json")
        withdrawal = (typist.folder / "withdrawal.json").read_bytes()
        assert httpx.post(f"{a.url}/consents/withdrawals", content=withdrawal).status_code == 200
        assert "peer_not_found" in network.pull("consent.json", status=1)
        assert httpx.post(f"{a.url}/consents", content=consent).status_code == 422
    typist.environment["CHARTSEAL_VAULT"] = "a/vault.db"
    entries = typist.told("audit", "list")["entries"]
    assert [each["action"] for each in entries].count("disclose") == 2
    assert [each["action"] for each in entries].count("refuse") >= 3


def test_an_account_that_is_accredited_no_more_gets_nothing(network: Network) -> None:
    a, b = network.sites["a"], network.sites["b"]
    given = ("--peer", a.account, "--organisation", "https://b.example/org", "-o", "token")
    with network.up("a"), network.up("b"):
        network.typist.told("node", "token", "--config", "b/node.toml", *given)
        token = (network.typist.folder / "token").read_text().strip()
        asked: dict[str, Any] = {"url": f"{a.url}/fhir/Patient?_id=p1", "headers": {"authorization": f"Bearer {token}"}}
        assert httpx.get(**asked).status_code == 200
        assert httpx.get(f"{a.url}/fhir/Patient?_id=p1").status_code == 401
        issuer = address_from(b.account, "issuer")
        network.authority.withdraw(b.accreditation, issuer, 0, "ordinary")
        for _ in range(100):  # an answer of the chain stands for three seconds
            if httpx.get(**asked).status_code == 401:
                break
            time.sleep(0.1)
        assert httpx.get(**asked).status_code == 401
        assert "client_gone" in httpx.get(**asked).text
        network.typist.run("node", "token", "--config", "b/node.toml", *given, status=1)
