"""kill -9 at random moments while records are sealed into a vault: each is there wholly and once, the log is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Table, func, select

from chartseal.chain.anchors.tables import ANNOUNCEMENT, LEAF
from chartseal.vault import Vault
from chartseal.vault.audit import verify_log
from chartseal.vault.database import reading
from chartseal.vault.tables import AUDIT, DELIVERY, KEY, RECORD
from tests.anchoring import place as place
from tests.charts import NOW
from tests.integration.vault_child import AT, KEYS, RECORDS, opened
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.postgres import settle
from tests.vault_records import keys_of
from tests.victims import Moments, Victims

KILLS = 200
"""In each database."""


def counted(vault: Vault, table: Table) -> int:
    with reading(vault.engine) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def whole(place: str) -> int:
    """How many records there are: each with its key, delivery, leaf, announcement and audit entry."""
    settle(place)
    vault = opened(place)
    rows = counted(vault, RECORD)
    assert [counted(vault, each) for each in (KEY, DELIVERY, AUDIT, LEAF, ANNOUNCEMENT)] == [rows] * 5
    with reading(vault.engine) as connection:
        assert verify_log(connection, now=NOW).entries == rows
    vault.close()
    return rows


@pytest.mark.long
def test_nothing_is_lost_halved_or_doubled(place: str, tmp_path: Path, drill_scale: float) -> None:
    Vault.create(place, keys_of(KEYS), now=AT).close()
    victims, moments, rows = Victims("tests.integration.vault_child", str(tmp_path), place), Moments(), 0
    for _ in range(max(3, round(KILLS * drill_scale))):
        before = rows
        victims.kill("go", moments.next())
        rows = whole(place)
        assert rows >= before
        moments.note(has_begun=rows > before, is_done=rows - before > RECORDS)
    last = len(list(tmp_path.glob("*.json")))
    victims.run(str(last))
    victims.close()
    rows = whole(place)
    vault = opened(place)
    print(moments.told(f"seal, {vault.engine.dialect.name}", rows))
    assert len(vault.find()) == rows == RECORDS * (last + 1)
    assert list(vault.verify()) == []
    vault.close()
