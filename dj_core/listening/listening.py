"""Listening to a track or loop: tempo, beats, bars, groove, energy and sections, with confidence.

    file --decoded in a process of its own--> mono samples --onset_strength--> beat_grid
        --groove_template, track_sections--> `Listening`

No answer is more certain than it sounds: `confidence` is the probability, settled on sounds with
a known grid and on sounds with none, that tempo and beat are right, and `warnings` say why not.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import SoundError
from dj_core.host.limits import LIMITS
from dj_core.listening.beat_grid import BeatGrid, find_grid, on_strokes
from dj_core.listening.groove_template import TEMPLATE_BANDS, GrooveTemplate, groove_template
from dj_core.listening.onset_strength import FRAMES_PER_SECOND, RATE_HZ, onset_strength
from dj_core.listening.tempo_candidates import Strength
from dj_core.listening.track_sections import Section, energy_by_bar, sections
from dj_core.music.beat import Meter
from dj_core.sound.decoding import AudioDecoder, AudioLimits, decode_audio

LEAST_CONFIDENCE = 0.25
"""Below it no tempo is believed at all."""
SURE, LIKELY = 0.85, 0.6
_MIDDLE_SALIENCE, _STEEPNESS = 0.2, 5.0
_LONG_SECONDS = 15.0  # what is shorter repeats by chance more often
_BANDS_OF_A_BEAT = 2.6  # that begin: of a kick alone three, of all drums five, of a drone one
_SILENT = 10 ** (-60 / 20)

TRACK_LIMITS = AudioLimits(
    most_bytes=LIMITS.track_bytes,
    most_seconds=LIMITS.track_seconds,
    most_channels=8,
    most_rate_hz=192_000,
    most_work_seconds=LIMITS.track_work_seconds,
    mono=True,
    resample_hz=RATE_HZ,
)
"""What a track may be, and how it is listened to."""


@dataclass(frozen=True, eq=False)
class Listening:
    """What was heard in a track.

    Attributes:
        name: of the file.
        duration_seconds: its length.
        tempo_bpm: beats a minute; None where no beat was found.
        other_tempos_bpm: half and double, and what else it may be, the likeliest first.
        meter: its bars.
        beats, downbeats: seconds.
        confidence: 0 to 1 that tempo and beats are right.
        downbeat_confidence: 0 to 1 that the bar lines are, given the beats.
        is_steady: one tempo throughout.
        drift_bpm: the slowest and fastest tempo of ten seconds.
        groove: swing and microtiming; None where no beat was found.
        energy: of every bar, 0 to 1.
        sections: intro, break, drop and so on.
        warnings: sentences.
        waveform: peak of each of `WAVE_POINTS` equal parts, 0 to 1, for drawing.
    """

    name: str
    duration_seconds: float
    tempo_bpm: float | None
    other_tempos_bpm: tuple[float, ...]
    meter: Meter
    beats: tuple[float, ...]
    downbeats: tuple[float, ...]
    confidence: float
    downbeat_confidence: float
    is_steady: bool
    drift_bpm: tuple[float, float] | None
    groove: GrooveTemplate | None
    energy: tuple[float, ...]
    sections: tuple[Section, ...]
    warnings: tuple[str, ...]
    waveform: tuple[float, ...]
    grid: BeatGrid | None
    strength: Strength
    samples: NDArray[np.float32]

    def as_dict(self) -> dict[str, Any]:
        """What the command line prints and pages keep: JSON-able values."""
        groove = self.groove
        return {
            "name": self.name,
            "duration_seconds": round(self.duration_seconds, 3),
            "tempo_bpm": None if self.tempo_bpm is None else round(self.tempo_bpm, 3),
            "other_tempos_bpm": list(self.other_tempos_bpm),
            "meter": str(self.meter),
            "beats": [round(beat, 4) for beat in self.beats],
            "downbeats": [round(beat, 4) for beat in self.downbeats],
            "confidence": round(self.confidence, 3),
            "confidence_in_words": self.confidence_in_words,
            "downbeat_confidence": round(self.downbeat_confidence, 3),
            "is_steady": self.is_steady,
            "drift_bpm": None if self.drift_bpm is None else [round(x, 2) for x in self.drift_bpm],
            "swing_percent": round(self.swing_percent, 2),
            "groove": None
            if groove is None
            else {
                band: {
                    "level": np.round(groove.level[row], 3).tolist(),
                    "late_quarters": np.round(groove.late_quarters[row], 4).tolist(),
                }
                for row, band in enumerate(TEMPLATE_BANDS)
            },
            "energy": [round(value, 3) for value in self.energy],
            "sections": [asdict(section) for section in self.sections],
            "warnings": list(self.warnings),
        }

    @property
    def swing_percent(self) -> float:
        """Of its groove; 50 where there is none."""
        return self.groove.swing_percent if self.groove else 50.0

    @property
    def confidence_in_words(self) -> str:
        """As a DJ reads it."""
        if self.tempo_bpm is None:
            return "no beat found"
        if self.confidence >= SURE:
            return "sure"
        return "likely" if self.confidence >= LIKELY else "not sure"


WAVE_POINTS = 2400


def listen(path: Path) -> Listening:
    """What is heard in a sound file. Raises SoundError with the reason why it cannot be read."""
    try:
        size = path.stat().st_size
        if size > LIMITS.track_bytes:
            raise SoundError(
                f"{path.name} has {size / 1e6:,.0f} MB; up to {LIMITS.track_bytes / 1e6:,.0f} are "
                "read. Convert it to MP3 or FLAC."
            )
        content = [path.read_bytes()]
    except OSError as error:
        raise SoundError(
            f"{path} cannot be read: {error.strerror or error}. Choose another file."
        ) from error
    # popped, so that a long file's bytes are not kept while it is listened to
    return listen_to_content(content.pop(), path.name)


def listen_to_content(content: bytes, name: str, decoder: AudioDecoder | None = None) -> Listening:
    """As `listen`, of a file's content; many files are read by one decoder."""
    try:
        decode = decoder.decode if decoder else decode_audio
        audio = decode(content, TRACK_LIMITS)
        del content
    except SoundError as error:
        raise SoundError(f"{name}: {error}") from error
    return listen_to_samples(audio.samples[:, 0], name)


