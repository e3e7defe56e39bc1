"""Our own kits: they sound like what they are called, differ, and are the same bytes every time."""

import io
import json
import math
import struct
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mixed import mixed
from sklearn.ensemble import ExtraTreesClassifier

from dj_core.cli import main
from dj_core.errors import SoundError
from dj_core.music.beat import Beat, Hit
from dj_core.music.drums import DRUM, DRUM_CHANNEL, DRUMS, GENERAL_MIDI_PERCUSSION
from dj_core.music.genres import GENRES
from dj_core.sound import render as sound
from dj_core.sound.kit_table import (
    ALTERNATE_KEYS_UP,
    ALTERNATED_NOTES,
    KITS,
    OUR_KITS,
    Kit,
    genres_of,
    keys_of,
    note_of,
)
from dj_core.sound.kits import recipes as recipes_module
from dj_core.sound.kits.building import LAYERS, build
from dj_core.sound.kits.measures import MEASURES, describe, distance
from dj_core.sound.kits.recipes import recipes
from dj_core.sound.kits.signals import noise
from dj_core.sound.kits.soundfont_file import Sample, Zone, soundfont_bytes
from dj_ui.deck.kits import KIT_BYTES, kit_payload, note_payload
from scripts.kit_report import FAMILIES, family_distance, inside, kit_measures

NAMES = [kit.name for kit in OUR_KITS]
ALTERNATED = sorted(ALTERNATED_NOTES)
MOST_BYTES = 12_000_000  # of all kits together
LAYER_VELOCITIES = (30, 64, 95, 120)


@pytest.fixture(scope="module")
def measured():
    return {name: kit_measures(name) for name in NAMES}


def centroid(samples):
    return describe(samples, sound.SAMPLE_RATE_HZ)["cent"]


# -- the table -----------------------------------------------------------------------------------


def test_every_kit_of_ours_has_a_recipe_a_file_and_a_sentence():
    assert set(recipes()) == set(NAMES)
    assert len(NAMES) >= 18
    for kit in OUR_KITS:
        assert recipes()[kit.name].label == kit.label
        assert recipes()[kit.name].about.endswith(".")
        assert set(recipes()[kit.name].parts) == set(DRUM)
        assert kit.file.is_file()
    assert len({recipe.seed for recipe in recipes().values()}) == len(NAMES)


def test_the_kits_of_styles_are_in_the_table():
    assert {genre.kit for genre in GENRES} <= set(KITS)
    for name in ("house", "techno", "trap", "boom-bap", "drum-and-bass"):
        assert name in genres_of(name)


def test_a_recipe_that_will_not_do_is_named(tmp_path, monkeypatch):
    table = json.loads(recipes_module.RECIPES_PATH.read_text("utf-8"))
    for change, words in (
        (lambda drums: drums.pop("snare"), "'house' in kits.json has no snare"),
        (lambda drums: drums["kick"].update(loud=1), "kick of the kit 'house' will not do"),
    ):
        broken = json.loads(json.dumps(table))
        change(broken["house"]["drums"])
        (tmp_path / "kits.json").write_text(json.dumps(broken))
        monkeypatch.setattr(recipes_module, "RECIPES_PATH", tmp_path / "kits.json")
        with pytest.raises(SoundError, match=words):
            recipes.__wrapped__()


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["eight", "house", "lo-fi"])
def test_a_kit_built_anew_is_the_shipped_file_to_the_byte(name):
    assert build(recipes()[name]) == KITS[name].file.read_bytes()


def test_all_kits_together_are_small():
    assert sum(kit.file.stat().st_size for kit in OUR_KITS) <= MOST_BYTES


def test_no_two_kits_share_a_wave():
    waves = {}
    for kit in OUR_KITS:
        for name, frames in samples_of(kit.file.read_bytes()).items():
            wave = frames.tobytes()
            assert wave not in waves, (kit.name, name, waves[wave])
            waves[wave] = kit.name, name


def samples_of(content):
    """A SoundFont's recordings by name, as another program reads them."""
    data = content.index(b"smpl") + 8
    heads = content.index(b"shdr")
    size = struct.unpack_from("<I", content, heads + 4)[0]
    found = {}
    for at in range(heads + 8, heads + 8 + size - 46, 46):
        name, start, end, _, _, rate = struct.unpack_from("<20s5I", content, at)
        assert rate == sound.SAMPLE_RATE_HZ
        found[name.rstrip(b"\0").decode()] = np.frombuffer(
            content[data + 2 * start : data + 2 * end], "<i2"
        )
    return found


