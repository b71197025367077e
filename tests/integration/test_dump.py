"""A vault in PostgreSQL that is dumped while another process stores, and loaded into a new database by PostgreSQL's own
programs."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from chartseal.vault.audit import verify_log
from chartseal.vault.database import reading
from tests.charts import NOW
from tests.integration.backup_child import BATCH, BLOBS, reopened
from tests.integration.test_backup_kills import Written, begun, opened_lines, while_written
from tests.postgres import Server
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.vault_records import lines_of, put
from tests.victims import Victims


def test_a_dump_of_a_vault_in_use(postgres_server: Server, postgres: str, tmp_path: Path) -> None:
    begun(postgres, tmp_path).close()
    writers, file = Victims("tests.integration.backup_child", str(tmp_path), postgres), tmp_path / "dump.sql"

    def dump() -> None:
        postgres_server.dump(postgres, file)
        time.sleep(0.3)  # what is stored from here on is not in it
        shutil.copytree(tmp_path / BLOBS, tmp_path / "copied")  # after the dump: all that it names is there

    while_written(writers, tmp_path, dump, "store")
    writers.close()
    place = postgres_server.database()
    postgres_server.load(place, file)
    original, loaded = reopened(postgres, tmp_path / BLOBS), reopened(place, tmp_path / "copied")
    assert list(loaded.verify()) == []
    lines = opened_lines(loaded)
    with reading(loaded.engine) as connection:
        assert verify_log(connection, now=NOW).entries == len(lines)
    assert 0 < len(lines) < len(original.find())
    for batch in Written(tmp_path).batches():
        assert {each: lines[each] for each in batch if each in lines} in ({}, batch)
    assert put(loaded, lines_of(BATCH)).new == BATCH
    assert list(loaded.verify()) == []
    for each in (original, loaded):
        each.close()
