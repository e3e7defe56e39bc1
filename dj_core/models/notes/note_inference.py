"""Inference of the notes family's networks in numpy, word by word.

The two kinds that are shipped, the paper's LSTM and the pointing network, play without torch; the
other kinds of `note_network` are there to be compared and play by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from dj_core.models.exact_lstm import GATES, ExactLstm, halved
from dj_core.models.exact_product import ExactProduct
from dj_core.models.notes.network_settings import KEY_SIZE, NAME, TIME, NetworkSettings

_LEAST = 1e-9  # probability left for what both ways of a pointing network rule out

PlayedState = Any
"""What a `Stepper` remembers; whoever plays hands back what it was given."""
Stepper = Callable[[int, PlayedState], tuple[np.ndarray, PlayedState]]
"""Reads one note of one song: logits (vocabulary,) and the state after it, None before the first.
"""


def stepper(settings: NetworkSettings, weights: Mapping[str, np.ndarray]) -> Stepper:
    """A network's scores of the next word, for playing: weights as they are now."""
    if settings.cell == "lstm":
        return _lstm_stepper(settings, weights)
    if settings.cell == "pointing":
        return _PointingStepper(settings, weights)
    return _torch_stepper(settings, weights)


def _torch_stepper(settings: NetworkSettings, weights: Mapping[str, np.ndarray]) -> Stepper:
    import torch

    from dj_core.models.notes.note_network import network_of

    network = network_of(settings, weights)

    def step(id_: int, state: PlayedState) -> tuple[np.ndarray, PlayedState]:
        with torch.inference_mode():
            logits, state = network.step(id_, state)
        return logits.numpy(), state

    return step


def _lstm_stepper(settings: NetworkSettings, weights: Mapping[str, np.ndarray]) -> Stepper:
    half, layers = halved(settings.hidden), range(settings.layers)
    products, biases = [], []
    for layer in layers:
        below, before, bias, more_bias = (
            weights[f"lstm.{kind}_l{layer}"]
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        products.append((np.concatenate([below, before], axis=1) * half[:, None]).T.copy())
        biases.append((bias + more_bias) * half)
    embedding = weights["embedding.weight"]
    output = weights["output.weight"].T.copy()  # a product by columns is quicker than one by rows
    output_bias = weights["output.bias"]
    silent = [np.zeros(settings.hidden, np.float32) for _ in layers]

    def step(id_: int, state: PlayedState) -> tuple[np.ndarray, PlayedState]:
        before, cells = state or (silent, silent)
        heard = embedding[id_]
        outputs, kept = [], []
        for layer in layers:
            gates = np.concatenate((heard, before[layer])) @ products[layer]
            gates += biases[layer]
            enter, forget, fresh, leave = np.tanh(gates, out=gates).reshape(GATES, -1)
            cell = (forget + 1) * cells[layer]
            cell += (enter + 1) * fresh
            cell *= 0.5
            heard = (leave + 1) * np.tanh(cell)
            heard *= 0.5
            outputs.append(heard)
            kept.append(cell)
        logits = heard @ output
        logits += output_bias
        return logits, (outputs, kept)

    return step


class _Pointed(NamedTuple):
    """What a pointing network remembers of a song; see `pointer_network.PointingState`."""

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    top: np.ndarray
    keys: np.ndarray
    came_after: tuple[int, ...]
    name: int | None


class _PointingStepper:
    """`pointer_network`, one song and word at a time."""

    def __init__(self, settings: NetworkSettings, weights: Mapping[str, np.ndarray]) -> None:
        known, made_of = weights["known"][:, None], weights["made_of"]
        self._vectors = weights["own"] * known + ExactProduct(weights["part"].T)(made_of)
        of_parts = ExactProduct(weights["part_bias"][None])(made_of)
        self._bias = (weights["own_bias"][:, None] * known + of_parts)[:, 0]
        self._role = weights["role"].astype(int)
        self._times = self._role == TIME
        self._scores = ExactProduct(self._vectors)
        self._layers = [ExactLstm(weights, f"lstm.{layer}") for layer in range(settings.layers)]
        self._linear = {
            name: (ExactProduct(weights[f"{name}.weight"]), weights[f"{name}.bias"])
            for name in ("next_word", "next_time", "query", "key", "trust")
        }

    def __call__(self, id_: int, state: PlayedState) -> tuple[np.ndarray, PlayedState]:
        if state is None:
            silent = tuple(layer.silent(1) for layer in self._layers)
            state = _Pointed(silent, silent[0][0], np.zeros((0, KEY_SIZE)), (), None)
        came_after = state.came_after
        if len(came_after) < len(state.keys):
            came_after = (*came_after, id_)
        vector = self._vectors[id_][None]
        if self._role[id_] == NAME:  # its time is expected from the last step and from itself
            logits = self._scored("next_time", state.top, vector)
            logits[~self._times] = -math.inf
            return _log_softmax(logits), state._replace(came_after=came_after, name=id_)
        if self._role[id_] == TIME and state.name is not None:
            vector = vector + self._vectors[state.name]
        after = []
        for layer, before in zip(self._layers, state.layers, strict=True):
            after.append(layer.step(before, vector))
            vector = after[-1][0]
        logits = self._scored("next_word", vector)
        logits[self._times] = -math.inf
        written = _log_softmax(logits)
        keys = np.concatenate([state.keys, self._answer("key", vector)])
        places = min(len(came_after), len(state.keys))
        if places:
            likeness = keys[:places] @ self._answer("query", vector)[0] / math.sqrt(KEY_SIZE)
            # a place that is nowhere stands for none of them
            weights = np.exp(likeness - max(likeness.max(), 0.0))
            weights /= weights.sum() + math.exp(-max(likeness.max(), 0.0))
            weights *= 1 / (1 + math.exp(-float(self._answer("trust", vector)[0, 0])))
            mixed = (1 - weights.sum()) * np.exp(written)
            np.add.at(mixed, list(came_after[:places]), weights)
            written = np.log(np.maximum(mixed, _LEAST))
            written[self._times] = -math.inf
        return written, _Pointed(tuple(after), vector, keys, came_after, None)

    def _answer(self, name: str, *parts: np.ndarray) -> np.ndarray:
        product, bias = self._linear[name]
        answers: np.ndarray = product(*parts) + bias
        return answers

    def _scored(self, name: str, *parts: np.ndarray) -> np.ndarray:
        """Logits of every word, double."""
        scores: np.ndarray = self._scores(self._answer(name, *parts))[0] + self._bias
        return scores.astype(np.float64)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    away = logits - logits.max()
    answers: np.ndarray = away - np.log(np.exp(away).sum())
    return answers
