"""The model folder of the humanizer family: the network and the frequencies of its tokens."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dj_core.errors import TrainingError
from dj_core.host.extras import require
from dj_core.models.checkpoint import ModelFacts, fitting, misfit, read_checkpoint, save_checkpoint
from dj_core.models.humanizer.humanizer_shape import HumanizerSettings, weight_shapes
from dj_core.models.humanizer.performances import Alphabet
from dj_core.models.network_weights import weights_of

if TYPE_CHECKING:
    from dj_core.models.humanizer.humanizer_network import HumanizerNetwork

FAMILY = "humanizer"
_WEIGHTS, _ALPHABET = "network.", "alphabet."


@dataclass(frozen=True)
class HumanizerCheckpoint:
    """A humaniser as loaded.

    Attributes:
        settings, weights: of its network; 32-bit floats by name.
        alphabet: velocities and offsets within their bins.
        weights_sha256: of the file.
    """

    settings: HumanizerSettings
    weights: dict[str, np.ndarray]
    alphabet: Alphabet
    weights_sha256: str

    @cached_property
    def network(self) -> HumanizerNetwork:
        """The network as it was trained, in evaluation mode; playing does without. Needs torch."""
        require("torch")
        import torch

        from dj_core.models.humanizer.humanizer_network import build_network

        network = build_network(self.settings)
        network.load_state_dict({name: torch.from_numpy(w) for name, w in self.weights.items()})
        return network.eval()


def save_humanizer(
    folder: Path, network: HumanizerNetwork, alphabet: Alphabet, facts: ModelFacts
) -> None:
    """Write a model folder, replacing the model in it. Raises LibraryError."""

    tensors = {_WEIGHTS + name: w.astype(np.float16) for name, w in weights_of(network).items()}
    tensors |= {_ALPHABET + name: part.astype(np.float32) for name, part in vars(alphabet).items()}
    save_checkpoint(
        folder,
        FAMILY,
        tensors,
        facts,
        network=asdict(network.settings),
        genres=network.settings.genres,
    )


def load_humanizer_checkpoint(folder: Path) -> HumanizerCheckpoint:
    """The model in `folder`, everything about it verified. Raises CheckpointError."""
    stored = read_checkpoint(folder, FAMILY)
    try:
        settings = HumanizerSettings(**stored.card["network"])
        weights = fitting(stored.tensors, _WEIGHTS, weight_shapes(settings))
        tables = {
            name.removeprefix(_ALPHABET): part.astype(np.float64)
            for name, part in stored.tensors.items()
            if name.startswith(_ALPHABET)
        }
        alphabet = Alphabet(**tables)
        for name, usual in vars(Alphabet.of(())).items():  # chances of another shape, or none
            if tables[name].shape != usual.shape or tables[name].min() < 0:
                raise ValueError(f"its {name} have the shape {tables[name].shape}")
    except (TrainingError, TypeError, ValueError) as error:
        raise misfit(folder, error) from error
    return HumanizerCheckpoint(settings, weights, alphabet, stored.weights_sha256)
