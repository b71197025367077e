"""What stands before every route: a request's name, its limits, and the headers, log line and counts of its answer."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chartseal.errors import ChartsealError, ServiceError
from chartseal.node import problems
from chartseal.node.bodies import Body, Bounds, monotonic, require_fitting
from chartseal.node.logs import fault, logger
from chartseal.node.metrics import Metrics
from chartseal.node.rates import Rates
from chartseal.node.settings import Limits

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{7,63}", re.ASCII)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNROUTED = "unrouted"
"""What a route is called where none fits: a path may hold anything."""
_UNCOUNTED = frozenset({"/health", "/ready", "/metrics"})
"""What is asked by the machine that watches the node: no rate holds it back."""

_SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-resource-policy": "same-origin",
}
_HTTPS = {"strict-transport-security": "max-age=31536000"}


@dataclass
class _Seen:
    """What is known of one request."""

    id: str
    started: float
    status: int = 0
    has_started: bool = False
    client: str | None = None
    body: Body | None = field(default=None, repr=False)


class Guard:
    """The outermost part of the app."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        rates: Rates,
        metrics: Metrics,
        is_https: bool,
        larger: Mapping[str, int],
    ) -> None:
        """`larger`: bytes that bodies to these paths may have instead of the general limit."""
        self._app, self._limits, self._rates, self._metrics, self._larger = app, limits, rates, metrics, larger
        self._headers = _SECURITY | (_HTTPS if is_https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens in it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no WebSocket is served
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        seen = _Seen(_request_id(headers), time.perf_counter())
        scope.setdefault("state", {})["request_id"] = seen.id
        with structlog.contextvars.bound_contextvars(request_id=seen.id), self._metrics.in_flight.track_inprogress():
            try:
                await self._answer(scope, headers, receive, self._finishing(scope, headers, send, seen), seen)
            finally:
                self._note(scope, seen)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, send: Send, seen: _Seen) -> None:
        try:
            seen.body = self._admit(scope, headers, receive, seen)
            scope["state"]["client"] = seen.client
            await self._app(scope, seen.body.receive, send)
        except ChartsealError as error:
            self._metrics.refused.labels(error.code).inc()
            if seen.has_started:
                raise _broken_off() from None
            await problems.answer(scope, error, seen.id)(scope, receive, send)
        except ClientDisconnect:
            pass  # there is nobody to answer
        except Exception as error:
            logger().error("fault", **fault(error))
            if seen.has_started:
                raise _broken_off() from None
            await problems.unexpected(scope, seen.id)(scope, receive, send)

    def _admit(self, scope: Scope, headers: Headers, receive: Receive, seen: _Seen) -> Body:
        """The request's body, once its head is within all limits.

        Raises:
            ServiceError: a limit is exceeded, or the head is malformed.
        """
        limits = self._limits
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > limits.target_bytes:
            raise ServiceError("the path and query are too long", "target_too_long")
        size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if len(scope["headers"]) > limits.headers or size > limits.header_bytes:
            raise ServiceError("the headers are too many or too long", "headers_too_large")
        if scope["path"] not in _UNCOUNTED:
            seen.client = self._rates.require(scope, headers)
        bounds = Bounds(self._larger.get(scope["path"], limits.body_bytes), limits)
        is_packed = require_fitting(headers, bounds)
        return Body(receive, bounds, is_packed=is_packed, clock=monotonic)

    def _finishing(self, scope: Scope, headers: Headers, send: Send, seen: _Seen) -> Send:
        """`send`, with what every answer bears."""
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.has_started, seen.status = True, message["status"]
                answered = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    answered.setdefault(name, value)
                answered["x-request-id"] = seen.id
                if has_body and not (seen.body is not None and seen.body.is_done):
                    answered["connection"] = "close"  # nobody reads the rest of it
            await send(message)

        return finish

    def _note(self, scope: Scope, seen: _Seen) -> None:
        """Count the request, and log it without what its path and query say."""
        route, method = route_of(scope), scope["method"] if scope["method"] in _METHODS else "OTHER"
        seconds = time.perf_counter() - seen.started
        status = seen.status or 499  # the client went before there was an answer
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        told: dict[str, Any] = {"method": method, "route": route, "status": status, "ms": round(seconds * 1_000, 1)}
        if seen.client is not None:
            told["client"] = seen.client
        logger().info("request", **told)


def route_of(scope: Scope) -> str:
    """The route as it is declared, with its parameters' names in place of what was asked."""
    route = scope.get("route")
    return str(getattr(route, "path_format", None) or getattr(route, "path", UNROUTED))


def _request_id(headers: Headers) -> str:
    """The one that the caller gave, where it is a plain name; else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def _broken_off() -> RuntimeError:
    """Ends the connection, so that nobody takes half an answer for a whole one."""
    return RuntimeError("an answer broke off")
