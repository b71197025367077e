"""Facts from a node alone: everything as of one block, which is pinned by its hash.

    facts = RpcFacts(Node(url), Deployment.public(8453))
    verify(..., chain=FactsView([facts]))

State (revocations, timestamps, bodies of attestations) is read at that hash, so that a node that lags or has another
chain errs rather than answers from other state. Which attestations there are comes from logs, which are asked for
twice, differently split: nodes behind one URL do not always agree, or cut a long answer short. A node that leaves out
the same ones each time cannot be caught at it: it can hide accreditations (with the revocations that count by them),
and withdrawals that are not EAS revocations too. What an attester revokes itself, no node can leave out so. An index
that follows the chain holds each block against its filter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from chartseal import _core
from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Block, Log, Read
from chartseal.chain.checks import check_deployment
from chartseal.chain.contract import Bound, Contract, Item
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import OLDEST_HEAD, Attestation
from chartseal.chain.rpc.logs import LogFilter, RangeSize, log_ranges
from chartseal.chain.rpc.node import Node
from chartseal.chain.schemas import ChainSchema
from chartseal.chain.signatures import is_valid_signature
from chartseal.errors import NodeError

_FIRST_RANGE = 1 << 20
"""Blocks: one authority's events are few, and a provider that wants less says so."""

_Filter = tuple[Address | None, Address | None]

_RECORD = "(bytes32,address,bool,bytes)"
"""A schema as the registry has it. The text is bytes: anybody can register what is not UTF-8."""
_GET_SCHEMA = Item("getSchema", ("bytes32",), (_RECORD,))


class _Made(NamedTuple):
    """An attestation as its event tells it."""

    uid: Digest
    schema: Digest
    attester: Address
    recipient: Address


