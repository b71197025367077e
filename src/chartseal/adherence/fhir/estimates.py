"""What cannot be estimated, and what does not count: each for a reason with a stable code."""

from __future__ import annotations


class NotEstimatedError(Exception):
    """A resource does not say how long its supply lasts. Stays within reading: it becomes a row's `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotCountedError(Exception):
    """A resource is no event of supply. Stays within reading: it becomes a count of `dropped`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
