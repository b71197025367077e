"""The watch: events in as they arrive, alerts out as they change; one new event is work for one patient."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.watch.alert import Alert, Situation, alert_of
from chartseal.adherence.watch.event import Event, events_of
from chartseal.adherence.watch.policy import WatchPolicy
from chartseal.adherence.watch.situations import situations
from chartseal.adherence.watch.store import Store
from chartseal.adherence.watch.supply import NEVER, HomeDays
from chartseal.errors import AdherenceError

_NO_FLOOR = 1


class Watch:
    """Alerts of many patients, kept in a file (or in memory, `path` None).

    The watch has a day, which only `tick` moves; what is dated later waits until then. Alerts are a function of the
    events and the day: the order of arrival, repeats and restarts do not matter.
    """

    def __init__(self, path: Path | None = None, policy: WatchPolicy | None = None, *, durable: bool = False) -> None:
        """Open the state, or begin it. With another policy than last time, the next `tick` looks at everybody.

        A process that ends at any moment loses nothing that `add` returned from. So that a power cut does not either,
        `durable` waits for the disk each time, which takes milliseconds.

        Raises:
            AdherenceError: `state_unusable`, `state_busy`.
        """
        self.policy = policy or WatchPolicy()
        self._policy_text = json.dumps(self.policy.to_json(), sort_keys=True)
        self.store = Store(path, durable=durable)
        with self.store.writing():
            if self.store.state().get("policy") != self._policy_text:
                self.store.set_state("policy", self._policy_text)
                self.store.set_all_due()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the state."""
        self.store.close()

    @property
    def as_of(self) -> date | None:
        """The day that it is for this watch; None before the first `tick`."""
        found = self.store.state().get("as_of")
        return None if found is None else date.fromordinal(int(found))

    def add(
        self,
        events: EventTable | Iterable[Mapping[str, Any]],
        *,
        columns: Columns | None = None,
        replace: bool = False,
    ) -> list[Alert]:
        """Take in events, a table or rows of one, each with a reference in `event`; the alerts that changed by them.

        An event that is known changes nothing. One with a known reference and other content is refused and counted
        (`event_conflict`), unless `replace` says that it is a correction. All in one transaction.

        Raises:
            AdherenceError: `as_of_unknown` before the first `tick`; `policy_changed`: another process has opened the
            state with another policy; `column_missing`, `table_unreadable`, `state_busy`, `state_unusable`.
        """
        refused: Counter[str] = Counter()
        with self.store.writing():
            as_of = self._day()
            touched: dict[int, str] = {}
            for event in events_of(events, columns, refused):
                patient, reason = self.store.add(event, replace=replace)
                if patient is not None:
                    touched[patient] = event.patient
                if reason is not None:
                    refused[reason] += 1
            if refused:
                self.store.count_refused(refused)
            return [alert for each in touched.items() for alert in self._refresh(*each, as_of)]

    def set_events(self, patient: str, rows: Iterable[Mapping[str, Any]]) -> list[Alert]:
        """Let these rows be all events of a patient; the alerts that changed. What cannot be watched is left out.

        Raises:
            AdherenceError: as `add`.
        """
        with self.store.writing():
            as_of, number = self._day(), self.store.number(patient)
            self.store.clear(number)
            for event in events_of(rows, None, Counter()):
                self.store.add(event, replace=False)
            return list(self._refresh(number, patient, as_of))

    def tick(self, as_of: date) -> list[Alert]:
        """Let the day be `as_of`; the alerts that changed by it. Work for the patients who are due.

        Raises:
            AdherenceError: `as_of_backwards`: the watch is further on; else as `add`.
        """
        day = as_of.toordinal()
        with self.store.writing():
            known = self._state().get("as_of")
            if known is not None and day < int(known):
                raise AdherenceError("the watch is at a later day", "as_of_backwards", "as_of")
            self.store.set_state("as_of", str(day))
            return [alert for each in self.store.due(day) for alert in self._refresh(*each, day)]

    def alerts(self, *, status: str | None = None) -> list[Alert]:
        """All alerts, by patient, of one status or any; what is over for longer than `keep_days` is left out."""
        with self.store.writing():
            as_of = self._day()
            found = [_alert(*row, as_of) for row in self.store.all_alerts(untold=False)]
        floor = self._floor(as_of)
        wanted = [each for each in found if each.status != "withdrawn" or status == "withdrawn"]
        kept = [each for each in wanted if each.until is None or each.until.toordinal() >= floor]
        return [each for each in kept if status in (None, each.status)]

    def pending(self) -> list[Alert]:
        """Alerts that have changed since they were last acknowledged: what a crash kept from being told is here."""
        with self.store.writing():
            as_of = self._day()
            return [_alert(*row, as_of) for row in self.store.all_alerts(untold=True)]

    def acknowledge(self, alerts: Iterable[Alert]) -> None:
        """Say that alerts were told on; one that has changed meanwhile stays pending."""
        with self.store.writing():
            for alert in alerts:
                self.store.set_told(alert.patient, alert.id, alert.status, _content(alert))

    def refused(self) -> dict[str, int]:
        """How many rows were refused so far, by the code of the reason."""
        return self.store.refused()

    def forget(self, patient: str) -> None:
        """Delete a patient's events and alerts."""
        with self.store.writing():
            number = self.store.patient(patient)
            if number is not None:
                self.store.forget(number)

    def _state(self) -> dict[str, str]:
        state = self.store.state()
        if state.get("policy") != self._policy_text:
            raise AdherenceError("the state was opened with another policy meanwhile", "policy_changed")
        return state

    def _day(self) -> int:
        state = self._state()
        if "as_of" not in state:
            raise AdherenceError("the watch has no day yet: tick first", "as_of_unknown", "as_of")
        return int(state["as_of"])

    def _floor(self, as_of: int) -> int:
        return max(_NO_FLOOR, as_of - self.policy.keep_days)

    def _refresh(self, patient: int, name: str, as_of: int) -> Iterator[Alert]:
        """Work out one patient anew, keep what changed, and say it."""
        events = self.store.events(patient, name)
        past = [event for event in events if event.day <= as_of]
        found, home = situations(past, self.policy, self._floor(as_of))
        now = _alerts(name, found, home, as_of)
        before = self.store.alerts(patient)
        if any(each not in now and status in ("active", "paused") for each, (status, _) in before.items()):
            whole, _ = situations(past, self.policy, _NO_FLOOR)  # over for long, or never was?
            now = {key: value for key, value in _alerts(name, whole, home, as_of).items() if key in before} | now
        for key, alert in now.items():
            content = _content(alert)
            if before.get(key) != (alert.status, content):
                self.store.put_alert(patient, key, alert.status, content)
                yield alert
        yield from self._gone(patient, name, before, now, as_of)
        self.store.set_due(patient, _due(events, found, home, as_of))

    def _gone(
        self, patient: int, name: str, before: Mapping[str, tuple[str, str]], now: Mapping[str, Alert], as_of: int
    ) -> Iterator[Alert]:
        """Alerts that were there and are not: forgotten where they were over for long, else withdrawn."""
        for key in before.keys() - now.keys():
            status, content = before[key]
            old = _alert(name, key, status, content, as_of)
            if old.until is not None and old.until.toordinal() < self._floor(as_of):
                self.store.drop_alert(patient, key)
            elif status != "withdrawn":
                self.store.put_alert(patient, key, "withdrawn", content)
                yield _alert(name, key, "withdrawn", content, as_of)


