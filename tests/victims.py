"""What drills of kills kill: forks of a process that has imported everything already.

The module that works calls `serve` when it is run; the drill drives it by `Victims`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
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
        _pipe(self.process.stdin).write("end\n")
        _pipe(self.process.stdin).flush()
        return int(self.read())

    def run(self, word: str) -> None:
        """One that works to its end."""
        self.start(word)
        assert self.end() == 0

    def kill(self, word: str, after: float) -> bool:
        """Start one and kill it so many seconds later; whether it was still at work."""
        child = self.start(word)
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        code = self.end()
        assert code in (0, -signal.SIGKILL)
        return code != 0

    def close(self) -> None:
        _pipe(self.process.stdin).close()
        self.process.wait(timeout=60)


class Moments:
    """When to kill: at random, spread over the whole work, however long that takes on this machine.

    One in five falls anywhere; the others between the times at which the work seems to begin to change something and to
    end, so that short works are met in their middle too.
    """

    def __init__(self, longest: float = 0.3) -> None:
        self._earliest, self._longest, self._since = 0.0, longest, time.monotonic()
        self.fell = Counter[str]()

    def next(self) -> float:
        """Seconds from the start of a work to its kill."""
        return random.uniform(0 if random.random() < 0.2 else self._earliest, self._longest)

    def note(self, *, has_begun: bool, is_done: bool) -> None:
        """Tell where a kill fell: before the first change, between that and the last, or after all of it."""
        self.fell["after" if is_done else "within" if has_begun else "before"] += 1
        if is_done:
            self._longest *= 0.9
        elif has_begun:
            self._longest *= 1.02
            self._earliest *= 0.95
        else:
            self._longest *= 1.1
            self._earliest += 0.1 * (self._longest - self._earliest)
        self._longest = min(20, max(0.005, self._longest))
        self._earliest = min(self._earliest, 0.8 * self._longest)

    @property
    def kills(self) -> int:
        """How many there were."""
        return self.fell.total()

    def told(self, what: str, records: int) -> str:
        """One line about a drill."""
        seconds = time.monotonic() - self._since
        where = ", ".join(f"{self.fell[each]} {each}" for each in ("before", "within", "after"))
        return f"\n{what}: {self.kills} kills ({where} the work), {records} records, {seconds:.0f} s"


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
        sys.stdin.readline()  # until then its number is nobody else's
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
