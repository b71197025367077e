"""Whole files: each is written beside, and gets its name once it is whole."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What systems say whose files have one name each, such as FAT and some shares."""

_PART = ".part"
_STALE = 3_600
"""Seconds after which nobody writes a part any more."""


def part_of(path: Path) -> Path:
    """Where a file may be written, beside: a name of its own, which `clear_parts` knows."""
    return path.with_name(f".{secrets.token_hex(8)}{_PART}")


def clear_parts(folder: Path, now: float) -> None:
    """Delete parts that a killed process left, and what SQLite keeps beside one: those an hour old at `now` (Unix
    seconds).

    Raises:
        OSError: the folder cannot be read.
    """
    for part in folder.glob(f".{'[0-9a-f]' * 16}{_PART}*"):
        with suppress(OSError):
            if now - part.stat().st_mtime > _STALE:
                part.unlink()


def with_companions(path: Path) -> list[Path]:
    """A database of SQLite, and the files that SQLite keeps beside one."""
    return [path, *(path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm", "-journal"))]


def sync(folder: Path) -> None:
    """Let the names in a folder be on the disk.

    Raises:
        OSError: it cannot be done.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_name(beside: Path, path: Path) -> None:
    """Give a file that was written beside the name that it is for; it may keep its own besides.

    Where there are no hard links the name is taken with an empty file first, which a kill there may leave.

    Raises:
        FileExistsError: there is such a file.
        OSError: it cannot be done.
    """
    try:
        path.hardlink_to(beside)  # unlike a rename, it never overwrites
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        _take_and_move(beside, path)


def _take_and_move(beside: Path, path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
