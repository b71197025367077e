"""The key under a picture: what its colours, boxes and lines mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import altair as alt

from chartseal.adherence.plot.panel import WIDTH, Layers

_ROW, _SWATCH, _LETTER = 20, 22, 6.3


@dataclass(frozen=True)
class Entry:
    """A box of some colour and opacity, or a line where `dash` is given ([1, 0] draws it whole)."""

    text: str
    colour: str
    opacity: float = 1.0
    dash: tuple[int, int] | None = None


def key(entries: Iterable[Entry]) -> Layers:
    """The entries one after the other, in as many rows as they need."""
    placed = list(_placed(entries))
    height = _ROW * (1 + max(row["row"] for row in placed))
    y = alt.Y("y:Q").scale(domain=[height, 0], nice=False).axis(None)
    x = alt.X("x:Q").scale(domain=[0, WIDTH], nice=False).axis(None)
    colour = alt.Color("colour:N").scale(None)
    opacity = alt.Opacity("opacity:Q").scale(None).legend(None)
    layers: list[alt.Chart] = [
        _chart(row for row in placed if row["dash"] is None)
        .mark_rect(aria=False)
        .encode(x=x, x2="x2:Q", y=y, y2="y2:Q", color=colour, opacity=opacity),
        _chart(placed)
        .mark_text(aria=False, align="left", baseline="middle", fontSize=11)
        .encode(
            x=alt.X("text_x:Q").scale(domain=[0, WIDTH], nice=False).axis(None),
            y=alt.Y("middle:Q").scale(domain=[height, 0], nice=False).axis(None),
            text="text:N",
        ),
    ]
    for row in placed:
        if row["dash"] is not None:
            line = _chart([row]).mark_rule(aria=False, strokeDash=row["dash"], strokeWidth=2)
            layers.append(line.encode(x=x, x2="x2:Q", y="middle:Q", color=colour))
    return alt.layer(*layers).properties(width=WIDTH, height=height, view=alt.ViewBackground(stroke=None))


def _placed(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    x, row = 0.0, 0
    for entry in entries:
        width = _SWATCH + 6 + len(entry.text) * _LETTER + 16
        if x + width > WIDTH and x > 0:
            x, row = 0.0, row + 1
        top = row * _ROW
        yield {
            "row": row,
            "x": round(x, 1),
            "x2": round(x + _SWATCH, 1),
            "text_x": round(x + _SWATCH + 6, 1),
            "y": top + 4,
            "y2": top + 15,
            "middle": top + 9.5,
            "text": entry.text,
            "colour": entry.colour,
            "opacity": entry.opacity,
            "dash": entry.dash,
        }
        x += width


def _chart(rows: Iterable[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=list(rows)))
