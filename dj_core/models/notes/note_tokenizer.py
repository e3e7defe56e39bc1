"""The paper's tokens: every note, chord and rest of a song is a word of a vocabulary.

Four ways to write a song down:

* **Names**, as the paper does: every element is a word, in music21's order. The rhythm is lost;
  played back, every word takes the same time.
* **Names and times**: a word for the time to the next element after every name, ``C2`` ``+0.5``.
  Names and their order stay the paper's own; music21 hands out a measure's voices one after the
  other, so a time may be nothing or lead back (``+-3.5``). This is how `notes-best` is written.
* **Durations**: ``C2 F#2-0.5`` is a kick and a hat with half a quarter to the next stroke. What
  follows the last dash is the *advance*, not how long the note sounds: strokes of a second voice
  fall between the sounding and the end of the first, and only the advance brings each back to its
  place. Strokes at one moment are merged, an advance never crosses a bar line, and ``|`` stands at
  the end of every bar, so that any number of whole bars can be cut out or repeated.
* **Durations, spelled**: the same, but a stroke is spelled ``C2 F#2 +0.5`` in words of their own.
  The paper's corpus then has 111 words in place of 3,194, and a chord that was never heard with
  this duration, or never heard at all, is no stranger. This is what plays best.

Time is counted in ticks of 1/12 quarter, the coarsest grid on which music21's 1/4 and 1/3
quarters both lie.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle, islice, pairwise
from typing import TypeVar, cast

from dj_core.corpus.note_strings import REST, NoteEvent, NoteSong
from dj_core.errors import TokenizerError
from dj_core.files.storage import sha256_of
from dj_core.music.beat import Hit
from dj_core.music.drum_maps import DRUM_MAPS, drum_of_note
from dj_core.music.drums import LANE, DrumMap, general_midi_note

T = TypeVar("T")
TICKS_PER_QUARTER = 12
FIXED_SPACING_QUARTERS = 0.5  # what the paper's code gives every note, chord and rest
BAR_LINE = "|"
BEAT, FILL = "beat", "fill"
START, END = "<start>", "<end>"
_SPELLINGS = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B")  # as music21 spells

# Names below octave 0 come first: 'E-1' means E flat in octave 1, as music21 reads it.
NOTE_OF_NAME: dict[str, int] = {
    f"{_SPELLINGS[note % 12]}{note // 12 - 1}": note for note in range(128)
}


@dataclass(frozen=True)
class NotesSettings:
    """How songs become words.

    Attributes:
        times: every name is followed by a word for the time to the next element.
        durations: songs keep the time from stroke to stroke.
        spelled: notes and times are words of their own; only with durations.
        prime: a song begins with words for its genre, its kind (beat or fill) and its bar length,
            so that a network can be asked for them.
        ends: a song stands between a start and an end symbol.
        drum_map: the note map the names are in.
    """

    durations: bool = False
    spelled: bool = False
    prime: bool = False
    drum_map: DrumMap = "general-midi"
    times: bool = False
    ends: bool = False

    def __post_init__(self) -> None:
        if self.drum_map not in DRUM_MAPS:
            known = ", ".join(DRUM_MAPS)
            raise TokenizerError(f"A note map is one of {known}; got {self.drum_map!r}.")
        for name in ("durations", "spelled", "prime", "times", "ends"):
            if type(getattr(self, name)) is not bool:
                raise TokenizerError(f"{name} is true or false; got {getattr(self, name)!r}.")
        if self.spelled and not self.durations:
            raise TokenizerError("Only songs with durations are spelled; set durations too.")
        if self.durations and (self.times or self.ends):
            raise TokenizerError("A song is written with durations or with times and ends.")


@dataclass(frozen=True)
class Vocabulary:
    """Every word, sorted; a word's place is its id."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.words or any(not isinstance(word, str) or not word for word in self.words):
            raise TokenizerError("A vocabulary needs at least one word, and no empty ones.")
        if len(set(self.words)) != len(self.words):
            raise TokenizerError("A vocabulary holds every word once; this one repeats some.")

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Word to id."""
        return {word: number for number, word in enumerate(self.words)}

    @cached_property
    def sha256(self) -> str:
        """The hash that ties a network to its vocabulary."""
        text = json.dumps(self.words, ensure_ascii=False, separators=(",", ":"))
        return sha256_of(text.encode())


@dataclass(frozen=True)
class Word:
    """What a word says.

    Attributes:
        text: as it stands in the vocabulary.
        name: the note names or 'rest'; '' for a time, a bar line or a prime.
        notes: the MIDI notes struck.
        advance_ticks: time to the next stroke; None for a word that does not say.
    """

    text: str
    name: str = ""
    notes: tuple[int, ...] = ()
    advance_ticks: int | None = None

    @property
    def is_music(self) -> bool:
        """It is a note, a rest or a time: neither a bar line nor a prime."""
        return bool(self.name) or self.advance_ticks is not None

    @property
    def is_guessed(self) -> bool:
        """A network learns to expect it: all but primes and bar lines, which are given."""
        return self.is_music or self.text == END


@dataclass(frozen=True)
class Stroke:
    """Notes struck together, or a rest, and the time to the next stroke in ticks (None: unsaid)."""

    names: tuple[str, ...]
    advance_ticks: int | None = None

    @property
    def name(self) -> str:
        """'C2 F#2' or 'rest'."""
        return " ".join(self.names) or REST

    @property
    def text(self) -> str:
        """The paper's string: 'C2 F#2', and with a known time 'C2 F#2-0.5', to 3 decimals."""
        if self.advance_ticks is None:
            return self.name
        return f"{self.name}-{_quarters(self.advance_ticks)}"


