"""What a corpus holds, counted; and files of it found by what a DJ remembers of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dj_core.corpus import CorpusFile
from dj_core.drums import DRUMS

if TYPE_CHECKING:
    from dj_core.notation import NoteSong


@dataclass(frozen=True)
class FileFilter:
    """What a wanted file is like; everything left empty matches all.

    Attributes:
        words: all must occur in the file's path, whatever the case.
        genres: names; '' stands for files without a genre.
        tempo_bpm: lowest and highest playing tempo, both included.
        bars: lowest and highest length, both included.
        lanes: drums that must be played.
        kind: 'beat' or 'fill'.
    """

    words: str = ""
    genres: frozenset[str] = frozenset()
    tempo_bpm: tuple[float, float] | None = None
    bars: tuple[int, int] | None = None
    lanes: frozenset[int] = frozenset()
    kind: str = ""

    def accepts(self, file: CorpusFile) -> bool:
        """Whether the file is wanted."""
        name = file.name.lower()
        return (
            all(word in name for word in self.words.lower().split())
            and (not self.genres or file.genre in self.genres)
            and (not self.kind or file.kind == self.kind)
            and _within(file.playing_tempo_bpm, self.tempo_bpm)
            and _within(file.bars, self.bars)
            and self.lanes <= set(file.lanes)
        )


def find_files(files: Iterable[CorpusFile], wanted: FileFilter) -> tuple[CorpusFile, ...]:
    """The files that match, in their order."""
    return tuple(file for file in files if wanted.accepts(file))


def genre_balance(files: Iterable[CorpusFile]) -> dict[str, int]:
    """Files per genre, most first."""
    return dict(Counter(file.genre for file in files).most_common())


def length_distribution(files: Iterable[CorpusFile]) -> dict[int, int]:
    """Files per length in bars, shortest first."""
    return dict(sorted(Counter(file.bars for file in files).items()))


def drum_use(files: Iterable[CorpusFile]) -> dict[str, int]:
    """Hits per drum name in drum table order; drums nobody plays are left out."""
    totals = [0] * len(DRUMS)
    for file in files:
        for lane, hits in enumerate(file.lane_hits):
            totals[lane] += hits
    return {drum.name: total for drum, total in zip(DRUMS, totals, strict=True) if total}


@dataclass(frozen=True)
class NoteStatistics:
    """The paper's view of a corpus: strings for notes, chords and rests.

    Attributes:
        notes: how often each string occurs, most first.
        start_notes: how many songs begin with each string, most first.
        songs: number of songs counted.
    """

    notes: dict[str, int]
    start_notes: dict[str, int]
    songs: int

    @property
    def vocabulary_size(self) -> int:
        """Distinct strings."""
        return len(self.notes)

    @property
    def total(self) -> int:
        """All strings of all songs."""
        return sum(self.notes.values())


def note_statistics(songs: Sequence[NoteSong]) -> NoteStatistics:
    """Count the strings of `songs`."""
    notes = Counter(event.name for song in songs for event in song.events)
    starts = Counter(song.events[0].name for song in songs if song.events)
    return NoteStatistics(dict(notes.most_common()), dict(starts.most_common()), len(songs))


def _within(value: float, bounds: tuple[float, float] | None) -> bool:
    return bounds is None or bounds[0] <= value <= bounds[1]
