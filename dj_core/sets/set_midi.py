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
    apart,
    map_telling,
    note_of,
)
from dj_core.music.drums import DRUM_CHANNEL
from dj_core.sets.arrangement import Bar, set_bars
from dj_core.sets.set_names import slot_title

if TYPE_CHECKING:
    from dj_core.sets.set_plan import SetList

_Note = tuple[int, int, int, int]
"""(note, onset tick, release tick, velocity)"""


def set_midi(planned: SetList, target: str = "general-midi") -> bytes:
    """The set as a type-1 MIDI file.

    Markers read '03 Loft shuffle · breakdown'. A push ahead of the first bar line lands on it.

    Args:
        planned: the set.
        target: whose notes the drums are written in, as in `midi.MidiSettings`; the file says so.
    """
    import mido

    bars = list(set_bars(planned))
    told = map_telling(target, (hit for _, bar in bars for hit in (*bar.hits, *bar.pushed)))
    conductor = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name=planned.settings.name),
            mido.MetaMessage("text", text=PROVENANCE_MARK + canonical_json(told)),
        ]
    )
    drums = mido.MidiTrack([mido.MetaMessage("track_name", name="Drums")])
    notes: list[_Note] = []
    tick = marked = 0
    playing: tuple[float, object] | None = None
    for number, bar in bars:
        if bar.first:
            for message in _signs(bar, playing, f"{slot_title(planned, number)} · {bar.section}"):
                message.time, marked = tick - marked, tick
                conductor.append(message)
            playing = (bar.tempo_bpm, bar.meter)
        notes += _strokes(bar, tick, target)
        tick += round(bar.meter.bar_quarters * TICKS_PER_QUARTER)
    conductor.append(mido.MetaMessage("end_of_track", time=tick - marked))
    _write_notes(drums, apart(notes, merge=target not in ("general-midi", "as-in-corpus")), tick)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8")
    file.tracks += [conductor, drums]
    buffer = BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _signs(bar: Bar, playing: tuple[float, object] | None, marker: str) -> list:
    """What the conductor shows at a section's start: tempo and meter where they change."""
    import mido

    signs = []
    tempo_bpm, meter = playing or (None, None)
    if bar.tempo_bpm != tempo_bpm:
        tempo = round(MICROSECONDS_PER_MINUTE / bar.tempo_bpm)
        signs.append(mido.MetaMessage("set_tempo", tempo=tempo))
    if bar.meter != meter:
        over, under = bar.meter.numerator, bar.meter.denominator
        signs.append(mido.MetaMessage("time_signature", numerator=over, denominator=under))
    return [*signs, mido.MetaMessage("marker", text=marker)]


def _strokes(bar: Bar, bar_tick: int, target: str) -> list[_Note]:
    """The notes of a bar that begins at `bar_tick`."""
    notes: list[_Note] = []
    onsets = [(hit, hit.onset_quarters) for hit in bar.hits]
    onsets += [(hit, -hit.onset_quarters) for hit in bar.pushed]
    for hit, quarters in onsets:
        onset = max(0, bar_tick + round(quarters * TICKS_PER_QUARTER))
        length = max(hit.duration_quarters or 0, DEFAULT_DURATION_QUARTERS)
        release = onset + round(length * TICKS_PER_QUARTER)
        notes.append((note_of(hit, target), onset, release, hit.velocity))
    return notes


def _write_notes(track: list, notes: list[_Note], end: int) -> None:
    """Append note-ons and note-offs in order; whatever lasts longer ends on the last bar line."""
    import mido

    events = [(onset, 1, "note_on", note, velocity) for note, onset, _, velocity in notes]
    events += [(min(release, end), 0, "note_off", note, 0) for note, _, release, _ in notes]
    now = 0
    for tick, _, kind, note, velocity in sorted(events):
        track.append(
            mido.Message(kind, channel=DRUM_CHANNEL, note=note, velocity=velocity, time=tick - now)
        )
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=end - now))