class RpcFacts:
    """`ChainFacts` of one deployment, from a node; what was answered once is kept until `refresh`."""

    def __init__(
        self,
        node: Node,
        deployment: Deployment,
        *,
        max_age: timedelta | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Connect lazily. A newest block older than `max_age` (by default 15 minutes; any on a chain that is final at
        once, which may rest) is refused: the node has stopped. So are facts that were not refreshed for so long.
        """
        self.node = node
        self._deployment = deployment
        self._max_age = max_age or (OLDEST_HEAD if deployment.finality else None)
        self._longest = max_age or OLDEST_HEAD
        self._clock = clock
        self._eas: Bound = Contract.load("eas").at(deployment.eas)
        self._registry: Bound = Contract.load("schema_registry").at(deployment.schema_registry)
        self._checked = False
        self._range = RangeSize(start=_FIRST_RANGE, largest=_FIRST_RANGE)
        self._schemas: dict[Digest, tuple[bytes, bool]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Forget all answers; the next question pins the block that is newest then."""
        self._blocks: tuple[Block, Block] | None = None
        self._pinned_at = 0.0
        self._made: dict[_Filter, list[_Made]] = {}
        self._bodies: dict[Digest, Attestation | None] = {}
        self._timestamps: dict[Digest, int] = {}
        self._revoked: dict[tuple[Address, Digest], int] = {}

    @property
    def deployment(self) -> Deployment:
        """Whose state it is."""
        return self._deployment

    @property
    def head(self) -> Block:
        """The pinned block.

        Raises:
            NodeError: as the node, or `node_behind` for one that is too old.
            DeploymentError: `chain_wrong`, `contract_missing` or `contract_wrong`.
        """
        return self._pinned()[0]

    @property
    def final(self) -> Block:
        """The newest block that is final below it.

        Raises:
            NodeError, DeploymentError: as `head`.
        """
        return self._pinned()[1]

    def _pinned(self) -> tuple[Block, Block]:
        if self._blocks is None:
            if not self._checked:
                check_deployment(self.node, self._deployment)
                self._checked = True
            self._pinned_at = self._clock()
            head = self.node.block()
            number = head.number - self._deployment.finality
            self._blocks = head, head if number == head.number else self.node.block(max(0, number))
        head, _ = self._blocks
        if self._max_age is not None and self._clock() - head.timestamp > self._max_age.total_seconds():
            raise NodeError("the newest block that is known is too old", "node_behind", self.node.host)
        if self._clock() - self._pinned_at > self._longest.total_seconds():
            raise NodeError("the node was last asked for its newest block too long ago", "node_behind", self.node.host)
        return self._blocks

    def attestation(self, uid: Digest) -> Attestation | None:
        """One attestation by its uid, as `ChainFacts`."""
        self._get_bodies([uid])
        return self._bodies[uid]

    def attestations(
        self, schema: ChainSchema, *, attester: Address | None = None, recipient: Address | None = None
    ) -> Sequence[Attestation]:
        """All under a schema of that string and flag, as `ChainFacts`."""
        made = self._events(schema, attester, recipient)
        self._get_schemas(each.schema for each in made)
        meant = [each for each in made if self._is_of(each.schema, schema)]
        self._get_bodies(each.uid for each in meant)
        return [self._body(each) for each in meant]

    def timestamp(self, data: Digest) -> int:
        """When EAS timestamped it, as `ChainFacts`."""
        self._get_timestamps([data])
        return self._timestamps[data]

    def revoked_offchain(self, revoker: Address, data: Digest) -> int:
        """When that revoker revoked it, as `ChainFacts`."""
        self._get_revoked([(revoker, data)])
        return self._revoked[revoker, data]

    def is_valid_signature(self, signer: Address, digest: Digest, signature: bytes) -> bool:
        """Whether the contract at `signer` accepts the signature, as `ChainFacts`."""
        return is_valid_signature(self.node, signer, digest, signature, block=self.head.hash)

    def prefetch(
        self,
        *,
        timestamps: Sequence[Digest] = (),
        revoked: Sequence[tuple[Address, Digest]] = (),
        attestations: Sequence[Digest] = (),
    ) -> None:
        """Get many answers in few round trips, as `Prefetching`."""
        self._get_timestamps(timestamps)
        self._get_revoked(revoked)
        self._get_bodies(attestations)

    def _get_timestamps(self, wanted: Iterable[Digest]) -> None:
        missing = [each for each in dict.fromkeys(wanted) if each not in self._timestamps]
        answers = self._read([self._eas.read("getTimestamp", each) for each in missing])
        self._timestamps.update(zip(missing, answers, strict=True))

    def _get_revoked(self, wanted: Iterable[tuple[Address, Digest]]) -> None:
        missing = [each for each in dict.fromkeys(wanted) if each not in self._revoked]
        answers = self._read([self._eas.read("getRevokeOffchain", *each) for each in missing])
        self._revoked.update(zip(missing, answers, strict=True))

    def _get_bodies(self, wanted: Iterable[Digest]) -> None:
        missing = [each for each in dict.fromkeys(wanted) if each not in self._bodies]
        answers = self._read([self._eas.read("getAttestation", each) for each in missing])
        for uid, answer in zip(missing, answers, strict=True):
            body = Attestation.from_tuple(answer)
            if body is not None and body.uid != uid:
                raise NodeError("an attestation has another uid than was asked for", "node_malformed")
            self._bodies[uid] = body

    def _get_schemas(self, wanted: Iterable[Digest]) -> None:
        """Strings and flags of schemas; they never change."""
        missing = [each for each in dict.fromkeys(wanted) if each not in self._schemas]
        to = self._registry.address
        answers = self._read([Read(to, _GET_SCHEMA.encode([each]), _GET_SCHEMA.decode_result) for each in missing])
        for uid, [(_, resolver, revocable, text)] in zip(missing, answers, strict=True):
            if _core.keccak256(text + resolver + bytes([revocable])) != uid:
                raise NodeError("a schema does not give the uid that it was asked for by", "node_malformed")
            self._schemas[uid] = text, revocable

    def _is_of(self, uid: Digest, schema: ChainSchema) -> bool:
        return self._schemas[uid] == (schema.text.encode(), schema.revocable)

    def _read(self, reads: list[Read[Any]]) -> list[Any]:
        """As of the pinned block; nothing is asked where nothing is wanted, but the block's age always counts."""
        head = self.head
        return self.node.read_many(reads, head.hash) if reads else []

    def _body(self, made: _Made) -> Attestation:
        body = self._bodies[made.uid]
        if body is None or (body.schema, body.attester, body.recipient) != made[1:]:
            raise NodeError("an event and its attestation contradict each other", "node_malformed")
        return body

    def _events(self, schema: ChainSchema, attester: Address | None, recipient: Address | None) -> list[_Made]:
        """Attestations made by or for somebody, under whatever schema; by anybody for anybody, under this one."""
        if attester is None and recipient is None:
            return self._logs_of(None, None, self._uids(schema))
        found = self._made.get((attester, recipient))
        if found is None:
            found = self._made[attester, recipient] = self._logs_of(attester, recipient, None)
        return found

    def _logs_of(
        self, attester: Address | None, recipient: Address | None, schemas: Sequence[Digest] | None
    ) -> list[_Made]:
        event = self._eas.contract.events["Attested"]
        topics = [[event.topic], _topic(recipient), _topic(attester), schemas]
        if schemas is not None and not schemas:
            return []
        told = [event.decode_log(log) for log in self._logs(self._eas, topics)]
        return [_Made(each["uid"], each["schemaUID"], each["attester"], each["recipient"]) for each in told]

    def _uids(self, schema: ChainSchema) -> list[Digest]:
        """All registered schemas of that string and flag. A registry has one event, which differs between versions, but
        always tells the uid first.
        """
        uids = [log.topics[1] for log in self._logs(self._registry, []) if len(log.topics) > 1]
        self._get_schemas(uids)
        return [uid for uid in dict.fromkeys(uids) if self._is_of(uid, schema)]

    def _logs(self, contract: Bound, topics: Sequence[Sequence[Digest] | None]) -> list[Log]:
        head = self.head
        wanted = LogFilter.of([contract.address], topics)
        found = self._asked(wanted, head.number, self._range)
        span = max(1, (head.number - self._deployment.from_block) // 2)
        other = min(max(1, self._range.blocks * 2 // 3), span)
        if self._asked(wanted, head.number, RangeSize(other, other)) != found:
            raise NodeError("the node gives different logs of one range", "logs_inconsistent", self.node.host)
        if self.node.block(head.number).hash != head.hash:
            raise NodeError("the chain was reorganised while it was read", "block_unknown", self.node.host)
        return found

    def _asked(self, wanted: LogFilter, last: int, size: RangeSize) -> list[Log]:
        parts = log_ranges(self.node, wanted, self._deployment.from_block, last, size=size)
        return [log for part in parts for log in part.logs]


def _topic(address: Address | None) -> list[Digest] | None:
    return None if address is None else [Digest(bytes(12) + address)]
