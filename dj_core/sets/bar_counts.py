"""Half and double time: rewrites a beat at half or twice its tempo.

87 BPM counted double is 174 BPM: every note doubles its length in quarters, and nothing changes
for the ear. So hip-hop mixes into drum and bass without a step in tempo.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal, get_args

from dj_core.errors import SetError
from dj_core.music.beat import MAX_TEMPO_BPM, MIN_LANE_QUARTERS, MIN_TEMPO_BPM, Beat

Count = Literal["as-is", "half", "double"]
AS_IS: Count = "as-is"
FACTOR: dict[Count, float] = {"as-is": 1.0, "half": 0.5, "double": 2.0}


def in_count(beat: Beat, count: Count) -> Beat:
    """The beat counted at its own, half or double tempo; it sounds the same.

    Counted half, a beat of an odd number of bars is played twice to fill whole bars; its conditions
    then count the longer loop.

    Raises:
        SetError: no such count, or a tempo beyond 10 to 600 BPM.
    """
    if count not in get_args(Count):
        raise SetError(f"A beat is counted as-is, half or double; got {count!r}.")
    factor = FACTOR[count]
    if factor == 1:
        return beat
    tempo_bpm = counted_tempo_bpm(beat, count)
    if not MIN_TEMPO_BPM <= tempo_bpm <= MAX_TEMPO_BPM:
        raise SetError(
            f"{beat.title or 'The beat'} counted {count} would be {tempo_bpm:g} BPM; "
            "10 to 600 can be played."
        )
    passes = 2 if factor < 1 and beat.bars % 2 else 1
    hits = tuple(
        replace(
            hit,
            onset_quarters=(number * beat.length_quarters + hit.onset_quarters) * factor,
            duration_quarters=hit.duration_quarters and hit.duration_quarters * factor,
            condition=hit.condition and hit.condition.stretched(factor),
        )
        for number in range(passes)
        for hit in beat.hits
    )
    lengths = tuple(
        (lane, max(MIN_LANE_QUARTERS, quarters * factor)) for lane, quarters in beat.lane_lengths
    )
    bars = round(passes * beat.bars * factor)
    return replace(beat, hits=hits, bars=bars, tempo_bpm=tempo_bpm, lane_lengths=lengths)


def counted_tempo_bpm(beat: Beat, count: Count) -> float:
    """The beat's own tempo when counted so."""
    return beat.playing_tempo_bpm * FACTOR[count]


def nearest_count(beat: Beat, tempo_bpm: float) -> Count:
    """The count that brings the beat's own tempo nearest to `tempo_bpm`; as it is if in doubt."""
    ratio = beat.playing_tempo_bpm / tempo_bpm
    return min(FACTOR, key=lambda count: round(abs(math.log(ratio * FACTOR[count])), 6))


def tempo_distance(beat: Beat, tempo_bpm: float) -> float:
    """How far the beat is from a tempo, in octaves, half and double time allowed: 0 to 0.5."""
    count = nearest_count(beat, tempo_bpm)
    return abs(math.log2(counted_tempo_bpm(beat, count) / tempo_bpm))
