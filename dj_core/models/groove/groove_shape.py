"""The shape of a groove network: its settings, what it reads, and the weights it must have.

Whoever plays needs no torch; this is what playing (`groove_inference`) and training
(`groove_network`) have in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dj_core.errors import TrainingError
from dj_core.models.groove.streams import COPIED_LAGS, LAG_BARS, LEVELS, NEXT_STEPS, PHRASE_BARS
from dj_core.models.groove.style_vector import (
    NUMBERS_OF_LANE,
    OUTLINE_STEPS,
    OUTLINE_VOICES,
    SHARED_NAMES,
    STYLE_SIZE,
)
from dj_core.models.groove.training_clips import KINDS
from dj_core.models.network_weights import refuse_too_many
from dj_core.music.drums import LANE
from dj_core.music.genres import MOST_ENERGY, ROLES
from dj_core.music.step_grid import (
    LANES,
    MAX_STEPS_PER_BAR,
    METERS,
    MOST_BETWEEN,
    OFFSETS,
    VELOCITY_BINS,
)

CONTENT = 4 * LANES  # struck, velocity, offset, second stroke
LAGS = len(LAG_BARS)
EARLIER = len(COPIED_LAGS) + 2
"""Strokes that one is copied from: the lane's at each of `COPIED_LAGS` and when last struck, and
the one decided just before, of whatever lane."""
TEMPO_CENTRES_BPM = (60, 75, 90, 105, 120, 140, 165, 195)
MAX_PARAMETERS = 5_000_000
TOLD = STYLE_SIZE - OUTLINE_STEPS * len(OUTLINE_VOICES)
"""Numbers of a style before its outline."""
OUTLINED = 2 * len(OUTLINE_VOICES)  # numbers of the outline at a 16th: of it and of the next one
CLOCK = MAX_STEPS_PER_BAR + 4 + 6 + PHRASE_BARS // 2 + 2
"""Numbers that say where a 16th is: in the bar, the beat, the phrase, and in which phrase."""
STROKE_MEMORY = 96  # numbers that a stroke's velocity and offset know of the LSTM's memory

# Drums that a performance has come first: they may then be scored without the rest.
_LATE = ("clap", "tambourine", "shaker", "cowbell", "conga")
CHAIN: tuple[int, ...] = (
    *(lane for name, lane in LANE.items() if name not in _LATE),
    *(LANE[name] for name in _LATE),
)
"""Lanes in the order in which they are decided."""

HALF_LIVES = (8, 64)
"""16ths after which a stroke counts half in the moving averages: two beats, and four bars of 4/4.
"""
QUANTITIES = 5  # strokes, velocity, its square, offset, its square
RECENT = len(HALF_LIVES) * QUANTITIES + 4 * LANES  # numbers that a stroke reads of the averages
LONGEST_AGE = 64  # 16ths after which a drum counts as not struck for long


@dataclass(frozen=True)
class GrooveSettings:
    """The shape of a groove network.

    Attributes:
        genres: names known, '' (any) first.
        hidden: LSTM units per layer, 16 to 1,024.
        layers: 1 to 4.
        condition: numbers that sum up what is asked, 8 to 512.
        lane_units: units per lane that decide whether it is struck, 4 to 256.
        stroke_units: units that decide a stroke's velocity and offset, 8 to 1,024.
        dropout: share of units silenced between layers while training.
        weight_drop: share of recurrent weights silenced while training.
        input_drop: share of what is read silenced while training.
        use_lags: read the bars before; off only to measure what they bring.
        lanes_know_each_other: decide lanes and strokes of a 16th one after another; likewise.
        copying: gates and tables that copy; likewise.
        use_recent: read how hard and how early drums were struck of late; likewise.

    Raises:
        TrainingError: a value out of range.
    """

    genres: tuple[str, ...]
    hidden: int = 256
    layers: int = 2
    condition: int = 96
    lane_units: int = 32
    stroke_units: int = 160
    dropout: float = 0.3
    weight_drop: float = 0.3
    input_drop: float = 0.1
    use_lags: bool = True
    lanes_know_each_other: bool = True
    copying: bool = True
    use_recent: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "genres", tuple(self.genres))  # JSON knows lists only
        words = all(isinstance(genre, str) for genre in self.genres)
        if not words or self.genres[:1] != ("",) or len(set(self.genres)) != len(self.genres):
            raise TrainingError(f"genres are '' and distinct names; got {self.genres!r}.")
        for name, low, high in (
            ("hidden", 16, 1_024),
            ("layers", 1, 4),
            ("condition", 8, 512),
            ("lane_units", 4, 256),
            ("stroke_units", 8, 1_024),
        ):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise TrainingError(
                    f"{name} is a whole number from {low} to {high}; got {value!r}."
                )
        for name in ("dropout", "weight_drop", "input_drop"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < 1:
                raise TrainingError(f"{name} is 0 up to, not including, 1; got {value!r}.")
        for name in ("use_lags", "lanes_know_each_other", "copying", "use_recent"):
            if type(getattr(self, name)) is not bool:
                raise TrainingError(f"{name} is true or false; got {getattr(self, name)!r}.")


ASKED = (
    24 + len(TEMPO_CENTRES_BPM) + 1 + len(METERS) + len(KINDS) + 2 * (LEVELS + 1)
    + len(ROLES) + 1 + MOST_ENERGY + 1 + TOLD + 3
)  # fmt: skip
"""Numbers that say what a take is asked to be."""
AROUND = 3 * LANES + 3 * EARLIER + 1 + RECENT
"""Numbers of what surrounds a stroke, before what the style tells of it."""


def weight_shapes(settings: GrooveSettings) -> dict[str, tuple[int, ...]]:
    """Every weight of a network of these settings, by name, and its shape.

    Raises:
        TrainingError: more than `MAX_PARAMETERS` weights.
    """
    size, hidden, lanes = settings.condition, settings.hidden, LANES * settings.lane_units
    memory = hidden + OUTLINED + size + TOLD
    units, lane, level = settings.stroke_units, 16, 12
    around = STROKE_MEMORY + lane + AROUND + len(SHARED_NAMES) + NUMBERS_OF_LANE.shape[1]
    read = CONTENT * (1 + LAGS) + NEXT_STEPS * LANES + LAGS + CLOCK + OUTLINED + size
    shapes: dict[str, tuple[int, ...]] = {
        "genre.weight": (len(settings.genres), 24),
        "lanes.neighbours": (lanes, 5 * LANES),
        "lanes.output": (LANES, settings.lane_units),
        "lanes.bias": (LANES,),
        "strokes.lane.weight": (LANES, lane),
        "strokes.level.weight": (VELOCITY_BINS, level),
        "strokes.place.weight": (OFFSETS, level),
        "strokes.velocity_copies.tables": (EARLIER, VELOCITY_BINS + 1, VELOCITY_BINS),
        "strokes.offset_copies.tables": (EARLIER, OFFSETS + 1, OFFSETS),
    }
    for name, outputs, inputs in (
        ("condition.0", 2 * size, ASKED),
        ("condition.2", size, 2 * size),
        ("lanes.memory", lanes, memory),
        ("lanes.gates", LAGS * 2 * LANES, memory),
        ("strokes.memory", STROKE_MEMORY, memory),
        ("strokes.velocity_units", units, around),
        ("strokes.offset_units", units, around + level),
        ("strokes.second_units", units // 2, STROKE_MEMORY + lane + 2 * level),
        ("strokes.velocity", VELOCITY_BINS, units),
        ("strokes.offset", OFFSETS, units),
        ("strokes.second", 1, units // 2),
        ("strokes.second_velocity", VELOCITY_BINS, units // 2),
        ("strokes.second_offset", OFFSETS, units // 2 + level),
        ("strokes.between", MOST_BETWEEN + 1, units // 2 + level),
        ("strokes.velocity_copies.gates", EARLIER, units),
        ("strokes.offset_copies.gates", EARLIER, units),
    ):
        shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    for layer in range(settings.layers):
        name = f"upper.{layer - 1}" if layer else "lstm"
        shapes |= {
            f"{name}.weight_ih_l0": (4 * hidden, hidden if layer else read),
            f"{name}.weight_hh_l0": (4 * hidden, hidden),
            f"{name}.bias_ih_l0": (4 * hidden,),
            f"{name}.bias_hh_l0": (4 * hidden,),
        }
    refuse_too_many(sum(math.prod(shape) for shape in shapes.values()), MAX_PARAMETERS)
    return shapes
