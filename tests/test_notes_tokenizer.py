"""The paper's words: to integers and back, and with durations the rhythm with them."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dj_core.corpus.note_strings import NoteEvent, NoteSong, read_note_events
from dj_core.errors import TokenizerError
from dj_core.models.notes.note_tokenizer import (
    BAR_LINE,
    NOTE_OF_NAME,
    TICKS_PER_QUARTER,
    NotesSettings,
    NotesTokenizer,
    Stroke,
    Vocabulary,
    even_pieces,
    extend_cyclically,
    first_names,
    hits_of,
    in_general_midi,
    looped_pieces,
    parse_word,
    song_words,
    struck_at,
)
from dj_core.music.drum_maps import drum_of_note
from dj_core.music.drums import DRUMS

NAMES = NotesSettings()
TIMED = NotesSettings(durations=True)
SPELLED = NotesSettings(durations=True, spelled=True)
PRIMED = NotesSettings(durations=True, spelled=True, prime=True)


def song(*events, bars=1, bar_quarters=4.0, genre="rock", **facts):
    events = tuple(NoteEvent(*event) for event in events)
    return NoteSong("id", genre, "train", events, bar_quarters, bars, **facts)


# music21's grid: quarters and thirds of a quarter
onsets = st.integers(0, 15).flatmap(
    lambda beat: st.sampled_from([0, 3, 4, 6, 8, 9]).map(lambda tick: beat + tick / 12)
)
names = st.lists(
    st.sampled_from(["C2", "D2", "E-3", "F#2", "B-3", "C#7", "E-2"]), min_size=1, max_size=4
).map(lambda notes: " ".join(sorted(notes)))
songs = st.builds(
    lambda events, meter: song(
        *events,
        bar_quarters=meter,
        bars=max(int(max((event[1] for event in events), default=0) / meter) + 1, 1),
    ),
    st.lists(
        st.tuples(names | st.just("rest"), onsets, st.sampled_from([0.0, 0.25, 1 / 3, 2.0])),
        max_size=40,
    ),
    st.sampled_from([3.0, 4.0, 6.0]),
)


def onsets_of(tokenizer, ids):
    """What decoded words strike: {tick: names}, and the total length in ticks."""
    now, struck = 0, {}
    for stroke in tokenizer.strokes(tokenizer.words[id_] for id_ in ids):
        if stroke.names:
            struck[now] = set(stroke.names)
        now += stroke.advance_ticks
    return struck, now


@pytest.mark.parametrize("writing", [TIMED, SPELLED, PRIMED])
@settings(deadline=None)
@given(songs)
def test_with_durations_every_onset_comes_back_at_its_place(writing, song):
    tokenizer = NotesTokenizer.for_songs(writing, [song])
    struck, length = onsets_of(tokenizer, tokenizer.encode_song(song))
    assert struck == struck_at(song.events)
    assert length == round(song.bars * song.bar_quarters * TICKS_PER_QUARTER)


@settings(deadline=None)
@given(songs)
def test_names_alone_come_back_in_their_order(song):
    tokenizer = NotesTokenizer.for_songs(
        NAMES, [song, replace(song, events=(NoteEvent("C2", 0, 1),))]
    )
    words = [event.name for event in song.events]
    ids = tokenizer.encode_song(song)
    assert [tokenizer.vocabulary.words[id_] for id_ in ids] == words


@pytest.mark.parametrize("settings", [TIMED, SPELLED])
def test_real_songs_keep_every_onset(settings, corpora):
    every = sorted(Path(corpora / "digital-dj").rglob("*.mid"))
    paths = every[:: max(1, len(every) // 25)]
    assert len(paths) > 5
    for path in paths:
        events = read_note_events(path)
        bars = int(max(event.onset_quarters for event in events) / 4 + 1e-6) + 1
        one = NoteSong("id", "", "train", events, 4.0, bars)
        tokenizer = NotesTokenizer.for_songs(settings, [one])
        struck, _ = onsets_of(tokenizer, tokenizer.encode_song(one))
        expected = {
            round(event.onset_quarters * TICKS_PER_QUARTER)
            for event in events
            if event.name != "rest" and not event.tied
        }
        assert set(struck) == expected, path
        assert all(abs(event.onset_quarters * 12 % 1 - 0.5) > 0.49 for event in events), path


def test_how_a_bar_reads():
    bar = song(("F#2", 0.5, 0.25), ("C2", 0.5, 0.25), ("rest", 0.75, 0.25), ("D2", 1.0, 0.0))
    assert song_words(bar, NAMES) == ["F#2", "C2", "rest", "D2"]
    assert song_words(bar, TIMED) == ["rest-0.5", "C2 F#2-0.5", "D2-3", BAR_LINE]
    assert song_words(bar, SPELLED) == ["+0.5", "C2", "F#2", "+0.5", "D2", "+3", BAR_LINE]
    assert song_words(bar, PRIMED)[:3] == ["<genre:rock>", "<kind:beat>", "<bar:4>"]


def test_an_advance_stops_at_the_bar_line_and_an_empty_bar_is_a_rest():
    two = song(("C2", 3.0, 0.25), ("C2", 9.0, 0.25), bars=3)
    assert song_words(two, TIMED) == [
        "rest-3", "C2-1", BAR_LINE, "rest-4", BAR_LINE, "rest-1", "C2-3", BAR_LINE,
    ]  # fmt: skip


def test_the_second_half_of_a_tied_note_is_not_struck():
    tied = song(("C#3", 3.5, 0.5), ("C#3", 4.0, 0.5, True), bars=2)
    assert song_words(tied, TIMED) == ["rest-3.5", "C#3-0.5", BAR_LINE, "rest-4", BAR_LINE]


def test_a_flat_s_dash_is_not_taken_for_the_duration_s():
    word = parse_word("B-3 E-2-0.333", TIMED)
    assert (word.name, word.advance_ticks) == ("B-3 E-2", 4)
    assert word.notes == (NOTE_OF_NAME["B-3"], NOTE_OF_NAME["E-2"])


def test_names_mean_the_notes_that_music21_means():
    from music21.pitch import Pitch

    for name, note in NOTE_OF_NAME.items():
        if note > 11:  # below, 'E-1' would be read as E flat in octave 1
            assert Pitch(midi=note).nameWithOctave == name
            assert Pitch(name).midi == note


def test_unknown_words_are_named():
    tokenizer = NotesTokenizer(NAMES, Vocabulary(("C2", "rest")))
    assert tokenizer.encode(["rest", "C2"]) == [1, 0]
    with pytest.raises(TokenizerError, match="'F#2'"):
        tokenizer.encode(["C2", "F#2"])


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (NAMES, "H2"), (NAMES, "C2  D2"), (TIMED, "C2"), (TIMED, "C2-0"), (TIMED, "C2--1"),
        (TIMED, "-0.5"), (TIMED, "C2-nan"), (TIMED, "C2-inf"), (SPELLED, "C2 F#2"),
        (SPELLED, "+0"), (SPELLED, "rest"),
    ],
)  # fmt: skip
def test_words_that_mean_nothing_are_refused(settings, word):
    with pytest.raises(TokenizerError):
        NotesTokenizer(settings, Vocabulary((word,)))


@pytest.mark.parametrize("words", [(), ("",), ("C2", "C2"), ("C2", 7)])
def test_a_vocabulary_holds_each_word_once(words):
    with pytest.raises(TokenizerError):
        Vocabulary(words)


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(TokenizerError):
        NotesSettings(spelled=True)
    with pytest.raises(TokenizerError):
        NotesSettings(durations="yes")
    with pytest.raises(TokenizerError):
        NotesSettings(drum_map="mine")


@settings(deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_another_vocabulary_has_another_hash(words):
    vocabulary = Vocabulary(tuple(words))
    assert vocabulary.sha256 == Vocabulary(tuple(words)).sha256
    assert Vocabulary((*words[:-1], words[-1] + "x")).sha256 != vocabulary.sha256


def test_what_primes_can_ask_for():
    tokenizer = NotesTokenizer.for_songs(
        PRIMED,
        [
            song(("C2", 0, 1)),
            song(("C2", 0, 1), bar_quarters=3.0, genre=""),
            song(("C2", 0, 1), bar_quarters=3.5, genre="jazz"),
        ],
    )
    assert tokenizer.genres == ("jazz", "rock")
    assert tokenizer.bar_lengths_quarters == (3.0, 3.5, 4.0)
    assert NotesTokenizer.for_songs(SPELLED, [song(("C2", 0, 1))]).genres == ()


@pytest.mark.parametrize("drum_map", ["general-midi", "extended"])
def test_hits_have_the_corpus_s_notes_and_each_drum_s_lane_and_velocity(drum_map):
    hits = hits_of(Stroke(("C2", "C4", "C4"), 6), 1.5, drum_map)
    assert [hit.source_note for hit in hits] == [NOTE_OF_NAME["C2"], NOTE_OF_NAME["C4"]]
    for hit in hits:
        assert hit.drum is drum_of_note(hit.source_note, drum_map)
        assert hit.velocity == hit.drum.default_velocity
        assert hit.onset_quarters == 1.5
    assert hits_of(Stroke((), 6), 0.0, drum_map) == []


def test_general_midi_names_keep_the_drum():
    drum_map = "extended"
    names = [name for name, note in NOTE_OF_NAME.items() if note > 11]
    one = song(*((name, 0.0, 1.0) for name in names), ("rest", 0, 1), drum_map=drum_map)
    folded = in_general_midi(one)
    assert folded.drum_map == "general-midi"
    assert folded.events[-1].name == "rest"
    lanes = Counter()
    for name, event in zip(names, folded.events, strict=False):
        drum = drum_of_note(NOTE_OF_NAME[name], drum_map)
        assert drum_of_note(NOTE_OF_NAME[event.name]) is drum
        lanes[drum.name] += 1
    assert len(lanes) == len(DRUMS)
    assert in_general_midi(folded) is folded


# -- songs of one length -------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(), min_size=1, max_size=30), st.integers(1, 100))
def test_cyclic_extension_repeats_from_the_start(ids, length):
    extended = extend_cyclically(ids, length)
    assert len(extended) == length
    assert all(extended[place] == ids[place % len(ids)] for place in range(length))


def test_pieces_are_as_long_as_the_longest_song_but_not_over_the_limit():
    assert even_pieces([[1, 2, 3], [7]], longest=10) == [[1, 2, 3], [7, 7, 7]]
    assert even_pieces([[1, 2, 3], [7]], longest=2) == [[1, 2], [3, 3], [7, 7]]


@settings(deadline=None)
@given(songs.filter(lambda song: song.events), st.integers(1, 12), st.integers(20, 60))
def test_loops_begin_on_the_bar_line_and_lose_nothing(song, bars, longest):
    tokenizer = NotesTokenizer.for_songs(PRIMED, [song])
    ids = tokenizer.encode_song(song)
    bar_line = tokenizer.vocabulary.ids[BAR_LINE]
    prime, body = ids[:3], ids[3:]
    pieces = looped_pieces(prime, body, bar_line, bars, longest)
    assert all(piece[:3] == prime and len(piece) <= longest for piece in pieces)
    played = [id_ for piece in pieces for id_ in piece[3:]]
    assert played == (body * (len(played) // len(body)))
    assert played.count(bar_line) >= bars
    assert len(played) // len(body) == max(-(-bars // song.bars), 1)
    longest_bar = max(len(bar) for bar in " ".join(map(str, body)).split(f" {bar_line}")) + 1
    if longest_bar + 3 <= longest:
        assert all(piece[-1] == bar_line for piece in pieces)


def test_songs_begin_mostly_so():
    songs = [
        song(("D2", 0, 1)),
        song(("C2", 0, 1)),
        song(("C2", 0, 1)),
        song(("rest", 0, 1)),
        song(),
    ]
    assert first_names(songs) == (("C2", 2), ("D2", 1), ("rest", 1))
