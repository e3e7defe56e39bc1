"""MIDI for every target: the right notes in the right place, and where the beat comes from."""

import json
import warnings
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import mido
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from dj_core.errors import BeatError, MidiError
from dj_core.files.midi import (
    TICKS_PER_QUARTER,
    MidiSettings,
    midi_bytes,
    read_beat,
    read_midi,
    save_midi,
)
from dj_core.models.request import GenerationRequest, replay_request
from dj_core.music.beat import Beat, Hit, Meter, Provenance
from dj_core.music.drums import DRUM, DRUM_CHANNEL, DRUMS, LANE
from dj_core.music.note_maps import NOTE_MAP, NOTE_MAPS, note_name, printed_map
from dj_core.music.patterns import load_patterns
from dj_core.music.timing import straightened, swung

PATTERNS = load_patterns()
TARGETS = [*NOTE_MAP, "as-in-corpus"]
MADE = Provenance(
    "groove", "groove", "ab" * 32, "starter", 7, {"temperature": 1.0, "meter": "4/4", "bars": 1}
)
EVERY_DRUM = Beat(
    tuple(Hit.of(drum.name, lane / 4, 60 + lane) for lane, drum in enumerate(DRUMS)),
    bars=1,
    tempo_bpm=174.0,
    title="All",
    provenance=MADE,
)


def opened(content):
    return mido.MidiFile(file=BytesIO(content), charset="utf-8")


def struck(content):
    """(tick, note, velocity) of every note-on."""
    found = []
    for track in opened(content).tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                assert message.channel == DRUM_CHANNEL
                found.append((tick, message.note, message.velocity))
    return sorted(found)


# -- the maps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("note_map", NOTE_MAPS, ids=lambda note_map: note_map.name)
def test_a_map_names_a_note_for_every_drum(note_map):
    assert set(note_map.notes) == set(DRUM)
    assert all(0 <= note <= 127 for note in note_map.notes.values())
    assert set(note_map.pads) in (set(), set(DRUM))


@pytest.mark.parametrize("name", ["general-midi", "ableton", "mpc", "maschine"])
def test_sixteen_drums_have_sixteen_notes(name):
    assert len(set(NOTE_MAP[name].notes.values())) == len(DRUMS)
    assert len(set(NOTE_MAP[name].pads.values())) in (0, len(DRUMS))


@pytest.mark.parametrize("name", ["ableton", "maschine"])
def test_pads_that_count_upwards_fill_the_sixteen_that_are_shown(name):
    assert sorted(NOTE_MAP[name].notes.values()) == list(range(36, 52))


def test_a_drum_rack_keeps_what_general_midi_has_on_its_pads():
    general, rack = NOTE_MAP["general-midi"].notes, NOTE_MAP["ableton"].notes
    assert all(rack[name] == note for name, note in general.items() if note in range(36, 52))


def test_the_tr_8s_has_eleven_drums():
    notes, pads = NOTE_MAP["tr-8s"].notes, NOTE_MAP["tr-8s"].pads
    assert len(set(notes.values())) == len(set(pads.values())) == 11
    assert all(notes[drum.name] == drum.note for drum in DRUMS[:12] if drum.name != "pedal_hat")


def test_a_printed_map_lists_every_drum_with_its_note():
    text = printed_map(NOTE_MAP["mpc"])
    assert "| A02 | 36 C1 | Kick |" in text
    assert all(drum.label in text for drum in DRUMS)
    assert note_name(60) == "C3"


