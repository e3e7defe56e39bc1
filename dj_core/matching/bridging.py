"""A bridge from one track to another: the groove of A becomes that of B while the tempo glides.

The first bar is A's, the last one B's; between them the strokes change along the shortest path of
`shaping.morphing`, so that every bar is farther from A and nearer to B than the one before. Beat by
beat the tempo changes by equal ratios; the first beat has A's tempo and the last one B's.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np

from dj_core.errors import BeatError
from dj_core.files.midi import (
    MICROSECONDS_PER_MINUTE,
    TICKS_PER_QUARTER,
    Timed,
    apart,
    note_of,
    timed_track,
)
from dj_core.files.storage import write_bytes_atomic
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUM_CHANNEL
from dj_core.shaping.distance import distance
from dj_core.shaping.morphing import MAX_STEPS, morph
from dj_core.sound.render import CEILING, SAMPLE_RATE_HZ, peak_of, render_stems

FEWEST_BARS = 2
_MIDI_TARGET = "general-midi"
_STROKE_QUARTERS = 0.25


@dataclass(frozen=True)
class Bridge:
    """Bars from A to B.

    Attributes:
        beat: the bars, as if at one tempo: onsets in quarters.
        beat_seconds: how long each quarter lasts.
        from_a, to_b: distance of each bar from A's groove and to B's.
    """

    beat: Beat
    beat_seconds: tuple[float, ...]
    from_a: tuple[float, ...]
    to_b: tuple[float, ...]

    def seconds_at(self, quarters: float) -> float:
        """When a place in quarters sounds."""
        lines = [0.0, *accumulate(self.beat_seconds)]
        return float(np.interp(quarters, np.arange(len(lines)), lines))

    @property
    def duration_seconds(self) -> float:
        """Its length."""
        return float(sum(self.beat_seconds))


def bridge(a: Beat, b: Beat, bars: int) -> Bridge:
    """A bridge of `bars` bars from `a` to `b`, each of which gives its most usual bar.

    Raises:
        BeatError: other meters, fewer than 2 bars or more than 64, or beats so alike that there
            are not that many steps between them.
    """
    if not FEWEST_BARS <= bars <= MAX_STEPS:
        raise BeatError(f"A bridge has {FEWEST_BARS} to {MAX_STEPS} bars; got {bars}.")
    if a.meter != b.meter or a.meter.denominator != 4:
        raise BeatError(f"A bridge joins beats of one meter in quarters; got {a.meter}, {b.meter}.")
    head, tail = _usual_bar(a), _usual_bar(b)
    steps = morph(head, tail, bars)
    quarters = a.meter.bar_quarters
    hits = tuple(
        replace(hit, onset_quarters=hit.onset_quarters + number * quarters)
        for number, bar in enumerate(steps)
        for hit in bar.hits
    )
    first, last = 60 / a.playing_tempo_bpm, 60 / b.playing_tempo_bpm
    beats = round(bars * quarters)
    seconds = tuple(float(period) for period in np.geomspace(first, last, beats))
    title = f"{a.title or 'A'} to {b.title or 'B'}"
    whole = Beat(hits, bars, a.playing_tempo_bpm, a.meter, genre=b.genre, title=title)
    away, left = (  # sums of floats are a hair off nothing
        tuple(max(0.0, round(distance(end, bar), 9)) for bar in steps) for end in (head, tail)
    )
    return Bridge(whole, seconds, away, left)


def _usual_bar(beat: Beat) -> Beat:
    """The bar of a beat that is nearest to all its others."""
    quarters = beat.meter.bar_quarters
    bars = []
    for number in range(beat.bars):
        start = number * quarters
        inside = (h for h in beat.hits if start <= h.onset_quarters < start + quarters)
        hits = tuple(replace(hit, onset_quarters=hit.onset_quarters - start) for hit in inside)
        bars.append(replace(beat, hits=hits, bars=1))
    away = [sum(distance(bar, other) for other in bars) for bar in bars]
    return bars[int(np.argmin(away))]


def bridge_midi(made: Bridge) -> bytes:
    """The bridge as a MIDI file with a tempo for every beat."""
    from mido import Message, MetaMessage, MidiFile

    beat = made.beat
    end = round(beat.length_quarters * TICKS_PER_QUARTER)
    meter = beat.meter
    conductor: list[Timed] = [
        (0, 0, MetaMessage("track_name", name=beat.title)),
        (0, 0, MetaMessage(
            "time_signature", numerator=meter.numerator, denominator=meter.denominator
        )),
    ]  # fmt: skip
    for number, seconds in enumerate(made.beat_seconds):
        tempo = round(seconds * MICROSECONDS_PER_MINUTE / 60)
        conductor.append((number * TICKS_PER_QUARTER, 0, MetaMessage("set_tempo", tempo=tempo)))
    notes = []
    for hit in beat.hits:
        onset = round(hit.onset_quarters * TICKS_PER_QUARTER)
        release = min(end, onset + round(_STROKE_QUARTERS * TICKS_PER_QUARTER))
        notes.append((note_of(hit, _MIDI_TARGET), onset, release, hit.velocity))
    drums: list[Timed] = [(0, -1, MetaMessage("track_name", name="Drums"))]
    for note, onset, release, velocity in apart(notes, merge=False):
        on = Message("note_on", channel=DRUM_CHANNEL, note=note, velocity=velocity)
        off = Message("note_off", channel=DRUM_CHANNEL, note=note, velocity=0)
        drums += [(onset, 1, on), (min(release, end), 0, off)]
    tracks = [timed_track(part, end) for part in (conductor, drums)]
    file = MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8", tracks=tracks)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def save_bridge(made: Bridge, path: Path, kit: str = "standard") -> tuple[Path, Path]:
    """The bridge as MIDI (`path`) and as a WAV beside it, to the frame as long as its beats.

    Raises:
        SoundError: no FluidSynth, or a kit it does not have.
        LibraryError: no space, no permission.
    """
    import soundfile

    tempo = made.beat.playing_tempo_bpm
    hits = tuple(
        replace(hit, onset_quarters=made.seconds_at(hit.onset_quarters) * tempo / 60)
        for hit in made.beat.hits
    )
    longest = made.duration_seconds * tempo / 60
    bars = int(np.ceil(longest / made.beat.meter.bar_quarters - 1e-9))
    stems = render_stems(replace(made.beat, hits=hits, bars=bars), kit)
    frames = round(made.duration_seconds * SAMPLE_RATE_HZ)
    mix = np.sum([stem[:frames] for stem in stems.values()], axis=0)
    mix *= min(1.0, CEILING / (peak_of(mix) or 1.0))
    file = io.BytesIO()
    soundfile.write(file, mix, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    midi = write_bytes_atomic(path, bridge_midi(made))
    return midi, write_bytes_atomic(path.with_suffix(".wav"), file.getvalue())


def falls_and_rises(made: Bridge) -> bool:
    """Whether every bar is farther from A and nearer to B than the one before."""
    rises = all(one < other for one, other in pairwise(made.from_a))
    return rises and all(one > other for one, other in pairwise(made.to_b))
