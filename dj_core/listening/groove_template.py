"""The groove of a track as a template: where and how hard each 16th sounds, in three bands.

onsets + grid --peaks--> strokes per band --nearest 16th--> level and lateness per step
    --second 16ths of pairs--> swing
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dj_core.listening.beat_grid import BeatGrid
from dj_core.listening.onset_strength import FRAMES_PER_SECOND
from dj_core.listening.tempo_candidates import Strength

STEPS_PER_BEAT = 4
TEMPLATE_BANDS = ("low", "mid", "high")
"""Kicks; snares, claps and toms; hats."""
_ROWS: dict[str, tuple[int, ...]] = {"low": (0,), "mid": (2, 3), "high": (4,)}
_LEAST_STRENGTH = 1.2  # of a stroke; 1 is the band's mean square
_EARLIEST, _LATEST = -0.1, 0.17  # quarters by which a stroke may miss its 16th, late for swing
_FEWEST = 6  # strokes from which a swing is measured
STRAIGHT_PERCENT = 50.0


@dataclass(frozen=True, eq=False)
class GrooveTemplate:
    """How a track is played, averaged over its bars.

    Attributes:
        level: (bands, steps of a bar), 0 to 1: how hard a step sounds, all bars averaged.
        late_quarters: (bands, steps): by how much its strokes come after the step; 0 where none.
        bars: (bars, bands, steps): the levels of each bar.
        swing_percent: where the second of two 16ths (or 8ths) falls; 50 is straight, 67 a triplet.
        swing_strokes: how many strokes that was measured on.
    """

    level: NDArray[np.float64]
    late_quarters: NDArray[np.float64]
    bars: NDArray[np.float64]
    swing_percent: float
    swing_strokes: int


def groove_template(strength: Strength, grid: BeatGrid) -> GrooveTemplate:
    """The template of a track whose grid is known."""
    steps = grid.beats_per_bar * STEPS_PER_BEAT
    first = grid.first_downbeat
    count = max(1, (len(grid.beats) - first) // grid.beats_per_bar)
    bars = np.zeros((count, len(TEMPLATE_BANDS), steps))
    late = np.zeros((len(TEMPLATE_BANDS), steps))
    at_second: list[NDArray[np.float64]] = []
    at_offbeat: list[NDArray[np.float64]] = []
    numbers = np.arange(len(grid.beats), dtype=float) - first
    for band, name in enumerate(TEMPLATE_BANDS):
        onsets, levels = _strokes(strength[:, _ROWS[name]].mean(axis=1))
        if not len(onsets) or len(grid.beats) < 2:
            continue
        quarters = np.interp(onsets, grid.beats, numbers, left=np.nan, right=np.nan)
        kept = np.isfinite(quarters) & (quarters > -0.1)
        quarters, levels = quarters[kept], levels[kept]
        on_beat = (quarters + 0.15) % 1 - 0.15
        near = np.abs(on_beat) < 0.1
        # a band rises a little late or early as a whole; it is measured against its own beats
        own = float(np.median(on_beat[near])) if near.sum() >= 3 else 0.0
        quarters = quarters - own
        inside = (quarters + 0.1) % 1 - 0.1
        at_second.append(inside[((inside > 0.18) & (inside < 0.42))])
        at_second.append(inside[((inside > 0.68) & (inside < 0.9))] - 0.5)
        at_offbeat.append(inside[(inside > 0.42) & (inside < 0.76)])
        step = np.floor(quarters * STEPS_PER_BEAT + 0.35).astype(int)
        off = quarters - step / STEPS_PER_BEAT
        good = (off > _EARLIEST) & (off < _LATEST) & (step >= 0) & (step < count * steps)
        step, off, levels = step[good], off[good], levels[good]
        np.maximum.at(bars, (step // steps, band, step % steps), levels)
        weight = np.bincount(step % steps, levels, steps)
        late[band] = np.bincount(step % steps, levels * off, steps) / np.maximum(weight, 1e-9)
    for band in range(len(TEMPLATE_BANDS)):
        top = float(np.percentile(bars[:, band], 98)) or 1.0
        bars[:, band] = np.clip(bars[:, band] / max(top, 1e-9), 0, 1)
    swing, strokes = _swing(at_second, at_offbeat)
    return GrooveTemplate(bars.mean(axis=0), late, bars, swing, strokes)


def _strokes(curve: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times in seconds and strengths of a band's peaks."""
    middle = curve[1:-1]
    peaks = 1 + np.flatnonzero(
        (middle >= curve[:-2]) & (middle > curve[2:]) & (middle > _LEAST_STRENGTH)
    )
    before, at, after = curve[peaks - 1], curve[peaks], curve[peaks + 1]
    bend = before - 2 * at + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0)
    return (peaks + shift) / FRAMES_PER_SECOND, at.astype(float)


def _swing(
    at_second: list[NDArray[np.float64]], at_offbeat: list[NDArray[np.float64]]
) -> tuple[float, int]:
    """In percent, of 16ths where they are played, else of 8ths; and on how many strokes."""
    second = np.concatenate(at_second) if at_second else np.zeros(0)
    offbeat = np.concatenate(at_offbeat) if at_offbeat else np.zeros(0)
    if len(second) >= max(_FEWEST, 0.12 * len(offbeat)):
        return float(np.median(second)) * 200, len(second)
    if len(offbeat) >= _FEWEST:
        return float(np.median(offbeat)) * 100, len(offbeat)
    return STRAIGHT_PERCENT, 0
