"""Model folders of the groove family: ``weights.safetensors`` and ``model.json``.

Beside the network's weights (as 16-bit floats) lie the tables that takes are drawn from: the
styles of the training clips and how often each genre used each velocity. Nothing is executed.
"""

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
from dj_core.drums import DRUMS
from dj_core.errors import CheckpointError, TrainingError
from dj_core.groove.batches import LEVELS, Scale
from dj_core.groove.clips import KINDS, ClipSet
from dj_core.groove.style import STYLE_SIZE, StyleSums
from dj_core.storage import sha256_of
from dj_core.tokenizers import groove

if TYPE_CHECKING:
    from dj_core.groove.network import GrooveNetwork

FAMILY = "groove"
STYLE_BARS = (4, 16)
"""Styles are read off stretches of so many bars: short ones differ more, as short takes should."""
_WEIGHTS = "network."
_TABLES = "tables."
_REPAIR = "Train the model again, or restore its folder from where it came."


@dataclass(frozen=True)
class Tables:
    """What takes are drawn from beside the network; arrays.

    Attributes:
        mean, spread, density, loudness: the `Scale` of styles.
        styles: scaled styles of stretches of training clips, (n, STYLE_SIZE).
        genre: per style, index among the network's genres.
        tempo_bpm: per style; 0 where the file had none.
        meter, kind: per style, indices in `METERS` and `clips.KINDS`.
        fine: per style, share of strokes that lie anywhere between two 96ths of a quarter.
        bars: per style, which of `STYLE_BARS` it was read off (at most).
        velocities: how often a genre (row) used a velocity (column, 1 to 127; column 0 is empty).
        lean: what to take off a played style, see `leaning`, (STYLE_SIZE).
    """

    mean: np.ndarray
    spread: np.ndarray
    density: np.ndarray
    loudness: np.ndarray
    styles: np.ndarray
    genre: np.ndarray
    tempo_bpm: np.ndarray
    meter: np.ndarray
    kind: np.ndarray
    fine: np.ndarray
    bars: np.ndarray
    velocities: np.ndarray
    lean: np.ndarray = field(default_factory=lambda: np.zeros(STYLE_SIZE, np.float32))

    @property
    def scale(self) -> Scale:
        """The scale the styles are on."""
        return Scale(self.mean, self.spread, self.density, self.loudness)


def stretches(clips: ClipSet, bars: int) -> np.ndarray:
    """Clip, first step and end (rows) of every stretch of `bars` bars, shorter in short clips.

    What is left at the end of a clip counts where it is at least half as long.
    """
    parts = []
    for clip, (start, end, bar) in enumerate(
        zip(clips.starts[:-1], clips.starts[1:], clips.bar_steps, strict=True)
    ):
        first = np.arange(start, end, bar * bars)
        last = np.minimum(first + bar * bars, end)
        kept = (last - first >= bar * bars / 2) | (first == start)
        parts.append(np.stack([np.full(len(first), clip), first, last])[:, kept])
    return np.concatenate(parts, axis=1)


def make_tables(clips: ClipSet, sums: StyleSums, scale: Scale | None = None) -> Tables:
    """The tables of a training set; on a network's own `scale` where it has one already."""
    parts = [stretches(clips, bars) for bars in STYLE_BARS]
    clip, first, end = np.concatenate(parts, axis=1)
    bars = np.repeat(STYLE_BARS, [part.shape[1] for part in parts])
    styles = sums.between(first, end)
    scale = scale or Scale.of(styles)
    velocities = np.zeros((len(clips.genres), groove.MAX_VELOCITY + 1))
    np.add.at(velocities, clips.genre, [clip.velocities for clip in clips.clips])
    return Tables(
        mean=scale.mean.astype(np.float32),
        spread=scale.spread.astype(np.float32),
        density=scale.density.astype(np.float32),
        loudness=scale.loudness.astype(np.float32),
        styles=scale.scaled(styles).astype(np.float16),
        genre=clips.genre[clip].astype(np.int16),
        tempo_bpm=clips.tempo_bpm[clip].astype(np.float32),
        meter=clips.meter[clip].astype(np.int8),
        kind=clips.kind[clip].astype(np.int8),
        fine=clips.fine[clip].astype(np.float32),
        bars=bars.astype(np.int16),
        velocities=velocities.astype(np.float32),
    )


@dataclass(frozen=True)
class GrooveFacts:
    """What a checkpoint knows of its making.

    Attributes:
        preset: the training preset's name.
        corpora: names of the corpora it learned from.
        settings, results: JSON-able.
        label: what a DJ reads; '' for the folder's name.
    """

    preset: str
    corpora: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    label: str = ""


@dataclass(frozen=True)
class GrooveCheckpoint:
    """A groove model as loaded, its network ready to play."""

    network: GrooveNetwork
    tables: Tables
    facts: GrooveFacts
    weights_sha256: str


