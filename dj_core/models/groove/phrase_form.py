"""The form of a dance phrase: for each drum, which half bars are new, come again, or rest.

A programmed phrase repeats itself where it repeats, and what changes is meant to. A take has the
form of the phrase whose style it plays in: what comes again is struck again, as loud and as late,
but for the 16ths that the form changes. In new half bars the network decides; the style's outline,
in which drums share voices, leaves open which of them strikes where, and the form leans that way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dj_core.models.groove.training_clips import SWING_REACH
from dj_core.music.drums import LANE
from dj_core.music.step_grid import MAX_OFFSET, VELOCITY_BINS, Grid

BEATS, BEAT_STEPS = 2, 4  # of a half bar of 4/4
FORM_BARS = 8  # longer takes begin the form again
HALVES = 2 * FORM_BARS
REST = -1
"""The drum is silent for this half bar; 0: anything may sound.

Else the lowest three bits say how many bars before it comes again from, but for the 16ths of the
next twelve bits, which are not as they were: they are struck where the twelve bits after have them
too, and silent where not. What only the latter have sounds at another level. Where the three bits
are 0 the half bar is new, and two bits a 16th are its level: 0 for silence, 1 to 3 of `LEVEL_BINS`.
Last, two bits say in which of its two beats there are triplets, and two in which there are rolls;
both of 4/4 alone.
"""
_BACK_BITS, _MASK_BITS = 3, 12  # the longest half bar, of 12/8, has twelve 16ths
_BACK = (1 << _BACK_BITS) - 1
_TRIPLET_BIT = _BACK_BITS + 2 * _MASK_BITS
_ROLL_BIT = _TRIPLET_BIT + 2
LARGEST = (1 << _ROLL_BIT + 2) - 1
TRIPLET_TICKS = (7, 8, 9)  # 96ths off a 16th, early or late, that make a triplet's stroke
LEVEL_BINS = np.array([0, 1, 12, 20])  # the softest bin, from 1, of silence and the three levels
DECIDED = 30.0  # log odds of what the form decides
CHANGES = 6.0  # log odds that what changes does: the network may still keep a kick on the one
TRIPLETS = 6.0  # log odds of a triplet's offset where the phrase has triplets
ROLLS = 2.5  # log odds of a roll in a beat where the phrase has one
LEANS = 1.0  # log odds of a strike where the phrase has one in a new half bar
LEVEL_LEANS = 2.0  # likewise of a level
OWN_VOICES = ("kick", "snare", "closed_hat", "open_hat")
"""Drums that share no voice of a style's outline: it tells their strokes, the form need not."""
NEAR = 2  # bins of velocity; what is further apart is another level
LEVEL_OF_BIN = np.searchsorted(LEVEL_BINS, np.arange(VELOCITY_BINS + 1), "right") - 1


