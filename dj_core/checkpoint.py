"""Model folders: ``weights.safetensors``, and ``model.json`` which says what they are.

Nothing in a model folder is ever executed: weights are safetensors, everything else is JSON.
Weights and vocabulary are tied to the JSON by their SHA-256, because a flipped bit or a vocabulary
of another model would load without complaint and play nonsense.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dj_core.errors import CheckpointError, TokenizerError, TrainingError
from dj_core.storage import sha256_of, write_bytes_atomic, write_json_atomic
from dj_core.tokenizers.notes import NotesSettings, NotesTokenizer, Vocabulary

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1
FAMILY = "notes"
WEIGHTS_NAME, CARD_NAME = "weights.safetensors", "model.json"
MAX_CARD_BYTES, MAX_WEIGHTS_BYTES = 30_000_000, 250_000_000
SECONDS_TO_RETRY = 0.2  # a training run may be between writing the weights and their card

_CARD_TYPES: dict[str, type] = {
    "format": int,
    "family": str,
    "label": str,
    "preset": str,
    "network": dict,
    "tokenizer": dict,
    "vocabulary": list,
    "vocabulary_sha256": str,
    "weights_sha256": str,
    "weights_bytes": int,
    "corpora": list,
    "genres": list,
    "start_notes": list,
    "settings": dict,
    "results": dict,
    "created": dict,
}


@dataclass(frozen=True)
class ModelFacts:
    """What a checkpoint knows of its making.

    Attributes:
        preset: the training preset's name.
        corpora: names of the corpora it was trained on.
        start_notes: (name, number of songs that begin so), the most frequent first.
        settings: every training setting, JSON-able.
        results: losses and accuracies, JSON-able.
        label: what a DJ reads; '' for the folder's name.
    """

    preset: str
    corpora: tuple[str, ...]
    start_notes: tuple[tuple[str, int], ...]
    settings: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    label: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """A model as loaded: the network ready to play, its tokenizer and its facts."""

    network: nn.Module
    tokenizer: NotesTokenizer
    facts: ModelFacts
    weights_sha256: str


def save_checkpoint(
    folder: Path, network: nn.Module, tokenizer: NotesTokenizer, facts: ModelFacts
) -> None:
    """Write a model folder, replacing the model in it. Raises LibraryError.

    The card goes last: a folder whose writing stopped halfway is refused by `load_checkpoint`.
    """
    from safetensors.torch import save

    weights = save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
    card = {
        "format": FORMAT,
        "family": FAMILY,
        "label": facts.label,
        "preset": facts.preset,
        "network": asdict(network.settings),
        "tokenizer": asdict(tokenizer.settings),
        "vocabulary": list(tokenizer.vocabulary.words),
        "vocabulary_sha256": tokenizer.vocabulary.sha256,
        "weights_sha256": sha256_of(weights),
        "weights_bytes": len(weights),
        "corpora": list(facts.corpora),
        "genres": list(tokenizer.genres),
        "start_notes": [list(start) for start in facts.start_notes],
        "settings": facts.settings,
        "results": facts.results,
        "created": _versions(),
    }
    write_bytes_atomic(folder / WEIGHTS_NAME, weights)
    write_json_atomic(folder / CARD_NAME, card)


def read_card(folder: Path) -> dict[str, Any]:
    """A model folder's card, checked for form; the weights are only seen to be there.

    Raises:
        CheckpointError: a missing file, no JSON, or a card of another kind or version.
    """
    content = _read(folder / CARD_NAME, MAX_CARD_BYTES)
    try:
        card = json.loads(content)
    except ValueError as error:
        raise CheckpointError(
            f"{CARD_NAME} of model {folder.name} is damaged ({error}). {_REPAIR}"
        ) from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise CheckpointError(
            f"Model {folder.name} has format {found!r}; this version of Digital DJ reads format "
            f"{FORMAT}. Update Digital DJ, or train the model again."
        )
    for key, kind in _CARD_TYPES.items():
        if not isinstance(card.get(key), kind):
            raise CheckpointError(
                f"{CARD_NAME} of model {folder.name} has no proper {key!r} "
                f"(got {str(card.get(key))[:40]!r}). {_REPAIR}"
            )
    weights = folder / WEIGHTS_NAME
    size = weights.stat().st_size if weights.is_file() else None
    if size != card["weights_bytes"]:
        have = "is missing" if size is None else f"has {size:,} bytes"
        raise CheckpointError(
            f"{WEIGHTS_NAME} of model {folder.name} {have}; {card['weights_bytes']:,} bytes are "
            f"expected. {_REPAIR}"
        )
    return card


def load_checkpoint(folder: Path) -> Checkpoint:
    """The model in `folder`, everything about it verified, its network in evaluation mode.

    Raises:
        CheckpointError: a file is missing, cut short, altered, of another model, or of a kind or
            shape this version does not know.
    """
    try:
        return _load(folder)
    except CheckpointError:
        time.sleep(SECONDS_TO_RETRY)
        return _load(folder)


def _load(folder: Path) -> Checkpoint:
    card = read_card(folder)
    if card["family"] != FAMILY:
        raise CheckpointError(
            f"Model {folder.name} is of family {card['family']!r}; known: {FAMILY}. "
            "Update Digital DJ."
        )
    content = _read(folder / WEIGHTS_NAME, MAX_WEIGHTS_BYTES)
    if sha256_of(content) != card["weights_sha256"]:
        raise CheckpointError(
            f"{WEIGHTS_NAME} of model {folder.name} was altered: its SHA-256 is not the one in "
            f"{CARD_NAME}. {_REPAIR}"
        )
    try:
        tokenizer = NotesTokenizer(
            NotesSettings(**card["tokenizer"]), Vocabulary(tuple(card["vocabulary"]))
        )
        start_notes = tuple((str(name), int(count)) for name, count in card["start_notes"])
    except (TokenizerError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{CARD_NAME} of model {folder.name} cannot be used: {error} {_REPAIR}"
        ) from error
    if tokenizer.vocabulary.sha256 != card["vocabulary_sha256"]:
        raise CheckpointError(
            f"The vocabulary of model {folder.name} was altered: its SHA-256 is not the one the "
            f"weights were trained with. {_REPAIR}"
        )
    facts = ModelFacts(
        preset=card["preset"],
        corpora=tuple(map(str, card["corpora"])),
        start_notes=start_notes,
        settings=card["settings"],
        results=card["results"],
        label=card["label"],
    )
    network = _build(folder, card, content, len(tokenizer.vocabulary))
    return Checkpoint(network, tokenizer, facts, card["weights_sha256"])


def _build(folder: Path, card: dict[str, Any], weights: bytes, vocabulary: int) -> nn.Module:
    """The network with its weights in place; its size is checked before anything is allocated."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    from dj_core.networks import NetworkSettings, build_network

    try:
        settings = NetworkSettings(**card["network"])
    except (TrainingError, TypeError) as error:
        raise CheckpointError(
            f"{CARD_NAME} of model {folder.name} describes no network: {error} {_REPAIR}"
        ) from error
    if settings.vocabulary_size != vocabulary:
        raise CheckpointError(
            f"Model {folder.name} scores {settings.vocabulary_size:,} words but has a vocabulary "
            f"of {vocabulary:,}. {_REPAIR}"
        )
    try:
        tensors = load(weights)
        network = build_network(settings)
        network.load_state_dict(tensors)
    except (SafetensorError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"The weights of model {folder.name} do not fit its network ({reason}). {_REPAIR}"
        ) from error
    return network.eval()


def _read(path: Path, limit: int) -> bytes:
    model = path.parent.name
    try:
        if path.stat().st_size > limit:
            raise CheckpointError(
                f"{path.name} of model {model} is over {limit:,} bytes: no model of ours. {_REPAIR}"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"Model {model} has no {path.name}. {_REPAIR}") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}. {_REPAIR}") from error


def _versions() -> dict[str, str]:
    versions = {"python": sys.version.split()[0]}
    for package in ("torch", "music21", "safetensors"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


_REPAIR = "Train the model again, or restore its folder from where it came."
