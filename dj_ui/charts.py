"""Loss curves, redrawn in place while a run trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import streamlit as st

from dj_core.corpus.figures import PALETTES
from dj_ui.frame import palette_name

HEIGHT_PX = 260


def loss_chart(curves: Mapping[str, Sequence[tuple[int, float]]], key: str) -> None:
    """Loss by epoch, a line per name with a point or more: {'training': [(1, 5.2), (2, 4.1)]}."""
    palette = PALETTES[palette_name()]
    others = [hue for name, hue in palette.families.items() if name != "hat"]
    rows = [
        {"epoch": epoch, "loss": loss, "line": name}
        for name, points in curves.items()
        for epoch, loss in points
    ]
    colours = alt.Scale(
        domain=list(curves), range=[palette.accent, palette.families["hat"], *others]
    )
    epochs = [epoch for points in curves.values() for epoch, _ in points]
    losses = [loss for points in curves.values() for _, loss in points]
    # said here, because the chart is first drawn without its lines and finds no ends itself
    across = alt.Scale(domain=[1, max(2, *epochs)], nice=False)
    up = alt.Scale(domain=[min(losses), max(losses)], zero=False)
    chart = (
        alt.Chart(alt.Data(values=rows), height=HEIGHT_PX)
        .mark_line(strokeWidth=2, point=max(epochs) <= 1)
        .encode(
            x=alt.X("epoch:Q", scale=across, axis=alt.Axis(format="d", tickMinStep=1, grid=False)),
            y=alt.Y("loss:Q", scale=up),
            color=alt.Color(
                "line:N", scale=colours, legend=alt.Legend(title=None, orient="bottom")
            ),
            tooltip=["line:N", "epoch:Q", alt.Tooltip("loss:Q", format=".3f")],
        )
    )
    st.altair_chart(chart, key=key)
