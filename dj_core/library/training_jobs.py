"""Training runs as separate processes that go on without the browser or the server.

The process that trains and those that look at the run share only the run's folder (see
`run_folder`): the trainer holds the folder's lock while it runs and writes its status there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from dj_core.errors import TrainingError
from dj_core.files.file_names import checked_name, name_key
from dj_core.files.storage import write_bytes_atomic
from dj_core.host.extras import require
from dj_core.host.limits import LIMITS
from dj_core.host.operating_system import is_alive, own_session
from dj_core.host.read_only import check_may_change
from dj_core.models.families import TUNABLE, Settings, read_run_settings, settings_from
from dj_core.models.run_folder import (
    SETTINGS_NAME,
    STARTING,
    STATUS_NAME,
    STOP_NAME,
    TAKES_NAME,
    TrainingStep,
    check_run_folder,
    is_locked,
    read_progress,
    read_status,
    write_status,
)
from dj_core.product import IMPORT_FOLDER

State = Literal["running", "finished", "stopped", "failed", "died"]
LOG_NAME, PID_NAME = "log.txt", "pid"

_OPTIONS: dict[str, str] = {name: f"--{name.replace('_', '-')}" for name in TUNABLE}
"""Settings that may be changed for a run, and the command line's name for each."""


@dataclass(frozen=True)
class Run:
    """A training run as its folder tells it.

    Attributes:
        name: its folder's name, and that of the model it makes.
        settings: None when the process has not begun, or the file is damaged.
        state: 'running'; 'finished'; 'stopped' (resumable); 'failed' (see `message`); 'died':
            its process is gone without a word (resumable).
        message: a sentence for the DJ; '' when there is nothing to say.
        steps: what it noted, oldest first.
        takes: MIDI files to hear it learn, by epoch.
        starting: its process is up but does not train yet.
    """

    name: str
    folder: Path
    settings: Settings | None
    state: State
    message: str
    steps: tuple[TrainingStep, ...]
    takes: tuple[Path, ...]
    starting: bool = False

    @property
    def last_step(self) -> TrainingStep | None:
        """Where it stands."""
        return self.steps[-1] if self.steps else None

    @property
    def epoch_steps(self) -> tuple[TrainingStep, ...]:
        """The last step of every complete epoch: what a loss curve is drawn from."""
        return tuple(step for step in self.steps if step.ends_epoch)


def start_training(
    library_home: Path,
    run: str,
    *,
    corpora: Sequence[str],
    preset: str,
    all_data: bool = False,
    starter: bool = True,
    **overrides: Any,  # noqa: ANN401 - settings of several types, checked by settings_from
) -> None:
    """Start a run in a process of its own and return at once.

    Args:
        library_home: the DJ's folder; the run will be ``runs/RUN`` in it.
        starter, all_data: as in `settings_from`.
        overrides: settings to change: epochs, learning_rate, batch_size, hidden, layers, dropout,
            seed. None keeps the preset's.

    Raises TrainingError where a setting is out of range or cannot be changed, no corpus is given,
    or there already is a run of that name.
    """
    check_may_change("its models")
    require("torch")
    for name in overrides.keys() - _OPTIONS.keys():
        raise TrainingError(f"{name!r} cannot be changed. What can: {', '.join(_OPTIONS)}.")
    if not corpora:
        raise TrainingError("Choose at least one corpus to train on.")
    settings_from(preset, corpora=corpora, all_data=all_data, starter=starter, **overrides)
    folder = library_home / "runs" / checked_name(run)
    check_run_folder(folder)
    others = list_runs(folder.parent)
    if any(name_key(other.name) == name_key(folder.name) for other in others):
        raise TrainingError(f"There already is a run called {run!r}. Choose another name.")
    busy = sum(other.state == "running" for other in others)
    if busy >= LIMITS.trainings_at_once + LIMITS.waiting:
        raise TrainingError(
            f"{busy} runs train or wait already. Start yours when some of them have ended."
        )
    options = [part for corpus in corpora for part in ("--corpus", corpus)]
    options += ["--preset", preset, *(["--all-data"] if all_data else [])]
    options += [] if starter else ["--without-starter"]
    for name, value in overrides.items():
        if value is not None:
            options += [_OPTIONS[name], repr(value)]
    _spawn(library_home, folder, options)


