"""Touch: how hard a written stroke is struck.

Nothing is left to chance. A stroke's velocity is its drum's default velocity times its level, and a
few percent more or less: by its place in the bar (bar line, beat, half of a beat, between), and by
a cycle of seven that each drum goes through stroke by stroke, so that bars of 4, 8 or 16 strokes
are not exactly alike. The touch says how much of both there is.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from dj_core.music.beat import Beat, Meter
from dj_core.music.drums import DRUMS, Drum

LEVELS: dict[str, float] = {"g": 0.32, "o": 0.66, "x": 0.92, "X": 1.1}  # of the default velocity
TOUCHES: dict[str, float] = {"hand": 1.0, "machine": 0.4, "exact": 0.0}
UNKNOWN = -1.0  # a drum whose strokes no touch explains
BAR_LINE, ON_BEAT, HALF_BEAT, BETWEEN = 0.03, 0.0, -0.03, -0.06
CYCLE = (0.0, 0.03, -0.02, 0.01, -0.03, 0.02, -0.01)
_NEAR = 1.5  # velocities by which strokes of one touch may miss it on average
_AS_WELL = 0.25  # so much worse than a drum's own touch, that of all drums explains it as well
_DEFAULTS = np.array([drum.default_velocity for drum in DRUMS])
_LEVELS = np.array(list(LEVELS.values()))
_TOUCHES = np.array(list(TOUCHES.values()))


def beat_quarters(meter: Meter) -> Fraction:
    """The felt beat: three eighths in 6/8, 9/8 and 12/8, else the meter's own unit."""
    unit = Fraction(4, meter.denominator)
    return unit * 3 if meter.denominator >= 8 and meter.numerator % 3 == 0 else unit


def weight(position_quarters: Fraction, meter: Meter) -> float:
    """How much louder than its level a stroke is at this place of the bar, as a share."""
    beat = beat_quarters(meter)
    if position_quarters == 0:
        return BAR_LINE
    if position_quarters % beat == 0:
        return ON_BEAT
    return HALF_BEAT if position_quarters % (beat / 2) == 0 else BETWEEN


def velocity(drum: Drum, level: float, weight: float, number: int, touch: float) -> int:
    """MIDI velocity of a stroke: `number` of its drum came before, `weight` is its place's."""
    shaped = drum.default_velocity * level * (1 + touch * (weight + CYCLE[number % len(CYCLE)]))
    return min(127, max(1, round(shaped)))


def velocities(
    step: np.ndarray, lane: np.ndarray, touch: np.ndarray | float, meter: Meter
) -> np.ndarray:
    """`velocity` of many strokes on 16ths at once, at each of `LEVELS`, (n, 4).

    Args:
        step: 16ths from the beginning, (n,).
        lane: row of the drum table, (n,).
        touch: of each stroke, (n,), or of all.
        meter: of the beat.
    """
    places = [Fraction(place, 4) for place in range(round(4 * meter.bar_quarters))]
    weights = np.array([weight(place, meter) for place in places])
    order = np.lexsort((step, lane))
    number = np.empty(len(step), int)
    number[order] = np.arange(len(step)) - np.searchsorted(lane[order], lane[order])
    shape = 1 + touch * (weights[step % len(weights)] + np.array(CYCLE)[number % len(CYCLE)])
    struck = np.rint(_DEFAULTS[lane][:, None] * _LEVELS * shape[:, None])
    limited: np.ndarray = np.clip(struck, 1, 127).astype(int)
    return limited


def touches_of(beat: Beat) -> np.ndarray:
    """The touch that explains each drum's velocities, (16,); `UNKNOWN` where none does."""
    step = np.array([int(hit.onset_quarters * 4 + 0.5) for hit in beat.hits], int)
    lane = np.array([hit.lane for hit in beat.hits], int)
    struck = np.array([hit.velocity for hit in beat.hits])
    missed = np.zeros((len(_TOUCHES), len(DRUMS)))
    for place, touch in enumerate(_TOUCHES):
        away = np.abs(velocities(step, lane, touch, beat.meter) - struck[:, None]).min(1)
        np.add.at(missed[place], lane, away)
    of_all = int(missed.sum(1).argmin())
    mean = missed / np.maximum(np.bincount(lane, minlength=len(DRUMS)), 1)
    best = np.where(mean[of_all] <= mean.min(0) + _AS_WELL, of_all, mean.argmin(0))
    explained = mean[best, np.arange(len(DRUMS))] <= _NEAR
    return np.where(explained, _TOUCHES[best], UNKNOWN)
