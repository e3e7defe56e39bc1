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
        network.load_state_dict(
            {
                name.removeprefix(_WEIGHTS): weight.float()
                for name, weight in stored.tensors.items()
                if name.startswith(_WEIGHTS)
            }
        )
        alphabet = Alphabet(
            **{
                name.removeprefix(_ALPHABET): table.double().numpy()
                for name, table in stored.tensors.items()
                if name.startswith(_ALPHABET)
            }
        )
        _check_alphabet(alphabet)
    except (TrainingError, TypeError, RuntimeError, ValueError) as error:
        raise misfit(folder, error) from error
    return network.eval(), alphabet, stored.card


def _check_alphabet(alphabet: Alphabet) -> None:
    """Refuse chances of another shape, or that are none. Raises ValueError."""
    for name, usual in vars(Alphabet.of(())).items():
        table = getattr(alphabet, name)
        if table.shape != usual.shape or table.min() < 0:
            raise ValueError(f"its {name} have the shape {table.shape}")
