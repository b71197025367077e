"""Stage 1, read: bytes come in, checked FHIR R4 resources go out.

for piece in fhir.pieces(stream, ndjson=False):  # a resource, a Bundle or NDJSON, packed or not
    match piece:
        case fhir.Piece(place, text, full_url): ...
        case fhir.Refused(place, error): ...
        case fhir.Document(place, text, entries): ...
"""

from chartseal.fhir.bundle import Document, Piece, Refused
from chartseal.fhir.ndjson import is_ndjson, pieces
from chartseal.fhir.reading import Reading

__all__ = ["Document", "Piece", "Reading", "Refused", "is_ndjson", "pieces"]
