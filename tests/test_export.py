"""Loops a deck locks to: their length, their seam, their level, and what other readers say."""

import itertools
import json
import math
import os
import shutil
import struct
import subprocess
import wave
from dataclasses import replace
from io import BytesIO

import mutagen
import numpy as np
import pytest
import soundfile
from mixed import mixed

from dj_core.cli import main
from dj_core.errors import SoundError
from dj_core.files.midi import save_midi
from dj_core.music.beat import Beat, Hit, Meter, Provenance
from dj_core.music.drums import DRUMS
from dj_core.music.patterns import load_patterns
from dj_core.sound.loop_check import check_loop
from dj_core.sound.loop_files import (
    CEILING_DBTP,
    TARGET_LUFS,
    LoopSettings,
    loop_files,
    loop_sound,
    one_shot_files,
    save_loop,
)
from dj_core.sound.loudness import loudness_lufs, true_peak_dbtp
from dj_core.sound.render import render_stems

PASSES = 100
PLAIN = LoopSettings(normalise="none")
MADE = Provenance("groove", "groove", "ab" * 32, "starter", 7, {"meter": "4/4", "bars": 2})


def beat_of(tempo_bpm, bars, meter, **changes):
    """A beat with a stroke on every beat, open hats that ring over the seam, and a late ghost."""
    quarters = bars * meter.bar_quarters
    unit = 4 / meter.denominator
    hits = [Hit.of("kick", n * unit) for n in range(0, round(quarters / unit), 3)]
    hits += [Hit.of("snare", n * unit, 90) for n in range(1, round(quarters / unit), 3)]
    hits += [Hit.of("open_hat", quarters - unit / 2), Hit.of("snare", quarters - 0.13, 30)]
    return replace(Beat(tuple(hits), bars, tempo_bpm, meter, "house"), **changes)


PATTERNS = load_patterns()
BEAT = beat_of(124.0, 2, Meter(), title="Röller", provenance=MADE)

# 24 combinations: six tempos, some of no whole number of frames, times four shapes
TEMPOS = (93.7, 100.0, 120.0, 140.4, 174.0, 201.3)
SHAPES = ((1, Meter()), (2, Meter(3, 4)), (1, Meter(12, 8)), (1, Meter(7, 8)))
COMBINATIONS = [(t, bars, meter) for t, (bars, meter) in itertools.product(TEMPOS, SHAPES)]


@pytest.mark.parametrize(("tempo_bpm", "bars", "meter"), COMBINATIONS)
def test_a_loop_played_100_times_is_one_long_beat(tempo_bpm, bars, meter):
    """No gap, no drift over a frame a pass, no click, against one render of all the passes."""
    rate = 44_100
    beat = beat_of(tempo_bpm, bars, meter)
    sound = loop_sound(beat, PLAIN, stems=False)
    exact = bars * meter.bar_quarters * 60 / tempo_bpm * rate
    assert sound.frames == round(exact)
    assert abs(PASSES * sound.frames - PASSES * exact) <= PASSES  # over all passes
    loop = sound.mix / np.abs(sound.mix).max()

    long = long_render(beat).astype(np.float64)
    assert abs(PASSES * sound.frames - len(long)) <= PASSES
    for number in (20, 50, PASSES - 2):  # by then everything that rings does so in both
        start = round(number * exact)
        assert abs(start - number * sound.frames) <= number
        one = long[start - 4 : start + sound.frames + 4]
        # two beats of different length have their own levels
        one *= np.sqrt(np.square(loop[:, 0]).sum() / np.square(one[4:-4]).sum())
        assert_alike(loop[:, 0], one, beat, rate)
    assert_seamless(loop)


def long_render(beat):
    """All passes as one beat, left channel."""
    hits = tuple(
        replace(hit, onset_quarters=hit.onset_quarters + number * beat.length_quarters)
        for number in range(PASSES)
        for hit in beat.hits
    )
    return mixed(replace(beat, hits=hits, bars=beat.bars * PASSES)).samples[:, 0]


def assert_alike(loop, one, beat, rate):
    """Every stroke of a pass sounds where it sounds in the long beat, give or take a frame."""
    for onset in sorted({hit.onset_quarters for hit in beat.hits}):
        at = round(onset * 60 / beat.tempo_bpm * rate) % len(loop)
        window = np.arange(at, at + 400) % len(loop)
        heard = loop[window]
        if at + 410 > len(loop):
            continue  # it reaches into the next pass, which begins within a frame of this one's end
        best = min(
            np.abs(heard - one[at + 4 + shift : at + 404 + shift]).max() for shift in (-1, 0, 1)
        )
        # strokes that ring on from a frame earlier or later differ a little; a gap would be a lot
        assert best < 0.05 * np.abs(loop).max()


