"""kill -9 at random moments of backups and restores, while others write: what is there is whole, or is not there."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, inspect, select

from chartseal.errors import VaultError
from chartseal.sealing import SealedRecord
from chartseal.vault import Vault
from chartseal.vault.audit import Action, verify_log
from chartseal.vault.backup import _TABLES
from chartseal.vault.blobs import FolderBlobs
from chartseal.vault.database import open_database, reading
from chartseal.vault.opening import Opened, decrypt
from chartseal.vault.settings import OF_PLACE
from chartseal.vault.tables import LIVE, RECORD
from tests.anchoring import place as place
from tests.charts import NOW
from tests.integration.backup_child import (
    AGAIN,
    BACKUP,
    BATCH,
    BLOBS,
    LINES,
    back_up_once,
    make_identity,
    reopened,
    restore,
    with_blobs,
)
from tests.integration.vault_child import KEYS
from tests.postgres import Server, settle
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.vault_records import create, keys_of, lines_of, put
from tests.victims import Moments, Victims

KILLS = 200
"""In each database, of backups and of restores."""
RECORDS = 45
Identity = tuple[bytes, bytes]


class Written:
    """What was ever given to the vault, by the file of lines that its writers keep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def batches(self) -> list[dict[Identity, bytes]]:
        lines = (self._folder / LINES).read_bytes().split(b"\n")[:-1]  # the last may be cut
        records = [(SealedRecord.from_json(line), line) for line in lines]
        pairs = [((record.attester, record.uid), line) for record, line in records]
        return [dict(pairs[at : at + BATCH]) for at in range(0, len(pairs) - BATCH + 1, BATCH)]


def states(vault: Vault) -> dict[Identity, int]:
    return {each.identity: each.state for each in vault.find()}


def opened_lines(vault: Vault) -> dict[Identity, bytes]:
    """The live records, decrypted: those whose ciphertext is there."""
    live = [each for each in vault.find() if each.state == LIVE]
    with reading(vault.engine) as connection:
        found = decrypt(vault, connection, live)
    assert {each.code for each in found if not isinstance(each, Opened)} <= {"blob_missing"}
    return {each.identity: each.line for each in found if isinstance(each, Opened)}


def log_is_whole(vault: Vault) -> int:
    """How many backups the log tells of."""
    with reading(vault.engine) as connection:
        verify_log(connection, now=NOW)
        return sum(each.action == Action.BACKUP for each in vault.audit.find(connection))


def check_copy(folder: Path, written: Written, original: dict[Identity, int]) -> int:
    """The backup restores; what it lacks is what was erased while it was made. Returns its live records."""
    target = folder / "restored"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    restore(folder, str(target / "vault.db"), target / BLOBS)
    vault = reopened(str(target / "vault.db"), target / BLOBS)
    found, lines = states(vault), opened_lines(vault)
    for batch in written.batches():
        assert len(batch.keys() & found.keys()) in (0, len(batch))
        assert all(lines[each] == batch[each] for each in batch.keys() & lines.keys())
    gone = {identity for identity, state in original.items() if state != LIVE}
    assert {each for each, state in found.items() if state == LIVE} - lines.keys() <= gone
    assert {each.code for each in vault.verify()} <= {"blob_missing"}
    log_is_whole(vault)
    vault.close()
    return len(lines)


def begun(place: str, folder: Path, count: int = RECORDS) -> Vault:
    """A vault with records, in its database and beside it, and a key for its backups."""
    vault = with_blobs(create(place, keys_of(KEYS), blobs=FolderBlobs(folder / BLOBS)), folder / BLOBS)
    lines = lines_of(count)
    (folder / LINES).write_bytes(b"".join(each.line + b"\n" for each in lines))
    for at in range(0, count, BATCH):
        put(vault, lines[at : at + BATCH])
    make_identity(folder)
    return vault


def parts(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.name.endswith(".part")]


def while_written(writers: Victims, folder: Path, work: Callable[[], object], word: str = "write") -> None:
    """Do it while another process stores and erases, and is killed in the end too."""
    size = (folder / LINES).stat().st_size
    writer = writers.start(word)
    while (folder / LINES).stat().st_size == size:
        time.sleep(0.001)
    try:
        work()
    finally:
        os.kill(writer, signal.SIGKILL)
        assert writers.end() == -signal.SIGKILL


