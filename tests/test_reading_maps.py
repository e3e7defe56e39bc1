"""Which note map a file was written in, and what the notes of known kits become."""

from collections import Counter
from io import BytesIO

import mido
import pytest

from dj_core.errors import MidiError
from dj_core.files.midi import (
    MidiSettings,
    drum_map_of,
    drum_map_vote,
    midi_bytes,
    parse_midi,
    read_midi,
    read_midi_report,
)
from dj_core.music.beat import Beat, Hit
from dj_core.music.drum_maps import DRUM_MAPS, drum_of_note
from dj_core.music.drums import DRUM, DRUMS
from dj_core.music.note_maps import NOTE_MAP

TOM, TOM_RIM, HAT_EDGE, VIBRASLAP, CONGA, ODD = 43, 58, 22, 58, 62, 97
EZ_OPEN, EZ_OPEN_2, NITRO_HALF_OPEN = 24, 25, 23


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
    ("notes", "expected"),
    [
        ((36, TOM_RIM), "td-11"),  # a tom's rim, which a vibraslap all by itself is not
        ((36, VIBRASLAP, CONGA), "general-midi"),
        ((36, HAT_EDGE), "td-11"),
        ((36, TOM, TOM_RIM), "td-11"),
        ((36, TOM, VIBRASLAP, CONGA), "general-midi"),
        ((36, 38, HAT_EDGE, EZ_OPEN, EZ_OPEN_2, 60), "ezdrummer"),
        ((36, 38, 46, NITRO_HALF_OPEN), "alesis-nitro"),
        ((36, 5), "general-midi"),
    ],
)
def test_a_file_on_channel_10_says_its_map_by_its_own_notes(notes, expected):
    assert drum_map_of(parse_midi(file_of(*notes))) == expected


def test_a_file_on_another_channel_only_suggests_a_map():
    for notes, suggested in (((36, ODD), "extended"), ((36, HAT_EDGE), "general-midi")):
        events = parse_midi(file_of(*notes, channel=0))
        assert (drum_map_of(events), drum_map_vote(events)) == (None, suggested)


def test_a_roland_kits_rim_is_a_tom_and_general_midis_is_none():
    roland = read_midi(file_of(36, HAT_EDGE, TOM_RIM))
    assert [hit.drum.name for hit in roland.hits] == ["kick", "closed_hat", "low_tom"]
    assert read_midi(file_of(36, TOM_RIM, CONGA)).hits[1].drum.name == "shaker"
    differ = [n for n in range(128) if drum_of_note(n, "td-11") is not drum_of_note(n)]
    assert differ == [TOM_RIM]


def test_every_map_names_known_drums_and_has_a_kick_a_snare_and_a_hat():
    for reading_map in DRUM_MAPS.values():
        assert all(0 <= note <= 127 and name in DRUM for note, name in reading_map.drums.items())
        assert reading_map.families(reading_map.drums) >= {"kick", "snare", "hat"}


def test_notes_that_no_map_names_are_counted_and_said():
    report = read_midi_report(file_of(36, 5, 5, 100))
    assert report.drum_map == "general-midi"
    assert report.note_counts == {36: 1, 5: 2, 100: 1}
    (said,) = report.warnings
    assert "3 hits on notes 5 and 100" in said
    assert DRUM_MAPS["general-midi"].unnamed(report.note_counts) == 3


def test_a_map_that_makes_a_kit_of_what_looks_like_percussion_is_offered():
    addictive = file_of(36, *(54, 49, 54, 38) * 4)
    report = read_midi_report(addictive)
    assert report.drum_map == "general-midi"
    assert "Addictive Drums" in report.warnings[0]
    chosen = read_midi_report(addictive, "addictive-drums")
    assert Counter(hit.drum.name for hit in chosen.beat.hits) == {
        "kick": 1, "snare": 4, "open_hat": 8, "closed_hat": 4,
    }  # fmt: skip
    assert chosen.warnings == ()


def test_a_map_of_another_name_is_refused_with_those_there_are():
    with pytest.raises(MidiError, match="ezdrummer"):
        read_midi_report(file_of(36), "no-such-kit")


@pytest.mark.parametrize("target", [*NOTE_MAP, "as-in-corpus"])
def test_every_file_of_ours_says_its_map_whoever_made_the_beat(target):
    """Without a word about its making, and from bar 1 to the last, however silent these are."""
    hits = [Hit(4.0 + lane / 4, lane, 90) for lane in range(len(DRUMS))]
    hits.append(Hit(9.125, 0, 80, source_note=99))  # a kick that no known map has there
    beat = Beat(tuple(hits), bars=5)
    content = midi_bytes(beat, settings=MidiSettings(target=target, provenance=False))
    report = read_midi_report(content)
    assert report.warnings == ()
    assert drum_map_of(parse_midi(content)) == report.drum_map
    assert report.beat.bars == 5
    if target != "as-in-corpus":
        assert report.drum_map == target
    if target != "tr-8s":  # which plays two lanes by one note
        assert [hit.lane for hit in report.beat.hits] == [hit.lane for hit in beat.hits]