class NotesTokenizer:
    """Songs to ids and back, by one vocabulary.

    Raises TokenizerError for a vocabulary with words that mean nothing under the settings.
    """

    def __init__(self, settings: NotesSettings, vocabulary: Vocabulary) -> None:
        self.settings = settings
        self.vocabulary = vocabulary
        self.words = tuple(parse_word(text, settings) for text in vocabulary.words)

    @classmethod
    def for_songs(cls, settings: NotesSettings, songs: Iterable[NoteSong]) -> NotesTokenizer:
        """The tokenizer whose vocabulary is every word of `songs`, sorted."""
        words = {word for song in songs for word in song_words(song, settings)}
        return cls(settings, Vocabulary(tuple(sorted(words))))

    def encode(self, words: Iterable[str]) -> list[int]:
        """Words to ids. Raises TokenizerError naming a word the vocabulary does not hold."""
        try:
            return [self.vocabulary.ids[word] for word in words]
        except KeyError as error:
            raise TokenizerError(
                f"This vocabulary of {len(self.vocabulary)} words does not hold "
                f"{error.args[0]!r}. Use the model's own start notes, or train on songs that "
                "hold it."
            ) from error

    def encode_song(self, song: NoteSong) -> list[int]:
        """A song's ids, primes included. Raises TokenizerError."""
        return self.encode(song_words(song, self.settings))

    def strokes(self, words: Iterable[Word]) -> list[Stroke]:
        """What words play, in order; bar lines and primes are read over.

        Spelled notes gather until their time comes; without one at the end they are not played.
        """
        strokes: list[Stroke] = []
        names: list[str] = []
        for word in words:
            if self.settings.times and word.name:
                strokes.append(Stroke(tuple(name for name in word.name.split(" ") if name != REST)))
            elif self.settings.times and word.is_music and strokes:
                strokes[-1] = replace(strokes[-1], advance_ticks=word.advance_ticks)
            elif word.is_music and not self.settings.times:
                names += [name for name in word.name.split(" ") if name not in ("", REST)]
                if word.advance_ticks is not None or not self.settings.spelled:
                    strokes.append(Stroke(tuple(names), word.advance_ticks))
                    names = []
        return strokes

    @property
    def genres(self) -> tuple[str, ...]:
        """What the primes can ask for, by name."""
        return tuple(filter(None, self._asked_by_primes("genre")))

    @property
    def bar_lengths_quarters(self) -> tuple[float, ...]:
        """The bar lengths the primes can ask for, ascending."""
        return tuple(sorted(map(float, self._asked_by_primes("bar"))))

    def _asked_by_primes(self, what: str) -> list[str]:
        words = self.vocabulary.words
        return [word[len(what) + 2 : -1] for word in words if word.startswith(f"<{what}:")]


# --- songs to words ---------------------------------------------------------------------------


