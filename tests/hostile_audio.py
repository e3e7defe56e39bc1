"""Hostile sound files of every known kind: each a name and bytes, the same each time."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
import soundfile


def hostile_files() -> Iterator[tuple[str, bytes]]:
    """Over fifty files that must be refused with a reason; their names say what is wrong."""
    good = {ending: sound(ending) for ending in FORMATS}
    wav, aiff, flac, ogg = (good[ending] for ending in ("wav", "aiff", "flac", "ogg"))
    # nothing at all, or something else under a sound's name
    yield "empty.wav", b""
    yield "one-byte.wav", b"R"
    yield "text.wav", b"This is a letter, not a sound.\n" * 40
    yield "picture.flac", b"\x89PNG\r\n\x1a\n" + bytes(2_000)
    yield "program.mp3", b"\x7fELF" + bytes(2_000)
    yield "midi.wav", b"MThd" + struct.pack(">IHHH", 6, 1, 1, 480) + bytes(200)
    yield "page.ogg", b"<html><script>alert(1)</script></html>"
    yield "zeros.wav", bytes(10_000)
    yield "ones.mp3", b"\xff" * 10_000
    yield "random.wav", np.random.default_rng(1).bytes(50_000)
    # heads alone, cut short
    for ending, content in good.items():
        yield f"head-of-12-bytes.{ending}", content[:12]
        yield f"head-of-28-bytes.{ending}", content[:28]
    yield "no-data.wav", wav[:44]
    yield "no-samples.aiff", aiff[:54]
    yield "no-frames.flac", flac[:42]
    yield "no-pages.ogg", ogg[:200]
    yield "no-sound.m4a", b"\0\0\0\x20ftypM4A " + bytes(2_000)
    yield "tag-alone.mp3", b"ID3\x04\x00\x00\x00\x00\x0f\x76" + bytes(2_038)
    yield "tag-of-256-megabytes.mp3", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(5_000)
    # heads that lie
    yield "no-channels.wav", _wav(channels=0)
    yield "64-channels.wav", _wav(channels=64)
    yield "65535-channels.wav", _wav(channels=65_535)
    yield "no-rate.wav", _wav(rate_hz=0)
    yield "1-hz.wav", _wav(rate_hz=1)
    yield "192-khz.wav", _wav(rate_hz=192_000)
    yield "4-ghz.wav", _wav(rate_hz=0xFFFF_FFFF)
    yield "no-bits.wav", _wav(bits=0)
    yield "13-bytes-a-sample.wav", _wav(bits=104)
    yield "unknown-codec.wav", _wav(codec=0x7A11)
    yield "mp3-codec-of-noise.wav", _wav(codec=0x55)
    yield "format-of-no-bytes.wav", b"RIFF" + struct.pack("<I", 20) + b"WAVEfmt " + bytes(4)
    yield (
        "format-of-4-gigabytes.wav",
        b"RIFF\xff\xff\xff\xffWAVEfmt \xf0\xff\xff\xff" + bytes(100),
    )
    yield "data-before-format.wav", wav[:12] + wav[36:] + wav[12:36]
    yield "many-small-chunks.wav", b"RIFF\xff\xff\xff\x7fWAVE" + b"junk\x00\x00\x00\x00" * 200_000
    yield "rate-is-nan.aiff", aiff.replace(aiff[28:38], b"\x7f\xff" + b"\xff" * 8, 1)
    yield "rate-is-endless.aiff", aiff.replace(aiff[28:38], b"\x7f\xff\x80" + bytes(7), 1)
    yield "rate-below-zero.aiff", aiff.replace(aiff[28:38], b"\xc0\x0e\xac\x44" + bytes(6), 1)
    yield "64-channels.aiff", aiff[:20] + struct.pack(">h", 64) + aiff[22:]
    yield "channels-below-zero.aiff", aiff[:20] + struct.pack(">h", -2) + aiff[22:]
    yield "blocks-of-no-frames.flac", flac[:8] + bytes(34) + flac[42:]
    yield "picture-of-16-megabytes.flac", flac[:4] + b"\x06\xff\xff\xff" + bytes(4_000)
    yield "noise-for-pages.ogg", ogg[:60] + np.random.default_rng(2).bytes(20_000)
    yield "another-stream.ogg", ogg[:28] + b"\x80theora" + ogg[35:]
    yield "every-other-byte.flac", flac[::2]
    yield "backwards.ogg", ogg[::-1]
    # samples that are none
    for name, value in (("nan", np.nan), ("endless", np.inf), ("1e30", 1e30)):
        samples = np.zeros((2_000, 1), np.float32)
        samples[1_000] = value
        yield f"{name}.wav", written(samples, "WAV", "FLOAT")
    yield "nan-in-64-bits.aiff", written(np.full((2_000, 1), np.nan), "AIFF", "DOUBLE")
    # too much of everything
    yield "10-hours.flac", ten_hours()
    yield "31-seconds.ogg", written(np.full((31 * 8_000, 1), 0.1), "OGG", "VORBIS", 8_000)
    yield "a-minute.mp3", written(np.full((60 * 8_000, 1), 0.1), "MP3", "MPEG_LAYER_III", 8_000)
    yield "64-channels-indeed.wav", written(np.full((500, 64), 0.1), "WAV", "PCM_16")
    yield "8-channels.flac", written(np.full((500, 8), 0.1), "FLAC", "PCM_16")
    yield "192-khz-indeed.wav", written(np.full((5_000, 1), 0.1), "WAV", "PCM_16", 192_000)
    yield "over-20-megabytes.wav", _wav() + bytes(21_000_000)
    # formats that libsndfile knows and a drum never comes in
    yield "sun.wav", written(np.full((500, 1), 0.1), "AU", "PCM_16")
    yield "matlab.wav", written(np.full((500, 1), 0.1), "MAT5", "PCM_16")
    yield "tracker.wav", written(np.full((500, 1), 0.1), "XI", "DPCM_16")


FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
"""What is read, by ending: libsndfile's names of the format and of its samples."""


def sound(ending: str) -> bytes:
    """A tenth of a second of noise that dies away."""
    fall = np.exp(-np.arange(4_410) / 500)[:, np.newaxis]
    noise = np.random.default_rng(3).uniform(-0.5, 0.5, (4_410, 1))
    return written(noise * fall, *FORMATS[ending])


def written(samples: np.ndarray, kind: str, subtype: str, rate_hz: int = 44_100) -> bytes:
    """Samples as a file of some format."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


def ten_hours() -> bytes:
    """Ten hours of silence as FLAC: a few megabytes, gigabytes when it is decoded."""
    file = io.BytesIO()
    silence = np.zeros((8_000 * 60, 1), np.int16)
    with soundfile.SoundFile(file, "w", 8_000, 1, "PCM_16", format="FLAC") as out:
        for _ in range(600):
            out.write(silence)
    return file.getvalue()


def _wav(
    codec: int = 1, channels: int = 1, rate_hz: int = 44_100, bits: int = 16, size: int = 2_000
) -> bytes:
    """A WAV file whose head says what it is told."""
    frame = channels * bits // 8
    form = struct.pack(
        "<HHIIHH", codec, channels, rate_hz, rate_hz * frame & 0xFFFF_FFFF, frame & 0xFFFF, bits
    )
    data = b"data" + struct.pack("<I", size) + b"\x11\x10" * (size // 2)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + data
    return b"RIFF" + struct.pack("<I", len(body)) + body
