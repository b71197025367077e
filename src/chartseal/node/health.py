"""Whether a node runs, whether it can work, and what it counted; and its API in words."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from chartseal.errors import ChartsealError
from chartseal.node.metrics import CONTENT_TYPE, Metrics

Check = Callable[[], None]
"""Raises a ChartsealError where something cannot be used; it may wait."""

PATIENCE = 10.0
"""Seconds that a check may take."""


class Checks:
    """Checks by name, each in a thread of its own: one that hangs holds up neither the others nor the requests."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._threads = ThreadPoolExecutor(max_workers=max(1, len(checks)), thread_name_prefix="check")
        self._running: dict[str, Future[None]] = {}

    async def run(self) -> dict[str, str]:
        """By the name of each check: ok, or the code of what is wrong."""
        found = await asyncio.gather(*map(self._run, self._checks))
        return dict(zip(self._checks, found, strict=True))

    async def _run(self, name: str) -> str:
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = self._threads.submit(self._checks[name])
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(asyncio.wrap_future(running))
        except TimeoutError:
            return "timeout"
        except ChartsealError as error:
            return error.code
        except Exception:
            return "internal_error"
        return "ok"


def router(checks: Mapping[str, Check], metrics: Metrics) -> APIRouter:
    """The routes."""
    made, looked_at = APIRouter(tags=["node"]), Checks(checks)

    @made.get("/health")
    async def health() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @made.get("/ready", responses={503: {"description": "Something that the node needs cannot be used"}})
    async def ready() -> JSONResponse:
        """The database, keys, queue and spool can be used."""
        found = await looked_at.run()
        is_ready = all(each == "ok" for each in found.values())
        return JSONResponse({"ready": is_ready, "checks": found}, 200 if is_ready else 503)

    @made.get("/metrics", response_class=Response)
    async def counts() -> Response:
        """Counters in Prometheus' text format; not for the outside."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @made.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def documentation(request: Request) -> HTMLResponse:
        return HTMLResponse(page(request.app.openapi()))

    return made


def page(schema: Mapping[str, Any]) -> str:
    """The API as a page without scripts: it loads nothing from anywhere."""
    rows = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            cells = (method.upper(), path, operation.get("summary", ""), operation.get("description", ""))
            rows.append("<tr>" + "".join(f"<td>{html.escape(each)}</td>" for each in cells) + "</tr>")
    title = html.escape(f"{schema['info']['title']} {schema['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
        '<p><a href="/openapi.json">openapi.json</a></p><table border="1"><thead><tr><th>Method</th><th>Path</th>'
        f"<th>Name</th><th>What</th></tr></thead><tbody>{''.join(rows)}</tbody></table></html>"
    )
