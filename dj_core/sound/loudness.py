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
_EDGE_FRAMES = 64  # more than the oversampling filter's reach
_CHUNK_FRAMES = 1 << 18


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
    from scipy.signal import resample_poly

    peak = 0.0
    for start in range(0, len(samples), _CHUNK_FRAMES):
        # the frames, and what sounds just before and after them
        end = min(start + _CHUNK_FRAMES, len(samples))
        places = np.arange(start - _EDGE_FRAMES, end + _EDGE_FRAMES)
        part = samples[places % len(samples)]
        if not loop:
            part[(places < 0) | (places >= len(samples))] = 0
        fine = resample_poly(part, _OVERSAMPLING, 1, axis=0)
        inside = fine[_EDGE_FRAMES * _OVERSAMPLING : -_EDGE_FRAMES * _OVERSAMPLING]
        peak = max(peak, float(np.abs(inside).max()))
    return max(20 * math.log10(peak), SILENCE_DBTP) if peak else SILENCE_DBTP
