"""The judge's features: numbers that describe hits, dynamics and timing of two bars.

Hits, dynamics and microtiming are described apart, so that a judge can be shown hits alone. A
feature of a class that is silent is 0; how often a class is hit is a feature itself.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from dj_core.evaluation.likelihood import (
    CLASS_NAMES,
    CLASS_OF_LANE,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
)
from dj_core.music.beat import Beat

WINDOW_BARS = 2
TICKS_PER_QUARTER = 480
FEATURE_CLASSES = (*CLASS_NAMES, "percussion")
_STEPS = WINDOW_BARS * STEPS_PER_BAR
_LAGS = (1, 2, 3, 4, 6, 8, 12, 16)
_POSITIONED = ("kick", "snare", "hat", "open hat", "ride")  # described position by position
_PAIRS = (("kick", "snare"), ("kick", "hat"), ("snare", "hat"), ("kick", "crash"),
          ("hat", "ride"), ("snare", "ride"), ("hat", "open hat"))  # fmt: skip
_FEATURE_CLASS = np.where(CLASS_OF_LANE < 0, len(CLASS_NAMES), CLASS_OF_LANE)


class _Window:
    """The hits of two bars as arrays, one entry per hit, and as a grid."""

    def __init__(self, beat: Beat) -> None:
        quarters = np.array([hit.onset_quarters for hit in beat.hits])
        # the finest resolution of the human files: finer differences say nothing about playing
        sixteenths = np.round(quarters * TICKS_PER_QUARTER) * STEPS_PER_QUARTER / TICKS_PER_QUARTER
        steps = np.floor(sixteenths + 0.5).astype(int)
        inside = steps < _STEPS
        lanes = np.array([hit.lane for hit in beat.hits], int)
        self.step = steps[inside]
        self.number = _FEATURE_CLASS[lanes[inside]]
        self.velocity = np.array([hit.velocity for hit in beat.hits], float)[inside]
        self.offset = (sixteenths - steps)[inside]
        self.strokes = np.zeros((_STEPS, len(FEATURE_CLASSES)))
        np.add.at(self.strokes, (self.step, self.number), 1)
        self.grid = self.strokes > 0
        loudness = np.zeros_like(self.strokes)
        np.maximum.at(loudness, (self.step, self.number), self.velocity)
        self.loudness = loudness
        timing = np.zeros_like(self.strokes)
        timing[self.step, self.number] = self.offset
        self.timing = timing


def window_features(beat: Beat) -> dict[str, float]:
    """Every feature of a 4/4 beat of two bars by name.

    Names begin with 'hits', 'velocity' or 'timing'.
    """
    window = _Window(beat)
    features = _hit_features(window)
    for number, name in enumerate(FEATURE_CLASSES):
        chosen = window.number == number
        values, steps = window.velocity[chosen], window.step[chosen]
        features |= _spread(f"velocity {name}", values)
        features[f"velocity {name}: least"] = float(values.min()) if len(values) else 0.0
        features[f"velocity {name}: most"] = float(values.max(initial=0))
        features[f"velocity {name}: on the beat"] = _mean(values[steps % 4 == 0])
        features[f"velocity {name}: on the off-eighth"] = _mean(values[steps % 4 == 2])
        features[f"velocity {name}: between eighths"] = _mean(values[steps % 2 == 1])
        features |= _changes(f"velocity {name}", values, window, window.loudness, number)
    values = window.velocity
    features |= _spread("velocity", values)
    features["velocity: at 127"] = _mean(values == 127)
    features["velocity: ghosts below 40"] = _mean(values < 40)
    features["velocity: loud above 110"] = _mean(values > 110)
    features["velocity: distinct values"] = len(np.unique(values)) / max(len(values), 1)
    features["velocity: most common value"] = _share_of_commonest(values)
    for rest in range(4):  # coarse bins, decoded to one value each, show here
        features[f"velocity: remainder {rest} of 4"] = _mean(values % 4 == rest)
    halves = values[window.step < STEPS_PER_BAR], values[window.step >= STEPS_PER_BAR]
    features["velocity: second bar louder by"] = _mean(halves[1]) - _mean(halves[0])
    features["velocity: neighbours correlate"] = _correlation(values[:-1], values[1:])
    for number, name in enumerate(FEATURE_CLASSES):
        chosen = window.number == number
        values, steps = window.offset[chosen], window.step[chosen]
        features |= _spread(f"timing {name}", values)
        places = {"on the beat": 0, "on the off-eighth": 2, "second 16th": 1, "fourth 16th": 3}
        for place, phase in places.items():
            features[f"timing {name}: {place}"] = _mean(values[steps % 4 == phase])
        features |= _changes(f"timing {name}", values, window, window.timing, number)
    values = window.offset
    features |= _spread("timing", values)
    features["timing: exactly on the grid"] = _mean(np.abs(values) < 1e-6)
    features["timing: far from the grid"] = _mean(np.abs(values) > 0.4)
    features["timing: distinct values"] = len(np.unique(values.round(4))) / max(len(values), 1)
    features["timing: most common value"] = _share_of_commonest(values.round(4))
    halves = values[window.step < STEPS_PER_BAR], values[window.step >= STEPS_PER_BAR]
    features["timing: second bar later by"] = _mean(halves[1]) - _mean(halves[0])
    features["timing: neighbours correlate"] = _correlation(values[:-1], values[1:])
    features["timing: louder is later"] = _correlation(values, window.velocity)
    apart = [np.ptp(values[window.step == step]) for step in np.unique(window.step)]
    features["timing: drums struck together lie apart"] = _mean(np.array(apart))
    first = {k: _mean(values[(window.number == k) & (window.step % 4 == 0)]) for k in range(3)}
    features["timing: snare behind kick"] = first[1] - first[0]
    features["timing: hat behind kick"] = first[2] - first[0]
    return features


def is_hit_feature(name: str) -> bool:
    """Whether a feature knows nothing of velocity and microtiming."""
    return name.startswith("hits")


@lru_cache(maxsize=1)
def feature_names() -> tuple[str, ...]:
    """All names in the order `window_features` gives them."""
    return tuple(window_features(Beat((), bars=WINDOW_BARS)))


# --- hits -------------------------------------------------------------------------------------


def _hit_features(window: _Window) -> dict[str, float]:
    grid = window.grid
    features: dict[str, float] = {}
    first, second = grid[:STEPS_PER_BAR], grid[STEPS_PER_BAR:]
    for number, name in enumerate(FEATURE_CLASSES):
        column = grid[:, number]
        features[f"hits {name}: count"] = float(column.sum())
        for phase in range(4):
            features[f"hits {name}: on 16th {phase + 1} of the beat"] = column[phase::4].mean()
        features[f"hits {name}: bars differ"] = float((first[:, number] ^ second[:, number]).sum())
        onsets = np.flatnonzero(column)
        gaps = np.diff(onsets)
        features[f"hits {name}: shortest gap"] = float(gaps.min()) if len(gaps) else 0.0
        features[f"hits {name}: gap spread"] = float(gaps.std()) if len(gaps) else 0.0
        features[f"hits {name}: flams"] = float((window.strokes[:, number] > 1).sum())
    for name in _POSITIONED:
        bar = grid[:, FEATURE_CLASSES.index(name)].reshape(WINDOW_BARS, STEPS_PER_BAR).mean(axis=0)
        for position in range(STEPS_PER_BAR):
            features[f"hits {name}: at position {position + 1}"] = bar[position]
    for one, other in _PAIRS:
        together = grid[:, FEATURE_CLASSES.index(one)] & grid[:, FEATURE_CLASSES.index(other)]
        features[f"hits {one} with {other}"] = float(together.sum())
    # how dense, regular and varied the hits of all drums together are
    voices = grid.sum(axis=1)
    for count in range(4):
        features[f"hits together: {count} drums"] = float((voices == count).mean())
    features["hits together: 4 and more drums"] = float((voices >= 4).mean())
    features["hits: drums in use"] = float(grid.any(axis=0).sum())
    patterns = grid @ (1 << np.arange(grid.shape[1]))
    _, counts = np.unique(patterns, return_counts=True)
    share = counts / counts.sum()
    features["hits: distinct steps"] = float(len(counts))
    features["hits: entropy of steps"] = float(-(share * np.log2(share)).sum())
    features["hits: equal steps a bar apart"] = float(
        (patterns[:STEPS_PER_BAR] == patterns[STEPS_PER_BAR:]).mean()
    )
    for lag in _LAGS:
        union = (grid[lag:] | grid[:-lag]).sum()  # Jaccard index
        both = (grid[lag:] & grid[:-lag]).sum()
        features[f"hits: overlap {lag} 16ths apart"] = float(both / union) if union else 0.0
    sounding = voices > 0
    features["hits: longest run"] = _longest_run(sounding)
    features["hits: longest rest"] = _longest_run(~sounding)
    quarters = voices.reshape(-1, 4).sum(axis=1)
    features["hits: busiest quarter"] = float(quarters.max())
    features["hits: quietest quarter"] = float(quarters.min())
    features["hits: last quarter's share"] = float(quarters[-1] / max(quarters.sum(), 1))
    return features


def _longest_run(flags: np.ndarray) -> float:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return float((edges[1::2] - edges[::2]).max(initial=0))


# --- numbers ---------------------------------------------------------------------------------


def _spread(name: str, values: np.ndarray) -> dict[str, float]:
    deviation = float(values.std()) if len(values) else 0.0
    return {f"{name}: mean": _mean(values), f"{name}: spread": deviation}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _changes(
    name: str, values: np.ndarray, window: _Window, cells: np.ndarray, number: int
) -> dict[str, float]:
    """Mean differences from stroke to stroke, and between cells that both bars strike."""
    first, second = slice(None, STEPS_PER_BAR), slice(STEPS_PER_BAR, None)
    both = window.grid[first, number] & window.grid[second, number]
    apart = np.abs(cells[first, number] - cells[second, number])[both]
    return {
        f"{name}: step to step": _mean(np.abs(np.diff(values))),
        f"{name}: bar to bar": _mean(apart),
    }


def _share_of_commonest(values: np.ndarray) -> float:
    if not len(values):
        return 0.0
    return float(np.unique(values, return_counts=True)[1].max() / len(values))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if len(one) < 3 or math.isclose(one.std(), 0) or math.isclose(other.std(), 0):
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
