"""The main job on one synthetic chart: seal it, show three facts to a named verifier, verify them, refuse a forgery.

Run: python examples/demo.py
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chartseal import IssuerKey, TrustPolicy, Wallet, present, seal_chart, select, verify
from chartseal.attestation import address_from
from chartseal.disclosure import Selection, UnverifiedDisclosure
from chartseal.errors import VerificationError
from chartseal.sealing import Sealing
from chartseal.verification import TrustedIssuer, VerifiedDisclosure

CHART = Path(__file__).parent / "Olivia_Bauch_844ccbe1.json.gz"
VERIFIER = "https://school.example"
FACTS = [
    "Patient.birthDate",
    "AllergyIntolerance[http://snomed.info/sct|111088007].code",  # latex
    "Observation[http://loinc.org|6158-0].value",  # its IgE antibodies
]

console = Console(width=132, highlight=False)


def seal(issuer: IssuerKey, wallet: Wallet) -> Sealing:
    """The hospital seals the whole chart for the patient's address."""
    console.rule("1. A hospital seals a chart", align="left")
    sealing = seal_chart(CHART, issuer.issuing(), wallet.sealing_address().data)
    console.print(f"{len(sealing.records)} records sealed by {issuer.address}, {len(sealing.refused)} refused.")
    return sealing


def disclose(sealing: Sealing, wallet: Wallet, nonce: bytes) -> UnverifiedDisclosure:
    """The patient opens three facts to one verifier, and sees what travels along, and why."""
    console.rule("2. The patient shows three facts to a school", align="left")
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


def check(disclosure: bytes, trust: TrustPolicy, nonce: bytes) -> VerifiedDisclosure:
    """The verifier checks what it was shown, against its own name and nonce."""
    return verify(disclosure, trust, audience=VERIFIER, nonce=nonce, now=datetime.now(UTC))


def print_verified(verified: VerifiedDisclosure) -> None:
    """The twelve steps and the facts."""
    console.rule("3. The school verifies them, without asking anybody", align="left")
    for step in verified.steps:
        console.print(f"{step.number:>2}. {step.name}: {step.state}{f' ({step.reason})' if step.reason else ''}")
    for fact in verified.facts:
        resource = fact.resource
        shown = resource.get("birthDate") or {**resource["code"], **resource.get("valueQuantity", {})}
        console.print(f"{resource['resourceType']}: {json.dumps(shown, default=str)}")


def forge(disclosure: UnverifiedDisclosure) -> bytes:
    """Somebody makes the patient older, changing nothing else."""
    shown = json.loads(disclosure.to_json())
    for record in shown["records"]:
        for leaf in record["multiproof"]["leaves"]:
            if leaf["name"] == "Patient.birthDate":
                leaf["value"] = f"{int(leaf['value'][:4]) - 10}{leaf['value'][4:]}"
    return json.dumps(shown).encode()


def main() -> None:
    """Run the five stages."""
    issuer, wallet, nonce = (
        IssuerKey.generate(base="https://hospital.example/fhir/"),
        Wallet.generate(),
        secrets.token_bytes(32),
    )
    trust = TrustPolicy(
        issuers=(TrustedIssuer(address_from(issuer.address, "issuer"), "Example hospital"),),
        domains=frozenset({issuer.network.domain()}),
    )
    disclosure = disclose(seal(issuer, wallet), wallet, nonce)
    print_verified(check(disclosure.to_json(), trust, nonce))
    console.rule("4. A tampered one is refused", align="left")
    try:
        check(forge(disclosure), trust, nonce)
    except VerificationError as error:
        console.print(f"refused: {error.code}: {error}")
    else:
        raise SystemExit("the forgery was accepted")


if __name__ == "__main__":
    main()
