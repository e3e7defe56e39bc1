"""The whole set as one MIDI file, with its tempos, meters and a marker where each section starts.

Type 1, 480 ticks a quarter, channel 10, the end of both tracks on the last bar line, as
`dj_core.files.midi` writes beats.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from dj_core.files.beat_json import canonical_json
from dj_core.files.midi import (
    DEFAULT_DURATION_QUARTERS,
    MICROSECONDS_PER_MINUTE,
    PROVENANCE_MARK,
    TICKS_PER_QUARTER,
    Timed,
    apart,
    map_telling,
    note_of,
    timed_track,
)
from dj_core.music.drums import DRUM_CHANNEL
from dj_core.sets.arrangement import set_bars
from dj_core.sets.set_names import slot_title

if TYPE_CHECKING:
    from dj_core.sets.set_plan import SetList


def set_midi(planned: SetList, target: str = "general-midi") -> bytes:
    """The set as a type-1 MIDI file.

    Markers read '03 Loft shuffle · breakdown'. A push ahead of the first bar line lands on it.

    Args:
        planned: the set.
        target: whose notes the drums are written in, as in `midi.MidiSettings`; the file says so.
    """
    from mido import Message, MetaMessage, MidiFile

    bars = list(set_bars(planned))
    told = map_telling(target, (hit for _, bar in bars for hit in (*bar.hits, *bar.pushed)))
    conductor: list[Timed] = [
        (0, 0, MetaMessage("track_name", name=planned.settings.name)),
        (0, 0, MetaMessage("text", text=PROVENANCE_MARK + canonical_json(told))),
    ]
    notes: list[tuple[int, int, int, int]] = []  # note, onset tick, release tick, velocity
    tick, tempo_bpm, meter = 0, 0.0, None
    for number, bar in bars:
        if bar.first:  # a section's: tempo and meter where they change
            if bar.tempo_bpm != tempo_bpm:
                tempo_bpm = bar.tempo_bpm
                tempo = round(MICROSECONDS_PER_MINUTE / tempo_bpm)
                conductor.append((tick, 0, MetaMessage("set_tempo", tempo=tempo)))
            if bar.meter != meter:
                meter = bar.meter
                over, under = meter.numerator, meter.denominator
                signature = MetaMessage("time_signature", numerator=over, denominator=under)
                conductor.append((tick, 0, signature))
            marker = f"{slot_title(planned, number)} · {bar.section}"
            conductor.append((tick, 0, MetaMessage("marker", text=marker)))
        onsets = [(hit, hit.onset_quarters) for hit in bar.hits]
        onsets += [(hit, -hit.onset_quarters) for hit in bar.pushed]
        for hit, quarters in onsets:
            onset = max(0, tick + round(quarters * TICKS_PER_QUARTER))
            length = max(hit.duration_quarters or 0, DEFAULT_DURATION_QUARTERS)
            release = onset + round(length * TICKS_PER_QUARTER)
            notes.append((note_of(hit, target), onset, release, hit.velocity))
        tick += round(bar.meter.bar_quarters * TICKS_PER_QUARTER)
    notes = apart(notes, merge=target not in ("general-midi", "as-in-corpus"))
    drums: list[Timed] = [(0, -1, MetaMessage("track_name", name="Drums"))]
    for note, onset, release, velocity in sorted(notes, key=lambda one: (one[0], one[3])):
        note_on = Message("note_on", channel=DRUM_CHANNEL, note=note, velocity=velocity)
        note_off = Message("note_off", channel=DRUM_CHANNEL, note=note, velocity=0)
        drums += [(onset, 1, note_on), (min(release, tick), 0, note_off)]
    tracks = [timed_track(part, tick) for part in (conductor, drums)]
    file = MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8", tracks=tracks)
    buffer = BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()
