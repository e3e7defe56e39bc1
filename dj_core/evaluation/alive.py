"""Measures of a dance beat: velocity contours, repetition, layers, placement and idiom."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from dataclasses import dataclass

from dj_core.music.beat import Beat
from dj_core.music.idiom import STEPS_A_QUARTER, bars_of, broken_rules

VELOCITIES_A_LEVEL = 8
FLAT_LEVELS = 1.5  # at most so many velocity levels a drum, on average: flat
ON_GRID_SIXTEENTHS = 0.02
COMPARED_BARS = 4


@dataclass(frozen=True)
class Liveliness:
    """What one beat measures.

    Attributes:
        levels: velocity levels (velocity // 8) a drum uses, mean over its drums.
        flat: at most 1.5 of them.
        identical: its first four bars strike the same drums on the same 16ths.
        on_grid: every hit lies within 0.02 of a 16th.
        drums: drums in use.
        hits_a_bar: hits divided by bars.
        rolls: share of struck (16th, drum) places with two strokes or more: flams and rolls.
        triplets: share of hits 7 to 9 96ths of a quarter ahead of a 16th, where swing puts none.
        broken_rules: what its genre's rules demand and it does not keep, in words.
        changes: per bar but the first, share of struck (16th, drum) places of this bar and the one
            before that only one of them has, 0 to 1.
    """

    levels: float
    flat: bool
    identical: bool
    on_grid: bool
    drums: int
    hits_a_bar: float
    rolls: float
    triplets: float
    broken_rules: tuple[str, ...]
    changes: tuple[float, ...]


def liveliness(beat: Beat) -> Liveliness:
    """The measures of `beat`; rules apply to 4/4 and to genres that have some."""
    bars = bars_of(beat)
    levels: dict[int, set[int]] = defaultdict(set)
    for hit in beat.hits:
        levels[hit.lane].add(hit.velocity // VELOCITIES_A_LEVEL)
    mean_levels = sum(map(len, levels.values())) / max(1, len(levels))
    sixteenths = [hit.onset_quarters * STEPS_A_QUARTER for hit in beat.hits]
    places = [math.floor(onset + 0.5) for onset in sixteenths]
    ahead = [place - onset for place, onset in zip(places, sixteenths, strict=True)]
    struck = Counter(zip(places, (hit.lane for hit in beat.hits), strict=True))
    return Liveliness(
        levels=mean_levels,
        flat=mean_levels <= FLAT_LEVELS,
        identical=beat.bars > 1 and len(set(bars[:COMPARED_BARS])) == 1,
        on_grid=all(abs(onset - round(onset)) <= ON_GRID_SIXTEENTHS for onset in sixteenths),
        drums=len(levels),
        hits_a_bar=len(beat.hits) / beat.bars,
        rolls=sum(count > 1 for count in struck.values()) / max(1, len(struck)),
        triplets=sum(6.5 < early * 24 < 9.5 for early in ahead) / max(1, len(ahead)),
        broken_rules=tuple(rule.says for rule in broken_rules(beat)),
        changes=tuple(
            len(bar ^ before) / max(1, len(bar | before))
            for before, bar in itertools.pairwise(bars)
        ),
    )
