"""The model folder of the groove family: the network (as 16-bit floats) and its style tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dj_core.errors import CheckpointError, TrainingError
from dj_core.host.extras import require
from dj_core.models.checkpoint import (
    REPAIR,
    ModelFacts,
    fitting,
    misfit,
    read_checkpoint,
    save_checkpoint,
)
from dj_core.models.groove.groove_shape import GrooveSettings, weight_shapes
from dj_core.models.groove.style_tables import Tables, are_whole
from dj_core.models.network_weights import weights_of
from dj_core.music import step_grid
from dj_core.music.drums import DRUMS

if TYPE_CHECKING:
    from dj_core.models.groove.groove_network import GrooveNetwork

FAMILY = "groove"
_WEIGHTS, _TABLES = "network.", "tables."


@dataclass(frozen=True)
class GrooveCheckpoint:
    """A groove model as loaded.

    Attributes:
        settings, weights: of its network; 32-bit floats by name.
        tables: the styles it plays in.
        weights_sha256: of the file; '' for a network that is still being trained.
    """

    settings: GrooveSettings
    weights: dict[str, np.ndarray]
    tables: Tables
    facts: ModelFacts
    weights_sha256: str

    @classmethod
    def of(
        cls, network: GrooveNetwork, tables: Tables, facts: ModelFacts, sha256: str = ""
    ) -> GrooveCheckpoint:
        """A network's weights as they are now."""

        return cls(network.settings, weights_of(network), tables, facts, sha256)

    @cached_property
    def network(self) -> GrooveNetwork:
        """The network as it was trained, in evaluation mode; playing does without. Needs torch."""
        require("torch")
        import torch

        from dj_core.models.groove.groove_network import build_network

        network = build_network(self.settings)
        network.load_state_dict({name: torch.from_numpy(w) for name, w in self.weights.items()})
        return network.eval()


def vocabulary() -> tuple[str, ...]:
    """The tokens a stroke is made of, in words."""
    return (
        *(f"lane {drum.name}" for drum in DRUMS),
        *(f"velocity {step_grid.velocities_of_bin(b)[-1]}" for b in range(step_grid.VELOCITY_BINS)),
        *(f"offset {offset - step_grid.MAX_OFFSET}" for offset in range(step_grid.OFFSETS)),
    )


def save_groove_model(
    folder: Path, network: GrooveNetwork, tables: Tables, facts: ModelFacts
) -> None:
    """Write a model folder, replacing the model in it. Raises LibraryError."""

    tensors = {_WEIGHTS + name: w.astype(np.float16) for name, w in weights_of(network).items()}
    tensors |= {_TABLES + name: table for name, table in vars(tables).items()}
    save_checkpoint(
        folder,
        FAMILY,
        tensors,
        facts,
        network=asdict(network.settings),
        genres=network.settings.genres,
        tokenizer={"version": step_grid.VERSION, "ticks_per_quarter": step_grid.TICKS_PER_QUARTER},
        vocabulary=vocabulary(),
    )


def load_groove_model(folder: Path) -> GrooveCheckpoint:
    """The model in `folder`, everything about it verified.

    Raises:
        CheckpointError: a file is missing, cut short, altered, of another family or of a shape
            this version does not know.
    """
    stored = read_checkpoint(folder, FAMILY, vocabulary())
    try:
        settings = GrooveSettings(**stored.card["network"])
        weights = fitting(stored.tensors, _WEIGHTS, weight_shapes(settings))
        tables = Tables(
            **{
                name.removeprefix(_TABLES): table
                for name, table in stored.tensors.items()
                if name.startswith(_TABLES)
            }
        )
    except (TrainingError, TypeError, ValueError) as error:
        raise misfit(folder, error) from error
    if not are_whole(tables, len(settings.genres)):
        raise CheckpointError(f"Model {folder.name} has no styles to play in. {REPAIR}")
    return GrooveCheckpoint(settings, weights, tables, stored.facts, stored.weights_sha256)
