"""Turns tapped times (in seconds) into a rhythm of whole bars; estimates the tempo if needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dj_core.errors import BeatError
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUM, LANE
from dj_core.music.step_grid import STEPS_PER_QUARTER

MOST_TAPS = 1_000
LONGEST_SECONDS = 120.0
TEMPOS_BPM = np.arange(70.0, 180.0, 0.5)
FEWEST_FOR_TEMPO = 4
FOUR_FOUR = Meter()


@dataclass(frozen=True)
class Tap:
    """One tap.

    Attributes:
        seconds: since the first.
        drum: what it stands for, a name of the drum table.
        velocity: 1 to 127.
    """

    seconds: float
    drum: str = "kick"
    velocity: int = 100


def rhythm_of(
    taps: Sequence[Tap], tempo_bpm: float | None = None, *, bars: int | None = None
) -> Beat:
    """Taps on the 16ths as a beat of whole bars in 4/4; the first tap is the one.

    Args:
        taps: in any order, 1 to 1,000 within two minutes.
        tempo_bpm: what was tapped to; None finds the tempo whose 16ths the taps fit best.
        bars: 1 or more; None takes as many as the taps need. What lies after the end is left out.

    Raises:
        BeatError: no taps or too many, a drum there is none of, or too few to find a tempo by.
    """
    if not 1 <= len(taps) <= MOST_TAPS:
        raise BeatError(f"A rhythm has 1 to {MOST_TAPS} taps; got {len(taps)}. Tap again.")
    for tap in taps:
        if tap.drum not in DRUM:
            raise BeatError(f"No drum is called {tap.drum!r}. Drums: {', '.join(DRUM)}.")
    times = np.array([tap.seconds for tap in taps], float)
    if not np.isfinite(times).all() or np.ptp(times) > LONGEST_SECONDS:
        raise BeatError(f"Taps lie within {LONGEST_SECONDS:g} seconds. Tap a shorter rhythm.")
    times = times - times.min()
    tempo = tempo_bpm if tempo_bpm is not None else tempo_of(times)
    onsets = np.round(times * tempo / 60 * STEPS_PER_QUARTER) / STEPS_PER_QUARTER
    hits = {}
    for tap, onset in zip(taps, onsets.tolist(), strict=True):
        hit = Hit(onset, LANE[tap.drum], tap.velocity)
        hits[onset, hit.lane] = hit  # a bounce counts once
    if bars is None:
        return replace(Beat.fit(hits.values(), FOUR_FOUR), tempo_bpm=tempo)
    length = bars * FOUR_FOUR.bar_quarters
    inside = tuple(hit for hit in hits.values() if hit.onset_quarters < length)
    return Beat(inside, bars, tempo, FOUR_FOUR)


def tempo_of(times: np.ndarray) -> float:
    """The tempo in BPM whose 16ths lie nearest to the taps, with as few 16ths as will do.

    Raises:
        BeatError: fewer than four taps.
    """
    if len(times) < FEWEST_FOR_TEMPO:
        raise BeatError(
            f"{len(times)} taps do not tell a tempo; {FEWEST_FOR_TEMPO} or more do. Tap more, or "
            "say the tempo."
        )
    misfits = []
    for tempo in TEMPOS_BPM:
        sixteenths = times * tempo / 60 * STEPS_PER_QUARTER
        off = np.abs(sixteenths - np.round(sixteenths)).mean()
        odd = (np.round(sixteenths) % 2 == 1).mean()  # 8ths are plainer than 16ths
        misfits.append(off + 0.1 * odd + 0.05 * abs(np.log2(tempo / 112)))
    return float(TEMPOS_BPM[int(np.argmin(misfits))])


def only(beat: Beat, drums: Sequence[str]) -> Beat:
    """`beat` with nothing but these drums: one drum alone, to build on."""
    lanes = {LANE[drum] for drum in drums if drum in LANE}
    return replace(beat, hits=tuple(hit for hit in beat.hits if hit.lane in lanes))
