"""Inference of the humaniser's network in numpy, hit by hit; it needs no torch.

See `humanizer_network`, which is trained. Products are exact (`exact_product`), so a performance
depends on its seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dj_core.models.exact_lstm import ExactLstm
from dj_core.models.exact_product import ExactProduct
from dj_core.models.humanizer.humanizer_shape import (
    LONGEST_AGE,
    TEMPO_CENTRES_BPM,
    Strokes,
)
from dj_core.models.humanizer.performances import Batch
from dj_core.music.step_grid import MAX_STEPS_PER_BAR, METERS


class HumanizerStepwise:
    """The "as played" way of a humaniser, laid out for playing."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._lane, self._level, self._place, self._genre = (
            weights[f"{name}.weight"] for name in ("lane", "level", "place", "genre")
        )
        self._layers = {
            name: (ExactProduct(weights[f"{name}.weight"]), weights[f"{name}.bias"])
            for name in (
                "condition.0", "context", "velocity_units", "velocity", "offset_units", "offset",
            )
        }  # fmt: skip
        self._encoder = [
            [ExactLstm(weights, "encoder", f"l{layer}{way}") for way in ("", "_reverse")]
            for layer in range(2)
        ]
        self.player = ExactLstm(weights, "player")

    def listen(self, batch: Batch) -> np.ndarray:
        """Every 16th with what surrounds it: (steps, streams, 2 × encoder)."""
        struck = (batch.velocity > 0).astype(np.float32)
        steps, streams = struck.shape[:2]
        position = np.arange(steps)[:, None] % batch.bar_steps[None]
        tempo_bpm = batch.tempo_bpm.astype(np.float32)
        known = (tempo_bpm > 0).astype(np.float32)[:, None]
        centres = np.log2(np.array(TEMPO_CENTRES_BPM, np.float32))
        away = np.log2(np.maximum(tempo_bpm, np.float32(1)))[:, None] - centres
        told = np.tanh(
            self._linear(
                "condition.0",
                self._genre[batch.genre],
                np.exp(-((away / np.float32(0.2)) ** 2)) * known,
                known,
                np.eye(len(METERS), dtype=np.float32)[batch.meter],
            )
        )
        clocks = [
            np.eye(size, dtype=np.float32)[position % size] for size in (MAX_STEPS_PER_BAR, 4, 6)
        ]
        told = np.broadcast_to(told, (steps, *told.shape))
        heard = np.concatenate([struck, *clocks, told], axis=-1)
        for both_ways in self._encoder:
            found = []
            for way, layer in enumerate(both_ways):
                state, outputs = layer.silent(streams), [np.zeros(0)] * steps
                for now in range(steps)[:: -1 if way else 1]:
                    state = layer.step(state, heard[now])
                    outputs[now] = state[0]
                found.append(np.stack(outputs))
            heard = np.concatenate(found, axis=-1)
        return heard

    def around(
        self, heard: np.ndarray, strokes: Strokes, velocity: np.ndarray, offset: np.ndarray
    ) -> np.ndarray:
        """What one hit of each stream is played by, (streams, n).

        Args:
            heard: at these hits, (streams, ...).
            strokes: the hits, (1, streams).
            velocity, offset: tokens plus one of the three sources, (streams, 3); 0 for none.
        """
        streams = len(heard)
        since = np.minimum(np.stack([strokes.gap[0], strokes.age[0]], -1), LONGEST_AGE)
        clock = (np.log2(1.0 + since) / math.log2(1 + LONGEST_AGE)).astype(np.float32)
        parts = (
            np.maximum(self._linear("context", heard), 0),
            self._lane[strokes.lane[0]],
            self._level[velocity].reshape(streams, -1),
            self._place[offset].reshape(streams, -1),
            clock,
        )
        return np.concatenate(parts, axis=1)

    def velocity_logits(self, memory: np.ndarray, around: np.ndarray) -> np.ndarray:
        """Logits of the velocity bin, given the player's memory."""
        return self._linear(
            "velocity", np.maximum(self._linear("velocity_units", memory, around), 0)
        )

    def offset_logits(
        self, memory: np.ndarray, around: np.ndarray, velocity: np.ndarray
    ) -> np.ndarray:
        """Logits of the offset, given the velocity bin just drawn (0 to 32)."""
        units = self._linear("offset_units", memory, around, self._level[velocity + 1])
        return self._linear("offset", np.maximum(units, 0))

    def _linear(self, name: str, *parts: np.ndarray) -> np.ndarray:
        product, bias = self._layers[name]
        answers: np.ndarray = product(*parts) + bias
        return answers