def resume_training(library_home: Path, run: str) -> None:
    """Go on with a run that was stopped, failed or died. Raises TrainingError if it cannot."""
    check_may_change("its models")
    folder = library_home / "runs" / run
    settings = read_run_settings(folder)
    state = read_run(folder).state
    if state in ("running", "finished"):
        raise TrainingError(f"Run {run!r} is {state}; there is nothing to resume.")
    options = [part for corpus in settings.corpora for part in ("--corpus", corpus)]
    _spawn(library_home, folder, [*options, "--preset", settings.preset, "--resume"])


def stop_training(run_folder: Path) -> None:
    """Ask a run to save its place and end; it does so after the step it is in.

    Raises TrainingError where it is not running, LibraryError where its folder cannot be written.
    """
    check_may_change("its models")
    if read_run(run_folder).state != "running":
        raise TrainingError(f"Run {run_folder.name!r} is not running.")
    write_bytes_atomic(run_folder / STOP_NAME, b"")


def read_run(run_folder: Path) -> Run:
    """What is known of a run. Raises TrainingError when there is no such run."""
    if not any((run_folder / name).is_file() for name in (STATUS_NAME, SETTINGS_NAME)):
        raise TrainingError(f"There is no run called {run_folder.name!r}.")
    settings = None
    with suppress(TrainingError):
        settings = read_run_settings(run_folder)
    said, message = read_status(run_folder)
    starts = False
    if said == STARTING:
        # that fails where no process is noted
        with suppress(OSError, ValueError, OverflowError):
            starts = is_alive(int((run_folder / PID_NAME).read_text("ascii")))
    state: State = "died"
    if starts or is_locked(run_folder):
        state = "running"  # the lock knows better than any file
    elif said in ("finished", "stopped", "failed"):
        state = cast(State, said)
    else:
        # the last line a process wrote before it ended: usually what was wrong
        message = ""
        with suppress(OSError):
            log = (run_folder / LOG_NAME).read_text("utf-8", errors="replace")
            lines = [line.rsplit("\r", 1)[-1].strip() for line in log.split("\n") if line.strip()]
            message = lines[-1].removeprefix("digital-dj: ") if lines else ""
    return Run(
        name=run_folder.name,
        folder=run_folder,
        settings=settings,
        state=state,
        message=message,
        steps=read_progress(run_folder),
        takes=tuple(sorted((run_folder / TAKES_NAME).glob("epoch-*.mid"))),
        starting=state == "running" and said == STARTING,
    )


def list_runs(runs_folder: Path) -> tuple[Run, ...]:
    """Every run in a folder, the one that changed last first."""
    if not runs_folder.is_dir():
        return ()
    changed: dict[Path, float] = {}
    for folder in runs_folder.iterdir():
        files = [folder / name for name in (STATUS_NAME, SETTINGS_NAME)]
        if times := [file.stat().st_mtime for file in files if file.is_file()]:
            changed[folder] = max(times)
    newest = sorted(changed, key=lambda folder: (-changed[folder], folder.name))
    return tuple(read_run(folder) for folder in newest)


# --- starting ---------------------------------------------------------------------------------


def _spawn(library_home: Path, folder: Path, options: list[str]) -> None:
    """Start the command line's trainer in a session of its own, writing to the run's log."""
    product = str(IMPORT_FOLDER)
    search_path = os.pathsep.join(filter(None, [product, os.environ.get("PYTHONPATH")]))
    for old in (PID_NAME, STOP_NAME):
        (folder / old).unlink(missing_ok=True)
    write_status(folder, STARTING)
    command = [sys.executable, "-m", "dj_core", "train", "--run", folder.name, *options, "--json"]
    command.append("--queue")
    try:
        with (folder / LOG_NAME).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **own_session(),  # closing the tab or the server does not end it
                env={
                    **os.environ,
                    "DIGITAL_DJ_HOME": str(library_home.resolve()),
                    "PYTHONPATH": search_path,
                    "PYTHONUNBUFFERED": "1",
                },
            )
    except OSError as error:
        write_status(folder, "failed", f"Training could not be started: {error.strerror}.")
        raise TrainingError(f"Training could not be started: {error.strerror}.") from error
    write_bytes_atomic(folder / PID_NAME, str(process.pid).encode())
    # whoever ends leaves a zombie until its parent asks; ask, so that it is seen to be gone
    threading.Thread(target=process.wait, name=f"training {folder.name}", daemon=True).start()
