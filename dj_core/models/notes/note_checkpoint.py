"""The model folder of the notes family: the network and its vocabulary."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dj_core.errors import CheckpointError, TokenizerError, TrainingError
from dj_core.models.checkpoint import (
    CARD_NAME,
    REPAIR,
    ModelFacts,
    misfit,
    read_checkpoint,
    save_checkpoint,
)
from dj_core.models.notes.network_settings import NetworkSettings
from dj_core.models.notes.note_tokenizer import NotesSettings, NotesTokenizer, Vocabulary

if TYPE_CHECKING:
    from dj_core.models.notes.note_network import Network

FAMILY = "notes"


@dataclass(frozen=True)
class NoteCheckpoint:
    """A model as loaded: the network ready to play, its tokenizer and its facts."""

    network: Network
    tokenizer: NotesTokenizer
    facts: ModelFacts
    weights_sha256: str


def save_note_model(
    folder: Path, network: Network, tokenizer: NotesTokenizer, facts: ModelFacts
) -> None:
    """Write a model folder, replacing the model in it. Raises LibraryError."""
    save_checkpoint(
        folder,
        FAMILY,
        network.state_dict(),
        facts,
        network=asdict(network.settings),
        genres=tokenizer.genres,
        tokenizer=asdict(tokenizer.settings),
        vocabulary=tokenizer.vocabulary.words,
    )


def load_note_model(folder: Path) -> NoteCheckpoint:
    """The model in `folder`, everything about it verified, its network in evaluation mode.

    Raises:
        CheckpointError: a file is missing, cut short, altered, of another model, or of a kind or
            shape this version does not know.
    """
    from dj_core.models.notes.note_network import build_network

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
        network = build_network(settings)  # its size was checked before anything is allocated
        network.load_state_dict(stored.tensors)
    except (TrainingError, RuntimeError, ValueError) as error:
        raise misfit(folder, error) from error
    return NoteCheckpoint(network.eval(), tokenizer, stored.facts, stored.weights_sha256)
