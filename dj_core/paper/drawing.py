"""The figures of a reproduction, drawn with matplotlib in the app's colours."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dj_core.corpus.figures import (
    DARK,
    FONT,
    HEAD_INCHES,
    ROW_INCHES,
    WIDTH_INCHES,
    Palette,
    note_histogram,
)
from dj_core.paper.plan import BEST, FINAL
from dj_core.paper.results import Results
from dj_core.paper.songs import FIGURE_TEMPERATURES
from dj_core.paper.tables import CELL_LABELS, ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_HEIGHT_INCHES = 3.0
PNG_DOTS_PER_INCH = 160
Points = Sequence[tuple[float, float]]


def all_figures(results: Results, palette: Palette = DARK) -> dict[str, Figure]:
    """Every figure by the name of its file."""
    drawn = {
        f"figure-{number}-{name}": song_figure(results, name, temperature, palette)
        for number, temperature in enumerate(FIGURE_TEMPERATURES, start=1)
        for name in (FINAL, BEST)
    }
    if FINAL in results.curves:
        drawn["figure-4"] = loss_figure(results, palette)
        drawn["accuracy"] = accuracy_figure(results, palette)
    return drawn | {
        "temperature-notes": temperature_notes_figure(results, palette),
        "temperature-loss": temperature_loss_figure(results, palette),
        "systems": systems_figure(results, palette),
        "form": form_figure(results, palette),
    }


def song_figure(results: Results, name: str, temperature: float, palette: Palette = DARK) -> Figure:
    """Figures 1 to 3: the ten most frequent notes of a song."""
    return note_histogram(results.song(name, temperature).notes, palette)


def loss_figure(results: Results, palette: Palette = DARK) -> Figure:
    """Figure 4: training and validation loss of the paper's final network."""
    lines = {
        "training": _by_epoch(results, "train_loss"),
        "validation": _by_epoch(results, "validation_loss"),
    }
    title = f"Cross-entropy, looped songs (seed 1, n = {validation_songs(results)})"
    return line_figure(lines, title, palette, axes=("epoch", "nats per note"))


def accuracy_figure(results: Results, palette: Palette = DARK) -> Figure:
    """Accuracy of the paper's final network after each epoch, both ways of counting."""
    lines = {
        "the authors' accuracy": _by_epoch(results, "authors_accuracy"),
        "next-note accuracy": _by_epoch(results, "accuracy"),
    }
    title = f"Validation accuracy (seed 1, n = {validation_songs(results)} songs)"
    return line_figure(lines, title, palette, shares=True, axes=("epoch", "share of notes"))


def validation_songs(results: Results) -> int:
    """How many songs losses are measured on."""
    return results.facts.songs["validation"]


def _by_epoch(results: Results, measured: str) -> Points:
    """What was measured of the paper's final network after each epoch it was measured in."""
    found = ((point.epoch, getattr(point, measured)) for point in results.curves[FINAL])
    return [(epoch, value) for epoch, value in found if value is not None]


def temperature_notes_figure(results: Results, palette: Palette = DARK) -> Figure:
    """Different notes in 500 over temperature."""
    lines = _by_temperature(results, "distinct")
    title = "Different notes in a song of 500 (seed 1)"
    return line_figure(lines, title, palette, axes=("temperature", "different notes"))


def temperature_loss_figure(results: Results, palette: Palette = DARK) -> Figure:
    """Loss of held-out songs over temperature."""
    lines = _by_temperature(results, "loss")
    title = f"Validation cross-entropy (seed 1, n = {validation_songs(results)} songs)"
    return line_figure(lines, title, palette, axes=("temperature", "nats per note"))


def _by_temperature(results: Results, measured: str) -> dict[str, Points]:
    lines: dict[str, Points] = {}
    for name, curve in sorted(results.temperatures.items()):
        found = ((point.temperature, getattr(point, measured)) for point in curve)
        title = "the paper's network" if name == FINAL else name
        lines[title] = [(temperature, value) for temperature, value in found if value is not None]
    return lines


