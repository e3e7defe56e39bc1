"""What each lever of the groove model brings: every one taken away, at one small budget.

``python -m benchmarks.groove_ablation --runs FOLDER --corpus GROOVE --corpus PAPER ...`` trains a
network per lever, one epoch of ``--steps`` steps, and prints a table of the bits it costs on the
validation split of the first corpus. Stopped, it goes on where it was: with the same folder,
finished runs are read, an unfinished one is resumed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from dj_core.corpus.store import Corpus
from dj_core.errors import DigitalDJError, TrainingError
from dj_core.models.families import read_run_settings, train_run
from dj_core.models.groove.groove_checkpoint import load_groove_model
from dj_core.models.groove.groove_likelihood import Bits, bits_of
from dj_core.models.groove.groove_training import GROOVE_PRESETS, GrooveTrainingSettings
from dj_core.models.groove.training_clips import ClipSet, corpus_clips
from dj_core.models.run_folder import MODEL_NAME, SETTINGS_NAME, STATE_NAME, read_status
from dj_core.music.beat import Meter
from dj_core.music.step_grid import METERS

DEFAULT_STEPS = 250
FOUR_FOUR = METERS.index(Meter(4, 4))

LEVERS: dict[str, dict[str, float | bool]] = {
    "as it is": {},
    "no lags (bars before)": {"use_lags": False},
    "lanes and strokes of a 16th independent": {"lanes_know_each_other": False},
    "no lags, independent": {"use_lags": False, "lanes_know_each_other": False},
    "no copying": {"copying": False},
    "no running means": {"use_recent": False},
    "no style": {"own_style": 0.0, "past_style": 0.0},
    "no dropout": {"dropout": 0.0, "input_drop": 0.0},
    "no weight drop": {"weight_drop": 0.0},
}
"""What is taken away, and the settings that do it."""


def settings_without(changes: dict[str, float | bool], steps: int) -> GrooveTrainingSettings:
    """The preset's settings at the small budget, with a lever's `changes`."""
    preset = GROOVE_PRESETS["groove"]
    # bits are asked of the network alone; the lean concerns the styles that takes are told
    budget = {"epochs": 1, "steps_per_epoch": steps, "take_every_epochs": 0, "style_bias_takes": 0}
    return replace(preset, **budget, **changes)


def measure(
    corpora: Sequence[Corpus], runs: Path, steps: int, levers: Sequence[str] = tuple(LEVERS)
) -> Iterator[tuple[str, Bits]]:
    """Train each of `levers` in a folder of its own and yield what it costs.

    Raises:
        TrainingError: a folder of another budget or corpus, or nothing to learn from.
    """
    held_out = ClipSet.of(
        clip for clip in corpus_clips(corpora[0], "validation") if clip.meter == FOUR_FOUR
    )
    for lever in levers:
        folder = runs / "".join(c if c.isalnum() else "-" for c in lever)
        settings = settings_without(LEVERS[lever], steps)
        if (folder / SETTINGS_NAME).exists() and read_run_settings(folder) != settings:
            raise TrainingError(
                f"{folder} holds a run with other settings. Choose another folder for --runs."
            )
        _train(settings, corpora, folder)
        made = load_groove_model(folder / MODEL_NAME)
        clips = ClipSet.of(held_out.clips, made.settings.genres)
        yield lever, bits_of(made.network, made.tables.scale, clips)


def _train(settings: GrooveTrainingSettings, corpora: Sequence[Corpus], folder: Path) -> None:
    """Train in `folder` to the end, from wherever an earlier attempt was stopped."""
    if read_status(folder)[0] == "finished":
        return
    resume = (folder / STATE_NAME).exists()
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)  # killed before its place was saved
    for _ in train_run(settings, corpora, folder, resume=resume):
        pass


def main(arguments: list[str] | None = None) -> int:
    """Print the table as Markdown, row by row; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.groove_ablation", description=__doc__
    )
    parser.add_argument("--runs", type=Path, required=True, help="folder for the networks")
    parser.add_argument(
        "--corpus", type=Path, action="append", required=True, help="folder of an imported corpus"
    )
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    given = parser.parse_args(arguments)
    print("| | hit bits per 16th | velocity | offset | flams, per stroke | all bits per bar |")
    print("|---|---|---|---|---|---|")
    try:
        corpora = [Corpus(folder) for folder in given.corpus]
        for lever, bits in measure(corpora, given.runs, given.steps):
            print(
                f"| {lever} | {bits.hits_per_step:.3f} | {bits.velocity_per_hit:.3f} | "
                f"{bits.offset_per_hit:.3f} | {bits.second_per_hit:.3f} | "
                f"{bits.total_per_bar:.1f} |",
                flush=True,
            )
    except DigitalDJError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
