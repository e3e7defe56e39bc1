"""The results of a reproduction as one JSON file, which the Paper page reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from dj_core.errors import LibraryError
from dj_core.files.records import read_json, record_of
from dj_core.files.storage import write_json_atomic
from dj_core.music.drums import DrumMap
from dj_core.paper.facts import CorpusFacts, Floor, SplitLeak
from dj_core.paper.plan import PLAN
from dj_core.paper.scoring import NoteScore
from dj_core.paper.songs import Heat, KeptSong, Opening
from dj_core.paper.structure import FormResult
from dj_core.paper.training_runs import CurvePoint

FORMAT = 1
RESULTS_NAME = "results.json"
SPLITS, WAYS = ("validation", "test"), ("once", "looped")


@dataclass(frozen=True)
class SystemResult:
    """One trained network, measured.

    Attributes:
        name, label, group, note: see `plan.Entry`.
        parameters: its weights.
        words: what it is written in, for the reader.
        epochs, best_epoch: trained, and the one with the best validation loss, which is measured.
        asked_epochs, paper_accuracy: see `plan.Entry`.
        scores: by 'validation' and 'test', then 'once' and 'looped'.
        authors_accuracy: see `scoring.authors_accuracy`; None where a network's words are not
            the paper's alone.
        cpu_seconds: processor time of one epoch.
        notes_per_second: of processor time, generating one song.
        distinct: different notes in 500 at temperatures 0, 1 and 5, medians over seeds 1 to 3.
    """

    name: str
    label: str
    group: str
    note: str
    parameters: int
    words: str
    epochs: int
    best_epoch: int
    asked_epochs: int | None
    paper_accuracy: float | None
    scores: dict[str, dict[str, NoteScore]]
    authors_accuracy: float | None
    cpu_seconds: float | None
    notes_per_second: float
    distinct: dict[str, float]

    def loss(self, split: str = "validation", way: str = "once") -> float:
        """Nats per held-out note."""
        return self.scores[split][way].loss


@dataclass(frozen=True)
class Results:
    """A whole reproduction.

    Attributes:
        corpus, quick: what it was made of, and whether in a hurry.
        drum_map: the note map of the songs' strings.
        facts, floor, leak: see `facts`.
        ngram_distinct, ngram_notes_per_second: as of a system.
        systems: in the plan's order.
        curves: by system, for those measured after each epoch.
        songs: of Figures 1 to 3, from the paper's network and from ours.
        greedy: different notes in our model's greedy songs, by genre.
        fresh: different notes in 500 played as short songs, each begun anew, by system.
        openings: what greedy playing makes of the beginnings of held-out songs.
        heat: by system.
        form: the twelve-bar form.
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
    greedy: dict[str, int]
    fresh: dict[str, int]
    openings: tuple[Opening, ...]
    heat: dict[str, tuple[Heat, ...]]
    form: tuple[FormResult, ...]
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
        """What a model makes of openings of so many notes; KeyError if it was not asked."""
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
