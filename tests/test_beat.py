import pytest

from dj_core.errors import BeatError
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drum_maps import drum_of_note
from dj_core.music.drums import DRUM, DRUMS, GENERAL_MIDI_PERCUSSION, general_midi_note
from dj_core.music.genres import GENRES, genre_name


def test_hits_are_kept_in_playing_order():
    beat = Beat((Hit.of("snare", 1.0), Hit.of("kick", 0.0), Hit.of("kick", 1.0)), bars=1)
    assert [hit.drum.name for hit in beat.hits] == ["kick", "kick", "snare"]


def test_a_beat_has_just_enough_bars():
    assert Beat.fit([Hit.of("kick", 3.999)]).bars == 1
    assert Beat.fit([Hit.of("kick", 4.0)]).bars == 2
    assert Beat.fit([Hit.of("kick", 3.0)], Meter(3, 4)).bars == 2
    assert Beat.fit([]).bars == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Hit.of("kick", -0.1),
        lambda: Hit.of("kick", float("nan")),
        lambda: Hit(0.0, lane=16, velocity=1),
        lambda: Hit(0.0, lane=0, velocity=0),
        lambda: Hit(0.0, lane=0, velocity=128),
        lambda: Hit.of("theremin", 0.0),
        lambda: Beat((), bars=0),
        lambda: Beat((), bars=1, tempo_bpm=9.0),
        lambda: Beat((Hit.of("kick", 4.0),), bars=1),
        lambda: Meter(0, 4),
        lambda: Meter(4, 3),
        lambda: Meter.parse("4"),
        lambda: Meter.parse("four/4"),
    ],
)
def test_what_cannot_be_is_refused(make):
    with pytest.raises(BeatError):
        make()


def test_meters_read_as_they_are_written():
    assert Meter.parse("12/8") == Meter.parse("12-8") == Meter(12, 8)
    assert str(Meter(12, 8)) == "12/8"
    assert Meter(12, 8).bar_quarters == 6


def test_length_follows_tempo_and_meter():
    beat = Beat((), bars=2, tempo_bpm=90, meter=Meter(3, 4))
    assert beat.duration_seconds == pytest.approx(4.0)
    assert beat.at_tempo(180).duration_seconds == pytest.approx(2.0)


def test_a_rack_has_sixteen_lanes_with_names_and_notes_of_their_own():
    assert len(DRUMS) == 16
    for part in ("name", "label", "short", "note"):
        assert len({getattr(drum, part) for drum in DRUMS}) == 16


def test_every_lane_is_written_as_a_note_that_reads_back_as_the_lane():
    for drum in DRUMS:
        assert drum.note in GENERAL_MIDI_PERCUSSION
        assert drum_of_note(drum.note) is drum


def test_every_general_midi_note_has_one_lane():
    claimed = [note for drum in DRUMS for note in drum.general_midi]
    assert len(claimed) == len(set(claimed))
    assert set(GENERAL_MIDI_PERCUSSION) <= set(claimed)


def test_no_extended_note_belongs_to_two_lanes():
    claimed = [note for drum in DRUMS for note in drum.extended]
    assert len(claimed) == len(set(claimed))


def test_export_keeps_a_ride_bell_but_folds_an_extended_note():
    assert general_midi_note(DRUM["ride"], 53) == 53
    assert general_midi_note(DRUM["kick"], 60) == DRUM["kick"].note
    assert general_midi_note(DRUM["closed_hat"], 22) == DRUM["closed_hat"].note
    assert general_midi_note(DRUM["snare"]) == DRUM["snare"].note


def test_unknown_note_is_played_as_percussion_not_dropped():
    assert drum_of_note(5).family == "percussion"
    assert drum_of_note(120, "extended").family == "percussion"


def test_genre_names_survive_spelling():
    assert genre_name("Psychedelic Rock") == "psychedelic-rock"
    assert genre_name("hiphop") == genre_name("Hip-Hop") == genre_name("hip_hop") == "hip-hop"
    for genre in GENRES:
        assert genre_name(genre.label) == genre_name(genre.name) == genre.name
    assert genre_name("") == ""
