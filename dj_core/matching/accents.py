"""Accents of a beat as a track's groove template has them, and how alike the two are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dj_core.listening.groove_template import STEPS_PER_BEAT, GrooveTemplate
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS
from dj_core.shaping.attributes import attributes

BAND_OF_LANE: tuple[int, ...] = tuple(
    0
    if drum.name in ("kick", "low_tom")
    else 2
    if drum.family in ("hat", "cymbal") or drum.name in ("shaker", "tambourine")
    else 1
    for drum in DRUMS
)
"""Row of `groove_template.TEMPLATE_BANDS` that a drum sounds in, by lane."""
LATE_FOR_SWING = 0.35  # of a 16th: the second of a pair may come so much before the next step
HEARD_SWING_STROKES = 12
_SOUNDS = 0.2
_FAR_SWING = 12.0  # percent points at which swings have nothing in common
_WEIGHTS = (0.6, 0.25, 0.15)  # of accents, swing and density in the likeness


@dataclass(frozen=True)
class Likeness:
    """How well a beat fits a track; each 0 to 1.

    Attributes:
        accents: correlation of what sounds on each 16th of the bar, band by band.
        swing: 1 for the same, 0 for twelve points apart.
        density: of strokes a bar, the smaller over the larger.
        total: of the three, weighted .6, .25 and .15.
    """

    accents: float
    swing: float
    density: float
    total: float


def accents_of(beat: Beat) -> NDArray[np.float64]:
    """(bands, steps of a bar), 0 to 1: the hardest stroke of each step, all bars averaged."""
    steps = round(beat.meter.bar_quarters * STEPS_PER_BEAT)
    bars = np.zeros((beat.bars, 3, steps))
    for hit in beat.hits:
        step = int(hit.onset_quarters * STEPS_PER_BEAT + LATE_FOR_SWING)
        if step < beat.bars * steps:
            place = step // steps, BAND_OF_LANE[hit.lane], step % steps
            bars[place] = max(bars[place], hit.velocity / 127)
    mean: NDArray[np.float64] = bars.mean(axis=0)
    return mean


def likeness(beat: Beat, groove: GrooveTemplate) -> Likeness:
    """How well a beat fits the track whose template is `groove`."""
    played = accents_of(beat)
    alike = correlation(played, groove.level)
    swing = 1.0
    if groove.swing_strokes >= HEARD_SWING_STROKES:
        apart = abs(attributes(beat).swing - groove.swing_percent)
        swing = max(0.0, 1 - apart / _FAR_SWING)
    heard = float((groove.bars > _SOUNDS).sum(axis=(1, 2)).mean())
    struck = float((played > _SOUNDS * 0.7).sum())
    density = min(heard, struck) / max(heard, struck, 1e-9)
    parts = max(0.0, alike), swing, density
    total = sum(weight * part for weight, part in zip(_WEIGHTS, parts, strict=True))
    return Likeness(*(round(part, 4) for part in (*parts, total)))


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Of two tables of accents, each band around its own mean; 0 where their meters differ."""
    if one.shape != other.shape:
        return 0.0
    a, b = (table - table.mean(axis=1, keepdims=True) for table in (one, other))
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / scale) if scale > 1e-9 else 0.0
