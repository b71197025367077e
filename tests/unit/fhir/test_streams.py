"""Inputs as streams: lines, packed files, pipes, and what must not fill memory."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from chartseal.fhir import Document, Piece, Refused, is_ndjson, pieces
from chartseal.fhir.ndjson import LARGEST

PATIENT = b'{"resourceType":"Patient","id":"p"}'
BUNDLE = b'{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:a","resource":' + PATIENT + b"}]}"


class Pipe(io.RawIOBase):
    """A stream that cannot be read twice, made as it is read; `taken` counts its bytes."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts = parts
        self.rest = b""
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        while not self.rest:
            part = next(self.parts, None)
            if part is None:
                return 0
            self.rest = part
        taken, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(taken)] = taken
        self.taken += len(taken)
        return len(taken)


def pipe(*parts: bytes) -> Pipe:
    return Pipe(iter(parts))


def read(data: bytes, *, ndjson: bool) -> list[Piece | Refused | Document]:
    """From a file and from a pipe alike."""
    found = list(pieces(io.BytesIO(data), ndjson=ndjson))
    piped = list(pieces(pipe(data), ndjson=ndjson))  # type: ignore[arg-type]
    assert codes(found) == codes(piped)
    assert [each for each in found if isinstance(each, Piece)] == [each for each in piped if isinstance(each, Piece)]
    return found


def codes(found: list[Piece | Refused | Document]) -> list[tuple[str, str]]:
    return [(each.place, each.error.code if isinstance(each, Refused) else "") for each in found]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_are_resources_or_bundles(pack: type[bytes]) -> None:
    data = pack(PATIENT + b"\r\n\n  \r\n" + BUNDLE + b"\n" + PATIENT)
    found = read(data, ndjson=True)
    assert codes(found) == [("line 1", ""), ("line 4 Bundle.entry[0]", ""), ("line 5", "")]
    assert [each.text.strip() for each in found if isinstance(each, Piece)] == [PATIENT] * 3


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_one_text_is_a_resource_or_a_bundle(pack: type[bytes]) -> None:
    assert read(pack(b" " + PATIENT + b"\n"), ndjson=False) == [Piece("", b" " + PATIENT + b"\n", "")]
    assert codes(read(pack(BUNDLE), ndjson=False)) == [("Bundle.entry[0]", "")]
    late = b'{"entry":[{"resource":' + PATIENT + b'}],"type":"collection","resourceType":"Bundle"}'
    assert codes(read(pack(late), ndjson=False)) == [("Bundle.entry[0]", "")]


def test_a_bad_line_lets_the_rest_go_on() -> None:
    lines = [b"\xef\xbb\xbf" + PATIENT, b"[]", b"nonsense", b"{", BUNDLE[:-1], PATIENT]
    assert codes(read(b"\n".join(lines), ndjson=True)) == [
        ("line 1", "json_bom"),
        ("line 2", "json_malformed"),
        ("line 3", "json_malformed"),
        ("line 4", "json_malformed"),
        ("line 5 Bundle.entry[0]", ""),
        ("line 5", "json_malformed"),
        ("line 6", ""),
    ]


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf{}", b"nonsense", b"[{}]", b'{"a":'])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    ((place, code),) = codes(read(data, ndjson=False))
    assert (place, code) in {("", "json_malformed"), ("", "json_bom")}
    assert read(b"", ndjson=True) == []


@pytest.mark.parametrize("ndjson", [True, False])
def test_damaged_gzip_is_refused(ndjson: bool) -> None:
    whole = gzip.compress(BUNDLE)
    flipped = whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:]
    for data in (whole[:-9], flipped, whole[:3], whole[:-1]):
        assert codes(read(data, ndjson=ndjson))[-1][1] == "gzip_damaged"


