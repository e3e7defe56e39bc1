"""The five slider attributes of a beat, how they are measured, and their norms by genre.

* **density**: cells (16th and drum) struck per quarter note.
* **syncopation**: of kick, snares, claps and toms together, how weak the places are on which they
  fall (0 on the one to 4 between the 8ths), and more where the next stronger place is silent, by
  how much it is stronger (Longuet-Higgins and Lee, Music Perception 1:424, 1984); per stroke.
* **swing**: where the offbeat falls between the beats around it, in percent: 50 is straight, 67 a
  triplet. Of 16ths where they are played, else of 8ths, as drum machines count it.
* **loudness**: mean velocity, 1 to 127.
* **complexity**: share of the beat that is not a repeat: cells that differ from a bar ago (in a
  beat of one bar, from half a bar ago), of those struck at either time; the beat is a loop. 0 to 1.

Cells are those of the beat played straight, so that swing says nothing of the others.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache

import numpy as np

from dj_core.errors import BeatError
from dj_core.files.records import read_json, record_of
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS
from dj_core.music.step_grid import LANES, STEPS_PER_QUARTER
from dj_core.product import ASSETS
from dj_core.shaping.playing import bar_cells

NORMS_FILE = ASSETS / "genre-norms.json"
STRAIGHT = 50.0
HEARD_SWING = 3.0  # percent off straight
_WITHIN = 0.12  # of a quarter: nearly half a 16th
# places in a quarter note; what lies nearer to the next beat than the last anticipates that
_FIRST_16TH, _OFFBEAT, _LAST = (0.18, 0.4), (0.42, 0.78), 0.9
_BETWEEN, _STRAIGHT_16TH = 0.62, 0.715  # of an 8th and a 16th; later is no 8th's swing
_TOGETHER = 0.08  # spread of strokes that are meant to lie in one place
BACKBONE = np.array([drum.family in ("kick", "snare", "tom") for drum in DRUMS])


@dataclass(frozen=True)
class Attributes:
    """What a beat is like; see the module's text."""

    density: float
    syncopation: float
    swing: float
    loudness: float
    complexity: float

    def as_dict(self) -> dict[str, float]:
        """By name, in order."""
        return asdict(self)


NAMES: tuple[str, ...] = tuple(item.name for item in fields(Attributes))


@dataclass(frozen=True)
class Norm:
    """What is usual: mean and spread (standard deviation, never tiny) of every attribute."""

    mean: Attributes
    spread: Attributes

    def target(self, name: str, asked: float) -> float:
        """The attribute's value at a slider position of -2 to 2; 0 is the mean.

        A position is a spread, or less where the scale would end before the slider does.
        """
        mean: float = getattr(self.mean, name)
        return mean + asked * self._unit(name, asked > 0)

    def position(self, name: str, value: float) -> float:
        """The slider position at which an attribute would have this value."""
        return float(self.positions(name, value))

    def positions(self, name: str, values: np.ndarray | float) -> np.ndarray:
        """`position` of a value, or of every value of an array."""
        away = values - getattr(self.mean, name)
        unit = np.where(away > 0, self._unit(name, True), self._unit(name, False))
        positions: np.ndarray = away / unit
        return positions

    def _unit(self, name: str, above: bool) -> float:
        low, high = RANGES[name]
        usual: float = getattr(self.mean, name)
        spread: float = getattr(self.spread, name)
        mean = min(max(usual, low), high)
        room = (high - mean if above else mean - low) / 2
        return max(min(spread, room), 1e-3)


RANGES = {
    "density": (0.25, 16.0),
    "syncopation": (0.0, 8.0),
    "swing": (45.0, 68.0),
    "loudness": (15.0, 122.0),
    "complexity": (0.0, 1.0),
}


