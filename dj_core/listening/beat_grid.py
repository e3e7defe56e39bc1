"""The grid of a track: tempo, beats and bar lines through its whole length, drift followed.

strength --stretches of 24 s--> candidates --bar_profile--> the likeliest tempo
    --phase of every 12 s--> one tempo throughout, or a tempo that drifts
    --fold along the grid--> bar lines
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dj_core.listening import bar_profile
from dj_core.listening.onset_strength import FRAMES_PER_SECOND, RATE_HZ
from dj_core.listening.tempo_candidates import (
    TICKS_PER_BEAT,
    Candidate,
    Strength,
    candidates,
    folded,
    folded_at,
    refined,
)

STRETCH_SECONDS = 24.0
MOST_STRETCHES = 5
STEADY_SECONDS = 0.012
"""Spread of the beats around one tempo up to which a track counts as steady."""
_STEADY_SHARE = 0.85  # of how well its stretches repeat at all: at one tempo, in a steady track
_NEAR_TEMPOS, _TEMPOS_TO_A_SIDE = 0.05, 20
_SHORTEST_SECONDS = 2.0
_RISE_IS_EARLY_SECONDS = 0.0026  # before the stroke itself: a window hears what lies ahead
_SAME_TEMPO = 0.04  # stretches of one track may differ so much
_WINDOW_SECONDS, _WINDOW_HOP_SECONDS = 10.0, 2.5
_FINE_STEP_SECONDS, _FINE_REACH_SECONDS, _FINE_RISE_STEPS = 0.0005, 0.01, 4
_TICKS_PER_BAR = 4 * TICKS_PER_BEAT
_BEATS_OF_METERS = (3, 4)
_THREE_IS_BETTER_BY = 0.08

Times = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BeatGrid:
    """Beats and bars.

    Attributes:
        beats: seconds, evenly or as the track drifts, from its start to its end.
        first_downbeat: index of the first beat that begins a bar.
        beats_per_bar: 3 or 4.
        tempo_bpm: the mean.
        odds: (tempo in BPM, probability) of this tempo and of others, the likeliest first.
        salience: share of the onsets' variation that the grid explains, 0 to 1.
        downbeat_odds: probability of the bar line, given the tempo.
        is_steady: one tempo throughout.
        drift_bpm: slowest and fastest tempo of ten seconds.
    """

    beats: Times
    first_downbeat: int
    beats_per_bar: int
    tempo_bpm: float
    odds: tuple[tuple[float, float], ...]
    salience: float
    downbeat_odds: float
    is_steady: bool
    drift_bpm: tuple[float, float]

    @property
    def downbeats(self) -> Times:
        """Seconds of the bar lines."""
        return self.beats[self.first_downbeat :: self.beats_per_bar]


def find_grid(strength: Strength) -> BeatGrid | None:
    """The grid of a track's onsets; None where nothing repeats."""
    seconds = len(strength) / FRAMES_PER_SECOND
    if seconds < _SHORTEST_SECONDS or not strength.any():
        return None
    chosen = _likeliest_tempo(strength)
    if chosen is None:
        return None
    centre, best, odds = chosen
    anchors, ticks, drift = _followed(strength, best, centre)
    is_steady = len(anchors) == 2
    frames = np.arange(len(strength)) / FRAMES_PER_SECOND
    places = _extended(frames, anchors, ticks)
    rotation, downbeat_odds = _bar_line(strength, places, best, odds)
    tick_seconds = best.period_seconds / TICKS_PER_BEAT
    first_tick = np.floor(places[0] - 1)
    wanted = np.arange(first_tick, places[-1] + 1)
    wanted = wanted[(wanted - rotation) % TICKS_PER_BEAT == 0]
    beats = _extended(wanted, ticks, anchors)
    beats = beats + _late_by(strength, beats, tick_seconds)
    inside = (beats > -_FINE_REACH_SECONDS) & (beats < seconds)
    beats, wanted = beats[inside], wanted[inside]
    if not len(beats):
        return None
    tempo = 60 / float(np.mean(np.diff(beats))) if len(beats) > 1 else best.tempo_bpm
    per_bar = _beats_per_bar(strength, frames, beats)
    first = int((((rotation - wanted[0]) / TICKS_PER_BEAT) % 4).round()) % 4
    if per_bar != 4:
        first, downbeat_odds = _first_of_three(strength, frames, beats)
    beats = np.maximum(beats, 0)  # a loop begins with its first stroke
    return BeatGrid(
        beats, first, per_bar, tempo, odds, best.salience, downbeat_odds, is_steady, drift
    )


