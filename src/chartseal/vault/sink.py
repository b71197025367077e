"""A run of sealing into a vault: each batch, and how far the input is done, in one transaction.

A run's mark stays, so that the same command never seals anything twice; what was refused is kept beside it, as
places and codes, never values.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, select, update

from chartseal.chain.anchors import AnchorQueue
from chartseal.errors import SealingError
from chartseal.sealing import Rejection, SealedLine
from chartseal.sealing.folder import reject_line
from chartseal.vault.database import reading, storing, writing
from chartseal.vault.storing import Order, put
from chartseal.vault.tables import META

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

_RUN, _REJECTS = "run:", "rej:"
_MARK = 10
"""Bytes of a run's identity in names."""


@dataclass
class VaultOutput:
    """Where `seal_run` puts records instead of a folder."""

    vault: Vault
    actor: str
    clock: Callable[[], datetime]
    queue: AnchorQueue | None = None
    delivery_days: int = 0
    mark: str = field(default="", init=False)
    """Of the run that was begun last."""

    @contextmanager
    def begin(self, identity: Mapping[str, str]) -> Iterator[VaultSink]:
        """The sink of the run of that identity, begun or found again.

        Raises:
            VaultError: `vault_unavailable`.
        """
        self.mark = run_mark(identity)
        yield VaultSink(self, self.mark)

    def rejects(self) -> bytes:
        """What that run refused, earlier parts of it too, as lines of `rejects.ndjson`.

        Raises:
            VaultError: `vault_unavailable`.
        """
        return read_rejects(self.vault, self.mark)


def run_mark(identity: Mapping[str, str]) -> str:
    """How a run is named in the vault: the beginning of a hash, so that it says nothing of the input."""
    data = json.dumps(dict(identity), sort_keys=True).encode()
    return hashlib.sha256(data).digest()[:_MARK].hex()


class VaultSink:
    """One run's batches."""

    def __init__(self, output: VaultOutput, mark: str) -> None:
        """Find how far the run got.

        Raises:
            VaultError: `vault_unavailable`.
        """
        self._output, self._mark = output, mark
        with writing(output.vault.engine) as connection, storing():
            own = select(META.c.value).where(META.c.name == _RUN + mark)
            found = connection.execute(own).scalar()
            if found is None:
                connection.execute(insert(META).values(name=_RUN + mark, value=_position(0)))
        self.done = int.from_bytes(found or b"")
        # Nothing was refused of a run that begins; to look would read the names of all runs.
        refused = b"" if found is None else read_rejects(output.vault, mark)
        self.refused = Counter(json.loads(line)["code"] for line in refused.splitlines())

    def write(self, done: int, lines: Sequence[SealedLine], refused: Sequence[Rejection]) -> None:
        """Keep one batch, after which `done` items of the input are done.

        Raises:
            SealingError: `sealing_in_progress`: another process works on the same run.
            VaultError: as `Vault.put`.
        """
        whole = b"".join(reject_line(*each) for each in refused)

        def also(connection: Connection) -> None:
            self._advance(connection, done)
            if whole:
                name = f"{_REJECTS}{self._mark}:{done:07x}"
                with storing():
                    connection.execute(insert(META).values(name=name, value=whole))

        output = self._output
        order = Order(output.actor, output.clock(), output.queue, output.delivery_days)
        put(output.vault, lines, order, also)
        self.done = done

    def _advance(self, connection: Connection, done: int) -> None:
        """Move the mark from where this run left it: whoever finds it elsewhere is not alone."""
        mine = (META.c.name == _RUN + self._mark, META.c.value == _position(self.done))
        with storing():
            moved = connection.execute(update(META).where(*mine).values(value=_position(done)))
        if moved.rowcount != 1:
            raise SealingError("another run is sealing the same into the vault", "sealing_in_progress")


def read_rejects(vault: Vault, mark: str) -> bytes:
    """What a run refused, as lines of `rejects.ndjson`.

    Raises:
        VaultError: `vault_unavailable`.
    """
    own = select(META.c.value).where(META.c.name.startswith(f"{_REJECTS}{mark}:")).order_by(META.c.name)
    with reading(vault.engine) as connection, storing():
        return b"".join(connection.scalars(own))


def _position(done: int) -> bytes:
    return done.to_bytes(8)