def form_of(grid: Grid, steps_per_bar: int, hand: np.ndarray | None = None) -> np.ndarray:
    """The form of a clip's first eight bars, (16 half bars, drums) of int32.

    Args:
        grid: the clip's strokes; shorter clips are new where they have ended.
        steps_per_bar: 16ths in a bar, an even number.
        hand: how the clip is played, as in `Clip`; what is a drum's own place is no triplet.
    """
    velocity = grid.velocity
    half = steps_per_bar // 2
    velocity = velocity.astype(np.int32)
    offset = grid.offset.astype(int) - 1 - MAX_OFFSET
    triplets = np.isin(np.abs(offset), TRIPLET_TICKS) & (velocity > 0)
    if hand is not None:
        own = hand[:, np.arange(len(offset)) % 2].T
        triplets &= np.abs(offset - own) > SWING_REACH
    rolls = grid.second_velocity > 0
    strokes = (velocity > 0) + 2 * triplets + 4 * rolls
    drums = np.arange(velocity.shape[1])
    form = np.zeros((HALVES, len(drums)), np.int32)
    bits, places = 1 << np.arange(half), _BACK_BITS + 2 * np.arange(half)
    for place in range(min(HALVES, len(velocity) // half)):
        part = slice(place * half, (place + 1) * half)
        here = velocity[part]
        form[place] = (LEVEL_OF_BIN[here] << places[:, None]).sum(0)
        if place >= 2:
            backs = np.arange(1, place // 2 + 1)
            before, then = (
                np.stack([of[(place - 2 * n) * half :][:half] for n in backs])
                for of in (velocity, strokes)
            )
            differ = then != strokes[part]  # (bars before, 16ths, drums)
            moved = ~differ & (np.abs(before - here) > NEAR)
            # the fewest changes, of those the fewest levels
            nearest = (differ.sum(1) * HALVES + moved.sum(1)).argmin(0)
            moved |= differ & (here > 0)
            hits, levels = (bits @ change[nearest, :, drums].T for change in (differ, moved))
            form[place] = backs[nearest] + ((levels << _MASK_BITS | hits) << _BACK_BITS)
        if half == BEATS * BEAT_STEPS:
            for bit, seen in ((_TRIPLET_BIT, triplets), (_ROLL_BIT, rolls)):
                beats = seen[part].reshape(BEATS, BEAT_STEPS, -1).any(1)
                form[place] |= (beats << bit + np.arange(BEATS)[:, None]).sum(0).astype(np.int32)
        form[place, ~here.any(0)] = REST
    return form


@dataclass(frozen=True)
class Repeats:
    """What forms say of every 16th of takes played side by side; arrays (16ths, rows, drums).

    Attributes:
        before: the 16th whose stroke comes again; -1 where none does or it is changed.
        copied: it is struck if it was struck before.
        moved: it sounds at another level.
        odds: what is added to the log odds of a strike, but for what is copied.
        level: in a new half bar, the phrase's, 0 to 3; -1 where that is not known.
        triplets: strokes are off this 16th, as triplets are.
        rolls: in a beat with rolls.
        decides: all drums of a row are copied or rest: nothing is left to decide, (16ths, rows).
    """

    before: np.ndarray
    copied: np.ndarray
    moved: np.ndarray
    odds: np.ndarray
    level: np.ndarray
    triplets: np.ndarray
    rolls: np.ndarray
    decides: np.ndarray

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
        back = (code & _BACK) * bar[:, None]
        # a damaged table may ask for more bars back than there are
        again = (code > 0) & (back > 0) & (back <= now[..., None])
        place = (now % half)[..., None]
        masks = code >> _BACK_BITS >> place
        level = np.where((code > 0) & (back == 0), code >> _BACK_BITS >> 2 * place & 3, -1)
        changed, loud = again & (masks & 1 > 0), again & (masks >> _MASK_BITS & 1 > 0)
        before = np.where(again & ~changed, now[..., None] - back, -1)
        odds = np.where(changed, np.where(loud, CHANGES, -CHANGES), 0.0)
        leaning = ~np.isin(np.arange(form.shape[2]), [LANE[drum] for drum in OWN_VOICES])
        beat = place // BEAT_STEPS % BEATS
        triplets, rolls = (
            (code > 0) & (code >> bit + beat & 1 > 0) for bit in (_TRIPLET_BIT, _ROLL_BIT)
        )
        leans = np.where(triplets, CHANGES, LEANS * leaning)  # a triplet is whole
        odds += np.where(level < 0, 0.0, np.where(level > 0, leans, -leans))
        odds -= DECIDED * (code == REST)
        copied = again & ~changed
        decides = (copied | (code == REST)).all(2)
        triplets &= place % 2 == 1
        return cls(before, copied, loud & ~changed, odds, level, triplets, rolls, decides)

    def decided(self, now: int, then: np.ndarray) -> np.ndarray:
        """What is added to the log odds of a strike at a 16th, (rows, drums).

        Args:
            now: the 16th, from 0.
            then: which drums were struck at the 16th of `before`, (rows, drums) of bool.
        """
        decided: np.ndarray = self.odds[now] + DECIDED * self.copied[now] * (2 * then - 1.0)
        return decided

    def rows(self, rows: np.ndarray) -> Repeats:
        """The same of other rows, in this order."""
        return Repeats(*(part[:, rows] for part in vars(self).values()))
