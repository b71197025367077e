"""What a verifier can conclude from several answers together: questions about ranges bisect, sets intersect.

Every policy here was, or is about to be, answered with a proof. The answers may come from different records of the
holder, which a verifier may not know: what is told is the most that it could infer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chartseal.predicates.bounds import OPEN_HIGH, OPEN_LOW, packed
from chartseal.predicates.policy import Policy
from chartseal.predicates.printing import Phrase, phrases
from chartseal.predicates.slots import EQUAL, MEMBER, NOT_EQUAL, NOT_MEMBER, RANGE, ClaimKey, Slot
from chartseal.predicates.words import element_words, test_words

_CONTRADICTION = "differs between these answers: several records gave them, or several codes of one"
_CODED = "code"


class Inference(NamedTuple):
    """A claim of the new policy, and what its verifier could know of it afterwards, in words for the holder."""

    claim: ClaimKey
    text: str


@dataclass(frozen=True)
class _Known:
    """What is known of one value: bounds, or codes; None where any code is possible."""

    low: int = OPEN_LOW
    high: int = OPEN_HIGH
    allowed: frozenset[str] | None = None
    denied: frozenset[str] = frozenset()

    def add(self, other: _Known) -> _Known:
        both = [codes for codes in (self.allowed, other.allowed) if codes is not None]
        return _Known(
            max(self.low, other.low),
            min(self.high, other.high),
            frozenset.intersection(*both) if both else None,
            self.denied | other.denied,
        )

    def is_contradiction(self) -> bool:
        return self.low > self.high or (self.allowed is not None and not self.allowed)

    def settled(self) -> _Known:
        """The same, with codes left out that are denied or outside of the hierarchy's bounds."""
        if self.allowed is None:
            return self
        bounded = (self.low, self.high) != (OPEN_LOW, OPEN_HIGH)
        kept = {code for code in self.allowed - self.denied if not bounded or self._holds(code)}
        return _Known(allowed=frozenset(kept))

    def _holds(self, code: str) -> bool:
        number = packed(code)
        return number is not None and self.low <= number <= self.high


def narrowed(previous: Sequence[Policy], policy: Policy) -> tuple[Inference, ...]:
    """All that is known of each claim of `policy` on which earlier answers tell more than its own answer does."""
    earlier = _knowledge(slot for each in previous for slot in each.slots)
    found = []
    for subject, own in _knowledge(policy.slots).items():
        known = own.add(earlier[subject]).settled() if subject in earlier else own.settled()
        if known != own.settled():
            found.append(Inference(subject, f"{element_words(subject)} {_words(subject, known)}"))
    return tuple(found)


def _knowledge(slots: Iterable[Slot]) -> dict[ClaimKey, _Known]:
    found: dict[ClaimKey, _Known] = {}
    for slot in slots:
        subject = _subject(slot.claim)
        found[subject] = found.get(subject, _Known()).add(_fact(slot))
    return found


def _subject(claim: ClaimKey) -> ClaimKey:
    """The value that claims of several kinds speak of."""
    family, _, side = claim.kind.rpartition("-")
    if side in {"lo", "hi"}:
        return claim._replace(kind=family)
    return claim._replace(kind=_CODED) if side in {"code", "packed"} else claim


def _fact(slot: Slot) -> _Known:
    codes = frozenset(slot.codes)
    if slot.op in {NOT_EQUAL, NOT_MEMBER}:
        return _Known(denied=codes)
    if slot.op == MEMBER or codes:
        return _Known(allowed=codes)
    if slot.op == RANGE:
        return _Known(slot.lo, slot.hi)
    # What is equal to a low bound may lie above it, as far as this slot tells.
    if slot.claim.kind.endswith("-lo"):
        return _Known(low=slot.lo)
    return _Known(high=slot.hi) if slot.claim.kind.endswith("-hi") else _Known(slot.lo, slot.hi)


def _words(subject: ClaimKey, known: _Known) -> str:
    if known.is_contradiction():
        return _CONTRADICTION
    return " and ".join(test_words(phrase) for phrase in _phrases(subject, known))


def _phrases(subject: ClaimKey, known: _Known) -> Iterable[Phrase]:
    if subject.kind in {"quantity", "money", "day"}:
        return phrases(_bounds(subject, known))
    if subject.kind != _CODED:
        is_exact = known.low == known.high
        return phrases([Slot(EQUAL if is_exact else RANGE, subject, known.low, known.high)])
    slots = []
    if known.allowed is not None:
        slots.append(Slot(MEMBER, subject, codes=tuple(sorted(known.allowed))))
    elif (known.low, known.high) != (OPEN_LOW, OPEN_HIGH):
        slots.append(Slot(RANGE, subject._replace(kind="packed"), known.low, known.high))
    if known.denied and known.allowed is None:
        slots.append(Slot(NOT_MEMBER, subject._replace(kind="sole-code"), codes=tuple(sorted(known.denied))))
    return phrases(slots)


def _bounds(subject: ClaimKey, known: _Known) -> list[Slot]:
    lo, hi = (subject._replace(kind=f"{subject.kind}-{side}") for side in ("lo", "hi"))
    if known.low == known.high:
        return [Slot(EQUAL, lo, known.low, known.low), Slot(EQUAL, hi, known.high, known.high)]
    slots = [Slot(RANGE, lo, known.low, OPEN_HIGH)] if known.low != OPEN_LOW else []
    return slots + ([Slot(RANGE, hi, OPEN_LOW, known.high)] if known.high != OPEN_HIGH else [])
