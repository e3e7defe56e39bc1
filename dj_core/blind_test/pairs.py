"""Pairs of a blind test: a person's four bars and a model's, alike in all but the music.

    BlindTest + Pool --pair_of--> Pair: two beats, two WAV files, and which of them is the person's

A pair has one style, tempo, length and kit. Both beats are cut out of something longer in the same
way, turned so that they begin with a stroke, stripped of what only one of them could have (note
numbers of an instrument, lengths), played as a loop by the same code, and brought to the same
loudness and the same true peak. Both still sound where the loop closes, and it is closed where both
are equally loud. A seed decides all of it.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dj_core.blind_test.judging import Side
from dj_core.corpus.store import Corpus, CorpusFile
from dj_core.errors import GenerationError
from dj_core.files.storage import sha256_of
from dj_core.library.library import Library
from dj_core.models.request import FOUR_FOUR, BeatModel, Feel, GenerationRequest
from dj_core.music.beat import Beat, Hit
from dj_core.music.composer import role_of_phrase, written_genres, written_phrases
from dj_core.music.genres import GENRE, GENRES, is_dance
from dj_core.music.patterns import STARTER_FOLDER, genre_patterns
from dj_core.sound.loudness import limiting_db, loudness_lufs, true_peak_dbtp
from dj_core.sound.render import SAMPLE_RATE_HZ, render_stems

Kind = Literal["drummers", "producers", "both"]
BARS = 4
TAKE_BARS = 8  # what a model plays, and the pair's bars are cut out of
MOST_PAIRS = 200
NEAR_QUARTERS = 0.125  # half a 16th: the first stroke may be so far from the bar line
FEWEST_HITS = 8
TRIES = 12
LUFS = -20.0
CEILING_DBTP = -1.2
BELOW_BOTH_DB = 0.5  # the limiter works on both sounds, not only on the one with higher peaks
MOST_APART_LU = 0.05
SEAM_FRAMES = 220  # 5 ms before the first stroke, in which a loop is closed
LEVELS_ALIKE = 0.1  # of a level, that another may be off
SOUNDING_DBFS = -54.0  # peak in these; what is quieter at -20 LUFS counts as silence
_ROUNDS = 6
_NEAR_ENOUGH_LU = 0.02


@dataclass(frozen=True)
class BlindTest:
    """What is drawn; the same test from the same pool has the same pairs.

    Attributes:
        kind: beats of drummers, of producers, or both in turn.
        pairs: 1 to 200.
        seed: 1 to 2**31 - 1.

    Raises:
        GenerationError: a value out of range.
    """

    kind: Kind = "both"
    pairs: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise GenerationError(f"A blind test is of {', '.join(get_args(Kind))}.")
        for name, most in (("pairs", MOST_PAIRS), ("seed", 2**31 - 1)):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= most:
                raise GenerationError(f"{name} is 1 to {most:,}; got {str(value)[:40]}.")

    @property
    def name(self) -> str:
        """Kind, pairs and seed, as in 'both-10-1'."""
        return f"{self.kind}-{self.pairs}-{self.seed}"


@dataclass(frozen=True)
class Source:
    """Where beats of a person in one style come from.

    Attributes:
        origin: a corpus and its file, the starter patterns, or the written phrases.
        genre: a style that the model knows.
        read: gives the beats; four bars are cut from one of them.
    """

    origin: str
    genre: str
    read: Callable[[], Sequence[Beat]]


@dataclass(frozen=True)
class Pool:
    """All that pairs can be drawn from.

    Attributes:
        drummers, producers: beats of acoustic genres and of dance styles.
        seen: the drummers' beats are starter patterns, which the model may have learned from.
        id: eight digits; the same only for the same beats and model.
    """

    drummers: tuple[Source, ...]
    producers: tuple[Source, ...]
    seen: bool
    id: str


@dataclass(frozen=True, eq=False)
class Pair:
    """Two beats that differ in who made them.

    Attributes:
        number: counts from 1.
        genre, tempo_bpm, kit: of both.
        human: the side of the person's beat.
        origin: where that comes from.
        seed: of the model's take.
        beats: of side A and side B.
        sounds: WAV files of side A and side B, as loops; they hold nothing but sound.
    """

    number: int
    genre: str
    tempo_bpm: float
    kit: str
    human: Side
    origin: str
    seed: int
    beats: tuple[Beat, Beat]
    sounds: tuple[bytes, bytes]


def pool_of(library: Library, model: BeatModel, weights_sha256: str) -> Pool:
    """The beats of people that a DJ has and the model did not learn from.

    Drummers: files of a corpus whose own fact sheet holds them out (the column `split` of the
    Groove MIDI Dataset says validation or test). That holds whatever the corpus is called; what we
    split ourselves depends on which files lie together. Without any, the starter patterns of
    drummers' genres. Producers: the written phrases that are held out of training.
    """
    drummers: list[Source] = []
    for corpus in library.corpora():
        splits = corpus.columns("official_split")["official_split"].to_pylist()
        if not {"validation", "test"} & {*splits}:
            continue
        for file, split in zip(corpus.files, splits, strict=True):
            if (
                split in ("validation", "test")
                and (file.kind, file.meter) == ("beat", FOUR_FOUR)
                and file.bars >= BARS
                and file.genre in model.genres
                and not is_dance(file.genre)
                and file.tempo_bpm
            ):
                read = partial(_one, corpus, file)
                drummers.append(Source(f"{corpus.name}: {file.name}", file.genre, read))
    seen = not drummers
    known = [genre.name for genre in GENRES if genre.name in model.genres]
    if seen:
        drummers = [
            Source("starter pattern", genre, partial(_patterns, genre))
            for genre in known
            if not is_dance(genre) and (STARTER_FOLDER / f"{genre}.beat").is_file()
        ]
    producers = [
        Source("written phrase", genre, partial(_phrases, genre))
        for genre in written_genres()
        if genre in known
    ]
    told = [weights_sha256, *(f"{one.origin} {one.genre}" for one in (*drummers, *producers))]
    id = sha256_of("\n".join(told).encode())[:8]
    return Pool(tuple(drummers), tuple(producers), seen, id)


def pair_of(test: BlindTest, number: int, pool: Pool, model: BeatModel) -> Pair:
    """The pair of a test with this number, from 1 on.

    Raises:
        GenerationError: there is nothing to draw from, or nothing fits.
        SoundError: the kit cannot be played.
    """
    draw = np.random.default_rng([test.seed, number])
    human_is_a, first_seed = bool(draw.integers(2)), int(draw.integers(1, 2**31))
    kinds = ("drummers", "producers") if test.kind == "both" else (test.kind,)
    kind = kinds[(number + test.seed) % len(kinds)]
    sources = pool.drummers if kind == "drummers" else pool.producers
    if not sources:
        raise GenerationError("There is no beat of a person to draw from. Choose the other kind.")
    order = np.random.default_rng([test.seed, len(kind)]).permutation(len(sources))
    for skipped in range(TRIES):
        source = sources[order[((number - 1) // len(kinds) + skipped) % len(sources)]]
        if pair := _pair_from(source, number, human_is_a, first_seed, draw, model):
            return pair
    raise GenerationError("No pair fits. Try another seed.")


def _pair_from(
    source: Source, number: int, human_is_a: bool, first_seed: int, draw: np.random.Generator,
    model: BeatModel,
) -> Pair | None:  # fmt: skip
    """A pair with this person's beat; None where no part of it, or no take, fits."""
    beats_there = source.read()
    if not beats_there:
        return None
    whole = beats_there[int(draw.integers(len(beats_there)))]
    bars = range(0, whole.bars - BARS + 1, BARS)
    found = [(bar, cut) for bar in bars if (cut := part_of(whole, bar))]
    # a performance begins out of silence; a take's second half, which is beside it, does not
    found = found[1:] if len(found) > TAKE_BARS // BARS else found
    if not found:
        return None
    bar, person = found[draw.integers(len(found))]
    tempo_bpm = whole.playing_tempo_bpm
    kit = GENRE[source.genre].kit if source.genre in GENRE else "standard"
    person = replace(person, genre=source.genre, tempo_bpm=tempo_bpm)
    sound = at_level(played(person, kit))
    if not sounds_on(sound):
        return None
    for seed in range(first_seed, first_seed + TRIES):
        request = GenerationRequest(
            genre=source.genre, tempo_bpm=tempo_bpm, bars=TAKE_BARS, seed=seed,
            feel=Feel(role=str(whole.provenance.settings.get("role", ""))),
        )  # fmt: skip
        take = part_of(model.generate(request).beat, min(bar, TAKE_BARS - BARS))
        if take is None:
            continue
        take = replace(take, genre=source.genre, tempo_bpm=tempo_bpm)
        other = at_level(played(take, kit))
        if sounds_on(other) and (level := closed_alike(levelled([sound, other]))):
            break
    else:
        return None
    beats, sounds = (person, take), [_wav(one) for one in level]
    if not human_is_a:
        beats, sounds = (take, person), sounds[::-1]
    return Pair(
        number, source.genre, tempo_bpm, kit, "A" if human_is_a else "B",
        " ".join(filter(None, [source.origin, whole.title])) + f", bar {bar + 1}", seed,
        beats, (sounds[0], sounds[1]),
    )  # fmt: skip


