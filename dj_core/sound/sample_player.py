"""Plays a drum kit straight from its SoundFont's samples, where there is no FluidSynth.

It knows what drums use of SoundFont 2.4: zones by key and velocity, tuning, attenuation, pan, the
volume envelope, a low-pass filter and loops; no modulation. Levels follow FluidSynth: velocity
counts by its square, a zone's attenuation by 0.4 of what the file says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import SoundError

DRUM_BANK = 128
_KEYS = 43
_VELOCITIES = 44
_INSTRUMENT = 41
_SAMPLE = 53
_START = 0
_END = 1
_LOOP_START = 2
_LOOP_END = 3
_START_COARSE = 4
_END_COARSE = 12
_LOOP_START_COARSE = 45
_LOOP_END_COARSE = 50
_CUTOFF = 8
_PAN = 17
_ATTENUATION = 48
_DELAY = 33
_ATTACK = 34
_HOLD = 35
_DECAY = 36
_SUSTAIN = 37
_RELEASE = 38
_MODULATION, _MODULATION_SUSTAIN = (25, 26, 27, 28, 30), 29  # delay to decay, and release
_OPENS, _RESONANCE = 11, 9  # what the modulation envelope adds to the cutoff
_RESPONSE = -1  # of ours: what a modulator makes of velocity's effect on the level, in centibels
_COARSE = 51
_FINE = 52
_MODES = 54
_SCALE = 56
_ROOT = 58
_USUAL = {
    _CUTOFF: 13_500, _DELAY: -12_000, _ATTACK: -12_000, _HOLD: -12_000, _DECAY: -12_000,
    _RELEASE: -12_000, _SCALE: 100, _ROOT: -1, _RESPONSE: 960,
    25: -12_000, 26: -12_000, 27: -12_000, 28: -12_000, 30: -12_000,
}  # fmt: skip
_BLOCK = 64  # frames between two looks at an envelope of modulation
_BY_VELOCITY = 0x0502  # a modulator's source: note-on velocity, concave, falling
_OPEN_CENTS = 13_500  # a filter as high as this does nothing
_WHOLE_DB = 96.0  # that an envelope falls in the time its file gives
_ATTENUATION_SCALE = 0.4  # FluidSynth's, after the hardware that most SoundFonts were made for
_FLUIDSYNTH_GAIN = 10 ** (-3.01 / 20)
_SILENT = 1e-5  # of full scale: as good as nothing

Zone = dict[int, int]


@dataclass(frozen=True)
class _Sample:
    start: int
    end: int
    loop_start: int
    loop_end: int
    rate: int
    root: int
    correction_cents: int


class SamplePlayer:
    """One preset of bank 128. Raises SoundError where the file has none of that number."""

    def __init__(self, path: Path, program: int) -> None:
        samples, zones, self._samples = _kit_in(path, program)
        self._zones, self._headers = zones, samples

    def strike(
        self, key: int, velocity: int, frames: int, held_frames: int, sample_rate: int
    ) -> NDArray[np.float32]:
        """One stroke, released after `held_frames`, until it has died away: (at most frames, 2)."""
        sound = np.zeros((frames, 2), np.float32)
        for zone in self._zones:
            low, high = zone.get(_KEYS, 0) & 255, zone.get(_KEYS, 127 << 8) >> 8
            soft, loud = zone.get(_VELOCITIES, 0) & 255, zone.get(_VELOCITIES, 127 << 8) >> 8
            if low <= key <= high and soft <= velocity <= loud:
                voice = self._voice(zone, key, velocity, frames, held_frames, sample_rate)
                sound[: len(voice)] += voice
        heard = np.flatnonzero(np.abs(sound).max(1) > _SILENT)
        return sound[: heard[-1] + 1 if len(heard) else 0]

    def _voice(
        self, zone: Zone, key: int, velocity: int, frames: int, held: int, rate: int
    ) -> NDArray[np.float32]:
        def of(generator: int) -> int:
            return zone.get(generator, _USUAL.get(generator, 0))

        sample = self._headers[zone[_SAMPLE]]
        root = of(_ROOT) if of(_ROOT) >= 0 else sample.root
        cents = (key - root) * of(_SCALE) + 100 * of(_COARSE) + of(_FINE) + sample.correction_cents
        step = 2 ** (cents / 1200) * sample.rate / rate
        start = sample.start + of(_START) + 32_768 * of(_START_COARSE)
        end = sample.end + of(_END) + 32_768 * of(_END_COARSE)
        loops = of(_MODES) in (1, 3)
        places = np.arange(frames) * step
        whole = places.astype(np.int64)
        if loops:
            first = sample.loop_start + of(_LOOP_START) + 32_768 * of(_LOOP_START_COARSE) - start
            last = sample.loop_end + of(_LOOP_END) + 32_768 * of(_LOOP_END_COARSE) - start
            past = whole >= last
            whole[past] = first + (whole[past] - first) % max(1, last - first)
        else:
            count = int(np.searchsorted(whole, end - start))
            places, whole = places[:count], whole[:count]
        x = places - np.floor(places)
        at = start + whole

        def sampled(ahead: int) -> NDArray[np.float64]:
            near = self._samples[np.clip(at + ahead, start, end - 1)]
            return np.where((at + ahead < end) & (at + ahead >= start), near, 0) / 32_768

        # cubic, as FluidSynth's
        sound = sampled(-1) * x * (-0.5 + x * (1 - 0.5 * x))
        sound += sampled(0) * (1 + x * x * (1.5 * x - 2.5))
        sound += sampled(1) * x * (0.5 + x * (2 - 1.5 * x))
        sound += sampled(2) * 0.5 * x * x * (x - 1)
        if of(_CUTOFF) < _OPEN_CENTS or of(_RESONANCE):  # which costs gain, however high
            moves = [_seconds(of(generator)) for generator in _MODULATION]
            opened = _modulation(moves, of(_MODULATION_SUSTAIN) / 1_000, len(sound), held, rate)
            sound = _low_passed(sound, of(_CUTOFF) + of(_OPENS) * opened, of(_RESONANCE), rate)
        times = [_seconds(of(g)) for g in (_DELAY, _ATTACK, _HOLD, _DECAY, _RELEASE)]
        sound *= _envelope(times, of(_SUSTAIN) / 10, len(sound), held, rate)
        sound *= (
            _FLUIDSYNTH_GAIN
            * 10 ** (-_ATTENUATION_SCALE * of(_ATTENUATION) / 200)
            * (velocity / 127) ** (of(_RESPONSE) / 480)
        )
        right = (np.clip(of(_PAN), -500, 500) + 500) / 1000 * np.pi / 2
        return np.stack([sound * np.cos(right), sound * np.sin(right)], axis=1).astype(np.float32)


def _seconds(timecents: int) -> float:
    return 0.0 if timecents <= -12_000 else float(2 ** (timecents / 1200))


def _envelope(
    times: list[float], sustain_db: float, frames: int, held: int, rate: int
) -> NDArray[np.float64]:
    """Amplitude frame by frame: delay, attack, hold, decay to the sustained level, release."""
    delay, attack, hold, decay, release = times
    seconds = np.arange(frames) / rate
    since = seconds - delay
    rising = np.clip(since / attack, 0, 1) if attack else (since >= 0).astype(float)
    # FluidSynth takes its steps by the block, and the first two for the attack
    falling = np.maximum(since - attack - hold - 2 * _BLOCK / rate, 0)
    down_db = np.minimum(falling * (_WHOLE_DB / max(decay, 0.001)), sustain_db)
    down_db += np.maximum(seconds - held / rate, 0) * (_WHOLE_DB / max(release, 0.001))
    amplitude: NDArray[np.float64] = rising * 10 ** (-down_db / 20)
    return amplitude


def _modulation(
    times: list[float], sustain: float, frames: int, held: int, rate: int
) -> NDArray[np.float64]:
    """The modulation envelope, 0 to 1, at every block of frames; `sustain` is what it loses."""
    delay, attack, hold, decay, release = times
    seconds = np.arange(0, frames, _BLOCK) / rate
    since = seconds - delay - _BLOCK / rate  # FluidSynth's is a block late
    rising = np.clip(since / attack, 0, 1) if attack else (since >= 0).astype(float)
    lost = np.minimum(np.maximum(since - attack - hold, 0) / max(decay, 0.001), sustain)
    lost += np.maximum(seconds - held / rate, 0) / max(release, 0.001)
    opened: NDArray[np.float64] = np.clip(rising - lost, 0, 1)
    return opened


def _low_passed(
    sound: NDArray[np.float64], cutoff_cents: NDArray[np.float64], resonance: int, rate: int
) -> NDArray[np.float64]:
    """Two poles, block by block as FluidSynth's, whose gain falls as the resonance rises."""
    from scipy.signal import lfilter

    q = 10 ** ((resonance / 10 - 3.01) / 20)
    cutoff_hz = np.minimum(8.176 * 2 ** (cutoff_cents / 1200), 0.45 * rate)
    passed, state = np.empty_like(sound), np.zeros(2)
    for number, at in enumerate(range(0, len(sound), _BLOCK)):
        turn = 2 * np.pi * cutoff_hz[number] / rate
        alpha = np.sin(turn) / (2 * q)
        gain = (1 - np.cos(turn)) / (1 + alpha) / 10 ** (resonance / 400)
        feedback = [1, -2 * np.cos(turn) / (1 + alpha), (1 - alpha) / (1 + alpha)]
        part = slice(at, at + _BLOCK)
        passed[part], state = lfilter([gain / 2, gain, gain / 2], feedback, sound[part], zi=state)
    return passed


