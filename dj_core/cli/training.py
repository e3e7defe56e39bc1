"""The verb train."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dj_core.cli.verb import Answer, ProgressBar, Verbs, add_verb, say
from dj_core.errors import TrainingError
from dj_core.library import Library

if TYPE_CHECKING:
    from dj_core.notation import NoteSong
    from dj_core.training import TrainingStep


def add_train(verbs: Verbs) -> None:
    """The verb and its options."""
    verb = add_verb(verbs, "train", "train a model on one or more corpora", _run_train)
    verb.add_argument("--corpus", action="append", help="a corpus by name; may be repeated")
    verb.add_argument("--preset", help="which network and schedule; see docs/models.md")
    verb.add_argument("--run", help="name of the run, and of the model it makes")
    verb.add_argument("--resume", action="store_true", help="go on with the run where it stopped")
    verb.add_argument("--epochs", type=int)
    verb.add_argument("--learning-rate", type=float)
    verb.add_argument("--batch-size", type=int)
    verb.add_argument("--hidden", type=int)
    verb.add_argument("--layers", type=int)
    verb.add_argument("--dropout", type=float)
    verb.add_argument("--seed", type=int)
    verb.add_argument(
        "--all-data", action="store_true", help="train on every file, as the paper's last step"
    )


def _run_train(options: argparse.Namespace) -> Answer:
    from dj_core.training import read_settings, settings_from, stop_on_signals, train

    library = Library.open()
    if options.resume:
        if not options.run:
            raise TrainingError("--resume needs --run NAME, the run to go on with.")
        folder = library.run_folder(options.run)
        settings = read_settings(folder)
        if options.epochs:
            settings = replace(settings, epochs=options.epochs)
    else:
        if not options.corpus or not options.preset:
            raise TrainingError("A new run needs --corpus NAME and --preset NAME.")
        settings = settings_from(
            options.preset,
            corpora=tuple(options.corpus),
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            batch_size=options.batch_size,
            hidden=options.hidden,
            layers=options.layers,
            dropout=options.dropout,
            seed=options.seed,
            all_data=options.all_data or None,
        )
        folder = library.run_folder(options.run or _free_run_name(library, options.preset))
    songs = _songs(library, settings.corpora)
    last = None
    with ProgressBar("Training", "step") as bar, stop_on_signals() as should_stop:
        steps = train(settings, songs, folder, resume=options.resume, should_stop=should_stop)
        for last in steps:
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


def _songs(library: Library, corpora: Sequence[str]) -> list[NoteSong]:
    """The note strings of the corpora, read by music21 where that was not done before."""
    from dj_core.notation import note_songs

    songs: list[NoteSong] = []
    for name in corpora:
        with ProgressBar(f"Reading the notes of {name}", "file") as bar:
            songs += note_songs(library.corpus(name), bar.show)
    return songs


def _standing(step: TrainingStep) -> str:
    words = f"epoch {step.epoch}/{step.epochs}, loss {step.train_loss:.3f}"
    if step.validation_loss is not None:
        words += f", validation {step.validation_loss:.3f}"
    return words


def _free_run_name(library: Library, preset: str) -> str:
    taken = {run.name for run in library.runs()} | {model.name for model in library.models()}
    return next(name for name in (f"{preset}-{n}" for n in itertools.count(1)) if name not in taken)