def part_of(beat: Beat, bar: int) -> Beat | None:
    """Four bars from `bar` (from 0) as a loop that begins with its first stroke.

    Strokes a little before the bar line belong to it. None where no stroke is near the bar line,
    or there are hardly any.
    """
    start, length = bar * beat.meter.bar_quarters, BARS * beat.meter.bar_quarters
    start -= NEAR_QUARTERS
    inside = [hit for hit in beat.hits if 0 <= hit.onset_quarters - start < length]
    if len(inside) < FEWEST_HITS or inside[0].onset_quarters - start >= 2 * NEAR_QUARTERS:
        return None
    first = inside[0].onset_quarters
    # nothing but where, which drum and how hard: note numbers would choose other sounds of a kit
    hits = tuple(Hit(hit.onset_quarters - first, hit.lane, hit.velocity) for hit in inside)
    return Beat(hits, BARS, beat.tempo_bpm, beat.meter, beat.genre)


def played(beat: Beat, kit: str) -> NDArray[np.float32]:
    """The beat as a loop, at the kit's own level. Raises SoundError."""
    whole = np.zeros((round(beat.duration_seconds * SAMPLE_RATE_HZ), 2), np.float32)
    for stem in render_stems(beat, kit, loop=True).values():
        whole += stem
    return whole