def _likeliest_tempo(
    strength: Strength,
) -> tuple[float, Candidate, tuple[tuple[float, float], ...]] | None:
    """Where the clearest stretch begins (seconds), its tempo, and odds of that and of others."""
    length = round(STRETCH_SECONDS * FRAMES_PER_SECOND)
    count = min(MOST_STRETCHES, max(1, round(len(strength) / length)))
    starts = np.linspace(0, max(len(strength) - length, 0), count).astype(int)
    tempos: list[float] = []
    votes: list[float] = []
    clearest: list[tuple[float, float, Candidate]] = []
    for start in starts:
        part = strength[start : start + length]
        found = candidates(part)
        if not found:
            continue
        profiles = np.stack([folded(part, one) for one in found])
        scores = bar_profile.scores(profiles, bar_profile.facts_of(found))
        shares = np.exp(scores - scores.max())
        shares = shares.sum(axis=1) / shares.sum()
        weight = found[0].salience  # a break without drums knows less
        for one, share in zip(found, shares, strict=True):
            near = [abs(np.log(one.tempo_bpm / tempo)) < _SAME_TEMPO for tempo in tempos]
            if not any(near):
                tempos.append(one.tempo_bpm)
                votes.append(0.0)
                clearest.append((0.0, 0.0, one))
                near.append(True)
            place = near.index(True)
            votes[place] += weight * float(share)
            if weight * share >= clearest[place][0]:
                clearest[place] = (weight * float(share), start / FRAMES_PER_SECOND, one)
    whole = sum(votes)
    if whole <= 0:
        return None
    order = np.argsort(votes)[::-1]
    odds = tuple((tempos[place], votes[place] / whole) for place in order)
    _, start, best = clearest[order[0]]
    return start, best, odds


