"""The songs of Figures 1 to 3: 500 notes each at temperatures 0, 1 and 5, stored for playback.

A song is kept as its strings and, where the model knows a rhythm, their onsets; `beat_of` makes it
a `Beat` again, without the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from dj_core.corpus.note_strings import REST, NoteSong
from dj_core.models.notes.note_checkpoint import NoteCheckpoint
from dj_core.models.notes.note_player import NotesModel
from dj_core.models.notes.note_tokenizer import (
    FIXED_SPACING_QUARTERS,
    NOTE_OF_NAME,
    Stroke,
    hits_of,
)
from dj_core.models.request import GenerationRequest
from dj_core.models.threads import cpu_threads
from dj_core.music.beat import Beat, Meter, Provenance
from dj_core.music.drums import DrumMap
from dj_core.paper.scoring import NoteScore, measured_words, score_network

SONG_NOTES = 500
FIGURE_TEMPERATURES = (0.0, 1.0, 5.0)
FIGURE_SEED = 1
SEEDS = (1, 2, 3)
COLD = 0.25  # the lowest temperature, over 0, at which odds are still odds
OPENINGS = (1, 32)  # notes heard before playing on: next to nothing, and a bar or two
PLAYED_ON, OPENING_SONGS = 200, 12
REPLAYED_BARS = 8  # of a song's 62 and more: enough to hear what it is


@dataclass(frozen=True)
class KeptSong:
    """A generated song.

    Attributes:
        model: the entry that made it.
        temperature, seed: as asked; every song of a model begins on the same start note.
        notes: its strings in order.
        distinct: different ones among them.
        genre: what was asked for; '' where the model knows none.
        rhythm: [onset in quarter notes, MIDI note] of the strokes in the first bars, as learned;
            empty where the model knows no rhythm.
        bars: how many bars `rhythm` holds.
    """

    model: str
    temperature: float
    seed: int
    notes: tuple[str, ...]
    distinct: int
    genre: str = ""
    rhythm: tuple[tuple[float, int], ...] = ()
    bars: int = 0


@dataclass(frozen=True)
class Heat:
    """A model at one temperature.

    Attributes:
        temperature: 0 to 5.
        distinct: different notes in 500, median over the seeds.
        loss: nats per held-out note under odds flattened so; None at 0, where all but one note
            are impossible.
    """

    temperature: float
    distinct: float
    loss: float | None


@dataclass(frozen=True)
class Opening:
    """What a model that always takes the likeliest makes of the beginnings of held-out songs.

    Attributes:
        model: the entry.
        given: notes of each song it has heard, where it has so many, before it plays on alone.
        distinct: different notes in the 200 that follow, median over songs.
        human: different notes in those songs themselves, median.
        loss: nats per note of what it plays, by its own odds, mean over songs.
    """

    model: str
    given: int
    distinct: float
    human: float
    loss: float


def make_song(name: str, checkpoint: NoteCheckpoint, temperature: float, seed: int) -> KeptSong:
    """A song of 500 notes from the corpus's most frequent start note."""
    model = NotesModel(name, checkpoint)
    start = model.start_notes[0] if model.start_notes else None
    genre = "rock" if "rock" in model.genres else ""
    request = GenerationRequest(
        notes=SONG_NOTES, temperature=temperature, seed=seed, start_note=start, genre=genre
    )
    take = model.generate(request)
    beat = take.beat
    bars = min(beat.bars, REPLAYED_BARS)
    end = bars * beat.meter.bar_quarters if model.timed else 0.0
    rhythm = tuple(
        (round(hit.onset_quarters, 4), hit.note) for hit in beat.hits if hit.onset_quarters < end
    )
    return KeptSong(
        name, temperature, seed, take.notes, take.distinct_notes, beat.genre, rhythm, bars
    )


