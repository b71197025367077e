"""Policies and claims in plain English, for those who are asked and for those who ask.

Names of codes are a comfort (names.tsv): the code always stands beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Literal, Protocol, TypeAlias

from chartseal.predicates import bounds
from chartseal.predicates.bounds import OFFSET, OPEN_HIGH, OPEN_LOW
from chartseal.predicates.printing import Phrase, phrase_of, phrases
from chartseal.predicates.slots import NOT_EQUAL, NOT_MEMBER, Slot
from chartseal.predicates.systems import by_uri, name_of

Speaker: TypeAlias = Literal["holder", "verifier"]
"""Whom the words are said to."""

_MOST_CODES = 5
_AS_OF_SEAL = "as one record said when it was sealed"
_DENIAL = "this denies it of that record alone: another may say it"
_NUMBER_ALONE = {"1", "{1}"}
_TIMES = {"a": "years", "mo": "months", "wk": "weeks", "d": "days", "h": "hours", "min": "minutes"}
_EPOCH = date(1900, 1, 1)


class ReadableClaim(Protocol):
    """The readable parts of a claim's key: `record.claims.Claim` and `ClaimKey` have them."""

    @property
    def path(self) -> str:
        """Element path without indices."""

    @property
    def sense(self) -> str:
        """Table B's sense."""

    @property
    def qualifier_system(self) -> str:
        """System of the code that says which value is meant."""

    @property
    def qualifier_code(self) -> str:
        """That code."""

    @property
    def kind(self) -> str:
        """What the value is."""

    @property
    def unit(self) -> str:
        """Unit, currency or code system."""

    @property
    def scale(self) -> int:
        """Decimal places."""


def policy_words(slots: Sequence[Slot], speaker: Speaker = "holder") -> str:
    """The slots as one sentence without its end: `your HbA1c (LOINC 4548-4) is under 7 %, measured on or after …`."""
    clauses: list[str] = []
    for phrase in phrases(slots):
        when = _table("nouns.tsv").get(phrase.claim.path, ("", ""))[1]
        if clauses and when and phrase.claim.kind in {"day-lo", "day-hi", "instant"}:
            clauses.append(f", {when} {time_words(phrase)}")
        else:
            joint = ", and " if clauses else ""
            clauses.append(f"{joint}{element_words(phrase.claim, speaker)} {test_words(phrase)}")
    denies = any(slot.op in {NOT_EQUAL, NOT_MEMBER} for slot in slots)
    return f"{''.join(clauses)}; {_AS_OF_SEAL}{f'; {_DENIAL}' if denies else ''}"


def slot_words(slot: Slot, speaker: Speaker = "holder") -> str:
    """One slot in words: `your HbA1c (LOINC 4548-4) is under 7 %`."""
    return f"{element_words(slot.claim, speaker)} {test_words(phrase_of(slot))}"


def element_words(claim: ReadableClaim, speaker: Speaker = "holder") -> str:
    """What a claim is about: `your HbA1c (LOINC 4548-4)`."""
    noun = _noun(claim)
    if noun.startswith("="):
        return noun[1:]
    whose = "your" if speaker == "holder" else "the holder's"
    return f"{whose} {noun}"


def _noun(claim: ReadableClaim) -> str:
    noun = _table("nouns.tsv").get(claim.path, ("", ""))[0]
    if not noun:
        noun = "answer to {name}" if claim.path.startswith("QuestionnaireResponse.") else claim.path
    sense, type_name = claim.sense, claim.path.partition(".")[0]
    noun = noun.replace("{name}", _named(claim.qualifier_system, claim.qualifier_code))
    noun = noun.replace("{sense}", sense)
    noun = noun.replace("{relative}", _table("relatives.tsv").get(sense, (f"relative ({sense})",))[0])
    return f"{noun} ({sense})" if type_name in {"Claim", "ClaimResponse", "ExplanationOfBenefit", "Consent"} else noun


def _named(system: str, code: str) -> str:
    shown = f"{name_of(system)} {code}"
    name = name_of_code(system, code)
    return f"{name} ({shown})" if name else shown


def code_words(system: str, code: str) -> str:
    """A code with its system, and its name where there is one: `SNOMED CT 44054006 (type 2 diabetes)`."""
    name = name_of_code(system, code)
    return f"{name_of(system)} {code}{f' ({name})' if name else ''}"


def name_of_code(system: str, code: str) -> str:
    """A common code's name; empty for others."""
    row = by_uri().get(system)
    return _names().get((row.alias if row else system, code), "")


@lru_cache(maxsize=1)
def _names() -> dict[tuple[str, str], str]:
    lines = _lines("names.tsv")
    return {(alias, code): name for alias, code, name in lines}


@lru_cache(maxsize=4)
def _table(name: str) -> dict[str, tuple[str, ...]]:
    return {first: tuple(rest) for first, *rest in _lines(name)}


def _lines(name: str) -> list[list[str]]:
    text = files("chartseal.predicates").joinpath(name).read_text("utf-8")
    return [line.split("\t") for line in text.splitlines()[1:]]


# tests


