"""The groove of a track as a template: where and how hard each 16th sounds, in three bands.

onsets + grid --peaks--> strokes per band --nearest 16th--> level and lateness per step
    --second 16ths of pairs--> swing
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dj_core.listening.beat_grid import BeatGrid
from dj_core.listening.onset_strength import FRAMES_PER_SECOND, RATE_HZ
from dj_core.listening.tempo_candidates import Strength

STEPS_PER_BEAT = 4
TEMPLATE_BANDS = ("low", "mid", "high")
"""Kicks; snares, claps and toms; hats."""
_ROWS: dict[str, tuple[int, ...]] = {"low": (0,), "mid": (2, 3), "high": (4,)}
_PASSED_HZ = {"low": (200, "lowpass"), "mid": ((400, 5500), "bandpass"), "high": (5500, "highpass")}
_CELL = 22  # samples, a millisecond: a stroke's place is looked for among such
_CELLS_AT_ONCE = 30_000
_RISE_CELLS = 3  # before and after a stroke
_REACH_CELLS = (-15, 12)  # around a peak of the onsets, which are known every 5.8 ms
_FLOOR = 1e-4  # of a band's loudest cells; what is softer does not rise
_LEAST_STRENGTH = 1.2  # of a stroke; 1 is the band's mean square
_EARLIEST, _LATEST = -0.1, 0.17  # quarters by which a stroke may miss its 16th, late for swing
_FEWEST = 6  # strokes from which a swing is measured
_BEFORE_LOW_SECONDS = 0.003  # the filters of the other bands are that much quicker
_SECONDS = (
    0.22,
    0.35,
)  # where in an 8th, of quarters, its second 16th may lie: elsewhere echoes do
_OUTLYING_PERCENT = 9.0  # from the middle: an echo, a triplet
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


def groove_template(
    strength: Strength, grid: BeatGrid, samples: NDArray[np.float32]
) -> GrooveTemplate:
    """The template of a track whose grid is known; `samples` are mono, at `RATE_HZ`."""
    steps = grid.beats_per_bar * STEPS_PER_BEAT
    first = grid.first_downbeat
    count = max(1, (len(grid.beats) - first) // grid.beats_per_bar)
    bars = np.zeros((count, len(TEMPLATE_BANDS), steps))
    late = np.zeros((len(TEMPLATE_BANDS), steps))
    at_second: list[NDArray[np.float64]] = []  # places and levels, (2, strokes)
    at_offbeat: list[NDArray[np.float64]] = []
    numbers = np.arange(len(grid.beats), dtype=float) - first
    low: float | None = None  # by how much the kicks' band rises late, in quarters
    beats_a_second = grid.tempo_bpm / 60
    for band, name in enumerate(TEMPLATE_BANDS):
        onsets, levels = _strokes(strength[:, _ROWS[name]].mean(axis=1))
        if not len(onsets) or len(grid.beats) < 2:
            continue
        onsets = _to_the_millisecond(onsets, samples, name)
        quarters = np.interp(onsets, grid.beats, numbers, left=np.nan, right=np.nan)
        kept = np.isfinite(quarters) & (quarters > -0.1)
        quarters, levels = quarters[kept], levels[kept]
        on_beat = (quarters + 0.15) % 1 - 0.15
        near = np.abs(on_beat) < 0.1
        # a band rises a little late or early as a whole, by as much as the kicks' band and a
        # constant: snares and shakers may lie behind the beat; without kicks, against its own beats
        if low is None or name == "low":
            own = _middle(on_beat[near], levels[near]) if near.sum() >= 3 else 0.0
            low = own if name == "low" and near.sum() >= 3 else None
        else:
            own = low - _BEFORE_LOW_SECONDS * beats_a_second
        quarters = quarters - own
        inside = np.stack([(quarters + 0.1) % 1 - 0.1, levels])
        place = inside[0]
        for half in (0.0, 0.5):
            second = (place > half + _SECONDS[0]) & (place < half + _SECONDS[1])
            at_second.append(inside[:, second] - [[half], [0.0]])
        at_offbeat.append(inside[:, (place > 0.42) & (place < 0.76)])
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


def _to_the_millisecond(
    onsets: NDArray[np.float64], samples: NDArray[np.float32], band: str
) -> NDArray[np.float64]:
    """Onsets moved to where the level of their band rises most, some milliseconds away.

    The filter is late by the same for all strokes of a band.
    """
    from scipy.signal import butter, sosfilt  # a second, which most starts of the program save

    edges_hz, kind = _PASSED_HZ[band]
    sos = butter(2, edges_hz, kind, fs=RATE_HZ, output="sos")
    memory = np.zeros((len(sos), 2))
    powers = []  # a part at a time: memory stays small however long a track is
    for start in range(0, len(samples) - _CELL + 1, _CELL * _CELLS_AT_ONCE):
        part = samples[start : start + _CELL * _CELLS_AT_ONCE]
        heard, memory = sosfilt(sos, part, zi=memory)
        whole = len(heard) // _CELL
        powers.append((heard[: whole * _CELL].reshape(whole, _CELL) ** 2).mean(axis=1))
    power = np.concatenate(powers)
    level = np.log(power + _FLOOR * np.percentile(power, 99.5) + 1e-12)
    rise = np.zeros(len(level))
    rise[_RISE_CELLS:-_RISE_CELLS] = level[2 * _RISE_CELLS :] - level[: -2 * _RISE_CELLS]
    rise = np.convolve(rise, np.ones(3) / 3, mode="same")
    cells = np.rint(onsets * RATE_HZ / _CELL).astype(int)[:, None] + np.arange(*_REACH_CELLS)
    rises = rise[np.clip(cells, 0, len(rise) - 1)]
    found: NDArray[np.intp] = cells[np.arange(len(onsets)), rises.argmax(axis=1)]
    return (found * (_CELL / RATE_HZ)).astype(np.float64)


def _swing(
    at_second: list[NDArray[np.float64]], at_offbeat: list[NDArray[np.float64]]
) -> tuple[float, int]:
    """In percent, of 16ths where they are played, else of 8ths; and on how many strokes."""
    second, offbeat = (
        np.concatenate([np.zeros((2, 0)), *found], axis=1) for found in (at_second, at_offbeat)
    )
    if second.shape[1] >= max(_FEWEST, 0.12 * offbeat.shape[1]):
        found, percent = second, 200.0
    elif offbeat.shape[1] >= _FEWEST:
        found, percent = offbeat, 100.0
    else:
        return STRAIGHT_PERCENT, 0
    places, levels = found[0] * percent, found[1]
    near = np.abs(places - _middle(places, levels)) <= _OUTLYING_PERCENT
    return float(places[near].mean()), len(places)  # soft strokes swing, too


def _middle(places: NDArray[np.float64], levels: NDArray[np.float64]) -> float:
    """The place up to which half of what sounds has sounded: a median, loud strokes count more."""
    order = places.argsort()
    sums = levels[order].cumsum()
    return float(places[order][np.searchsorted(sums, sums[-1] / 2)])