def assert_seamless(loop):
    """The seam is no louder than the rest: neither as a jump nor as a corner of the wave."""
    for order in (1, 2):
        round_and_round = np.diff(np.concatenate([loop, loop]), order, axis=0)
        seam = round_and_round[len(loop) - order : len(loop)]
        inside = round_and_round[: len(loop) - order]
        assert np.abs(seam).max() <= np.abs(inside).max()


def test_where_a_loop_is_of_whole_frames_its_passes_are_the_long_beat_itself():
    tempo_bpm = 150.0
    beat = beat_of(tempo_bpm, 1, Meter())
    sound = loop_sound(beat, replace(PLAIN, bits=24))
    loop = sound.mix / (2**23 - 1) / 10 ** (sound.gain_db / 20)
    hits = [
        replace(hit, onset_quarters=hit.onset_quarters + 4 * number)
        for number in range(12)
        for hit in beat.hits
    ]
    long = sum(render_stems(Beat(tuple(hits), 12, tempo_bpm)).values())
    tiled = np.tile(loop, (12, 1))
    ringing = 8 * len(loop)
    assert np.abs(tiled[ringing : 11 * len(loop)] - long[ringing : 11 * len(loop)]).max() < 1e-5


# -- stems -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "normalise"), [(16, "loudness"), (24, "peak"), (16, "none")])
def test_stems_sum_to_the_mix(bits, normalise):
    for beat in (BEAT, Beat((), 1)):
        sound = loop_sound(beat, LoopSettings(bits=bits, normalise=normalise, kit="tr-808"))
        total = sum(sound.stems.values(), np.zeros_like(sound.mix))
        assert np.array_equal(total, sound.mix)  # asked for: within -90 dB
        assert list(sound.stems) == list(dict.fromkeys(DRUMS[n].family for n in beat.lanes))


def test_stem_files_sum_to_the_mix_file():
    files = dict(loop_files(BEAT, LoopSettings(bits=24), stems=True, stem_name="x"))
    assert list(files) == ["x.wav", "x_kick.wav", "x_snare.wav", "x_hat.wav"]
    mix, *stems = (soundfile.read(BytesIO(file), dtype="int32")[0] for file in files.values())
    assert np.array_equal(sum(stems), mix)


def test_a_mix_is_the_same_with_and_without_stems():
    for settings in (LoopSettings(), LoopSettings(bits=24, kit="tr-808")):
        (alone,) = loop_files(BEAT, settings)
        assert next(loop_files(BEAT, settings, stems=True)) == alone


def test_a_stem_is_within_a_step_of_what_its_drums_play():
    sound = loop_sound(BEAT, LoopSettings(bits=16))
    scale = 10 ** (sound.gain_db / 20) * (2**15 - 1)
    for family, stem in render_stems(BEAT, loop=True).items():
        assert np.abs(stem * scale - sound.stems[family]).max() < 1.01
        assert not sound.stems[family][~stem.any(axis=1)].any()


# -- level -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kit", ["standard", "tr-808"])
def test_loudness_is_the_target_or_as_near_as_the_peak_allows(kit):
    for beat in PATTERNS[::70]:
        check = check_loop(next(loop_files(beat, LoopSettings(kit=kit)))[1])
        assert check.true_peak_dbtp < CEILING_DBTP
        if check.loudness_lufs < TARGET_LUFS - 0.1:
            assert check.true_peak_dbtp > CEILING_DBTP - 0.5
        else:
            assert check.loudness_lufs == pytest.approx(TARGET_LUFS, abs=0.1)


def test_peak_goes_to_the_ceiling_and_none_leaves_the_kit_as_it_is():
    peak = check_loop(next(loop_files(BEAT, LoopSettings(normalise="peak")))[1])
    assert CEILING_DBTP - 0.5 < peak.true_peak_dbtp < CEILING_DBTP
    assert loop_sound(beat_of(120.0, 1, Meter()), PLAIN).gain_db <= 0
    quiet = Beat((Hit.of("kick", 0.0, 20),), 1, 120.0)
    assert loop_sound(quiet, PLAIN).gain_db == 0


def test_silence_is_silent():
    _, content = next(loop_files(Beat((), 1, 120.0)))
    assert not soundfile.read(BytesIO(content))[0].any()
    assert check_loop(content).exact


