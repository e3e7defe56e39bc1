"""Figures in matplotlib, in the app's own colours; the paper's Figures 1 to 3 among them.

Each function returns a `Figure` of its own, without pyplot's shared state, so that any thread may
draw. `figure_svg` turns one into bytes for a page or a file.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rcParams
from matplotlib.figure import Figure

from dj_core.music.drums import DRUMS, Family
from dj_core.music.genres import genre_label

WIDTH_INCHES, ROW_INCHES, HEAD_INCHES = 4.8, 0.27, 0.62
FONT = "DejaVu Sans Mono"  # comes with matplotlib: the same on every machine
MAX_LABEL_LETTERS = 24
MOST_BARS = 10  # of a histogram, as in the paper
rcParams["svg.hashsalt"] = "Digital DJ"  # a drawing's ids: the same figure, the same bytes


@dataclass(frozen=True)
class Palette:
    """Colours of one theme; the same as in `.streamlit/config.toml` and `dj_ui/theme.css`.

    Attributes:
        accent: for what matters.
        bar: for bars that are not about drums.
        text, quiet: words and numbers, and those that may step back.
        line: axes and guides.
        families: each drum family's hue.
    """

    accent: str
    bar: str
    text: str
    quiet: str
    line: str
    families: Mapping[Family, str]


DARK = Palette(
    accent="#ff7a1f",
    bar="#8b92a1",
    text="#ecebe7",
    quiet="#a3a6ae",
    line="#343944",
    families={
        "kick": "#e98b86",
        "snare": "#d9ad62",
        "hat": "#5fbcc0",
        "tom": "#8cbf7f",
        "cymbal": "#86a9ea",
        "percussion": "#c492cf",
    },
)
LIGHT = Palette(
    accent="#b34700",
    bar="#7d7a74",
    text="#1d1c1a",
    quiet="#5d5a54",
    line="#cfcac1",
    families={
        "kick": "#b3403d",
        "snare": "#94620a",
        "hat": "#12747a",
        "tom": "#3d7a30",
        "cymbal": "#345fb8",
        "percussion": "#8a4699",
    },
)
PALETTES: dict[str, Palette] = {"dark": DARK, "light": LIGHT}


def note_histogram(notes: Sequence[str], palette: Palette = DARK) -> Figure:
    """The most frequent notes of a song, as in the paper's Figures 1 to 3.

    Args:
        notes: strings as the notes model writes them ('C2', 'rest', 'C2 F#2'), in any order.
        palette: the theme's colours.
    """
    counts = Counter(notes)
    title = f"{len(counts)} of {len(notes)} notes are distinct"
    return _bars(counts.most_common(MOST_BARS), title, palette, "times played", palette.accent)


def start_note_histogram(notes: Iterable[str], palette: Palette = DARK) -> Figure:
    """What the songs of a corpus begin with, most frequent first; one note per song."""
    counts = Counter(notes)
    title = f"{len(counts)} ways to begin, in {counts.total()} beats"
    return _bars(counts.most_common(MOST_BARS), title, palette, "beats")


def genre_balance(files_by_genre: Mapping[str, int], palette: Palette = DARK) -> Figure:
    """How many files each genre has, most first. Keys are genre names, '' for unknown."""
    rows = sorted(files_by_genre.items(), key=lambda row: (-row[1], row[0]))
    labelled = [(genre_label(name) if name else "No genre", count) for name, count in rows]
    title = f"{len(rows)} genres, {sum(files_by_genre.values())} beats"
    return _bars(labelled, title, palette, "beats")


def length_distribution(files_by_bars: Mapping[int, int], palette: Palette = DARK) -> Figure:
    """How many files have how many bars; what is longer than 16 bars is one row."""
    short = [(bars, count) for bars, count in sorted(files_by_bars.items()) if bars <= 16]
    rows = [("1 bar" if bars == 1 else f"{bars} bars", count) for bars, count in short]
    longer = sum(count for bars, count in files_by_bars.items() if bars > 16)
    if longer:
        rows.append(("longer", longer))
    return _bars(rows, f"{sum(files_by_bars.values())} beats by length", palette, "beats")


def drum_use(files_by_lane: Mapping[int, int], files: int, palette: Palette = DARK) -> Figure:
    """In how many of `files` files each drum plays; keys are lanes of the drum table."""
    rows = [(DRUMS[lane].label, count) for lane, count in sorted(files_by_lane.items())]
    colours = [palette.families[DRUMS[lane].family] for lane in sorted(files_by_lane)]
    return _bars(rows, f"Drums in {files} beats", palette, "beats with the drum", colours)


def figure_svg(figure: Figure) -> bytes:
    """The figure as an SVG file with a transparent ground; the same figure, the same drawing."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def _bars(
    rows: Sequence[tuple[str, int]],
    title: str,
    palette: Palette,
    counted: str,
    colours: str | Sequence[str] = "",
) -> Figure:
    """Horizontal bars, the first on top, each with its count of what is `counted` at its end."""
    height = HEAD_INCHES + ROW_INCHES * max(len(rows), 1)
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    axes.set_title(title, loc="left", color=palette.text, fontfamily=FONT, fontsize=10, pad=10)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "left")
        spine.set_color(palette.line)
    axes.tick_params(colors=palette.quiet, labelsize=9, labelfontfamily=FONT, length=0, pad=6)
    axes.set_xticks([])
    axes.set_xlabel(counted, color=palette.quiet, fontfamily=FONT, fontsize=8)
    if not rows:
        axes.yaxis.set_visible(False)
        return figure
    names, counts = zip(*rows, strict=True)
    bars = axes.barh(range(len(rows)), counts, height=0.66, color=colours or palette.bar)
    plain = [name.replace("$", r"\$") for name in names]  # not the mathematics between two of them
    most = MAX_LABEL_LETTERS
    short = [name if len(name) <= most else name[: most - 1] + "…" for name in plain]
    axes.set_yticks(range(len(rows)), short)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, max(counts) * 1.14 or 1)
    text: dict[str, Any] = {"color": palette.text, "fontfamily": FONT, "fontsize": 9}
    for label in axes.bar_label(bars, fmt="%d", padding=5, **text):
        label.set_verticalalignment("center_baseline")
    return figure
