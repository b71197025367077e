"""kill -9 at random moments while keys are rotated and destroyed: every record stays readable."""

from __future__ import annotations

import os
import random
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from chartseal.vault.database import open_database, reading, writing
from chartseal.vault.epochs import Epochs
from chartseal.vault.keys import KeystoreFile, epoch_name
from chartseal.vault.tables import EPOCH, KEY, META
from tests.anchoring import place as place
from tests.integration.rotation_child import PASSPHRASE
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.vaults import add_records, unreadable
from tests.victims import Victims

KILLS = 200
"""In each database."""
RECORDS = 40


def newest(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(func.max(EPOCH.c.number))).scalar_one())


@pytest.mark.long
def test_killed_rotations_lose_no_key(place: str, tmp_path: Path, drill_scale: float) -> None:
    engine, file = open_database(place, create=True), tmp_path / "keys.json"
    keys = KeystoreFile(file, PASSPHRASE)
    epochs = Epochs(engine, keys)
    with writing(engine) as connection:
        first = epochs.begin(connection, now=datetime.now(UTC))
    ciphertexts = add_records(engine, first, range(RECORDS))
    victims = Victims("tests.integration.rotation_child", place, str(file))
    source, kills, longest = random.Random(13), 0, 0.5
    for _ in range(max(4, round(KILLS * drill_scale))):
        before = newest(engine)
        child = victims.start("go")
        time.sleep(source.uniform(0.02, longest))
        os.kill(child, signal.SIGKILL)
        kills += victims.end() == -signal.SIGKILL
        assert unreadable(engine, epochs, ciphertexts) == set()
        # So long that about every second one begins an epoch before it dies.
        longest = max(0.1, longest * 0.8) if newest(engine) > before else min(5, longest * 1.25)
    victims.start("finish")
    assert victims.end() == 0
    victims.close()

    assert kills > 0
    with reading(engine) as connection:
        wrapped = connection.scalars(select(KEY.c.epoch)).all()
        alive = connection.scalars(select(EPOCH.c.number).where(EPOCH.c.destroyed_at.is_(None))).all()
        unfinished = connection.scalar(select(func.count()).select_from(META))
    last = newest(engine)
    print(f"\nkills: {kills}, epochs: {last}")
    assert (wrapped, alive, unfinished) == ([last] * RECORDS, [last], 0)
    assert list(KeystoreFile(file, PASSPHRASE).names()) == [epoch_name(last)]
    assert unreadable(engine, epochs, ciphertexts) == set()
