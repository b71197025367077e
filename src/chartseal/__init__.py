"""Health records that carry their own proof: fhir → record → attestation → disclosure → verification."""
