"""The picture: supplies above, estimates below, and a key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

import altair as alt

from chartseal.adherence.plot import layout
from chartseal.adherence.plot.course import Course, Estimate
from chartseal.adherence.plot.days import instant
from chartseal.adherence.plot.key import Entry, key
from chartseal.adherence.plot.layout import GAP, Mark, Place
from chartseal.adherence.plot.panel import WIDTH, Layers, Panel
from chartseal.adherence.plot.words import day_text, summaries, text, threshold_text

_GREY, _OUTSIDE, _STAY = "#666666", "#ECECEC", "#9AA5B1"


def draw(course: Course, label: str, sliding: int) -> alt.VConcatChart:
    """All of it; the second line of estimates looks back over `sliding` days."""
    placed = layout.places(course)
    title = alt.Title(text(label) or "Supplies of medication", subtitle=[_window_text(course), *summaries(course)])
    panels = (_supplies(course, placed), _estimates(course, placed, sliding), _key(course, placed, sliding))
    drawn: alt.VConcatChart = (
        alt.vconcat(*panels, spacing=10, title=title, description=" ".join(summaries(course)), background="white")
        .configure(font="Liberation Sans, Arial, Helvetica, sans-serif", padding=12)
        .configure_title(anchor="start", fontSize=16, subtitleColor="#222222", subtitleFontSize=12, offset=8)
        .configure_view(stroke="#BBBBBB")
        .configure_axis(labelColor="#222222", titleColor="#222222", gridColor="#E2E2E2", titleFontWeight="normal")
    )
    return drawn


def _window_text(course: Course) -> str:
    window = course.observation
    as_of = f", as of {day_text(course.as_of)}" if course.as_of is not None else ""
    return f"Observed from {day_text(window.start)} up to {day_text(window.end - timedelta(1))}{as_of}"


def _supplies(course: Course, placed: tuple[Place, ...]) -> Layers:
    bottom = _bottom(placed)
    panel = Panel(course.shown, 0, bottom)
    layers = (
        *_background(course, panel),
        panel.texts(_hospital(course), color="#44505C", fontSize=10),
        panel.boxes(layout.bars(course, placed), tooltip=layout.ABOUT, stroke="white", strokeWidth=0.8),
        panel.boxes(layout.strips(placed), tooltip=("days",)),
        panel.texts(layout.gap_labels(course, placed), color="white", fontSize=11, fontWeight="bold"),
        panel.texts(layout.doses(course, placed), color=_GREY, fontSize=10, align="left"),
        panel.texts(layout.unknown(course, placed), color=GAP, fontSize=15, fontWeight="bold"),
        panel.margin(layout.names(placed), -8, align="right", fontSize=12),
        panel.boxes(_follow_up(course, bottom)),
    )
    return panel.over(layers, _height(placed))


def _bottom(placed: tuple[Place, ...]) -> float:
    return placed[-1].bottom + 0.35


def _height(placed: tuple[Place, ...]) -> int:
    """Of the supplies: about what a screen has room for, lanes neither thin nor fat."""
    bottom = _bottom(placed)
    return round(bottom * min(max(300 / bottom, 36), 84))


def _estimates(course: Course, placed: tuple[Place, ...], sliding: int) -> Layers:
    panel = Panel(course.shown, 1, 0, percent=True)
    limit: Mark = {"y": float(course.threshold), "text": threshold_text(course.threshold), "colour": _GREY}
    layers = [
        *_background(course, panel),
        panel.level(limit["y"], color=_GREY, strokeDash=[6, 4]),
        panel.margin([limit], WIDTH + 6, align="left", fontSize=11),
    ]
    for place in placed:
        trailing, to_date = _marks(place.group.sliding(sliding)), _marks(place.group.to_date())
        layers.append(panel.line(trailing, color=place.colour, strokeWidth=1.4, strokeDash=[3, 3]))
        layers.append(panel.line(to_date, color=place.colour, strokeWidth=2.4, tooltip=("PDC", "gap days left")))
    for label, colour in layout.latest(placed):
        layers += panel.haloed([label], color=colour, align="right", dx=-6, fontSize=12, fontWeight="bold")
    return panel.over(layers, max(150, 370 - _height(placed)))


def _marks(estimates: Iterable[Estimate]) -> Iterator[Mark]:
    for each in estimates:
        about = {} if each.gap_days_left is None else {"PDC": f"{each.pdc:.3f}", "gap days left": each.gap_days_left}
        yield {"x": instant(each.until), "y": round(each.pdc, 4)} | about


def _background(course: Course, panel: Panel) -> Iterator[alt.Chart]:
    """What is outside the observation window in grey, stays in hospital, and the last day that is known."""
    shown, window, ends = course.shown, course.observation, {"y": panel.top, "y2": panel.bottom}
    outside = [(shown.start, window.start), (window.end, shown.end)]
    spans = [(start, end, _OUTSIDE, 1.0) for start, end in outside if start < end]
    spans += [(each.start, each.end, _STAY, 0.45) for each in course.stays_shown()]
    yield panel.boxes(
        {"x": instant(start), "x2": instant(end), "colour": colour, "opacity": opacity} | ends
        for start, end, colour, opacity in spans
    )
    if course.as_of is not None and course.as_of < window.end:
        yield panel.upright([{"x": instant(course.as_of + timedelta(1))}], color="#222222", strokeWidth=1.2)


def _hospital(course: Course) -> Iterator[Mark]:
    for each in course.stays_shown():
        yield {"x": (instant(each.start) + instant(each.end)) // 2, "y": 0.14, "text": "hospital"}


def _follow_up(course: Course, bottom: float) -> Iterator[Mark]:
    """A line under the lanes, as long as events count."""
    start, end = max(course.follow_up.start, course.shown.start), min(course.follow_up.end, course.shown.end)
    if start < end:
        yield layout.box(start, end, bottom - 0.16, bottom - 0.11, "#555555")


def _key(course: Course, placed: tuple[Place, ...], sliding: int) -> Layers:
    dark = "#444444"
    groups = [Entry(text(place.group.name) or "all supplies", place.colour) for place in placed]
    return key(
        [
            *groups,
            Entry("as handed over", dark),
            Entry("as used, after what was left over", dark, 0.4),
            Entry("days without supply", GAP),
            *([Entry("in hospital", _STAY, 0.45)] if course.stays_shown() else []),
            *([Entry("outside the observation window", _OUTSIDE)] if course.shown != course.observation else []),
            Entry("follow-up", "#555555", dash=(1, 0)),
            Entry("PDC to date", dark, dash=(1, 0)),
            Entry(f"PDC of the last {sliding} days", dark, dash=(3, 3)),
        ]
    )
