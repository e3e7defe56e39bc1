"""Checkpoint folders: ``weights.safetensors`` and ``model.json``, written and verified.

Nothing in a model folder is ever executed: weights are safetensors, everything else is JSON.
Weights and vocabulary are tied to the JSON by their SHA-256, because a flipped bit or a vocabulary
of another model would load without complaint and play nonsense. The JSON is tied to itself: its
``card_sha256`` is that of all the rest.

Every family writes the same folder: `save_checkpoint` takes its tensors and words and
`read_checkpoint` gives them back, all verified.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from dj_core.errors import CheckpointError
from dj_core.files.storage import sha256_of, write_bytes_atomic, write_json_atomic
from dj_core.host.limits import LIMITS
from dj_core.product import PRODUCT_FOLDER

SHIPPED_MODELS = PRODUCT_FOLDER / "models"  # what the product comes with
FORMAT = 1
WEIGHTS_NAME, CARD_NAME = "weights.safetensors", "model.json"
PREVIOUS_NAME = "previous.safetensors"  # there while a model is being replaced
MAX_CARD_BYTES, MAX_WEIGHTS_BYTES = LIMITS.card_bytes, LIMITS.weights_bytes
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
    "card_sha256": str,
}
REPAIR = "Train the model again, or restore its folder from where it came."


@dataclass(frozen=True)
class ModelFacts:
    """What a checkpoint knows of its making.

    Attributes:
        preset: the training preset's name.
        corpora: names of the corpora it was trained on.
        settings: every training setting, JSON-able.
        results: losses and accuracies, JSON-able.
        label: what a DJ reads; '' for the folder's name.
        start_notes: (name, number of songs that begin so), the most frequent first; of models
            that write notes.
    """

    preset: str
    corpora: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    start_notes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class StoredModel:
    """A model folder as read, all verified.

    Attributes:
        card: its model.json.
        facts: of its making.
        tensors: finite numbers, by name.
        weights_sha256: of the file of tensors.
    """

    card: dict[str, Any]
    facts: ModelFacts
    tensors: dict[str, np.ndarray]
    weights_sha256: str


def save_checkpoint(
    folder: Path,
    family: str,
    tensors: Mapping[str, np.ndarray],
    facts: ModelFacts,
    *,
    network: dict[str, Any],
    genres: Sequence[str] = (),
    tokenizer: dict[str, Any] | None = None,
    vocabulary: Sequence[str] = (),
) -> None:
    """Write a model folder, replacing the model in it; see `write_model`.

    Args:
        folder: made if need be.
        family: a name in the table of families.
        tensors: weights, and tables that belong to them.
        facts: of its making.
        network: the network's settings, JSON-able.
        genres: what the model can be asked for, by name.
        tokenizer: the tokenizer's settings, JSON-able.
        vocabulary: its words, in the order of their ids.

    Raises:
        LibraryError: the folder cannot be written.
    """
    from safetensors.numpy import save

    weights = save({name: np.ascontiguousarray(part) for name, part in tensors.items()})
    versions = {"python": sys.version.split()[0]}
    for package in ("torch", "music21", "safetensors"):
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    card = {
        "format": FORMAT,
        "family": family,
        "label": facts.label,
        "preset": facts.preset,
        "network": network,
        "tokenizer": tokenizer or {},
        "vocabulary": list(vocabulary),
        "vocabulary_sha256": vocabulary_sha256(vocabulary),
        "weights_sha256": sha256_of(weights),
        "weights_bytes": len(weights),
        "corpora": list(facts.corpora),
        "genres": [genre for genre in genres if genre],
        "start_notes": [list(start) for start in facts.start_notes],
        "settings": facts.settings,
        "results": facts.results,
        "created": versions,
    }
    write_model(folder, weights, card)


def read_checkpoint(
    folder: Path, family: str, vocabulary: Sequence[str] | None = None
) -> StoredModel:
    """A model folder of a family.

    Args:
        folder: of the model.
        family: which it must be of.
        vocabulary: the words it must have, for a family with words of its own.

    Raises:
        CheckpointError: a file is missing, cut short, altered, of another family or vocabulary.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    card, content = read_model(folder, family)
    if card["vocabulary_sha256"] != vocabulary_sha256(card["vocabulary"]) or (
        vocabulary is not None and card["vocabulary"] != list(vocabulary)
    ):
        raise CheckpointError(
            f"The vocabulary of model {folder.name} is not the one its weights were trained with, "
            f"or not this version's. {REPAIR}"
        )
    try:
        start_notes = tuple((str(name), int(count)) for name, count in card["start_notes"])
        tensors = load(content)
        for name, tensor in tensors.items():
            if np.iscomplexobj(tensor) or not np.isfinite(tensor).all():
                raise ValueError(f"{name} is not finite")
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise misfit(folder, error) from error
    facts = ModelFacts(
        preset=card["preset"],
        corpora=tuple(card["corpora"]),
        settings=card["settings"],
        results=card["results"],
        label=card["label"],
        start_notes=start_notes,
    )
    return StoredModel(card, facts, tensors, card["weights_sha256"])


