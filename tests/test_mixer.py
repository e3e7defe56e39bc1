"""The mixer of files: settings, sums of stems, what a loop and a set have of it, and loudness."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dj_core.errors import SoundError
from dj_core.music.beat import Beat, Hit
from dj_core.music.drums import DRUMS
from dj_core.music.genres import GENRES
from dj_core.sets.mixdown import Mixdown
from dj_core.sets.set_plan import Entry, SetSettings, plan_set
from dj_core.sound.beat_sound import BeatSound, sound_from_json, sound_to_json
from dj_core.sound.loop_files import LOUDNESSES_LUFS, MOST_LIMITING_DB, LoopSettings, loop_sound
from dj_core.sound.loudness import limiting_db, true_peak_dbtp
from dj_core.sound.mixer_table import (
    BUS,
    CHANNELS,
    NEUTRAL,
    PRESETS,
    Mixer,
    preset_of,
    table_payload,
)
from dj_core.sound.mixing import Bands, Console, duck_line, voiced
from dj_core.sound.render import SAMPLE_RATE_HZ, kit_shots, render_mixed, render_stems

BEAT = Beat(
    tuple(Hit.of("kick", quarter, 118) for quarter in range(8))
    + tuple(Hit.of("clap", quarter, 104) for quarter in (1, 3, 5, 7))
    + tuple(Hit.of("closed_hat", eighth / 2, 60 + eighth) for eighth in range(16))
    + (
        Hit.of("open_hat", 3.5, 96),
        Hit.of("open_hat", 7.5, 96),
        Hit.of("conga", 2.75, 80),
        Hit.of("low_tom", 7.25, 100),
    ),
    bars=2,
    tempo_bpm=125.0,
    genre="house",
)
ALL = Mixer.from_json(
    {
        **{
            drum: {"tune": -1.5, "decay": 0.7, "filter": 0.12, "pan": 0.3, "drive": 0.25,
                   "room": 0.2, "plate": 0.2, "delay": 0.3, "level": 1.5}
            for drum in ("kick", "clap", "closed_hat", "open_hat", "conga")
        },
        BUS: {"drive": 0.35, "low": -3, "high": 2, "filter": -0.2, "duck": 0.6},
    }
)  # fmt: skip


@st.composite
def mixers(draw):
    rows = draw(
        st.lists(
            st.sampled_from([(of, name) for of, named in CHANNELS.items() for name in named]),
            max_size=12,
            unique=True,
        )
    )
    controls = [(of, name, CHANNELS[of][name]) for of, name in rows]
    return Mixer(
        tuple(
            (of, name, draw(st.floats(one.low, one.high, allow_nan=False)))
            for of, name, one in controls
        )
    )


def db(part, whole):
    return 10 * math.log10(np.square(part).mean() / np.square(whole).mean() + 1e-30)


# -- settings ------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(mixers())
def test_a_mixer_comes_back_from_json_as_it_was(mixer):
    assert Mixer.from_json(json.loads(json.dumps(mixer.to_json()))) == mixer
    sound = BeatSound("house", mixer)
    assert sound_from_json(json.loads(json.dumps(sound_to_json(sound)))) == sound
    assert Mixer(mixer.changes) == mixer
    assert Mixer.from_text(mixer.to_text()) == mixer
    assert mixer.is_neutral == (mixer.to_json() == {})


@pytest.mark.parametrize(
    "wrong",
    [
        3,
        [],
        {"kick": 1},
        {"kazoo": {"level": 0}},
        {"kick": {"sweetness": 0}},
        {"kick": {"level": 7}},
        {"kick": {"level": "loud"}},
        {"kick": {"level": True}},
        {"kick": {"level": math.nan}},
        {"kick": {"level": math.inf}},
        {"kick": {"level": 10**400}},
        {"bus": {"feedback": 1}},
    ],
)
def test_what_is_no_mixer_is_a_sound_error(wrong):
    with pytest.raises(SoundError):
        Mixer.from_json(wrong)


def test_the_table_can_be_sent_and_every_preset_is_small_and_of_a_style():
    assert json.loads(json.dumps(table_payload()))["drums"] == [drum.name for drum in DRUMS]
    assert {preset_of(genre.name) for genre in GENRES if genre.is_dance} >= set(PRESETS.values())
    for preset in PRESETS.values():
        assert not preset.mixer.is_neutral
        for channel, name, value in preset.mixer.changes:
            control = CHANNELS[channel][name]
            moved = abs(value - control.default) / (control.high - control.low)
            assert moved <= 0.4, f"{preset.name}: {channel} {name} is not subtle"


# -- sound ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", [True, False])
def test_a_neutral_mixer_changes_nothing(loop):
    plain = sum(render_stems(BEAT, "house", loop=loop).values())
    mixed, _ = render_mixed(BEAT, NEUTRAL, "house", loop=loop)
    assert np.abs(mixed - plain).max() < 1e-6  # the order of sums of floats
    as_today = loop_sound(BEAT, LoopSettings("house"))
    assert np.array_equal(loop_sound(BEAT, LoopSettings("house", mixer=NEUTRAL)).mix, as_today.mix)


@pytest.mark.parametrize("target_lufs", LOUDNESSES_LUFS)
@pytest.mark.parametrize("mixer", [NEUTRAL, PRESETS["techno"].mixer, ALL])
def test_stems_of_a_mixed_beat_sum_to_its_mix(mixer, target_lufs):
    asked = LoopSettings("house", mixer=mixer, target_lufs=target_lufs)
    sound = loop_sound(BEAT, asked)
    assert np.array_equal(sum(sound.stems.values()), sound.mix)
    assert np.array_equal(loop_sound(BEAT, asked, stems=False).mix, sound.mix)


def test_a_stem_is_its_drums_alone_where_nothing_is_bent_together():
    mixer = Mixer.from_json({"clap": {"plate": 0.5, "filter": -0.3}, BUS: {"low": -24}})
    _, parts = render_mixed(BEAT, mixer, "house", loop=True, stems=True)
    claps = Beat(tuple(hit for hit in BEAT.hits if hit.drum.name == "clap"), 2, 125.0)
    alone, _ = render_mixed(claps, mixer, "house", loop=True)
    assert db(parts["snare"] - alone, alone) < -100


def test_a_loop_sounds_as_the_second_round_of_two():
    """What rings, echoes and ducks at the end is heard at the start."""
    twice = Beat(
        tuple(Hit(hit.onset_quarters + shift, hit.lane, hit.velocity)
              for shift in range(0, 32, 8) for hit in BEAT.hits),
        bars=8, tempo_bpm=BEAT.tempo_bpm,
    )  # fmt: skip
    loop, _ = render_mixed(BEAT, ALL, "house", loop=True)
    long, _ = render_mixed(twice, ALL, "house", loop=True)
    rounds = np.split(long, 4)
    for one in rounds:
        assert db(one - loop, loop) < -60


@pytest.mark.parametrize("ratio", [-12, -5, -1, 3, 12])
def test_tuning_moves_a_tone_and_leaves_its_level(ratio):
    seconds = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = np.sin(2 * np.pi * 440 * seconds).astype(np.float32)
    heard = voiced(np.stack([tone, tone], axis=1), ratio, 1, SAMPLE_RATE_HZ)[1000:-1000, 0]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 1 << 18))
    peak = np.argmax(spectrum) * SAMPLE_RATE_HZ / (1 << 18)
    assert peak == pytest.approx(440 * 2 ** (ratio / 12), rel=1e-3)
    assert np.abs(heard).max() == pytest.approx(1, abs=0.01)


def test_bands_add_up_flat_and_a_killed_one_is_gone():
    impulse = np.zeros((1 << 15, 2), np.float32)
    impulse[0] = 1
    whole = np.abs(np.fft.rfft(Bands((1, 1, 1), SAMPLE_RATE_HZ)(impulse)[:, 0]))
    assert np.abs(20 * np.log10(whole)).max() < 0.05
    killed = np.abs(np.fft.rfft(Bands((0, 1, 1), SAMPLE_RATE_HZ)(impulse)[:, 0]))
    hertz = np.fft.rfftfreq(1 << 15, 1 / SAMPLE_RATE_HZ)
    assert 20 * np.log10(killed[(hertz > 20) & (hertz < 100)].max()) < -25
    assert abs(20 * np.log10(killed[np.argmin(np.abs(hertz - 1000))])) < 0.5


def test_the_others_duck_and_the_kick_does_not():
    mixer = Mixer.from_json({BUS: {"duck": 1, "duck_time": 0.5}})
    desk = Console(mixer, 120.0, SAMPLE_RATE_HZ)
    ones = np.ones((SAMPLE_RATE_HZ, 2), np.float32)
    desk.take(1, ones)
    line = desk.play(len(ones), [(0, 127), (SAMPLE_RATE_HZ // 2, 64)])[:, 0]
    assert line[round(0.004 * SAMPLE_RATE_HZ)] == pytest.approx(0, abs=0.01)
    assert line[round(0.49 * SAMPLE_RATE_HZ)] == 1
    assert line[round(0.504 * SAMPLE_RATE_HZ)] == pytest.approx(1 - 64 / 127, abs=0.01)
    desk.take(0, ones)
    assert np.array_equal(desk.play(len(ones), [(0, 127)]), ones)


def test_a_dip_that_another_interrupts_goes_on_from_where_it_is():
    points = dict(duck_line([(0.0, 0.2), (0.1, 0.5)], 0.0, 0.2))
    assert points[0.1] == pytest.approx(0.5)
    assert max(points) == pytest.approx(0.3)


def test_pieces_of_a_beat_are_the_whole_of_it():
    """A set is mixed bar by bar."""
    shots = kit_shots("house", None, (110,), (36, 39))
    whole = {lane: np.zeros((4 * 22_050, 2), np.float32) for lane in (0, 3)}
    for lane, shot in zip(whole, shots, strict=True):
        whole[lane][: len(shot.samples)] = shot.samples[: len(whole[lane])]
    once = Console(ALL, 125.0, SAMPLE_RATE_HZ)
    for lane, sound in whole.items():
        once.take(lane, sound)
    at_once = once.play(4 * 22_050, [(0, 110)])
    bit_by_bit = Console(ALL, 125.0, SAMPLE_RATE_HZ)
    pieces = []
    for start in range(0, 4 * 22_050, 22_050):
        for lane, sound in whole.items():
            bit_by_bit.take(lane, sound[start : start + 22_050])
        pieces.append(bit_by_bit.play(22_050, [(0, 110)] if start == 0 else []))
    assert db(np.concatenate(pieces) - at_once, at_once) < -100


def test_a_set_has_each_beat_as_it_is_mixed():
    quiet = Mixer.from_json({BUS: {"filter": -1}, "clap": {"plate": 1, "delay": 1}})
    entries = [Entry(BEAT, sound=BeatSound("house", mixer)) for mixer in (NEUTRAL, quiet, NEUTRAL)]
    planned = plan_set(entries, SetSettings(name="Mixed", phrase_bars=8, keep_order=True))
    mixdown = Mixdown(planned, "house")
    samples = np.frombuffer(b"".join(mixdown.chunks())[44:], "<i2").reshape(-1, 2)
    assert len(samples) == mixdown.frames
    starts = [*mixdown.start_frames, mixdown.frames]
    parts = [samples[start:stop] / 32_767 for start, stop in itertools.pairwise(starts)]
    treble = []
    for part in parts:
        energy = np.abs(np.fft.rfft(part[:, 0])) ** 2
        hertz = np.fft.rfftfreq(len(part), 1 / SAMPLE_RATE_HZ)
        treble.append(10 * np.log10(energy[hertz > 2000].sum() / energy.sum()))
    assert treble[1] < treble[0] - 20
    assert treble[1] < treble[2] - 20
    assert mixdown.peak_dbfs <= -0.99


# -- loudness ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kit", ["house", "standard"])
def test_louder_loops_reach_their_loudness_or_the_most_a_limiter_may_do(kit):
    for target_lufs in LOUDNESSES_LUFS:
        sound = loop_sound(BEAT, LoopSettings(kit, target_lufs=target_lufs), stems=False)
        assert sound.true_peak_dbtp < -1
        assert sound.limited_db < MOST_LIMITING_DB + 0.5
        if target_lufs == LOUDNESSES_LUFS[0]:
            assert sound.limited_db == 0
        elif sound.limited_db < MOST_LIMITING_DB - 0.1:
            assert sound.loudness_lufs == pytest.approx(target_lufs, abs=0.15)
        assert f"{sound.loudness_lufs:.1f} LUFS" in sound.words


@pytest.mark.parametrize("loop", [True, False])
def test_a_limited_sound_stays_below_its_ceiling(loop):
    whole = sum(render_stems(BEAT, "nine", loop=loop).values()) * np.float32(4)
    line = 10 ** (-limiting_db(whole, SAMPLE_RATE_HZ, -1.2, loop=loop) / 20)
    limited = whole * line[:, np.newaxis]
    assert true_peak_dbtp(limited, loop=loop) < -1.1
    quiet = whole * np.float32(0.01)
    assert not limiting_db(quiet, SAMPLE_RATE_HZ, -1.2, loop=loop).any()


def test_the_true_peak_is_that_of_the_whole_sound_oversampled():
    from scipy.signal import resample_poly

    noise = np.random.default_rng(4).normal(0, 0.1, (30_000, 2))
    noise[12_000:12_400] *= 4
    fine = resample_poly(np.concatenate([np.zeros((64, 2)), noise, np.zeros((64, 2))]), 4, 1)
    peak = 20 * math.log10(np.abs(fine).max())
    assert true_peak_dbtp(noise, loop=False) == pytest.approx(peak, abs=1e-6)
