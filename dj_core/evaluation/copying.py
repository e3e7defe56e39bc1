"""Copying: the share of generated bars that are found among the training bars.

Drummers repeat short idioms, so a share of held-out human bars is in the bank as well; a model
copies when its share lies above what chance gives the humans.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dj_core.evaluation.likelihood import STEPS_PER_BAR, quantise
from dj_core.music.beat import Beat
from dj_core.music.drum_classes import CLASSES

_BAR_CELLS = STEPS_PER_BAR * len(CLASSES)
_BOOTSTRAPS = 2_000


@dataclass(frozen=True)
class Copying:
    """How close beats come to a bank.

    Attributes:
        share_found: of their bars, those the bank holds hit for hit.
        share_bound: the upper end of that share's 95% interval, by bootstrap over performances.
        nearest_median, nearest_5th: distance to the nearest bar of the bank, in cells that differ
            (of 144): the median over bars, and the 5th percentile.
        unique_windows: distinct two-bar windows over all of them.
        bars: that were looked up; silent ones are not.
    """

    share_found: float
    share_bound: float
    nearest_median: float
    nearest_5th: float
    unique_windows: float
    bars: int


class BarBank:
    """Every bar of the training material, quantised; silent bars left out."""

    def __init__(self, beats: Iterable[Beat]) -> None:
        self._rows = np.unique(np.concatenate([_bars(beat) for beat in beats]), axis=0)
        self._known = {row.tobytes() for row in self._rows}

    def __len__(self) -> int:
        """Number of different bars."""
        return len(self._rows)

    def holds(self, bars: np.ndarray) -> np.ndarray:
        """Whether each bar, bool (bars, 144), is in the bank."""
        return np.array([bar.tobytes() in self._known for bar in bars], bool)

    def nearest(self, bars: np.ndarray) -> np.ndarray:
        """Cells that differ from the nearest bar of the bank, for each bar."""
        return distances(bars, self._rows)[0]


def distances(bars: np.ndarray, bank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells between each bar and its nearest of `bank`, and which one that is."""
    known = bank.astype(np.float32)
    sizes = known.sum(1)
    nearest, which = np.empty(len(bars), int), np.empty(len(bars), int)
    for start in range(0, len(bars), 256):  # 256 bars against 20,000 fill 20 MB
        some = bars[start : start + 256].astype(np.float32)
        apart = sizes - 2 * (some @ known.T) + some.sum(1, keepdims=True)
        which[start : start + 256] = apart.argmin(1)
        nearest[start : start + 256] = apart.min(1).round()
    return nearest, which


def copying(
    beats: Sequence[Beat], bank: BarBank, groups: Sequence[Hashable] | None = None
) -> Copying:
    """Look up every bar of 4/4 beats in `bank`.

    Args:
        beats: generated or held-out ones, with at least one hit among them.
        bank: of the training material.
        groups: the performance of each beat, for the bound; None takes each for its own.

    Raises:
        BeatError: a beat is not in 4/4.
    """
    labels = range(len(beats)) if groups is None else groups
    found: dict[Hashable, list[np.ndarray]] = {}
    bars_each = [_bars(beat) for beat in beats]
    for bars, label in zip(bars_each, labels, strict=True):
        found.setdefault(label, []).append(bank.holds(bars))
    by_group = [np.concatenate(parts) for parts in found.values()]
    # the 97.5th percentile of the share over resampled performances
    counts = np.array([[part.sum(), len(part)] for part in by_group], float)
    draws = np.random.default_rng(1).integers(len(counts), size=(_BOOTSTRAPS, len(counts)))
    hits, sounding = counts[draws].sum(axis=1).T
    windows = [
        window.tobytes()
        for beat in beats
        for window in quantise(beat)[: beat.bars // 2 * 2 * STEPS_PER_BAR].reshape(
            -1, 2 * _BAR_CELLS
        )
    ]
    nearest = bank.nearest(np.concatenate(bars_each))
    return Copying(
        share_found=float(np.concatenate(by_group).mean()),
        share_bound=float(np.percentile(hits / np.maximum(sounding, 1), 97.5)),
        nearest_median=float(np.median(nearest)),
        nearest_5th=float(np.percentile(nearest, 5)),
        unique_windows=len(set(windows)) / max(len(windows), 1),
        bars=len(nearest),
    )


def _bars(beat: Beat) -> np.ndarray:
    """The sounding bars of a beat, bool (bars, 144)."""
    bars = quantise(beat).reshape(-1, _BAR_CELLS)
    return bars[bars.any(axis=1)]
