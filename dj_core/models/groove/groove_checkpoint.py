"""The model folder of the groove family: the network (as 16-bit floats) and its style tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dj_core.errors import CheckpointError, TrainingError
from dj_core.models.checkpoint import (
    REPAIR,
    ModelFacts,
    misfit,
    read_checkpoint,
    save_checkpoint,
)
from dj_core.models.groove.style_tables import Tables, are_whole
from dj_core.music import step_grid
from dj_core.music.drums import DRUMS

if TYPE_CHECKING:
    from dj_core.models.groove.groove_network import GrooveNetwork

FAMILY = "groove"
_WEIGHTS, _TABLES = "network.", "tables."


@dataclass(frozen=True)
class GrooveCheckpoint:
    """A groove model as loaded, its network ready to play."""

    network: GrooveNetwork
    tables: Tables
    facts: ModelFacts
    weights_sha256: str


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
    import torch

    tensors = {
        _WEIGHTS + name: weight.detach().to(torch.float16)
        for name, weight in network.state_dict().items()
    }
    for name, table in vars(tables).items():
        tensors[_TABLES + name] = torch.from_numpy(np.ascontiguousarray(table))
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
    """The model in `folder`, everything about it verified, its network in evaluation mode.

    Raises:
        CheckpointError: a file is missing, cut short, altered, of another family or of a shape
            this version does not know.
    """
    from dj_core.models.groove.groove_network import GrooveSettings, build_network

    stored = read_checkpoint(folder, FAMILY, vocabulary())
    try:
        network = build_network(GrooveSettings(**stored.card["network"]))
        network.load_state_dict(
            {
                name.removeprefix(_WEIGHTS): weight.float()
                for name, weight in stored.tensors.items()
                if name.startswith(_WEIGHTS)
            }
        )
        tables = Tables(
            **{
                name.removeprefix(_TABLES): table.numpy()
                for name, table in stored.tensors.items()
                if name.startswith(_TABLES)
            }
        )
    except (TrainingError, TypeError, RuntimeError, ValueError) as error:
        raise misfit(folder, error) from error
    if not are_whole(tables, len(network.settings.genres)):
        raise CheckpointError(f"Model {folder.name} has no styles to play in. {REPAIR}")
    return GrooveCheckpoint(network.eval(), tables, stored.facts, stored.weights_sha256)
