"""Generates beats with a notes network, one token at a time.

The network's memory is carried from word to word. What may come next is shaped by a short list of
filters over its scores: words that do not fit the bar are forbidden, the temperature flattens or
sharpens, top-p cuts the unlikely tail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, count, islice, takewhile
from pathlib import Path
from typing import cast

import numpy as np

from dj_core.corpus.note_strings import REST
from dj_core.errors import GenerationError
from dj_core.models.notes.note_checkpoint import FAMILY, NoteCheckpoint, load_note_model
from dj_core.models.notes.note_inference import Stepper, stepper
from dj_core.models.notes.note_tokenizer import (
    BAR_LINE,
    BEAT,
    FIXED_SPACING_QUARTERS,
    NOTE_OF_NAME,
    TICKS_PER_QUARTER,
    Stroke,
    Word,
    hits_of,
    prime_words,
)
from dj_core.models.request import (
    DEFAULT_FEEL,
    GenerationRequest,
    Spacing,
    Take,
    provenance_of,
)
from dj_core.models.threads import one_thread
from dj_core.music.beat import DEFAULT_TEMPO_BPM, MAX_BARS, Beat
from dj_core.music.genres import typical_tempo_bpm

Filter = Callable[[np.ndarray], np.ndarray]
"""Scores of every word in, scores out; -inf forbids a word."""

MOST_STEPS_BACK = 16  # that a bar's voices take; the most in any bar of the paper's corpus
FREQUENT_STARTS = 10  # without a start note, one of so many most frequent first notes is drawn


def load_notes_player(folder: Path, name: str) -> NotesModel:
    """The notes model in a checkpoint folder, ready to play. Raises CheckpointError."""
    return NotesModel(name, load_note_model(folder))


class NotesModel:
    """A network over the paper's words, with or without durations."""

    family = FAMILY
    has_feel = can_shape = False

    def __init__(self, name: str, checkpoint: NoteCheckpoint) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self.tokenizer = checkpoint.tokenizer
        self.timed = self.tokenizer.settings.durations or self.tokenizer.settings.times
        self.genres = self.tokenizer.genres
        self.start_notes = tuple(
            name for name, _ in checkpoint.facts.start_notes if name != REST and self._knows(name)
        )
        self.spacings: tuple[Spacing, ...] = ("learned", "fixed") if self.timed else ("fixed",)
        self.vocabulary = _Vocabulary(self.tokenizer.words)

    @cached_property
    def stepper(self) -> Stepper:
        """The network laid out for playing."""
        return stepper(self.checkpoint.settings, self.checkpoint.weights)

    def generate_all(self, requests: Sequence[GenerationRequest]) -> list[Take]:
        """A beat per request, each the one `generate` would give. Raises GenerationError."""
        return [self.generate(request) for request in requests]

    def generate(self, request: GenerationRequest) -> Take:
        """A beat as asked.

        Raises:
            GenerationError: a genre, start note or spacing this model does not know, or a feel or
                style, of which it knows nothing.
        """
        spacing = request.spacing or self.spacings[0]
        if spacing not in self.spacings:
            raise GenerationError(
                f"Model {self.name} learned no durations and plays fixed spacing only."
            )
        if request.feel != DEFAULT_FEEL:
            raise GenerationError(
                f"Model {self.name} writes notes and knows no feel: no fills, density, loudness "
                "or timing. Leave them out, or choose a groove model."
            )
        if request.style is not None:
            raise GenerationError(
                f"Model {self.name} writes notes and has no styles; got style {request.style}. "
                "Leave it out, or choose a groove model."
            )
        generator = np.random.default_rng(request.seed)
        genre = request.genre
        if genre and genre not in self.genres:
            knows = f"these genres: {', '.join(self.genres)}" if self.genres else "no genres"
            raise GenerationError(f"Model {self.name} knows {knows}; got {genre!r}.")
        if not genre and self.genres:
            genre = self.genres[_draw([1.0] * len(self.genres), generator)]
        start = self._start(request.start_note)
        bar_quarters, notes = request.meter.bar_quarters, request.notes
        if notes is None and spacing == "fixed":  # as many as fill the bars
            quarters = cast("int", request.bars) * bar_quarters
            notes = math.ceil(quarters / FIXED_SPACING_QUARTERS - 1e-9)
        with one_thread():
            # first the genre, a beat, and the known bar length nearest to the one asked for
            player = _Player(self, request, generator)
            lengths = self.tokenizer.bar_lengths_quarters
            nearest = min(
                lengths, key=lambda length: abs(length - bar_quarters), default=bar_quarters
            )
            for word in prime_words(genre, BEAT, nearest, self.tokenizer.settings):
                if word in self.tokenizer.vocabulary.ids:
                    player.play(self.tokenizer.vocabulary.ids[word])
            strokes: Iterator[_Placed]
            if self.tokenizer.settings.times:
                strokes = self._voices(player, bar_quarters, start)
                if notes is None:
                    end = cast("int", request.bars) * bar_quarters
                    strokes = takewhile(lambda placed: placed[1] < end, strokes)
            elif self.timed:
                strokes = chain.from_iterable(
                    islice(self._bars(player, request, start), request.bars)
                )
            else:
                strokes = self._plain(player, start, generator)
            placed = list(islice(strokes, notes))
        if spacing == "fixed":
            placed = [(one, at * FIXED_SPACING_QUARTERS) for at, (one, _) in enumerate(placed)]
        return self._take(request, genre, spacing, placed)

    # --- playing ------------------------------------------------------------------------------

    def _plain(
        self, player: _Player, start: tuple[str, ...] | None, generator: np.random.Generator
    ) -> Iterator[_Placed]:
        """As the paper does: a start note, then word after word; when, is for others to say."""
        if start is not None:
            first = " ".join(start) or REST
        else:  # drawn from the corpus's most frequent ones
            frequent = [
                (name, number)
                for name, number in self.checkpoint.facts.start_notes
                if name in self.start_notes
            ][:FREQUENT_STARTS]
            if not frequent:  # every song of the corpus begins with a rest
                frequent = [(word.text, 1) for word in self.tokenizer.words if word.is_music]
            first = frequent[_draw([number for _, number in frequent], generator)][0]
        word = player.play(self.tokenizer.vocabulary.ids[first])
        while True:
            yield self.tokenizer.strokes([word])[0], 0.0
            word = player.draw(self.vocabulary.silent)

    def _voices(
        self, player: _Player, bar_quarters: float, start: tuple[str, ...] | None
    ) -> Iterator[_Placed]:
        """Name and time in turn, as music21 hands a bar's voices out one after the other.

        Strokes without end, none of them in a bar that is already over. A time may lead back to
        where the bar began, so many times and no more, and forward to the bar line at most, as all
        times do that the model learned from.
        """
        vocabulary = self.vocabulary
        bar_ticks = round(bar_quarters * TICKS_PER_QUARTER)
        first = None if start is None else (" ".join(start) or REST)
        now, bar_start, steps_back = 0, 0, 0
        while True:
            if first is None:
                name = player.draw(~vocabulary.notes)
            else:
                name, first = player.play(self.tokenizer.vocabulary.ids[first]), None
            after = now + vocabulary.advance_ticks
            forbidden = ~vocabulary.times | (after < bar_start) | (after > bar_start + bar_ticks)
            if steps_back >= MOST_STEPS_BACK:
                forbidden = forbidden | (vocabulary.advance_ticks <= 0)
            if bool(forbidden.all()):  # nothing fits: some time is read, and cut at the bar line
                forbidden = vocabulary.advance_ticks <= 0
            advance = cast("int", player.draw(forbidden).advance_ticks)  # only times are drawn
            advance = min(advance, bar_start + bar_ticks - now)
            names = tuple(part for part in name.name.split(" ") if part != REST)
            yield Stroke(names, advance), now / TICKS_PER_QUARTER
            now += advance
            steps_back += advance <= 0
            if now == bar_start + bar_ticks:
                bar_start, steps_back = now, 0

    def _bars(
        self, player: _Player, request: GenerationRequest, start: tuple[str, ...] | None
    ) -> Iterator[list[_Placed]]:
        """Bar after bar without end, each filled to its bar line and never past it.

        Spelled notes come in ascending order of their words, as they were learned, and at last
        the time; any other vocabulary has a word for the whole stroke.
        """
        vocabulary, ids = self.vocabulary, self.tokenizer.vocabulary.ids
        bar_quarters = request.meter.bar_quarters
        for bar in count():
            placed: list[_Placed] = []
            used = 0
            room = bar_quarters * TICKS_PER_QUARTER + 1e-6
            while vocabulary.shortest_ticks <= room - used:
                forbidden = vocabulary.silent | (vocabulary.advance_ticks > room - used)
                words: list[Word] = []
                if start is not None and self.tokenizer.settings.spelled:
                    words = [player.play(ids[name]) for name in start]
                    forbidden = forbidden | vocabulary.notes
                elif start is not None:
                    asked = " ".join(start) or REST
                    forbidden = forbidden | np.array([word.name != asked for word in player.words])
                if bool(forbidden.all()):
                    break
                start = None
                while not (strokes := self.tokenizer.strokes(words)):
                    words.append(player.draw(forbidden))
                    # the next note of a spelled chord stands further on in the vocabulary
                    passed = np.arange(len(forbidden)) <= ids[words[-1].text]
                    forbidden = forbidden | (vocabulary.notes & passed)
                placed.append((strokes[0], bar * bar_quarters + used / TICKS_PER_QUARTER))
                advance = cast("int", strokes[0].advance_ticks)  # a timed model's strokes all say
                used += advance
            if not placed:
                raise GenerationError(
                    f"Model {self.name} knows nothing short enough for a bar of {request.meter}"
                    + (f" that begins on {request.start_note!r}." if request.start_note else ".")
                    + " Ask for a longer meter or another start note."
                )
            if silence := int(room - used):  # too short for any word: the last stroke lasts
                stroke, onset = placed[-1]
                placed[-1] = replace(stroke, advance_ticks=advance + silence), onset
            yield placed
            player.play(ids[BAR_LINE])

    # --- what a request means to this model ----------------------------------------------------

    def _start(self, asked: str | None) -> tuple[str, ...] | None:
        """The names of the start note asked for; None when the model may choose."""
        if asked is None:
            return None
        if not self._knows(asked):
            raise GenerationError(
                f"Model {self.name} does not know the start note {asked!r}. It often begins with: "
                f"{', '.join(self.start_notes[:FREQUENT_STARTS])}."
            )
        names = () if asked == REST else tuple(asked.split(" "))
        # spelled words come in the vocabulary's order and once each
        return tuple(sorted(set(names))) if self.timed else names

    def _knows(self, name: str) -> bool:
        """Songs can begin on `name`."""
        names = name.split(" ")
        if self.tokenizer.settings.spelled:
            known = self.tokenizer.vocabulary.ids
            return name == REST or all(note in NOTE_OF_NAME and note in known for note in names)
        asked = " ".join(sorted(set(names))) if self.timed else name
        return any(word.is_music and word.name == asked for word in self.tokenizer.words)

    def _take(
        self,
        request: GenerationRequest,
        genre: str,
        spacing: Spacing,
        placed: Sequence[_Placed],
    ) -> Take:
        bar_quarters = request.meter.bar_quarters
        last = max(onset for _, onset in placed)
        bars = request.bars or int(last / bar_quarters + 1e-9) + 1  # in which every stroke begins
        if bars > MAX_BARS:
            raise GenerationError(
                f"{len(placed)} notes fill {bars:,} bars of {request.meter}; a beat has at most "
                f"{MAX_BARS:,}. Ask for fewer notes or a longer meter."
            )
        drum_map = self.tokenizer.settings.drum_map
        # voices may strike the same drum at once, which is one stroke
        hits = {
            (onset, hit.source_note): hit
            for stroke, onset in placed
            if onset < bars * bar_quarters
            for hit in hits_of(stroke, onset, drum_map)
        }
        beat = Beat(
            tuple(hits.values()),
            bars,
            request.tempo_bpm or typical_tempo_bpm(genre) or DEFAULT_TEMPO_BPM,
            request.meter,
            genre,
            title="",
            provenance=provenance_of(
                self,
                request,
                self.checkpoint.weights_sha256,
                self.checkpoint.facts.corpora,
                spacing=spacing,
                played_genre=genre,
                played_start_note=placed[0][0].name,
            ),
        )
        written_apart = self.tokenizer.settings.times  # names are words without their times
        return Take(
            beat, tuple(stroke.name if written_apart else stroke.text for stroke, _ in placed)
        )


