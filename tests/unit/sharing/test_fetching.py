"""Requests to servers that somebody else named: which are made, and how far."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from chartseal.errors import SharingError
from chartseal.sharing.fetching import GuardedFetcher

PUBLIC, LOCAL = GuardedFetcher(), GuardedFetcher(allows_loopback=True, deadline_seconds=3)


def code(url: str, fetch: GuardedFetcher = PUBLIC, most: int = 1_000) -> str:
    with pytest.raises(SharingError) as refused:
        fetch(url, most=most)
    assert "example" not in str(refused.value)
    return refused.value.code


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names lead to; nothing leaves this machine."""
    known: dict[str, list[str]] = {}

    async def getaddrinfo(self: Any, host: str, port: int, **_: Any) -> Sequence[tuple[Any, ...]]:
        try:
            addresses = known.get(host) or [str(ipaddress.ip_address(host))]
        except ValueError:
            raise socket.gaierror from None
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize(
    "url",
    [
        "http://share.example/x",
        "ftp://share.example/x",
        "file:///etc/passwd",
        "gopher://share.example/",
        "share.example/x",
        "//share.example/x",
        "https://user@share.example/x",
        "https://share.example@10.0.0.1/x",
        "https://share.example/x#y",
        "https://share.example:0/x",
        "https://share.example:99999/x",
        "https://[::1/x",
        "https:///x",
        "https://share.example\\@10.0.0.1/",
        "https://share.example/a b",
        "https://share.example/\r\nX: y",
        "https://sh\u0430re.example/",
        "https://share%2eexample/",
        "https://share.example/" + "x" * 2_048,
        "",
    ],
)
def test_what_is_no_plain_https_url_is_not_asked(url: str, names: dict[str, list[str]]) -> None:
    names["share.example"] = ["93.184.215.14"]
    assert code(url) == "url_refused"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1",
        "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "2002:7f00:1::", "2002:a00:1::", "64:ff9b::a00:1", "64:ff9b::7f00:1", "2001:db8::1",
    ],
)  # fmt: skip
def test_a_host_on_a_network_of_ours_is_not_asked(address: str, names: dict[str, list[str]]) -> None:
    named = f"[{address}]" if ":" in address else address
    assert code(f"https://{named}/x") == "url_refused"
    names["share.example"] = [address]
    assert code("https://share.example/x") == "url_refused"
    names["share.example"] = ["93.184.215.14", address]  # one bad address of several
    assert code("https://share.example/x") == "url_refused"


@pytest.mark.parametrize("host", ["0x7f000001", "2130706433", "127.1", "localhost", "0177.0.0.1"])
def test_other_spellings_of_this_machine_are_not_asked(host: str) -> None:
    assert code(f"https://{host}/x") in ("url_refused", "server_unavailable")


def test_loopback_is_asked_where_somebody_says_so_and_no_other_http() -> None:
    assert code("http://10.0.0.1/x", LOCAL) == "url_refused"
    assert code("http://localhost.share.example/x", LOCAL) == "url_refused"
    assert code("https://169.254.169.254/x", LOCAL) == "url_refused"
    assert code("http://127.0.0.1:1/x", LOCAL) == "server_unavailable"
    assert code("http://127.0.0.1:1/x") == "url_refused"


