"""A status list as its issuer publishes it: a file that is downloaded whole, whose root stands on chain.

Whole, because asking for one credential's bit would tell the issuer whose proof is being made. The file is not signed:
it counts only where its root is the one that its issuer attested.
"""

from __future__ import annotations

import binascii
import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chartseal import _core, _json
from chartseal.attestation import Address, Digest, address_from, checksum_address, digest_from, to_hex
from chartseal.chain.authority.status_root import DEPTH, LIST_SIZE, WORD_BITS, StatusRoot, latest, words_of
from chartseal.chain.facts import ChainFacts
from chartseal.chain.schemas import STATUS_ROOT
from chartseal.errors import PackageError, StatusListError
from chartseal.record.credential import LARGEST_LIST

FORMAT = "chartseal/1"
KIND = "status-list"
LARGEST_FILE = 200_000
"""Bytes: a full list's bits do not compress below 128,000, which base64 makes 170,667."""

_MEMBERS = {"format", "kind", "attester", "list", "root", "revoked"}
_BYTES = LIST_SIZE // 8


@dataclass(frozen=True)
class StatusList:
    """One list: whose, which, and the indices that are revoked in it."""

    attester: Address
    number: int
    revoked: frozenset[int] = field(repr=False)

    @cached_property
    def words(self) -> list[bytes]:
        """The tree's leaves up to the last that is not zero: 32 bytes each.

        Raises:
            AuthorityError: `status_index`.
        """
        return words_of(self.revoked)

    @cached_property
    def root(self) -> Digest:
        """What stands on chain for it."""
        return Digest(_core.poseidon_root(self.words, DEPTH))

    def word(self, index: int) -> bytes:
        """The leaf that has the bit of an index."""
        at = index // WORD_BITS
        return self.words[at] if at < len(self.words) else bytes(32)

    def path(self, index: int) -> tuple[tuple[bytes, bytes, bytes], ...]:
        """The siblings of that leaf, from the leaf up."""
        at = index // WORD_BITS
        leaves = self.words + [bytes(32)] * (at + 1 - len(self.words))
        return tuple((a, b, c) for a, b, c in _core.poseidon_path(leaves, DEPTH, at))

    def to_json(self) -> bytes:
        """The file's bytes."""
        members = {
            "format": FORMAT,
            "kind": KIND,
            "attester": checksum_address(self.attester),
            "list": self.number,
            "root": to_hex(self.root),
            "revoked": b64encode(zlib.compress(_bits(self.revoked), 9)).decode(),
        }
        return json.dumps(members, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> StatusList:
        """Read a file; its root is recomputed, and whether it stands on chain is another question.

        Raises:
            StatusListError: `status_list_malformed`, or `status_list_root`: the root is not that of the bits.
        """
        members = _members(data)
        number = members["list"]
        if type(number) is not int or not 0 <= number <= LARGEST_LIST:
            raise _malformed("list")
        try:
            attester, root = address_from(members["attester"], "attester"), digest_from(members["root"], "root")
        except PackageError as exc:
            raise _malformed(exc.path) from exc
        found = cls(attester, number, _indices(members["revoked"]))
        if found.root != root:
            raise StatusListError("the file's root is not that of its bits", "status_list_root", "root")
        return found


def _members(data: bytes) -> dict[str, Any]:
    try:
        members = _json.loads(data) if len(data) <= LARGEST_FILE else None
    except ValueError:
        members = None
    if not isinstance(members, dict) or members.keys() != _MEMBERS:
        raise _malformed("")
    if (members["format"], members["kind"]) != (FORMAT, KIND):
        raise _malformed("kind")
    return members


def _malformed(place: str) -> StatusListError:
    return StatusListError("not a status list of this format", "status_list_malformed", place)


def _bits(indices: Iterable[int]) -> bytes:
    """Index i is bit i mod 8, least significant first, of byte i div 8; zero bytes at the end are left away."""
    bits = bytearray(_BYTES)
    for index in indices:
        bits[index // 8] |= 1 << index % 8
    return bytes(bits).rstrip(b"\0")


def _indices(text: Any) -> frozenset[int]:
    """Indices of the bits that are set; the text inflates to no more than a full list has."""
    if not isinstance(text, str):
        raise _malformed("revoked")
    inflater = zlib.decompressobj()
    try:
        bits = inflater.decompress(b64decode(text, validate=True), _BYTES + 1)
    except (ValueError, binascii.Error, zlib.error) as exc:
        raise _malformed("revoked") from exc
    if not inflater.eof or inflater.unused_data or len(bits) > _BYTES or bits.endswith(b"\0"):
        raise _malformed("revoked")
    return frozenset(8 * at + bit for at, byte in enumerate(bits) if byte for bit in range(8) if byte >> bit & 1)


def standing_root(facts: ChainFacts, attester: Address, number: int) -> StatusRoot | None:
    """The root of a list that its issuer attested last, as of the newest block; None where it attested none.

    Raises:
        NodeError, IndexingError: the chain's facts are not to be had.
    """
    return latest(facts.attestations(STATUS_ROOT, attester=attester)).get(number)