def attributes(beat: Beat) -> Attributes:
    """The five numbers of a beat. Raises TokenizerError for meters that grids do not have."""
    straight, per_bar = Straightened(beat), bar_cells(beat)
    cells = np.zeros((beat.bars * per_bar, LANES), bool)
    for cell in straight.cells:
        cells[cell] = True
    onsets = np.asarray(cells[:, BACKBONE].any(1))
    strength, ahead = (
        np.tile(part, beat.bars) for part in (weights(per_bar), stronger_places(per_bar))
    )
    weak = 0
    for step in np.flatnonzero(onsets):
        weak -= strength[step]
        silent = (step + 1 + np.arange(ahead[step])) % len(onsets)
        if len(silent) and not onsets[silent].any():
            weak += strength[silent[-1]] - strength[step]
    before = np.roll(cells, per_bar if beat.bars > 1 else per_bar // 2, axis=0)
    velocities = [hit.velocity for hit in beat.hits]
    return Attributes(
        density=float(cells.sum() / (len(cells) / STEPS_PER_QUARTER)),
        syncopation=float(weak / max(onsets.sum(), 1)),
        swing=straight.swing,
        loudness=float(np.mean(velocities)) if velocities else 0.0,
        complexity=float((cells ^ before).sum() / max((cells | before).sum(), 1)),
    )


class Straightened:
    """A beat as if its 8ths did not swing: where its strokes lie then, and the way back.

    Attributes:
        swing: in percent.
        pair: what swings, see `swing_of`.
        cells: per hit of the beat, its (16th, lane).
    """

    def __init__(self, beat: Beat) -> None:
        self.swing, self.pair = swing_of(beat)
        self.steps = beat.bars * bar_cells(beat)
        straight = ((self._straight(hit.onset_quarters), hit.lane) for hit in beat.hits)
        self.cells = [
            (min(math.floor(onset * STEPS_PER_QUARTER + 0.5), self.steps - 1), lane)
            for onset, lane in straight
        ]

    @property
    def swung_pair(self) -> float:
        """The pair that swings, 0 where one hardly hears it."""
        return self.pair if abs(self.swing - STRAIGHT) >= HEARD_SWING else 0.0

    @property
    def sounding_steps(self) -> np.ndarray:
        """Per 16th the one in which it sounds: the offbeat of a wide swing comes with the last."""
        steps = np.arange(self.steps)
        if self.pair != 1.0:
            return steps
        swung = [
            _bent_onset(step / STEPS_PER_QUARTER, 1.0, 0.5, self.swing / 100) for step in steps
        ]
        return np.floor(np.array(swung) * STEPS_PER_QUARTER + 0.5).astype(int)

    def settled(self, onset_quarters: float, step: int) -> float:
        """An onset, moved if need be so that it belongs to a 16th of the straight beat."""
        straight = self._straight(onset_quarters)
        middle = step / STEPS_PER_QUARTER
        inside = min(max(straight, middle - _WITHIN), middle + _WITHIN)
        if inside == straight or self.pair != 1.0:
            return onset_quarters
        return max(_bent_onset(inside, 1.0, 0.5, self.swing / 100), 0.0)

    def _straight(self, onset_quarters: float) -> float:
        if self.pair != 1.0:
            return onset_quarters
        return _bent_onset(onset_quarters, 1.0, self.swing / 100, 0.5)


def weights(per_bar: int) -> np.ndarray:
    """How strong each 16th of a bar is: 0 on the one, then -1, -2 (quarters), -3, -4 (16ths)."""
    places = np.arange(per_bar)
    strength = np.full(per_bar, -4)
    for grid, weight in ((2, -3), (STEPS_PER_QUARTER, -2), (per_bar // 2, -1), (per_bar, 0)):
        if grid:
            strength[places % grid == 0] = weight
    return strength


def stronger_places(per_bar: int) -> np.ndarray:
    """16ths from each place of a bar to the next stronger one; 0 for the one."""
    strength = np.tile(weights(per_bar), 2)
    ahead = [
        next((n for n in range(1, per_bar) if strength[place + n] > strength[place]), 0)
        for place in range(per_bar)
    ]
    return np.array(ahead)


def swing_of(beat: Beat) -> tuple[float, float]:
    """Swing in percent, and the length in quarters of the pair it is of: 0.5 (16ths) or 1."""
    sixteenths, eighths = (_offbeats(beat, pair) for pair in (0.5, 1.0))
    pair, places = (0.5, sixteenths) if len(sixteenths) > 0.5 * len(eighths) else (1.0, eighths)
    return (100 * float(places.mean()) if len(places) else STRAIGHT), pair


def _offbeats(beat: Beat, pair: float) -> np.ndarray:
    """Where offbeats lie in their pair, 0 to 1.

    Late strokes are swung 8ths where they lie all together, and 16ths where there are others on
    the 8th, or they lie where a straight 16th does.
    """
    place = np.array([hit.onset_quarters for hit in beat.hits]) % 1.0
    late = place[(place >= _OFFBEAT[0]) & (place < _OFFBEAT[1])]
    together = len(late) and late.std() < _TOGETHER and late.mean() < _STRAIGHT_16TH
    border = _OFFBEAT[1] if together else _BETWEEN
    if pair == 1.0:
        return late[late < border]
    first = place[(place >= _FIRST_16TH[0]) & (place < _FIRST_16TH[1])]
    second = place[(place >= border) & (place < _LAST)]
    return np.concatenate([first, second - 0.5]) / 0.5


# --- what can be set without a model ----------------------------------------------------------


def with_swing(beat: Beat, percent: float) -> Beat:
    """`beat` with its offbeats at `percent`; strokes around them move along.

    Raises:
        BeatError: less than 45 or more than 68 percent.
    """
    low, high = RANGES["swing"]
    if not low <= percent <= high:
        raise BeatError(f"Swing is {low:g} (pushed) to {high:g} percent; got {percent:g}.")
    pair = swing_of(beat)[1]
    for _ in range(6):  # strokes lie around their mean: a few turns bring it there
        places = _offbeats(beat, pair)
        if not len(places) or abs(100 * places.mean() - percent) < 0.05:
            break
        bent = [
            _bent_onset(hit.onset_quarters, pair, float(places.mean()), percent / 100)
            for hit in beat.hits
        ]
        latest = float(np.nextafter(beat.length_quarters, 0))
        hits = (
            replace(hit, onset_quarters=min(onset, latest))
            for hit, onset in zip(beat.hits, bent, strict=True)
        )
        beat = replace(beat, hits=tuple(hits))
    return beat


def _bent_onset(onset_quarters: float, pair: float, before: float, after: float) -> float:
    """Where an onset comes to lie when `before` of its pair comes to lie at `after`."""
    start = math.floor(onset_quarters / pair) * pair
    place = (onset_quarters - start) / pair
    place = (
        place * after / before if place < before else 1 - (1 - place) * (1 - after) / (1 - before)
    )
    return float(start + place * pair)


def with_loudness(beat: Beat, mean_velocity: float) -> Beat:
    """`beat` at another mean velocity; louder strokes stay louder, the loudest bend least.

    Raises:
        BeatError: a mean below 15 or above 122.
    """
    low, high = RANGES["loudness"]
    if not low <= mean_velocity <= high:
        raise BeatError(f"A mean velocity is {low:g} to {high:g}; got {mean_velocity:g}.")
    velocities = np.array([hit.velocity for hit in beat.hits], float)
    if not len(velocities) or abs(velocities.mean() - mean_velocity) < 0.25:
        return beat

    def bent(exponent: float) -> np.ndarray:
        # 128, so that strokes of 127 can be made softer, too
        return np.clip(np.round(128 * (velocities / 128) ** exponent), 1, 127)

    least, most = -6.0, 6.0  # of log2 of the exponent
    for _ in range(40):
        middle = (least + most) / 2
        if bent(2**middle).mean() > mean_velocity:
            least = middle
        else:
            most = middle
    levels = bent(2**most).astype(int).tolist()
    hits = (replace(hit, velocity=level) for hit, level in zip(beat.hits, levels, strict=True))
    return replace(beat, hits=tuple(hits))


# --- what is usual ----------------------------------------------------------------------------


@lru_cache(maxsize=1)
def genre_norms() -> dict[str, Norm]:
    """What is usual in every genre, by name; '' is any. Shipped with the product."""
    return {genre: record_of(Norm, parts) for genre, parts in read_json(NORMS_FILE).items()}


def genre_norm(genre: str) -> Norm:
    """What is usual in `genre`, or in any where nobody knows."""
    norms = genre_norms()
    return norms.get(genre, norms[""])
