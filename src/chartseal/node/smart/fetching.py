"""Small answers from other nodes, fetched from where an accreditation says, which may be anywhere.

Whoever is accredited writes the address that this node calls. So it is https (http only for loopback, by a setting);
the name is resolved once, every address must be public or of a network that the setting names, and the connection goes
to that very address while the certificate is checked for the name; redirects, proxies and compression are refused; size
and time are bounded as a whole, however slowly an answer drips.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from chartseal.errors import PeerError

LONGEST_URL = 1_000
LARGEST_ANSWER = 65_536
"""Bytes."""
PATIENCE = 5.0
"""Seconds for a whole exchange."""

_MOST_ADDRESSES = 16
_TRIED = 2
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?", re.ASCII)
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "chartseal"}
_NAT64 = IPv6Network("64:ff9b::/96")
_RESOLVING = ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolve")
"""The system's resolver cannot be broken off; a name that takes too long holds one of these, and no request."""

IPAddress = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""Host and port -> its addresses as text."""


def system_resolver(host: str, port: int) -> Sequence[str]:
    """What the system says.

    Raises:
        OSError: the name is not known.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Reach:
    """Where this node may call."""

    allows_loopback: bool = False
    """This machine itself, with http too: for development, never beside anything that trusts this machine."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that are not public and may be called all the same, as a hospital group's own."""
    resolve: Resolver = system_resolver
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """Whom to trust as other nodes; None for the certificates that httpx trusts."""

    def may_call(self, address: IPAddress) -> bool:
        """Whether it is public or allowed. Addresses that stand for another (mapped, NAT64, 6to4) are judged as it."""
        meant = _meant(address)
        if meant.is_loopback:
            return self.allows_loopback
        if any(meant in network for network in self.networks if network.version == meant.version):
            return True
        is_special = meant.is_multicast or meant.is_reserved or (meant.version == 6 and meant.is_site_local)
        return meant.is_global and not is_special


class Answer(NamedTuple):
    """An answer's status and whole content."""

    status: int
    content: bytes


class _Target(NamedTuple):
    host: str
    port: int
    scheme: str
    path: str
    """With its query."""

    @property
    def host_header(self) -> str:
        """As the Host header has it."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


_PORTS = {"https": 443, "http": 80}


def fetch(
    url: str,
    reach: Reach,
    *,
    form: Mapping[str, str] | None = None,
    largest: int = LARGEST_ANSWER,
    patience: float = PATIENCE,
) -> Answer:
    """GET a URL, or POST a form to it. Not to be called in an event loop: it blocks, for `patience` seconds at most.

    Raises:
        PeerError: `peer_url`: not a URL that is called; `peer_address`: it leads where this node may not call;
            `peer_unreachable`, `peer_slow`, `peer_tls`, `peer_redirects`, `limit_exceeded`. No message holds the URL.
    """
    target = _target(url, reach)
    addresses = _resolved(target, reach, patience)
    return asyncio.run(_call(target, addresses[:_TRIED], reach, form, largest, patience))


def _target(url: str, reach: Reach) -> _Target:
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or {" ", "\\", "#"} & set(url):
        raise _bad_url()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise _bad_url() from exc
    host = parts.hostname or ""
    if "@" in parts.netloc or not (_NAME.fullmatch(host) or _literal(host)) or port == 0:
        raise _bad_url()
    if parts.scheme != "https" and not (parts.scheme == "http" and reach.allows_loopback):
        raise _bad_url()
    query = f"?{parts.query}" if parts.query else ""
    return _Target(host, port or _PORTS[parts.scheme], parts.scheme, (parts.path or "/") + query)


def _resolved(target: _Target, reach: Reach, patience: float) -> list[IPAddress]:
    """The addresses of a target, all of which may be called: a name that mixes them is refused whole."""
    literal = _literal(target.host)
    texts: Sequence[str] = [target.host]
    if literal is None:
        try:
            texts = _RESOLVING.submit(reach.resolve, target.host, target.port).result(patience)
        except TimeoutError:
            raise PeerError("its name could not be resolved in time", "peer_slow") from None
        except (OSError, UnicodeError) as exc:
            raise PeerError("its name is not known", "peer_unreachable") from exc
    found = [_literal(text) for text in texts[:_MOST_ADDRESSES]]
    addresses = [each for each in found if each is not None]
    if not addresses or len(addresses) != len(texts):
        raise PeerError("its name has no addresses that can be called", "peer_unreachable")
    is_plain = target.scheme == "http"
    if not all(reach.may_call(each) and (not is_plain or _meant(each).is_loopback) for each in addresses):
        raise PeerError("it leads to an address that this node may not call", "peer_address")
    return addresses


def _literal(text: str) -> IPAddress | None:
    """An address; one with a zone is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if "%" in text else address


def _meant(address: IPAddress) -> IPAddress:
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


async def _call(
    target: _Target,
    addresses: Sequence[IPAddress],
    reach: Reach,
    form: Mapping[str, str] | None,
    largest: int,
    patience: float,
) -> Answer:
    verify = reach.tls if reach.tls is not None else True
    try:
        async with (
            asyncio.timeout(patience),  # of the whole: httpx's own timeouts begin anew with each byte
            httpx.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113
        ):
            return await _first(client, target, addresses, form, largest)
    except TimeoutError:
        raise PeerError("it did not answer in time", "peer_slow") from None


async def _first(
    client: httpx.AsyncClient,
    target: _Target,
    addresses: Sequence[IPAddress],
    form: Mapping[str, str] | None,
    largest: int,
) -> Answer:
    """The answer of the first address that takes the connection."""
    try:
        return await _exchange(client, target, addresses[0], form, largest)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        may_go_on = isinstance(exc, httpx.ConnectError) and not _is_about_tls(exc)
        if not may_go_on or len(addresses) == 1:
            raise _told(exc) from exc
    return await _first(client, target, addresses[1:], form, largest)


async def _exchange(
    client: httpx.AsyncClient, target: _Target, address: IPAddress, form: Mapping[str, str] | None, largest: int
) -> Answer:
    literal = f"[{address}]" if address.version == 6 else str(address)
    request = client.build_request(
        "GET" if form is None else "POST",
        f"{target.scheme}://{literal}:{target.port}{target.path}",
        headers={"Host": target.host_header, **_HEADERS},
        data=form,
        extensions={"sni_hostname": target.host},  # the name that the certificate must be for
    )
    response = await client.send(request, stream=True)
    try:
        if 300 <= response.status_code < 400:
            raise PeerError("it answers with a redirect, which is not followed", "peer_redirects")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise PeerError("it answers compressed, which was not asked for", "peer_answer")
        return Answer(response.status_code, await _content(response, largest))
    finally:
        await response.aclose()


async def _content(response: httpx.Response, largest: int) -> bytes:
    content = bytearray()
    async for piece in response.aiter_raw():
        content += piece
        if len(content) > largest:
            raise PeerError(f"its answer has more than {largest} bytes", "limit_exceeded")
    return bytes(content)


def _is_about_tls(error: Exception) -> bool:
    """Whether the certificate or the handshake is the cause, somewhere beneath."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _told(error: Exception) -> PeerError:
    if _is_about_tls(error):
        return PeerError("its certificate does not hold for its name", "peer_tls")
    return PeerError("it cannot be reached, or breaks off", "peer_unreachable")


def _bad_url() -> PeerError:
    return PeerError("not a URL that this node calls: https, a host, no user", "peer_url")