def beat_of(song: KeptSong, drum_map: DrumMap) -> Beat:
    """The song's first eight bars as a beat: in its learned rhythm, else evenly spaced."""
    title = f"{song.model}, temperature {song.temperature:g}"
    provenance = Provenance(source=song.model, model=song.model, seed=song.seed)
    strokes: list[tuple[tuple[str, ...], float]]
    if song.rhythm:
        names = {number: name for name, number in reversed(NOTE_OF_NAME.items())}
        strokes = [((names[note],), onset) for onset, note in song.rhythm]
        bars, bpm, genre = song.bars, 110.0, song.genre
    else:
        per_bar = round(Meter().bar_quarters / FIXED_SPACING_QUARTERS)
        notes = song.notes[: REPLAYED_BARS * per_bar]
        strokes = [
            (tuple(name.split(" ")), place * FIXED_SPACING_QUARTERS)
            for place, name in enumerate(notes)
            if name != REST
        ]
        bars, bpm, genre = -(-len(notes) // per_bar), 120.0, ""
    hits = [hit for parts, at in strokes for hit in hits_of(Stroke(parts), at, drum_map)]
    return Beat(tuple(hits), bars, bpm, Meter(), genre, title, provenance)


def heat_at(
    name: str,
    checkpoint: NoteCheckpoint,
    held_out: Sequence[NoteSong],
    temperature: float,
    seeds: Sequence[int] = SEEDS,
) -> Heat:
    """How varied a model plays, and how likely held-out songs are to it, at one temperature."""
    distinct = [make_song(name, checkpoint, temperature, seed).distinct for seed in seeds]
    loss = None
    if temperature >= COLD:
        scores = score_network(
            checkpoint.network, checkpoint.tokenizer, held_out, temperature=temperature
        )
        loss = NoteScore.of(scores).loss
    return Heat(temperature, float(median(distinct)), loss)


def fresh_songs(name: str, checkpoint: NoteCheckpoint, length: int) -> int:
    """Different notes in 500 played at temperature 1 as one short song after another.

    Each song is of `length` notes and has a seed, and a genre where the model knows genres, of its
    own: so 500 notes of a corpus in a row are made too.
    """
    model = NotesModel(name, checkpoint)
    genres = model.genres or ("",)
    notes: list[str] = []
    for seed in range(1, -(-SONG_NOTES // length) + 1):
        request = GenerationRequest(notes=length, seed=seed, genre=genres[seed % len(genres)])
        notes += model.generate(request).notes
    return len(set(notes[:SONG_NOTES]))


def greedy_by_genre(name: str, checkpoint: NoteCheckpoint) -> dict[str, int]:
    """Different notes in 500 that always are the likeliest, per genre the model knows."""
    model = NotesModel(name, checkpoint)
    return {
        genre: model.generate(
            GenerationRequest(notes=SONG_NOTES, temperature=0.0, genre=genre)
        ).distinct_notes
        for genre in model.genres
    }


def play_on(
    name: str, checkpoint: NoteCheckpoint, songs: Sequence[NoteSong], given: int
) -> Opening:
    """Let a model hear the first notes of each song and go on with the likeliest, 200 times."""
    import torch

    tokenizer, network = checkpoint.tokenizer, checkpoint.network
    names = torch.tensor([bool(word.name) for word in tokenizer.words])
    per_name = 2 if tokenizer.settings.times else 1
    distinct, losses = [], []
    with torch.inference_mode(), cpu_threads(1):
        for song in songs:
            opening = measured_words(song, tokenizer, None)
            unheard = max(0, len(song.events) - given)
            opening = opening[: len(opening) - unheard * per_name]
            scores, state = network(torch.tensor([tokenizer.encode(opening)]))
            score = scores[0, -1]
            played: set[int] = set()
            loss = 0.0
            for place in range(PLAYED_ON * per_name):  # a name, and its time where it has one
                is_name = place % per_name == 0
                odds = score.masked_fill(names != is_name, -torch.inf).log_softmax(-1)
                chosen = int(odds.argmax())
                if is_name:
                    played.add(chosen)
                    loss -= float(odds[chosen])
                score, state = network.step(chosen, state)
            distinct.append(len(played))
            losses.append(loss / PLAYED_ON)
    human = median(len({event.name for event in song.events}) for song in songs)
    return Opening(name, given, float(median(distinct)), float(human), fmean(losses))
