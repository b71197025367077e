"""What drills of kills kill: forks of a process that has imported everything already.

The module that works calls `serve` when it is run; the drill drives it by `Victims`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import IO

from chartseal.errors import ChartsealError


class Victims:
    """Forks of a warm process that work until they are killed."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.read() == "ready"

    def read(self) -> str:
        return _pipe(self.process.stdout).readline().strip()

    def start(self, word: str) -> int:
        """Fork one that does what the word says; returns its process id."""
        _pipe(self.process.stdin).write(word + "\n")
        _pipe(self.process.stdin).flush()
        return int(self.read())

    def end(self) -> int:
        """The exit code of the one that was started last; negative, the signal that killed it."""
        return int(self.read())

    def close(self) -> None:
        _pipe(self.process.stdin).close()
        self.process.wait(timeout=60)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def serve(work: Callable[[str], None]) -> None:
    """Fork a process for each line of standard input, which does that work and ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work(line.strip())
                status = 0
            except ChartsealError as error:
                print(error.code, file=sys.stderr, flush=True)
            finally:
                os._exit(status)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
