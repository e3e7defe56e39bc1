"""Training: songs in, a model folder out, one step at a time.

A run is a folder::

    settings.json    the TrainingSettings
    status.json      running, finished, stopped or failed, and a sentence
    progress.jsonl   a TrainingStep a line; the last line may be torn after a crash
    state.pt         everything needed to go on, written at the end of each epoch and on stop
    model/           the best model so far, a model folder like any other
    takes/           epoch-0005.mid ...: what the network plays as it learns, from one fixed seed
    lock             held while a process trains; frees itself when the process dies
    stop             put there by whoever wants the run to stop

A stopped or killed run that is resumed ends with the same weights, bit for bit, as one that was
never interrupted (on a CPU, with the same number of threads): every random choice is drawn from
(seed, epoch, step), so there is no random state to lose.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, fields, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dj_core.beat import Meter
from dj_core.checkpoint import Checkpoint, ModelFacts, save_checkpoint
from dj_core.errors import DigitalDJError, TrainingError
from dj_core.midi import save_midi
from dj_core.notation import NoteSong
from dj_core.ranks import Ranks, ranks_joined
from dj_core.sampling import GenerationRequest, NotesModel
from dj_core.storage import sha256_of, write_bytes_atomic, write_json_atomic
from dj_core.tokenizers.notes import (
    BAR_LINE,
    NotesSettings,
    NotesTokenizer,
    Word,
    even_pieces,
    first_names,
    in_general_midi,
    looped_pieces,
    name_parts,
    prime_words,
    repeated_pieces,
    words_made_of,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

SETTINGS_NAME, STATUS_NAME, PROGRESS_NAME = "settings.json", "status.json", "progress.jsonl"
STATE_NAME, MODEL_NAME, TAKES_NAME = "state.pt", "model", "takes"
LOCK_NAME, STOP_NAME = "lock", "stop"
STARTING = "starting"  # a process was started for the run and does not hold the lock yet
SECONDS_BETWEEN_RECORDS = 1.0  # steps inside an epoch are noted at most so often
TAKE_BARS = 4
TAKE_SEED = 1
_NO_TARGET = -100  # torch's cross-entropy leaves these places out


# --- settings ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides what a run learns.

    Attributes:
        preset: name of the preset these settings started from.
        corpora: names of the corpora the songs come from, for the model card.
        durations, spelled, prime, times, ends: how songs become words; see `NotesSettings`.
        cell, layers, hidden, embedding, dropout: the network; see `NetworkSettings`.
        optimizer: 'adam' (AdamW) or 'rmsprop'.
        learning_rate: the optimiser's, at its highest; over 0 to 1.
        learning_rate_end: share of it left in the last epoch, on half a cosine; 1 for constant.
        learning_rate_decay: what each epoch after the first `steady_epochs` multiplies it by.
        steady_epochs: epochs before that decay, 0 to 10,000.
        weight_decay: decoupled, as in AdamW; 0 is plain Adam.
        batch_size: songs per step, 1 to 1,024.
        gradient_clip: largest gradient norm; None for any.
        epochs: times through the training songs, 1 to 10,000.
        patience: epochs without a better validation loss after which to stop; None for never.
        longest: notes per song at most, 8 to 4,096; longer songs are cut into several.
        loop_bars: songs with durations are looped to so many bars at least, 1 to 64.
        loop_notes: other songs are repeated to so many notes at least, 1 (once through) to 4,096;
            None extends them cyclically to the length of the longest, as the paper did.
        all_data: train on every song and validate on none, as the paper did for its final songs.
        take_every_epochs: how often a take is kept to listen to; 0 for never.
        seed: decides the first weights, the order of songs and dropout.
        threads: CPU threads; another number gives slightly other weights.

    Raises:
        TrainingError: a value out of range.
    """

    preset: str = ""
    corpora: tuple[str, ...] = ()
    durations: bool = False
    spelled: bool = False
    prime: bool = False
    times: bool = False
    ends: bool = False
    cell: str = "lstm"
    layers: int = 2
    hidden: int = 32
    embedding: int | None = None
    dropout: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 0.001
    learning_rate_end: float = 1.0
    learning_rate_decay: float = 1.0
    steady_epochs: int = 0
    weight_decay: float = 0.0
    batch_size: int = 16
    gradient_clip: float | None = None
    epochs: int = 50
    patience: int | None = None
    longest: int = 1_024
    loop_bars: int = 8
    loop_notes: int | None = None
    all_data: bool = False
    take_every_epochs: int = 5
    seed: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "corpora", tuple(self.corpora))  # JSON knows lists only
        if self.optimizer not in ("adam", "rmsprop"):
            raise TrainingError(f"optimizer is 'adam' or 'rmsprop'; got {self.optimizer!r}.")
        for name, (low, high) in WHOLE_NUMBERS.items():
            value = getattr(self, name)
            if value is None and name in _MAY_BE_NONE:
                continue
            if type(value) is not int or not low <= value <= high:
                raise TrainingError(
                    f"{name} is a whole number from {low:,} to {high:,}; got {value!r}."
                )
        for name, (low, high) in REAL_NUMBERS.items():
            value = getattr(self, name)
            if value is None and name in _MAY_BE_NONE:
                continue
            if type(value) not in (int, float) or not low <= value <= high:
                raise TrainingError(f"{name} is a number from {low:g} to {high:g}; got {value!r}.")