def test_noise_is_white_and_the_same_everywhere():
    made = noise(7, 50_000)
    assert made[:3] == pytest.approx(NOISE_BEGINS, abs=0)
    assert abs(made.mean()) < 0.01
    assert made.std() == pytest.approx(1 / math.sqrt(3), rel=0.01)
    assert abs(np.corrcoef(made[1:], made[:-1])[0, 1]) < 0.02
    assert abs(np.corrcoef(made, noise(8, 50_000))[0, 1]) < 0.02


NOISE_BEGINS = [0.662884738834657, 0.47618809248812544, 0.6828540663854967]


def test_a_soundfont_refuses_two_samples_of_one_name():
    one = Sample("a drum whose name is long 1", np.ones(8, np.int16), 44_100)
    two = Sample("a drum whose name is long 2", np.ones(8, np.int16), 44_100)
    with pytest.raises(SoundError, match="share their first 20 letters"):
        soundfont_bytes("Toy", "A toy.", [one, two], [])


def test_a_soundfont_plays_its_sample_to_the_frame(tmp_path, monkeypatch):
    frames = np.rint(8_000 * np.sin(np.arange(4_000) / 9)).astype(np.int16)
    zone = Zone(key=36, softest=1, hardest=127, sample=0)
    path = tmp_path / "toy.sf2"
    path.write_bytes(soundfont_bytes("Toy", "A toy.", [Sample("toy", frames, 44_100)], [zone]))
    monkeypatch.setitem(KITS, "toy", Kit("toy", "Toy", 0))
    (shot,) = sound.kit_shots("toy", path, (127,), (36,))
    after = slice(64, 3_900)  # FluidSynth fades its first 64 frames in
    heard = shot.samples[after, 0] / np.abs(shot.samples[after, 0]).max()
    np.testing.assert_allclose(heard, frames[after] / np.abs(frames[after]).max(), atol=0.02)


