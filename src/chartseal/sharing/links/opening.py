"""Open a link that somebody showed: fetch what is behind it, and decrypt it here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from chartseal import _json
from chartseal.errors import ShareLinkError, SharingError
from chartseal.sharing.fetching import Answer, Fetcher, GuardedFetcher
from chartseal.sharing.links.files import LARGEST_JWE, SharedFile, decrypt
from chartseal.sharing.links.link import ShareLink
from chartseal.sharing.links.store import LARGEST_EMBEDDED, LARGEST_SHARE, MOST_FILES, check_recipient

LARGEST_MANIFEST = MOST_FILES * (LARGEST_EMBEDDED + 4_096)
"""Bytes."""
_OK, _UNAUTHORIZED, _NOT_FOUND, _TOO_MANY = 200, 401, 404, 429
_MOST_ATTEMPTS_TOLD = 1_000_000


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """A link and its files. That they were encrypted under its key says nothing of who wrote them: verify them."""

    link: ShareLink
    files: tuple[SharedFile, ...] = field(repr=False)


def open_link(
    text: str,
    *,
    recipient: str,
    passcode: str | None = None,
    now: datetime,
    fetch: Fetcher | None = None,
) -> OpenedLink:
    """The files behind a link; `recipient` is who we are, for whoever shared it. A passcode is sent only where the link
    asks for one. `fetch` is a `GuardedFetcher` where nothing else is given.

    Raises:
        ShareLinkError: `link_malformed`, `link_version`, `recipient_refused`; `link_expired`: by its own word;
            `passcode_missing`: nothing was asked; `passcode_refused`, with how many tries remain; `link_inactive`,
            `link_busy`; `manifest_malformed`; as `decrypt`.
        SharingError: as `Fetcher`; `server_unavailable`.
    """
    link = ShareLink.from_uri(text)
    check_recipient(recipient)
    if link.expires_at is not None and link.expires_at <= now:
        raise ShareLinkError("the link says that it has expired", "link_expired")
    asking = fetch or GuardedFetcher()
    if link.is_direct:
        return OpenedLink(link, (_direct(link, recipient, asking),))
    if link.needs_passcode and passcode is None:
        raise ShareLinkError("the link asks for a passcode", "passcode_missing")
    body: dict[str, Any] = {"recipient": recipient, "embeddedLengthMax": LARGEST_EMBEDDED}
    if link.needs_passcode:
        body["passcode"] = passcode
    manifest = _manifest(_checked(asking(link.url, most=LARGEST_MANIFEST, json_body=body)))
    return OpenedLink(link, tuple(_files(manifest, link, asking)))


def _direct(link: ShareLink, recipient: str, fetch: Fetcher) -> SharedFile:
    mark = "&" if "?" in link.url else "?"
    answer = fetch(f"{link.url}{mark}recipient={quote(recipient, safe='')}", most=LARGEST_JWE)
    return decrypt(_text(_checked(answer)), link.key)


def _checked(answer: Answer) -> bytes:
    if answer.status == _OK:
        return answer.body
    if answer.status == _UNAUTHORIZED:
        remaining = _remaining(answer.body)
        told = "" if remaining is None else f": {remaining} tries remain"
        raise ShareLinkError(f"the passcode is wrong{told}", "passcode_refused", remaining=remaining)
    if answer.status == _NOT_FOUND:
        raise ShareLinkError("there is no such link, or it has ended", "link_inactive")
    if answer.status == _TOO_MANY:
        raise ShareLinkError("the link is asked too often: try again later", "link_busy")
    raise SharingError("the server did not answer as it should", "server_unavailable")


def _remaining(body: bytes) -> int | None:
    try:
        members = _json.loads(body)
    except ValueError:
        return None
    value = members.get("remainingAttempts") if isinstance(members, dict) else None
    return value if type(value) is int and 0 <= value <= _MOST_ATTEMPTS_TOLD else None


def _manifest(body: bytes) -> list[dict[str, Any]]:
    try:
        members = _json.loads(body)
    except ValueError as exc:
        raise _malformed("the manifest is not JSON") from exc
    files = members.get("files") if isinstance(members, dict) else None
    if not isinstance(files, list) or not 0 < len(files) <= MOST_FILES:
        raise _malformed(f"a manifest lists 1 to {MOST_FILES} files")
    if not all(isinstance(file, dict) for file in files):
        raise _malformed("a manifest's file is no object")
    return files


def _files(manifest: list[dict[str, Any]], link: ShareLink, fetch: Fetcher) -> Iterator[SharedFile]:
    whole = 0
    for at, listed in enumerate(manifest):
        place = f"files[{at}]"
        embedded, location = listed.get("embedded"), listed.get("location")
        if isinstance(embedded, str):
            text = embedded
        elif isinstance(location, str):
            text = _text(_checked(fetch(location, most=LARGEST_JWE)))
        else:
            raise _malformed("a file is embedded or has a location", place)
        file = decrypt(text, link.key)
        if _media_type(listed.get("contentType")) != file.content_type:
            raise _malformed("a file is of another type than the manifest says", place)
        whole += len(file.content)
        if whole > LARGEST_SHARE:
            raise ShareLinkError(f"a link's files have at most {LARGEST_SHARE} bytes", "limit_exceeded")
        yield file


def _media_type(value: Any) -> str | None:
    """Without parameters."""
    return value.partition(";")[0].strip() if isinstance(value, str) else None


def _text(body: bytes) -> str:
    return body.decode("ascii", "replace").strip()


def _malformed(detail: str, place: str = "") -> ShareLinkError:
    return ShareLinkError(detail, "manifest_malformed", place)