def song_words(song: NoteSong, settings: NotesSettings) -> list[str]:
    """The song's words: primes if the settings want them, then the music."""
    words = prime_words(song.genre, song.kind, song.bar_quarters, settings)
    if settings.durations:
        for bar in song_bars(song):
            for stroke in bar:
                ticks = cast("int", stroke.advance_ticks)  # every stroke of a bar says its own
                spelled = [*stroke.names, f"+{_quarters(ticks)}"]
                words += spelled if settings.spelled else [stroke.text]
            words.append(BAR_LINE)
        return words
    # a time leads to the next element; the last one to the song's end
    onsets = [round(event.onset_quarters * TICKS_PER_QUARTER) for event in song.events]
    onsets.append(round(song.bars * song.bar_quarters * TICKS_PER_QUARTER))
    for event, (onset, following) in zip(song.events, pairwise(onsets), strict=True):
        words.append(event.name)
        if settings.times:
            words.append(f"+{_quarters(following - onset)}")
    return words + ([END] if settings.ends else [])


def prime_words(genre: str, kind: str, bar_quarters: float, settings: NotesSettings) -> list[str]:
    """The words a song of this genre, kind and bar length begins with; none without primes."""
    start = [START] if settings.ends else []
    if not settings.prime:
        return start
    return [*start, f"<genre:{genre}>", f"<kind:{kind}>", f"<bar:{bar_quarters:g}>"]


def song_bars(song: NoteSong) -> list[list[Stroke]]:
    """The song's strokes bar by bar; the advances of each bar add up to its length exactly."""
    bar_ticks = round(song.bar_quarters * TICKS_PER_QUARTER)
    struck = struck_at(song.events)
    onsets = sorted(struck)
    bars = []
    for bar in range(song.bars):
        start, end = bar * bar_ticks, (bar + 1) * bar_ticks
        inside = [onset for onset in onsets if start <= onset < end]
        strokes = []
        if not inside or inside[0] > start:
            strokes.append(Stroke((), (inside[0] if inside else end) - start))
        for onset, following in pairwise([*inside, end]):
            strokes.append(Stroke(tuple(sorted(struck[onset])), following - onset))
        bars.append(strokes)
    return bars


def struck_at(events: Iterable[NoteEvent]) -> dict[int, set[str]]:
    """The names struck at each tick; a name struck twice at one tick is one stroke."""
    struck: defaultdict[int, set[str]] = defaultdict(set)
    for event in events:
        if event.name != REST and not event.tied:
            struck[round(event.onset_quarters * TICKS_PER_QUARTER)].update(event.name.split(" "))
    return dict(struck)


def _quarters(ticks: int) -> str:
    return f"{round(ticks / TICKS_PER_QUARTER, 3):g}"


def parse_word(text: str, settings: NotesSettings) -> Word:
    """What a word says. Raises TokenizerError for one that says nothing under the settings."""
    if text.startswith("<") and text.endswith(">"):
        return Word(text)
    if settings.times and text.startswith("+"):
        return Word(text, advance_ticks=_ticks(text[1:], text, may_lead_back=True))
    if not settings.durations:
        return Word(text, text, _notes_of(text))
    if text == BAR_LINE:
        return Word(text)
    if not settings.spelled:
        name, _, advance = text.rpartition("-")
        return Word(text, name, _notes_of(name), _ticks(advance, text))
    if text.startswith("+"):
        return Word(text, advance_ticks=_ticks(text[1:], text))
    if text not in NOTE_OF_NAME:
        raise TokenizerError(
            f"A spelled word is a note like 'C2' or a time like '+0.5'; {text!r} is neither."
        )
    return Word(text, text, _notes_of(text))


def _ticks(quarters: str, text: str, may_lead_back: bool = False) -> int:
    try:
        ticks = round(float(quarters) * TICKS_PER_QUARTER)
    except (ValueError, OverflowError):
        ticks, may_lead_back = 0, False
    if ticks < 1 and not may_lead_back:  # a word that takes no time could follow itself for ever
        raise TokenizerError(f"{text!r} says no time; times read like '-0.5' or '+0.5' at the end.")
    return ticks


def _notes_of(name: str) -> tuple[int, ...]:
    """The MIDI notes a name stands for. Raises TokenizerError."""
    if name == REST:
        return ()
    try:
        return tuple(NOTE_OF_NAME[part] for part in name.split(" "))
    except KeyError as error:
        raise TokenizerError(
            f"{error.args[0]!r} in {name!r} is not a note; notes read like 'C2', 'F#2', 'B-3'."
        ) from error


# --- words to strokes to hits -----------------------------------------------------------------


