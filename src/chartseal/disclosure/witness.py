"""What a prover is given: a policy's slots with the claims that satisfy them, as the circuits read it.

Whoever has it reads the claims and follows the credential: it stays in this process.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from chartseal import _core
from chartseal.attestation import to_hex
from chartseal.errors import PredicateError
from chartseal.predicates import HeldClaim, Policy, Slot
from chartseal.predicates.hashes import tag, to_bytes

if TYPE_CHECKING:
    from chartseal.disclosure.membership import Membership

CLAIM_DEPTH, TREE_DEPTH = 3, 6
_SET_END = 1 << 248
"""What stands beyond every member; format specification, "Policies"."""
_WITH_SET = frozenset({4, 5})
"""Operations on a set: member, not member."""


class ProvableClaim(HeldClaim, Protocol):
    """A claim with what opens it; words are field elements, 32 bytes big-endian."""

    @property
    def index(self) -> int:
        """Its leaf's place, 0 to 63."""

    @property
    def value(self) -> bytes:
        """What it says."""

    @property
    def salt(self) -> bytes:
        """What hides it."""


class ProvableCredential(Protocol):
    """An issuer's signature over a record's claims, and what is signed besides."""

    @property
    def list(self) -> int:
        """The number of the status list."""

    @property
    def index(self) -> int:
        """The place in it."""

    @property
    def claim_id(self) -> bytes:
        """31 bytes, one for each event."""

    @property
    def uses(self) -> int:
        """How often it may be used in a scope."""

    @property
    def key(self) -> bytes:
        """The issuer's proving key, packed: 32 bytes."""

    @property
    def signature(self) -> bytes:
        """64 bytes."""

    @property
    def sealed_at(self) -> int:
        """Unix seconds."""

    @property
    def expiry(self) -> int:
        """Unix seconds; the largest uint64 for never."""


def holder_inputs(context: bytes, claims: Sequence[ProvableClaim]) -> dict[str, Any]:
    """Of `holder`: that claim 0 is the commitment of the wallet's secret."""
    return {"context": to_hex(context), "salt": to_hex(claims[0].salt), "path": _claim_path(claims, 0)}


def linked_inputs(
    context: bytes, policy: Policy, claims: Sequence[ProvableClaim], chosen: Sequence[int]
) -> dict[str, Any]:
    """Of `linked-K`: `chosen` are the claims' places, one for each slot."""
    return {"context": to_hex(context), "predicates": _predicates(policy, claims, chosen)}


def anonymous_inputs(
    context: bytes,
    scope: bytes,
    policy: Policy,
    claims: Sequence[ProvableClaim],
    chosen: Sequence[int],
    *,
    attester: bytes,
    credential: ProvableCredential,
    membership: Membership,
    use: int,
) -> dict[str, Any]:
    """Of `anonymous-K`: besides, the credential, where its issuer stands, and which use is spent."""
    return {
        "now": membership.now,
        "scope": to_hex(scope),
        "context": to_hex(context),
        "predicates": _predicates(policy, claims, chosen),
        "credential": {
            "attester": to_hex(attester.rjust(32, b"\0")),
            "list": credential.list,
            "index": credential.index,
            "claimId": to_hex(credential.claim_id.rjust(32, b"\0")),
            "uses": credential.uses,
            "sealedAt": credential.sealed_at,
            "expiry": credential.expiry,
            "key": to_hex(credential.key),
            "signature": to_hex(credential.signature),
        },
        "issuer": {"index": membership.index, "notAfter": membership.not_after, "path": _path(membership.path)},
        "status": {"word": to_hex(membership.status_word), "path": _path(membership.status_path)},
        "use": use,
    }


def _predicates(policy: Policy, claims: Sequence[ProvableClaim], chosen: Sequence[int]) -> list[Mapping[str, Any]]:
    by_index = {claim.index: claim for claim in claims}
    return [
        _predicate(slot, by_index[index], _claim_path(claims, index))
        for slot, index in zip(policy.slots, chosen, strict=True)
    ]


def _predicate(slot: Slot, claim: ProvableClaim, path: list[list[str]]) -> dict[str, Any]:
    opened = {
        "index": claim.index,
        "key": to_hex(claim.key),
        "value": to_hex(claim.value),
        "salt": to_hex(claim.salt),
        "path": path,
    }
    neighbours = _neighbours(slot, int.from_bytes(claim.value)) if slot.op in _WITH_SET else None
    return {
        "op": slot.op,
        "key": to_hex(slot.key),
        "lo": _word(slot.lo),
        "hi": _word(slot.hi),
        "setRoot": to_hex(slot.set_root),
        "claim": opened,
        "set": neighbours,
    }


def _neighbours(slot: Slot, value: int) -> dict[str, Any]:
    """The leaf (low, high) with low ≤ value + 1 < high: one path shows that a value is a member, or is not."""
    ends = _ends(slot.members)
    at = bisect_right(ends, value + 1) - 1
    if not 0 <= at < len(ends) - 1:
        raise PredicateError("a claim's value that no set can hold", "claim_unsuitable")
    path = _core.poseidon_path(list(_set_leaves(slot.members)), TREE_DEPTH, at)
    return {"index": at, "low": _word(ends[at]), "high": _word(ends[at + 1]), "path": _path(path)}


def _ends(members: Sequence[int]) -> list[int]:
    """The members between -1 and 2^248, all + 1."""
    return [0, *(member + 1 for member in members), _SET_END + 1]


@lru_cache(maxsize=8)
def _set_leaves(members: tuple[int, ...]) -> tuple[bytes, ...]:
    ends = [end.to_bytes(32) for end in _ends(members)]
    return tuple(_core.poseidon_hash([to_bytes(tag("set")), low, high]) for low, high in pairwise(ends))


def _claim_path(claims: Sequence[ProvableClaim], index: int) -> list[list[str]]:
    leaves = [_core.poseidon_hash([to_bytes(tag("claim")), claim.key, claim.value, claim.salt]) for claim in claims]
    return _path(_core.poseidon_path(leaves, CLAIM_DEPTH, index))


def _path(path: Sequence[Sequence[bytes]]) -> list[list[str]]:
    """Three siblings a level, from the leaves up."""
    return [[to_hex(sibling) for sibling in level] for level in path]


def _word(number: int) -> str:
    return to_hex(number.to_bytes(32))
