"""kill -9 at random moments while records are sealed into a vault: each is there wholly and once, the log is whole."""

from __future__ import annotations

import random
import subprocess
import sys
import time
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
from tests.vault_records import keys_of

KILLS = 200
"""In each database."""


def child(folder: Path, place: str, *last: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.vault_child", str(folder), place, *last]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def counted(vault: Vault, table: Table) -> int:
    with reading(vault.engine) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.mark.long
def test_nothing_is_lost_halved_or_doubled(place: str, tmp_path: Path, drill_scale: float) -> None:
    Vault.create(place, keys_of(KEYS), now=AT).close()
    chance, waits = random.Random(), 0.8
    for _ in range(max(2, round(KILLS * drill_scale))):
        victim = child(tmp_path, place)
        time.sleep(chance.uniform(0, waits))
        victim.kill()
        assert victim.wait() == -9
        vault = opened(place)
        rows = counted(vault, RECORD)
        assert [counted(vault, each) for each in (KEY, DELIVERY, AUDIT, LEAF, ANNOUNCEMENT)] == [rows] * 5
        vault.close()
    charts = [int(each.stem) for each in tmp_path.glob("*.json")]
    last = max(charts, default=0)
    assert child(tmp_path, place, str(last)).wait() == 0
    vault = opened(place)
    assert len(vault.find()) == RECORDS * (last + 1)
    assert list(vault.verify()) == []
    with reading(vault.engine) as connection:
        assert verify_log(connection, now=NOW).entries == RECORDS * (last + 1)
    vault.close()
