"""What the transcriber learns from: performances played by many kits, under effects, bass and pads.

Strokes are mixed in numpy from one-shots that are made once: of our kits, of kits drawn at random
around them, and of a SoundFont's. Every clip has a kit, a sound and an equaliser of its own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import fftconvolve, lfilter

from dj_core.files.midi import read_midi
from dj_core.listening.drum_features import (
    HOP,
    RATE_HZ,
    band_centres_hz,
    drum_features,
    levelled,
)
from dj_core.listening.drum_network import KINDS, VOICES
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS, LANE
from dj_core.music.patterns import load_patterns
from dj_core.sound.kits.building import strokes
from dj_core.sound.kits.recipes import Part, Recipe
from dj_core.sound.render import Striker

Sound = NDArray[np.float32]
HELD_OUT_KITS = ("house", "techno", "drum-and-bass", "boom-bap", "trap")
"""Kits of ours that no clip is played by; the figures are of them."""
TUNING_KITS = ("tech-house", "disco", "lo-fi")
"""Kits of ours by which thresholds are chosen."""
HELD_OUT_PHRASES = ("house", "trap", "breakbeat", "drum-and-bass", "afro-house", "reggaeton")
"""Phrases and starter patterns of these styles that no clip plays."""
HYDROGEN_KITS = (
    "ColomboAcousticDrumkit", "rumpf_kit_z01_h2", "BJA_Pacific", "Audiophob", "ElectricEmpireKit",
    "HardElectro1", "VariBreaks",
)  # fmt: skip
"""Kits of Debian's hydrogen-drumkits to learn from: CC0, CC BY (SA), or free to be mixed."""
HYDROGEN_TUNING_KITS = ("Millo-Drums_v.1", "The Black Pearl 1.0", "ForzeeStereo")
"""Kits of the same package by which thresholds are chosen."""
_HYDROGEN_WORDS = (
    ("tambourine", "tambourin"), ("cowbell", "cowbell|agogo"), ("conga", "conga|bongo"),
    ("clap", "clap"), ("side_stick", "side stick|rim click|^stick|- stick"),
    ("pedal_hat", "(hh|hat).*(pd|pedal)|pedal.*(hh|hat)"),
    ("open_hat", "(hh|hat).*(op|free)|(open).*(hh|hat)|ohh"),
    ("closed_hat", "hh|hat"), ("kick", "kick|bass ?drum"),
    ("low_tom", "tom.*(low|floor)|(low|floor).*tom"), ("high_tom", "tom.*hi|(hi|high).*tom|tom 1"),
    ("mid_tom", "tom"), ("ride", "^(?!.*crash).*ride"), ("crash", "crash|cymbal|splash|china"),
    ("snare", "snare|redo"),
)  # fmt: skip
"""What an instrument of that name is; the first that fits."""
LAYERS = (24, 56, 90, 120)
CLIP_SECONDS = 6.0
CLIP_FRAMES = round(CLIP_SECONDS * RATE_HZ / HOP)
_LONGEST_SECONDS = 1.6
_TAIL_SECONDS = 1.5  # what still rings when a clip begins
SAME_STROKE_SECONDS = 0.015
VOICE_OF = {drum: place for place, drums in enumerate(VOICES.values()) for drum in drums}
_VOICE_OF_LANE = np.array([VOICE_OF[drum.name] for drum in DRUMS])
_KIND_OF_LANE = np.array([KINDS.index(drum.name) if drum.name in KINDS else -1 for drum in DRUMS])
_HATS = np.array([drum.family == "hat" for drum in DRUMS])


