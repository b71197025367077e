"""The canonical text of a policy: one text for one sequence of slots, which compiles to them again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chartseal.predicates import bounds
from chartseal.predicates.bounds import OPEN_HIGH, OPEN_LOW
from chartseal.predicates.elements import Element, element_of, row_of
from chartseal.predicates.slots import EQUAL, MEMBER, NOT_EQUAL, RANGE, ClaimKey, Slot
from chartseal.predicates.syntax import Qualifier
from chartseal.predicates.systems import ATC, by_uri

_BARE_CODE = re.compile(r"[A-Za-z0-9/][A-Za-z0-9._/+:#-]*", re.ASCII)
_BARE_URI = re.compile(r'[a-z][a-z0-9+.-]*:[^\s|{}"<>\[\],@]+')
_BARE_UNIT = re.compile(r'(?!(?:and|as|to)$)[^\s"#][^\s"]*')
_SETS = {(MEMBER, "code"): "in", (MEMBER, "sole-code"): "only in"}


@dataclass(frozen=True)
class Phrase:
    """One predicate of the canonical text: an operator and operands over one slot or two."""

    slots: tuple[Slot, ...]
    operator: str
    operands: str

    @property
    def claim(self) -> ClaimKey:
        """The key of its first slot."""
        return self.slots[0].claim


def text_of(slots: Sequence[Slot]) -> str:
    """The canonical text."""
    texts: list[str] = []
    stands: Qualifier | None = None
    for phrase in phrases(slots):
        element = element_of_claim(phrase.claim)
        qualifier = qualifier_of(phrase.claim)
        is_own = element.qualified_at == -1
        name = dotted(element, qualifier)
        if not texts or (is_own and qualifier != stands):
            stands = qualifier if is_own else None
            name = f"{subject_text(phrase.claim, stands)}.{name}"
        texts.append(f"{name} {phrase.operator} {phrase.operands}")
    return " and ".join(texts)


def slot_text(slot: Slot) -> str:
    """One slot as a predicate of its own, for people: of an equality that needs two slots, one side."""
    return text_of([slot])


_ASKED = {
    "code": "= {system}|…",
    "packed": "in {system}:…*",
    "sole-code": "!= {system}|…",
    "sole-packed": "only in {system}:…*",
    "quantity-lo": ">= … {unit}",
    "quantity-hi": "<= … {unit}",
    "money-lo": ">= … {unit}",
    "money-hi": "<= … {unit}",
    "integer": ">= …",
    "boolean": "= true",
    "day-lo": ">= YYYY-MM-DD",
    "day-hi": "<= YYYY-MM-DD",
    "instant": ">= YYYY-MM-DDThh:mm:ssZ",
}


def asked_by(claim: ClaimKey) -> str:
    """How a policy would ask for such a claim, with … for what it compares with; empty for the holder's own."""
    if claim.kind not in _ASKED:
        return ""
    element, qualifier = element_of_claim(claim), qualifier_of(claim)
    is_own = element.qualified_at == -1
    name = f"{subject_text(claim, qualifier if is_own else None)}.{dotted(element, qualifier)}"
    return f"{name} {_ASKED[claim.kind].format(system=system_text(claim.unit), unit=unit_text(claim.unit))}"


def element_of_claim(claim: ClaimKey) -> Element:
    """The element of table B that the claim is lifted from."""
    type_name, _, name = claim.path.partition(".")
    element = element_of(type_name, name)
    assert element is not None  # noqa: S101 (the slot was compiled from it)
    return element


def qualifier_of(claim: ClaimKey) -> Qualifier | None:
    """The claim's qualifier."""
    found = Qualifier(claim.qualifier_system, claim.qualifier_code)
    return found if any(found) else None


def subject_text(claim: ClaimKey, qualifier: Qualifier | None) -> str:
    """`Type(sense)[qualifier]`, the sense only where it is not the one that is meant without."""
    type_name = claim.path.partition(".")[0]
    row = row_of(type_name)
    assert row is not None  # noqa: S101 (the slot was compiled from it)
    sense = "" if row.default_sense() == claim.sense else f"({claim.sense})"
    return f"{type_name}{sense}{_bracketed(qualifier)}"


def dotted(element: Element, qualifier: Qualifier | None) -> str:
    """The path below the resource, with the qualifier where one of its steps carries it."""
    at = element.qualified_at
    steps = (step.name + (_bracketed(qualifier) if index == at else "") for index, step in enumerate(element.steps))
    return ".".join(steps)


