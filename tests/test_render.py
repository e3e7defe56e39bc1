"""Sound: exact to the frame, the same every time, loud enough and never clipped."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixed import mixed

from dj_core.errors import SoundError
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUM, DRUMS, GENERAL_MIDI_PERCUSSION
from dj_core.sound import render as sound
from dj_core.sound.kit_table import KITS, OUR_KITS, Kit

ROOT = Path(__file__).resolve().parent.parent
ONE_BAR_SECONDS = 2.0  # of 4/4 at 120 BPM
BUNDLED = sound._bundled_soundfont()  # the same on every machine, whatever the system offers


def play(*hits, bars=1, tempo_bpm=120.0, **options):
    beat = Beat(hits, bars=bars, tempo_bpm=tempo_bpm)
    return mixed(beat, soundfont=BUNDLED, **options)


def backbeat(bars=1, tempo_bpm=124.0):
    hits = [Hit.of("crash", 0)]
    for quarter in range(4 * bars):
        hits += [Hit.of("kick", quarter), Hit.of("open_hat", quarter + 0.5)]
        hits += [Hit.of("closed_hat", quarter + sixteenth / 4) for sixteenth in (0, 1, 3)]
        hits += [Hit.of("snare", quarter)] if quarter % 2 else []
    return Beat(tuple(hits), bars=bars, tempo_bpm=tempo_bpm)


def again_and_again(beat, times):
    """The beat written out `times` times, one after the other."""
    hits = tuple(
        replace(hit, onset_quarters=hit.onset_quarters + number * beat.length_quarters)
        for number in range(times)
        for hit in beat.hits
    )
    return replace(beat, hits=hits, bars=beat.bars * times)


def energy(samples):
    return float(np.square(samples, dtype=np.float64).sum())


# -- length --------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    tempo_bpm=st.floats(30, 400),
    meter=st.builds(Meter, st.integers(1, 13), st.sampled_from([4, 8, 16])),
    bars=st.integers(1, 2),
    sample_rate=st.sampled_from([8_000, 22_050, 44_100, 48_000]),
    loop=st.booleans(),
    place=st.floats(0, 1, exclude_max=True),
)
def test_audio_is_as_long_as_the_bars_to_the_frame(
    tempo_bpm, meter, bars, sample_rate, loop, place
):
    beat = Beat((), bars=bars, tempo_bpm=tempo_bpm, meter=meter)
    onset = min(place * beat.length_quarters, beat.length_quarters * (1 - 1e-9))
    beat = replace(beat, hits=(Hit.of("crash", onset), Hit.of("kick", 0)))
    audio = mixed(beat, soundfont=BUNDLED, sample_rate=sample_rate, loop=loop)
    assert audio.frames == round(beat.duration_seconds * sample_rate)
    assert audio.sample_rate == sample_rate
    assert audio.samples.shape == (audio.frames, 2)
    assert audio.samples.dtype == np.int16


def test_a_beat_without_a_tempo_plays_at_midis_120():
    audio = play(Hit.of("kick", 0), tempo_bpm=None)
    assert audio.duration_seconds == ONE_BAR_SECONDS


@pytest.mark.parametrize("loop", [False, True])
def test_a_beat_without_hits_is_silence_of_the_right_length(loop):
    audio = play(loop=loop)
    assert audio.duration_seconds == ONE_BAR_SECONDS
    assert not audio.samples.any()
    assert audio.peak_dbfs == sound.SILENCE_DBFS


# -- time ----------------------------------------------------------------------------------------


def onsets_seconds(audio):
    """Where sound begins after silence; for drums that die away between strokes."""
    sounding = np.abs(audio.samples).max(axis=1) > 0.02 * np.abs(audio.samples).max()
    frames = np.flatnonzero(sounding)
    gap = round(0.1 * audio.sample_rate)
    first = np.flatnonzero(np.diff(frames, prepend=-gap - 1) > gap)
    return frames[first] / audio.sample_rate


@pytest.mark.parametrize("sample_rate", [22_050, 44_100, 48_000])
def test_onsets_are_where_they_belong_to_the_frame(sample_rate):
    quarters = [0.0, 0.517, 1.25, 2 + 1 / 3, 3.0001]  # off the grid, triplets, microtiming
    audio = play(*(Hit.of("kick", quarter) for quarter in quarters), sample_rate=sample_rate)
    heard = onsets_seconds(audio)
    attack = heard[0]  # a sampled kick takes a moment to reach the threshold, the same each time
    assert attack < 0.0015
    np.testing.assert_allclose(heard - attack, np.array(quarters) / 2, atol=1 / sample_rate)


def test_every_stroke_of_a_drum_sounds_the_same_whatever_came_before():
    audio = play(
        Hit.of("kick", 0), Hit.of("low_tom", 0.5), Hit.of("tambourine", 1), Hit.of("kick", 3)
    ).samples.astype(int)
    kick = slice(0, 4_000)
    assert np.abs(audio[kick]).max() > 1_000
    np.testing.assert_allclose(audio[66_150:][kick], audio[kick], atol=40)  # the tom still rings


# -- loudness ------------------------------------------------------------------------------------


def test_harder_is_louder():
    peaks = [play(Hit.of("snare", 0, velocity)).peak_dbfs for velocity in (1, 20, 60, 100, 127)]
    assert peaks == sorted(peaks)
    assert peaks[0] < peaks[-1] - 30


@pytest.mark.parametrize("kit", KITS)
def test_a_usual_beat_is_loud_and_does_not_clip(kit):
    assert -3 < mixed(backbeat(), kit=kit, soundfont=BUNDLED).peak_dbfs < -0.99


@pytest.mark.parametrize("loop", [False, True])
def test_every_drum_at_once_as_hard_as_can_be_does_not_clip(loop):
    hits = [Hit(step / 4, lane, 127) for step in range(16) for lane in range(len(DRUMS))]
    audio = play(*hits, loop=loop)
    assert audio.peak_dbfs == pytest.approx(-1, abs=0.01)
    assert np.abs(audio.samples.astype(int)).max() < 32_767


@pytest.mark.parametrize("kit", KITS)
def test_every_lane_of_every_kit_can_be_heard(kit):
    for drum in DRUMS:
        assert play(Hit.of(drum.name, 0), kit=kit).peak_dbfs > -30, drum.name


def test_kits_sound_different():
    beat = backbeat()
    waves = {kit: mixed(beat, kit, BUNDLED).samples.tobytes() for kit in KITS}
    # the bundled SoundFont lists a Jazz kit with the Standard kit's sounds
    assert waves.pop("jazz") == waves["standard"]
    assert len(set(waves.values())) == len(KITS) - 1


# -- the same beat, the same bytes ---------------------------------------------------------------


def test_the_same_beat_gives_the_same_bytes_also_in_eight_threads_at_once():
    def bytes_of(number):
        kit = list(KITS)[number % 4]
        return mixed(backbeat(), kit=kit, soundfont=BUNDLED, loop=number % 8 > 3).samples.tobytes()

    alone = [bytes_of(number) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(bytes_of, list(range(8)) * 4)) == alone * 4


# -- loops ---------------------------------------------------------------------------------------


def test_what_rings_over_the_bar_line_is_heard_at_the_start_of_a_loop():
    crash = Hit.of("crash", 3.5)
    start = slice(0, 22_050)
    assert energy(play(crash).samples[start]) == 0
    wrapped = play(crash, loop=True).samples
    assert energy(wrapped[start]) > 0.05 * energy(wrapped)


@pytest.mark.parametrize("kit", ["standard", "tr-808", "brush"])
@pytest.mark.parametrize("tempo_bpm", [110.25, 126.0])  # a sixteenth is a number of whole frames
def test_a_loop_is_the_beat_as_it_sounds_going_round(kit, tempo_bpm):
    beat = backbeat(tempo_bpm=tempo_bpm)
    loop = mixed(beat, kit, BUNDLED, loop=True).samples.astype(float)
    written_out = mixed(again_and_again(beat, 7), kit, BUNDLED).samples.astype(float)
    start = round(5 * beat.duration_seconds * sound.SAMPLE_RATE_HZ)
    fifth = written_out[start : start + len(loop)]
    factor = (fifth * loop).sum() / energy(loop)  # either may have been turned down as a whole
    assert np.abs(fifth - factor * loop).max() <= 2


def test_a_closed_hat_on_the_one_chokes_an_open_hat_from_the_end_of_the_loop():
    late_open = Hit.of("open_hat", 3.75)
    after_the_one = slice(8_000, 30_000)
    rings = energy(play(late_open, loop=True).samples[after_the_one])
    choked = energy(play(late_open, Hit.of("closed_hat", 0, 1), loop=True).samples[after_the_one])
    assert rings > 0
    assert choked < 0.001 * rings


@pytest.mark.parametrize("choker", ["closed_hat", "pedal_hat"])
def test_a_hi_hat_played_closed_chokes_the_open_one(choker):
    after = slice(30_000, 60_000)
    alone = energy(play(Hit.of("open_hat", 0)).samples[after])
    choked = energy(play(Hit.of("open_hat", 0), Hit.of(choker, 1, 1)).samples[after])
    assert choked < 0.001 * alone


def test_without_loop_the_end_fades_instead_of_clicking():
    ringing = Hit.of("crash", 3.9)
    end = np.abs(play(ringing).samples[-100:].astype(int)).max(axis=1)
    assert np.abs(play(ringing, loop=True).samples[-100:].astype(int)).max() > 500
    assert end[-1] == 0
    assert np.diff(play(ringing).samples[-3:].astype(int), axis=0).max() < 200


def test_a_loop_shorter_than_its_ring_goes_round_more_than_once():
    beat = Beat((Hit.of("ride", 0),), bars=1, tempo_bpm=240.0, meter=Meter(1, 4))
    short = mixed(beat, soundfont=BUNDLED, loop=True)
    assert short.frames == 11_025
    once = mixed(replace(beat, bars=40), soundfont=BUNDLED).samples.astype(float)
    rounds = once[: 11_025 * 40].reshape(40, 11_025, 2).sum(axis=0)
    assert np.abs(rounds - short.samples).max() <= 40


# -- notes ---------------------------------------------------------------------------------------


def test_notes_general_midi_does_not_know_are_folded_to_their_drum():
    plain = play(Hit.of("kick", 0))
    odd = play(replace(Hit.of("kick", 0), source_note=24))
    np.testing.assert_array_equal(odd.samples, plain.samples)


def test_two_strokes_of_one_drum_at_once_are_the_harder_one():
    soft, hard = Hit.of("snare", 1, 40), Hit.of("snare", 1, 120)
    np.testing.assert_array_equal(play(soft, hard).samples, play(hard).samples)


# -- what can be missing or broken ---------------------------------------------------------------


def test_an_unknown_kit_or_rate_is_explained():
    with pytest.raises(SoundError, match=r"'banjo'\. Kits: eight, nine"):
        play(kit="banjo")
    with pytest.raises(SoundError, match="8000 to 96000"):
        play(sample_rate=4)


BROKEN = {
    "empty": b"",
    "text": b"This is not a SoundFont.",
    "wave": b"RIFF\x04\x00\x00\x00WAVE",
    "cut short": BUNDLED.read_bytes()[:100_000],
    "header only": b"RIFF\x04\x00\x00\x00sfbk",
    "no presets": b"RIFF\x10\x00\x00\x00sfbkLIST\x04\x00\x00\x00INFO",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_soundfont_is_named_and_nothing_crashes(tmp_path, content):
    path = tmp_path / "broken.sf2"
    path.write_bytes(content)
    with pytest.raises(SoundError, match=r"broken\.sf2"):
        mixed(backbeat(), soundfont=path)


def test_a_missing_soundfont_is_named(tmp_path):
    with pytest.raises(SoundError, match=r"gone\.sf2 .* No such file"):
        mixed(backbeat(), soundfont=tmp_path / "gone.sf2")


def test_a_soundfont_without_the_kit_says_so(monkeypatch):
    monkeypatch.setitem(KITS, "steel", Kit("steel", "Steel", 99))
    with pytest.raises(SoundError, match="has no Steel kit"):
        play(Hit.of("kick", 0), kit="steel")


def test_soundfonts_are_found_where_they_lie(tmp_path):
    (tmp_path / "Mine.SF2").write_bytes(BUNDLED.read_bytes())
    (tmp_path / "broken.sf2").write_bytes(b"no")
    (tmp_path / "notes.txt").write_text("not a SoundFont")
    found = sound.find_soundfonts(tmp_path, tmp_path / "absent")
    names = [soundfont.name for soundfont in found]
    assert "Mine" in names
    assert "broken" not in names
    assert len(names) == len({name.lower() for name in names})
    assert BUNDLED.stem in names
    assert sound.default_soundfont().path in {soundfont.path for soundfont in found}


WITHOUT_LIBRARY = """
import ctypes.util
ctypes.util.find_library = lambda name: None  # what a machine without the library answers

