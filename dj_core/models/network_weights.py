"""A network's weights: how many there may be, the first ones, and as arrays by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dj_core.errors import TrainingError

if TYPE_CHECKING:
    from torch import nn

    Network = TypeVar("Network", bound=nn.Module)
    Settings = TypeVar("Settings")


def refuse_too_many(weights: int, most: int) -> None:
    """Raises TrainingError for more than ``most`` weights."""
    if weights > most:
        raise TrainingError(
            f"This network would have {weights:,} weights; at most {most:,} are allowed. "
            "Use fewer hidden units or layers."
        )


def with_first_weights(
    network: Callable[[Settings], Network], settings: Settings, seed: int | None
) -> Network:
    """A fresh network; the same seed draws the same weights. torch's random state is kept."""
    import torch

    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        return network(settings)


def weights_of(network: nn.Module) -> dict[str, np.ndarray]:
    """A network's weights as they are now, by name."""
    return {name: part.detach().cpu().numpy().copy() for name, part in network.state_dict().items()}
