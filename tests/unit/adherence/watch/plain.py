"""Watching written again, day by day, without cleverness: what is active on one day."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from chartseal.adherence.watch import WatchPolicy

Row = dict[str, Any]
ONE = timedelta(days=1)


class Plain:
    """One patient, one class: walks from the first fill to the day, a day at a time."""

    def __init__(self, rows: list[Row], policy: WatchPolicy, as_of: date) -> None:
        past = [row for row in rows if row["date"] <= as_of]
        self.fills = [row for row in past if row.get("kind", "supply") == "supply"]
        self.stays = [row for row in past if row.get("kind") in ("stay", "snf")]
        self.policy, self.as_of = policy, as_of

    def is_home(self, day: date) -> bool:
        return not any(stay["date"] <= day and (stay["end"] is None or day < stay["end"]) for stay in self.stays)

    def walk(self, fills: list[Row], until: date) -> list[tuple[date, bool]]:
        """Home days from the first fill until before a day, and whether each was covered; `self.stock` is left over."""
        self.stock: dict[str, int] = {}
        self.days_missing = 0
        self.walked: list[tuple[date, bool]] = []
        day = min(fill["date"] for fill in fills)
        while day <= until:
            for fill in (each for each in fills if each["date"] == day):
                name = fill.get("ingredient", "")
                self.stock[name] = self.stock.get(name, 0) + max(1, int(fill["days_supply"]))
                if self.days_missing > self.policy.permissible_gap_days:
                    self.walked = []  # a new spell
                self.days_missing = 0
            if day < until and self.is_home(day):
                covered = any(self.stock.values())
                self.stock = {name: max(0, left - 1) for name, left in self.stock.items()}
                self.days_missing = 0 if covered else self.days_missing + 1
                self.walked.append((day, covered))
            day += ONE
        return self.walked

    def active(self) -> dict[str, str]:
        """Kinds that are active, and their severity where it varies."""
        if not self.fills:
            return {}
        days = [covered for _, covered in self.walk(self.fills, self.as_of)]
        found = {}
        if any(left > self.policy.stock_days for left in self.stock.values()):
            found["stock_high"] = ""
        is_stopped = self.days_missing > self.policy.permissible_gap_days
        if is_stopped:
            found["discontinuation"] = ""
        elif self.days_missing >= self.policy.late_refill_days:
            found["late_refill"] = ""
        length = self.policy.sliding_days
        if not is_stopped and len(days) >= length:
            pdc = Fraction(sum(days[-length:]), length)
            if pdc < self.policy.threshold:
                found["pdc_low"] = ""
            if len(days) >= 2 * length:
                before = Fraction(sum(days[-2 * length : -length]), length)
                if before - pdc >= self.policy.drop:
                    found["pdc_drop"] = ""
        left = self.gap_days_left()
        if left is not None and left < self.policy.gap_days_left:
            found["gap_days_low"] = "high" if left < 0 else "moderate"
        return found

    def gap_days_left(self) -> int | None:
        """None where PQA measures nothing, or no day was missed."""
        fills = [fill for fill in self.fills if fill["date"].year == self.as_of.year]
        end = date(self.as_of.year + 1, 1, 1)
        if len({fill["date"] for fill in fills}) < 2 or (end - fills[0]["date"]).days < 91:
            return None
        first = min(fill["date"] for fill in fills)
        period = [day for at in range((end - first).days) if self.is_home(day := first + at * ONE)]
        allowed = max(
            n for n in range(len(period) + 1) if Fraction(len(period) - n, len(period)) >= self.policy.threshold
        )
        whole = Plain(fills + self.stays, WatchPolicy(permissible_gap_days=3_660), self.as_of)  # not cut into spells
        missed = sum(not covered for _, covered in whole.walk(fills, self.as_of))
        return allowed - missed if missed else None
