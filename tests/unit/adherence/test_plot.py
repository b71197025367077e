"""Pictures: their numbers are the kernel's, their words are true, and their files keep to themselves."""

from __future__ import annotations

import importlib.util
import json
import struct
import xml.etree.ElementTree as ElementTree
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chartseal.adherence import Column, Span, Window, pdc
from chartseal.adherence.plot import MOST_EVENTS, timeline
from chartseal.adherence.plot.course import Course, course_of
from chartseal.adherence.plot.days import windows_of
from chartseal.adherence.plot.patient import rows_of
from chartseal.adherence.plot.words import percent, summaries, summary, text
from chartseal.cli import cli
from chartseal.errors import AdherenceError

ROOT = Path(__file__).parents[3]
YEAR = Window.between(date(2025, 1, 1), date(2025, 12, 31))
START = date(2025, 1, 1)


def samples() -> ModuleType:
    spec = importlib.util.spec_from_file_location("adherence_samples", ROOT / "tools/adherence_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(*rows: tuple[int, float | None], patient: str = "p", medication_class: str | None = "statins") -> pa.Table:
    """Supplies of one ingredient: days after the start, and days supply."""
    return pa.table(
        {
            "patient": pa.array([patient] * len(rows), pa.string()),
            "date": pa.array([START + timedelta(day) for day, _ in rows], pa.date32()),
            "days_supply": pa.array([days for _, days in rows], pa.float64()),
            "class": pa.array([medication_class] * len(rows), pa.string()),
            "ingredient": pa.array(["atorvastatin"] * len(rows), pa.string()),
        }
    )


def course(events: pa.Table, window: Window = YEAR, as_of: date | None = None, **chosen: Any) -> Course:
    rows = rows_of(events, None, None, window)
    options: dict[str, Any] = {"period": "window", "threshold": Fraction(4, 5)} | chosen
    return course_of(rows, window, as_of=as_of, **options)


def refused(code: str, events: Any, *arguments: Any, **options: Any) -> None:
    with pytest.raises(AdherenceError) as error:
        timeline(events, *arguments, **options)
    assert error.value.code == code


SUPPLIES = st.lists(
    st.tuples(
        st.integers(-60, 420),
        st.sampled_from([0.5, 1.0, 7.0, 28.0, 29.9, 30.0, 90.0]),
        st.sampled_from(["atorvastatin", "simvastatin", "atorvastatin|ezetimibe", None]),
        st.sampled_from(["statins", "other", None]),
    ),
    min_size=1,
    max_size=12,
)


def mixed(supplies: list[tuple[int, float, str | None, str | None]]) -> pa.Table:
    days, lengths, ingredients, classes = zip(*supplies, strict=True)
    return pa.table(
        {
            "patient": pa.array([7] * len(days)),
            "date": pa.array([START + timedelta(day) for day in days], pa.date32()),
            "days_supply": pa.array(lengths, pa.float64()),
            "ingredient": pa.array(ingredients, pa.string()),
            "class": pa.array(classes, pa.string()),
        }
    )


@given(SUPPLIES, st.sampled_from(["window", "from_first_fill"]), st.none() | st.integers(0, 400))
@settings(max_examples=25, deadline=None)
def test_what_is_drawn_is_what_the_kernel_counts(
    supplies: list[tuple[int, float, str | None, str | None]], period: str, known: int | None
) -> None:
    """Bars cover the days that the kernel covers, and every point of the line is the kernel's PDC as of its day."""
    events, as_of = mixed(supplies), None if known is None else START + timedelta(known)
    if as_of is not None and all(START + timedelta(day) > as_of for day, *_ in supplies):
        with pytest.raises(AdherenceError) as error:
            course(events, as_of=as_of, period=period)
        assert error.value.code == "no_supply"
        return
    found = course(events, as_of=as_of, period=period)
    for group in found.groups:
        if group.period is None:
            continue
        drawn = {
            each.used_from + timedelta(day)
            for lane in group.lanes
            for each in lane.supplies
            if each.used_from is not None and each.used_to is not None
            for day in range((each.used_to - each.used_from).days)
        }
        days = {group.period.start + timedelta(day) for day in range(group.period.length)}
        covered = {each.start + timedelta(day) for each in group.covered for day in range(each.length)}
        assert drawn & days == covered
        points = list(group.to_date())
        assert points[-1].until == group.period.end
        for point in points[:: max(len(points) // 4, 1)] + points[-1:]:
            so_far = {day for day in days if day < point.until}
            assert point.pdc == len(covered & so_far) / len(so_far)
        assert (points[-1].pdc, points[-1].gap_days_left) == (
            group.proportion["pdc"],
            group.proportion["gap_days_left"],
        )
        for slid in group.sliding(90):
            last = {slid.until - timedelta(day + 1) for day in range(90)}
            assert last <= days
            assert slid.pdc == len(last & covered) / 90


def test_each_point_is_what_the_measure_says_as_of_that_day() -> None:
    events = table((14, 30), (46, 30), (98, 30), (127, 30), (161, 30), (160, 30))
    (group,) = course(events).groups
    for point in group.to_date():
        (row,) = pdc(events, YEAR, as_of=point.until - timedelta(1)).to_pylist()
        if row["reason"] is None:  # as of days before the first supply there is none yet
            assert (point.pdc, point.gap_days_left) == (row["pdc"], row["gap_days_left"])


SPANS = st.builds(Span, st.integers(1, 14), st.sampled_from(["days", "weeks", "months", "years"]))


@given(st.dates(date(2001, 1, 1), date(2030, 12, 31)), SPANS, SPANS)
@example(date(2001, 1, 15), Span(14, "days"), Span(1, "months"))  # 29 January and a month is 1 March
@settings(max_examples=25, deadline=None)
def test_windows_are_drawn_where_the_kernel_has_them(first: date, start: Span, length: Span) -> None:
    window = Window(observation_start=start, observation_length=length, follow_up_length=Span(40, "years"))
    row = {"patient": 1, "date": first, "days_supply": 20_000.0 / 7}
    (found,) = pdc(pa.Table.from_pylist([row]).cast(_SCHEMA), window).to_pylist()
    _, observation = windows_of(window, row, first)
    assert found["period_start"] == observation.start
    assert found["period_days"] == observation.length


_SCHEMA = pa.schema({"patient": pa.int64(), "date": pa.date32(), "days_supply": pa.float64()})


def test_windows_may_stand_in_columns() -> None:
    row = {"from": date(2025, 3, 1), "days": 45}
    window = Window(follow_up_start=Column("from"), observation_start=Column("days"), observation_length=Column("days"))
    follow_up, observation = windows_of(window, row, START)
    assert (follow_up.start, observation.start) == (date(2025, 3, 1), date(2025, 4, 15))
    assert observation.length == 45
    for bad, code in (({"from": None, "days": 45}, "window_unknown"), ({"from": date.max, "days": 45}, CALENDAR)):
        with pytest.raises(AdherenceError) as error:
            windows_of(window, bad, START)
        assert error.value.code == code


CALENDAR = "window_outside_calendar"


def test_supplies_wait_for_those_of_their_ingredient_alone() -> None:
    events = mixed([(0, 30.0, "a", "c"), (20, 30.0, "a", "c"), (25, 30.0, "b", "c")])
    (group,) = course(events).groups
    used = {lane.ingredient: [(each.used_from - START).days for each in lane.supplies] for lane in group.lanes}  # type: ignore[operator]  # all lengths are known
    assert used == {"a": [0, 30], "b": [25]}


def test_the_words_say_how_many_gap_days_are_left() -> None:
    def words(*supplies: tuple[int, float | None], as_of: date | None = None) -> str:
        (line,) = summaries(course(table(*supplies), as_of=as_of))
        return line

    assert words((0, 292.0)) == (
        "statins: PDC to date 80.0 % (292 of 365 days), 0 gap days left before it falls under 80 %; "
        "last day of supply 19 Oct 2025"
    )
    assert words((0, 291.0)).startswith("statins: PDC to date 79.7 % (291 of 365 days), 1 gap day too many for 80 %")
    assert words((0, 30.0), (40, 30.0), as_of=date(2025, 2, 20)).startswith(
        "statins: PDC to date 80.3 % (41 of 51 days), 63 gap days left"
    )
    assert words((0, None)) == "statins: no estimate, a days supply is unknown"


def test_a_percentage_is_never_rounded_up_to_the_threshold() -> None:
    assert percent(7_999, 10_000) == "79.9 %"
    assert percent(8_000, 10_000) == "80.0 %"
    assert percent(0, 5) == "0.0 %"


def test_names_are_one_short_line() -> None:
    assert text("a\nb\x00c") == "a b c"
    assert text("m" * 32) == "m" * 32
    assert text("m" * 33) == "m" * 31 + "…"


def test_every_reason_is_told() -> None:
    (group,) = course(table((0, -3.0))).groups
    assert summary(group, Fraction(4, 5)) == "statins: no estimate, a days supply is impossible"
    (group,) = course(table((400, 30.0))).groups
    assert summary(group, Fraction(4, 5)) == "statins: no estimate, no supply in the window"


def test_the_picture_tells_nobody_who_it_is_unless_asked(tmp_path: Path) -> None:
    events = table((0, 30.0), (40, 30.0), patient="Jessamy-1970")
    for path in (tmp_path / "a.svg", tmp_path / "a.html"):
        timeline(events, YEAR, path=path)
        assert "Jessamy" not in path.read_text()
        timeline(events, YEAR, path=path, label="Jessamy Morwenth")
        assert "Jessamy Morwenth" in path.read_text()


def test_files_are_what_their_names_say(tmp_path: Path) -> None:
    for name in ("a.svg", "a.PNG", "a.html"):
        timeline(table((0, 30.0), (40, 30.0)), YEAR, path=tmp_path / name)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600  # a health record
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    png = (tmp_path / "a.PNG").read_bytes()
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert 1_100 <= width <= 1_300
    assert 400 <= height <= 650
    assert (tmp_path / "a.html").read_text().startswith("<!DOCTYPE html>")


def test_a_page_loads_nothing_and_runs_no_text(tmp_path: Path) -> None:
    bad = "</script><script>alert(1)</script>"
    events = table((0, 30.0), medication_class=bad)
    timeline(events, YEAR, path=tmp_path / "a.html", label=bad)
    page = (tmp_path / "a.html").read_text()
    assert page.count("</script>") == page.count("<script>") == 2
    assert "script-src 'unsafe-inline'; style" in page
    assert " src=" not in page[:600]
    spec = page[page.index('vegaEmbed("#picture", ') + 22 : page.rindex(', {"renderer"')]
    assert json.loads(spec)["title"]["text"].startswith("</script>")
    timeline(events, YEAR, path=tmp_path / "a.svg", label=bad)
    assert "<script" not in (tmp_path / "a.svg").read_text()


def test_one_patient_is_drawn_or_none() -> None:
    two = pa.concat_tables([table((0, 30.0), patient="a"), table((0, 30.0), (40, 30.0), patient="b")])
    refused("patient_ambiguous", two, YEAR)
    refused("patient_unknown", two, YEAR, patient="c")
    refused("patient_unknown", two.slice(0, 0), YEAR)
    assert rows_of(two, "b", None, YEAR).num_rows == 2
    numbered = two.set_column(0, "patient", pa.array([1, 2, 2]))
    assert rows_of(numbered, 2, None, YEAR).num_rows == 2
    refused("patient_unknown", numbered, YEAR, patient="b")


def test_limits_are_named() -> None:
    most = table(*[(day % 300, 1.0) for day in range(MOST_EVENTS)])
    assert rows_of(most, None, None, YEAR).num_rows == MOST_EVENTS
    refused("limit_exceeded", pa.concat_tables([most, table((0, 1.0))]), YEAR)
    lanes = [(0, 1.0, f"i{number}", "c") for number in range(31)]
    refused("limit_exceeded", mixed(lanes), YEAR)  # type: ignore[arg-type]  # a list of the strategy's tuples
    assert len(course(mixed(lanes[:30])).groups[0].lanes) == 30  # type: ignore[arg-type]  # as above


def test_settings_are_checked(tmp_path: Path) -> None:
    events = table((0, 30.0))
    refused("settings_invalid", events, YEAR, sliding_days=0)
    refused("format_unknown", events, YEAR, path=tmp_path / "a.pdf")
    refused("file_unwritable", events, YEAR, path=tmp_path / "missing/a.svg")
    refused("no_supply", events, YEAR, as_of=date(2024, 12, 31))
    refused("column_missing", events.drop_columns(["date"]), YEAR)
    refused("table_unreadable", [1, 2], YEAR)


def test_events_without_classes_or_lengths_are_drawn_too(tmp_path: Path) -> None:
    events = table((0, 30.0), (40, 30.0)).drop_columns(["class", "ingredient"])
    timeline(events, YEAR, path=tmp_path / "a.svg")
    assert "all supplies: PDC to date" in (tmp_path / "a.svg").read_text()
    timeline(table((0, None)), YEAR, path=tmp_path / "b.svg")
    assert "statins: no estimate" in (tmp_path / "b.svg").read_text()


def test_the_committed_samples_are_current(tmp_path: Path) -> None:
    made = samples()
    assert made.table() == (ROOT / "examples/adherence/supplies.csv").read_text()
    made.draw(tmp_path / "timeline.svg")
    assert (tmp_path / "timeline.svg").read_text() == (ROOT / "docs/adherence-timeline.svg").read_text()
    assert made.PICTURE.stat().st_size < 60_000


def test_a_stay_is_drawn_where_the_table_has_it() -> None:
    events = pyarrow.csv.read_csv(ROOT / "examples/adherence/supplies.csv")
    rows = rows_of(events, "made-up-12-1", None, YEAR)
    found = course_of(rows, YEAR, period="window", threshold=Fraction(4, 5), as_of=None)
    assert [(each.start, each.end) for each in found.stays] == [(date(2025, 9, 23), date(2025, 9, 30))]


@pytest.mark.parametrize("died", [None, "2025-07-15"])
@pytest.mark.parametrize("period", ["window", "first-fill"])
def test_a_picture_and_its_report_say_the_same(died: str | None, period: str, tmp_path: Path) -> None:
    chart = json.loads((ROOT / "examples/adherence/made-up-12-1.json").read_text())
    if died is not None:
        chart["entry"][0]["resource"]["deceasedDateTime"] = died
    (tmp_path / "chart.json").write_text(json.dumps(chart))
    arguments = ["adherence", "report", str(tmp_path / "chart.json"), "--from", "2025-01-01", "--to", "2025-12-31"]
    arguments += ["--classes", str(ROOT / "examples/adherence/classes.csv"), "--period", period]
    ran = CliRunner().invoke(cli, [*arguments, "--plot", str(tmp_path / "a.svg"), "--json"])
    assert ran.exit_code == 0, ran.output
    (row,) = json.loads(ran.output)["rows"]
    left = row["gap_days_left"]
    words = f"{left} gap days left" if left >= 0 else f"{-left} gap day too many"  # by one day, in one of the cases
    said = f"({row['covered_days']} of {row['period_days']} days), {words}"
    assert said in (tmp_path / "a.svg").read_text()
