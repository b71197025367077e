"""Names of files: one that is whole gets its name, and never takes another's."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What systems say whose files have one name each, such as FAT and some shares."""


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