# -- sound ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_note_of_general_midi_sounds_and_none_is_late(name):
    shots = sound.kit_shots(name, notes=GENERAL_MIDI_PERCUSSION)
    assert [shot.note for shot in shots] == list(GENERAL_MIDI_PERCUSSION)
    for shot in shots:
        loud = np.abs(shot.samples).max(axis=1)
        if shot.note not in (54, 58, 69, 70, 73, 74):  # shaken, they swell
            assert np.flatnonzero(loud > 0.05 * loud.max())[0] < 0.002 * shot.sample_rate, shot.note


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("drum", ["kick", "snare", "closed_hat", "pedal_hat", "open_hat"])
def test_harder_is_brighter_and_louder(name, drum):
    shots = sound.kit_shots(name, None, LAYER_VELOCITIES, [DRUM[drum].note])
    peaks = [np.abs(shot.samples).max() for shot in shots]
    assert peaks == sorted(peaks)
    bright = [centroid(shot.samples) for shot in shots]
    assert bright == sorted(bright)
    assert bright[-1] > 1.05 * bright[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_stroke_differs_from_the_one_before_where_there_are_alternates(name):
    for note in ALTERNATED:
        one, other = sound.kit_shots(name, None, (100,), [note, note + ALTERNATE_KEYS_UP])
        frames = max(len(one.samples), len(other.samples))
        first, second = (
            np.pad(shot.samples, ((0, frames - len(shot.samples)), (0, 0))) for shot in (one, other)
        )
        left = np.square(first - second).sum() / np.square(first).sum()
        assert 10 * math.log10(left) > -30, note
        assert abs(10 * math.log10(np.square(second).sum() / np.square(first).sum())) < 2.5, note


def test_strokes_take_turns_in_a_beat_and_the_same_way_each_time():
    assert list(keys_of([42, 36, 42, 36, 42], {42})) == [42, 36, 94, 36, 42]
    assert [note_of(key) for key in (36, 81, 94)] == [36, 81, 42]
    hits = tuple(Hit.of("closed_hat", quarter, 100) for quarter in range(4))
    beat = Beat(hits, bars=1, tempo_bpm=120.0)
    heard = mixed(beat, "house").samples.reshape(4, -1, 2)
    np.testing.assert_array_equal(heard[0], heard[2])
    np.testing.assert_array_equal(heard[1][:-300], heard[3][:-300])  # the last fades out
    assert np.abs(heard[0].astype(int) - heard[1]).max() > 1_000
    general_midi = mixed(beat, "standard").samples.reshape(4, -1, 2)
    np.testing.assert_array_equal(general_midi[0], general_midi[1])


def test_stems_of_our_kits_sum_to_the_mix():
    hits = [Hit.of(drum, step / 4, 90) for step in range(16) for drum in ("closed_hat", "snare")]
    hits += [Hit.of("kick", quarter, 110) for quarter in range(4)]
    beat = Beat(tuple(hits), bars=1, tempo_bpm=130.0)
    stems = sound.render_stems(beat, "nine", loop=True)
    assert set(stems) == {"kick", "snare", "hat"}
    mix = mixed(beat, "nine", loop=True).samples / sound.FULL_SCALE
    whole = sum(stems.values())
    gain = (mix * whole).sum() / np.square(whole).sum()
    assert np.abs(mix - gain * whole).max() < 2 / sound.FULL_SCALE


@pytest.mark.parametrize("name", ["eight", "trap"])
def test_hats_choke_each_other_in_any_player(name):
    """By the file's own exclusive class, as a sequencer would play it."""
    with sound.Striker(name) as striker:

        def rings(*then):
            striker._synth.noteon(DRUM_CHANNEL, DRUM["open_hat"].note, 110)
            striker._read(3_200)
            for note in then:
                striker._synth.noteon(DRUM_CHANNEL, note, 1)
            striker._read(16_000)
            left = np.square(striker._read(3_200)).sum()
            striker._synth.all_sounds_off(DRUM_CHANNEL)
            striker._read(6_400)
            return left

        alone = rings()
        assert alone > 0
        for hat in ("closed_hat", "pedal_hat"):
            assert rings(DRUM[hat].note) < 0.003 * alone
            assert rings(DRUM[hat].note + ALTERNATE_KEYS_UP) < 0.003 * alone


@pytest.mark.parametrize("name", NAMES)
def test_a_choked_hat_ends_without_a_click(name):
    (hat,) = sound.kit_shots(name, None, (110,), [DRUM["open_hat"].note])
    damped = sound.choked(hat.samples, 1_500, hat.sample_rate)
    np.testing.assert_array_equal(damped[:1_500], hat.samples[:1_500])
    # nothing but an even fade, whose end is below -60 dB
    assert np.abs(damped[-1]).max() < 1e-3 * np.abs(hat.samples).max()
    kept = np.linspace(1, 0, len(damped) - 1_500)
    np.testing.assert_allclose(
        damped[1_500:], hat.samples[1_500 : len(damped)] * kept[:, np.newaxis], atol=1e-6
    )


@pytest.mark.parametrize("name", NAMES)
def test_kick_and_snare_leave_room(name):
    hits = [Hit.of("kick", 0), Hit.of("snare", 1), Hit.of("kick", 2), Hit.of("snare", 3)]
    hits += [Hit.of("closed_hat", step / 4) for step in range(16)]
    audio = mixed(Beat(tuple(hits), bars=1, tempo_bpm=125.0), name)
    assert -8 < audio.peak_dbfs < -0.99
    kick, snare = (kit_measure_peak(name, drum) for drum in ("kick", "snare"))
    assert abs(20 * math.log10(kick / snare)) < 6


def kit_measure_peak(name, drum):
    return np.abs(sound.kit_shots(name, None, (110,), [DRUM[drum].note])[0].samples).max()


@pytest.mark.parametrize("name", FAMILIES)
def test_five_kits_measure_as_producers_one_shots_do(name, measured):
    assert inside(measured[name], FAMILIES[name]) >= 0.85 * 5 * len(MEASURES)


def test_kits_differ_as_much_as_producers_families(measured):
    apart = [distance(measured[one], measured[other]) for one, other in combinations(NAMES, 2)]
    assert sum(apart) / len(apart) >= family_distance()
    assert min(apart) > 0.5


def test_a_drum_of_a_kit_never_heard_is_recognised():
    """Trained on all kits but one: the drums sound like what they are called."""
    heard = {name: sound.kit_shots(name, None, (90, 120)) for name in NAMES}
    features = {name: [features_of(shot.samples) for shot in heard[name]] for name in NAMES}
    right = total = 0
    for left_out in NAMES:
        others = [name for name in NAMES if name != left_out]
        forest = ExtraTreesClassifier(150, random_state=1)
        forest.fit(
            np.concatenate([features[name] for name in others]),
            [shot.note for name in others for shot in heard[name]],
        )
        told = forest.predict(features[left_out])
        right += sum(told == [shot.note for shot in heard[left_out]])
        total += len(told)
    assert right / total >= 0.9


def features_of(samples):
    """A drum in numbers that a classifier can use; no level, for that is the kit's."""
    measures = describe(samples, sound.SAMPLE_RATE_HZ)
    mono = samples.mean(axis=1)
    envelope = [np.abs(part).mean() for part in np.array_split(mono[:13_230], 30)]
    loud = np.array(envelope) / max(envelope)
    power = np.square(np.abs(np.fft.rfft(mono, 65_536)))
    edges = np.geomspace(40, 20_000, 28) / sound.SAMPLE_RATE_HZ * 65_536
    bands = [power[int(low) : int(high) + 1].sum() for low, high in pairwise(edges)]
    flat = np.exp(np.log(power[100:] + 1e-12).mean()) / power[100:].mean()
    return [
        *(math.log(max(measures[name], 1)) for name in ("fund", "t20", "cent", "bw")),
        *(10 * np.log10(np.array(bands) / power.sum() + 1e-7)),
        *loud,
        float(np.argmax(np.abs(mono))) / sound.SAMPLE_RATE_HZ,
        len(mono) / sound.SAMPLE_RATE_HZ,
        math.log(flat + 1e-12),
    ]


# -- on their way ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_kit_reaches_the_browser_in_its_weight(name):
    payload = kit_payload(name)
    assert len(json.dumps(payload)) < KIT_BYTES
    notes = {shot["note"] for shot in payload["shots"]}
    assert {drum.note for drum in DRUMS} <= notes
    assert {note + payload["alternate_keys_up"] for note in ALTERNATED} <= notes
    assert set(payload["more"]) == set(GENERAL_MIDI_PERCUSSION) - notes


def test_a_rare_drum_of_ours_comes_when_it_is_needed():
    rare = kit_payload("eight")["more"][0]
    assert {shot["note"] for shot in note_payload(rare, "eight")["shots"]} == {rare}


def test_our_files_are_no_soundfonts_to_choose_from():
    offered = {font.path for font in sound.find_soundfonts()}
    assert not offered & {kit.file for kit in OUR_KITS}


def test_a_soundfont_of_ones_own_leaves_our_kits_alone(tmp_path):
    beat = Beat((Hit.of("kick", 0),), bars=1, tempo_bpm=120.0)
    ours = mixed(beat, "house").samples.tobytes()
    bundled = sound._bundled_soundfont()
    assert mixed(beat, "house", bundled).samples.tobytes() == ours
    assert sound.soundfont_of("standard", bundled) == bundled


# -- on the command line --------------------------------------------------------------------------


def answer(capsys, *arguments):
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_kits_lists_name_label_source_and_genres(capsys, home):
    listed = {kit["name"]: kit for kit in answer(capsys, "kits")["kits"]}
    assert set(listed) == set(KITS)
    sources = [kit["source"] for kit in listed.values()]
    assert sources == sorted(sources)  # ours first
    assert listed["house"]["label"] == "House"
    assert listed["house"]["source"] == "Digital DJ"
    assert "house" in listed["house"]["genres"]
    assert listed["jazz"] == {
        "name": "jazz", "label": "Jazz", "source": "SoundFont", "genres": ["jazz"],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["house", "standard"])
def test_kit_writes_a_wav_a_drum(capsys, tmp_path, name):
    files = answer(capsys, "kit", name, "--out", tmp_path)["files"]
    assert files == [str(tmp_path / f"{drum.name}.wav") for drum in DRUMS]
    peaks = {}
    for path in files:
        samples, rate = soundfile.read(io.BytesIO(Path(path).read_bytes()))
        assert (rate, samples.shape[1]) == (sound.SAMPLE_RATE_HZ, 2)
        assert not samples[-1].any()
        peaks[path] = np.abs(samples).max()
    assert max(peaks.values()) == pytest.approx(sound.CEILING, abs=1e-3)


def test_a_kit_that_is_not_there_is_said(capsys, tmp_path):
    assert main(["kit", "banjo", "--out", str(tmp_path)]) == 1
    assert "No drum kit is called 'banjo'" in capsys.readouterr().err


def test_layers_cover_every_velocity_once():
    assert [velocity for low, high in LAYERS for velocity in range(low, high + 1)] == list(
        range(1, 128)
    )
