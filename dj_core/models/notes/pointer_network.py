"""The network of `notes-best`: the paper's LSTM with four additions.

Four things are added to embedding, LSTM layers and output:

* **Words have parts.** The vector of 'C2 F#2' is that of 'C2', that of 'F#2' and one of its own.
  The same table, tied (Press and Wolf 2017), scores the next word, so that a chord that was seldom
  heard, or never, is no stranger: in the paper's corpus one held-out note in fifteen is such a one.
* **It may point back** (pointer networks, Vinyals et al. 2015; mixed with the output as by Merity
  et al. 2017). A drum loop repeats itself: the network compares where it is with every place it has
  been and may expect what came there. How much it trusts that, it decides note by note.
* **A note and its time are one step.** Where names and times take turns, the LSTM reads the two
  together; a name's time is expected from what was read before and from the name itself.
* **Dropout that works**: the same units of a song are silenced at all of its notes (Gal and
  Ghahramani 2016), whole words lose their own vector for a step, and few units are silenced,
  not nine of ten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from dj_core.models.notes.cited_networks import SteppingNetwork
from dj_core.models.notes.network_settings import KEY_SIZE, NAME, TIME

if TYPE_CHECKING:
    from dj_core.models.notes.network_settings import NetworkSettings

OWN_VECTOR_DROPOUT = 0.3  # share of words that must do with their parts in a training step
WORD_DROPOUT = 0.05  # share of words not read in a training step
_LEAST = 1e-9  # probability left for what both ways rule out


class PointingState(NamedTuple):
    """What is remembered between words.

    Attributes:
        layers: hidden and cell values of every layer.
        top: the last layer's values after the last step, (songs, hidden).
        keys: of every place so far, (songs, places, KEY_SIZE).
        came_after: the words that came after those places; one fewer until the next is read.
        name: the name whose time is still to come, (songs,); None between steps.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    top: Tensor
    keys: Tensor
    came_after: Tensor
    name: Tensor | None