def systems_figure(results: Results, palette: Palette = DARK) -> Figure:
    """Loss of every system with its range over seeds; the n-gram is the dashed line."""
    height = HEAD_INCHES + ROW_INCHES * len(results.systems)
    title = f"Validation loss (n = {validation_songs(results)} songs)"
    figure, axes = _empty(title, palette, height + 0.3)
    name_axes(axes, palette, "nats per note (dashed: n-gram)", "")
    systems = ranked(results)
    losses = [system.loss() for system in systems]
    colours = [
        palette.accent if system.name == BEST else
        palette.families["hat"] if system.group == "paper" else palette.bar
        for system in systems
    ]  # fmt: skip
    axes.barh(range(len(systems)), losses, height=0.66, color=colours)
    axes.set_yticks(range(len(systems)), [system.label[:38] for system in systems])
    axes.set_ylim(len(systems) - 0.4, -0.6)
    axes.axvline(results.floor.scores["validation"]["once"].loss, color=palette.text, lw=1, ls="--")
    axes.xaxis.set_visible(True)
    for place, loss in enumerate(losses):
        spread = systems[place].losses()
        if len(spread) > 1:  # the range over seeds
            axes.plot((min(spread), max(spread)), (place, place), color=palette.text, linewidth=2)
        axes.annotate(
            f"{loss:.2f}", (max(spread), place), xytext=(4, 0), textcoords="offset points",
            va="center_baseline", color=palette.text, fontfamily=FONT, fontsize=8,
        )  # fmt: skip
    axes.set_xlim(0, max(losses) * 1.12)
    return figure


def form_figure(results: Results, palette: Palette = DARK) -> Figure:
    """Bars right, chorus by chorus."""
    lines = {
        found.cell: [(number, share) for number, share in enumerate(found.bars_right, start=1)]
        for found in results.form
    }
    lines = {CELL_LABELS[cell]: points for cell, points in lines.items()}
    title = f"Bars right in the continuation (seeds: {results.form[0].seeds})"
    return line_figure(lines, title, palette, shares=True, axes=("chorus", "share of 12 bars"))


def line_figure(
    lines: Mapping[str, Points],
    title: str,
    palette: Palette = DARK,
    *,
    axes: tuple[str, str],
    shares: bool = False,
) -> Figure:
    """Lines over numbers, each named at the figure's foot; empty ones are left out.

    Args:
        axes: what the horizontal and the vertical axis show, with units.
        shares: heights are shares of one and begin at none.
    """
    figure, drawn = _empty(title, palette, LINE_HEIGHT_INCHES)
    name_axes(drawn, palette, *axes)
    if shares:
        highest = max((height for points in lines.values() for _, height in points), default=1.0)
        drawn.set_ylim(0, max(1.05 * highest, 0.1))
    families = palette.families
    hues = [palette.accent, families["hat"], families["tom"], families["percussion"]]
    drawn.grid(axis="y", color=palette.line, linewidth=0.6)
    for (name, points), hue in zip(lines.items(), hues, strict=False):
        if points:
            drawn.plot(*zip(*points, strict=True), color=hue, linewidth=1.8, label=name,
                      marker="o" if len(points) < 3 else None)  # fmt: skip
    if any(lines.values()):
        figure.legend(
            loc="outside lower left", ncols=2, frameon=False, labelcolor=palette.text,
            prop={"family": FONT, "size": 9},
        )  # fmt: skip
    return figure


def name_axes(axes: Axes, palette: Palette, horizontal: str, vertical: str) -> None:
    """Say what the axes show."""
    for name, write in ((horizontal, axes.set_xlabel), (vertical, axes.set_ylabel)):
        if name:
            write(name, color=palette.quiet, fontfamily=FONT, fontsize=8)


def figure_png(figure: Figure, ground: str) -> bytes:
    """The figure as a PNG file on a plain ground."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=PNG_DOTS_PER_INCH, facecolor=ground)
    return file.getvalue()


def _empty(title: str, palette: Palette, height_inches: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    axes.set_title(title, loc="left", color=palette.text, fontfamily=FONT, fontsize=10, pad=10)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(palette.line)
    axes.tick_params(colors=palette.quiet, labelsize=8, labelfontfamily=FONT, length=0, pad=6)
    return figure, axes
