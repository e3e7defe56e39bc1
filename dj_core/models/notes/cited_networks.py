"""The networks of the systems the paper cites, each as its authors describe it.

All of them have the two methods of `note_network.NoteNetwork`: `forward` scores every next word of
several songs, `step` reads one word of one song. `note_training` has a preset for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from dj_core.models.notes.network_settings import NetworkSettings

State = tuple[Tensor, ...]
Layer = type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]


class SteppingNetwork(nn.Module):
    """A network that also reads word by word.

    Attributes:
        settings: its shape.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings

    def step(self, id_: int, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Read one note of one song; returns logits (vocabulary,) and the state after it."""
        logits, state = self(torch.tensor([[id_]]), state)
        return logits[0, 0], state


def recurrent_layers(kind: Layer, inputs: int, settings: NetworkSettings) -> nn.RNNBase:
    """torch's recurrent layers with dropout between them, songs first."""
    # torch puts dropout after every layer but the last, and warns if there is no other
    dropout = settings.dropout if settings.layers > 1 else 0.0
    return kind(inputs, settings.hidden, settings.layers, dropout=dropout, batch_first=True)


class RecurrentNetwork(SteppingNetwork):
    """Embedding, recurrent layers with dropout between them, linear output; any cell of torch's.

    The paper's own network is the same with LSTM layers.
    """

    layer: Layer

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings)
        self.embedding = nn.Embedding(settings.vocabulary_size, settings.embedding_size)
        self.recurrent = recurrent_layers(self.layer, settings.embedding_size, settings)
        self.output = nn.Linear(settings.hidden, settings.vocabulary_size)

    def forward(self, ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (songs, notes, vocabulary) for ids (songs, notes), and the state after them."""
        outputs, state = self.recurrent(self.embedding(ids), state)
        return self.output(outputs), state


class PlainNetwork(RecurrentNetwork):
    """The plain recurrent network (Elman 1990): h = tanh(W x + U h + b)."""

    layer = nn.RNN


class GatedNetwork(RecurrentNetwork):
    """Gated recurrent units (Cho et al. 2014)."""

    layer = nn.GRU


class ResidualNetwork(SteppingNetwork):
    """Res-RNN (Yue, Fu and Liang 2018): what a layer learns is the change of its hidden state.

    ``h_t = h_{t-1} + F(x_t, h_{t-1})`` in place of gates: the sum is the shortcut on which the
    gradient travels unchanged through time. The change is ``F = V tanh(W x_t + U h_{t-1} + b)``,
    an inner layer as wide as the state and a way back; what is read out is ``tanh(h_t)``, so that
    a state that grows by sums stays in range. All of ``W x_t`` is computed for a whole song at
    once, as torch's own layers do it; only U and V are multiplied step by step.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings)
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

    def forward(self, ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (songs, notes, vocabulary) for ids (songs, notes), and the state after them."""
        values = self.embedding(ids)
        ends = []
        layers = zip(self.reading, self.memory, self.change, strict=True)
        for number, (reading, memory, change) in enumerate(layers):
            if number:
                values = functional.dropout(values, self.settings.dropout, self.training)
            now = values.new_zeros(len(ids), len(memory)) if state is None else state[number]
            states = []
            for given in reading(values).unbind(1):
                now = now + torch.addmm(given, now.tanh(), memory).tanh() @ change
                states.append(now)
            values = torch.stack(states, 1).tanh()
            ends.append(now)
        return self.output(values), torch.stack(ends)


class ScalarNetwork(SteppingNetwork):
    """Skuli 2017: a note is a number between 0 and 1, its place in the sorted vocabulary.

    LSTM layers with dropout between them, a dense layer (`embedding` units, 256 in the original)
    with dropout after it, and the output; there is no activation between the last two.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings)
        self.lstm = recurrent_layers(nn.LSTM, 1, settings)
        self.dense = nn.Linear(settings.hidden, settings.embedding_size)
        self.output = nn.Linear(settings.embedding_size, settings.vocabulary_size)

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits (songs, notes, vocabulary) for ids (songs, notes), and the state after them."""
        outputs, state = self.lstm(ids[..., None] / self.settings.vocabulary_size, state)
        dense = functional.dropout(self.dense(outputs), self.settings.dropout, self.training)
        return self.output(dense), state


class OneHotNetwork(SteppingNetwork):
    """folk-rnn (Sturm et al. 2016): words as one-hot vectors, LSTM layers, dropout after each."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings)
        self.lstm = recurrent_layers(nn.LSTM, settings.vocabulary_size, settings)
        self.output = nn.Linear(settings.hidden, settings.vocabulary_size)

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits (songs, notes, vocabulary) for ids (songs, notes), and the state after them."""
        # a word that does not occur has a column of noughts: it and its weights are left out
        known, places = ids.unique(return_inverse=True)
        words = functional.one_hot(places, len(known)).to(self.output.weight.dtype)
        settings, (first, *weights) = self.settings, self.lstm.parameters()
        if state is None:
            shape = (settings.layers, len(ids), settings.hidden)
            state = (words.new_zeros(shape), words.new_zeros(shape))
        outputs, *state_after = torch.lstm(
            words, state, [first[:, known], *weights],
            has_biases=True, num_layers=settings.layers, dropout=settings.dropout,
            train=self.training, bidirectional=False, batch_first=True,
        )  # fmt: skip
        dropped = functional.dropout(outputs, settings.dropout, self.training)
        return self.output(dropped), tuple(state_after)
