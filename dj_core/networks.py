"""Networks that read ids and score the next one. They know a vocabulary's size, nothing of music.

`NETWORKS` lists every kind by name; a checkpoint names its kind, so another architecture joins by
adding a class with the same `forward` and `step`, and a line to the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from dj_core.errors import TrainingError
from dj_core.pointing import PointingNetwork
from dj_core.related import (
    GatedNetwork,
    OneHotNetwork,
    PlainNetwork,
    ResidualNetwork,
    ScalarNetwork,
)

MAX_PARAMETERS = 50_000_000  # 200 MB of weights; ten times what a drum corpus can feed

State = tuple[Tensor, Tensor]
"""What a network remembers between notes: the LSTM's hidden and cell values. Others remember
otherwise; whoever plays hands back what it was given."""


@dataclass(frozen=True)
class NetworkSettings:
    """The shape of a network.

    Attributes:
        vocabulary_size: number of words, 1 to 200,000.
        cell: the kind of network, a key of `NETWORKS`.
        layers: recurrent layers, 1 to 6.
        hidden: units per layer, 1 to 2,048.
        embedding: numbers per word, 1 to 2,048; None for as many as `hidden`, as in the paper.
        dropout: share of units silenced between layers while training, 0 up to but not 1.
        parts: what words can be made of, for the network that knows parts; 0 to 1,000.

    Raises:
        TrainingError: a value out of range, or more than `MAX_PARAMETERS` weights.
    """

    vocabulary_size: int
    cell: str = "lstm"
    layers: int = 2
    hidden: int = 32
    embedding: int | None = None
    dropout: float = 0.0
    parts: int = 0

    def __post_init__(self) -> None:
        if self.cell not in NETWORKS:
            raise TrainingError(f"cell is one of {', '.join(NETWORKS)}; got {self.cell!r}.")
        _check_whole("vocabulary_size", self.vocabulary_size, 200_000)
        _check_whole("layers", self.layers, 6)
        _check_whole("hidden", self.hidden, 2_048)
        _check_whole("embedding", self.embedding_size, 2_048)
        if type(self.dropout) not in (int, float) or not 0 <= self.dropout < 1:
            raise TrainingError(f"dropout is 0 up to, not including, 1; got {self.dropout!r}.")
        if self.parts:
            _check_whole("parts", self.parts, 1_000)
        if self.parameters > MAX_PARAMETERS:
            raise TrainingError(
                f"This network would have {self.parameters:,} weights; at most "
                f"{MAX_PARAMETERS:,} are allowed. Use fewer hidden units or layers."
            )

    @property
    def embedding_size(self) -> int:
        """Numbers per word."""
        return self.hidden if self.embedding is None else self.embedding

    @property
    def parameters(self) -> int:
        """Number of weights, known before anything is allocated."""
        return NETWORKS[self.cell].weights(self)


def _check_whole(name: str, value: object, high: int) -> None:
    if type(value) is not int or not 1 <= value <= high:
        raise TrainingError(f"{name} is a whole number from 1 to {high:,}; got {value!r}.")


class NoteNetwork(nn.Module):
    """The paper's network: embedding, LSTM layers with dropout between them, linear output."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.embedding = nn.Embedding(settings.vocabulary_size, settings.embedding_size)
        self.lstm = nn.LSTM(
            settings.embedding_size,
            settings.hidden,
            settings.layers,
            # torch puts dropout after every layer but the last, and warns if there is no other
            dropout=settings.dropout if settings.layers > 1 else 0.0,
            batch_first=True,
        )
        self.output = nn.Linear(settings.hidden, settings.vocabulary_size)

    @classmethod
    def weights(cls, settings: NetworkSettings) -> int:
        """Number of weights a network of these settings has."""
        inputs = [settings.embedding_size] + [settings.hidden] * (settings.layers - 1)
        recurrent = sum(4 * settings.hidden * (size + settings.hidden + 2) for size in inputs)
        size = settings.embedding_size + settings.hidden + 1
        return recurrent + settings.vocabulary_size * size

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

    def step(self, id_: int, state: State | None = None) -> tuple[Tensor, State]:
        """Read one note of one song; returns logits (vocabulary,) and the state after it.

        Without a gradient it goes through numpy, on the same weights: for single notes torch's
        calls cost ten times what they compute.
        """
        if torch.is_grad_enabled() or (self.training and self.settings.dropout):
            outputs, state = self.lstm(self.embedding(torch.tensor([[id_]])), state)
            return self.output(outputs)[0, 0], state
        silent = torch.zeros(self.settings.layers, 1, self.settings.hidden)
        before = [part.numpy() for part in state or (silent, silent)]
        hidden, cell = (np.empty_like(part) for part in before)
        heard = self.embedding.weight.numpy()[id_]
        for layer, weights in enumerate(self.lstm.all_weights):
            from_below, from_before, bias, more_bias = (part.numpy() for part in weights)
            gates = from_below @ heard + from_before @ before[0][layer, 0] + bias + more_bias
            enter, forget, fresh, leave = gates.reshape(4, -1)
            kept = _sigmoid(forget) * before[1][layer, 0] + _sigmoid(enter) * np.tanh(fresh)
            heard = _sigmoid(leave) * np.tanh(kept)
            hidden[layer, 0], cell[layer, 0] = heard, kept
        logits = self.output.weight.numpy() @ heard + self.output.bias.numpy()
        return torch.from_numpy(logits), (torch.from_numpy(hidden), torch.from_numpy(cell))


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * values)


class _Network(Protocol):
    """What stands in the table: made of settings, and able to say how many weights they mean."""

    def __call__(self, settings: NetworkSettings) -> nn.Module: ...

    def weights(self, settings: NetworkSettings) -> int: ...


NETWORKS: dict[str, _Network] = {
    "lstm": NoteNetwork,
    "gru": GatedNetwork,
    "rnn": PlainNetwork,
    "res-rnn": ResidualNetwork,
    "skuli": ScalarNetwork,
    "folk-rnn": OneHotNetwork,
    "pointing": PointingNetwork,
}


def build_network(settings: NetworkSettings, seed: int | None = None) -> nn.Module:
    """A fresh network of the kind `settings` name; the same seed draws the same weights.

    torch's own random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        return NETWORKS[settings.cell](settings)


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Compute on `count` threads inside, and as before outside.

    The number is part of the result, to the last bit. For single notes one thread is also the
    fastest by far: several wait for each other longer than they compute.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
