"""Periods: what is due now, and how often a batch is worth a transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)
_GAP = timedelta(hours=1)


@dataclass(frozen=True)
class Due:
    """What is due at `now` (aware): what lies in a period that has ended; without a period, all that has begun."""

    now: datetime
    period: timedelta | None = DAY

    @property
    def seconds(self) -> int:
        """`now` in Unix seconds."""
        if self.now.tzinfo is None:
            raise ValueError("now must be aware")
        return int(self.now.timestamp())

    @property
    def before(self) -> int:
        """Times under this are due, in Unix seconds. None lies ahead: no anchor may be older than its seal."""
        if self.period is None:
            return self.seconds + 1
        length = int(self.period.total_seconds())
        return self.seconds // length * length

    def may_follow(self, closed_at: int) -> bool:
        """Whether a batch may be closed after one of that time (Unix seconds).

        Not twice within an hour, or the period if it is shorter: else each late seal would pay for a transaction. A
        time that lies ahead is that of a clock that went wrong, and holds nothing up.
        """
        if self.period is None:
            return True
        gap = int(min(self.period, _GAP).total_seconds())
        return closed_at // gap < self.seconds // gap or closed_at > self.seconds + gap
