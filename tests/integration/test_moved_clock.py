"""A clock that is set back between acts: nothing breaks, times are what it said, and the log tells what is late."""

from __future__ import annotations

from datetime import datetime, timedelta

from chartseal.vault import Vault
from chartseal.vault.audit import Checked, close_periods, verify_log
from chartseal.vault.database import reading, writing
from chartseal.vault.deliveries import expire
from chartseal.vault.epochs import rotate
from chartseal.vault.erasure import Basis, Holds, SignedReceipt, erase, give, retain
from chartseal.vault.tables import ERASED
from tests.anchoring import place as place
from tests.audit_log import issuer, queue
from tests.charts import NOW
from tests.integration.rotation_child import note
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.vault_records import create, lines_of, put

DAY = timedelta(days=1)
BACK = NOW - 10 * DAY
ACTOR = "clerk"


def stamp(at: datetime) -> int:
    return int(at.timestamp())


def checked(vault: Vault) -> Checked:
    assert list(vault.verify()) == []
    with reading(vault.engine) as connection:
        return verify_log(connection, now=NOW + 30 * DAY, providers={issuer().address})


def test_entries_and_statements(place: str) -> None:
    vault = create(place)
    put(vault, lines_of(2), now=NOW)
    with writing(vault.engine) as connection:
        assert len(close_periods(connection, issuer(), queues=[queue()], now=NOW + 2 * DAY)) == 2
    put(vault, lines_of(1, "p2"), now=BACK)  # into a period that is closed
    with writing(vault.engine) as connection:
        assert close_periods(connection, issuer(), queues=[queue()], now=BACK) == []
    found = checked(vault)
    assert (found.entries, found.statements, found.late, found.unstated) == (3, 2, 1, 1)
    put(vault, lines_of(1, "p3"), now=NOW + 2 * DAY)
    with writing(vault.engine) as connection:
        assert len(close_periods(connection, issuer(), queues=[queue()], now=NOW + 4 * DAY)) == 2
    found = checked(vault)
    assert (found.entries, found.statements, found.late, found.unstated) == (4, 4, 1, 0)
    vault.close()


def test_deliveries_wait_by_the_clock_that_is(place: str) -> None:
    vault = create(place)
    put(vault, lines_of(2), now=NOW, delivery_days=5)
    put(vault, lines_of(1), now=BACK, delivery_days=5)
    assert expire(vault, actor=ACTOR, now=BACK) == 0
    assert expire(vault, actor=ACTOR, now=BACK + 5 * DAY) == 1
    assert expire(vault, actor=ACTOR, now=NOW) == 0
    assert expire(vault, actor=ACTOR, now=NOW + 5 * DAY) == 2
    assert checked(vault).entries == 6
    vault.close()


def test_holds_retention_and_erasure(place: str) -> None:
    vault = create(place)
    put(vault, lines_of(2), now=NOW)
    entries, holds = vault.find(), Holds(vault)

    def go(now: datetime) -> tuple[int, list[str]]:
        done = erase(vault, entries, basis=Basis.PATIENT_REQUEST, actor=ACTOR, now=now)
        return done.erased, [each.code for each in done.refused]

    hold = holds.place(patient="Patient/p1", basis="case-7", actor=ACTOR, now=NOW)
    assert go(BACK) == (0, ["record_held"] * 2)
    holds.lift(hold, actor=ACTOR, now=BACK)
    assert [(each.placed_at, each.lifted_at) for each in holds.all()] == [(stamp(NOW), stamp(BACK))]
    retain(vault, entries[:1], NOW, actor=ACTOR, now=NOW)
    assert go(BACK) == (1, ["record_retained"])  # a clock set back keeps longer, never shorter
    assert go(NOW) == (1, [])
    assert {each.state for each in vault.find()} == {ERASED}
    receipts = list(give(vault, vault.find(), issuer(), now=BACK))
    assert {(each.attester, each.uid) for each in map(SignedReceipt.read, receipts)} == {
        each.identity for each in entries
    }
    assert checked(vault).late == 0
    vault.close()


def test_keys_and_reading(place: str) -> None:
    vault = create(place)
    put(vault, lines_of(3), now=NOW)
    assert rotate(vault.engine, vault.keys, now=BACK, destroy_old=True, noted=note).destroyed == (1,)
    assert len(list(vault.read(vault.find(), actor=ACTOR, now=BACK))) == 3
    assert vault.blobs.sweep(vault.engine, now=BACK) == 0
    checked(vault)
    vault.close()
