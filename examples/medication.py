"""Adherence in the demo: dispensings measured, drawn and watched; the result sealed, proved, recomputed."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import predicates
from predicates import Scene, console
from rich.table import Table

from chartseal import IssuerKey, TrustPolicy, present, seal_chart, select, verify
from chartseal.adherence import Columns, Window, pdc
from chartseal.adherence.fhir import ClassTable, FhirEvents, read_events
from chartseal.adherence.observation import ATC, AdherenceReport, Coding, report
from chartseal.adherence.plot import timeline
from chartseal.adherence.recomputing import recompute
from chartseal.adherence.watch import alerts_of
from chartseal.chain.view import FactsView
from chartseal.disclosure import choose
from chartseal.predicates import compile_policy
from chartseal.sealing import SealedRecord
from chartseal.verification import TrustedIssuer, bundle
from chartseal.verification.report import OPTIONAL

FOLDER = Path(__file__).parent / "adherence"
CHART = FOLDER / "made-up-12-1.json"
PICTURE = Path("build/demo/timeline.svg")
INSURER, CLINIC = "https://insurer.example", "https://clinic.example"
START, END = date(2025, 1, 15), date(2025, 7, 13)
STATINS = Coding(ATC, "C10AA", "HMG CoA reductase inhibitors")
OPENED = [
    "Observation.**",
    "MedicationDispense.daysSupply",
    "MedicationDispense.subject.reference",
    "chartseal.fullUrl",
]


def run(scene: Scene) -> None:
    """The stages, after those of the proofs."""
    classes = ClassTable.read(FOLDER / "classes.csv")
    found = read_events(CHART, classes)
    console.rule("12. A pharmacy measures how a year of statins was covered, and is told what is amiss", align="left")
    measure(found)
    watch(found)
    console.rule("13. It seals half a year's measure; the patient proves 80 %, and opens nothing", align="left")
    pharmacy = IssuerKey.generate(base="https://fhir.example.org/", seals_for=scene.deployment.network())
    made = report(found.events, "statins", STATINS, START, END, subject=found.events["patient"][0].as_py())
    records = seal(scene, pharmacy, made)
    trust = trusting(scene.trust, pharmacy)
    prove(replace(scene, trust=trust), records, made)
    console.rule("14. A clinic is shown the dispensings too, and recomputes the number", align="left")
    show(scene, trust, records, classes)


def measure(found: FhirEvents) -> None:
    """Days covered of the year, and how many more may be missed; the timeline as a picture."""
    window = Window.between(date(2025, 1, 1), date(2025, 12, 31))
    columns = Columns(group="class")
    table = Table("class", "fills", "days covered", "PDC", "gap days", "gap days allowed (PDC ≥ 0.80)")
    for row in pdc(found.events, window, period="from_first_fill", columns=columns).to_pylist():
        days = f"{row['covered_days']} of {row['period_days']}"
        share = f"{row['pdc']:.3f}"
        table.add_row(row["group"], str(row["fills"]), days, share, str(row["gap_days"]), str(row["gap_days_allowed"]))
    console.print(table)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    timeline(found.events, window, period="from_first_fill", path=PICTURE)
    console.print(f"The timeline that a clinician reads: {PICTURE}")


def watch(found: FhirEvents) -> None:
    """What a clinic's screen would have said in spring, and what it rests on."""
    for alert in alerts_of(found.events, date(2025, 4, 1)):
        evidence = ", ".join(reference.rsplit("/", 1)[1] for reference in alert.evidence)
        console.print(
            f"{alert.as_of}: {alert.kind}, {alert.medication_class}, since {alert.since} ({alert.status}): {evidence}"
        )


def seal(scene: Scene, pharmacy: IssuerKey, made: AdherenceReport) -> list[SealedRecord]:
    """The chart that it is derived from, and the Observation."""
    path, address = scene.folder / "report.json", scene.wallet.sealing_address().data
    path.write_text(json.dumps(made.to_fhir()))
    issuing = pharmacy.issuing(places=scene.statuses)
    records = [record for source in (CHART, path) for record in seal_chart(source, issuing, address).records]
    console.print(
        f"PDC {made.pdc}: {made.covered_days} of {made.period_days} days, {len(made.derived_from)} dispensings."
    )
    return records


def trusting(trust: TrustPolicy, pharmacy: IssuerKey) -> TrustPolicy:
    """Who takes this pharmacy's word by name, and asks for no anchor."""
    issuer = TrustedIssuer(pharmacy.signer.address, "Example pharmacy")
    return replace(trust, issuers=(issuer,), required=trust.required - {OPTIONAL["anchor"]})


def prove(scene: Scene, records: list[SealedRecord], made: AdherenceReport) -> None:
    """The insurer's question fixes class and window, and asks for the share of days."""
    asked, nonce = compile_policy(made.question(at_least=Decimal("0.80")), name="statins"), secrets.token_bytes(32)
    answers = choose(records, [asked], now=scene.now())
    shown = predicates.proved(scene, answers, INSURER, nonce)
    predicates.print_predicates(predicates.checked(scene, shown, INSURER, nonce, [asked]))


def show(scene: Scene, trust: TrustPolicy, records: list[SealedRecord], classes: ClassTable) -> None:
    """The clinic believes neither the number nor the patient: it computes."""
    nonce, now = secrets.token_bytes(32), scene.now()
    reported = [record for record in records if record.resource_type in {"Observation", "MedicationDispense"}]
    expires_at = now + timedelta(minutes=10)
    shown = present(select(reported, OPENED), scene.wallet, audience=CLINIC, nonce=nonce, expires_at=expires_at)
    verified = verify(shown.to_json(), trust, audience=CLINIC, nonce=nonce, now=now, chain=FactsView([scene.facts()]))
    [checked] = recompute(bundle(verified.facts), classes, "statins")
    console.print(
        f"{len(verified.records)} records verified; PDC {checked.report.pdc} follows from the {checked.dispensings} "
        "dispensings that the report names."
    )
