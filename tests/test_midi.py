"""Round trips first; then what a hostile file may not do."""

from io import BytesIO

import mido
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from dj_core.errors import DigitalDJError, MidiError
from dj_core.files.midi import (
    TICKS_PER_QUARTER,
    midi_bytes,
    read_midi,
    read_midi_report,
    save_midi,
)
from dj_core.host.limits import LIMITS
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUM_CHANNEL, DRUMS, GENERAL_MIDI_PERCUSSION

METERS = [Meter(4, 4), Meter(3, 4), Meter(6, 8), Meter(12, 8), Meter(5, 4), Meter(7, 16)]


@st.composite
def beats(draw):
    meter = draw(st.sampled_from(METERS))
    bars = draw(st.integers(1, 8))
    ticks = st.integers(0, round(bars * meter.bar_quarters * TICKS_PER_QUARTER) - 1)
    hit = st.builds(
        Hit,
        onset_quarters=ticks.map(lambda tick: tick / TICKS_PER_QUARTER),
        lane=st.integers(0, len(DRUMS) - 1),
        velocity=st.integers(1, 127),
        duration_quarters=st.none() | ticks.map(lambda tick: tick / TICKS_PER_QUARTER),
    )
    hits = draw(st.lists(hit, min_size=1, max_size=60))
    tempo_bpm = draw(st.integers(10, 600))
    title = draw(st.text(st.characters(exclude_categories=["C"]), max_size=20))
    return Beat(tuple(hits), bars, float(tempo_bpm), meter, title=title)


def strokes(beat):
    """What must survive: onset in ticks, lane, velocity."""
    return sorted(
        (round(hit.onset_quarters * TICKS_PER_QUARTER), hit.lane, hit.velocity) for hit in beat.hits
    )


@given(beats())
@settings(max_examples=150)
def test_a_beat_survives_writing_and_reading(beat):
    again = read_midi(midi_bytes(beat))
    assert strokes(again) == strokes(beat)
    assert (again.bars, again.meter, again.tempo_bpm) == (beat.bars, beat.meter, beat.tempo_bpm)


@given(beats())
@settings(max_examples=50)
def test_other_libraries_read_the_same_notes(beat):
    content = midi_bytes(beat)
    wanted = sorted((tick, DRUMS[lane].note, velocity) for tick, lane, velocity in strokes(beat))
    file = mido.MidiFile(file=BytesIO(content))
    assert (file.type, file.ticks_per_beat) == (1, TICKS_PER_QUARTER)
    heard, tick = [], 0
    for message in file.tracks[1]:
        tick += message.time
        if message.type == "note_on":
            assert message.channel == DRUM_CHANNEL
            heard.append((tick, message.note, message.velocity))
    assert sorted(heard) == wanted
    score = symusic.Score.from_midi(content)
    notes = [note for track in score.tracks for note in track.notes]
    assert sorted((note.time, note.pitch, note.velocity) for note in notes) == wanted


@given(beats())
@settings(max_examples=50)
def test_both_tracks_end_on_the_last_bar_line(beat):
    file = mido.MidiFile(file=BytesIO(midi_bytes(beat)))
    end = round(beat.length_quarters * TICKS_PER_QUARTER)
    for track in file.tracks:
        assert sum(message.time for message in track) == end
        assert track[-1].type == "end_of_track"


def test_tempo_and_meter_stand_at_the_start():
    content = midi_bytes(Beat((Hit.of("kick", 0.0),), 1, 174.0, Meter(3, 4)))
    conductor = mido.MidiFile(file=BytesIO(content)).tracks[0]
    assert [(m.type, m.time) for m in conductor[1:3]] == [("set_tempo", 0), ("time_signature", 0)]
    assert read_midi(content).tempo_bpm == 174.0


@pytest.mark.parametrize("tempo_bpm", [10.0, 93.5, 124.125, 174.0, 277.0, 599.0])
def test_a_tempo_reads_back_as_it_was_written(tempo_bpm):
    content = midi_bytes(Beat((Hit.of("kick", 0.0),), 1, tempo_bpm))
    assert read_midi(content).tempo_bpm == tempo_bpm


def test_the_starter_patterns_survive_both_kinds_of_writing():
    from dj_core.music.patterns import load_patterns

    for beat in load_patterns():
        for notes in ("general-midi", "as-in-corpus"):
            again = read_midi(midi_bytes(beat, notes))
            assert strokes(again) == strokes(beat), beat.title
            assert again.bars == beat.bars, beat.title