def _bracketed(qualifier: Qualifier | None) -> str:
    return f"[{coded_text(*qualifier)}]" if qualifier else ""


def coded_text(system: str, code: str) -> str:
    """`system|code`."""
    return f"{system_text(system)}|{code_text(code)}"


def system_text(system: str) -> str:
    """A system by its alias, else its URI."""
    row = by_uri().get(system)
    return row.alias if row else _quoted(system, _BARE_URI)


def code_text(code: str) -> str:
    """A code, quoted where it has to be."""
    return _quoted(code, _BARE_CODE)


def unit_text(unit: str) -> str:
    """A unit, quoted where it has to be."""
    return _quoted(unit, _BARE_UNIT)


def _quoted(text: str, bare: re.Pattern[str]) -> str:
    if bare.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def phrases(slots: Sequence[Slot]) -> Iterator[Phrase]:
    """The predicates, a low bound joined with the high one that follows it where one operator says both."""
    at = 0
    while at < len(slots):
        pair = _pair(slots[at], slots[at + 1]) if at + 1 < len(slots) else None
        yield pair or phrase_of(slots[at])
        at += 2 if pair else 1


def _pair(low: Slot, high: Slot) -> Phrase | None:
    family, _, side = low.claim.kind.rpartition("-")
    if side != "lo" or high.claim != low.claim._replace(kind=f"{family}-hi") or low.op != high.op:
        return None
    texts = [_value_text(slot.claim, value) for slot, value in ((low, low.lo), (high, high.hi))]
    if low.op == EQUAL:
        return Phrase((low, high), "=", texts[0] if low.lo == high.hi else " to ".join(texts))
    singles = phrase_of(low), phrase_of(high)
    if [single.operator for single in singles] != [">=", "<="]:
        return None
    return Phrase((low, high), "between", " and ".join(texts))


def phrase_of(slot: Slot) -> Phrase:
    """One slot as a predicate."""
    claim = slot.claim
    if slot.codes and slot.op in {EQUAL, NOT_EQUAL}:
        operators = {(EQUAL, "code"): "=", (EQUAL, "sole-code"): "only ="}
        return Phrase((slot,), operators.get((slot.op, claim.kind), "!="), coded_text(claim.unit, slot.codes[0]))
    if slot.codes:
        codes = ", ".join(map(code_text, slot.codes))
        return Phrase((slot,), _SETS.get((slot.op, claim.kind), "not in"), f"{system_text(claim.unit)}{{{codes}}}")
    if claim.kind.endswith("packed"):
        return Phrase((slot,), "in" if claim.kind == "packed" else "only in", _hierarchy_text(slot))
    if slot.op == RANGE:
        return _range(slot)
    return Phrase((slot,), "=", _value_text(claim, slot.lo))


def _range(slot: Slot) -> Phrase:
    """Inclusive, but for quantities where the number beside the bound is shorter: `< 7`, not `<= 6.999999`."""
    claim = slot.claim
    if slot.lo != OPEN_LOW and slot.hi != OPEN_HIGH:
        both = f"{_value_text(claim, slot.lo)} and {_value_text(claim, slot.hi)}"
        return Phrase((slot,), "between", both)
    is_low = slot.hi == OPEN_HIGH
    bound, beside = (slot.lo, slot.lo - 1) if is_low else (slot.hi, slot.hi + 1)
    if claim.scale and _places(beside) < _places(bound):
        return Phrase((slot,), ">" if is_low else "<", _value_text(claim, beside))
    return Phrase((slot,), ">=" if is_low else "<=", _value_text(claim, bound))


def _places(number: int) -> int:
    return len(bounds.decimal_text(number).partition(".")[2])


def _value_text(claim: ClaimKey, number: int) -> str:
    if claim.scale:
        return f"{bounds.decimal_text(number)} {unit_text(claim.unit)}"
    if claim.kind.startswith("day"):
        return bounds.day_text(number)
    if claim.kind == "instant":
        return bounds.instant_text(number) or ""
    if claim.kind == "boolean":
        return "true" if number else "false"
    return str(number - bounds.OFFSET)


def _hierarchy_text(slot: Slot) -> str:
    first, last = (_prefix_text(slot.claim.unit, text) for text in bounds.packed_texts(slot.lo, slot.hi))
    alias = system_text(slot.claim.unit)
    return f"{alias}:{first}" if first == last else f"{alias}:{first}-{last}"


def _prefix_text(system: str, plain: str) -> str:
    """ICD's dot stands after three characters."""
    return f"{plain}*" if system == ATC or len(plain) < 3 else f"{plain[:3]}.{plain[3:]}*"
