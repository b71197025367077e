"""The main job on one synthetic chart: an authority accredits a hospital, which seals the chart and anchors it on a
local chain; the patient shows three facts to a named verifier, who trusts that authority and asks a node of the chain
alone. What is tampered with, or revoked, is refused. Then the patient proves two facts without opening them
(`predicates.py`): a vaccination, beside its seal, and a prescription, for which a contract pays once and learns
no name. Then a pharmacy measures, watches and seals how statins were taken (`medication.py`). Last a hospital's vault
delivers to the patient's wallet, and erases (`keeping.py`).

Run: python examples/demo.py
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import keeping
import medication
import predicates
from rich.console import Console
from rich.table import Table

from chartseal import IssuerKey, TrustPolicy, Wallet, present, seal_chart, select, verify
from chartseal.attestation import Digest, checksum_address
from chartseal.chain.anchors import AnchorFile, AnchorQueue, AnchorWorker, open_queue, read_proofs
from chartseal.chain.authority import Authority, Grant
from chartseal.chain.deploy import deploy
from chartseal.chain.deployment import Deployment
from chartseal.chain.local.devnet import Devnet, accounts, fund
from chartseal.chain.registry import register
from chartseal.chain.rpc.node import Node
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.seals.revoking import Revoker, Target
from chartseal.chain.sending.sender import Sender
from chartseal.chain.view import FactsView
from chartseal.disclosure import Selection, UnverifiedDisclosure
from chartseal.errors import VerificationError
from chartseal.keys.card import IssuerCard
from chartseal.sealing import SealedRecord, Sealing, StatusStore
from chartseal.verification import VerifiedDisclosure

CHART = Path(__file__).parent / "Olivia_Bauch_844ccbe1.json.gz"
VERIFIER = "https://school.example"
FACTS = [
    "Patient.birthDate",
    "AllergyIntolerance[http://snomed.info/sct|111088007].code",  # latex
    "Observation[http://loinc.org|6158-0].value",  # its IgE antibodies
]

ETHER = 10**18

console = Console(width=132, highlight=False)


class Chain(NamedTuple):
    """A node, and where EAS is on its chain."""

    node: Node
    deployment: Deployment


class Shown(NamedTuple):
    """What the patient hands over: a disclosure, and the proofs that its seals were anchored."""

    disclosure: bytes
    anchors: AnchorFile


def accredit(chain: Chain, authority: Authority, hospital: IssuerKey) -> None:
    """The authority states on chain who the hospital is, from the card that the hospital signed."""
    console.rule("1. An authority accredits a hospital", align="left")
    register(Sender(chain.node, accounts()[0]), chain.deployment)
    card = IssuerCard.make(hospital, name="Example hospital", endpoint="https://hospital.example/fhir")
    card.check()
    authority.accredit(Grant.of_card(card, {"hospital"}))
    console.print(f"{checksum_address(authority.address)} accredits {hospital.address} as a hospital.")


def seal(issuer: IssuerKey, statuses: StatusStore, wallet: Wallet) -> Sealing:
    """The hospital seals the whole chart for the patient's address; each record has a place in its status list."""
    console.rule("2. The hospital seals a chart", align="left")
    sealing = seal_chart(CHART, issuer.issuing(places=statuses), wallet.sealing_address().data)
    console.print(f"{len(sealing.records)} records sealed by {issuer.address}, {len(sealing.refused)} refused.")
    return sealing


def anchor(chain: Chain, records: Sequence[SealedRecord], folder: Path) -> AnchorFile:
    """One timestamp for all of them, paid by anybody; each gets its inclusion proof."""
    console.rule("3. One timestamp on the chain anchors them all", align="left")
    engine = open_queue(str(folder / "queue.db"))
    with engine.begin() as connection:
        AnchorQueue(chain.deployment.domain()).add(connection, records)
    before = chain.node.block().number
    AnchorWorker(engine, chain.node, Sender(chain.node, accounts()[2]), chain.deployment, period=None).step()
    with engine.connect() as connection:
        anchored = AnchorFile.of(read_proofs(connection))
    engine.dispose()
    sent = chain.node.block().number - before
    console.print(f"{len(anchored.entries)} seals anchored by {sent} transaction.")
    return anchored


def disclose(sealing: Sealing, wallet: Wallet, nonce: bytes) -> UnverifiedDisclosure:
    """The patient opens three facts to one verifier, and sees what travels along, and why."""
    console.rule("4. The patient shows three facts to a school", align="left")
    selection = select(sealing.records, FACTS)
    print_selection(selection)
    expires_at = datetime.now(UTC) + timedelta(minutes=10)
    disclosure = present(selection, wallet, audience=VERIFIER, nonce=nonce, expires_at=expires_at)
    opened = sum(len(record.multiproof.leaves) for record in disclosure.records)
    sealed = sum(len(choice.record.fields) for choice in selection.choices)
    size = len(disclosure.to_json())
    console.print(f"{opened} of {sealed} fields of {len(disclosure.records)} records open, in {size:,} bytes of JSON.")
    return disclosure


def print_selection(selection: Selection) -> None:
    """A table of what opens and why, control fields left out."""
    table = Table("opens", "value", "why")
    for choice in selection.choices:
        values = {field.name: field.value for field in choice.record.fields}
        for name, reason in choice.opened:
            if not name.startswith("chartseal."):
                table.add_row(name, str(values[name]), reason)
        table.add_section()
    console.print(table)


