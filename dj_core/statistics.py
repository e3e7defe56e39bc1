"""What a corpus holds, counted; and files of it found by what a DJ remembers of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dj_core.corpus import CorpusFile

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
        return (
            (not self.genres or file.genre in self.genres)
            and (not self.kind or file.kind == self.kind)
            and _within(file.bars, self.bars)
            and (not self.tempo_bpm or _within(file.playing_tempo_bpm, self.tempo_bpm))
            and all(file.lane_hits[lane] for lane in self.lanes)
            and (not self.words or self._is_named(file.name.lower()))
        )

    def _is_named(self, name: str) -> bool:
        return all(word in name for word in self.words.lower().split())


def find_files(files: Iterable[CorpusFile], wanted: FileFilter) -> tuple[CorpusFile, ...]:
    """The files that match, in their order."""
    if wanted == FileFilter():
        return tuple(files)
    return tuple(file for file in files if wanted.accepts(file))


def count_genres(files: Iterable[CorpusFile]) -> dict[str, int]:
    """Files per genre, most first."""
    return dict(Counter(file.genre for file in files).most_common())


def count_bars(files: Iterable[CorpusFile]) -> dict[int, int]:
    """Files per length in bars, shortest first."""
    return dict(sorted(Counter(file.bars for file in files).items()))


def count_drums(files: Iterable[CorpusFile]) -> dict[int, int]:
    """Files that play each lane, in drum table order; lanes nobody plays are left out."""
    return dict(sorted(Counter(lane for file in files for lane in file.lanes).items()))


@dataclass(frozen=True)
class NoteStatistics:
    """The paper's view of a corpus: strings for notes, chords and rests.

    Attributes:
        notes: every string of every song, in order.
        start_notes: the first string of each song.
    """

    notes: tuple[str, ...]
    start_notes: tuple[str, ...]

    @property
    def vocabulary_size(self) -> int:
        """Distinct strings."""
        return len(set(self.notes))

    @property
    def rest_share(self) -> float:
        """Share of the strings that are rests, 0 to 1."""
        return self.notes.count("rest") / max(1, len(self.notes))


def note_statistics(songs: Iterable[NoteSong]) -> NoteStatistics:
    """The strings of `songs`."""
    songs = tuple(songs)
    return NoteStatistics(
        tuple(event.name for song in songs for event in song.events),
        tuple(song.events[0].name for song in songs if song.events),
    )


def _within(value: float, bounds: tuple[float, float] | None) -> bool:
    return bounds is None or bounds[0] <= value <= bounds[1]
