"""How often a day a medicine is taken, out of a Timing.

Bounds and counts say how long a therapy lasts and are not read. Where `repeat` and `code` both say how often, they must
agree. Source: hl7.org/fhir/R4/datatypes.html#Timing; value sets timing-abbreviation and event-timing.
"""

from __future__ import annotations

from fractions import Fraction

from chartseal.adherence.fhir.estimates import NotEstimatedError
from chartseal.adherence.fhir.members import Json, member, members, number, text, texts

GTS = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"

_A_DAY = {
    "AM": Fraction(1),
    "BED": Fraction(1),
    "BID": Fraction(2),
    "PM": Fraction(1),
    "Q1H": Fraction(24),
    "Q2H": Fraction(12),
    "Q3H": Fraction(8),
    "Q4H": Fraction(6),
    "Q6H": Fraction(4),
    "Q8H": Fraction(3),
    "QD": Fraction(1),
    "QID": Fraction(4),
    "QOD": Fraction(1, 2),
    "TID": Fraction(3),
    "WK": Fraction(1, 7),
}
"""Times a day of a code. MO is left out: a month has no fixed days."""

_DAYS = {
    "s": Fraction(1, 86_400),
    "min": Fraction(1, 1_440),
    "h": Fraction(1, 24),
    "d": Fraction(1),
    "wk": Fraction(7),
}
"""Days of a unit of `period`, those that have fixed ones."""

_MEALS = frozenset({"AC", "C", "PC"})
"""Before, at, after each meal: three times a day."""
_ONCE = frozenset(
    {"ACD", "ACM", "ACV", "AFT", "AFT.early", "AFT.late", "CD", "CM", "CV", "EVE", "EVE.early", "EVE.late", "HS"}
    | {"MORN", "MORN.early", "MORN.late", "NIGHT", "NOON", "PCD", "PCM", "PCV", "PHS", "WAKE"}
)
_WEEK = frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"})


def times_a_day(timing: Json) -> Fraction:
    """Times a day, exactly.

    Raises:
        NotEstimatedError: `timing_missing`, `timing_event` (single moments), `timing_range` (frequencyMax, periodMax),
            `timing_period` (months, years), `timing_unknown` (a code that is none of R4's), `timing_contradicts`.
    """
    if timing.get("event"):
        raise NotEstimatedError("timing_event")
    found = [each for each in (_of_repeat(member(timing, "repeat")), _of_code(member(timing, "code"))) if each]
    if not found:
        raise NotEstimatedError("timing_missing")
    if len(set(found)) > 1:
        raise NotEstimatedError("timing_contradicts")
    return found[0]


def _of_code(concept: Json) -> Fraction | None:
    known = {text(coding, "code") for coding in members(concept, "coding") if text(coding, "system") == GTS}
    rates = {_A_DAY.get(code) for code in known}
    if not rates:
        return None
    if None in rates:
        raise NotEstimatedError("timing_unknown")
    if len(rates) > 1:
        raise NotEstimatedError("timing_contradicts")
    return rates.pop()


def _of_repeat(repeat: Json) -> Fraction | None:
    if "frequencyMax" in repeat or "periodMax" in repeat:
        raise NotEstimatedError("timing_range")
    moments, weekdays = _moments(repeat), _weekdays(repeat)
    if "period" not in repeat:
        if "frequency" in repeat or not (moments or weekdays):
            return None  # a number of times, but in which time is not said
        return Fraction(moments or 1) * Fraction(weekdays or 7, 7)
    return _of_period(repeat, moments, weekdays)


def _of_period(repeat: Json, moments: int, weekdays: int) -> Fraction:
    """`frequency` times in `period`, on the weekdays listed, at the moments listed: these must agree."""
    unit = _DAYS.get(text(repeat, "periodUnit"))
    period = number(repeat, "period")
    if unit is None or period is None or period <= 0:
        raise NotEstimatedError("timing_period")
    length = period * unit
    frequency = number(repeat, "frequency") if "frequency" in repeat else _usual(moments, weekdays, length)
    if frequency is None or frequency <= 0 or not _agree(frequency, length, moments, weekdays):
        raise NotEstimatedError("timing_contradicts")
    return frequency * Fraction(weekdays, 7) if weekdays and length == 1 else frequency / length


def _usual(moments: int, weekdays: int, length: Fraction) -> Fraction:
    """Times in a period where none are stated: once (R4), or as often as moments and weekdays say."""
    return Fraction((moments or 1) * (weekdays if weekdays and length == 7 else 1))


def _agree(frequency: Fraction, length: Fraction, moments: int, weekdays: int) -> bool:
    """Whether so many times in a period can be at those moments, on those weekdays.

    Once a week on Monday, Wednesday and Friday, or once a day at breakfast and supper, say two things.
    """
    if weekdays:
        days = {Fraction(1): 1, Fraction(7): weekdays}.get(length, 0)
        return days > 0 and (frequency == moments * days if moments else frequency % days == 0)
    if not moments or length == 1:
        return not moments or frequency == moments
    return length > 1 and frequency % moments == 0 and frequency <= moments * length


def _moments(repeat: Json) -> int:
    """How many moments of a day `when` and `timeOfDay` name."""
    when, clock = set(texts(repeat, "when")), set(texts(repeat, "timeOfDay"))
    if when and clock:
        raise NotEstimatedError("timing_contradicts")
    if when - _MEALS - _ONCE:
        raise NotEstimatedError("timing_unknown")
    return len(clock) + sum(3 if each in _MEALS else 1 for each in when)


def _weekdays(repeat: Json) -> int:
    listed = set(texts(repeat, "dayOfWeek"))
    if listed - _WEEK:
        raise NotEstimatedError("timing_unknown")
    return len(listed)
