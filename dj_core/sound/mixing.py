"""The mixer in numpy: what `mixer_table` says, done to the sounds of drums.

    strokes --voiced--> a sound per drum --Console.take--> strips, sends
            --Console.before_drive--> ducked, with room, plate and echoes --Console.through_bus-->

The deck does the same in Web Audio (dj_ui/deck/console.js) by the same formulas, which
docs/mixer.md has. Every stage keeps what it needs of the piece before, so that a set can be played
bar by bar; round a loop, what a stage leaves at the end is heard at the start.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dj_core.music.drums import DRUMS, LANE
from dj_core.sound.mixer_table import BUS, CHANNELS, FORMULAS, Mixer, Reverb

Sound = NDArray[np.float32]
"""Shape (frames, 2): left, right; 1.0 is full scale."""
Kick = tuple[int, int]
"""(frame, velocity)"""
_KICK_LANE = LANE["kick"]
_FILTER_REST_SECONDS = 0.6  # in which a filter, at its lowest, falls silent
_FFT_FRAMES = 1 << 18
_SMALLEST = 1e-9  # samples below have the gain of silence


# -- strokes -------------------------------------------------------------------------------------


def voiced(wave: Sound, tune: float, decay: float, sample_rate: int) -> Sound:
    """A stroke `tune` semitones higher, dying away as `decay` (1 as it is) says."""
    if tune:
        wave = _resampled(wave, 2 ** (tune / 12))
    if decay < 1:
        lowest, highest = FORMULAS.decay_seconds
        constant = lowest * (highest / lowest) ** decay * sample_rate
        wave = wave * np.exp(-np.arange(len(wave)) / constant).astype(np.float32)[:, np.newaxis]
    return wave


def _resampled(wave: Sound, ratio: float) -> Sound:
    """The wave read `ratio` times as fast, by a windowed sinc that cuts what would alias."""
    kernel = _kernel(ratio)
    reach = kernel.shape[1] // 2
    places = np.arange(math.floor((len(wave) - 1) / ratio) + 1 if len(wave) else 0) * ratio
    whole = places.astype(np.int64)
    phases = np.rint((places - whole) * FORMULAS.tune_phases).astype(np.int64)
    padded = np.pad(wave, ((reach - 1, reach), (0, 0)))
    heard = np.zeros((len(whole), 2), np.float32)
    for tap in range(2 * reach):
        heard += padded[whole + tap] * kernel[phases, tap, np.newaxis]
    return heard


@functools.lru_cache(maxsize=8)
def _kernel(ratio: float) -> NDArray[np.float32]:
    """The kernel by phase and tap; every phase leaves a constant as it is."""
    cut = min(1.0, 1 / ratio)
    reach = math.ceil(FORMULAS.tune_taps / cut)
    phases = np.arange(FORMULAS.tune_phases + 1) / FORMULAS.tune_phases
    away = np.arange(1 - reach, reach + 1) - phases[:, np.newaxis]
    weights = np.sinc(cut * away) * np.cos(np.clip(away / reach, -1, 1) * np.pi / 2) ** 2
    kernel: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return kernel


# -- stages --------------------------------------------------------------------------------------


def gain_of(level_db: float, off_db: float) -> float:
    """A level in decibels as a factor; at `off_db`, nothing."""
    return 0.0 if level_db <= off_db else 10 ** (level_db / 20)


def pan_gains(pan: float) -> NDArray[np.float32]:
    """A matrix of what left and right get of left and right, as Web Audio pans stereo."""
    angle = (pan + 1 if pan <= 0 else pan) * math.pi / 2
    left, right = math.cos(angle), math.sin(angle)
    rows = [[1, 0], [left, right]] if pan <= 0 else [[left, right], [0, 1]]
    return np.array(rows, np.float32)  # times (frames, 2): rows say where a side goes


def driven(sound: Sound, amount: float) -> Sound:
    """The sound bent by a hyperbolic tangent that leaves `drive_anchor` where it is."""
    steepness = FORMULAS.drive_steepness * amount
    anchor, reach = FORMULAS.drive_anchor, FORMULAS.drive_range
    bent: Sound = np.tanh(np.clip(sound, -reach, reach) * np.float32(steepness))
    bent *= np.float32(anchor / math.tanh(anchor * steepness))
    return bent


class Filter:
    """Biquads one after the other."""

    def __init__(self, sections: Iterable[tuple[float, ...]], sample_rate: int) -> None:
        self._sections = np.array(list(sections))
        self._state = np.zeros((len(self._sections), 2, 2))
        self.rest_frames = round(_FILTER_REST_SECONDS * sample_rate)

    def __call__(self, sound: Sound) -> Sound:
        """The next piece, filtered."""
        from scipy.signal import sosfilt

        heard, self._state = sosfilt(self._sections, sound, axis=0, zi=self._state)
        filtered: Sound = heard.astype(np.float32)
        return filtered


def biquad(
    kind: str, hertz: float, q_db: float, sample_rate: int
) -> tuple[float, float, float, float, float, float]:
    """Coefficients of a 'lowpass', 'highpass' or 'allpass' as Web Audio defines them."""
    turn = 2 * math.pi * hertz / sample_rate
    cosine = math.cos(turn)
    alpha = math.sin(turn) / (2 * 10 ** (q_db / 20))
    scale = 1 / (1 + alpha)
    if kind == "allpass":
        tops = (1 - alpha, -2 * cosine, 1 + alpha)
    else:
        sign = -1 if kind == "lowpass" else 1
        edge = (1 + sign * cosine) / 2
        tops = (edge, -sign * 2 * edge, edge)
    first, second, third = (top * scale for top in tops)
    return first, second, third, 1.0, -2 * cosine * scale, (1 - alpha) * scale


def filter_of(place: float, q_db: float, sample_rate: int) -> Filter | None:
    """The one-knob filter: below 0 a low-pass, above 0 a high-pass; None where it does nothing."""
    if not place:
        return None
    kind = "lowpass" if place < 0 else "highpass"
    open_, shut = FORMULAS.filter_low_hertz if place < 0 else FORMULAS.filter_high_hertz
    return Filter([biquad(kind, open_ * (shut / open_) ** abs(place), q_db, sample_rate)],
                  sample_rate)  # fmt: skip


class Bands:
    """Three bands by Linkwitz-Riley splits of fourth order, each at its own gain."""

    def __init__(self, gains: tuple[float, float, float], sample_rate: int) -> None:
        first, second = FORMULAS.split_hertz
        even = FORMULAS.butterworth_db
        through = [
            [("lowpass", first), ("lowpass", first), ("allpass", second)],
            [("highpass", first), ("highpass", first), ("lowpass", second), ("lowpass", second)],
            [("highpass", first), ("highpass", first), ("highpass", second), ("highpass", second)],
        ]
        self._bands = [
            (Filter([biquad(kind, hertz, even,
                            sample_rate) for kind, hertz in stages], sample_rate), np.float32(gain))
            for stages, gain in zip(through, gains, strict=True)
            if gain
        ]  # fmt: skip
        self.rest_frames = round(_FILTER_REST_SECONDS * sample_rate)

    def __call__(self, sound: Sound) -> Sound:
        """The next piece."""
        heard = np.zeros_like(sound)
        for band, gain in self._bands:
            heard += band(sound) * gain
        return heard


class Delay:
    """Echoes `frames` apart, each through a low-pass, and `feedback` of it again."""

    def __init__(self, frames: int, feedback: float, sample_rate: int) -> None:
        self._frames, self._feedback = frames, np.float32(feedback)
        self._line = np.zeros((frames, 2), np.float32)
        self._filter = Filter(
            [biquad("lowpass", FORMULAS.echo_hertz, FORMULAS.butterworth_db, sample_rate)],
            sample_rate,
        )
        self.rest_frames = frames * echoes_of(feedback)

    def __call__(self, sound: Sound) -> Sound:
        """The next piece: the echoes alone."""
        line = np.concatenate([self._line, np.zeros_like(sound)])
        heard = np.empty_like(sound)
        for start in range(0, len(sound), self._frames):
            part = slice(start, min(start + self._frames, len(sound)))
            heard[part] = self._filter(line[part])
            line[part.start + self._frames : part.stop + self._frames] = (
                sound[part] + self._feedback * heard[part]
            )
        self._line = line[len(sound) :]
        return heard


def echoes_of(feedback: float) -> int:
    """How many echoes are heard."""
    return 1 if feedback <= 0 else 1 + math.ceil(math.log(FORMULAS.echo_floor) / math.log(feedback))


class Reverbs:
    """Room and plate: what was sent to each, on one channel, as they answer, on two."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._ringing = np.zeros((0, 2), np.float32)
        lengths = [round(one.seconds * sample_rate) for one in (FORMULAS.room, FORMULAS.plate)]
        self.rest_frames = max(lengths)

    def __call__(self, room: NDArray[np.float32] | None, plate: NDArray[np.float32] | None,
                 frames: int) -> Sound:  # fmt: skip
        """The next piece; None for one that nothing is sent to."""
        from scipy.fft import irfft, next_fast_len, rfft

        sent = [(one, FORMULAS.room) for one in (room,) if one is not None]
        sent += [(one, FORMULAS.plate) for one in (plate,) if one is not None]
        rest = max((round(one.seconds * self._rate) for _, one in sent), default=0)
        heard = np.zeros((max(frames + rest, len(self._ringing)), 2), np.float32)
        heard[: len(self._ringing)] += self._ringing
        if sent and frames:
            length = next_fast_len(min(frames + rest, max(_FFT_FRAMES, 2 * rest)), real=True)
            step = length - rest
            for start in range(0, frames, step):
                spectra = [
                    (rfft(one[start : start + step], length), _spectrum(of, self._rate, length))
                    for one, of in sent
                ]
                for side in (0, 1):
                    answer = irfft(sum(own * its[side] for own, its in spectra), length)
                    part = heard[start : start + length, side]
                    part += answer[: len(part)]
        self._ringing = heard[frames:]
        return heard[:frames]


