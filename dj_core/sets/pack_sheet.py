"""The printed set list: the set at a glance, then every beat with its waveform and its steps.

A4 pages as PDF, black on white, in the hues of the light theme. The same set gives the same bytes.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dj_core.corpus.figures import FONT, LIGHT
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS
from dj_core.sets.set_names import slot_genre, slot_name, slot_origin
from dj_core.sets.set_plan import SetList

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE_INCHES = (8.27, 11.69)  # A4
LEFT, RIGHT, TOP, BOTTOM = 0.08, 0.94, 0.95, 0.05  # of the page
ROWS_PER_PAGE = 48
GRID_LEFT = LEFT + 0.035  # beside the names of the drums
BEAT_HEAD, LANE_HEIGHT, BEAT_GAP = 0.068, 0.0125, 0.03  # of the page
WAVE_HEIGHT = 0.027
STEP_BARS = 4  # bars of a beat that are drawn
STEPS_PER_QUARTER = 4
PAPER, CELL = "#ffffff", "#f0ede7"
LEAST_INK = 0.25  # opacity of the softest stroke

Outline = tuple[float, ...]
"""Peaks of a waveform from left to right, 0 to 1."""


def set_sheet(planned: SetList, outlines: Sequence[Outline]) -> bytes:
    """The printed set list as PDF.

    Args:
        planned: the set.
        outlines: a waveform for each of its beats, as far as there are any.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    file = io.BytesIO()
    about = {"Title": _printable(planned.settings.name), "CreationDate": None}
    with PdfPages(file, metadata=about) as pages:
        for figure in (*_list_pages(planned), *_beat_pages(planned, outlines)):
            pages.savefig(figure)
    return file.getvalue()


def clock(seconds: float) -> str:
    """A moment of the set as '1:02:05', or '42:05' in its first hour."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def slot_facts(planned: SetList, number: int) -> str:
    """A slot's genre, tempo, length, sections and what made it, in one line."""
    slot = planned.slots[number]
    sections = ", ".join(f"{section.kind} {section.bars}" for section in slot.sections)
    parts = [
        slot_genre(planned, number),
        f"{slot.tempo_bpm:.4g} BPM",
        str(slot.beat.meter),
        f"bars: {sections}",
        slot_origin(planned, number),
    ]
    return " · ".join(part for part in parts if part)


_COLUMNS = {
    "": 0.0, "at": 0.045, "beat": 0.13, "genre": 0.47, "BPM": 0.66, "bars": 0.73, "step": 0.79,
}  # fmt: skip

# -- the set at a glance -------------------------------------------------------------------------


def _list_pages(planned: SetList) -> list[Figure]:
    """The table of the set; the first page with its course in time above."""
    from matplotlib.figure import Figure

    pages, starts = [], planned.start_seconds
    numbers = range(len(planned.slots))
    for first in range(0, len(numbers), ROWS_PER_PAGE):
        figure = Figure(figsize=PAGE_INCHES, facecolor=PAPER)
        top = TOP
        if not first:
            tempos = [slot.tempo_bpm for slot in planned.slots]
            low, high, count = min(tempos), max(tempos), len(tempos)
            pace = f"{low:.4g} BPM" if low == high else f"{low:.4g} to {high:.4g} BPM"
            length = clock(planned.duration_seconds)
            facts = f"{count} beat{'s' * (count > 1)} · {length} · {pace}"
            _write(figure, LEFT, 0.94, planned.settings.name, size=22, weight="bold")
            _write(figure, LEFT, 0.915, facts, size=11, colour=LIGHT.quiet)
            _course(figure.add_axes((LEFT, 0.75, RIGHT - LEFT, 0.12)), planned)
            top = 0.69
        shown = numbers[first : first + ROWS_PER_PAGE]
        pitch = min(0.0165, (top - BOTTOM) / (len(shown) + 1))
        for heading, place in _COLUMNS.items():
            _write(figure, LEFT + place, top, heading, size=8, colour=LIGHT.quiet)
        for row, number in enumerate(shown, start=1):
            slot = planned.slots[number]
            step = slot.tempo_bpm / planned.slots[number - 1].tempo_bpm - 1 if number else 0.0
            cells = (
                f"{number + 1:02}",
                clock(starts[number]),
                _short(slot_name(planned, number), 32),
                _short(slot_genre(planned, number), 18),
                f"{slot.tempo_bpm:.4g}",
                f"{slot.bars}",
                f"{step:+.1%}" if abs(step) >= 0.0005 else "",
            )
            for cell, place in zip(cells, _COLUMNS.values(), strict=True):
                _write(figure, LEFT + place, top - row * pitch, cell, size=8.5)
        pages.append(figure)
    return pages


def _course(axes: Axes, planned: SetList) -> None:
    """Energy as an area and tempo as a line, over the minutes of the set."""
    minutes = [start / 60 for start in planned.start_seconds]
    minutes.append(planned.duration_seconds / 60)
    energy = [slot.energy for slot in planned.slots]
    axes.stairs(energy, minutes, fill=True, color=LIGHT.accent, alpha=0.3, linewidth=0)
    axes.set(xlim=(0, minutes[-1]), ylim=(0, 1.05), yticks=[])
    axes.set_xlabel("minutes", fontfamily=FONT, fontsize=8, color=LIGHT.quiet)
    pace = axes.twinx()
    tempos = [slot.tempo_bpm for slot in planned.slots]
    pace.stairs(tempos, minutes, baseline=None, color=LIGHT.text, linewidth=1.2)
    room = max(2.0, (max(tempos) - min(tempos)) * 0.2)
    pace.set_ylim(min(tempos) - room, max(tempos) + room)
    pace.set_ylabel("BPM", fontfamily=FONT, fontsize=8, color=LIGHT.quiet)
    for both in (axes, pace):
        both.tick_params(colors=LIGHT.quiet, labelsize=8, labelfontfamily=FONT, length=2)
        for spine in both.spines.values():
            spine.set_color(LIGHT.line)
    axes.set_title("Energy and tempo", loc="left", fontfamily=FONT, fontsize=9, color=LIGHT.quiet)


