"""Lines written to a file whole: beside it first, synced, then moved into its place."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from chartseal.errors import VaultError

PRIVATE, PUBLIC = 0o600, 0o644
"""Modes: of sealed records, which whoever has them reads; of what lies in a mailbox."""

_PART, _LEFT = ".part", timedelta(hours=1)


def write_lines(path: Path, lines: Iterable[bytes], mode: int) -> int:
    """Write lines, each with its end; returns how many. An older file stays until the new one is whole.

    Raises:
        VaultError: `file_unwritable`, `disk_full`.
    """
    count = 0
    with whole(path, mode) as stream:
        for line in lines:
            stream.write(line + b"\n")
            count += 1
    return count


def write_bytes(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole.

    Raises:
        VaultError: `file_unwritable`, `disk_full`.
    """
    with whole(path, mode) as stream:
        stream.write(data)


def clear(folder: Path, now: datetime) -> None:
    """Delete what a killed process left beside files: parts that are older than an hour, which nobody writes any more.

    Raises:
        OSError: the folder cannot be read.
    """
    for part in folder.glob(f".{'[0-9a-f]' * 16}{_PART}"):
        with suppress(OSError):
            if now.timestamp() - part.stat().st_mtime > _LEFT.total_seconds():
                part.unlink()


@contextmanager
def whole(path: Path, mode: int) -> Iterator[BinaryIO]:
    """A file beside, of a name of its own, which takes the path's place when the block ends well.

    Raises:
        VaultError: `file_unwritable`, `disk_full`.
    """
    beside = path.with_name(f".{secrets.token_hex(8)}{_PART}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(descriptor)
        beside.replace(path)
    except OSError as exc:
        raise unwritable(exc, path) from exc
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def unwritable(error: OSError, path: Path) -> VaultError:
    """What the system says of a file that cannot be written."""
    code = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "file_unwritable"
    return VaultError(f"cannot be written: {error.strerror}", code, path.name)
