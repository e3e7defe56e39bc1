"""Corrections of a grid by hand, and that they can be taken back."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from benchmarks.odd_sounds import no_beat
from benchmarks.rendered_tracks import track
from dj_core.errors import SoundError
from dj_core.listening.grid_edits import doubled, halved, nudged, one_moved, tapped
from dj_core.listening.listening import listen_to_samples


@pytest.fixture(scope="module")
def made():
    return track("development", 3, seconds=15)


@pytest.fixture(scope="module")
def heard(made):
    return listen_to_samples(resample_poly(made.samples, 1, 2).astype(np.float32), "a.wav")


def test_a_nudge_and_its_opposite_change_nothing(heard):
    back = nudged(nudged(heard, 0.02), -0.02)
    for before, after in ((heard.beats, back.beats), (heard.downbeats, back.downbeats)):
        assert all(min(abs(beat - other) for other in after) < 1e-6 for beat in before)
        assert len(after) - len(before) in (0, 1)  # a beat at the track's end may join


def test_double_and_half_give_the_beats_back(heard):
    twice = doubled(heard)
    assert twice.tempo_bpm == pytest.approx(2 * heard.tempo_bpm)
    assert twice.downbeats[0] == pytest.approx(heard.downbeats[0])
    again = halved(twice)
    assert again.tempo_bpm == pytest.approx(heard.tempo_bpm)
    assert again.downbeats[0] == pytest.approx(heard.downbeats[0])


def test_the_one_moves_by_beats_and_comes_round(heard):
    moved = one_moved(heard, 1)
    assert moved.downbeats[0] == pytest.approx(heard.beats[heard.grid.first_downbeat + 1])
    assert one_moved(moved, 3).downbeats == heard.downbeats
    assert moved.confidence == 1


def test_taps_set_tempo_beat_and_one(made, heard):
    spread = np.random.default_rng(1).normal(0, 0.012, 12)
    taps = made.beats[8:20] + spread
    answer = tapped(heard, taps.tolist())
    assert answer.tempo_bpm == pytest.approx(made.tempo_bpm, rel=0.002)
    assert min(abs(line - made.beats[8]) for line in answer.downbeats) < 0.02


def test_what_has_no_beat_can_be_tapped():
    answer = tapped(listen_to_samples(no_beat("speech", 1), "talk.wav"), [1, 1.5, 2, 2.5, 3])
    assert 117 < answer.tempo_bpm < 123
    assert answer.groove is not None


@pytest.mark.parametrize("taps", [[], [1, 2, 3], [1, 1, 1, 1], [0, 10, 20, 30], [1, 2, 3, np.nan]])
def test_taps_that_are_no_beat_are_refused(heard, taps):
    with pytest.raises(SoundError, match="Tap"):
        tapped(heard, taps)
