"""The queue alone: what is taken, what becomes a batch and when, and that nothing is in two."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from chartseal import _core
from chartseal.attestation import Digest, Domain, recover_offchain
from chartseal.chain.anchors import (
    AnchorQueue,
    AnchorTree,
    announcements_leaf,
    implied_root,
    open_queue,
    queue,
    reading,
    seal_leaf,
    statement_leaf,
    writing,
)
from chartseal.chain.anchors.periods import Due
from chartseal.chain.anchors.proofs import read_proofs
from chartseal.chain.anchors.tables import BATCH, LEAF
from chartseal.errors import MissingExtraError, QueueError, SignatureError
from chartseal.sealing import SealedRecord
from tests.anchoring import records
from tests.charts import DOMAIN

QUEUE = AnchorQueue(DOMAIN)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def sealed() -> list[SealedRecord]:
    return records(DOMAIN, 12, at=NOON)


def add(engine: Engine, some: list[SealedRecord]) -> int:
    with writing(engine) as connection:
        return QUEUE.add(connection, some)


def close(engine: Engine, now: datetime, period: timedelta | None = DAY) -> int:
    with writing(engine) as connection:
        due = QUEUE.is_due(connection, now=now, period=period)
        roots = QUEUE.close(connection, now=now, period=period)
        assert due == bool(roots)
        return len(roots)


def counts(engine: Engine) -> tuple[int, int, int]:
    """Leaves and announcements that wait, and batches."""
    with reading(engine) as connection:
        status = QUEUE.status(connection)
        return status.waiting, status.announcements, status.pending


def test_a_record_is_in_the_queue_once(engine: Engine, sealed: list[SealedRecord]) -> None:
    assert add(engine, sealed[:8]) == 8
    assert add(engine, sealed) == 4
    assert add(engine, sealed) == 0
    assert counts(engine) == (12, 12, 0)
    assert close(engine, NOON + DAY) == 1
    assert add(engine, sealed) == 0
    assert counts(engine) == (0, 0, 1)


def test_what_is_added_ends_with_the_callers_transaction(engine: Engine, sealed: list[SealedRecord]) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        assert QUEUE.add(connection, sealed) == 12
        assert QUEUE.add_statement(connection, b"statement", b"signature") == 1
        transaction.rollback()
    assert counts(engine) == (0, 0, 0)
    assert add(engine, sealed) == 12


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda package: replace(package, domain=Domain("1.4.0", 1, DOMAIN.contract)), "seal_other_domain"),
        (lambda package: replace(package, domain=Domain("1.3.0", 31337, DOMAIN.contract)), "seal_other_domain"),
        (lambda package: replace(package, signature=bytes(65)), "signature_invalid"),
        (lambda package: replace(package, uid=Digest(bytes(32))), "uid_mismatch"),
        (lambda package: replace(package, message=replace(package.message, time=2**63)), "seal_time"),
    ],
)
def test_what_no_anchor_of_this_chain_helps_is_refused_whole(
    sealed: list[SealedRecord], tmp_path: Path, spoil: Callable[[Any], Any], code: str
) -> None:
    engine = open_queue(str(tmp_path / "queue.db"))
    bad = replace(sealed[3], package=spoil(sealed[3].package))
    with pytest.raises((QueueError, SignatureError)) as caught:
        add(engine, [*sealed[:3], bad, *sealed[4:]])
    assert caught.value.code == code
    assert counts(engine) == (0, 0, 0)


def test_a_days_seals_become_one_batch_when_the_day_is_over(engine: Engine, sealed: list[SealedRecord]) -> None:
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    add(engine, sealed[:10])
    assert close(engine, midnight - timedelta(seconds=1)) == 0
    assert close(engine, midnight) == 1
    add(engine, sealed[10:11])  # late: it may wait an hour, not a day, or it would be too late for verifiers
    assert close(engine, midnight + timedelta(minutes=59)) == 0
    add(engine, sealed[11:])
    assert close(engine, midnight + HOUR) == 1
    assert close(engine, midnight + 2 * HOUR) == 0
    assert counts(engine) == (0, 0, 2)


def test_todays_seals_do_not_wait_where_the_period_is_now_but_tomorrows_do(engine: Engine) -> None:
    add(engine, records(DOMAIN, 2, at=NOON))
    add(engine, records(DOMAIN, 3, at=NOON + DAY))
    assert close(engine, NOON, None) == 1
    assert counts(engine) == (3, 3, 1)


def test_a_period_without_anything_gives_nothing_unless_there_is_a_statement(engine: Engine) -> None:
    assert close(engine, NOON) == 0
    with writing(engine) as connection:
        assert QUEUE.add_statement(connection, b"of the day", b"signed") == 1
        assert QUEUE.add_statement(connection, b"of the day", b"signed") == 0
    assert close(engine, NOON) == 1
    assert counts(engine) == (0, 0, 1)
    with reading(engine) as connection:
        root = connection.execute(select(BATCH.c.root)).scalar_one()
    assert root == AnchorTree([statement_leaf(b"of the day", b"signed")]).root


def test_two_periods_are_two_anchors(engine: Engine) -> None:
    for day in range(3):
        add(engine, records(DOMAIN, 2, at=NOON + day * DAY))
        assert close(engine, NOON + (day + 1) * DAY) == 1
    assert counts(engine) == (0, 0, 3)


def test_more_than_a_batch_takes_make_several(
    engine: Engine, sealed: list[SealedRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST_LEAVES", 5)
    add(engine, sealed)
    assert close(engine, NOON + DAY) == 3
    with reading(engine) as connection:
        sizes = connection.execute(select(func.count(LEAF.c.uid)).group_by(LEAF.c.batch_id)).scalars().all()
    assert sorted(sizes) == [2, 5, 5]


@pytest.mark.parametrize("entry", [b"", b"x" * 33, b"x" * 35])
def test_a_malformed_announcement_is_refused(tmp_path: Path, entry: bytes) -> None:
    with writing(open_queue(str(tmp_path / "q.db"))) as connection:
        with pytest.raises(QueueError) as caught:
            QUEUE.add_announcements(connection, [(b"y" * 34, 1), (entry, 1)])
        assert caught.value.code == "announcement_malformed"
        assert QUEUE.add_announcements(connection, [(b"y" * 34, 1), (b"z" * 34, 1), (b"y" * 34, 2)]) == 2


@pytest.mark.parametrize(("statement", "signature"), [(b"", b"s"), (b"s", b""), (b"s" * 65_537, b"s")])
def test_a_statement_without_text_or_too_long_is_refused(tmp_path: Path, statement: bytes, signature: bytes) -> None:
    with writing(open_queue(str(tmp_path / "q.db"))) as connection, pytest.raises(QueueError) as caught:
        QUEUE.add_statement(connection, statement, signature)
    assert caught.value.code == "statement_size"


def test_leaves_are_hashed_as_the_format_says() -> None:
    def encoded(name: str, *words: bytes) -> bytes:
        text = f"chartseal/1/{name}".encode()
        head = (32 * (1 + len(words))).to_bytes(32)
        return head + b"".join(words) + len(text).to_bytes(32) + text + bytes(-len(text) % 32)

    page, uid = b"p" * 68, b"\x01" * 32
    hashed = _core.keccak256
    assert announcements_leaf(page) == hashed(encoded("anchor-announcements", hashed(page)))
    assert statement_leaf(b"a", b"b") == hashed(encoded("anchor-audit", hashed(b"a"), hashed(b"b")))
    assert seal_leaf(uid, hashed(b"s")) == hashed(encoded("anchor-seal", uid, hashed(b"s")))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 100])
def test_every_value_of_a_tree_leads_to_its_root_and_no_other_does(count: int) -> None:
    values = [_core.keccak256(bytes([at])) for at in range(count)]
    tree = AnchorTree(values)
    assert all(implied_root(value, tree.proof(value)) == tree.root for value in values)
    assert implied_root(bytes(32), tree.proof(values[0])) != tree.root
    for one, other in pairwise(values):
        assert implied_root(one, tree.proof(other)) != tree.root
    with pytest.raises(KeyError):
        tree.proof(bytes(32))


def test_workers_that_close_and_add_at_once_double_nothing(engine: Engine) -> None:
    shared = records(DOMAIN, 60)
    now = datetime.now(UTC)
    failures: list[BaseException] = []
    added: list[int] = []

    def work(number: int) -> None:
        try:
            for at in range(0, 60, 5):
                added.append(add(engine, shared[at : at + 5] if number % 2 else shared[60 - at - 5 : 60 - at]))
                with writing(engine) as connection:
                    QUEUE.close(connection, now=now, period=None)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sum(added) == 60
    with writing(engine) as connection:
        QUEUE.close(connection, now=now, period=None)
        connection.execute(BATCH.update().values(state="final"))
        found = list(read_proofs(connection))
    assert Counter(each.identity for each in found) == Counter((each.attester, each.uid) for each in shared)
    for each, record in ((seal, record) for seal in found for record in shared if record.uid == seal.uid):
        assert each.proof.root(recover_offchain(record.package)) == each.root


def test_a_driver_that_is_not_installed_is_told_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError):
        open_queue("postgresql+psycopg://user:secret@127.0.0.1:1/none")


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("oracle://user:secret@host/db", "queue_url"),
        ("nonsense://secret", "queue_url"),
        ("postgresql://user:secret@[x/", "queue_url"),
        ("sqlite://", "queue_url"),
        ("sqlite:///:memory:", "queue_url"),
        (":memory:", "queue_url"),
        ("sqlite:///file:secret?mode=memory&uri=true", "queue_url"),
        ("/no/such/folder/queue.db", "queue_unavailable"),
        ("postgresql://user:secret@127.0.0.1:1/none", "queue_unavailable"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_error_without_its_url(place: str, code: str) -> None:
    with pytest.raises(QueueError) as caught:
        open_queue(place)
    assert caught.value.code == code
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_queue_that_is_only_read_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(QueueError) as caught:
        open_queue(str(tmp_path / "queue.db"), create=False)
    assert caught.value.code == "queue_missing"
    assert list(tmp_path.iterdir()) == []


def test_a_queue_is_its_owners_alone(tmp_path: Path, sealed: list[SealedRecord]) -> None:
    engine = open_queue(str(tmp_path / "queue.db"))
    with writing(engine) as connection:
        AnchorQueue(sealed[0].package.domain).add(connection, sealed)
        modes = {each.name: oct(each.stat().st_mode & 0o777) for each in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("queue.db", "queue.db-wal", "queue.db-shm"), "0o600")


def test_a_batch_that_a_wrong_clock_closed_in_the_future_holds_nothing_up() -> None:
    now = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
    at = int(now.timestamp())
    followed = {ahead: Due(now).may_follow(at + ahead) for ahead in (-3_600, 0, 1_800, 3_600, 3_601, 86_400)}
    assert followed == {-3_600: True, 0: False, 1_800: False, 3_600: False, 3_601: True, 86_400: True}
