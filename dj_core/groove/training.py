"""Training a groove model: streams in, a step at a time out, resumable to the bit.

A run is a folder of the same layout as `dj_core.training`'s. Every random choice is drawn from
(seed, step) or from a generator whose place is saved, so on a CPU with the same number of threads
a run that was stopped and resumed ends with the same weights as one that never was.

Under `torchrun` every process draws the same streams and learns from its share of them, see
`dj_core.ranks`. It computes on the processor even beside a GPU: a step is a thousand small
operations, which a GPU waits for more than it computes.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dj_core.corpus import Corpus
from dj_core.errors import DigitalDJError, TrainingError
from dj_core.groove.batches import TrainingStreams, Veil
from dj_core.groove.checkpoint import (
    GrooveCheckpoint,
    GrooveFacts,
    Tables,
    make_tables,
    save_checkpoint,
)
from dj_core.groove.clips import STARTER, Clip, ClipSet, Split, corpus_clips, starter_clips
from dj_core.groove.leaning import settle_lean
from dj_core.groove.style import StyleSums
from dj_core.midi import save_midi
from dj_core.ranks import Ranks, ranks_joined
from dj_core.sampling import GenerationRequest
from dj_core.storage import write_bytes_atomic, write_json_atomic
from dj_core.training import (
    MODEL_NAME,
    PROGRESS_NAME,
    SECONDS_BETWEEN_RECORDS,
    SETTINGS_NAME,
    STARTING,
    STATE_NAME,
    STOP_NAME,
    TAKE_BARS,
    TAKE_SEED,
    TAKES_NAME,
    TrainingStep,
    locked,
    read_status,
    write_status,
)

if TYPE_CHECKING:
    from torch import Tensor


DEFAULT_WEIGHTS = (("groove", 0.54), ("paper", 0.16), ("electronic", 0.12), (STARTER, 0.18))
OTHER_WEIGHT = 0.15  # of corpora a DJ brings along
WARM_UP_STEPS = 100
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
        hidden, layers, dropout, weight_drop, input_drop: see `network.GrooveSettings`.
        use_lags, lanes_know_each_other, copying, use_recent: likewise; off only for ablations.
        mishear: hear the past of some clips wrong, see `likelihood.ClipTensors.mishear`.
        own_style, past_style, style_noise: see `batches.Veil`.
        expression_weight: how much a nat of velocity and offset counts beside one of hits.
        learning_rate: AdamW's, at its highest; it falls on half a cosine over all epochs.
        weight_decay: decoupled.
        gradient_clip: largest gradient norm.
        streams, window_steps: streams side by side, and 16ths read per step.
        steps_per_epoch, epochs: optimiser steps between validations, and how many times.
        patience: epochs without a better validation loss after which to stop.
        take_every_epochs: how often a take is kept to listen to; 0 for never.
        lean_takes: takes a round by which the finished model's lean is settled, see `leaning`; 0
            leaves it out.
        seed: decides the first weights, the streams and the dropout.
        threads: CPU threads; another number gives slightly other weights.
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
    mishear: bool = True
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
    epochs: int = 16
    patience: int = 6
    take_every_epochs: int = 2
    lean_takes: int = 400
    seed: int = 1
    threads: int = 1
    corpora: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        weights = tuple((str(name), float(share)) for name, share in self.weights)
        object.__setattr__(self, "weights", weights)  # JSON knows lists only
        object.__setattr__(self, "corpora", tuple(self.corpora))
        for name, low, high in (
            ("streams", 1, 1_024),
            ("window_steps", 1, 1_024),
            ("steps_per_epoch", 1, 100_000),
            ("epochs", 1, 10_000),
            ("patience", 1, 10_000),
            ("take_every_epochs", 0, 10_000),
            ("lean_takes", 0, 100_000),
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
        preset="groove-quick", hidden=192, steps_per_epoch=250, epochs=6, lean_takes=200
    ),
}


def groove_settings_from(preset: str, **overrides: Any) -> GrooveTrainingSettings:  # noqa: ANN401
    """A preset's settings with some changed; those given as None keep the preset's value.

    Raises:
        TrainingError: an unknown preset or setting, or a value out of range.
    """
    if preset not in GROOVE_PRESETS:
        raise TrainingError(f"A preset is one of {', '.join(GROOVE_PRESETS)}; got {preset!r}.")
    known = {item.name for item in fields(GrooveTrainingSettings)} - {"preset"}
    for name in overrides.keys() - known:
        raise TrainingError(
            f"Groove training has no setting {name!r}. Settings: {', '.join(sorted(known))}."
        )
    changed = {name: value for name, value in overrides.items() if value is not None}
    return replace(GROOVE_PRESETS[preset], **changed)


def read_groove_settings(run_folder: Path) -> GrooveTrainingSettings:
    """The settings of an earlier run. Raises TrainingError when there are none to be used."""
    try:
        content = json.loads((run_folder / SETTINGS_NAME).read_text("utf-8"))
        return GrooveTrainingSettings(**content)
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(
            f"There is no groove run in {run_folder} to go on with ({error}). Start it first."
        ) from error


def train_groove(
    settings: GrooveTrainingSettings,
    corpora: Sequence[Corpus],
    run_folder: Path,
    *,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[TrainingStep]:
    """Train on `corpora` and the starter patterns, yielding after every step.

    The best model by validation loss is in ``run_folder/model``. Ends as `dj_core.training.train`
    does; the files of split 'test' are never looked at.

    Args:
        settings: the recipe.
        corpora: may be none: then the starter patterns alone are learned, and validated on.
        run_folder: made if need be.
        resume: go on with the run in `run_folder`; `settings` must be the same.
        should_stop: asked after every step.

    Raises:
        TrainingError: a folder already used or in use, or nothing that can be resumed.
        CorpusError: a file of a corpus that cannot be read any more.
        LibraryError: the folder cannot be written.
    """
    with ranks_joined() as ranks, ranks.own_folder(run_folder) as own, locked(own):
        _check_startable(settings, run_folder, own, resume, ranks)
        write_json_atomic(own / SETTINGS_NAME, asdict(settings))
        if read_status(own)[0] != STARTING:  # else who started it may want it to stop
            (own / STOP_NAME).unlink(missing_ok=True)
        write_status(own, "running")
        try:
            run = _Run(settings, corpora, own, ranks)
            if resume:
                run.load_state(run_folder)
            write_status(own, "running", run.note)
            yield from run.go(should_stop)
        except GeneratorExit:
            run.stop()
            raise
        except Exception as error:
            told = str(error) if isinstance(error, DigitalDJError) else repr(error)
            write_status(own, "failed", told)
            raise


def _check_startable(
    settings: GrooveTrainingSettings, folder: Path, own: Path, resume: bool, ranks: Ranks
) -> None:
    """Raises TrainingError where a run cannot begin or go on in `folder`, written in `own`."""
    if settings.streams < ranks.count:
        raise TrainingError(
            f"{ranks.count} processes cannot share {settings.streams} streams. Start fewer, or ask "
            f"for a batch size of {ranks.count} or more."
        )
    if resume:
        if read_groove_settings(folder) != settings:
            raise TrainingError(
                f"Run {folder.name!r} was started with other settings. Resume it with its "
                "own, or start another run."
            )
        if read_status(folder)[0] == "finished":
            raise TrainingError(
                f"Run {folder.name!r} already finished. Start another run to learn more."
            )
    elif (own / SETTINGS_NAME).exists():
        raise TrainingError(
            f"There already is a run called {folder.name!r}. Resume it, or choose another name."
        )


def training_clips(corpora: Iterable[Corpus]) -> tuple[ClipSet, ClipSet]:
    """Clips to learn from and to validate on; without the latter, the former serve as both."""
    corpora = tuple(corpora)

    def of(split: Split) -> Iterator[Clip]:
        return chain.from_iterable(corpus_clips(corpus, split) for corpus in corpora)

    train = ClipSet.of(chain(of("train"), starter_clips()))
    validation = tuple(of("validation"))
    return train, ClipSet.of(validation, train.genres) if validation else train


class _Run:
    """A run under way."""

    def __init__(
        self,
        settings: GrooveTrainingSettings,
        corpora: Sequence[Corpus],
        folder: Path,
        ranks: Ranks,
    ) -> None:
        import torch

        from dj_core.groove.likelihood import ClipTensors
        from dj_core.groove.network import GrooveSettings, build_network

        self.settings, self.folder, self.ranks = settings, folder, ranks
        self.corpora = (*(corpus.name for corpus in corpora), STARTER)
        train, self.validation = training_clips(corpora)
        self.note = VALIDATED_ON_TRAINING if self.validation is train else ""
        sums = StyleSums(train)
        self.tables: Tables = make_tables(train, sums)
        self.tensors = ClipTensors(train)
        weights = dict.fromkeys(self.corpora, OTHER_WEIGHT) | dict(settings.weights)
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
        self.memory: tuple[Tensor, ...] | None = None
        self.done = 0  # steps since the beginning
        self._misheard = -1  # the epoch whose errors are heard
        self.tally = np.zeros(3)  # loss, right 16ths, 16ths of this epoch
        self.validated: dict[str, float] | None = None
        self.best: dict[str, float] | None = None
        self.seconds_before, self.complete = 0.0, False
        self._started, self._read, self._noted = time.perf_counter(), 0, -math.inf

    def go(self, should_stop: Callable[[], bool]) -> Iterator[TrainingStep]:
        """Train to the end, to patience's end or until asked to stop."""
        from dj_core.networks import cpu_threads

        if self.complete:  # it was killed before it could say so
            write_status(self.folder, "finished", self.note)
        with cpu_threads(self.settings.threads):
            while not self.complete:
                self._learn()
                yield self._after_step()
                if self.complete:
                    return
                asked = should_stop() or (self.folder / STOP_NAME).exists()
                if any(self.ranks.summed([asked])):  # all stop after the same step
                    self.stop()
                    return

    def stop(self) -> None:
        """Save the exact place, so that the run can go on."""
        if self.complete:
            return
        self.save_state()
        (self.folder / STOP_NAME).unlink(missing_ok=True)
        write_status(self.folder, "stopped", self.note)

    # --- one step -----------------------------------------------------------------------------

    def _learn(self) -> None:
        import torch
        from torch.nn.utils import clip_grad_norm_

        from dj_core.groove.likelihood import score

        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self._mishear()
        window = self.streams.next_window(self.settings.window_steps)
        count = int(window.inside.sum())  # of all processes' streams
        with torch.random.fork_rng(devices=[]):
            # each process silences units of its own
            other = self.ranks.rank * 7_368_787
            torch.manual_seed(self.settings.seed * 1_000_003 + self.done + other)
            self.network.train()
            own = window if self.ranks.count == 1 else window.of_streams(self.ranks.part)
            nats, memory = score(self.network, self.tensors, own, self.memory)
        loss = nats.weighed(self.settings.expression_weight) / count
        self.memory = tuple(part.detach() for part in memory)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.ranks.sum_gradients(self.network.parameters())
        clip_grad_norm_(self.network.parameters(), self.settings.gradient_clip)
        self.optimizer.step()
        self.tally += (*self.ranks.summed([loss.item() * count, float(nats.right.sum())]), count)
        self.done += 1
        self._read += count

    def _mishear(self) -> None:
        """Once an epoch hear the past of other clips wrong; see `ClipTensors.mishear`."""
        epoch = self.done // self.settings.steps_per_epoch
        if self.settings.mishear and epoch != self._misheard:
            self.tensors.mishear(np.random.default_rng([self.settings.seed, epoch]))
            self._misheard = epoch

    def _learning_rate(self) -> float:
        """A short rise, then half a cosine down."""
        settings = self.settings
        share = self.done / (settings.epochs * settings.steps_per_epoch)
        cosine = (1 + math.cos(math.pi * min(share, 1.0))) / 2
        rate = LAST_LEARNING_RATE + (1 - LAST_LEARNING_RATE) * cosine
        return settings.learning_rate * rate * min(1.0, (self.done + 1) / WARM_UP_STEPS)

    def _after_step(self) -> TrainingStep:
        """Note the step; at an epoch's end also validate, keep the best, play and save."""
        settings = self.settings
        epoch, step = divmod(self.done - 1, settings.steps_per_epoch)
        loss, right, count = self.tally.tolist()
        ends_epoch = step + 1 == settings.steps_per_epoch
        take = self._end_epoch(epoch + 1, loss / count) if ends_epoch else None
        validated = self.validated or {}
        seconds = self.seconds_before + time.perf_counter() - self._started
        steps = settings.epochs * settings.steps_per_epoch
        progress = TrainingStep(
            epoch=epoch + 1,
            epochs=settings.epochs,
            step=step + 1,
            steps=settings.steps_per_epoch,
            train_loss=loss / count,
            validation_loss=validated.get("loss"),
            train_accuracy=right / count,
            validation_accuracy=validated.get("accuracy"),
            notes_per_second=self._read / max(time.perf_counter() - self._started, 1e-9),
            seconds=seconds,
            seconds_left=seconds / self.done * (steps - self.done),
            take=take,
            finished=self.complete,
        )
        self._note(progress)
        if ends_epoch:
            self.tally = np.zeros(3)
            if self.complete and settings.lean_takes and self.ranks.leads:
                settle_lean(self.folder / MODEL_NAME, settings.lean_takes)
            self.save_state()
            if self.complete:  # said last: whoever reads it finds everything in place
                write_status(self.folder, "finished", self.note)
        return progress

    def _end_epoch(self, epoch: int, train_loss: float) -> Path | None:
        from dj_core.groove.likelihood import validate

        settings = self.settings
        self.validated = validate(
            self.network, self.tables.scale, self.validation, settings.expression_weight
        )
        if self.best is None or self.validated["loss"] < self.best["loss"]:
            self.best = {"epoch": epoch, "train_loss": train_loss, **self.validated}
            save_checkpoint(self.folder / MODEL_NAME, self.network, self.tables, self._facts())
        self.complete = epoch >= settings.epochs or epoch - self.best["epoch"] >= settings.patience
        return self._play_take(epoch)

    def _facts(self) -> GrooveFacts:
        return GrooveFacts(
            preset=self.settings.preset,
            corpora=self.corpora,
            settings=asdict(self.settings),
            results=dict(self.best or {}),
        )

    def _play_take(self, epoch: int) -> Path | None:
        from dj_core.groove.sampling import GrooveModel

        every = self.settings.take_every_epochs
        if not every or epoch % every:
            return None
        self.network.eval()
        checkpoint = GrooveCheckpoint(self.network, self.tables, self._facts(), "")
        take = GrooveModel(self.folder.name, checkpoint).generate(
            GenerationRequest(bars=TAKE_BARS, seed=TAKE_SEED)
        )
        return save_midi(take.beat, self.folder / TAKES_NAME / f"epoch-{epoch:04d}.mid")

    # --- what is kept -------------------------------------------------------------------------

    def _note(self, progress: TrainingStep) -> None:
        """Append the step to progress.jsonl, unless one was noted just now."""
        now = time.perf_counter()
        if not progress.ends_epoch and now - self._noted < SECONDS_BETWEEN_RECORDS:
            return
        self._noted = now
        record = {**asdict(progress), "take": progress.take and progress.take.name}
        try:
            with (self.folder / PROGRESS_NAME).open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise TrainingError(
                f"{PROGRESS_NAME} cannot be written in {self.folder}: {error.strerror}. "
                "Free some space and resume the run."
            ) from error

    def save_state(self) -> None:
        """Write everything needed to go on from here. Raises LibraryError."""
        import torch

        buffer = BytesIO()
        memory = self.memory and tuple(
            self.ranks.gathered(part, self.settings.streams, dimension)
            for part, dimension in zip(self.memory, _STREAM_DIMENSIONS, strict=True)
        )
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "memory": memory,
            "streams": {name: torch.from_numpy(a) for name, a in self.streams.places().items()},
            "generator": self.streams.generator.bit_generator.state,
            "done": self.done,
            "tally": self.tally.tolist(),
            "validated": self.validated,
            "best": self.best,
            "seconds": self.seconds_before + time.perf_counter() - self._started,
            "complete": self.complete,
            "steps_to_learn": self.tensors.clips.steps,
        }
        torch.save(state, buffer)
        write_bytes_atomic(self.folder / STATE_NAME, buffer.getvalue())

    def load_state(self, folder: Path) -> None:
        """Go to where the run in `folder` was left; one killed in its first epoch begins again.

        Raises:
            TrainingError: the state is damaged, or of other clips.
        """
        from pickle import UnpicklingError

        import torch

        if not (folder / STATE_NAME).exists():
            return
        try:
            state = torch.load(folder / STATE_NAME, weights_only=True)
            if state["steps_to_learn"] != self.tensors.clips.steps:
                raise TrainingError(
                    f"The corpora have changed since run {folder.name!r} began. Start another run."
                )
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.streams.go_to({name: a.numpy() for name, a in state["streams"].items()})
            self.streams.generator.bit_generator.state = state["generator"]
            every = torch.arange(self.settings.streams)[self.ranks.part]
            self.memory = state["memory"] and tuple(
                part.index_select(dimension, every)
                for part, dimension in zip(state["memory"], _STREAM_DIMENSIONS, strict=True)
            )
            self.done, self.tally = state["done"], np.array(state["tally"])
            self.validated, self.best = state["validated"], state["best"]
            self.seconds_before, self.complete = state["seconds"], state["complete"]
        except (OSError, KeyError, ValueError, RuntimeError, UnpicklingError) as error:
            raise TrainingError(
                f"{STATE_NAME} of run {folder.name!r} cannot be used ({error}). "
                "Start the run again under another name."
            ) from error