def test_loudness_of_a_known_tone_is_what_the_standard_says():
    """BS.1770: 997 Hz at 0 dBFS in one channel is -3.01 LUFS."""
    time = np.arange(48_000 * 5) / 48_000
    tone = np.stack([np.sin(2 * np.pi * 997 * time), np.zeros_like(time)], axis=1)
    assert loudness_lufs(tone, 48_000) == pytest.approx(-3.01, abs=0.05)


def test_a_peak_between_samples_is_found():
    """A quarter of the rate, sampled 45 degrees off: samples at -3 dB, the wave at 0."""
    wave_ = np.sin(2 * np.pi * np.arange(4_000) / 4 + np.pi / 4)[:, np.newaxis].repeat(2, axis=1)
    assert 20 * math.log10(np.abs(wave_).max()) == pytest.approx(-3.01, abs=0.01)
    assert true_peak_dbtp(wave_) == pytest.approx(0.0, abs=0.1)


# -- what others read ------------------------------------------------------------------------------

FORMATS = [
    LoopSettings(container=container, sample_rate=rate, bits=bits)
    for container in ("wav", "aiff", "flac")
    for rate in (44_100, 48_000)
    for bits in (16, 24)
]
ODD = beat_of(93.7, 2, Meter(12, 8), title="Röller", provenance=MADE)


