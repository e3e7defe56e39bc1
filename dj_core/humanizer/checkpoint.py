"""The humaniser's model folder: ``weights.safetensors`` and ``model.json``; nothing is executed."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dj_core.checkpoint import (
    FORMAT,
    check_finite,
    read_model,
    write_model,
)
from dj_core.errors import CheckpointError, TrainingError
from dj_core.humanizer.material import Alphabet
from dj_core.storage import sha256_of

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
    write_model(folder, content, card)


def load_humanizer_parts(folder: Path) -> tuple[HumanizerNetwork, Alphabet, dict[str, Any]]:
    """Network, alphabet and card of the model in `folder`, all verified. Raises CheckpointError."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    from dj_core.humanizer.network import HumanizerSettings, build_network

    card, content = read_model(folder, FAMILY)
    try:
        network = build_network(HumanizerSettings(**card["network"]))
        tensors = load(content)
        check_finite(tensors)
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
        alphabet = Alphabet(**tables)
        _check_alphabet(alphabet)
        return network.eval(), alphabet, card
    except (TrainingError, SafetensorError, TypeError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"The weights of model {folder.name} do not fit its network "
            f"({str(error).splitlines()[0]}). {_REPAIR}"
        ) from error


def _check_alphabet(alphabet: Alphabet) -> None:
    """Refuse chances of another shape, or that are none. Raises ValueError."""
    for name, usual in vars(Alphabet.of(())).items():
        table = getattr(alphabet, name)
        if table.shape != usual.shape or table.min() < 0:
            raise ValueError(f"its {name} have the shape {table.shape}")
