"""Training material of the humaniser: played performances as grids, cut at random bar lines.

A performance is a `step_grid.Grid`: per 16th and lane the velocity bin and the offset in
96ths of the stroke there. Half of the stretches have their drums folded to the nine classes of the
measurements, so that the same network serves beats that tell hats apart and beats that do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dj_core.corpus.store import Corpus
from dj_core.errors import TrainingError
from dj_core.music.beat import Beat
from dj_core.music.drum_classes import CLASSES
from dj_core.music.drums import LANE
from dj_core.music.step_grid import (
    LANES,
    MAX_OFFSET,
    METERS,
    OFFSETS,
    STEPS_PER_QUARTER,
    VELOCITY_BINS,
    Grid,
    encode,
    steps_per_bar,
    to_grid,
    velocities_of_bin,
    velocity_bin,
)

FILE_TICKS_PER_QUARTER = 480  # the resolution MIDI files of performances have
TICKS_PER_OFFSET = 5  # of those in a 96th of a quarter
STRETCH_BARS = (2, 4, 8)
STRETCH_CHANCES = (0.4, 0.4, 0.2)
STEPS_A_BATCH = 3_072
HIDDEN_GENRE, HIDDEN_TEMPO = 0.3, 0.2  # how often these are not told

FOLDED_LANE = np.arange(LANES)
for _class, _names in CLASSES:
    FOLDED_LANE[[LANE[_name] for _name in _names]] = LANE[_names[0]]


@dataclass(frozen=True)
class Performance:
    """A performance on the grid.

    Attributes:
        grid: its strokes.
        meter: index in `METERS`.
        genre: '' when unknown.
        tempo_bpm: 0 when unknown.
    """

    grid: Grid
    meter: int
    genre: str
    tempo_bpm: float

    @property
    def bar_steps(self) -> int:
        """16ths in a bar."""
        return steps_per_bar(METERS[self.meter])

    @property
    def bars(self) -> int:
        """Length in bars."""
        return len(self.grid.velocity) // self.bar_steps


@dataclass(frozen=True)
class Batch:
    """Stretches side by side; arrays are (steps, streams, 16) or (streams,).

    Attributes:
        velocity, offset: as in `Grid`; 0 where nothing is struck.
        meter, genre: indices; genre 0 is 'any'.
        tempo_bpm: 0 where it is not told.
        bar_steps: 16ths in a bar.
    """

    velocity: np.ndarray
    offset: np.ndarray
    meter: np.ndarray
    genre: np.ndarray
    tempo_bpm: np.ndarray
    bar_steps: np.ndarray


def performance_of(beat: Beat) -> Performance:
    """`beat` on the grid. Raises TokenizerError for a meter that grids do not have."""
    grid = to_grid(encode(beat))
    return Performance(grid, METERS.index(beat.meter), beat.genre, beat.tempo_bpm or 0.0)


def performances(corpus: Corpus, split: str) -> tuple[Performance, ...]:
    """The performances of one split; those in meters grids do not have are left out.

    Raises:
        TrainingError: there are none.
    """
    found = tuple(
        performance_of(corpus.beat(file))
        for file in corpus.files
        if file.split == split and file.meter in METERS and file.hits
    )
    if not found:
        raise TrainingError(
            f"Corpus {corpus.name!r} has no performance in its {split!r} split. Choose another."
        )
    return found


def genres_of(material: Iterable[Performance]) -> tuple[str, ...]:
    """'' for any, then every genre that occurs, sorted."""
    return "", *sorted({item.genre for item in material} - {""})


def folded(grid: Grid) -> Grid:
    """The grid with drums of one class on the class's first lane; the loudest stroke stays."""
    velocity, offset = np.zeros_like(grid.velocity), np.zeros_like(grid.offset)
    for lane, target in enumerate(FOLDED_LANE):
        louder = grid.velocity[:, lane] > velocity[:, target]
        velocity[louder, target] = grid.velocity[louder, lane]
        offset[louder, target] = grid.offset[louder, lane]
    return Grid(velocity, offset, *(np.zeros_like(velocity) for _ in range(3)))


