"""Receiving in a thread of its own, so that whoever waits says how long, all in all.

A connection's timeouts count from one byte to the next: a server that sends one now and then, of a header too, keeps
every one of them and never ends.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing, suppress
from datetime import timedelta
from io import RawIOBase
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeAlias

from chartseal.errors import WalletStoreError

THREAD = "chartseal-mailbox"
_AHEAD = 4
"""Pieces that wait for whoever takes them."""

_Piece: TypeAlias = bytes | Exception | None
"""Of the end None; of what failed in the thread why."""


class Patience:
    """How much longer a mailbox is waited for."""

    def __init__(self, limit: timedelta) -> None:
        """Take how long in all."""
        self._left = limit.total_seconds()

    def require(self) -> None:
        """Let nothing be begun that is not waited for.

        Raises:
            WalletStoreError: `mailbox_unavailable`: all of it is used up.
        """
        if self._left <= 0:
            raise _impatient()

    def wait(self, pieces: Queue[_Piece]) -> _Piece:
        """The next piece; only the time until it is there counts.

        Raises:
            WalletStoreError: `mailbox_unavailable`: that took too long.
        """
        began = time.monotonic()
        try:
            return pieces.get(timeout=max(0.0, self._left))
        except Empty:
            raise _impatient() from None
        finally:
            self._left -= time.monotonic() - began


def _impatient() -> WalletStoreError:
    return WalletStoreError("the mailbox takes longer than it is waited for", "mailbox_unavailable")


def received(source: Generator[bytes, None, None], patience: Patience) -> Generator[bytes, None, None]:
    """The pieces of `source`, which a thread goes through; it stops at the next one when nobody takes them any more.

    Raises:
        WalletStoreError: `mailbox_unavailable`: they were waited for as long as `patience` allows.
        Exception: what `source` raises.
    """
    patience.require()
    pieces: Queue[_Piece] = Queue(_AHEAD)
    is_over = Event()
    Thread(target=_fill, args=(source, pieces, is_over), name=THREAD, daemon=True).start()
    try:
        while (piece := patience.wait(pieces)) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece
    finally:
        is_over.set()
        with suppress(Empty):  # the thread may wait for room
            while True:
                pieces.get_nowait()


def _fill(source: Generator[bytes, None, None], pieces: Queue[_Piece], is_over: Event) -> None:
    with closing(source):
        try:
            for piece in source:
                pieces.put(piece)
                if is_over.is_set():
                    return
            pieces.put(None)
        except Exception as exc:
            pieces.put(exc)


class Pieces(RawIOBase):
    """Pieces as a stream; to close it closes them."""

    def __init__(self, source: Generator[bytes, None, None]) -> None:
        """Take them, none of which is empty."""
        self._source, self._rest = source, b""

    def readable(self) -> bool:
        """That it is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's is any buffer
        """The next bytes, as many as are there."""
        self._rest = self._rest or next(self._source, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Take no more."""
        self._source.close()
        super().close()