def alerts_of(
    events: EventTable | Iterable[Mapping[str, Any]],
    as_of: date,
    policy: WatchPolicy | None = None,
    *,
    columns: Columns | None = None,
) -> list[Alert]:
    """The alerts of a table of events as of a day, in one go and without a file: what a watch has after all of them.

    Raises:
        AdherenceError: `column_missing`, `table_unreadable`.
    """
    with Watch(None, policy) as watch:
        watch.tick(as_of)
        watch.add(events, columns=columns)
        return watch.alerts()


def _alerts(name: str, found: Iterable[Situation], home: HomeDays, as_of: int) -> dict[str, Alert]:
    is_stay = home.is_stay(as_of)
    alerts = (alert_of(name, each, as_of, is_stay=is_stay) for each in found if each.raised <= as_of)
    return {alert.id: alert for alert in alerts}


def _due(events: Iterable[Event], found: Iterable[Situation], home: HomeDays, as_of: int) -> int | None:
    """The next day on which anything changes by itself, if there is one."""
    days = [event.day for event in events if event.day > as_of]
    for situation in found:
        days += (situation.raised, situation.until, situation.escalates)
    for stay in home.stays:
        days += stay
    return min((day for day in days if as_of < day < NEVER), default=None)


def _content(alert: Alert) -> str:
    """An alert without patient, id, status and day: what is kept of it."""
    until = None if alert.until is None else alert.until.toordinal()
    return json.dumps(
        [
            alert.kind,
            alert.medication_class,
            alert.since.toordinal(),
            alert.raised.toordinal(),
            until,
            alert.outcome,
            alert.severity,
            alert.evidence,
        ]
    )


def _alert(patient: str, alert_id: str, status: Any, content: str, as_of: int) -> Alert:
    kind, medication_class, since, raised, until, outcome, severity, evidence = json.loads(content)
    return Alert(
        alert_id,
        kind,
        patient,
        medication_class,
        date.fromordinal(since),
        date.fromordinal(raised),
        None if until is None else date.fromordinal(until),
        outcome,
        severity,
        tuple(evidence),
        status,
        date.fromordinal(as_of),
    )
