"""A bridge: the first bar is A's, the last one B's, and nothing turns back between them."""

import io
import json

import mido
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rendered_tracks import track
from dj_core.cli import main
from dj_core.errors import BeatError
from dj_core.matching.bridging import bridge, bridge_midi, falls_and_rises, save_bridge
from dj_core.music.beat import Meter
from dj_core.music.patterns import load_patterns

BEATS = [beat for beat in load_patterns() if beat.meter == Meter() and len(beat.hits) > 4][:24]


def tempo_of(number):
    return 60 / number


@given(
    st.sampled_from(BEATS), st.sampled_from(BEATS), st.integers(2, 8),
    st.floats(60, 190), st.floats(60, 190),
)  # fmt: skip
def test_the_groove_leaves_a_and_comes_to_b_while_the_tempo_glides(a, b, bars, fast, slow):
    try:
        made = bridge(a.at_tempo(fast), b.at_tempo(slow), bars)
    except BeatError:
        return  # beats too alike for so many steps
    assert falls_and_rises(made)
    assert made.from_a[0] == 0
    assert made.to_b[-1] == 0
    assert abs(made.beat_seconds[0] - tempo_of(fast)) < 0.001
    assert abs(made.beat_seconds[-1] - tempo_of(slow)) < 0.001
    assert len(made.beat_seconds) == 4 * bars


def test_the_midi_file_has_a_tempo_for_every_beat_and_all_strokes():
    made = bridge(BEATS[0].at_tempo(120), BEATS[9].at_tempo(174), 4)
    file = mido.MidiFile(file=io.BytesIO(bridge_midi(made)))
    tempos = [message.tempo for message in file.tracks[0] if message.type == "set_tempo"]
    assert np.allclose(np.array(tempos) / 1e6, made.beat_seconds, atol=1e-6)
    assert file.length == pytest.approx(made.duration_seconds, abs=0.001)
    notes = [m for m in file.tracks[1] if m.type == "note_on" and m.velocity]
    assert len(notes) == len({(hit.onset_quarters, hit.lane) for hit in made.beat.hits})


def test_the_wav_is_as_long_as_its_beats(tmp_path):
    made = bridge(BEATS[0].at_tempo(120), BEATS[9].at_tempo(100), 2)
    _, wav = save_bridge(made, tmp_path / "a_to_b.mid")
    assert abs(soundfile.info(wav).duration - made.duration_seconds) < 1e-4


@pytest.mark.parametrize("bars", [0, 1, 65])
def test_a_length_that_cannot_be_is_refused(bars):
    with pytest.raises(BeatError, match=f"got {bars}"):
        bridge(BEATS[0], BEATS[9], bars)


def test_the_verb_leads_from_one_track_to_another(tmp_path, capsys):
    for name, number in (("one.flac", 0), ("two.flac", 40)):
        made = track("test", number, seconds=12)
        soundfile.write(tmp_path / name, made.samples[: 15 * 44_100], 44_100)
    songs = [str(tmp_path / name) for name in ("one.flac", "two.flac")]
    assert main(["bridge", *songs, "--out", str(tmp_path / "out"), "--bars", "4", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["monotone"]
    assert answer["first_tempo_bpm"] == pytest.approx(track("test", 0).tempo_bpm, abs=0.2)
