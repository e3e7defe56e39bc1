"""The transcriber's network in numpy, and what its outputs mean.

    levels of 120 bands --convolutions over time--> for every 10 ms and voice: is it struck, how
    hard, how far off the frame; and of voices with several drums, which one

A voice is what one hand or foot plays: the hi-hat is one, open or closed.
`scripts.train_transcriber` has the same network in torch.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import CheckpointError

SHIPPED_TRANSCRIBER = Path(__file__).resolve().parents[2] / "models" / "transcriber"
WEIGHTS_NAME = "weights.safetensors"
VOICES: dict[str, tuple[str, ...]] = {
    "kick": ("kick",),
    "snare": ("snare", "side_stick"),
    "clap": ("clap",),
    "hat": ("closed_hat", "pedal_hat", "open_hat"),
    "tom": ("low_tom", "mid_tom", "high_tom"),
    "cymbal": ("crash", "ride"),
    "tambourine": ("tambourine",),
    "shaker": ("shaker",),
    "cowbell": ("cowbell",),
    "conga": ("conga",),
}
"""Each voice with its drums."""
KINDS = tuple(drum for drums in VOICES.values() if len(drums) > 1 for drum in drums)
"""Drums that are told apart within their voice, in the order of the outputs."""
OUTPUTS = 3 * len(VOICES) + len(KINDS)
DILATIONS = (1, 2, 4, 8, 16, 1, 2)
"""Frames between the taps of each block's convolution."""
CONTEXT_AFTER = 2
"""After so many blocks every frame is told what the whole sound is like: which kit plays."""

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Transcriber:
    """A trained network.

    Attributes:
        weights: by name.
        thresholds: how sure it must be of a stroke, by voice, 0 to 1.
    """

    weights: Mapping[str, Array]
    thresholds: Mapping[str, float]

    def outputs(self, levels: Array) -> Array:
        """What the network says of every frame.

        Args:
            levels: as `drum_features` gives them.

        Returns:
            Shape (frames, OUTPUTS): logits of strokes, velocities (0 to 1), offsets in frames, a
            column each voice; then logits of `KINDS`.
        """
        weights = self.weights
        state = np.maximum(_convolved(levels, weights["in.weight"], weights["in.bias"], 1), 0)
        for place, dilation in enumerate(DILATIONS):
            if place == CONTEXT_AFTER:
                heard = np.concatenate([state.mean(axis=0), state.std(axis=0)])
                context = np.maximum(heard @ weights["context.0"] + weights["context.0.bias"], 0)
                state = state + (context @ weights["context.1"] + weights["context.1.bias"])
            block = f"blocks.{place}"
            inner = _convolved(
                state, weights[f"{block}.taps"], weights[f"{block}.taps.bias"], dilation
            )
            inner = np.maximum(inner, 0) @ weights[f"{block}.mix"] + weights[f"{block}.mix.bias"]
            state = np.maximum(state + inner, 0)
        told: Array = state @ weights["out"] + weights["out.bias"]
        return told


def _convolved(state: Array, weight: Array, bias: Array, dilation: int) -> Array:
    """A convolution of three taps over time; weight has shape (3, inputs, outputs)."""
    padded = np.pad(state, ((dilation, dilation), (0, 0)))
    total: Array = bias + padded[: len(state)] @ weight[0]
    for tap in (1, 2):
        total += padded[tap * dilation : tap * dilation + len(state)] @ weight[tap]
    return total


@functools.cache
def load_transcriber(folder: Path = SHIPPED_TRANSCRIBER) -> Transcriber:
    """The network in a folder. Raises CheckpointError where it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    path = folder / WEIGHTS_NAME
    try:
        with safe_open(path, "numpy") as file:
            weights = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            thresholds = json.loads(file.metadata()["thresholds"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"The transcriber in {folder} cannot be read ({error}). Restore its folder from where "
            "it came."
        ) from error
    if set(thresholds) != set(VOICES) or weights["out"].shape[-1] != OUTPUTS:
        raise CheckpointError(
            f"The transcriber in {folder} is of another version of Digital DJ. Update it."
        )
    return Transcriber(weights, thresholds)
