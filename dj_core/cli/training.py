"""The verb train."""

from __future__ import annotations

import argparse
import itertools
import time
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dj_core.cli.verb import Answer, ProgressBar, option, say, verb
from dj_core.errors import TrainingError
from dj_core.host.extras import require
from dj_core.host.limits import LIMITS
from dj_core.host.queues import turn_to_train
from dj_core.host.read_only import check_may_change
from dj_core.library.library import Library

if TYPE_CHECKING:
    from dj_core.models.families import Settings
    from dj_core.models.run_folder import TrainingStep


@verb(
    "train",
    option("--corpus", action="append", help="a corpus by name; may be repeated"),
    option("--preset", help="which network and schedule; see docs/models.md"),
    option("--run", help="name of the run, and of the model it makes"),
    option("--resume", action="store_true", help="go on with the run where it stopped"),
    option("--queue", action="store_true", help="wait until fewer runs train than the limit says"),
    option("--epochs", type=int),
    option("--learning-rate", type=float),
    option("--batch-size", type=int),
    option("--hidden", type=int),
    option("--layers", type=int),
    option("--dropout", type=float),
    option("--seed", type=int),
    option(
        "--without-starter",
        action="store_true",
        help="leave out the starter patterns and dance phrases, which a groove preset learns "
        "beside the corpora",
    ),
    option("--all-data", action="store_true", help="train on every file, as the paper's last step"),
    timed=False,
)
def train(options: argparse.Namespace) -> Answer:
    """Train a model on one or more corpora."""
    from dj_core.models.run_folder import STARTING, STOP_NAME, write_status

    library = Library.open()
    check_may_change("its models")
    require("torch")
    settings, folder = _asked(options, library)

    def tell(before: int) -> None:
        others = "another run" if before < 2 else f"{before} other runs"
        write_status(folder, STARTING, f"Waits for {others} to end.")

    stopped = (folder / STOP_NAME).exists
    at_once = LIMITS.trainings_at_once
    turn = turn_to_train(library.runs_folder, at_once, tell, stopped)
    with turn if options.queue else nullcontext():
        return _train(options, library, settings, folder)


def _train(
    options: argparse.Namespace, library: Library, settings: Settings, folder: Path
) -> Answer:
    from dj_core.models.families import material_of, train_run
    from dj_core.models.run_folder import stop_on_signals

    began = time.perf_counter()
    corpora = [library.corpus(name) for name in settings.corpora]
    with ExitStack() as open_bars:
        bars: dict[str, ProgressBar] = {}  # one for each corpus in turn

        def show(name: str, done: int, total: int) -> None:
            if name not in bars:
                open_bars.close()
                reading = ProgressBar(f"Reading the notes of {name}", "file")
                bars[name] = open_bars.enter_context(reading)
            bars[name].show(done, total)

        material = material_of(settings, corpora, show)
    last = None
    with ProgressBar("Training", "step") as bar, stop_on_signals() as should_stop:
        for last in train_run(
            settings,
            material,
            folder,
            resume=options.resume,
            should_stop=should_stop,
            seconds_spent=time.perf_counter() - began,
        ):
            done = (last.epoch - 1) * last.steps + last.step
            bar.show(done, last.epochs * last.steps, _standing(last))
    if last is None:
        raise TrainingError(f"Run {folder.name!r} had nothing left to do.")
    say(f"{folder.name}: {'finished' if last.finished else 'stopped'}, {_standing(last)}")
    return {
        "run": folder.name,
        "epochs": last.epoch,
        "finished": last.finished,
        "train_loss": last.train_loss,
        "validation_loss": last.validation_loss,
        "train_accuracy": last.train_accuracy,
        "validation_accuracy": last.validation_accuracy,
        "seconds": round(last.seconds, 3),
    }


def _asked(options: argparse.Namespace, library: Library) -> tuple[Settings, Path]:
    """The run asked for: a new one's settings or an earlier one's, and its folder."""
    from dj_core.models.families import TUNABLE, read_run_settings, settings_from

    if options.resume:
        if not options.run:
            raise TrainingError("--resume needs --run NAME, the run to go on with.")
        folder = library.run_folder(options.run)
        settings = read_run_settings(folder)
        return (replace(settings, epochs=options.epochs) if options.epochs else settings), folder
    if not options.corpus or not options.preset:
        raise TrainingError("A new run needs --corpus NAME and --preset NAME.")
    settings = settings_from(
        options.preset,
        corpora=options.corpus,
        all_data=options.all_data,
        starter=not options.without_starter,
        **{name: getattr(options, name) for name in TUNABLE},
    )
    name = options.run
    if not name:
        taken = {run.name for run in library.runs()} | {model.name for model in library.models()}
        names = (f"{options.preset}-{number}" for number in itertools.count(1))
        name = next(name for name in names if name not in taken)
    return settings, library.run_folder(name)


def _standing(step: TrainingStep) -> str:
    words = "" if step.stage == "training" or step.finished else f"{step.stage}, "
    words += f"epoch {step.epoch}/{step.epochs}, loss {step.train_loss:.3f}"
    if step.validation_loss is not None:
        words += f", validation {step.validation_loss:.3f}"
    return words
