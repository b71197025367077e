"""Talks with a node as generators, which ask for one HTTP exchange or one pause after the other, and who carries them.

What is said and concluded stands once, in generators; `run` carries it over requests, `run_async` over aiohttp.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

import aiohttp
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from chartseal.errors import NodeError

T = TypeVar("T")
LARGEST_ANSWER = 64 * 2**20
"""Bytes of an answer, unpacked, that are read."""
_LONGEST_RETRY_AFTER = 60.0
"""Seconds that a node may make us wait."""
_PIECE = 2**16
_CONNECTIONS = 32
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "chartseal"}


@dataclass(frozen=True, slots=True)
class Post:
    """Asks for an exchange; a Reply is sent back into the generator, or a NodeError thrown."""

    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    """Asks for seconds to pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over HTTP."""

    status: int
    body: bytes = field(repr=False)
    retry_after: float | None = None
    """Seconds."""


Talk: TypeAlias = Generator[Post | Pause, Any, T]
"""A generator that returns a T."""


class Endpoint:
    """Where a node answers. The URL may hold a key: errors name the host alone."""

    def __init__(self, url: str, timeout: float, largest: int = LARGEST_ANSWER) -> None:
        """Take an http or https URL, seconds for one exchange, bytes of one answer.

        Raises:
            NodeError: `node_url`.
        """
        self.url, self.timeout, self.largest = url, timeout, largest
        self.host = _host(url)

    def fault(self, detail: str, code: str) -> NodeError:
        """The error to raise."""
        return NodeError(detail, code, self.host)

    def oversized(self) -> NodeError:
        """The error of an answer over the limit."""
        return self.fault(f"the node's answer is over {self.largest} bytes", "node_oversized")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    if host is None:
        raise NodeError("a node's address is an http or https URL", "node_url")
    return host


class Connection:
    """HTTP by requests, safe to share between threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Connect when first used."""
        self._endpoint = endpoint
        self._session = requests.Session()
        self._session.headers.update(_HEADERS)
        # What the environment says of proxies is read now: requests would read it again for each exchange.
        self._session.proxies.update(get_environ_proxies(endpoint.url))
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._session.trust_env = False
        # No cookie is kept: a session that changes is not safe between threads.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS))

    def post(self, body: bytes) -> Reply:
        """One exchange.

        Raises:
            NodeError: `node_timeout`, `node_unreachable`, `node_oversized`.
        """
        try:
            return self._exchange(body)
        except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
            error = self._endpoint.fault("the node does not answer in time", "node_timeout")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            error = self._endpoint.fault("the node cannot be reached", "node_unreachable")
        # Raised here, outside: their exceptions hold the URL, and would hang on ours as its context.
        raise error

    def _exchange(self, body: bytes) -> Reply:
        end = self._endpoint
        deadline = time.monotonic() + end.timeout
        with self._session.post(end.url, body, timeout=end.timeout, stream=True, allow_redirects=False) as response:
            pieces, size = [], 0
            while piece := response.raw.read1(_PIECE, decode_content=True):
                size += len(piece)
                if size > end.largest:
                    raise end.oversized()
                if time.monotonic() > deadline:
                    raise TimeoutError
                pieces.append(piece)
            return Reply(response.status_code, b"".join(pieces), _retry_after(response.headers.get("Retry-After")))

    def close(self) -> None:
        """Close what is open."""
        self._session.close()


class AsyncConnection:
    """HTTP by aiohttp, for one event loop at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Connect when first used."""
        self._endpoint = endpoint
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def post(self, body: bytes) -> Reply:
        """One exchange.

        Raises:
            NodeError: `node_timeout`, `node_unreachable`, `node_oversized`.
        """
        try:
            return await self._exchange(body)
        except TimeoutError:
            error = self._endpoint.fault("the node does not answer in time", "node_timeout")
        except (aiohttp.ClientError, OSError, ValueError):
            error = self._endpoint.fault("the node cannot be reached", "node_unreachable")
        raise error

    async def _exchange(self, body: bytes) -> Reply:
        end = self._endpoint
        async with self._opened().post(end.url, data=body, allow_redirects=False) as response:
            pieces, size = [], 0
            async for piece in response.content.iter_any():
                size += len(piece)
                if size > end.largest:
                    raise end.oversized()
                pieces.append(piece)
            return Reply(response.status, b"".join(pieces), _retry_after(response.headers.get("Retry-After")))

    def _opened(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                headers=_HEADERS,
                timeout=aiohttp.ClientTimeout(total=self._endpoint.timeout),
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=True,
            )
        return self._session

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()


def _retry_after(value: str | None) -> float | None:
    """Seconds, of a header that holds them or a date."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else _until(value)
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def _until(date: str) -> float:
    then = parsedate_to_datetime(date)
    then = then if then.tzinfo is not None else then.replace(tzinfo=UTC)
    return (then - datetime.now(UTC)).total_seconds()


def run(talk: Talk[T], connection: Connection) -> T:
    """Carry a talk to its end.

    Raises:
        ChainError: whatever the talk raises.
    """
    try:
        step = next(talk)
        while True:
            answer: Reply | None = None
            try:
                if isinstance(step, Post):
                    answer = connection.post(step.body)
                else:
                    time.sleep(step.seconds)
            except NodeError as error:
                step = talk.throw(error)
            else:
                step = talk.send(answer)
    except StopIteration as done:
        value: T = done.value
        return value


async def run_async(talk: Talk[T], connection: AsyncConnection) -> T:
    """Carry a talk to its end, without blocking.

    Raises:
        ChainError: whatever the talk raises.
    """
    try:
        step = next(talk)
        while True:
            answer: Reply | None = None
            try:
                if isinstance(step, Post):
                    answer = await connection.post(step.body)
                else:
                    await asyncio.sleep(step.seconds)
            except NodeError as error:
                step = talk.throw(error)
            else:
                step = talk.send(answer)
    except StopIteration as done:
        value: T = done.value
        return value
