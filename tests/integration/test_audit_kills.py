"""Processes that append to one audit log at once, and are killed while they do: the chain stays one and whole."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event

import pytest
from sqlalchemy import select

from chartseal.vault.audit import close_periods, verify_log
from chartseal.vault.database import open_database, reading, writing
from chartseal.vault.tables import AUDIT, DETAIL
from tests.anchoring import place as place
from tests.audit_log import a_log, begun, issuer, looked, queue, told
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.postgres import settle
from tests.victims import Moments

KILLS = 200
"""In each database."""
WRITERS, TURNS = 2, 15

_PROCESSES = multiprocessing.get_context("fork")


def _begin(place: str) -> None:
    engine = begun(open_database(place, create=True))
    with writing(engine) as connection:
        a_log().append(connection, [looked(0)], now=datetime.now(UTC) - timedelta(days=3))
    engine.dispose()  # a fork shares no connection


def _append(place: str, turns: int | None, ready: Event) -> None:
    """Append so often, or until killed: each time three acts, or a day's statement with them."""
    engine, done = open_database(place, create=False), 0
    ready.set()
    while turns is None or done < turns:
        with writing(engine) as connection:
            a_log().append(connection, [looked(done), told(done), looked(done, None)], now=datetime.now(UTC))
            if done % 5 == 0:
                close_periods(connection, issuer(), queues=[queue()], now=datetime.now(UTC))
        done += 1


def _started(place: str, turns: int | None) -> BaseProcess:
    """One that has the database open."""
    ready = _PROCESSES.Event()
    process = _PROCESSES.Process(target=_append, args=(place, turns, ready))
    process.start()
    assert ready.wait(60)
    return process


def _whole(place: str) -> int:
    """How many entries a whole log has; each act came with its two others and its detail."""
    engine = open_database(place, create=False)
    with reading(engine) as connection:
        found = verify_log(connection, now=datetime.now(UTC), providers={issuer().address}, anchored=True)
        details = len(connection.execute(select(DETAIL.c.sequence)).all())
        rows = len(connection.execute(select(AUDIT.c.sequence)).all())
    engine.dispose()
    assert (found.entries - 1) % 3 == 0
    assert (rows, details) == (found.entries, (found.entries - 1) // 3)
    return found.entries


def test_two_processes_make_one_chain(place: str) -> None:
    _begin(place)
    processes = [_started(place, TURNS) for _ in range(WRITERS)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * WRITERS
    assert _whole(place) == 1 + WRITERS * TURNS * 3


def _kill(process: BaseProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)


@pytest.mark.long
def test_a_log_that_is_killed_at_any_moment(place: str, drill_scale: float) -> None:
    _begin(place)
    moments, before = Moments(), 1
    while moments.kills < max(4, round(KILLS * drill_scale)):
        processes = [_started(place, None) for _ in range(WRITERS)]
        for process in processes:
            time.sleep(moments.next())
            _kill(process)
        settle(place)
        now = _whole(place)
        assert now >= before
        for _ in processes:
            moments.note(has_begun=now > before, is_done=now > before + 3 * TURNS)
        before = now
    print(moments.told(f"audit, {'postgresql' if '://' in place else 'sqlite'}", before))
    assert before > 1
