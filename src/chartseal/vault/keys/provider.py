"""Where a vault's secrets are: named 32-byte secrets, outside the database and outside its backups.

Names: `epoch-N`, the X25519 secret that data keys of epoch N are wrapped for; `index`, the key of the blind index;
`pseudonyms`, the key of patients' pseudonyms; `accounting`, the key of what accounting names; `vault` opens nothing: it
is there once a vault has the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

SECRET_SIZE = 32
INDEX, PSEUDONYMS, ACCOUNTING = "index", "pseudonyms", "accounting"
TAKEN = "vault"
"""Name that a place has once a vault has its keys, so that no other vault takes them."""


def epoch_name(number: int) -> str:
    """The name of an epoch's secret."""
    return f"epoch-{number}"


class KeyProvider(Protocol):
    """Keeps named secrets. Every method raises `VaultKeyError` where the place cannot be used (`keys_unavailable`)."""

    def names(self) -> Sequence[str]:
        """The names that are kept, sorted."""

    def get(self, name: str) -> bytes:
        """A secret, 32 bytes.

        Raises:
            VaultKeyError: `key_missing`, or `keys_damaged`.
        """

    def make(self, name: str) -> bytes:
        """A new secret of the system's randomness, kept for good before it is given; one that is there is not replaced.

        Raises:
            VaultKeyError: `key_exists`, or `keys_read_only`: the place takes none.
        """

    def destroy(self, name: str) -> None:
        """Forget a secret, so that nobody can bring it back from this place; one that is not there is no fault.

        Raises:
            VaultKeyError: `keys_read_only`.
        """
