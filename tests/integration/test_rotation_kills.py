"""kill -9 at random moments while keys are rotated and destroyed: every record stays readable, the log is whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import func, select

from chartseal.vault import Vault
from chartseal.vault.audit import Action, verify_log
from chartseal.vault.database import reading
from chartseal.vault.keys import KeystoreFile, epoch_name
from chartseal.vault.tables import EPOCH, KEY, META
from tests.anchoring import place as place
from tests.charts import NOW
from tests.integration.rotation_child import PASSPHRASE
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.postgres import settle
from tests.vault_records import create, lines_of, put
from tests.victims import Moments, Victims

KILLS = 200
"""In each database."""
RECORDS = 40


class Stand(NamedTuple):
    """How far rotations have got."""

    newest: int
    moved: int
    """Data keys that are wrapped for the newest epoch."""
    alive: tuple[int, ...]
    """Epochs whose secret is not destroyed."""


def whole(vault: Vault) -> Stand:
    """Every record opens, and each step that was made stands in the log once."""
    assert list(vault.verify()) == []
    with reading(vault.engine) as connection:
        wraps = Counter(connection.scalars(select(KEY.c.epoch)))
        rows = connection.execute(select(EPOCH.c.number, EPOCH.c.destroyed_at).order_by(EPOCH.c.number)).all()
        verify_log(connection, now=NOW)
        steps = Counter(
            each.what.split(",")[0] for each in vault.audit.find(connection) if each.action == Action.ROTATE
        )
    assert wraps.total() == RECORDS
    alive = tuple(row.number for row in rows if row.destroyed_at is None)
    for row in rows:
        assert steps[f"epoch {row.number} begun"] == (row.number > 1)
        assert steps[f"epoch {row.number} destroyed"] == (row.number not in alive)
    newest = rows[-1].number
    return Stand(newest, wraps[newest], alive)


@pytest.mark.long
def test_killed_rotations_lose_no_key(place: str, tmp_path: Path, drill_scale: float) -> None:
    file = tmp_path / "keys.json"
    vault = create(place, KeystoreFile(file, PASSPHRASE))
    put(vault, lines_of(RECORDS))
    victims, moments = Victims("tests.integration.rotation_child", place, str(file)), Moments()
    stand = whole(vault)
    for _ in range(max(3, round(KILLS * drill_scale))):
        before = stand
        vault.close()
        victims.kill("go", moments.next())
        settle(place)
        stand = whole(vault)
        moments.note(has_begun=stand != before, is_done=stand.newest > before.newest + 1)
    vault.close()
    victims.run("finish")
    victims.close()
    last = whole(vault)
    print(moments.told(f"rotate, {vault.engine.dialect.name}", RECORDS) + f", {last.newest} epochs")
    assert last == Stand(last.newest, RECORDS, (last.newest,))
    with reading(vault.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(META).where(META.c.name == "rotation")) == 0
    epochs = [each for each in KeystoreFile(file, PASSPHRASE).names() if each.startswith("epoch-")]
    assert epochs == [epoch_name(last.newest)]
    vault.close()
