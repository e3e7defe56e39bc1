"""Curves: loss while a run trains, redrawn in place, and how a listener learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import streamlit as st

from dj_core.corpus.figures import PALETTES
from dj_ui.frame import palette_name

HEIGHT_PX = 260


def curve_chart(
    curves: Mapping[str, Sequence[tuple[int, float]]],
    key: str,
    along: str = "epoch",
    up: str = "loss",
    ends: tuple[float, float] | None = None,
) -> None:
    """Loss by epoch, a line per name with a point or more: {'training': [(1, 5.2), (2, 4.1)]}.

    Args:
        curves, key: the lines; unique on the page.
        along, up: what the two numbers of a point are.
        ends: of the axis that goes up; None for those of the points.
    """
    palette = PALETTES[palette_name()]
    others = [hue for name, hue in palette.families.items() if name != "hat"]
    rows = [
        {along: epoch, up: loss, "line": name}
        for name, points in curves.items()
        for epoch, loss in points
    ]
    colours = alt.Scale(
        domain=list(curves), range=[palette.accent, palette.families["hat"], *others]
    )
    epochs = [epoch for points in curves.values() for epoch, _ in points]
    losses = [loss for points in curves.values() for _, loss in points]
    # said here, because the chart is first drawn without its lines and finds no ends itself
    low, high = ends or (min(losses), max(losses))
    across = alt.Scale(domain=[min(epochs), max(min(epochs) + 1, *epochs)], nice=False)
    upward = alt.Scale(domain=[low, high], zero=False)
    chart = (
        alt.Chart(alt.Data(values=rows), height=HEIGHT_PX)
        .mark_line(strokeWidth=2, point=max(epochs) == min(epochs))
        .encode(
            x=alt.X(
                f"{along}:Q", scale=across, axis=alt.Axis(format="d", tickMinStep=1, grid=False)
            ),
            y=alt.Y(f"{up}:Q", scale=upward),
            color=alt.Color(
                "line:N", scale=colours, legend=alt.Legend(title=None, orient="bottom")
            ),
            tooltip=["line:N", f"{along}:Q", alt.Tooltip(f"{up}:Q", format=".3f")],
        )
    )
    st.altair_chart(chart, key=key)
