"""snarkjs as a child process: no shell, its secrets on standard input, its output bounded."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chartseal import _json
from chartseal.errors import CeremonyError

_CHECKOUT = Path(__file__).resolve().parents[4]
_PROGRAM = Path("node_modules/snarkjs/build/cli.cjs")
_MOST_OUTPUT = 65_536
_LARGEST_PACKAGE = 65_536


@dataclass(frozen=True, slots=True)
class Snarkjs:
    """An installed snarkjs and the node that runs it."""

    node: str
    program: Path
    version: str

    @classmethod
    def find(cls, folder: Path | None = None) -> Snarkjs:
        """The one that is installed in a folder, else in $CHARTSEAL_SNARKJS, else in the checkout's `tools/ceremony`.

        Never one that lies where we are: a ceremony's folder comes from others, and may bring a program along.

        Raises:
            CeremonyError: `snarkjs_missing`.
        """
        node = shutil.which("node")
        for place in _places(folder):
            if node is not None and (place / _PROGRAM).is_file():
                return cls(node, place / _PROGRAM, _version(place / _PROGRAM.parent.parent / "package.json"))
        raise CeremonyError(
            "snarkjs is not installed: run `npm ci` in tools/ceremony, or name a folder that has it", "snarkjs_missing"
        )

    def run(self, arguments: Sequence[str], *, secret: str | None = None) -> str:
        """Run it to its end; gives what it printed. `secret` is a line for its standard input.

        Raises:
            CeremonyError: `snarkjs_failed`: it ended with another status than zero.
        """
        process = subprocess.Popen(  # noqa: S603 (a program that the user installed, and our arguments)
            [self.node, str(self.program), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
        with process:
            kept: list[bytes] = []
            reader = threading.Thread(target=_keep_head, args=(process.stdout, kept))
            reader.start()
            try:
                _tell(process.stdin, secret)
            finally:
                reader.join()
                status = process.wait()
        output = b"".join(kept).decode("utf-8", "replace")
        if status != 0:
            raise CeremonyError(f"snarkjs ended with status {status}: {_last_line(output)}", "snarkjs_failed")
        return output


def _places(folder: Path | None) -> list[Path]:
    given = folder or os.environ.get("CHARTSEAL_SNARKJS")
    return [Path(given)] if given else [_CHECKOUT / "tools/ceremony"]


def _version(package: Path) -> str:
    try:
        with package.open("rb") as stream:
            version = _json.loads(stream.read(_LARGEST_PACKAGE))["version"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise CeremonyError("snarkjs is installed, but says no version", "snarkjs_missing") from exc
    return f"snarkjs {version}"


def _environment() -> dict[str, str]:
    """What node needs; nothing that would make it load more code."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}


def _keep_head(stream: IO[bytes] | None, kept: list[bytes]) -> None:
    """Read all, so that it never waits for us, and keep the beginning."""
    assert stream is not None  # noqa: S101 (a pipe)
    length = 0
    while chunk := stream.read1(4_096):  # type: ignore[attr-defined] # typeshed's IO lacks it
        if length < _MOST_OUTPUT:
            kept.append(chunk[: _MOST_OUTPUT - length])
        length += len(chunk)


def _tell(stream: IO[bytes] | None, secret: str | None) -> None:
    assert stream is not None  # noqa: S101 (a pipe)
    try:
        with stream:
            if secret is not None:
                stream.write(secret.encode() + b"\n")
    except BrokenPipeError:  # it ended before; its status tells why
        pass


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it printed nothing"
