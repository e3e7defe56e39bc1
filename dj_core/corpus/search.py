"""Search in a corpus, and counts for its charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dj_core.corpus.importing import USUAL_MAP
from dj_core.corpus.store import Corpus, CorpusFile, files_of
from dj_core.music.beat import DEFAULT_TEMPO_BPM
from dj_core.music.drum_maps import DRUM_MAPS
from dj_core.music.drums import DRUMS, DrumMap
from dj_core.music.genres import typical_tempo_bpm

if TYPE_CHECKING:
    import pyarrow as pa


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


class Catalogue:
    """A corpus's index by columns: counted and searched without an object for each file.

    Attributes:
        corpus: the corpus.
        bars, tempos_bpm: of every file, in the index's order; tempos are playing tempos.
        lane_hits: strokes of every file per lane, (files, 16).
    """

    def __init__(self, corpus: Corpus) -> None:
        """Raises CorpusError where the index is damaged."""
        import pyarrow.compute as pc

        self.corpus = corpus
        self._index = index = corpus.index  # as it is now: an import may replace it any time
        names = index["genre"].combine_chunks().dictionary_encode()
        self._genre = names.indices.to_numpy()
        self._genres: list[str] = names.dictionary.to_pylist()
        usual = np.array([typical_tempo_bpm(name) or DEFAULT_TEMPO_BPM for name in self._genres])
        told = index["tempo_bpm"].to_numpy()  # nothing told is not a number
        self.tempos_bpm = np.where(np.nan_to_num(told) > 0, told, usual[self._genre])
        self.bars = index["bars"].to_numpy()
        lane_hits = index["lane_hits"].combine_chunks().flatten().to_numpy()
        self.lane_hits = lane_hits.reshape(-1, len(DRUMS))
        self._names = pc.utf8_lower(index["name"])

    def __len__(self) -> int:
        """How many files."""
        return len(self.bars)

    def find(self, wanted: FileFilter) -> np.ndarray:
        """Places in the index of the files that match, in order."""
        import pyarrow.compute as pc

        fits = np.ones(len(self), bool)
        if wanted.genres:
            codes = [code for code, name in enumerate(self._genres) if name in wanted.genres]
            fits &= np.isin(self._genre, codes)
        if wanted.kind:
            fits &= pc.equal(self._index["kind"], wanted.kind).to_numpy()
        for values, bounds in ((self.bars, wanted.bars), (self.tempos_bpm, wanted.tempo_bpm)):
            if bounds:
                fits &= (values >= bounds[0]) & (values <= bounds[1])
        for lane in wanted.lanes:
            fits &= self.lane_hits[:, lane] > 0
        for word in wanted.words.lower().split():
            fits &= pc.match_substring(self._names, word).to_numpy()
        return np.flatnonzero(fits)

    def files_at(self, places: Sequence[int] | np.ndarray) -> tuple[CorpusFile, ...]:
        """The files at these places in the index."""
        return tuple(files_of(self._index.take(places)))

    def count_genres(self) -> dict[str, int]:
        """Files per genre, most first."""
        counts = np.bincount(self._genre, minlength=len(self._genres)).tolist()
        pairs = zip(self._genres, counts, strict=True)
        return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    def count_bars(self) -> dict[int, int]:
        """Files per length in bars, shortest first."""
        return _counted(*np.unique(self.bars, return_counts=True))

    def count_drums(self) -> dict[int, int]:
        """Files that play each lane, in drum table order; lanes nobody plays are left out."""
        files = (self.lane_hits > 0).sum(axis=0)
        lanes = np.flatnonzero(files)
        return _counted(lanes, files[lanes])


def catalogue_of(corpus: Corpus) -> Catalogue:
    """The corpus's catalogue; made once per version of its index. Raises CorpusError."""
    return _catalogue(corpus.folder, corpus.written)


@lru_cache(maxsize=16)
def _catalogue(folder: Path, written: int) -> Catalogue:
    return Catalogue(Corpus(folder))


def _counted(values: np.ndarray, counts: np.ndarray) -> dict[int, int]:
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


CHOSEN = "chosen"


@dataclass(frozen=True)
class MapUse:
    """By which note map some files of a corpus are read, and why.

    Attributes:
        drum_map: the note map.
        files: how many.
        because: the reason, without a subject: 'told by each file itself'.
    """

    drum_map: DrumMap
    files: int
    because: str


def map_uses(corpus: Corpus, index: pa.Table | None = None) -> tuple[MapUse, ...]:
    """The note maps of a corpus's files, or of those in a part of its index; most files first."""
    some = corpus.index if index is None else index
    votes = Counter(filter(None, corpus.index["map_vote"].to_pylist()))
    off_channel = sum(votes.values())
    counts = Counter(zip(some["drum_map"].to_pylist(), some["map_from"].to_pylist(), strict=True))

    uses = []
    for (drum_map, source), files in sorted(counts.items(), key=lambda use: (-use[1], use[0])):
        because = {"choice": CHOSEN, "file": "told by each file itself"}.get(source)
        if not because and drum_map == USUAL_MAP:
            because = "not on channel 10, and too few such files suggest another map"
        votes_of = f"{votes[drum_map]:,} of the {off_channel:,} files that are not on channel 10"
        uses.append(MapUse(drum_map, files, because or f"suggested by {votes_of}"))
    return tuple(uses)


def unknown_hits(corpus: Corpus) -> dict[DrumMap, int]:
    """For each note map, how many of a corpus's hits are on notes that it has no drum for."""
    columns = corpus.columns("notes", "note_hits").combine_chunks()
    notes, hits = (column.chunk(0).flatten().to_numpy() for column in columns.columns)
    counts = np.bincount(notes, weights=hits, minlength=128).astype(int).tolist()
    played = {note: count for note, count in enumerate(counts) if count}
    return {name: known.unnamed(played) for name, known in DRUM_MAPS.items()}
