"""The file of a `PatientMap`, changed in place: patients move to another address, and all else stays as it is.

file = MapFile.read(path)
for patient in file.patients(old):
    print(patient)
file.replace(old, new_text)
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from chartseal._whole_files import clear_parts, part_of, sync
from chartseal.errors import LimitError, SealingError
from chartseal.sealing.plan import LARGEST_MAP, MapRow, add_row

_MARK = "\ufeff"
"""What some programs begin a UTF-8 file with."""


class _Line(NamedTuple):
    """A row as it stands, and what it says."""

    text: str
    cell: str
    """The address as the file writes it."""
    row: MapRow | None


@dataclass(frozen=True)
class MapFile:
    """A map's file as it was read."""

    path: Path
    """Where the file is itself, not a link to it."""
    data: bytes = field(repr=False)
    lines: tuple[_Line, ...] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> MapFile:
        """Read a file as `PatientMap.read` does.

        Raises:
            SealingError: `map_malformed`, with the line's number; `map_unreadable`.
            LimitError: `map_too_large`.
        """
        try:
            place = path.resolve(strict=True)
            data = _bytes_of(place)
            return cls(place, data, tuple(_lines(data.decode("utf-8"))))
        except (OSError, UnicodeDecodeError, csv.Error) as exc:
            raise SealingError("the map of patients cannot be read", "map_unreadable") from exc

    def patients(self, address: bytes) -> list[str]:
        """Ids or URLs of the patients whose records go to an address (64 bytes), in the file's order."""
        return [each.row.patient for each in self.lines if each.row is not None and each.row.address == address]

    def replace(self, old: bytes, new: str) -> int:
        """Let the patients of an address (64 bytes) have another (as text), in the file; returns how many they are.

        The new file is written beside and moved into the old one's place, with its mode; on any failure that stays.

        Raises:
            SealingError: `map_changed`: the file is another than was read; `map_malformed`: a row writes the address
                in quotes so that it cannot be replaced alone; `map_unwritable`.
        """
        count = len(self.patients(old))
        if count:
            self._write("".join(_moved(each, old, new, at) for at, each in enumerate(self.lines, 1)).encode())
        return count

    def _write(self, data: bytes) -> None:
        beside = part_of(self.path)
        with _writing():
            try:
                clear_parts(self.path.parent, time.time())
                self._write_beside(beside, data)
                if _bytes_of(self.path) != self.data:
                    raise SealingError("the map of patients was changed meanwhile", "map_changed")
                beside.replace(self.path)
            finally:
                with suppress(OSError):
                    beside.unlink(missing_ok=True)
            sync(self.path.parent)

    def _write_beside(self, beside: Path, data: bytes) -> None:
        """Whole and on the disk, for whom the file before was."""
        before = self.path.stat()
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(data)
            stream.flush()
            with suppress(PermissionError):
                os.fchown(stream.fileno(), before.st_uid, before.st_gid)
            os.fchmod(stream.fileno(), before.st_mode & 0o7777)
            os.fsync(stream.fileno())


def _bytes_of(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_MAP:
        raise LimitError("the map of patients is too large", "map_too_large")
    return path.read_bytes()


def _lines(text: str) -> Iterator[_Line]:
    """Each row with its text; a row in quotes may take several lines of the file."""
    mark = _MARK if text.startswith(_MARK) else ""
    parts = list(StringIO(text.removeprefix(_MARK), newline=""))
    addresses: dict[str, bytes] = {}
    reader, start = csv.reader(parts), 0
    for number, row in enumerate(reader, 1):
        found = add_row(addresses, row, number)
        whole = ("" if start else mark) + "".join(parts[start : reader.line_num])
        yield _Line(whole, row[1].strip() if found is not None else "", found)
        start = reader.line_num


def _moved(line: _Line, old: bytes, new: str, number: int) -> str:
    if line.row is None or line.row.address != old:
        return line.text
    before, _, after = line.text.rpartition(line.cell)
    text = before + new + after
    if _cells(text) != [_cells(line.text)[0], new]:
        raise SealingError("the address cannot be replaced alone: write it plainly", "map_malformed", f"line {number}")
    return text


def _cells(text: str) -> list[str]:
    """Of a row's text: cells without blanks around them; empty rows before it count for nothing."""
    rows = list(csv.reader(StringIO(text.removeprefix(_MARK), newline="")))
    return [each.strip() for row in rows for each in row]


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise SealingError(f"the map of patients cannot be written: {exc.strerror}", "map_unwritable") from exc
