"""The folder that a run of sealing writes: whole batches or none, and resumable.

It holds `records-N.ndjson`, one batch of sealed records each, N being how much of the input is done with it;
`rejects.ndjson`, a line for each refused place with its code; and `run.json`, what the run is of. A batch is written
beside, fsynced and renamed, so that after a crash the same command goes on after the last whole batch.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chartseal import _json
from chartseal._whole_files import sync
from chartseal.errors import CoreError, SealingError
from chartseal.sealing.seal import SealedLine
from chartseal.sealing.sealed import REJECTS, RUN
from chartseal.sealing.sink import Rejection

_DIGITS = 12
_BATCH_NAME = re.compile(rf"records-([0-9]{{{_DIGITS}}})\.ndjson", re.ASCII)
_LOCK = ".lock"


@contextmanager
def run_folder(path: Path, identity: Mapping[str, str]) -> Iterator[RunFolder]:
    """The folder of the run with that identity, made where it is missing, and locked: two runs would seal all twice.

    Raises:
        SealingError: `sealing_in_progress`, `sealing_other_run`, `output_unwritable`.
    """
    with _writing():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path / _LOCK):
        yield RunFolder(path, identity)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with ExitStack() as held:
        with _writing():
            lock = held.enter_context(open(path, "ab", opener=_private))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise SealingError("another run is sealing into the output folder", "sealing_in_progress") from exc
        yield


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise SealingError(f"the output folder cannot be written: {exc.strerror}", "output_unwritable") from exc


class RunFolder:
    """The folder of one run, a `Sink`; `refused` counts the codes of those listed."""

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        """Begin in a folder that exists, or find how far an earlier run of the same identity got.

        Raises:
            SealingError: `sealing_other_run`, `output_unwritable`.
        """
        self._path = path
        self.done = 0
        self.refused: Counter[str] = Counter()
        with _writing():
            self._begin(dict(identity))

    def _begin(self, identity: dict[str, str]) -> None:
        mark = self._path / RUN
        positions = [int(name[1]) for file in self._path.iterdir() if (name := _BATCH_NAME.fullmatch(file.name))]
        try:
            earlier = _json.loads(mark.read_bytes()) if mark.exists() else None
        except ValueError:
            earlier = None
        if earlier != identity:
            if positions or (not mark.exists() and (self._path / REJECTS).exists()):
                raise SealingError(
                    "the output folder holds a run with another input, issuer, address or option", "sealing_other_run"
                )
            # A run that did nothing, say because it was told too little, is in nobody's way.
            self._put(mark, [json.dumps(identity, indent=1).encode() + b"\n"])
        self.done = max(positions, default=0)
        if (self._path / REJECTS).exists():
            with (self._path / REJECTS).open("rb") as lines:
                self._put(self._path / REJECTS, self._kept(lines))

    def _kept(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The refusals of whole batches, counted; those of a batch that was not finished come again."""
        for line in lines:
            try:
                refusal = _json.loads(line)
                position, code = int(refusal["position"]), str(refusal["code"])
            except (ValueError, KeyError, TypeError):
                return
            if position <= self.done and line.endswith(b"\n"):
                self.refused[code] += 1
                yield line

    def write(self, done: int, lines: Sequence[SealedLine], refused: Sequence[Rejection]) -> None:
        """Keep one batch, after which `done` items of the input are done; refusals as a `Sink` takes them.

        Raises:
            SealingError: `output_unwritable`.
        """
        with _writing():
            if refused:
                self._append(b"".join(reject_line(*each) for each in refused))
            self._put(self._path / f"records-{done:0{_DIGITS}}.ndjson", (each.line + b"\n" for each in lines))

    def _append(self, data: bytes) -> None:
        with open(self._path / REJECTS, "ab", opener=_private) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())

    def _put(self, path: Path, lines: Iterable[bytes]) -> None:
        """Write beside, fsync, rename: the file is whole or not there."""
        beside = path.with_name(f".{path.name}.tmp")
        try:
            with open(beside, "wb", opener=_private) as stream:
                stream.writelines(lines)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        sync(self._path)


def _private(path: str, flags: int) -> int:
    """Sealed records hold what patients' charts hold: for their owner alone."""
    return os.open(path, flags, 0o600)


def reject_line(position: int, place: str, error: CoreError) -> bytes:
    """A line of `rejects.ndjson`."""
    line = {"position": position, "place": place, "code": error.code, "path": error.path, "message": error.detail}
    return json.dumps(line).encode() + b"\n"
