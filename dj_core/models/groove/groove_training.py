"""Training of the groove family: presets, settings and the `Task` for the training loop.

Under `torchrun` every process draws the same streams and learns from its share of them. It
computes on the processor even beside a GPU: a step is a thousand small operations, which a GPU
waits for more than it computes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dj_core.corpus.store import Corpus
from dj_core.errors import TrainingError
from dj_core.files.storage import sha256_of
from dj_core.models.checkpoint import ModelFacts
from dj_core.models.distributed import Ranks
from dj_core.models.groove.groove_checkpoint import FAMILY, GrooveCheckpoint, save_groove_model
from dj_core.models.groove.groove_shape import GrooveSettings
from dj_core.models.groove.placement_bias import settle_placement_bias
from dj_core.models.groove.streams import TrainingStreams, Veil
from dj_core.models.groove.style_bias import ROUNDS, STEPS_A_TAKE, settle_style_bias
from dj_core.models.groove.style_tables import Tables, make_tables
from dj_core.models.groove.style_vector import StyleSums
from dj_core.models.groove.training_clips import (
    PHRASES,
    STARTER,
    Clip,
    ClipSet,
    Split,
    corpus_clips,
    phrase_clips,
    starter_clips,
)
from dj_core.models.request import GenerationRequest
from dj_core.models.trainer import Tally
from dj_core.music.beat import Beat
from dj_core.music.genres import DANCE_STYLES

if TYPE_CHECKING:
    from torch import Tensor

    from dj_core.models.groove.groove_likelihood import Carried

DEFAULT_WEIGHTS = (("groove", 0.44), ("paper", 0.10), (STARTER, 0.06), (PHRASES, 0.40))
OTHER_WEIGHT = 0.4  # of corpora a DJ brings along
WARM_UP_STEPS = 100
TAKES_TO_A_STYLE = 20  # takes for the style bias to one of each dance style for the placement bias
LAST_LEARNING_RATE = 0.03  # share of the first
_STREAM_DIMENSIONS = (1, 1, 0)  # of the LSTM's hidden and cell values, and of the recent sums
VALIDATED_ON_TRAINING = (
    "There are no beats set aside for validation: the validation loss is measured on the training "
    "beats."
)


@dataclass(frozen=True)
class GrooveTrainingSettings:
    """Everything that decides what a groove run learns.

    Attributes:
        preset: name of the preset these settings started from.
        weights: (corpus name, share of the streams that begin in it); others get `OTHER_WEIGHT`.
        hidden, layers, dropout, weight_drop, input_drop: see `GrooveSettings`.
        use_lags, lanes_know_each_other, copying, use_recent: likewise; off only for ablations.
        corrupt_inputs: read the past of some clips with errors, against exposure bias; see
            `ClipTensors.corrupt_inputs`.
        own_style, past_style, style_noise: see `streams.Veil`.
        expression_weight: how much a nat of velocity and offset counts beside one of hits.
        learning_rate: AdamW's, at its highest; it falls on half a cosine over all epochs.
        weight_decay: decoupled.
        gradient_clip: largest gradient norm.
        streams, window_steps: streams side by side, and 16ths read per step.
        steps_per_epoch, epochs: optimiser steps between validations, and how many times.
        patience: epochs without a better validation loss after which to stop.
        take_every_epochs: how often a take is kept to listen to; 0 for never.
        style_bias_takes: takes a round by which the finished model's style bias is measured, see
            `style_bias`; 0 leaves it out.
        seed: decides the first weights, the streams and the dropout.
        threads: CPU threads; another number gives slightly other weights.
        starter: the starter patterns and the dance phrases are learned beside the corpora.
        styles: dance styles whose phrases are learned; () for all.
        corpora: names of what is learned from, for whoever goes on with the run; they decide
            nothing by themselves.

    Raises:
        TrainingError: a value out of range.
    """

    preset: str = "groove"
    weights: tuple[tuple[str, float], ...] = DEFAULT_WEIGHTS
    hidden: int = 256
    layers: int = 2
    dropout: float = 0.3
    weight_drop: float = 0.3
    input_drop: float = 0.1
    use_lags: bool = True
    lanes_know_each_other: bool = True
    copying: bool = True
    use_recent: bool = True
    corrupt_inputs: bool = True
    own_style: float = 0.75
    past_style: float = 0.1
    style_noise: float = 0.2
    expression_weight: float = 0.5
    learning_rate: float = 0.002
    weight_decay: float = 0.02
    gradient_clip: float = 1.0
    streams: int = 16
    window_steps: int = 64
    steps_per_epoch: int = 500
    epochs: int = 20
    patience: int = 6
    take_every_epochs: int = 2
    style_bias_takes: int = 400
    seed: int = 1
    threads: int = 1
    starter: bool = True
    styles: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        weights = tuple((str(name), float(share)) for name, share in self.weights)
        object.__setattr__(self, "weights", weights)  # JSON knows lists only
        object.__setattr__(self, "corpora", tuple(self.corpora))
        object.__setattr__(self, "styles", tuple(self.styles))
        unknown = [name for name in self.styles if name not in DANCE_STYLES]
        if unknown:
            raise TrainingError(f"styles are dance styles by name; got {', '.join(unknown)}.")
        low: float
        high: float
        for name, low, high in (
            ("streams", 1, 1_024),
            ("window_steps", 1, 1_024),
            ("steps_per_epoch", 1, 100_000),
            ("epochs", 1, 10_000),
            ("patience", 1, 10_000),
            ("take_every_epochs", 0, 10_000),
            ("style_bias_takes", 0, 100_000),
            ("seed", 0, 2**31 - 1),
            ("threads", 1, 64),
        ):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise TrainingError(
                    f"{name} is a whole number from {low:,} to {high:,}; got {value!r}."
                )
        for name, low, high in (
            ("own_style", 0.0, 1.0),
            ("past_style", 0.0, 1.0),
            ("style_noise", 0.0, 4.0),
            ("expression_weight", 0.0, 10.0),
            ("learning_rate", 1e-6, 1.0),
            ("weight_decay", 0.0, 1.0),
            ("gradient_clip", 1e-3, 1e3),
        ):
            value = getattr(self, name)
            if type(value) not in (int, float) or not low <= value <= high:
                raise TrainingError(f"{name} is a number from {low:g} to {high:g}; got {value!r}.")
        if self.own_style + self.past_style > 1:
            raise TrainingError("own_style and past_style are shares that add up to 1 at most.")
        if any(share <= 0 for _, share in weights):
            raise TrainingError(f"A corpus's weight is more than 0; got {dict(weights)}.")

    @property
    def veil(self) -> Veil:
        """What streams are not told."""
        return Veil(
            own_style=self.own_style, past_style=self.past_style, style_noise=self.style_noise
        )


GROOVE_PRESETS: dict[str, GrooveTrainingSettings] = {
    "groove": GrooveTrainingSettings(),
    "groove-quick": GrooveTrainingSettings(
        preset="groove-quick", hidden=192, steps_per_epoch=250, epochs=6, style_bias_takes=200
    ),
}


def weights_of(settings: GrooveTrainingSettings, corpora: Sequence[str]) -> dict[str, float]:
    """How much of what a run hears is of which corpus, ours among them; in any unit."""
    weights = dict(settings.weights)
    ours = (STARTER, PHRASES)
    heard = [name for name in corpora if name not in ours] + [*ours] * settings.starter
    return {name: weights.get(name, OTHER_WEIGHT) for name in heard}


def training_clips(
    corpora: Iterable[Corpus], starter: bool = True, styles: tuple[str, ...] = ()
) -> tuple[ClipSet, ClipSet]:
    """Clips to learn from and to validate on; without the latter, the former serve as both.

    Raises TrainingError where there is nothing to learn from.
    """
    corpora = tuple(corpora)

    def of(split: Split) -> Iterator[Clip]:
        return chain.from_iterable(corpus_clips(corpus, split) for corpus in corpora)

    ours = chain(starter_clips(), phrase_clips(styles)) if starter else ()
    clips = tuple(chain(of("train"), ours))
    if not clips:
        raise TrainingError(
            "There is nothing to learn from: choose a corpus, or take the starter patterns along."
        )
    train = ClipSet.of(clips)
    validation = tuple(of("validation"))
    return train, ClipSet.of(validation, train.genres) if validation else train


class GrooveTask:
    """What the groove family adds to the training loop; see `trainer.Task`."""

    family = FAMILY
    last_stage = "measuring the styles of its takes"

    def __init__(
        self, settings: GrooveTrainingSettings, corpora: Sequence[Corpus], ranks: Ranks
    ) -> None:
        """Raises TrainingError without material, or where processes outnumber streams.

        Args:
            settings: of the run, which say whether the starter patterns take part.
            corpora: may be none: then the starter patterns alone are learned, and validated on.
                The files of split 'test' are never looked at.
            ranks: the processes of the run.
        """
        import torch

        from dj_core.models.groove.groove_likelihood import ClipTensors
        from dj_core.models.groove.groove_network import build_network

        if settings.streams < ranks.count:
            raise TrainingError(
                f"{ranks.count} processes cannot share {settings.streams} streams. Start fewer, or "
                f"ask for a batch size of {ranks.count} or more."
            )
        self.settings, self.ranks = settings, ranks
        weights = weights_of(settings, [corpus.name for corpus in corpora])
        self.corpora = tuple(weights)
        train, self.validation = training_clips(corpora, settings.starter, settings.styles)
        self.note = VALIDATED_ON_TRAINING if self.validation is train else ""
        sums = StyleSums(train)
        self.tables: Tables = make_tables(train, sums)
        self.tensors = ClipTensors(train)
        self.material_sha256 = sha256_of(str(self.tensors.clips.steps).encode())
        self.streams = TrainingStreams(
            train,
            sums,
            self.tables.scale,
            weights,
            settings.streams,
            settings.veil,
            np.random.default_rng(settings.seed),
        )
        shared = {item.name for item in fields(GrooveSettings)} - {"genres"}
        shape = {name: value for name, value in asdict(settings).items() if name in shared}
        self.network = build_network(GrooveSettings(train.genres, **shape), settings.seed)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        if not settings.style_bias_takes:
            self.last_stage = ""
        self.last_stage_steps = 2 * STEPS_A_TAKE * len(ROUNDS) * settings.style_bias_takes
        self._memory: Carried | None = None  # of the streams, from step to step
        self._corrupted_for = -1  # the epoch whose errors are heard

    def steps(self, epoch: int) -> int:
        """Optimiser steps between validations."""
        return self.settings.steps_per_epoch

    def learning_rate(self, epoch: int, step: int) -> float:
        """A short rise, then half a cosine down."""
        settings = self.settings
        done = (epoch - 1) * settings.steps_per_epoch + step
        share = done / (settings.epochs * settings.steps_per_epoch)
        cosine = (1 + math.cos(math.pi * min(share, 1.0))) / 2
        rate = LAST_LEARNING_RATE + (1 - LAST_LEARNING_RATE) * cosine
        return settings.learning_rate * rate * min(1.0, (done + 1) / WARM_UP_STEPS)

    def loss(self, epoch: int, step: int) -> tuple[Tensor, Tally]:
        """The mean loss per 16th of the streams' next window; see `trainer.Task`."""
        import torch

        from dj_core.models.groove.groove_likelihood import score

        settings = self.settings
        if settings.corrupt_inputs and epoch != self._corrupted_for:
            self.tensors.corrupt_inputs(np.random.default_rng([settings.seed, epoch - 1]))
            self._corrupted_for = epoch
        window = self.streams.next_window(settings.window_steps)
        count = int(window.inside.sum())  # of all processes' streams
        done = (epoch - 1) * settings.steps_per_epoch + step
        with torch.random.fork_rng(devices=[]):
            # each process drops units of its own
            torch.manual_seed(settings.seed * 1_000_003 + done + self.ranks.rank * 7_368_787)
            own = window if self.ranks.count == 1 else window.of_streams(self.ranks.part)
            nats, memory = score(self.network, self.tensors, own, self._memory)
        loss = nats.weighed(settings.expression_weight) / count
        hidden, cell, sums = (part.detach() for part in memory)
        self._memory = hidden, cell, sums
        summed, right = self.ranks.summed([loss.item() * count, float(nats.right.sum())])
        return loss, Tally(summed, right, count)

    def validate(self) -> dict[str, float]:
        """Loss per 16th, its parts, and the share of 16ths guessed right."""
        from dj_core.models.groove.groove_likelihood import validate

        return validate(
            self.network, self.tables.scale, self.validation, self.settings.expression_weight
        )

    def results(
        self, epoch: int, train: Tally, validated: dict[str, float] | None
    ) -> dict[str, Any]:
        """The losses of an epoch."""
        return {"epoch": epoch, "train_loss": train.mean_loss, **(validated or {})}

    def save_model(self, folder: Path, results: dict[str, Any]) -> None:
        """Write the model as it is now. Raises LibraryError."""
        save_groove_model(folder, self.network, self.tables, self._facts(results))

    def play(self, name: str, bars: int, seed: int) -> Beat:
        """A take in any genre."""
        from dj_core.models.groove.groove_player import GrooveModel

        checkpoint = GrooveCheckpoint.of(self.network, self.tables, self._facts({}))
        return GrooveModel(name, checkpoint).generate(GenerationRequest(bars=bars, seed=seed)).beat

    def finish(self, model_folder: Path) -> Iterator[float]:
        """Measure the trained model's style and placement bias and store them with the model."""
        takes = self.settings.style_bias_takes
        for share in settle_style_bias(model_folder, takes):
            yield share / 2
        if self.settings.starter:
            for share in settle_placement_bias(model_folder, max(1, takes // TAKES_TO_A_STYLE)):
                yield 0.5 + share / 2

    def state(self) -> dict[str, Any]:
        """Where the streams are and what the network remembers of them."""
        import torch

        memory = self._memory and tuple(
            self.ranks.gathered(part, self.settings.streams, dimension)
            for part, dimension in zip(self._memory, _STREAM_DIMENSIONS, strict=True)
        )
        return {
            "memory": memory,
            "streams": {name: torch.from_numpy(a) for name, a in self.streams.places().items()},
            "generator": self.streams.generator.bit_generator.state,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go to that place."""
        import torch

        self.streams.go_to({name: a.numpy() for name, a in state["streams"].items()})
        self.streams.generator.bit_generator.state = state["generator"]
        every = torch.arange(self.settings.streams)[self.ranks.part]
        self._memory = state["memory"] and tuple(
            part.index_select(dimension, every)
            for part, dimension in zip(state["memory"], _STREAM_DIMENSIONS, strict=True)
        )

    def _facts(self, results: dict[str, Any]) -> ModelFacts:
        return ModelFacts(
            preset=self.settings.preset,
            corpora=self.corpora,
            settings=asdict(self.settings),
            results=results,
        )
