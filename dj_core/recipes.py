"""Every way to train, whichever family of models comes of it: one list of presets, one stream.

    settings = settings_from("groove", corpora=("mine",))
    for step in train_run(settings, material_of(settings, corpora), run_folder): ...

The notes presets learn note strings (`dj_core.training`), the groove presets learn beats with
dynamics and timing (`dj_core.groove.training`); both leave a run's folder of the same layout.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dj_core import training
from dj_core.corpus import Corpus
from dj_core.errors import TrainingError
from dj_core.groove.clips import STARTER
from dj_core.groove.training import (
    GROOVE_PRESETS,
    GrooveTrainingSettings,
    groove_settings_from,
    read_groove_settings,
    train_groove,
)
from dj_core.notation import NoteSong, note_songs
from dj_core.training import TrainingSettings, TrainingStep

Settings = TrainingSettings | GrooveTrainingSettings
Material = Sequence[NoteSong] | Sequence[Corpus]
Reading = Callable[[str, int, int], None]
"""Told of a corpus by name how many of its files are read, and of how many."""

_FOREMOST = ("groove", "groove-quick", "notes-best", "notes-rhythm")
_ALL: dict[str, Settings] = {**GROOVE_PRESETS, **training.PRESETS}
PRESETS: dict[str, Settings] = {name: _ALL[name] for name in _FOREMOST if name in _ALL} | _ALL
"""Every preset by name, in the order in which to offer them."""

GROOVE_BOUNDS: dict[str, tuple[float, float]] = {
    "epochs": (1, 10_000),
    "learning_rate": (1e-6, 1.0),
    "batch_size": (1, 1_024),
    "hidden": (16, 1_024),
    "layers": (1, 4),
    "dropout": (0.0, 0.9),
    "seed": (0, 2**31 - 1),
}
TUNABLE = tuple(GROOVE_BOUNDS)
_GROOVE_NAMES = {"batch_size": "streams"}  # beats learned from side by side, in either family

# Seconds measured on one shared core: per step of the groove presets, whose length does not
# depend on the corpus; per epoch over the 1,544 files of the paper's corpus for the others.
_SECONDS_PER_GROOVE_STEP = 0.3
_SECONDS_PER_EPOCH = {
    "notes-quick": 3.0,
    "notes-rhythm": 12.5,
    "paper-2x32": 20.4,
    "paper-2x32-slow": 20.4,
}
_FILES_PER_EPOCH = 1_544


@dataclass(frozen=True)
class Tunable:
    """A setting of a preset that may be changed for a run.

    Attributes:
        usual: the preset's value.
        low, high: its bounds.
    """

    usual: float
    low: float
    high: float


def tunables(preset: str) -> dict[str, Tunable]:
    """What may be changed, by the name that both families and the command line share.

    Raises:
        TrainingError: an unknown preset.
    """
    settings = _preset(preset)
    if isinstance(settings, GrooveTrainingSettings):
        named = {name: _GROOVE_NAMES.get(name, name) for name in TUNABLE}
        return {n: Tunable(getattr(settings, own), *GROOVE_BOUNDS[n]) for n, own in named.items()}
    bounds = training.WHOLE_NUMBERS | training.REAL_NUMBERS
    return {name: Tunable(getattr(settings, name), *bounds[name]) for name in TUNABLE}


def settings_from(
    preset: str,
    *,
    corpora: Sequence[str],
    all_data: bool = False,
    **overrides: Any,  # noqa: ANN401 - settings of several types, checked by their class
) -> Settings:
    """A preset's settings for `corpora`, some changed; those given as None keep the preset's.

    Args:
        preset: one of `PRESETS`.
        corpora: names, for the model's card and for whoever resumes.
        all_data: learn from every song and validate on none; the notes presets alone can.
        overrides: any of `TUNABLE`.

    Raises:
        TrainingError: an unknown preset or setting, or a value out of range.
    """
    if not isinstance(_preset(preset), GrooveTrainingSettings):
        return training.settings_from(
            preset, corpora=tuple(corpora), all_data=all_data or None, **overrides
        )
    if all_data:
        raise TrainingError(
            f"Preset {preset!r} stops where held-out beats sound best and needs some to validate "
            "on. Leave --all-data out, or choose a notes preset."
        )
    for name, value in overrides.items():
        low, high = GROOVE_BOUNDS.get(name, (-float("inf"), float("inf")))
        if value is not None and not low <= value <= high:
            raise TrainingError(f"{name} is {low:g} to {high:g}; got {value!r}.")
    renamed = {_GROOVE_NAMES.get(name, name): value for name, value in overrides.items()}
    return groove_settings_from(preset, corpora=tuple(corpora), **renamed)


def read_run_settings(run_folder: Path) -> Settings:
    """The settings of an earlier run. Raises TrainingError when there are none to be used."""
    try:
        content = json.loads((run_folder / training.SETTINGS_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        content = {}  # the readers below say what is wrong
    if isinstance(content, dict) and "streams" in content:
        return read_groove_settings(run_folder)
    return training.read_settings(run_folder)


def material_of(
    settings: Settings, corpora: Sequence[Corpus], reading: Reading = lambda *_: None
) -> Material:
    """What a run learns from; note strings are read by music21 where that was not done before.

    Raises:
        CorpusError: a corpus that cannot be read.
    """
    if isinstance(settings, GrooveTrainingSettings):
        # the starter patterns always take part, as patterns rather than as files
        return [corpus for corpus in corpora if corpus.name != STARTER]
    songs: list[NoteSong] = []
    for corpus in corpora:
        songs += note_songs(corpus, lambda done, of, name=corpus.name: reading(name, done, of))
    return songs


def train_run(
    settings: Settings,
    material: Material,
    run_folder: Path,
    *,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[TrainingStep]:
    """Train on what `material_of` gave, yielding after every step; see `dj_core.training.train`.

    Raises:
        TrainingError: nothing to learn from, a folder already used or in use, or nothing that
            can be resumed.
        LibraryError: the folder cannot be written.
    """
    train = train_groove if isinstance(settings, GrooveTrainingSettings) else training.train
    return train(settings, material, run_folder, resume=resume, should_stop=should_stop)


def expected_seconds(settings: Settings, files: int) -> float | None:
    """About how long a run takes on one core; None where nobody has measured.

    Args:
        settings: of the run.
        files: MIDI files it would learn from.
    """
    if isinstance(settings, GrooveTrainingSettings):
        return settings.epochs * settings.steps_per_epoch * _SECONDS_PER_GROOVE_STEP
    seconds = _SECONDS_PER_EPOCH.get(settings.preset)
    return seconds and settings.epochs * seconds * files / _FILES_PER_EPOCH


def counts_sixteenths(settings: Settings) -> bool:
    """What a run counts and guesses: 16ths of a bar, or else notes."""
    return isinstance(settings, GrooveTrainingSettings)


def _preset(name: str) -> Settings:
    if name not in PRESETS:
        raise TrainingError(f"A preset is one of {', '.join(PRESETS)}; got {name!r}.")
    return PRESETS[name]