@pytest.mark.parametrize("corpus", ["groove", "digital-dj", "electronic"])
def test_real_files_survive_with_their_own_notes(corpora, corpus):
    paths = sorted((corpora / corpus).rglob("*.mid"))
    assert paths, f"no files in {corpora / corpus}"
    for path in paths[::3]:
        report = read_midi_report(path)
        beat = report.beat
        again = read_midi(midi_bytes(beat, "as-in-corpus"), "general-midi")
        assert again.bars == beat.bars, path
        assert len(again.hits) == len(beat.hits), path
        ours = sorted((hit.note, hit.velocity, hit.onset_quarters) for hit in beat.hits)
        theirs = sorted((hit.note, hit.velocity, hit.onset_quarters) for hit in again.hits)
        for (note, velocity, onset), (note2, velocity2, onset2) in zip(ours, theirs, strict=True):
            assert (note, velocity) == (note2, velocity2), path
            assert abs(onset - onset2) <= 1 / TICKS_PER_QUARTER, path


def test_no_note_of_a_real_file_is_lost(corpora):
    for path in sorted(corpora.rglob("*.mid"))[::7]:
        report = read_midi_report(path)
        struck = sum(
            message.type == "note_on" and message.velocity > 0 for message in mido.MidiFile(path)
        )
        assert len(report.beat.hits) + report.notes_left_out == struck, path


def test_general_midi_export_has_only_general_midi_drums(corpora):
    for path in sorted(corpora.rglob("*.mid"))[::29]:
        exported = read_midi(midi_bytes(read_midi(path, "extended")))
        assert {hit.note for hit in exported.hits} <= set(GENERAL_MIDI_PERCUSSION), path


def test_melodies_beside_the_drums_are_left_out_and_counted():
    file = mido.MidiFile()
    file.tracks.append(
        mido.MidiTrack(
            [
                mido.Message("note_on", channel=DRUM_CHANNEL, note=38, velocity=90, time=0),
                mido.Message("note_on", channel=0, note=60, velocity=90, time=0),
                mido.Message("note_off", channel=DRUM_CHANNEL, note=38, time=10),
            ]
        )
    )
    report = read_midi_report(saved(file))
    assert [hit.drum.name for hit in report.beat.hits] == ["snare"]
    assert report.notes_left_out == 1


def test_a_note_that_never_ends_is_kept():
    file = mido.MidiFile()
    on = mido.Message("note_on", channel=DRUM_CHANNEL, note=36, velocity=90, time=0)
    file.tracks.append(mido.MidiTrack([on]))
    (hit,) = read_midi(saved(file)).hits
    assert hit.duration_quarters is None


def test_trailing_silence_to_a_bar_line_is_part_of_the_beat():
    beat = Beat((Hit.of("kick", 0.0),), bars=4, tempo_bpm=120.0)
    assert read_midi(midi_bytes(beat)).bars == 4


def saved(file):
    buffer = BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


REAL = midi_bytes(Beat((Hit.of("kick", 0.0), Hit.of("snare", 1.0)), bars=1, tempo_bpm=120.0))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not a MIDI file"),
        (b"Hello, this is text", "not a MIDI file"),
        (b"ID3 and so on", "MP3 recording"),
        (REAL[:12] + b"\xe7\x00" + REAL[14:], "film frames"),
        (REAL[:12] + b"\x00\x00" + REAL[14:], "0 ticks"),
        (REAL.replace(b"\x00\x99", b"\x00\x24"), "damaged"),
        (REAL + b"\x00" * LIMITS.midi_bytes, "bytes"),
        (midi_bytes(Beat((), bars=1)), "no notes"),
    ],
)
def test_a_bad_file_is_refused_in_words(content, word):
    with pytest.raises(MidiError, match=word):
        read_midi(content)


def test_an_hour_is_the_longest_file():
    file = mido.MidiFile(ticks_per_beat=1)
    on = mido.Message("note_on", channel=DRUM_CHANNEL, note=36, velocity=90, time=2 * 3600 + 2)
    file.tracks.append(mido.MidiTrack([on]))
    with pytest.raises(MidiError, match="one hour"):
        read_midi(saved(file))


@given(st.data())
@settings(max_examples=400)
def test_a_damaged_file_is_read_or_refused_never_worse(data):
    content = bytearray(REAL)
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(content) - 1))
        action = data.draw(st.sampled_from(["flip", "drop", "double"]))
        if action == "flip":
            content[position] = data.draw(st.integers(0, 255))
        elif action == "drop" and len(content) > 1:
            del content[position]
        else:
            content[position:position] = content[position : position + 8]
    try:
        beat = read_midi(bytes(content))
    except DigitalDJError:
        return
    assert beat.hits


@given(st.binary(max_size=400))
def test_noise_is_refused(content):
    with pytest.raises(MidiError):
        read_midi(b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0" + content[:200])


def test_a_missing_file_is_refused_in_words(tmp_path):
    with pytest.raises(MidiError, match="could not be opened"):
        read_midi(tmp_path / "gone.mid")


def test_saving_replaces_whole_files(tmp_path):
    path = save_midi(Beat((Hit.of("kick", 0.0),), bars=1), tmp_path / "a" / "beat.mid")
    save_midi(Beat((Hit.of("snare", 0.0),), bars=1), path)
    assert [hit.drum.name for hit in read_midi(path).hits] == ["snare"]
    assert [item.name for item in path.parent.iterdir()] == ["beat.mid"]