_Placed = tuple[Stroke, float]
"""A stroke and its onset in quarter notes."""


class _Vocabulary:
    """What the filters ask about every word, one row a word.

    Attributes:
        silent: it is a bar line or a prime, never drawn.
        notes: it is a note without a time.
        times: it is a time without a note.
        advance_ticks: its time; 0 where it says none.
        shortest_ticks: the shortest time any word says.
    """

    def __init__(self, words: Sequence[Word]) -> None:
        times = [word.advance_ticks for word in words if word.advance_ticks is not None]
        self.silent = np.array([not word.is_music for word in words])
        self.notes = np.array([word.is_music and word.advance_ticks is None for word in words])
        self.times = np.array([word.is_music and not word.name for word in words])
        self.advance_ticks = np.array([word.advance_ticks or 0 for word in words])
        self.shortest_ticks = min(times, default=0)


class _Player:
    """One song being played: the network's memory and what it expects next."""

    def __init__(
        self, model: NotesModel, request: GenerationRequest, generator: np.random.Generator
    ) -> None:
        self._step = model.stepper
        self.words = model.tokenizer.words
        self._generator = generator
        self._greedy = request.temperature == 0
        self._filters: list[Filter] = []
        if not self._greedy and request.temperature != 1:
            self._filters.append(divide_by(request.temperature))
        if not self._greedy and request.top_p < 1:
            self._filters.append(keep_top(request.top_p))
        self._logits = np.zeros(len(self.words))  # nothing was read yet: every word is as likely
        self._state = None

    def play(self, id_: int) -> Word:
        """Read a word, as if the network had chosen it."""
        self._logits, self._state = self._step(id_, self._state)
        return self.words[id_]

    def draw(self, forbidden: np.ndarray) -> Word:
        """Choose the next word among those not forbidden, and read it."""
        logits = self._logits.astype(np.float64)
        for change in [forbid(forbidden), *self._filters]:
            logits = change(logits)
        if self._greedy:
            return self.play(int(logits.argmax()))
        return self.play(_draw(_odds(logits), self._generator))


