"""Where large ciphertexts are."""
