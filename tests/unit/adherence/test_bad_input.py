"""What a cohort may hold without ending: each bad row is its own patient's, each bad table a typed error."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from chartseal.adherence import Column, Columns, Span, Window, grouped, mpr
from chartseal.adherence.database import connect
from chartseal.adherence.kernel import measure
from chartseal.adherence.tables import Limits
from chartseal.errors import AdherenceError

DAY = date(2031, 1, 1)
WINDOW = Window(observation_length=Span(100))


def table(**columns: Any) -> pa.Table:
    """Two patients with one supply of 30 days each, unless told otherwise."""
    return pa.table({"patient": ["a", "b"], "date": [DAY, DAY], "days_supply": [30.0, 30.0], **columns})


def rows(events: Any, window: Window = WINDOW, columns: Columns | None = None) -> list[tuple[Any, Any, Any]]:
    return [tuple(row.values()) for row in mpr(events, window, columns=columns).to_pylist()]


def refused(events: Any, window: Window = WINDOW, columns: Columns | None = None) -> str:
    with pytest.raises(AdherenceError) as caught:
        mpr(events, window, columns=columns)
    return str(caught.value.code)


GOOD = ("b", 0.3, None)


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        (0.0, "days_supply_invalid"),
        (-1.0, "days_supply_invalid"),
        (float("inf"), "days_supply_invalid"),
        (float("-inf"), "days_supply_invalid"),
        (1e300, "days_supply_invalid"),
        (3_661.0, "days_supply_invalid"),
        (float("nan"), "days_supply_unknown"),
        (None, "days_supply_unknown"),
    ],
)
def test_absurd_days_are_one_patients(days: float | None, reason: str) -> None:
    assert rows(table(days_supply=[days, 30.0])) == [("a", None, reason), GOOD]


def test_ten_years_of_supply_are_the_most() -> None:
    assert rows(table(days_supply=[3_660.0, 30.0]))[0] == ("a", 36.6, None)


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (None, "date_unknown"),
        (date(1899, 12, 31), "date_invalid"),
        (date(2200, 1, 1), "date_invalid"),
        (date(9999, 12, 31), "date_invalid"),
        (date(1, 1, 1), "date_invalid"),
    ],
)
def test_absurd_dates_are_one_patients(day: date | None, reason: str) -> None:
    assert rows(table(date=pa.array([day, DAY], pa.date32()))) == [("a", None, reason), GOOD]


def test_a_date_in_the_future_is_a_date() -> None:
    assert rows(table(date=[date(2199, 12, 31), DAY]))[0] == ("a", 0.3, None)


def test_text_is_read_where_it_parses_and_unknown_where_not() -> None:
    events = table(patient=["a", "b"], date=["2031-01-01T10:00:00+05:00", "1/2/2031"], days_supply=["30", "30"])
    assert rows(events) == [("a", 0.3, None), ("b", None, "date_unknown")]
    assert rows(table(days_supply=["thirty", "30"])) == [("a", None, "days_supply_unknown"), GOOD]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("date", [1, 2]),
        ("date", pa.array([datetime(2031, 1, 1, 23, tzinfo=UTC)] * 2, pa.timestamp("us", "Asia/Tokyo"))),
        ("date", [[DAY], [DAY]]),
        ("days_supply", [True, False]),
        ("days_supply", [DAY, DAY]),
        ("patient", [["a"], ["b"]]),
        ("patient", [{"id": "a"}, {"id": "b"}]),
    ],
)
def test_a_column_of_another_type_is_refused(column: str, values: Any) -> None:
    events = table(**{column: values})
    with pytest.raises(AdherenceError) as caught:
        mpr(events, WINDOW)
    assert (caught.value.code, caught.value.path) == ("column_type", column)


def test_a_day_with_a_time_but_no_zone_is_that_day() -> None:
    late = datetime(2031, 1, 1, 23, 59)
    for unit in ("s", "ms", "us", "ns"):
        assert rows(table(date=pa.array([late, late], pa.timestamp(unit))))[1] == GOOD


def test_unknown_and_doubled_columns_are_named() -> None:
    assert refused(table(), columns=Columns(date="WHEN")) == "column_missing"
    assert refused(table(), Window(observation_start=Column("enrolled"))) == "column_missing"
    doubled = pa.Table.from_arrays(
        [*table().columns, table()["date"]], names=["patient", "date", "days_supply", "date"]
    )
    assert refused(doubled) == "column_twice"


def test_names_that_differ_in_case_are_not_taken_for_each_other() -> None:
    events = table(DATE=[DAY, DAY])
    assert refused(events) == "column_twice"
    assert refused(duckdb.connect().from_arrow(table()).select('*, date AS "DATE"')) == "column_twice"
    assert refused(table().rename_columns(["Patient", "Date", "days_supply"])) == "column_missing"


def test_what_is_no_table() -> None:
    for nothing in (None, 7, "events.parquet", [{"patient": "a"}], {"patient": ["a"]}):
        assert refused(nothing) == "table_unreadable"


def test_pandas_objects() -> None:
    mixed = pd.DataFrame({"patient": ["a", 1], "date": [DAY, DAY], "days_supply": [30, 30]})
    assert refused(mixed) == "table_unreadable"
    dates = pd.DataFrame(
        {"patient": ["a", "b"], "date": pd.Series([DAY, DAY], dtype=object), "days_supply": [None, 30]}
    )
    assert rows(dates) == [("a", None, "days_supply_unknown"), GOOD]
    categories = dates.assign(patient=pd.Categorical(["a", "b"]), date=pd.to_datetime(dates["date"]))
    assert rows(categories)[1] == GOOD


def test_every_form_of_a_table_is_the_same_table() -> None:
    events = table()
    expected = rows(events)
    for form in (
        pl.from_arrow(events),
        pl.from_arrow(events).with_columns(pl.col("patient").cast(pl.Categorical)),  # type: ignore[union-attr]
        events.to_pandas(),
        events.to_reader(),
        events.to_batches()[0],
        duckdb.connect().from_arrow(events),
        duckdb.connect().from_arrow(events).select("patient::ENUM('b', 'a') AS patient, date, days_supply"),
        table(patient=pa.array(["a", "b"]).dictionary_encode()),
        table(patient=pa.array(["a", "b"], pa.large_string())),
        table(patient=pa.array(["a", "b"], pa.string_view())),
    ):
        assert rows(form) == expected


@pytest.mark.parametrize("ids", [[1, 2], [1.5, 2.5], [b"\x00", b"\xff"], [DAY, date(2031, 1, 2)], [False, True]])
def test_ids_of_any_type_come_back(ids: list[Any]) -> None:
    assert [row[0] for row in rows(table(patient=ids))] == ids


def test_rows_of_nobody_are_one_row_with_a_reason() -> None:
    events = pa.table({"patient": [None, "b", None], "date": [DAY] * 3, "days_supply": [30.0] * 3})
    assert rows(events) == [GOOD, (None, None, "patient_unknown")]


def test_a_very_long_id() -> None:
    long = "p" * 5_000_000
    assert rows(table(patient=[long, "b"])) == [GOOD, (long, 0.3, None)]


def test_names_of_columns_are_never_sql() -> None:
    odd = 'da"te FROM events; DROP TABLE events --'
    events = table().rename_columns(["patient", odd, "days_supply"])
    assert rows(events, columns=Columns(date=odd))[1] == GOOD


def test_an_empty_cohort_keeps_its_types() -> None:
    for ids in (pa.int64(), pa.string()):
        empty = pa.table({"patient": pa.array([], ids), "date": pa.array([], pa.date32())})
        found = mpr(empty, WINDOW)
        assert (found.num_rows, found.schema.field("patient").type) == (0, ids)


def test_windows_outside_follow_up_and_empty_ones_are_reasons() -> None:
    assert rows(table(), Window.between(date(2040, 1, 1), date(2040, 3, 31)))[1][1] == 0.0
    assert rows(table(), Window(observation_length=Span(0)))[1] == ("b", None, "window_empty")
    assert rows(table(), Window(observation_length=Span(-5)))[1] == ("b", None, "window_empty")
    assert rows(table(), Window(observation_start=Span(2_147_483_647)))[1] == ("b", None, "window_unknown")
    assert rows(table(), Window(observation_length=Span(2_147_483_647, "years")))[1] == ("b", None, "window_unknown")


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        ([None, DAY], "window_unknown"),
        (pa.array([datetime(2031, 1, 1)] * 2, pa.timestamp("ns")), None),
        ([0, 0], None),
        ([2_147_483_647, 0], "window_unknown"),
        ([float("nan"), 0.0], "window_unknown"),
        ([1e300, 0.0], "window_unknown"),
    ],
)
def test_windows_out_of_a_column(starts: Any, expected: str | None) -> None:
    window = Window(observation_start=Column("from"), observation_length=Span(100))
    assert rows(table(**{"from": starts}), window) == [("a", None if expected else 0.3, expected), GOOD]


def test_a_window_of_a_column_that_events_have_already() -> None:
    assert rows(table(), Window(observation_start=Column("date"), observation_length=Span(100)))[1] == GOOD


def test_ten_thousand_events_of_one_patient_are_quick() -> None:
    count = 10_000
    events = pa.table({"patient": ["a"] * count, "date": [DAY] * count, "days_supply": [1.0] * count})
    begun = time.process_time()
    assert rows(events) == [("a", 100.0, None)]
    assert time.process_time() - begun < 2


def test_the_kernel_itself_refuses_what_a_table_does_not_reach_it_with() -> None:
    batch = table().to_batches()[0]
    for name, column, code in (
        ("date", pa.array(["2031-01-01"] * 2), "column_type"),
        ("days_supply", pa.array(["30"] * 2), "column_type"),
        ("patient", None, "column_missing"),
    ):
        arrays = {field.name: batch.column(field.name) for field in batch.schema if field.name != name}
        changed = pa.record_batch(arrays if column is None else {**arrays, name: column})
        with pytest.raises(AdherenceError) as caught:
            measure("mpr", changed, {"window": {}})
        assert caught.value.code == code


@pytest.mark.parametrize("kind", ["supply", "Supply", " SUPPLY ", "", None])
def test_a_supply_is_one_however_its_kind_is_written(kind: str | None) -> None:
    assert rows(table(kind=[kind, "supply"])) == [("a", 0.3, None), GOOD]
    split = grouped(table(kind=[kind, "supply"]), {"all": 'patient != ""'})
    assert split["group"].to_pylist() == ["all", "all"]


def test_ids_that_a_collation_takes_for_one_are_two_patients() -> None:
    connection = duckdb.connect()
    connection.execute("SET default_collation = 'nocase'")
    connection.register("held", pa.table({"patient": ["a", "A", "a"], "date": [DAY] * 3, "days_supply": [30.0] * 3}))
    assert rows(connection.sql("FROM held")) == [("A", 0.3, None), ("a", 0.6, None)]


def test_reversals_do_not_count_as_if_nothing_were_taken_back() -> None:
    kinds = ["supply", " Reversal"]
    events = pa.table({"patient": [1, 1], "date": [date(2031, 1, 1)] * 2, "days_supply": [30, None], "kind": kinds})
    with pytest.raises(AdherenceError) as caught:
        mpr(events)
    assert caught.value.code == "reversals_unsettled"


def test_what_memory_does_not_hold_spills_where_its_owner_alone_reads() -> None:
    asked = "SELECT current_setting('temp_directory')"
    [(folder,)] = connect().execute(asked).fetchall()
    assert Path(folder).stat().st_mode & 0o777 == 0o700
    assert Path(folder) != Path.cwd() / ".tmp"
    [(chosen,)] = (
        Limits(folder=Path("elsewhere")).connect().execute("SELECT current_setting('temp_directory')").fetchall()
    )
    assert chosen == "elsewhere"
