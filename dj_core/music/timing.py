"""Timing changes: a beat without swing and microtiming, or with the deck's swing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dj_core.errors import BeatError
from dj_core.music.beat import Beat, Hit

SWING_STEP_QUARTERS = 0.125  # how much later a swing of 1 puts every second 16th: half a 16th
_NEAR_QUARTERS = 0.07  # a stroke so near to a 16th is meant to be on it


@dataclass(frozen=True)
class _Feel:
    """One way of dividing a quarter.

    Attributes:
        places: where strokes fall, in quarters from 0 up to but not including 1.
        straight: where the same strokes stand when nothing swings.
        plainness: how much better than a plainer feel it must fit, in quarters a stroke.
    """

    places: tuple[float, ...]
    straight: tuple[float, ...]
    plainness: float


_SIXTEENTHS = _Feel((0, 1 / 4, 1 / 2, 3 / 4), (0, 1 / 4, 1 / 2, 3 / 4), 0.0)
_SIMPLE = (
    _SIXTEENTHS,
    _Feel((0, 1 / 3, 1 / 2, 5 / 6), (0, 1 / 4, 1 / 2, 3 / 4), 0.010),  # swung 16ths
    _Feel((0, 2 / 3), (0, 1 / 2), 0.012),  # swung eighths, as in jazz and shuffles
    _Feel((0, 1 / 3, 2 / 3), (0, 1 / 3, 2 / 3), 0.020),  # triplets stay triplets
)


def straightened(beat: Beat) -> Beat:
    """The beat without swing and microtiming: every stroke on a step of its grid.

    The grid is the one of these that the strokes fit best: 16ths, swung 16ths, swung eighths
    (both become straight), triplets (which stay). Bars of 6/8, 9/8 and 12/8 are straight 16ths.
    What is played just before the end belongs to the first step of the next pass. Strokes of one
    note that meet on a step become the loudest of them.
    """
    meter = beat.meter
    compound = meter.denominator == 8 and meter.numerator % 3 == 0
    feels = (_SIXTEENTHS,) if compound or not meter.bar_quarters.is_integer() else _SIMPLE
    feel = min(feels, key=lambda feel: _misfit(beat, feel) + feel.plainness)
    met: dict[tuple[float, int, int], Hit] = {}
    for hit in beat.hits:
        onset = _straight_onset(hit.onset_quarters, feel)
        if onset >= beat.length_quarters:
            onset = 0.0
        moved = replace(hit, onset_quarters=onset)
        place = onset, hit.lane, hit.note
        if place not in met or met[place].velocity < hit.velocity:
            met[place] = moved
    return replace(beat, hits=tuple(met.values()))


def swung(beat: Beat, swing: float) -> Beat:
    """The beat as the deck plays it with its swing turned up.

    Args:
        beat: strokes near every second 16th are moved; in bars of triplets there are none.
        swing: 0 (straight) over 2/3 (a triplet feel) to 1 (dotted).

    Raises:
        BeatError: a swing out of range.
    """
    if not 0 <= swing <= 1:
        raise BeatError(f"A swing is 0 to 1; got {swing:g}.")
    later = swing * SWING_STEP_QUARTERS
    hits = tuple(
        replace(hit, onset_quarters=(hit.onset_quarters + later) % beat.length_quarters)
        if is_second_sixteenth(hit.onset_quarters)
        else hit
        for hit in beat.hits
    )
    return replace(beat, hits=hits)


def is_second_sixteenth(onset_quarters: float) -> bool:
    """Whether a stroke is one that a swing moves."""
    sixteenth = round(onset_quarters * 4)
    return sixteenth % 2 == 1 and abs(onset_quarters - sixteenth / 4) <= _NEAR_QUARTERS


def _nearest(onset_quarters: float, feel: _Feel) -> tuple[int, int]:
    """The quarter and the place in it that a stroke is meant for."""
    quarter = math.floor(onset_quarters)
    inside = onset_quarters - quarter
    places = (*feel.places, 1.0)
    place = min(range(len(places)), key=lambda number: abs(places[number] - inside))
    return (quarter + 1, 0) if place == len(feel.places) else (quarter, place)


def _straight_onset(onset_quarters: float, feel: _Feel) -> float:
    quarter, place = _nearest(onset_quarters, feel)
    return quarter + feel.straight[place]


def _misfit(beat: Beat, feel: _Feel) -> float:
    """Mean distance of the strokes from a feel's places, in quarters."""
    distances = []
    for hit in beat.hits:
        quarter, place = _nearest(hit.onset_quarters, feel)
        distances.append(abs(hit.onset_quarters - quarter - feel.places[place]))
    return sum(distances) / len(distances) if distances else 0.0
