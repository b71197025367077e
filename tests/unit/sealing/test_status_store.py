"""The store of status lists: no place twice, whatever runs at once or dies."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from chartseal import _core
from chartseal.attestation import Address, Digest
from chartseal.errors import StatusListError
from chartseal.record.credential import LARGEST_LIST, LIST_SIZE
from chartseal.sealing import StatusStore
from chartseal.sealing.status_store import MIXED

ISSUER, OTHER = Address(b"\x01" * 20), Address(b"\x02" * 20)


def uids(first: int, count: int) -> list[bytes]:
    return [_core.keccak256(number.to_bytes(8)) for number in range(first, first + count)]


@pytest.fixture
def store(tmp_path: Path) -> StatusStore:
    return StatusStore(tmp_path / "key.status.db")


def refusal(code: str) -> pytest.RaisesExc[StatusListError]:
    return pytest.raises(StatusListError, check=lambda error: error.code == code)


def test_each_seal_has_one_place_and_keeps_it(store: StatusStore) -> None:
    seals = uids(0, 700)
    first = store.reserve(ISSUER, seals)
    assert len(set(first)) == 700
    assert {number for number, _ in first} == {0}
    assert store.reserve(ISSUER, seals[::-1]) == first[::-1]
    twice = store.reserve(ISSUER, [seals[3], *uids(700, 1), seals[3]])
    assert twice[0] == twice[2] == first[3]
    assert twice[1] not in first
    assert store.find(ISSUER, [seals[5], b"\0" * 32]) == {seals[5]: first[5]}
    assert store.path.stat().st_mode & 0o077 == 0


def test_issuers_have_lists_of_their_own(store: StatusStore) -> None:
    [mine], [others] = store.reserve(ISSUER, uids(0, 1)), store.reserve(OTHER, uids(0, 1))
    store.revoke(ISSUER, [mine])
    assert store.revoked(ISSUER, 0) == {mine[1]}
    assert store.revoked(OTHER, 0) == frozenset()
    assert store.find(OTHER, uids(0, 1)) == {uids(0, 1)[0]: others}


def test_an_index_tells_no_order(store: StatusStore) -> None:
    """One seal at a time: of two neighbours the later has the larger index about as often as not."""
    given = [store.reserve(ISSUER, uids(at, 1))[0][1] for at in range(200)]
    rising = sum(later > earlier for earlier, later in pairwise(given))
    assert 60 < rising < 140
    assert max(given) < MIXED + 200
    assert max(given) > MIXED // 2


def test_what_was_not_written_uses_up_places(store: StatusStore) -> None:
    """A run that dies after reserving wastes them; its records come again under other uids."""
    lost = store.reserve(ISSUER, uids(0, 50))
    again = store.reserve(ISSUER, uids(1_000, 50))
    assert not set(lost) & set(again)


def test_a_full_list_opens_the_next(store: StatusStore) -> None:
    store.reserve(ISSUER, uids(0, 1))
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE list SET next = ?, pool = x''", (LIST_SIZE - 3,))
    given = store.reserve(ISSUER, uids(1, 5))
    assert sorted(given)[:3] == [(0, LIST_SIZE - 3), (0, LIST_SIZE - 2), (0, LIST_SIZE - 1)]
    assert [number for number, _ in sorted(given)[3:]] == [1, 1]
    assert [(each.number, each.given) for each in store.lists(ISSUER)] == [(0, 4), (1, 2)]
    with sqlite3.connect(store.path) as database:
        last = (LARGEST_LIST, LIST_SIZE - 2)
        database.execute("UPDATE list SET number = ?, next = ?, pool = x'' WHERE number = 1", last)
    with refusal("status_lists_full"):
        store.reserve(ISSUER, uids(6, 3))  # all or none
    assert sorted(store.reserve(ISSUER, uids(6, 2))) == [(LARGEST_LIST, LIST_SIZE - 2), (LARGEST_LIST, LIST_SIZE - 1)]


def test_bits_are_set_once_and_stay(store: StatusStore) -> None:
    places = store.reserve(ISSUER, uids(0, 3))
    assert store.revoke(ISSUER, places[:2]) == 2
    assert store.revoke(ISSUER, [*places, places[0]]) == 1
    assert store.revoked(ISSUER, 0) == {at for _, at in places}
    assert store.revoke(ISSUER, []) == 0
    assert store.revoke(ISSUER, [(7, LIST_SIZE - 1)]) == 1
    for place in ((0, LIST_SIZE), (0, -1), (-1, 0), (LARGEST_LIST + 1, 0)):
        with refusal("status_index"):
            store.revoke(ISSUER, [places[0], place])


def test_a_revoked_place_is_given_to_nobody(store: StatusStore) -> None:
    """A store that was lost and begun anew may hear of places that it never gave."""
    store.revoke(ISSUER, [(0, at) for at in range(0, 2 * MIXED, 2)])
    given = [place for at in range(20) for place in store.reserve(ISSUER, uids(100 * at, 40))]
    assert all(at % 2 or at >= 2 * MIXED for _, at in given)
    assert len(set(given)) == 800


def test_lists_are_opened_above_all_others(store: StatusStore) -> None:
    store.open_list(ISSUER, 5)
    assert store.reserve(ISSUER, uids(0, 1))[0][0] == 5
    for number in (0, 5, LARGEST_LIST + 1):
        with refusal("status_list_number"):
            store.open_list(ISSUER, number)
    store.open_list(ISSUER, 6)
    assert store.reserve(ISSUER, uids(1, 1))[0][0] == 6
    store.set_published(ISSUER, 5, Digest(b"\7" * 32))
    assert [(each.number, each.published) for each in store.lists(ISSUER)] == [(5, b"\7" * 32), (6, None)]


def test_roots_that_were_ever_published_are_known(store: StatusStore) -> None:
    roots = [Digest(bytes([at]) * 32) for at in range(3)]
    assert not store.knows_root(ISSUER, 0, roots[0])
    for root in roots[:2]:
        store.note_root(ISSUER, 0, root)
        store.note_root(ISSUER, 0, root)
    assert [store.knows_root(ISSUER, 0, root) for root in roots] == [True, True, False]
    assert not store.knows_root(OTHER, 0, roots[0])
    assert not store.knows_root(ISSUER, 1, roots[0])


def test_nothing_is_made_where_nothing_is_given(store: StatusStore) -> None:
    assert not store.find(ISSUER, uids(0, 1))
    assert store.lists(ISSUER) == []
    assert store.revoked(ISSUER, 0) == frozenset()
    assert not store.exists


def test_other_files_are_refused(store: StatusStore, tmp_path: Path) -> None:
    store.path.write_bytes(b"not a database" * 100)
    with refusal("status_store_unusable"):
        store.reserve(ISSUER, uids(0, 1))
    store.path.unlink()
    with sqlite3.connect(store.path) as database:
        database.execute("CREATE TABLE mine (x)")
    with refusal("status_store_unusable"):
        store.reserve(ISSUER, uids(0, 1))
    with sqlite3.connect(store.path) as database:
        database.execute("DROP TABLE mine")
        database.execute("PRAGMA user_version = 2")
    with refusal("status_store_unusable"):
        store.reserve(ISSUER, uids(0, 1))
    with refusal("status_store_unusable"):
        StatusStore(tmp_path / "missing" / "key.status.db").reserve(ISSUER, uids(0, 1))
    with refusal("status_store_unusable"):
        StatusStore(tmp_path).reserve(ISSUER, uids(0, 1))


def _reserve(path: Path, first: int) -> list[tuple[int, int]]:
    store = StatusStore(path)
    return [place for at in range(10) for place in store.reserve(ISSUER, uids(first + 30 * at, 30))]


def test_processes_at_once_get_different_places(store: StatusStore) -> None:
    with ProcessPoolExecutor(4) as pool:
        runs = pool.map(_reserve, [store.path] * 4, [0, 10_000, 20_000, 30_000])
        given = [place for run in runs for place in run]
    assert len(given) == len(set(given)) == 1_200


_CHILD = """
import os, sys
from pathlib import Path
from chartseal.attestation import Address
from chartseal.sealing import StatusStore
store = StatusStore(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    uids = [os.urandom(32) for _ in range(200)]
    places = store.reserve(Address(b"\\x01" * 20), uids)
    print(" ".join(f"{uid.hex()}:{number}:{at}" for uid, (number, at) in zip(uids, places)), flush=True)
"""


def _child(path: Path, output: Path) -> subprocess.Popen[bytes]:
    with output.open("w") as stream:
        child = subprocess.Popen([sys.executable, "-c", _CHILD, str(path)], stdout=stream)
    while not output.stat().st_size and child.poll() is None:
        time.sleep(0.02)
    return child


@pytest.mark.long
def test_kills_never_repeat_a_place(store: StatusStore, tmp_path: Path, drill_scale: float) -> None:
    """SIGKILL at random moments, two at once: no place that was told is ever told again, and the store still serves."""
    generator, told, kills = random.Random(11), [], 0
    outputs = [tmp_path / "first", tmp_path / "second"]
    for _ in range(max(3, round(100 * drill_scale))):
        children = [_child(store.path, output) for output in outputs]
        time.sleep(generator.uniform(0.05, 0.6))
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            kills += 1
        text = "".join(output.read_text().rpartition("\n")[0] + "\n" for output in outputs)  # whole lines
        told += [tuple(word.split(":")) for word in text.split() if word != "ready"]
    print(f"\nkills: {kills}; places told: {len(told)}")
    assert told
    places = [(int(number), int(at)) for _, number, at in told]
    assert len(places) == len(set(places))
    kept = store.find(ISSUER, [bytes.fromhex(uid) for uid, _, _ in told])
    assert all(kept[bytes.fromhex(uid)] == (int(number), int(at)) for uid, number, at in told)
    assert not set(store.reserve(ISSUER, uids(0, 500))) & set(places)
