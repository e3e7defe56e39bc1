"""Building blocks of the drum voices: noise of our own, envelopes, oscillators, filters.

Everything is double precision, mono, at 44,100 frames per second, and depends on its arguments
alone: the noise comes from a generator written out here, because a library's may change.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

SAMPLE_RATE_HZ = 44_100
Signal = NDArray[np.float64]
Section = tuple[float, float, float, float, float, float]
"""A second-order filter: three coefficients above the line, three below, as SciPy orders them."""

_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio: SplitMix64's step
_BUTTERWORTH_Q = math.sqrt(0.5)
# six oscillators in no simple ratio to each other, so that their sum has no pitch
_METAL_RATIOS = (1.0, 1.342, 1.471, 1.793, 1.951, 2.573)


def seconds(frames: int) -> Signal:
    """The moment of each frame, in seconds."""
    return np.arange(frames) / SAMPLE_RATE_HZ


def frames_of(milliseconds: float) -> int:
    """How many frames last that long, one at least."""
    return max(1, round(milliseconds * SAMPLE_RATE_HZ / 1000))


def noise(seed: int, frames: int) -> Signal:
    """White noise between -1 and 1, evenly spread (the SplitMix64 generator)."""
    step = np.arange(1, frames + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    mixed = step + np.uint64(seed * 0xD1342543DE82EF95 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1


def decay(frames: int, milliseconds: float, hold_milliseconds: float = 0.0) -> Signal:
    """1 for as long as held, then falling to a 1/e in `milliseconds`."""
    falling = np.maximum(seconds(frames) * 1000 - hold_milliseconds, 0)
    return np.exp(-falling / milliseconds)


def gliding_sine(
    frames: int, hertz: float, drop: float, drop_milliseconds: float, phase: float = 0.0
) -> Signal:
    """A sine that begins `drop` times as high and falls to `hertz`; `phase` in cycles."""
    pitch = hertz * (1 + (drop - 1) * decay(frames, drop_milliseconds))
    # each frame's phase is the sum of the pitches before it, so that it begins at `phase`
    turns = (np.cumsum(pitch) - pitch) / SAMPLE_RATE_HZ + phase
    return np.sin(2 * np.pi * turns)


def metal(frames: int, hertz: float, spread: float, seed: int) -> Signal:
    """Six square waves in inharmonic ratios from `hertz` up, at phases of the seed; peak 1."""
    phases = noise(seed, len(_METAL_RATIOS))
    sound = np.zeros(frames)
    for ratio, phase in zip(_METAL_RATIOS, phases, strict=True):
        turns = seconds(frames) * hertz * (1 + spread * (ratio - 1)) + phase
        sound += np.where(turns % 1 < 0.5, 1.0, -1.0)
    return sound / len(_METAL_RATIOS)


def resonator(frames: int, hertz: float, milliseconds: float) -> Signal:
    """A struck body that rings at `hertz` and dies away: a decaying sine."""
    return np.sin(2 * np.pi * hertz * seconds(frames)) * decay(frames, milliseconds)


# -- filters (Robert Bristow-Johnson's formulas) ---------------------------------------------------


def low_pass(sound: Signal, hertz: float, q: float = _BUTTERWORTH_Q) -> Signal:
    """12 dB an octave off above `hertz`."""
    cosine, alpha = _angle(hertz, q)
    side = (1 - cosine) / 2
    return _filtered(sound, (side, 1 - cosine, side, 1 + alpha, -2 * cosine, 1 - alpha))


def high_pass(sound: Signal, hertz: float, q: float = _BUTTERWORTH_Q) -> Signal:
    """12 dB an octave off below `hertz`."""
    cosine, alpha = _angle(hertz, q)
    side = (1 + cosine) / 2
    return _filtered(sound, (side, -1 - cosine, side, 1 + alpha, -2 * cosine, 1 - alpha))


def band_pass(sound: Signal, hertz: float, q: float) -> Signal:
    """What lies around `hertz`, at its own level there; a higher `q` is narrower."""
    cosine, alpha = _angle(hertz, q)
    return _filtered(sound, (alpha, 0, -alpha, 1 + alpha, -2 * cosine, 1 - alpha))


def peak(sound: Signal, hertz: float, decibels: float, q: float) -> Signal:
    """Louder by `decibels` around `hertz`, or softer."""
    cosine, alpha = _angle(hertz, q)
    gain = 10 ** (decibels / 40)
    up, down = alpha * gain, alpha / gain
    return _filtered(sound, (1 + up, -2 * cosine, 1 - up, 1 + down, -2 * cosine, 1 - down))


def _angle(hertz: float, q: float) -> tuple[float, float]:
    """The cosine of a frequency as an angle, and half its bandwidth as the formulas want it."""
    angle = 2 * math.pi * min(max(hertz, 5.0), 0.49 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    return math.cos(angle), math.sin(angle) / (2 * q)


def _filtered(sound: Signal, section: Section) -> Signal:
    one = section[3]
    filtered: Signal = sosfilt([[part / one for part in section]], sound)
    return filtered


# -- colour ----------------------------------------------------------------------------------------


def driven(sound: Signal, drive: float) -> Signal:
    """Softly clipped: peaks near 1 stay near 1, what is softer is lifted; 0 changes nothing."""
    return np.tanh(sound * drive) / math.tanh(drive) if drive > 0 else sound


def sampled(sound: Signal, rate_hz: float, bits: float) -> Signal:
    """As an early sampling machine keeps it: fewer values a second, held, and fewer steps."""
    times = np.floor(seconds(len(sound)) * rate_hz) / rate_hz
    held = sound[np.round(times * SAMPLE_RATE_HZ).astype(np.intp)]
    steps = 2 ** (bits - 1)
    return np.round(held * steps) / steps


def decibels(level_db: float) -> float:
    """A level in decibels as a factor."""
    return 10 ** (level_db / 20)
