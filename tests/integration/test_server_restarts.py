"""A PostgreSQL server that goes away in the middle of a transaction: a typed error, and then the same call succeeds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from chartseal.errors import ChartsealError
from chartseal.vault import Vault
from chartseal.vault.audit import verify_log
from chartseal.vault.database import reading
from chartseal.vault.deliveries import expire, publish
from chartseal.vault.epochs import rotate
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.tables import ERASED
from tests.charts import NOW
from tests.integration.rotation_child import note
from tests.postgres import Server
from tests.vault_records import create, lines_of, put

RECORDS, MORE = 20, 10


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One of its own: whoever else uses the session's would fall over."""
    try:
        started = Server()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    yield started
    started.stop()


def restart_before(vault: Vault, server: Server, number: int) -> Callable[[], None]:
    """Restart the server before the statement of that number; returns what ends it."""
    seen = 0

    def count(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            server.restart()

    event.listen(vault.engine, "before_cursor_execute", count)
    return lambda: event.remove(vault.engine, "before_cursor_execute", count)


def whole(vault: Vault) -> int:
    assert list(vault.verify()) == []
    with reading(vault.engine) as connection:
        return verify_log(connection, now=NOW).entries


@pytest.mark.parametrize("number", [3, 9])
@pytest.mark.parametrize("what", ["put", "erase", "rotate", "publish"])
def test_the_same_call_succeeds_afterwards(what: str, number: int, server: Server, tmp_path: Path) -> None:
    vault = create(server.database())
    put(vault, lines_of(RECORDS))
    lines = lines_of(MORE, "p2")
    acts: dict[str, Callable[[], object]] = {
        "put": lambda: put(vault, lines),
        "erase": lambda: erase(vault, vault.find(), basis=Basis.PATIENT_REQUEST, actor="clerk", now=NOW),
        "rotate": lambda: rotate(vault.engine, vault.keys, now=NOW, batch=7, destroy_old=True, noted=note),
        "publish": lambda: publish(vault, tmp_path, actor="clerk", now=NOW, early=True),
    }

    def again() -> None:
        for _ in range(4):  # an act of few statements comes to that one when it is done again
            acts[what]()

    before, end = whole(vault), restart_before(vault, server, number)
    with pytest.raises(ChartsealError) as caught:
        again()
    end()
    assert caught.value.code in ("vault_unavailable", "queue_unavailable")
    assert str(server.folder) not in str(caught.value)
    assert whole(vault) >= before
    acts[what]()
    whole(vault)
    states = [each.state for each in vault.find()]
    assert len(states) == RECORDS + (MORE if what == "put" else 0)
    assert states.count(ERASED) == (RECORDS if what == "erase" else 0)
    assert vault.find(patient="Patient/p2") == vault.find()[RECORDS:]
    vault.close()


def test_a_server_that_stops_while_a_call_waits(server: Server) -> None:
    """The head of the log is held by somebody else: who waits for it is told too."""
    vault = create(server.database())
    put(vault, lines_of(3))
    held, errors, lines = Vault.open(vault.engine.url.render_as_string(), vault.keys), list[str](), lines_of(2)
    with held.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE vault_meta SET value = value")

        def work() -> None:
            try:
                put(vault, lines)
            except ChartsealError as error:
                errors.append(error.code)

        waiting = threading.Thread(target=work)
        waiting.start()
        while held.engine.connect().exec_driver_sql(WAITS).scalar_one() == 0:
            pass
        server.restart()
        waiting.join(60)
        connection.invalidate()
    assert errors == ["vault_unavailable"]
    assert put(vault, lines).new == 2
    assert expire(vault, actor="clerk", now=NOW) == 0
    assert whole(vault) == 5
    held.close()
    vault.close()


WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
