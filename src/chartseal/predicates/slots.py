"""A policy's slots: what each tests, and the hashes that verifiers, contracts and circuits know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from chartseal.predicates import sets
from chartseal.predicates.bounds import OPEN_HIGH, OPEN_LOW
from chartseal.predicates.hashes import field_element, poseidon, tag, to_bytes

EMPTY, EQUAL, NOT_EQUAL, RANGE, MEMBER, NOT_MEMBER = range(6)
"""Operations of a slot, as it is hashed."""
OPERATIONS = ("empty", "equal", "not-equal", "range", "member", "not-member")
"""Their names in a policy's JSON."""
MOST_SLOTS = 4
_NO_ROOT = bytes(32)


class ClaimKey(NamedTuple):
    """Which claims a slot speaks of; format specification, section "Claims"."""

    path: str
    sense: str
    qualifier_system: str
    qualifier_code: str
    kind: str
    unit: str
    scale: int

    def hash(self) -> bytes:
        """F("claim-key"; …), 32 bytes."""
        return to_bytes(field_element("claim-key", "string,string,string,string,string,string,uint8", *self))


@dataclass(frozen=True)
class Slot:
    """One test on one claim.

    `lo` and `hi` are both the value of op 1 and 2, the inclusive bounds of op 3, else 0; `codes` are the readable code
    of an equality and the members of a set, sorted.
    """

    op: int
    claim: ClaimKey
    lo: int = 0
    hi: int = 0
    codes: tuple[str, ...] = ()

    @cached_property
    def key(self) -> bytes:
        """The claim's key, 32 bytes."""
        return self.claim.hash()

    @cached_property
    def members(self) -> tuple[int, ...]:
        """Values of the set, ascending; none where the operation is on no set."""
        return sets.members(self.claim.unit, self.codes) if self.op in {MEMBER, NOT_MEMBER} else ()

    @cached_property
    def set_root(self) -> bytes:
        """The set's root, 32 bytes; zeros where the operation is on no set."""
        return sets.set_root(self.members) if self.members else _NO_ROOT

    @cached_property
    def hash(self) -> int:
        """P(tagSlot, op, key, lo, hi, setRoot)."""
        key, root = (int.from_bytes(part, "big") for part in (self.key, self.set_root))
        return poseidon(tag("slot"), self.op, key, self.lo, self.hi, root)

    def accepts(self, value: int) -> bool:
        """Whether a claim of the slot's key with that value satisfies it."""
        if self.op == EQUAL:
            return value == self.lo
        if self.op == NOT_EQUAL:
            return value != self.lo
        if self.op == RANGE:
            return OPEN_LOW <= self.lo <= value <= self.hi <= OPEN_HIGH
        return (value in self.members) == (self.op == MEMBER)


def policy_hash(slots: Sequence[Slot]) -> bytes:
    """The slot's hash for a policy of one slot, else P(tagPolicy, h1, h2, h3, h4), empty slots last; 32 bytes.

    Raises:
        ValueError: no slot, or more than four.
    """
    if not 1 <= len(slots) <= MOST_SLOTS:
        raise ValueError("a policy has one to four slots")
    hashes = [slot.hash for slot in slots]
    if len(hashes) == 1:
        return to_bytes(hashes[0])
    empty = poseidon(tag("slot"), EMPTY, 0, 0, 0, 0)
    return to_bytes(poseidon(tag("policy"), *hashes, *[empty] * (MOST_SLOTS - len(hashes))))
