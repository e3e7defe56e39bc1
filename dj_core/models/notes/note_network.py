"""Networks of the notes family: they read token ids and score the next one.

`NETWORKS` lists every kind by name; a checkpoint names its kind, so another architecture joins by
adding a class with the same `forward` and `step`, and a line to the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dj_core.errors import TrainingError
from dj_core.models.notes.cited_networks import (
    GatedNetwork,
    OneHotNetwork,
    PlainNetwork,
    ResidualNetwork,
    ScalarNetwork,
    SteppingNetwork,
    recurrent_layers,
)
from dj_core.models.notes.network_settings import NetworkSettings
from dj_core.models.notes.pointer_network import PointingNetwork

MAX_PARAMETERS = 50_000_000  # 200 MB of weights; ten times what a drum corpus can feed

_GATES = 4  # of an LSTM: input, forget, cell, output
_CELL_GATE = 2

State = tuple[Tensor, Tensor]
"""What a network remembers between notes: the LSTM's hidden and cell values. Others remember
otherwise; whoever plays hands back what it was given."""


class NoteNetwork(SteppingNetwork):
    """The paper's network: embedding, LSTM layers with dropout between them, linear output."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings)
        self.embedding = nn.Embedding(settings.vocabulary_size, settings.embedding_size)
        self.lstm = recurrent_layers(nn.LSTM, settings.embedding_size, settings)
        self.output = nn.Linear(settings.hidden, settings.vocabulary_size)

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Score every next note.

        Args:
            ids: (songs, notes) whole numbers below the vocabulary's size.
            state: what an earlier call returned, to go on from there; None at a song's start.

        Returns:
            logits (songs, notes, vocabulary), and the state after the last note.
        """
        outputs, state = self.lstm(self.embedding(ids), state)
        return self.output(outputs), state


PlayedState = Any
"""What a `Stepper` remembers; whoever plays hands back what it was given."""
Stepper = Callable[[int, PlayedState], tuple[np.ndarray, PlayedState]]
"""Reads one note of one song: logits (vocabulary,) and the state after it, None before the first.
"""


def stepper(network: Network) -> Stepper:
    """A network's `step` for playing: no gradients, no dropout, weights as they are now."""
    if isinstance(network, NoteNetwork):
        return _lstm_stepper(network)

    def step(id_: int, state: PlayedState) -> tuple[np.ndarray, PlayedState]:
        with torch.inference_mode():
            logits, state = network.step(id_, state)
        return logits.numpy(), state

    return step


def _lstm_stepper(network: NoteNetwork) -> Stepper:
    """In numpy: for single notes torch's calls cost ten times what they compute."""
    hidden, layers = network.settings.hidden, range(network.settings.layers)
    # half the argument and tanh instead of a sigmoid: one call for all four gates
    half = torch.full((_GATES, hidden), 0.5)
    half[_CELL_GATE] = 1.0
    half = half.flatten()
    weights, biases = [], []
    with torch.no_grad():
        for below, before, bias, more_bias in network.lstm.all_weights:
            weights.append((torch.cat([below, before], dim=1) * half[:, None]).numpy().T.copy())
            biases.append(((bias + more_bias) * half).numpy())
    embedding = network.embedding.weight.detach().numpy()
    output, output_bias = (part.detach().numpy() for part in network.output.parameters())
    output = output.T.copy()  # a product by columns is quicker than one by rows
    silent = [np.zeros(hidden, np.float32) for _ in layers]

    def step(id_: int, state: PlayedState) -> tuple[np.ndarray, PlayedState]:
        before, cells = state or (silent, silent)
        heard = embedding[id_]
        outputs, kept = [], []
        for layer in layers:
            gates = np.concatenate((heard, before[layer])) @ weights[layer]
            gates += biases[layer]
            enter, forget, fresh, leave = np.tanh(gates, out=gates).reshape(_GATES, hidden)
            # 2 sigmoid(x) = 1 + tanh(x / 2)
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


Network = (
    NoteNetwork
    | PlainNetwork
    | GatedNetwork
    | ResidualNetwork
    | ScalarNetwork
    | OneHotNetwork
    | PointingNetwork
)
NETWORKS: dict[str, Callable[[NetworkSettings], Network]] = {
    "lstm": NoteNetwork,
    "gru": GatedNetwork,
    "rnn": PlainNetwork,
    "res-rnn": ResidualNetwork,
    "skuli": ScalarNetwork,
    "folk-rnn": OneHotNetwork,
    "pointing": PointingNetwork,
}


def count_weights(settings: NetworkSettings) -> int:
    """Number of weights of a network; nothing is allocated."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return sum(weight.numel() for weight in NETWORKS[settings.cell](settings).parameters())


def build_network(settings: NetworkSettings, seed: int | None = None) -> Network:
    """A fresh network of the kind `settings` name; the same seed draws the same weights.

    torch's own random state is left as it was.

    Raises:
        TrainingError: it would have more than `MAX_PARAMETERS` weights; nothing is allocated.
    """
    weights = count_weights(settings)
    if weights > MAX_PARAMETERS:
        raise TrainingError(
            f"This network would have {weights:,} weights; at most {MAX_PARAMETERS:,} are "
            "allowed. Use fewer hidden units or layers."
        )
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        return NETWORKS[settings.cell](settings)
