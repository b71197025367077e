"""eas-sdk 2.10 in a Node process, asked over JSON lines: a peer for conformance tests and for benches."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SDK = "eas-sdk 2.10"
_FOLDER = Path(__file__).resolve().parent.parent / "tests" / "conformance"


class PeerError(Exception):
    """The peer threw."""


class Peer:
    """A running peer; use it as a context manager."""

    def __init__(self) -> None:
        if not (_FOLDER / "node_modules").is_dir():
            raise FileNotFoundError("the peer is not installed: run `npm ci --ignore-scripts` in tests/conformance")
        self._process = subprocess.Popen(
            ["node", "peer.cjs"],
            cwd=_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=10)

    def call(self, name: str, **request: Any) -> Any:
        """The result of one call.

        Raises:
            PeerError: the SDK threw.
        """
        return self._ask({"call": name, **request})["result"]

    def cpu_seconds(self, name: str, times: int, **request: Any) -> float:
        """CPU seconds of one call, measured inside Node over `times` of them after a tenth as many to warm up."""
        self._ask({"call": name, "times": max(1, times // 10), **request})
        return float(self._ask({"call": name, "times": times, **request})["cpu_seconds"]) / times

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer
