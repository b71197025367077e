"""Where large ciphertexts are kept, as it is written in a setting."""

from __future__ import annotations

from pathlib import Path

from chartseal.errors import VaultError
from chartseal.vault.blobs.folder import FolderBlobs
from chartseal.vault.blobs.s3 import S3Blobs
from chartseal.vault.blobs.store import BlobStore


def open_blobs(place: str) -> BlobStore:
    """The store at a folder's path, or at `s3://bucket/prefix?endpoint=https://…&region=…`.

    Raises:
        VaultError: `blobs_url`, `blobs_unavailable`, `disk_full`.
        MissingExtraError: S3's client is not installed.
    """
    if place.startswith("s3://"):
        return S3Blobs(place)
    if not place or "://" in place or "\0" in place:
        raise VaultError("ciphertexts are kept in a folder or at s3://bucket/prefix", "blobs_url")
    return FolderBlobs(Path(place))