from dj_core.sound import render
from dj_core.music.beat import Beat, Hit

beat = Beat((Hit.of("kick", 0),), bars=1)
assert render.find_soundfonts()
assert any(stem.any() for stem in render.render_stems(beat).values())
"""


def test_without_fluidsynth_a_beat_sounds_and_nothing_is_said():
    environment = {name: text for name, text in os.environ.items() if name != "HOMEBREW_PREFIX"}
    outcome = subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBRARY],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert outcome.stdout == outcome.stderr == ""


@pytest.mark.parametrize("kit", ["house", "eight", "jungle", "standard", "electronic", "tr-808"])
def test_fluidsynth_and_the_sample_player_agree(kit, monkeypatch):
    """Level within half a decibel a drum, and in our kits no frame between their onsets."""
    with sound.Striker(kit) as synth:
        monkeypatch.setenv(sound.SYNTH_VARIABLE, "samples")
        with sound.Striker(kit) as samples:
            assert (synth._player is None, samples._player is None) == (True, False)
            for drum in DRUMS:
                for velocity in (40, 80, 127):
                    one = synth.strike(drum.note, velocity, 22_050)
                    other = samples.strike(drum.note, velocity, 22_050)
                    levels = [10 * np.log10(np.square(heard).sum()) for heard in (one, other)]
                    assert abs(levels[0] - levels[1]) < 0.5, (drum.name, velocity)
                    if kit not in OUR_KITS:
                        continue  # FluidSynth moves the pitch of toms, which shifts their phase
                    length = min(len(one), len(other), 4_000) - 20
                    alike = [
                        np.vdot(one[10 : length + 10], other[10 + lag : length + 10 + lag])
                        for lag in range(-10, 11)
                    ]
                    assert abs(int(np.argmax(alike)) - 10) <= 1, (drum.name, velocity)


def test_playing_says_nothing_on_the_terminal(tmp_path):
    script = (
        "from pathlib import Path; from dj_core.sound import render\n"
        "from dj_core.music.beat import *\n"
        "render.render_stems(Beat((Hit.of('kick', 0),), bars=1))\n"
        "try: render.render_stems(Beat((), bars=1), soundfont=Path(__import__('sys').argv[1]))\n"
        "except render.SoundError: pass\n"
    )
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(BROKEN["no presets"])
    outcome = subprocess.run(
        [sys.executable, "-c", script, str(broken)],
        cwd=ROOT, env={**os.environ, "CI": "true"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert outcome.stdout + outcome.stderr == ""


def test_importing_does_not_load_the_library():
    script = "import sys, dj_core.sound.render\n"
    script += "print({'fluidsynth', 'pretty_midi'} & {*sys.modules})"
    outcome = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert outcome.stdout == "set()\n"


def test_the_kits_are_general_midis():
    programs = [kit.program for kit in KITS.values() if not kit.file]
    assert sorted(programs) == [0, 8, 16, 24, 25, 32, 40, 48]
    assert DRUM["kick"].note in GENERAL_MIDI_PERCUSSION
