"""Corrections of a grid by hand: nudged, halved, doubled, another one, tapped over.

Each gives what would have been heard with the corrected grid. What a DJ has set is certain:
tempo and beats have a confidence of 1 then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dj_core.errors import SoundError
from dj_core.listening.beat_grid import BeatGrid
from dj_core.listening.listening import Listening, with_grid
from dj_core.listening.onset_strength import FRAMES_PER_SECOND
from dj_core.listening.tempo_candidates import refined

FEWEST_TAPS = 4
SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0
_TAPS_MISS = 0.02  # of the tempo, that taps are believed to miss it by


def nudged(heard: Listening, seconds: float) -> Listening:
    """All beats later by `seconds` (earlier where negative), up to a beat."""
    grid = _grid(heard)
    return _with(heard, grid.beats + seconds, grid.first_downbeat, grid)


def halved(heard: Listening) -> Listening:
    """Every second beat left out, from the first downbeat on."""
    grid = _grid(heard)
    start = grid.first_downbeat % 2
    return _with(heard, grid.beats[start::2], grid.first_downbeat // 2, grid)


def doubled(heard: Listening) -> Listening:
    """A beat between every two."""
    grid = _grid(heard)
    numbers = np.arange(2 * len(grid.beats) - 1) / 2
    beats = np.interp(numbers, np.arange(len(grid.beats)), grid.beats)
    return _with(heard, beats, 2 * grid.first_downbeat, grid)


def one_moved(heard: Listening, beats: int) -> Listening:
    """The bar lines later by so many beats."""
    grid = _grid(heard)
    return _with(heard, grid.beats, (grid.first_downbeat + beats) % grid.beats_per_bar, grid)


def tapped(heard: Listening, taps_seconds: Sequence[float]) -> Listening:
    """One tempo throughout, from taps along the track; the first tap is a one.

    The tempo is the tapped one or the nearest, within 2%, at which the track repeats; the phase is
    that of the taps.

    Raises:
        SoundError: fewer than four taps, or a tempo below 30 or above 300 BPM.
    """
    taps = np.sort(np.array(taps_seconds, dtype=float))
    gaps = np.diff(taps)
    if len(taps) < FEWEST_TAPS or not np.isfinite(taps).all() or np.median(gaps) <= 0:
        raise SoundError(f"Tap at least {FEWEST_TAPS} beats along the track; got {len(taps)}.")
    numbers = np.concatenate([[0], np.cumsum(np.maximum(1, np.rint(gaps / np.median(gaps))))])
    period, zero = np.polyfit(numbers, taps, 1)
    if not SLOWEST_BPM <= 60 / period <= FASTEST_BPM:
        raise SoundError(
            f"Tap a tempo of {SLOWEST_BPM:g} to {FASTEST_BPM:g} BPM; got {60 / period:.0f}."
        )
    if heard.strength.any() and len(heard.strength) > 4 * period * FRAMES_PER_SECOND:
        near = refined(heard.strength, float(period), _TAPS_MISS).period_seconds
        middle = float(numbers.mean())
        zero, period = zero + middle * (period - near), near
    first = int(np.ceil(-zero / period))
    count = int((heard.duration_seconds - zero) / period) - first + 1
    beats = zero + period * np.arange(first, first + max(count, 1))
    tempo = 60 / float(period)
    per_bar = heard.grid.beats_per_bar if heard.grid else 4
    grid = BeatGrid(
        beats, -first % per_bar, per_bar, tempo, ((tempo, 1.0),), 1.0, 1.0, True, (tempo, tempo)
    )
    return with_grid(heard, heard.strength, grid, 1.0)


def _grid(heard: Listening) -> BeatGrid:
    if heard.grid is None or len(heard.grid.beats) < 3:
        raise SoundError("No beat was found to correct. Tap the beat along the track.")
    return heard.grid


def _with(heard: Listening, beats: np.ndarray, first_downbeat: int, before: BeatGrid) -> Listening:
    """What is heard with these beats: those outside the track left out, its ends filled."""
    period = float(np.mean(np.diff(beats)))
    beats = np.concatenate([[beats[0] - period], beats, [beats[-1] + period]])
    first_downbeat += 1
    early = int((beats < 0).sum())
    inside = beats[(beats >= 0) & (beats < heard.duration_seconds)]
    if len(inside) < 3:
        raise SoundError("The track is too short for so slow a beat. Double it, or tap.")
    tempo = 60 / float(np.mean(np.diff(inside)))
    ratio = tempo / before.tempo_bpm
    grid = replace(
        before,
        beats=inside,
        first_downbeat=(first_downbeat - early) % before.beats_per_bar,
        tempo_bpm=tempo,
        odds=((tempo, 1.0),),
        downbeat_odds=1.0,
        drift_bpm=(before.drift_bpm[0] * ratio, before.drift_bpm[1] * ratio),
    )
    return with_grid(heard, heard.strength, grid, 1.0)
