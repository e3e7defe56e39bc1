"""The results of a reproduction as one JSON file, which the Paper page reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from dj_core.errors import LibraryError
from dj_core.files.records import read_json, record_of
from dj_core.files.storage import write_json_atomic
from dj_core.music.drums import DrumMap
from dj_core.paper.facts import CorpusFacts, Floor, SplitLeak
from dj_core.paper.plan import PLAN
from dj_core.paper.scoring import NoteScore
from dj_core.paper.songs import KeptSong, Opening, Samples, TemperaturePoint
from dj_core.paper.structure import CellSpeed, FormResult
from dj_core.paper.training_runs import CurvePoint

FORMAT = 2
RESULTS_NAME = "results.json"
SPLITS, WAYS = ("validation", "test"), ("once", "looped")


@dataclass(frozen=True)
class SeedRun:
    """One training run of a network, measured at its best epoch.

    Attributes:
        seed: of the weights, the order of songs and dropout.
        epochs, best_epoch: run, and the one with the least validation loss, which is measured.
        ended: 'budget' after all its epochs, 'patience' when the validation loss had not improved
            for as long, 'stopped' before either.
        scores: by 'validation' and 'test', then 'once' and 'looped'.
        authors_accuracy: see `scoring.authors_accuracy`; None where a network's words are not
            the paper's alone.
    """

    seed: int
    epochs: int
    best_epoch: int
    ended: str
    scores: dict[str, dict[str, NoteScore]]
    authors_accuracy: float | None


@dataclass(frozen=True)
class SystemResult:
    """One network of the plan, measured.

    Attributes:
        name, label, group, note, published, paper_accuracy: see `plan.Entry`.
        budget: epochs at most.
        parameters: its weights.
        runs: one per seed, from seed 1.
        cpu_seconds: processor time of one epoch, median over the epochs of seed 1.
        notes_per_second: of processor time, generating one song.
        distinct: different notes in 500 at temperatures 0, 1 and 5, medians over seeds 1 to 3.
        samples: continuations of one held-out song, by seed 1; None if not made.
    """

    name: str
    label: str
    group: str
    note: str
    published: bool
    paper_accuracy: float | None
    budget: int
    parameters: int
    runs: tuple[SeedRun, ...]
    cpu_seconds: float | None
    notes_per_second: float
    distinct: dict[str, float]
    samples: Samples | None

    def losses(self, split: str = "validation", way: str = "once") -> list[float]:
        """Nats per held-out note, by seed."""
        return [run.scores[split][way].loss for run in self.runs]

    def accuracies(self, split: str = "validation", way: str = "once") -> list[float]:
        """Next-note accuracy, 0 to 1, by seed."""
        return [run.scores[split][way].accuracy for run in self.runs]

    def loss(self, split: str = "validation", way: str = "once") -> float:
        """Nats per held-out note, mean over seeds."""
        return fmean(self.losses(split, way))


@dataclass(frozen=True)
class Results:
    """A whole reproduction.

    Attributes:
        corpus, quick: what it was made of, and whether quickly.
        drum_map: the note map of the songs' strings.
        facts, floor, leak: see `facts`.
        ngram_distinct, ngram_notes_per_second: as of a system.
        systems: in the plan's order.
        curves: by system, for those measured after each epoch.
        songs: of Figures 1 to 3, from the paper's network and from ours.
        fresh: different notes in 500 played as short songs, each begun anew, by system.
        openings: greedy decoding after the beginnings of held-out songs.
        temperatures: of the paper's network and ours.
        drummer, ngram_sample: the held-out song that every system continues, and the n-gram's
            continuation at temperature 1.
        form, speeds: the twelve-bar form, and the speed of each cell.
        figure5: 'paper' and 'best', each {'xml': MusicXML, 'svg': drawing}.
        versions: of the packages that decide numbers.
    """

    corpus: str
    quick: bool
    drum_map: DrumMap
    facts: CorpusFacts
    floor: Floor
    leak: SplitLeak
    ngram_distinct: dict[str, float]
    ngram_notes_per_second: float
    systems: tuple[SystemResult, ...]
    curves: dict[str, tuple[CurvePoint, ...]]
    songs: tuple[KeptSong, ...]
    fresh: dict[str, int]
    openings: tuple[Opening, ...]
    temperatures: dict[str, tuple[TemperaturePoint, ...]]
    drummer: KeptSong
    ngram_sample: KeptSong
    form: tuple[FormResult, ...]
    speeds: tuple[CellSpeed, ...]
    figure5: dict[str, dict[str, str]]
    versions: dict[str, str]

    @property
    def missing(self) -> tuple[str, ...]:
        """Labels of the plan's networks that these results do not hold, in its order."""
        made = {system.name for system in self.systems}
        return tuple(entry.label for entry in PLAN if entry.name not in made)

    def system(self, name: str) -> SystemResult:
        """The system called `name`; KeyError if it was not trained."""
        return {system.name: system for system in self.systems}[name]

    def opening(self, model: str, given: int) -> Opening:
        """Greedy decoding by a model after so many notes; KeyError if it was not measured."""
        return {(found.model, found.given): found for found in self.openings}[model, given]

    def song(self, model: str, temperature: float) -> KeptSong:
        """The kept song of a model at a temperature; KeyError if there is none."""
        return {(song.model, song.temperature): song for song in self.songs}[model, temperature]


def save_results(results: Results, folder: Path) -> Path:
    """Write ``results.json``. Raises LibraryError."""
    return write_json_atomic(folder / RESULTS_NAME, {"format": FORMAT, **asdict(results)})


def load_results(path: Path) -> Results:
    """What `save_results` wrote. Raises LibraryError for a file that is missing or of another kind.

    Args:
        path: the file, or the folder it lies in.
    """
    path = path / RESULTS_NAME if path.is_dir() else path
    try:
        content = read_json(path)
        if content.pop("format") != FORMAT:
            raise ValueError("another format")
        return record_of(Results, content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LibraryError(
            f"The results in {path} cannot be read ({error}). Make them again: "
            "python -m dj_core paper --corpus NAME --out DIR."
        ) from error
