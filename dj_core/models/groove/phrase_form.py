"""The form of a dance phrase: for each drum, which half bars are new, come again, or rest.

A programmed phrase repeats itself where it repeats, and what changes is meant to. A take has the
form of the phrase whose style it plays in: what comes again is struck again, as loud and as late,
but for the 16ths that the form changes. The network decides what sounds in new half bars and how
loud an accent that moves is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FORM_BARS = 8  # longer takes begin the form again
HALVES = 2 * FORM_BARS
REST = -1
"""The drum is silent for this half bar; 0: anything may sound. Else it comes again: as so many bars
before as the lowest three bits say, but for the 16ths of the next twelve bits, which are struck if
they were not and the other way round, and those of the twelve after, which sound at another level.
"""
_BACK_BITS, _MASK_BITS = 3, 12  # the longest half bar, of 12/8, has twelve 16ths
LARGEST = (1 << _BACK_BITS + 2 * _MASK_BITS) - 1
DECIDED = 30.0  # log odds of what the form decides
CHANGES = 6.0  # log odds that what changes does: the network may still keep a kick on the one
NEAR = 2  # bins of velocity; what is further apart is another level


def form_of(velocity: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """The form of a clip's first eight bars, (16 half bars, drums) of int32.

    Args:
        velocity: bins of the strokes at each 16th, 0 for none, (steps, drums); shorter clips are
            new where they have ended.
        steps_per_bar: 16ths in a bar, an even number.
    """
    half = steps_per_bar // 2
    velocity = velocity.astype(np.int32)
    drums = np.arange(velocity.shape[1])
    form = np.zeros((HALVES, len(drums)), np.int32)
    bits = 1 << np.arange(half)
    for place in range(min(HALVES, len(velocity) // half)):
        here = velocity[place * half : (place + 1) * half]
        if place >= 2:
            backs = np.arange(1, place // 2 + 1)
            before = np.stack([velocity[(place - 2 * n) * half :][:half] for n in backs])
            differ = (before > 0) != (here > 0)  # (bars before, 16ths, drums)
            moved = ~differ & (np.abs(before - here) > NEAR)
            # the fewest changes, of those the fewest levels
            nearest = (differ.sum(1) * HALVES + moved.sum(1)).argmin(0)
            hits, levels = (bits @ change[nearest, :, drums].T for change in (differ, moved))
            form[place] = backs[nearest] + ((levels << _MASK_BITS | hits) << _BACK_BITS)
        form[place, ~here.any(0)] = REST
    return form


@dataclass(frozen=True)
class Repeats:
    """What forms decide at every 16th of takes played side by side; arrays (16ths, rows, drums).

    Attributes:
        before: the 16th whose strokes come again, changed or not; -1 where none do.
        silent: the drum rests.
        copied: it is struck if it was struck before.
        changed: it is struck if it was not.
        moved: it sounds at another level.
    """

    before: np.ndarray
    silent: np.ndarray
    copied: np.ndarray
    changed: np.ndarray
    moved: np.ndarray

    @classmethod
    def of(cls, form: np.ndarray, steps: int, bar: np.ndarray) -> Repeats:
        """Of each row's form, (rows, 16, drums), for takes of so many 16ths.

        Args:
            form: see `form_of`.
            steps: 16ths.
            bar: 16ths in a bar, of each row.
        """
        now, half = np.arange(steps)[:, None], bar // 2
        code = form[np.arange(len(form)), now // half % HALVES]
        back = (code & (1 << _BACK_BITS) - 1) * bar[:, None]
        again = (code > 0) & (back <= now[..., None])  # a damaged table may ask for more
        masks = code >> _BACK_BITS >> (now % half)[..., None]
        changed, moved = again & (masks & 1 > 0), again & (masks >> _MASK_BITS & 1 > 0)
        before = np.where(again, now[..., None] - back, -1)
        return cls(before, code == REST, again & ~changed, changed, moved)

    def decided(self, now: int, then: np.ndarray) -> np.ndarray:
        """What is added to the log odds of a strike at a 16th, (rows, drums).

        Args:
            now: the 16th, from 0.
            then: which drums were struck at the 16th of `before`, (rows, drums) of bool.
        """
        copied, changed = self.copied[now], self.changed[now]
        silent = self.silent[now] | (copied & ~then)
        decides: np.ndarray = DECIDED * ((copied & then) - silent.astype(float))
        decides += CHANGES * changed * np.where(then, -1, 1)
        return decides

    def rows(self, rows: np.ndarray) -> Repeats:
        """The same of other rows, in this order."""
        return Repeats(*(part[:, rows] for part in vars(self).values()))
