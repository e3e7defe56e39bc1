"""A beat for display: its steps, its outline and its description in words.

Everything here is a pure function of `Beat`; the looks are in `theme.css`. The steps themselves
are drawn by the deck, in the browser.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape

from dj_core.files.file_names import counted
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS

ROLL_BARS = 16  # bars in one line of an overview
SOFTEST = 0.3  # opacity of a stroke of velocity 0, so that ghost notes stay visible

# Steps per quarter note and what a grid must gain over 16ths before it is chosen: strokes that
# fit several grids belong to the plainest one.
_SIMPLE = ((4, 0.0), (3, 0.04), (6, 0.08))
_COMPOUND = ((2, 0.0), (4, 0.04))  # eighths in groups of three


@dataclass(frozen=True)
class Steps:
    """How a bar is divided for drawing.

    Attributes:
        per_quarter: steps in a quarter note.
        per_bar: steps in a bar.
        per_beat: steps in what a listener taps along to.
    """

    per_quarter: int
    per_bar: int
    per_beat: int


def steps_of(beat: Beat) -> Steps:
    """The division the strokes of `beat` fit best: 16ths, triplets, or eighths of a 12/8."""
    meter = beat.meter
    compound = meter.denominator == 8 and meter.numerator % 3 == 0
    grids = [grid for grid in (_COMPOUND if compound else _SIMPLE) if _divides(grid[0], meter)]
    if not grids:  # bars such as 7/32
        return Steps(8, max(1, round(8 * meter.bar_quarters)), 1)
    onsets = [hit.onset_quarters for hit in beat.hits]
    per_quarter = min(grids, key=lambda grid: _misfit(onsets, grid[0]) + grid[1])[0]
    per_bar = round(per_quarter * meter.bar_quarters)
    beat_quarters = 1.5 if compound else min(4 / meter.denominator, 1.0)
    return Steps(per_quarter, per_bar, max(1, round(beat_quarters * per_quarter)))


def overview(beat: Beat) -> str:
    """The whole beat small: every stroke as a tick, lines of up to sixteen bars."""
    per_row = min(beat.bars, ROLL_BARS)
    rows = "".join(
        f'<div style="--bars:{per_row};--lanes:{len(beat.lanes) or 1}">'
        f"{_roll_hits(beat, first, per_row)}</div>"
        for first in range(0, beat.bars, ROLL_BARS)
    )
    return f'<div class="dj-roll" role="img" aria-label="{escape(summary(beat))}">{rows}</div>'


def summary(beat: Beat) -> str:
    """The beat in words, for those who do not see it: '2 bars of 4/4: Kick 4, Snare 2'."""
    counts = Counter(hit.lane for hit in beat.hits)
    drums = ", ".join(f"{DRUMS[lane].label} {counts[lane]}" for lane in beat.lanes)
    return f"{counted(beat.bars, 'bar')} of {beat.meter}: {drums or 'silence'}"


# -- divisions -----------------------------------------------------------------------------------


def _divides(per_quarter: int, meter: Meter) -> bool:
    return (per_quarter * meter.bar_quarters).is_integer()


def _misfit(onsets: list[float], per_quarter: int) -> float:
    """Mean distance of the strokes from the grid in steps: 0 on it, 0.25 for random ones."""
    distances = [abs(onset * per_quarter - round(onset * per_quarter)) for onset in onsets]
    return sum(distances) / len(distances) if distances else 0.0


# -- markup --------------------------------------------------------------------------------------
# Places and velocities are custom properties (--x, --y, --v), from 0 to 1; theme.css draws them.


def _roll_hits(beat: Beat, first_bar: int, bars: int) -> str:
    start = first_bar * beat.meter.bar_quarters
    length = bars * beat.meter.bar_quarters
    lanes = beat.lanes
    return "".join(
        f'<i class="dj-{hit.drum.family}" style="--x:{(hit.onset_quarters - start) / length:.4g};'
        f'--y:{lanes.index(hit.lane) / len(lanes):.3g};--v:{_brightness(hit)}"></i>'
        for hit in beat.hits
        if start <= hit.onset_quarters < start + length
    )


def _brightness(hit: Hit) -> str:
    return f"{SOFTEST + (1 - SOFTEST) * hit.velocity / 127:.2f}"
