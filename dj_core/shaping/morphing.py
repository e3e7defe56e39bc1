"""Morphs one beat into another in playable steps along a shortest path.

Strokes that both beats have move and swell a share of their way at every step. Strokes that only
one has come or go one after another, weak places before strong ones, the one in between fading.
All of it lies on a shortest way in `distance`'s metric, so no step turns back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

from dj_core.errors import BeatError
from dj_core.music.beat import Beat, Hit, Provenance
from dj_core.shaping.distance import distance, match

MAX_STEPS = 64
FADES = (4, 16, 127)  # levels at which a stroke that comes or goes can be caught; more if need be


@dataclass(frozen=True)
class _Change:
    """A stroke that comes or goes."""

    hit: Hit
    comes: bool

    def at(self, share: float) -> Hit | None:
        """The stroke when `share` (0 to 1) of its change is done; None where it is silent."""
        level = share if self.comes else 1 - share
        velocity = self.hit.velocity if level >= 1 else math.floor(self.hit.velocity * level)
        return replace(self.hit, velocity=velocity) if velocity >= 1 else None


def morph(a: Beat, b: Beat, steps: int) -> tuple[Beat, ...]:
    """Beats from `a` to `b`: `steps` of them, the first `a` itself and the last `b` itself.

    Tempos in between change by equal ratios.

    Args:
        a, b: of one meter and length; `looped` makes lengths equal.
        steps: 2 to 64.

    Raises:
        BeatError: other meters or lengths, too many steps, or beats so alike that there are not
            that many between them.
    """
    if not 2 <= steps <= MAX_STEPS:
        raise BeatError(f"A morph has 2 to {MAX_STEPS} steps, both ends included; got {steps}.")
    if a.meter != b.meter or a.bars != b.bars:
        raise BeatError(
            f"A morph needs two beats of one meter and length; got {a.bars} bars of {a.meter} and "
            f"{b.bars} of {b.meter}. Repeat the shorter one, or choose another."
        )
    for fades in FADES:
        path = _path(a, b, steps, fades)
        away, left = ([distance(end, beat) for beat in path] for end in (a, b))
        if all(x < y - 1e-9 for x, y in pairwise(away)) and all(
            x > y + 1e-9 for x, y in pairwise(left)
        ):  # it never turns back
            return path
    raise BeatError(
        f"These beats are too alike for {steps} steps between them. Ask for fewer steps."
    )


def looped(beat: Beat, bars: int) -> Beat:
    """`beat` repeated, and cut, to `bars` bars."""
    length = beat.length_quarters
    repeats = -(-bars // beat.bars)
    end = bars * beat.meter.bar_quarters
    hits = (
        replace(hit, onset_quarters=hit.onset_quarters + turn * length)
        for turn in range(repeats)
        for hit in beat.hits
    )
    return replace(beat, hits=tuple(hit for hit in hits if hit.onset_quarters < end), bars=bars)


def _path(a: Beat, b: Beat, steps: int, fades: int) -> tuple[Beat, ...]:
    def order(change: _Change) -> tuple[int, float]:
        """Weak places of the bar before strong ones: 0 between the 16ths, up to 4 on the one."""
        place = change.hit.onset_quarters % a.meter.bar_quarters
        grids = (0.25, 0.5, 1.0, a.meter.bar_quarters)
        strength = sum(abs(place - round(place / grid) * grid) < 0.06 for grid in grids)
        return strength, change.hit.onset_quarters

    way = match(a, b)
    changes = [_Change(hit, False) for hit in way.removed]
    changes += [_Change(hit, True) for hit in way.added]
    changes.sort(key=order)
    between = []
    for number in range(1, steps - 1):
        share = number / (steps - 1)
        nearer = a if share < 0.5 else b
        hits = []
        for before, after in way.moved:
            low, high = sorted((before.onset_quarters, after.onset_quarters))
            onset = before.onset_quarters + share * (after.onset_quarters - before.onset_quarters)
            # velocities in between are rounded towards where the stroke comes from
            velocity = before.velocity + math.trunc(share * (after.velocity - before.velocity))
            base = before if share < 0.5 else after
            onset = min(max(onset, low), high)
            hits.append(replace(base, onset_quarters=onset, velocity=velocity))
        done = math.floor(share * len(changes) * fades + 0.5) / fades
        for place, change in enumerate(changes):
            if hit := change.at(min(max(done - place, 0.0), 1.0)):
                hits.append(hit)
        tempo = a.tempo_bpm or b.tempo_bpm
        if a.tempo_bpm and b.tempo_bpm:
            tempo = a.tempo_bpm * (b.tempo_bpm / a.tempo_bpm) ** share
        told = {"shape": "morph", "share": round(share, 6), "from": a.title, "to": b.title}
        beat = Beat(
            tuple(hits),
            bars=a.bars,
            tempo_bpm=tempo,
            meter=a.meter,
            genre=nearer.genre,
            title=f"{a.title} to {b.title}, {share:.0%}".strip(),
            provenance=Provenance(source=a.provenance.source, settings=told),
        )
        between.append(beat)
    return (a, *between, b)
