"""A server of shared links on loopback, for tests: uvicorn in a thread, over a store of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from chartseal.sharing.fetching import GuardedFetcher
from chartseal.sharing.links import ShareStore
from chartseal.sharing.links.routes import link_routes

LOCAL = GuardedFetcher(allows_loopback=True, deadline_seconds=20)


@contextmanager
def serving(app: FastAPI, listening: socket.socket) -> Iterator[None]:
    """The app answers on the socket meanwhile."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
    running = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    running.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        running.join(20)


@contextmanager
def link_server(place: str | Path) -> Iterator[ShareStore]:
    """A new store at a place, served under its base."""
    listening = socket.create_server(("127.0.0.1", 0))
    store = ShareStore.open(str(place), base=f"http://127.0.0.1:{listening.getsockname()[1]}/s", create=True)
    app = FastAPI()
    app.include_router(link_routes(store), prefix="/s")
    with serving(app, listening):
        yield store
    store.close()
