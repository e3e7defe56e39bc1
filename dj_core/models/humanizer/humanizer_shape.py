"""The shape of a humaniser: its settings, weights, and the hits of a batch in playing order.

Whoever plays needs no torch; this is what playing (`humanizer_inference`) and training
(`humanizer_network`) have in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dj_core.errors import TrainingError
from dj_core.models.humanizer.performances import Batch
from dj_core.models.network_weights import refuse_too_many
from dj_core.music.step_grid import LANES, MAX_STEPS_PER_BAR, METERS, OFFSETS, VELOCITY_BINS

MAX_PARAMETERS = 1_000_000
TEMPO_CENTRES_BPM = (60, 75, 90, 105, 120, 140, 165, 195)
LONGEST_AGE = 64  # 16ths beyond which a drum counts as not struck for long
SOURCES = 3  # the hit before, the same drum's last, the same drum's a bar ago


@dataclass(frozen=True)
class HumanizerSettings:
    """The shape of a humaniser.

    Attributes:
        genres: names known, '' (any) first.
        encoder: LSTM units per direction and layer, 8 to 256.
        player: units of the LSTM that goes from hit to hit, 8 to 256.
        units: of the layers before the odds, 8 to 512.
        dropout: share of units silenced while training.

    Raises:
        TrainingError: a value out of range.
    """

    genres: tuple[str, ...]
    encoder: int = 112
    player: int = 160
    units: int = 128
    dropout: float = 0.25

    def __post_init__(self) -> None:
        object.__setattr__(self, "genres", tuple(self.genres))  # JSON knows lists only
        if not self.genres or self.genres[0] != "" or len(set(self.genres)) != len(self.genres):
            raise TrainingError(f"genres are '' and distinct names; got {self.genres!r}.")
        for name, high in (("encoder", 256), ("player", 256), ("units", 512)):
            value = getattr(self, name)
            if type(value) is not int or not 8 <= value <= high:
                raise TrainingError(f"{name} is a whole number from 8 to {high}; got {value!r}.")
        if not 0 <= self.dropout < 1:
            raise TrainingError(f"dropout is 0 up to, not including, 1; got {self.dropout!r}.")


@dataclass(frozen=True)
class Strokes:
    """The hits of a batch in playing order: (most hits, streams), one column per stream.

    Attributes:
        there: whether this place holds a hit.
        step, lane: where it is.
        velocity, offset: tokens to learn, 0 to 32 and 0 to 24.
        gap: 16ths since the hit before, 0 within a 16th.
        last, bar_ago: place of the same drum's last hit, and of its hit a bar ago, in the same
            column; -1 for none.
        age: 16ths since that last hit.
    """

    there: np.ndarray
    step: np.ndarray
    lane: np.ndarray
    velocity: np.ndarray
    offset: np.ndarray
    gap: np.ndarray
    last: np.ndarray
    bar_ago: np.ndarray
    age: np.ndarray


def strokes_of(batch: Batch) -> Strokes:
    """The hits of a batch, one after another."""
    stream, step, lane = np.nonzero(batch.velocity.transpose(1, 0, 2))
    count = np.bincount(stream, minlength=len(batch.meter))
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    place = np.arange(len(stream)) - start[stream]
    shape = (int(count.max(initial=1)), len(count))

    def spread(values: np.ndarray, empty: int = 0) -> np.ndarray:
        table = np.full(shape, empty, np.int64)
        table[place, stream] = values
        return table

    same_stream = np.r_[False, stream[1:] == stream[:-1]] if len(stream) else np.zeros(0, bool)
    gap = np.where(same_stream, np.diff(step, prepend=0), LONGEST_AGE)
    # one number per stream and drum, then hits in time: neighbours are a drum's hits in order
    voice = stream * LANES + lane
    order = np.lexsort((step, voice))
    previous = np.full(len(order), -1)
    kin = voice[order][1:] == voice[order][:-1]
    previous[order[1:][kin]] = order[:-1][kin]
    known = previous >= 0
    last = np.where(known, place[previous], -1)
    age = np.where(known, step - step[previous], LONGEST_AGE)
    where = np.full((*batch.velocity.shape[:2], LANES), -1)
    where[step, stream, lane] = place
    earlier = step - batch.bar_steps[stream]
    bar_ago = np.where(earlier >= 0, where[earlier, stream, lane], -1)
    return Strokes(
        there=spread(np.ones(len(stream), np.int64)) > 0,
        step=spread(step),
        lane=spread(lane),
        velocity=spread(batch.velocity[step, stream, lane].astype(np.int64) - 1),
        offset=spread(batch.offset[step, stream, lane].astype(np.int64) - 1),
        gap=spread(gap),
        last=spread(last, -1),
        bar_ago=spread(bar_ago, -1),
        age=spread(age, LONGEST_AGE),
    )


def earlier(tokens: np.ndarray, strokes: Strokes, now: slice = slice(None)) -> np.ndarray:
    """Tokens plus one of the three sources of hits, 0 for none: (hits, streams, 3).

    Args:
        tokens: of all hits, (hits, streams).
        strokes: all hits.
        now: those that are asked for.
    """
    streams = np.arange(tokens.shape[1])[None]
    at = np.arange(len(tokens))[now, None]
    parts = [np.where(at > 0, tokens[at[:, 0] - 1], -1)]
    for place in (strokes.last[now], strokes.bar_ago[now]):
        parts.append(np.where(place >= 0, tokens[place, streams], -1))
    return np.stack(parts, -1) + 1


GENRE, LANE_LANE, TOKEN, CONDITION, CONTEXT = 16, 16, 12, 24, 96
"""Numbers that stand for a genre, a lane, a velocity or offset; that sum up what is asked; and that
a hit's surroundings come to."""
ASKED = GENRE + len(TEMPO_CENTRES_BPM) + 1 + len(METERS)
CLOCK = MAX_STEPS_PER_BAR + 4 + 6


