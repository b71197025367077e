"""Mailboxes on the web: what servers do, and do wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chartseal.errors import WalletStoreError
from chartseal.keys import IssuerKey, Wallet
from chartseal.wallet import WalletStore, open_mailbox, scan
from tests.mailboxes import MadeMailbox

WALLET = Wallet(b"\x01" * 32)
ISSUER = IssuerKey.generate()


class Server(ThreadingHTTPServer):
    """Gives a folder out, or does it wrong: `fault` is what it does to bodies, `busy` how often it says 503 first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.fault, self.busy = folder, "", 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        file = self.server.folder / self.path.lstrip("/")
        if self.server.busy:
            self.server.busy -= 1
            self.send_error(503)
        elif not file.is_file():
            self.send_error(404)
        else:
            self._give(file.read_bytes())

    def _give(self, data: bytes) -> None:
        self.send_response(302 if self.server.fault == "redirect" else 200)
        if self.server.fault == "gzip":
            self.send_header("Content-Encoding", "gzip")
        if self.server.fault == "redirect":
            self.send_header("Location", "http://127.0.0.1:1/")
        if self.server.fault == "chunk":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(data) + (1_000 if self.server.fault == "cut" else 0)))
        self.end_headers()
        self.wfile.write(b"zz\r\n" + data if self.server.fault == "chunk" else data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = MadeMailbox(tmp_path / "mailbox")
    folder.deliver(ISSUER, WALLET.sealing_address(), [1, 2])
    with Server(folder.folder) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WalletStore]:
    with WalletStore.open(tmp_path / "records", WALLET) as opened:
        yield opened


def test_records_come_over_the_web(server: Server, store: WalletStore) -> None:
    server.busy = 1
    assert len(scan(store, WALLET, [open_mailbox(f"{server.url}/")]).fetched) == 2


@pytest.mark.parametrize("fault", ["cut", "gzip", "chunk", "redirect"])
def test_a_server_that_errs_ends_no_other_scan(fault: str, server: Server, store: WalletStore, tmp_path: Path) -> None:
    other = MadeMailbox(tmp_path / "other")
    other.deliver(ISSUER, WALLET.sealing_address(), [3])
    server.fault = fault
    found = scan(store, WALLET, [open_mailbox(server.url), open_mailbox(other.place)])
    assert len(found.fetched) == 1
    assert found.unavailable == [server.url]
    server.fault = ""
    assert len(scan(store, WALLET, [open_mailbox(server.url)]).fetched) == 2


def test_what_is_no_mailbox_is_refused() -> None:
    wrong = (
        "http://[::1",
        "http://hospital.example:99999",
        "http://u:secret@hospital.example",
        "http://@hospital.example",
    )
    for place in ("ftp://hospital.example", "https://hospital.example/?q=1", "https://", *wrong):
        with pytest.raises(WalletStoreError) as caught:
            open_mailbox(place)
        assert caught.value.code == "mailbox_place"
        assert "secret" not in str(caught.value)