@functools.lru_cache(maxsize=8)
def _spectrum(reverb: Reverb, sample_rate: int, length: int) -> NDArray[np.complex64]:
    from scipy.fft import rfft

    spectrum: NDArray[np.complex64] = rfft(impulse_response(reverb, sample_rate).T, length, axis=1)
    return spectrum


@functools.lru_cache(maxsize=8)
def impulse_response(reverb: Reverb, sample_rate: int) -> Sound:
    """A reverb's impulse response, of which the deck makes the same."""
    from scipy.signal import lfilter

    frames = round(reverb.seconds * sample_rate)
    seconds = np.arange(frames) / sample_rate
    shape = 10 ** (-3 * seconds / reverb.fall_seconds) * np.minimum(
        1, seconds / reverb.rise_seconds
    )
    low = math.exp(-2 * math.pi * reverb.low_hertz / sample_rate)
    high = math.exp(-2 * math.pi * reverb.high_hertz / sample_rate)
    response = np.zeros((frames, 2))
    for side in (0, 1):
        wave = noise(frames, reverb.seed + side) * shape
        wave = lfilter([1 - high], [1, -high], wave)
        wave = wave - lfilter([1 - low], [1, -low], wave)
        wave *= math.sqrt(reverb.energy / np.square(wave).sum())
        for tap in reverb.taps:
            wave[round(tap[0] * sample_rate)] += tap[1 + side] * math.sqrt(reverb.energy)
        response[:, side] = wave
    return response.astype(np.float32)


