"""A drum loop as a `Beat`: its strokes, laid on the bars of its tempo with their microtiming.

A loop is as long as its bars. So its length says what tempos it may have, and the strokes say which
of them it is. Where no such tempo fits, it is listened to like a track.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import SoundError
from dj_core.host.limits import LIMITS
from dj_core.listening.drum_features import RATE_HZ
from dj_core.listening.listening import listen_to_samples
from dj_core.listening.onset_strength import RATE_HZ as TRACK_RATE_HZ
from dj_core.listening.stroke_reading import Stroke, strokes_of
from dj_core.music.beat import (
    DEFAULT_TEMPO_BPM,
    MAX_TEMPO_BPM,
    MIN_TEMPO_BPM,
    TRANSCRIBED,
    Beat,
    Hit,
    Meter,
    Provenance,
)
from dj_core.sound.decoding import AudioDecoder, AudioLimits, decode_audio

Floats = NDArray[np.float64]
TempoSource = Literal["choice", "name", "length", "beats"]
"""Who says the tempo: somebody, the file's name, a length of whole bars, or the beats heard."""
FOUR_FOUR = Meter()
LOOP = AudioLimits(
    most_bytes=LIMITS.track_bytes,
    most_seconds=LIMITS.loop_seconds,
    most_work_seconds=LIMITS.track_work_seconds,
    mono=True,
    resample_hz=RATE_HZ,
)
"""What a file to transcribe may be."""
SLOWEST_BPM, FASTEST_BPM = 60.0, 200.0
_BARS_OF_LOOPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_LATE_SECONDS = 0.03
"""A stroke so little before a bar line, or before the start of a loop, belongs to that bar."""
_OFF_SECONDS, MOST_OFF, _LOOSELY_OFF = 0.04, 0.42, 0.7
"""A stroke so far off the grid is off it; the share of such from which on a sound is no loop, or is
one only if its beats say so, too."""
_SAME_TEMPO = 0.01
_SURE = 0.5
"""Confidence of half the strokes below which a reader is told to look twice."""
_NAMED_TEMPO = re.compile(r"(?<![\d.])(\d{2,3}(?:[.,]\d+)?)[ _-]?bpm", re.IGNORECASE)


@dataclass(frozen=True)
class Transcription:
    """A sound as drums.

    Attributes:
        beat: its strokes.
        tempo_from: who says its tempo.
        other_tempos_bpm: other tempos it may have, the likeliest first.
        confidence: of a stroke, the middle one's; 0 to 1.
        warnings: sentences for whoever uses it.
    """

    beat: Beat
    tempo_from: TempoSource
    other_tempos_bpm: tuple[float, ...]
    confidence: float
    warnings: tuple[str, ...]


def transcribe(
    content: bytes,
    *,
    name: str = "",
    tempo_bpm: float | None = None,
    meter: Meter = FOUR_FOUR,
    decoder: AudioDecoder | None = None,
) -> Transcription:
    """What the drums of a sound file play.

    Args:
        content: the file.
        name: of the file; it may tell the tempo, as in ``break 174bpm.wav``.
        tempo_bpm: None finds it out.
        meter: of its bars.
        decoder: a running one, for many files.

    Raises:
        SoundError: a file that cannot be decoded, is too long, or in which no drum is heard.
        CheckpointError: the shipped network is missing or damaged.
    """
    if tempo_bpm is not None and not MIN_TEMPO_BPM <= tempo_bpm <= MAX_TEMPO_BPM:
        raise SoundError(
            f"A tempo is {MIN_TEMPO_BPM:g} to {MAX_TEMPO_BPM:g} BPM; got {tempo_bpm:g}."
        )
    from scipy.signal import resample_poly

    audio = decoder.decode(content, LOOP) if decoder else decode_audio(content, LOOP)
    samples = audio.samples[:, 0]
    strokes = strokes_of(samples)
    if not strokes:
        raise SoundError("No drum is heard in it. Choose a drum loop, or a louder one.")
    length_seconds, stem = len(samples) / RATE_HZ, PurePosixPath(name).stem
    named = _NAMED_TEMPO.search(stem)
    told = float(named[1].replace(",", ".")) if named else 0.0
    source: TempoSource = "choice"
    others: tuple[float, ...] = ()
    start = min(strokes[0].seconds, length_seconds)
    warnings = []
    if tempo_bpm is None and SLOWEST_BPM / 2 <= told <= 2 * FASTEST_BPM:
        tempo_bpm, source = told, "name"
    if tempo_bpm is None and (tempos := loop_tempos(strokes, length_seconds, meter)):
        (tempo_bpm, *rest), source = tempos, "length"
        others = tuple(rest[:2])
    if tempo_bpm is None:
        source = "beats"
        heard = listen_to_samples(resample_poly(samples, TRACK_RATE_HZ, RATE_HZ), name)
        likely = [heard.tempo_bpm, *heard.other_tempos_bpm] if heard.tempo_bpm else []
        seconds = np.array([stroke.seconds for stroke in strokes]) - start
        weights = _weights(strokes)
        ranked = sorted(float(tempo) for tempo in likely if tempo)
        ranked.sort(key=lambda tempo: _off_grid(seconds, weights, tempo)[1])
        loose = loop_tempos(strokes, length_seconds, meter, _LOOSELY_OFF)
        agreed = [
            tempo for tempo in loose if any(abs(tempo / one - 1) < _SAME_TEMPO for one in ranked)
        ]
        tempo_bpm, *rest = agreed or ranked or [DEFAULT_TEMPO_BPM]
        others = tuple(rest)
        if agreed:
            source = "length"
        else:
            warnings.append(
                f"Its length is no whole number of bars, so {tempo_bpm:.1f} BPM and the first beat "
                "are a guess. Say the tempo if you know it."
            )
    bars = length_seconds * tempo_bpm / 60 / meter.bar_quarters
    is_loop = abs(bars - round(bars)) * meter.bar_quarters * 60 / tempo_bpm < _LATE_SECONDS
    is_loop = is_loop and round(bars) > 0
    if is_loop and source != "beats":
        start = 0.0  # a loop begins on its first beat; anything else where its first stroke is
    beat = beat_of(strokes, tempo_bpm, meter, start, round(bars) if is_loop and not start else None)
    confidence = float(np.median([stroke.confidence for stroke in strokes]))
    if confidence < _SURE:
        warnings.append("Few strokes are heard clearly: much of this may be wrong.")
    provenance = Provenance(
        source=name, settings={TRANSCRIBED: True, "confidence": round(confidence, 3)}
    )
    beat = replace(beat, title=stem, provenance=provenance)
    return Transcription(beat, source, others, confidence, tuple(warnings))


