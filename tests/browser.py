"""A real Chromium with the built page face, for tests and benches: what it serves, and values in and out of it."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF
from playwright.sync_api import Page, sync_playwright

BUILT = Path(__file__).parent.parent / "build" / "web"
_ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041
"""The order of Baby Jubjub's subgroup. Source: EIP-2494."""


def chromium() -> str | None:
    """The browser's program, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def why_not() -> str:
    """Why no browser can be tested with; empty if one can."""
    if chromium() is None:
        return "Chromium is not installed"
    return "" if (BUILT / "circuits.js").exists() else "the page face is not built: make build/stamps/web"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base's name)
        """Say nothing."""


@contextmanager
def page(**folders: Path) -> Iterator[Page]:
    """A blank page of an origin on loopback that serves the page face at /web and these folders at their names."""
    with _served({"web": BUILT, **folders}) as origin, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            opened = browser.new_page()
            opened.goto(f"{origin}/web/circuits.d.ts")
            yield opened
        finally:
            browser.close()


@contextmanager
def _served(folders: dict[str, Path]) -> Iterator[str]:
    class Handler(_Quiet):
        def translate_path(self, path: str) -> str:
            first, _, rest = path.split("?")[0].lstrip("/").partition("/")
            return str(folders[first] / rest) if first in folders and ".." not in rest else ""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


SCRIPT = """
async ([circuit, threads, key, statement, secret, rounds]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const { Circuits } = await import("/web/circuits.js");
  const circuits = await Circuits.open({ threads });
  const begun = performance.now();
  await circuits.loadProver(circuit, bytes(key));
  const loaded = performance.now() - begun;
  const times = [];
  let made;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    made = await circuits.prove(circuit, statement, secret ? bytes(secret) : undefined);
    times.push(performance.now() - start);
  }
  circuits.close();
  return { loaded, times, proof: Array.from(made.proof), inputs: made.inputs.map((word) => Array.from(word)) };
}
"""


def prove(
    opened: Page, circuit: str, key: bytes, statement: bytes, secret: bytes | None, *, threads: int = 1, rounds: int = 1
) -> dict[str, Any]:
    """Prove in the page: milliseconds of loading and of each round, proof and public inputs of the last.

    Raises:
        playwright.sync_api.Error: what the page threw.
    """
    told = [circuit, threads, text(key), statement.decode(), secret and text(secret), rounds]
    return cast("dict[str, Any]", opened.evaluate(SCRIPT, told))


def spend_secret(seed: bytes) -> bytes:
    """A wallet's spend secret, 32 bytes little-endian: format specification, section "Holder keys"."""
    wide = cast("bytes", HKDF(seed, 64, b"", SHA256, context=b"chartseal/1/spend"))
    return (int.from_bytes(wide, "little") % _ORDER).to_bytes(32, "little")


def text(data: bytes) -> str:
    """Bytes as a page's `atob` reads them."""
    return base64.b64encode(data).decode()
