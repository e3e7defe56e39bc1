"""Tempos a stretch of sound may have, and its onsets folded into one bar of each.

strength --autocorrelation--> periods --Fourier sums--> exact periods, phases
    --fold--> how much begins at each 48th of a bar, by band
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dj_core.listening.onset_strength import FRAMES_PER_SECOND

TICKS_PER_BEAT = 12  # thirds of an 8th and 16ths both fall on whole ticks
SLOWEST_BPM, FASTEST_BPM = 52.0, 212.0
MOST_CANDIDATES = 14
_RATIOS = (1.0, 2.0, 0.5, 3 / 2, 2 / 3, 4 / 3, 3 / 4, 3.0, 1 / 3)
_SAME = 0.02  # tempos so near are one
_HARMONICS = (1, 2, 3, 4)  # of the beat: quarters, 8ths, triplets, 16ths

Strength = NDArray[np.float32]


@dataclass(frozen=True)
class Candidate:
    """A tempo, and where its ticks lie.

    Attributes:
        period_seconds: of a beat.
        phase_seconds: of a tick, less than a tick's length.
        salience: share of the onsets' variation that repeats with it, 0 to 1.
    """

    period_seconds: float
    phase_seconds: float
    salience: float

    @property
    def tempo_bpm(self) -> float:
        """Beats a minute."""
        return 60 / self.period_seconds


def candidates(strength: Strength) -> list[Candidate]:
    """The tempos that a stretch of about half a minute may have, the most salient first."""
    total = strength.sum(axis=1)
    total = total - total.mean()
    size = 1 << (2 * len(total) - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(strength - strength.mean(axis=0), size, axis=0)) ** 2
    repeated = np.fft.irfft(spectrum.sum(axis=1), size)[: len(total)]
    if repeated[0] <= 0:
        return []
    repeated = repeated / repeated[0]
    # a beat repeats after one, two, three and four of its periods
    tempos = np.exp(np.arange(np.log(SLOWEST_BPM), np.log(FASTEST_BPM), 0.004))
    lags = 60 / tempos * FRAMES_PER_SECOND
    places = np.arange(len(repeated))
    scores = np.zeros(len(tempos))
    for times, weight in ((0.5, 0.4), (1, 1.0), (2, 0.8), (3, 0.3), (4, 0.8)):
        scores += weight * np.interp(lags * times, places, repeated, right=0.0)
    peaks = 1 + np.flatnonzero((scores[1:-1] >= scores[:-2]) & (scores[1:-1] > scores[2:]))
    peaks = peaks[np.argsort(-scores[peaks])][:5]
    wanted: list[float] = []
    for peak in peaks[:3]:  # relatives of the best are likely, however weak they are themselves
        wanted += [float(tempos[peak]) * ratio for ratio in _RATIOS]
    wanted[3:3] = [float(tempos[peak]) for peak in peaks]
    found: list[Candidate] = []
    for tempo in wanted:
        if not SLOWEST_BPM <= tempo <= FASTEST_BPM or len(found) == MOST_CANDIDATES:
            continue
        if all(abs(np.log(tempo / other.tempo_bpm)) > _SAME for other in found):
            found.append(refined(strength, 60 / tempo))
    return sorted(found, key=lambda one: -one.salience)


def refined(strength: Strength, period_seconds: float, within: float = 0.015) -> Candidate:
    """The period near `period_seconds` at which the onsets repeat best, and the ticks' phase."""
    seconds = np.arange(len(strength)) / FRAMES_PER_SECOND
    centred = strength - strength.mean(axis=0)
    long = max(float(seconds[-1]), 1.0)
    step = 0.2 * period_seconds / (max(_HARMONICS) * long)  # of the period, relative
    count = max(3, min(121, 2 * round(within / step) + 1))
    for _ in range(2):
        periods = period_seconds * (1 + np.linspace(-within, within, count))
        powers = np.array([_sums(centred, seconds, period)[0] for period in periods])
        best = int(np.argmax(powers))
        around = powers[max(best - 1, 0) : best + 2]
        shift = 0.0
        if len(around) == 3 and 0 < best < count - 1:
            bend = around[0] - 2 * around[1] + around[2]
            shift = 0.5 * (around[0] - around[2]) / bend if bend < 0 else 0.0
        period_seconds *= 1 + within * (2 * (best + shift) / (count - 1) - 1)
        within, count = 2.2 * within / (count - 1), 7
    power, sums = _sums(centred, seconds, period_seconds)
    finest = 3 if abs(sums[2]) > abs(sums[3]) else 4
    phase = float(-np.angle(sums[finest - 1]) / (2 * np.pi * finest) * period_seconds)
    tick = period_seconds / TICKS_PER_BEAT
    whole = float((centred**2).sum()) * len(strength) / 2 or 1.0
    return Candidate(period_seconds, phase % tick, min(1.0, power / whole * 4))


def _sums(
    centred: Strength, seconds: NDArray[np.float64], period: float
) -> tuple[float, NDArray[np.complex128]]:
    """Power at the beat's harmonics over all bands, and their sums over bands in phase."""
    turn = np.exp(-2j * np.pi / period * seconds)
    power, sums, wave = 0.0, [], np.ones_like(turn)
    for _ in _HARMONICS:
        wave = wave * turn
        bands = wave @ centred
        power += float((np.abs(bands) ** 2).sum())
        sums.append(bands.sum())
    return power, np.array(sums)


def folded(strength: Strength, candidate: Candidate, beats_per_bar: int = 4) -> NDArray[np.float32]:
    """Onsets by tick of a bar and band, (ticks, bands), from the candidate's first tick on.

    Which tick is the bar's first is not known yet: any rotation may be it. Each band has a mean
    of 1 where it sounds.
    """
    seconds = np.arange(len(strength)) / FRAMES_PER_SECOND
    places = (seconds - candidate.phase_seconds) / candidate.period_seconds * TICKS_PER_BEAT
    return folded_at(strength, places, beats_per_bar)


def folded_at(
    strength: Strength, places: NDArray[np.float64], beats_per_bar: int = 4
) -> NDArray[np.float32]:
    """As `folded`, where every frame's place is given in ticks."""
    ticks = beats_per_bar * TICKS_PER_BEAT
    whole = np.floor(places)
    share = places - whole
    low = whole.astype(np.int64) % ticks
    profile = np.empty((ticks, strength.shape[1]), np.float32)
    counted = np.bincount(low, 1 - share, ticks) + np.bincount((low + 1) % ticks, share, ticks)
    for band in range(strength.shape[1]):
        values = strength[:, band].astype(np.float64)
        sums = np.bincount(low, values * (1 - share), ticks)
        sums += np.bincount((low + 1) % ticks, values * share, ticks)
        profile[:, band] = sums / np.maximum(counted, 1e-9)
    mean = profile.mean(axis=0)
    return np.where(mean > 1e-3, profile / np.maximum(mean, 1e-3), 0).astype(np.float32)
