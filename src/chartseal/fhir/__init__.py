"""Stage 1, read: bytes come in, checked FHIR R4 resources go out."""