# -- beat by beat --------------------------------------------------------------------------------


def _beat_pages(planned: SetList, outlines: Sequence[Outline]) -> list[Figure]:
    """Beat under beat, each with its name, its waveform and its steps."""
    pages: list[_Page] = []
    top = BOTTOM
    for number, slot in enumerate(planned.slots):
        outline = outlines[number] if number < len(outlines) else ()
        height = BEAT_HEAD + LANE_HEIGHT * max(1, len(slot.beat.lanes)) + BEAT_GAP
        if top - height < BOTTOM:
            pages.append(_Page())
            top = TOP
        page = pages[-1]
        title = f"{number + 1:02}  {slot_name(planned, number)}"
        _write(page.figure, LEFT, top - 0.012, title, size=11, weight="bold")
        facts = slot_facts(planned, number)
        _write(page.figure, LEFT, top - 0.028, facts, size=8, colour=LIGHT.quiet)
        width = (RIGHT - GRID_LEFT) / max(1, len(outline))
        for column, peak in enumerate(outline):
            left, middle = GRID_LEFT + column * width, top - 0.048
            half = max(peak, 0.02) * WAVE_HEIGHT / 2
            page.box(LIGHT.accent, left, middle + half, left + width * 0.7, middle - half)
        _draw_steps(page, slot.beat, top - BEAT_HEAD)
        top -= height
    return [page.finished() for page in pages]


class _Page:
    """A page on which rectangles of one colour are drawn as one shape: small files, drawn soon."""

    def __init__(self) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=PAGE_INCHES, facecolor=PAPER)
        self._boxes: dict[tuple[str, float], list[tuple[float, float, float, float]]] = {}

    def box(
        self, colour: str, left: float, top: float, right: float, bottom: float, ink: float = 1.0
    ) -> None:
        """A rectangle in parts of the page, `ink` opaque (0 to 1)."""
        self._boxes.setdefault((colour, ink), []).append((left, top, right, bottom))

    def finished(self) -> Figure:
        """The page with everything on it."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        for (colour, ink), boxes in self._boxes.items():
            corners = [
                [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
                for left, top, right, bottom in boxes
            ]
            shape = Path(
                [corner for box in corners for corner in box],
                [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(boxes),
            )
            patch = PathPatch(shape, facecolor=colour, alpha=ink, linewidth=0)
            patch.set_transform(self.figure.transFigure)
            self.figure.add_artist(patch)
        return self.figure


def _draw_steps(page: _Page, beat: Beat, top: float) -> None:
    """The first bars as a grid: a cell per 16th, a stroke where it falls, as dark as it is loud."""
    lanes = beat.lanes or (0,)
    quarters = min(beat.bars, STEP_BARS) * beat.meter.bar_quarters
    quarter = (RIGHT - GRID_LEFT) / quarters

    def cell(colour: str, onset: float, row: int, ink: float = 1.0) -> None:
        left = GRID_LEFT + onset * quarter
        right = min(left + quarter / STEPS_PER_QUARTER, RIGHT)
        line = top - row * LANE_HEIGHT
        page.box(colour, left + 0.0008, line, right - 0.0008, line - LANE_HEIGHT * 0.8, ink)

    for row, lane in enumerate(lanes):
        for step in range(round(quarters * STEPS_PER_QUARTER)):
            cell(CELL, step / STEPS_PER_QUARTER, row)
        place = top - (row + 0.68) * LANE_HEIGHT
        _write(page.figure, LEFT, place, DRUMS[lane].short, size=7, colour=LIGHT.quiet)
    for hit in beat.hits:
        if hit.onset_quarters < quarters:
            ink = round(LEAST_INK + (1 - LEAST_INK) * hit.velocity / 127, 1)
            row = lanes.index(hit.lane)
            cell(LIGHT.families[hit.drum.family], hit.onset_quarters, row, ink)
    for bar in range(1, round(quarters / beat.meter.bar_quarters)):
        line = GRID_LEFT + bar * beat.meter.bar_quarters * quarter
        page.box(LIGHT.quiet, line - 0.0004, top, line + 0.0004, top - len(lanes) * LANE_HEIGHT)


# -- words ---------------------------------------------------------------------------------------


def _write(
    figure: Figure, x: float, y: float, text: str, *,
    size: float, weight: str = "normal", colour: str = LIGHT.text,
) -> None:  # fmt: skip
    figure.text(
        x, y, _printable(text), fontsize=size, fontweight=weight, color=colour, fontfamily=FONT,
        parse_math=False,
    )  # fmt: skip


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _printable(text: str) -> str:
    """`text` with a question mark for every character the typeface does not have."""
    return "".join(letter if ord(letter) in _letters() else "?" for letter in text)


@functools.cache
def _letters() -> frozenset[int]:
    """The code points that the typeface can draw."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(FONT)).get_charmap())
