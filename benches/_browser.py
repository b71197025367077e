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

from playwright.sync_api import Page, sync_playwright

BUILT = Path(__file__).parent.parent / "build" / "web"


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


def text(data: bytes) -> str:
    """Bytes as a page's `atob` reads them."""
    return base64.b64encode(data).decode()
