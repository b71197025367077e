"""The tables, their migrations, and who may write them."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from chartseal.chain.index import Snapshot, Store, connect, sole_follower, tables
from chartseal.chain.index.migrations import NEWEST, VERSION_TABLE
from chartseal.chain.index.pieces import Piece
from chartseal.errors import IndexingError
from tests.unit.chain.index.model import Action, FakeChain, deployment, dump, indexed
from tests.unit.chain.index.test_reorganisation import busy


def test_migrations_from_empty_make_the_tables(engine: Engine) -> None:
    store = Store(engine, deployment())
    store.migrate()
    store.migrate()  # nothing is left to do
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert context.get_current_revision() == NEWEST
        assert compare_metadata(context, tables.metadata) == []


def test_tables_of_another_version_are_not_read(engine: Engine) -> None:
    indexed(FakeChain(), engine).sync()
    Snapshot(engine).close()
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0000'"))
    with pytest.raises(IndexingError) as refused:
        Snapshot(engine)
    assert refused.value.code == "index_version"
    with pytest.raises(IndexingError) as refused:  # no migration of ours is numbered so
        Store(engine, deployment()).migrate()
    assert refused.value.code == "index_version"


def test_an_empty_database_is_not_an_index(engine: Engine) -> None:
    with pytest.raises(IndexingError) as refused:
        Snapshot(engine)
    assert refused.value.code == "index_empty"
    Store(engine, deployment()).migrate()
    with pytest.raises(IndexingError) as refused:
        Snapshot(engine)
    assert refused.value.code == "index_empty"


def test_both_databases_hold_the_same(engine: Engine) -> None:
    chain, other = FakeChain(), connect("sqlite://")
    busy(chain, 120)
    chain.mine([Action("revoke", 1, 0)])
    for each in (engine, other):
        indexed(chain, each).sync()
    assert dump(engine) == dump(other)
    assert len(dump(engine)["attestations"]) == 120
    [revocation] = dump(engine)["revocations"]
    assert revocation[-3] == chain.height


def test_a_reorganisation_is_followed_in_both(engine: Engine) -> None:
    chain = FakeChain()
    busy(chain, 100)
    follower = indexed(chain, engine)
    follower.sync()
    chain.reorganise(40, [[Action("attest", 1, 5), Action("revoke", 1, 3)], *[[]] * 45])
    follower.sync()
    other = connect("sqlite://")
    indexed(chain, other).sync()
    assert dump(engine) == dump(other)


def test_a_second_follower_is_refused(engine: Engine, url: str) -> None:
    with sole_follower(engine):
        with pytest.raises(IndexingError) as refused, sole_follower(connect(url, create=True)):
            pytest.fail("two hold the index")
        assert refused.value.code == "index_in_use"
    with sole_follower(connect(url, create=True)):
        pass


def test_another_chains_index_is_refused(engine: Engine) -> None:
    chain = FakeChain()
    indexed(chain, engine).sync()
    for other in (deployment(finality=12), replace(deployment(), eas=deployment().schema_registry)):
        with pytest.raises(IndexingError) as refused:
            indexed(chain, engine, other).sync()
        assert refused.value.code == "index_other_chain"


def test_a_later_beginning_is_refused(engine: Engine) -> None:
    chain = FakeChain()
    busy(chain, 5)
    indexed(chain, engine, deployment(from_block=3)).sync()
    indexed(chain, engine, deployment(from_block=4)).sync()
    with pytest.raises(IndexingError) as refused:
        indexed(chain, engine, deployment(from_block=2)).sync()
    assert refused.value.path == "from_block"


def test_a_step_that_fails_leaves_nothing(engine: Engine) -> None:
    chain = FakeChain()
    busy(chain, 10)
    follower = indexed(chain, engine)
    follower.sync()
    before = dump(engine)
    store = Store(engine, deployment())
    mark = store.mark()
    assert mark is not None
    chain.mine([Action("stamp", 0, 77)])
    header = chain.blocks[-1].header
    # A timestamp that stands already: its whole piece is refused.
    doubled = Piece(mark, header, [header], timestamps=[(*before["timestamps"][0][:2], 11, 0, bytes(32))])
    with pytest.raises(IndexingError) as refused:
        store.apply(doubled)
    assert refused.value.code == "index_contradiction"
    assert dump(engine) == before


def test_a_piece_must_follow_what_is_indexed(engine: Engine) -> None:
    chain = FakeChain()
    busy(chain, 3)
    indexed(chain, engine).sync()
    store = Store(engine, deployment())
    mark = store.mark()
    assert mark is not None
    block = chain.blocks[-1].header
    for previous in (mark._replace(number=mark.number + 1), mark._replace(hash=block.parent)):
        with pytest.raises(IndexingError) as refused:
            store.apply(Piece(previous, block, []))
        assert refused.value.code == "index_moved"


def test_readers_see_whole_steps_only(engine: Engine, url: str) -> None:
    """While blocks come and go, whoever reads finds the index at one block: as many timestamps as the block says."""
    chain = FakeChain()
    follower, stopping, seen = indexed(chain, engine), threading.Event(), set()
    follower.sync()

    def read() -> None:
        own = connect(url)
        while not stopping.is_set():
            with Snapshot(own) as moment:
                count = len(moment.rows(tables.timestamps.select()))
                seen.add((moment.head.number, count))
                assert len(moment.rows(tables.timestamps.select())) == count
        own.dispose()

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(30):
        chain.mine([Action("stamp", 0, number)])
        follower.sync()
        if number % 7 == 6:
            chain.reorganise(3, [[Action("stamp", 0, number - 2 + at)] for at in range(3)])
    stopping.set()
    reader.join()
    assert seen
    assert all(head == count for head, count in seen)


@pytest.mark.parametrize(
    "url", ["mysql://u:hunter2@h/d", "hunter2", "sqlite+nothing:///hunter2", "postgresql://:bad:hunter2"]
)
def test_a_url_that_is_refused_is_not_shown(url: str) -> None:
    with pytest.raises(IndexingError) as refused:
        connect(url)
    assert refused.value.code == "index_url"
    assert "hunter2" not in str(refused.value)


def test_an_unreachable_database_is_not_shown() -> None:
    engine = connect("postgresql+psycopg://u:hunter2@/d?host=/nonexistent")
    with pytest.raises(IndexingError) as refused:
        Snapshot(engine)
    assert refused.value.code == "index_unreachable"
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_write_waits_for_whoever_has_the_file(tmp_path: Path) -> None:
    chain, engine = FakeChain(), connect(f"sqlite:///{tmp_path / 'index.db'}", create=True)
    follower = indexed(chain, engine)
    busy(chain, 3)
    other = sqlite3.connect(tmp_path / "index.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    threading.Timer(0.3, other.rollback).start()
    assert follower.sync().head == chain.height
    other.close()