# --- filters ----------------------------------------------------------------------------------


def forbid(words: np.ndarray) -> Filter:
    """Rule out the words marked True."""
    return lambda logits: np.where(words, -math.inf, logits)


def divide_by(temperature: float) -> Filter:
    """The paper's temperature: q_i = exp(z_i / T) / sum_j exp(z_j / T)."""
    # no score comes near 1e8, so none becomes infinite however cold it is
    factor = min(1 / temperature, 1e300)
    return lambda logits: logits * factor


def keep_top(probability: float) -> Filter:
    """Keep the likeliest words that together reach `probability`, at least one; forbid others."""

    def keep(logits: np.ndarray) -> np.ndarray:
        odds = _odds(logits)
        order = np.argsort(-odds, kind="stable")
        ordered = odds[order] / odds.sum()
        before = np.cumsum(ordered) - ordered  # probability of all likelier words
        kept = logits.copy()
        kept[order[before >= probability]] = -math.inf
        return kept

    return keep


def _odds(logits: np.ndarray) -> np.ndarray:
    """Chances of logits, up to a factor: the likeliest has 1."""
    odds: np.ndarray = np.exp(logits - logits.max())
    return odds


# --- draws ------------------------------------------------------------------------


def _draw(weights: Sequence[float] | np.ndarray, generator: np.random.Generator) -> int:
    """A place, as likely as its weight; never one of weight 0."""
    ends = np.cumsum(weights)
    place = ends.searchsorted(generator.random() * ends[-1], side="right")
    # rounding can make the product the last end itself, beyond which there is nothing
    return int(min(place, ends.searchsorted(ends[-1])))
