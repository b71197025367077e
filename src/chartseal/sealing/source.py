"""Inputs of sealing, which are read several times: to see whose records they are, and to seal them."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from chartseal import _core
from chartseal.errors import SealingError
from chartseal.fhir import is_ndjson, pieces
from chartseal.fhir.ndjson import LARGEST
from chartseal.sealing.plan import Item

_CHUNK = 1 << 20


class Source:
    """An input that can be read several times: a file; a pipe or standard input kept in an unlinked temporary file."""

    def __init__(
        self,
        path: Path | None,
        stream: BinaryIO | None = None,
        *,
        opener: Callable[[], AbstractContextManager[BinaryIO]] | None = None,
        ndjson: bool | None = None,
    ) -> None:
        """Take a path; or a stream that is read to its end now; or what gives the input from its beginning each time.

        `ndjson` tells apart lines from one document.

        Raises:
            SealingError: `input_unreadable`.
        """
        self._path = path
        self._opener = opener
        self._kept: BinaryIO | None = None
        if stream is not None:
            self._keep(stream)
        elif path is not None and (path.is_fifo() or path.is_char_device()):  # say /dev/stdin, or a shell's <(…)
            with self._opened() as pipe:
                self._keep(pipe)
        named = path is not None and is_ndjson(path.name)
        self.ndjson = ndjson if ndjson is not None else named or (self._kept is not None and self._begins_as_lines())

    def _begins_as_lines(self) -> bool:
        """Whether the first line is JSON by itself, and another follows: how an input without a name is told."""
        with self._opened() as stream:
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            lines: Any = gzip.GzipFile(fileobj=stream) if packed else stream
            try:
                _core.check_json(lines.readline(LARGEST))
                return bool(lines.readline(LARGEST).strip())
            except (OSError, EOFError, ValueError):
                return False  # one document, or nothing that is read: reading it says what is wrong

    def _keep(self, stream: BinaryIO) -> None:
        try:
            kept = tempfile.TemporaryFile()  # noqa: SIM115 (kept open as long as the source)
            for chunk in iter(lambda: stream.read(_CHUNK), b""):
                kept.write(chunk)
        except OSError as exc:
            raise SealingError(f"the input cannot be kept: {exc.strerror}", "input_unreadable") from exc
        self._kept = kept

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The input from its beginning; what is kept stays open."""
        if self._kept is not None:
            self._kept.seek(0)
            yield self._kept
            return
        if self._opener is not None:
            with self._opener() as stream:
                yield stream
            return
        try:
            assert self._path is not None  # noqa: S101 (path, stream or opener)
            stream = self._path.open("rb")
        except OSError as exc:
            raise SealingError(f"the input cannot be read: {exc.strerror}", "input_unreadable") from exc
        with stream:
            yield stream

    def items(self) -> Iterator[Item]:
        """Its resources, refused places and documents."""
        with self._opened() as stream:
            yield from pieces(stream, ndjson=self.ndjson)

    def digest(self) -> str:
        """SHA-256 of the bytes as they are."""
        with self._opened() as stream:
            digest = hashlib.sha256()
            for chunk in iter(lambda: stream.read(_CHUNK), b""):
                digest.update(chunk)
            return "0x" + digest.hexdigest()
