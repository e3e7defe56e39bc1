"""Training of the humanizer family: presets, settings and the `Task` for the training loop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dj_core.corpus.store import Corpus
from dj_core.errors import TrainingError
from dj_core.files.storage import sha256_of
from dj_core.models.checkpoint import ModelFacts
from dj_core.models.distributed import Ranks
from dj_core.models.humanizer.humanizer_checkpoint import FAMILY, save_humanizer
from dj_core.models.humanizer.humanizer_shape import HumanizerSettings
from dj_core.models.humanizer.performances import (
    Alphabet,
    Batch,
    Performance,
    Stretches,
    folded,
    genres_of,
    performances,
    stacked,
)
from dj_core.models.trainer import Tally

if TYPE_CHECKING:
    from torch import Tensor

WARM_UP_STEPS = 50
LAST_LEARNING_RATE = 0.02  # share of the first
VALIDATION_BARS = 2  # as in the measurements
VALIDATION_STREAMS = 128


@dataclass(frozen=True)
class HumanizerTrainingSettings:
    """Everything that decides what a run of the humanizer family learns.

    Attributes:
        preset: name of the preset these settings started from.
        corpora: names of what is learned from.
        encoder, player, units, dropout: see `HumanizerSettings`.
        learning_rate: AdamW's, at its highest; it falls on half a cosine over all steps.
        weight_decay: decoupled.
        gradient_clip: largest gradient norm.
        steps_per_epoch, epochs: optimiser steps between validations, and how many times.
        patience: epochs without a better validation loss after which to stop; None for never.
        take_every_epochs: always 0: a humaniser plays nothing of its own.
        seed: decides the first weights, the stretches and the dropout.
        threads: CPU threads; another number gives slightly other weights.

    Raises:
        TrainingError: a value out of range.
    """

    preset: str = "humanizer"
    corpora: tuple[str, ...] = ()
    encoder: int = 112
    player: int = 160
    units: int = 128
    dropout: float = 0.25
    learning_rate: float = 0.003
    weight_decay: float = 0.02
    gradient_clip: float = 1.0
    steps_per_epoch: int = 100
    epochs: int = 13
    patience: int | None = None
    take_every_epochs: int = 0
    seed: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "corpora", tuple(self.corpora))  # JSON knows lists only
        for name in ("steps_per_epoch", "epochs", "threads"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise TrainingError(f"{name} is a whole number from 1 on; got {value!r}.")
        for name in ("learning_rate", "weight_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise TrainingError(f"{name} is 0 to 1; got {getattr(self, name)!r}.")


HUMANIZER_PRESETS = {"humanizer": HumanizerTrainingSettings()}


class HumanizerTask:
    """What the humanizer family adds to the training loop; see `trainer.Task`."""

    family = FAMILY
    last_stage, last_stage_steps = "", 0.0
    note = ""

    def __init__(
        self, settings: HumanizerTrainingSettings, corpora: Sequence[Corpus], ranks: Ranks
    ) -> None:
        """Raises TrainingError without one corpus of performances, or with several processes."""
        import torch

        from dj_core.models.humanizer.humanizer_network import build_network

        if len(corpora) != 1:
            raise TrainingError(
                f"A humaniser learns from one corpus of played performances; got {len(corpora)}."
            )
        if ranks.count > 1:
            raise TrainingError("A humaniser trains in one process. Start it without torchrun.")
        self.settings, (self.corpus,) = settings, corpora
        train = performances(self.corpus, "train")
        genres = genres_of(train)
        self.validation = tuple(_windows(performances(self.corpus, "validation"), genres))
        files = [file for file in self.corpus.files if file.split == "train"]
        self.alphabet = Alphabet.of(self.corpus.beat(file) for file in files)
        self.material_sha256 = sha256_of(repr([file.id for file in files]).encode())
        self.generator = np.random.default_rng(settings.seed)
        self.stretches = Stretches(train, genres, self.generator)
        shape = HumanizerSettings(
            genres, settings.encoder, settings.player, settings.units, settings.dropout
        )
        self.network = build_network(shape, settings.seed)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._parts = np.zeros(5)  # nats of the four parts and hits, of this epoch

    def steps(self, epoch: int) -> int:
        """Optimiser steps between validations."""
        return self.settings.steps_per_epoch

    def learning_rate(self, epoch: int, step: int) -> float:
        """A short rise, then half a cosine down."""
        settings = self.settings
        done = (epoch - 1) * settings.steps_per_epoch + step
        share = min(done / (settings.epochs * settings.steps_per_epoch), 1.0)
        cosine = (1 + math.cos(math.pi * share)) / 2
        rate = LAST_LEARNING_RATE + (1 - LAST_LEARNING_RATE) * cosine
        return settings.learning_rate * min(1.0, (done + 1) / WARM_UP_STEPS) * rate

    def loss(self, epoch: int, step: int) -> tuple[Tensor, Tally]:
        """Nats a hit over the next stretches: on average and as played, velocity and offset."""
        import torch

        from dj_core.models.humanizer.humanizer_network import nats_of

        done = (epoch - 1) * self.settings.steps_per_epoch + step
        batch = self.stretches.next_batch()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed * 1_000_003 + done)
            average, played, hits = nats_of(self.network, batch, self.generator)
        loss = (average.sum() + played.sum()) / hits
        if step == 0:
            self._parts = np.zeros(5)
        self._parts += (*average.tolist(), *played.tolist(), hits)
        return loss, Tally(loss.item() * hits, 0.0, hits)

    def validate(self) -> dict[str, float]:
        """Nats a hit over windows of two bars: the sum, and its four parts."""
        import torch

        from dj_core.models.humanizer.humanizer_network import nats_of

        sums = np.zeros(5)
        with torch.inference_mode():
            for batch in self.validation:
                average, played, hits = nats_of(self.network, batch)
                sums += (*average.tolist(), *played.tolist(), hits)
        parts = (sums[:4] / sums[4]).tolist()
        return {"loss": sum(parts), **dict(zip(_PARTS, parts, strict=True))}

    def results(
        self, epoch: int, train: Tally, validated: dict[str, float] | None
    ) -> dict[str, Any]:
        """Nats a hit of the four parts, in training and validation."""
        return {
            "step": epoch * self.settings.steps_per_epoch,
            "train": (self._parts[:4] / self._parts[4]).tolist(),
            "validation": [validated[part] for part in _PARTS] if validated else [],
        }

    def save_model(self, folder: Path, results: dict[str, Any]) -> None:
        """Write the model as it is now. Raises LibraryError."""
        facts = ModelFacts(
            preset=self.settings.preset,
            corpora=(self.corpus.name,),
            settings=asdict(self.settings),
            results=results,
            label="Humaniser",
        )
        save_humanizer(folder, self.network, self.alphabet, facts)

    def play(self, name: str, bars: int, seed: int) -> None:
        """A humaniser plays nothing of its own."""

    def finish(self, model_folder: Path) -> Iterator[float]:
        """Nothing remains to be done."""
        yield from ()

    def state(self) -> dict[str, Any]:
        """What draws the stretches, and this epoch's parts."""
        return {"generator": self.generator.bit_generator.state, "parts": self._parts.tolist()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go to that place."""
        self.generator.bit_generator.state = state["generator"]
        self._parts = np.array(state["parts"])


_PARTS = ("velocity", "offset", "velocity_as_played", "offset_as_played")


def _windows(material: tuple[Performance, ...], genres: tuple[str, ...]) -> Iterator[Batch]:
    """Windows of two bars end to end, drums folded, as the measurements hear them."""
    found = []
    for item in material:
        grid, bar = folded(item.grid), item.bar_steps
        for first in range(0, max(item.bars - VALIDATION_BARS, 0) + 1, VALIDATION_BARS):
            rows = slice(first * bar, (first + VALIDATION_BARS) * bar)
            if grid.velocity[rows].any():
                found.append((grid.velocity[rows], grid.offset[rows], item))
    for first in count(0, VALIDATION_STREAMS):
        some = found[first : first + VALIDATION_STREAMS]
        if not some:
            return
        items = [item for *_, item in some]
        known = [item.genre if item.genre in genres else "" for item in items]
        yield Batch(
            *stacked([(velocity, offset) for velocity, offset, _ in some]),
            meter=np.array([item.meter for item in items]),
            genre=np.array([genres.index(name) for name in known]),
            tempo_bpm=np.array([item.tempo_bpm for item in items]),
            bar_steps=np.array([item.bar_steps for item in items]),
        )
