"""A chain in memory that answers as a node does, forks when it is told to, and keeps EAS's rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, NamedTuple

from eth_abi.abi import encode
from sqlalchemy import Engine, select

from chartseal import _core
from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from chartseal.chain.calls import Block, Log
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import Attestation
from chartseal.chain.index import Follower, Store, tables
from chartseal.chain.index.bodies import SchemaRow, read_body
from chartseal.chain.index.source import EAS, Source
from chartseal.chain.schemas import PRIVATE_DATA, SAMPLE
from chartseal.errors import NodeError

EAS_ADDRESS = Address(b"\xea" * 20)
SCHEMAS = (PRIVATE_DATA, SAMPLE)
GENESIS_TIME = 1_700_000_000
_BODY = "(bytes32,bytes32,uint64,uint64,uint64,bytes32,address,address,bool,bytes)"
_SALTS = count(1)


def deployment(finality: int = 64, from_block: int = 0) -> Deployment:
    return Deployment(31_337, "1.4.0", EAS_ADDRESS, Address(b"\xec" * 20), from_block, finality)


def person(number: int) -> Address:
    return Address(bytes([0xA0 + number]) * 20)


class Action(NamedTuple):
    """What somebody asks of EAS; passed over where the contract would revert."""

    kind: str
    who: int
    what: int


@dataclass
class State:
    """What EAS holds after some block."""

    bodies: dict[Digest, Attestation] = field(default_factory=dict)
    offchain: set[tuple[Address, Digest]] = field(default_factory=set)
    stamped: set[Digest] = field(default_factory=set)

    def copy(self) -> State:
        return State(dict(self.bodies), set(self.offchain), set(self.stamped))


class Mined(NamedTuple):
    header: Block
    logs: list[Log]
    state: State
    actions: tuple[Action, ...]


def word(value: bytes) -> Digest:
    return Digest(value.rjust(32, b"\0"))


def bloom_of(logs: Sequence[Log]) -> bytes:
    bits = 0
    for log in logs:
        for entry in (log.address, *log.topics):
            digest = _core.keccak256(entry)
            for at in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[at : at + 2]) & 2_047)
    return bits.to_bytes(256)


class FakeChain:
    """Implements `Source`; `calls` counts what was asked, `before_call` may do something in between."""

    def __init__(self) -> None:
        self.chain_id = 31_337
        self.blocks: list[Mined] = []
        self.calls = 0
        self.before_call: Callable[[], None] = lambda: None
        self.lose: Callable[[Log], bool] = lambda log: False
        self._mine_one(())

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    def mine(self, actions: Sequence[Action] = (), blocks: int = 1) -> None:
        for at in range(blocks):
            self._mine_one(tuple(actions) if at == 0 else ())

    def reorganise(self, depth: int, actions: Sequence[Sequence[Action]]) -> None:
        """Replace the newest blocks by others, one for each of `actions`."""
        del self.blocks[len(self.blocks) - depth :]
        for each in actions:
            self._mine_one(tuple(each))

    def _mine_one(self, actions: tuple[Action, ...]) -> None:
        number = len(self.blocks)
        parent = self.blocks[-1].header.hash if self.blocks else ZERO_DIGEST
        own = Digest(_core.keccak256(parent + next(_SALTS).to_bytes(8)))
        now = GENESIS_TIME + 12 * number
        state = self.blocks[-1].state.copy() if self.blocks else State()
        logs: list[Log] = []
        for action in actions:
            for topics, data in _perform(state, action, now):
                # Other contracts' logs stand between: positions have gaps.
                tx = Digest(_core.keccak256(own + bytes([len(logs)])))
                logs.append(Log(EAS_ADDRESS, topics, data, number, own, tx, 2 * len(logs) + 1))
        header = Block(number, own, parent, now, logs_bloom=bloom_of(logs))
        self.blocks.append(Mined(header, logs, state, actions))

    def _asked(self) -> None:
        self.calls += 1
        self.before_call()

    def head(self) -> Block:
        self._asked()
        return self.blocks[-1].header

    def headers(self, numbers: Sequence[int]) -> list[Block]:
        self._asked()
        if any(number > self.height for number in numbers):
            raise NodeError("no such block", "block_unknown")
        return [self.blocks[number].header for number in numbers]

    def range_logs(self, first: int, last: int) -> list[Log]:
        self._asked()
        found = [log for each in self.blocks[first : last + 1] for log in each.logs]
        return [log for log in found if not self.lose(log)]

    def block_logs(self, hashes: Sequence[Digest]) -> list[list[Log]]:
        self._asked()
        by_hash = {each.header.hash: each.logs for each in self.blocks}
        if not set(hashes) <= by_hash.keys():
            raise NodeError("unknown block", "block_unknown")
        return [[log for log in by_hash[each] if not self.lose(log)] for each in hashes]

    def receipt_logs(self, block: Block) -> list[Log]:
        self._asked()
        return self.blocks[block.number].logs

    def bodies(self, uids: Sequence[Digest]) -> list[bytes]:
        self._asked()
        state = self.blocks[-1].state
        return [encoded(state.bodies.get(uid)) for uid in uids]

    def schemas(self, uids: Sequence[Digest]) -> list[SchemaRow]:
        self._asked()
        known = {each.uid(): SchemaRow(each.uid(), each.text.encode(), ZERO_ADDRESS, True) for each in SCHEMAS}
        return [known[uid] for uid in uids]


def encoded(body: Attestation | None) -> bytes:
    if body is None:
        none = (bytes(32), bytes(32), 0, 0, 0, bytes(32), ZERO_ADDRESS, ZERO_ADDRESS, False, b"")
        return encode([_BODY], [none])
    times = (body.time, body.expiration_time, body.revocation_time)
    members = (body.uid, body.schema, *times, body.ref_uid, body.recipient, body.attester, body.revocable, body.data)
    return encode([_BODY], [members])


def _perform(state: State, action: Action, now: int) -> Iterator[tuple[tuple[Digest, ...], bytes]]:
    who, data = person(action.who), word((action.what + 1).to_bytes(4))
    events = EAS.events
    if action.kind == "attest":
        body = made(who, action.what, now)
        if body.uid in state.bodies:
            return
        state.bodies[body.uid] = body
        yield (events["Attested"].topic, word(body.recipient), word(who), body.schema), body.uid
    elif action.kind == "revoke":
        mine = [each for each in state.bodies.values() if each.attester == who and not each.revocation_time]
        if not mine:
            return
        body = mine[action.what % len(mine)]
        state.bodies[body.uid] = replace(body, revocation_time=now)
        yield (events["Revoked"].topic, word(body.recipient), word(who), body.schema), body.uid
    elif action.kind == "off" and (who, data) not in state.offchain:
        state.offchain.add((who, data))
        yield (events["RevokedOffchain"].topic, word(who), data, word(now.to_bytes(8))), b""
    elif action.kind == "stamp" and data not in state.stamped:
        state.stamped.add(data)
        yield (events["Timestamped"].topic, data, word(now.to_bytes(8))), b""


def made(who: Address, what: int, now: int) -> Attestation:
    schema = SCHEMAS[what % len(SCHEMAS)].uid()
    # An expiration over 63 bits is anybody's to choose.
    expiration = 2**64 - 1 if what % 3 == 0 else 0
    body = Attestation(
        uid=ZERO_DIGEST,
        schema=schema,
        time=now,
        expiration_time=expiration,
        revocation_time=0,
        ref_uid=ZERO_DIGEST,
        recipient=person(9),
        attester=who,
        revocable=True,
        data=what.to_bytes(4) * (what % 17),
    )
    times = now.to_bytes(8) + expiration.to_bytes(8)
    packed = schema + body.recipient + who + times + b"\1" + body.ref_uid + body.data + bytes(4)
    body = replace(body, uid=Digest(_core.keccak256(packed)))
    found = read_body(encoded(body))
    assert found is not None
    assert found.gives_its_uid()
    return body


def dump(engine: Engine) -> dict[str, list[Any]]:
    """Everything but the clock."""
    found: dict[str, list[Any]] = {}
    with engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            columns = [column for column in table.c if column.name != "synced_at"]
            found[table.name] = sorted(tuple(row) for row in connection.execute(select(*columns)))
    return found


def indexed(chain: Source, engine: Engine, of: Deployment | None = None) -> Follower:
    """A follower of a fresh index."""
    store = Store(engine, of or deployment())
    store.migrate()
    return Follower(chain, store, clock=lambda: 1_000.0, pause=0.001, attempts=3)
