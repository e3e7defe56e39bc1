"""Drum strokes in a sound: when, which drum, how hard.

mono samples --drum_features--> levels --drum_network--> how sure, every 10 ms and voice
    --peaks--> strokes
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dj_core.listening.drum_features import HOP, RATE_HZ, drum_features, levelled
from dj_core.listening.drum_network import KINDS, VOICES, Array, Transcriber, load_transcriber
from dj_core.music.drums import LANE

_LEAD_FRAMES = 40  # of silence before the sound, so that a stroke at its start has a before
_FRAMES_AT_ONCE, _MARGIN_FRAMES = 1_000, 50  # the network looks 33 frames to both sides
_APART_FRAMES = 3  # two strokes of a voice are so far apart at least
_SOFTEST = 1e-5  # of a sound's loudest sample: below, there is nothing to read


@dataclass(frozen=True, slots=True)
class Stroke:
    """One stroke that was heard.

    Attributes:
        seconds: since the sound's start.
        lane: row of the drum table.
        velocity: 1 to 127.
        confidence: 0 to 1.
    """

    seconds: float
    lane: int
    velocity: int
    confidence: float


def strokes_of(
    samples: NDArray[np.float32], transcriber: Transcriber | None = None
) -> list[Stroke]:
    """The strokes of a sound, in order of time.

    Args:
        samples: mono, at `RATE_HZ`.
        transcriber: the network; None for the shipped one.

    Raises:
        CheckpointError: the shipped network is missing or damaged.
    """
    network = transcriber or load_transcriber()
    if not len(samples) or float(np.abs(samples).max()) < _SOFTEST:
        return []
    padded = np.pad(levelled(samples.astype(np.float32)), (_LEAD_FRAMES * HOP, HOP))
    told = _told(drum_features(padded), network)
    voices = len(VOICES)
    sure = _sigmoid(told[:, :voices])
    strokes = []
    for voice, (name, drums) in enumerate(VOICES.items()):
        thresholds = network.thresholds
        for frame in peaks(sure[:, voice], thresholds[name]):
            drum = drums[0]
            if len(drums) > 1:
                first = 3 * voices + KINDS.index(drum)
                drum = drums[int(told[frame, first : first + len(drums)].argmax())]
            offset = float(np.clip(told[frame, 2 * voices + voice], -1, 1))
            seconds = (frame + offset - _LEAD_FRAMES) * HOP / RATE_HZ
            velocity = round(127 * float(_sigmoid(told[frame, voices + voice])))
            strokes.append(
                Stroke(
                    max(0.0, seconds),
                    LANE[drum],
                    min(127, max(1, velocity)),
                    float(sure[frame, voice]),
                )
            )
    return sorted(strokes, key=lambda stroke: (stroke.seconds, stroke.lane))


def _told(levels: Array, network: Transcriber) -> Array:
    """The network's outputs for every frame, stretch by stretch, each with a margin."""
    frames = len(levels)
    count = max(1, round(frames / _FRAMES_AT_ONCE))
    bounds = np.linspace(0, frames, count + 1).astype(int)
    parts = []
    for start, end in itertools.pairwise(bounds):
        first = max(0, start - _MARGIN_FRAMES)
        told = network.outputs(levels[first : end + _MARGIN_FRAMES])
        parts.append(told[start - first : end - first])
    return np.concatenate(parts)


def peaks(sure: Array, threshold: float) -> list[int]:
    """Frames that are surest for some frames around, and sure enough."""
    padded = np.pad(sure, _APART_FRAMES - 1, constant_values=-1)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * _APART_FRAMES - 1)
    found: list[int] = []
    for frame in np.flatnonzero((sure >= threshold) & (sure >= around.max(axis=1))).tolist():
        if not found or frame - found[-1] >= _APART_FRAMES:
            found.append(frame)
    return found


def _sigmoid(logits: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)
