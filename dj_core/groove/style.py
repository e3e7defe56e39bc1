"""A clip's style in 62 numbers: how much each drum plays, how hard, how early, how it repeats.

All of them are ratios of sums over steps, so the style of any stretch of a performance is read
off cumulative sums in no time.
"""

from __future__ import annotations

import numpy as np

from dj_core.drums import LANE
from dj_core.groove.clips import ClipSet
from dj_core.tokenizers.groove import CEILING_BIN, LANES, MAX_OFFSET, STEPS_PER_QUARTER

VOICES: tuple[tuple[str, ...], ...] = (
    ("kick",),
    ("snare",),
    ("side_stick", "clap"),
    ("closed_hat",),
    ("pedal_hat",),
    ("open_hat",),
    ("low_tom", "mid_tom", "high_tom"),
    ("crash",),
    ("ride",),
    ("tambourine", "shaker", "cowbell", "conga"),
)
"""Drums whose strokes are told apart in a style."""

_SHARED = 12
STYLE_SIZE = 5 * len(VOICES) + _SHARED
DENSITY, LOUDNESS = 5 * len(VOICES), 5 * len(VOICES) + 1
"""Where a style says how many cells of a step are struck, and how hard on average."""

_VOICE_OF_LANE = np.zeros((LANES, len(VOICES)), np.float32)
for _voice, _names in enumerate(VOICES):
    for _name in _names:
        _VOICE_OF_LANE[LANE[_name], _voice] = 1.0


class StyleSums:
    """Cumulative sums over the steps of a clip set, from which styles are read."""

    def __init__(self, clips: ClipSet) -> None:
        sums = _step_quantities(clips)
        self._sums = np.vstack([np.zeros((1, sums.shape[1])), np.cumsum(sums, axis=0)])

    def between(self, first: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Styles (n, STYLE_SIZE) of the stretches from step `first` up to, not with, `end`."""
        return _style(self._sums[end] - self._sums[first])


def _step_quantities(clips: ClipSet) -> np.ndarray:
    """(steps, quantities) of float64, each to be summed over steps."""
    hit = (clips.velocity[:-1] > 0).astype(np.float32)
    velocity = hit * (clips.velocity[:-1].astype(np.float32) - 1) / CEILING_BIN
    offset = hit * (clips.offset[:-1].astype(np.float32) - 1 - MAX_OFFSET) / MAX_OFFSET
    by_voice = [q @ _VOICE_OF_LANE for q in (hit, velocity, velocity**2, offset, offset**2)]
    position = np.arange(clips.steps) - np.repeat(clips.starts[:-1], np.diff(clips.starts))
    on_beat = (position % STEPS_PER_QUARTER == 0)[:, None]
    on_eighth = (position % STEPS_PER_QUARTER == 2)[:, None]
    on_sixteenth = (position % 2 == 1)[:, None]
    shared = [
        np.ones(clips.steps),
        hit.sum(1),
        hit.any(1),
        velocity.sum(1),
        *(q for bars in (1, 2) for q in _repetition(clips, hit, position, bars)),
        (velocity * on_beat).sum(1),
        (hit * on_beat).sum(1),
        (velocity * on_sixteenth).sum(1),
        (hit * on_sixteenth).sum(1),
        (offset * on_eighth).sum(1),
        (hit * on_eighth).sum(1),
        (offset * on_sixteenth).sum(1),
        (clips.second_velocity[:-1] > 0).sum(1),
        (clips.velocity[:-1] == CEILING_BIN + 1).sum(1),
        (clips.offset[:-1] == MAX_OFFSET + 1).sum(1),
    ]
    return np.hstack([*by_voice, np.stack(shared, axis=1)]).astype(np.float64)


def _repetition(
    clips: ClipSet, hit: np.ndarray, position: np.ndarray, bars: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cells struck now and `bars` bars ago, and cells struck at either time, per step."""
    lag = bars * np.repeat(clips.bar_steps, np.diff(clips.starts))
    known = position >= lag
    before = hit[np.where(known, np.arange(len(hit)) - lag, 0)]
    both, either = np.minimum(hit, before).sum(1), np.maximum(hit, before).sum(1)
    return both * known, either * known


def _style(sums: np.ndarray) -> np.ndarray:
    voices = len(VOICES)
    count, v, v2, o, o2 = (sums[:, i * voices : (i + 1) * voices] for i in range(5))
    steps, cells, active, level, *rest = sums[:, 5 * voices :].T
    both1, either1, both2, either2, v_beat, n_beat, v_16, n_16, o_8, n_8, o_16, *tail = rest
    second, ceiling, on_grid = tail
    loudness = _ratio(level, cells)
    shared = [
        _ratio(cells, steps),
        loudness,
        _ratio(active, steps),
        _ratio(both1, either1),
        _ratio(both2, either2),
        np.where(n_beat > 0, _ratio(v_beat, n_beat) - loudness, 0),
        np.where(n_16 > 0, _ratio(v_16, n_16) - loudness, 0),
        _ratio(o_8, n_8),
        _ratio(o_16, n_16),
        _ratio(second, cells),
        _ratio(ceiling, cells),
        _ratio(on_grid, cells),
    ]
    mean_v, mean_o = _ratio(v, count), _ratio(o, count)
    spread_v = np.sqrt(np.maximum(_ratio(v2, count) - mean_v**2, 0))
    spread_o = np.sqrt(np.maximum(_ratio(o2, count) - mean_o**2, 0))
    often = np.sqrt(_ratio(count, steps[:, None]))
    return np.hstack([often, mean_v, spread_v, mean_o, spread_o, np.stack(shared, 1)])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0.5)
