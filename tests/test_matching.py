"""Drums for a track: they have its swing and accents, its length, and leave room where asked."""

import json

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from benchmarks.rendered_tracks import track
from dj_core.cli import main
from dj_core.errors import GenerationError
from dj_core.files.midi import read_beat
from dj_core.library.library import Library
from dj_core.listening.listening import listen_to_samples
from dj_core.matching.accents import BAND_OF_LANE, accents_of, correlation, likeness
from dj_core.matching.takes_for_track import nearest_genre, takes_for, whole_track
from dj_core.models.families import load_model
from dj_core.music.genres import GENRE
from dj_core.shaping.attributes import attributes


@pytest.fixture(scope="module")
def model():
    return load_model(Library.open().model(None).folder)


@pytest.fixture(scope="module")
def made():
    return track("test", 3)


@pytest.fixture(scope="module")
def heard(made):
    return listen_to_samples(resample_poly(made.samples, 1, 2).astype(np.float32), "my song.wav")


@pytest.fixture(scope="module")
def takes(heard, model):
    return takes_for(heard, model, count=4)


def test_takes_have_the_tracks_tempo_and_swing(takes, heard, made):
    assert len({take.beat.hits for take in takes}) == 4
    for take in takes:
        assert take.beat.tempo_bpm == heard.tempo_bpm
        assert abs(attributes(take.beat).swing - heard.swing_percent) < 3


def test_takes_have_the_tracks_accents_more_than_takes_without_it(takes, heard, made, model):
    own = np.mean([correlation(accents_of(take.beat), accents_of(made.beat)) for take in takes])
    deaf = takes_for(listen_to_samples(played_plain(), "b.wav"), model, count=4)
    others = [correlation(accents_of(take.beat), accents_of(made.beat)) for take in deaf]
    assert own > np.mean(others)
    assert [take.likeness.total for take in takes] == sorted(
        (take.likeness.total for take in takes), reverse=True
    )


def played_plain():
    """A track of another style."""
    return resample_poly(track("test", 40).samples, 1, 2).astype(np.float32)


def test_the_same_seed_gives_the_same_takes(takes, heard, model):
    again = takes_for(heard, model, count=4)
    assert [take.beat for take in again] == [take.beat for take in takes]


def test_takes_around_a_track_are_silent_where_it_plays(heard, model):
    for take in takes_for(heard, model, count=2, around=True):
        mine = accents_of(take.beat)
        assert not mine[heard.groove.level > 0.45].any()
        assert take.beat.hits


def test_the_nearest_style_plays_at_the_tracks_tempo(heard):
    low, high = GENRE[nearest_genre(heard)].tempo_range_bpm
    assert low * 0.9 < heard.tempo_bpm < high * 1.1


def test_a_track_is_like_itself(made, heard):
    assert likeness(made.beat, heard.groove).accents > 0.4
    assert {BAND_OF_LANE[lane] for lane in made.beat.lanes} <= {0, 1, 2}


def test_the_whole_track_ends_with_the_track(takes, heard):
    whole = whole_track(heard, takes[0].beat)
    assert whole.bars == len(heard.downbeats) - 1
    assert heard.downbeats[0] + whole.duration_seconds <= heard.duration_seconds + 0.5
    kicks = [hit.onset_quarters for hit in whole.hits if hit.drum.name == "kick"]
    assert kicks


def test_silence_is_not_matched(model):
    silent = listen_to_samples(np.zeros(22_050 * 4, np.float32), "nothing.wav")
    with pytest.raises(GenerationError, match=r"No beat was found in nothing\.wav"):
        takes_for(silent, model)


def test_the_verb_writes_loops_and_the_whole_track(made, tmp_path, capsys):
    song = tmp_path / "my song.wav"
    soundfile.write(song, made.samples[: 22 * 44_100], 44_100)
    out = tmp_path / "out"
    arguments = ["match", str(song), "--out", str(out), "--genre", "house", "--count", "1"]
    assert main([*arguments, "--bars", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["genre"] == "house"
    assert len(answer["likeness"]) == 1
    whole = next(name for name in answer["files"] if name.endswith("_whole.wav"))
    assert soundfile.info(whole).frames == 22 * 44_100
    stems = [name for name in answer["files"] if "_whole_" in name]
    mix = soundfile.read(whole)[0]
    assert np.abs(mix - sum(soundfile.read(name)[0] for name in stems)).max() < 0.001
    loop = next(name for name in answer["files"] if name.endswith("_take1.mid"))
    assert read_beat(out / loop.split("/")[-1]).bars == 2