def hits_of(stroke: Stroke, onset_quarters: float, drum_map: DrumMap) -> list[Hit]:
    """A stroke's hits, at each drum's usual velocity; a note named twice is one hit."""
    hits = []
    for note in sorted({NOTE_OF_NAME[name] for name in stroke.names}):
        drum = drum_of_note(note, drum_map)
        hits.append(Hit(onset_quarters, LANE[drum.name], drum.default_velocity, source_note=note))
    return hits


# --- songs of one length ----------------------------------------------------------------------


def extend_cyclically(ids: Sequence[T], length: int) -> list[T]:
    """`ids` repeated from the start until there are `length` of them (the paper's extension)."""
    return list(islice(cycle(ids), length))


def even_pieces(songs: Sequence[list[int]], longest: int) -> list[list[int]]:
    """Songs as pieces of one length: the longest song's, but at most `longest` ids.

    Shorter songs are extended cyclically. Longer ones are cut, and their last piece, which may be
    short, is extended likewise.
    """
    length = min(max(map(len, songs)), longest)
    return [
        extend_cyclically(song[start : start + length], length)
        for song in songs
        for start in range(0, len(song), length)
    ]


def repeated_pieces(
    prime: list[int], body: list[int], end: list[int], ids: int, longest: int
) -> list[list[int]]:
    """A song repeated until its body has at least `ids` ids, cut into pieces of at most `longest`.

    Each piece starts with the prime; the end follows the last one.
    """
    repeats = max(1, -(-ids // len(body)))
    repeated = body * repeats + end
    room = longest - len(prime)
    return [prime + repeated[start : start + room] for start in range(0, len(repeated), room)]


def looped_pieces(
    prime: list[int], body: list[int], bar_line: int, bars: int, longest: int
) -> list[list[int]]:
    """A song with durations, looped to at least `bars` bars and cut into pieces of whole bars.

    A body ends on a bar line, so every repeat starts on one. Each piece starts with the prime and
    has at most `longest` ids; a single bar longer than that is cut inside.
    """
    repeats = -(-bars // body.count(bar_line))
    looped = body * max(repeats, 1)
    bar_ends = [place + 1 for place, number in enumerate(looped) if number == bar_line]
    pieces, start, room = [], 0, longest - len(prime)
    while start < len(looped):
        last = bisect_right(bar_ends, start + room) - 1
        end = bar_ends[last] if last >= 0 and bar_ends[last] > start else start + room
        pieces.append(prime + looped[start:end])
        start = end
    return pieces


# --- what a corpus looks like in words --------------------------------------------------------


def first_names(songs: Iterable[NoteSong]) -> tuple[tuple[str, int], ...]:
    """How songs begin: (name, number of songs), the most frequent first, then by name."""
    counts = Counter(song.events[0].name for song in songs if song.events)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def in_general_midi(song: NoteSong) -> NoteSong:
    """The song with every note named as General MIDI's note for the same drum."""
    if song.drum_map == "general-midi":
        return song
    name_of_note = {note: name for name, note in NOTE_OF_NAME.items()}
    events = []
    for event in song.events:
        drums = ((drum_of_note(note, song.drum_map), note) for note in _notes_of(event.name))
        names = sorted(name_of_note[general_midi_note(*drum_and_note)] for drum_and_note in drums)
        events.append(replace(event, name=" ".join(names) or REST))
    return replace(song, events=tuple(events), drum_map="general-midi")


# --- what words are made of -------------------------------------------------------------------


def name_parts(tokenizer: NotesTokenizer) -> tuple[str, ...]:
    """The single notes that the vocabulary's names are made of, sorted; and how many at once.

    'C2 F#2' is made of 'C2', 'F#2' and '2 together'; a word that is no name has no parts.
    """
    return tuple(sorted({part for word in tokenizer.words for part in _parts_of(word)}))


def words_made_of(tokenizer: NotesTokenizer, parts: Sequence[str]) -> list[list[bool]]:
    """Row by word, column by part: whether the word has the part."""
    return [[part in found for part in parts] for found in map(_parts_of, tokenizer.words)]


_MOST_TOGETHER = 4  # five at once are as rare as four


def _parts_of(word: Word) -> frozenset[str]:
    notes = word.name.split(" ") if word.name else []
    together = [f"{min(len(notes), _MOST_TOGETHER)} together"] if len(notes) > 1 else []
    return frozenset([*notes, *together])
