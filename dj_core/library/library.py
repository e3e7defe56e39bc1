"""The DJ's own folder: corpora, training runs and models, and what the product ships.

DIGITAL_DJ_HOME/
  corpora/NAME/     see corpus.py
  runs/NAME/        see training.py; a run's best model is a model like any other
  models/NAME/      model folders put there by hand
  soundfonts/       the DJ's own .sf2 files
  kits/NAME/        kits of one's own; see own_kits.py
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import tempfile
import time
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dj_core.corpus.store import (
    FORMAT_VERSION,
    INDEX_NAME,
    Corpus,
    ImportReport,
    Progress,
    import_corpus,
    read_again,
)
from dj_core.errors import OTHER_HOME, CheckpointError, CorpusError, LibraryError, not_saved
from dj_core.files.file_names import checked_name, name_key
from dj_core.files.home import home_folder
from dj_core.files.midi import midi_bytes
from dj_core.files.records import read_json
from dj_core.files.storage import (
    one_at_a_time,
    others_files,
    remove_leftovers,
    remove_own_files,
    sha256_of,
    write_json_atomic,
)
from dj_core.host.read_only import check_may_change, read_only
from dj_core.library.training_jobs import Run, list_runs
from dj_core.models.checkpoint import CARD_NAME, SHIPPED_MODELS, read_card
from dj_core.models.families import FAMILIES, family_named
from dj_core.music.beat import Meter
from dj_core.music.drums import DrumMap
from dj_core.music.patterns import STARTER_FOLDER, load_patterns
from dj_core.product import PRODUCT_FOLDER

SHIPPED_SOUNDFONTS = PRODUCT_FOLDER / "assets" / "soundfonts"
DEFAULT_MODEL = "groove"
DEFAULT_NOTES_MODEL = "notes-best"  # for what is asked note by note
STARTER_CORPUS = "starter"
STARTER_STAMP = "starter.json"
CORPUS_FILES = re.compile(
    rf"{re.escape(INDEX_NAME)}|{re.escape(STARTER_STAMP)}"
    r"|files/[0-9a-f]{64}\.pack|files/[0-9a-f]{2}/[0-9a-f]{64}\.(mid|\d+\.part)"
)
"""Every file that we make in a corpus's folder, by its place there."""
OWN_FOLDERS = ("blind-tests", "corpora", "kits", "runs", "sessions", "sets")
"""What we write lies in them."""


@dataclass(frozen=True)
class ModelInfo:
    """A model that can be chosen.

    Attributes:
        name: unique; runs and shipped models go by their folder's name.
        label: what a DJ reads.
        family: which kind of network plays it ('groove' or 'notes').
        folder: its checkpoint folder.
        shipped: came with the product.
        default: the one to play when nobody chose.
        genres: what it can be asked for, by name; empty when it knows none.
        meters: what it learned to play in; empty for a model that fits its notes into any bar.
        card: its model.json: settings, corpora, results.
    """

    name: str
    label: str
    family: str
    folder: Path
    shipped: bool
    default: bool
    genres: tuple[str, ...]
    meters: tuple[Meter, ...]
    card: dict[str, Any]

    @property
    def has_feel(self) -> bool:
        """It can be asked for a `Feel`: beats or fills, density, loudness, timing."""
        return FAMILIES[self.family].has_feel

    @property
    def counts_notes(self) -> bool:
        """It can be asked for a number of notes."""
        return FAMILIES[self.family].counts_notes

    @property
    def can_shape(self) -> bool:
        """It goes on from a given beat: reroll, continue, fill, taps."""
        return FAMILIES[self.family].can_shape


@dataclass(frozen=True)
class BrokenModel:
    """A model folder that cannot be used, and why."""

    folder: Path
    reason: str


