"""Sound files of strangers: what is read comes back whole; what is hostile ends in a sentence."""

import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hostile_audio import FORMATS, hostile_files, sound, written

from dj_core.errors import SoundError
from dj_core.sound.decoding import ONE_SHOT, AudioDecoder, decode_audio

MOST_SECONDS = 10  # that any file may take
HOSTILE = dict(hostile_files())


@pytest.fixture(scope="module")
def decoder():
    with AudioDecoder() as one:
        yield one


@pytest.mark.parametrize(
    "samples", [np.zeros((1, 1)), np.random.default_rng(0).uniform(-1, 1, (9_000, 2))]
)
@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "FLOAT"), ("AIFF", "FLOAT")])
def test_samples_come_back_as_they_were_written(decoder, samples, kind, subtype):
    audio = decoder.decode(written(samples, kind, subtype, 22_050))
    assert audio.rate_hz == 22_050
    assert np.array_equal(audio.samples, samples.astype(np.float32))


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_is_heard(decoder, ending):
    audio = decoder.decode(sound(ending))
    plain = decoder.decode(sound("wav")).samples
    assert audio.samples.shape[1] == 1
    assert np.square(audio.samples).sum() == pytest.approx(np.square(plain).sum(), rel=0.3)


def test_channels_are_mixed_into_one_where_that_is_wanted():
    both = np.array([[0.5, -0.25], [1.0, 0.0]])
    audio = decode_audio(written(both, "WAV", "FLOAT"), replace(ONE_SHOT, mono=True))
    assert audio.samples.ravel().tolist() == [0.125, 0.5]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere other programs may do it")
def test_m4a_is_read_where_ffmpeg_is_and_elsewhere_a_sentence_says_so(tmp_path, monkeypatch):
    content = b"\0\0\0\x20ftypM4A " + bytes(2_000)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SoundError, match="ffmpeg is installed"):
        decode_audio(content)
    (tmp_path / "it.wav").write_bytes(sound("wav"))
    stand_in = tmp_path / "ffmpeg"
    stand_in.write_text(
        f"#!{sys.executable}\nimport shutil, sys\n"
        f"shutil.copy({str(tmp_path / 'it.wav')!r}, sys.argv[-1])\n"
    )
    stand_in.chmod(0o755)
    plain = decode_audio(sound("wav"))
    assert np.array_equal(decode_audio(content).samples, plain.samples)


def test_there_are_fifty_hostile_files():
    assert len(HOSTILE) >= 50


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_in_a_sentence(decoder, name):
    started = time.monotonic()
    with pytest.raises(SoundError) as refused:
        decoder.decode(HOSTILE[name])
    assert time.monotonic() - started < MOST_SECONDS
    assert str(refused.value).endswith(".")
    assert "crashed" not in str(refused.value)


def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_read(decoder):
    long = written(
        np.random.default_rng(0).uniform(-1, 1, (25 * 48_000, 2)), "OGG", "VORBIS", 48_000
    )
    with pytest.raises(SoundError, match=r"took over 0\.01 seconds"):
        decoder.decode(long, replace(ONE_SHOT, most_work_seconds=0.01))
    assert decoder.decode(long).samples.shape == (25 * 48_000, 2)


def test_a_decoder_that_was_killed_between_two_files_is_started_anew(decoder):
    decoder.decode(sound("wav"))
    decoder._process.kill()
    decoder._process.wait()
    assert len(decoder.decode(sound("wav")).samples) == 4_410


def test_limits_are_above_nothing():
    with pytest.raises(SoundError, match="above 0"):
        replace(ONE_SHOT, most_channels=0)
