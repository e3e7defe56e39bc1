"""Which note map a set of files was written in, and what a Roland kit's notes become."""

from io import BytesIO

import mido
import pytest

from dj_core.drums import drum_of_note
from dj_core.midi import guess_drum_map, midi_bytes, parse_midi, read_midi

TOM_RIM, HAT_EDGE, ODD = 58, 22, 97


def file_of(*notes, channel=9):
    """A file with a note in every quarter."""
    track = mido.MidiTrack()
    for note in notes:
        track.append(mido.Message("note_on", channel=channel, note=note, velocity=80, time=0))
        track.append(mido.Message("note_off", channel=channel, note=note, time=480))
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    buffer = BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([file_of(36, TOM_RIM)], "general-midi"),
        ([file_of(36, TOM_RIM), file_of(36, HAT_EDGE)], "td-11"),
        ([file_of(36, HAT_EDGE, channel=0)], "general-midi"),
        ([file_of(36, ODD, channel=0), file_of(36)], "extended"),
        ([file_of(36, HAT_EDGE), file_of(36, ODD, channel=0)], "extended"),
    ],
)
def test_the_files_themselves_say_which_map_it_is(files, expected):
    assert guess_drum_map(map(parse_midi, files)) == expected


def test_a_roland_kits_rim_is_a_tom_and_general_midis_is_none():
    assert read_midi(file_of(TOM_RIM)).hits[0].drum.name == "shaker"
    alone = read_midi(file_of(TOM_RIM, HAT_EDGE))
    assert [hit.drum.name for hit in alone.hits] == ["low_tom", "closed_hat"]


def test_a_roland_kits_strokes_stay_themselves_through_general_midi():
    beat = read_midi(file_of(*range(22, 60)), "td-11")
    again = read_midi(midi_bytes(beat))
    assert [hit.lane for hit in again.hits] == [hit.lane for hit in beat.hits]
    kept = read_midi(midi_bytes(beat, "as-in-corpus"), "td-11")
    assert [hit.source_note for hit in kept.hits] == list(range(22, 60))
    assert [hit.lane for hit in kept.hits] == [hit.lane for hit in beat.hits]


def test_the_roland_map_is_general_midi_but_for_one_rim():
    differ = [n for n in range(128) if drum_of_note(n, "td-11") is not drum_of_note(n)]
    assert differ == [TOM_RIM]
