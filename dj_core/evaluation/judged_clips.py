"""Clips of whole bars cut from performances, and clips matched to them in genre and tempo."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np

from dj_core.corpus.store import Corpus
from dj_core.errors import CorpusError
from dj_core.music.beat import DEFAULT_TEMPO_BPM, Beat

CLIP_BARS = 4
PERFORMANCES_EACH = 4  # of the pool that may answer for one held-out performance


@dataclass(frozen=True)
class Clip:
    """A stretch of a performance.

    Attributes:
        beat: the stretch, starting at its own first bar line.
        performance: what it was cut from; clips of one performance are kin, and so are those of
            near-duplicate performances, which share a name.
    """

    beat: Beat
    performance: str

    @property
    def genre(self) -> str:
        """'' when unknown."""
        return self.beat.genre

    @property
    def tempo_bpm(self) -> float:
        """The performance's tempo, 120 where none is known."""
        return self.beat.tempo_bpm or DEFAULT_TEMPO_BPM


@dataclass(frozen=True)
class ClipRequest:
    """What a drawn or generated clip must match: one held-out clip.

    Attributes:
        genre, tempo_bpm, bars: of that clip.
        performance: it was cut from; a judge keeps the answer and the performance in one fold.
    """

    genre: str
    tempo_bpm: float
    performance: str
    bars: int = CLIP_BARS


def stretch(beat: Beat, first_bar: int, bars: int) -> Beat:
    """Bars `first_bar` to `first_bar + bars - 1` of `beat` (from 0) as a beat of their own.

    A hit less than half a sixteenth ahead of the first bar line leads into the bar that follows:
    it is kept, on the line. One that early before the closing line belongs to the next stretch.
    """
    start = first_bar * beat.meter.bar_quarters
    end = start + bars * beat.meter.bar_quarters
    lead = 0.125 if first_bar else 0.0  # half a sixteenth in quarters
    trail = 0.125 if first_bar + bars < beat.bars else 0.0
    onset = attrgetter("onset_quarters")
    first = bisect_left(beat.hits, start - lead, key=onset)
    after = bisect_left(beat.hits, end - trail, key=onset)
    hits = tuple(
        replace(hit, onset_quarters=max(0.0, hit.onset_quarters - start))
        for hit in beat.hits[first:after]
    )
    return replace(beat, hits=hits, bars=bars)


def cut(beat: Beat, performance: str, bars: int = CLIP_BARS) -> list[Clip]:
    """Whole clips of `bars` bars, end to end; silent ones are left out.

    A performance shorter than `bars` gives none; a remainder at the end is dropped.
    """
    starts = range(0, beat.bars - bars + 1, bars)
    clips = [Clip(stretch(beat, start, bars), performance) for start in starts]
    return [clip for clip in clips if clip.beat.hits]


def corpus_clips(corpus: Corpus, split: str, bars: int = CLIP_BARS) -> tuple[Clip, ...]:
    """All 4/4 clips of one split of a corpus, in file order.

    Raises:
        CorpusError: a file cannot be read, or the split holds no clip that long.
    """
    clips: list[Clip] = []
    for file in corpus.files:
        if file.split == split and str(file.meter) == "4/4" and file.bars >= bars:
            clips += cut(corpus.beat(file), f"{corpus.name}/{file.family}", bars)
    if not clips:
        raise CorpusError(
            f"Corpus {corpus.name!r} has no clips of {bars} bars in 4/4 in its {split!r} "
            "split. Choose another split or a shorter clip."
        )
    return tuple(clips)


def matched_requests(clips: Sequence[Clip], count: int, seed: int) -> tuple[ClipRequest, ...]:
    """Genre, tempo and length of `count` clips drawn from `clips`.

    Every clip is asked for once before any is asked for twice, so the draw's mix of genres and
    tempos is that of `clips`.
    """
    random = np.random.default_rng(seed)
    rounds = [random.permutation(len(clips)) for _ in range(-(-count // len(clips)))]
    chosen = [clips[index] for index in np.concatenate(rounds)[:count]]
    return tuple(
        ClipRequest(clip.genre, clip.tempo_bpm, clip.performance, clip.beat.bars) for clip in chosen
    )


def matched_clips(
    requests: Sequence[ClipRequest], pool: Sequence[Clip], seed: int
) -> tuple[Clip, ...]:
    """One clip of `pool` for each request: same genre, a tempo near by, drawn at random.

    Each performance that is asked for gets up to four of the pool's performances to itself, the
    nearest in tempo of its genre, and its clips come from those. So no performance of the pool
    answers for two, and a judge's folds can keep all kin together.
    """
    random = np.random.default_rng(seed)
    asked = {request.performance: request for request in requests}
    free = {clip.performance: clip for clip in pool}
    if len(free) < len(asked):
        raise CorpusError(
            f"{len(asked)} performances cannot be matched with {len(free)}. Use a larger pool."
        )
    answering: dict[str, list[str]] = {name: [] for name in asked}
    for turn in range(PERFORMANCES_EACH):
        for name in random.permutation(list(asked)).tolist():
            genre, tempo = asked[name].genre, asked[name].tempo_bpm
            kin = [other for other in free if free[other].genre == genre]
            if not kin and turn == 0:  # a genre used up: the tempo decides
                kin = list(free)
            if kin:
                nearest = min(kin, key=lambda other: abs(math.log(free[other].tempo_bpm / tempo)))
                answering[name].append(nearest)
                del free[nearest]
    clips: dict[str, list[Clip]] = defaultdict(list)
    for clip in pool:
        clips[clip.performance].append(clip)
    decks: dict[str, list[Clip]] = {}
    drawn = []
    for request in requests:
        deck = decks.setdefault(request.performance, [])
        if not deck:  # every clip once before any twice
            deck += [clip for name in answering[request.performance] for clip in clips[name]]
            random.shuffle(deck)
        drawn.append(deck.pop())
    return tuple(drawn)
