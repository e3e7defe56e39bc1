"""Statistics of the paper's corpus, and effects of its choices of data and metric."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median

from dj_core.corpus.near_duplicates import SPLIT_SHARES
from dj_core.corpus.note_strings import REST, NoteSong
from dj_core.models.notes.note_tokenizer import (
    FIXED_SPACING_QUARTERS,
    Stroke,
    extend_cyclically,
    hits_of,
)
from dj_core.paper.ngram import NoteNGram
from dj_core.paper.scoring import NoteScore, longest_song, score_ngram

ORDERS = (1, 2, 3, 4, 5)
RANDOM_SPLIT_SEED = 1


@dataclass(frozen=True)
class CorpusFacts:
    """The corpus in the paper's words.

    Attributes:
        songs: readable files by split.
        vocabulary: different note strings.
        notes: all strings of all songs.
        rests: share of them that are rests, 0 to 1.
        unseen: share of the held-out (validation) notes whose string no training song holds.
        longest, median_length: notes per song.
        copies: share of the notes that are repetitions once every song is extended to the longest.
        in_place: share of the strokes that, played evenly as the paper plays them, fall where
            their drummer put them (first stroke included).
        song_distinct: different strings in the median held-out song.
        consecutive_distinct: different strings in 500 consecutive notes of held-out songs, median.
        music21: its version, which decides the strings.
        namings: how many different strings there are under other ways of writing the same
            elements down; see `vocabulary_by_naming`.
    """

    songs: dict[str, int]
    vocabulary: int
    notes: int
    rests: float
    unseen: float
    longest: int
    median_length: float
    copies: float
    in_place: float
    song_distinct: float
    consecutive_distinct: float
    music21: str
    namings: dict[str, int]


def corpus_facts(songs: Sequence[NoteSong]) -> CorpusFacts:
    """Count."""
    names = [event.name for song in songs for event in song.events]
    known = {event.name for song in songs if song.split == "train" for event in song.events}
    held_out = [song for song in songs if song.split == "validation"]
    asked = [event.name for song in held_out for event in song.events]
    lengths = [len(song.events) for song in songs]
    longest = longest_song(songs)
    strokes = [
        (place, event.onset_quarters)
        for song in songs
        for place, event in enumerate(song.events)
        if event.name != REST
    ]
    in_place = sum(abs(place * FIXED_SPACING_QUARTERS - onset) < 1e-6 for place, onset in strokes)
    pieces = [asked[start : start + 500] for start in range(0, max(len(asked) - 499, 1), 500)]
    return CorpusFacts(
        songs=dict(Counter(song.split for song in songs)),
        vocabulary=len(set(names)),
        notes=len(names),
        rests=names.count(REST) / len(names),
        unseen=sum(name not in known for name in asked) / max(len(asked), 1),
        longest=longest,
        median_length=median(lengths),
        copies=1 - len(names) / (longest * len(songs)),
        in_place=in_place / max(len(strokes), 1),
        song_distinct=median(len({event.name for event in song.events}) for song in held_out),
        consecutive_distinct=median(len(set(piece)) for piece in pieces),
        music21=version("music21"),
        namings=vocabulary_by_naming(songs),
    )


def vocabulary_by_naming(songs: Sequence[NoteSong]) -> dict[str, int]:
    """How large the vocabulary is, by the way the same elements are written down.

    'durations' is the suffix the authors' code can add; 'sets' writes a note once that is struck
    twice in a chord; 'drums' writes the drums the notes stand for, whichever of its notes a drum
    is struck by; 'octaveless' leaves the octaves out; 'parts' are the single notes of all chords;
    'in_one_song' counts the strings, as the paper writes them, that one song alone holds.
    """
    names = {event.name for song in songs for event in song.events}
    drum_map = songs[0].drum_map

    def drums(name: str) -> str:
        hits = [] if name == REST else hits_of(Stroke(tuple(name.split(" "))), 0.0, drum_map)
        return " ".join(sorted({hit.drum.name for hit in hits}))

    def different(rewrite: Callable[[str], str]) -> int:
        return len({rewrite(name) for name in names})

    holders = Counter(name for song in songs for name in {event.name for event in song.events})
    return {
        "durations": len(
            {(e.name, round(e.duration_quarters, 3)) for song in songs for e in song.events}
        ),
        "sets": different(lambda name: " ".join(sorted(set(name.split(" "))))),
        "drums": different(drums),
        "octaveless": different(lambda name: re.sub(r"\d", "", name)),
        "parts": len({part for name in names for part in name.split(" ")}),
        "in_one_song": sum(count == 1 for count in holders.values()),
    }


@dataclass(frozen=True)
class Floor:
    """The n-gram of the best order, and what knows next to nothing.

    Attributes:
        orders: validation loss per order, once through.
        order: the best one's.
        scores: of that one, by 'validation' and 'test', then 'once' and 'looped'.
        rest_accuracy: share of next notes right for who always says *rest*, likewise keyed.
        frequencies_loss: nats per note of the training songs' note frequencies, likewise.
        counts: numbers the best one keeps.
    """

    orders: dict[int, float]
    order: int
    scores: dict[str, dict[str, NoteScore]]
    rest_accuracy: dict[str, dict[str, float]]
    frequencies_loss: dict[str, dict[str, float]]
    counts: int


class NameIds:
    """The one vocabulary of note strings, and songs by its ids."""

    def __init__(self, songs: Iterable[NoteSong]) -> None:
        self.names = sorted({event.name for song in songs for event in song.events})
        self._ids = {name: number for number, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def of(self, song: NoteSong) -> list[int]:
        """The song's names as ids, once through."""
        return [self._ids[event.name] for event in song.events]

    def id_of(self, name: str) -> int:
        """The id of one name."""
        return self._ids[name]


