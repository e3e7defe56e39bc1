"""The training loop that every family of models shares.

What a family adds is a `Task`: its material, its network, one optimiser step, its validation and
what it saves. The loop holds the folder's lock, reports each step, validates and keeps the best at
the end of every epoch, plays takes, saves the exact place, stops when asked and goes on later.

A stopped or killed run that is resumed ends with the same weights, bit for bit, as one that was
never interrupted (on a CPU, with the same number of threads): a task draws every random choice
from (seed, epoch, step) or from a generator whose state it saves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import Field, asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from dj_core.errors import DigitalDJError, TrainingError
from dj_core.files.midi import save_midi
from dj_core.files.records import read_json, record_of
from dj_core.files.storage import write_bytes_atomic, write_json_atomic
from dj_core.models.distributed import Ranks, ranks_joined
from dj_core.models.run_folder import (
    MODEL_NAME,
    SETTINGS_NAME,
    STARTING,
    STATE_NAME,
    STOP_NAME,
    TAKES_NAME,
    TrainingStep,
    locked,
    note_step,
    read_progress,
    read_status,
    write_status,
)
from dj_core.models.threads import cpu_threads
from dj_core.music.beat import Beat

if TYPE_CHECKING:
    from torch import Tensor, nn, optim

SECONDS_BETWEEN_RECORDS = 1.0  # steps inside an epoch are noted at most so often
TAKE_BARS, TAKE_SEED = 4, 1  # of the takes that are kept while a run learns
# what a damaged state raises, beside what torch says
_DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError, EOFError)
MAY_CHANGE = ("epochs", "patience", "take_every_epochs")  # when a run is resumed


class RunSettings(Protocol):
    """What the loop needs to know of a family's training settings, a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def epochs(self) -> int:
        """Validations in all: times through the material, or stretches of it."""

    @property
    def patience(self) -> int | None:
        """Epochs without a better validation loss after which to stop; None for never."""

    @property
    def take_every_epochs(self) -> int:
        """How often a take is kept to listen to; 0 for never."""

    @property
    def gradient_clip(self) -> float | None:
        """Largest gradient norm; None for any."""

    @property
    def threads(self) -> int:
        """CPU threads; another number gives slightly other weights."""


@dataclass(frozen=True)
class Tally:
    """Sums over what was guessed: notes, 16ths or hits."""

    loss: float = 0.0
    right: float = 0.0
    count: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.loss + other.loss, self.right + other.right, self.count + other.count)

    @property
    def mean_loss(self) -> float:
        """Nats each."""
        return self.loss / max(self.count, 1)

    @property
    def accuracy(self) -> float:
        """Share guessed right, 0 to 1."""
        return self.right / max(self.count, 1)


class Task(Protocol):
    """What a family of models adds to the loop."""

    @property
    def family(self) -> str:
        """Its name in the table of families."""

    @property
    def network(self) -> nn.Module:
        """What learns. The loop saves and restores its state."""

    @property
    def optimizer(self) -> optim.Optimizer:
        """What moves its weights; likewise."""

    @property
    def material_sha256(self) -> str:
        """A hash of what is learned from; a resumed run must find the same."""

    @property
    def note(self) -> str:
        """A sentence for the DJ on how the material is used; '' for none."""

    @property
    def last_stage(self) -> str:
        """What `finish` does, in words; '' where nothing is to be done."""

    @property
    def last_stage_steps(self) -> float:
        """It takes about as long as so many training steps."""

    def steps(self, epoch: int) -> int:
        """Optimiser steps in an epoch, counted from 1."""

    def learning_rate(self, epoch: int, step: int) -> float:
        """The optimiser's rate for a step, counted from 0 within the epoch."""

    def loss(self, epoch: int, step: int) -> tuple[Tensor | None, Tally]:
        """The loss to learn from in a step, and what was counted.

        The loss is this process's share of the mean over all processes, the tally the sum over
        all of them; the loss is None where nothing was left for this process.
        """

    def validate(self) -> dict[str, float] | None:
        """'loss' and any other figures over the validation material; None without any."""

    def results(
        self, epoch: int, train: Tally, validated: dict[str, float] | None
    ) -> dict[str, Any]:
        """What the model's card says of this epoch, JSON-able."""

    def save_model(self, folder: Path, results: dict[str, Any]) -> None:
        """Write the model as it is now. Raises LibraryError."""

    def play(self, name: str, bars: int, seed: int) -> Beat | None:
        """A take by the network as it is now, under the model's `name`.

        None for a family that plays nothing of its own.
        """

    def finish(self, model_folder: Path) -> Iterator[float]:
        """Do what remains to be done to the best model after the last epoch.

        Yields the share of it that is done, over 0 to 1. Whoever stops it starts it again.
        """

    def state(self) -> dict[str, Any]:
        """The place in the material, beyond epoch and step; tensors and plain values."""

    def load_state(self, state: dict[str, Any]) -> None:
        """Go to that place. Raises KeyError, TypeError, ValueError or RuntimeError."""