def vocabulary() -> tuple[str, ...]:
    """The tokens a stroke is made of, in words."""
    return (
        *(f"lane {drum.name}" for drum in DRUMS),
        *(f"velocity {groove.velocities_of_bin(b)[-1]}" for b in range(groove.VELOCITY_BINS)),
        *(f"offset {offset - groove.MAX_OFFSET}" for offset in range(groove.OFFSETS)),
    )


def save_checkpoint(
    folder: Path, network: GrooveNetwork, tables: Tables, facts: GrooveFacts
) -> None:
    """Write a model folder, replacing the model in it; the card goes last. Raises LibraryError."""
    import torch
    from safetensors.torch import save

    tensors = {
        _WEIGHTS + name: weight.detach().to(torch.float16).contiguous()
        for name, weight in network.state_dict().items()
    }
    for name, table in vars(tables).items():
        tensors[_TABLES + name] = torch.from_numpy(np.ascontiguousarray(table))
    weights = save(tensors)
    words = list(vocabulary())
    network_settings = asdict(network.settings)
    card = {
        "format": FORMAT,
        "family": FAMILY,
        "label": facts.label,
        "preset": facts.preset,
        "network": network_settings,
        "tokenizer": {"version": groove.VERSION, "ticks_per_quarter": groove.TICKS_PER_QUARTER},
        "vocabulary": words,
        "vocabulary_sha256": _words_sha256(words),
        "weights_sha256": sha256_of(weights),
        "weights_bytes": len(weights),
        "corpora": list(facts.corpora),
        "genres": [genre for genre in network_settings["genres"] if genre],
        "start_notes": [],
        "settings": facts.settings,
        "results": facts.results,
        "created": {
            "python": sys.version.split()[0],
            "torch": version("torch"),
            "safetensors": version("safetensors"),
        },
    }
    write_model(folder, weights, card)


def load_checkpoint(folder: Path) -> GrooveCheckpoint:
    """The model in `folder`, everything about it verified, its network in evaluation mode.

    Raises:
        CheckpointError: a file is missing, cut short, altered, of another family or of a shape
            this version does not know.
    """
    card, content = read_model(folder, FAMILY)
    words = list(vocabulary())
    if card["vocabulary"] != words or card["vocabulary_sha256"] != _words_sha256(words):
        raise CheckpointError(
            f"The vocabulary of model {folder.name} is not this version's (groove tokens version "
            f"{groove.VERSION}; the model has {card['tokenizer'].get('version')!r}). {_REPAIR}"
        )
    network, tables = _build(folder, card["network"], content)
    facts = GrooveFacts(
        preset=card["preset"],
        corpora=tuple(map(str, card["corpora"])),
        settings=card["settings"],
        results=card["results"],
        label=card["label"],
    )
    return GrooveCheckpoint(network, tables, facts, card["weights_sha256"])


def _build(folder: Path, settings: dict[str, Any], content: bytes) -> tuple[GrooveNetwork, Tables]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    from dj_core.groove.network import GrooveSettings, build_network

    try:
        network = build_network(GrooveSettings(**settings))
        tensors = load(content)
        check_finite(tensors)
        network.load_state_dict(
            {
                name.removeprefix(_WEIGHTS): weight.float()
                for name, weight in tensors.items()
                if name.startswith(_WEIGHTS)
            }
        )
        tables = Tables(
            **{
                name.removeprefix(_TABLES): table.numpy()
                for name, table in tensors.items()
                if name.startswith(_TABLES)
            }
        )
    except (TrainingError, SafetensorError, TypeError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"The weights of model {folder.name} do not fit its network "
            f"({str(error).splitlines()[0]}). {_REPAIR}"
        ) from error
    if not _fits(tables, len(network.settings.genres)):
        raise CheckpointError(f"Model {folder.name} has no styles to play in. {_REPAIR}")
    return network.eval(), tables


def _fits(tables: Tables, genres: int) -> bool:
    """Whether every table has its shape, and what counts into other tables stays inside them."""
    styles = len(tables.styles)
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (STYLE_SIZE,),
        "spread": (STYLE_SIZE,),
        "lean": (STYLE_SIZE,),
        "density": (LEVELS - 1,),
        "loudness": (LEVELS - 1,),
        "styles": (styles, STYLE_SIZE),
        "velocities": (genres, groove.MAX_VELOCITY + 1),
    }
    if not styles or any(
        table.shape != shapes.get(name, (styles,)) for name, table in vars(tables).items()
    ):
        return False
    ends = {"genre": genres, "meter": len(groove.METERS), "kind": len(KINDS)}
    counted = all(
        getattr(tables, name).dtype.kind == "i"
        and getattr(tables, name).min() >= 0
        and getattr(tables, name).max() < end
        for name, end in ends.items()
    )
    return counted and bool((tables.spread > 0).all() and (tables.velocities >= 0).all())


def _words_sha256(words: list[str]) -> str:
    return sha256_of("\n".join(words).encode())