class Stretches:
    """Endless batches of random stretches; every draw comes from one generator."""

    def __init__(
        self,
        material: tuple[Performance, ...],
        genres: tuple[str, ...],
        generator: np.random.Generator,
    ) -> None:
        """Begin.

        Args:
            material: what to draw from.
            genres: names by index, '' first.
            generator: the one source of chance.
        """
        self.material = material
        self.generator = generator
        self._folded = tuple(folded(item.grid) for item in material)
        self._genre = np.array([genres.index(item.genre) for item in material])
        bars = np.array([item.bars for item in material], float)
        self._chance = bars / bars.sum()

    def next_batch(self) -> Batch:
        """Some stretches of one length, as many as `STEPS_A_BATCH` 16ths hold."""
        draw = self.generator
        bars = int(draw.choice(STRETCH_BARS, p=STRETCH_CHANCES))
        streams = STEPS_A_BATCH // (bars * 16)
        chosen = draw.choice(len(self.material), size=streams, p=self._chance)
        first = draw.random(streams)
        fold = draw.random(streams) < 0.5
        parts = []
        for index, where, plain in zip(chosen, first, fold, strict=True):
            item = self.material[index]
            grid = self._folded[index] if plain else item.grid
            start = int(where * max(item.bars - bars + 1, 1)) * item.bar_steps
            rows = slice(start, start + bars * item.bar_steps)
            parts.append((grid.velocity[rows], grid.offset[rows]))
        told = draw.random(streams) >= HIDDEN_GENRE
        timed = draw.random(streams) >= HIDDEN_TEMPO
        items = [self.material[index] for index in chosen]
        return Batch(
            *stacked(parts),
            meter=np.array([item.meter for item in items]),
            genre=self._genre[chosen] * told,
            tempo_bpm=np.array([item.tempo_bpm for item in items]) * timed,
            bar_steps=np.array([item.bar_steps for item in items]),
        )


def stacked(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Velocities and offsets of stretches side by side, silent after their ends."""
    steps = max(len(velocity) for velocity, _ in parts)
    velocity = np.zeros((steps, len(parts), LANES), np.uint8)
    offset = np.zeros_like(velocity)
    for stream, (levels, places) in enumerate(parts):
        velocity[: len(levels), stream] = levels
        offset[: len(places), stream] = places
    return velocity, offset


@dataclass(frozen=True)
class Alphabet:
    """What lies inside the bins, as often as drummers play it; cumulative chances.

    Attributes:
        velocities: (lanes, 33 bins, 4 members); see `step_grid.velocities_of_bin`.
        ticks: (25 offsets, 5): 480ths of a quarter from two before the 96th to two after.
    """

    velocities: np.ndarray
    ticks: np.ndarray

    @classmethod
    def of(cls, beats: Iterable[Beat]) -> Alphabet:
        """Count the strokes of played beats."""
        velocities = np.full((LANES, VELOCITY_BINS, 4), 1e-3)
        ticks = np.full((OFFSETS, TICKS_PER_OFFSET), 1e-3)
        for beat in beats:
            for hit in beat.hits:
                index = velocity_bin(hit.velocity)
                velocities[hit.lane, index, hit.velocity - velocities_of_bin(index)[0]] += 1
                sixteenths = hit.onset_quarters * STEPS_PER_QUARTER
                tick = (sixteenths - np.floor(sixteenths + 0.5)) * FILE_TICKS_PER_QUARTER / 4
                offset = round(float(tick) / TICKS_PER_OFFSET)
                within = round(float(tick)) - offset * TICKS_PER_OFFSET + 2
                ticks[offset + MAX_OFFSET, np.clip(within, 0, TICKS_PER_OFFSET - 1)] += 1
        shared = velocities.sum(0)
        velocities = velocities + 20 * shared / shared.sum(-1, keepdims=True)
        for index in range(VELOCITY_BINS):  # bins of fewer members have no chance beyond them
            velocities[:, index, len(velocities_of_bin(index)) :] = 0
        ticks[0, :2] = ticks[-1, 2:] = 0  # those belong to the neighbouring 16th
        return cls(_cumulative(velocities), _cumulative(ticks))

    def velocity(self, lane: int, velocity_bin: int, draw: float) -> int:
        """A MIDI velocity of the bin for a random number 0 up to 1."""
        within = int(np.searchsorted(self.velocities[lane, velocity_bin], draw, "right"))
        members = velocities_of_bin(velocity_bin)
        return members[min(within, len(members) - 1)]

    def offset_sixteenths(self, offset: int, draw: float) -> float:
        """A place in 16ths for an offset token (0 to 24), on a 480th of a quarter."""
        within = int(np.searchsorted(self.ticks[offset], draw, "right"))
        tick = (offset - MAX_OFFSET) * TICKS_PER_OFFSET + min(within, TICKS_PER_OFFSET - 1) - 2
        return tick * STEPS_PER_QUARTER / FILE_TICKS_PER_QUARTER


def _cumulative(counts: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.cumsum(counts, -1) / counts.sum(-1, keepdims=True)
    return shares
