"""Where ciphertexts are: small ones in the database, large ones in a folder or an S3-compatible store.

In: ciphertexts, in the transaction that names them. Out: the same bytes, or which of them is damaged.

    blobs = Blobs(open_blobs("/var/lib/chartseal/blobs"))
    with writing(engine) as connection:
        digest = blobs.put(connection, ciphertext)
"""

from chartseal.vault.blobs.folder import FolderBlobs
from chartseal.vault.blobs.inline import INLINE, Blobs
from chartseal.vault.blobs.places import open_blobs
from chartseal.vault.blobs.s3 import S3Blobs
from chartseal.vault.blobs.store import BlobStore, kind_of

__all__ = ["INLINE", "BlobStore", "Blobs", "FolderBlobs", "S3Blobs", "kind_of", "open_blobs"]
