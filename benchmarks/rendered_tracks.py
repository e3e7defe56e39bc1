"""Seeded test tracks with a known grid: our phrases and takes through kits, effects and a band.

A track is a chain of composed phrases (or takes of the groove model) of one style, played by one
kit, with effects; every second one has a bass and a pad that are synthesised over it. Development
tracks and test tracks share no kit and no seed. No sound is kept: a track is made when it is asked
for.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from dj_core.library.library import Library
from dj_core.models.families import load_model
from dj_core.models.request import Feel, GenerationRequest
from dj_core.music.beat import Beat, Hit
from dj_core.music.composer import compose, written_genres, written_phrases
from dj_core.music.genres import GENRE
from dj_core.shaping.attributes import attributes
from dj_core.sound.kit_table import KITS
from dj_core.sound.render import choked, kit_shots

Part = Literal["development", "test"]
Samples = NDArray[np.float32]

TEST_KITS = (
    "standard", "house", "techno", "drum-and-bass", "trap", "boom-bap", "disco", "nine", "afro",
    "jazz",
)  # fmt: skip
DEVELOPMENT_KITS = tuple(name for name in KITS if name not in (*TEST_KITS, "orchestra"))
LOWEST_BPM, HIGHEST_BPM = 60.0, 190.0
SECONDS = 40.0
_RATE_HZ = 44_100
_VELOCITIES = (24, 48, 72, 96, 118)
_RING_SECONDS = 2.5
_PLAYED = ("jazz", "rock", "soul", "funk", "blues", "latin", "hip-hop", "reggae", "pop", "afrobeat")
_FIRST_SEED = {"development": 1, "test": 1_000_001}
_SCALES = ((0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 9, 10))


@dataclass(frozen=True, eq=False)
class TestTrack:
    """A track and all that is known of it.

    Attributes:
        samples: mono, peak .9.
        sample_rate: frames a second.
        beat: the drums from the first bar line on.
        offset_seconds: where that bar line is in `samples`.
        genre, kit: what was played on what.
        has_band: a bass and a pad sound over the drums.
        effects: their names.
    """

    __test__ = False  # no test of pytest's

    samples: Samples
    sample_rate: int
    beat: Beat
    offset_seconds: float
    genre: str
    kit: str
    has_band: bool
    effects: tuple[str, ...]

    @property
    def tempo_bpm(self) -> float:
        """Quarter notes a minute."""
        return self.beat.playing_tempo_bpm

    @property
    def beats(self) -> NDArray[np.float64]:
        """Times of the quarters in seconds."""
        quarters = np.arange(round(self.beat.length_quarters))
        return self.offset_seconds + quarters * 60 / self.tempo_bpm

    @property
    def downbeats(self) -> NDArray[np.float64]:
        """Times of the bar lines in seconds."""
        return self.beats[:: round(self.beat.meter.bar_quarters)]


def track(part: Part, number: int, seconds: float = SECONDS, any_tempo: bool = False) -> TestTrack:
    """One track of a part, the same every time.

    Args:
        part: whose kits and seeds.
        number: 0, 1, 2 …; odd ones have a bass and a pad.
        seconds: at least so long, in whole phrases.
        any_tempo: at any tempo from 60 to 190 BPM, whatever its style; else at one of its style's.
    """
    seed = _FIRST_SEED[part] + number
    draw = np.random.default_rng([seed, 20])
    beat = _drums(seed, draw, seconds, any_tempo)
    kits = DEVELOPMENT_KITS if part == "development" else TEST_KITS
    kit = kits[int(draw.integers(len(kits)))]
    drums = played(beat, kit)
    has_band = number % 2 == 1
    sound = drums
    if has_band:
        sound = drums * draw.uniform(0.6, 1.0) + _band(beat, len(drums), drums, draw)
    sound, effects = _with_effects(sound, draw)
    offset = float(draw.uniform(0, 1.5))
    sound = np.concatenate([np.zeros(round(offset * _RATE_HZ), np.float32), sound])
    sound = sound * np.float32(0.9 / max(float(np.abs(sound).max()), 1e-6))
    return TestTrack(
        sound.astype(np.float32), _RATE_HZ, beat, offset, beat.genre, kit, has_band, effects
    )


def _drums(seed: int, draw: np.random.Generator, seconds: float, any_tempo: bool) -> Beat:
    """A chain of phrases of one style."""
    styles = (*written_genres(), *_PLAYED)
    genre = styles[seed % len(styles)]
    row = GENRE[genre]
    if any_tempo:
        tempo = float(draw.uniform(LOWEST_BPM, HIGHEST_BPM))
    elif row.is_dance:
        tempo = float(draw.uniform(*row.tempo_range_bpm))
    else:
        tempo = row.tempo_bpm * float(draw.uniform(0.85, 1.15))
    tempo = round(float(np.clip(tempo, LOWEST_BPM, HIGHEST_BPM)), int(draw.integers(0, 3)))
    wanted = math.ceil(seconds * tempo / 240)
    phrases: list[Beat] = []
    if row.is_dance:
        material = written_phrases(genre)
        for turn in range(8):
            role = "drop" if turn % 2 else "groove"
            phrases += list(compose(material, role, 1, 977 * seed + turn))
            if sum(phrase.bars for phrase in phrases) >= wanted:
                break
    else:
        model = load_model(Library.open().model(None).folder)
        asked = [
            GenerationRequest(genre=genre, tempo_bpm=tempo, bars=8, seed=seed * 16 + n, feel=Feel())
            for n in range(math.ceil(wanted / 8))
        ]
        phrases = [take.beat for take in model.generate_all(asked)]
    hits: list[Hit] = []
    bars = 0
    for phrase in phrases:
        start = bars * phrase.meter.bar_quarters
        hits += [Hit(hit.onset_quarters + start, hit.lane, hit.velocity) for hit in phrase.hits]
        bars += phrase.bars
    return Beat(tuple(hits), bars, tempo_bpm=tempo, genre=genre, title=f"{genre} {seed}")


@functools.cache
def _shots(kit: str) -> dict[tuple[int, int], Samples]:
    """Mono strokes of a kit by note and velocity."""
    shots = kit_shots(kit, velocities=_VELOCITIES, longest_seconds=_RING_SECONDS)
    return {(shot.note, shot.velocity): shot.samples.mean(axis=1) for shot in shots}


def played(beat: Beat, kit: str) -> Samples:
    """The drums alone, mono, at 44,100 Hz; velocities rounded to five, scaled between."""
    shots = _shots(kit)
    quarter_seconds = 60 / beat.playing_tempo_bpm
    frames = round((beat.duration_seconds + 0.5) * _RATE_HZ)
    sound = np.zeros(frames, np.float32)
    hats = sorted({hit.onset_quarters for hit in beat.hits if hit.drum.family == "hat"})
    for hit in beat.hits:
        level = min(_VELOCITIES, key=lambda one: abs(one - hit.velocity))
        shot = shots.get((hit.drum.note, level))
        if shot is None:
            continue
        if hit.drum.family == "hat":
            later = list(hats[_after(hats, hit.onset_quarters) :][:1])
            if later:
                gap = round((later[0] - hit.onset_quarters) * quarter_seconds * _RATE_HZ)
                shot = choked(shot[:, None], gap, _RATE_HZ)[:, 0]
        at = round(hit.onset_quarters * quarter_seconds * _RATE_HZ)
        part = shot[: frames - at] * np.float32((hit.velocity / level) ** 1.5)
        sound[at : at + len(part)] += part
    return sound


def _after(onsets: list[float], onset: float) -> int:
    return int(np.searchsorted(onsets, onset + 1e-6))


def _band(beat: Beat, frames: int, drums: Samples, draw: np.random.Generator) -> Samples:
    """A bass line and a pad: chords that change with the bars, notes on 8ths and 16ths."""
    quarter = 60 / beat.playing_tempo_bpm * _RATE_HZ
    root = int(draw.integers(28, 41))
    scale = _SCALES[int(draw.integers(len(_SCALES)))]
    bars_a_chord = int(draw.choice([1, 1, 2, 4]))
    degrees = draw.integers(0, len(scale), 4)
    pattern = draw.random(16) < np.where(np.arange(16) % 4 == 0, 0.7, 0.3)
    pattern[0] = True
    swing = attributes(beat).swing / 100 / 2  # the bass plays in the drums' groove
    cutoff, wave = float(draw.uniform(250, 1200)), int(draw.integers(3))
    bass, pad = np.zeros(frames), np.zeros(frames)
    for bar in range(beat.bars):
        degree = int(degrees[bar // bars_a_chord % 4])
        steps = np.flatnonzero(pattern)
        for number, step in enumerate(steps):
            place = step // 2 / 2 + step % 2 * swing
            at = round((bar * 4 + place) * quarter)
            until = steps[number + 1] if number + 1 < len(steps) else 16
            length = round((until - step) / 4 * quarter * 0.9)
            tone = scale[degree] if draw.random() < 0.75 else scale[(degree + 4) % 7]
            note = _tone(root + tone, length, wave, draw.uniform(0.05, 0.4))
            bass[at : at + length] += note[: frames - at]
        if bar % bars_a_chord == 0:
            at, length = round(bar * 4 * quarter), round(bars_a_chord * 4 * quarter)
            for third in (0, 2, 4):
                octave, tone = divmod(degree + third, 7)
                note = _tone(root + 24 + 12 * octave + scale[tone], length, 1, 0)
                attack = min(length, round(draw.uniform(0.02, 0.4) * _RATE_HZ))
                note[:attack] *= np.linspace(0, 1, attack)
                pad[at : at + length] += note[: max(0, frames - at)]
    bass = sosfilt(butter(2, cutoff, "low", fs=_RATE_HZ, output="sos"), bass)
    pad = sosfilt(butter(2, draw.uniform(600, 4000), "low", fs=_RATE_HZ, output="sos"), pad)
    if draw.random() < 0.5:  # ducked under the drums
        follow = lfilter([0.0005], [1, -0.9995], np.abs(drums))
        duck = 1 / (1 + draw.uniform(2, 10) * follow / max(float(follow.max()), 1e-6))
        bass, pad = bass * duck, pad * duck
    loud = float(np.sqrt(np.mean(drums**2)))
    mixed = np.zeros(frames)
    for part, (low, high) in ((bass, (0.5, 1.6)), (pad, (0.3, 1.2))):
        level = float(np.sqrt(np.mean(part**2))) or 1.0
        mixed += part * (loud * draw.uniform(low, high) / level)
    return mixed.astype(np.float32)


def _tone(note: float, frames: int, wave: int, decay_seconds: float) -> NDArray[np.float64]:
    """A note: sine, saw or square; dying away, or held where `decay_seconds` is 0."""
    phase = (440 * 2 ** ((note - 69) / 12) / _RATE_HZ * np.arange(frames)) % 1
    shape = (np.sin(2 * np.pi * phase), 2 * phase - 1, np.where(phase < 0.5, 1.0, -1.0))[wave]
    if decay_seconds:
        shape = shape * np.exp(-np.arange(frames) / (decay_seconds * _RATE_HZ))
    edge = min(frames // 2, 200)
    shape[:edge] *= np.linspace(0, 1, edge)
    shape[frames - edge :] *= np.linspace(1, 0, edge)
    return shape


def _with_effects(sound: Samples, draw: np.random.Generator) -> tuple[Samples, tuple[str, ...]]:
    """Up to three of six effects."""
    names = [
        str(n)
        for n in draw.permutation(["tilt", "drive", "room", "echo", "noise", "squash"])[
            : int(draw.integers(0, 4))
        ]
    ]
    out = sound.astype(np.float64)
    out /= max(float(np.abs(out).max()), 1e-6)
    for name in names:
        if name == "tilt":
            low, high = draw.uniform(20, 90), draw.uniform(5000, 16000)
            out = sosfilt(butter(1, (low, high), "band", fs=_RATE_HZ, output="sos"), out)
        elif name == "drive":
            gain = draw.uniform(1.5, 6)
            out = np.tanh(out * gain) / np.tanh(gain)
        elif name == "room":
            length = round(draw.uniform(0.15, 0.9) * _RATE_HZ)
            tail = draw.standard_normal(length) * np.exp(-5 * np.arange(length) / length)
            wet = fftconvolve(out, tail)[: len(out)]
            wet *= float(np.std(out)) / max(float(np.std(wet)), 1e-9)
            out = out + draw.uniform(0.1, 0.5) * wet
        elif name == "echo":
            gap = round(draw.uniform(0.08, 0.45) * _RATE_HZ)
            out[gap:] += draw.uniform(0.15, 0.4) * out[:-gap].copy()
        elif name == "noise":
            out = out + 10 ** (draw.uniform(-50, -28) / 20) * draw.standard_normal(len(out))
        else:
            follow = np.sqrt(lfilter([0.002], [1, -0.998], out**2))
            out = out / (0.1 + follow / max(float(follow.max()), 1e-9)) ** draw.uniform(0.3, 0.7)
        out /= max(float(np.abs(out).max()), 1e-6)
    return out.astype(np.float32), tuple(names)
