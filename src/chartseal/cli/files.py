"""Files that commands read and write, `-` being standard input and output."""

from __future__ import annotations

import itertools
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from chartseal._whole_files import clear_parts, part_of
from chartseal.disclosure.form import LARGEST_DISCLOSURE, UnverifiedDisclosure
from chartseal.errors import DisclosureFormError, LimitError


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """A file, or standard input for `-`, to be read.

    Raises:
        DisclosureFormError: `file_unreadable`.
    """
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 (closed below)
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    with stream:
        yield stream


def _unreadable(path: str, exc: OSError) -> DisclosureFormError:
    return DisclosureFormError(f"cannot be read: {exc.strerror}", "file_unreadable", path)


def read_disclosure(path: str) -> bytes:
    """The bytes of a file, or of standard input for `-`.

    Raises:
        DisclosureFormError: `file_unreadable` or `limit_exceeded`.
    """
    with opened(path) as stream:
        return read_rest(stream, path)


def read_lines(stream: BinaryIO, *, longest: int, most: int) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers, as they come: at most `most`, of at most `longest` bytes each.

    Raises:
        LimitError: `limit_exceeded`: a line is longer, or there are more, blank ones included.
        DisclosureFormError: `file_unreadable`.
    """
    for number in itertools.count(1):
        try:
            line = stream.readline(longest + 1)
        except OSError as exc:
            raise _unreadable("", exc) from exc
        if not line:
            return
        if len(line) > longest:
            raise LimitError(f"a line has more than {longest} bytes", path=f"line {number}")
        if number > most:
            raise LimitError(f"there are more than {most} lines: give them in several files", path=f"line {number}")
        if not line.isspace():
            yield number, line


def parse_disclosure(data: bytes) -> UnverifiedDisclosure:
    """A disclosure of either form, JSON or text; nothing of it is verified.

    Raises:
        DisclosureFormError, AttestationError, FieldEncodingError: malformed.
    """
    if data.lstrip().startswith(b"CS1:"):
        return UnverifiedDisclosure.from_text(data.decode("ascii", "replace"))
    return UnverifiedDisclosure.loads(data)


def read_rest(stream: BinaryIO, path: str, first: bytes = b"") -> bytes:
    """What was read of a disclosure, and the rest.

    Raises:
        DisclosureFormError: `file_unreadable` or `limit_exceeded`.
    """
    try:
        data = first + stream.read(max(0, LARGEST_DISCLOSURE + 1 - len(first)))
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    if len(data) > LARGEST_DISCLOSURE:
        raise DisclosureFormError("the file is too long", "limit_exceeded", path)
    return data


def is_one_of(path: str | Path, own: Iterable[Path]) -> bool:
    """Whether a path leads to one of these files, by a link of either kind too, or will once that one is there."""
    place = os.path.realpath(path)
    return any(place == os.path.realpath(each) or _is_same(place, each) for each in own)


def _is_same(place: str, other: Path) -> bool:
    try:
        return os.path.samefile(place, other)
    except OSError:  # one of them is not there
        return False


def write_public(path: Path, data: bytes) -> None:
    """Write a file that others may read, in a folder that is made where it is missing: beside it, then into its place.

    Raises:
        DisclosureFormError: `file_unwritable`.
    """
    beside = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(data)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as exc:
        raise DisclosureFormError(f"cannot be written: {exc.strerror}", "file_unwritable", path.name) from exc


def write_private(path: str, data: bytes) -> None:
    """Write a file that only its owner reads (mode 0600, an older one's too), or standard output for `-`.

    A file is written beside and moved into its place, so that an older one is kept until the new one is whole; what a
    killed command left beside goes first. A device, a pipe and what a link leads to are written in place.

    Raises:
        DisclosureFormError: `file_unwritable`.
    """
    if path == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        if _is_in_place(Path(path)):
            _write(path, os.O_TRUNC, data)
        else:
            _replace(Path(path), data)
    except OSError as exc:
        raise DisclosureFormError(f"cannot be written: {exc.strerror}", "file_unwritable", path) from exc


def _is_in_place(path: Path) -> bool:
    """Whether it is there and is no plain file of the folder."""
    try:
        return not stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _replace(path: Path, data: bytes) -> None:
    beside = part_of(path)  # no longer than a name may be, whatever the file's is
    clear_parts(path.parent, time.time())
    try:
        _write(beside, os.O_EXCL, data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _write(path: str | Path, flag: int, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
        stream.write(data)