@lru_cache(maxsize=4)
def _kit_in(path: Path, program: int) -> tuple[list[_Sample], list[Zone], NDArray[np.int16]]:
    content = path.read_bytes()
    chunks = _chunks(content)
    try:
        headers = [
            _Sample(*fields[1:8]) for fields in struct.iter_unpack("<20sIIIIIBbHH", chunks[b"shdr"])
        ]
        presets = list(struct.iter_unpack("<20sHHHIII", chunks[b"phdr"]))
        instruments = list(struct.iter_unpack("<20sH", chunks[b"inst"]))
        of_preset = _bags(chunks[b"pbag"], chunks[b"pgen"])
        of_instrument = _bags(chunks[b"ibag"], chunks[b"igen"])
        modulators = list(struct.iter_unpack("<HHhHH", chunks[b"imod"]))
        firsts = [first for _, first in struct.iter_unpack("<HH", chunks[b"ibag"])]
        for zone, first, end in zip(of_instrument, firsts, [*firsts[1:], 0], strict=True):
            for source, target, amount, *_ in modulators[first:end]:
                if (source, target) == (_BY_VELOCITY, _ATTENUATION):
                    zone[_RESPONSE] = amount
        samples = np.frombuffer(chunks[b"smpl"], "<i2")
        place = next(
            number
            for number, preset in enumerate(presets[:-1])
            if preset[1:3] == (program, DRUM_BANK)
        )
        zones = []
        outer_global: Zone = {}
        for outer in of_preset[presets[place][3] : presets[place + 1][3]]:
            if _INSTRUMENT not in outer:
                outer_global = outer
                continue
            chosen = {**outer_global, **outer}
            number = chosen.pop(_INSTRUMENT)
            inner_global: Zone = {}
            for inner in of_instrument[instruments[number][1] : instruments[number + 1][1]]:
                if _SAMPLE not in inner:
                    inner_global = inner
                    continue
                zones.append(_together(chosen, {**inner_global, **inner}))
    except StopIteration:
        raise SoundError(
            f"The SoundFont {path.name} has no such kit (bank {DRUM_BANK}, program {program}). "
            "Choose another kit or SoundFont."
        ) from None
    except (struct.error, KeyError, IndexError, ValueError) as error:
        raise SoundError(
            f"The SoundFont {path.name} is damaged. Copy it again or choose another."
        ) from error
    return headers, zones, samples


