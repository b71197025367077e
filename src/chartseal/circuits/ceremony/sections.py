"""The container of `.ptau` and `.zkey`: four letters, a version, then numbered sections, each with its length."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from chartseal.errors import CeremonyError

_MOST_SECTIONS = 32


def read_section(path: Path, letters: bytes, number: int, most: int) -> bytes:
    """The bytes of one section; at most `most` of them.

    Raises:
        CeremonyError: `file_malformed`, `file_unreadable`.
    """
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(12)
            if len(head) != 12 or head[:4] != letters:
                raise malformed(path)
            for _ in range(min(int.from_bytes(head[8:], "little"), _MOST_SECTIONS)):
                mark = stream.read(12)
                if len(mark) != 12:
                    raise malformed(path)
                found, length = struct.unpack("<IQ", mark)
                if found == number:
                    data = stream.read(length) if length <= most else b""
                    if len(data) != length:
                        raise malformed(path)
                    return data
                if length > size:
                    raise malformed(path)
                stream.seek(length, 1)
    except OSError as exc:
        raise unreadable(path, exc) from exc
    raise malformed(path)


def malformed(path: Path) -> CeremonyError:
    """The error that a file does not have its form."""
    return CeremonyError("the file does not have its form", "file_malformed", path.name)


def unreadable(path: Path, exc: OSError) -> CeremonyError:
    """The error that a file cannot be read."""
    return CeremonyError(f"cannot be read: {exc.strerror}", "file_unreadable", path.name)