@dataclass(frozen=True, eq=False)
class Performance:
    """Strokes in time.

    Attributes:
        seconds, lanes, velocities: of each stroke, in order of time.
        length_seconds: to the last bar line.
    """

    seconds: NDArray[np.float64]
    lanes: NDArray[np.int64]
    velocities: NDArray[np.int64]
    length_seconds: float

    @classmethod
    def of(cls, beat: Beat, tempo_bpm: float | None = None) -> Performance:
        """A beat at its own tempo, or at another."""
        quarter = 60 / (tempo_bpm or beat.playing_tempo_bpm)
        rows = np.array([(hit.onset_quarters, hit.lane, hit.velocity) for hit in beat.hits])
        seconds, lanes, velocities = rows.reshape(-1, 3).T
        return cls(
            seconds * quarter,
            lanes.astype(int),
            velocities.astype(int),
            beat.length_quarters * quarter,
        )


# --- what is played ---------------------------------------------------------------------------


def groove_beats(folder: Path, split: str) -> list[Beat]:
    """The Groove MIDI Dataset's performances of a split, at their tempo."""
    with (folder / "info.csv").open() as sheet:
        rows = [row for row in csv.DictReader(sheet) if row["split"] == split]
    return [read_midi(folder / row["midi_filename"]).at_tempo(float(row["bpm"])) for row in rows]


def phrases(held_out: bool) -> list[Beat]:
    """Our phrases and starter patterns, those of the held-out styles or the others."""
    folder = Path(__file__).resolve().parents[1] / "assets" / "phrases"
    beats = [*load_patterns(), *load_patterns(folder)]
    return [beat for beat in beats if (beat.genre in HELD_OUT_PHRASES) == held_out]


# --- kits -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class DrumKit:
    """One-shots: by lane, a mono sound for each of `LAYERS`, and how their level follows velocity.

    Attributes:
        shots: by lane; a lane without shots is played by another kit.
        natural: their levels are those of the layers' velocities already.
    """

    shots: Sequence[Sequence[Sound]]
    natural: bool


def played_kit(kit: str, soundfont: Path | None = None) -> DrumKit:
    """A kit as FluidSynth plays it."""
    longest = round(_LONGEST_SECONDS * RATE_HZ)
    with Striker(kit, soundfont, RATE_HZ) as striker:
        return DrumKit(
            [
                [_trimmed(striker.strike(drum.note, layer, longest)) for layer in LAYERS]
                for drum in DRUMS
            ],
            natural=True,
        )


def drawn_kit(rng: np.random.Generator, known: Sequence[Recipe]) -> DrumKit:
    """A kit that nobody has heard: each drum's numbers are drawn around those of one of ours."""
    shots: list[list[Sound]] = []
    for drum in DRUMS:
        while True:
            recipe = known[rng.integers(len(known))]
            part = recipe.parts[drum.name]
            changed: dict[str, Any] = {}
            for one in fields(part.voice):
                value = getattr(part.voice, one.name)
                if one.name in ("longest_ms", "bits", "rate_hz") or not value:
                    continue
                if one.name.endswith("_db"):
                    changed[one.name] = value + rng.normal(0, 3)
                else:
                    changed[one.name] = value * np.exp(rng.normal(0, 0.35))
            odd = replace(part.voice, **changed)
            row = replace(
                recipe,
                seed=int(rng.integers(10**6)),
                parts={drum.name: Part(odd, part.level_db, 0)},
            )
            try:
                with np.errstate(over="raise", divide="raise", invalid="raise"):
                    made = strokes(row, drum.name)
            except (ValueError, FloatingPointError, ZeroDivisionError, IndexError):
                continue
            sounds = [
                _trimmed(np.float32(10 ** (part.level_db / 20)) * made[layer]) for layer in range(4)
            ]
            if all(len(sound) and np.isfinite(sound).all() for sound in sounds):
                break
        shots.append(sounds)
    return DrumKit(shots, natural=False)


