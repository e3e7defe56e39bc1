"""A beat as it sounds for some bars: with its conditions and the lengths of its drums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import floor, lcm

from dj_core.errors import BeatError
from dj_core.music.beat import Beat, Hit
from dj_core.music.conditions import FIRST, NOT_FIRST, draw_of
from dj_core.music.timing import SWING_STEP_QUARTERS, is_second_sixteenth

MOST_SEED = 2**32 - 1
MOST_HITS = 200_000  # as many as a MIDI file may hold
MOST_CYCLE_BARS = 64


def as_played(beat: Beat, bars: int, seed: int, swing: float = 0.0) -> Beat:
    """The first `bars` bars of a beat as the deck plays it, as plain hits.

    Strokes of one note that meet are the hardest of them. What lies before the start (a flam on the
    first step) or after the end is left out.

    Args:
        beat: any; one without conditions goes round as it is.
        bars: how long, 1 or more, whole loops or not.
        seed: 0 to 2**32 - 1, as `play_seed` gives it; chooses all chances.
        swing: 0 to 1, as `timing.swung`, by where a hit falls in the beat.

    Raises:
        BeatError: too long, too many hits, or a seed or swing out of range.
    """
    if not 0 <= seed <= MOST_SEED or not 0 <= swing <= 1:
        raise BeatError(f"A seed is 0 to {MOST_SEED} and a swing 0 to 1; got {seed} and {swing:g}.")
    end = bars * beat.meter.bar_quarters
    met: dict[tuple[float, int, int], Hit] = {}
    for hit in beat.hits:
        for stroke in _strokes_of(hit, beat, end, seed, swing):
            place = stroke.onset_quarters, stroke.lane, stroke.note
            if place not in met or met[place].velocity < stroke.velocity:
                met[place] = stroke
            if len(met) > MOST_HITS:
                raise BeatError(
                    f"{bars} bars of this beat have over {MOST_HITS:,} strokes. Ask for fewer bars."
                )
    return replace(beat, hits=tuple(met.values()), bars=bars, lane_lengths=())


def _strokes_of(hit: Hit, beat: Beat, end: float, seed: int, swing: float) -> Iterator[Hit]:
    length = dict(beat.lane_lengths).get(hit.lane, beat.length_quarters)
    condition, plain = hit.condition, replace(hit, condition=None)
    flam = condition.flam_quarters if condition else 0.0
    step = floor(hit.onset_quarters * 4 + 0.5)
    loop, start = 0, 0.0
    while hit.onset_quarters < length and start + hit.onset_quarters - flam < end:
        onset = start + hit.onset_quarters
        if is_second_sixteenth(onset % beat.length_quarters):
            onset += swing * SWING_STEP_QUARTERS
        sounding: list[tuple[float, int, float]] = []  # onset, velocity, the most it may last
        if condition is None:
            sounding = [(onset, hit.velocity, end)]
        elif condition.holds(loop, draw_of(seed, loop, hit.lane, step)):
            if flam:
                sounding = [(onset - flam, condition.grace_velocity(hit.velocity), flam)]
            many = condition.strokes
            longest = condition.span_quarters / many if many > 1 else end
            for part, velocity in enumerate(condition.velocities(hit.velocity)):
                at = onset + condition.span_quarters * part / many
                sounding.append((at, velocity, longest))
        for at, velocity, longest in sounding:
            if 0 <= at < end:
                lasts = hit.duration_quarters
                lasts = None if lasts is None else min(lasts, longest)
                yield replace(plain, onset_quarters=at, velocity=velocity, duration_quarters=lasts)
        loop += 1
        start = loop * length


def play_seed(beat: Beat) -> int:
    """The seed that the deck plays a beat with: that of its making in 32 bits; 0 without one."""
    seed = beat.provenance.seed or 0
    return (seed ^ seed >> 32) & MOST_SEED


def cycle_bars(beat: Beat) -> int:
    """After how many bars of a beat its loops and its drums' own lengths meet again, 64 at most.

    Chances never do, so they do not count; 'first' needs a second round to be told from silence.
    """
    lengths = dict(beat.lane_lengths)
    whole = Fraction(beat.length_quarters).limit_denominator(96)
    bar = Fraction(beat.meter.bar_quarters).limit_denominator(96)
    cycle = whole
    for lane in beat.lanes:
        length = Fraction(lengths.get(lane, beat.length_quarters)).limit_denominator(96)
        loops = {hit.condition.loops for hit in beat.hits if hit.lane == lane and hit.condition}
        times = lcm(*(2 if name in (FIRST, NOT_FIRST) else int(name[-1]) for name in loops if name))
        length *= times
        shared = lcm(cycle.denominator, length.denominator)
        cycle = Fraction(lcm(int(cycle * shared), int(length * shared)), shared)
        if cycle / bar > MOST_CYCLE_BARS:
            return max(beat.bars, MOST_CYCLE_BARS)
    return int(cycle / bar)
