"""The form of a dance phrase: for each drum, which half bars come again, are new, or rest.

A programmed phrase repeats itself exactly where it repeats, and what changes is meant to. A take
takes the form over from the phrase whose style it plays in: what comes again sounds as before, as
loud and at the same place, and the network decides what sounds in new half bars, and what changes.
"""

from __future__ import annotations

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


def where_before(form: np.ndarray, now: int, bar: np.ndarray) -> np.ndarray:
    """The 16th whose strokes come again at a 16th, changed or not; -1 where none do, (rows, drums).

    Args:
        form: of each row, (rows, 16, drums).
        now: the 16th, from 0.
        bar: 16ths in a bar, of each row.
    """
    code = form[np.arange(len(form)), now // (bar // 2) % HALVES]
    before = now - code % FORM_BARS * bar[:, None]
    found: np.ndarray = np.where(code > 0, before, -1)
    return found


def decided(form: np.ndarray, now: int, bar: np.ndarray, then: np.ndarray) -> np.ndarray:
    """What the form adds to the log odds of a strike at a 16th, (rows, drums).

    Args:
        form: of each row, (rows, 16, drums).
        now: the 16th, from 0.
        bar: 16ths in a bar, of each row.
        then: which drums were struck at the 16th of `where_before`, (rows, drums) of bool.
    """
    code = form[np.arange(len(form)), now // (bar // 2) % HALVES]
    again = (code > 0) & (code < FORM_BARS)
    silent = (code == REST) | (again & ~then)
    decides: np.ndarray = DECIDED * ((again & then) - silent.astype(float))
    return decides