def _chunks(content: bytes) -> dict[bytes, bytes]:
    """Every chunk of a RIFF file by its name, those inside lists too."""
    found, at = {}, 12
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        if name == b"LIST":
            at += 12
            continue
        found[name] = content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return found


def _bags(bags: bytes, generators: bytes) -> list[Zone]:
    """The generators of every zone; ranges keep both their bytes, all else is a signed number."""
    starts = [first for first, _ in struct.iter_unpack("<HH", bags)]
    values = [
        (
            kind,
            value
            if kind in (_KEYS, _VELOCITIES, _INSTRUMENT, _SAMPLE)
            else (value ^ 32_768) - 32_768,
        )
        for kind, value in struct.iter_unpack("<HH", generators)
    ]
    return [dict(values[a:b]) for a, b in zip(starts, [*starts[1:], len(values)], strict=True)]


def _together(outer: Zone, inner: Zone) -> Zone:
    """A preset's zone added to its instrument's: ranges cut each other, numbers add up."""
    both = dict(inner)
    for kind, value in outer.items():
        if kind in (_KEYS, _VELOCITIES):
            other = both.get(kind, 127 << 8)
            low, high = max(value & 255, other & 255), min(value >> 8, other >> 8)
            both[kind] = low | high << 8
        else:
            both[kind] = both.get(kind, _USUAL.get(kind, 0)) + value
    return both
