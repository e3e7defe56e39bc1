"""Writes SoundFont 2 files: samples, and zones that say which key and velocity plays which.

As the SoundFont technical specification, version 2.01, lays them out. The same arguments give the
same bytes: the file names no date and no program.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import SoundError

DRUM_BANK = 128
_SILENT_FRAMES = 46  # the specification's distance between samples
_NAME_BYTES = 20
_ROOT_KEY = 60
_RING_TIMECENTS = 8000  # a hundred seconds: a drum dies away by itself, however short its note
_MOST_PAN = 500
_SILENT_CENTIBELS = 1000  # what a decay falls to: 100 dB down
_FILTER_ZERO_HZ = 8.176  # what cents of a filter count from
_MONO = 1
_BY_VELOCITY = 0x0502  # a modulator's source: note-on velocity, concave, falling
_VELOCITY_CENTIBELS = 960  # what it does in every zone that says nothing else


class _Generator(IntEnum):
    """What a zone says, by its number in the specification."""

    LOW_PASS = 8
    PAN = 17
    DECAY = 36
    SUSTAIN = 37
    RELEASE = 38
    INSTRUMENT = 41
    KEYS = 43
    VELOCITIES = 44
    ATTENUATION = 48
    COARSE_TUNE = 51
    FINE_TUNE = 52
    SAMPLE = 53
    SCALE_TUNE = 56
    CHOKE = 57
    ROOT_KEY = 58


@dataclass(frozen=True, eq=False)
class Sample:
    """A recording; the first 20 letters of `name` must be its own.

    Attributes:
        name: in ASCII.
        frames: 16-bit values.
        rate_hz: of those a second.
    """

    name: str
    frames: NDArray[np.int16]
    rate_hz: int


@dataclass(frozen=True)
class Zone:
    """Where a sample plays.

    Attributes:
        key: the one MIDI note.
        softest, hardest: velocities, 1 to 127.
        sample: its place in the list of samples.
        pan: -1 (left) to 1 (right).
        cents: how much higher than recorded.
        choke: zones of one number above 0 silence each other.
        low_pass_hz: what lies above is 12 dB an octave softer; None leaves the sample as it is.
        decay_seconds: how long it takes to fall by 100 dB, beside its own decay; None for never.
        response: how much softer a soft stroke is, against what SoundFonts do: 0 not at all.
    """

    key: int
    softest: int
    hardest: int
    sample: int
    pan: float = 0.0
    cents: int = 0
    choke: int = 0
    low_pass_hz: float | None = None
    decay_seconds: float | None = None
    response: float = 1.0


def soundfont_bytes(
    name: str, about: str, samples: Sequence[Sample], zones: Iterable[Zone]
) -> bytes:
    """A SoundFont with one drum kit: bank 128, program 0.

    Args:
        name: of the kit and the file.
        about: a sentence for programs that show one.
        samples, zones: what it plays.

    Raises:
        SoundError: two samples share the 20 letters that a file keeps of a name.
    """
    if len({_name(sample.name) for sample in samples}) < len(samples):
        raise SoundError("Two samples of a SoundFont share their first 20 letters. Rename one.")
    info = (
        _chunk(b"ifil", struct.pack("<HH", 2, 1))
        + _chunk(b"isng", _text("EMU8000"))
        + _chunk(b"INAM", _text(name))
        + _chunk(b"ICMT", _text(about))
    )
    wave, heads = _waves(samples)
    presets = _preset(name, DRUM_BANK, 0) + _preset("EOP", 0, 1)
    instruments = struct.pack("<20sH", _name(name), 0)
    bags, generators, modulators, count = _zones(zones)
    instruments += struct.pack("<20sH", _name("EOI"), count)
    data = (
        _chunk(b"phdr", presets)
        + _chunk(b"pbag", struct.pack("<4H", 0, 0, 1, 0))
        + _chunk(b"pmod", bytes(10))
        + _chunk(b"pgen", struct.pack("<HHHH", _Generator.INSTRUMENT, 0, 0, 0))
        + _chunk(b"inst", instruments)
        + _chunk(b"ibag", bags)
        + _chunk(b"imod", modulators)
        + _chunk(b"igen", generators)
        + _chunk(b"shdr", heads)
    )
    lists = _list(b"INFO", info) + _list(b"sdta", _chunk(b"smpl", wave)) + _list(b"pdta", data)
    return _chunk(b"RIFF", b"sfbk" + lists)


def _waves(samples: Sequence[Sample]) -> tuple[bytes, bytes]:
    """All samples after each other, and where each lies."""
    parts, heads, start = [], [], 0
    silence = bytes(2 * _SILENT_FRAMES)
    for sample in samples:
        end = start + len(sample.frames)
        parts += [np.ascontiguousarray(sample.frames, "<i2").tobytes(), silence]
        place = (start, end, start, end, sample.rate_hz, _ROOT_KEY, 0, 0, _MONO)
        heads.append(struct.pack("<20s5IBbHH", _name(sample.name), *place))
        start = end + _SILENT_FRAMES
    heads.append(struct.pack("<20s5IBbHH", _name("EOS"), *[0] * 9))
    return b"".join(parts), b"".join(heads)


def _zones(zones: Iterable[Zone]) -> tuple[bytes, bytes, bytes, int]:
    """The zones' list, their generators and modulators, and how many zones there are.

    The first zone holds what all share: any key plays a sample at its own pitch, to its end.
    """
    lists = [[(_Generator.RELEASE, _RING_TIMECENTS), (_Generator.SCALE_TUNE, 0)]]
    responses = [1.0]
    for zone in zones:
        coarse, fine = divmod(zone.cents, 100)
        generators = [
            (_Generator.KEYS, zone.key | zone.key << 8),
            (_Generator.VELOCITIES, zone.softest | zone.hardest << 8),
            (_Generator.PAN, round(zone.pan * _MOST_PAN)),
            (_Generator.COARSE_TUNE, coarse),
            (_Generator.FINE_TUNE, fine),
            (_Generator.CHOKE, zone.choke),
            (_Generator.ROOT_KEY, _ROOT_KEY),
        ]
        if zone.low_pass_hz is not None:
            cents = round(1200 * math.log2(zone.low_pass_hz / _FILTER_ZERO_HZ))
            generators.append((_Generator.LOW_PASS, cents))
        if zone.decay_seconds is not None:
            generators.append((_Generator.DECAY, round(1200 * math.log2(zone.decay_seconds))))
            generators.append((_Generator.SUSTAIN, _SILENT_CENTIBELS))
        lists.append([*generators, (_Generator.SAMPLE, zone.sample)])
        responses.append(zone.response)
    bags, packed, count = [], [], 0
    modulators: list[bytes] = []
    for generators, response in zip(lists, responses, strict=True):
        bags.append(struct.pack("<HH", count, len(modulators)))
        packed += [struct.pack("<HH", kind, value & 0xFFFF) for kind, value in generators]
        count += len(generators)
        if response != 1.0:  # in place of the one that every zone has
            amount = round(response * _VELOCITY_CENTIBELS)
            parts = (_BY_VELOCITY, _Generator.ATTENUATION, amount, 0, 0)
            modulators.append(struct.pack("<HHhHH", *parts))
    bags.append(struct.pack("<HH", count, len(modulators)))
    packed.append(bytes(4))
    modulators.append(bytes(10))
    return b"".join(bags), b"".join(packed), b"".join(modulators), len(lists)


def _preset(name: str, bank: int, bag: int) -> bytes:
    return struct.pack("<20sHHHIII", _name(name), 0, bank, bag, 0, 0, 0)


def _name(text: str) -> bytes:
    return text.encode("ascii")[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0")


def _text(text: str) -> bytes:
    """Text as its chunk wants it: ended by one zero or two, even in length."""
    plain = text.encode("ascii") + b"\0"
    return plain + b"\0" * (len(plain) % 2)


def _list(kind: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", kind + content)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
