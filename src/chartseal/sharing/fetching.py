"""Requests to servers that somebody else named: a link's, a card issuer's.

A URL out of a QR code may point anywhere, this machine's own network included. So a request goes to an https host whose
every address is public, to the very address that was judged (a name cannot turn to another one in between), through no
proxy; no redirect is followed; the answer is bounded in bytes and the whole exchange in time. Plain http and loopback
are for whoever asks for them, on this machine.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from chartseal.errors import SharingError

LONGEST_URL = 2_048
DEADLINE_SECONDS = 30.0
"""For one exchange, its name's lookup included."""
_CONNECT_SECONDS = 10.0
_MOST_ADDRESSES = 4
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Addresses of IPv6 that lead to one of IPv4 (RFC 6052)."""

Host = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer: no redirect, its body whole."""

    status: int
    body: bytes


class Fetcher(Protocol):
    """What asks other people's servers."""

    def __call__(self, url: str, *, most: int, json_body: Mapping[str, Any] | None = None) -> Answer:
        """GET, or POST a JSON object; `most` bounds the answer's bytes.

        Raises:
            SharingError: `url_refused`, `server_unavailable`, `redirect_refused`, `limit_exceeded`; no message shows
                the URL or what it names.
        """


@dataclass(frozen=True, slots=True)
class GuardedFetcher:
    """The one that is used."""

    allows_loopback: bool = False
    """Whether http, and addresses of this machine itself, are asked too: for trying out, and tests."""
    deadline_seconds: float = DEADLINE_SECONDS
    context: ssl.SSLContext | None = None
    """Certificates that are believed; None for the system's."""

    def __call__(self, url: str, *, most: int, json_body: Mapping[str, Any] | None = None) -> Answer:
        """As `Fetcher`. It runs an event loop of its own: call it from none."""
        return asyncio.run(self.fetch(url, most=most, json_body=json_body))

    async def fetch(self, url: str, *, most: int, json_body: Mapping[str, Any] | None = None) -> Answer:
        """As `Fetcher`, in the running event loop."""
        host, port = self._judged(url)
        try:
            async with asyncio.timeout(self.deadline_seconds):
                *others, last = await self._addresses(host, port)
                for address in others:
                    with suppress(httpx.ConnectError, httpx.ConnectTimeout):  # nothing was asked there
                        return await self._exchange(url, host, address, most, json_body)
                return await self._exchange(url, host, last, most, json_body)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            raise SharingError("the server did not answer as it should", "server_unavailable") from exc

    def _judged(self, url: str) -> tuple[str, int]:
        """Host and port of a URL that may be asked."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as exc:
            raise _refused("not a URL") from exc
        if len(url) > LONGEST_URL or not url.isascii() or any(char <= " " or char in "\\\x7f" for char in url):
            raise _refused(f"a URL has at most {LONGEST_URL} characters of ASCII")
        if parts.scheme != "https" and not (parts.scheme == "http" and self.allows_loopback):
            raise _refused("only https is asked")
        if not parts.hostname or "@" in parts.netloc or "%" in parts.netloc or parts.fragment or port == 0:
            raise _refused("a URL names a host, and no user or fragment")
        if parts.scheme == "http" and not _is_loopback_name(parts.hostname):
            raise _refused("only https is asked")
        return parts.hostname, port or (443 if parts.scheme == "https" else 80)

    async def _addresses(self, host: str, port: int) -> list[Host]:
        """The addresses to connect to, once none of the name's is one that may not be asked."""
        try:
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise SharingError("the server's name leads nowhere", "server_unavailable") from exc
        found = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in infos]
        if not found or not all(self._may_ask(address) for address in found):
            raise _refused("the host is on a network that is not asked")
        return found[:_MOST_ADDRESSES]

    def _may_ask(self, address: Host) -> bool:
        if address.is_loopback:
            return self.allows_loopback
        if isinstance(address, ipaddress.IPv6Address):
            inner = _inner(address)
            if inner is not None:
                return self._may_ask(inner) and not inner.is_loopback
        return address.is_global and not address.is_multicast

    async def _exchange(
        self, url: str, host: str, address: Host, most: int, json_body: Mapping[str, Any] | None
    ) -> Answer:
        at = httpx.URL(url).copy_with(host=str(address))
        named = f"[{host}]" if ":" in host else host
        parts = urlsplit(url)
        headers = {
            "host": f"{named}:{parts.port}" if parts.port else named,
            "accept-encoding": "identity",
            "accept": "application/json, application/jose",
        }
        async with (
            httpx.AsyncClient(
                trust_env=False, follow_redirects=False, timeout=_CONNECT_SECONDS, verify=self.context or True
            ) as client,
            client.stream(
                "GET" if json_body is None else "POST",
                at,
                headers=headers,
                json=None if json_body is None else dict(json_body),
                extensions={"sni_hostname": host},  # the certificate is judged for the name, not the address
            ) as response,
        ):
            if 300 <= response.status_code < 400:
                raise SharingError("the server sends elsewhere, where nobody follows", "redirect_refused")
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise SharingError("the server packed its answer, which was not asked for", "server_unavailable")
            return Answer(response.status_code, await _read(response, most))


async def _read(response: httpx.Response, most: int) -> bytes:
    data = bytearray()
    async for piece in response.aiter_raw():
        data += piece
        if len(data) > most:
            raise SharingError(f"the server's answer has more than {most} bytes", "limit_exceeded")
    return bytes(data)


def _is_loopback_name(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address of IPv4 that one of IPv6 leads to."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def _refused(detail: str) -> SharingError:
    return SharingError(detail, "url_refused")