def listen_to_samples(samples: NDArray[np.float32], name: str = "") -> Listening:
    """As `listen`, of mono samples at 22,050 Hz."""
    duration = len(samples) / RATE_HZ
    peak = float(np.abs(samples).max(initial=0.0))
    nothing = Listening(
        name, duration, None, (), Meter(), (), (), 0.0, 0.0, True, None, None, (), (), (),
        _waveform(samples, peak), None, np.zeros((0, 5), np.float32), samples,
    )  # fmt: skip
    if peak < _SILENT:
        return replace(nothing, warnings=("The file is silent: there is no beat to find.",))
    strength = onset_strength(samples / np.float32(peak))
    grid = find_grid(strength)
    confidence = _confidence(grid, strength) if grid else 0.0
    if grid is None or confidence < LEAST_CONFIDENCE:
        guess = f" The nearest guess is {grid.tempo_bpm:.1f} BPM." if grid else ""
        warning = f"No steady beat was found in {duration:.0f} seconds.{guess} Tap the beat."
        return replace(nothing, confidence=confidence, warnings=(warning,), strength=strength)
    return with_grid(nothing, strength, on_strokes(grid, samples), confidence)


def with_grid(heard: Listening, strength: Strength, grid: BeatGrid, confidence: float) -> Listening:
    """What is heard where the grid is `grid`, found or corrected by hand."""
    groove = groove_template(strength, grid, heard.samples)
    tempo = grid.tempo_bpm
    others = [bpm for bpm, _ in grid.odds[1:] if grid.odds[0][1] < 0.9]
    for relative in (tempo / 2, tempo * 2):
        if 30 <= relative <= 300 and all(abs(relative / bpm - 1) > 0.03 for bpm in others):
            others.append(relative)
    warnings = []
    slow, fast = grid.drift_bpm
    if not grid.is_steady:
        warnings.append(
            f"The tempo drifts between {slow:.1f} and {fast:.1f} BPM; the beat lines follow it."
        )
    if confidence < LIKELY:
        warnings.append("The beat is a guess. Check it by ear, or tap along.")
    first, second = ((*grid.odds, (0.0, 0.0)))[:2]
    if len(grid.odds) > 1 and second[1] > 0.25 and first[1] > 0:
        warnings.append(f"It may also be counted at {second[0]:.1f} BPM.")
    if grid.downbeat_odds < LIKELY:
        warnings.append("Which beat is the one is not certain. Move the bar line if it is wrong.")
    return replace(
        heard,
        tempo_bpm=tempo,
        other_tempos_bpm=tuple(round(bpm, 3) for bpm in others[:4]),
        meter=Meter(grid.beats_per_bar, 4),
        beats=tuple(grid.beats.tolist()),
        downbeats=tuple(grid.downbeats.tolist()),
        confidence=confidence,
        downbeat_confidence=grid.downbeat_odds,
        is_steady=grid.is_steady,
        drift_bpm=grid.drift_bpm,
        groove=groove,
        energy=tuple(energy_by_bar(heard.samples, strength, grid).tolist()),
        sections=sections(heard.samples, strength, grid),
        warnings=tuple(warnings),
        grid=grid,
        strength=strength,
    )


def _confidence(grid: BeatGrid, strength: Strength) -> float:
    """Probability that tempo and beats are right.

    The network's odds count as far as the onsets repeat at all (in speech and among chords at will
    they do so by .05 to .17, in drums by .3 and more), and as far as there are onsets.
    """
    seconds = len(strength) / FRAMES_PER_SECOND
    middle = _MIDDLE_SALIENCE * max(1.0, (_LONG_SECONDS / seconds) ** 0.5)
    repeats = 1 / (1 + np.exp(-_STEEPNESS * np.log(max(grid.salience, 1e-6) / middle)))
    sounding = min(1.0, float(np.sqrt((strength**2).mean(axis=0)).sum()) / _BANDS_OF_A_BEAT) ** 2
    return float(grid.odds[0][1] * repeats * sounding)


def _waveform(samples: NDArray[np.float32], peak: float) -> tuple[float, ...]:
    points = min(WAVE_POINTS, max(1, len(samples)))
    bounds = np.linspace(0, len(samples), points + 1).astype(int)[:-1]
    if not len(samples):
        return ()
    heights = np.maximum.reduceat(np.abs(samples), bounds) / max(peak, 1e-9)
    return tuple(np.round(heights, 3).tolist())
