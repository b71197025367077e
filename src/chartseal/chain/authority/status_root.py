"""Roots of an issuer's status lists: which of its credentials are revoked, published as one root for each list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chartseal import _core
from chartseal.attestation import Address, Digest, Schema
from chartseal.chain.facts import Attestation
from chartseal.chain.schemas import STATUS_ROOT
from chartseal.disclosure.binding import FIELD_ORDER
from chartseal.errors import AuthorityError, FieldEncodingError

DEPTH = 6
"""Of every Poseidon tree of arity 4 that is published: 4,096 leaves."""
WORD_BITS = 250
LIST_SIZE = 4**DEPTH * WORD_BITS
"""Indices of one list; a full one opens the next number."""

_LARGEST_LIST = 2**32 - 1
_SCHEMA = Schema.parse(STATUS_ROOT.text)


@dataclass(frozen=True, slots=True)
class StatusRoot:
    """A status root as it stands on chain."""

    uid: Digest
    issuer: Address
    """Who attested it, of its own list alone."""
    list: int
    root: Digest
    attested_at: int
    """Time of its block, Unix seconds."""

    @property
    def is_element(self) -> bool:
        """Whether a circuit can take it: below r."""
        return int.from_bytes(self.root) < FIELD_ORDER


def status_root_of(revoked: Iterable[int]) -> Digest:
    """The root of a list in which these indices are revoked.

    Raises:
        AuthorityError: `status_index` outside one list.
    """
    return Digest(_core.poseidon_root(words_of(revoked), DEPTH))


def words_of(revoked: Iterable[int]) -> list[bytes]:
    """The leaves of a list in which these indices are revoked, up to the last that is not zero; 32 bytes each.

    Index i is bit i mod 250, least significant first, of word i div 250; the words are the leaves.

    Raises:
        AuthorityError: `status_index` outside one list.
    """
    words: dict[int, int] = {}
    for index in revoked:
        if not 0 <= index < LIST_SIZE:
            raise AuthorityError(f"an index is below {LIST_SIZE}", "status_index", "index")
        word, bit = divmod(index, WORD_BITS)
        words[word] = words.get(word, 0) | 1 << bit
    return [words.get(at, 0).to_bytes(32) for at in range(max(words, default=-1) + 1)]


def encode_status_root(number: int, root: Digest) -> bytes:
    """The attestation's data.

    Raises:
        AuthorityError: `status_root_malformed`: no list's number, or no field element.
    """
    if not 0 <= number <= _LARGEST_LIST:
        raise AuthorityError("a list's number has 32 bits", "status_root_malformed", "list")
    if len(root) != 32 or int.from_bytes(root) >= FIELD_ORDER:
        raise AuthorityError("a status root is a field element of 32 bytes", "status_root_malformed", "statusRoot")
    return _SCHEMA.encode([number, root])


def read_status_root(attestation: Attestation) -> StatusRoot:
    """A status root from its attestation; it may be no field element, which speaks against its list.

    Raises:
        AuthorityError: `status_root_malformed`.
    """
    try:
        number, root = _SCHEMA.decode(attestation.data)
    except FieldEncodingError as exc:
        raise AuthorityError("a status root's data is not of its schema", "status_root_malformed", "data") from exc
    return StatusRoot(attestation.uid, attestation.attester, number, Digest(root), attestation.time)


def latest(attestations: Sequence[Attestation]) -> dict[int, StatusRoot]:
    """The last root of each list of one issuer's, by list, of attestations in the order in which they were made.

    What names no list is passed over. A last root that is no field element stays: the one before it is outdated.
    """
    found: dict[int, StatusRoot] = {}
    for each in attestations:
        try:
            read = read_status_root(each)
        except AuthorityError:
            continue
        found[read.list] = read
    return dict(sorted(found.items()))
