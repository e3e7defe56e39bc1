"""Training material of the groove model: the clips of all corpora as flat arrays."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from typing import Literal

import numpy as np

from dj_core.corpus.store import Corpus
from dj_core.errors import TrainingError
from dj_core.music.beat import Beat
from dj_core.music.composer import compose, written_genres, written_phrases
from dj_core.music.genres import DANCE_STYLES, ROLES, typical_tempo_bpm
from dj_core.music.patterns import load_patterns
from dj_core.music.step_grid import (
    LANES,
    MAX_VELOCITY,
    METERS,
    STEPS_PER_QUARTER,
    TICKS_PER_QUARTER,
    TICKS_PER_STEP,
    Grid,
    encode,
    steps_per_bar,
    to_grid,
)
from dj_core.music.touch import touches_of

STARTER, PHRASES = "starter", "phrases"
KINDS = ("", "beat", "fill")
LOOPED_BARS = 4  # programmed patterns are made to be looped; shorter ones are, to so many bars
COMPOSED = {"groove": 30, "drop": 8, "build": 4, "break": 4, "intro": 4, "outro": 4}
"""Phrases composed for each dance style, by role."""
STORED_SHARE = 0.35  # of them, whose styles takes may be played in
FARTHEST_SWING = 9.0  # 96ths after a 16th, where a drum may have its place
SWING_REACH = 2.5  # 96ths, within which a stroke is at its drum's place
FILL_SHARE = 0.35  # of looped starter patterns end in a fill of their genre
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Clip:
    """A beat on the grid with what is known of it.

    Attributes:
        grid: its strokes.
        meter: index in `tokenizers.groove.METERS`.
        genre: '' when unknown.
        tempo_bpm: None when unknown.
        kind: 'beat' or 'fill'.
        corpus: where it comes from.
        name: the file's or pattern's name.
        velocities: how many of its strokes have each velocity, 0 to 127.
        fine: share of its strokes that were played, and so lie anywhere between two 96ths.
        role: 1 + index in `genres.ROLES`; 0 when unknown.
        energy: 1 to 5; 0 when unknown.
        stored: takes may be played in its style.
        hand: of a dance phrase, see `hand_of`; None for all other clips.
    """

    grid: Grid
    meter: int
    genre: str
    tempo_bpm: float | None
    kind: str
    corpus: str
    name: str
    velocities: np.ndarray
    fine: float
    role: int = 0
    energy: int = 0
    stored: bool = True
    hand: np.ndarray | None = None

    @property
    def steps(self) -> int:
        """Length in 16ths."""
        return len(self.grid.velocity)

    @property
    def steps_per_bar(self) -> int:
        """16ths in a bar."""
        return steps_per_bar(METERS[self.meter])


def clip_of(beat: Beat, kind: str, corpus: str, loop_bars: int = 1) -> Clip:
    """`beat` as a clip, looped until it has at least `loop_bars` bars."""
    grid = to_grid(encode(beat))
    repeats = -(-loop_bars // beat.bars)
    velocities = np.bincount([hit.velocity for hit in beat.hits], minlength=MAX_VELOCITY + 1)
    parts = (np.tile(part, (repeats, 1)) for part in vars(grid).values())
    return Clip(
        Grid(*parts),
        METERS.index(beat.meter),
        beat.genre,
        beat.tempo_bpm,
        kind,
        corpus,
        beat.title,
        velocities,
        _fine_share(beat),
        role_index(str(beat.provenance.settings.get("role", ""))),
        int(beat.provenance.settings.get("energy", 0)),
        hand=hand_of(beat) if corpus == PHRASES else None,
    )


def hand_of(beat: Beat) -> np.ndarray:
    """How each drum of a programmed beat is struck, (16, 3): its two places and its touch.

    Places are on the eighths and between them, in 96ths after the 16th. A programmed beat has one
    place for all of a drum's strokes; this is its commonest, and where the drum has none the
    commonest of all drums. For the touch, see `music.touch`.
    """
    places = [(Counter[float](), Counter[float]()) for _ in range(LANES + 1)]
    for hit in beat.hits:
        step = math.floor(hit.onset_quarters * STEPS_PER_QUARTER + 0.5)
        offset = hit.onset_quarters * TICKS_PER_QUARTER - step * TICKS_PER_STEP
        if abs(offset) <= FARTHEST_SWING:
            for row in (hit.lane, LANES):
                places[row][step % 2][round(offset, 3)] += 1
    swing = np.array(
        [
            [
                min(found, key=lambda place: (-found[place], place)) if found else 0.0
                for found in (own or others for own, others in zip(row, places[LANES], strict=True))
            ]
            for row in places[:LANES]
        ]
    )
    return np.column_stack([swing, touches_of(beat)])


def role_index(role: str) -> int:
    """Its place among `genres.ROLES`, from 1; 0 for ''."""
    return 1 + ROLES.index(role) if role in ROLES else 0


def _fine_share(beat: Beat) -> float:
    ticks = np.array([hit.onset_quarters for hit in beat.hits]) * TICKS_PER_QUARTER
    between = float((np.abs(ticks - np.round(ticks)) > 0.01).mean()) if len(ticks) else 0.0
    # at 480 ticks a quarter one played stroke in five hits a 96th by chance
    return min(1.0, between * 5 / 4)


def corpus_clips(corpus: Corpus, split: Split) -> Iterator[Clip]:
    """Clips of a corpus's split; files in meters the model does not know are left out.

    Patterns that were programmed, not played (every stroke on the grid), are looped.
    """
    for file in corpus.files:
        if file.split != split or file.meter not in METERS or not file.hits:
            continue
        beat = corpus.beat(file)
        on_grid = all((hit.onset_quarters * 4).is_integer() for hit in beat.hits)
        programmed = on_grid and beat.bars < LOOPED_BARS and file.tempo_bpm is not None
        yield clip_of(beat, file.kind, corpus.name, LOOPED_BARS if programmed else 1)


def starter_clips(seed: int = 1) -> Iterator[Clip]:
    """The starter patterns of drummers' genres, looped; some loops end in a fill of their genre.

    Dance styles have phrases instead, which do not repeat bar by bar.
    """
    generator = np.random.default_rng(seed)
    beats = [
        beat for beat in load_patterns() if beat.meter in METERS and beat.genre not in DANCE_STYLES
    ]
    fills: dict[tuple[str, str], list[Clip]] = {}
    for beat in beats:
        if beat.provenance.settings.get("kind") == "fill":
            clip = clip_of(beat, "fill", STARTER)
            fills.setdefault((beat.genre, str(beat.meter)), []).append(clip)
            yield clip
    for beat in beats:
        if beat.provenance.settings.get("kind") == "fill":
            continue
        clip = clip_of(beat, "beat", STARTER, LOOPED_BARS)
        fitting = fills.get((beat.genre, str(beat.meter)), [])
        if fitting and generator.random() < FILL_SHARE:
            _end_in_fill(clip, fitting[generator.integers(len(fitting))])
        yield clip


@cache
def phrase_clips(styles: tuple[str, ...] = (), seed: int = 1) -> tuple[Clip, ...]:
    """Phrases of dance styles: written, and composed from their layers; kept once made.

    The held-out phrases are not among them.

    Args:
        styles: names; () for all.
        seed: decides what is composed.

    Raises:
        PatternError: a file of phrases cannot be read.
    """
    clips: list[Clip] = []
    for genre in styles or written_genres():
        material = written_phrases(genre)
        clips += [clip_of(beat, "beat", PHRASES) for beat in material.phrases]
        clips += [clip_of(fill, "fill", PHRASES) for fill in material.fills]
        for role, count in COMPOSED.items():
            for number, beat in enumerate(compose(material, role, count, seed)):
                clip = clip_of(beat, "beat", PHRASES)
                clips.append(replace(clip, stored=number < STORED_SHARE * count))
    return tuple(clips)


def _end_in_fill(clip: Clip, fill: Clip) -> None:
    """Put the fill's last bar in place of the clip's own."""
    bar = clip.steps_per_bar
    for mine, theirs in zip(vars(clip.grid).values(), vars(fill.grid).values(), strict=True):
        mine[-bar:] = theirs[-bar:]


@dataclass(frozen=True)
class ClipSet:
    """Many clips end to end: per step arrays (steps + 1, ...), per clip arrays (clips, ...).

    The row after the last step is empty; indices of places before a clip's start point to it.

    Attributes:
        clips: in order.
        genres: '' and every genre that occurs or is to be known, sorted.
    """

    clips: tuple[Clip, ...]
    genres: tuple[str, ...]

    @classmethod
    def of(cls, clips: Iterable[Clip], genres: Sequence[str] | None = None) -> ClipSet:
        """A set of `clips`. Raises TrainingError when there are none."""
        clips = tuple(clips)
        if not clips:
            raise TrainingError("There is no beat to learn from. Choose corpora that hold some.")
        if genres is None:
            genres = sorted({clip.genre for clip in clips} | {""})
        return cls(clips, tuple(genres))

    @cached_property
    def starts(self) -> np.ndarray:
        """First step of every clip, and the total number of steps as one more."""
        return np.concatenate([[0], np.cumsum([clip.steps for clip in self.clips])])

    @property
    def steps(self) -> int:
        """16ths in all clips; also the index of the empty row."""
        return int(self.starts[-1])

    @cached_property
    def bar_steps(self) -> np.ndarray:
        """16ths in a bar, per clip."""
        return np.array([clip.steps_per_bar for clip in self.clips])

    @cached_property
    def meter(self) -> np.ndarray:
        """Index of the meter, per clip."""
        return np.array([clip.meter for clip in self.clips])

    @cached_property
    def genre(self) -> np.ndarray:
        """Index in `genres`, per clip; 0 for genres that are not among them."""
        index = {genre: number for number, genre in enumerate(self.genres)}
        return np.array([index.get(clip.genre, 0) for clip in self.clips])

    @cached_property
    def tempo_bpm(self) -> np.ndarray:
        """Tempo per clip; 0 when unknown."""
        return np.array([clip.tempo_bpm or 0.0 for clip in self.clips])

    @cached_property
    def usual_tempo_bpm(self) -> np.ndarray:
        """The genre's usual tempo per clip; 0 for genres that have none."""
        return np.array([typical_tempo_bpm(clip.genre) or 0.0 for clip in self.clips])

    @cached_property
    def kind(self) -> np.ndarray:
        """Index in `KINDS`, per clip."""
        return np.array([KINDS.index(clip.kind) for clip in self.clips])

    @cached_property
    def role(self) -> np.ndarray:
        """See `Clip`, per clip; likewise `energy`."""
        return np.array([clip.role for clip in self.clips])

    @cached_property
    def energy(self) -> np.ndarray:
        """See `Clip`, per clip."""
        return np.array([clip.energy for clip in self.clips])

    @cached_property
    def stored(self) -> np.ndarray:
        """See `Clip`, per clip."""
        return np.array([clip.stored for clip in self.clips])

    @cached_property
    def is_dance(self) -> np.ndarray:
        """Whether the clip's genre is a dance style, per clip."""
        return np.array([clip.genre in DANCE_STYLES for clip in self.clips])

    @cached_property
    def fine(self) -> np.ndarray:
        """See `Clip`, per clip."""
        return np.array([clip.fine for clip in self.clips])

    @cached_property
    def velocity(self) -> np.ndarray:
        """As in `Grid`, likewise the next three."""
        return self._joined("velocity")

    @cached_property
    def offset(self) -> np.ndarray:
        """See `Grid`."""
        return self._joined("offset")

    @cached_property
    def second_velocity(self) -> np.ndarray:
        """See `Grid`."""
        return self._joined("second_velocity")

    @cached_property
    def second_offset(self) -> np.ndarray:
        """See `Grid`."""
        return self._joined("second_offset")

    @cached_property
    def between(self) -> np.ndarray:
        """See `Grid`."""
        return self._joined("between")

    @cached_property
    def last_hit(self) -> np.ndarray:
        """Step of the lane's last stroke before this step, in whatever clip; -1 for none."""
        steps = np.where(self.velocity > 0, np.arange(self.steps + 1)[:, None], -1)
        latest = np.maximum.accumulate(steps, axis=0)
        return np.vstack([np.full((1, LANES), -1), latest[:-1]]).astype(np.int32)

    def grid(self, first: int, end: int) -> Grid:
        """The strokes of some 16ths."""
        return Grid(*(getattr(self, part.name)[first:end] for part in fields(Grid)))

    def _joined(self, name: str) -> np.ndarray:
        empty = np.zeros((1, LANES), np.uint8)
        return np.concatenate([getattr(clip.grid, name) for clip in self.clips] + [empty])
