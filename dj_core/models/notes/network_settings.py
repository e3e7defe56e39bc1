"""Settings of a network of the notes family: its kind, sizes and dropout; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from dj_core.errors import TrainingError

CELLS = ("lstm", "gru", "rnn", "res-rnn", "skuli", "folk-rnn", "pointing")
"""Kinds of network; `note_network.NETWORKS` has the class of each."""


@dataclass(frozen=True)
class NetworkSettings:
    """The shape of a network.

    Attributes:
        vocabulary_size: number of words, 1 to 200,000.
        cell: the kind of network, one of `CELLS`.
        layers: recurrent layers, 1 to 6.
        hidden: units per layer, 1 to 2,048.
        embedding: numbers per word, 1 to 2,048; None for as many as `hidden`, as in the paper.
        dropout: share of units silenced between layers while training, 0 up to but not 1.
        parts: what words can be made of, for the network that knows parts; 0 to 1,000.

    Raises:
        TrainingError: a value out of range.
    """

    vocabulary_size: int
    cell: str = "lstm"
    layers: int = 2
    hidden: int = 32
    embedding: int | None = None
    dropout: float = 0.0
    parts: int = 0

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise TrainingError(f"cell is one of {', '.join(CELLS)}; got {self.cell!r}.")
        _check_whole("vocabulary_size", self.vocabulary_size, 200_000)
        _check_whole("layers", self.layers, 6)
        _check_whole("hidden", self.hidden, 2_048)
        _check_whole("embedding", self.embedding_size, 2_048)
        if type(self.dropout) not in (int, float) or not 0 <= self.dropout < 1:
            raise TrainingError(f"dropout is 0 up to, not including, 1; got {self.dropout!r}.")
        if self.parts:
            _check_whole("parts", self.parts, 1_000)

    @property
    def embedding_size(self) -> int:
        """Numbers per word."""
        return self.hidden if self.embedding is None else self.embedding


def _check_whole(name: str, value: object, high: int) -> None:
    if type(value) is not int or not 1 <= value <= high:
        raise TrainingError(f"{name} is a whole number from 1 to {high:,}; got {value!r}.")
