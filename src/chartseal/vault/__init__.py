"""A provider's vault: sealed records kept encrypted, found again, delivered, erased and accounted for."""