def _followed(
    strength: Strength, best: Candidate, start_seconds: float
) -> tuple[Times, Times, tuple[float, float]]:
    """Times and their places in ticks: two where one tempo holds, else many; slowest, fastest."""
    length = round(STRETCH_SECONDS * FRAMES_PER_SECOND)
    first, period = start_seconds, best.period_seconds
    begin = round(start_seconds * FRAMES_PER_SECOND)
    end = min(begin + length, len(strength))
    phase = best.phase_seconds
    while end - begin < len(strength):  # longer and longer, as exactly as that length allows
        longer = 2 * (end - begin)
        begin = max(0, min(begin - (longer - (end - begin)) // 2, len(strength) - longer))
        end = min(begin + longer, len(strength))
        within = 0.35 * period / TICKS_PER_BEAT / ((end - begin) / FRAMES_PER_SECOND / 4)
        steady = refined(strength[begin:end], period, within)
        period, phase, first = (
            steady.period_seconds,
            steady.phase_seconds,
            begin / FRAMES_PER_SECOND,
        )
    zero = first + phase
    tempo = 60 / period
    if _spread(strength, period, zero) <= STEADY_SECONDS and _holds(strength, period):
        return np.array([zero, zero + period]), np.array([0.0, TICKS_PER_BEAT]), (tempo, tempo)
    return _drifting(strength, best, start_seconds)


def _windows(strength: Strength) -> tuple[NDArray[np.intp], int]:
    length = min(round(_WINDOW_SECONDS * FRAMES_PER_SECOND), len(strength))
    hop = round(_WINDOW_HOP_SECONDS * FRAMES_PER_SECOND)
    return np.arange(0, max(len(strength) - length, 0) + 1, hop), length


def _spread(strength: Strength, period: float, zero: float) -> float:
    """How far, in seconds, the onsets of ten seconds lie off one tempo: weighted mean square."""
    starts, length = _windows(strength)
    frames = np.arange(len(strength)) / FRAMES_PER_SECOND
    turn = 2j * np.pi * 4 / period  # of 16ths
    wave = np.exp(-turn * (frames - zero))
    total = strength.sum(axis=1) - strength.sum(axis=1).mean()
    sums = np.concatenate([[0], np.cumsum(wave * total)])
    windows = sums[starts + length] - sums[starts]
    mean = windows.sum()
    angles = np.angle(windows * np.conj(mean))
    weights = np.abs(windows) / max(float(np.abs(windows).sum()), 1e-9)
    late = angles / (2 * np.pi * 4) * period
    return float(np.sqrt((weights * late**2).sum()))


def _holds(strength: Strength, period: float) -> bool:
    """Whether ten seconds anywhere repeat as well at this tempo as at one near to it.

    Where a track drifts, most of them hardly repeat at its mean tempo at all; `_spread`, which goes
    by those that do, cannot tell.
    """
    starts, length = _windows(strength)
    turn = 2j * np.pi * 4 / period * np.arange(len(strength)) / FRAMES_PER_SECOND  # of 16ths
    total = strength.sum(axis=1) - strength.sum(axis=1).mean()
    heard = []
    for ratio in 1 + np.linspace(-_NEAR_TEMPOS, _NEAR_TEMPOS, 2 * _TEMPOS_TO_A_SIDE + 1):
        sums = np.concatenate([[0], np.cumsum(np.exp(-turn * ratio) * total)])
        heard.append(np.abs(sums[starts + length] - sums[starts]))
    here, best = heard[_TEMPOS_TO_A_SIDE].sum(), np.max(heard, axis=0).sum()
    return bool(here >= _STEADY_SHARE * best)


def _drifting(
    strength: Strength, best: Candidate, start_seconds: float
) -> tuple[Times, Times, tuple[float, float]]:
    """Beats found one by one, near the tempo around them (Ellis 2007), smoothed over a few."""
    starts, length = _windows(strength)
    seed = int(np.argmin(np.abs(starts / FRAMES_PER_SECOND - start_seconds)))
    periods = np.full(len(starts), best.period_seconds)
    for way in (range(seed, len(starts)), range(seed, -1, -1)):
        period = best.period_seconds
        for number in way:
            part = strength[starts[number] : starts[number] + length]
            local = refined(part, period, 0.03)
            period += 0.7 * (local.period_seconds - period)
            periods[number] = period
    centres = (starts + length / 2) / FRAMES_PER_SECOND
    frames = np.arange(len(strength)) / FRAMES_PER_SECOND
    expected = np.interp(frames, centres, periods) * FRAMES_PER_SECOND
    total = strength.sum(axis=1)
    total = np.convolve(total / max(float(total.std()), 1e-9), np.hanning(7) / 3, mode="same")
    score, source = total.astype(float), np.full(len(total), -1)
    for frame in range(1, len(total)):
        gap = expected[frame]
        low, high = max(0, int(frame - 1.6 * gap)), int(frame - 0.6 * gap)
        if high <= low:
            continue
        steps = frame - np.arange(low, high)
        reached = score[low:high] - 100 * np.log(steps / gap) ** 2
        top = int(np.argmax(reached))
        if reached[top] > 0:
            score[frame] += reached[top]
            source[frame] = low + top
    tail = max(0, len(score) - int(1.5 * expected[-1]))
    frame = tail + int(np.argmax(score[tail:]))
    path = []
    while frame >= 0:
        path.append(frame)
        frame = source[frame]
    beats = np.array(path[::-1]) / FRAMES_PER_SECOND
    if len(beats) < 4:
        zero = start_seconds + best.phase_seconds
        tempo = best.tempo_bpm
        ticks = np.array([0.0, TICKS_PER_BEAT])
        return np.array([zero, zero + best.period_seconds]), ticks, (tempo, tempo)
    numbers = np.arange(len(beats), dtype=float)
    smooth = np.array(
        [
            np.polyval(np.polyfit(numbers[low:high], beats[low:high], 1), number)
            for number in range(len(beats))
            for low, high in [(max(0, number - 4), number + 5)]
        ]
    )
    tempos = 60 / periods
    return smooth, numbers * TICKS_PER_BEAT, (float(tempos.min()), float(tempos.max()))


def _extended(at: Times, known: Times, values: Times) -> Times:
    """Interpolated between known points, and straight on beyond them."""
    answer = np.interp(at, known, values)
    low = (values[1] - values[0]) / (known[1] - known[0])
    high = (values[-1] - values[-2]) / (known[-1] - known[-2])
    answer = np.where(at < known[0], values[0] + (at - known[0]) * low, answer)
    return np.where(at > known[-1], values[-1] + (at - known[-1]) * high, answer)


def _bar_line(
    strength: Strength,
    places: Times,
    best: Candidate,
    odds: tuple[tuple[float, float], ...],
) -> tuple[int, float]:
    """The tick, 0 to 47, on which bars begin, and how likely that is."""
    length = round(STRETCH_SECONDS * FRAMES_PER_SECOND)
    count = max(1, round(len(strength) / length))
    bounds = np.linspace(0, len(strength), count + 1).astype(int)
    profiles = np.stack(
        [
            folded_at(strength[low:high], places[low:high])
            for low, high in itertools.pairwise(bounds)
        ]
    )
    facts = np.repeat(bar_profile.facts_of([best]), count, axis=0)
    scores = bar_profile.scores(profiles, facts)
    scores -= scores.max(axis=1, keepdims=True)
    shares = np.exp(scores)
    shares /= shares.sum(axis=1, keepdims=True)
    loud = np.array([float(strength[low:high].sum()) for low, high in itertools.pairwise(bounds)])
    # a sum of logarithms where no stretch alone may rule a tick out
    weights = loud / max(float(loud.mean()), 1e-9)
    together = (weights[:, None] * np.log(shares + 0.01)).sum(axis=0)
    rotation = int(np.argmax(together))
    total = np.exp(together - together.max())
    near = [(rotation + step) % _TICKS_PER_BAR for step in (-1, 0, 1)]
    return rotation, float(total[near].sum() / total.sum())


def _late_by(strength: Strength, beats: Times, tick_seconds: float) -> float:
    """How much later than the grid its beats sound, in seconds: less than a tick."""
    reach = min(tick_seconds, 0.05)
    offsets = np.arange(-reach, reach + 1e-9, 1 / FRAMES_PER_SECOND / 2)
    total = strength.sum(axis=1)
    frames = np.arange(len(total)) / FRAMES_PER_SECOND
    heard = np.array([np.interp(beats + offset, frames, total).mean() for offset in offsets])
    top = int(np.argmax(heard))
    near = heard[max(top - 3, 0) : top + 4]
    weights = np.maximum(near - near.min(), 0) + 1e-9
    middle = float((offsets[max(top - 3, 0) : top + 4] * weights).sum() / weights.sum())
    return middle + _RISE_IS_EARLY_SECONDS


def on_strokes(grid: BeatGrid, samples: NDArray[np.float32]) -> BeatGrid:
    """The grid moved by some milliseconds to where its beats begin to sound.

    Spectra are 46 ms long; here the sound's level is looked at every half millisecond, up to 10 ms
    around every beat, and where it rises most over all beats is where they are.

    Args:
        grid: found in spectra.
        samples: mono, at `RATE_HZ`.
    """
    step = round(RATE_HZ * _FINE_STEP_SECONDS)
    half = round(_FINE_REACH_SECONDS / _FINE_STEP_SECONDS)
    places = np.rint(grid.beats * RATE_HZ).astype(int)
    length = (2 * half + 1 + _FINE_RISE_STEPS) * step
    first = places - (half + _FINE_RISE_STEPS) * step
    first = first[(first >= 0) & (first + length < len(samples))]
    if len(first) < 2:
        return grid
    cut = samples[first[:, None] + np.arange(length)]
    power = (cut.reshape(len(first), -1, step) ** 2).mean(axis=2)
    levels = np.log(power + 1e-3 * power.max(axis=1, keepdims=True) + 1e-12)
    rise = np.maximum(levels[:, _FINE_RISE_STEPS:] - levels[:, :-_FINE_RISE_STEPS], 0).mean(axis=0)
    top = int(np.argmax(np.convolve(rise, np.ones(3) / 3, mode="same")))
    # the rise from just before a stroke to just after it is greatest as the stroke begins
    moved = (top - half - _FINE_RISE_STEPS / 2 - 1) * _FINE_STEP_SECONDS
    beats = grid.beats + moved
    early = int((beats <= -_FINE_REACH_SECONDS).sum())
    beats = np.maximum(beats[early:], 0)
    beats = beats[beats < len(samples) / RATE_HZ]
    first_downbeat = (grid.first_downbeat - early) % grid.beats_per_bar
    return replace(grid, beats=beats, first_downbeat=first_downbeat)


def _by_beat(strength: Strength, frames: Times, beats: Times) -> NDArray[np.float64]:
    """Onsets within each beat, (beats, features), each with a mean of 0."""
    numbers = np.arange(len(beats), dtype=float)
    places = _extended(frames, beats, numbers * 4) + 0.5
    cells = np.floor(places).astype(int)
    inside = (cells >= 0) & (cells < 4 * len(beats))
    table = np.stack(
        [
            np.bincount(cells[inside], strength[inside, band], 4 * len(beats))
            for band in range(strength.shape[1])
        ],
        axis=1,
    )
    rows = table.reshape(len(beats), -1)
    centred: NDArray[np.float64] = rows - rows.mean(axis=0)
    return centred


def _beats_per_bar(strength: Strength, frames: Times, beats: Times) -> int:
    """Three or four, by after how many beats the onsets repeat."""
    if len(beats) < 13:
        return 4
    rows = _by_beat(strength, frames, beats)
    power = float((rows**2).sum(axis=1).mean()) or 1.0
    alike = {
        lag: float((rows[lag:] * rows[:-lag]).sum(axis=1).mean()) / power
        for lag in (2, 3, 4, 6, 8)
        if lag < len(beats)
    }
    three = (alike[3] + alike.get(6, 0)) / 2
    four = (max(alike[4], alike[2]) + alike.get(8, 0)) / 2
    return 3 if three > four + _THREE_IS_BETTER_BY else 4


def _first_of_three(strength: Strength, frames: Times, beats: Times) -> tuple[int, float]:
    """Of bars of three, the beat with the deepest and strongest onsets, and how clear it is."""
    rows = _by_beat(strength, frames, beats)[:, :2].sum(axis=1)  # the lowest bands, on the beat
    means = np.array([rows[number::3].mean() for number in range(3)])
    shares = np.exp((means - means.max()) / max(float(rows.std()), 1e-9) * 3)
    return int(np.argmax(means)), float(shares.max() / shares.sum())