def test_the_judged_address_is_the_one_that_is_asked(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere the second time is not looked up a second time; TLS is for the name."""
    asked: list[tuple[str, str, str]] = []

    async def exchange(self: GuardedFetcher, url: str, host: str, address: Any, *_: Any) -> Any:
        asked.append((url, host, str(address)))
        raise OSError

    monkeypatch.setattr(GuardedFetcher, "_exchange", exchange)
    names["share.example"] = ["93.184.215.14"]
    assert code("https://share.example/x") == "server_unavailable"
    assert asked == [("https://share.example/x", "share.example", "93.184.215.14")]
    assert code("https://nowhere.example/x") == "server_unavailable"


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """One that answers each connection as it likes; the URL, and the requests that it got."""
    listening = socket.create_server(("127.0.0.1", 0))
    requests: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                requests.append(connection.recv(65_536))
                with suppress(OSError):
                    answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/x", requests
    finally:
        listening.close()


def whole(body: bytes, head: bytes = b"HTTP/1.1 200 OK", **headers: str) -> Callable[[socket.socket], None]:
    lines = b"".join(f"{name.replace('_', '-')}: {value}\r\n".encode() for name, value in headers.items())
    return lambda to: to.sendall(head + b"\r\n" + lines + f"content-length: {len(body)}\r\n\r\n".encode() + body)


def test_an_answer_is_bounded_to_the_byte() -> None:
    with raw_server(whole(b"x" * 1_000)) as (url, requests):
        assert LOCAL(url, most=1_000).body == b"x" * 1_000
        assert code(url, LOCAL, most=999) == "limit_exceeded"
    assert b"accept-encoding: identity" in requests[0].lower()
    assert b"host: 127.0.0.1:" in requests[0].lower()


def test_another_of_the_names_addresses_is_asked_where_one_cannot_be_reached(names: dict[str, list[str]]) -> None:
    names["localhost"] = ["127.0.0.2", "127.0.0.1"]  # the server listens at the second alone
    with raw_server(whole(b"here")) as (url, requests):
        assert LOCAL(url.replace("127.0.0.1", "localhost"), most=10).body == b"here"
    assert len(requests) == 1


def test_an_answer_without_end_is_cut() -> None:
    def endless(to: socket.socket) -> None:
        to.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            to.sendall(b"1000\r\n" + b"x" * 4_096 + b"\r\n")

    with raw_server(endless) as (url, _):
        assert code(url, LOCAL, most=100_000) == "limit_exceeded"


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See Other", b"307 Temporary", b"308 Permanent"])
def test_no_redirect_is_followed(status: bytes) -> None:
    with raw_server(whole(b"", b"HTTP/1.1 " + status, location="http://127.0.0.1:1/y")) as (url, requests):
        assert code(url, LOCAL) == "redirect_refused"
    assert len(requests) == 1


def test_a_packed_answer_is_refused_before_it_is_unpacked() -> None:
    with raw_server(whole(gzip.compress(bytes(1 << 24)), content_encoding="gzip")) as (url, _):
        assert code(url, LOCAL, most=1 << 25) == "server_unavailable"


@pytest.mark.parametrize("part", ["head", "body"])
def test_an_answer_that_drips_ends_with_the_deadline(part: str) -> None:
    def drip(to: socket.socket) -> None:
        if part == "body":
            to.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(100):
            to.sendall(b"H")
            time.sleep(0.05)

    fetch = GuardedFetcher(allows_loopback=True, deadline_seconds=0.5)
    with raw_server(drip) as (url, _):
        began = time.monotonic()
        assert code(url, fetch) == "server_unavailable"
        assert time.monotonic() - began < 3


def test_nonsense_is_told_as_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(lambda to: to.sendall(b"SSH-2.0-x\r\n")) as (url, _):
        assert code(url, LOCAL) == "server_unavailable"
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with raw_server(whole(b"direct")) as (url, _):
        assert LOCAL(url, most=10).body == b"direct"  # through no proxy


def certified(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for a name, with its key, and a context that believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(Encoding.PEM)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tls.pem").write_bytes(pem + secret)
    return folder / "tls.pem", ssl.create_default_context(cadata=pem.decode())


@pytest.mark.parametrize(("certificate", "told"), [("share.example", ""), ("other.example", "server_unavailable")])
def test_the_certificate_is_judged_for_the_name_though_the_address_is_asked(
    certificate: str, told: str, names: dict[str, list[str]], tmp_path: Path
) -> None:
    names["share.example"] = ["127.0.0.1"]
    pem, believing = certified(tmp_path, certificate)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(pem)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    def serve() -> None:
        with suppress(OSError), served.wrap_socket(listening.accept()[0], server_side=True) as to:
            head = to.recv(65_536)
            whole(b"yes" if f"host: share.example:{port}".encode() in head.lower() else b"no")(to)

    threading.Thread(target=serve, daemon=True).start()
    fetch = GuardedFetcher(allows_loopback=True, deadline_seconds=5, context=believing)
    url = f"https://share.example:{port}/x"
    if told:
        assert code(url, fetch) == told
    else:
        assert fetch(url, most=10).body == b"yes"
    listening.close()
