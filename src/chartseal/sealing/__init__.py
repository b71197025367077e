"""Stage 3, seal: checked resources become sealed records, each under one seal, for one holder.

In: FHIR R4 JSON, an issuer's key, a sealing address. Out: sealed records, as objects or as lines of JSON.

    record = seal_resource(text, key.issuing(places=StatusStore(path)), address.data)
    record.check()
    summary = seal_run(Source(export_path), key.issuing(), PatientMap.read(map_path), folder)
"""

from chartseal.sealing.map_file import MapFile
from chartseal.sealing.plan import Addresses, OnePatient, PatientMap
from chartseal.sealing.run import Done, Sealing, Summary, seal_chart, seal_run
from chartseal.sealing.seal import EXPIRING, Issuing, SealedLine, seal_fields, seal_resource, sign_lines
from chartseal.sealing.sealed import SealedRecord, read_records
from chartseal.sealing.sink import Output, Rejection, Sink
from chartseal.sealing.source import Source
from chartseal.sealing.status_store import StatusStore

__all__ = [
    "EXPIRING",
    "Addresses",
    "Done",
    "Issuing",
    "MapFile",
    "OnePatient",
    "Output",
    "PatientMap",
    "Rejection",
    "SealedLine",
    "SealedRecord",
    "Sealing",
    "Sink",
    "Source",
    "StatusStore",
    "Summary",
    "read_records",
    "seal_chart",
    "seal_fields",
    "seal_resource",
    "seal_run",
    "sign_lines",
]
