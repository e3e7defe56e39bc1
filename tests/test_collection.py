"""A DJ's collection: what rekordbox writes is read, and what we write reads back."""

import time
import zipfile
from pathlib import Path

import pytest
from pyrekordbox.rbxml import RekordboxXml
from streamlit.testing.v1 import AppTest

from dj_core.errors import SetError
from dj_core.library.library import Library
from dj_core.matching.collection import PARTS, read_collection, save_parts
from dj_core.models.families import load_model
from dj_ui.own_tracks import COLLECTION, PARTS_MADE


@pytest.fixture
def written(tmp_path):
    """A collection of a thousand tracks, as pyrekordbox writes them."""
    xml = RekordboxXml(name="rekordbox", version="6.8.5", company="AlphaTheta")
    folder = xml.add_playlist_folder("Nights")
    playlist = folder.add_playlist("Friday & <late>")
    for number in range(1, 1001):
        tempo = 90 + number / 10
        track = xml.add_track(
            f"/Music/My tracks/{number} ü.mp3", TrackID=number, Name=f"Song {number}",
            Artist="Somebody", Genre="House" if number % 2 else "", AverageBpm=f"{tempo:.2f}",
        )  # fmt: skip
        track.add_tempo(0.1, tempo, "4/4", 1)
        track.add_tempo(60.0, tempo + 1, "4/4", 3)
        track.add_mark("Drop", "cue", 32.5, None, 0)
        track.add_mark("Loop", "loop", 64.0, 72.0, 1)
        if number % 100 == 0:
            playlist.add_track(number)
    path = tmp_path / "collection.xml"
    path.write_text(xml.tostring(), "utf-8")
    return path


def test_a_thousand_tracks_are_read_with_grids_cues_and_playlists(written):
    started = time.process_time()
    collection = read_collection(written)
    seconds = time.process_time() - started
    assert seconds < 1
    assert len(collection.tracks) == 1000
    song = collection.tracks["10"]
    assert (song.name, song.artist, song.tempo_bpm) == ("Song 10", "Somebody", 91.0)
    assert song.file.name == "10 ü.mp3"
    assert [(point.seconds, point.tempo_bpm, point.beat) for point in song.grid] == [
        (0.1, 91.0, 1), (60.0, 92.0, 3),
    ]  # fmt: skip
    assert [(cue.name, cue.seconds, cue.end_seconds, cue.pad) for cue in song.cues] == [
        ("Drop", 32.5, None, 0), ("Loop", 64.0, 72.0, 1),
    ]  # fmt: skip
    (keys,) = [keys for name, keys in collection.playlists.items() if "Friday & <late>" in name]
    assert keys == tuple(str(number) for number in range(100, 1001, 100))


def test_parts_for_a_track_read_back_with_grid_and_loops(written, tmp_path):
    model = load_model(Library.open().model(None).folder)
    collection = read_collection(written)
    out = tmp_path / "out"
    save_parts(collection, ("301", "400"), model, out)
    back = read_collection(out / "rekordbox.xml")
    assert len(back.tracks) == 2 * len(PARTS)
    for track in back.tracks.values():
        assert Path(track.file).is_file()
        (point,) = track.grid
        assert point.seconds == 0
        assert point.tempo_bpm in (120.1, 130.0)
        loops = [cue for cue in track.cues if cue.end_seconds is not None]
        assert {cue.pad for cue in loops} == {0, -1}
        assert all(abs(cue.end_seconds - 32 * 60 / point.tempo_bpm) < 0.001 for cue in loops)
    assert [len(keys) for keys in back.playlists.values()] == [6]


def test_the_page_makes_drums_for_chosen_tracks(written, tmp_path):
    page = AppTest.from_string(
        "from dj_ui.own_tracks import show_collection\nshow_collection()", default_timeout=120
    )
    page.session_state[COLLECTION] = read_collection(written)
    page.run().multiselect[0].select("365").run()
    assert page.multiselect[0].options[0] == "Song 1 · Somebody · 90.10"
    page.button(key="collection_make").click().run()
    assert not page.exception
    folder, count = page.session_state[PARTS_MADE]
    with zipfile.ZipFile(next(folder.path.iterdir())) as pack:
        pack.extractall(tmp_path)
    back = read_collection(tmp_path / "drums_for_my_tracks" / "rekordbox.xml")
    assert [track.tempo_bpm for track in back.tracks.values()] == [126.5] * count * len(PARTS)
    assert all(track.grid and track.cues for track in back.tracks.values())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no complete XML"),
        (b"<DJ_PLAYLISTS", "no complete XML"),
        (b"<html></html>", "no rekordbox collection"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><DJ_PLAYLISTS/>', "entities"),
        ('<?xml version="1.0" encoding="utf-16"?><DJ_PLAYLISTS/>'.encode("utf-16"), "UTF-8"),
    ],
)
def test_what_is_no_collection_is_refused(tmp_path, content, words):
    path = tmp_path / "odd.xml"
    path.write_bytes(content)
    with pytest.raises(SetError, match=words):
        read_collection(path)


def test_odd_numbers_in_a_collection_are_left_out(tmp_path):
    path = tmp_path / "odd.xml"
    path.write_text(
        '<DJ_PLAYLISTS><COLLECTION><TRACK TrackID="1" Name="a" AverageBpm="nan">'
        '<TEMPO Inizio="x" Bpm="120"/><TEMPO Inizio="1" Bpm="inf"/>'
        '<POSITION_MARK Start="-1e99"/></TRACK></COLLECTION></DJ_PLAYLISTS>'
    )
    (track,) = read_collection(path).tracks.values()
    assert (track.tempo_bpm, track.grid, track.cues) == (None, (), ())
