"""One panel of a picture: an axis of days, heights, and the few kinds of marks that are drawn over them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import altair as alt

from chartseal.adherence.plot.days import Days, instant
from chartseal.adherence.plot.layout import Mark

WIDTH = 1_040


class Panel:
    """Marks over `shown` days, between the heights `top` and `bottom`; those are proportions where `percent` is set."""

    def __init__(self, shown: Days, top: float, bottom: float, *, percent: bool = False) -> None:
        self.top, self.bottom = top, bottom
        months = shown.length / 30.4
        step = next((step for most, step in ((15, 1), (45, 3), (90, 6)) if months <= most), 12)
        ticks: Any = {"interval": "month", "step": step}
        self._x = (
            alt.X("x:T")
            .scale(type="utc", domain=[instant(shown.start), instant(shown.end)], nice=False)
            .axis(format="%b %Y", tickCount=ticks, labelAngle=0, labelFlush=False, title=None)
        )
        y = alt.Y("y:Q").scale(domain=[bottom, top], nice=False)
        self._y = y.axis(format=".0%", tickCount=5, title="PDC") if percent else y.axis(None)

    def boxes(self, marks: Iterable[Mark], *, tooltip: Iterable[str] = (), **style: Any) -> alt.Chart:
        """Rectangles from `x` to `x2` and from `y` to `y2`."""
        drawn = self._chart(marks).mark_rect(aria=False, **style)
        encoded = drawn.encode(x=self._x, x2="x2:T", y=self._y, y2="y2:Q", **_COLOURED)
        return encoded.encode(tooltip=[alt.Tooltip(f"{name}:N") for name in tooltip]) if tooltip else encoded

    def texts(self, marks: Iterable[Mark], **style: Any) -> alt.Chart:
        """`text` around `x` and `y`."""
        drawn = self._chart(marks).mark_text(aria=False, baseline="middle", **style)
        return drawn.encode(x=self._x, y=self._y, text="text:N")

    def haloed(self, marks: Iterable[Mark], *, color: str, **style: Any) -> list[alt.Chart]:
        """Texts that are read over lines: white around them."""
        rows = list(marks)
        return [
            self.texts(rows, color="white", stroke="white", strokeWidth=4, **style),
            self.texts(rows, color=color, **style),
        ]

    def margin(self, marks: Iterable[Mark], x: int, **style: Any) -> alt.Chart:
        """`text` beside the panel, `x` pixels from its left edge, in the mark's own colour."""
        drawn = self._chart(marks).mark_text(aria=False, baseline="middle", **style)
        return drawn.encode(x=alt.value(x), y=self._y, text="text:N", color=_COLOURED["color"])

    def line(self, marks: Iterable[Mark], *, tooltip: Iterable[str] = (), **style: Any) -> alt.Chart:
        """One line through the marks, in their order."""
        drawn = self._chart(marks).mark_line(aria=False, **style)
        encoded = drawn.encode(x=self._x, y=self._y, order="x:Q")
        return encoded.encode(tooltip=[alt.Tooltip(f"{name}:N") for name in tooltip]) if tooltip else encoded

    def upright(self, marks: Iterable[Mark], **style: Any) -> alt.Chart:
        """Lines from top to bottom."""
        return self._chart(marks).mark_rule(aria=False, **style).encode(x=self._x)

    def level(self, y: float, **style: Any) -> alt.Chart:
        """A line from side to side."""
        return self._chart([{"y": y}]).mark_rule(aria=False, **style).encode(y=self._y)

    def _chart(self, marks: Iterable[Mark]) -> alt.Chart:
        return alt.Chart(alt.Data(values=list(marks)))


_COLOURED: dict[str, Any] = {
    "color": alt.Color("colour:N").scale(None),
    "opacity": alt.Opacity("opacity:Q").scale(None).legend(None),
}
