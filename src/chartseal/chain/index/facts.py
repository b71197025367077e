"""What verification asks of a chain, answered by an index in few statements."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, select

from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Block
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import Attestation, ChainFacts, Prefetching
from chartseal.chain.index import rows, tables
from chartseal.chain.index.snapshot import Snapshot
from chartseal.chain.index.store import parts
from chartseal.chain.schemas import ChainSchema
from chartseal.errors import IndexingError

DEFAULT_MAX_AGE = 300.0
"""Seconds since the follower was level with its node."""


class IndexFacts:
    """One deployment's state at the index's newest block (`ChainFacts`), as of when this was made or refreshed.

    Answers are remembered, since the state behind them does not move; `refresh` goes on to the newest and forgets them.
    Use it as a context manager, or `close` it: it holds a read transaction. Safe to share between threads.
    """

    def __init__(
        self,
        engine: Engine,
        deployment: Deployment,
        *,
        max_age: float = DEFAULT_MAX_AGE,
        clock: Callable[[], float] = time.time,
        node: ChainFacts | None = None,
    ) -> None:
        """Take the database and whose index it must be.

        An index whose follower was last level with its node more than `max_age` seconds ago answers nothing.
        `node` (a node's facts) is asked about contracts' signatures, which no index can judge, and about every
        off-chain revocation that the index does not have: of old blocks a provider may have left out some, and a
        node's state cannot.

        Raises:
            IndexingError: `index_behind`, `index_empty`, `index_other_chain`, `index_version`, `index_unreachable`;
                answers also `index_incomplete`, by `node`.
        """
        self._engine, self._of = engine, deployment
        self._max_age, self._clock = max_age, clock
        self._node = node
        self._open()

    def _open(self) -> None:
        self._snapshot = Snapshot(self._engine, self._of, max_age=self._max_age, clock=self._clock)
        self._attestation: dict[Digest, Attestation | None] = {}
        self._timestamp: dict[Digest, int] = {}
        self._revoked: dict[tuple[Address, Digest], int] = {}
        self._lists: dict[Any, Sequence[Attestation]] = {}
        self._schema_uids: dict[ChainSchema, list[bytes]] = {}
        try:
            self._snapshot.require_fresh()
        except IndexingError:
            self.close()
            raise

    def refresh(self) -> None:
        """Go on to the index's newest block.

        Raises:
            IndexingError: as when it was made.
        """
        self.close()
        self._open()

    def close(self) -> None:
        """End the read transaction."""
        self._snapshot.close()

    def __enter__(self) -> IndexFacts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def deployment(self) -> Deployment:
        """Whose state it is."""
        return self._of

    @property
    def head(self) -> Block:
        """The newest block that the answers hold for."""
        return self._snapshot.head

    @property
    def final(self) -> Block:
        """The newest block that is final."""
        return self._snapshot.final

    def attestation(self, uid: Digest) -> Attestation | None:
        """One attestation by its uid.

        Raises:
            IndexingError: `index_behind`, `index_unreachable`; so do all below.
        """
        self._snapshot.require_fresh()
        if uid not in self._attestation:
            self._read_attestations([uid])
        return self._attestation[uid]

    def timestamp(self, data: Digest) -> int:
        """When EAS timestamped it (Unix seconds), from any sender; 0 if it did not."""
        self._snapshot.require_fresh()
        if data not in self._timestamp:
            self._read_timestamps([data])
        return self._timestamp[data]

    def revoked_offchain(self, revoker: Address, data: Digest) -> int:
        """When that revoker revoked an off-chain attestation's uid by EAS's `revokeOffchain`; 0 if it did not."""
        return self.revoked_offchain_many([(revoker, data)])[0]

    def revoked_offchain_many(self, pairs: Sequence[tuple[Address, Digest]]) -> list[int]:
        """`revoked_offchain` of each, in one statement for some hundreds."""
        self._snapshot.require_fresh()
        wanted = [pair for pair in pairs if pair not in self._revoked]
        if wanted:
            self._read_revocations(wanted)
        return [self._revoked[pair] for pair in pairs]

    def attestations(
        self, schema: ChainSchema, *, attester: Address | None = None, recipient: Address | None = None
    ) -> Sequence[Attestation]:
        """All under a schema of that string and flag, whatever its resolver, in the order in which they were made."""
        self._snapshot.require_fresh()
        key = (schema, attester, recipient)
        if key not in self._lists:
            self._lists[key] = self._listed(schema, attester, recipient)
        return self._lists[key]

    def is_valid_signature(self, signer: Address, digest: Digest, signature: bytes) -> bool:
        """Whether the contract at `signer` accepts the signature (EIP-1271), by `node`.

        Raises:
            IndexingError: `index_no_node` where none was given.
            NodeError: as the node.
        """
        if self._node is None:
            raise IndexingError("a contract's signature needs a node: an index cannot judge it", "index_no_node")
        return self._node.is_valid_signature(signer, digest, signature)

    def prefetch(
        self,
        *,
        timestamps: Sequence[Digest] = (),
        revoked: Sequence[tuple[Address, Digest]] = (),
        attestations: Sequence[Digest] = (),
    ) -> None:
        """Get what `timestamp`, `revoked_offchain` and `attestation` will be asked, some hundreds a statement."""
        self._snapshot.require_fresh()
        if unknown := [each for each in timestamps if each not in self._timestamp]:
            self._read_timestamps(unknown)
        if unasked := [pair for pair in revoked if pair not in self._revoked]:
            self._read_revocations(unasked)
        if unread := [each for each in attestations if each not in self._attestation]:
            self._read_attestations(unread)

    def _read_attestations(self, uids: Sequence[Digest]) -> None:
        for part in parts(uids):
            found = self._snapshot.rows(rows.ATTESTATIONS.where(tables.attestations.c.uid.in_(part)))
            self._attestation.update(dict.fromkeys(part))
            self._attestation.update({Digest(row.uid): rows.attestation(row) for row in found})

    def _read_timestamps(self, data: Sequence[Digest]) -> None:
        table = tables.timestamps
        for part in parts(data):
            found = self._snapshot.rows(select(table.c.data, table.c.time).where(table.c.data.in_(part)))
            self._timestamp.update(dict.fromkeys(part, 0))
            self._timestamp.update({Digest(row.data): row.time for row in found})

    def _read_revocations(self, pairs: Sequence[tuple[Address, Digest]]) -> None:
        """By revoker, since anybody can revoke any uid as theirs: strangers' rows are not read."""
        table, of = tables.offchain_revocations, dict[Address, list[Digest]]()
        for revoker, data in pairs:
            of.setdefault(revoker, []).append(data)
        columns, answers = select(table.c.data, table.c.time), dict.fromkeys(pairs, 0)
        for revoker, uids in of.items():
            for part in parts(uids):
                found = self._snapshot.rows(columns.where(table.c.data.in_(part), table.c.revoker == revoker))
                answers.update({(revoker, Digest(row.data)): row.time for row in found})
        # Nothing is remembered before it is confirmed.
        self._revoked.update(self._confirmed(answers))

    def _confirmed(self, answers: dict[tuple[Address, Digest], int]) -> dict[tuple[Address, Digest], int]:
        """The answers, where the node's state does not contradict that something is not revoked."""
        node, doubted = self._node, [pair for pair, at in answers.items() if not at]
        if node is None or not doubted:
            return answers
        if isinstance(node, Prefetching):
            node.prefetch(revoked=doubted)
        found = {pair: node.revoked_offchain(*pair) for pair in doubted}
        if any(0 < at < self.head.timestamp for at in found.values()):
            raise IndexingError("the index lacks a revocation that the chain's state has", "index_incomplete")
        return answers | found  # one after the index's newest block counts at once

    def _listed(
        self, schema: ChainSchema, attester: Address | None, recipient: Address | None
    ) -> Sequence[Attestation]:
        table, uids = tables.attestations, self._uids_of(schema)
        query = rows.ATTESTATIONS.where(table.c.schema.in_(uids)).order_by(table.c.block_number, table.c.log_index)
        if attester is not None:
            query = query.where(table.c.attester == attester)
        if recipient is not None:
            query = query.where(table.c.recipient == recipient)
        return tuple(rows.attestation(row) for row in self._snapshot.rows(query)) if uids else ()

    def _uids_of(self, schema: ChainSchema) -> list[bytes]:
        if schema not in self._schema_uids:
            table = tables.schemas
            same = (table.c.text == schema.text.encode()) & (table.c.revocable == schema.revocable)
            self._schema_uids[schema] = [row.uid for row in self._snapshot.rows(select(table.c.uid).where(same))]
        return self._schema_uids[schema]