def test_the_printed_maps_are_in_the_documents():
    text = (Path(__file__).parent.parent / "docs" / "files.md").read_text("utf-8")
    assert all(printed_map(note_map) in text for note_map in NOTE_MAPS)


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("note_map", NOTE_MAPS, ids=lambda note_map: note_map.name)
def test_every_drum_is_written_as_its_target_has_it(note_map):
    settings = MidiSettings(target=note_map.name)
    expected = [
        (lane * TICKS_PER_QUARTER // 4, note_map.note(drum), 60 + lane)
        for lane, drum in enumerate(DRUMS)
    ]
    assert struck(midi_bytes(EVERY_DRUM, settings=settings)) == expected


@pytest.mark.parametrize("name", ["general-midi", "ableton", "mpc", "maschine"])
def test_a_file_for_pads_is_read_back_as_the_beat_it_was(name):
    beat = read_midi(midi_bytes(EVERY_DRUM, settings=MidiSettings(target=name)))
    assert [(hit.onset_quarters, hit.lane, hit.velocity) for hit in beat.hits] == [
        (hit.onset_quarters, hit.lane, hit.velocity) for hit in EVERY_DRUM.hits
    ]


def test_two_drums_on_one_pad_struck_together_are_one_stroke_the_louder():
    beat = Beat((Hit.of("closed_hat", 1.0, 40), Hit.of("shaker", 1.0, 90)), 1)
    content = midi_bytes(beat, settings=MidiSettings(target="tr-8s"))
    assert struck(content) == [(480, DRUM["closed_hat"].note, 90)]


def test_a_ride_bell_stays_a_bell_in_general_midi_only():
    bell = 53
    beat = Beat((Hit(0.0, LANE["ride"], 90, None, bell),), 1)
    assert struck(midi_bytes(beat))[0][1] == bell
    assert struck(midi_bytes(beat, "as-in-corpus"))[0][1] == bell
    assert struck(midi_bytes(beat, "mpc"))[0][1] == DRUM["ride"].note


shapes = st.sampled_from([(1, False), (1, True), (0, False)])
meters = st.sampled_from([Meter(), Meter(3, 4), Meter(12, 8), Meter(7, 8), Meter(5, 4)])


@st.composite
def beats(draw):
    meter, bars = draw(meters), draw(st.integers(1, 4))
    end = meter.bar_quarters * bars - 0.01
    hits = draw(
        st.lists(
            st.builds(
                Hit,
                st.floats(0, end),
                st.integers(0, 15),
                st.integers(1, 127),
                st.none() | st.floats(0, 4),
            ),
            max_size=20,
        )
    )
    return Beat(tuple(hits), bars, draw(st.floats(30, 300)), meter)


@given(beats(), st.sampled_from(TARGETS), shapes, st.sampled_from(["as-played", "straight"]))
@settings(max_examples=80)
def test_every_shape_of_file_ends_on_the_bar_line_and_holds_the_same_strokes(
    beat, target, shape, timing
):
    midi_type, per_drum = shape
    usual = MidiSettings(target=target, timing=timing)
    content = midi_bytes(
        beat, settings=replace(usual, midi_type=midi_type, track_per_drum=per_drum)
    )
    file = opened(content)
    end = round(beat.length_quarters * TICKS_PER_QUARTER)
    assert file.type == midi_type
    assert all(sum(message.time for message in track) == end for track in file.tracks)
    if per_drum:
        assert [track.name for track in file.tracks[1:]] == [
            DRUMS[lane].label for lane in beat.lanes
        ]
    else:
        assert len(file.tracks) == midi_type + 1
    if target in ("general-midi", "as-in-corpus"):  # elsewhere two lanes may meet on a pad
        assert struck(content) == struck(midi_bytes(beat, settings=usual))
    if beat.hits:
        again = read_midi(content)
        assert (again.bars, again.meter) == (beat.bars, beat.meter)


@given(beats(), st.sampled_from(list(NOTE_MAP)))
@settings(max_examples=40)
def test_no_note_is_struck_while_it_still_sounds(beat, target):
    sounding = set()
    for message in opened(midi_bytes(beat, target)).tracks[1]:
        if message.type == "note_on" and target != "general-midi":
            assert message.note not in sounding
            sounding.add(message.note)
        elif message.type == "note_off":
            sounding.discard(message.note)
    assert not sounding


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "linndrum"},
        {"midi_type": 2},
        {"midi_type": 0, "track_per_drum": True},
        {"timing": "drunk"},
    ],
)
def test_what_cannot_be_written_is_refused(wrong):
    with pytest.raises(MidiError):
        MidiSettings(**wrong)


# -- other programs --------------------------------------------------------------------------------

