"""Where a vault's secrets are."""