def policy(chain: Chain, authority: Authority) -> TrustPolicy:
    """The verifier names an authority and EAS's contract: no hospital."""
    return TrustPolicy.from_toml(
        f"""
        required = ["issuer", "audience", "revocation", "anchor"]
        development_keys = ["linked-4", "anonymous-4"]
        [[domain]]
        version = "{chain.deployment.version}"
        chain_id = {chain.deployment.chain_id}
        contract = "{checksum_address(chain.deployment.eas)}"
        [[authority]]
        address = "{checksum_address(authority.address)}"
        roles = ["hospital", "clinic"]
        """
    )


def check(shown: Shown, url: str, trust: TrustPolicy, nonce: bytes, deployment: Deployment) -> VerifiedDisclosure:
    """The verifier checks what it was shown, against its own name and nonce, with nothing but a node's URL."""
    facts = RpcFacts(Node(url), deployment)
    return verify(
        shown.disclosure,
        trust,
        audience=VERIFIER,
        nonce=nonce,
        now=datetime.now(UTC),
        chain=FactsView([facts]),
        anchors=shown.anchors.anchors,
    )


def print_verified(verified: VerifiedDisclosure) -> None:
    """The twelve steps, who sealed and since when it exists, and the facts."""
    console.rule("5. The school verifies them, asking a node of the chain alone", align="left")
    for step in verified.steps:
        console.print(f"{step.number:>2}. {step.name}: {step.state}{f' ({step.reason})' if step.reason else ''}")
    for record in verified.records:
        under, since = record.issued_under, record.evidence_time
        if under is None or since is None:
            raise SystemExit("verified without an accreditation or an anchor")
        by = f"{record.issuer} ({', '.join(sorted(under.roles))}, accredited by {checksum_address(under.authority)})"
        console.print(f"{record.resource_type}: sealed by {by}, existed by {since:%Y-%m-%d %H:%M:%S} UTC")
    for fact in verified.facts:
        resource = fact.resource
        value = resource.get("birthDate") or {**resource["code"], **resource.get("valueQuantity", {})}
        console.print(f"{resource['resourceType']}: {json.dumps(value, default=str)}")


def require_refused(shown: Shown, url: str, trust: TrustPolicy, nonce: bytes, deployment: Deployment) -> None:
    """The same check, which must fail."""
    try:
        check(shown, url, trust, nonce, deployment)
    except VerificationError as error:
        console.print(f"refused: {error.code}: {error}")
    else:
        raise SystemExit("what must be refused was accepted")


def forge(disclosure: UnverifiedDisclosure) -> bytes:
    """Somebody makes the patient older, changing nothing else."""
    shown = json.loads(disclosure.to_json())
    for record in shown["records"]:
        for leaf in record["multiproof"]["leaves"]:
            if leaf["name"] == "Patient.birthDate":
                leaf["value"] = f"{int(leaf['value'][:4]) - 10}{leaf['value'][4:]}"
    return json.dumps(shown).encode()


def revoke(chain: Chain, hospital: IssuerKey, uid: Digest) -> None:
    """The hospital takes one seal back, and says why as a code."""
    fund(chain.node, hospital.signer.address, ETHER)
    revoker = Revoker(Sender(chain.node, hospital.signer), RpcFacts(chain.node, chain.deployment))
    revoker.revoke([Target(uid, hospital.signer.address)], "entered-in-error")


def main() -> None:
    """Run the stages on a chain of their own."""
    with Devnet() as devnet, TemporaryDirectory() as folder:
        if devnet.deployment is None:
            raise SystemExit("the local chain has no EAS")
        run(devnet.url, Chain(devnet.node, devnet.deployment), Path(folder))


def run(url: str, chain: Chain, folder: Path) -> None:
    """Run the stages on that chain."""
    hospital = IssuerKey.generate(base="https://hospital.example/fhir/", seals_for=chain.deployment.network())
    wallet, nonce = Wallet.generate(), secrets.token_bytes(32)
    statuses = StatusStore(folder / "hospital.statuses")
    stating = Sender(chain.node, accounts()[1])
    resolver = deploy(stating, "accreditation_resolver", chain.deployment.eas, stating.address).address
    authority = Authority(stating, chain.deployment, resolver=resolver)
    accredit(chain, authority, hospital)
    sealing = seal(hospital, statuses, wallet)
    anchored = anchor(chain, sealing.records, folder)
    disclosure = disclose(sealing, wallet, nonce)
    with_anchors = anchored.trim(record.package for record in disclosure.records)
    shown, trust = Shown(disclosure.to_json(), with_anchors), policy(chain, authority)
    print_verified(check(shown, url, trust, nonce, chain.deployment))
    console.rule("6. A tampered one is refused", align="left")
    require_refused(shown._replace(disclosure=forge(disclosure)), url, trust, nonce, chain.deployment)
    console.rule("7. A revoked one is refused", align="left")
    revoke(chain, hospital, disclosure.records[0].package.uid)
    require_refused(shown, url, trust, nonce, chain.deployment)
    scene = predicates.Scene(
        url=url,
        node=chain.node,
        deployment=chain.deployment,
        authority=authority,
        resolver=resolver,
        hospital=hospital,
        statuses=statuses,
        wallet=wallet,
        records=sealing.records,
        anchors=anchored,
        trust=trust,
        folder=folder,
    )
    predicates.run(scene)
    medication.run(scene)
    keeping.run(scene)


if __name__ == "__main__":
    main()
