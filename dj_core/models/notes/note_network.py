"""Networks of the notes family: they read token ids and score the next one.

`NETWORKS` lists every kind by name; a checkpoint names its kind, so another architecture joins by
adding a class with the same `forward` and `step`, and a line to the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from dj_core.models.network_weights import refuse_too_many, with_first_weights
from dj_core.models.notes.cited_networks import (
    GatedNetwork,
    OneHotNetwork,
    PlainNetwork,
    ResidualNetwork,
    ScalarNetwork,
    SteppingNetwork,
    recurrent_layers,
)
from dj_core.models.notes.network_settings import MAX_PARAMETERS, NetworkSettings
from dj_core.models.notes.pointer_network import PointingNetwork

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
    refuse_too_many(count_weights(settings), MAX_PARAMETERS)
    return with_first_weights(NETWORKS[settings.cell], settings, seed)


def network_of(settings: NetworkSettings, weights: Mapping[str, np.ndarray]) -> Network:
    """A network with these weights, in evaluation mode.

    Raises:
        TrainingError: it would have more than `MAX_PARAMETERS` weights.
        RuntimeError: weights that are not those of such a network.
    """
    network = build_network(settings)  # its size is checked before anything is allocated
    network.load_state_dict({name: torch.from_numpy(part) for name, part in weights.items()})
    return network.eval()