class PointingNetwork(SteppingNetwork):
    """An LSTM over words made of parts that may point back at what was played."""

    made_of: Tensor
    known: Tensor
    role: Tensor

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings)
        size, words, hidden = settings.embedding_size, settings.vocabulary_size, settings.hidden
        # a word without parts must differ from others from the start; one with parts need not
        self.own = nn.Parameter(torch.randn(words, size) * (0.02 if settings.parts else 0.1))
        self.own_bias = nn.Parameter(torch.zeros(words))
        self.part = nn.Parameter(torch.randn(settings.parts, size) * 0.1)
        self.part_bias = nn.Parameter(torch.zeros(settings.parts))
        self.register_buffer("made_of", torch.zeros(words, settings.parts, dtype=torch.uint8))
        self.register_buffer("known", torch.ones(words, dtype=torch.uint8))
        self.register_buffer("role", torch.zeros(words, dtype=torch.uint8))
        self.lstm = nn.ModuleList(
            nn.LSTM(hidden if number else size, hidden, batch_first=True)
            for number in range(settings.layers)
        )
        self.next_word = nn.Linear(hidden, size)
        self.next_time = nn.Linear(hidden + size, size)
        self.query = nn.Linear(hidden, KEY_SIZE)
        self.key = nn.Linear(hidden, KEY_SIZE)
        self.trust = nn.Linear(hidden, 1)
        self._table: tuple[Tensor, Tensor] | None = None

    def learn_words(self, made_of: Tensor, known: Tensor, role: Tensor) -> None:
        """Say what the words are: their parts, which occur in training, and their roles.

        A word that never occurs has no vector of its own to be pushed away by all that do: its
        parts alone speak for it.

        Args:
            made_of: bool, (words, parts).
            known: bool, (words,).
            role: `WORD`, `NAME` or `TIME` of every word, (words,); names and times take turns.
        """
        self.made_of.copy_(made_of)
        self.known.copy_(known)
        self.role.copy_(role)
        self._table = None

    def train(self, mode: bool = True) -> PointingNetwork:
        """As of any module; the table of words is made anew."""
        self._table = None
        return super().train(mode)

    def forward(
        self, ids: Tensor, state: PointingState | None = None
    ) -> tuple[Tensor, PointingState]:
        """Log-probabilities of every next word.

        Args:
            ids: (songs, words); at one place all songs have words of one role, or are over.
            state: what an earlier call returned, to go on from there; None at a song's start.

        Returns:
            (songs, words, vocabulary), and the state after the last word.
        """
        vectors, bias = self._words()
        if state is None:
            nothing = vectors.new_zeros(1, len(ids), self.settings.hidden)
            layers: tuple[tuple[Tensor, Tensor], ...] = ((nothing, nothing),) * len(self.lstm)
            keys = vectors.new_zeros(len(ids), 0, KEY_SIZE)
            state = PointingState(layers, nothing[0], keys, ids[:, :0], None)
        # the padding behind a shorter song is word 0: a time, where the vocabulary has times
        role = self.role[ids].amin(0)
        reads = role != NAME  # the places where a step ends
        # what each place reads, (songs, words, size): a time reads its name as well
        given = vectors[ids]
        if self.training:
            given = given * (torch.rand(*ids.shape, 1, device=ids.device) >= WORD_DROPOUT)
        names = torch.zeros_like(given)
        names[:, 1:] = given[:, :-1]
        if state.name is not None:
            names[:, 0] = vectors[state.name]
        given = given + names * (role == TIME)[:, None]
        values = self._silence(given, self.settings.dropout / 2)[:, reads]
        layers, top = state.layers, state.top
        scores = vectors.new_full((*ids.shape, len(vectors)), -torch.inf)
        if values.shape[1]:
            after = []
            for lstm, layer in zip(self.lstm, layers, strict=True):
                values, layer = lstm(values, layer)
                values = self._silence(values, self.settings.dropout)
                after.append(layer)
            layers, top = tuple(after), values[:, -1]
        else:
            values = top[:, None][:, :0]
        # the word after each step's end, as far as it is read already; what is read first now may
        # be what came after the last place of before
        ends = reads.nonzero()[:, 0]
        followers = ids[:, ends[ends < len(reads) - 1] + 1]
        owed = state.came_after.shape[1] < state.keys.shape[1]
        came_after = torch.cat([state.came_after, ids[:, : int(owed)], followers], 1)
        keys = state.keys
        if values.shape[1]:
            scores[:, reads], keys = self._score_words(values, keys, came_after, vectors, bias)
        if not bool(reads.all()):
            # every name's time is expected from the last step before it and from the name itself
            tops = torch.cat([state.top[:, None], values], 1)[:, reads.cumsum(0)[~reads]]
            known = torch.cat([tops, vectors[ids[:, ~reads]]], -1)
            times = self.role == TIME
            logits = self.next_time(known) @ vectors[times].T + bias[times]
            expected = vectors.new_full((*known.shape[:2], len(vectors)), -torch.inf)
            expected[..., times] = logits.log_softmax(-1)
            scores[:, ~reads] = expected
        name = ids[:, -1] if role[-1] == NAME else None
        return scores, PointingState(layers, top, keys, came_after, name)

    # --- reading ------------------------------------------------------------------------------

    def _words(self) -> tuple[Tensor, Tensor]:
        """Every word's vector and bias; while training, some words have those of their parts."""
        if self._table is not None:
            return self._table
        own = self.known.to(self.own.dtype)
        if self.training and self.settings.parts:
            own = own * (torch.rand_like(own) >= OWN_VECTOR_DROPOUT)
        made_of = self.made_of.to(self.own.dtype)
        vectors = self.own * own[:, None] + made_of @ self.part
        bias = self.own_bias * own + made_of @ self.part_bias
        if not self.training and not torch.is_grad_enabled():
            self._table = vectors, bias
        return vectors, bias

    def _silence(self, values: Tensor, share: float) -> Tensor:
        """Dropout of the same units at all words of a song."""
        if not self.training or not share:
            return values
        kept = torch.rand(len(values), 1, values.shape[2], device=values.device) >= share
        return values * kept / (1 - share)

    # --- scoring ------------------------------------------------------------------------------

    def _score_words(
        self, values: Tensor, keys: Tensor, came_after: Tensor, vectors: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the word after each step, those of pointing back mixed in.

        Returns:
            (songs, steps, vocabulary), and the keys of these steps behind those of before.
        """
        logits = self.next_word(values) @ vectors.T + bias
        written = logits.masked_fill(self.role == TIME, -torch.inf).log_softmax(-1)
        keys = torch.cat([keys, self.key(values)], 1)
        now, total = values.shape[1], keys.shape[1]
        places = min(came_after.shape[1], total - 1)
        if not places:
            return written, keys
        likeness = self.query(values) @ keys[:, :places].transpose(1, 2) / KEY_SIZE**0.5
        earlier = torch.ones(now, places, dtype=torch.bool, device=likeness.device).tril(
            total - now - 1
        )
        likeness = likeness.masked_fill(~earlier, -torch.inf)
        # a place that is nowhere stands for none of them
        nowhere = likeness.new_zeros(len(values), now, 1)
        weights = torch.cat([likeness, nowhere], -1).softmax(-1)[..., :-1]
        weights = weights * self.trust(values).sigmoid()
        pointed = torch.zeros_like(written).scatter_add(
            2, came_after[:, None, :places].expand(-1, now, -1), weights
        )
        rest = 1 - weights.sum(-1, keepdim=True)
        mixed = (pointed + rest * written.exp()).clamp_min(_LEAST).log()
        return mixed.masked_fill(self.role == TIME, -torch.inf), keys
