"""The folder of a training run: its files, lock, progress and status.

A run is a folder::

    settings.json    the settings of its preset
    status.json      running, finished, stopped or failed, and a sentence
    progress.jsonl   a TrainingStep a line; the last line may be torn after a crash
    state.pt         everything needed to go on, written at the end of each epoch and on stop
    model/           the best model so far, a model folder like any other
    takes/           epoch-0005.mid ...: what the network plays as it learns, from one fixed seed
    lock             held while a process trains; the system frees it when the process dies
    stop             put there by whoever wants the run to stop
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dj_core.errors import TrainingError
from dj_core.files.records import json_of, read_json, record_of
from dj_core.files.storage import write_json_atomic
from dj_core.host.operating_system import lock

SETTINGS_NAME, STATUS_NAME, PROGRESS_NAME = "settings.json", "status.json", "progress.jsonl"
STATE_NAME, MODEL_NAME, TAKES_NAME = "state.pt", "model", "takes"
LOCK_NAME, STOP_NAME = "lock", "stop"
STARTING = "starting"  # a process was started for the run and does not hold the lock yet


@dataclass(frozen=True)
class TrainingStep:
    """Where a run stands.

    A run prepares its material (there is no step yet), trains, and in some families has one more
    stage; a step of that stage repeats the last one of training.

    Attributes:
        epoch, epochs: the epoch under way, counted from 1, of how many.
        step, steps: the step just done in this epoch, counted from 1, of how many.
        train_loss: mean loss in nats over this epoch so far (per note, 16th or hit; see
            `families.Family.unit`).
        train_accuracy: share guessed right, 0 to 1.
        validation_loss, validation_accuracy: the same over the validation material after the last
            complete epoch; None before, and where there is no validation.
        notes_per_second: speed of this process so far, in the unit of the loss.
        seconds: what the run took so far, preparing and earlier parts of a resumed run included.
        seconds_left: until the run is finished, at this speed; None before anything is known.
        take: MIDI file of a take made in this step.
        finished: the run is complete.
        stage: what it does.
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
    stage: str = "training"

    @property
    def ends_epoch(self) -> bool:
        """It is the last step of its epoch."""
        return self.step == self.steps


def note_step(run_folder: Path, step: TrainingStep) -> None:
    """Append a step to progress.jsonl. Raises TrainingError where that cannot be written."""
    record = {**asdict(step), "take": step.take and step.take.name}
    path = run_folder / PROGRESS_NAME
    try:
        with path.open("a+b") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")  # a crash tore the last line
            file.write(json.dumps(record).encode() + b"\n")
    except OSError as error:
        raise TrainingError(
            f"{PROGRESS_NAME} cannot be written in {run_folder}: {error.strerror}. "
            "Free some space and resume the run."
        ) from error


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
            step = record_of(TrainingStep, json_of(line))
        except ValueError:
            continue
        if step.take:
            step = replace(step, take=run_folder / TAKES_NAME / step.take.name)
        while steps and (steps[-1].epoch, steps[-1].step) >= (step.epoch, step.step):
            steps.pop()
        steps.append(step)
    return tuple(steps)


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
    is_new = held == [LOCK_NAME] and not (run_folder / LOCK_NAME).stat().st_size
    if held and not is_new and not {SETTINGS_NAME, STATUS_NAME} & set(held):
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
    check_run_folder(run_folder)
    try:
        run_folder.mkdir(parents=True, exist_ok=True)
        file = (run_folder / LOCK_NAME).open("ab")
    except OSError as error:
        raise TrainingError(
            f"The run's folder {run_folder} cannot be written: {error.strerror}."
        ) from error
    with file:
        if not lock(file.fileno(), wait=False):
            raise TrainingError(
                f"Run {run_folder.name!r} is being trained by another process. "
                "Stop it first, or choose another name."
            )
        yield


def is_locked(run_folder: Path) -> bool:
    """A living process is training in this folder."""
    try:
        with (run_folder / LOCK_NAME).open("rb") as file:
            return not lock(file.fileno(), wait=False)
    except OSError:  # no run, or nobody can train there
        return False


def read_status(run_folder: Path) -> tuple[str, str]:
    """What a run last said of itself: state and message, both '' when it said nothing."""
    try:
        status = read_json(run_folder / STATUS_NAME)
        return str(status["state"]), str(status["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def write_status(run_folder: Path, state: str, message: str = "") -> None:
    """Note the state of a run for whoever looks at it. Raises LibraryError."""
    write_json_atomic(run_folder / STATUS_NAME, {"state": state, "message": message})


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Let SIGTERM and Ctrl-C stop a run in good order; for the main thread of a program only.

    Yields what to pass to a training run as `should_stop`. A second Ctrl-C interrupts at once.
    Left to themselves both signals would end the process without saving the place.
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
