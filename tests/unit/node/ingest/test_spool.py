"""The spool: encrypted, whole or not there, one process's, and nothing else's files touched."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chartseal.errors import IngestError, SealingError
from chartseal.node.ingest.spool import KEY, Spool, Upload

SECRET = b"\1" * 32
LINE = b"Olivia Bauch takes metformin\n"


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    found = Spool(tmp_path, SECRET)
    yield found
    found.close()


def kept(spool: Spool, *pieces: bytes) -> str:
    upload = spool.begin()
    for piece in pieces:
        upload.write(piece)
    upload.keep()
    return upload.name


def read(spool: Spool, name: str) -> bytes:
    with spool.opened(name) as stream:
        return stream.read()


def test_what_is_kept_is_read_again_and_is_nowhere_in_the_clear(spool: Spool, tmp_path: Path) -> None:
    pieces = [LINE * 10_000 for _ in range(10)]
    name = kept(spool, *pieces)
    assert read(spool, name) == read(spool, name) == b"".join(pieces)
    for each in tmp_path.iterdir():
        assert b"Olivia" not in each.read_bytes()
        assert each.stat().st_mode & 0o077 == 0
    assert read(spool, kept(spool)) == b""


def test_a_reader_may_stop_early(spool: Spool) -> None:
    name = kept(spool, LINE * 100_000)
    with spool.opened(name) as stream:
        assert stream.readline() == LINE


def test_a_reader_is_interrupted(spool: Spool) -> None:
    name, calls = kept(spool, LINE * 100_000), list[int]()

    def interrupt() -> None:
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt

    with spool.opened(name, interrupt) as stream, pytest.raises(KeyboardInterrupt):
        stream.read()
    assert len(read(spool, name)) == 100_000 * len(LINE)


def test_what_is_cut_or_altered_is_never_taken_for_whole(spool: Spool, tmp_path: Path) -> None:
    name = kept(spool, LINE * 10_000)
    path = tmp_path / f"{name}.age"
    whole = path.read_bytes()
    end = len(whole)
    for damaged in (whole[:-1], whole[: end // 2], whole[:100], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.raises(SealingError) as caught:
            read(spool, name)
        assert caught.value.code == "input_unreadable"
    path.write_bytes(whole)
    assert len(read(spool, name)) == 10_000 * len(LINE)


def test_another_secret_opens_nothing(spool: Spool, tmp_path: Path) -> None:
    spool.close()
    for wrong in (b"\2" * 32, SECRET[:31] + b"\0"):
        with pytest.raises(IngestError) as caught:
            Spool(tmp_path, wrong)
        assert caught.value.code == "spool_key"
    again = Spool(tmp_path, SECRET)
    (tmp_path / KEY).write_bytes(b"short")
    again.close()
    with pytest.raises(IngestError, match="damaged"):
        Spool(tmp_path, SECRET)
    spool._lock = os.open(tmp_path, os.O_RDONLY)  # the fixture closes it


def test_one_process_has_it(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(IngestError) as caught:
        Spool(tmp_path, SECRET)
    assert caught.value.code == "spool_in_use"


def test_what_broke_off_goes_and_what_is_others_stays(spool: Spool, tmp_path: Path) -> None:
    name, orphan = kept(spool, LINE), kept(spool, LINE)
    spool.write(name, b"{}")
    others = ["node.toml", f"{'a' * 31}.age", "notes.json", "x.part"]
    ours = [f"{'b' * 32}.age.part", f".{'c' * 16}.part", f".{'d' * 16}.check", f"{'e' * 32}.age"]
    for each in others + ours:
        (tmp_path / each).write_bytes(b"x")
    spool.clear()
    left = {each.name for each in tmp_path.iterdir()}
    assert left == {*others, KEY, ".lock", f"{name}.age", f"{name}.json"}
    assert f"{orphan}.age" not in left
    assert read(spool, name) == LINE


def test_an_upload_that_is_given_up_leaves_nothing(spool: Spool, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    upload = spool.begin()
    upload.write(LINE)
    upload.abandon()
    assert set(tmp_path.iterdir()) == before


def test_a_full_disk_is_told(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = set(tmp_path.iterdir())
    monkeypatch.setattr("chartseal.node.ingest.spool.os.fsync", full)
    upload = spool.begin()
    upload.write(LINE)
    with pytest.raises(IngestError) as caught:
        upload.keep()
    assert caught.value.code == "disk_full"
    with pytest.raises(IngestError) as caught:
        spool.check()
    assert caught.value.code == "disk_full"
    assert set(tmp_path.iterdir()) == before
    monkeypatch.undo()
    spool.check()
    assert set(tmp_path.iterdir()) == before


def write_until_refused(upload: Upload) -> None:
    for _ in range(100):
        upload.write(LINE * 10_000)


def test_a_full_disk_stops_the_sender(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(reader: object, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("chartseal.node.ingest.spool.pyrage.encrypt_io", failing)
    upload = spool.begin()
    with pytest.raises(IngestError) as caught:
        write_until_refused(upload)
    assert caught.value.code == "disk_full"
    assert not list(tmp_path.glob("*.part"))