def fitting(
    tensors: Mapping[str, np.ndarray], prefix: str, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """The weights behind `prefix`, as 32-bit floats. Raises ValueError where they do not fit."""
    found = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    for name in sorted(found.keys() ^ shapes.keys()):
        raise ValueError(f"{name} is {'missing' if name in shapes else 'unknown'}")
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise ValueError(f"{name} has the shape {found[name].shape}, not {shape}")
    return {name: part.astype(np.float32) for name, part in found.items()}


def misfit(folder: Path, error: Exception) -> CheckpointError:
    """The error for weights or settings that are not those of a network of ours."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return CheckpointError(
        f"The weights of model {folder.name} do not fit its network ({reason}). {REPAIR}"
    )


def vocabulary_sha256(words: Sequence[str]) -> str:
    """The hash of a vocabulary, its words in order."""
    return sha256_of("\n".join(words).encode())


def write_model(folder: Path, weights: bytes, card: dict[str, Any]) -> None:
    """Write weights and card. Whenever this ends, a whole model is there: this or the one before.

    The weights of the model before are kept under a second name until the card is replaced too.
    Raises LibraryError.
    """
    # where there is no model, or none that could be loaded, or an earlier save was cut short (what
    # that one kept is still what counts), nothing is kept
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        told = json.loads((folder / CARD_NAME).read_bytes())["weights_sha256"]
        if sha256_of(before := (folder / WEIGHTS_NAME).read_bytes()) == told:
            write_bytes_atomic(folder / PREVIOUS_NAME, before)
    write_bytes_atomic(folder / WEIGHTS_NAME, weights)
    write_card(folder, card)
    (folder / PREVIOUS_NAME).unlink(missing_ok=True)


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write a model folder's card, tied to its own content. Raises LibraryError."""
    rest = {name: value for name, value in card.items() if name != "card_sha256"}
    write_json_atomic(folder / CARD_NAME, {**rest, "card_sha256": _card_sha256(rest)})


def read_card(folder: Path) -> dict[str, Any]:
    """A model folder's card, checked for form; the weights are only seen to be there.

    Raises:
        CheckpointError: a missing file, no JSON, a card of another kind or version, or altered.
    """
    content = _read(folder / CARD_NAME, MAX_CARD_BYTES)
    try:
        card = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{CARD_NAME} of model {folder.name} is damaged ({error}). {REPAIR}"
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
                f"(got {str(card.get(key))[:40]!r}). {REPAIR}"
            )
    rest = {name: value for name, value in card.items() if name != "card_sha256"}
    if card.keys() - _CARD_TYPES.keys() or card["card_sha256"] != _card_sha256(rest):
        raise CheckpointError(
            f"{CARD_NAME} of model {folder.name} was altered: what it says is not what was written "
            f"when the model was made. {REPAIR}"
        )
    for key in ("corpora", "genres", "vocabulary"):
        if not all(isinstance(word, str) for word in card[key]):
            raise CheckpointError(
                f"{CARD_NAME} of model {folder.name} has {key!r} that are no words. {REPAIR}"
            )
    sizes = [path.stat().st_size for path in _weights_files(folder)]
    if card["weights_bytes"] not in sizes:
        have = f"has {sizes[0]:,} bytes" if sizes else "is missing"
        raise CheckpointError(
            f"{WEIGHTS_NAME} of model {folder.name} {have}; {card['weights_bytes']:,} bytes are "
            f"expected. {REPAIR}"
        )
    return card


def read_model(folder: Path, family: str) -> tuple[dict[str, Any], bytes]:
    """Card and weights of a model folder of a family, both as they were written.

    A training run may be between writing the one and the other: what does not fit is looked at
    once more.

    Raises:
        CheckpointError: a file is missing, cut short, altered, or of another family.
    """
    try:
        return _read_model(folder, family)
    except CheckpointError:
        time.sleep(SECONDS_TO_RETRY)
        return _read_model(folder, family)


def _read_model(folder: Path, family: str) -> tuple[dict[str, Any], bytes]:
    card = read_card(folder)
    if card["family"] != family:
        raise CheckpointError(
            f"Model {folder.name} is of family {card['family']!r}, not {family!r}. "
            "Choose another model, or update Digital DJ."
        )
    for path in _weights_files(folder):
        content = _read(path, MAX_WEIGHTS_BYTES)
        if sha256_of(content) == card["weights_sha256"]:
            return card, content
    raise CheckpointError(
        f"{WEIGHTS_NAME} of model {folder.name} was altered: its SHA-256 is not the one in "
        f"{CARD_NAME}. {REPAIR}"
    )


def _weights_files(folder: Path) -> list[Path]:
    """The weights, and those of the model before where a save did not come to its end."""
    return [path for name in (WEIGHTS_NAME, PREVIOUS_NAME) if (path := folder / name).is_file()]


def _card_sha256(rest: dict[str, Any]) -> str:
    return sha256_of(json.dumps(rest, sort_keys=True).encode())


def _read(path: Path, limit: int) -> bytes:
    model = path.parent.name
    try:
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path.name} of model {model} is no file. {REPAIR}")
        if path.stat().st_size > limit:
            raise CheckpointError(
                f"{path.name} of model {model} is over {limit:,} bytes: no model of ours. {REPAIR}"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"Model {model} has no {path.name}. {REPAIR}") from None
    except OSError as error:
        raise CheckpointError(
            f"{path.name} of model {model} cannot be read: {error.strerror}. {REPAIR}"
        ) from error