def noise(frames: int, seed: int) -> NDArray[np.float64]:
    """White noise from -1 to 1 by an integer hash (Murmur3's finaliser) of each frame's number."""
    mixed = np.arange(frames, dtype=np.uint32) + np.uint32((seed * 0x9E3779B9) & 0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(factor)
    mixed ^= mixed >> np.uint32(16)
    return mixed.astype(np.float64) / 2**31 - 1


def duck_line(
    dips: Iterable[tuple[float, float]], attack: float, release: float
) -> list[tuple[float, float]]:
    """The gain of what ducks, as points of (seconds, gain) with straight lines between.

    Args:
        dips: (seconds, gain) in order: from then on it falls to that gain in `attack` seconds, and
            is back `release` seconds later.
    """
    points: list[tuple[float, float]] = []
    for start, gain in dips:
        here = 1.0
        if points:
            times, gains = zip(*points[-3:], strict=True)
            here = float(np.interp(start, times, gains))
            points = [point for point in points if point[0] < start]
        points += [(start, here), (start + attack, gain), (start + attack + release, 1.0)]
    return points


# -- the whole -----------------------------------------------------------------------------------


class Console:
    """A mixer at work on a beat, piece after piece.

    Args of the class:
        mixer: the settings.
        tempo_bpm: the beat's; echoes and ducking are timed by it.
        sample_rate: frames per second.
        loop: every piece is a whole loop, which sounds as it does the second time round.
    """

    def __init__(
        self, mixer: Mixer, tempo_bpm: float, sample_rate: int, *, loop: bool = False
    ) -> None:
        self._mixer, self._rate, self._loop = mixer, sample_rate, loop
        self._quarter_seconds = 60 / tempo_bpm
        self._bus = bus = mixer.values(BUS)
        self._strips: dict[int, Filter | None] = {}
        self._reverbs = Reverbs(sample_rate)
        echo = round(bus["delay_time"] * self._quarter_seconds * sample_rate)
        self._delay = Delay(echo, bus["feedback"], sample_rate)
        self._bands: Bands | None = None
        if bus["low"] or bus["mid"] or bus["high"]:
            low, mid, high = (
                gain_of(bus[name], CHANNELS[BUS][name].low) for name in ("low", "mid", "high")
            )
            self._bands = Bands((low, mid, high), sample_rate)
        self._filter = filter_of(bus["filter"], FORMULAS.bus_q_db, sample_rate)
        self._dips: list[tuple[float, float]] = []  # before this piece, in seconds from its start
        self._used = {name for of, name, _ in mixer.changes if of != BUS}
        self._clear()

    def _clear(self) -> None:
        self._kick: Sound | None = None
        self._others: Sound | None = None
        self._sends: dict[str, NDArray[np.float32]] = {}

    @property
    def rest_frames(self) -> int:
        """How long it is heard after the last stroke has died away."""
        filters = round(_FILTER_REST_SECONDS * self._rate)
        return filters + max(
            self._reverbs.rest_frames if self._used & {"room", "plate"} else 0,
            self._delay.rest_frames if "delay" in self._used else 0,
        )

    def take(self, lane: int, sound: Sound) -> None:
        """A drum's part of this piece, to its strip."""
        strip = self._mixer.values(DRUMS[lane].name)
        if strip["drive"]:
            sound = driven(sound, strip["drive"])
        if lane not in self._strips:
            self._strips[lane] = filter_of(strip["filter"], FORMULAS.strip_q_db, self._rate)
        if (stage := self._strips[lane]) is not None:
            sound = self._through(stage, sound)
        level = gain_of(strip["level"], CHANNELS[DRUMS[lane].name]["level"].low)
        if strip["pan"]:
            sound = sound @ (pan_gains(strip["pan"]) * np.float32(level))
        elif level != 1:
            sound = sound * np.float32(level)
        if lane == _KICK_LANE:
            self._kick = sound
        else:
            self._others = sound.copy() if self._others is None else self._others + sound
        for name in ("room", "plate", "delay"):
            if strip[name]:
                sent = sound * np.float32(strip[name] * self._bus[name])
                if name != "delay":  # reverbs hear one channel
                    sent = (sent[:, 0] + sent[:, 1]) * np.float32(0.5)
                known = self._sends.get(name)
                self._sends[name] = sent if known is None else known + sent

    def before_drive(self, frames: int, kicks: Iterable[Kick]) -> Sound:
        """What was taken, `frames` long, with its room, plate and echoes, ducked by the kicks."""
        heard = np.zeros((frames, 2), np.float32)
        if self._others is not None:
            heard += self._others
        if "delay" in self._used:
            sent = self._sends.get("delay")
            heard += self._through(self._delay, np.zeros_like(heard) if sent is None else sent)
        if self._used & {"room", "plate"}:
            heard += self._reverbs(self._sends.get("room"), self._sends.get("plate"), frames)
            if self._loop:
                heard += _folded(self._reverbs(None, None, self._reverbs.rest_frames), frames)
        if self._bus["duck"]:
            heard *= self._ducked(frames, kicks)[:, np.newaxis]
        if self._kick is not None:
            heard += self._kick
        self._clear()
        return heard

    def drive_gain(self, sound: Sound) -> Sound | None:
        """What the bus's drive multiplies each sample with; None for nothing.

        Parts of a sound that are each multiplied with it add up to the driven sound.
        """
        amount = self._bus["drive"]
        if not amount:
            return None
        steepness, anchor = FORMULAS.drive_steepness * amount, FORMULAS.drive_anchor
        still = np.float32(steepness * anchor / math.tanh(anchor * steepness))
        gain = np.full_like(sound, still)
        np.divide(driven(sound, amount), sound, out=gain, where=np.abs(sound) > _SMALLEST)
        return gain

    def through_bus(self, sound: Sound, gain: Sound | None) -> Sound:
        """A sound through the rest of the bus: drive (its gain), the three bands, the filter."""
        if gain is not None:
            sound = sound * gain
        for stage in (self._bands, self._filter):
            if stage is not None:
                sound = self._through(stage, sound)
        return sound

    def play(self, frames: int, kicks: Iterable[Kick]) -> Sound:
        """What was taken, as it leaves the mixer."""
        sound = self.before_drive(frames, kicks)
        return self.through_bus(sound, self.drive_gain(sound))

    def _through(self, stage: Filter | Bands | Delay, sound: Sound) -> Sound:
        heard = stage(sound)
        if self._loop:
            heard += _folded(stage(np.zeros((stage.rest_frames, 2), np.float32)), len(sound))
        return heard

    def _ducked(self, frames: int, kicks: Iterable[Kick]) -> NDArray[np.float32]:
        dips: dict[float, float] = {}
        for frame, velocity in kicks:
            seconds = frame / self._rate
            gain = 1 - self._bus["duck"] * velocity / 127
            dips[seconds] = min(gain, dips.get(seconds, 1.0))
        now = sorted(dips.items())
        length = frames / self._rate
        before = [(start - length, gain) for start, gain in now] if self._loop else self._dips
        attack = FORMULAS.duck_attack_seconds
        release = self._bus["duck_time"] * self._quarter_seconds
        self._dips = [(start - length, gain) for start, gain in (before + now)
                      if start - length > -attack - release - length]  # fmt: skip
        points = duck_line(before + now, attack, release)
        if not points:
            return np.ones(frames, np.float32)
        times, gains = zip(*points, strict=True)
        line: NDArray[np.float32] = np.interp(np.arange(frames) / self._rate, times, gains).astype(
            np.float32
        )
        return line


def _folded(rest: Sound, frames: int) -> Sound:
    """What sounds on after a loop's end, on top of each other as it comes round."""
    whole = np.zeros((-(-len(rest) // frames) * frames, 2), np.float32)
    whole[: len(rest)] = rest
    folded: Sound = whole.reshape(-1, frames, 2).sum(axis=0)
    return folded