def measure_floor(songs: Sequence[NoteSong]) -> tuple[Floor, NoteNGram]:
    """Count n-grams on the training songs, once through, and keep the order that predicts best."""
    ids = NameIds(songs)
    by_split = {
        split: [ids.of(song) for song in songs if song.split == split] for split in SPLIT_SHARES
    }
    ngrams = {order: NoteNGram(by_split["train"], order, len(ids)) for order in ORDERS}
    orders = {
        order: NoteScore.of(score_ngram(ngram, by_split["validation"])).loss
        for order, ngram in ngrams.items()
    }
    order = min(orders, key=lambda number: orders[number])
    rest = ids.id_of(REST) if REST in ids.names else 0
    longest = longest_song(songs)
    scores: dict[str, dict[str, NoteScore]] = {"validation": {}, "test": {}}
    rests: dict[str, dict[str, float]] = {"validation": {}, "test": {}}
    frequencies: dict[str, dict[str, float]] = {"validation": {}, "test": {}}
    for split in scores:
        once = by_split[split]
        looped = [extend_cyclically(song, longest) for song in once]
        for way, held_out in (("once", once), ("looped", looped)):
            scores[split][way] = NoteScore.of(score_ngram(ngrams[order], held_out))
            frequencies[split][way] = NoteScore.of(score_ngram(ngrams[1], held_out)).loss
            asked = [note for song in held_out for note in song[1:]]
            rests[split][way] = asked.count(rest) / max(len(asked), 1)
    floor = Floor(orders, order, scores, rests, frequencies, ngrams[order].counts)
    return floor, ngrams[order]


@dataclass(frozen=True)
class SplitLeak:
    """What a split by file, as the paper's, gives away beside one by family.

    Attributes:
        siblings: share of held-out files that have a near-duplicate among the training files, when
            files are drawn at random.
        by_file, by_family: the n-gram's nats per held-out note under either split.
        accuracy_by_file, accuracy_by_family: its share of next notes right.
    """

    siblings: float
    by_file: float
    by_family: float
    accuracy_by_file: float
    accuracy_by_family: float


def split_leak(songs: Sequence[NoteSong], families: Mapping[str, int], order: int) -> SplitLeak:
    """Split the same songs both ways, in the same shares, and ask the same n-gram."""
    ids = NameIds(songs)
    shuffled = list(songs)
    random.Random(RANDOM_SPLIT_SEED).shuffle(shuffled)
    kept, asked = (
        [song for song in songs if song.split == split] for split in ("train", "validation")
    )
    train, held_out = shuffled[: len(kept)], shuffled[len(kept) : len(kept) + len(asked)]
    kin = {families[song.file_id] for song in train}
    siblings = sum(families[song.file_id] in kin for song in held_out) / max(len(held_out), 1)

    def score(learned: Iterable[NoteSong], measured: Iterable[NoteSong]) -> NoteScore:
        ngram = NoteNGram(map(ids.of, learned), order, len(ids))
        return NoteScore.of(score_ngram(ngram, map(ids.of, measured)))

    one, other = score(train, held_out), score(kept, asked)
    return SplitLeak(siblings, one.loss, other.loss, one.accuracy, other.accuracy)
