"""The model folder of the humanizer family: the network and the frequencies of its tokens."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dj_core.errors import TrainingError
from dj_core.models.checkpoint import ModelFacts, misfit, read_checkpoint, save_checkpoint
from dj_core.models.humanizer.performances import Alphabet

if TYPE_CHECKING:
    from dj_core.models.humanizer.humanizer_network import HumanizerNetwork

FAMILY = "humanizer"
_WEIGHTS, _ALPHABET = "network.", "alphabet."


def save_humanizer(
    folder: Path, network: HumanizerNetwork, alphabet: Alphabet, facts: ModelFacts
) -> None:
    """Write a model folder, replacing the model in it. Raises LibraryError."""
    import torch

    tensors = {
        _WEIGHTS + name: weight.detach().to(torch.float16)
        for name, weight in network.state_dict().items()
    }
    for name, table in vars(alphabet).items():
        tensors[_ALPHABET + name] = torch.from_numpy(table.astype(np.float32))
    save_checkpoint(
        folder,
        FAMILY,
        tensors,
        facts,
        network=asdict(network.settings),
        genres=network.settings.genres,
    )


def load_humanizer_parts(folder: Path) -> tuple[HumanizerNetwork, Alphabet, dict[str, Any]]:
    """Network, alphabet and card of the model in `folder`, all verified. Raises CheckpointError."""
    from dj_core.models.humanizer.humanizer_network import HumanizerSettings, build_network

    stored = read_checkpoint(folder, FAMILY)
    try:
        network = build_network(HumanizerSettings(**stored.card["network"]))
        parts: dict[str, dict[str, Any]] = {_WEIGHTS: {}, _ALPHABET: {}}
        for name, tensor in stored.tensors.items():
            for prefix, part in parts.items():
                if name.startswith(prefix):
                    part[name.removeprefix(prefix)] = tensor
        network.load_state_dict({name: part.float() for name, part in parts[_WEIGHTS].items()})
        tables = {name: part.double().numpy() for name, part in parts[_ALPHABET].items()}
        alphabet = Alphabet(**tables)
        for name, usual in vars(Alphabet.of(())).items():  # chances of another shape, or none
            if tables[name].shape != usual.shape or tables[name].min() < 0:
                raise ValueError(f"its {name} have the shape {tables[name].shape}")
    except (TrainingError, TypeError, RuntimeError, ValueError) as error:
        raise misfit(folder, error) from error
    return network.eval(), alphabet, stored.card
