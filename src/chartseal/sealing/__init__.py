"""Stage 3, seal: checked resources become sealed records, each under one seal, for one holder.

In: FHIR R4 JSON, an issuer's key, a sealing address. Out: sealed records, as objects or as lines of JSON.

    issuing = key.issuing()
    record = seal_resource(text, issuing, address.data)
    record.check()
"""

from chartseal.sealing.seal import EXPIRING, Issuing, seal_fields
from chartseal.sealing.sealed import SealedRecord, read_records

__all__ = ["EXPIRING", "Issuing", "SealedRecord", "read_records", "seal_fields"]
