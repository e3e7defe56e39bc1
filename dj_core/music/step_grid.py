"""The grid of 16ths: for each step and drum the strokes, their velocity and offset.

A groove is a table of compound tokens, one per stroke::

    step       16th of the beat it belongs to, counted from 0
    lane       row of the drum table, 0 to 15
    velocity   0 to 32: four MIDI velocities to a bin, and 127, the ceiling, alone in the last
    offset     -12 to 12, in 96ths of a quarter from the step

96ths hold 16ths, 32nds, 8th and 16th triplets exactly, so straight and triplet feel need no grids
of their own. A cell (step and lane) holds any number of strokes, so flams, drags and rolls stay.

What the network reads is the `Grid`: per cell its loudest stroke, a second one, and for rolls how
many strokes lie between the two, evenly spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dj_core.errors import TokenizerError
from dj_core.music.beat import Beat, Hit, Meter, Provenance
from dj_core.music.drums import DRUMS

VERSION = 2
LANES = len(DRUMS)
STEPS_PER_QUARTER = 4
TICKS_PER_STEP = 24  # 96 to the quarter, see above
TICKS_PER_QUARTER = STEPS_PER_QUARTER * TICKS_PER_STEP
MAX_OFFSET = TICKS_PER_STEP // 2
OFFSETS = 2 * MAX_OFFSET + 1
MOST_BETWEEN = 6  # strokes of a roll between its first and last: eight in all
MAX_VELOCITY = 127
VELOCITIES_PER_BIN = 4
CEILING_BIN = math.ceil((MAX_VELOCITY - 1) / VELOCITIES_PER_BIN)
VELOCITY_BINS = CEILING_BIN + 1
METERS: tuple[Meter, ...] = (Meter(4, 4), Meter(3, 4), Meter(6, 8), Meter(12, 8), Meter(5, 4))
MAX_STEPS_PER_BAR = max(int(meter.bar_quarters * STEPS_PER_QUARTER) for meter in METERS)
COLUMNS = ("step", "lane", "velocity", "offset")


@dataclass(frozen=True)
class Groove:
    """A beat in tokens.

    Attributes:
        meter: one of `METERS`.
        bars: length in bars, at least 1.
        strokes: int32 array (strokes, 4) with the columns `COLUMNS`, sorted by step and lane, the
            loudest stroke of a cell first. A step may be the one after the last: a stroke that
            anticipates the bar line there.

    Raises:
        TokenizerError: a meter or a token outside its range.
    """

    meter: Meter
    bars: int
    strokes: np.ndarray

    def __post_init__(self) -> None:
        steps = self.bars * steps_per_bar(self.meter)
        strokes = np.asarray(self.strokes, np.int32).reshape(-1, len(COLUMNS))
        low = np.array([0, 0, 0, -MAX_OFFSET])
        high = np.array([steps, LANES - 1, VELOCITY_BINS - 1, MAX_OFFSET])
        outside = (strokes < low) | (strokes > high)
        if outside.any():
            row, column = np.argwhere(outside)[0]
            raise TokenizerError(
                f"Token {COLUMNS[column]} of a groove of {self.bars} bars is {low[column]} to "
                f"{high[column]}; got {strokes[row, column]}. Encode the beat again."
            )
        step, lane, velocity, offset = strokes.T
        order = np.lexsort((offset, -velocity, lane, step))
        object.__setattr__(self, "strokes", strokes[order])

    @property
    def steps(self) -> int:
        """16ths in all bars."""
        return self.bars * steps_per_bar(self.meter)


@dataclass(frozen=True)
class Grid:
    """A groove as arrays (steps, 16) of uint8; 0 means no stroke.

    Attributes:
        velocity: 1 + velocity bin of each cell's loudest stroke.
        offset: 1 + `MAX_OFFSET` + its offset.
        second_velocity, second_offset: likewise for the second stroke of flams, and for the end
            of a roll that is farthest from the loudest stroke.
        between: how many strokes of a roll lie between the two, 0 to 6.
    """

    velocity: np.ndarray
    offset: np.ndarray
    second_velocity: np.ndarray
    second_offset: np.ndarray
    between: np.ndarray

    @classmethod
    def empty(cls, steps: int) -> Grid:
        """A grid of `steps` steps without strokes."""
        return cls(*(np.zeros((steps, LANES), np.uint8) for _ in range(5)))


def steps_per_bar(meter: Meter) -> int:
    """16ths in a bar. Raises TokenizerError for a meter that grooves do not have."""
    if meter not in METERS:
        raise TokenizerError(
            f"Grooves are in {', '.join(map(str, METERS))}; got {meter}. Choose one of these."
        )
    return int(meter.bar_quarters * STEPS_PER_QUARTER)


def velocity_bin(velocity: int) -> int:
    """The bin, 0 to 32, of a MIDI velocity (1 to 127)."""
    return CEILING_BIN if velocity == MAX_VELOCITY else (velocity - 1) // VELOCITIES_PER_BIN


def velocities_of_bin(velocity_bin: int) -> range:
    """The MIDI velocities of a bin."""
    low = 1 + velocity_bin * VELOCITIES_PER_BIN
    if velocity_bin == CEILING_BIN:
        return range(MAX_VELOCITY, MAX_VELOCITY + 1)
    return range(low, min(low + VELOCITIES_PER_BIN, MAX_VELOCITY))


MIDDLE_VELOCITIES = np.array(
    [velocities_of_bin(b)[len(velocities_of_bin(b)) // 2] for b in range(VELOCITY_BINS)]
)


def encode(beat: Beat) -> Groove:
    """`beat` in tokens: no stroke lost, none moved by more than 1/192 quarter.

    Raises:
        TokenizerError: a meter that grooves do not have.
    """
    steps_per_bar(beat.meter)
    onsets = np.array([hit.onset_quarters for hit in beat.hits]) * STEPS_PER_QUARTER
    steps = np.floor(onsets + 0.5)
    strokes = np.empty((len(beat.hits), len(COLUMNS)), np.int32)
    strokes[:, 0] = steps
    strokes[:, 1] = [hit.lane for hit in beat.hits]
    strokes[:, 2] = [velocity_bin(hit.velocity) for hit in beat.hits]
    strokes[:, 3] = np.round((onsets - steps) * TICKS_PER_STEP)
    return Groove(beat.meter, beat.bars, strokes)


def decode(
    groove: Groove,
    *,
    velocities: np.ndarray | None = None,
    shifts: np.ndarray | None = None,
    tempo_bpm: float | None = None,
    genre: str = "",
    title: str = "",
    provenance: Provenance | None = None,
) -> Beat:
    """The beat that `groove` stands for.

    Args:
        groove: the tokens.
        velocities: MIDI velocity of each stroke, drawn within its bin by the caller; None takes
            the middle of every bin.
        shifts: 96ths of a quarter by which each stroke lies off its offset's middle, decided by
            the caller; None for none.
        tempo_bpm, genre, title, provenance: passed on to the beat.
    """
    step, lane, velocity, offset = groove.strokes.T
    if velocities is None:
        velocities = MIDDLE_VELOCITIES[velocity]
    last_quarters = groove.meter.bar_quarters * groove.bars - 0.25 / TICKS_PER_QUARTER
    ticks = step * TICKS_PER_STEP + offset
    onsets = (ticks if shifts is None else ticks + shifts) / TICKS_PER_QUARTER
    hits = tuple(
        Hit(onset, row, level)
        for onset, row, level in zip(
            np.clip(onsets, 0.0, last_quarters).tolist(),
            lane.tolist(),
            np.asarray(velocities).tolist(),
            strict=True,
        )
    )
    return Beat(
        hits,
        bars=groove.bars,
        tempo_bpm=tempo_bpm,
        meter=groove.meter,
        genre=genre,
        title=title,
        provenance=provenance or Provenance(),
    )


def to_grid(groove: Groove) -> Grid:
    """The grid of a groove: a cell's strokes beyond two become evenly spread ones.

    Strokes after the last step are left out.
    """
    grid = Grid.empty(groove.steps)
    step, lane, velocity, offset = groove.strokes[groove.strokes[:, 0] < groove.steps].T
    if not len(step):
        return grid
    cell = step * LANES + lane
    _, apart = np.unique(cell * OFFSETS + offset + MAX_OFFSET, return_index=True)
    apart.sort()  # of strokes at one place the loudest stays
    step, lane, velocity, offset, cell = (a[apart] for a in (step, lane, velocity, offset, cell))
    starts = np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]])
    strokes = np.diff(np.r_[starts, len(cell)])
    grid.velocity[step[starts], lane[starts]] = velocity[starts] + 1
    grid.offset[step[starts], lane[starts]] = offset[starts] + MAX_OFFSET + 1
    away = np.abs(offset - np.repeat(offset[starts], strokes))
    farthest = np.lexsort((np.arange(len(cell)), -away, cell))[starts]  # first of each cell
    more = strokes > 1
    at = step[starts[more]], lane[starts[more]]
    grid.second_velocity[at] = velocity[farthest[more]] + 1
    grid.second_offset[at] = offset[farthest[more]] + MAX_OFFSET + 1
    room = away[farthest[more]] - 1
    grid.between[at] = np.minimum(np.minimum(strokes[more] - 2, room), MOST_BETWEEN)
    return grid


def from_grid(grid: Grid, meter: Meter) -> Groove:
    """The groove of a grid of whole bars."""
    step, lane = np.nonzero(grid.velocity)

    def of(part: np.ndarray, first: int) -> np.ndarray:
        return part[step, lane].astype(np.int32) - first

    velocity, offset = of(grid.velocity, 1), of(grid.offset, 1 + MAX_OFFSET)
    parts = [np.stack([step, lane, velocity, offset], axis=1)]
    second_velocity = of(grid.second_velocity, 1)
    second_offset, between = of(grid.second_offset, 1 + MAX_OFFSET), of(grid.between, 0)
    two = second_velocity >= 0
    # the last one is the second stroke itself
    for number in range(1, between[two].max(initial=-1) + 2):
        here = two & (number <= between + 1)
        share = number / (between[here] + 1)
        levels = velocity[here] + share * (second_velocity[here] - velocity[here])
        offsets = offset[here] + share * (second_offset[here] - offset[here])
        columns = (step[here], lane[here], np.rint(levels), np.rint(offsets))
        parts.append(np.stack(columns, axis=1).astype(np.int32))
    return Groove(meter, len(grid.velocity) // steps_per_bar(meter), np.concatenate(parts))
