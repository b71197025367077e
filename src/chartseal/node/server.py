"""The server of a node: one process, whose threads do what waits. Sealing uses threads of its own: nothing forks."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from chartseal.errors import NodeSettingsError
from chartseal.node.logs import configure, logger
from chartseal.node.settings import Settings

_BACKLOG = 512
_KEEP_ALIVE_SECONDS = 15


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 whose heads must come in time: a connection that sends none, or a piece of one, is closed."""

    head_seconds = 15.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes; what is no whole head yet is waited for no longer than before."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if not self._awaits_head():
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._give_up)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _awaits_head(self) -> bool:
        has_answered = self.cycle is None or self.cycle.response_complete
        return has_answered and self.conn.their_state is h11.IDLE

    def _give_up(self) -> None:
        self._deadline = None
        if self._awaits_head() and not self.transport.is_closing():
            self.transport.close()


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say.

    Raises:
        NodeSettingsError: `address_unusable`: somebody else listens there, or it is no address of this machine.
    """
    host, port = settings.listen.host, settings.listen.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise _unusable(exc) from None
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_BACKLOG)
    except OSError as exc:
        found.close()
        raise _unusable(exc) from None
    return found


def _unusable(error: OSError) -> NodeSettingsError:
    return NodeSettingsError(f"the address cannot be listened on: {error.strerror}", "address_unusable", "listen")


def serve(settings: Settings, app: FastAPI, listener: socket.socket) -> None:
    """Answer until SIGTERM or SIGINT: then what is in flight ends, and nothing new begins.

    Raises:
        NodeSettingsError: `start_failed`; the log says why.
    """
    configure(settings.log.level)
    server = uvicorn.Server(_config(settings, app))
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them once more when it has ended well
        signal.signal(number, signal.SIG_IGN)
    host, port = listener.getsockname()[:2]
    logger().info("listening", host=host, port=port)
    try:
        server.run(sockets=[listener])
    except SystemExit:
        raise NodeSettingsError("the node could not start", "start_failed") from None
    logger().info("ended")


def _config(settings: Settings, app: FastAPI) -> uvicorn.Config:
    bounded: dict[str, Any] = {"head_seconds": settings.limits.idle_seconds}
    proxies = list(settings.listen.trusted_proxies)
    return uvicorn.Config(
        app,
        http=type("Protocol", (BoundedProtocol,), bounded),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        h11_max_incomplete_event_size=settings.limits.header_bytes + settings.limits.target_bytes,
        limit_concurrency=settings.listen.most_connections,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.listen.shutdown_seconds,
    )
