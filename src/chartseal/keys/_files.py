"""Key files: one JSON object with a checksum, written whole, readable by the owner alone."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from chartseal import _json
from chartseal._whole_files import give_name, sync
from chartseal.attestation.hexes import Address, address_from
from chartseal.attestation.signer import open_secret
from chartseal.errors import KeyFileError, KeystoreError, PackageError, WrongPassphraseError

FORMAT = "chartseal/1"
_LARGEST = 65_536
_LONGEST_KIND = 40


def _checksum(members: dict[str, Any]) -> str:
    """SHA-256 of the other members, compact and sorted.

    It tells a damaged file from a wrong passphrase, as Web3 Secret Storage's MAC cannot; it authenticates nothing.
    """
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return "0x" + hashlib.sha256(text.encode()).hexdigest()


def encode(kind: str, members: dict[str, Any]) -> bytes:
    """The file's bytes."""
    whole = {"format": FORMAT, "kind": kind, **members}
    return json.dumps({**whole, "checksum": _checksum(whole)}, indent=1).encode() + b"\n"


def decode(kind: str, data: bytes) -> dict[str, Any]:
    """The members of a file of one kind.

    Raises:
        KeyFileError: damaged, or of another kind.
    """
    try:
        whole = _json.loads(data) if len(data) <= _LARGEST else None
    except ValueError:
        whole = None
    if not isinstance(whole, dict):
        raise KeyFileError("the key file is not one JSON object")
    if (whole.get("format"), whole.get("kind")) != (FORMAT, kind):
        raise KeyFileError(f"the file is no {kind} of {FORMAT}", "key_file_kind")
    if whole.pop("checksum", None) != _checksum(whole):
        raise KeyFileError("the key file is damaged: its checksum does not match")
    return whole


def kind_of(data: bytes) -> str | None:
    """The kind that a file says it is of; None where it is no file of this format."""
    try:
        whole = _json.loads(data) if len(data) <= _LARGEST else None
    except ValueError:
        return None
    kind = whole.get("kind") if isinstance(whole, dict) and whole.get("format") == FORMAT else None
    return kind if isinstance(kind, str) and kind.isascii() and len(kind) <= _LONGEST_KIND else None


def stated_address(kind: str, path: Path) -> Address:
    """The address that a key file states in clear: enough to look up what is public of its owner.

    Raises:
        KeyFileError: unreadable, damaged or of another kind.
    """
    try:
        return address_from(decode(kind, read(path)).get("address"), "address")
    except PackageError as exc:
        raise KeyFileError("the key file states no address") from exc


def read(path: Path) -> bytes:
    """The bytes of a key file.

    Raises:
        KeyFileError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(_LARGEST + 1)
    except OSError as exc:
        raise KeyFileError(f"the key file cannot be read: {exc.strerror}", "key_file_unreadable") from exc


def unlock(keystore: Any, passphrase: str) -> bytes:
    """The 32 bytes of a keystore inside a file whose checksum matched.

    Raises:
        WrongPassphraseError: the passphrase does not open it.
    """
    try:
        secret = open_secret(keystore, passphrase)
    except KeystoreError as exc:
        raise WrongPassphraseError("the passphrase does not open the key file") from exc
    if len(secret) != 32:
        raise KeyFileError("the key file holds no secret of 32 bytes")
    return secret


def write(path: Path, data: bytes, *, force: bool = False) -> None:
    """Write beside, fsync, move into place with mode 0600, fsync the folder; an older file stays unless `force`.

    Raises:
        KeyFileError: `key_file_exists`, or the folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            _write_new(beside, data)
            if force:
                beside.replace(path)
            else:
                give_name(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        sync(path.parent)
    except FileExistsError as exc:
        raise KeyFileError("a file of that name exists and is kept", "key_file_exists") from exc
    except OSError as exc:
        raise KeyFileError(f"the key file cannot be written: {exc.strerror}", "key_file_unwritable") from exc


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
