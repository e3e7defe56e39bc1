"""Likelihood in bits over nine drum classes, and the n-gram baselines.

One alphabet for every model compared: 4/4, one step per sixteenth, nine drum classes, one binary
hit per class and step. A step belongs to the sixteenth its onset rounds to
(``floor(16ths + 0.5)``), and of several hits in one cell the loudest stands for all.

``-log2`` of the probability a model gives to the true hits of a step, knowing every earlier step,
is that step's cost in bits; a model may factorise a step over its classes in any order. Velocity
and timing are counted apart, in bits per hit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dj_core.errors import BeatError
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drum_classes import CLASSES
from dj_core.music.drums import DRUMS, LANE

STEPS_PER_QUARTER = 4
STEPS_PER_BAR = 16
FOUR_FOUR = Meter(4, 4)
CLASS_NAMES = tuple(name for name, _ in CLASSES)
VELOCITY_BINS = 32  # 4 velocities each
TIMING_BINS = 24  # of the sixteenth around a step

CLASS_OF_LANE = np.full(len(DRUMS), -1)  # -1: a drum without a class
for _number, (_, _drums) in enumerate(CLASSES):
    CLASS_OF_LANE[[LANE[drum] for drum in _drums]] = _number
_BIT = 1 << np.arange(len(CLASSES))


@dataclass(frozen=True)
class Cells:
    """A 4/4 beat on the grid.

    Attributes:
        hits: bool, (steps, 9).
        velocities: 1 to 127, 0 where nothing is hit; (steps, 9).
        offsets: microtiming in sixteenths, -0.5 up to 0.5, 0 where nothing is hit; (steps, 9).
    """

    hits: np.ndarray
    velocities: np.ndarray
    offsets: np.ndarray


def cells_of(beat: Beat) -> Cells:
    """The beat on the grid. A hit that rounds to the step after the last bar has no cell.

    Raises:
        BeatError: the beat is not in 4/4.
    """
    if beat.meter != FOUR_FOUR:
        raise BeatError(f"Beats are measured in 4/4; got {beat.meter}. Leave this beat out.")
    shape = (beat.bars * STEPS_PER_BAR, len(CLASSES))
    velocities = np.zeros(shape, np.int16)
    offsets = np.zeros(shape)
    for hit in beat.hits:
        sixteenths = hit.onset_quarters * STEPS_PER_QUARTER
        step = math.floor(sixteenths + 0.5)
        cell = step, CLASS_OF_LANE[hit.lane]
        if cell[1] >= 0 and step < shape[0] and hit.velocity > velocities[cell]:
            velocities[cell] = hit.velocity
            offsets[cell] = sixteenths - step
    return Cells(velocities > 0, velocities, offsets)


def quantise(beat: Beat) -> np.ndarray:
    """The hits of a 4/4 beat as bool (16 steps a bar, 9 classes). Raises BeatError."""
    return cells_of(beat).hits


def beat_of_hits(hits: np.ndarray) -> Beat:
    """Hits, bool (16 steps a bar, 9 classes), as a beat on the grid at each drum's usual level."""
    drums = [drums[0] for _, drums in CLASSES]
    strokes = tuple(
        Hit.of(drums[number], float(step) / STEPS_PER_QUARTER)
        for step, number in zip(*np.nonzero(hits), strict=True)
    )
    return Beat(strokes, bars=len(hits) // STEPS_PER_BAR)


HitModel = Callable[[np.ndarray], np.ndarray]
"""Maps true hits (steps, 9) to the probability of a hit in every cell, same shape, each given all
earlier steps and those classes of its own step that the model takes before it."""


def hit_bits_per_step(probability: HitModel, truth: Iterable[np.ndarray]) -> float:
    """Mean cost of the true hits in bits per sixteenth; long performances weigh more.

    Args:
        probability: gives the conditional probabilities of a hit.
        truth: per performance the hits as `quantise` gives them.

    Raises:
        BeatError: shapes differ, or a probability is not between 0 and 1.
    """
    return float(np.concatenate([step_bits(probability(hits), hits) for hits in truth]).mean())


def step_bits(probability: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Cost of each step in bits, (steps,); see `hit_bits_per_step`. Infinite where ruled out."""
    if probability.shape != hits.shape or not ((probability >= 0) & (probability <= 1)).all():
        raise BeatError(
            f"Hit probabilities lie between 0 and 1, one per cell of {hits.shape}; got shape "
            f"{probability.shape}. Apply the sigmoid before measuring."
        )
    with np.errstate(divide="ignore"):
        bits: np.ndarray = -np.log2(np.where(hits, probability, 1 - probability)).sum(axis=1)
        return bits


# --- what every model has to beat -------------------------------------------------------------

Context = tuple[int, ...]
"""What an n-gram knows of a step: the steps so far back, and for 0 the position in the bar."""
_START = -1  # stands for steps before the first

ORDER_2: tuple[Context, ...] = ((), (1,), (0, 1), (0, 1, 2))
"""The reference: the last two steps and the position in the bar."""

BAR_MEMORY: tuple[Context, ...] = ((), (16,), (16, 1), (16, 1, 2))
"""The same step one bar back, then the last two steps."""


def _patterns(hits: np.ndarray) -> list[int]:
    """One number per step: which of the nine classes are hit."""
    patterns: list[int] = (hits @ _BIT).tolist()
    return patterns


class PatternNGram:
    """Witten-Bell n-gram; its symbol is a step's whole pattern, one of 512.

    Each context's counts are mixed with the next shorter one's prediction, which weighs as much
    as the context has seen distinct patterns; below the empty context all 512 are alike.
    """

    def __init__(self, hits: Iterable[np.ndarray], contexts: Sequence[Context] = ORDER_2) -> None:
        """Count `hits` (arrays as `quantise` gives them) in `contexts`, shortest first."""
        self.contexts = tuple(contexts)
        self._counts: list[dict[tuple[int, ...], Counter[int]]] = [{} for _ in contexts]
        for performance in hits:
            patterns = _patterns(performance)
            for step, pattern in enumerate(patterns):
                for counts, key in zip(self._counts, self._keys(patterns, step), strict=True):
                    counts.setdefault(key, Counter())[pattern] += 1

    def _keys(self, patterns: Sequence[int], step: int) -> list[tuple[int, ...]]:
        """What is known of a step in each context."""
        return [
            tuple(
                step % STEPS_PER_BAR if not back
                else patterns[step - back] if step >= back else _START
                for back in context
            )
            for context in self.contexts
        ]  # fmt: skip

    def step_bits(self, hits: np.ndarray) -> np.ndarray:
        """Cost of each step in bits, (steps,)."""
        bits = []
        patterns = _patterns(hits)
        for step, pattern in enumerate(patterns):
            probability = 1 / (1 << len(CLASSES))
            for counts, key in zip(self._counts, self._keys(patterns, step), strict=True):
                if seen := counts.get(key):
                    distinct = len(seen)
                    share = seen.get(pattern, 0) + distinct * probability
                    probability = share / (seen.total() + distinct)
            bits.append(-math.log2(probability))
        return np.array(bits)

    def bits_per_step(self, hits: Iterable[np.ndarray]) -> float:
        """Mean cost in bits per sixteenth over all performances."""
        return float(np.concatenate([self.step_bits(performance) for performance in hits]).mean())

    def sample(self, steps: int, random: np.random.Generator) -> np.ndarray:
        """New hits, bool (steps, 9), drawn step by step."""
        patterns: list[int] = []
        for step in range(steps):
            keys = self._keys(patterns, step)
            for counts, key in reversed(list(zip(self._counts, keys, strict=True))):
                if seen := counts.get(key):
                    total = seen.total()
                    if random.random() < total / (total + len(seen)):
                        weights = np.fromiter(seen.values(), float) / total
                        patterns.append(int(random.choice(np.fromiter(seen, int), p=weights)))
                        break
            else:
                patterns.append(int(random.integers(1 << len(CLASSES))))
        hits: np.ndarray = (np.array(patterns)[:, None] & _BIT) > 0
        return hits


class HitHistogram:
    """Order 0: how often each class is hit at each of the bar's 16 positions, nothing else."""

    def __init__(self, hits: Iterable[np.ndarray]) -> None:
        struck = np.ones((STEPS_PER_BAR, len(CLASSES)))  # one imagined hit and one imagined rest
        bars = 2.0
        for performance in hits:
            struck += performance.reshape(-1, STEPS_PER_BAR, len(CLASSES)).sum(axis=0)
            bars += len(performance) / STEPS_PER_BAR
        self.probability = struck / bars

    def __call__(self, hits: np.ndarray) -> np.ndarray:
        """The `HitModel` form."""
        return np.tile(self.probability, (len(hits) // STEPS_PER_BAR, 1))


class ExpressionHistogram:
    """Velocity and timing of a hit from its class and position alone.

    Add-one histograms per class and position: 32 bins of velocity, 24 of the sixteenth.
    """

    def __init__(self, beats: Iterable[Cells]) -> None:
        self._velocity = np.ones((STEPS_PER_BAR, len(CLASSES), VELOCITY_BINS))
        self._timing = np.ones((STEPS_PER_BAR, len(CLASSES), TIMING_BINS))
        for cells in beats:
            steps, classes = np.nonzero(cells.hits)
            velocity, timing = expression_bins(cells)
            np.add.at(self._velocity, (steps % STEPS_PER_BAR, classes, velocity), 1)
            np.add.at(self._timing, (steps % STEPS_PER_BAR, classes, timing), 1)
        self._velocity /= self._velocity.sum(axis=-1, keepdims=True)
        self._timing /= self._timing.sum(axis=-1, keepdims=True)

    def bits_per_hit(self, beats: Iterable[Cells]) -> tuple[float, float]:
        """Mean cost of velocity and of timing in bits per hit over all beats."""
        velocities, timings = [], []
        for cells in beats:
            steps, classes = np.nonzero(cells.hits)
            velocity, timing = expression_bins(cells)
            places = steps % STEPS_PER_BAR, classes
            velocities.append(-np.log2(self._velocity[*places, velocity]))
            timings.append(-np.log2(self._timing[*places, timing]))
        return float(np.concatenate(velocities).mean()), float(np.concatenate(timings).mean())

    def redraw(self, beat: Beat, random: np.random.Generator) -> Beat:
        """`beat` with velocity and timing drawn for every hit on its own: no feel, right levels.

        Percussion, which has no class, stays as it is.
        """
        hits = []
        latest = np.nextafter(beat.length_quarters, 0)
        for hit in beat.hits:
            step = math.floor(hit.onset_quarters * STEPS_PER_QUARTER + 0.5)
            if (number := CLASS_OF_LANE[hit.lane]) >= 0:
                place = step % STEPS_PER_BAR, number
                velocity_bin = random.choice(VELOCITY_BINS, p=self._velocity[place])
                timing_bin = random.choice(TIMING_BINS, p=self._timing[place])
                width = 128 // VELOCITY_BINS
                velocity = width * velocity_bin + random.integers(width)
                offset = (timing_bin + random.random()) / TIMING_BINS - 0.5
                hit = replace(
                    hit,
                    onset_quarters=float(np.clip((step + offset) / STEPS_PER_QUARTER, 0, latest)),
                    velocity=int(np.clip(velocity, 1, 127)),
                )
            hits.append(hit)
        return replace(beat, hits=tuple(hits))


def expression_bins(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Velocity bin (0 to 31) and timing bin (0 to 23) of every hit, in step and class order."""
    velocity = cells.velocities[cells.hits] * VELOCITY_BINS // 128
    timing = np.floor((cells.offsets[cells.hits] + 0.5) * TIMING_BINS).astype(int)
    return velocity, timing.clip(0, TIMING_BINS - 1)
