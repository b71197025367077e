"""Bodies of attestations and schemas, read from what the contracts return: strict, and fast enough for a whole chain.

Source: Solidity's ABI specification; EAS Common.sol `Attestation`, ISchemaRegistry.sol `SchemaRecord`.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from chartseal import _core
from chartseal.attestation import ZERO_DIGEST, Address, Digest
from chartseal.errors import NodeError

_WORD = 32
_BODY = Struct(">32s32s24sQ24sQ24sQ32s12s20s12s20s")
"""uid, schema, three times, refUID, recipient and attester, each number and address after its padding."""
_HEAD = _WORD.to_bytes(_WORD)
"""Where the tuple begins."""
_PAD_12, _PAD_24 = bytes(12), bytes(24)
_FALSE, _TRUE = bytes(_WORD), (1).to_bytes(_WORD)
_NO_BUMP = bytes(4)
_MOST_BUMPS = 65_536
"""Equal attestations in one block: the contract tries one bump after the other, and no block has gas for more."""


class SchemaRow(NamedTuple):
    """A registered schema. The text is bytes: anybody can register what is not UTF-8."""

    uid: Digest
    text: bytes
    resolver: Address
    revocable: bool


class Body(NamedTuple):
    """An attestation's members as `getAttestation` returns them, and what its uid is the hash of. Made by the thousand:
    see `chain.facts.Attestation` for what they mean.
    """

    uid: Digest
    schema: Digest
    time: int
    expiration_time: int
    revocation_time: int
    ref_uid: Digest
    recipient: Address
    attester: Address
    revocable: bool
    data: bytes
    hashed: bytes
    """All but the revocation time, packed, without the bump."""

    def gives_its_uid(self) -> bool:
        """Whether the uid is the one that EAS computes from the members, revocation apart, for some bump.

        Source: EAS.sol `_getUID`.
        """
        if _core.keccak256(self.hashed + _NO_BUMP) == self.uid:
            return True
        bumps = range(1, _MOST_BUMPS)
        return any(_core.keccak256(self.hashed + bump.to_bytes(4, "big")) == self.uid for bump in bumps)


def read_body(data: bytes) -> Body | None:
    """What `getAttestation` returned: None where there is no such attestation.

    Raises:
        NodeError: `node_malformed`.
    """
    if len(data) < 12 * _WORD or data[:_WORD] != _HEAD:
        raise _malformed()
    (uid, schema, pad_a, time, pad_b, expires, pad_c, revoked, ref_uid, pad_d, recipient, pad_e, attester) = (
        _BODY.unpack_from(data, _WORD)
    )
    if pad_a != _PAD_24 or pad_b != _PAD_24 or pad_c != _PAD_24 or pad_d != _PAD_12 or pad_e != _PAD_12:
        raise _malformed()
    if uid == ZERO_DIGEST:
        return None
    revocable, tail = _flag(data, 8), _tail(data, 10)
    times, flag = data[120:128] + data[152:160], data[319:320]
    hashed = schema + recipient + attester + times + flag + ref_uid + tail
    return Body(uid, schema, time, expires, revoked, ref_uid, recipient, attester, revocable, tail, hashed)


def read_schema(data: bytes) -> SchemaRow:
    """What `getSchema` returned.

    Raises:
        NodeError: `node_malformed`, also where the members do not give the uid.
    """
    if data[:_WORD] != _HEAD or len(data) < 6 * _WORD or any(data[2 * _WORD : 2 * _WORD + 12]):
        raise _malformed()
    resolver = Address(data[2 * _WORD + 12 : 3 * _WORD])
    row = SchemaRow(Digest(data[_WORD : 2 * _WORD]), _tail(data, 4), resolver, _flag(data, 2))
    if _core.keccak256(row.text + row.resolver + bytes([row.revocable])) != row.uid:
        raise NodeError("a schema's text does not give its uid", "node_malformed", "getSchema")
    return row


def _flag(data: bytes, at: int) -> bool:
    """The bool at a word of the tuple."""
    word = data[(at + 1) * _WORD : (at + 2) * _WORD]
    if word not in (_FALSE, _TRUE):
        raise _malformed()
    return word == _TRUE


def _tail(data: bytes, words: int) -> bytes:
    """The one dynamic member, which is the tuple's last: it stands right after the words and ends the answer."""
    begin = (words + 1) * _WORD
    offset, size = (int.from_bytes(data[at : at + _WORD]) for at in (begin - _WORD, begin))
    if offset != words * _WORD or len(data) != begin + _WORD + size + -size % _WORD:
        raise _malformed()
    return data[begin + _WORD : begin + _WORD + size]


def _malformed() -> NodeError:
    return NodeError("the answer is not of the form that the contract gives", "node_malformed", "eth_call")
