"""The app of a node: its routers behind the guard, with one way to answer errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

import anyio.to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from chartseal.attestation import Address
from chartseal.errors import ChartsealError, ServiceError
from chartseal.node import problems
from chartseal.node.binding import BoundAnswers
from chartseal.node.guard import Guard
from chartseal.node.health import Check
from chartseal.node.health import router as health_router
from chartseal.node.metrics import Metrics
from chartseal.node.rates import Identify, Rates
from chartseal.node.settings import Settings

Service = Callable[[], AbstractAsyncContextManager[None]]
"""What works beside the requests: begun before the first, ended after the last."""


@dataclass(frozen=True)
class Parts:
    """What an app is made of."""

    settings: Settings
    routers: Sequence[APIRouter] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    """What `/ready` looks at, by name."""
    services: Sequence[Service] = ()
    identify: Identify = lambda _: None
    """Who sends a request, for its rate."""
    larger_bodies: Mapping[str, int] = field(default_factory=dict)
    """Bytes that bodies to these paths may have in place of `limits.body_bytes`."""
    metrics: Metrics = field(default_factory=Metrics)
    custodian: Address | None = None
    """The account that the node answers by, which its answers name to who asks."""


def create_app(parts: Parts) -> FastAPI:
    """The app, which any ASGI server runs.

    Whatever a route raises is answered: a ChartsealError by its code, all else as 500 with the request's id alone.
    """
    app = FastAPI(
        title="Chartseal node",
        version=version("chartseal"),
        docs_url=None,  # those pages load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan(parts),
        redirect_slashes=False,
    )
    app.state.metrics = parts.metrics
    for router in (health_router(parts.checks, parts.metrics), *parts.routers):
        app.include_router(router)
    for kind in (ChartsealError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _answer)
    if parts.custodian is not None:
        app.add_middleware(BoundAnswers, custodian=parts.custodian)
    limits = parts.settings.limits
    app.add_middleware(
        Guard,
        limits=limits,
        rates=Rates(limits.requests_per_minute, parts.identify),
        metrics=parts.metrics,
        is_https=parts.settings.base_url.startswith("https://"),
        larger=parts.larger_bodies,
    )
    return app


def _lifespan(parts: Parts) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = parts.settings.listen.threads
        async with AsyncExitStack() as stack:
            for service in parts.services:
                await stack.enter_async_context(service())
            yield

    return run


async def _answer(request: Request, error: Exception) -> Response:
    """A deliberate error's answer, or one of the framework's own."""
    found = _ours(error)
    metrics_of(request).refused.labels(found.code).inc()
    answered = problems.answer(request.scope, found, request.state.request_id)
    if isinstance(error, HTTPException) and error.headers and "Allow" in error.headers:
        answered.headers["Allow"] = error.headers["Allow"]
    return answered


def _ours(error: Exception) -> ChartsealError:
    if isinstance(error, ChartsealError):
        return error
    if isinstance(error, RequestValidationError):
        places = [".".join(map(str, each["loc"])) for each in error.errors()[:1]]
        return ServiceError("a parameter or the body is not as the API says", "request_malformed", "".join(places))
    if isinstance(error.__cause__, ChartsealError):  # what the body's limits raised while the framework read it
        return error.__cause__
    status = error.status_code if isinstance(error, HTTPException) else 400
    codes = {404: "not_found", 405: "method_not_allowed"}
    details = {404: "there is nothing here", 405: "not by this method"}
    return ServiceError(details.get(status, "the request is malformed"), codes.get(status, "request_malformed"))


def metrics_of(request: Request) -> Metrics:
    """The app's counters."""
    found = request.app.state.metrics
    assert isinstance(found, Metrics)  # noqa: S101 (set where the app is made)
    return found
