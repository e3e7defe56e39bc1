"""Sounds with no beat to find, and a beat that drifts, made by seed: what must not be believed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

Samples = NDArray[np.float32]
NO_BEAT = ("silence", "noise", "speech", "drone", "rain", "chords", "sine", "crowd")


def no_beat(kind: str, seed: int, seconds: float = 30.0, rate_hz: int = 22_050) -> Samples:
    """A sound of a kind in `NO_BEAT`, mono."""
    draw = np.random.default_rng([seed, NO_BEAT.index(kind)])
    frames = round(seconds * rate_hz)
    time = np.arange(frames) / rate_hz
    if kind == "silence":
        return np.zeros(frames, np.float32)
    if kind == "noise":
        return (0.2 * draw.standard_normal(frames)).astype(np.float32)
    if kind == "sine":
        return (0.4 * np.sin(2 * np.pi * draw.uniform(60, 900) * time)).astype(np.float32)
    sound = np.zeros(frames)
    if kind == "speech":  # syllables of 90 to 350 ms, words, breaths; voiced and hissed
        at = 0.0
        while at < seconds - 0.5:
            length = draw.uniform(0.09, 0.35)
            span = slice(round(at * rate_hz), round((at + length) * rate_hz))
            shape = np.hanning(span.stop - span.start) ** draw.uniform(0.3, 1.5)
            pitch = draw.uniform(90, 240) * (1 + 0.1 * np.sin(5 * time[span]))
            voice = 2 * ((pitch * time[span]) % 1) - 1
            low = draw.uniform(250, 900)
            band = butter(2, (low, low * draw.uniform(2, 5)), "band", fs=rate_hz, output="sos")
            hiss = draw.standard_normal(len(shape))
            source = hiss if draw.random() < 0.3 else voice + 0.05 * hiss
            sound[span] += sosfilt(band, source) * shape * draw.uniform(0.3, 1)
            at += length * draw.uniform(0.8, 1.3)
            if draw.random() < 0.18:
                at += draw.uniform(0.1, 0.9)
    elif kind == "drone":
        for _ in range(6):
            wave = np.sin(2 * np.pi * draw.uniform(50, 600) * time + draw.uniform(0, 6))
            sound += wave * (1 + 0.5 * np.sin(2 * np.pi * draw.uniform(0.03, 0.2) * time))
    elif kind in ("rain", "crowd"):  # clicks at any time
        count = round(seconds * (60 if kind == "rain" else 7))
        for start in draw.integers(0, frames - 3000, count):
            length = int(draw.integers(200, 3000))
            burst = draw.standard_normal(length) * np.exp(-6 * np.arange(length) / length)
            sound[start : start + length] += burst * draw.uniform(0.1, 1)
    else:  # chords played when the player likes
        at = 0.0
        while at < seconds - 4:
            span = slice(round(at * rate_hz), round((at + 4) * rate_hz))
            for _ in range(3):
                sound[span] += np.sin(2 * np.pi * draw.uniform(110, 700) * time[span]) * np.exp(
                    -1.5 * (time[span] - at)
                )
            at += float(draw.gamma(3, 0.45))
    sound += 1e-4 * draw.standard_normal(frames)
    return (0.8 * sound / np.abs(sound).max()).astype(np.float32)


def drifting(samples: Samples, most: float, seed: int) -> tuple[Samples, NDArray[np.float64]]:
    """A recording played as by people: its speed wanders, up to `most` of itself either way.

    Returns:
        the sound, and for every frame of it the time in seconds it had before.
    """
    draw = np.random.default_rng([seed, 7])
    time = np.arange(len(samples)) / 22_050
    wave = sum(
        draw.uniform(0.3, 1) * np.sin(2 * np.pi * time / draw.uniform(15, 50) + draw.uniform(0, 6))
        for _ in range(3)
    )
    speed = 1 + most * wave / np.abs(wave).max()
    before = np.cumsum(speed) / 22_050
    before = before[before < time[-1]]
    return np.interp(before, time, samples).astype(np.float32), before
