"""Loudness of a loop in LUFS (ITU-R BS.1770), and its true peak.

Loudness is ITU-R BS.1770-4's integrated loudness, by pyloudnorm; true peak is that document's
second annex: the peak of the sound four times oversampled, which is what a converter will make of
it between the samples. A loop is measured as it is heard, going round and round.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SILENCE_LUFS = -70.0  # the gate below which BS.1770 hears nothing
SILENCE_DBTP = -120.0
_OVERSAMPLING = 4
_MEASURED_SECONDS = 6.0  # what is shorter is measured going round: blocks are 0.4 s long
_AHEAD_SECONDS = 0.003
_RELEASE_DB_A_SECOND = 150.0
_EDGE_FRAMES = 64  # more than the oversampling filter's reach
_PIECE_FRAMES = 1 << 11
_MOST_OVERSHOOT = 2.25  # of a sound between its samples, by the oversampling filter's coefficients


def loudness_lufs(samples: NDArray[np.floating], sample_rate: int, *, loop: bool = True) -> float:
    """Integrated loudness of stereo `samples`, shape (frames, 2), full scale 1.0; -70 at least."""
    import pyloudnorm

    if not len(samples) or not np.any(samples):
        return SILENCE_LUFS
    enough = math.ceil(_MEASURED_SECONDS * sample_rate)
    if len(samples) < enough:
        if loop:
            samples = np.tile(samples, (-(-enough // len(samples)), 1))
        else:  # followed by silence, which the gate leaves out of account
            samples = np.pad(samples, ((0, enough - len(samples)), (0, 0)))
    return max(float(pyloudnorm.Meter(sample_rate).integrated_loudness(samples)), SILENCE_LUFS)


def true_peak_dbtp(samples: NDArray[np.floating], *, loop: bool = True) -> float:
    """True peak of `samples`, shape (frames, 2), in decibels over full scale; -120 at least."""
    if not len(samples):
        return SILENCE_DBTP
    starts = np.arange(0, len(samples), _PIECE_FRAMES)
    loudest = np.maximum.reduceat(np.abs(samples).max(axis=1), starts)
    # between two samples a sound may be louder than both, and as loud as what is beside its piece
    within = np.maximum.reduce([loudest, np.roll(loudest, 1), np.roll(loudest, -1)])
    peak = float(loudest.max())
    for number in np.argsort(-within):
        if within[number] * _MOST_OVERSHOOT <= peak:
            break  # neither this piece nor those after it can be louder
        start = int(starts[number])
        end = min(start + _PIECE_FRAMES, len(samples))
        fine = _oversampled(samples, start, end, loop=loop)
        peak = max(peak, float(np.abs(fine).max()))
    return max(20 * math.log10(peak), SILENCE_DBTP) if peak else SILENCE_DBTP


def limiting_db(
    samples: NDArray[np.floating], sample_rate: int, ceiling_dbtp: float, *, loop: bool = True
) -> NDArray[np.float64]:
    """How many decibels to turn each frame down by, so that no true peak is over the ceiling.

    A limiter that looks 3 ms ahead: it turns down on a straight line before a peak, and lets go
    by 150 dB a second (in decibels a straight line, too).
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    over = np.zeros(len(samples))
    ceiling = 10 ** (ceiling_dbtp / 20)
    for start in range(0, len(samples), _PIECE_FRAMES):
        end = min(start + _PIECE_FRAMES, len(samples))
        if np.abs(samples[start:end]).max() * _MOST_OVERSHOOT < ceiling:
            continue
        fine = np.abs(_oversampled(samples, start, end, loop=loop)).max(axis=1)
        peaks = fine.reshape(end - start, _OVERSAMPLING).max(axis=1)
        over[start:end] = np.maximum(0, 20 * np.log10(np.maximum(peaks, 1e-9) / ceiling))
    ahead = round(_AHEAD_SECONDS * sample_rate)
    mode = "wrap" if loop else "nearest"
    # seen `ahead` frames before, then let go slowly, then averaged over the frames looked ahead:
    # each frame is turned down by at least what it is over
    seen = maximum_filter1d(over, ahead + 1, origin=-(ahead // 2), mode=mode)
    seen = np.tile(seen, 2) if loop else seen
    fall = np.arange(len(seen)) * (_RELEASE_DB_A_SECOND / sample_rate)
    held = np.maximum.accumulate(seen + fall) - fall
    down = uniform_filter1d(held, ahead + 1, origin=ahead // 2, mode=mode)[-len(samples) :]
    limiting: NDArray[np.float64] = np.maximum(down, 0)
    return limiting


def _oversampled(
    samples: NDArray[np.floating], start: int, end: int, *, loop: bool
) -> NDArray[np.floating]:
    """The frames from `start` to `end`, four times as fine, with what sounds around them."""
    from scipy.signal import resample_poly

    places = np.arange(start - _EDGE_FRAMES, end + _EDGE_FRAMES)
    part = samples[places % len(samples)]
    if not loop:
        part[(places < 0) | (places >= len(samples))] = 0
    fine: NDArray[np.floating] = resample_poly(part, _OVERSAMPLING, 1, axis=0)
    return fine[_EDGE_FRAMES * _OVERSAMPLING : -_EDGE_FRAMES * _OVERSAMPLING]