SAMPLES = [EVERY_DRUM, *(beat for beat in PATTERNS[:: len(PATTERNS) // 6])]
FILES = [
    pytest.param(beat, MidiSettings(target=target, midi_type=kind, track_per_drum=per_drum))
    for number, beat in enumerate(SAMPLES)
    for target, kind, per_drum in [
        ("general-midi", 1, False),
        (TARGETS[number % len(TARGETS)], 0, False),
        ("maschine", 1, True),
    ]
]


@pytest.mark.parametrize(("beat", "midi_settings"), FILES)
def test_four_other_programs_read_the_same_bars_tempo_and_notes(tmp_path, beat, midi_settings):
    path = save_midi(beat, tmp_path / "beat.mid", settings=midi_settings)
    ours = read_midi(path)
    end = round(beat.length_quarters * TICKS_PER_QUARTER)
    notes = sorted((tick, note, velocity) for tick, note, velocity in struck(path.read_bytes()))
    assert by_mido(path) == (end, beat.tempo_bpm, str(beat.meter), notes)
    assert by_symusic(path) == (beat.tempo_bpm, str(beat.meter), notes)
    assert by_pretty_midi(path) == (beat.tempo_bpm, str(beat.meter), notes)
    assert by_music21(path) == (
        beat.tempo_bpm,
        str(beat.meter),
        sorted((tick, note) for tick, note, _ in notes),
    )
    assert (ours.tempo_bpm, ours.meter, ours.bars) == (beat.tempo_bpm, beat.meter, beat.bars)
    assert len(ours.hits) == len(notes)


def by_mido(path):
    file = mido.MidiFile(path)
    messages = list(mido.merge_tracks(file.tracks))
    tempo = next(m.tempo for m in messages if m.type == "set_tempo")
    meter = next(m for m in messages if m.type == "time_signature")
    end = {sum(message.time for message in track) for track in file.tracks}
    assert len(end) == 1
    return (
        end.pop(),
        round(mido.tempo2bpm(tempo), 3),
        f"{meter.numerator}/{meter.denominator}",
        struck(path.read_bytes()),
    )


def by_symusic(path):
    score = symusic.Score(str(path))
    assert score.ticks_per_quarter == TICKS_PER_QUARTER
    (tempo,), (meter,) = score.tempos, score.time_signatures
    notes = sorted((n.time, n.pitch, n.velocity) for track in score.tracks for n in track.notes)
    assert all(track.is_drum for track in score.tracks)
    return round(tempo.qpm, 3), f"{meter.numerator}/{meter.denominator}", notes


def by_pretty_midi(path):
    from pretty_midi import PrettyMIDI

    song = PrettyMIDI(str(path))
    _, (tempo,) = song.get_tempo_changes()
    (meter,) = song.time_signature_changes
    notes = sorted(
        (song.time_to_tick(note.start), note.pitch, note.velocity)
        for instrument in song.instruments
        for note in instrument.notes
    )
    assert all(instrument.is_drum for instrument in song.instruments)
    return round(tempo, 3), f"{meter.numerator}/{meter.denominator}", notes


def by_music21(path):
    from music21 import midi, stream

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it names no instrument for some drums
        file = midi.MidiFile()
        file.open(str(path))
        try:
            file.read()
        finally:
            file.close()
        tempo = meter = None
        notes = []
        for track in file.tracks:
            tick = 0
            for event in track.events:
                if event.isDeltaTime():
                    tick += event.time
                elif event.type == midi.MetaEvents.SET_TEMPO:
                    tempo = round(60e6 / int.from_bytes(event.data, "big"), 3)
                elif event.type == midi.MetaEvents.TIME_SIGNATURE:
                    meter = f"{event.data[0]}/{2 ** event.data[1]}"
                elif event.isNoteOn() and event.velocity:
                    notes.append((tick, event.pitch))
        assert isinstance(midi.translate.midiFileToStream(file), stream.Stream)
    return tempo, meter, sorted(notes)


# -- where a beat comes from -----------------------------------------------------------------------


def test_a_file_says_what_made_its_beat():
    for shape in (MidiSettings(), MidiSettings("tr-8s", 0), MidiSettings("mpc", 1, True)):
        assert read_beat(midi_bytes(EVERY_DRUM, settings=shape)).provenance == MADE


def test_what_a_file_says_is_enough_to_play_the_beat_again():
    request = GenerationRequest(bars=1, seed=7)
    assert replay_request(read_beat(midi_bytes(EVERY_DRUM)).provenance) == request


def test_a_beat_read_with_its_story_knows_its_model_and_genre():
    told = replace(EVERY_DRUM, provenance=replace(MADE, settings={"genre": "house"}))
    beat = read_beat(midi_bytes(told))
    assert (beat.provenance, beat.genre) == (told.provenance, "house")
    assert beat.hits == read_midi(midi_bytes(told)).hits


def test_a_file_without_a_word_has_no_provenance():
    silent = midi_bytes(EVERY_DRUM, settings=MidiSettings(provenance=False))
    for content in (silent, midi_bytes(PATTERNS[0])):
        assert read_beat(content).provenance == Provenance()


def test_the_words_in_a_file_are_compact_json_in_a_text_event():
    (track, _) = opened(midi_bytes(EVERY_DRUM)).tracks
    (text,) = [message.text for message in track if message.type == "text"]
    assert json.loads(text.removeprefix("digital-dj "))["provenance"]["seed"] == 7


@pytest.mark.parametrize("text", ["digital-dj {", 'digital-dj {"provenance": 7}', "digital-dj []"])
def test_altered_words_are_not_heeded_and_the_beat_is_read_all_the_same(text):
    file = opened(midi_bytes(EVERY_DRUM, settings=MidiSettings(provenance=False)))
    file.tracks[0].insert(0, mido.MetaMessage("text", text=text))
    buffer = BytesIO()
    file.save(file=buffer)
    beat = read_beat(buffer.getvalue())
    assert beat.provenance == Provenance()
    assert len(beat.hits) == len(EVERY_DRUM.hits)


# -- straight and swung ----------------------------------------------------------------------------

SIXTEENTHS = Beat((Hit.of("kick", 0.0), *(Hit.of("closed_hat", step / 4) for step in range(16))), 1)


@given(st.floats(0, 0.66), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_swing_and_a_loose_hand_are_made_straight_again(swing, random):
    played = swung(SIXTEENTHS, swing)
    loose = replace(
        played,
        hits=tuple(
            replace(hit, onset_quarters=max(0.0, hit.onset_quarters + random.uniform(-0.02, 0.02)))
            for hit in played.hits
        ),
    )
    assert straightened(loose) == SIXTEENTHS


def test_the_decks_swing_moves_every_second_sixteenth():
    onsets = [hit.onset_quarters for hit in swung(SIXTEENTHS, 2 / 3).hits if hit.lane]
    assert onsets[:4] == pytest.approx([0, 1 / 3, 0.5, 5 / 6])
    with pytest.raises(BeatError):
        swung(SIXTEENTHS, 1.1)


@given(st.data(), st.floats(0, 1))
@settings(max_examples=40)
def test_swing_and_straightening_keep_every_beat_inside_its_bars(data, swing):
    meter = data.draw(st.sampled_from([Meter(7, 16), Meter(5, 8), Meter()]))
    onsets = data.draw(st.lists(st.floats(0, meter.bar_quarters - 1e-9), max_size=8))
    beat = Beat(tuple(Hit.of("kick", onset) for onset in onsets), 1, meter=meter)
    assert len(swung(beat, swing).hits) == len(onsets)
    assert len(straightened(beat).hits) <= len(onsets)


def test_a_shuffle_becomes_straight_eighths_and_triplets_stay():
    shuffle = Beat(tuple(Hit.of("ride", q + part) for q in range(4) for part in (0, 2 / 3)), 1)
    assert [hit.onset_quarters for hit in straightened(shuffle).hits] == [n / 2 for n in range(8)]
    triplets = Beat(tuple(Hit.of("ride", n / 3) for n in range(12)), 1)
    assert [hit.onset_quarters for hit in straightened(triplets).hits] == pytest.approx(
        [n / 3 for n in range(12)]
    )


def test_twelve_eight_stays_twelve_eight():
    beat = Beat(tuple(Hit.of("ride", n / 2 + 0.01) for n in range(12)), 1, meter=Meter(12, 8))
    assert [hit.onset_quarters for hit in straightened(beat).hits] == [n / 2 for n in range(12)]


def test_what_comes_just_before_the_end_is_the_next_downbeat():
    beat = Beat((Hit.of("kick", 3.99, 90), Hit.of("kick", 0.0, 60)), 1)
    assert straightened(beat).hits == (Hit.of("kick", 0.0, 90),)


def test_a_straight_file_is_of_the_straight_beat():
    played = swung(SIXTEENTHS, 0.6)
    straight = midi_bytes(played, settings=MidiSettings(timing="straight"))
    assert struck(straight) == struck(midi_bytes(SIXTEENTHS))
    assert struck(midi_bytes(played)) != struck(straight)
