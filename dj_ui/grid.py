"""Beats as drawn steps: one row per drum, one cell per step, brightness is velocity.

Everything here is a pure function from `Beat` to markup; the looks are in `theme.css`. A stroke
is drawn where it falls, so that microtiming shows as an offset inside its cell.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from html import escape

from dj_core.beat import Beat, Hit, Meter
from dj_core.drums import DRUMS
from dj_ui.words import counted

FOLD_BARS = 8  # what is longer shows these and an overview; the rest unfolds
ROLL_BARS = 16  # bars in one line of an overview
SOFTEST = 0.3  # opacity of a stroke of velocity 0, so that ghost notes stay visible
MAX_STEPS_DRAWN = 96  # in a bar; bars of odd meters with more show beats, not steps

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


def step_grid(beat: Beat) -> str:
    """The beat as HTML: its steps bar by bar, with an overview above when it is long.

    Text that people wrote (titles, genres) is escaped.
    """
    steps = steps_of(beat)
    lanes = beat.lanes or (0,)
    bars = _hits_by_bar(beat, steps)
    shown = min(beat.bars, FOLD_BARS)
    parts = []
    if beat.bars > FOLD_BARS:
        parts.append(overview(beat))
    parts.append(_bars_html(beat, steps, lanes, bars, range(shown)))
    if beat.bars > shown:
        rest = _bars_html(beat, steps, lanes, bars, range(shown, beat.bars), plain=True)
        parts.append(
            f'<details class="dj-fold"><summary>Bars {shown + 1} to {beat.bars}</summary>'
            f"{rest}</details>"
        )
    return f'<div class="dj-grid">{"".join(parts)}</div>'


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


def _hits_by_bar(beat: Beat, steps: Steps) -> dict[int, list[tuple[float, Hit]]]:
    """Strokes with their place in steps from their bar's line, by bar.

    A stroke just before a bar line that means the line is drawn there, a little early.
    """
    found: dict[int, list[tuple[float, Hit]]] = defaultdict(list)
    for hit in beat.hits:
        place = hit.onset_quarters * steps.per_quarter
        bar = min(round(place) // steps.per_bar, beat.bars - 1)
        found[bar].append((place - bar * steps.per_bar, hit))
    return found


# -- markup --------------------------------------------------------------------------------------
# Places and velocities are custom properties (--x, --y, --v), from 0 to 1; theme.css draws them.


def _bars_html(
    beat: Beat,
    steps: Steps,
    lanes: tuple[int, ...],
    bars: dict[int, list[tuple[float, Hit]]],
    numbers: range,
    plain: bool = False,
) -> str:
    """Bars `numbers` side by side; `plain` ones have a track per beat, not a cell per step."""
    plain = plain or steps.per_bar > MAX_STEPS_DRAWN
    ground = _tracks(steps) if plain else _cells(steps)
    labels = "".join(
        f'<span class="dj-{DRUMS[lane].family}"><b>{DRUMS[lane].short}</b> '
        f"{escape(DRUMS[lane].label)}</span>"
        for lane in lanes
    )
    drawn = "".join(
        f'<div class="dj-bar"><div class="dj-lanes">{labels}</div>'
        f'<div class="dj-number">{number + 1}</div>'
        f"{_lane_rows(bars[number], lanes, steps, ground)}</div>"
        for number in numbers
    )
    classes = f"dj-steps {'dj-one' if len(numbers) == 1 else 'dj-many'}"
    return (
        f'<div class="{classes}" style="--n:{steps.per_bar}" role="img" '
        f'aria-label="{escape(summary(beat))}">{drawn}</div>'
    )


def _lane_rows(
    hits: list[tuple[float, Hit]], lanes: tuple[int, ...], steps: Steps, ground: str
) -> str:
    """One bar: a row per drum, its ground first and its strokes on it."""
    strokes = dict.fromkeys(lanes, "")
    for place, hit in hits:
        strokes[hit.lane] += (
            f'<i style="--x:{place / steps.per_bar:.4g};--v:{_brightness(hit)}"></i>'
        )
    return "".join(
        f'<div class="dj-lane dj-{DRUMS[lane].family}">{ground}{strokes[lane]}</div>'
        for lane in lanes
    )


def _cells(steps: Steps) -> str:
    """An empty cell per step; those of every other beat are darker."""
    return "".join(
        "<s></s>" if step // steps.per_beat % 2 else "<u></u>" for step in range(steps.per_bar)
    )


def _tracks(steps: Steps) -> str:
    """A line per beat, where cells would be too many."""
    beats = range(0, steps.per_bar, steps.per_beat)
    widths = [min(steps.per_beat, steps.per_bar - start) for start in beats]
    return "".join(
        f'<{tag} style="grid-column:span {width}"></{tag}>'
        for number, width in enumerate(widths)
        for tag in ("s" if number % 2 else "u",)
    )


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
