"""The DJ's own folder: corpora, training runs and models, and what the product ships.

DIGITAL_DJ_HOME/
  corpora/NAME/     see corpus.py
  runs/NAME/        see training.py; a run's best model is a model like any other
  models/NAME/      model folders put there by hand
  soundfonts/       the DJ's own .sf2 files
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import tempfile
import threading
import time
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dj_core.access import check_may_change
from dj_core.beat import Meter
from dj_core.checkpoint import read_card
from dj_core.corpus import (
    FORMAT_VERSION,
    INDEX_NAME,
    Corpus,
    ImportReport,
    Progress,
    import_corpus,
    read_again,
)
from dj_core.drums import DrumMap
from dj_core.errors import CheckpointError, CorpusError, LibraryError
from dj_core.humanizer.checkpoint import FAMILY as HUMANIZER_FAMILY
from dj_core.jobs import Run, list_runs
from dj_core.midi import midi_bytes
from dj_core.patterns import STARTER_FOLDER, load_patterns
from dj_core.sampling import GROOVE_FAMILY
from dj_core.storage import (
    one_at_a_time,
    remove_leftovers,
    sha256_of,
    temporary_folder,
    write_json_atomic,
)
from dj_core.tokenizers.groove import METERS

PRODUCT_FOLDER = Path(__file__).resolve().parent.parent
SHIPPED_MODELS = PRODUCT_FOLDER / "models"
SHIPPED_SOUNDFONTS = PRODUCT_FOLDER / "assets" / "soundfonts"
DEFAULT_MODEL = "groove"
DEFAULT_NOTES_MODEL = "notes-best"  # for what is asked note by note
STARTER_CORPUS = "starter"
MAX_NAME_LENGTH = 64
_STARTER_LOCK = threading.Lock()  # two browser tabs may open the first page at once


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
        return self.family == GROOVE_FAMILY


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
        chosen = os.environ.get("DIGITAL_DJ_HOME")
        if chosen:
            return cls(Path(chosen).expanduser())
        import platformdirs

        return cls(platformdirs.user_data_path("digital-dj", appauthor=False))

    def tidy(self) -> int:
        """Remove what killed processes left half written; returns how many there were."""
        return remove_leftovers(self.home)

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
                try:
                    found.append(Corpus(folder))
                except CorpusError:
                    continue  # shown as missing; importing it again repairs it
        if trouble and not found:
            raise trouble
        return tuple(sorted(found, key=lambda corpus: (corpus.name != STARTER_CORPUS, corpus.name)))

    def corpus(self, name: str) -> Corpus:
        """The corpus called `name`. Raises CorpusError naming those there are."""
        for corpus in self.corpora():
            if corpus.name == name:
                return corpus
        known = ", ".join(corpus.name for corpus in self.corpora())
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

        Raises:
            LibraryError: a name that cannot be used, or a disk that cannot be written.
            CorpusError: nothing usable in `source`, or too much of it for the time.
        """
        check_may_change("its corpora")
        if name == STARTER_CORPUS:
            raise LibraryError(
                f"The name {STARTER_CORPUS!r} belongs to the patterns that come with Digital DJ. "
                "Choose another."
            )
        folder = self.corpora_folder / checked_name(name)
        # two tabs may import into one corpus: the second begins with what the first brought
        with one_at_a_time(self.corpora_folder / f".{folder.name}.lock"):
            if most_seconds is not None:
                progress = _in_time(progress, most_seconds)
            return import_corpus(
                source, folder, name, drum_map=drum_map, progress=progress, executor=executor
            )

    def read_corpus_again(
        self, name: str, drum_map: DrumMap | None, progress: Progress | None = None
    ) -> ImportReport:
        """Read a corpus by another note map; see `corpus.read_again`.

        Raises LibraryError where it may not be changed, CorpusError where it is not to be read.
        """
        check_may_change("its corpora")
        folder = self.corpus(name).folder
        if name == STARTER_CORPUS:
            raise LibraryError("The starter patterns are read by the note map they were made for.")
        with one_at_a_time(self.corpora_folder / f".{folder.name}.lock"):
            return read_again(Corpus(folder), drum_map, progress)

    def delete_corpus(self, name: str) -> None:
        """Remove a corpus and its files; the starter patterns stay. Raises CorpusError."""
        check_may_change("its corpora")
        if name == STARTER_CORPUS:
            raise CorpusError("The starter patterns come with Digital DJ and stay.")
        shutil.rmtree(self.corpus(name).folder)

    def _ensure_starter(self) -> None:
        """Unpack the starter patterns once, and again when a new version ships others."""
        with _STARTER_LOCK:
            self._unpack_starter()

    def _unpack_starter(self) -> None:
        folder = self.corpora_folder / STARTER_CORPUS
        stamp = folder / "starter.json"
        stamped = {"sha256": _content_hash(STARTER_FOLDER), "format": FORMAT_VERSION}
        with contextlib.suppress(OSError, ValueError):  # none, or a damaged one: unpacked anew
            if json.loads(stamp.read_text("utf-8")) == stamped:
                return
        try:
            # built beside its place and moved there whole
            with (
                tempfile.TemporaryDirectory() as unpacked,
                temporary_folder(self.corpora_folder, STARTER_CORPUS) as fresh,
            ):
                for beat in load_patterns():
                    path = Path(unpacked) / beat.genre / f"{beat.title}.mid"
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes(midi_bytes(beat))
                import_corpus(Path(unpacked), fresh, STARTER_CORPUS)
                write_json_atomic(fresh / "starter.json", stamped)
                shutil.rmtree(folder, ignore_errors=True)
                fresh.chmod(0o755)  # temporary folders are their owner's only
                fresh.rename(folder)
        except OSError as error:
            raise LibraryError(
                f"Digital DJ cannot write to its folder {self.home}: {error.strerror}. "
                "Set DIGITAL_DJ_HOME to a folder you own."
            ) from error

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
        return self.runs_folder / checked_name(name)

    def _scan_models(self) -> list[ModelInfo | BrokenModel]:
        places = [(folder, folder.name, True) for folder in _folders(SHIPPED_MODELS)]
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
            if isinstance(info, ModelInfo) and info.family == HUMANIZER_FAMILY:
                continue  # it plays nothing of its own; `humanizer.playing` finds it
            found.append(info)
            taken.add(name)
        return found


def checked_name(name: str) -> str:
    """`name` if it can name a folder everywhere. Raises LibraryError."""
    if len(name) > MAX_NAME_LENGTH or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _-]*", name):
        raise LibraryError(
            f"{name!r} cannot be used as a name. Use up to {MAX_NAME_LENGTH} letters, digits, "
            "spaces, - and _, beginning with a letter or digit."
        )
    return name.strip()


def _in_time(progress: Progress | None, most_seconds: float) -> Progress:
    """`progress`, which raises CorpusError once so many seconds have passed and files are left."""
    end = time.monotonic() + most_seconds

    def told(done: int, total: int) -> None:
        if done < total and time.monotonic() > end:
            raise CorpusError(
                f"{done:,} of {total:,} files were read in {most_seconds:,.0f} seconds, which is "
                "the limit here. Nothing was added. Add them in parts."
            )
        if progress:
            progress(done, total)

    return told


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
        meters=METERS if card["family"] == GROOVE_FAMILY else (),
        card=card,
    )


def _content_hash(folder: Path) -> str:
    """A hash over the names and contents of the pattern files in `folder`."""
    files = sorted(folder.glob("*.beat"))
    return sha256_of(b"\0".join(file.name.encode() + b"\0" + file.read_bytes() for file in files))
