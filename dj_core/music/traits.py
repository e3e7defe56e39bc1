"""Default names for beats: style, tempo and a notable feature.

'House 124 · late claps'. A trait is measured on the strokes alone; of those that hold, the one is
told that is rarest among beats. It is the same on every machine, and plain words.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dj_core.music.beat import Beat, Hit
from dj_core.music.genres import genre_label

SWUNG = 0.57  # of an eighth, where its second 16th lies; straight is 0.5, a triplet 0.67
LATE_QUARTERS = 0.03  # 15 ms at 120 BPM: what one hears as laid back
GHOST_VELOCITY = 50
_NEAR_QUARTERS = 0.07  # a stroke so near to a place is meant to be on it


def usual_name(beat: Beat) -> str:
    """What to call a beat: its title, or where no person gave it one, what it is like.

    'House 124 · late claps, busy kick': style, tempo, and two traits, since beats of one style
    often share the first.
    """
    style = genre_label(beat.genre) if beat.genre else "Beat"
    if beat.title and beat.title != f"{style} {beat.provenance.seed}":  # as models title theirs
        return beat.title
    return f"{style} {beat.playing_tempo_bpm:.4g} · {', '.join(traits(beat)[:2])}"


def trait(beat: Beat) -> str:
    """What stands out most in a beat, in two or three words."""
    return traits(beat)[0]


def traits(beat: Beat) -> tuple[str, ...]:
    """What stands out in a beat, the rarest first; 'steady' where nothing does."""
    return tuple(words for words, holds in _traits(beat) if holds) or ("steady",)


def _traits(beat: Beat) -> list[tuple[str, bool]]:
    """Every trait and whether it holds, the rarest first."""
    bar, bars = beat.meter.bar_quarters, beat.bars
    family = {
        name: [hit for hit in beat.hits if hit.drum.family == name]
        for name in ("kick", "snare", "hat", "tom", "cymbal", "percussion")
    }
    claps = [hit for hit in beat.hits if hit.drum.name == "clap"]
    backbeats = [hit for hit in family["snare"] if hit.velocity > GHOST_VELOCITY]
    ghosts = [hit for hit in family["snare"] if hit.velocity <= GHOST_VELOCITY]
    open_hats = [hit for hit in beat.hits if hit.drum.name == "open_hat"]
    rides = [hit for hit in beat.hits if hit.drum.name == "ride"]
    kicks = len(family["kick"]) / bars
    on_two_and_four = bar == 4 and sum(_on(hit, (1, 3), 4) for hit in backbeats) >= bars
    last = [hit for hit in family["tom"] if hit.onset_quarters >= (bars - 1) * bar + bar / 2]
    every_quarter = all(
        any(_near(hit.onset_quarters, quarter) for hit in family["kick"])
        for quarter in range(int(beat.length_quarters))
    )
    return [
        ("silent", not beat.hits),
        ("tom fill", len(last) >= 3),
        ("late claps", _lateness(claps) > LATE_QUARTERS),
        ("early claps", _lateness(claps) < -LATE_QUARTERS),
        ("half-time", bar == 4 and sum(_on(hit, (2,), 4) for hit in backbeats) >= max(bars, 1)
            and not any(_on(hit, (1, 3), 4) for hit in backbeats)),
        ("late snare", _lateness(backbeats) > LATE_QUARTERS),
        ("swung 16ths", _swing(beat.hits, 0.5) > SWUNG),
        ("swung 8ths", _swing(beat.hits, 1.0) > SWUNG),
        ("busy ghosts", len(ghosts) >= 3 * bars),
        ("busy toms", len(family["tom"]) >= 3 * bars),
        ("busy percussion", len(family["percussion"]) >= 6 * bars),
        ("no kick", bool(beat.hits) and not family["kick"]),
        ("rolling hats", _rolls(family["hat"]) >= 2),
        ("open hats on the and", len(open_hats) >= bars
            and all(_near(hit.onset_quarters % 1, 0.5) for hit in open_hats)),
        ("no hats", bool(beat.hits) and not family["hat"] and not rides),
        ("on the ride", len(rides) > len(family["hat"])),
        ("sparse kick", 0 < kicks <= 1),
        ("busy kick", kicks >= 6),
        ("crash on the one", any(hit.drum.name == "crash" and _near(hit.onset_quarters, 0)
            for hit in beat.hits)),
        ("16th hats", len(family["hat"]) >= 3.5 * bar * bars),
        ("off the two and four", bar == 4 and bool(backbeats) and not on_two_and_four),
        ("four on the floor", every_quarter),
        ("no snare", bool(beat.hits) and not backbeats),
        ("broken kick", bool(family["kick"]) and sum(
            not _near(hit.onset_quarters % 1, 0) for hit in family["kick"]
        ) >= len(family["kick"]) / 2),
        ("soft", _mean_velocity(beat.hits) < 60),
        ("loud", _mean_velocity(beat.hits) > 112),
        ("straight", len(beat.hits) > 0 and all(
            _near(hit.onset_quarters * 4 % 1, 0) for hit in beat.hits)),
    ]  # fmt: skip


def _near(place: float, other: float) -> bool:
    return abs(place - other) <= _NEAR_QUARTERS or abs(place - other - 1) <= _NEAR_QUARTERS


def _on(hit: Hit, quarters: tuple[int, ...], bar: float) -> bool:
    """Whether a stroke is meant for one of these quarters of its bar."""
    place = hit.onset_quarters % bar
    return any(abs(place - quarter) <= 2 * _NEAR_QUARTERS for quarter in quarters)


def _lateness(hits: Sequence[Hit]) -> float:
    """Mean distance from the nearest 16th in quarters, over 0 for late; 0 for few strokes."""
    if len(hits) < 2:
        return 0.0
    off = [hit.onset_quarters - round(hit.onset_quarters * 4) / 4 for hit in hits]
    return sum(off) / len(off)


def _swing(hits: Sequence[Hit], pair: float) -> float:
    """Where the second stroke of a pair of this length lies in it, 0 to 1; 0.5 for few strokes."""
    places = [hit.onset_quarters % pair / pair for hit in hits]
    seconds = [place for place in places if 0.4 < place < 0.8]
    if pair == 1.0 and any(0.15 < place < 0.4 for place in places):
        return 0.5  # it counts in 16ths
    return sum(seconds) / len(seconds) if len(seconds) >= 4 else 0.5


def _rolls(hits: Sequence[Hit]) -> int:
    """How often strokes follow one another faster than 16ths."""
    onsets = sorted(hit.onset_quarters for hit in hits)
    return sum(0.02 < after - before < 0.2 for before, after in pairwise(onsets))


def _mean_velocity(hits: Sequence[Hit]) -> float:
    return sum(hit.velocity for hit in hits) / len(hits) if hits else 80.0
