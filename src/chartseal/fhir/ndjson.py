"""Inputs: the resources of NDJSON, of one Bundle or of one resource, packed or not, as a stream.

Memory is bounded by the largest resource, whatever the input; nothing but an OSError of the stream itself is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from chartseal import _core
from chartseal.errors import FhirError, LimitError
from chartseal.fhir._source import Source
from chartseal.fhir.bundle import Document, Piece, Refused, split

LARGEST = 16 << 20
"""Bytes of the largest line, and of the largest resource."""
_FIRST = b'{"resourceType":"'
"""How exporters begin a line: its type is told without parsing."""
_SUFFIXES = (".ndjson", ".jsonl")


def is_ndjson(name: str) -> bool:
    """Whether a file of that name holds one resource a line."""
    return name.lower().removesuffix(".gz").endswith(_SUFFIXES)


def pieces(stream: BinaryIO, *, ndjson: bool) -> Iterator[Piece | Refused | Document]:
    """The resources of an input, in its order. gzip is told by its magic.

    A line, or the one JSON text of an input that is no NDJSON, is a resource or a Bundle. A Bundle whose `type` stands
    before its entries is read once; otherwise a pipe is kept in an unnamed temporary file to be read twice.
    """
    source = Source(stream)
    try:
        yield from _of_lines(source) if ndjson else _of_text(source)
    finally:
        source.close()


def _of_text(source: Source) -> Iterator[Piece | Refused | Document]:
    try:
        resource_type, bundle_type = _kind(source)
        source.rewind()
        whole = b"" if resource_type == "Bundle" else _whole(source)
    except (FhirError, LimitError) as exc:
        yield Refused("", exc)
        return
    if resource_type == "Bundle":
        yield from split(source.chunks(), bundle_type)
    else:
        yield Piece("", whole, "")


def _kind(source: Source) -> tuple[str | None, str | None]:
    """`resourceType` and a Bundle's `type`, read no further than they stand."""
    splitter = _core.BundleSplitter()
    for chunk in source.chunks(keep=True):
        splitter.feed(chunk)
        if splitter.is_kind_known:
            return splitter.kind
    return splitter.finish()[0]


def _whole(source: Source) -> bytes:
    text = bytearray()
    for chunk in source.chunks():
        text += chunk
        if len(text) > LARGEST:
            raise LimitError(f"longer than {LARGEST} bytes", "json_too_large")
    return bytes(text)


def _of_lines(source: Source) -> Iterator[Piece | Refused | Document]:
    number = 0
    try:
        for number, line in _lines(source):
            if line is None:
                error = LimitError(f"longer than {LARGEST} bytes", "line_too_large")
                yield Refused(f"line {number}", error)
            elif line.strip():
                yield from _of_line(line, f"line {number}")
    except FhirError as exc:
        yield Refused(f"line {number + 1}", exc)


def _of_line(line: bytes, place: str) -> Iterator[Piece | Refused | Document]:
    if line.startswith(_FIRST) and not line.startswith(b'Bundle"', len(_FIRST)):
        yield Piece(place, line, "")
        return
    try:
        resource_type, bundle_type = _core.resource_kind(line)
    except (FhirError, LimitError) as exc:
        yield Refused(place, exc)
        return
    if resource_type == "Bundle":
        yield from split([line], bundle_type, place)
    else:
        yield Piece(place, line, "")


def _lines(source: Source) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers, without their ends; None for one that is too long, which is skipped unread."""
    number, pending, skipping = 0, bytearray(), False
    for chunk in source.chunks():
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            number += 1
            too_long = skipping or len(pending) + len(part) > LARGEST
            yield number, None if too_long else bytes(pending) + part
            pending.clear()
            skipping = False
        skipping = skipping or len(pending) + len(rest) > LARGEST
        if skipping:
            pending.clear()
        else:
            pending += rest
    if pending or skipping:
        yield number + 1, None if skipping else bytes(pending)
