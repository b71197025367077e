"""The store: terms that two openings at once could both win, and what ends."""

from __future__ import annotations

import base64
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from chartseal.errors import ShareLinkError, SharingError
from chartseal.sharing.links import ShareLink, ShareStore, Terms, decrypt, fhir_file
from chartseal.sharing.links.store import LARGEST_EMBEDDED, LOCATION_LIFETIME
from chartseal.sharing.links.tables import METADATA

NOW = datetime(2026, 12, 1, tzinfo=UTC)
PATIENT = b'{"resourceType":"Patient","active":true}'
FILES = [fhir_file(PATIENT)]
LARGE = [fhir_file(b'{"resourceType":"Patient","x":"' + bytes(range(48, 91)).replace(b"\\", b"") * 10 + b'"}')]


def name_of(link: ShareLink) -> str:
    return link.url.rpartition("/")[2]


def opened(store: ShareStore, link: ShareLink, **given: Any) -> list[Any]:
    asked: dict[str, Any] = {"recipient": "Dr. Adams", "passcode": None, "embedded_most": None, "now": NOW, **given}
    return store.open_manifest(name_of(link), **asked)


def code(act: Callable[[], Any]) -> str:
    with pytest.raises(SharingError) as refused:
        act()
    return refused.value.code


def test_a_link_opens_as_often_as_it_is_asked_and_tells_by_whom(store: ShareStore) -> None:
    link = store.share(FILES, Terms(label="Blood count"), now=NOW)
    assert len(link.url) == len("https://share.example/s/") + 43
    [file] = opened(store, link)
    assert decrypt(file.embedded, link.key).content == PATIENT
    opened(store, link, recipient="School")
    state = store.state(link, now=NOW)
    assert [each.recipient for each in state.openings] == ["Dr. Adams", "School"]
    assert (state.is_active, state.files) == (True, 1)


def test_the_database_has_neither_link_nor_key_nor_passcode_nor_content(tmp_path: Path) -> None:
    store = ShareStore.open(str(tmp_path / "s.db"), base="https://share.example/s", create=True)
    link = store.share(FILES, Terms(passcode="secret-7351", label="Blood count"), now=NOW)
    opened(store, link, passcode="secret-7351")
    store.close()
    whole = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    for secret in (name_of(link).encode(), link.key, b"7351", b"Patient", b"Blood"):
        assert secret not in whole
    assert (tmp_path / "s.db").stat().st_mode & 0o777 == 0o600


def test_a_passcode_opens_and_wrong_ones_are_counted_for_life(store: ShareStore) -> None:
    link = store.share(FILES, Terms(passcode="7351", attempts=3), now=NOW)
    assert link.needs_passcode
    for given, told, remaining in ((None, "passcode_missing", 3), ("7352", "passcode_refused", 2)):
        with pytest.raises(ShareLinkError) as refused:
            opened(store, link, passcode=given)
        assert (refused.value.code, refused.value.remaining) == (told, remaining)
        assert "735" not in str(refused.value)
    for _ in range(5):  # right ones cost nothing
        assert len(opened(store, link, passcode="7351")) == 1
    assert store.state(link, now=NOW).attempts_left == 2
    assert code(lambda: opened(store, link, passcode="")) == "passcode_refused"
    assert code(lambda: opened(store, link, passcode="x" * 1_000)) == "passcode_refused"
    assert code(lambda: opened(store, link, passcode="7351")) == "link_inactive"


def test_tries_at_once_are_no_more_than_the_link_takes(store: ShareStore) -> None:
    link = store.share(FILES, Terms(passcode="7351", attempts=5), now=NOW)
    start = threading.Barrier(12)

    def guess(at: int) -> str:
        start.wait()
        return code(lambda: opened(store, link, passcode=f"guess{at}"))

    with ThreadPoolExecutor(12) as pool:
        told = Counter(pool.map(guess, range(12)))
    assert told == {"passcode_refused": 5, "link_inactive": 7}
    assert code(lambda: opened(store, link, passcode="7351")) == "link_inactive"


CHILD = """
import sys
from datetime import datetime, UTC
from chartseal.errors import ShareLinkError
from chartseal.sharing.links import ShareStore
store = ShareStore.open(sys.argv[1], base="https://share.example/s")
print("ready", flush=True)
sys.stdin.readline()
for at in range(8):
    try:
        store.open_manifest(sys.argv[2], recipient="x", passcode=f"{sys.argv[3]}-guess{at}", embedded_most=None,
            now=datetime(2026, 12, 1, tzinfo=UTC))
    except ShareLinkError as error:
        print(error.code, flush=True)
"""


