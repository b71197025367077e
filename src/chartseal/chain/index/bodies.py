"""Bodies of attestations and schemas, read from what the contracts return: strict, and fast enough for a whole chain.

Source: Solidity's ABI specification; EAS Common.sol `Attestation`, ISchemaRegistry.sol `SchemaRecord`.
"""

from __future__ import annotations

from typing import NamedTuple

from chartseal import _core
from chartseal.attestation import ZERO_DIGEST, Address, Digest
from chartseal.chain.facts import Attestation
from chartseal.errors import NodeError

_WORD = 32
_MOST_BUMPS = 65_536
"""Equal attestations in one block: the contract tries one bump after the other, and no block has gas for more."""


class SchemaRow(NamedTuple):
    """A registered schema. The text is bytes: anybody can register what is not UTF-8."""

    uid: Digest
    text: bytes
    resolver: Address
    revocable: bool


def read_attestation(data: bytes) -> Attestation | None:
    """What `getAttestation` returned: None where there is no such attestation.

    Raises:
        NodeError: `node_malformed`.
    """
    word = _Words(data, 10)
    attestation = Attestation(
        uid=Digest(word.raw(0)),
        schema=Digest(word.raw(1)),
        time=word.number(2, 8),
        expiration_time=word.number(3, 8),
        revocation_time=word.number(4, 8),
        ref_uid=Digest(word.raw(5)),
        recipient=word.address(6),
        attester=word.address(7),
        revocable=word.flag(8),
        data=word.tail(9),
    )
    return None if attestation.uid == ZERO_DIGEST else attestation


def read_schema(data: bytes) -> SchemaRow:
    """What `getSchema` returned.

    Raises:
        NodeError: `node_malformed`, also where the members do not give the uid.
    """
    word = _Words(data, 4)
    row = SchemaRow(Digest(word.raw(0)), word.tail(3), word.address(1), word.flag(2))
    if _core.keccak256(row.text + row.resolver + bytes([row.revocable])) != row.uid:
        raise NodeError("a schema's text does not give its uid", "node_malformed", "getSchema")
    return row


def gives_its_uid(body: Attestation) -> bool:
    """Whether the uid is the one that EAS computes from the members, revocation apart, for some bump.

    Source: EAS.sol `_getUID`.
    """
    packed = (
        body.schema
        + body.recipient
        + body.attester
        + body.time.to_bytes(8, "big")
        + body.expiration_time.to_bytes(8, "big")
        + bytes([body.revocable])
        + body.ref_uid
        + body.data
    )
    return any(_core.keccak256(packed + bump.to_bytes(4, "big")) == body.uid for bump in range(_MOST_BUMPS))


class _Words:
    """A returned tuple of static words and one dynamic tail."""

    def __init__(self, data: bytes, count: int) -> None:
        if len(data) < (count + 2) * _WORD or int.from_bytes(data[:_WORD]) != _WORD:
            raise _malformed()
        self._data, self._count = data, count

    def raw(self, at: int) -> bytes:
        return self._data[(at + 1) * _WORD : (at + 2) * _WORD]

    def number(self, at: int, size: int) -> int:
        word = self.raw(at)
        if any(word[: _WORD - size]):
            raise _malformed()
        return int.from_bytes(word)

    def address(self, at: int) -> Address:
        word = self.raw(at)
        if any(word[:12]):
            raise _malformed()
        return Address(word[12:])

    def flag(self, at: int) -> bool:
        number = self.number(at, 1)
        if number > 1:
            raise _malformed()
        return number == 1

    def tail(self, at: int) -> bytes:
        """The dynamic member, which stands right after the words and ends the answer."""
        begin = (self._count + 1) * _WORD
        size = int.from_bytes(self._data[begin : begin + _WORD])
        padded = size + -size % _WORD
        if int.from_bytes(self.raw(at)) != self._count * _WORD or len(self._data) != begin + _WORD + padded:
            raise _malformed()
        return self._data[begin + _WORD : begin + _WORD + size]


def _malformed() -> NodeError:
    return NodeError("the answer is not of the form that the contract gives", "node_malformed", "eth_call")