@pytest.mark.parametrize(("size", "code"), [(LARGEST, ""), (LARGEST + 1, "line_too_large")])
def test_a_line_ends_at_the_limit(size: int, code: str) -> None:
    filled = PATIENT[:-1] + b',"x":"' + b"x" * (size - len(PATIENT) - 7) + b'"}'
    assert len(filled) == size
    data = filled + b"\n" + PATIENT
    assert codes(list(pieces(io.BytesIO(data), ndjson=True))) == [("line 1", code), ("line 2", "")]
    assert codes(list(pieces(io.BytesIO(filled), ndjson=True))) == [("line 1", code)]
    expected = code and "json_too_large"
    assert codes(list(pieces(io.BytesIO(filled), ndjson=False))) == [("", expected)]


def peak(stream: Pipe, *, ndjson: bool) -> tuple[int, list[tuple[str, str]], int]:
    """Entries, codes other than none, and the most bytes that Python held."""
    tracemalloc.start()
    count, refused = 0, []
    for each in pieces(stream, ndjson=ndjson):  # type: ignore[arg-type]
        count += 1
        if isinstance(each, Refused):
            refused.append((each.place, each.error.code))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return count, refused, most


def generated(entries: int) -> Iterator[bytes]:
    """A Bundle whose entries have some 3 kB each."""
    yield b'{"resourceType":"Bundle","type":"collection","entry":['
    filler = b"x" * 3000
    for index in range(entries):
        resource = b'{"resourceType":"Patient","id":"%d","x":"%s"}' % (index, filler)
        yield (b"," if index else b"") + b'{"fullUrl":"urn:uuid:%d","resource":%s}' % (index, resource)
    yield b"]}"


def test_ten_thousand_entries_fit_in_little_memory() -> None:
    stream = Pipe(generated(10_000))
    count, refused, most = peak(stream, ndjson=False)
    assert (count, refused) == (10_000, [])
    assert stream.taken > 30_000_000
    assert most < 2_000_000


MEASURED = """
import resource, sys
from test_streams import Pipe, generated
from chartseal.fhir import Piece, pieces
def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
def read(count): return sum(isinstance(each, Piece) for each in pieces(Pipe(generated(count)), ndjson=False))
assert read(100) == 100
before = most()
assert read(30_000) == 30_000
print(most() - before)
"""


def test_the_whole_process_stays_small() -> None:
    """Rust's memory too: 90 MB of a Bundle pass through it."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    run = [sys.executable, "-c", MEASURED]
    grown = subprocess.run(run, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    assert int(grown.stdout) < 10_000_000


def test_deep_nesting_ends_at_once() -> None:
    for first in (b"", b'{"a":', b'{"resourceType":"Bundle","type":"collection","entry":[{"a":'):
        stream = Pipe(part for part in [first, *[b"[" * 100_000] * 1000] if part)
        _, refused, most = peak(stream, ndjson=False)
        assert refused[0][1] == ("json_too_deep" if first else "json_malformed")
        assert stream.taken < 200_000
        assert most < 2_000_000


def test_an_endless_line_is_not_kept() -> None:
    stream = Pipe(iter([b"["] + [b"[" * 1_000_000] * 100 + [b"\n", PATIENT]))
    count, refused, most = peak(stream, ndjson=True)
    assert (count, refused) == (2, [("line 1", "line_too_large")])
    assert most < 3 * LARGEST


def test_a_gzip_bomb_is_bounded() -> None:
    bomb = gzip.compress(b"\n".join([b" " * 50_000_000, PATIENT]))
    count, refused, most = peak(pipe(bomb), ndjson=True)
    assert (count, refused) == (2, [("line 1", "line_too_large")])
    assert most < 3 * LARGEST
    assert peak(pipe(bomb), ndjson=False)[1] == [("", "bundle_spaces")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.ndjson", True),
        ("A.NDJSON.GZ", True),
        ("a.jsonl", True),
        ("a.json", False),
        ("ndjson", False),
        ("a.json.gz", False),
    ],
)
def test_names_tell_lines(name: str, expected: bool) -> None:
    assert is_ndjson(name) is expected