def at_level(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """A loop at the loudness of all pairs, before anything limits its peaks."""
    gain_db = LUFS - loudness_lufs(sound, SAMPLE_RATE_HZ)
    return sound * np.float32(10 ** (gain_db / 20))


def sounds_on(sound: NDArray[np.float32]) -> bool:
    """Whether a loop that begins with a stroke, at its level, still sounds just before it."""
    return bool(np.abs(sound[-SEAM_FRAMES:]).max() > 10 ** (SOUNDING_DBFS / 20))


def closed_alike(sounds: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Loops turned by 5 ms at most, so that all begin, and end, at one level: without silence.

    None of them where they have no level in common.
    """
    ends = [np.abs(sound[-SEAM_FRAMES:]).max(axis=1) for sound in sounds]
    for level in sorted(itertools.chain(*ends), reverse=True):
        places = [int(np.abs(end - level).argmin()) for end in ends]
        if all(
            abs(end[place] - level) <= LEVELS_ALIKE * level
            for end, place in zip(ends, places, strict=True)
        ):
            return [
                np.roll(sound, SEAM_FRAMES - place, axis=0)
                for sound, place in zip(sounds, places, strict=True)
            ]
    return []


def levelled(sounds: list[NDArray[np.float32]]) -> list[NDArray[np.float64]]:
    """Loops at one loudness and one true peak, which lies under that of each at this loudness.

    None of them where the limiter cannot: the peaks of one are too far from those of the other.
    """
    gains_db = [LUFS - loudness_lufs(sound, SAMPLE_RATE_HZ) for sound in sounds]
    peaks = [true_peak_dbtp(sound) + gain for sound, gain in zip(sounds, gains_db, strict=True)]
    ceiling = min(CEILING_DBTP, *peaks) - BELOW_BOTH_DB
    found = []
    for sound, gain in zip(sounds, gains_db, strict=True):
        gain_db = gain
        for _ in range(_ROUNDS):
            limiting = limiting_db(sound, SAMPLE_RATE_HZ, ceiling - gain_db)
            line = 10 ** ((gain_db - limiting) / 20)
            out = sound.astype(np.float64) * line[:, np.newaxis]
            missing = LUFS - loudness_lufs(out, SAMPLE_RATE_HZ)
            if abs(missing) < _NEAR_ENOUGH_LU:
                break
            gain_db += 1.3 * missing
        if abs(missing) > MOST_APART_LU:
            return []
        found.append(out)
    return found


def _wav(sound: NDArray[np.float64]) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, sound, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _one(corpus: Corpus, file: CorpusFile) -> Sequence[Beat]:
    """A performance; what it is called stands in the file's name."""
    return [replace(corpus.beat(file), title="", tempo_bpm=file.tempo_bpm)]


@cache  # reading a style's file takes longer than all else
def _phrases(genre: str) -> Sequence[Beat]:
    """The phrases of a style that are held out of training, those that go on as they are."""
    held_out = written_phrases(genre, held_out=True).phrases
    wanted = [beat for beat in held_out if role_of_phrase(beat) in ("groove", "drop")]
    return [beat for beat in wanted if beat.meter == FOUR_FOUR]


def _patterns(genre: str) -> Sequence[Beat]:
    """The starter patterns of a genre as loops of eight bars."""
    looped = []
    for beat in genre_patterns(genre, STARTER_FOLDER):
        if beat.meter == FOUR_FOUR and beat.provenance.settings["kind"] != "fill":
            times = -(-TAKE_BARS // beat.bars)
            hits = tuple(
                replace(hit, onset_quarters=hit.onset_quarters + turn * beat.length_quarters)
                for turn in range(times)
                for hit in beat.hits
            )
            looped.append(replace(beat, hits=hits, bars=times * beat.bars))
    return looped
