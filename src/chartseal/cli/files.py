"""Files that commands read and write, `-` being standard input and output."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from chartseal.disclosure.form import LARGEST_DISCLOSURE
from chartseal.errors import DisclosureFormError


def read_disclosure(path: str) -> bytes:
    """The bytes of a file, or of standard input for `-`.

    Raises:
        DisclosureFormError: `file_unreadable` or `limit_exceeded`.
    """
    try:
        if path == "-":
            data = sys.stdin.buffer.read(LARGEST_DISCLOSURE + 1)
        else:
            with Path(path).open("rb") as stream:
                data = stream.read(LARGEST_DISCLOSURE + 1)
    except OSError as exc:
        raise DisclosureFormError(f"cannot be read: {exc.strerror}", "file_unreadable", path) from exc
    if len(data) > LARGEST_DISCLOSURE:
        raise DisclosureFormError("the file is too long", "limit_exceeded", path)
    return data


def write_private(path: str, data: bytes) -> None:
    """Write a file that only its owner reads (mode 0600 when it is new), or standard output for `-`.

    Raises:
        DisclosureFormError: `file_unwritable`.
    """
    if path == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
    except OSError as exc:
        raise DisclosureFormError(f"cannot be written: {exc.strerror}", "file_unwritable", path) from exc
