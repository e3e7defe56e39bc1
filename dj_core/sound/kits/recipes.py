"""The recipes of our kits: `assets/kits.json`, one table of numbers, read into voices."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dj_core.errors import SoundError
from dj_core.product import ASSETS
from dj_core.sound.kits.voices import Bell, Block, Clap, Grains, Kick, Metal, Skin, Snare, Voice

RECIPES_PATH = ASSETS / "kits.json"
VOICES: Mapping[str, type[Voice]] = {
    "kick": Kick,
    "snare": Snare,
    "side_stick": Block,
    "clap": Clap,
    "closed_hat": Metal,
    "pedal_hat": Metal,
    "open_hat": Metal,
    "low_tom": Skin,
    "mid_tom": Skin,
    "high_tom": Skin,
    "crash": Metal,
    "ride": Metal,
    "tambourine": Grains,
    "shaker": Grains,
    "cowbell": Bell,
    "conga": Skin,
}
"""How each drum of the drum table is synthesised."""


@dataclass(frozen=True)
class Part:
    """A drum of a kit.

    Attributes:
        voice: its synthesis.
        level_db: its hardest stroke's peak, against full scale.
        pan: -1 (left) to 1 (right).
    """

    voice: Voice
    level_db: float
    pan: float


@dataclass(frozen=True)
class Recipe:
    """A kit.

    Attributes:
        name, label: as in the table of kits.
        about: what it is for, in a sentence.
        seed: of its noise.
        parts: its drums by their names in the drum table, in that order.
    """

    name: str
    label: str
    about: str
    seed: int
    parts: Mapping[str, Part]


@functools.cache
def recipes() -> Mapping[str, Recipe]:
    """Every kit's recipe by its name. Raises SoundError where the table will not do."""
    table = json.loads(RECIPES_PATH.read_text("utf-8"))
    return {name: _recipe(name, row) for name, row in table.items()}


def _recipe(name: str, row: Mapping[str, Any]) -> Recipe:
    parts = {}
    for drum, kind in VOICES.items():
        numbers = dict(row["drums"].get(drum, {}))
        if not numbers:
            raise SoundError(f"The kit {name!r} in {RECIPES_PATH.name} has no {drum}.")
        if drum.endswith("_hat"):  # the three are one instrument
            numbers |= row["hats"]
        level_db, pan = numbers.pop("level_db"), numbers.pop("pan", 0.0)
        try:
            voice = kind(**numbers)
        except TypeError as error:
            raise SoundError(f"The {drum} of the kit {name!r} will not do: {error}.") from error
        parts[drum] = Part(voice, level_db, pan)
    return Recipe(name, row["label"], row["about"], row["seed"], parts)
