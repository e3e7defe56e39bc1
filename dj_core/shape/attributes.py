"""Five numbers a DJ can turn, how they are measured, and what is usual in a genre.

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

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from dj_core.beat import Beat
from dj_core.drums import DRUMS
from dj_core.errors import BeatError
from dj_core.shape.keeping import struck
from dj_core.shape.playing import bar_cells
from dj_core.tokenizers.groove import STEPS_PER_QUARTER

NORMS_FILE = Path(__file__).resolve().parents[2] / "assets" / "genre-norms.json"
STRAIGHT = 50.0
# of a quarter; what lies nearer to the next beat anticipates that
_EIGHTH, _SIXTEENTHS = (0.42, 0.7), ((0.18, 0.4), (0.7, 0.9))
_BACKBONE = np.array([drum.family in ("kick", "snare", "tom") for drum in DRUMS])
LARGEST_SPREAD = {"swing": 6.0}  # a genre of straight and of shuffled beats is wide for no use
SMALLEST_SPREAD = {  # below these a slider would do nothing one hears
    "density": 0.5,
    "syncopation": 0.3,
    "swing": 4.0,
    "loudness": 8.0,
    "complexity": 0.08,
}


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
        return {item.name: getattr(self, item.name) for item in fields(self)}


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
        return getattr(self.mean, name) + asked * self._unit(name, asked > 0)

    def position(self, name: str, value: float) -> float:
        """The slider position at which an attribute would have this value."""
        away = value - getattr(self.mean, name)
        return away / self._unit(name, away > 0)

    def _unit(self, name: str, above: bool) -> float:
        low, high = RANGES[name]
        mean = min(max(getattr(self.mean, name), low), high)
        room = (high - mean if above else mean - low) / 2
        return max(min(getattr(self.spread, name), room), 1e-3)


RANGES = {
    "density": (0.25, 16.0),
    "syncopation": (0.0, 8.0),
    "swing": (45.0, 68.0),
    "loudness": (15.0, 122.0),
    "complexity": (0.0, 1.0),
}


def attributes(beat: Beat) -> Attributes:
    """The five numbers of a beat. Raises TokenizerError for meters that grids do not have."""
    swing, pair = swing_of(beat)
    straight = _warped(beat, pair, swing / 100, 0.5) if pair == 1.0 else beat
    cells = struck(straight)
    per_bar = bar_cells(beat)
    velocities = [hit.velocity for hit in beat.hits]
    return Attributes(
        density=float(cells.sum() / (len(cells) / STEPS_PER_QUARTER)),
        syncopation=_syncopation(cells[:, _BACKBONE].any(1), per_bar),
        swing=swing,
        loudness=float(np.mean(velocities)) if velocities else 0.0,
        complexity=_change(cells, per_bar if beat.bars > 1 else per_bar // 2),
    )


def weights(per_bar: int) -> np.ndarray:
    """How strong each 16th of a bar is: 0 on the one, then -1, -2 (quarters), -3, -4 (16ths)."""
    places = np.arange(per_bar)
    strength = np.full(per_bar, -4)
    for grid, weight in ((2, -3), (STEPS_PER_QUARTER, -2), (per_bar // 2, -1), (per_bar, 0)):
        if grid:
            strength[places % grid == 0] = weight
    return strength


def _syncopation(onsets: np.ndarray, per_bar: int) -> float:
    if not onsets.any():
        return 0.0
    strength = np.tile(weights(per_bar), len(onsets) // per_bar)
    total = 0
    for step in np.flatnonzero(onsets):
        total -= strength[step]
        for ahead in range(1, per_bar):
            after = (step + ahead) % len(onsets)
            if strength[after] > strength[step]:
                if not onsets[after]:
                    total += strength[after] - strength[step]
                break
            if onsets[after]:
                break
    return float(total / onsets.sum())


def _change(cells: np.ndarray, lag: int) -> float:
    before = np.roll(cells, lag, axis=0)
    either = (cells | before).sum()
    return float((cells ^ before).sum() / either) if either else 0.0


def swing_of(beat: Beat) -> tuple[float, float]:
    """Swing in percent, and the length in quarters of the pair it is of: 0.5 (16ths) or 1."""
    sixteenths, eighths = (_offbeats(beat, pair) for pair in (0.5, 1.0))
    pair, places = (0.5, sixteenths) if len(sixteenths) > 0.5 * len(eighths) else (1.0, eighths)
    return (100 * float(places.mean()) if len(places) else STRAIGHT), pair


def _offbeats(beat: Beat, pair: float) -> np.ndarray:
    """Where offbeats lie in their pair, 0 to 1."""
    place = np.array([hit.onset_quarters for hit in beat.hits]) % 1.0
    if pair == 1.0:
        return place[(place >= _EIGHTH[0]) & (place < _EIGHTH[1])]
    first, second = (place[(place >= low) & (place < high)] for low, high in _SIXTEENTHS)
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
        beat = _warped(beat, pair, float(places.mean()), percent / 100)
    return beat


def _warped(beat: Beat, pair: float, before: float, after: float) -> Beat:
    """Time between beats stretched so that `before` of a pair comes to lie at `after`."""
    latest = float(np.nextafter(beat.length_quarters, 0))
    hits = []
    for hit in beat.hits:
        start = np.floor(hit.onset_quarters / pair) * pair
        place = (hit.onset_quarters - start) / pair
        if place < before:
            place *= after / before
        else:
            place = 1 - (1 - place) * (1 - after) / (1 - before)
        hits.append(replace(hit, onset_quarters=min(float(start + place * pair), latest)))
    return replace(beat, hits=tuple(hits))


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
    least, most = -6.0, 6.0  # of log2 of the exponent
    for _ in range(40):
        middle = (least + most) / 2
        if _bent(velocities, 2**middle).mean() > mean_velocity:
            least = middle
        else:
            most = middle
    bent = _bent(velocities, 2**most)
    hits = (replace(hit, velocity=int(level)) for hit, level in zip(beat.hits, bent, strict=True))
    return replace(beat, hits=tuple(hits))


def _bent(velocities: np.ndarray, exponent: float) -> np.ndarray:
    # 128, so that strokes of 127 can be made softer, too
    return np.clip(np.round(128 * (velocities / 128) ** exponent), 1, 127)


# --- what is usual ----------------------------------------------------------------------------


def norm_of(beats: Sequence[Beat]) -> Norm:
    """What is usual among `beats`. Raises BeatError for none."""
    if not beats:
        raise BeatError("There are no beats to say what is usual.")
    rows = np.array([list(attributes(beat).as_dict().values()) for beat in beats])
    least = [SMALLEST_SPREAD[name] for name in NAMES]
    most = [LARGEST_SPREAD.get(name, np.inf) for name in NAMES]
    spread = np.clip(rows.std(0), least, most)
    return Norm(Attributes(*map(float, rows.mean(0))), Attributes(*map(float, spread)))


def norms_as_json(norms: Mapping[str, Norm]) -> dict[str, dict[str, dict[str, float]]]:
    """Norms by genre, '' for any, as kept in the file."""
    return {
        genre: {
            part: {name: round(value, 4) for name, value in getattr(norm, part).as_dict().items()}
            for part in ("mean", "spread")
        }
        for genre, norm in sorted(norms.items())
    }


@lru_cache(maxsize=1)
def genre_norms() -> dict[str, Norm]:
    """What is usual in every genre, by name; '' is any. Shipped with the product."""
    content = json.loads(NORMS_FILE.read_text("utf-8"))
    return {
        genre: Norm(Attributes(**parts["mean"]), Attributes(**parts["spread"]))
        for genre, parts in content.items()
    }


def genre_norm(genre: str) -> Norm:
    """What is usual in `genre`, or in any where nobody knows."""
    norms = genre_norms()
    return norms.get(genre, norms[""])