class Library:
    """Everything a DJ owns, by name."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.corpora_folder = home / "corpora"
        self.runs_folder = home / "runs"
        self.models_folder = home / "models"
        self.soundfonts_folder = home / "soundfonts"

    @classmethod
    def open(cls) -> Library:
        """The folder named by DIGITAL_DJ_HOME, or the platform's place for user data."""
        return cls(home_folder())

    def tidy(self) -> int:
        """Remove what killed processes left half written; returns how many there were.

        Only in folders of our own, and nothing where nothing may be changed.
        """
        if read_only():
            return 0
        return sum(remove_leftovers(self.home / folder) for folder in OWN_FOLDERS)

    # --- corpora ------------------------------------------------------------------------------

    def corpora(self) -> tuple[Corpus, ...]:
        """Every readable corpus, the starter patterns first; they are unpacked on first use."""
        trouble: LibraryError | None = None
        try:
            self._ensure_starter()
        except LibraryError as error:  # a full disk hides no corpus that is there
            trouble = error
        found = []
        for folder in _folders(self.corpora_folder):
            if (folder / INDEX_NAME).exists():
                with contextlib.suppress(CorpusError):  # importing it again repairs it
                    found.append(Corpus(folder, folder.name))  # a copy is called as it is named
        if trouble and not found:
            raise trouble
        return tuple(sorted(found, key=lambda corpus: (corpus.name != STARTER_CORPUS, corpus.name)))

    def corpus(self, name: str) -> Corpus:
        """The corpus called `name`. Raises CorpusError naming those there are."""
        corpora = self.corpora()
        for is_meant in (name.__eq__, lambda other: name_key(other) == name_key(name)):
            for corpus in corpora:
                if is_meant(corpus.name):
                    return corpus
        known = ", ".join(corpus.name for corpus in corpora)
        raise CorpusError(f"There is no corpus called {name!r}. Corpora: {known}.")

    def import_corpus(
        self,
        source: Path | str,
        name: str,
        *,
        drum_map: DrumMap | None = None,
        progress: Progress | None = None,
        executor: Executor | None = None,
        most_seconds: float | None = None,
    ) -> ImportReport:
        """Bring files into the corpus called `name`; see `corpus.import_corpus`.

        Args:
            source, name, drum_map, progress, executor: see there.
            most_seconds: reading that takes longer is stopped, and the corpus is as it was; None
                for as long as it takes.

        Raises LibraryError for a name that cannot be used, or a disk that cannot be written;
        CorpusError where `source` has nothing usable, or too much of it for the time.
        """
        check_may_change("its corpora")
        folder = self.corpus_folder(name)
        # two tabs may import into one corpus: the second begins with what the first brought
        with one_at_a_time(self.corpora_folder / f".{folder.name}.lock"):
            end = math.inf if most_seconds is None else time.monotonic() + most_seconds

            def in_time(done: int, total: int) -> None:
                if done < total and time.monotonic() > end:
                    raise CorpusError(
                        f"{done:,} of {total:,} files were read in {most_seconds:,.0f} seconds, "
                        "which is the limit here. Nothing was added. Add them in parts."
                    )
                if progress:
                    progress(done, total)

            return import_corpus(
                source, folder, folder.name, drum_map=drum_map, progress=in_time, executor=executor
            )

    def read_corpus_again(
        self, name: str, drum_map: DrumMap | None, progress: Progress | None = None
    ) -> ImportReport:
        """Read a corpus by another note map; see `corpus.read_again`.

        Raises LibraryError where it may not be changed, CorpusError where it is not to be read.
        """
        check_may_change("its corpora")
        folder = self.corpus(name).folder
        if folder.name == STARTER_CORPUS:
            raise LibraryError("The starter patterns are read by the note map they were made for.")
        _check_is_ours(folder)
        with one_at_a_time(self.corpora_folder / f".{folder.name}.lock"):
            return read_again(Corpus(folder, folder.name), drum_map, progress)

    def corpus_folder(self, name: str) -> Path:
        """Where the corpus called `name` lives or may be made.

        Raises LibraryError for a name that cannot be used, the starter patterns', or the name of
        a folder that is no corpus.
        """
        folder = _place_of(self.corpora_folder, name)
        if name_key(folder.name) == STARTER_CORPUS:
            raise LibraryError(
                f"The name {STARTER_CORPUS!r} belongs to the patterns that come with Digital DJ. "
                "Choose another."
            )
        _check_is_ours(folder)
        return folder

    def delete_corpus(self, name: str) -> None:
        """Remove a corpus: its index and the files we made for it, and nothing else.

        Raises CorpusError where there is none of that name, or for the starter patterns, which
        stay; LibraryError where it cannot be removed.
        """
        check_may_change("its corpora")
        folder = self.corpus(name).folder
        if folder.name != name:
            raise CorpusError(f"There is no corpus called {name!r}, but {folder.name!r}.")
        if name == STARTER_CORPUS:
            raise CorpusError("The starter patterns come with Digital DJ and stay.")
        _check_is_ours(folder)
        try:
            with one_at_a_time(self.corpora_folder / f".{folder.name}.lock"):
                remove_own_files(folder, CORPUS_FILES)
        except OSError as error:
            raise LibraryError(
                f"The corpus {folder.name!r} could not be removed: {error.strerror or error}. "
                f"Remove its folder {folder} yourself."
            ) from error

    def _ensure_starter(self) -> None:
        """Unpack the starter patterns once, and again when a new version ships others."""
        folder = self.corpora_folder / STARTER_CORPUS
        files = sorted(STARTER_FOLDER.glob("*.beat"))
        whole = b"\0".join(file.name.encode() + b"\0" + file.read_bytes() for file in files)
        stamp = {"sha256": sha256_of(whole), "format": FORMAT_VERSION}
        if _stamp_in(folder) == stamp:
            return
        # of two tabs or servers that start at once, the second finds what the first has made
        with one_at_a_time(self.corpora_folder / f".{STARTER_CORPUS}.lock"):
            if _stamp_in(folder) == stamp:
                return
            _check_is_ours(folder)
            try:
                remove_own_files(folder, CORPUS_FILES)
                with tempfile.TemporaryDirectory() as unpacked:
                    for beat in load_patterns():
                        path = Path(unpacked) / beat.genre / f"{beat.title}.mid"
                        path.parent.mkdir(exist_ok=True)
                        path.write_bytes(midi_bytes(beat))
                    import_corpus(Path(unpacked), folder, STARTER_CORPUS)
                write_json_atomic(folder / STARTER_STAMP, stamp)
            except OSError as error:
                what = "The starter patterns could not be unpacked"
                raise not_saved(what, error, OTHER_HOME) from error

    # --- models and runs ----------------------------------------------------------------------

    def models(self) -> tuple[ModelInfo, ...]:
        """Every usable model: shipped ones, the DJ's own, and what training runs made."""
        return tuple(found for found in self._scan_models() if isinstance(found, ModelInfo))

    def broken_models(self) -> tuple[BrokenModel, ...]:
        """Model folders that cannot be used, each with its reason."""
        return tuple(found for found in self._scan_models() if isinstance(found, BrokenModel))

    def model(self, name: str | None = None) -> ModelInfo:
        """The model called `name`, or the default one. Raises CheckpointError."""
        models = self.models()
        for model in models:
            if model.name == name or (name is None and model.default):
                return model
        for broken in self.broken_models():
            if name in (broken.folder.name, broken.folder.parent.name):
                raise CheckpointError(broken.reason)
        if not models:
            raise CheckpointError("There is no model yet. Train one, or reinstall Digital DJ.")
        known = ", ".join(model.name for model in models)
        raise CheckpointError(f"There is no model called {name!r}. Models: {known}.")

    def runs(self) -> tuple[Run, ...]:
        """Every training run, newest first."""
        return tuple(list_runs(self.runs_folder))

    def run_folder(self, name: str) -> Path:
        """Where the run called `name` lives or will live. Raises LibraryError."""
        return _place_of(self.runs_folder, name)

    def _scan_models(self) -> list[ModelInfo | BrokenModel]:
        # the transcriber beside them is no model of beats, and has no card of one
        ours = [one for one in _folders(SHIPPED_MODELS) if (one / CARD_NAME).exists()]
        places = [(folder, folder.name, True) for folder in ours]
        places += [(folder, folder.name, False) for folder in _folders(self.models_folder)]
        places += [
            (run / "model", run.name, False)
            for run in _folders(self.runs_folder)
            if (run / "model").is_dir()
        ]
        found: list[ModelInfo | BrokenModel] = []
        taken: set[str] = set()
        for folder, name, shipped in places:
            if name in taken:
                continue  # a run may not hide a shipped model of the same name
            info = _model_info(folder, name, shipped, _state_of(folder))
            if isinstance(info, ModelInfo) and FAMILIES[info.family].load is None:
                continue  # it plays nothing of its own; who needs it knows where it is
            found.append(info)
            taken.add(name)
        return found


