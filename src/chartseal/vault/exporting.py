"""Lines written to a file whole: beside it first, synced, then moved into its place."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from chartseal._whole_files import clear_parts, part_of
from chartseal.errors import VaultError

PRIVATE, PUBLIC = 0o600, 0o644
"""Modes: of sealed records, which whoever has them reads; of what lies in a mailbox."""


def write_lines(path: Path, lines: Iterable[bytes], mode: int) -> int:
    """Write lines, each with its end; returns how many. An older file stays until the new one is whole.

    What a killed process left beside of such a file goes first: it may be sealed records, which anybody reads.

    Raises:
        VaultError: `file_unwritable`, `disk_full`.
    """
    count = 0
    try:
        clear_parts(path.parent, time.time())
    except OSError as exc:
        raise unwritable(exc, path) from exc
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


@contextmanager
def whole(path: Path, mode: int) -> Iterator[BinaryIO]:
    """A file beside, of a name of its own, which takes the path's place when the block ends well.

    Raises:
        VaultError: `file_unwritable`, `disk_full`.
    """
    beside = part_of(path)
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
