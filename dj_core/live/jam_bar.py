"""One bar of a jam: which strokes of a phrase the faders and pads let sound, and how hard.

A phrase is made in full. Every stroke has a *need*, 0 to 1: how high the energy must be for it to
sound. What carries the beat (kick, backbeat) needs least; what is high, off the beat, soft or rare
needs most. So a fader is obeyed from the next bar on, whoever made the phrase and whenever.
`jam_bar.js` plays the same bars in the browser, by the same numbers (`NUMBERS`).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dj_core.errors import GenerationError
from dj_core.music.beat import Beat, Hit
from dj_core.music.drums import DRUM, LANE
from dj_core.music.step_grid import STEPS_PER_QUARTER
from dj_core.music.timing import swung

PHRASE_BARS = 8
NUMBERS: Mapping[str, Any] = {
    "floor": 0.12,  # need that sounds without any energy
    "density": 0.6,  # how far the density fader moves what the energy lets through
    # places: on the beat, between two beats, on the 16ths between; how far the syncopation fader
    # moves the needs of what is there
    "syncopation": [0.0, 0.35, 0.6],
    "brightness": 0.8,  # how far the brightness fader moves the needs of bright drums
    "bright": ["hat", "cymbal", "percussion"],
    "softest": 0.78,  # velocity without energy, as a share
    "dullest": 0.5,  # of a bright drum, on top
    "shine": 0.5,  # how far the brightness fader changes bright drums' velocities
    # where on the way from style A to style B a drum family changes sides: the top first
    "cross": {
        "percussion": 0.15, "cymbal": 0.3, "hat": 0.45, "tom": 0.6, "snare": 0.7, "kick": 0.85,
    },
    "crash": [LANE["crash"], DRUM["crash"].default_velocity],
    "kick": "kick",
}  # fmt: skip
_LAYER = {
    "kick": 0.0, "snare": 0.35, "hat": 0.8, "cymbal": 1.0, "percussion": 1.1, "tom": 1.2,
}  # fmt: skip
_WEAK = (0.0, 0.45, 0.9)  # by place, as in NUMBERS["syncopation"]
_SOFT, _RARE = 0.6, 0.5  # how much later what is soft, or in few bars, comes in


@dataclass(frozen=True)
class Faders:
    """Where the faders stand, each 0 to 1; the middle of density, syncopation and brightness is
    the phrase as it is.

    Attributes:
        energy: how much of a phrase sounds, and how hard.
        density: more or less than that.
        syncopation: less or more off the beat.
        swing: as the deck's: how late every second 16th is.
        brightness: less or more of hats, cymbals and percussion.
        style: from the first style (0) to the second (1).

    Raises:
        GenerationError: a value out of range.
    """

    energy: float = 0.6
    density: float = 0.5
    syncopation: float = 0.5
    swing: float = 0.0
    brightness: float = 0.5
    style: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (isinstance(value, int | float) and 0 <= value <= 1):
                raise GenerationError(f"The fader {field.name} is 0 to 1; got {value!r}.")


@dataclass(frozen=True)
class Side:
    """A phrase in one style.

    Attributes:
        beat: all that can sound, `PHRASE_BARS` bars.
        needs: of each of its hits, in their order.
        fill: a bar to end a phrase with.
    """

    beat: Beat
    needs: tuple[float, ...]
    fill: Beat


@dataclass(frozen=True)
class Phrase:
    """Eight bars that a model made, in one style or in two that a fader goes between.

    Attributes:
        number: its place in the order they were made in, from 0.
        role: one of `genres.ROLES`.
        energy: that the model was asked for, 1 to 5.
        seed: what it was drawn by.
        sides: style A, and style B where there is one.
    """

    number: int
    role: str
    energy: int
    seed: int
    sides: tuple[Side, ...]


@dataclass(frozen=True)
class Pads:
    """What the pads do to a bar.

    Attributes:
        fill: the phrase's fill plays instead.
        no_kick: no kick.
        crash: a crash on one.
    """

    fill: bool = False
    no_kick: bool = False
    crash: bool = False


def needs_of(beat: Beat) -> tuple[float, ...]:
    """The need of each hit: the share of the beat's hits that come in before its cell does.

    A cell (drum and 16th of the bar) comes in as one, in all its bars.
    """
    bar_steps = round(beat.meter.bar_quarters * STEPS_PER_QUARTER)
    cells = [(hit.lane, _step(hit) % bar_steps) for hit in beat.hits]
    levels: dict[tuple[int, int], list[int]] = defaultdict(list)
    for cell, hit in zip(cells, beat.hits, strict=True):
        levels[cell].append(hit.velocity)
    often = Counter(cells)

    def score(cell: tuple[int, int]) -> tuple[float, int, int]:
        lane, step = cell
        family = next(drum.family for drum in DRUM.values() if LANE[drum.name] == lane)
        soft = 1 - sum(levels[cell]) / len(levels[cell]) / 127
        rare = 1 - min(1.0, often[cell] / beat.bars)
        late = _LAYER[family] + _WEAK[_place(step)] + _SOFT * soft + _RARE * rare
        return round(late, 9), lane, step

    needs, before = {}, 0
    for cell in sorted(often, key=score):
        needs[cell] = round(before / len(cells), 3)
        before += often[cell]
    return tuple(needs[cell] for cell in cells)


def bar_hits(phrase: Phrase, bar: int, faders: Faders, pads: Pads = Pads()) -> tuple[Hit, ...]:
    """What sounds in one bar of a phrase, from its own bar line, swung.

    Args:
        phrase: whose bar.
        bar: 0 to 7.
        faders: where they stand.
        pads: what they do.
    """
    energy = (
        max(faders.energy, (bar + 1) / PHRASE_BARS) if phrase.role == "build" else faders.energy
    )
    through = NUMBERS["floor"] + (1 - NUMBERS["floor"]) * energy
    through += NUMBERS["density"] * (faders.density - 0.5)
    bar_quarters = phrase.sides[0].beat.meter.bar_quarters
    heard = []
    for number, side in enumerate(phrase.sides):
        if pads.fill:
            given = [(hit, 0.0) for hit in side.fill.hits]
        else:
            first = bar * bar_quarters
            given = [
                (Hit(hit.onset_quarters - first, hit.lane, hit.velocity), need)
                for hit, need in zip(side.beat.hits, side.needs, strict=True)
                if first <= hit.onset_quarters < first + bar_quarters
            ]
        for hit, need in given:
            family = hit.drum.family
            if len(phrase.sides) > 1 and (faders.style >= NUMBERS["cross"][family]) != bool(number):
                continue
            if pads.no_kick and family == NUMBERS["kick"]:
                continue
            shift = NUMBERS["syncopation"][_place(_step(hit))] * (faders.syncopation - 0.5)
            gain = NUMBERS["softest"] + (1 - NUMBERS["softest"]) * energy
            if family in NUMBERS["bright"]:
                shift += NUMBERS["brightness"] * (faders.brightness - 0.5)
                gain *= NUMBERS["dullest"] + (1 - NUMBERS["dullest"]) * energy
                gain *= 1 + NUMBERS["shine"] * (faders.brightness - 0.5)
            if need - shift > through:
                continue
            velocity = min(127, max(1, math.floor(hit.velocity * gain + 0.5)))
            heard.append(Hit(hit.onset_quarters, hit.lane, velocity))
    crash_lane, crash_velocity = NUMBERS["crash"]
    if pads.crash:
        heard = [hit for hit in heard if hit.lane != crash_lane or hit.onset_quarters >= 0.125]
        heard.append(Hit(0.0, crash_lane, crash_velocity))
    first_side = phrase.sides[0].beat
    one = Beat(tuple(heard), bars=1, meter=first_side.meter)
    return swung(one, faders.swing).hits


def _step(hit: Hit) -> int:
    """The 16th a hit is near to."""
    return math.floor(hit.onset_quarters * STEPS_PER_QUARTER + 0.5)


def _place(step: int) -> int:
    """0 on the beat, 1 between two beats, 2 on the 16ths between."""
    return 2 if step % 2 else (step % STEPS_PER_QUARTER) // 2
