"""The table of model families: presets, training and loading. Only this file names the families.

A family joins with an entry in `FAMILIES`: its presets, how its material is read, the `Task` that
the training loop drives, and how its checkpoint is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from dj_core.corpus.note_strings import NoteSong, note_songs
from dj_core.corpus.store import Corpus
from dj_core.errors import CheckpointError, TrainingError
from dj_core.models.checkpoint import read_card
from dj_core.models.distributed import Ranks
from dj_core.models.groove.groove_training import (
    GROOVE_PRESETS,
    GrooveTask,
    GrooveTrainingSettings,
    weights_of,
)
from dj_core.models.groove.style_bias import ROUNDS, STEPS_A_TAKE
from dj_core.models.groove.training_clips import STARTER
from dj_core.models.humanizer.humanizer_training import (
    HUMANIZER_PRESETS,
    HumanizerTask,
    HumanizerTrainingSettings,
)
from dj_core.models.notes.note_training import (
    NOTE_PRESETS,
    REAL_NUMBERS,
    WHOLE_NUMBERS,
    NoteTask,
    NoteTrainingSettings,
)
from dj_core.models.request import BeatModel
from dj_core.models.run_folder import TrainingStep
from dj_core.models.trainer import RunSettings, Task, read_settings_file, settings_of, train
from dj_core.music.beat import Meter
from dj_core.music.step_grid import METERS

Material = Sequence[Any]
Reading = Callable[[str, int, int], None]
"""Told of a corpus by name how many of its files are read, and of how many."""


class Settings(RunSettings, Protocol):
    """What the training settings of every family say, a frozen dataclass each."""

    @property
    def preset(self) -> str:
        """Name of the preset they started from."""

    @property
    def corpora(self) -> tuple[str, ...]:
        """Names of what is learned from."""


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


@dataclass(frozen=True)
class Family:
    """One kind of model.

    Attributes:
        name: as its cards and settings say.
        unit: what its losses are counted by: 'note', '16th' or 'hit'.
        settings: the class of its training settings.
        presets: training settings by name.
        bounds: what may be changed for a run, by the name that all families share, and its bounds.
        own_names: names of those settings in `settings` where they differ.
        read_material: what a run learns from, of corpora.
        make_task: what the training loop drives.
        expected_seconds: about how long a run takes on one core over so many files, or None.
        load: its player, of a checkpoint folder and a name; None where it plays nothing of its own.
        meters: what it plays in; empty where it fits its notes into any bar.
        has_feel: it can be asked for a `Feel`: beats or fills, density, loudness, timing.
        counts_notes: it can be asked for a number of notes.
        can_shape: it goes on from a given beat: reroll, continue, fill, taps.
        can_use_all_data: it can learn from every file and validate on none.
        weights: for a family that learns the starter patterns beside the corpora that were chosen,
            unless its settings' `starter` leaves them out: how much of what a run hears is of
            which corpus, in any unit, given settings and corpora. None for any other family.
    """

    name: str
    unit: str
    settings: type[Settings]
    presets: Mapping[str, Settings]
    bounds: Mapping[str, tuple[float, float]]
    read_material: Callable[[Sequence[Corpus], Reading], Material]
    make_task: Callable[[Any, Any, Ranks], Task]
    expected_seconds: Callable[[Any, int], float | None]
    load: Callable[[Path, str], BeatModel] | None
    own_names: Mapping[str, str] = field(default_factory=dict)
    meters: tuple[Meter, ...] = ()
    has_feel: bool = False
    counts_notes: bool = False
    can_shape: bool = False
    can_use_all_data: bool = False
    weights: Callable[[Any, Sequence[str]], Mapping[str, float]] | None = None


# --- notes ------------------------------------------------------------------------------------

# seconds per epoch over the 1,544 files of the paper's corpus, measured on one shared core
_SECONDS_PER_EPOCH = {
    "notes-quick": 3.0,
    "notes-rhythm": 12.5,
    "paper-2x32": 20.4,
    "paper-2x32-slow": 20.4,
}
_FILES_PER_EPOCH = 1_544


def _note_songs_of(corpora: Sequence[Corpus], reading: Reading) -> list[NoteSong]:
    songs: list[NoteSong] = []
    for corpus in corpora:
        songs += note_songs(corpus, partial(reading, corpus.name))
    return songs


def _seconds_of_notes(settings: NoteTrainingSettings, files: int) -> float | None:
    seconds = _SECONDS_PER_EPOCH.get(settings.preset)
    return seconds and settings.epochs * seconds * files / _FILES_PER_EPOCH


def _load_notes(folder: Path, name: str) -> BeatModel:
    from dj_core.models.notes.note_player import load_notes_player

    return load_notes_player(folder, name)


# --- groove and humaniser ---------------------------------------------------------------------

_SECONDS_PER_GROOVE_STEP = 0.3  # measured on one shared core; does not depend on the corpus
_SECONDS_PER_HUMANIZER_STEP = 0.5


def _load_groove(folder: Path, name: str) -> BeatModel:
    from dj_core.models.groove.groove_player import load_groove_player

    return load_groove_player(folder, name)


# --- the table --------------------------------------------------------------------------------

TUNABLE = ("epochs", "learning_rate", "batch_size", "hidden", "layers", "dropout", "seed")
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            name="groove",
            unit="16th",
            settings=GrooveTrainingSettings,
            presets=GROOVE_PRESETS,
            bounds={
                "epochs": (1, 10_000),
                "learning_rate": (1e-6, 1.0),
                "batch_size": (1, 1_024),
                "hidden": (16, 1_024),
                "layers": (1, 4),
                "dropout": (0.0, 0.9),
                "seed": (0, 2**31 - 1),
            },
            own_names={"batch_size": "streams"},  # beats learned from side by side
            # the starter patterns take part as patterns rather than as files
            read_material=lambda corpora, _: [c for c in corpora if c.name != STARTER],
            make_task=GrooveTask,
            expected_seconds=lambda settings, _: (
                (
                    settings.epochs * settings.steps_per_epoch
                    + STEPS_A_TAKE * len(ROUNDS) * settings.style_bias_takes
                )
                * _SECONDS_PER_GROOVE_STEP
            ),
            load=_load_groove,
            meters=METERS,
            has_feel=True,
            can_shape=True,
            weights=weights_of,
        ),
        Family(
            name="notes",
            unit="note",
            settings=NoteTrainingSettings,
            presets=NOTE_PRESETS,
            bounds={name: (WHOLE_NUMBERS | REAL_NUMBERS)[name] for name in TUNABLE},
            read_material=_note_songs_of,
            make_task=NoteTask,
            expected_seconds=_seconds_of_notes,
            load=_load_notes,
            counts_notes=True,
            can_use_all_data=True,
        ),
        Family(
            name="humanizer",
            unit="hit",
            settings=HumanizerTrainingSettings,
            presets=HUMANIZER_PRESETS,
            bounds={
                "epochs": (1, 10_000),
                "learning_rate": (1e-6, 1.0),
                "dropout": (0.0, 0.9),
                "seed": (0, 2**31 - 1),
            },
            read_material=lambda corpora, _: list(corpora),
            make_task=HumanizerTask,
            expected_seconds=lambda settings, _: (
                settings.epochs * settings.steps_per_epoch * _SECONDS_PER_HUMANIZER_STEP
            ),
            load=None,
        ),
    )
}
_FOREMOST = ("groove", "groove-quick", "notes-best", "notes-rhythm")


def presets() -> dict[str, Settings]:
    """Every preset of every family by name, in the order in which to offer them."""
    known = {name: one for family in FAMILIES.values() for name, one in family.presets.items()}
    return {name: known[name] for name in _FOREMOST} | known


# --- playing ----------------------------------------------------------------------------------


def load_model(folder: Path) -> BeatModel:
    """The model in a checkpoint folder, ready to play. Raises CheckpointError."""
    family = family_named(read_card(folder)["family"])
    if family.load is None:
        raise CheckpointError(
            f"Model {folder.name} is a {family.name}: it plays nothing of its own. Choose another."
        )
    # a run's model lies in a folder called model; it goes by the run's name
    return family.load(folder, folder.parent.name if folder.name == "model" else folder.name)


def family_named(name: str) -> Family:
    """The family of this name. Raises CheckpointError for one that this version does not know."""
    if name not in FAMILIES:
        raise CheckpointError(
            f"This version of Digital DJ knows no models of family {name!r}. Update it."
        )
    return FAMILIES[name]


# --- training ---------------------------------------------------------------------------------


def family_of(settings: Settings) -> Family:
    """The family that training settings belong to."""
    return next(one for one in FAMILIES.values() if isinstance(settings, one.settings))


def tunables(preset: str) -> dict[str, Tunable]:
    """What of a preset may be changed, by the name that all families share.

    Raises:
        TrainingError: an unknown preset.
    """
    family, settings = _preset(preset)
    return {
        name: Tunable(getattr(settings, family.own_names.get(name, name)), *bounds)
        for name, bounds in family.bounds.items()
    }


def settings_from(
    preset: str,
    *,
    corpora: Sequence[str] = (),
    all_data: bool = False,
    starter: bool = True,
    **changes: Any,  # noqa: ANN401 - settings of several types, checked by their class
) -> Settings:
    """A preset's settings for `corpora`, some changed; those given as None keep the preset's.

    Args:
        preset: one of `presets`.
        corpora: names, for the model's card and for whoever resumes.
        all_data: learn from every file and validate on none, for families that can.
        starter: learn the starter patterns, too, in families that do.
        changes: any of `TUNABLE` that the family has.

    Raises:
        TrainingError: an unknown preset or setting, or a value out of range.
    """
    family, settings = _preset(preset)
    if all_data and not family.can_use_all_data:
        raise TrainingError(
            f"Preset {preset!r} stops where held-out beats sound best and needs some to validate "
            "on. Leave --all-data out, or choose a notes preset."
        )
    if not starter and STARTER in corpora:
        raise TrainingError("The starter patterns are asked for as a corpus and left out at once.")
    changed: dict[str, Any] = {"corpora": tuple(corpora)}
    if family.weights is not None:
        changed["starter"] = starter
    if all_data:
        changed["all_data"] = True
    for name, value in changes.items():
        if value is None:
            continue
        if name not in family.bounds:
            raise TrainingError(
                f"Preset {preset!r} has no setting {name!r}. Settings: {', '.join(family.bounds)}."
            )
        low, high = family.bounds[name]
        if type(value) not in (int, float) or not low <= value <= high:
            raise TrainingError(f"{name} is {low:g} to {high:g}; got {value!r}.")
        changed[family.own_names.get(name, name)] = value
    return replace(settings, **changed)


def read_run_settings(run_folder: Path) -> Settings:
    """The settings of an earlier run. Raises TrainingError when there are none to be used."""
    content = read_settings_file(run_folder)
    family = FAMILIES.get(str(content.get("family")))
    if family is None:
        raise TrainingError(
            f"The settings of run {run_folder.name!r} name no family of models "
            f"(got {str(content.get('family'))[:40]!r}). Start the run again under another name."
        )
    settings: Settings = settings_of(family.settings, content, run_folder.name)
    return settings


def material_of(
    settings: Settings, corpora: Sequence[Corpus], reading: Reading = lambda *_: None
) -> Material:
    """What a run learns from; note strings are read by music21 where that was not done before.

    Raises:
        CorpusError: a corpus that cannot be read.
    """
    return family_of(settings).read_material(corpora, reading)


def train_run(
    settings: Settings,
    material: Material,
    run_folder: Path,
    *,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    seconds_spent: float = 0.0,
) -> Iterator[TrainingStep]:
    """Train on what `material_of` gave, yielding after every step; see `trainer.train`.

    Raises:
        TrainingError: nothing to learn from, a folder already used or in use, or nothing that
            can be resumed.
        LibraryError: the folder cannot be written.
    """
    make_task = family_of(settings).make_task
    return train(
        settings,
        lambda ranks: make_task(settings, material, ranks),
        run_folder,
        resume=resume,
        should_stop=should_stop,
        seconds_spent=seconds_spent,
    )


def expected_seconds(settings: Settings, files: int) -> float | None:
    """About how long a run takes on one core; None where nobody has measured.

    Args:
        settings: of the run.
        files: MIDI files it would learn from.
    """
    return family_of(settings).expected_seconds(settings, files)


def _preset(name: str) -> tuple[Family, Settings]:
    known = presets()
    if name not in known:
        raise TrainingError(f"A preset is one of {', '.join(known)}; got {name!r}.")
    return family_of(known[name]), known[name]
