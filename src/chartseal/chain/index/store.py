"""What the follower writes: each step is one transaction, so that an end at any moment loses and doubles nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Block
from chartseal.chain.deployment import Deployment
from chartseal.chain.index import bulk, tables
from chartseal.chain.index.engine import translated, writing
from chartseal.chain.index.migrations import migrate
from chartseal.chain.index.pieces import Mark, Piece
from chartseal.errors import IndexingError

_MOST_PARAMETERS = 500


class Expected(NamedTuple):
    """An attestation whose revocation must have been read by now."""

    uid: Digest
    time: int


class Store:
    """One deployment's index, to write; hold `sole_follower` meanwhile."""

    def __init__(self, engine: Engine, deployment: Deployment) -> None:
        """Take the database, and whose index it is or will be."""
        self.engine = engine
        self.deployment = deployment

    def migrate(self) -> None:
        """Make or renew the tables.

        Raises:
            IndexingError: `index_unreachable`.
        """
        with translated(), writing(self.engine).begin() as connection:
            migrate(connection)

    def mark(self) -> Mark | None:
        """The newest block that is indexed; None before `begin`.

        Raises:
            IndexingError: `index_other_chain`.
        """
        with translated(), self.engine.connect() as connection:
            row = connection.execute(select(tables.deployment)).mappings().first()
            if row is None:
                return None
            require_same(dict(row), self.deployment)
            query = select(tables.blocks.c.number, tables.blocks.c.hash).join_from(
                tables.cursor, tables.blocks, tables.cursor.c.number == tables.blocks.c.number
            )
            return Mark(*connection.execute(query).one())

    def begin(self, base: Block) -> Mark:
        """Begin after `base`, the block before the deployment's first."""
        with translated(), writing(self.engine).begin() as connection:
            members = {key: value for key, value in asdict(self.deployment).items() if key != "name"}
            connection.execute(insert(tables.deployment).values(id=1, **members, from_time=base.timestamp))
            connection.execute(insert(tables.blocks).values(_block_row(base)))
            connection.execute(insert(tables.cursor).values(id=1, number=base.number, synced_at=None))
        return Mark(base.number, base.hash)

    def clear(self) -> None:
        """Forget everything, to be built anew."""
        with translated(), writing(self.engine).begin() as connection:
            for table in reversed(tables.metadata.sorted_tables):
                connection.execute(delete(table))

    def kept(self) -> list[Mark]:
        """The blocks that a reorganisation may go back to, newest first."""
        with translated(), self.engine.connect() as connection:
            query = select(tables.blocks.c.number, tables.blocks.c.hash).order_by(tables.blocks.c.number.desc())
            return [Mark(*row) for row in connection.execute(query)]

    def base_time(self) -> int:
        """The time of the block that the index begins after."""
        with translated(), self.engine.connect() as connection:
            return int(connection.execute(select(tables.deployment.c.from_time)).scalar_one())

    def schema_uids(self, upto: int) -> frozenset[Digest]:
        """The schemas that are known from blocks up to that one."""
        with translated(), self.engine.connect() as connection:
            query = select(tables.schemas.c.uid).where(tables.schemas.c.block_number <= upto)
            return frozenset(Digest(uid) for uid in connection.execute(query).scalars())

    def attesters(self, uids: Collection[Digest], upto: int) -> dict[Digest, Address]:
        """Who made those of the attestations that are known from blocks up to that one."""
        table, found = tables.attestations, {}
        with translated(), self.engine.connect() as connection:
            for part in parts(sorted(uids)):
                known = table.c.uid.in_(part) & (table.c.block_number <= upto)
                found.update({Digest(row[0]): Address(row[1]) for row in _pairs(connection, table, known)})
        return found

    def apply(self, piece: Piece, *, synced_at: int | None = None) -> None:
        """Store a piece in place of whatever followed its previous block.

        With `synced_at` the index is as new as the node, unless a revocation is still expected. Where blocks are
        undone and it is none, the index has no answers until it is synced again: a revocation may be on its way from
        one block to another.

        Raises:
            IndexingError: `index_moved` where the block before is not indexed; `index_contradiction`.
        """
        with translated(), writing(self.engine).begin() as connection:
            self._undo(connection, piece.previous)
            self._insert(connection, piece)
            horizon = piece.last.number - self.deployment.finality
            connection.execute(delete(tables.blocks).where(tables.blocks.c.number < horizon))
            members: dict[str, Any] = {"number": piece.last.number}
            if synced_at is not None and not self._expected(connection, piece.last.timestamp):
                members["synced_at"] = synced_at
            connection.execute(update(tables.cursor).values(members))

    def _undo(self, connection: Connection, previous: Mark) -> None:
        known = select(tables.blocks.c.hash).where(tables.blocks.c.number == previous.number)
        head = connection.execute(select(tables.cursor.c.number).with_for_update()).scalar()
        if head is None or head < previous.number or connection.execute(known).scalar() != previous.hash:
            raise IndexingError("the index is not where this follower left it", "index_moved")
        if head == previous.number:
            return
        for table in tables.PLACED:
            connection.execute(delete(table).where(table.c.block_number > previous.number))
        connection.execute(delete(tables.blocks).where(tables.blocks.c.number > previous.number))
        connection.execute(update(tables.cursor).values(synced_at=None))

    def _insert(self, connection: Connection, piece: Piece) -> None:
        bulk.insert(connection, tables.attestations, piece.attestations)
        bulk.insert(connection, tables.revocations, piece.revocations)
        bulk.insert(connection, tables.offchain_revocations, piece.offchain_revocations)
        bulk.insert(connection, tables.timestamps, piece.timestamps)
        bulk.insert(connection, tables.blocks, [tuple(_block_row(each).values()) for each in piece.keep])
        bulk.insert(connection, tables.expected_revocations, list(piece.expected.values()))
        for part in parts(sorted(piece.revoked())):
            table = tables.expected_revocations
            connection.execute(delete(table).where(table.c.uid.in_(part)))
        if piece.schemas:
            names = tables.schemas.columns.keys()
            rows = [dict(zip(names, row, strict=True)) for row in piece.schemas.values()]
            connection.execute(_insert_new(connection).values(rows).on_conflict_do_nothing())

    def expected(self, until: int) -> list[Expected]:
        """The attestations whose revocation before that time has not been read although their body told of it."""
        with translated(), self.engine.connect() as connection:
            return self._expected(connection, until)

    def _expected(self, connection: Connection, until: int) -> list[Expected]:
        table = tables.expected_revocations
        query = select(table.c.uid, table.c.time).where(table.c.time < until)
        return [Expected(*row) for row in connection.execute(query)]

    def not_expected(self, uids: Sequence[Digest]) -> None:
        """They are not revoked after all: the block that said so left the chain."""
        table = tables.expected_revocations
        with translated(), writing(self.engine).begin() as connection:
            for part in parts(uids):
                connection.execute(delete(table).where(table.c.uid.in_(part)))

    def synced(self, at: int) -> None:
        """Note that the node has no newer block."""
        with translated(), writing(self.engine).begin() as connection:
            connection.execute(update(tables.cursor).values(synced_at=at))


def require_same(row: dict[str, Any], deployment: Deployment) -> None:
    """Refuse an index of another deployment.

    Raises:
        IndexingError: `index_other_chain`.
    """
    for name in ("chain_id", "eas", "schema_registry", "finality"):
        if row[name] != getattr(deployment, name):
            raise IndexingError("the index is of another chain or deployment", "index_other_chain", name)
    if row["from_block"] > deployment.from_block:
        raise IndexingError("the index begins after the deployment", "index_other_chain", "from_block")


def _block_row(block: Block) -> dict[str, Any]:
    return {"number": block.number, "hash": block.hash, "parent": block.parent, "timestamp": block.timestamp}


def _insert_new(connection: Connection) -> Any:
    made: Any = postgres_insert if connection.dialect.name == "postgresql" else sqlite_insert
    return made(tables.schemas)


def _pairs(connection: Connection, table: Any, where: Any) -> list[Any]:
    return list(connection.execute(select(table.c.uid, table.c.attester).where(where)))


def parts(items: Sequence[Digest]) -> Iterator[Sequence[Digest]]:
    """As many at a time as one statement takes."""
    for at in range(0, len(items), _MOST_PARAMETERS):
        yield items[at : at + _MOST_PARAMETERS]
