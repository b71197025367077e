"""Several processes on one vault at once: what one stores, another erases, and a third looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from chartseal.errors import ChartsealError
from chartseal.vault.audit import Action, verify_log
from chartseal.vault.database import reading, writing
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.tables import ERASED
from tests.anchoring import place as place
from tests.charts import NOW
from tests.integration.sharing_child import ALL, BATCH, BATCHES, MOST_GO, with_blobs
from tests.integration.vault_child import KEYS, opened
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.vault_records import BASE, create, keys_of, lines_of, put
from tests.victims import Victims


def test_making_storing_erasing_and_checking_at_once(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    processes = Victims("tests.integration.sharing_child", place, str(folder))
    processes.run("make make make")
    processes.run("store remove remove check")
    processes.close()
    vault = with_blobs(place, folder)
    assert vault.settings.base == BASE
    found = vault.find()
    assert len(found) == ALL
    erased = Counter(each.state for each in found)[ERASED]
    assert erased >= 2 * MOST_GO
    for number in range(BATCHES):
        assert len(vault.find(patient=f"Patient/p{number}")) <= BATCH
    assert list(vault.verify()) == []
    with reading(vault.engine) as connection:
        assert verify_log(connection, now=NOW).entries == ALL + erased
        assert sum(each.action == Action.ERASE for each in vault.audit.find(connection)) == erased
    vault.close()


def test_who_waits_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartseal.chain.database._PATIENCE", 0.2)
    place = str(tmp_path / "vault.db")
    one, two = create(place, keys_of(KEYS)), opened(place)
    lines = lines_of(2)
    acts: list[Callable[[], object]] = [
        lambda: put(two, lines),
        lambda: erase(two, two.find(), basis=Basis.PATIENT_REQUEST, actor="clerk", now=NOW),
        lambda: opened(place),
    ]
    put(one, lines_of(3))
    with writing(one.engine):
        for act in acts:
            with pytest.raises(ChartsealError) as caught:
                act()
            assert caught.value.code == "vault_unavailable"
            assert "locked" in str(caught.value)
        assert len(two.find()) == 3
    assert put(two, lines).new == 2
    assert list(two.verify()) == []
