"""Ingest: what an EHR pushes is sealed, stored, made ready for patients, and queued for an anchor.

In: FHIR R4 resources, Bundles, NDJSON, from who bears a secret of the settings. Out: records in the vault.

    intake = Intake.of(provider, metrics)
    intake.push(b'{"resourceType": "Observation", …}', "ehr")
"""

from chartseal.node.ingest.intake import Intake, Pushed, PushRefusedError, Refusal
from chartseal.node.ingest.jobs import Imports, Job, State
from chartseal.node.ingest.pushers import Pushers
from chartseal.node.ingest.routes import IMPORT, Pushing, router
from chartseal.node.ingest.spool import Spool

__all__ = [
    "IMPORT",
    "Imports",
    "Intake",
    "Job",
    "PushRefusedError",
    "Pushed",
    "Pushers",
    "Pushing",
    "Refusal",
    "Spool",
    "State",
    "router",
]
