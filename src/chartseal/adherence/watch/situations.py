"""Everything that stands out in one patient's events, as a function of those events alone.

Each situation goes as far into the future as it does when no other event comes: what is told on a day, and which day
the patient must be looked at next, are read off the same list. So the order in which events arrive cannot matter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from chartseal.adherence.watch.alert import MOST_EVIDENCE, Situation
from chartseal.adherence.watch.event import STAYS, SUPPLY, Event
from chartseal.adherence.watch.policy import Kind, WatchPolicy
from chartseal.adherence.watch.regimen import changes_of_dose, overstocked, overused, switches
from chartseal.adherence.watch.signs import Spell, falling_stretches, low_stretches, spells, years_left
from chartseal.adherence.watch.supply import NEVER, Fill, Gap, HomeDays, Line, lay_out


@dataclass
class _Group:
    """Events of one class."""

    supplies: list[Event] = field(default_factory=list)
    prescribed: list[Event] = field(default_factory=list)
    refused: list[Event] = field(default_factory=list)


def situations(events: Iterable[Event], policy: WatchPolicy, since: int) -> tuple[list[Situation], HomeDays]:
    """All situations of one patient that are not over before the day `since`, and the patient's days at home.

    Death ends what is open, and nothing is raised from that day on.
    """
    groups: defaultdict[str, _Group] = defaultdict(_Group)
    stays, died = [], NEVER
    for event in events:
        if event.kind == SUPPLY:
            groups[event.group].supplies.append(event)
        elif event.kind in STAYS:
            stays.append((event.day, event.end))
        elif event.kind == "died":
            died = min(died, event.day)
        elif event.kind == "prescribed":
            groups[event.group].prescribed.append(event)
        else:
            groups[event.group].refused.append(event)
    home = HomeDays(stays)
    found = []
    for name, group in groups.items():
        teller = _Teller(name, policy.of(name), home, since, died)
        found += [each for each in teller.tell(group) if each is not None]
    return found, home


class _Teller:
    """The situations of one class."""

    def __init__(self, group: str, policy: WatchPolicy, home: HomeDays, since: int, died: int) -> None:
        self.group = group
        self.policy = policy
        self.home = home
        self.since = since
        self.died = died

    def tell(self, group: _Group) -> Iterator[Situation | None]:
        """One after the other; None for one that is of no interest."""
        line = lay_out(group.supplies, self.home)
        yield from self._unfilled(line, group)
        if line.fills:
            yield from self._unknown(line)
            yield from self._gaps(line, sorted(group.refused, key=lambda each: (each.day, each.event)))
            yield from self._signs(line)
            yield from self._uses(line)

    def _situation(
        self,
        kind: Kind,
        anchor: str,
        since: int,
        raised: int,
        until: int,
        outcome: str,
        evidence: Iterable[Event],
        escalates: int = NEVER,
    ) -> Situation | None:
        """The situation, unless it is over for long, never is, or is not watched."""
        if until > self.died:
            until, outcome = self.died, "died"
        is_empty = raised > until if outcome == "filled" else raised >= until  # filled on the day that it was late
        if is_empty or raised >= NEVER or until < self.since or kind not in self.policy.kinds:
            return None
        named = tuple(dict.fromkeys(each.event for each in evidence))[-MOST_EVIDENCE:]
        severity = self.policy.severity_of(kind)
        return Situation(kind, self.group, anchor, since, raised, until, outcome, severity, named, escalates)

    def _news(self, kind: Kind, event: Event, evidence: Iterable[Event], product: str = "") -> Situation | None:
        """What is told once, for a while."""
        until = event.day + self.policy.notice_days
        return self._situation(kind, event.anchor + product, event.day, event.day, until, "noted", evidence)

    def _open(self, raised: int, closed: int, outcome: str) -> tuple[int, str]:
        """When and how something ends that ends on the day `closed`, or lapses where nobody ends it."""
        lapses = raised + self.policy.keep_days
        return (closed, outcome) if closed <= lapses else (lapses, "lapsed")

    def _unfilled(self, line: Line, group: _Group) -> Iterator[Situation | None]:
        """New prescriptions that were not filled in time; several with no fill between them are one."""
        if not group.prescribed:
            return
        days = [fill.event.day for fill in line.fills]
        orders = sorted(group.prescribed, key=lambda each: (each.day, each.event))
        for at, chain in groupby(orders, key=lambda each: bisect_left(days, each.day)):
            same = list(chain)
            new = [each for each in same if at == 0 or days[at - 1] < each.day - self.policy.new_use_days]
            if not new:
                continue
            filled = line.fills[at].event if at < len(days) else None
            late = self.home.day(self.home.number(new[0].day) + self.policy.first_fill_days)
            until, outcome = self._open(late, filled.day if filled else NEVER, "filled")
            evidence = [*new, *_between(group.refused, new[0].day, until), *([filled] if filled else [])]
            yield self._situation("primary_nonadherence", new[0].anchor, new[0].day, late, until, outcome, evidence)

    def _unknown(self, line: Line) -> Iterator[Situation | None]:
        """From a supply of unknown days to the next known one: the class cannot be watched."""
        if all(fill.is_known for fill in line.fills):
            return
        for is_known, run in groupby(enumerate(line.fills), key=lambda each: each[1].is_known):
            if not is_known:
                places = list(run)
                after, first = places[-1][0] + 1, places[0][1].event
                known = line.fills[after].event.day if after < len(line.fills) else NEVER
                until, outcome = self._open(first.day, known, "supply_known")
                evidence = [fill.event for _, fill in places]
                yield self._situation("supply_unknown", first.anchor, first.day, first.day, until, outcome, evidence)

    def _gaps(self, line: Line, refused: Sequence[Event]) -> Iterator[Situation | None]:
        """Late refills, discontinuations and restarts."""
        for gap in reversed(line.gaps):
            if gap.closed < self.since - self.policy.notice_days:
                return
            if gap.end - gap.start >= self.policy.late_refill_days:
                yield from self._gap(gap, gap.closed, refused)

    def _gap(self, gap: Gap, closed: int, refused: Sequence[Event]) -> Iterator[Situation | None]:
        since = self.home.day(gap.start)
        late = self.home.day(gap.start + self.policy.late_refill_days)
        stopped = self.home.day(gap.start + self.policy.permissible_gap_days + 1)
        last, next_fill = gap.before.event, [gap.after.event] if gap.after else []
        until, outcome = (closed, "filled") if closed < stopped else (stopped, "discontinued")
        evidence = [last, *_between(refused, since, until), *(next_fill if outcome == "filled" else [])]
        yield self._situation("late_refill", last.anchor, since, late, until, outcome, evidence)
        if stopped <= closed:
            until, outcome = self._open(stopped, closed, "filled")
            evidence = [last, *_between(refused, since, until), *(next_fill if outcome == "filled" else [])]
            yield self._situation("discontinuation", last.anchor, since, stopped, until, outcome, evidence)
            for event in next_fill:
                yield self._news("restart", event, [last, event])

    def _signs(self, line: Line) -> Iterator[Situation | None]:
        """Sliding windows and the year's gap days."""
        starts, since = [fill.at for fill in line.fills], self.home.number(self.since)
        for spell in spells(line, self.policy.permissible_gap_days, since):
            yield from self._stretches("pdc_low", line, starts, spell, low_stretches(spell, self.policy, since))
            yield from self._stretches("pdc_drop", line, starts, spell, falling_stretches(spell, self.policy, since))
        for left in years_left(line, self.policy, date.fromordinal(self.since).year):
            raised, lost = self.home.day(left.low), self.home.day(left.lost)
            until = date(left.year + 1, 1, 1).toordinal()
            evidence = [fill.event for fill in left.fills]
            yield self._situation(
                "gap_days_low", str(left.year), raised, raised, until, "period_over", evidence, min(lost, NEVER)
            )

    def _stretches(
        self, kind: Kind, line: Line, starts: Sequence[int], spell: Spell, stretches: Iterable[tuple[int, int]]
    ) -> Iterator[Situation | None]:
        """Stretches of low windows; each rests on the fills of its first windows and up to its start.

        Cover may fall again while no fill comes: the home days since the last fill tell such stretches apart.
        """
        for start, end in stretches:
            begun, after = bisect_left(starts, start - 2 * self.policy.sliding_days), bisect_left(starts, start)
            fills = line.fills[max(0, begun - 1) : after]
            evidence = [fill.event for fill in fills]
            anchor = f"{evidence[-1].anchor}\n{start - fills[-1].at}"
            raised = self.home.day(start)
            outcome = spell.outcome if end == spell.end else "recovered"
            yield self._situation(kind, anchor, raised, raised, self.home.day(end), outcome, evidence)

    def _uses(self, line: Line) -> Iterator[Situation | None]:
        """Too much, and changes of what is taken."""
        floor = self.since - self.policy.notice_days
        policy = self.policy
        for (_, ingredient), fills in sorted(line.products.items()):
            product = f"\n{ingredient}"  # of a combination, each ingredient is a product of its own
            for run in overstocked(fills, policy.stock_days):
                yield self._run("stock_high", fills, run, product)
            for run in overused(fills, policy.overuse_ratio, policy.overuse_window_days):
                yield self._run("overuse", fills, run, product)
            for before, event in changes_of_dose(fills, floor):
                yield self._news("dose_change", event, [before, event], product)
        for kind, before, event in switches(line, self.policy.permissible_gap_days, floor):
            yield self._news(kind, event, [before, event])

    def _run(self, kind: Kind, fills: Sequence[Fill], run: tuple[int, int, int], product: str) -> Situation | None:
        """A run of fills, from the one that began it to the last one, until a home day."""
        first, last, end = run
        until = self.home.day(end)
        if until < self.since:
            return None
        event = fills[first].event
        evidence = [fill.event for fill in fills[max(0, first - 3) : last + 1]]  # stock comes from fills before
        return self._situation(kind, event.anchor + product, event.day, event.day, until, "used_up", evidence)


def _between(events: Iterable[Event], start: int, end: int) -> list[Event]:
    return [event for event in events if start <= event.day < end]