def train(
    settings: RunSettings,
    make_task: Callable[[Ranks], Task],
    run_folder: Path,
    *,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    seconds_spent: float = 0.0,
) -> Iterator[TrainingStep]:
    """Train, yielding after every step; the best model is in ``run_folder/model``.

    Ends after the last epoch, when patience runs out (the last step is then `finished`), when
    `should_stop` says so, a file called ``stop`` appears in the folder, or the caller stops
    iterating. In the last three cases the exact place is saved and `resume` goes on from there.

    Args:
        settings: of the run; when it is resumed the same but for `MAY_CHANGE`.
        make_task: reads the material for the processes of the run.
        run_folder: made if need be.
        resume: go on with the run in `run_folder`.
        should_stop: asked after every step.
        seconds_spent: on reading the material; they count in what the run took.

    Raises:
        TrainingError: nothing to learn from, a folder already used or in use, or nothing that
            can be resumed.
        CorpusError: a file of a corpus that cannot be read any more.
        LibraryError: the folder cannot be written.
    """
    began = time.perf_counter() - seconds_spent
    with ranks_joined() as ranks, ranks.own_folder(run_folder) as own, locked(own):
        if resume:
            before = settings_of(type(settings), read_settings_file(run_folder), run_folder.name)
            changed = [
                name
                for name in settings.__dataclass_fields__
                if name not in MAY_CHANGE and getattr(before, name) != getattr(settings, name)
            ]
            if changed:
                raise TrainingError(
                    f"Run {run_folder.name!r} was started with other settings "
                    f"({', '.join(changed)}). Resume it with its own, or start another run."
                )
        elif (own / SETTINGS_NAME).exists():
            raise TrainingError(
                f"There already is a run called {own.name!r}. Resume it, or choose another name."
            )
        run = _Run(settings, make_task(ranks), own, ranks)
        if resume:
            run.load_state(run_folder)
        run.seconds_before += run.trains_since - began
        if read_status(own)[0] != STARTING:  # else who started it may already want it to stop
            (own / STOP_NAME).unlink(missing_ok=True)
        write_json_atomic(own / SETTINGS_NAME, {"family": run.task.family, **asdict(settings)})
        write_status(own, "running", run.task.note)
        try:
            with cpu_threads(settings.threads):
                yield from run.go(should_stop)
        except GeneratorExit:
            run.stop()
            raise
        except Exception as error:
            told = str(error) if isinstance(error, DigitalDJError) else repr(error)
            write_status(own, "failed", told)
            raise