WHOLE_NUMBERS: dict[str, tuple[int, int]] = {
    "layers": (1, 6),
    "hidden": (1, 2_048),
    "embedding": (1, 2_048),
    "batch_size": (1, 1_024),
    "epochs": (1, 10_000),
    "patience": (1, 10_000),
    "longest": (8, 4_096),
    "loop_bars": (1, 64),
    "loop_notes": (1, 4_096),
    "steady_epochs": (0, 10_000),
    "take_every_epochs": (0, 10_000),
    "seed": (0, 2**31 - 1),
    "threads": (1, 64),
}
REAL_NUMBERS: dict[str, tuple[float, float]] = {
    "dropout": (0.0, 0.99),
    "learning_rate": (1e-6, 1.0),
    "learning_rate_end": (0.0, 1.0),
    "learning_rate_decay": (0.01, 1.0),
    "weight_decay": (0.0, 1.0),
    "gradient_clip": (1e-3, 1e3),
}
_MAY_BE_NONE = ("embedding", "patience", "gradient_clip", "loop_notes")

# The paper's three networks. The authors trained one song at a time (batch_size=1 is theirs); four
# at a time are faster and still few.
_PAPER = TrainingSettings(epochs=50, batch_size=4)
PRESETS: dict[str, TrainingSettings] = {
    "paper-1x128": replace(_PAPER, preset="paper-1x128", layers=1, hidden=128),
    "paper-2x32": replace(_PAPER, preset="paper-2x32", dropout=0.9),
    "paper-2x32-slow": replace(_PAPER, preset="paper-2x32-slow", dropout=0.9, learning_rate=0.0005),
    "notes-rhythm": TrainingSettings(
        preset="notes-rhythm",
        durations=True,
        spelled=True,
        prime=True,
        layers=2,
        hidden=192,
        embedding=64,
        dropout=0.5,
        learning_rate=0.004,
        learning_rate_end=0.02,
        weight_decay=0.01,
        batch_size=16,
        gradient_clip=1.0,
        epochs=24,
        patience=6,
        longest=320,
        loop_bars=4,
    ),
    # the paper's notes in its own words, learned in seconds: songs once through instead of four
    # times over, several of like length at a time, at a rate that the clipped gradient allows;
    # benchmarks/speed/time_to_loss.py has how soon it is as good as the paper's best
    "notes-quick": TrainingSettings(
        preset="notes-quick",
        layers=1,
        hidden=128,
        learning_rate=0.006,
        learning_rate_end=0.05,
        gradient_clip=1.0,
        batch_size=8,
        epochs=8,
        patience=3,
        loop_notes=1,
    ),
    # the paper's own family put right; see docs/reproduction.md for what each change brings
    "notes-best": TrainingSettings(
        preset="notes-best",
        times=True,
        prime=True,
        cell="pointing",
        layers=2,
        hidden=256,
        embedding=128,
        dropout=0.4,
        learning_rate=0.003,
        learning_rate_end=0.02,
        weight_decay=0.02,
        batch_size=16,
        gradient_clip=1.0,
        epochs=16,
        patience=5,
        longest=400,
        loop_notes=80,
    ),
    # the systems the paper cites. Skuli's network reads windows of 100 notes
    "skuli-2017": TrainingSettings(
        preset="skuli-2017",
        cell="skuli",
        layers=3,
        hidden=512,
        embedding=256,
        dropout=0.3,
        optimizer="rmsprop",
        learning_rate=0.001,
        batch_size=64,
        epochs=200,
        longest=101,
        loop_notes=1,
    ),
    "folk-rnn-2016": TrainingSettings(
        preset="folk-rnn-2016",
        prime=True,
        ends=True,
        cell="folk-rnn",
        layers=3,
        hidden=512,
        dropout=0.5,
        optimizer="rmsprop",
        learning_rate=0.003,
        learning_rate_decay=0.97,
        steady_epochs=20,
        batch_size=64,
        gradient_clip=5.0,
        epochs=100,
        loop_notes=1,
    ),
    # one layer of 128 under one set-up, so that nothing but the cell differs
    **{
        f"{cell}-1x128": TrainingSettings(
            preset=f"{cell}-1x128",
            cell=cell,
            layers=1,
            hidden=128,
            learning_rate=0.003,
            learning_rate_end=0.05,
            gradient_clip=1.0,
            batch_size=16,
            epochs=12,
        )
        for cell in ("lstm", "gru", "rnn", "res-rnn")
    },
}


