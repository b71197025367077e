"""Mailboxes: where a provider puts announcements and ciphertexts for wallets to fetch; a folder, or any web root.

`announcements.ndjson` holds pages, one a line; `deliveries/` a ciphertext for each locator (64 hex digits). Who serves
one learns which ciphertexts are fetched together, and nothing of whose they are.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy
from io import BufferedReader
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urlsplit

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import HTTPError

from chartseal.chain.anchors.pages import LONGEST_LINE, AnnouncementPage
from chartseal.errors import LimitError, PackageError, WalletStoreError
from chartseal.sealing.sealed import LARGEST_RECORD
from chartseal.wallet.receiving import Patience, Pieces, received

ANNOUNCEMENTS, DELIVERIES = "announcements.ndjson", "deliveries"
LARGEST_CIPHERTEXT = LARGEST_RECORD + LARGEST_RECORD // 8
"""Bytes: the largest record, padded."""
MOST_PAGES = 1_000_000
LARGEST_ANNOUNCEMENTS = 4 << 30
"""Bytes of all pages: sixty million announcements."""
PATIENCE = timedelta(minutes=10)
"""How long a mailbox on the web is waited for, all in all: longer than a large one takes over a slow line."""

_TIMEOUT_SECONDS = 20
_ATTEMPTS = 4
_PIECE = 1 << 16


class Mailbox(Protocol):
    """One provider's mailbox."""

    place: str
    """As the holder named it."""

    def pages(self) -> Iterator[AnnouncementPage | Exception]:
        """Every page, in the order of the file; in the place of one that is malformed, why.

        Raises:
            WalletStoreError: `mailbox_unavailable`.
        """

    def fetch(self, locator: bytes) -> bytes | None:
        """The ciphertext at a locator (32 bytes), or None where there is none.

        Raises:
            WalletStoreError: `mailbox_unavailable`, `delivery_too_large`.
        """


def open_mailbox(place: str, *, patience: timedelta = PATIENCE) -> Mailbox:
    """The mailbox at a folder's path or at an http(s) URL, whose answers are waited for as long as `patience` in all.

    Raises:
        WalletStoreError: `mailbox_place`: neither, or a URL with a user's name or password, which it would show.
    """
    if "://" not in place:
        return FolderMailbox(place)
    try:
        place.encode()  # what is no Unicode is in no URL
        parts = urlsplit(place)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_web = False
    if not is_web or "@" in parts.netloc or parts.query or parts.fragment:
        detail = "a mailbox is a folder, or at an http(s) URL without query, user or password"
        raise WalletStoreError(detail, "mailbox_place")
    return WebMailbox(place, patience)


def _pages(stream: IO[bytes] | BufferedReader) -> Iterator[AnnouncementPage | Exception]:
    size = 0
    for count, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE + 2), b""), 1):
        size += len(line)
        if count > MOST_PAGES or size > LARGEST_ANNOUNCEMENTS:
            yield LimitError("the mailbox has more pages, or longer ones, than a wallet looks through")
            return
        if line.isspace():
            continue
        try:
            yield AnnouncementPage.from_json(line.rstrip(b"\r\n"))
        except (LimitError, PackageError) as exc:
            yield exc


class FolderMailbox:
    """A mailbox in a folder."""

    def __init__(self, place: str) -> None:
        """Take the folder's path."""
        self.place = str(Path(place))
        self._folder = Path(place)

    def pages(self) -> Iterator[AnnouncementPage | Exception]:
        """As `Mailbox`."""
        with _reading(), (self._folder / ANNOUNCEMENTS).open("rb") as stream:
            yield from _pages(stream)

    def fetch(self, locator: bytes) -> bytes | None:
        """As `Mailbox`."""
        with _reading():
            try:
                stream = (self._folder / DELIVERIES / locator.hex()).open("rb")
            except FileNotFoundError:
                return None
            with stream:
                data = stream.read(LARGEST_CIPHERTEXT + 1)
            _require_size(len(data))
            return data


class WebMailbox:
    """A mailbox below a URL. What fails in passing is tried again, with back-off, until patience is used up."""

    def __init__(self, place: str, patience: timedelta = PATIENCE) -> None:
        """Take the base URL, and how long all that is read there is waited for."""
        self.place = self._base = place.rstrip("/")
        self._patience = Patience(patience)
        self._session = requests.Session()
        # No cookie is kept: a session that changes is not safe between threads, and one may still be ending.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def pages(self) -> Iterator[AnnouncementPage | Exception]:
        """As `Mailbox`; the file is read as it comes, never as a whole."""
        with _reading(), BufferedReader(Pieces(self._received(ANNOUNCEMENTS)), _PIECE) as stream:
            yield from _pages(stream)

    def fetch(self, locator: bytes) -> bytes | None:
        """As `Mailbox`."""
        data = bytearray()
        with _reading(), closing(self._received(f"{DELIVERIES}/{locator.hex()}")) as pieces:
            try:
                for piece in pieces:
                    data += piece
                    _require_size(len(data))
            except _AbsentError:
                return None
        return bytes(data)

    def _received(self, name: str) -> Generator[bytes, None, None]:
        return received(self._read(f"{self._base}/{name}"), self._patience)

    def _read(self, url: str) -> Generator[bytes, None, None]:
        with self._get(url) as answer:
            if answer.status_code in (requests.codes.not_found, requests.codes.gone):
                raise _AbsentError
            if answer.status_code != requests.codes.ok:
                raise requests.HTTPError
            while piece := answer.raw.read1(_PIECE, decode_content=True):
                yield piece

    def _get(self, url: str) -> requests.Response:
        retrying = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            retry=retry_if_exception_type((requests.ConnectionError, requests.Timeout, _BusyError)),
            reraise=True,
        )
        return retrying(self._get_once, url)

    def _get_once(self, url: str) -> requests.Response:
        answer = self._session.get(url, stream=True, timeout=_TIMEOUT_SECONDS, allow_redirects=False)
        if answer.status_code == requests.codes.too_many_requests or answer.status_code >= 500:
            answer.close()
            raise _BusyError
        return answer


class _AbsentError(requests.RequestException):
    """The server has no such file."""


class _BusyError(requests.RequestException):
    """The server cannot answer now."""


def _require_size(size: int) -> None:
    if size > LARGEST_CIPHERTEXT:
        raise WalletStoreError("a ciphertext is longer than any record", "delivery_too_large")


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (
        OSError,
        requests.RequestException,
        HTTPError,
    ) as exc:  # requests' errors name the URL, which is the holder's affair
        raise WalletStoreError("the mailbox cannot be read", "mailbox_unavailable") from exc
