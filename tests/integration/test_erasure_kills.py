"""kill -9 at random moments while a patient is erased: each record is wholly there or wholly erased, and stays so."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from chartseal.vault import Vault
from chartseal.vault.audit import Action, verify_log
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import reading
from chartseal.vault.erasure import erased_of
from chartseal.vault.tables import BLOB, DELIVERY, ERASED, ERASURE, KEY, LIVE, NO_KEY, RECORD, TERM
from tests.anchoring import place as place
from tests.charts import NOW
from tests.integration.vault_child import KEYS
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.postgres import settle
from tests.vault_records import create, keys_of, lines_of, put
from tests.victims import Moments, Victims

KILLS = 200
"""In each database."""
RECORDS = 12


def check_whole(vault: Vault) -> set[bytes]:
    """Every record is live and opens, or erased and nothing of it is there; returns the erased ones' uids."""
    entries = vault.find()
    erased = {each.id for each in entries if each.state == ERASED}
    live = {each.id for each in entries if each.state == LIVE}
    with reading(vault.engine) as connection:
        whole = select(KEY.c.record_id).where(KEY.c.wrapped != NO_KEY)
        for ids in (whole, select(TERM.c.record_id), select(DELIVERY.c.record_id)):
            assert set(connection.scalars(ids)) == live
        assert set(connection.scalars(select(ERASURE.c.record_id))) == erased
        log = verify_log(connection, now=NOW)
        acts = [each.what for each in vault.audit.find(connection) if each.action == Action.ERASE]
        assert connection.execute(select(func.count()).select_from(RECORD)).scalar_one() == len(entries)
    assert log.entries == len(entries) + len(acts)
    assert len(set(acts)) == len(acts) == len(erased)
    assert list(vault.verify()) == []
    return {each.identity[1] for each in entries if each.id in erased}


@pytest.mark.long
def test_killed_erasures_leave_no_half_record(place: str, tmp_path: Path, drill_scale: float) -> None:
    folder = tmp_path / "blobs"
    vault = create(place, keys_of(KEYS), blobs=FolderBlobs(folder))
    vault.blobs = Blobs(FolderBlobs(folder), inline=1_500)
    victims = Victims("tests.integration.erasure_child", place, str(folder))
    moments, gone = Moments(), set[bytes]()
    for number in range(max(3, round(KILLS * drill_scale))):
        patient = f"Patient/k{number}"
        put(vault, lines_of(RECORDS, f"k{number}"))
        vault.close()
        victims.kill(patient, moments.next())
        settle(place)
        erased = check_whole(vault)
        assert gone <= erased
        new = len(erased - gone)
        moments.note(has_begun=new > 0, is_done=new == RECORDS)
        victims.run(patient)  # the same call goes on
        gone = check_whole(vault)
        assert len(erased_of(vault, patient)) == RECORDS
    victims.close()
    print(moments.told(f"erase, {vault.engine.dialect.name}", len(gone)))
    vault.blobs.sweep(vault.engine, now=NOW + timedelta(days=36_500))
    with reading(vault.engine) as connection:
        assert connection.execute(select(func.count()).select_from(BLOB)).scalar_one() == 0
    assert not list(folder.glob("*/*/*"))
    vault.close()