def settings_from(preset: str, **overrides: Any) -> TrainingSettings:  # noqa: ANN401
    """A preset's settings with some changed; those given as None keep the preset's value.

    Raises:
        TrainingError: an unknown preset or setting, or a value out of range.
    """
    if preset not in PRESETS:
        raise TrainingError(f"A preset is one of {', '.join(PRESETS)}; got {preset!r}.")
    known = {item.name for item in fields(TrainingSettings)} - {"preset"}
    for name in overrides.keys() - known:
        raise TrainingError(f"Training has no setting {name!r}. Settings: {', '.join(known)}.")
    changed = {name: value for name, value in overrides.items() if value is not None}
    return replace(PRESETS[preset], **changed)


def read_settings(run_folder: Path) -> TrainingSettings:
    """The settings of an earlier run. Raises TrainingError when there are none to be used."""
    try:
        return TrainingSettings(**json.loads((run_folder / SETTINGS_NAME).read_text("utf-8")))
    except FileNotFoundError:
        raise TrainingError(
            f"There is no run called {run_folder.name!r} to go on with. Start it first."
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(
            f"{SETTINGS_NAME} of run {run_folder.name!r} cannot be used ({error}). "
            "Start the run again under another name."
        ) from error


# --- what a run reports -----------------------------------------------------------------------


@dataclass(frozen=True)
class TrainingStep:
    """Where a run stands.

    Attributes:
        epoch, epochs: the epoch under way, counted from 1, of how many.
        step, steps: the step just done in this epoch, counted from 1, of how many.
        train_loss: mean cross-entropy per note in nats over this epoch so far.
        train_accuracy: share of next notes that were given the highest score, 0 to 1.
        validation_loss, validation_accuracy: the same over the validation songs after the last
            complete epoch; None before, and where there is no validation.
        notes_per_second: speed of this process so far.
        seconds: training time so far, earlier parts of a resumed run included.
        seconds_left: until the last epoch's end at this speed; None before anything is known.
        take: MIDI file of a take made in this step.
        finished: the run is complete.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    train_loss: float
    validation_loss: float | None
    train_accuracy: float
    validation_accuracy: float | None
    notes_per_second: float
    seconds: float
    seconds_left: float | None
    take: Path | None = None
    finished: bool = False

    @property
    def ends_epoch(self) -> bool:
        """It is the last step of its epoch."""
        return self.step == self.steps


def read_progress(run_folder: Path) -> tuple[TrainingStep, ...]:
    """The steps a run has noted, in order; a torn line is left out.

    A run that was killed goes on from an earlier step; what it noted after that step is replaced
    by what it noted the second time.
    """
    try:
        lines = (run_folder / PROGRESS_NAME).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    steps: list[TrainingStep] = []
    for line in lines:
        try:
            record = json.loads(line)
            take = record["take"]
            step = TrainingStep(**{**record, "take": take and run_folder / TAKES_NAME / take})
        except (ValueError, TypeError, KeyError):
            continue
        while steps and (steps[-1].epoch, steps[-1].step) >= (step.epoch, step.step):
            steps.pop()
        steps.append(step)
    return tuple(steps)


def is_locked(run_folder: Path) -> bool:
    """A living process is training in this folder."""
    import fcntl

    try:
        with (run_folder / LOCK_NAME).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # none there, or nothing that could be locked
        return False
    return False


def read_status(run_folder: Path) -> tuple[str, str]:
    """What a run last said of itself: state and message, both '' when it said nothing."""
    try:
        status = json.loads((run_folder / STATUS_NAME).read_text("utf-8"))
        return str(status["state"]), str(status["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def write_status(run_folder: Path, state: str, message: str = "") -> None:
    """Note the state of a run for whoever looks at it. Raises LibraryError."""
    write_json_atomic(run_folder / STATUS_NAME, {"state": state, "message": message})


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Let SIGTERM and Ctrl-C stop a run in good order; for the main thread of a program only.

    Yields what to pass to `train` as `should_stop`. A second Ctrl-C interrupts at once. Left to
    themselves both signals would end the process without saving the place.
    """
    asked: list[int] = []

    def ask(number: int, _frame: object) -> None:
        if number == signal.SIGINT and number in asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- training ---------------------------------------------------------------------------------


def train(
    settings: TrainingSettings,
    songs: Sequence[NoteSong],
    run_folder: Path,
    *,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[TrainingStep]:
    """Train on `songs`, yielding after every step; the best model is in ``run_folder/model``.

    Ends after the last epoch, when patience runs out (the last step is then `finished`), when
    `should_stop` says so, a file called ``stop`` appears in the folder, or the caller stops
    iterating. In the last three cases the exact place is saved and `resume` goes on from there.

    Args:
        songs: with their splits. Songs of split 'test' are never looked at, unless `all_data`.
            Without validation songs the training songs take their place; status.json says so.
        run_folder: made if need be.
        resume: go on with the run in `run_folder`; `settings` must be the same but for `epochs`,
            `patience` and `take_every_epochs`.
        should_stop: asked after every step.

    Raises:
        TrainingError: no songs, a folder already used or in use, or nothing that can be resumed.
        LibraryError: the folder cannot be written.
    """
    with ranks_joined() as ranks, ranks.own_folder(run_folder) as own, locked(own):
        run = _prepare_run(settings, songs, (run_folder, own), resume, ranks)
        try:
            yield from run.go(should_stop)
        except GeneratorExit:
            run.stop()
            raise
        except Exception as error:
            told = str(error) if isinstance(error, DigitalDJError) else repr(error)
            write_status(own, "failed", told)
            raise


def check_run_folder(run_folder: Path) -> None:
    """Refuse a folder in which there is something, but no run. Raises TrainingError."""
    try:
        held = sorted(path.name for path in run_folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise TrainingError(
            f"The run's folder {run_folder} cannot be read: {error.strerror}."
        ) from error
    if held and held != [LOCK_NAME] and not {SETTINGS_NAME, STATUS_NAME} & set(held):
        raise TrainingError(
            f"There is a folder {run_folder} that is no run: it holds {held[0]!r}. Choose "
            "another name, or move the folder away."
        )


@contextmanager
def locked(run_folder: Path) -> Iterator[None]:
    """Hold the run's lock; the system frees it when the process ends, however it ends.

    Raises:
        TrainingError: another process trains in the folder, or it cannot be written.
    """
    import fcntl

    check_run_folder(run_folder)
    try:
        run_folder.mkdir(parents=True, exist_ok=True)
        file = (run_folder / LOCK_NAME).open("ab")
    except OSError as error:
        raise TrainingError(
            f"The run's folder {run_folder} cannot be written: {error.strerror}."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(
                f"Run {run_folder.name!r} is being trained by another process. "
                "Stop it first, or choose another name."
            ) from None
        yield


def _prepare_run(
    settings: TrainingSettings,
    songs: Sequence[NoteSong],
    folders: tuple[Path, Path],
    resume: bool,
    ranks: Ranks,
) -> _Run:
    """A run as it stands in the first of two folders, to be written in the second."""
    read_from, folder = folders
    if resume:
        _check_resumable(settings, read_from)
    elif (folder / SETTINGS_NAME).exists():
        raise TrainingError(
            f"There already is a run called {folder.name!r}. Resume it, or choose another name."
        )
    data = _Data.of(settings, songs)
    run = _Run(settings, data, folder, ranks)
    if resume:
        run.load_state(read_from)
    if read_status(folder)[0] != STARTING:  # else whoever started it may already want it to stop
        (folder / STOP_NAME).unlink(missing_ok=True)
    write_json_atomic(folder / SETTINGS_NAME, asdict(settings))
    write_status(folder, "running", data.note)
    return run


def _check_resumable(settings: TrainingSettings, folder: Path) -> None:
    before = read_settings(folder)
    may_change = {
        name: getattr(settings, name) for name in ("epochs", "patience", "take_every_epochs")
    }
    if replace(before, **may_change) != settings:
        changed = [
            item.name
            for item in fields(TrainingSettings)
            if item.name not in may_change
            and getattr(before, item.name) != getattr(settings, item.name)
        ]
        raise TrainingError(
            f"Run {folder.name!r} was started with other settings ({', '.join(changed)}). "
            "Resume it with its own, or start another run."
        )


class _Run:
    """A run under way: network, optimiser, place in the data, and the best so far."""

    def __init__(self, settings: TrainingSettings, data: _Data, folder: Path, ranks: Ranks) -> None:
        import torch

        from dj_core.networks import NetworkSettings, build_network

        self.settings, self.data, self.folder, self.ranks = settings, data, folder, ranks
        shape = NetworkSettings(
            vocabulary_size=len(data.tokenizer.vocabulary),
            cell=settings.cell,
            layers=settings.layers,
            hidden=settings.hidden,
            embedding=settings.embedding,
            dropout=settings.dropout,
            parts=len(data.parts) if settings.cell == "pointing" else 0,
        )
        self.network = build_network(shape, settings.seed)
        if settings.cell == "pointing":
            made_of = words_made_of(data.tokenizer, data.parts)
            self.network.learn_words(torch.tensor(made_of), data.known, data.roles)
        self.network.to(ranks.device)
        kinds = {"adam": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
        self.optimizer = kinds[settings.optimizer](
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.epoch, self.step = 1, 0  # the epoch under way and the steps done in it
        self.tally = _Tally()
        self.validated: dict[str, float] | None = None
        self.best: dict[str, Any] | None = None
        self.seconds_before = 0.0
        self.complete = False
        self._started = time.perf_counter()
        self._notes = 0
        self._noted = -math.inf

    def go(self, should_stop: Callable[[], bool]) -> Iterator[TrainingStep]:
        """Train to the end, to patience's end or until asked to stop."""
        from dj_core.networks import cpu_threads

        with cpu_threads(self.settings.threads):
            while not self.complete:
                batches = self.data.batches(self.epoch)
                for batch in batches[self.step :]:
                    self._learn(batch)
                    step = self._after_step(len(batches))
                    yield step
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
        write_status(self.folder, "stopped", self.data.note)

    # --- one step -----------------------------------------------------------------------------

    def _learn(self, batch: list[_Piece]) -> None:
        import torch
        from torch.nn.utils import clip_grad_norm_

        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        with torch.random.fork_rng(devices=[]):
            # each process silences units of its own
            rank = () if self.ranks.leads else (self.ranks.rank,)
            torch.manual_seed(_mixed(self.settings.seed, self.epoch, self.step, *rank))
            self.network.train()
            share = self.ranks.share(batch)
            loss, counts = _score(self.network, share) if share else (None, _Tally())
        if self.ranks.count > 1:
            summed, right, notes = self.ranks.summed([counts.loss, counts.right, counts.notes])
            counts = _Tally(summed, int(right), int(notes))
        self.optimizer.zero_grad(set_to_none=True)
        if loss is not None:
            (loss / max(counts.notes, 1)).backward()
        self.ranks.sum_gradients(self.network.parameters())
        if self.settings.gradient_clip is not None:
            clip_grad_norm_(self.network.parameters(), self.settings.gradient_clip)
        self.optimizer.step()
        self.tally = self.tally + counts
        self.step += 1
        self._notes += counts.notes

    def _learning_rate(self) -> float:
        """Half a cosine over the epochs, from the full rate to `learning_rate_end` of it.

        Where a decay is asked for, it goes on top, epoch by epoch.
        """
        settings = self.settings
        done = (self.epoch - 1) / max(settings.epochs - 1, 1)
        share = settings.learning_rate_end
        share += (1 - share) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
        decayed = max(0, self.epoch - 1 - settings.steady_epochs)
        return settings.learning_rate * share * settings.learning_rate_decay**decayed

    def _after_step(self, steps: int) -> TrainingStep:
        """Note the step; at an epoch's end also validate, keep the best, play and save."""
        epoch, step, tally, take = self.epoch, self.step, self.tally, None
        if step == steps:
            take = self._end_epoch()
        validated = self.validated or {}
        seconds = self._seconds()
        progress = TrainingStep(
            epoch=epoch,
            epochs=self.settings.epochs,
            step=step,
            steps=steps,
            train_loss=tally.mean_loss,
            validation_loss=validated.get("loss"),
            train_accuracy=tally.accuracy,
            validation_accuracy=validated.get("accuracy"),
            notes_per_second=self._notes / max(time.perf_counter() - self._started, 1e-9),
            seconds=seconds,
            seconds_left=self._seconds_left(epoch, step, steps),
            take=take,
            finished=self.complete,
        )
        self._note(progress)
        if progress.ends_epoch:
            self.save_state()
            if self.complete:  # said last: whoever reads it finds everything in place
                write_status(self.folder, "finished", self.data.note)
        return progress

    def _end_epoch(self) -> Path | None:
        """Validate, keep the model if it is the best, and play a take when one is due."""
        train = {"loss": self.tally.mean_loss, "accuracy": self.tally.accuracy}
        self.validated = self.data.validate(self.network)
        judged = self.validated
        if judged is None or self.best is None or judged["loss"] < self.best["loss"]:
            self.best = {
                "loss": judged["loss"] if judged else train["loss"],
                "epoch": self.epoch,
                "results": self._results(train),
                "weights": {
                    name: tensor.to("cpu", copy=True)
                    for name, tensor in self.network.state_dict().items()
                },
            }
            self._save_model()
        patience = self.settings.patience
        out_of_patience = (
            judged is not None and patience and self.epoch - self.best["epoch"] >= patience
        )
        take = self._play_take()
        self.complete = bool(self.epoch >= self.settings.epochs or out_of_patience)
        self.epoch, self.step, self.tally = self.epoch + 1, 0, _Tally()
        return take

    def _results(self, train: dict[str, float]) -> dict[str, Any]:
        results = {
            "epoch": self.epoch,
            "train_loss": train["loss"],
            "train_accuracy": train["accuracy"],
            "songs": len(self.data.train_songs),
            **self.data.reference_results,
        }
        if self.validated is not None:
            results["validation_loss"] = self.validated["loss"]
            results["validation_accuracy"] = self.validated["accuracy"]
            results["validated_on"] = self.data.validated_on
        return results

    # --- what is kept -------------------------------------------------------------------------

    def _facts(self, results: dict[str, Any]) -> ModelFacts:
        return ModelFacts(
            preset=self.settings.preset,
            corpora=self.settings.corpora,
            start_notes=self.data.start_notes,
            settings=asdict(self.settings),
            results=results,
        )

    def _save_model(self) -> None:
        from dj_core.networks import build_network

        network = build_network(self.network.settings)
        network.load_state_dict(self.best["weights"])
        facts = self._facts(self.best["results"])
        save_checkpoint(self.folder / MODEL_NAME, network, self.data.tokenizer, facts)

    def _play_take(self) -> Path | None:
        every = self.settings.take_every_epochs
        if not every or self.epoch % every:
            return None
        network = deepcopy(self.network).cpu().eval()
        checkpoint = Checkpoint(network, self.data.tokenizer, self._facts({}), "")
        model = NotesModel(self.folder.name, checkpoint)
        request = GenerationRequest(bars=TAKE_BARS, meter=self.data.meter, seed=TAKE_SEED)
        take = model.generate(request)
        return save_midi(take.beat, self.folder / TAKES_NAME / f"epoch-{self.epoch:04d}.mid")

    def _note(self, progress: TrainingStep) -> None:
        """Append the step to progress.jsonl, unless one was noted just now."""
        now = time.perf_counter()
        if not progress.ends_epoch and now - self._noted < SECONDS_BETWEEN_RECORDS:
            return
        self._noted = now
        record = {**asdict(progress), "take": progress.take and progress.take.name}
        path = self.folder / PROGRESS_NAME
        try:
            with path.open("a+b") as file:
                if file.tell() and _last_byte(path) != b"\n":
                    file.write(b"\n")  # a crash tore the last line
                file.write(json.dumps(record).encode() + b"\n")
        except OSError as error:
            raise TrainingError(
                f"{PROGRESS_NAME} cannot be written in {self.folder}: {error.strerror}. "
                "Free some space and resume the run."
            ) from error

    def save_state(self) -> None:
        """Write everything needed to go on from here. Raises LibraryError."""
        import torch

        buffer = BytesIO()
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "tally": asdict(self.tally),
            "validated": self.validated,
            "best": self.best,
            "seconds": self._seconds(),
            "complete": self.complete,
            "vocabulary": self.data.tokenizer.vocabulary.sha256,
            "songs": self.data.sha256,
        }
        torch.save(state, buffer)
        write_bytes_atomic(self.folder / STATE_NAME, buffer.getvalue())

    def load_state(self, folder: Path) -> None:
        """Go to where the run in `folder` was saved; a run killed in its first epoch begins again.

        Raises:
            TrainingError: the state is damaged, of other songs, or the run is complete.
        """
        from pickle import UnpicklingError

        import torch

        path = folder / STATE_NAME
        if not path.exists():
            return
        try:
            state = torch.load(BytesIO(path.read_bytes()), weights_only=True, map_location="cpu")
            songs = state["vocabulary"], state["songs"]
            if songs != (self.data.tokenizer.vocabulary.sha256, self.data.sha256):
                raise TrainingError(
                    f"The corpus of run {self.folder.name!r} has changed since it started. "
                    "Start another run."
                )
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.epoch, self.step = state["epoch"], state["step"]
            self.tally = _Tally(**state["tally"])
            self.validated, self.best = state["validated"], state["best"]
            self.seconds_before = state["seconds"]
        except (
            OSError,
            RuntimeError,
            KeyError,
            TypeError,
            ValueError,
            EOFError,
            UnpicklingError,
        ) as error:
            raise TrainingError(
                f"{STATE_NAME} of run {self.folder.name!r} is damaged "
                f"({type(error).__name__}). Start another run."
            ) from error
        if self.epoch > self.settings.epochs:
            raise TrainingError(
                f"Run {self.folder.name!r} already finished its {self.settings.epochs} epochs. "
                "Ask for more epochs to go on."
            )
        if self.best is not None:  # it may have been killed while writing the model
            self._save_model()

    def _seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self._started

    def _seconds_left(self, epoch: int, step: int, steps: int) -> float:
        if self.complete:
            return 0.0
        done = (epoch - 1) * steps + step
        return self._seconds() / done * (self.settings.epochs * steps - done)


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1)


def _mixed(*numbers: int) -> int:
    """One seed from several numbers, well spread."""
    return int.from_bytes(sha256_of(repr(numbers).encode()).encode()[:7], "big")


# --- songs as tensors -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Tally:
    """Sums over notes that were guessed."""

    loss: float = 0.0
    right: int = 0
    notes: int = 0

    def __add__(self, other: _Tally) -> _Tally:
        return _Tally(self.loss + other.loss, self.right + other.right, self.notes + other.notes)

    @property
    def mean_loss(self) -> float:
        """Nats per note."""
        return self.loss / max(self.notes, 1)

    @property
    def accuracy(self) -> float:
        """Share of notes guessed right, 0 to 1."""
        return self.right / max(self.notes, 1)


_Piece = tuple["Tensor", "Tensor"]
"""What the network reads and, one place on, what it should have guessed."""


class _Data:
    """The songs of a run, as pieces the network can read."""

    def __init__(
        self,
        settings: TrainingSettings,
        tokenizer: NotesTokenizer,
        train_songs: list[NoteSong],
        validation_songs: list[NoteSong],
        note: str,
    ) -> None:
        self.settings, self.tokenizer = settings, tokenizer
        self.train_songs, self.validation_songs = train_songs, validation_songs
        self.note = note
        self.validated_on = "train" if note else "validation"
        self.start_notes = first_names(train_songs)[:200]
        self._never_guessed = {n for n, word in enumerate(tokenizer.words) if not word.is_guessed}
        self.parts = name_parts(tokenizer)
        self.train = self._pieces(train_songs)
        self.validation = self._pieces(validation_songs)
        self.reference_results = (
            {"references": references(self.train, self.validation)} if self.validation else {}
        )

    @classmethod
    def of(cls, settings: TrainingSettings, songs: Sequence[NoteSong]) -> _Data:
        """Songs by split, under one vocabulary. Raises TrainingError without any."""
        songs = [song for song in songs if song.events]
        if not songs:
            raise TrainingError("There are no songs to train on. Choose another corpus.")
        if len({song.drum_map for song in songs}) > 1:
            # the same note means different drums: one name for each is needed
            songs = [in_general_midi(song) for song in songs]
        words = NotesSettings(
            settings.durations,
            settings.spelled,
            settings.prime,
            songs[0].drum_map,
            settings.times,
            settings.ends,
        )
        # as in the paper the vocabulary is that of all songs, held-out ones too
        tokenizer = NotesTokenizer.for_songs(words, songs)
        if settings.all_data:
            return cls(settings, tokenizer, songs, [], "")
        train = [song for song in songs if song.split == "train"] or songs
        validation = [song for song in songs if song.split == "validation"]
        note = ""
        if not validation or train is songs:
            validation = train
            note = (
                "The corpus is too small for validation songs of its own: the validation loss is "
                "measured on the training songs."
            )
        return cls(settings, tokenizer, train, validation, note)

    @property
    def known(self) -> Tensor:
        """Which words the training songs hold, (words,)."""
        import torch

        found = {id_ for song in self.train_songs for id_ in self.tokenizer.encode_song(song)}
        return torch.tensor([id_ in found for id_ in range(len(self.tokenizer.words))])

    @property
    def roles(self) -> Tensor:
        """What each word is to a network that reads a name and its time as one, (words,)."""
        import torch

        from dj_core.pointing import NAME, TIME, WORD

        def role(word: Word) -> int:
            if not word.is_music or not self.tokenizer.settings.times:
                return WORD
            return NAME if word.name else TIME

        return torch.tensor([role(word) for word in self.tokenizer.words])

    @property
    def sha256(self) -> str:
        """The hash of what is learned from, in order."""
        return sha256_of(repr([song.file_id for song in self.train_songs]).encode())

    @property
    def meter(self) -> Meter:
        """The meter most songs are in."""
        quarters = Counter(song.bar_quarters for song in self.train_songs).most_common(1)[0][0]
        return Meter(round(quarters), 4) if quarters % 1 == 0 else Meter(round(quarters * 8), 8)

    def batches(self, epoch: int) -> list[list[_Piece]]:
        """The training pieces in this epoch's order, pieces of like length together."""
        import torch

        size = self.settings.batch_size
        generator = torch.Generator().manual_seed(_mixed(self.settings.seed, epoch))
        order = torch.randperm(len(self.train), generator=generator).tolist()
        pool = size * _BATCHES_PER_POOL
        batches = []
        for start in range(0, len(order), pool):
            alike = sorted(order[start : start + pool], key=lambda index: len(self.train[index][0]))
            batches += [alike[first : first + size] for first in range(0, len(alike), size)]
        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        return [[self.train[index] for index in batches[place]] for place in shuffled]

    def validate(self, network: nn.Module) -> dict[str, float] | None:
        """Loss and accuracy over the validation songs; None without any."""
        import torch

        if not self.validation:
            return None
        network.eval()
        tally = _Tally()
        size = self.settings.batch_size
        with torch.inference_mode():
            for start in range(0, len(self.validation), size):
                tally = tally + _score(network, self.validation[start : start + size])[1]
        return {"loss": tally.mean_loss, "accuracy": tally.accuracy}

    def _pieces(self, songs: list[NoteSong]) -> list[_Piece]:
        import torch

        settings = self.settings
        if not songs:
            return []
        if settings.durations:
            pieces = [piece for song in songs for piece in self._looped(song)]
        elif settings.loop_notes is not None:
            pieces = [piece for song in songs for piece in self._repeated(song)]
        else:
            pieces = even_pieces(
                [self.tokenizer.encode_song(song) for song in songs], settings.longest
            )
        read_only = torch.tensor(sorted(self._never_guessed), dtype=torch.long)
        result = []
        for piece in pieces:
            ids = torch.tensor(piece)
            targets = ids[1:].masked_fill(torch.isin(ids[1:], read_only), _NO_TARGET)
            result.append((ids[:-1], targets))
        return result

    def _repeated(self, song: NoteSong) -> list[list[int]]:
        ids = self.tokenizer.encode_song(song)
        words = self.tokenizer.settings
        primes = len(prime_words(song.genre, song.kind, song.bar_quarters, words))
        body = len(ids) - words.ends
        least = self.settings.loop_notes * (2 if words.times else 1)
        longest = self.settings.longest
        return repeated_pieces(ids[:primes], ids[primes:body], ids[body:], least, longest)

    def _looped(self, song: NoteSong) -> list[list[int]]:
        ids = self.tokenizer.encode_song(song)
        primes = len(prime_words(song.genre, song.kind, song.bar_quarters, self.tokenizer.settings))
        bar_line = self.tokenizer.vocabulary.ids[BAR_LINE]
        settings = self.settings
        return looped_pieces(
            ids[:primes], ids[primes:], bar_line, settings.loop_bars, settings.longest
        )


_BATCHES_PER_POOL = 16


def _score(network: nn.Module, batch: list[_Piece]) -> tuple[Tensor, _Tally]:
    """The summed loss over a batch, and its tally."""
    from torch.nn.functional import cross_entropy
    from torch.nn.utils.rnn import pad_sequence

    inputs = pad_sequence([piece[0] for piece in batch], batch_first=True)
    targets = pad_sequence(
        [piece[1] for piece in batch], batch_first=True, padding_value=_NO_TARGET
    )
    device = next(network.parameters()).device
    inputs, targets = inputs.to(device), targets.to(device)
    logits, _ = network(inputs)
    guessed = targets != _NO_TARGET
    logits, targets = logits[guessed], targets[guessed]
    loss = cross_entropy(logits, targets, reduction="sum")
    right = int((logits.argmax(-1) == targets).sum())
    return loss, _Tally(float(loss.detach()), right, len(targets))


def references(
    train: Sequence[_Piece], validation: Sequence[_Piece]
) -> dict[str, dict[str, float]]:
    """What knows next to nothing scores on the same notes: to be read beside a network's results.

    'always-the-commonest' guesses the training songs' commonest word every time (in the paper's
    corpus: the rest) and has the loss of their word frequencies; 'bigram' knows the word before,
    smoothed by Witten and Bell's method.
    """
    counts: Counter[int] = Counter()
    followers: dict[int, Counter[int]] = {}
    for before, after in _pairs(train):
        counts[after] += 1
        followers.setdefault(before, Counter())[after] += 1
    total = counts.total()
    words = len(counts) + 1  # one more for all that never occurred
    commonest = counts.most_common(1)[0][0]
    single, double = _Tally(), _Tally()
    for before, after in _pairs(validation):
        alone = (counts[after] + len(counts) / words) / (total + len(counts))
        single = single + _Tally(-math.log(alone), int(after == commonest), 1)
        known = followers.get(before, Counter())
        after_this = (known[after] + len(known) * alone) / max(known.total() + len(known), 1)
        guess = known.most_common(1)[0][0] if known else commonest
        double = double + _Tally(-math.log(after_this or alone), int(after == guess), 1)
    return {
        name: {"loss": tally.mean_loss, "accuracy": tally.accuracy}
        for name, tally in (("always-the-commonest", single), ("bigram", double))
    }


def _pairs(pieces: Sequence[_Piece]) -> Iterator[tuple[int, int]]:
    for inputs, targets in pieces:
        pairs = zip(inputs.tolist(), targets.tolist(), strict=True)
        yield from ((before, after) for before, after in pairs if after != _NO_TARGET)