def beat_of(
    strokes: Sequence[Stroke],
    tempo_bpm: float,
    meter: Meter = FOUR_FOUR,
    start_seconds: float = 0.0,
    bars: int | None = None,
) -> Beat:
    """Strokes as a beat that begins at `start_seconds`.

    Args:
        strokes: what is heard; those before the start are left out.
        tempo_bpm: quarter notes a minute.
        meter: of its bars.
        start_seconds: of its first bar.
        bars: of a loop, in which a stroke just before the end may be early for the first beat;
            None for as many as the strokes need.
    """
    quarter = 60 / tempo_bpm
    found: dict[tuple[float, int], Hit] = {}
    for stroke in strokes:
        onset = (stroke.seconds - start_seconds) / quarter
        if onset < -_LATE_SECONDS / quarter:
            continue
        onset = max(0.0, onset)
        if bars is not None and onset >= bars * meter.bar_quarters:
            continue
        hit = Hit(round(onset, 6), stroke.lane, stroke.velocity)
        known = found.get((hit.onset_quarters, hit.lane))
        if known is None or known.velocity < hit.velocity:
            found[hit.onset_quarters, hit.lane] = hit
    if bars is None:
        fitted = Beat.fit(found.values(), meter)
        return Beat(fitted.hits, fitted.bars, tempo_bpm, meter)
    return Beat(tuple(found.values()), bars, tempo_bpm, meter)


def loop_tempos(
    strokes: Sequence[Stroke],
    length_seconds: float,
    meter: Meter = FOUR_FOUR,
    most_off: float = MOST_OFF,
) -> list[float]:
    """Tempos at which a sound is a loop of whole bars, the likeliest first; none if it is no loop.

    That is how well the strokes lie on 16ths or triplets, how few of them on odd 16ths, and how
    usual the tempo is.
    """
    seconds = np.array([stroke.seconds for stroke in strokes])
    weights = _weights(strokes)
    scored = []
    for bars in _BARS_OF_LOOPS:
        tempo = bars * meter.bar_quarters * 60 / max(length_seconds, 0.01)
        if SLOWEST_BPM <= tempo <= FASTEST_BPM:
            off, unlikely = _off_grid(seconds, weights, tempo)
            if off < most_off:
                scored.append((unlikely, tempo))
    return [tempo for _, tempo in sorted(scored)]


def _weights(strokes: Sequence[Stroke]) -> Floats:
    return np.array([stroke.velocity * stroke.confidence for stroke in strokes], float)


def _off_grid(seconds: Floats, weights: Floats, tempo_bpm: float) -> tuple[float, float]:
    """How far strokes lie off a tempo's grid, 0 to 1; and how unlikely it is for all that."""
    quarters = seconds * tempo_bpm / 60
    off_sixteenth = np.abs(quarters - np.round(quarters * 4) / 4)
    off_triplet = np.abs(quarters - np.round(quarters * 3) / 3)
    off_seconds = np.minimum(off_sixteenth, off_triplet + 0.02) * (60 / tempo_bpm)
    off = float(np.average(np.minimum(off_seconds / _OFF_SECONDS, 1), weights=weights))
    odd = float(np.average(np.round(quarters * 4) % 2 == 1, weights=weights))
    return off, off + 0.35 * odd + 0.12 * abs(math.log2(tempo_bpm / 118))
