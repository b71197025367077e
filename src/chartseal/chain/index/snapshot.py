"""One moment of an index: everything that is read through it is of the same block, however the follower goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, Executable, select

from chartseal.attestation import Digest
from chartseal.chain.calls import Block
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import OLDEST_HEAD
from chartseal.chain.index import tables
from chartseal.chain.index.engine import translated
from chartseal.chain.index.migrations import require_newest
from chartseal.chain.index.store import require_same
from chartseal.errors import IndexingError


class Snapshot:
    """A read transaction; use it as a context manager, or `close` it. Safe to share between threads."""

    def __init__(
        self,
        engine: Engine,
        deployment: Deployment | None = None,
        *,
        max_age: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin; with `max_age` (seconds), answers are refused once the node was last asked longer ago than that.

        Raises:
            IndexingError: `index_empty`, `index_version`, `index_other_chain`, `index_unreachable`.
        """
        self._max_age, self._clock = max_age, clock
        self._lock = threading.RLock()
        with translated():
            require_newest(engine)
            self._connection = engine.connect()
        try:
            self._begin(deployment)
        except BaseException:
            self.close()
            raise

    def _begin(self, deployment: Deployment | None) -> None:
        row = next(iter(self.rows(select(tables.deployment))), None)
        cursor = next(iter(self.rows(select(tables.cursor))), None)
        if row is None or cursor is None:
            raise IndexingError("nothing is indexed yet", "index_empty")
        if deployment is not None:
            require_same(dict(row._mapping), deployment)
        own = {key: value for key, value in row._mapping.items() if key not in ("id", "from_time")}
        self.deployment: Deployment = deployment or Deployment(**own)
        self.synced_at: int | None = cursor.synced_at
        """When the node last had no newer block, Unix seconds by the follower's clock; None while it catches up."""
        kept = [_block(each) for each in self.rows(select(tables.blocks).order_by(tables.blocks.c.number))]
        self.head: Block = next(each for each in kept if each.number == cursor.number)
        """The newest block that is indexed."""
        settled = [each for each in kept if each.number <= self.head.number - self.deployment.finality]
        self.final: Block = max(settled, key=lambda each: each.number, default=kept[0])
        """The newest final block. Where that lies before the index's beginning: the block that it begins after."""

    def require_fresh(self) -> None:
        """Refuse to answer from an index that has not kept up.

        Raises:
            IndexingError: `index_behind`.
        """
        if self._max_age is None:
            return
        if self.synced_at is None:
            raise IndexingError("the index has not caught up with its chain", "index_behind")
        age = self._clock() - self.synced_at
        if age > self._max_age:
            raise IndexingError(f"the index was last level with its chain {age:.0f} s ago", "index_behind")
        if age < -self._max_age:
            # Written by a clock that was ahead of ours: how old it is, nobody knows, and it would be fresh for long.
            raise IndexingError(f"the index was last level with its chain {-age:.0f} s from now", "index_behind")
        # A node that has stopped is level with its index for ever. A chain that is final at once may rest.
        oldest = max(self._max_age, OLDEST_HEAD.total_seconds())
        if self.deployment.finality and self._clock() - self.head.timestamp > oldest:
            raise IndexingError("the newest block of the node that the index follows is too old", "index_behind")

    def rows(self, statement: Executable) -> list[Any]:
        """The rows of a query.

        Raises:
            IndexingError: `index_unreachable`.
        """
        with self._lock, translated():
            return list(self._connection.execute(statement))

    def close(self) -> None:
        """End it."""
        with self._lock, translated():
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _block(row: Any) -> Block:
    return Block(row.number, Digest(row.hash), Digest(row.parent), row.timestamp)
