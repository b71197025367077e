"""Who changes a vault in PostgreSQL while another does: everybody locks in one order, and nobody waits in a circle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from chartseal.chain.anchors import AnchorQueue
from chartseal.vault import Vault, deliveries, storing
from chartseal.vault.audit import Act
from chartseal.vault.database import reading, writing
from chartseal.vault.deliveries import expire, redeliver
from chartseal.vault.erasure import Basis, erase, retain
from chartseal.vault.moves import Ground, add_moves
from chartseal.vault.tables import DELIVERY, RECORD, SUCCESSION
from tests.charts import DOMAIN, NOW
from tests.vault_records import create, identity, line_of, lines_of, put

LATE = NOW + timedelta(days=365)
GROUND = Ground(b"o" * 16, b"d" * 32)
Work = Callable[[Vault], Any]


@pytest.fixture
def vault(postgres: str) -> Iterator[Vault]:
    made = create(postgres)
    put(made, lines_of(3))
    yield made
    made.close()


def gone(vault: Vault) -> Any:
    return erase(vault, vault.find()[:1], basis=Basis.PATIENT_REQUEST, actor="c", now=NOW).erased


def delivered(vault: Vault) -> int:
    return redeliver(vault, vault.find(), actor="c", now=NOW, days=1)


def kept(vault: Vault) -> int:
    return retain(vault, vault.find(), LATE, actor="c", now=NOW)


def expired(vault: Vault) -> int:
    return expire(vault, actor="c", now=LATE)


def meanwhile(vault: Vault, monkeypatch: pytest.MonkeyPatch, first: Work, second: Work) -> tuple[Any, Any]:
    """What both do, where the second begins before the first enters what it did."""
    enter, begun = vault.audit.append, threading.Event()

    def slowly(connection: Connection, acts: Sequence[Act], *, now: Any) -> Any:
        if not begun.is_set():
            begun.set()
            time.sleep(0.5)  # the other takes what it can have
        return enter(connection, acts, now=now)

    monkeypatch.setattr(vault.audit, "append", slowly)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first, vault)
        assert begun.wait(30)
        two = pool.submit(second, vault)
        return one.result(60), two.result(60)


@pytest.mark.parametrize(
    ("first", "second", "done"),
    [
        (expired, delivered, (3, 3)),
        (expired, gone, (3, 1)),
        (gone, expired, (1, 2)),
        (delivered, gone, (3, 1)),
        (delivered, kept, (3, 3)),
        (kept, delivered, (3, 3)),
    ],
)
def test_both_end(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, first: Work, second: Work, done: tuple[int, int]
) -> None:
    assert meanwhile(vault, monkeypatch, first, second) == done
    monkeypatch.undo()
    assert list(vault.verify()) == []


@pytest.mark.parametrize("other", [gone, kept])
def test_a_record_that_is_noted_as_moved_waits_for_nobody(vault: Vault, other: Work) -> None:
    with writing(vault.engine) as connection:
        connection.execute(insert(SUCCESSION).values(old=GROUND.succession, new=b"n" * 16, taken_at=1))
    old, new = vault.find()[0], line_of(9)

    def note(connection: Connection) -> None:
        work = pool.submit(other, vault)
        time.sleep(0.5)  # it takes its rows
        wanted = select(RECORD.c.id).where(RECORD.c.uid == identity(new)[1])
        add_moves(connection, {old.id: connection.execute(wanted).scalar_one()}, GROUND)
        works.append(work)

    works: list[Any] = []
    with ThreadPoolExecutor(1) as pool:
        order = storing.Order("c", NOW, AnchorQueue(DOMAIN), 90)
        assert storing.put(vault, [new], order, note).new == 1
        assert works[0].result(60) > 0
    assert list(vault.verify()) == []


def test_what_was_made_to_wait_longer_meanwhile_does_not_expire(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = deliveries._remove

    def later(*given: Any) -> int:
        assert redeliver(vault, vault.find()[:2], actor="c", now=LATE, days=9) == 2
        return remove(*given)

    monkeypatch.setattr(deliveries, "_remove", later)
    assert expire(vault, actor="c", now=LATE) == 1
    with reading(vault.engine) as connection:
        assert sorted(connection.scalars(select(DELIVERY.c.record_id))) == [1, 2]
