"""The pages of another node's answer: fetched from one origin, within limits of size, number and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from chartseal.attestation import Address, address_from, from_hex, to_hex
from chartseal.errors import AttestationError, PullError
from chartseal.node.binding import CUSTODIAN_HEADER, NONCE_HEADER
from chartseal.node.pull.bundles import BundlePage, read_page
from chartseal.verification.answers import check_channel

_ATTEMPTS = 3
_LONGEST_READ_SECONDS = 20.0
_LONGEST_URL = 8_192
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MEDIA = frozenset({"application/fhir+json", "application/json"})
_OK, _REDIRECTS = 200, range(300, 400)
_PASSING = frozenset({429, 502, 503, 504})
_REFUSED = {401: "peer_denied", 403: "peer_denied", 404: "peer_not_found", 410: "peer_not_found"}


class HttpClient(Protocol):
    """What is used of `httpx.Client`."""

    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], timeout: float, follow_redirects: bool
    ) -> AbstractContextManager[httpx.Response]:
        """Send a request; the body of the answer is read as it comes."""


@dataclass(frozen=True, slots=True)
class PullLimits:
    """What one answer may come to."""

    pages: int = 1_000
    page_size: int = 1 << 25
    """Bytes of one page."""
    total_size: int = 1 << 28
    """Bytes of all pages."""
    entries: int = 25_000
    """Resources and Provenances in all pages."""
    seconds: float = 120.0
    """For all pages together."""


class Peer(NamedTuple):
    """The node that is asked."""

    custodian: Address
    """The account that the channel to `base` proves: whose accreditation has this endpoint, over TLS."""
    base: str
    """Its FHIR base URL."""
    allow_loopback: bool = False
    """Whether plain http to this very machine will do."""


@dataclass(frozen=True)
class Pages:
    """One question to one node, answered in pages."""

    client: HttpClient
    peer: Peer
    nonce: bytes
    token: str | None = field(default=None, repr=False)
    limits: PullLimits = PullLimits()
    clock: Callable[[], float] = time.monotonic

    def fetch(self, url: str) -> Iterator[BundlePage]:
        """The page at a URL of the node, and those that its `next` links name.

        Raises:
            PullError: `peer_insecure`, `peer_other_origin`, `peer_redirects`, `peer_denied`, `peer_not_found`,
                `peer_unreachable`, `peer_refused`, `answer_malformed`, `pages_repeated`, `limit_exceeded`.
            AudienceError: answered by another custodian, or to another request.
        """
        deadline = self.clock() + self.limits.seconds
        seen: set[str] = set()
        size = entries = 0
        following: str | None = self._checked(self.peer.base, url)
        while following is not None:
            if following in seen:
                raise PullError("a page leads back to one that came before", "pages_repeated")
            seen.add(following)
            if len(seen) > self.limits.pages:
                raise PullError(f"more than {self.limits.pages} pages", "limit_exceeded")
            body = self._body(following, deadline, self.limits.total_size - size)
            size += len(body)
            page = read_page(body)
            entries += page.count
            if entries > self.limits.entries:
                raise PullError(f"more than {self.limits.entries} resources", "limit_exceeded")
            yield page
            following = None if page.following is None else self._checked(following, page.following)

    def _checked(self, at: str, url: str) -> str:
        """The absolute URL of a page, which lies where the node does: a token goes nowhere else."""
        if len(url) > _LONGEST_URL:
            raise PullError("a page's URL is too long", "limit_exceeded")
        base, target = _url(self.peer.base), _url(url, at)
        is_loopback = self.peer.allow_loopback and base.scheme == "http" and base.host in _LOOPBACK
        if base.scheme != "https" and not is_loopback:
            raise PullError("a node is asked over https alone", "peer_insecure")
        if _origin(target) != _origin(base) or target.userinfo or base.userinfo:
            raise PullError("a page lies at another origin than the node", "peer_other_origin")
        return str(target.copy_with(fragment=None))

    def _body(self, url: str, deadline: float, room: int) -> bytes:
        retrying = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            retry=retry_if_exception_type((httpx.TransportError, _BusyError)),
            reraise=True,
        )
        try:
            return retrying(self._body_once, url, deadline, room)
        except (httpx.HTTPError, httpx.StreamError, _BusyError) as exc:  # httpx's texts name the URL
            raise PullError("the node cannot be reached, or breaks off", "peer_unreachable") from exc

    def _body_once(self, url: str, deadline: float, room: int) -> bytes:
        left = deadline - self.clock()
        if left <= 0:
            raise self._too_slow()
        with self.client.stream(
            "GET", url, headers=self._headers(), timeout=min(left, _LONGEST_READ_SECONDS), follow_redirects=False
        ) as answer:
            _require_answer(answer)
            check_channel(*_stated(answer), channel=self.peer.custodian, nonce=self.nonce)
            data = bytearray()
            for piece in answer.iter_raw():
                data += piece
                if len(data) > min(room, self.limits.page_size):
                    raise PullError("the answer is too long", "limit_exceeded")
                if self.clock() > deadline:
                    raise self._too_slow()
            return bytes(data)

    def _headers(self) -> dict[str, str]:
        """Of a request. A coded body could grow beyond all limits when it is decoded, so none is asked for."""
        given = {"Accept": "application/fhir+json", "Accept-Encoding": "identity", NONCE_HEADER: to_hex(self.nonce)}
        return given if self.token is None else {**given, "Authorization": f"Bearer {self.token}"}

    def _too_slow(self) -> PullError:
        return PullError(f"the answer took longer than {self.limits.seconds:g} seconds", "limit_exceeded")


class _BusyError(Exception):
    """The node cannot answer now."""


def _url(text: str, at: str = "") -> httpx.URL:
    """A URL, relative ones against that of the page where they stand."""
    try:
        found = httpx.URL(at).join(text) if at else httpx.URL(text)
        _ = found.host  # one that is no name raises here, and nowhere later
        return found
    except (httpx.InvalidURL, ValueError) as exc:
        raise PullError("not a URL", "answer_malformed") from exc


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    ports = {"https": 443, "http": 80}
    return url.scheme, url.host, url.port or ports.get(url.scheme)


def _require_answer(answer: httpx.Response) -> None:
    status = answer.status_code
    if status in _PASSING:
        raise _BusyError
    if status in _REDIRECTS:
        raise PullError("the node sends elsewhere, where a token does not go", "peer_redirects")
    if status != _OK:
        raise PullError(f"the node answers with status {status}", _REFUSED.get(status, "peer_refused"))
    media = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media not in _MEDIA or answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise PullError("not FHIR JSON, or coded", "answer_malformed")


def _stated(answer: httpx.Response) -> tuple[Address, bytes]:
    """The custodian and the nonce that the answer states."""
    try:
        custodian = address_from(answer.headers.get(CUSTODIAN_HEADER), CUSTODIAN_HEADER)
        return custodian, from_hex(answer.headers.get(NONCE_HEADER), NONCE_HEADER, 32)
    except AttestationError as exc:
        raise PullError(exc.detail, "answer_malformed", exc.path) from exc