def test_two_processes_have_no_more_tries_together(store: ShareStore, place: str) -> None:
    link = store.share(FILES, Terms(passcode="7351", attempts=7), now=NOW)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, place, name_of(link), each],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for each in "ab"
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    told = Counter(line for child in children for line in child.communicate(timeout=60)[0].splitlines())
    assert told == {"passcode_refused": 7, "link_inactive": 9}


@pytest.mark.parametrize("passcode", [None, "7351"])
def test_of_openings_at_once_one_has_what_is_opened_once(store: ShareStore, passcode: str | None) -> None:
    link = store.share(FILES, Terms(is_one_time=True, passcode=passcode, attempts=20), now=NOW)
    start = threading.Barrier(8)

    def open_once(_: int) -> str:
        start.wait()
        try:
            return "opened" if opened(store, link, passcode=passcode) else "nothing"
        except ShareLinkError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        told = Counter(pool.map(open_once, range(8)))
    assert told == {"opened": 1, "link_inactive": 7}
    state = store.state(link, now=NOW)
    assert (state.attempts_left, len(state.openings), state.is_active) == (20, 1, False)


def test_a_direct_link_is_its_file_and_opens_by_nothing_else(store: ShareStore) -> None:
    link = store.share(FILES, Terms(is_direct=True, is_one_time=True), now=NOW)
    assert link.is_direct
    assert code(lambda: opened(store, link)) == "link_inactive"
    text_of = store.open_direct(name_of(link), recipient="x", now=NOW)
    assert decrypt(text_of, link.key).content == PATIENT
    assert code(lambda: store.open_direct(name_of(link), recipient="x", now=NOW)) == "link_inactive"
    other = store.share(FILES, Terms(), now=NOW)
    assert code(lambda: store.open_direct(name_of(other), recipient="x", now=NOW)) == "link_inactive"


def test_expiry_is_to_the_second_and_pruning_deletes(store: ShareStore) -> None:
    end = NOW + timedelta(hours=1)
    link = store.share(FILES, Terms(expires_at=end), now=NOW)
    kept = store.share(FILES, Terms(), now=NOW)
    assert opened(store, link, now=end - timedelta(seconds=1))
    assert code(lambda: opened(store, link, now=end)) == "link_inactive"
    assert store.prune(now=end - timedelta(seconds=1)) == 0
    assert store.prune(now=end) == 1
    assert (store.state(link, now=end).files, store.state(kept, now=end).files) == (0, 1)


def test_revoking_ends_a_link_and_deletes_its_files(store: ShareStore) -> None:
    link = store.share(LARGE, Terms(passcode="7351"), now=NOW)
    [file] = opened(store, link, passcode="7351", embedded_most=0)
    store.revoke(link, now=NOW)
    assert store.state(link, now=NOW).files == 0
    assert code(lambda: opened(store, link, passcode="7351")) == "link_inactive"
    assert code(lambda: store.open_location(file.location.rpartition("/")[2], now=NOW)) == "link_inactive"
    assert code(lambda: store.revoke(link, now=NOW)) == "link_inactive"


def test_a_location_lasts_minutes_and_opens_once(store: ShareStore) -> None:
    link = store.share(LARGE, Terms(is_one_time=True), now=NOW)
    [file] = opened(store, link, embedded_most=10)
    assert file.embedded is None
    token = file.location.rpartition("/")[2]
    assert file.location == f"https://share.example/s/files/{token}"
    assert store.prune(now=NOW) == 0  # it waits to be fetched
    assert decrypt(store.open_location(token, now=NOW), link.key) == LARGE[0]
    assert code(lambda: store.open_location(token, now=NOW)) == "link_inactive"
    assert store.prune(now=NOW) == 1
    late = store.share(LARGE, Terms(), now=NOW)
    [file] = opened(store, late, embedded_most=10)
    later = NOW + LOCATION_LIFETIME
    assert code(lambda: store.open_location(file.location.rpartition("/")[2], now=later)) == "link_inactive"


def test_two_who_fetch_a_location_at_once_get_one_file(store: ShareStore) -> None:
    link = store.share(LARGE, Terms(), now=NOW)
    token = opened(store, link, embedded_most=10)[0].location.rpartition("/")[2]
    start = threading.Barrier(6)

    def take(_: int) -> bool:
        start.wait()
        try:
            return bool(store.open_location(token, now=NOW))
        except ShareLinkError:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(take, range(6))) == 1


def test_embedding_keeps_to_the_readers_bound_and_ours(store: ShareStore) -> None:
    link = store.share(FILES, Terms(), now=NOW)
    length = len(opened(store, link)[0].embedded)
    assert opened(store, link, embedded_most=length)[0].location is None
    assert opened(store, link, embedded_most=length - 1)[0].embedded is None
    noise = base64.b64encode(random.Random(3).randbytes(LARGEST_EMBEDDED))
    large = store.share([fhir_file(b'{"resourceType":"Binary","data":"' + noise + b'"}')], Terms(), now=NOW)
    for most in (None, 1 << 30):
        assert opened(store, large, embedded_most=most)[0].embedded is None


