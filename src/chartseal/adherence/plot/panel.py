"""One panel of a picture: an axis of days, heights, and the few kinds of marks that are drawn over them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import altair as alt

from chartseal.adherence.plot.days import Days, instant
from chartseal.adherence.plot.layout import Mark

WIDTH = 1_040

Layers: TypeAlias = alt.LayerChart | alt.FacetChart
"""What `altair.layer` returns: the former, unless a layer is a facet."""


class Panel:
    """Marks over `shown` days, between the heights `top` and `bottom`; those are proportions where `percent` is set."""

    def __init__(self, shown: Days, top: float, bottom: float, *, percent: bool = False) -> None:
        self.shown, self.top, self.bottom = shown, top, bottom
        months = shown.length / 30.4
        step = next((step for most, step in ((15, 1), (45, 3), (90, 6)) if months <= most), 12)
        ticks: Any = {"interval": "month", "step": step}
        axis = alt.Axis(format="%b %Y", tickCount=ticks, labelAngle=0, labelFlush=False, title=None)
        self._x = alt.X("x:T", axis=axis, scale=alt.Scale(type="utc", nice=False))
        y = alt.Y("y:Q").scale(domain=[bottom, top], nice=False)
        self._y = y.axis(format=".0%", tickCount=5, title="PDC") if percent else y.axis(None)

    def over(self, layers: Iterable[alt.Chart], height: int) -> Layers:
        """The layers that have marks over one another; an unseen one holds the first and the last day of all."""
        ends = self.upright([{"x": instant(self.shown.start)}, {"x": instant(self.shown.end)}], opacity=0)
        marked = [each for each in layers if each.data.to_dict()["values"]]
        return alt.layer(ends, *marked).properties(width=WIDTH, height=height)

    def boxes(self, marks: Iterable[Mark], *, tooltip: Iterable[str] = (), **style: Any) -> alt.Chart:
        """Rectangles from `x` to `x2` and from `y` to `y2`, in the marks' own colours."""
        drawn = _chart(marks).mark_rect(aria=False, **style)
        return _encoded(drawn, tooltip, x=self._x, x2="x2:T", y=self._y, y2="y2:Q", color=_COLOUR, opacity=_OPACITY)

    def texts(self, marks: Iterable[Mark], **style: Any) -> alt.Chart:
        """`text` around `x` and `y`."""
        drawn = _chart(marks).mark_text(aria=False, baseline="middle", **style)
        return _encoded(drawn, x=self._x, y=self._y, text="text:N")

    def haloed(self, marks: Iterable[Mark], *, color: str, **style: Any) -> list[alt.Chart]:
        """Texts that are read over lines: white around them."""
        rows = list(marks)
        halo = self.texts(rows, color="white", stroke="white", strokeWidth=4, **style)
        return [halo, self.texts(rows, color=color, **style)]

    def margin(self, marks: Iterable[Mark], x: int, **style: Any) -> alt.Chart:
        """`text` beside the panel, `x` pixels from its left edge, in the marks' own colours."""
        drawn = _chart(marks).mark_text(aria=False, baseline="middle", **style)
        return _encoded(drawn, x=alt.value(x), y=self._y, text="text:N", color=_COLOUR)

    def line(self, marks: Iterable[Mark], *, tooltip: Iterable[str] = (), **style: Any) -> alt.Chart:
        """One line through the marks, from left to right."""
        drawn = _chart(marks).mark_line(aria=False, **style)
        return _encoded(drawn, tooltip, x=self._x, y=self._y, order="x:Q")

    def upright(self, marks: Iterable[Mark], **style: Any) -> alt.Chart:
        """Lines from top to bottom."""
        return _encoded(_chart(marks).mark_rule(aria=False, **style), x=self._x)

    def level(self, y: float, **style: Any) -> alt.Chart:
        """A line from side to side."""
        return _encoded(_chart([{"y": y}]).mark_rule(aria=False, **style), y=self._y)


def _chart(marks: Iterable[Mark]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=list(marks)))


def _encoded(drawn: alt.Chart, tooltip: Iterable[str] = (), **channels: Any) -> alt.Chart:
    if tooltip:
        channels["tooltip"] = [alt.Tooltip(f"{name}:N") for name in tooltip]
    encoded: alt.Chart = drawn.encode(**channels)
    return encoded


_COLOUR = alt.Color("colour:N").scale(None)
_OPACITY = alt.Opacity("opacity:Q").scale(None).legend(None)
