"""The signing key of a file, whatever kind of key file it is."""

from __future__ import annotations

from pathlib import Path

from chartseal.attestation.signer import LocalSigner, from_keystore
from chartseal.errors import KeyFileError
from chartseal.keys import _files
from chartseal.keys.authority import AuthorityKey
from chartseal.keys.issuer import IssuerKey


def load_signer(path: Path, passphrase: str, *, of_authority: bool = False) -> LocalSigner:
    """The key of an issuer's or an authority's key file, or of a Web3 Secret Storage file.

    `of_authority` refuses an issuer's: whoever accredits with the key that seals has taken the wrong file.

    Raises:
        KeyFileError, KeystoreError: unreadable, damaged, or a file of another kind (`key_file_kind`).
        WrongPassphraseError: whole, but the passphrase does not open it.
    """
    kind = _files.kind_of(_files.read(path))
    if kind == "authority-key":
        return AuthorityKey.load(path, passphrase).signer
    if kind == "issuer-key" and not of_authority:
        return IssuerKey.load(path, passphrase).signer
    if kind is not None:
        raise KeyFileError(f"the file is a {kind}", "key_file_kind")
    return from_keystore(path, passphrase)
