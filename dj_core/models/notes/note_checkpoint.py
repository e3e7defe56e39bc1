"""The model folder of the notes family: the network and its vocabulary."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dj_core.errors import CheckpointError, TokenizerError, TrainingError
from dj_core.host.extras import require
from dj_core.models.checkpoint import (
    CARD_NAME,
    REPAIR,
    ModelFacts,
    fitting,
    misfit,
    read_checkpoint,
    save_checkpoint,
)
from dj_core.models.network_weights import weights_of
from dj_core.models.notes.network_settings import NetworkSettings, weight_shapes
from dj_core.models.notes.note_tokenizer import NotesSettings, NotesTokenizer, Vocabulary

if TYPE_CHECKING:
    from dj_core.models.notes.note_network import Network

FAMILY = "notes"


@dataclass(frozen=True)
class NoteCheckpoint:
    """A model as loaded.

    Attributes:
        settings, weights: of its network; arrays by name.
        tokenizer: its words.
        weights_sha256: of the file; '' for a network that is still being trained.
    """

    settings: NetworkSettings
    weights: dict[str, np.ndarray]
    tokenizer: NotesTokenizer
    facts: ModelFacts
    weights_sha256: str

    @classmethod
    def of(
        cls, network: Network, tokenizer: NotesTokenizer, facts: ModelFacts, sha256: str = ""
    ) -> NoteCheckpoint:
        """A network's weights as they are now."""

        return cls(network.settings, weights_of(network), tokenizer, facts, sha256)

    @cached_property
    def network(self) -> Network:
        """The network as it was trained, in evaluation mode. Needs torch."""
        require("torch")
        from dj_core.models.notes.note_network import network_of

        return network_of(self.settings, self.weights)


def save_note_model(
    folder: Path, network: Network, tokenizer: NotesTokenizer, facts: ModelFacts
) -> None:
    """Write a model folder, replacing the model in it. Raises LibraryError."""

    save_checkpoint(
        folder,
        FAMILY,
        weights_of(network),
        facts,
        network=asdict(network.settings),
        genres=tokenizer.genres,
        tokenizer=asdict(tokenizer.settings),
        vocabulary=tokenizer.vocabulary.words,
    )


def load_note_model(folder: Path) -> NoteCheckpoint:
    """The model in `folder`, everything about it verified.

    Raises:
        CheckpointError: a file is missing, cut short, altered, of another model, or of a kind or
            shape this version does not know.
    """
    stored = read_checkpoint(folder, FAMILY)
    try:
        words = Vocabulary(tuple(stored.card["vocabulary"]))
        tokenizer = NotesTokenizer(NotesSettings(**stored.card["tokenizer"]), words)
        settings = NetworkSettings(**stored.card["network"])
        if settings.vocabulary_size != len(tokenizer.vocabulary):
            raise TrainingError(
                f"it scores {settings.vocabulary_size:,} words and knows "
                f"{len(tokenizer.vocabulary):,}."
            )
    except (TokenizerError, TrainingError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{CARD_NAME} of model {folder.name} cannot be used: {error} {REPAIR}"
        ) from error
    try:
        shapes = weight_shapes(settings)
        if shapes is not None:
            weights = fitting(stored.tensors, "", shapes)
        else:
            require("torch")
            from dj_core.models.notes.note_network import network_of

            network_of(settings, weights := stored.tensors)
    except (TrainingError, RuntimeError, ValueError) as error:
        raise misfit(folder, error) from error
    return NoteCheckpoint(settings, weights, tokenizer, stored.facts, stored.weights_sha256)
