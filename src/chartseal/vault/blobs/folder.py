"""Large ciphertexts in a folder: `ab/cd/abcd…`, each file written whole before it has its name."""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chartseal._whole_files import sync
from chartseal.errors import VaultDamageError, VaultError
from chartseal.vault.blobs import digests
from chartseal.vault.blobs.store import LONGEST_MARK, MARK

_NEW = "new"
_STALE = 3_600
"""Seconds after which what stands in `new` is what a killed process left."""
_ONE_FILES = (errno.EIO, errno.EISDIR, errno.EACCES, errno.EPERM)
"""Faults that one file may have while the others are whole: of a folder that cannot be used nothing could be opened."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class FolderBlobs:
    """A folder of ciphertexts, mode 0700, files 0600. Whoever reads it learns hashes, sizes and times."""

    kind = "folder"

    def __init__(self, path: Path) -> None:
        """Take the folder, making it if it is not there; deletes what an earlier process wrote by half.

        Raises:
            VaultError: `blobs_unavailable`, `disk_full`.
        """
        self._path = path.absolute()
        self._new = self._path / _NEW
        with _using():
            self._make(self._new)
            for each in self._new.iterdir():
                with suppress(FileNotFoundError):
                    if each.stat().st_mtime < time.time() - _STALE:
                        each.unlink()

    def put(self, digest: bytes, data: bytes) -> None:
        """Write beside, fsync, rename, fsync the folder."""
        self._write(self._file(digest), data)

    def _write(self, path: Path, data: bytes) -> None:
        beside = self._new / f"{path.name}.{secrets.token_hex(4)}"
        with _using():
            self._make(path.parent)
            try:
                with open(beside, "xb", opener=_private) as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
            sync(path.parent)

    def get(self, digest: bytes) -> bytes:
        """A ciphertext, its hash checked."""
        with _using():
            try:
                data = self._file(digest).read_bytes()
            except FileNotFoundError:
                raise digests.missing(digest) from None
            except OSError as exc:
                if exc.errno not in _ONE_FILES:
                    raise
                detail = f"a ciphertext cannot be read: {exc.strerror}"
                raise VaultDamageError(detail, "blob_unreadable", digests.name(digest)) from None
        return digests.require(digest, data)

    def delete(self, digest: bytes) -> None:
        """Unlink it, and fsync the folder. It is not overwritten: without its key a ciphertext tells its size alone."""
        path = self._file(digest)
        with _using(), suppress(FileNotFoundError):
            path.unlink()
            sync(path.parent)

    def digests(self, *, before: float | None = None) -> Iterator[bytes]:
        """The hashes of all files, or of those written before a time."""
        with _using():
            for path in self._path.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"):
                digest = digests.named(path.name)
                if digest is not None and (before is None or _written(path) < before):
                    yield digest

    def mark(self) -> str:
        """What the file `.vault` names."""
        with _using(), suppress(FileNotFoundError), (self._path / MARK).open("rb") as stream:
            return stream.read(LONGEST_MARK).decode("ascii", "replace").strip()
        return ""

    def set_mark(self, mark: str) -> None:
        """Write the file `.vault`."""
        self._write(self._path / MARK, f"{mark}\n".encode())

    def _file(self, digest: bytes) -> Path:
        name = digests.name(digest)
        return self._path / name[:2] / name[2:4] / name

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it, each of which is durable before anything is put into it."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        sync(folder.parent)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # deleted since it was listed
        return float("inf")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def _using() -> Iterator[None]:
    """Tell a fault of the folder as ours."""
    try:
        yield
    except OSError as exc:
        code = "disk_full" if exc.errno in _FULL else "blobs_unavailable"
        raise VaultError(f"the folder of ciphertexts cannot be used: {exc.strerror}", code) from None
