"""Listening: known grids are found again, and what has none is not believed."""

import json
from dataclasses import replace

import hostile_audio
import numpy as np
import pytest
from scipy.signal import resample_poly

from benchmarks.odd_sounds import NO_BEAT, drifting, no_beat
from benchmarks.rendered_tracks import DEVELOPMENT_KITS, TEST_KITS, played, track
from dj_core.cli import main
from dj_core.errors import SoundError
from dj_core.listening.listening import LIKELY, listen_to_content, listen_to_samples
from dj_core.shaping.attributes import with_swing
from dj_core.sound.decoding import AudioDecoder


def heard(made):
    return listen_to_samples(resample_poly(made.samples, 1, 2).astype(np.float32), "a.wav")


@pytest.fixture(scope="module")
def house():
    return track("test", 0)


@pytest.fixture(scope="module")
def house_heard(house):
    return heard(house)


def test_development_and_test_tracks_share_no_kit():
    assert not set(DEVELOPMENT_KITS) & set(TEST_KITS)


def test_a_track_is_the_same_every_time(house):
    assert np.array_equal(track("test", 0).samples, house.samples)


def test_tempo_and_bars_of_a_known_track_are_found(house, house_heard):
    assert house_heard.tempo_bpm == pytest.approx(house.tempo_bpm, abs=0.05)
    assert house_heard.confidence_in_words == "sure"
    for line in house.downbeats[1:]:
        assert min(abs(line - at) for at in house_heard.downbeats) < 0.01


@pytest.mark.parametrize("percent", [50, 57, 64])
def test_swing_is_heard_to_a_point_and_a_half(house, percent):
    swung = with_swing(replace(house.beat, bars=8, hits=tuple(first_bars(house.beat, 8))), percent)
    samples = resample_poly(played(swung, "house"), 1, 2).astype(np.float32)
    assert listen_to_samples(samples).swing_percent == pytest.approx(percent, abs=1.5)


def test_a_loop_cut_on_the_one_has_its_first_bar_line_there(house):
    loop = replace(house.beat, bars=4, hits=tuple(first_bars(house.beat, 4)))
    samples = resample_poly(played(loop, "house"), 1, 2).astype(np.float32)
    assert listen_to_samples(samples).downbeats[0] == pytest.approx(0, abs=0.005)


def first_bars(beat, bars):
    return (hit for hit in beat.hits if hit.onset_quarters < 4 * bars)


def test_half_and_double_are_offered(house_heard):
    for factor in (0.5, 2):
        wanted = house_heard.tempo_bpm * factor
        assert any(abs(tempo / wanted - 1) < 0.01 for tempo in house_heard.other_tempos_bpm)


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        *((kind, 3) for kind in NO_BEAT),
        ("sine", 711),
        ("drone", 705),
        ("drone", 707),
        ("drone", 708),
    ],
)
def test_what_has_no_beat_is_not_believed(kind, seed):
    answer = listen_to_samples(no_beat(kind, seed))
    assert answer.confidence < LIKELY
    assert answer.warnings


def test_a_recording_that_drifts_is_followed_and_said_to_drift():
    made = track("test", 0)
    played, before = drifting(resample_poly(made.samples, 1, 2).astype(np.float32), 0.03, 1)
    answer = listen_to_samples(played)
    assert not answer.is_steady
    assert any("drifts" in warning for warning in answer.warnings)
    true = np.interp(made.beats, before, np.arange(len(before)) / 22_050)
    misses = [min(abs(beat - at) for at in answer.beats) for beat in true[4:-4]]
    assert np.mean(np.array(misses) < 0.07) > 0.9


def test_hostile_files_end_in_a_sentence_or_in_no_belief():
    believed, unnamed, read = [], [], 0
    with AudioDecoder() as decoder:
        for name, content in hostile_audio.hostile_files():
            read += 1
            try:
                answer = listen_to_content(content, name, decoder)
            except SoundError as error:
                unnamed += [name] if not str(error).startswith(name) else []
            else:
                believed += [name] if answer.confidence >= LIKELY or not answer.warnings else []
    assert not believed
    assert not unnamed
    assert read >= 60


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.5, 1.9, 2.1])
def test_the_shortest_sounds_are_heard_without_a_word_of_trouble(seconds):
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, round(seconds * 22_050))
    assert listen_to_samples(noise.astype(np.float32)).confidence < LIKELY


def test_the_verb_tells_what_it_heard(house, tmp_path, capsys):
    import soundfile

    path = tmp_path / "song.flac"
    soundfile.write(path, house.samples[: 20 * 44_100], 44_100)
    assert main(["listen", str(path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["tempo_bpm"] == pytest.approx(house.tempo_bpm, abs=0.1)
    assert len(answer["beats"]) > 4 * len(answer["downbeats"]) - 4
    assert 45 < answer["swing_percent"] < 70
    assert main(["listen", str(tmp_path / "none.wav")]) == 1
    assert "cannot be read" in capsys.readouterr().err
