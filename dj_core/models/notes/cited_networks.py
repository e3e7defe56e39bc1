"""The networks of the systems the paper cites, each as its authors describe it.

All of them keep the two methods of `note_network.NoteNetwork`: `forward` scores every next word of
several songs, `step` reads one word of one song. `note_training` has a preset for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from dj_core.models.notes.network_settings import NetworkSettings

State = tuple[Tensor, ...]


class RecurrentNetwork(nn.Module):
    """Embedding, recurrent layers with dropout between them, linear output; any cell of torch's.

    The paper's own network is the same with LSTM layers.
    """

    layer: type[nn.RNN] | type[nn.GRU]
    gates: int  # weight matrices per layer, times those of a plain recurrent layer

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.embedding = nn.Embedding(settings.vocabulary_size, settings.embedding_size)
        self.recurrent = self.layer(
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
        size = settings.embedding_size + settings.hidden + 1
        return _recurrent(cls.gates, inputs, settings.hidden) + settings.vocabulary_size * size

    def forward(self, ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (songs, notes, vocabulary) for ids (songs, notes), and the state after them."""
        outputs, state = self.recurrent(self.embedding(ids), state)
        return self.output(outputs), state

    def step(self, id_: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read one note of one song; returns logits (vocabulary,) and the state after it."""
        logits, state = self(torch.tensor([[id_]]), state)
        return logits[0, 0], state


class PlainNetwork(RecurrentNetwork):
    """The plain recurrent network (Elman 1990): h = tanh(W x + U h + b)."""

    layer, gates = nn.RNN, 1


class GatedNetwork(RecurrentNetwork):
    """Gated recurrent units (Cho et al. 2014)."""

    layer, gates = nn.GRU, 3


class ResidualNetwork(nn.Module):
    """Res-RNN (Yue, Fu and Liang 2018): what a layer learns is the change of its hidden state.

    ``h_t = h_{t-1} + F(x_t, h_{t-1})`` in place of gates: the sum is the shortcut on which the
    gradient travels unchanged through time. The change is ``F = V tanh(W x_t + U h_{t-1} + b)``,
    an inner layer as wide as the state and a way back; what is read out is ``tanh(h_t)``, so that
    a state that grows by sums stays in range. All of ``W x_t`` is computed for a whole song at
    once, as torch's own layers do it; only U and V are multiplied step by step.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        hidden = settings.hidden
        sizes = [settings.embedding_size] + [hidden] * (settings.layers - 1)
        self.embedding = nn.Embedding(settings.vocabulary_size, settings.embedding_size)
        self.reading = nn.ModuleList(nn.Linear(size, hidden) for size in sizes)
        self.memory = nn.ParameterList(
            nn.Parameter(nn.init.orthogonal_(torch.empty(hidden, hidden))) for _ in sizes
        )
        # small at first, so that a fresh layer carries its state on nearly as it is
        self.change = nn.ParameterList(
            nn.Parameter(torch.randn(hidden, hidden) * 0.1 / hidden**0.5) for _ in sizes
        )
        self.output = nn.Linear(hidden, settings.vocabulary_size)

    @classmethod
    def weights(cls, settings: NetworkSettings) -> int:
        """Number of weights a network of these settings has."""
        hidden = settings.hidden
        sizes = [settings.embedding_size] + [hidden] * (settings.layers - 1)
        layers = sum(hidden * (size + 1) + 2 * hidden * hidden for size in sizes)
        return layers + settings.vocabulary_size * (settings.embedding_size + hidden + 1)

    def forward(self, ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (songs, notes, vocabulary) for ids (songs, notes), and the state after them."""
        hidden = self.settings.hidden
        values = self.embedding(ids)
        ends = []
        for number, (reading, memory, change) in enumerate(
            zip(self.reading, self.memory, self.change, strict=True)
        ):
            if number:
                values = functional.dropout(values, self.settings.dropout, self.training)
            read = reading(values).unbind(1)
            now = values.new_zeros(len(ids), hidden) if state is None else state[number]
            states = []
            for given in read:
                now = now + torch.addmm(given, now.tanh(), memory).tanh() @ change
                states.append(now)
            values = torch.stack(states, 1).tanh()
            ends.append(now)
        return self.output(values), torch.stack(ends)

    def step(self, id_: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read one note of one song; returns logits (vocabulary,) and the state after it."""
        logits, state = self(torch.tensor([[id_]]), state)
        return logits[0, 0], state


class ScalarNetwork(nn.Module):
    """Skuli 2017: a note is a number between 0 and 1, its place in the sorted vocabulary.

    LSTM layers with dropout between them, a dense layer (`embedding` units, 256 in the original)
    with dropout after it, and the output; there is no activation between the last two.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.lstm = nn.LSTM(
            1,
            settings.hidden,
            settings.layers,
            dropout=settings.dropout if settings.layers > 1 else 0.0,
            batch_first=True,
        )
        self.dense = nn.Linear(settings.hidden, settings.embedding_size)
        self.output = nn.Linear(settings.embedding_size, settings.vocabulary_size)

    @classmethod
    def weights(cls, settings: NetworkSettings) -> int:
        """Number of weights a network of these settings has."""
        dense = settings.embedding_size
        recurrent = _recurrent(4, [1] + [settings.hidden] * (settings.layers - 1), settings.hidden)
        return recurrent + dense * (settings.hidden + 1) + settings.vocabulary_size * (dense + 1)

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits (songs, notes, vocabulary) for ids (songs, notes), and the state after them."""
        outputs, state = self.lstm(ids[..., None] / self.settings.vocabulary_size, state)
        dense = functional.dropout(self.dense(outputs), self.settings.dropout, self.training)
        return self.output(dense), state

    def step(self, id_: int, state: State | None = None) -> tuple[Tensor, State]:
        """Read one note of one song; returns logits (vocabulary,) and the state after it."""
        logits, state = self(torch.tensor([[id_]]), state)
        return logits[0, 0], state


class OneHotNetwork(nn.Module):
    """folk-rnn (Sturm et al. 2016): words as one-hot vectors, LSTM layers, dropout after each."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.lstm = nn.LSTM(
            settings.vocabulary_size,
            settings.hidden,
            settings.layers,
            dropout=settings.dropout if settings.layers > 1 else 0.0,
            batch_first=True,
        )
        self.output = nn.Linear(settings.hidden, settings.vocabulary_size)

    @classmethod
    def weights(cls, settings: NetworkSettings) -> int:
        """Number of weights a network of these settings has."""
        inputs = [settings.vocabulary_size] + [settings.hidden] * (settings.layers - 1)
        output = settings.vocabulary_size * (settings.hidden + 1)
        return _recurrent(4, inputs, settings.hidden) + output

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits (songs, notes, vocabulary) for ids (songs, notes), and the state after them."""
        words = functional.one_hot(ids, self.settings.vocabulary_size).to(self.output.weight.dtype)
        outputs, state = self.lstm(words, state)
        return self.output(functional.dropout(outputs, self.settings.dropout, self.training)), state

    def step(self, id_: int, state: State | None = None) -> tuple[Tensor, State]:
        """Read one note of one song; returns logits (vocabulary,) and the state after it."""
        logits, state = self(torch.tensor([[id_]]), state)
        return logits[0, 0], state


def _recurrent(gates: int, inputs: list[int], hidden: int) -> int:
    """Weights of torch's recurrent layers, which have two biases each."""
    return sum(gates * hidden * (size + hidden + 2) for size in inputs)
