"""Onset strength of a sound in five bands: how much begins to sound, 172 times a second.

    mono samples at 22,050 Hz --windows of 46 ms, every 5.8 ms--> log spectra
        --rise within 12 ms, less its local mean--> strength (frames, bands)

The bands are those in which drums differ: kick, body of snares and toms, claps, snare noise, hats.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 22_050
HOP = 128
FRAMES_PER_SECOND = RATE_HZ / HOP
BAND_EDGES_HZ = (20.0, 110.0, 400.0, 2500.0, 6000.0, 11_025.0)
BANDS = len(BAND_EDGES_HZ) - 1

_WINDOW = 1024
_CHUNK_FRAMES = 4096  # about 24 s: memory stays small however long a track is
_RISE_FRAMES = 2
_FILTERS_PER_OCTAVE = 6
_COMPRESSION = 300.0  # of magnitudes before the logarithm; full scale is 1
_MEAN_SECONDS = 0.4
_QUIETEST = (0.12, 0.12, 0.03, 0.02, 0.02)
"""Level of the rise of each band that is heard; below it are a drone's tones, which beat slowly."""
_CUT_FRAMES = 1 + _WINDOW // 2 // HOP  # the last: a tone that is cut off there clicks


@functools.cache
def _filters() -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Triangular filters (bins, filters), and the band of each."""
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)
    octaves = np.log2(BAND_EDGES_HZ[-1] / 40)
    centres = 40 * 2 ** np.linspace(0, octaves, round(octaves * _FILTERS_PER_OCTAVE))
    width = 2 ** (1 / _FILTERS_PER_OCTAVE)
    least_hz = RATE_HZ / _WINDOW  # a filter is at least a bin wide
    rows = []
    for centre in centres:
        low = min(centre / width, centre - least_hz)
        high = max(centre * width, centre + least_hz)
        rise = (frequencies - low) / (centre - low)
        fall = (high - frequencies) / (high - centre)
        row = np.clip(np.minimum(rise, fall), 0, None)
        rows.append(row / max(row.sum(), 1e-9))
    bands = np.searchsorted(BAND_EDGES_HZ, centres, side="right") - 1
    return np.array(rows, np.float32).T, np.clip(bands, 0, BANDS - 1)


def onset_strength(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Strength (frames, bands) of mono samples at `RATE_HZ`; frame f stands for f * HOP samples.

    Every band's strength has a mean square of 1, or less where hardly anything begins.
    """
    filters, bands = _filters()
    frames = 1 + len(samples) // HOP
    window = np.hanning(_WINDOW).astype(np.float32)
    window /= window.sum() / 2
    padded = np.pad(samples, (_WINDOW // 2, _WINDOW))
    strength = np.zeros((frames, BANDS), np.float32)
    before = np.zeros((_RISE_FRAMES, filters.shape[1]), np.float32)
    first = True
    for start in range(0, frames, _CHUNK_FRAMES):
        count = min(_CHUNK_FRAMES, frames - start)
        part = padded[start * HOP : (start + count - 1) * HOP + _WINDOW]
        cut = np.lib.stride_tricks.sliding_window_view(part, _WINDOW)[::HOP]
        spectra = np.abs(np.fft.rfft(cut * window, axis=1)).astype(np.float32)
        levels = np.log1p(_COMPRESSION * (spectra @ filters))
        if first:
            before[:] = levels[0]
            first = False
        whole = np.concatenate([before, levels])
        rise = np.maximum(whole[_RISE_FRAMES:] - whole[:-_RISE_FRAMES], 0)
        before = whole[-_RISE_FRAMES:]
        for band in range(BANDS):
            strength[start : start + count, band] = rise[:, bands == band].mean(axis=1)
    strength[-_CUT_FRAMES:] = 0
    reach = round(_MEAN_SECONDS * FRAMES_PER_SECOND)
    for band, quietest in enumerate(_QUIETEST):
        sums = np.cumsum(np.pad(strength[:, band], (reach + 1, reach), mode="edge"))
        mean = (sums[2 * reach + 1 :] - sums[: -2 * reach - 1]) / (2 * reach + 1)
        strength[:, band] = np.maximum(strength[:, band] - mean, 0)
        level = float(np.sqrt(np.mean(strength[:, band] ** 2)))
        strength[:, band] /= max(level, quietest)
    return strength
