"""Energy of a track bar by bar, and its sections: intro, groove, break, build, drop, outro."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dj_core.listening.beat_grid import BeatGrid
from dj_core.listening.onset_strength import FRAMES_PER_SECOND, RATE_HZ
from dj_core.listening.tempo_candidates import Strength
from dj_core.music.genres import MOST_ENERGY

_AROUND_BARS = 4  # compared on either side of a bar line
_SHORTEST_BARS = 4
_QUIETEST_DB = -60.0


@dataclass(frozen=True)
class Section:
    """A part of a track.

    Attributes:
        role: one of `genres.ROLES`.
        first_bar, bars: where, counted from 0 at the first bar line.
        start_seconds, end_seconds: the same in time.
        energy: 1 to 5, of the track's own range.
    """

    role: str
    first_bar: int
    bars: int
    start_seconds: float
    end_seconds: float
    energy: int


def energy_by_bar(
    samples: NDArray[np.float32], strength: Strength, grid: BeatGrid
) -> NDArray[np.float64]:
    """Energy of each bar, 0 (the track's calmest) to 1: how loud it is and how much begins."""
    features = _bar_features(samples, strength, grid)
    if not len(features):
        return np.zeros(0)
    parts = [features[:, 0], features[:, 1], features[:, 2:].mean(axis=1)]
    scaled = []
    for part in parts:
        low, high = np.percentile(part, [2, 98])
        scaled.append(np.clip((part - low) / (high - low), 0, 1) if high - low > 1e-6 else part * 0)
    energy: NDArray[np.float64] = np.mean(scaled, axis=0)
    return energy


def _bar_features(
    samples: NDArray[np.float32], strength: Strength, grid: BeatGrid
) -> NDArray[np.float64]:
    """(bars, 7): level in decibels, level of the lows, and the strength of each band."""
    from scipy.signal import butter, sosfilt

    lines = grid.downbeats
    if len(lines) < 2:
        return np.zeros((0, 2 + strength.shape[1]))
    lows = butter(2, 150, "low", fs=RATE_HZ, output="sos").astype(np.float32)
    low = sosfilt(lows, samples)  # in 32 bits: a track is long
    rows = []
    for start, end in itertools.pairwise(lines):
        cut = slice(int(start * RATE_HZ), max(int(end * RATE_HZ), int(start * RATE_HZ) + 1))
        levels = [
            max(_QUIETEST_DB, 10 * float(np.log10(np.mean(part[cut] ** 2) + 1e-12)))
            for part in (samples, low)
        ]
        frames = slice(int(start * FRAMES_PER_SECOND), int(end * FRAMES_PER_SECOND) + 1)
        rows.append([*levels, *strength[frames].mean(axis=0)])
    return np.array(rows, dtype=float)


def sections(
    samples: NDArray[np.float32], strength: Strength, grid: BeatGrid
) -> tuple[Section, ...]:
    """The parts of a track, from its first bar line to its last."""
    features = _bar_features(samples, strength, grid)
    bars = len(features)
    if not bars:
        return ()
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.maximum(spread, [1.0, 1.0, *[0.05] * 5])
    change = np.zeros(bars)
    for bar in range(2, bars - 1):
        before = scaled[max(0, bar - _AROUND_BARS) : bar].mean(axis=0)
        after = scaled[bar : bar + _AROUND_BARS].mean(axis=0)
        change[bar] = np.abs(before - after).mean()
    limit = max(0.45, float(change.mean() + 0.8 * change.std()))
    bounds = [0]
    for bar in np.argsort(-change):
        if change[bar] < limit:
            break
        if all(abs(bar - other) >= _SHORTEST_BARS for other in (*bounds, bars)):
            bounds.append(int(bar))
    bounds = [*sorted(bounds), bars]
    energy = energy_by_bar(samples, strength, grid)
    lines = grid.downbeats
    means = [float(energy[a:b].mean()) for a, b in itertools.pairwise(bounds)]
    found = []
    for number, (start, end) in enumerate(itertools.pairwise(bounds)):
        mean, last = means[number], number == len(means) - 1
        rises = end - start >= 4 and energy[end - 2 : end].mean() - energy[start : start + 2].mean()
        if len(means) == 1:
            role = "groove"
        elif number == 0 and mean < max(means) - 0.15:
            role = "intro"
        elif last and mean < max(means) - 0.15:
            role = "outro"
        elif mean < 0.35:
            role = "break"
        elif not last and rises > 0.35 and means[number + 1] > mean:
            role = "build"
        else:
            role = "drop" if mean >= max(means) - 0.1 else "groove"
        level = 1 + round(mean * (MOST_ENERGY - 1))
        found.append(
            Section(role, start, end - start, float(lines[start]), float(lines[end]), level)
        )
    return tuple(found)
