"""Streams of events: any order, repeats, reversals, days that pass, restarts, kills, two processes."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.adherence import Columns
from chartseal.adherence.watch import Alert, Watch, WatchPolicy, alerts_of
from chartseal.adherence.watch import store as store_module
from chartseal.errors import AdherenceError

Row = dict[str, Any]
BEGIN = date(2031, 1, 1)
POLICY = WatchPolicy(late_refill_days=3, permissible_gap_days=12, stock_days=60, sliding_days=20, keep_days=60)


def day(number: int) -> date:
    return BEGIN + timedelta(days=number)


def supply(number: int, on: int, days: float | None = 30.0, **members: Any) -> Row:
    return {"patient": "p", "event": f"d/{number}", "date": day(on), "days_supply": days, "class": "c", **members}


def kinds(alerts: list[Alert], status: str = "active") -> list[str]:
    return sorted(each.kind for each in alerts if each.status == status)


@contextmanager
def refusal(code: str) -> Iterator[None]:
    with pytest.raises(AdherenceError) as caught:
        yield
    assert caught.value.code == code


row = st.one_of(
    st.builds(
        supply,
        st.integers(0, 12),
        st.integers(0, 200),
        st.sampled_from([None, 0.0, 5.0, 14.0, 30.0]),
        ingredient=st.sampled_from(["a", "b"]),
        daily_dose=st.sampled_from([None, 10.0, 20.0]),
        patient=st.sampled_from(["p", "q"]),
    ),
    st.builds(
        lambda number, on, length, kind, patient: {
            "patient": patient,
            "event": f"{kind}/{number}",
            "kind": kind,
            "date": day(on),
            "end": None if length is None else day(on + length),
            "class": "c",
        },
        st.integers(0, 3),
        st.integers(0, 200),
        st.one_of(st.none(), st.integers(1, 40)),
        st.sampled_from(["stay", "snf", "prescribed", "not_dispensed", "died"]),
        st.sampled_from(["p", "q"]),
    ),
    st.builds(
        lambda number, patient: {"patient": patient, "event": f"d/{number}", "kind": "reversal"},
        st.integers(0, 12),
        st.sampled_from(["p", "q"]),
    ),
)
rows_once = st.lists(
    row, max_size=20, unique_by=lambda each: (each["patient"], each["event"], each.get("kind"), each.get("ingredient"))
)


@settings(max_examples=150, deadline=None)
@given(rows_once, st.randoms(use_true_random=False), st.integers(0, 330))
def test_any_order_repeats_and_ticks_give_the_same_alerts(rows: list[Row], chance: random.Random, last: int) -> None:
    whole = alerts_of(rows, day(last), POLICY)
    stream = rows + chance.sample(rows, len(rows) // 2)
    chance.shuffle(stream)
    told: dict[tuple[str, str], Alert] = {}
    with Watch(None, POLICY) as watch:
        now = 0
        changed = watch.tick(day(0))
        for each in stream:
            changed += watch.add([each])
            now = chance.randint(now, last)
            changed += watch.tick(day(now))
        changed += watch.tick(day(last))
        final = watch.alerts()
        assert watch.add(rows) == []
        assert watch.alerts() == final
    assert final == whole
    for alert in changed:  # what was told on the way adds up to what is
        told[alert.patient, alert.id] = alert
    for alert in whole:
        assert (told[alert.patient, alert.id].status, told[alert.patient, alert.id].until) == (
            alert.status,
            alert.until,
        )
    left = {key for key, alert in told.items() if alert.status in ("active", "paused")}
    assert left == {(each.patient, each.id) for each in whole if each.status in ("active", "paused")}


def test_a_late_refill_is_raised_filled_and_keeps_its_id() -> None:
    with Watch(None) as watch:
        watch.tick(day(0))
        assert watch.add([supply(1, 0)]) == []
        assert watch.tick(day(36)) == []
        (late,) = watch.tick(day(37))
        assert (late.kind, late.status, late.since, late.raised) == ("late_refill", "active", day(30), day(37))
        assert (late.medication_class, late.evidence, late.phase) == ("c", ("d/1",), "implementation")
        watch.tick(day(40))
        (filled,) = watch.add([supply(2, 40)])
        assert (filled.id, filled.status, filled.until, filled.outcome) == (late.id, "resolved", day(40), "filled")
        assert filled.evidence == ("d/1", "d/2")


def test_a_reversed_fill_opens_the_alert_again() -> None:
    with Watch(None) as watch:
        watch.tick(day(40))
        (late,) = watch.add([supply(1, 0)])
        watch.add([supply(2, 40)])
        (again,) = watch.add([{"patient": "p", "event": "d/2", "kind": "reversal"}])
        assert again == late
        assert watch.add([supply(2, 40)]) == []


def test_an_early_alert_is_withdrawn_when_the_fill_turns_up_late() -> None:
    with Watch(None) as watch:
        watch.tick(day(40))
        (late,) = watch.add([supply(1, 0)])
        (gone,) = watch.add([supply(2, 25)])
        assert (gone.id, gone.status) == (late.id, "withdrawn")
        assert watch.alerts() == []
        assert watch.pending() == [gone]
        watch.acknowledge([gone])
        assert watch.pending() == []


def test_a_stay_moves_the_end_of_supply_and_pauses_what_is_told() -> None:
    stay = {"patient": "p", "event": "e/1", "kind": "stay", "date": day(20), "end": day(30)}
    open_stay = {"patient": "p", "event": "e/2", "kind": "stay", "date": day(50), "end": None}
    with Watch(None) as watch:
        watch.tick(day(45))
        assert watch.add([supply(1, 0), stay]) == []
        assert kinds(watch.tick(day(47))) == ["late_refill"]
        watch.tick(day(50))
        assert kinds(watch.add([open_stay]), "paused") == ["late_refill"]
        assert watch.tick(day(300)) == []
        assert kinds(watch.add([{**open_stay, "end": day(299)}])) == ["late_refill"]


def test_a_prescription_that_is_never_filled() -> None:
    prescribed = {"patient": "p", "event": "r/1", "kind": "prescribed", "date": day(0), "class": "c"}
    refused = {"patient": "p", "event": "d/9", "kind": "not_dispensed", "date": day(5), "class": "c"}
    other = {**supply(3, 1), "class": "other"}
    with Watch(None) as watch:
        watch.tick(day(29))
        assert watch.add([prescribed, refused, other]) == []
        (alert,) = watch.tick(day(30))
        assert (alert.kind, alert.evidence, alert.phase) == ("primary_nonadherence", ("r/1", "d/9"), "initiation")
        watch.tick(day(33))
        (filled,) = watch.add([supply(1, 33)])
        assert (filled.id, filled.status, filled.outcome) == (alert.id, "resolved", "filled")
        watch.tick(day(34))
        assert watch.add([{**prescribed, "event": "r/2", "date": day(34)}]) == []  # a renewal is not new use


def test_discontinuation_and_restart() -> None:
    with Watch(None) as watch:
        watch.tick(day(91))
        stopped = watch.add([supply(1, 0)])
        assert kinds(stopped) == ["discontinuation"]
        over = [(each.kind, each.outcome) for each in stopped if each.status == "resolved"]
        assert over == [("late_refill", "discontinued"), ("pdc_low", "discontinued")]
        watch.tick(day(120))
        changed = watch.add([supply(2, 120)])
        assert (kinds(changed), kinds(changed, "resolved")) == (["gap_days_low", "restart"], ["discontinuation"])
        assert [each.status for each in watch.tick(day(150)) if each.kind == "restart"] == ["resolved"]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"daily_dose": 40.0, "ingredient": "a", "class": "c"}, ["dose_change"]),
        ({"daily_dose": 20.0, "ingredient": "a", "class": "c"}, []),
        ({"daily_dose": None, "ingredient": "a", "class": "c"}, []),
        ({"daily_dose": 20.0, "ingredient": "b", "class": "c"}, ["ingredient_switch"]),
        ({"daily_dose": 20.0, "ingredient": "b", "class": "d"}, ["class_switch"]),
    ],
)
def test_changes_of_what_is_taken(second: Row, expected: list[str]) -> None:
    first = supply(1, 0, ingredient="a", daily_dose=20.0, group="g")
    found = alerts_of([first, supply(2, 30, **{"group": "g", **second})], day(35))
    assert kinds(found) == expected
    assert all(each.evidence == ("d/1", "d/2") and each.medication_class == "g" for each in found)


def test_an_addition_is_no_switch() -> None:
    rows = [supply(1, 0, ingredient="a"), supply(2, 20, ingredient="b"), supply(3, 30, ingredient="a")]
    assert kinds(alerts_of(rows[:2], day(29))) == ["ingredient_switch"]
    assert kinds(alerts_of(rows, day(30))) == []


def test_more_than_was_meant() -> None:
    early = [supply(at, at * 20) for at in range(6)]
    meant = [supply(at, at * 28) for at in range(6)]
    assert kinds(alerts_of(early, day(100))) == ["overuse"]
    assert kinds(alerts_of(meant, day(140))) == []
    assert kinds(alerts_of(early[:4], day(60))) == []  # not over half a window yet
    high = alerts_of([supply(1, 0, 90.0), supply(2, 1, 90.0), supply(3, 2, 90.0)], day(2))
    assert [(each.kind, each.since) for each in high] == [("stock_high", day(2))]
    assert kinds(alerts_of([supply(1, 0, 90.0), supply(2, 0, 90.0)], day(0))) == []


@pytest.mark.parametrize("days", [None, 0.0, -1.0, float("nan"), 3_661.0])
def test_unknown_days_are_not_guessed(days: float | None) -> None:
    rows = [supply(1, 0), supply(2, 20, days)]
    (alert,) = alerts_of(rows, day(300))
    assert (alert.kind, alert.since, alert.status) == ("supply_unknown", day(20), "active")
    known = alerts_of([*rows, supply(3, 100)], day(140))
    assert (kinds(known), kinds(known, "resolved")) == (["late_refill"], ["supply_unknown"])


def test_no_window_reaches_over_unknown_days() -> None:
    policy = WatchPolicy(sliding_days=60, kinds=frozenset({"pdc_low", "supply_unknown"}))
    later = [supply(2, 60, 5.0), supply(3, 75, 5.0), supply(4, 90, 60.0)]
    known = alerts_of([supply(1, 0), *later], day(121), policy)
    assert [(each.kind, each.since) for each in known] == [("pdc_low", day(60))]
    both = [supply(1, 0, ingredient="a"), supply(9, 0, None, ingredient="b"), *later]
    found = alerts_of(both, day(121), policy)
    assert sorted((each.kind, each.since) for each in found) == [("pdc_low", day(120)), ("supply_unknown", day(0))]


@settings(max_examples=150, deadline=None)
@given(rows_once, st.integers(0, 330))
def test_what_is_over_for_long_leaves_the_rest_as_it_is(rows: list[Row], last: int) -> None:
    """Only what lapses depends on how long things are kept."""
    lapsing = {"discontinuation", "primary_nonadherence", "supply_unknown"}
    short, long = (
        alerts_of(rows, day(last), WatchPolicy(3, 12, stock_days=40, sliding_days=20, keep_days=keep))
        for keep in (15, 3_660)
    )
    floor = day(last - 15)
    kept = [each for each in long if each.kind not in lapsing and (each.until is None or each.until >= floor)]
    assert [each for each in short if each.kind not in lapsing] == kept


def test_death_ends_what_is_open() -> None:
    died = {"patient": "p", "event": "Patient/p", "kind": "died", "date": day(50)}
    found = alerts_of([supply(1, 0), died], day(416))
    assert found == []
    (late,) = alerts_of([supply(1, 0), died], day(60))
    assert (late.kind, late.until, late.outcome) == ("late_refill", day(50), "died")


def test_rows_that_cannot_be_watched_are_counted() -> None:
    rows = [
        supply(1, 0),
        {**supply(1, 0), "days_supply": 60.0},
        {**supply(2, 0), "patient": None},
        {**supply(2, 0), "event": ""},
        {**supply(2, 0), "date": None},
        {**supply(2, 0), "date": date(1899, 12, 31)},
        {**supply(2, 0), "date": "soon"},
        {**supply(2, 0), "class": "c" * 257},
        {**supply(2, 0), "event": "d/\ud800"},
        {**supply(2, 0), "kind": "enrolled"},
        {**supply(2, 0), "kind": "stay", "end": day(0)},
    ]
    with Watch(None) as watch:
        watch.tick(day(0))
        watch.add(rows)
        assert watch.refused() == {
            "date_invalid": 2,
            "date_unknown": 1,
            "end_invalid": 1,
            "event_conflict": 1,
            "event_unknown": 1,
            "kind_unwatched": 1,
            "patient_unknown": 1,
            "text_invalid": 2,
        }
        watch.tick(day(37))
        assert kinds(watch.alerts()) == ["late_refill"]
        watch.add([{**supply(1, 0), "days_supply": 60.0}], replace=True)
        assert watch.alerts() == []


def test_a_patient_has_a_bounded_number_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MOST_EVENTS", 3)
    with Watch(None) as watch:
        watch.tick(day(0))
        watch.add([supply(at, at) for at in range(5)] + [supply(0, 0, patient="q")])
        assert watch.refused() == {"patient_full": 2}
        watch.add([supply(1, 1)])
        assert watch.refused() == {"patient_full": 2}


def test_tables_and_other_names() -> None:
    rows = [supply(at, at * 45) for at in range(3)]
    table = pa.Table.from_pylist(rows).rename_columns(["ID", "event", "WHEN", "DAYS", "CLASS"])
    columns = Columns(patient="ID", date="WHEN", days_supply="DAYS", medication_class="CLASS")
    assert alerts_of(table, day(100), columns=columns) == alerts_of(rows, day(100)) != []
    assert alerts_of(table.to_pandas(), day(100), columns=columns) == alerts_of(rows, day(100))
    for wrong, code in ((pa.table({"patient": ["p"]}), "column_missing"), ([1], "table_unreadable")):
        with refusal(code):
            alerts_of(wrong, day(0))


def test_a_watch_needs_a_day_and_goes_forward() -> None:
    with Watch(None) as watch:
        assert watch.as_of is None
        with refusal("as_of_unknown"):
            watch.add([supply(1, 0)])
        watch.tick(day(5))
        with refusal("as_of_backwards"):
            watch.tick(day(4))
        assert watch.as_of == day(5)
        watch.add([supply(1, 6, None)])
        assert watch.alerts() == []
        assert kinds(watch.tick(day(6))) == ["supply_unknown"]  # what is dated later waits for its day


def test_another_policy_looks_at_everybody_anew(tmp_path: Path) -> None:
    path = tmp_path / "watch.db"
    with Watch(path) as watch:
        watch.tick(day(33))
        assert watch.add([supply(1, 0)]) == []
        with Watch(path, WatchPolicy(late_refill_days=3)) as other:
            assert kinds(other.tick(day(33))) == ["late_refill"]
            with refusal("policy_changed"):
                watch.add([supply(2, 0)])


def test_the_state_is_its_owners_and_forgets(tmp_path: Path) -> None:
    path = tmp_path / "watch.db"
    with Watch(path) as watch:
        watch.tick(day(60))
        watch.add([supply(1, 0), supply(1, 0, patient="somebody else")])
        assert path.stat().st_mode & 0o777 == 0o600
        assert {each.patient for each in watch.alerts()} == {"p", "somebody else"}
        watch.forget("somebody else")
        assert {each.patient for each in watch.alerts()} == {"p"}
    assert b"somebody else" not in path.read_bytes()


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    sqlite3.connect(path).execute("CREATE TABLE t (a)").connection.close()
    (tmp_path / "text.db").write_bytes(b"no database" * 100)
    for name in ("other.db", "text.db", "missing/watch.db"):
        with refusal("state_unusable"):
            Watch(tmp_path / name)


def test_two_processes_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "watch.db"
    monkeypatch.setattr(store_module, "_PATIENCE_SECONDS", 0.1)
    with Watch(path) as watch, Watch(path) as other:
        watch.tick(day(40))
        assert kinds(other.add([supply(1, 0)])) == ["late_refill"]
        assert kinds(watch.alerts()) == ["late_refill"]
        with watch.store.writing(), refusal("state_busy"):
            other.add([supply(2, 0)])


WORKER = """
import sys
from datetime import date, timedelta
from pathlib import Path
from chartseal.adherence.watch import Watch
begin = date(2031, 1, 1)
with Watch(Path(sys.argv[1])) as watch:
    for number in range(int(sys.argv[2])):
        if watch.as_of is None or watch.as_of < begin + timedelta(days=number):
            watch.tick(begin + timedelta(days=number))
        row = {"patient": f"p{number % 7}", "event": f"d/{number}", "date": begin + timedelta(days=number)}
        watch.add([{**row, "days_supply": 5.0, "class": "c"}])
        alerts = watch.pending()
        for alert in alerts:
            print(alert.id, alert.status, flush=True)
        watch.acknowledge(alerts)