def sampled_kits(folder: Path, rng: np.random.Generator, like: DrumKit) -> list[DrumKit]:
    """Kits of a Hydrogen drum kit's folder, as many as it has instruments of one drum (up to six).

    Args:
        folder: with its drumkit.xml.
        rng: draws the instruments.
        like: a kit whose drums are as loud as these shall be.
    """
    text = (folder / "drumkit.xml").read_text(errors="replace")
    found: dict[str, list[list[Sound]]] = {}
    for part in ElementTree.fromstring(re.sub(r' xmlns="[^"]+"', "", text)).iter("instrument"):
        name = (part.findtext("name") or "").lower()
        drum = next((drum for drum, words in _HYDROGEN_WORDS if re.search(words, name)), None)
        layers = [(float(one.findtext("max") or 1), one) for one in part.iter("layer")] or [
            (1, part)
        ]
        files = [one.findtext("filename") for _, one in sorted(layers, key=lambda row: row[0])]
        if drum is None or "roll" in name or not files or not all(files):
            continue
        sounds = []
        for file in np.array(files)[
            np.linspace(0, len(files) - 1, len(LAYERS)).round().astype(int)
        ]:
            sound, rate = soundfile.read(folder / file, dtype="float32", always_2d=True)
            mono = sound.mean(axis=1)[: round(_LONGEST_SECONDS * rate)]
            places = np.arange(0, len(mono) - 1, rate / RATE_HZ)
            mono = np.interp(places, np.arange(len(mono)), mono).astype(np.float32)
            loud = np.flatnonzero(np.abs(mono) > 0.03 * np.abs(mono).max(initial=1e-9))
            shot = _trimmed(mono[max(0, int(loud[0]) - 20) if len(loud) else 0 :])
            peak = np.abs(like.shots[LANE[drum]][-1]).max(initial=1e-3)
            sounds.append(shot * np.float32(peak / np.abs(shot).max(initial=1e-9)))
        found.setdefault(drum, []).append(sounds)
    count = min(6, max(len(rows) for rows in found.values()))
    return [
        DrumKit(
            [
                found[d.name][rng.integers(len(found[d.name]))] if d.name in found else []
                for d in DRUMS
            ],
            natural=False,
        )
        for _ in range(count)
    ]