@pytest.mark.parametrize(
    "settings", FORMATS, ids=lambda s: f"{s.container}-{s.sample_rate}-{s.bits}"
)
@pytest.mark.parametrize("beat", [BEAT, ODD], ids=["4/4", "12/8"])
def test_every_reader_agrees_on_length_and_tempo(tmp_path, settings, beat):
    frames = round(beat.duration_seconds * settings.sample_rate)
    (path,) = save_loop(beat, tmp_path / f"loop.{settings.container}", settings)
    with soundfile.SoundFile(path) as file:
        assert (file.frames, file.samplerate, file.channels) == (frames, settings.sample_rate, 2)
        assert file.subtype == f"PCM_{settings.bits}"
        assert file.format.lower() == settings.container
        if settings.container != "flac":
            assert loop_by_libsndfile(file) == (0, frames)
        if settings.container == "wav":
            assert tempo_by_libsndfile(file) == pytest.approx(beat.tempo_bpm, rel=1e-6)
    if settings.container == "wav":
        with wave.open(str(path)) as plain:
            assert plain.getnframes() == frames
            assert plain.getframerate() == settings.sample_rate
            assert (plain.getnchannels(), plain.getsampwidth()) == (2, settings.bits // 8)
    audio = mutagen.File(path)
    assert round(audio.info.length * settings.sample_rate) == frames
    tags = {key: str(audio.tags[key][0]) for key in audio.tags.keys()}  # noqa: SIM118 - no dict
    bpm = tags.get("TBPM") or tags["bpm"]
    assert float(bpm) == beat.tempo_bpm
    assert (tags.get("TIT2") or tags["title"]) == "Röller"
    assert (tags.get("TCON") or tags["genre"]) == "House"
    assert "seed 7" in (tags.get("COMM::eng") or tags["comment"])
    check = check_loop(path)
    assert (check.frames, check.tempo_bpm, check.bars) == (frames, beat.tempo_bpm, beat.bars)
    assert (check.loop_start, check.loop_end) == (0, frames - 1)
    assert check.exact, check.problems


def loop_by_libsndfile(file):
    """Where libsndfile has the loop: its first frame, and the first after it."""
    return _by_libsndfile(file, 0x10D0, 272, 1, "<20x2I")


def tempo_by_libsndfile(file):
    return _by_libsndfile(file, 0x10E0, 44, 1, "<12xf")[0]


def _by_libsndfile(file, command, size, expected, form):
    buffer = soundfile._ffi.new("char[]", size)
    assert soundfile._snd.sf_command(file._file, command, buffer, size) == expected
    return struct.unpack_from(form, bytes(soundfile._ffi.buffer(buffer)))


def ffprobe(path):
    """What ffprobe says; `make test` installs it."""
    if not shutil.which("ffprobe"):
        if os.environ.get("CI") == "true":
            pytest.fail("ffprobe is missing; `make test` installs it.")
        pytest.skip("ffprobe is not installed here; `make test` does that where it may")
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert not told.stderr
    return json.loads(told.stdout)


@pytest.mark.parametrize(
    "settings", FORMATS, ids=lambda s: f"{s.container}-{s.sample_rate}-{s.bits}"
)
def test_ffprobe_agrees_too(tmp_path, settings):
    (path,) = save_loop(ODD, tmp_path / f"loop.{settings.container}", settings)
    told = ffprobe(path)
    (stream,) = told["streams"]
    frames = round(ODD.duration_seconds * settings.sample_rate)
    assert int(stream["duration_ts"]) == frames
    assert int(stream["sample_rate"]) == settings.sample_rate
    assert stream["channels"] == 2
    assert int(stream.get("bits_per_raw_sample") or stream["bits_per_sample"]) == settings.bits
    if settings.container == "wav":
        assert stream["codec_tag"] == "0x0001"  # plain PCM
    tags = {name.lower(): text for name, text in told["format"]["tags"].items()}
    assert float(tags.get("tbpm") or tags["bpm"]) == ODD.tempo_bpm
    assert tags["title"] == "Röller"


@pytest.mark.parametrize("loop", [True, False])
def test_ffmpegs_loudness_meter_agrees(tmp_path, loop):
    """An independent BS.1770 meter on the loop going round."""
    if not shutil.which("ffmpeg"):
        ffprobe(tmp_path)
    settings = LoopSettings(loop=loop, bits=24)
    sound = loop_sound(BEAT, settings)
    (path,) = save_loop(BEAT, tmp_path / "loop.wav", settings)
    rounds = ["-stream_loop", "2"] if loop else []
    told = subprocess.run(
        ["ffmpeg", *rounds, "-i", str(path), "-af", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True, check=True, text=True,
    ).stderr  # fmt: skip
    summary = told[told.rindex("Integrated loudness") :].split()
    assert float(summary[summary.index("I:") + 1]) == pytest.approx(sound.loudness_lufs, abs=0.3)
    assert float(summary[summary.index("Peak:") + 1]) < CEILING_DBTP


def test_a_wav_of_ours_has_plain_chunks_in_a_plain_order():
    _, content = next(loop_files(BEAT))
    names, position = [], 12
    while position < len(content):
        name, length = struct.unpack_from("<4sI", content, position)
        names.append(name)
        position += 8 + length + length % 2
    assert names == [b"fmt ", b"data", b"smpl", b"acid", b"id3 "]
    assert position == len(content) == struct.unpack_from("<I", content, 4)[0] + 8


def test_a_loop_of_broken_beats_claims_no_whole_ones():
    """Three and a half quarters cannot be told in an acid chunk without a wrong tempo."""
    _, content = next(loop_files(beat_of(120.0, 1, Meter(7, 8))))
    assert b"acid" not in content
    assert check_loop(content).exact


def test_the_same_beat_gives_the_same_bytes():
    for settings in (FORMATS[0], FORMATS[5], FORMATS[9]):
        assert list(loop_files(BEAT, settings)) == list(loop_files(BEAT, settings))


# -- the check -------------------------------------------------------------------------------------


def spoilt(samples, **tags):
    file = BytesIO()
    soundfile.write(file, samples, 44_100, format="WAV", subtype="PCM_16")
    audio = mutagen.File(BytesIO(file.getvalue()))
    audio.add_tags()
    for name, text in tags.items():
        audio.tags.add(getattr(mutagen.id3, name)(encoding=3, text=[text]))
    file.seek(0)
    audio.save(file)
    return file.getvalue()


def tone(frames):
    return np.repeat(0.5 * np.sin(np.arange(frames) / 7)[:, np.newaxis], 2, axis=1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (spoilt(tone(88_200)), "does not say its tempo"),
        (spoilt(tone(88_000), TBPM="120"), "200.0 frames too short"),
        (spoilt(tone(88_300), TBPM="120"), "100.0 frames too long"),
        (spoilt(tone(88_200) * 2.0, TBPM="120"), "peaks"),
        (spoilt(np.linspace(0, [0.7, 0.7], 88_200), TBPM="120"), "clicks"),
    ],
)
def test_the_check_finds_what_is_wrong(content, words):
    check = check_loop(content)
    assert not check.exact
    assert any(words in problem for problem in check.problems), check.problems


def test_a_loop_of_somebody_else_is_checked_by_its_tempo():
    check = check_loop(spoilt(tone(88_200), TBPM="120", TIT2="Theirs"))
    assert (check.quarters, check.bars, check.title) == (4, None, "Theirs")
    assert check.error_frames == 0


@pytest.mark.parametrize(("subtype", "bits"), [("FLOAT", 32), ("DOUBLE", 64), ("PCM_24", 24)])
def test_a_float_loop_is_measured_and_said_to_be_one(subtype, bits):
    file = BytesIO()
    soundfile.write(file, tone(88_200), 44_100, format="WAV", subtype=subtype)
    check = check_loop(file.getvalue())
    assert (check.bits, check.frames, round(check.peak_dbfs)) == (bits, 88_200, -6)
    said = [problem for problem in check.problems if f"{bits}-bit float" in problem]
    assert len(said) == check.is_float == subtype.startswith(("F", "D"))


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"RIFF\x04\0\0\0WAVE", b"no sound", b"MThd" + b"\0" * 60]
)
def test_what_is_no_sound_is_refused(content):
    with pytest.raises(SoundError):
        check_loop(content)