def weight_shapes(settings: HumanizerSettings) -> dict[str, tuple[int, ...]]:
    """Every weight of a network of these settings, by name, and its shape.

    Raises:
        TrainingError: more than `MAX_PARAMETERS` weights.
    """
    heard, player, units = 2 * settings.encoder, settings.player, settings.units
    around = CONTEXT + LANE_LANE + SOURCES * 2 * TOKEN + 2
    shapes: dict[str, tuple[int, ...]] = {
        "genre.weight": (len(settings.genres), GENRE),
        "lane.weight": (LANES, LANE_LANE),
        "level.weight": (VELOCITY_BINS + 1, TOKEN),
        "place.weight": (OFFSETS + 1, TOKEN),
    }
    for name, outputs, inputs in (
        ("condition.0", CONDITION, ASKED),
        ("context", CONTEXT, heard),
        ("average", units, heard + LANE_LANE),
        ("average_velocity", VELOCITY_BINS, units),
        ("average_offset", OFFSETS, units),
        ("velocity_units", units, player + around),
        ("velocity", VELOCITY_BINS, units),
        ("offset_units", units, player + around + TOKEN),
        ("offset", OFFSETS, units),
    ):
        shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    layers = [("player", "l0", player, around)]
    for way in ("", "_reverse"):
        layers.append(("encoder", f"l0{way}", settings.encoder, LANES + CLOCK + CONDITION))
        layers.append(("encoder", f"l1{way}", settings.encoder, heard))
    for name, layer, size, inputs in layers:
        shapes |= {
            f"{name}.weight_ih_{layer}": (4 * size, inputs),
            f"{name}.weight_hh_{layer}": (4 * size, size),
            f"{name}.bias_ih_{layer}": (4 * size,),
            f"{name}.bias_hh_{layer}": (4 * size,),
        }
    refuse_too_many(sum(math.prod(shape) for shape in shapes.values()), MAX_PARAMETERS)
    return shapes
