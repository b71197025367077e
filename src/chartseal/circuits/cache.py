"""Proving keys in the user's cache: made or fetched once, their hash checked when they come in and when they are read.

`CHARTSEAL_CACHE` names the folder, else it is the platform's. Nobody else reads it (0700, files 0600). A file is
written beside and moved into its place, so that a key is whole or missing. Its name has the hash, so that keys of an
older version do not stand in the way.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chartseal.circuits.entries import KeyEntry
from chartseal.errors import CircuitKeyError

_FOLDER = "proving-keys"


def folder() -> Path:
    """Where proving keys lie; it need not exist.

    Source: XDG base directory specification; Apple's file system guide for macOS.
    """
    given = os.environ.get("CHARTSEAL_CACHE")
    if given:
        return Path(given) / _FOLDER
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/chartseal" / _FOLDER
    home = os.environ.get("XDG_CACHE_HOME", "")
    # A relative path there is invalid and to be ignored.
    return (Path(home) if home.startswith("/") else Path.home() / ".cache") / "chartseal" / _FOLDER


def place(key: KeyEntry) -> Path:
    """Where a key lies once it is installed."""
    return folder() / f"{key.circuit}.{key.name}.{key.proving_key.hex()[:16]}.key"


def is_there(key: KeyEntry) -> bool:
    """Whether a file of its name and size lies there; only reading it tells whether it is whole."""
    try:
        return place(key).stat().st_size == key.proving_key_size
    except OSError:
        return False


def read(key: KeyEntry) -> bytes:
    """The bytes of an installed key, whose hash is the manifest's.

    Raises:
        CircuitKeyError: `proving_key_missing`, `key_altered`, `file_unreadable`.
    """
    try:
        with place(key).open("rb") as stream:
            data = stream.read(key.proving_key_size + 1)
    except FileNotFoundError:
        raise missing(key) from None
    except OSError as exc:
        raise CircuitKeyError(f"the proving key cannot be read: {exc.strerror}", "file_unreadable", key.file) from exc
    if len(data) != key.proving_key_size or hashlib.sha256(data).digest() != key.proving_key:
        raise CircuitKeyError(
            f"the proving key was altered: remove {place(key)} and {_remedy(key)}", "key_altered", key.file
        )
    return data


def missing(key: KeyEntry) -> CircuitKeyError:
    """The error that a key is not installed; it names the command that helps."""
    return CircuitKeyError(f"the proving key is not here: {_remedy(key)}", "proving_key_missing", key.file)


def _remedy(key: KeyEntry) -> str:
    if key.is_unsafe:
        return f"run `chartseal proving-key make {key.circuit}`"
    return "run `chartseal proving-key fetch` with the file, folder or URL that its maker gives"


def install(chunks: Iterable[bytes], choose: Callable[[bytes], KeyEntry], most: int) -> KeyEntry:
    """Take a key in, piece by piece, at most `most` bytes; `choose` tells by its SHA-256 which one it is.

    Raises:
        CircuitKeyError: `limit_exceeded`, `file_unwritable`, and what `choose` raises; nothing is left then.
    """
    with _writing():
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = folder() / f".{secrets.token_hex(8)}.part"
    try:
        key = choose(_write(beside, chunks, most))
        with _writing():
            beside.replace(place(key))
        return key
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _write(path: Path, chunks: Iterable[bytes], most: int) -> bytes:
    """Write a file of one's own, down to the disk; gives its SHA-256."""
    digest, length = hashlib.sha256(), 0
    with _writing():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        for chunk in chunks:
            length += len(chunk)
            if length > most:
                raise CircuitKeyError("the file is longer than any proving key", "limit_exceeded")
            digest.update(chunk)
            with _writing():
                stream.write(chunk)
        with _writing():
            stream.flush()
            os.fsync(stream.fileno())
    return digest.digest()


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise CircuitKeyError(f"the cache cannot be written: {exc.strerror}", "file_unwritable") from exc
