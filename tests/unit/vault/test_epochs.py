"""Epochs: begun, rotated to in batches, destroyed only when nothing needs them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, select, update

from chartseal import _core
from chartseal.errors import VaultError, VaultKeyError
from chartseal.vault.database import reading, writing
from chartseal.vault.epochs import Epoch, Epochs, Refused, Step, rotate
from chartseal.vault.keys import EnvironmentKeys
from chartseal.vault.tables import EPOCH, KEY, META, RECORD
from tests.vault_records import create, lines_of, put
from tests.vaults import ATTESTER, MemoryKeys, add_records, insert_records, uid_of, unreadable

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STAMP = int(NOW.timestamp())


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys()


@pytest.fixture
def epochs(database: Engine, keys: MemoryKeys) -> Epochs:
    return Epochs(database, keys)


@pytest.fixture
def first(database: Engine, epochs: Epochs) -> Epoch:
    with writing(database) as connection:
        return epochs.begin(connection, now=NOW)


def wraps(engine: Engine) -> dict[int, int]:
    """How many data keys are wrapped for each epoch."""
    with reading(engine) as connection:
        rows = connection.execute(select(KEY.c.epoch, func.count()).group_by(KEY.c.epoch))
        return {row[0]: row[1] for row in rows}


def code_of(epochs: Epochs, number: int) -> str:
    with pytest.raises(VaultKeyError) as caught:
        epochs.secret(number)
    return caught.value.code


def test_a_vault_without_an_epoch_says_so(database: Engine, epochs: Epochs) -> None:
    with reading(database) as connection, pytest.raises(VaultKeyError) as caught:
        epochs.current(connection)
    assert caught.value.code == code_of(epochs, 1) == "key_missing"


def test_the_newest_epoch_is_the_current_one(database: Engine, epochs: Epochs, keys: MemoryKeys, first: Epoch) -> None:
    with writing(database) as connection:
        assert epochs.current(connection) == first
        second = epochs.begin(connection, now=NOW)
        assert epochs.current(connection) == second
    assert (first.number, second.number) == (1, 2)
    for epoch in (first, second):
        assert epochs.secret(epoch.number) == keys.kept[f"epoch-{epoch.number}"]
        assert _core.reader_public(epochs.secret(epoch.number)) == epoch.reader


def test_a_wrap_is_bound_to_record_epoch_and_reader(first: Epoch) -> None:
    info = first.info(ATTESTER, uid_of(7))
    assert info == b"chartseal/1/vault-key\0" + ATTESTER + uid_of(7) + b"\0\0\0\1" + first.reader
    assert len(info) == 22 + 20 + 32 + 4 + 32


def test_a_transaction_that_fails_leaves_a_secret_that_is_taken_next(
    database: Engine, epochs: Epochs, keys: MemoryKeys
) -> None:
    with database.connect() as connection:
        epochs.begin(connection, now=NOW)
        connection.rollback()
    left = keys.get("epoch-1")
    with writing(database) as connection:
        epochs.begin(connection, now=NOW)
    assert epochs.secret(1) == left


def test_another_vaults_secret_and_a_lost_one_are_told(epochs: Epochs, keys: MemoryKeys, first: Epoch) -> None:
    keys.kept["epoch-1"] = bytes(range(32))
    assert code_of(epochs, 1) == "key_mismatch"
    del keys.kept["epoch-1"]
    assert code_of(epochs, 1) == "key_missing"


def test_keys_that_only_read_give_an_epoch_that_somebody_set(database: Engine) -> None:
    environment = {"V_EPOCH_1": "11" * 32}
    epochs = Epochs(database, EnvironmentKeys("V", environment))
    with writing(database) as connection:
        epochs.begin(connection, now=NOW)
    with pytest.raises(VaultKeyError) as caught:
        rotate(database, EnvironmentKeys("V", environment), now=NOW)
    assert caught.value.code == "keys_read_only"
    environment["V_EPOCH_2"] = "22" * 32
    assert rotate(database, EnvironmentKeys("V", environment), now=NOW).epoch.number == 2


def test_rotation_wraps_all_keys_anew_and_destroys_only_if_asked(
    database: Engine, epochs: Epochs, keys: MemoryKeys, first: Epoch
) -> None:
    ciphertexts = add_records(database, first, range(23))
    steps: list[Step] = []

    def noted(_: Connection, step: Step) -> None:
        steps.append(step)

    done = rotate(database, keys, now=NOW, batch=10, noted=noted)
    assert (done.epoch.number, done.moved, done.refused, done.destroyed) == (2, 23, (), ())
    assert wraps(database) == {2: 23}
    assert unreadable(database, epochs, ciphertexts) == set()
    assert steps == [Step("begun", 2, 0), Step("moved", 2, 10), Step("moved", 2, 10), Step("moved", 2, 3)]
    steps.clear()
    done = rotate(database, keys, now=NOW, destroy_old=True, noted=noted)
    assert (done.epoch.number, done.moved, done.destroyed) == (3, 23, (1, 2))
    assert steps[-2:] == [Step("destroyed", 1, 0), Step("destroyed", 2, 0)]
    assert keys.names() == ["epoch-3"]
    assert unreadable(database, epochs, ciphertexts) == set()
    assert code_of(epochs, 1) == "key_destroyed"
    with reading(database) as connection:
        at = connection.execute(select(EPOCH.c.number, EPOCH.c.destroyed_at).order_by(EPOCH.c.number)).all()
        assert [tuple(row) for row in at] == [(1, STAMP), (2, STAMP), (3, None)]
        assert connection.execute(select(META)).all() == []


def test_a_rotation_that_dies_goes_on_with_its_epoch(
    database: Engine, epochs: Epochs, keys: MemoryKeys, first: Epoch
) -> None:
    ciphertexts = add_records(database, first, range(20))
    died_at = []
    for allowed in (0, 1, 1, 1, 1):  # steps before it dies, in the transaction of the next
        steps: list[Step] = []

        def die(_: Connection, step: Step, allowed: int = allowed, steps: list[Step] = steps) -> None:
            steps.append(step)
            if len(steps) > allowed:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            rotate(database, keys, now=NOW, destroy_old=True, batch=8, noted=die)
        died_at.append(steps[-1].what)
        assert unreadable(database, epochs, ciphertexts) == set()
    assert died_at == ["begun", "moved", "moved", "moved", "destroyed"]
    done = rotate(database, keys, now=NOW, destroy_old=True, batch=8)
    assert (done.epoch.number, done.destroyed) == (2, (1,))
    assert wraps(database) == {2: 20}
    assert unreadable(database, epochs, ciphertexts) == set()


def test_a_damaged_wrap_is_named_and_its_epoch_stays(
    database: Engine, epochs: Epochs, keys: MemoryKeys, first: Epoch
) -> None:
    ciphertexts = add_records(database, first, range(12))
    with writing(database) as connection:
        of_uid = select(RECORD.c.id).where(RECORD.c.uid == uid_of(5)).scalar_subquery()
        connection.execute(update(KEY).where(KEY.c.record_id == of_uid).values(wrapped=b"\x01" * 80))
    done = rotate(database, keys, now=NOW, destroy_old=True, batch=5)
    assert (done.moved, done.destroyed) == (11, ())
    assert done.refused == (Refused(ATTESTER, uid_of(5), "data_key_refused"),)
    assert wraps(database) == {1: 1, 2: 11}
    assert keys.names() == ["epoch-1", "epoch-2"]
    assert unreadable(database, epochs, ciphertexts) == {uid_of(5)}


def test_an_epoch_in_use_is_not_destroyed(database: Engine, epochs: Epochs, keys: MemoryKeys, first: Epoch) -> None:
    def refused(number: int) -> str:
        with pytest.raises(VaultKeyError) as caught:
            epochs.destroy(number, now=NOW)
        return caught.value.code

    assert refused(1) == "epoch_in_use"  # the newest
    ciphertexts = add_records(database, first, range(1))
    with writing(database) as connection:
        epochs.begin(connection, now=NOW)
    assert refused(1) == "epoch_in_use"  # a data key is wrapped for it
    assert refused(3) == "key_missing"
    assert unreadable(database, epochs, ciphertexts) == set()
    rotate(database, keys, now=NOW)
    for _ in range(2):
        epochs.destroy(1, now=NOW)
    assert keys.names() == ["epoch-2", "epoch-3"]


def test_destroying_waits_for_who_is_storing(database: Engine, epochs: Epochs, first: Epoch) -> None:
    with writing(database) as connection:
        epochs.begin(connection, now=NOW)
    outcome: list[str] = []

    def destroy() -> None:
        try:
            epochs.destroy(1, now=NOW)
        except VaultError as exc:
            outcome.append(exc.code)

    # One that took the epoch as the newest before the other began, and stores under it only now.
    with writing(database) as connection:
        connection.execute(select(EPOCH).where(EPOCH.c.number == 1).with_for_update(read=True, key_share=True)).all()
        thread = threading.Thread(target=destroy)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        ciphertexts = insert_records(connection, first, range(1))
    thread.join(20)
    assert outcome == ["epoch_in_use"]
    assert unreadable(database, epochs, ciphertexts) == set()


def test_an_older_epoch_stays_while_the_newest_cannot_be_read_back(
    database: Engine, keys: MemoryKeys, first: Epoch
) -> None:
    add_records(database, first, range(3))
    rotate(database, keys, now=NOW)
    lost = keys.kept.pop("epoch-2")
    with pytest.raises(VaultKeyError) as caught:
        Epochs(database, keys).destroy(1, now=NOW)
    assert caught.value.code == "key_missing"
    keys.kept["epoch-2"] = bytes(range(32))
    with pytest.raises(VaultKeyError) as caught:
        Epochs(database, keys).destroy(1, now=NOW)
    assert caught.value.code == "key_mismatch"
    assert "epoch-1" in keys.kept
    keys.kept["epoch-2"] = lost
    assert rotate(database, keys, now=NOW, destroy_old=True).destroyed == (1, 2)


def test_a_rotation_goes_on_only_where_its_epochs_secret_is(database: Engine, keys: MemoryKeys, first: Epoch) -> None:
    add_records(database, first, range(3))

    def die(_: Connection, step: Step) -> None:
        if step.what == "moved":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate(database, keys, now=NOW, noted=die)
    del keys.kept["epoch-2"]
    with pytest.raises(VaultKeyError) as caught:
        rotate(database, keys, now=NOW, destroy_old=True)
    assert caught.value.code == "key_missing"
    assert wraps(database) == {1: 3}
    assert "epoch-1" in keys.kept


@pytest.mark.parametrize("wrong", ["none", "another"])
def test_keys_that_are_not_the_vaults_begin_no_epoch(wrong: str, place: str, tmp_path: Path) -> None:
    vault, others = create(place), MemoryKeys()
    put(vault, lines_of(2))
    if wrong == "another":
        create(str(tmp_path / "other.db"), others).close()
    before = others.names()
    with pytest.raises(VaultKeyError) as caught:
        rotate(vault.engine, others, now=NOW, destroy_old=True)
    assert caught.value.code == ("key_missing" if wrong == "none" else "keys_other_vault")
    assert others.names() == before
    with reading(vault.engine) as connection:
        assert connection.scalars(select(EPOCH.c.number)).all() == [1]
    put(vault, lines_of(1))
    assert list(vault.verify()) == []


def test_a_new_epoch_is_above_all_that_the_keys_have(database: Engine, keys: MemoryKeys, first: Epoch) -> None:
    ciphertexts = add_records(database, first, range(3))
    old = [keys.make("epoch-2"), keys.make("epoch-4")]  # of a vault of which this is an older copy
    done = rotate(database, keys, now=NOW, destroy_old=True)
    assert (done.epoch.number, done.destroyed) == (5, (1, 2, 4))
    assert keys.names() == ["epoch-5"]
    assert keys.kept["epoch-5"] not in old
    assert unreadable(database, Epochs(database, keys), ciphertexts) == set()
