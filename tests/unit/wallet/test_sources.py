"""Mailboxes on the web: what servers do, and do wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chartseal.errors import WalletStoreError
from chartseal.keys import IssuerKey, Wallet
from chartseal.wallet import WalletStore, open_mailbox, scan
from chartseal.wallet.receiving import THREAD, Patience, received
from tests.mailboxes import MadeMailbox

SHORT = timedelta(seconds=0.5)
WALLET = Wallet(b"\x01" * 32)
ISSUER = IssuerKey.generate()


class Server(ThreadingHTTPServer):
    """Gives a folder out, or does it wrong: `fault` is what it does to bodies, `busy` how often it says 503 first.

    What it trickles, it trickles byte by byte until `is_over`: the header, the announcements or the ciphertexts.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.fault, self.busy, self.is_over = folder, "", 0, threading.Event()

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

    def _trickle(self, data: bytes) -> None:
        """These bytes, and then one now and then."""
        with suppress(OSError):  # nobody reads it any more
            self.wfile.write(data)
            while not self.server.is_over.wait(0.05):
                self.wfile.write(b" ")

    def _give(self, data: bytes) -> None:
        if self.server.fault == "header":
            self._trickle(b"HTTP/1.1 200 OK\r\nContent-Type: ")
        elif self.server.fault and self.server.fault in self.path:
            self._trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + data)
        else:
            self._answer(data)

    def _answer(self, data: bytes) -> None:
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
        made.is_over.set()
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


def ends(name: str) -> bool:
    """Whether no thread of that name is left, within some seconds."""
    end = time.monotonic() + 10
    while any(each.name == name for each in threading.enumerate()):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("fault", ["header", "announcements"])
def test_attack_a_server_that_trickles_holds_up_no_other_scan(
    fault: str, server: Server, store: WalletStore, tmp_path: Path
) -> None:
    other = MadeMailbox(tmp_path / "other")
    other.deliver(ISSUER, WALLET.sealing_address(), [3])
    server.fault, began = fault, time.monotonic()
    found = scan(store, WALLET, [open_mailbox(server.url, patience=SHORT), open_mailbox(other.place)])
    assert time.monotonic() - began < 10
    assert len(found.fetched) == 1
    assert found.unavailable == [server.url]
    assert found.refused == {}
    if fault == "announcements":
        assert ends(THREAD)  # at the next byte, while the server goes on
    server.is_over.set()
    assert ends(THREAD)
    server.fault = ""
    assert len(scan(store, WALLET, [open_mailbox(server.url, patience=timedelta(seconds=30))]).fetched) == 2


def test_attack_ciphertexts_that_trickle_share_the_patience_of_their_mailbox(
    server: Server, store: WalletStore
) -> None:
    server.fault, began = "deliveries", time.monotonic()
    found = scan(store, WALLET, [open_mailbox(server.url, patience=SHORT)])
    assert time.monotonic() - began < 10
    assert (found.fetched, found.refused) == ([], {"mailbox_unavailable": 2})
    server.fault = ""
    assert len(scan(store, WALLET, [open_mailbox(server.url)]).fetched) == 2  # none was given up


def pieces(count: int, seconds: float) -> Generator[bytes, None, None]:
    for number in range(count):
        time.sleep(seconds)
        yield bytes([number])


def test_only_what_is_waited_for_counts() -> None:
    taken = list[bytes]()
    for piece in received(pieces(8, 0), Patience(timedelta(seconds=1))):
        time.sleep(0.2)
        taken.append(piece)
    assert taken == list(pieces(8, 0))


def test_all_that_is_waited_for_counts() -> None:
    patience, taken = Patience(timedelta(seconds=1)), list[bytes]()
    for _ in range(2):
        with pytest.raises(WalletStoreError) as caught:
            taken.extend(received(pieces(8, 0.2), patience))
        assert caught.value.code == "mailbox_unavailable"
        assert 1 <= len(taken) < 8


def test_what_fails_in_the_thread_fails_here_and_what_nobody_takes_ends_it() -> None:
    def failing() -> Generator[bytes, None, None]:
        yield b"1"
        raise KeyError("a fault")

    found = received(failing(), Patience(SHORT))
    assert next(found) == b"1"
    with pytest.raises(KeyError):
        next(found)
    endless = received((b"1" for _ in iter(int, 1)), Patience(SHORT))
    assert next(endless) == b"1"
    endless.close()
    assert ends(THREAD)


def test_what_is_no_mailbox_is_refused() -> None:
    wrong = (
        "http://[::1",
        "http://hospital.example:99999",
        "http://u:secret@hospital.example",
        "http://@hospital.example",
        "http://hospital.example/\udcff",
    )
    for place in ("ftp://hospital.example", "https://hospital.example/?q=1", "https://", *wrong):
        with pytest.raises(WalletStoreError) as caught:
            open_mailbox(place)
        assert caught.value.code == "mailbox_place"
        assert "secret" not in str(caught.value)
