"""Morphs one beat into another in playable steps along a shortest path.

Strokes that both beats have move and swell a share of their way at every step. Strokes that only
one has come or go one after another, weak places before strong ones, the one in between fading.
All of it lies on a shortest way in `distance`'s metric, so no step turns back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

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
        if _never_turns_back(path):
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
    way = match(a, b)
    changes = [*(_Change(hit, False) for hit in way.removed)]
    changes += [_Change(hit, True) for hit in way.added]
    changes.sort(key=lambda change: (_strength(a, change.hit), change.hit.onset_quarters))
    between = []
    for number in range(1, steps - 1):
        share = number / (steps - 1)
        done = math.floor(share * len(changes) * fades + 0.5) / fades
        hits = [_between(before, after, share) for before, after in way.moved]
        for place, change in enumerate(changes):
            hit = change.at(min(max(done - place, 0.0), 1.0))
            if hit is not None:
                hits.append(hit)
        between.append(_beat_between(a, b, share, tuple(hits)))
    return (a, *between, b)


def _between(before: Hit, after: Hit, share: float) -> Hit:
    """A stroke on its way; velocities in between are rounded towards where it comes from."""
    onset = before.onset_quarters + share * (after.onset_quarters - before.onset_quarters)
    low, high = sorted((before.onset_quarters, after.onset_quarters))
    velocity = before.velocity + math.trunc(share * (after.velocity - before.velocity))
    base = after if share >= 0.5 else before
    return replace(base, onset_quarters=min(max(onset, low), high), velocity=velocity)


def _strength(beat: Beat, hit: Hit) -> int:
    """How strong a stroke's place in the bar is: 0 between the 16ths, up to 4 on the one."""
    place = hit.onset_quarters % beat.meter.bar_quarters
    grids = (0.25, 0.5, 1.0, beat.meter.bar_quarters)
    return sum(abs(place - round(place / grid) * grid) < 0.06 for grid in grids)


def _beat_between(a: Beat, b: Beat, share: float, hits: tuple[Hit, ...]) -> Beat:
    tempo = a.tempo_bpm or b.tempo_bpm
    if a.tempo_bpm and b.tempo_bpm:
        tempo = a.tempo_bpm * (b.tempo_bpm / a.tempo_bpm) ** share
    nearer = a if share < 0.5 else b
    return Beat(
        hits,
        bars=a.bars,
        tempo_bpm=tempo,
        meter=a.meter,
        genre=nearer.genre,
        title=f"{a.title} to {b.title}, {share:.0%}".strip(),
        provenance=Provenance(
            source=a.provenance.source,
            settings={"shape": "morph", "share": round(share, 6), "from": a.title, "to": b.title},
        ),
    )


def _never_turns_back(path: tuple[Beat, ...]) -> bool:
    away = [distance(path[0], beat) for beat in path]
    left = [distance(beat, path[-1]) for beat in path]
    return all(
        away[i + 1] > away[i] + 1e-9 and left[i + 1] < left[i] - 1e-9 for i in range(len(path) - 1)
    )
