"""An S3-compatible store for tests: moto's server behind a proxy that answers 503, cuts bodies or swaps them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

BUCKET = "ciphertexts"


class Fault(StrEnum):
    """What goes wrong with a request."""

    BUSY = "busy"
    """503 SlowDown; nothing is done."""
    CUT = "cut"
    """Half of the body, announced as the whole."""
    HALF = "half"
    """Half of the body, announced as if it were all."""
    FLIPPED = "flipped"
    """The body with one bit changed."""
    FULL = "full"
    """507, as stores of one's own answer without room."""
    DROPPED = "dropped"
    """The connection closes without an answer, after the store has done what was asked."""


Script = Callable[[str, int], Fault | None]


class S3Proxy:
    """The proxy. `script` is asked about each request, by its method and its number from 0 among those of it."""

    def __init__(self, upstream: str) -> None:
        """Listen on a free port of the loopback."""
        self.upstream = upstream
        self.script: Script = lambda _, __: None
        self.seen: Counter[str] = Counter()
        self.checksums: list[str | None] = []
        """What SHA-256 each PUT stated, in base64: moto's server does not check it, as others do."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def fail(self, method: str, fault: Fault, *, times: int = 1_000) -> None:
        """That fault for the next requests of a method."""
        self.seen.clear()
        self.script = lambda asked, number: fault if asked == method and number < times else None

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: S3Proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Nothing."""

    def _answer(self) -> None:
        proxy, method = self.server.proxy, self.command
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if method == "PUT":
            proxy.checksums.append(self.headers.get("x-amz-checksum-sha256"))
        fault = proxy.script(method, proxy.seen[method])
        proxy.seen[method] += 1
        if fault in (Fault.BUSY, Fault.FULL):
            status, code = (503, "SlowDown") if fault is Fault.BUSY else (507, "XMinioStorageFull")
            self._send(status, {}, f"<Error><Code>{code}</Code><Message>secret</Message></Error>".encode())
            return
        with requests.Session() as session:
            session.trust_env = False
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            got = session.request(method, proxy.upstream + self.path, data=body, headers=headers, timeout=30)
        self.close_connection = fault in (Fault.DROPPED, Fault.CUT)
        if fault is Fault.DROPPED:
            return
        kept = {name: got.headers[name] for name in ("Content-Type", "ETag", "Last-Modified") if name in got.headers}
        self._send(got.status_code, kept, *_spoilt(got.content, fault))

    do_GET = do_PUT = do_DELETE = _answer  # noqa: N815 (the base class's names)

    def _send(self, status: int, headers: dict[str, str], body: bytes, announced: int | None = None) -> None:
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body) if announced is None else announced))
            self.end_headers()
            self.wfile.write(body)


def _spoilt(body: bytes, fault: Fault | None) -> tuple[bytes, int]:
    half = body[: len(body) // 2]
    if fault is Fault.CUT:
        return half, len(body)
    if fault is Fault.HALF:
        return half, len(half)
    if fault is Fault.FLIPPED:
        return bytes([body[0] ^ 1]) + body[1:], len(body)
    return body, len(body)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of moto's server."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_proxy(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Proxy]:
    """A proxy before an empty bucket, with credentials where boto3 looks for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    requests.post(f"{s3_server}/moto-api/reset", timeout=10)
    boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1").create_bucket(Bucket=BUCKET)
    proxy = S3Proxy(s3_server)
    yield proxy
    proxy.stop()
