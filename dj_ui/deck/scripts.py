"""The deck's JavaScript: small files, joined into one module in a stated order."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

_HERE = Path(__file__).parent

# The sound: `createEngine` is what they leave behind. Each may use what those before it declare.
ENGINE_SCRIPTS = (
    "clock.js",
    "shots.js",
    "pattern.js",
    "voices.js",
    "offline.js",
    "levels.js",
    "output.js",
    "mixer.js",
    "deck.js",
    "midi_out.js",
    "engine.js",
)


@functools.cache
def joined(names: Iterable[str] = ENGINE_SCRIPTS) -> str:
    """The files of this folder called `names` as one piece of JavaScript; give it a tuple."""
    return "\n".join((_HERE / name).read_text("utf-8") for name in names)
