"""Bytes of an input, unpacked, that can be read from the beginning once more."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from chartseal.errors import FhirError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 64 << 10
"""Bytes read at a time."""
IN_MEMORY = 16 << 20
"""Bytes of a pipe's beginning that are kept in memory for a second reading; more go to an unnamed temporary file."""
_GZIP = b"\x1f\x8b"


class _Joined(io.RawIOBase):
    """Bytes that were read to look at them, then the rest of their stream."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first = first
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data, self._first = self._first[: len(view)], self._first[len(view) :]
        data = data or self._rest.read(len(view)) or b""
        view[: len(data)] = data
        return len(data)


class Source:
    """One input. gzip is told by its magic; damage to it raises FhirError `gzip_damaged`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._start = stream.tell() if stream.seekable() else None
        self._kept: SpooledTemporaryFile[bytes] | None = None
        if self._start is None:
            self._kept = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # closed with the source
        self._unpacked = self._open()

    def _open(self) -> BinaryIO | io.RawIOBase | gzip.GzipFile:
        magic = self._stream.read(1)
        magic += self._stream.read(1) if magic else b""
        raw: BinaryIO | io.RawIOBase = self._stream
        if self._start is None:
            raw = _Joined(magic, self._stream)
        else:
            self._stream.seek(self._start)
        return gzip.GzipFile(fileobj=raw, mode="rb") if magic == _GZIP else raw

    def _read(self, size: int) -> bytes:
        try:
            return self._unpacked.read(size) or b""
        except (EOFError, gzip.BadGzipFile, zlib.error) as exc:
            raise FhirError("the gzip stream is damaged or ends early", "gzip_damaged") from exc

    def chunks(self, *, keep: bool = False) -> Iterator[bytes]:
        """The bytes from here on. With `keep` they can be read again after `rewind`."""
        if self._kept is not None and not keep:
            while chunk := self._kept.read(CHUNK):
                yield chunk
        while chunk := self._read(CHUNK):
            if self._kept is not None and keep:
                self._kept.write(chunk)
            yield chunk

    def rewind(self) -> None:
        """Go back to the beginning; all that was read must have been kept."""
        if self._kept is not None:
            self._kept.seek(0)
        elif self._start is not None:
            self._stream.seek(self._start)
            self._unpacked = self._open()

    def close(self) -> None:
        """Drop what was kept; the stream itself stays open."""
        if self._kept is not None:
            self._kept.close()
