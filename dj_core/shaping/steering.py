"""Selects the cells of a loop to strike to reach a density, syncopation and complexity.

One stroke after another comes or goes: each time the one that brings the loop nearest to what is
asked for its price, and its price is how little the model expects it there, in nats. Whatever was
not asked for pulls back, so what a stroke spoils another one mends. A third of the way is gone at a
time; then the model hears the loop again as it has become. Several candidates go ways of their
own, by chance in their prices; of those that arrive, the likeliest is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dj_core.music.step_grid import STEPS_PER_QUARTER
from dj_core.shaping.attributes import BACKBONE, Norm, stronger_places, weights

STEERED = ("density", "syncopation", "complexity")
CANDIDATES, ROUNDS = 4, 3
PULL_ASKED, PULL_BESIDE = 240.0, 60.0  # nats that a slider unit off costs, squared
TOUCH = 1.0  # nats that any change costs: what is there was chosen
CHANCE = 1.0  # spread of the chance in a candidate's prices, in nats
BACK = 0.25  # nats that taking a change back costs
WORTH = 0.5  # nats of pull that a nat of price has to bring
SWING_BROKEN = 200.0  # nats per stroke too many for the pair that swings

LogOdds = Callable[[np.ndarray], np.ndarray]
"""From loops of cells, bool (loops, 16ths, 16), to the log odds of a stroke in each cell."""


@dataclass(frozen=True)
class Board:
    """A loop played straight, and what may be done to it.

    Attributes:
        cells: struck, bool (16ths, 16).
        free: cells that may change.
        per_bar: 16ths in a bar.
        swung_pair: length in quarters of the pair that swings, 0.5 or 1; 0 for a straight loop.
    """

    cells: np.ndarray
    free: np.ndarray
    per_bar: int
    swung_pair: float = 0.0

    @property
    def lag(self) -> int:
        """16ths after which the loop repeats itself or does not."""
        return self.per_bar if len(self.cells) > self.per_bar else self.per_bar // 2

    @cached_property
    def strength(self) -> np.ndarray:
        """Of every 16th, 0 to -4."""
        return np.tile(weights(self.per_bar), len(self.cells) // self.per_bar)

    @cached_property
    def ahead(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """16ths from each to the next stronger one (16ths, n), which count, and how much stronger.

        A stroke whose places ahead are all silent is syncopated by so much.
        """
        stronger = stronger_places(self.per_bar)
        longest = max(int(stronger.max()), 1)
        steps = np.arange(len(self.cells))
        reach = np.tile(stronger, len(steps) // self.per_bar)
        places = (steps[:, None] + 1 + np.arange(longest)) % len(steps)
        counts = np.arange(longest) < reach[:, None]
        gain = np.where(reach > 0, self.strength[(steps + reach) % len(steps)] - self.strength, 0)
        return places, counts, gain


def steer(
    board: Board, goals: Mapping[str, float], norm: Norm, odds: LogOdds, seed: int
) -> np.ndarray:
    """The cells to strike, bool (16ths, 16).

    Args:
        board: the loop.
        goals: values of some of `STEERED`; the others shall stay as they are.
        norm: says what a slider's unit is.
        odds: the model's.
        seed: another seed, other candidates.
    """
    start = values_of(board, board.cells)
    chance = np.random.default_rng([seed, 5]).gumbel(0, CHANCE, (CANDIDATES, *board.cells.shape))
    chance[0] = 0.0  # one goes the cheapest way
    found = np.repeat(board.cells[None], CANDIDATES, axis=0)
    for turn in range(1, ROUNDS + 1):
        prices = np.maximum(_prices(odds(found), found) + chance, 0)
        aim = {
            name: start[name] + turn / ROUNDS * (goals.get(name, start[name]) - start[name])
            for name in STEERED
        }
        pull = _Pull(norm, aim, frozenset(goals))
        found = np.stack([_walk(board, *each, pull) for each in zip(found, prices, strict=True)])
    surprise = _prices(odds(found), ~found)[:, board.free].sum(1)  # of what is, not of a change
    off = np.array([pull(values_of(board, cells)) for cells in found])
    cells: np.ndarray = found[int(np.argmin(off + surprise))]
    return cells


def _prices(log_odds: np.ndarray, struck: np.ndarray) -> np.ndarray:
    """Nats that changing each cell costs: the surprise of a stroke, or of its silence."""
    return np.logaddexp(0, np.where(struck, log_odds, -log_odds))


@dataclass(frozen=True)
class _Pull:
    """What being off costs; `aim` holds a value of each of `STEERED`."""

    norm: Norm
    aim: Mapping[str, float]
    asked: frozenset[str]

    def __call__(self, values: Mapping[str, np.ndarray | float]) -> np.ndarray:
        """Nats, for one loop or an array of them."""
        nats = np.zeros(())
        for name, aim in self.aim.items():
            off = self.norm.positions(name, values[name]) - self.norm.positions(name, aim)
            nats = nats + (PULL_ASKED if name in self.asked else PULL_BESIDE) * off**2
        return nats + SWING_BROKEN * values["swing_broken"]


def _walk(board: Board, cells: np.ndarray, prices: np.ndarray, pull: _Pull) -> np.ndarray:
    """Change one cell after another as long as that is worth its price.

    Where none is, one stroke of all bars alike: in a loop that repeats itself, a single change is
    one too many. No cell is changed twice on one way.
    """
    came, cells = cells, cells.copy()
    for _ in range(cells.size):
        here = float(pull(values_of(board, cells)))
        price = np.where(cells == board.cells, prices + TOUCH, BACK)
        open_ = board.free & (cells == came)
        gain = here - pull(values_after(board, cells))
        worth = np.where(open_, gain / price, 0.0)
        best = np.unravel_index(np.argmax(worth), cells.shape)
        if worth[best] >= WORTH:
            cells[best] = ~cells[best]
            continue
        # cells to change (changes, 16ths, 16) to strike a place in all bars alike, or in none
        bars = (-1, board.per_bar, cells.shape[1])
        by_bar, may = cells.reshape(bars), open_.reshape(bars).all(0)
        found = []
        for differ in (~by_bar, by_bar):
            for place, lane in zip(*np.nonzero(may & differ.any(0)), strict=True):
                change = np.zeros(by_bar.shape, bool)
                change[:, place, lane] = differ[:, place, lane]
                found.append(change.reshape(cells.shape))
        if not found:
            break
        changes = np.array(found)
        gain = here - pull(values_of_all(board, cells ^ changes))
        worth = gain / (changes * price).sum((1, 2))
        if worth.max() < WORTH:
            break
        cells = cells ^ changes[np.argmax(worth)]
    return cells


# --- the numbers, and what they would be ---------------------------------------------------------


def values_of(board: Board, cells: np.ndarray) -> dict[str, float]:
    """The attributes of `STEERED`, and strokes too many for the swing to stay what it is."""
    return {name: float(value[0]) for name, value in values_of_all(board, cells[None]).items()}


def values_of_all(board: Board, loops: np.ndarray) -> dict[str, np.ndarray]:
    """`values_of` for every one of some loops (loops, 16ths, 16)."""
    before = np.roll(loops, board.lag, axis=1)
    either, apart = (part.sum((1, 2)) for part in (loops | before, loops ^ before))
    onsets = np.asarray(loops[..., BACKBONE].any(-1))
    places, counts, gain = board.ahead
    # what is silent up to the next stronger place, that one, too, is syncopated
    weight = ~(onsets[..., places] & counts).any(-1) * gain - board.strength
    strokes = loops.sum((1, 2))
    eighths, sixteenths = _offbeats(loops)
    return {
        "density": strokes / (loops.shape[1] / STEPS_PER_QUARTER),
        "syncopation": (onsets * weight).sum(1) / np.maximum(onsets.sum(1), 1),
        "complexity": apart / np.maximum(either, 1),
        "swing_broken": _swing_broken(board, eighths, sixteenths),
    }


def values_after(board: Board, cells: np.ndarray) -> dict[str, np.ndarray]:
    """What `values_of` would say were a cell changed, for every cell, (16ths, 16) each."""
    change = np.where(cells, -1, 1)
    before = np.roll(cells, board.lag, axis=0)
    apart = np.full(cells.shape, (cells ^ before).sum())
    either = np.full(cells.shape, (cells | before).sum())
    for other in (before, np.roll(cells, -board.lag, axis=0)):
        apart += np.where(cells == other, 1, -1)
        either += np.where(other, 0, change)
    per_quarter = len(cells) / STEPS_PER_QUARTER
    (eighths,), (sixteenths,) = _offbeats(cells[None])
    place = (np.arange(len(cells)) % STEPS_PER_QUARTER)[:, None]
    return {
        "density": (cells.sum() + change) / per_quarter,
        "syncopation": _syncopation_after(board, cells),
        "complexity": np.divide(apart, either, out=np.zeros(cells.shape), where=either > 0),
        "swing_broken": _swing_broken(
            board, eighths + change * (place == 2), sixteenths + change * (place % 2)
        ),
    }


def _syncopation_after(board: Board, cells: np.ndarray) -> np.ndarray:
    backbone = cells[:, BACKBONE]
    onsets = np.asarray(backbone.any(1))
    places, counts, gain = board.ahead
    waiting = (onsets[places] & counts).sum(1)
    own = (waiting == 0) * gain - board.strength
    total, count = float((onsets * own).sum()), int(onsets.sum())
    # others whose way is barred by a new stroke, or freed where their only bar goes
    barred = onsets * gain * (waiting == 0)
    freed = onsets * gain * (waiting == 1)
    lost, won = np.zeros(len(onsets)), np.zeros(len(onsets))
    np.add.at(lost, places, np.where(counts, barred[:, None], 0.0))
    np.add.at(won, places, np.where(counts, freed[:, None], 0.0))
    added = (total + own - lost) / (count + 1)
    taken = (total - own + won) / max(count - 1, 1) * (count > 1)
    here = total / count if count else 0.0
    after = np.full(cells.shape, here)
    alone = backbone.sum(1) == 1
    after[:, BACKBONE] = np.where(
        backbone,
        np.where(alone, taken, here)[:, None],
        np.where(onsets, here, added)[:, None],
    )
    return after


def _offbeats(loops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Strokes on the 8ths between the beats, and on the 16ths between those, of every loop."""
    strokes = loops.sum(2)
    return tuple(
        strokes[:, places].sum(1)
        for places in (slice(2, None, STEPS_PER_QUARTER), slice(1, None, STEPS_PER_QUARTER // 2))
    )


def _swing_broken(board: Board, eighths: np.ndarray, sixteenths: np.ndarray) -> np.ndarray:
    """Strokes too many, or too few, for `attributes.swing_of` to see the pair that swings."""
    if not board.swung_pair:
        return np.zeros(np.shape(eighths))
    over = sixteenths - 0.5 * eighths
    return np.maximum(over if board.swung_pair == 1.0 else 0.5 - over, 0.0)