def test_a_damaged_loop_is_checked_or_refused_never_worse():
    _, content = next(loop_files(Beat((Hit.of("kick", 0.0),), 1, 400.0)))
    numbers = np.random.default_rng(1)
    head_and_tail = [*range(44), *range(len(content) - 600, len(content))]
    for _ in range(150):
        broken = bytearray(content)
        for place in numbers.choice(head_and_tail, 4):
            broken[place] = numbers.integers(256)
        try:
            assert check_loop(bytes(broken)).frames
        except SoundError:
            continue


# -- files and refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [{"container": "mp3"}, {"sample_rate": 22_050}, {"bits": 8}, {"normalise": "loud"}]
)
def test_settings_nobody_can_write_are_refused(wrong):
    with pytest.raises(SoundError, match="Choose of"):
        LoopSettings(**wrong)


def test_a_beat_of_an_hour_is_refused():
    with pytest.raises(SoundError, match="Take fewer bars"):
        loop_sound(Beat((Hit.of("kick", 0.0),), 1_000, 60.0))


def test_one_shots_are_the_kits_drums_apart():
    files = dict(one_shot_files("tr-808", LoopSettings(container="flac")))
    assert len(files) == len(DRUMS)
    assert next(iter(files)) == "tr-808_01_kick.flac"
    peaks = []
    for content in files.values():
        samples, _ = soundfile.read(BytesIO(content))
        assert 100 < len(samples) <= 6 * 44_100
        assert np.abs(samples[-1]).max() < 1e-3  # died away
        peaks.append(true_peak_dbtp(samples, loop=False))
    assert CEILING_DBTP - 0.5 < max(peaks) < CEILING_DBTP


def test_one_shots_can_be_asked_for_by_name():
    names = [name for name, _ in one_shot_files("jazz", drums=("kick", "ride"))]
    assert names == ["jazz_01_kick.wav", "jazz_12_ride.wav"]


@pytest.fixture
def run(home, capsys):
    def run(*arguments):
        try:
            code = main([*map(str, arguments), "--json"])
        except SystemExit as stopped:
            code = stopped.code
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if code == 0 else err

    return run


def test_the_command_line_writes_loops_with_stems_in_every_format(run, tmp_path):
    midi = save_midi(BEAT, tmp_path / "beat.mid")
    out = tmp_path / "out" / "x.flac"
    code, told = run("render", midi, "--out", out, "--loop", "--stems", "--rate", 48000,
                     "--bits", 24, "--kit", "tr-808")  # fmt: skip
    assert code == 0
    assert told["frames"] == round(BEAT.duration_seconds * 48_000)
    assert (told["sample_rate"], told["bits"], told["exact"]) == (48_000, 24, True)
    assert told["true_peak_dbtp"] < CEILING_DBTP
    assert [os.path.basename(stem) for stem in told["stems"]] == [  # noqa: PTH119 - text
        "x_kick.flac", "x_snare.flac", "x_hat.flac"
    ]  # fmt: skip
    code, told = run("check-loop", out, *told["stems"])
    assert code == 0
    assert told["exact"] is True
    assert len(told["loops"]) == 4
    assert run("render", midi, "--out", tmp_path / "x.mp3")[0] == 1
    assert run("render", midi, "--out", out, "--bits", 12)[0] == 2
    code, told = run("one-shots", "--kit", "jazz", "--out", tmp_path / "shots", "--format", "aiff")
    assert len(told["files"]) == 16


def test_audio_as_played_has_the_beats_length(run, tmp_path):
    midi = save_midi(BEAT, tmp_path / "beat.mid")
    code, told = run("render", midi, "--out", tmp_path / "x.wav", "--normalise", "none")
    assert code == 0
    assert told["frames"] == round(BEAT.duration_seconds * 44_100)
    assert told["exact"] is None
