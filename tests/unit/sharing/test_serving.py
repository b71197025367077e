"""Links over HTTP: the routes, the client, and both together on loopback."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import socket
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chartseal.errors import ShareLinkError, SharingError
from chartseal.sharing._encoding import to_base64url
from chartseal.sharing.fetching import Answer, GuardedFetcher
from chartseal.sharing.links import ShareLink, ShareStore, Terms, decrypt, encrypt, fhir_file, open_link, routes
from chartseal.sharing.links.files import FHIR
from chartseal.sharing.links.routes import LARGEST_REQUEST, link_routes
from tests.link_server import LOCAL, link_server, serving

PATIENT = b'{"resourceType":"Patient","active":true}'
FILES = [fhir_file(PATIENT)]
KEY = bytes(range(32))


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ShareStore]:
    with link_server(tmp_path / "s.db") as store:
        yield store


@pytest.fixture
def local(tmp_path: Path) -> Iterator[tuple[ShareStore, TestClient]]:
    """A store and its routes, without a network."""
    store = ShareStore.open(str(tmp_path / "s.db"), base="https://share.example/s", create=True)
    app = FastAPI()
    app.include_router(link_routes(store), prefix="/s")
    yield store, TestClient(app, base_url="https://share.example", raise_server_exceptions=True)
    store.close()


def code(link: ShareLink | str, **given: Any) -> str:
    asked: dict[str, Any] = {"recipient": "Dr. Adams", "now": now(), "fetch": LOCAL, **given}
    with pytest.raises(SharingError) as refused:
        open_link(link if isinstance(link, str) else link.to_uri(), **asked)
    return refused.value.code


def test_a_link_is_shared_and_opened(served: ShareStore) -> None:
    large = fhir_file(b'{"resourceType":"Binary","data":"' + random.Random(1).randbytes(400_000).hex().encode() + b'"}')
    link = served.share([*FILES, large], Terms(passcode="7351", label="Chart"), now=now())
    found = open_link(
        link.to_uri("https://viewer.example"), recipient="Dr. Adams", passcode="7351", now=now(), fetch=LOCAL
    )
    assert found.files == (*FILES, large)
    assert found.link.label == "Chart"
    assert [each.recipient for each in served.state(link, now=now()).openings] == ["Dr. Adams"]
    with pytest.raises(ShareLinkError) as refused:
        open_link(link.to_uri(), recipient="x", passcode="0000", now=now(), fetch=LOCAL)
    assert (refused.value.code, refused.value.remaining) == ("passcode_refused", 9)
    assert code(link) == "passcode_missing"


def test_a_direct_link_tells_who_opens_it(served: ShareStore) -> None:
    link = served.share(FILES, Terms(is_direct=True), now=now())
    assert open_link(link.to_uri(), recipient="Ärztin & Co", now=now(), fetch=LOCAL).files == tuple(FILES)
    assert [each.recipient for each in served.state(link, now=now()).openings] == ["Ärztin & Co"]


def test_a_link_for_one_opening_that_is_fetched_twice_at_once_opens_once(served: ShareStore) -> None:
    for direct in (True, False):
        link = served.share(FILES, Terms(is_one_time=True, is_direct=direct), now=now())
        start = threading.Barrier(6)

        def fetch(_: int, link: ShareLink = link, start: threading.Barrier = start) -> str:
            start.wait()
            try:
                return str(len(open_link(link.to_uri(), recipient="x", now=now(), fetch=LOCAL).files))
            except ShareLinkError as error:
                return error.code

        with ThreadPoolExecutor(6) as pool:
            assert Counter(pool.map(fetch, range(6))) == {"1": 1, "link_inactive": 5}


def test_passcodes_tried_at_once_over_http_are_no_more_than_the_link_takes(served: ShareStore) -> None:
    link = served.share(FILES, Terms(passcode="7351", attempts=4), now=now())
    start = threading.Barrier(10)

    def guess(at: int) -> int:
        start.wait()
        return httpx.post(link.url, json={"recipient": "x", "passcode": f"no{at}"}, timeout=30).status_code

    with ThreadPoolExecutor(10) as pool:
        assert Counter(pool.map(guess, range(10))) == {401: 4, 404: 6}
    assert code(link, passcode="7351") == "link_inactive"


def test_whatever_does_not_open_is_the_same_answer(local: tuple[ShareStore, TestClient]) -> None:
    store, client = local
    revoked, used, locked = (
        store.share(FILES, Terms(), now=now()),
        store.share(FILES, Terms(is_one_time=True), now=now()),
        store.share(FILES, Terms(passcode="7351", attempts=1), now=now()),
    )
    ended = store.share(FILES, Terms(expires_at=now() + timedelta(days=1)), now=now() - timedelta(days=3))
    direct = store.share(FILES, Terms(is_direct=True), now=now())
    store.revoke(revoked, now=now())
    body = {"recipient": "x", "passcode": "1111"}
    assert client.post(used.url, json=body).status_code == 200
    assert client.post(locked.url, json=body).json() == {"remainingAttempts": 0}
    later = FastAPI()
    later.include_router(link_routes(store, clock=lambda: now() + timedelta(days=2)), prefix="/s")
    answers = [
        *(client.post(each.url, json=body) for each in (revoked, used, locked, direct)),
        TestClient(later, base_url="https://share.example").post(ended.url, json=body),
        client.post(f"https://share.example/s/{'A' * 43}", json=body),
        client.post("https://share.example/s/x", json=body),
        client.get(f"{used.url}?recipient=x"),
        client.get(f"https://share.example/s/files/{'A' * 43}"),
    ]
    told = {(each.status_code, each.content, str(sorted(each.headers.items()))) for each in answers}
    assert len(told) == 1
    assert answers[0].status_code == 404
    assert answers[0].json() == {"type": "about:blank", "title": "Not Found", "status": 404, "code": "link_inactive"}
    assert client.get(f"{direct.url}?recipient=x").status_code == 200


def test_a_manifest_is_as_the_specification_has_it(local: tuple[ShareStore, TestClient]) -> None:
    store, client = local
    link = store.share(FILES, Terms(), now=datetime(2026, 12, 1, tzinfo=UTC))
    answer = client.post(link.url, json={"recipient": "x", "unknown": 1})
    [file] = answer.json()["files"]
    assert decrypt(file.pop("embedded"), link.key) == FILES[0]
    expected = {"contentType": FHIR, "lastUpdated": "2026-12-01T00:00:00Z", "fhirVersion": "4.0.1"}
    assert file == expected
    assert (answer.headers["cache-control"], answer.headers["access-control-allow-origin"]) == ("no-store", "*")
    [file] = client.post(link.url, json={"recipient": "x", "embeddedLengthMax": 5}).json()["files"]
    got = client.get(file["location"])
    assert got.headers["content-type"] == "application/jose"
    assert decrypt(got.text, link.key) == FILES[0]
    assert client.get(file["location"]).status_code == 404
    allowed = client.options(link.url)
    assert (allowed.status_code, allowed.headers["access-control-allow-headers"]) == (204, "content-type")


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"", 400, "request_malformed"),
        (b"[]", 400, "request_malformed"),
        (b"{}", 400, "request_malformed"),
        (b'{"recipient":1}', 400, "request_malformed"),
        (b'{"recipient":""}', 400, "recipient_refused"),
        (b'{"recipient":"x","recipient":"y"}', 400, "request_malformed"),
        (b'{"recipient":"x","passcode":7351}', 400, "request_malformed"),
        (b'{"recipient":"x","embeddedLengthMax":-1}', 400, "request_malformed"),
        (b'{"recipient":"x","embeddedLengthMax":true}', 400, "request_malformed"),
        (b'{"recipient":"x","embeddedLengthMax":1.5}', 400, "request_malformed"),
        (b"[" * 4_000, 400, "request_malformed"),
        (b'{"recipient":"' + b"x" * LARGEST_REQUEST + b'"}', 413, "limit_exceeded"),
    ],
)
def test_another_request_is_refused_and_told_nothing(
    body: bytes, status: int, told: str, local: tuple[ShareStore, TestClient]
) -> None:
    store, client = local
    link = store.share(FILES, Terms(is_one_time=True), now=now())
    answer = client.post(link.url, content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, told)
    assert "7351" not in answer.text
    assert store.state(link, now=now()).is_active


def test_nothing_secret_is_logged_or_told(
    local: tuple[ShareStore, TestClient], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    store, client = local
    link = store.share(FILES, Terms(passcode="hush-7351", attempts=2), now=now())
    texts = []
    with caplog.at_level(logging.DEBUG, "chartseal"), caplog.at_level(logging.DEBUG, "sqlalchemy"):
        for passcode in ("wrong-7351", "hush-7351", None):
            texts.append(client.post(link.url, json={"recipient": "x", "passcode": passcode}).text)
    with pytest.raises(ShareLinkError) as refused:
        open_link(link.to_uri(), recipient="x", passcode="wrong-7351", now=now(), fetch=answering(401, {}))
    told = caplog.text + "".join(capfd.readouterr()) + str(refused.value) + repr(refused.value) + repr(link)
    for secret in ("7351", to_base64url(link.key), link.key.hex()):
        assert secret not in told + texts[0] + texts[2]


@pytest.mark.parametrize("ends", [True, False])
def test_a_request_that_does_not_come_whole_ends(
    ends: bool, served: ShareStore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(routes, "_PATIENCE_SECONDS", 0.3)
    link = served.share(FILES, Terms(is_one_time=True), now=now())
    place = httpx.URL(link.url)
    with socket.create_connection((place.host, place.port or 80), 10) as to:
        head = f"POST {place.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 40\r\n\r\n"
        to.sendall(head.encode() + b'{"recipient":')
        if ends:
            to.shutdown(socket.SHUT_WR)
        answer = to.recv(4_096)
    assert b" 200 " not in answer
    assert ends or answer.startswith(b"HTTP/1.1 400 ")
    assert served.state(link, now=now()).is_active
    assert open_link(link.to_uri(), recipient="x", now=now(), fetch=LOCAL).files == tuple(FILES)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_store_that_cannot_be_used_is_told_so_and_no_more(
    local: tuple[ShareStore, TestClient], tmp_path: Path
) -> None:
    store, client = local
    link = store.share(FILES, Terms(), now=now())
    with contextlib.closing(sqlite3.connect(tmp_path / "s.db")) as database:
        database.execute("DROP TABLE share_opening")
        database.commit()
    answer = client.post(link.url, json={"recipient": "x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "share_unavailable")
    for untold in ("s.db", "SELECT", "share_opening", str(tmp_path)):
        assert untold not in answer.text


def test_the_routes_say_what_they_take_and_answer() -> None:
    app = FastAPI()
    app.include_router(link_routes(None), prefix="/s")  # type: ignore[arg-type]  # nothing is asked of it
    paths = app.openapi()["paths"]
    assert set(paths) == {"/s/files/{token}", "/s/{name}"}
    assert set(paths["/s/{name}"]) == {"get", "post"}
    assert set(paths["/s/{name}"]["post"]["responses"]) == {"200", "400", "401", "404", "413", "422", "503"}


# a server that lies


def answering(status: int, members: Any) -> Any:
    body = members if isinstance(members, bytes) else json.dumps(members).encode()

    def fetch(url: str, *, most: int, json_body: Any = None) -> Answer:
        assert url.startswith("https://share.example/")
        return Answer(status, body)

    return fetch


LINK = ShareLink("https://share.example/s/" + "A" * 43, KEY)
GOOD = {"contentType": FHIR, "embedded": encrypt(FILES[0], KEY)}


@pytest.mark.parametrize(
    ("status", "members", "told"),
    [
        (200, {"files": [GOOD | {"contentType": "application/smart-health-card"}]}, "manifest_malformed"),
        (200, {"files": [GOOD | {"contentType": []}]}, "manifest_malformed"),
        (200, {"files": [GOOD | {"contentType": f"{FHIR}+x;{FHIR}"}]}, "manifest_malformed"),
        (200, {"files": [{"contentType": FHIR}]}, "manifest_malformed"),
        (200, {"files": [GOOD] * 17}, "manifest_malformed"),
        (200, {"files": []}, "manifest_malformed"),
        (200, {"files": {}}, "manifest_malformed"),
        (200, {"files": [1]}, "manifest_malformed"),
        (200, [], "manifest_malformed"),
        (200, b"<html>", "manifest_malformed"),
        (200, {"files": [GOOD | {"embedded": encrypt(FILES[0], bytes(32))}]}, "file_undecryptable"),
        (200, {"files": [{"contentType": FHIR, "location": "https://share.example/f"}]}, "file_malformed"),
        (401, {"remainingAttempts": "many"}, "passcode_refused"),
        (404, {}, "link_inactive"),
        (429, {}, "link_busy"),
        (500, {}, "server_unavailable"),
        (204, b"", "server_unavailable"),
    ],
)  # fmt: skip
def test_a_servers_other_answers_are_told(status: int, members: Any, told: str) -> None:
    assert code(LINK, fetch=answering(status, members)) == told


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/s", "https://169.254.169.254/latest", "https://[::ffff:127.0.0.1]/s", "http://127.0.0.1/s"],
)
def test_a_link_into_a_network_of_ours_is_not_asked(url: str) -> None:
    for flags in ("", "U"):
        assert code(ShareLink(url, KEY, frozenset(flags)), fetch=GuardedFetcher()) == "url_refused"


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/x", "https://10.0.0.1/x", "file:///etc/passwd", "/etc", ""]
)
def test_a_manifest_leads_into_no_network_of_ours(location: str) -> None:
    app = FastAPI()
    listed = {"files": [{"contentType": FHIR, "location": location}]}
    app.add_api_route("/m", lambda: listed, methods=["POST"])
    listening = socket.create_server(("127.0.0.1", 0))
    with serving(app, listening):
        assert code(ShareLink(f"http://127.0.0.1:{listening.getsockname()[1]}/m", KEY)) == "url_refused"


def test_a_link_that_says_that_it_ended_is_not_asked_for() -> None:
    def fetch(url: str, *, most: int, json_body: Any = None) -> Answer:
        raise AssertionError("asked")

    at = datetime(2026, 12, 1, tzinfo=UTC)
    ended = ShareLink(LINK.url, KEY, expires_at=at)
    assert code(ended, now=at, fetch=fetch) == "link_expired"
    assert code(LINK, recipient="", fetch=fetch) == "recipient_refused"
    guarded = ShareLink(LINK.url, KEY, frozenset("P"))
    assert code(guarded, fetch=fetch) == "passcode_missing"
    good = answering(200, {"files": [GOOD | {"contentType": f"{FHIR}; fhirVersion=4.0"}]})
    found = open_link(ended.to_uri(), recipient="x", now=at - timedelta(seconds=1), fetch=good)
    assert found.files == tuple(FILES)


def test_mutated_manifests_raise_our_errors_alone(drill_scale: float) -> None:
    chance, whole = random.Random(21), json.dumps({"files": [GOOD]}).encode()
    for _ in range(max(400, int(20_000 * drill_scale))):
        at, changed = chance.randrange(len(whole)), bytearray(whole)
        changed[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        try:
            found = open_link(LINK.to_uri(), recipient="x", now=now(), fetch=answering(200, bytes(changed)))
        except SharingError:
            continue
        assert found.files == tuple(FILES)
