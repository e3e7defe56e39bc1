"""Locks: which drums, bars, steps or cells of a beat stay as they are.

A cell is a 16th of one lane. A hit belongs to the 16th it rounds to; one that anticipates the
beat's end belongs to the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dj_core.errors import BeatError
from dj_core.music.beat import Beat, Hit
from dj_core.music.drums import DRUM, DRUMS, LANE
from dj_core.music.step_grid import LANES, STEPS_PER_QUARTER, steps_per_bar


@dataclass(frozen=True)
class Keep:
    """What stays; a cell that any of these names is kept.

    Attributes:
        drums: names of the drum table, all their hits.
        bars: numbers from 1.
        steps: 16ths of every bar, from 1.
        cells: (16th of the beat from 0, lane).

    Raises:
        BeatError: a drum there is none of, or a number below 1.
    """

    drums: frozenset[str] = frozenset()
    bars: frozenset[int] = frozenset()
    steps: frozenset[int] = frozenset()
    cells: frozenset[tuple[int, int]] = frozenset()

    def __post_init__(self) -> None:
        for name in ("drums", "bars", "steps", "cells"):
            object.__setattr__(self, name, frozenset(getattr(self, name)))
        for drum in sorted(self.drums - set(DRUM)):
            raise BeatError(f"No drum is called {drum!r}. Drums: {', '.join(DRUM)}.")
        if any(number < 1 for number in (*self.bars, *self.steps)):
            raise BeatError("Bars and steps are counted from 1. Leave out the 0.")

    def mask(self, beat: Beat) -> np.ndarray:
        """The kept cells of a beat, bool (16ths, 16). Raises TokenizerError for odd meters."""
        per_bar = steps_per_bar(beat.meter)
        kept = np.zeros((beat.bars, per_bar, LANES), bool)
        kept[:, :, [LANE[drum] for drum in self.drums]] = True
        kept[[bar - 1 for bar in self.bars if bar <= beat.bars]] = True
        kept[:, [step - 1 for step in self.steps if step <= per_bar]] = True
        mask = kept.reshape(-1, LANES)
        for step, lane in self.cells:
            if 0 <= step < len(mask) and 0 <= lane < LANES:
                mask[step, lane] = True
        return mask


def cell_of(hit: Hit, steps: int) -> tuple[int, int]:
    """The cell of a hit in a beat of so many 16ths: (16th, lane)."""
    step = math.floor(hit.onset_quarters * STEPS_PER_QUARTER + 0.5)
    return min(step, steps - 1), hit.lane


def hits_in(beat: Beat, mask: np.ndarray) -> tuple[Hit, ...]:
    """The hits whose cells are marked, as they are."""
    return tuple(hit for hit in beat.hits if mask[cell_of(hit, len(mask))])


def struck(beat: Beat) -> np.ndarray:
    """Which cells hold a hit, bool (16ths, 16)."""
    cells = np.zeros((beat.bars * steps_per_bar(beat.meter), LANES), bool)
    for hit in beat.hits:
        cells[cell_of(hit, len(cells))] = True
    return cells


def drums_of(names: Iterable[str]) -> frozenset[str]:
    """Drums by name or family ('hat' means all three), as a DJ lists them.

    Raises:
        BeatError: a name that is neither.
    """
    found: set[str] = set()
    for name in names:
        text = name.strip().lower().replace(" ", "_").replace("-", "_")
        kin = {drum.name for drum in DRUMS if text in (drum.name, drum.family)}
        if not kin:
            raise BeatError(f"No drum is called {name!r}. Drums: {', '.join(DRUM)}.")
        found |= {text} if text in DRUM else kin
    return frozenset(found)
