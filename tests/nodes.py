"""Nodes for tests: a provider in a folder, its app, and what an EHR pushes to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from chartseal.chain.anchors import AnchorQueue
from chartseal.keys import IssuerKey, Wallet
from chartseal.node.app import Parts, create_app
from chartseal.node.ingest import IMPORT, Imports, Intake, Pushers, Pushing, Spool, router
from chartseal.node.metrics import Metrics
from chartseal.node.patients import PatientsFile
from chartseal.node.provider import Provider
from chartseal.node.settings import Settings
from chartseal.vault import Vault
from chartseal.vault.keys import KeyProvider
from tests.vaults import MemoryKeys

BASE = "https://hospital.example/fhir/"
SECRET = "s" * 43
OTHER_SECRET = "t" * 43
PASSPHRASE = "only for trying out"
HEADERS = {"authorization": f"Bearer {SECRET}", "content-type": "application/fhir+json"}
NDJSON = HEADERS | {"content-type": "application/fhir+ndjson"}
WALLETS = {name: Wallet.generate() for name in ("p1", "p2")}


def observation(number: int, patient: str = "p1", **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-05-04",
        **members,
    }


def bundle(kind: str, *resources: dict[str, Any]) -> dict[str, Any]:
    request = {"request": {"method": "POST", "url": "x"}} if kind == "transaction" else {}
    entries = [{"fullUrl": f"{BASE}{each['resourceType']}/{each['id']}", "resource": each} for each in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": [{**each, **request} for each in entries]}


def lines(*resources: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in resources)


def settings_of(folder: Path, **tables: Any) -> Settings:
    return Settings.of({"base_url": "https://hospital.example/node", **tables}, folder)


def write_map(folder: Path, *patients: str) -> None:
    rows = [f"{name},{WALLETS[name].sealing_address()}\n" for name in patients]
    beside = folder / "patients.new"
    beside.write_text("".join(["patient,address\n", *rows]))
    beside.replace(folder / "patients.csv")


@dataclass
class Made:
    """A provider and its ingest in a folder."""

    provider: Provider
    metrics: Metrics
    intake: Intake
    imports: Imports
    spool: Spool

    @property
    def vault(self) -> Vault:
        return self.provider.vault

    def client(self, **more: Any) -> TestClient:
        """Its app; a test enters it where imports are to run."""
        pushers = Pushers({"ehr": SECRET, "lab": OTHER_SECRET})
        settings = self.provider.settings
        pushing = Pushing(self.intake, self.imports, pushers, settings.base_url)
        parts = Parts(
            settings,
            routers=[router(pushing)],
            services=[self.imports.service],
            identify=pushers.identify,
            larger_bodies={IMPORT: settings.ingest.import_bytes},
            metrics=self.metrics,
            **more,
        )
        return TestClient(create_app(parts), raise_server_exceptions=False, base_url="https://testserver")


@contextmanager
def made(
    folder: Path, keys: KeyProvider | None = None, issuer: IssuerKey | None = None, **tables: Any
) -> Iterator[Made]:
    """A provider with an empty vault, or the one that is there, and two patients."""
    settings = settings_of(folder, **tables)
    keys = keys or MemoryKeys()
    place = settings.vault_place()
    is_there = "://" not in place and Path(place).exists()
    issuer = issuer or IssuerKey.generate(base=BASE)
    issuing = issuer.issuing()
    if not (folder / "patients.csv").exists():
        write_map(folder, "p1", "p2")
    provider = Provider(
        settings,
        Vault.open(place, keys) if is_there else Vault.create(place, keys, base=BASE, now=_now()),
        issuer,
        issuing,
        AnchorQueue(issuing.domain),
        PatientsFile(folder / "patients.csv"),
    )
    spool = Spool(folder / "spool", provider.spool_secret)
    try:
        metrics = Metrics()
        intake = Intake.of(provider, metrics)
        yield Made(provider, metrics, intake, Imports(intake, spool, settings.ingest, metrics), spool)
    finally:
        spool.close()
        provider.vault.close()


def _now() -> Any:
    from chartseal.node.provider import now

    return now()
