"""Where large ciphertexts are: content-addressed by their SHA-256."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

MARK = ".vault"
"""Name, in a place, of what says to which vault it belongs: 64 hex digits and a line end."""
LONGEST_MARK = 80


class BlobStore(Protocol):
    """Keeps ciphertexts. Every method raises `VaultError` (`blobs_unavailable`, `disk_full`) where the place fails."""

    @property
    def kind(self) -> str:
        """What it is, in a word: the vault remembers it."""

    def put(self, digest: bytes, data: bytes) -> None:
        """Keep a ciphertext under its hash; it is durable when this returns. The same again makes it young again."""

    def get(self, digest: bytes) -> bytes:
        """A ciphertext, its hash checked.

        Raises:
            VaultDamageError: `blob_missing`, `blob_damaged`, `blob_unreadable`, `blob_address`.
        """

    def delete(self, digest: bytes) -> None:
        """Forget it; one that is not there is no fault."""

    def digests(self, *, before: float | None = None) -> Iterator[bytes]:
        """The hashes of all that is kept, in no order; or of what was put before a time (Unix seconds)."""

    def mark(self) -> str:
        """What names the vault that the place belongs to; empty where it belongs to none."""

    def set_mark(self, mark: str) -> None:
        """Let the place belong to a vault; it is durable when this returns."""


def kind_of(store: BlobStore | None) -> str:
    """A store's kind; empty where all ciphertexts stand in the database."""
    return "" if store is None else store.kind
