"""A card as digits for a QR code, and back: `shc:/` and two digits for each character.

Source: spec.smarthealth.cards, "Health Cards as QR Codes". Cards in several codes are read, and never made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chartseal.errors import HealthCardError

SCHEME = "shc:/"
LONGEST_IN_A_CODE = 1_195
"""Characters of a signed card that one QR code (version 22, level L) holds."""
MOST_CHUNKS = 32
_OFFSET = ord("-")
_SMALLEST, _LARGEST = "-", "z"
_CHUNK = re.compile(r"shc:/(?:([1-9][0-9]?)/([1-9][0-9]?)/)?((?:[0-9]{2})+)", re.ASCII)


def to_numeric(jws: str) -> str:
    """`shc:/` and digits.

    Raises:
        HealthCardError: `card_too_large`: it does not fit one QR code.
    """
    if len(jws) > LONGEST_IN_A_CODE:
        detail = f"a card of {len(jws)} characters does not fit one QR code, which holds {LONGEST_IN_A_CODE}"
        raise HealthCardError(detail, "card_too_large")
    return SCHEME + "".join(f"{ord(character) - _OFFSET:02}" for character in jws)


def from_numeric(codes: Sequence[str]) -> str:
    """The signed card of its QR codes' texts, in whatever order they were scanned.

    Raises:
        HealthCardError: `card_malformed`; `card_incomplete`: codes are missing; `limit_exceeded`.
    """
    if len(codes) > MOST_CHUNKS or any(len(code) > 2 * LONGEST_IN_A_CODE + 16 for code in codes):
        raise HealthCardError("a card is longer than its codes may be", "limit_exceeded")
    parts: dict[int, str] = {}
    counts: set[int] = set()
    for code in codes:
        found = _CHUNK.fullmatch(code.strip())
        if found is None:
            raise HealthCardError("expected shc:/ and pairs of digits", "card_malformed")
        at, count = int(found[1] or 1), int(found[2] or 1)
        if at > count or parts.setdefault(at, found[3]) != found[3]:
            raise HealthCardError("the codes are not those of one card", "card_malformed")
        counts.add(count)
    if len(counts) != 1:
        raise HealthCardError("the codes are not those of one card", "card_malformed")
    if len(parts) != counts.pop():
        raise HealthCardError("a card's other QR codes are missing", "card_incomplete")
    digits = "".join(parts[at] for at in sorted(parts))
    text = "".join(chr(int(digits[at : at + 2]) + _OFFSET) for at in range(0, len(digits), 2))
    if any(not _SMALLEST <= character <= _LARGEST for character in text):
        raise HealthCardError("the digits stand for no signed card", "card_malformed")
    return text
