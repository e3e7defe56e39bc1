"""Which places of a beat sound, and which rules of its genre it breaks."""

from __future__ import annotations

import math

from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS
from dj_core.music.genres import GENRE, Rule

STEPS_A_QUARTER = 4


def bars_of(beat: Beat) -> list[frozenset[tuple[int, str]]]:
    """Per bar, the (16th, drum name) places that sound; hits count to the nearest 16th.

    What lies half way, as the second stroke of a roll of two, belongs to the 16th before it.
    """
    a_bar = round(float(beat.meter.bar_quarters) * STEPS_A_QUARTER)
    bars: list[set[tuple[int, str]]] = [set() for _ in range(beat.bars)]
    for hit in beat.hits:
        step = math.ceil(hit.onset_quarters * STEPS_A_QUARTER - 0.5)
        bar, step = divmod(step, a_bar)
        if bar < beat.bars:  # else it anticipates the next beat's first bar line
            bars[bar].add((step, DRUMS[hit.lane].name))
    return [frozenset(bar) for bar in bars]


def broken_rules(beat: Beat) -> list[Rule]:
    """The rules of its genre that a beat of 4/4 does not keep."""
    genre = GENRE.get(beat.genre)
    if genre is None or str(beat.meter) != "4/4":
        return []
    sounding = [
        (number, step, drum) for number, bar in enumerate(bars_of(beat)) for step, drum in bar
    ]
    return [rule for rule in genre.rules if not rule.holds(sounding, beat.bars)]
