"""A database's faults, told without its words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event

from chartseal.chain.anchors import AnchorQueue, open_queue, writing
from chartseal.chain.index import Snapshot, connect
from chartseal.errors import IndexingError, QueueError
from tests.anchoring import records
from tests.charts import DOMAIN


def refusals(path: Path) -> list[str]:
    """What the queue and the index say about a file."""
    with pytest.raises(QueueError) as of_queue:
        open_queue(str(path))
    with pytest.raises(IndexingError) as of_index:
        Snapshot(connect(f"sqlite:///{path}", create=True))
    codes = of_queue.value.code, of_index.value.code
    assert codes == ("queue_unavailable", "index_unreachable")
    return [of_queue.value.detail.split(": ")[1], of_index.value.detail.split(": ")[1]]


def test_a_file_that_is_no_database_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "secret.db"
    path.write_bytes(bytes(range(256)) * 40)
    assert refusals(path) == ["the file is no SQLite database"] * 2
    assert path.read_bytes() == bytes(range(256)) * 40


def test_a_damaged_text_is_told(tmp_path: Path) -> None:
    engine = open_queue(str(tmp_path / "queue.db"))
    with pytest.raises(QueueError) as refused, writing(engine) as connection:
        connection.exec_driver_sql("SELECT CAST(x'ff' AS TEXT)").all()
    assert refused.value.detail.endswith(": the file is damaged")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert refusals(tmp_path / "secret" / "queue.db") == ["it cannot be opened"] * 2


def test_a_server_that_is_not_there_is_told() -> None:
    place = "postgresql+psycopg://user:secret@127.0.0.1:1/none"
    with pytest.raises(QueueError) as of_queue:
        open_queue(place)
    with pytest.raises(IndexingError) as of_index:
        Snapshot(connect(place))
    for refused in (of_queue.value, of_index.value):
        assert refused.detail.endswith("'s database cannot be used: its server cannot be reached, or refuses us")


def test_a_locked_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "queue.db"
    monkeypatch.setattr("chartseal.chain.database._PATIENCE", 0.1)
    open_queue(str(path)).dispose()
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(QueueError) as refused:
            open_queue(str(path))
        other.rollback()
    assert refused.value.detail.endswith(": another process has it locked")


@pytest.mark.parametrize(
    ("setting", "words", "code"),
    [
        ("query_only = 1", "it cannot be written", "queue_unavailable"),
        ("max_page_count = 1", "no space is left", "disk_full"),
    ],
)
def test_a_file_that_takes_no_more_is_told_and_loses_nothing(
    setting: str, words: str, code: str, tmp_path: Path
) -> None:
    some = records(DOMAIN, 50)
    queue, engine = AnchorQueue(DOMAIN), open_queue(str(tmp_path / "queue.db"))
    with writing(engine) as connection:
        assert queue.add(connection, some[:5]) == 5

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA {setting}")

    engine.dispose()
    event.listen(engine, "connect", limit)
    with pytest.raises(QueueError) as refused, writing(engine) as connection:
        queue.add(connection, some)
    assert refused.value.detail.endswith(f": {words}")
    assert refused.value.code == code
    event.remove(engine, "connect", limit)
    engine.dispose()
    with writing(engine) as connection:
        assert queue.add(connection, some) == 45
