"""What the transcriber sees of a sound: the levels of 120 bands, a hundred times a second.

Two spectra side by side: a short window, which tells when something is struck, and a long one over
the lower part of the sound, which tells low pitches apart.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 44_100
HOP = 441  # frames are 10 ms apart
_WINDOW = 512  # samples of a spectrum
_LOWER = 4  # the lower part of the sound is kept at a fourth of the rate
_BANDS = ((1, 60, 80.0, 18_000.0), (_LOWER, 60, 30.0, 4_500.0))
"""Of each spectrum: which of the samples it reads, its bands, and the lowest and highest in Hz."""
BANDS = sum(bands for _, bands, *_ in _BANDS)
_FLOOR = 3e-5  # of a band's amplitude; full scale is 1
_LOUD_RMS = 0.1  # what the louder moments of every sound are brought to
_LOUD_PERCENTILE = 95
_FRAMES_AT_ONCE = 2_000  # a bound on memory


def levelled(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sound at one level, whatever it was recorded at; silence stays silence.

    Args:
        samples: mono, at `RATE_HZ`.
    """
    frames = len(samples) // HOP
    if not frames:
        return samples
    energy = np.square(samples[: frames * HOP]).reshape(frames, HOP).mean(axis=1)
    loud = float(np.sqrt(np.percentile(energy, _LOUD_PERCENTILE)))
    return samples * np.float32(_LOUD_RMS / loud) if loud > 1e-7 else samples


def drum_features(
    samples: NDArray[np.float32], gains: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The levels of all bands, a row for each frame; frame n is centred on sample n × `HOP`.

    Args:
        samples: mono, at `RATE_HZ`, as `levelled` gives it.
        gains: by what each band is multiplied, as an equaliser does; None for nothing.

    Returns:
        Shape (len(samples) // HOP + 1, BANDS): 0 for silence, about 1 for full scale.
    """
    import scipy.fft
    import scipy.signal

    frames = len(samples) // HOP + 1
    found = np.empty((frames, BANDS), np.float32)
    column = 0
    for every, bands, low_hz, high_hz in _BANDS:
        read = samples
        if every > 1:
            cut = scipy.signal.firwin(48, 0.85 / every).astype(np.float32)
            read = scipy.signal.upfirdn(cut, np.pad(samples, (0, 24)), 1, every)[24 // every :]
        padded = np.pad(read, (_WINDOW // 2, _WINDOW + HOP))
        filters = _filters(every, bands, low_hz, high_hz)
        starts = np.rint(np.arange(frames) * (HOP / every)).astype(int)
        windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)
        for first in range(0, frames, _FRAMES_AT_ONCE):
            some = windows[starts[first : first + _FRAMES_AT_ONCE]] * _window()
            spectrum = np.abs(scipy.fft.rfft(some, axis=1))
            found[first : first + len(some), column : column + bands] = spectrum @ filters
        column += bands
    if gains is not None:
        found *= gains
    levels: NDArray[np.float32] = 1 + np.log10(found + np.float32(_FLOOR)) / 4.5
    return levels


def band_centres_hz() -> NDArray[np.float32]:
    """The middle frequency of every band."""
    return np.concatenate(
        [_edges(bands, low, high)[1:-1] for _, bands, low, high in _BANDS]
    ).astype(np.float32)


@functools.cache
def _window() -> NDArray[np.float32]:
    shape = np.hanning(_WINDOW + 1)[:-1]
    window: NDArray[np.float32] = (shape * (2 / shape.sum())).astype(np.float32)
    return window


def _edges(bands: int, low_hz: float, high_hz: float) -> NDArray[np.float64]:
    """Where bands begin, are highest and end: evenly spaced on the mel scale."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (low_hz, high_hz))
    edges: NDArray[np.float64] = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    return edges


@functools.cache
def _filters(every: int, bands: int, low_hz: float, high_hz: float) -> NDArray[np.float32]:
    """Triangles over the spectrum's bins, a column each; none is narrower than a bin."""
    bin_hz = RATE_HZ / every / _WINDOW
    hertz = np.arange(_WINDOW // 2 + 1) * bin_hz
    edges = _edges(bands, low_hz, high_hz)
    centre = edges[1:-1]
    below = np.maximum(centre - edges[:-2], bin_hz)
    above = np.maximum(edges[2:] - centre, bin_hz)
    off = hertz[:, None] - centre
    triangles = np.maximum(0, 1 - np.where(off < 0, -off / below, off / above))
    filters: NDArray[np.float32] = (triangles / triangles.sum(axis=0)).astype(np.float32)
    return filters
