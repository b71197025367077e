"""Where a proving key is fetched from: a file, folder or URL that the user gives. Its hash decides, not its origin."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

from chartseal.circuits import cache
from chartseal.circuits.entries import KeyEntry
from chartseal.circuits.manifest import manifest
from chartseal.errors import CircuitKeyError

_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 30.0


def fetch(source: str) -> KeyEntry:
    """Install the key that a file or URL has; the manifest tells by its hash which one it is.

    Raises:
        CircuitKeyError: `key_unknown` (the manifest has no such key), `limit_exceeded`, `file_unreadable`,
            `file_unwritable`, `fetch_failed`.
    """
    known = {key.proving_key: key for key in manifest().all_keys()}

    def choose(digest: bytes) -> KeyEntry:
        if digest not in known:
            raise CircuitKeyError("the file is no proving key of the manifest", "key_unknown", source)
        return known[digest]

    most = max((key.proving_key_size for key in known.values()), default=0)
    return cache.install(_from_url(source) if is_url(source) else _from_file(Path(source)), choose, most)


def places(source: str, keys: list[KeyEntry]) -> list[str]:
    """What to fetch: of a folder or a URL that ends with `/`, each key's file; else the source alone."""
    if is_url(source):
        return [source + key.file for key in keys] if source.endswith("/") else [source]
    folder = Path(source)
    return [str(folder / key.file) for key in keys] if folder.is_dir() else [source]


def is_url(source: str) -> bool:
    """Whether it is one of http or https."""
    return source.lower().startswith(("http://", "https://"))


def _from_file(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except OSError as exc:
        raise CircuitKeyError(f"cannot be read: {exc.strerror}", "file_unreadable", str(path)) from exc


def _opener() -> urllib.request.OpenerDirector:
    """One that follows redirects to http and https alone, never to files."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _from_url(url: str) -> Iterator[bytes]:
    try:
        with _opener().open(url, timeout=_TIMEOUT_SECONDS) as answer:
            while chunk := answer.read(_CHUNK):
                yield chunk
    except urllib.error.HTTPError as exc:
        raise CircuitKeyError(f"the server answers {exc.code}", "fetch_failed", url) from exc
    except (OSError, HTTPException, ValueError) as exc:
        raise CircuitKeyError("the server cannot be reached", "fetch_failed", url) from exc
