"""How often one client may ask: by who it proves to be, else by its address."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers
from starlette.types import Scope

from chartseal.errors import ServiceError

Identify = Callable[[Headers], str | None]
"""Who sends a request, where its headers prove it; None otherwise. It is asked before the body is read."""

_NETWORK_BITS = 64
"""Of an IPv6 address: whoever has one has as many as they like behind it."""


class Rates:
    """Counts requests in this process's memory, in a window that slides over a minute."""

    def __init__(self, per_minute: int, identify: Identify = lambda _: None) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._counter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._identify = identify

    def require(self, scope: Scope, headers: Headers) -> str | None:
        """Count a request; returns the client's name, where it proves one.

        Raises:
            ServiceError: `rate_exceeded`.
        """
        client = self._identify(headers)
        key = f"client:{client}" if client is not None else f"address:{_address(scope)}"
        if not self._counter.hit(self._limit, key):
            raise ServiceError("too many requests in a minute", "rate_exceeded")
        return client


def _address(scope: Mapping[str, object]) -> str:
    """The network that a request came from; all that say none are one."""
    client = scope.get("client")
    text = str(client[0]) if isinstance(client, (tuple, list)) and client else ""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _NETWORK_BITS), strict=False))
    return str(address)
