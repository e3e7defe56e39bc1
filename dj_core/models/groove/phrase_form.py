"""The form of a dance phrase: for each drum, which half bars come again, are new, or rest.

A programmed phrase repeats itself exactly where it repeats, and what changes is meant to. A take
takes the form over from the phrase whose style it plays in: what comes again sounds as before, as
loud and at the same place, and the network decides what sounds in new half bars, and what changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FORM_BARS = 8  # longer takes begin the form again
HALVES = 2 * FORM_BARS
REST = -1
"""The drum is silent for this half bar; 0: anything may sound; n below 8: as n bars before; 8 + n:
changed from what it was n bars before."""
DECIDED = 30.0  # log odds of what the form decides


def form_of(struck: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """The form of a clip's first eight bars, (16 half bars, drums) of int8.

    Args:
        struck: which drums sound at each 16th, (steps, drums) of bool; shorter clips are new where
            they have ended.
        steps_per_bar: 16ths in a bar, an even number.
    """
    half = steps_per_bar // 2
    drums = np.arange(struck.shape[1])
    form = np.zeros((HALVES, len(drums)), np.int8)
    for place in range(min(HALVES, len(struck) // half)):
        here = struck[place * half : (place + 1) * half]
        if place >= 2:
            backs = np.arange(1, place // 2 + 1)
            before = np.stack([struck[(place - 2 * n) * half :][:half] for n in backs])
            changes = (before != here).sum(1)  # (bars before, drums)
            nearest = changes.argmin(0)
            is_changed = changes[nearest, drums] > 0
            form[place] = backs[nearest] + FORM_BARS * is_changed
        form[place, ~here.any(0)] = REST
    return form


@dataclass(frozen=True)
class Repeats:
    """What forms decide at every 16th of takes played side by side; arrays (16ths, rows, drums).

    Attributes:
        before: the 16th whose strokes come again, changed or not; -1 where none do.
        silent: the drum rests.
        copied: it is struck where it was struck before, and nowhere else.
    """

    before: np.ndarray
    silent: np.ndarray
    copied: np.ndarray

    @classmethod
    def of(cls, form: np.ndarray, steps: int, bar: np.ndarray) -> Repeats:
        """Of each row's form, (rows, 16, drums), for takes of so many 16ths.

        Args:
            form: see `form_of`.
            steps: 16ths.
            bar: 16ths in a bar, of each row.
        """
        now = np.arange(steps)[:, None]
        code = form[np.arange(len(form)), now // (bar // 2) % HALVES]
        back = code % FORM_BARS * bar[:, None]
        before = np.where(code > 0, now[..., None] - back, -1)
        return cls(before, code == REST, (code > 0) & (code < FORM_BARS))

    def decided(self, now: int, then: np.ndarray) -> np.ndarray:
        """What is added to the log odds of a strike at a 16th, (rows, drums).

        Args:
            now: the 16th, from 0.
            then: which drums were struck at the 16th of `before`, (rows, drums) of bool.
        """
        copied = self.copied[now]
        silent = self.silent[now] | (copied & ~then)
        decides: np.ndarray = DECIDED * ((copied & then) - silent.astype(float))
        return decides

    def rows(self, rows: np.ndarray) -> Repeats:
        """The same of other rows, in this order."""
        return Repeats(*(part[:, rows] for part in vars(self).values()))