def read_settings_file(run_folder: Path) -> dict[str, Any]:
    """The settings.json of an earlier run as it is. Raises TrainingError when it cannot be used."""
    try:
        return dict(read_json(run_folder / SETTINGS_NAME))
    except FileNotFoundError:
        raise TrainingError(
            f"There is no run called {run_folder.name!r} to go on with. Start it first."
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(
            f"{SETTINGS_NAME} of run {run_folder.name!r} cannot be used ({error}). "
            "Start the run again under another name."
        ) from error


def settings_of(kind: type[Any], content: dict[str, Any], run: str) -> Any:  # noqa: ANN401
    """A settings.json as settings of `kind`. Raises TrainingError where it says something else."""
    try:
        return record_of(kind, {name: it for name, it in content.items() if name != "family"})
    except ValueError as error:
        raise TrainingError(
            f"{SETTINGS_NAME} of run {run!r} cannot be used ({error}). "
            "Start the run again under another name."
        ) from error


class _Run:
    """A run under way: its task, its place, and the best so far."""

    def __init__(self, settings: RunSettings, task: Task, folder: Path, ranks: Ranks) -> None:
        self.settings, self.task, self.folder, self.ranks = settings, task, folder, ranks
        self.epoch, self.step = 1, 0  # the epoch under way and the steps done in it
        self.tally = Tally()
        self.validated: dict[str, float] | None = None
        self.best: dict[str, Any] | None = None  # its epoch and loss
        self.complete = self.finished = False  # nothing more to learn; nothing more to do
        self.has_last_stage = bool(task.last_stage) and ranks.leads
        self.last: TrainingStep | None = None
        self.seconds_before = 0.0
        self.trains_since = time.perf_counter()  # this process, which
        self._steps = self._counted = 0  # has done so much
        self._noted = -math.inf

    def go(self, should_stop: Callable[[], bool]) -> Iterator[TrainingStep]:
        """Train to the end, to patience's end or until asked to stop."""
        from torch.nn.utils import clip_grad_norm_

        def asked() -> bool:
            return should_stop() or (self.folder / STOP_NAME).exists()

        task, network = self.task, self.task.network
        while not self.complete:
            for group in task.optimizer.param_groups:
                group["lr"] = task.learning_rate(self.epoch, self.step)
            network.train()
            loss, tally = task.loss(self.epoch, self.step)
            task.optimizer.zero_grad(set_to_none=True)
            if loss is not None:
                loss.backward()
            self.ranks.sum_gradients(network.parameters())
            if self.settings.gradient_clip is not None:
                clip_grad_norm_(network.parameters(), self.settings.gradient_clip)
            task.optimizer.step()
            self.tally += tally
            self.step += 1
            self._counted += tally.count
            self._steps += 1
            yield self._after_step()
            # all processes stop after the same step
            if not self.complete and any(self.ranks.summed([asked()])):
                self.stop()
                return
        if self.finished:
            return
        if self.has_last_stage:
            began = time.perf_counter()
            for share in self.task.finish(self.folder / MODEL_NAME):
                yield self._in_last_stage((time.perf_counter() - began) * (1 / share - 1))
                if asked():
                    self.stop()
                    return
        self.finished = True
        last = self._in_last_stage(0.0)
        write_status(self.folder, "finished", self.task.note)
        yield last

    def stop(self) -> None:
        """Save the exact place, so that the run can go on."""
        if self.finished:
            return
        self.save_state()
        (self.folder / STOP_NAME).unlink(missing_ok=True)
        write_status(self.folder, "stopped", self.task.note)

    def _after_step(self) -> TrainingStep:
        """Note the step; at an epoch's end also validate, keep the best, play and save."""
        settings, task, epoch, step, tally = (
            self.settings, self.task, self.epoch, self.step, self.tally,
        )  # fmt: skip
        steps = task.steps(epoch)
        take = None
        if step == steps:
            task.network.eval()
            self.validated = task.validate()
            # without validation material the latest model is the best
            loss = self.validated["loss"] if self.validated else tally.mean_loss
            if self.validated is None or self.best is None or loss < self.best["loss"]:
                self.best = {"epoch": epoch, "loss": loss}
                results = task.results(epoch, tally, self.validated)
                task.save_model(self.folder / MODEL_NAME, results)
            if settings.take_every_epochs and epoch % settings.take_every_epochs == 0:
                beat = task.play(self.folder.name, TAKE_BARS, TAKE_SEED)
                if beat is not None:
                    take = save_midi(beat, self.folder / TAKES_NAME / f"epoch-{epoch:04d}.mid")
            self.complete = self._has_learned(epoch)
            self.epoch, self.step, self.tally = epoch + 1, 0, Tally()
        self.finished = self.complete and not self.has_last_stage
        validated = self.validated or {}
        left: float = 0 if self.complete else (settings.epochs - epoch + 1) * steps - step
        left += 0 if self.finished else task.last_stage_steps
        seconds_here = time.perf_counter() - self.trains_since
        progress = TrainingStep(
            epoch=epoch,
            epochs=settings.epochs,
            step=step,
            steps=steps,
            train_loss=tally.mean_loss,
            validation_loss=validated.get("loss"),
            train_accuracy=tally.accuracy,
            validation_accuracy=validated.get("accuracy"),
            notes_per_second=self._counted / max(seconds_here, 1e-9),
            seconds=self._seconds(),
            seconds_left=left * seconds_here / self._steps,
            take=take,
            finished=self.finished,
        )
        now = time.perf_counter()
        if progress.ends_epoch or now - self._noted >= SECONDS_BETWEEN_RECORDS:
            self._noted = now
            note_step(self.folder, progress)
        if progress.ends_epoch:
            self.last = progress
            self.save_state()
            if self.finished:  # said last: whoever reads it finds everything in place
                write_status(self.folder, "finished", self.task.note)
        return progress

    def _in_last_stage(self, seconds_left: float) -> TrainingStep:
        """Note where the run stands once there is nothing more to learn."""
        last = self.last or read_progress(self.folder)[-1]
        progress = replace(
            last,
            seconds=self._seconds(),
            seconds_left=seconds_left,
            finished=self.finished,
            stage=self.task.last_stage or last.stage,
        )
        note_step(self.folder, progress)
        return progress

    def _seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.trains_since

    def _has_learned(self, epoch: int) -> bool:
        """There is nothing to be learned after `epoch`: it was the last, or patience is over."""
        settings = self.settings
        return epoch >= settings.epochs or (
            self.validated is not None
            and self.best is not None
            and settings.patience is not None
            and epoch - self.best["epoch"] >= settings.patience
        )

    def save_state(self) -> None:
        """Write everything needed to go on from here. Raises LibraryError."""
        import torch

        buffer = BytesIO()
        state = {
            "network": self.task.network.state_dict(),
            "optimizer": self.task.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "tally": asdict(self.tally),
            "validated": self.validated,
            "best": self.best,
            "seconds": self._seconds(),
            "complete": self.complete,
            "material": self.task.material_sha256,
            "task": self.task.state(),
        }
        torch.save(state, buffer)
        write_bytes_atomic(self.folder / STATE_NAME, buffer.getvalue())

    def load_state(self, folder: Path) -> None:
        """Go to where the run in `folder` was saved; a run killed in its first epoch begins again.

        Raises:
            TrainingError: the state is damaged, of other material, or the run is complete.
        """
        from pickle import UnpicklingError

        import torch

        path = folder / STATE_NAME
        if not path.exists():
            return
        try:
            state = torch.load(BytesIO(path.read_bytes()), weights_only=True, map_location="cpu")
            if state["material"] != self.task.material_sha256:
                raise TrainingError(
                    f"The corpus of run {folder.name!r} has changed since it started. "
                    "Start another run."
                )
            self.task.network.load_state_dict(state["network"])
            self.task.optimizer.load_state_dict(state["optimizer"])
            self.epoch, self.step = state["epoch"], state["step"]
            self.tally = Tally(**state["tally"])
            self.validated, self.best = state["validated"], state["best"]
            self.seconds_before = state["seconds"]
            complete = state["complete"]
            self.task.load_state(state["task"])
        except (*_DAMAGE, UnpicklingError) as error:
            raise TrainingError(
                f"{STATE_NAME} of run {folder.name!r} is damaged ({type(error).__name__}). "
                "Start another run."
            ) from error
        # stopped or killed between its last epoch and its end
        self.complete = complete and self._has_learned(self.epoch - 1)
        if self.complete and read_status(folder)[0] == "finished":
            raise TrainingError(
                f"Run {folder.name!r} already finished its {self.settings.epochs} epochs. "
                "Ask for more epochs to go on."
            )