def _place_of(folder: Path, name: str) -> Path:
    """The folder in `folder` that goes by `name`, in other letters perhaps, else a new one's."""
    clean = checked_name(name)
    known = [other for other in _folders(folder) if name_key(other.name) == name_key(clean)]
    exact = [other for other in known if other.name == clean]
    return (exact or known or [folder / clean])[0]


def _check_is_ours(folder: Path) -> None:
    """Refuse a folder that is a link, or holds what is no corpus of ours. Raises LibraryError."""
    if folder.is_symlink():
        raise LibraryError(
            f"{folder.name!r} is a link to another place, which Digital DJ does not change. Remove "
            f"the link {folder} yourself, or choose another name."
        )
    if not (folder / INDEX_NAME).is_file() and (others := others_files(folder, CORPUS_FILES)):
        raise LibraryError(
            f"There is a folder {folder} that is no corpus: it holds {min(others)!r}. Choose "
            "another name, or move the folder away."
        )


def _stamp_in(folder: Path) -> object:
    """What is noted of the starter patterns that were unpacked; None for none, or damage."""
    try:
        return read_json(folder / STARTER_STAMP)
    except (OSError, ValueError):
        return None


def _folders(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if path.is_dir() and path.name[0] != ".")


def _state_of(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """What changes when a file of a model folder does: its times, to the nanosecond, and size."""
    files = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            state = entry.stat()
            files.append((entry.name, state.st_mtime_ns, state.st_ctime_ns, state.st_size))
    return tuple(sorted(files))


@functools.lru_cache(maxsize=256)
def _model_info(
    folder: Path, name: str, shipped: bool, _state: tuple[tuple[str, int, int, int], ...]
) -> ModelInfo | BrokenModel:
    """What a model folder in some state holds: pages ask at every click, cards take 1 ms each."""
    try:
        card = read_card(folder)
        family_named(card["family"])
    except CheckpointError as error:
        return BrokenModel(folder, str(error))
    return ModelInfo(
        name=name,
        label=card.get("label") or name,
        family=card["family"],
        folder=folder,
        shipped=shipped,
        default=shipped and name == DEFAULT_MODEL,
        genres=tuple(card["genres"]),
        meters=FAMILIES[card["family"]].meters,
        card=card,
    )
