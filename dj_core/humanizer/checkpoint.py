"""The humaniser's model folder: ``weights.safetensors`` and ``model.json``; nothing is executed."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dj_core.checkpoint import CARD_NAME, FORMAT, MAX_WEIGHTS_BYTES, WEIGHTS_NAME, read_card
from dj_core.errors import CheckpointError, TrainingError
from dj_core.humanizer.material import Alphabet
from dj_core.storage import sha256_of, write_bytes_atomic, write_json_atomic

if TYPE_CHECKING:
    from dj_core.humanizer.network import HumanizerNetwork

FAMILY = "humanizer"
PRESET = "humanizer"
_WEIGHTS, _ALPHABET = "network.", "alphabet."
_REPAIR = "Restore its folder from where it came."


@dataclass(frozen=True)
class HumanizerFacts:
    """What a humaniser knows of its making; settings and results are JSON-able."""

    corpora: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)


def save_humanizer(
    folder: Path, network: HumanizerNetwork, alphabet: Alphabet, facts: HumanizerFacts
) -> None:
    """Write a model folder, its card last. Raises LibraryError."""
    import torch
    from safetensors.torch import save

    tensors = {
        _WEIGHTS + name: weight.detach().to(torch.float16).contiguous()
        for name, weight in network.state_dict().items()
    }
    for name, table in vars(alphabet).items():
        tensors[_ALPHABET + name] = torch.from_numpy(table.astype(np.float32))
    content = save(tensors)
    shape = asdict(network.settings)
    card = {
        "format": FORMAT,
        "family": FAMILY,
        "label": "Humaniser",
        "preset": PRESET,
        "network": shape,
        "tokenizer": {},
        "vocabulary": [],
        "vocabulary_sha256": sha256_of(b""),
        "weights_sha256": sha256_of(content),
        "weights_bytes": len(content),
        "corpora": list(facts.corpora),
        "genres": [genre for genre in shape["genres"] if genre],
        "start_notes": [],
        "settings": facts.settings,
        "results": facts.results,
        "created": {
            "python": sys.version.split()[0],
            "torch": version("torch"),
            "safetensors": version("safetensors"),
        },
    }
    write_bytes_atomic(folder / WEIGHTS_NAME, content)
    write_json_atomic(folder / CARD_NAME, card)


def load_humanizer_parts(folder: Path) -> tuple[HumanizerNetwork, Alphabet, dict[str, Any]]:
    """Network, alphabet and card of the model in `folder`, all verified. Raises CheckpointError."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    from dj_core.humanizer.network import HumanizerSettings, build_network

    card = read_card(folder)
    if card["family"] != FAMILY:
        raise CheckpointError(
            f"Model {folder.name} is of family {card['family']!r}, not {FAMILY!r}. {_REPAIR}"
        )
    content = _read_weights(folder)
    if sha256_of(content) != card["weights_sha256"]:
        raise CheckpointError(
            f"{WEIGHTS_NAME} of model {folder.name} was altered: its SHA-256 is not the one in "
            f"{CARD_NAME}. {_REPAIR}"
        )
    try:
        network = build_network(HumanizerSettings(**card["network"]))
        tensors = load(content)
        network.load_state_dict(
            {
                name.removeprefix(_WEIGHTS): weight.float()
                for name, weight in tensors.items()
                if name.startswith(_WEIGHTS)
            }
        )
        tables = {
            name.removeprefix(_ALPHABET): table.double().numpy()
            for name, table in tensors.items()
            if name.startswith(_ALPHABET)
        }
        return network.eval(), Alphabet(**tables), card
    except (TrainingError, SafetensorError, TypeError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"The weights of model {folder.name} do not fit its network "
            f"({str(error).splitlines()[0]}). {_REPAIR}"
        ) from error


def _read_weights(folder: Path) -> bytes:
    path = folder / WEIGHTS_NAME
    try:
        if path.stat().st_size > MAX_WEIGHTS_BYTES:
            raise CheckpointError(f"{path} is too large to be a model of ours. {_REPAIR}")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}. {_REPAIR}") from error
