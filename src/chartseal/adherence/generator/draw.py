"""Draws that are the same on every machine and in every version of Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A stream of draws for one name. It uses `random()` alone, the one method whose sequence Python promises to keep.

    Source: docs.python.org/3/library/random.html, notes on reproducibility.
    """

    def __init__(self, *names: object) -> None:
        self._random = random.Random(":".join(map(str, names)))  # noqa: S311 (made-up patients, no secret)

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, among: Sequence[T]) -> T:
        """One of `among`."""
        return among[self.between(0, len(among) - 1)]

    def chance(self, share: float) -> bool:
        """True in `share` of draws."""
        return self._random.random() < share