"""


@pytest.mark.long
def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    """Killed again and again, begun again each time: the same alerts, and each one's last state was told."""
    path, count = tmp_path / "watch.db", 300
    command = [sys.executable, "-c", WORKER, str(path), str(count)]
    told: dict[str, str] = {}
    kills: Counter[bool] = Counter()
    for attempt in range(40):
        ended = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
        if attempt < 6:
            time.sleep(0.2 + 0.08 * attempt)
            ended.send_signal(signal.SIGKILL)
        output, _ = ended.communicate(timeout=120)
        told.update(line.split() for line in output.splitlines() if len(line.split()) == 2)  # type: ignore[misc]
        kills[ended.returncode == -signal.SIGKILL] += 1
        if ended.returncode == 0:
            break
    assert kills[True] >= 3
    rows = [supply(at, at, 5.0, patient=f"p{at % 7}") for at in range(count)]
    with Watch(path) as watch:
        assert watch.alerts() == alerts_of(rows, day(count - 1))
        assert watch.pending() == []
        assert {each.id: each.status for each in watch.alerts()}.items() <= told.items()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"kind": ["supply"]}, "kind_unwatched"),
        ({"kind": {"supply": 1}}, "kind_unwatched"),
        ({"patient": float("nan")}, "patient_unknown"),
        ({"patient": {"id": "p"}}, "patient_unknown"),
        ({"event": ["d/1"]}, "event_unknown"),
    ],
)
def test_a_row_of_odd_values_is_counted_and_ends_nothing(members: Row, reason: str) -> None:
    with Watch(None) as watch:
        watch.tick(day(100))
        found = watch.add([{**supply(1, 0), **members}, supply(2, 0, kind=" Supply")])
        assert found
        assert {each.evidence for each in found} == {("d/2",)}
        assert watch.refused() == {reason: 1}
