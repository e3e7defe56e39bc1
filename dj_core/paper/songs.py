"""Generated songs: those of Figures 1 to 3, and every system's continuation of one held-out song.

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
    extend_cyclically,
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
COLD = 0.25  # the lowest temperature, over 0, for which a loss is measured
OPENINGS = (1, 32)  # notes of a held-out song that greedy decoding begins with
CONTINUED, OPENING_SONGS = 200, 12
REPLAYED_BARS = 8  # of a song's 62 and more: enough to hear what it is
SAMPLE_TEMPERATURES = (0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5)
SAMPLE_NOTES, SAMPLE_GIVEN = 64, 16  # eight bars of half quarters, of which two are the drummer's
SAMPLE_SONGS = 6


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
class TemperaturePoint:
    """A model at one temperature.

    Attributes:
        temperature: 0 to 5.
        distinct: different notes in 500, median over the seeds.
        loss: nats per held-out note with the logits divided by it; None at 0, where all but one
            note are impossible.
    """

    temperature: float
    distinct: float
    loss: float | None


@dataclass(frozen=True)
class Opening:
    """Greedy decoding after the beginnings of held-out songs.

    Attributes:
        model: the entry.
        given: notes of each song it has read, where it has so many, before it continues.
        distinct: different notes in the 200 that follow, median over songs.
        human: different notes in those songs themselves, median.
        loss: nats per note of what it generates, by its own probabilities, mean over songs.
    """

    model: str
    given: int
    distinct: float
    human: float
    loss: float


@dataclass(frozen=True)
class Samples:
    """Continuations of one held-out song by one system.

    Attributes:
        by_loss: the temperature at which held-out songs have the least loss.
        by_distinct: the one at which continuations have as many different notes as the drummers'.
        least_loss: nats per held-out note at `by_loss`.
        distinct: different notes of the continuations at temperature 1 and at `by_distinct`,
            medians over songs.
        songs: at temperature 1, `by_loss` and `by_distinct`, each temperature once.
    """

    by_loss: float
    by_distinct: float
    least_loss: float
    distinct: tuple[float, float]
    songs: tuple[KeptSong, ...]


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


def temperature_point(
    name: str,
    checkpoint: NoteCheckpoint,
    held_out: Sequence[NoteSong],
    temperature: float,
    seeds: Sequence[int] = SEEDS,
) -> TemperaturePoint:
    """Different notes a model plays, and the loss of held-out songs, at one temperature."""
    distinct = [make_song(name, checkpoint, temperature, seed).distinct for seed in seeds]
    loss = None
    if temperature >= COLD:
        scores = score_network(
            checkpoint.network, checkpoint.tokenizer, held_out, temperature=temperature
        )
        loss = NoteScore.of(scores).loss
    return TemperaturePoint(temperature, float(median(distinct)), loss)


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


def continue_song(
    checkpoint: NoteCheckpoint,
    song: NoteSong,
    given: int,
    count: int,
    temperature: float = 0.0,
    seed: int = FIGURE_SEED,
) -> tuple[list[str], float]:
    """`count` names after the first `given` of a song, and their loss in nats by their own model.

    Args:
        temperature: 0 always takes the most probable name, and time where the model knows times.
    """
    import torch

    tokenizer, network = checkpoint.tokenizer, checkpoint.network
    names = torch.tensor([bool(word.name) for word in tokenizer.words])
    per_name = 2 if tokenizer.settings.times else 1
    random = torch.Generator().manual_seed(seed)
    opening = measured_words(song, tokenizer, None)
    opening = opening[: len(opening) - max(0, len(song.events) - given) * per_name]
    played, loss = [], 0.0
    with torch.inference_mode(), cpu_threads(1):
        scores, state = network(torch.tensor([tokenizer.encode(opening)]))
        score = scores[0, -1]
        for place in range(count * per_name):
            is_name = place % per_name == 0
            allowed = score.masked_fill(names != is_name, -torch.inf)
            if temperature:
                shaped = (allowed / temperature).softmax(-1)
                chosen = int(torch.multinomial(shaped, 1, generator=random))
            else:
                chosen = int(allowed.argmax())
            if is_name:
                played.append(tokenizer.words[chosen].name)
                loss -= float(allowed.log_softmax(-1)[chosen])
            score, state = network.step(chosen, state)
    return played, loss


def greedy_after(
    name: str, checkpoint: NoteCheckpoint, songs: Sequence[NoteSong], given: int
) -> Opening:
    """Greedy decoding of 200 notes after the first notes of each song."""
    continued = [continue_song(checkpoint, song, given, CONTINUED) for song in songs]
    human = median(len({event.name for event in song.events}) for song in songs)
    return Opening(
        name,
        given,
        float(median(len(set(notes)) for notes, _ in continued)),
        float(human),
        fmean(loss for _, loss in continued) / CONTINUED,
    )


def drummers_song(song: NoteSong) -> KeptSong:
    """The drummer's own eight bars, looped where the song is shorter."""
    notes = extend_cyclically([event.name for event in song.events], SAMPLE_NOTES)[:SAMPLE_NOTES]
    return KeptSong("drummer", 0.0, 0, tuple(notes), len(set(notes[SAMPLE_GIVEN:])), song.genre)


def take_samples(
    name: str, checkpoint: NoteCheckpoint, held_out: Sequence[NoteSong], begun: Sequence[NoteSong]
) -> Samples:
    """Find a system's two best temperatures and let it continue the first of `begun` at each.

    Args:
        held_out: whose loss is measured.
        begun: songs to continue; the drummers' number of different notes is theirs.
    """
    count = SAMPLE_NOTES - SAMPLE_GIVEN
    losses, distinct = {}, {}
    for temperature in SAMPLE_TEMPERATURES:
        scores = score_network(
            checkpoint.network, checkpoint.tokenizer, held_out, temperature=temperature
        )
        losses[temperature] = NoteScore.of(scores).loss
        distinct[temperature] = float(median(
            len(set(continue_song(checkpoint, song, SAMPLE_GIVEN, count, temperature)[0]))
            for song in begun
        ))  # fmt: skip
    human = median(drummers_song(song).distinct for song in begun)
    by_loss = min(losses, key=losses.__getitem__)
    by_distinct = min(distinct, key=lambda heat: (abs(distinct[heat] - human), abs(heat - 1)))
    opening = drummers_song(begun[0]).notes[:SAMPLE_GIVEN]
    songs = []
    for temperature in dict.fromkeys((1.0, by_loss, by_distinct)):
        notes, _ = continue_song(checkpoint, begun[0], SAMPLE_GIVEN, count, temperature)
        songs.append(KeptSong(name, temperature, FIGURE_SEED, (*opening, *notes), len(set(notes))))
    return Samples(
        by_loss, by_distinct, losses[by_loss], (distinct[1.0], distinct[by_distinct]), tuple(songs)
    )
