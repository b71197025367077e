"""Calls to where others say: never inside, never for long, never much."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chartseal.errors import PeerError
from chartseal.node.smart.fetching import Answer, Reach, fetch, system_resolver

LOCAL = Reach(allows_loopback=True)
INSIDE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::1",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


def never(host: str, port: int) -> Sequence[str]:
    raise AssertionError("it was resolved")


def code_of(url: str, reach: Reach, *, largest: int = 65_536, patience: float = 5.0) -> str:
    with pytest.raises(PeerError) as caught:
        fetch(url, reach, largest=largest, patience=patience)
    assert "example" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value.code


def whole_request(stream: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data or (data.startswith(b"POST") and data.endswith(b"\r\n\r\n")):
        piece = stream.recv(65_536)
        if not piece:
            break
        data += piece
    return data


@contextmanager
def serving(
    answer: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """A server on a loopback port that reads a request and then does what it is told; its port, and what it got."""
    listener = socket.create_server(("127.0.0.1", 0))
    got: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        try:
            with tls.wrap_socket(connection, server_side=True) if tls else connection as stream:
                got.append(whole_request(stream))
                answer(stream)
        except OSError:
            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], got
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def says(content: bytes, status: str = "200 OK", *headers: str) -> Callable[[socket.socket], None]:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return lambda stream: stream.sendall("\r\n".join([*lines, "", ""]).encode() + content)


def test_an_answer_comes_as_it_is() -> None:
    with serving(says(b'{"keys":[]}')) as (port, got):
        assert fetch(f"http://127.0.0.1:{port}/a/jwks.json?x=1", LOCAL) == Answer(200, b'{"keys":[]}')
    assert got[0].startswith(b"GET /a/jwks.json?x=1 HTTP/1.1\r\n")
    assert f"host: 127.0.0.1:{port}".encode() in got[0].lower()


def test_a_form_is_posted_and_its_refusal_is_an_answer() -> None:
    with serving(says(b"{}", "401 Unauthorized")) as (port, got):
        assert fetch(f"http://127.0.0.1:{port}/t", LOCAL, form={"a": "b c"}) == Answer(401, b"{}")
    assert got[0].startswith(b"POST /t HTTP/1.1\r\n")
    assert got[0].endswith(b"a=b+c")


@pytest.mark.parametrize("address", INSIDE)
def test_inside_is_never_called_by_its_address_or_by_a_name(address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    assert code_of(f"https://{literal}/x", Reach(resolve=never)) == "peer_address"
    assert code_of("https://node.example/x", Reach(resolve=lambda *_: [address])) == "peer_address"
    assert code_of("https://node.example/x", Reach(resolve=lambda *_: ["93.184.215.14", address])) == "peer_address"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "017700000001", "127.1", "0", "localhost"])
def test_other_ways_to_write_loopback_lead_nowhere(host: str) -> None:
    assert code_of(f"https://{host}/x", Reach()) in ("peer_address", "peer_unreachable", "peer_url")
    assert code_of(f"https://{host}/x", Reach(resolve=lambda *_: ["127.0.0.1"])) in ("peer_address", "peer_url")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "node.example",
        "//node.example/x",
        "http://node.example/x",
        "ftp://node.example/x",
        "file:///etc/passwd",
        "gopher://node.example/x",
        "https://",
        "https:///x",
        "https://user@node.example/x",
        "https://user:pass@node.example/x",
        "https://node.example@evil.example/x",
        "https://node.example\\@evil.example/x",
        "https://node.example/x#y",
        "https://node.example:0/x",
        "https://node.example:99999/x",
        "https://node.example:x/x",
        "https://node..example/x",
        "https://[fe80::1%25eth0]/x",
        "https://[::1/x",
        "https://n\u00f6de.example/x",
        "https://node.example/x y",
        "https://node.example/x\r\nX: y",
        "https://node.example/\x00",
        "https://" + "a" * 64 + ".example/x",
        "https://" + "a." * 127 + "example/x",
        "https://node.example/" + "x" * 1_000,
    ],
)
def test_what_is_no_plain_url_is_not_resolved(url: str) -> None:
    assert code_of(url, Reach(resolve=never)) == "peer_url"


def test_plain_http_goes_to_this_machine_alone_and_only_where_that_is_set() -> None:
    network = ipaddress.ip_network("10.0.0.0/8")
    assert code_of("http://127.0.0.1:1/x", Reach()) == "peer_url"
    assert code_of("http://node.example/x", Reach(True, (network,), lambda *_: ["10.0.0.1"])) == "peer_address"
    assert code_of("http://node.example/x", Reach(True, resolve=lambda *_: ["93.184.215.14"])) == "peer_address"
    assert code_of("http://127.0.0.1:1/x", LOCAL) == "peer_unreachable"


def test_a_network_that_is_named_may_be_called() -> None:
    reach = Reach(networks=(ipaddress.ip_network("10.1.0.0/16"),))
    assert reach.may_call(ipaddress.ip_address("10.1.2.3"))
    assert reach.may_call(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert not reach.may_call(ipaddress.ip_address("10.2.2.3"))
    assert Reach().may_call(ipaddress.ip_address("93.184.215.14"))
    assert Reach().may_call(ipaddress.ip_address("2606:2800:21f::1"))


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent", "304 Same"])
def test_redirects_are_not_followed(status: str) -> None:
    with serving(says(b"", status, "Location: http://127.0.0.1:1/other")) as (port, got):
        assert code_of(f"http://127.0.0.1:{port}/x", LOCAL) == "peer_redirects"
        assert len(got) == 1


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with serving(says(b"ok")) as (port, _):
        assert fetch(f"http://127.0.0.1:{port}/x", LOCAL).content == b"ok"


def test_an_answer_has_its_limit() -> None:
    with serving(says(b"x" * 1_000)) as (port, _):
        assert len(fetch(f"http://127.0.0.1:{port}/x", LOCAL, largest=1_000).content) == 1_000
        assert code_of(f"http://127.0.0.1:{port}/x", LOCAL, largest=999) == "limit_exceeded"


def test_an_answer_without_an_end_is_broken_off() -> None:
    def pour(stream: socket.socket) -> None:
        stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            stream.sendall(b"x" * 10_000)

    with serving(pour) as (port, _):
        assert code_of(f"http://127.0.0.1:{port}/x", LOCAL) == "limit_exceeded"


def test_a_compressed_answer_is_refused() -> None:
    with serving(says(b"\x1f\x8b", "200 OK", "Content-Encoding: gzip")) as (port, _):
        assert code_of(f"http://127.0.0.1:{port}/x", LOCAL) == "peer_answer"


def drip(head: bytes) -> Callable[[socket.socket], None]:
    def run(stream: socket.socket) -> None:
        stream.sendall(head)
        for _ in range(200):
            stream.sendall(b"x")
            time.sleep(0.05)

    return run


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: time.sleep(5),
        drip(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
    ],
    ids=["silence", "slow head", "slow content"],
)
def test_slow_answers_are_broken_off_as_a_whole(answer: Callable[[socket.socket], None]) -> None:
    with serving(answer) as (port, _):
        began = time.monotonic()
        assert code_of(f"http://127.0.0.1:{port}/x", LOCAL, patience=0.4) == "peer_slow"
        assert time.monotonic() - began < 3


def test_a_slow_name_is_not_waited_for() -> None:
    def slow(host: str, port: int) -> Sequence[str]:
        time.sleep(1)
        return ["127.0.0.1"]

    began = time.monotonic()
    assert code_of("https://node.example/x", Reach(resolve=slow), patience=0.1) == "peer_slow"
    assert time.monotonic() - began < 0.9


def test_a_name_is_resolved_once_so_that_it_cannot_change_its_mind() -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    with serving(says(b"ok")) as (port, got):
        reach = Reach(True, resolve=lambda *_: next(answers))
        assert fetch(f"http://node.example:{port}/x", reach).content == b"ok"
    assert f"host: node.example:{port}".encode() in got[0].lower()
    assert next(answers) == ["10.0.0.1"]


def test_a_second_address_is_tried_where_the_first_does_not_answer() -> None:
    with serving(says(b"ok")) as (port, _):
        reach = Reach(True, resolve=lambda *_: ["::1", "127.0.0.1"])
        assert fetch(f"http://node.example:{port}/x", reach).content == b"ok"


@pytest.mark.parametrize("found", [[], ["node.example"], ["fe80::1%eth0"], ["93.184.215.14"] * 17])
def test_names_without_usable_addresses_lead_nowhere(found: list[str]) -> None:
    assert code_of("https://node.example/x", Reach(resolve=lambda *_: found)) == "peer_unreachable"


def test_an_unknown_name_is_told() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror("node.example is not known")

    assert code_of("https://node.example/x", Reach(resolve=unknown)) == "peer_unreachable"
    assert system_resolver("127.0.0.1", 443) == ["127.0.0.1"]


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
def test_who_speaks_no_http_or_breaks_off_is_told(answer: bytes) -> None:
    with serving(lambda stream: stream.sendall(answer)) as (port, _):
        assert code_of(f"http://127.0.0.1:{port}/x", LOCAL) == "peer_unreachable"


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's side with a certificate for that name, and the side of who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.now(UTC) - timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


def test_the_certificate_is_for_the_name_though_the_address_is_called(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, "node.example")
    with serving(says(b"ok"), server) as (port, got):
        reach = Reach(True, resolve=lambda *_: ["127.0.0.1"], tls=trusting)
        assert fetch(f"https://node.example:{port}/x", reach).content == b"ok"
        assert code_of(f"https://other.example:{port}/x", reach) == "peer_tls"
        assert code_of(f"https://127.0.0.1:{port}/x", reach) == "peer_tls"
        assert code_of(f"https://node.example:{port}/x", Reach(True, resolve=lambda *_: ["127.0.0.1"])) == "peer_tls"
    assert len(got) == 1