def _trimmed(stroke: NDArray[Any]) -> Sound:
    """A stroke in mono, until it is 56 dB below its peak, faded out."""
    mono = stroke.mean(axis=1) if stroke.ndim == 2 else stroke
    mono = mono[: round(_LONGEST_SECONDS * RATE_HZ)].astype(np.float32)
    heard = np.flatnonzero(np.abs(mono) > 1.6e-3 * np.abs(mono).max(initial=0))
    mono = mono[: int(heard[-1]) + 1 if len(heard) else 0].copy()
    fade = min(len(mono), 800)
    mono[len(mono) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return mono


# --- what is played beside the drums -----------------------------------------------------------


def bass_and_pad(rng: np.random.Generator, seconds: float, tempo_bpm: float | None = None) -> Sound:
    """A bass line over a pad, and at times a plucked figure, in one key; about 0.1 RMS."""
    frames = round(seconds * RATE_HZ)
    step = 60 / (tempo_bpm or rng.uniform(70, 180)) / int(rng.choice([1, 2, 2, 4]))
    root = rng.uniform(36, 62)
    scale = np.array([0, 3, 5, 7, 10, 12])
    total = np.zeros(frames, np.float32)
    parts = [("bass", 1.0), ("pad", rng.uniform(0.3, 1.0))]
    if rng.random() < 0.4:
        parts.append(("pluck", rng.uniform(0.2, 0.8)))
    for kind, level in parts:
        layer = np.zeros(frames, np.float32)
        if kind == "pad":
            length, places = 4 * 60 / 120, np.arange(0, seconds, 4 * 60 / 120)
        else:
            length = step
            places = np.arange(0, seconds, step)
            places = places[rng.random(len(places)) < rng.uniform(0.4, 1)]
        shape, cutoff = (
            rng.choice(["sine", "saw", "square"]),
            np.exp(rng.uniform(np.log(200), np.log(3000))),
        )
        for start in places:
            hold = min(length * rng.uniform(0.5, 1.1), seconds - start)
            size = round(hold * RATE_HZ)
            if size < 64:
                continue
            time = np.arange(size) / RATE_HZ
            notes = {
                "bass": [0],
                "pad": [12, 12 + scale[2], 12 + scale[3]],
                "pluck": [24 + scale[rng.integers(6)]],
            }[kind]
            shift = scale[rng.integers(6)] * (kind != "pluck")
            tone = np.zeros(size)
            for note in notes:
                for cents in (0, 8) if kind == "pad" else (0,):
                    hertz = root * 2 ** ((note + shift + cents / 100) / 12)
                    phase = (time * hertz + rng.random()) % 1
                    tone += {"sine": np.sin(2 * np.pi * phase), "saw": 2 * phase - 1,
                             "square": np.sign(phase - 0.5)}[str(shape)]  # fmt: skip
            attack = 0.2 if kind == "pad" else rng.uniform(0.002, 0.02)
            envelope = np.minimum(1, time / attack) * np.minimum(1, (hold - time) / 0.02)
            if kind == "pluck":
                envelope *= np.exp(-time / 0.15)
            begin = round(start * RATE_HZ)
            tone = (tone * envelope)[: frames - begin]
            layer[begin : begin + len(tone)] += tone
        pole = np.exp(-2 * np.pi * cutoff / RATE_HZ)
        for _ in range(2):
            layer = lfilter([1 - pole], [1, -pole], layer).astype(np.float32)
        total += layer * np.float32(level / (np.sqrt(np.square(layer).mean()) + 1e-9))
    return (total * (0.1 / (np.sqrt(np.square(total).mean()) + 1e-9))).astype(np.float32)


# --- clips --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip and what is played in it.

    Attributes:
        levels: as `drum_features` gives them, as 16-bit floats.
        seconds, lanes, velocities: of its strokes.
    """

    levels: NDArray[np.float16]
    seconds: NDArray[np.float64]
    lanes: NDArray[np.int64]
    velocities: NDArray[np.int64]


class Mixer:
    """Makes clips: which performances, kits and backings there are is settled at the start."""

    def __init__(
        self,
        pools: Sequence[tuple[float, Sequence[Performance]]],
        kits: Sequence[tuple[float, Sequence[DrumKit]]],
        seed: int,
        backings: int = 120,
        as_played: bool = False,
    ) -> None:
        """Args: pools and kits, each with its share; the seed of all draws.

        `as_played`: no drum is exchanged, kits are as they are, and nothing is done to the sound
        but that half of the clips have a bass and a pad.
        """
        self.rng = np.random.default_rng(seed)
        self._as_played = as_played
        self._pools, self._kits = pools, kits
        self._backings = [bass_and_pad(self.rng, CLIP_SECONDS) for _ in range(backings)]
        self._octaves = np.log2(band_centres_hz())

    @property
    def performances(self) -> list[Performance]:
        """All that it plays."""
        return [one for _, pool in self._pools for one in pool]

    def clip(self) -> Clip:
        """One clip."""
        rng = self.rng
        strokes_ = self._strokes()
        sound = self._played(*strokes_)
        seconds, lanes, velocities = strokes_
        inside = (seconds >= 0) & (seconds < CLIP_SECONDS)
        if self._as_played:
            levels = drum_features(levelled(self._backed(sound, rng.uniform(-6, 0))))
        else:
            levels = drum_features(levelled(self._produced(sound)), self._equaliser())
            levels = levels + np.float32(rng.uniform(-0.03, 0.03))
        return Clip(
            levels[:CLIP_FRAMES].astype(np.float16),
            seconds[inside],
            lanes[inside],
            velocities[inside],
        )

    def _strokes(self) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """A stretch of a performance, its drums exchanged at times."""
        rng = self.rng
        shares = np.array([share for share, _ in self._pools])
        pool = self._pools[rng.choice(len(shares), p=shares / shares.sum())][1]
        played = pool[rng.integers(len(pool))]
        stretch = rng.uniform(0.8, 1.25)
        times = int(np.ceil((CLIP_SECONDS + _TAIL_SECONDS) / (played.length_seconds * stretch))) + 1
        start = rng.uniform(0, played.length_seconds)
        seconds = (played.seconds + np.arange(times)[:, None] * played.length_seconds).ravel()
        seconds = (seconds - start) * stretch
        lanes, velocities = np.tile(played.lanes, times), np.tile(played.velocities, times)
        if rng.random() < 0.12:  # from the start, as a loop in a file
            seconds = (played.seconds + np.arange(times)[:, None] * played.length_seconds).ravel()
            seconds = seconds * stretch + rng.choice([0.0, rng.uniform(0, 0.5)])
        keep = (seconds > -_TAIL_SECONDS) & (seconds < CLIP_SECONDS)
        seconds, lanes, velocities = seconds[keep], lanes[keep].copy(), velocities[keep]
        if self._as_played:
            order = np.argsort(seconds, kind="stable")
            return seconds[order], lanes[order], velocities[order]
        for drum, other, chance in _EXCHANGES:
            if rng.random() < chance:
                lanes[lanes == LANE[drum]] = LANE[other]
        if rng.random() < 0.15:  # a clap over the snare
            doubled = lanes == LANE["snare"]
            doubled &= velocities > 60
            seconds = np.concatenate([seconds, seconds[doubled] + rng.uniform(-0.004, 0.004)])
            velocities = np.concatenate([velocities, velocities[doubled]])
            lanes = np.concatenate([lanes, np.full(doubled.sum(), LANE["clap"])])
        if rng.random() < 0.45:  # a drum that nobody played
            lane = LANE[_ADDED[rng.integers(len(_ADDED))]]
            if rng.random() < 0.5 and len(seconds):
                places = seconds[rng.random(len(seconds)) < rng.uniform(0.05, 0.5)]
            else:
                step = rng.uniform(0.09, 0.5)
                places = np.arange(rng.uniform(-1, 0), CLIP_SECONDS, step)
                places = places[rng.random(len(places)) < rng.uniform(0.1, 1)]
                places = places + rng.normal(0, 0.004, len(places))
            seconds = np.concatenate([seconds, places])
            lanes = np.concatenate([lanes, np.full(len(places), lane)])
            velocities = np.concatenate([velocities, rng.integers(30, 127, len(places))])
        order = np.argsort(seconds, kind="stable")
        return seconds[order], lanes[order], velocities[order]

    def _played(
        self,
        seconds: NDArray[np.float64],
        lanes: NDArray[np.int64],
        velocities: NDArray[np.int64],
    ) -> Sound:
        """Strokes by a kit of their own."""
        rng = self.rng
        shares = np.array([share for share, _ in self._kits])

        def any_kit(lane: int | None = None) -> DrumKit:
            while True:
                kits = self._kits[rng.choice(len(shares), p=shares / shares.sum())][1]
                one = kits[rng.integers(len(kits))]
                if lane is None or one.shots[lane]:
                    return one

        kit, mixed = any_kit(), not self._as_played and rng.random() < 0.35
        frames, tail = round(CLIP_SECONDS * RATE_HZ), round(_TAIL_SECONDS * RATE_HZ)
        sound = np.zeros(frames + tail, np.float32)
        flatter, exponent = rng.uniform(-1.2, 0.1), rng.uniform(0.8, 2.2)
        if self._as_played:
            flatter, exponent = 0.0, rng.uniform(1.2, 2)
        hat_ends = np.sort(seconds[_HATS[lanes]])
        chokes = rng.random() < 0.85
        tuned: dict[tuple[int, int], Sound] = {}
        own: dict[int, tuple[DrumKit, float, float, float]] = {}
        besides: dict[int, tuple[DrumKit, float]] = {}
        tones: dict[int, tuple[float, float]] = {}
        for second, lane, velocity in zip(seconds, lanes, velocities, strict=True):
            if lane not in own:
                if not self._as_played and rng.random() < 0.25:  # two drums as one
                    besides[lane] = any_kit(lane), 10 ** (rng.normal(-4, 4) / 20)
                if not self._as_played and rng.random() < 0.35:  # duller or brighter
                    tones[lane] = rng.uniform(-0.85, 2.5), np.exp(rng.uniform(5, 8.7))
                its = kit if kit.shots[lane] and not mixed else any_kit(lane)
                own[lane] = (its, 1.0, 1.0, 0.0)
                if not self._as_played:
                    own[lane] = (
                        its,
                        2 ** rng.normal(0, 0.18),  # pitch
                        10 ** (rng.normal(0, 3) / 20),
                        rng.choice([0, 0, 0, 2, 6]) * rng.random(),  # damping
                    )
            of, pitch, gain, damping = own[lane]
            layer = int(np.searchsorted((40, 73, 105), velocity))
            if (lane, layer) not in tuned:
                shot = of.shots[lane][layer]
                if lane in besides:
                    other, share = besides[lane]
                    added = other.shots[lane][layer]
                    peak = np.abs(added).max(initial=1e-9)
                    added = added * np.float32(share * np.abs(shot).max(initial=0) / peak)
                    both = np.zeros(max(len(shot), len(added)), np.float32)
                    both[: len(shot)] += shot
                    both[: len(added)] += added
                    shot = both
                if lane in tones:
                    gain_, hertz = tones[lane]
                    pole = np.exp(-2 * np.pi * hertz / RATE_HZ)
                    low = lfilter([1 - pole], [1, -pole], shot)
                    shot = (shot + np.float32(gain_) * low) / max(1.0, 1 + 0.5 * gain_)
                places = np.arange(0, max(1, len(shot) - 1), pitch)
                shot = np.interp(places, np.arange(len(shot)), shot) if len(shot) else np.zeros(1)
                shot = shot * np.exp(-damping * places / RATE_HZ) if damping else shot
                tuned[lane, layer] = shot.astype(np.float32)
            shot = tuned[lane, layer]
            if of.natural:
                level = (velocity / LAYERS[layer]) ** 2 * (velocity / 100) ** flatter
            else:
                level = (velocity / 110) ** exponent
            begin = tail + round(second * RATE_HZ)
            if not 0 <= begin < len(sound):
                continue
            if chokes and _HATS[lane]:
                after = np.searchsorted(hat_ends, second + 1e-6)
                if after < len(hat_ends):
                    size = round((hat_ends[after] - second) * RATE_HZ) + 880
                    if size < len(shot):
                        shot = shot[:size].copy()
                        shot[-880:] *= np.linspace(1, 0, min(880, size), dtype=np.float32)
            part = shot[: len(sound) - begin]
            sound[begin : begin + len(part)] += part * np.float32(level * gain)
        return sound[tail:]

    def _produced(self, sound: Sound) -> Sound:
        """What a producer does to drums, and what is played beside them."""
        rng = self.rng
        rms = float(np.sqrt(np.square(sound).mean())) + 1e-6
        if rng.random() < 0.25:  # soft clipping
            drive = rng.uniform(2, 12) * rms
            sound = np.tanh(sound / drive).astype(np.float32) * np.float32(drive)
        if rng.random() < 0.3:  # a compressor
            pole = np.exp(-1 / (rng.uniform(0.02, 0.2) * RATE_HZ))
            envelope = np.sqrt(lfilter([1 - pole], [1, -pole], np.square(sound)) + 1e-9)
            sound = (sound * (1 + envelope / rms) ** -rng.uniform(0.2, 0.8)).astype(np.float32)
        if rng.random() < 0.3:  # a room
            size = round(rng.uniform(0.1, 0.9) * RATE_HZ)
            response = rng.normal(0, 1, size) * np.exp(-np.linspace(0, 6.9, size))
            response *= rng.uniform(0.05, 0.5) / np.sqrt(np.square(response).sum())
            late = round(rng.uniform(0, 0.02) * RATE_HZ)
            wet = fftconvolve(sound, response.astype(np.float32))[: len(sound) - late]
            sound = sound.copy()
            sound[late:] += wet.astype(np.float32)
        rms = float(np.sqrt(np.square(sound).mean())) + 1e-6
        sound = self._backed(sound, rng.uniform(-14, 3))
        if rng.random() < 0.6:
            level = rms * 10 ** (rng.uniform(-60, -22) / 20)
            sound = sound + rng.standard_normal(len(sound), np.float32) * np.float32(level)
        return sound

    def _backed(self, sound: Sound, level_db: float) -> Sound:
        """Half of the time with a bass and a pad, at that level beside it."""
        rng = self.rng
        if rng.random() < 0.5:
            return sound
        rms = float(np.sqrt(np.square(sound).mean())) + 1e-6
        backing = self._backings[rng.integers(len(self._backings))]
        backing = np.roll(backing, rng.integers(len(backing)))
        return sound + backing * np.float32(10 * rms * 10 ** (level_db / 20))

    def _equaliser(self) -> NDArray[np.float32] | None:
        """Gains of bands: a few broad bells, at times a low or a high cut."""
        rng = self.rng
        if rng.random() < 0.25:
            return None
        octaves, curve_db = self._octaves, np.zeros(len(self._octaves))
        for _ in range(rng.integers(1, 4)):
            width = rng.uniform(0.6, 2.5)
            curve_db += rng.normal(0, 5) * np.exp(
                -(((octaves - rng.uniform(5.5, 13.8)) / width) ** 2)
            )
        if rng.random() < 0.2:
            curve_db -= 24 * np.maximum(0, octaves - np.log2(rng.uniform(5_000, 15_000)))
        if rng.random() < 0.1:
            curve_db -= 18 * np.maximum(0, np.log2(rng.uniform(40, 150)) - octaves)
        return (10 ** (curve_db / 20)).astype(np.float32)


_EXCHANGES = (
    ("snare", "clap", 0.12), ("snare", "side_stick", 0.06), ("side_stick", "snare", 0.2),
    ("clap", "snare", 0.2), ("closed_hat", "shaker", 0.05), ("closed_hat", "tambourine", 0.04),
    ("closed_hat", "ride", 0.08), ("pedal_hat", "closed_hat", 0.2), ("open_hat", "crash", 0.05),
    ("closed_hat", "open_hat", 0.04), ("ride", "closed_hat", 0.15), ("ride", "cowbell", 0.06),
    ("ride", "crash", 0.05), ("low_tom", "mid_tom", 0.15), ("high_tom", "mid_tom", 0.15),
    ("high_tom", "conga", 0.05), ("mid_tom", "low_tom", 0.1), ("conga", "high_tom", 0.2),
    ("shaker", "closed_hat", 0.2), ("tambourine", "closed_hat", 0.1),
)  # fmt: skip
"""Drums that now and then play what another played, and how often."""
_ADDED = (
    "low_tom", "low_tom", "mid_tom", "mid_tom", "high_tom", "high_tom", "crash", "crash", "crash",
    "ride", "ride", "cowbell", "conga", "tambourine", "shaker", "clap", "open_hat", "side_stick",
    "pedal_hat",
)  # fmt: skip


def merged(
    seconds: Iterable[float], lanes: Iterable[int], velocities: Iterable[int]
) -> list[tuple[float, int, int, int]]:
    """Strokes as (second, voice, kind or -1, velocity); of one voice's at once, the hardest."""
    last: dict[int, tuple[float, int, int, int]] = {}
    found = []
    for second, lane, velocity in zip(seconds, lanes, velocities, strict=True):
        voice = int(_VOICE_OF_LANE[lane])
        stroke = (float(second), voice, int(_KIND_OF_LANE[lane]), int(velocity))
        before = last.get(voice)
        if before is not None and second - before[0] < SAME_STROKE_SECONDS:
            if velocity > before[3]:
                found[found.index(before)] = last[voice] = (before[0], *stroke[1:])
            continue
        last[voice] = stroke
        found.append(stroke)
    return found