def test_words(phrase: Phrase) -> str:
    """What must hold of it, beginning with a verb: `is under 7 %`."""
    slot, kind = phrase.slots[0], phrase.claim.kind
    if kind == "boolean":
        return f"is recorded as {'true' if slot.lo else 'false'}"
    if kind.endswith("code"):
        return _code_test(slot)
    if kind.endswith("packed"):
        return f"is in {hierarchy_words(slot)}{_sole(slot)}"
    if kind in {"day-lo", "day-hi", "instant"}:
        return f"is {time_words(phrase)}"
    return f"is {_amount_words(phrase)}"


def _sole(slot: Slot) -> str:
    return ", the only code of that system there" if slot.claim.kind.startswith("sole-") else ""


def _code_test(slot: Slot) -> str:
    denied = slot.op in {NOT_EQUAL, NOT_MEMBER}
    if len(slot.codes) == 1:
        sole = "" if denied else _sole(slot)
        return f"is {'not ' if denied else ''}{code_words(slot.claim.unit, slot.codes[0])}{sole}"
    shown = "; ".join(_short(slot.claim.unit, code) for code in slot.codes[:_MOST_CODES])
    more = f"; and {len(slot.codes) - _MOST_CODES} more" if len(slot.codes) > _MOST_CODES else ""
    which = f"{'none' if denied else 'one'} of {len(slot.codes)} {name_of(slot.claim.unit)} codes"
    return f"is {which} [{shown}{more}]{'' if denied else _sole(slot)}"


def _short(system: str, code: str) -> str:
    name = name_of_code(system, code)
    return f"{code} ({name})" if name else code


def hierarchy_words(slot: Slot) -> str:
    """`ICD-10-CM C50.* (breast cancer)`."""
    texts = phrase_of(slot).operands.partition(":")[2]
    first, last = bounds.packed_texts(slot.lo, slot.hi)
    name = name_of_code(slot.claim.unit, f"{first}*") if first == last else ""
    return f"{name_of(slot.claim.unit)} {texts.replace('*-', '* to ')}{f' ({name})' if name else ''}"


def _amount_words(phrase: Phrase) -> str:
    words = {"<": "under", "<=": "at most", ">": "above", ">=": "at least", "=": "exactly"}
    texts = [_amount(part, phrase) for part in phrase.operands.split(" and ")]
    if phrase.operator == "between":
        return f"from {texts[0]} to {texts[1]}"
    return f"{words[phrase.operator]} {texts[0]}"


def _amount(text: str, phrase: Phrase) -> str:
    number, _, _ = text.partition(" ")
    unit = phrase.claim.unit
    return number if not unit or unit in _NUMBER_ALONE else f"{number} {_TIMES.get(unit, unit)}"


def time_words(phrase: Phrase) -> str:
    """`on or after 1 May 2026`."""
    low, high = phrase.slots[0].lo, phrase.slots[-1].hi
    is_day = phrase.claim.kind != "instant"
    text = day_words if is_day else _instant_words
    if phrase.operator == "=":
        return f"{'on' if is_day else 'at'} {text(low)}" if low == high else f"exactly from {text(low)} to {text(high)}"
    if low != OPEN_LOW and high != OPEN_HIGH:
        return f"from {text(low)} to {text(high)}"
    at = "on" if is_day else "at"
    return f"{at} or after {text(low)}" if high == OPEN_HIGH else f"{at} or before {text(high)}"


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
"""In every locale."""


def day_words(number: int) -> str:
    """An offset day as `1 May 2026`."""
    day = _EPOCH + timedelta(days=number - OFFSET)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _instant_words(number: int) -> str:
    return (bounds.instant_text(number) or "?").replace("T", " ").replace("Z", " UTC")


# claims

_CLAIMS = {
    "code": "that {it} is a certain code of {unit}, or one of several",
    "packed": "that {it} is in a chapter or group of {unit}",
    "sole-code": "that {it} is a certain code of {unit} and no other, or is not one, or none of several",
    "sole-packed": "that {it} is in a chapter or group of {unit}, and has no other code of it",
    "quantity-lo": "that {it} is at least, or above, so many {unit}",
    "quantity-hi": "that {it} is at most, or under, so many {unit}",
    "money-lo": "that {it} is at least, or above, so many {unit}",
    "money-hi": "that {it} is at most, or under, so many {unit}",
    "integer": "that {it} is a certain number, or within bounds",
    "boolean": "whether {it} is recorded as true or false",
    "day-lo": "that {it} is on or after a day",
    "day-hi": "that {it} is on or before a day",
    "instant": "that {it} is at, before or after a moment",
    "holder": "that the record is yours",
}


def describe_claim(claim: ReadableClaim) -> str:
    """What a claim lets its holder prove, without its value: `that your HbA1c (LOINC 4548-4) is at least …`."""
    unit = name_of(claim.unit) if claim.kind.endswith(("code", "packed")) else claim.unit
    return _CLAIMS[claim.kind].format(it=element_words(claim, "holder"), unit=unit)


def all_paths() -> Iterable[str]:
    """The paths that have a noun."""
    return _table("nouns.tsv").keys()
