"""The shape of a notes network: its kind, sizes and dropout, and the weights it must have."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dj_core.errors import TrainingError
from dj_core.models.network_weights import refuse_too_many

MAX_PARAMETERS = 50_000_000  # 200 MB of weights; ten times what a drum corpus can feed
KEY_SIZE = 64  # numbers by which a pointing network compares places
WORD, NAME, TIME = 0, 1, 2  # what a word is to it: a step of its own, or half of one
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


def weight_shapes(settings: NetworkSettings) -> dict[str, tuple[int, ...]] | None:
    """Every weight of a network of these settings, by name, and its shape.

    None for kinds that only torch knows.

    Raises:
        TrainingError: more than `MAX_PARAMETERS` weights.
    """
    words, size, hidden = settings.vocabulary_size, settings.embedding_size, settings.hidden
    if settings.cell == "lstm":
        layers = [f"lstm.{{}}_l{layer}" for layer in range(settings.layers)]
        shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (words, size)}
        linear = [("output", words, hidden)]
    elif settings.cell == "pointing":
        layers = [f"lstm.{layer}.{{}}_l0" for layer in range(settings.layers)]
        shapes = {
            "own": (words, size),
            "own_bias": (words,),
            "part": (settings.parts, size),
            "part_bias": (settings.parts,),
            "made_of": (words, settings.parts),
            "known": (words,),
            "role": (words,),
        }
        linear = [("next_word", size, hidden), ("next_time", size, hidden + size)]
        linear += [("query", KEY_SIZE, hidden), ("key", KEY_SIZE, hidden), ("trust", 1, hidden)]
    else:
        return None
    for number, name in enumerate(layers):
        shapes |= {
            name.format("weight_ih"): (4 * hidden, hidden if number else size),
            name.format("weight_hh"): (4 * hidden, hidden),
            name.format("bias_ih"): (4 * hidden,),
            name.format("bias_hh"): (4 * hidden,),
        }
    for name, outputs, inputs in linear:
        shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    refuse_too_many(sum(math.prod(shape) for shape in shapes.values()), MAX_PARAMETERS)
    return shapes


def _check_whole(name: str, value: object, high: int) -> None:
    if type(value) is not int or not 1 <= value <= high:
        raise TrainingError(f"{name} is a whole number from 1 to {high:,}; got {value!r}.")
