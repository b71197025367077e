"""Bodies of requests as they come in: counted, unpacked, and timed, whatever reads them.

A body may be packed by gzip. What comes is bounded before and after unpacking, so that nothing small becomes
large; a sender that stalls or trickles is given up.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from chartseal.errors import ServiceError
from chartseal.node.settings import Limits

_FREE = 1 << 20
"""Bytes up to which no ratio of unpacking is looked at."""
_PIECE = 1 << 18
"""Bytes that are unpacked at once."""
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Bounds:
    """What a body may be: `most` bytes, unpacked too."""

    most: int
    limits: Limits


def require_fitting(headers: Headers, bounds: Bounds) -> bool:
    """Look at what a request says of its body; returns whether it is packed.

    Raises:
        ServiceError: `body_too_large`, `encoding_unsupported`, `request_malformed`.
    """
    lengths = headers.getlist("content-length")
    if len(lengths) > 1 or any(not (each.isascii() and each.isdigit()) for each in lengths):
        raise ServiceError("Content-Length is no number", "request_malformed")
    if lengths and "transfer-encoding" in headers:  # a proxy and the node might see two requests in it
        raise ServiceError("the body has two lengths", "request_malformed")
    if lengths and int(lengths[0]) > bounds.most:
        raise too_large(bounds.most)
    encodings = [each.strip().lower() for text in headers.getlist("content-encoding") for each in text.split(",")]
    if encodings not in ([], ["identity"], ["gzip"]):
        raise ServiceError("a body is packed by gzip, once, or not at all", "encoding_unsupported")
    return encodings == ["gzip"]


def too_large(most: int) -> ServiceError:
    """The error of a body that is too long."""
    return ServiceError(f"the body is longer than {most} bytes", "body_too_large")


class Body:
    """A request's body in place of the server's own `receive`."""

    def __init__(self, receive: Receive, bounds: Bounds, *, is_packed: bool, clock: Callable[[], float]) -> None:
        self._receive, self._bounds, self._clock = receive, bounds, clock
        self._unpack = _Unpack(bounds) if is_packed else None
        self._came = 0
        self._waited = 0.0
        self.is_done = False

    async def receive(self) -> Message:
        """The next message; an unpacked piece may be larger than what came.

        Raises:
            ServiceError: `body_too_large`, `unpacks_too_large`, `body_malformed`, `request_too_slow`.
        """
        if self.is_done:
            return await self._receive()  # until the client goes: nothing of it is timed
        message = await self._next()
        if message["type"] != "http.request":
            return message
        piece, self.is_done = message.get("body", b""), not message.get("more_body", False)
        self._came += len(piece)
        if self._came > self._bounds.most:
            raise too_large(self._bounds.most)
        if self._unpack is not None:
            piece = await asyncio.to_thread(self._unpack.feed, piece, is_last=self.is_done)
        return {"type": "http.request", "body": piece, "more_body": not self.is_done}

    async def _next(self) -> Message:
        """Wait for the sender; the time in which the node itself works does not count."""
        limits = self._bounds.limits
        allowed = limits.idle_seconds + self._came / limits.bytes_per_second - self._waited
        began = self._clock()
        try:
            async with asyncio.timeout(max(0.0, min(limits.idle_seconds, allowed))):
                message = await self._receive()
        except TimeoutError:
            raise ServiceError("the body came too slowly", "request_too_slow") from None
        self._waited += self._clock() - began
        return message


class _Unpack:
    """gzip, of one member or several, in bounded memory."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._inflate = zlib.decompressobj(_GZIP)
        self._packed = self._unpacked = 0
        self._has_begun = False

    def feed(self, data: bytes, *, is_last: bool) -> bytes:
        """What a piece unpacks to.

        Raises:
            ServiceError: `unpacks_too_large`, `body_malformed`.
        """
        self._packed += len(data)
        found = bytearray()
        try:
            while data:
                found += self._some(data)
                data = self._inflate.unconsumed_tail or self._next_member()
        except zlib.error:
            raise ServiceError("the body is not packed by gzip", "body_malformed") from None
        if is_last and self._has_begun and not self._inflate.eof:
            raise ServiceError("the packed body breaks off", "body_malformed")
        return bytes(found)

    def _some(self, data: bytes) -> bytes:
        self._has_begun = True
        piece = self._inflate.decompress(data, _PIECE)
        self._unpacked += len(piece)
        is_bomb = self._unpacked > max(_FREE, self._packed * self._bounds.limits.unpacked_ratio)
        if self._unpacked > self._bounds.most or is_bomb:
            raise ServiceError("the body unpacks to more than is taken", "unpacks_too_large")
        return piece

    def _next_member(self) -> bytes:
        rest = self._inflate.unused_data
        if rest:
            self._inflate = zlib.decompressobj(_GZIP)
        return rest


def monotonic() -> float:
    """Seconds of a clock that never goes back."""
    return time.monotonic()