@pytest.mark.long
def test_a_killed_backup_is_whole_or_not_there(place: str, tmp_path: Path, drill_scale: float) -> None:
    vault, written = begun(place, tmp_path), Written(tmp_path)
    vault.close()
    writers, victims = (Victims("tests.integration.backup_child", str(tmp_path), place) for _ in range(2))
    moments, file, copies, mark = Moments(), tmp_path / BACKUP, 0, 0
    for _ in range(max(3, round(KILLS * drill_scale))):
        while_written(writers, tmp_path, lambda: victims.kill("backup", moments.next()))
        settle(place)
        assert list(vault.verify()) == []
        copies += (is_new := file.exists() and file.stat().st_ino != mark)
        assert log_is_whole(vault) >= copies
        moments.note(has_begun=bool(parts(tmp_path)), is_done=is_new)
        if is_new:
            mark = file.stat().st_ino
            assert check_copy(tmp_path, written, states(vault)) > 0
        for each in parts(tmp_path):
            os.utime(each, (0, time.time() - 3_700))
        vault.close()
    victims.run("backup")
    victims.close()
    writers.close()
    print(moments.told(f"backup, {vault.engine.dialect.name}", len(vault.find())) + f", {copies} copies")
    assert parts(tmp_path) == []
    there = states(vault)
    assert check_copy(tmp_path, written, there) == Counter(there.values())[LIVE]
    vault.close()


@pytest.fixture
def places(request: pytest.FixtureRequest, place: str, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes places for vaults, of the kind of the first; one is forgotten when the next is asked for."""
    if "://" not in place:
        folder = tmp_path / "places"

        def fresh() -> str:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            return str(folder / "vault.db")

        yield fresh
        return
    server: Server = request.getfixturevalue("postgres_server")
    made: list[str] = []

    def database() -> str:
        while made:
            server.drop(made.pop())
        made.append(server.database())
        return made[0]

    yield database


def is_made(place: str) -> bool:
    """Whether there is a vault's database, or a part of one."""
    if "://" not in place:
        return Path(place).exists()
    engine = create_engine(place)
    with engine.connect() as connection:
        found = inspect(connection).has_table(RECORD.name)
    engine.dispose()
    return found


def rows(place: str) -> int | None:
    """How many rows are in a vault's tables; None where there are no tables."""
    if "://" not in place and not Path(place).exists():
        return None
    engine = open_database(place, create=True)
    with reading(engine) as connection:
        found = sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in _TABLES)
    engine.dispose()
    return found


@pytest.mark.long
def test_a_killed_restore_leaves_nothing_or_all(
    place: str, places: Callable[[], str], tmp_path: Path, drill_scale: float
) -> None:
    vault = begun(place, tmp_path)
    all_rows = back_up_once(vault, tmp_path).rows + 1  # and the log's entry
    lines = opened_lines(vault)
    vault.close()
    victims, moments = Victims("tests.integration.backup_child", str(tmp_path), place), Moments()
    for _ in range(max(3, round(KILLS * drill_scale))):
        target, outside = places(), tmp_path / AGAIN
        shutil.rmtree(outside, ignore_errors=True)
        victims.kill(f"restore {target}", moments.next())
        settle(target)
        has_begun = is_made(target)
        found = rows(target)
        assert found in (None, 0, len(OF_PLACE), all_rows)  # whose the place is stays for another try
        moments.note(has_begun=has_begun, is_done=found == all_rows)
        if found == all_rows:
            with pytest.raises(VaultError) as refused:
                restore(tmp_path, target, outside)
            assert refused.value.code == "vault_not_empty"
        else:
            victims.run(f"restore {target}")  # the same goes on
        again = reopened(target, outside)
        assert opened_lines(again) == lines
        assert list(again.verify()) == []
        log_is_whole(again)
        again.close()
    victims.close()
    print(moments.told(f"restore, {'postgresql' if '://' in place else 'sqlite'}", RECORDS))