def test_a_long_term_link_shows_what_is_newest_under_its_key(store: ShareStore) -> None:
    link = store.share(FILES, Terms(is_long_term=True), now=NOW)
    newer = fhir_file(b'{"resourceType":"Patient","active":false}')
    later = NOW + timedelta(days=1)
    store.update(link, [newer, *FILES], now=later)
    files = opened(store, link, now=later)
    assert [decrypt(file.embedded, link.key) for file in files] == [newer, *FILES]
    assert {file.updated_at for file in files} == {later}
    fixed = store.share(FILES, Terms(), now=NOW)
    assert code(lambda: store.update(fixed, FILES, now=NOW)) == "terms_refused"


@pytest.mark.parametrize("name", ["", "x", "A" * 42, "A" * 44, "A" * 43, "é" * 43, "A" * 42 + "/", "../../etc/passwd"])
def test_a_name_that_is_no_links_is_the_same_answer(name: str, tmp_path: Path) -> None:
    store = ShareStore.open(str(tmp_path / "s.db"), base="https://share.example/s", create=True)
    asked: dict[str, Any] = {"recipient": "x", "now": NOW}
    assert code(lambda: store.open_manifest(name, passcode=None, embedded_most=None, **asked)) == "link_inactive"
    assert code(lambda: store.open_direct(name, **asked)) == "link_inactive"
    assert code(lambda: store.open_location(name, now=NOW)) == "link_inactive"
    other = ShareLink("https://other.example/s/" + "A" * 43, bytes(32))
    assert code(lambda: store.revoke(other, now=NOW)) == "link_inactive"
    store.close()


@pytest.mark.parametrize(
    "given",
    [
        {"passcode": "735"},
        {"passcode": "x" * 65},
        {"passcode": "73\n51"},
        {"attempts": 0},
        {"attempts": 101},
        {"passcode": "7351", "is_direct": True},
        {"is_one_time": True, "is_long_term": True},
    ],
)
def test_terms_that_contradict_themselves_are_refused(given: dict[str, Any]) -> None:
    assert code(lambda: Terms(**given)) == "terms_refused"
    assert "7351" not in repr(Terms(passcode="7351"))


def test_what_cannot_be_shared_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    store = ShareStore.open(str(tmp_path / "s.db"), base="https://share.example/s", create=True)
    assert code(lambda: store.share(FILES, Terms(expires_at=NOW), now=NOW)) == "terms_refused"
    assert code(lambda: store.share(FILES * 2, Terms(is_direct=True), now=NOW)) == "terms_refused"
    assert code(lambda: store.share([], Terms(), now=NOW)) == "limit_exceeded"
    assert code(lambda: store.share(FILES * 17, Terms(), now=NOW)) == "limit_exceeded"
    assert len(opened(store, store.share(FILES * 16, Terms(), now=NOW))) == 16
    for recipient in ("", " ", "x" * 201, "a\x1b[2J"):
        link = store.share(FILES, Terms(is_one_time=True), now=NOW)
        assert code(partial(opened, store, link, recipient=recipient)) == "recipient_refused"
        assert opened(store, link)
    store.close()


@pytest.mark.parametrize(
    "base",
    ["http://share.example", "https://share.example/", "https://u@share.example", "https://share.example?x", "",
     "https://share.example/../x#", "https://share.example/" + "x" * 70],
)  # fmt: skip
def test_a_base_is_an_https_url_that_leaves_room(base: str, tmp_path: Path) -> None:
    assert code(lambda: ShareStore.open(str(tmp_path / "s.db"), base=base, create=True)) == "base_refused"


def test_a_store_is_there_or_made(tmp_path: Path) -> None:
    place = str(tmp_path / "s.db")
    assert code(lambda: ShareStore.open(place, base="https://share.example")) == "share_missing"
    ShareStore.open(place, base="https://share.example", create=True).close()
    ShareStore.open(place, base="https://share.example").close()


def test_the_migrations_make_the_tables_that_the_program_has(store: ShareStore, place: str) -> None:
    engine = create_engine(place if "://" in place else f"sqlite:///{place}")
    with engine.connect() as connection:
        seen = inspect(connection)
        for table in METADATA.sorted_tables:
            columns = {each["name"]: each["nullable"] for each in seen.get_columns(table.name)}
            assert columns == {each.name: bool(each.nullable) for each in table.columns}
        assert connection.execute(text("SELECT count(*) FROM share_link")).scalar_one() == 0
    engine.dispose()
