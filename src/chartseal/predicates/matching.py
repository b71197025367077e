"""Which claims of a record satisfy a policy, or why none do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chartseal.predicates.policy import Policy
from chartseal.predicates.slots import ClaimKey, Slot
from chartseal.predicates.systems import name_of
from chartseal.predicates.words import ReadableClaim, element_words, slot_words


class HeldClaim(ReadableClaim, Protocol):
    """A claim that its holder has open: `record.claims.Claim` is one."""

    @property
    def key(self) -> bytes:
        """F("claim-key"; …), 32 bytes."""

    @property
    def value(self) -> bytes | int:
        """A field element, as a number or as 32 bytes big-endian."""


@dataclass(frozen=True)
class Unmet:
    """Why a record does not satisfy a policy: for its holder alone, since the reasons tell of the record."""

    reasons: tuple[str, ...]


def match(policy: Policy, claims: Sequence[HeldClaim]) -> tuple[int, ...] | Unmet:
    """For each slot the position of the first claim that satisfies it; claims stand as in the record, holder's first.

    A tuple may name one claim twice. Reasons name no value.
    """
    found = [_position(slot, claims) for slot in policy.slots]
    positions = tuple(position for position in found if position is not None)
    if len(positions) == len(found):
        return positions
    return Unmet(tuple(_reason(slot, claims) for slot, at in zip(policy.slots, found, strict=True) if at is None))


def key_of(claim: ReadableClaim) -> ClaimKey:
    """The readable key of a claim."""
    qualifier = (claim.qualifier_system, claim.qualifier_code)
    return ClaimKey(claim.path, claim.sense, *qualifier, claim.kind, claim.unit, claim.scale)


def _position(slot: Slot, claims: Sequence[HeldClaim]) -> int | None:
    for position, claim in enumerate(claims):
        if claim.key == slot.key and slot.accepts(_number(claim)):
            return position
    return None


def _number(claim: HeldClaim) -> int:
    return claim.value if isinstance(claim.value, int) else int.from_bytes(claim.value, "big")


def _reason(slot: Slot, claims: Sequence[HeldClaim]) -> str:
    if any(claim.key == slot.key for claim in claims):
        return f"it is not so that {slot_words(slot)}"
    near = [claim for claim in claims if claim.path == slot.claim.path]
    return f"{element_words(slot.claim)}: {_absence(slot.claim, near)}"


def _absence(wanted: ClaimKey, near: Sequence[HeldClaim]) -> str:
    """What the record has in the place of what is wanted, as far as keys tell."""
    if not near:
        return "the record has no such element, or affirms none"
    if near[0].sense != wanted.sense:
        return f"the record affirms it in another sense ({near[0].sense})"
    qualifier = (wanted.qualifier_system, wanted.qualifier_code)
    near = [claim for claim in near if (claim.qualifier_system, claim.qualifier_code) == qualifier]
    if not near:
        return "the record has another such element, but not this one"
    if wanted.kind.endswith(("code", "packed")):
        return _absent_code(wanted, near)
    units = sorted({claim.unit for claim in near if claim.kind == wanted.kind})
    return f"the record has it in another unit ({', '.join(units)})" if units else "the record has it in another form"


def _absent_code(wanted: ClaimKey, near: Sequence[HeldClaim]) -> str:
    if all(claim.unit != wanted.unit for claim in near):
        return f"the record has no code of {name_of(wanted.unit)} there"
    if wanted.kind.startswith("sole-"):
        return "the record has more than one code of that system there, or a code without its system"
    return "the record's code there has no place in the hierarchy"
