"""The whole set as one MIDI file, with its tempos, meters and a marker where each section starts.

Type 1, 480 ticks a quarter, channel 10, the end of both tracks on the last bar line, as
`dj_core.midi` writes beats.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from dj_core.drums import DRUM_CHANNEL, general_midi_note
from dj_core.midi import DEFAULT_DURATION_QUARTERS, MICROSECONDS_PER_MINUTE, TICKS_PER_QUARTER
from dj_core.setlist.arrangement import Bar, set_bars
from dj_core.setlist.naming import slot_title

if TYPE_CHECKING:
    from dj_core.setlist.plan import SetList

_Event = tuple[int, int, str, int, int]
"""(tick, order within the tick, message, note, velocity)"""


def set_midi(planned: SetList) -> bytes:
    """The set as a type-1 MIDI file of General MIDI drums.

    Markers read '03 Loft shuffle · breakdown'. A push ahead of the first bar line lands on it.
    """
    import mido

    conductor = mido.MidiTrack([mido.MetaMessage("track_name", name=planned.settings.name)])
    drums = mido.MidiTrack([mido.MetaMessage("track_name", name="Drums")])
    events: list[_Event] = []
    tick = marked = 0
    playing: tuple[float, object] | None = None
    for number, bar in set_bars(planned):
        if bar.first:
            for message in _signs(bar, playing, f"{slot_title(planned, number)} · {bar.section}"):
                message.time, marked = tick - marked, tick
                conductor.append(message)
            playing = (bar.tempo_bpm, bar.meter)
        events += _strokes(bar, tick)
        tick += round(bar.meter.bar_quarters * TICKS_PER_QUARTER)
    conductor.append(mido.MetaMessage("end_of_track", time=tick - marked))
    _write_events(drums, events, tick)
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


def _strokes(bar: Bar, bar_tick: int) -> list[_Event]:
    """Note-ons and note-offs of a bar that begins at `bar_tick`."""
    events: list[_Event] = []
    onsets = [(hit, hit.onset_quarters) for hit in bar.hits]
    onsets += [(hit, -hit.onset_quarters) for hit in bar.pushed]
    for hit, quarters in onsets:
        note = general_midi_note(hit.drum, hit.source_note)
        onset = max(0, bar_tick + round(quarters * TICKS_PER_QUARTER))
        length = max(hit.duration_quarters or 0, DEFAULT_DURATION_QUARTERS)
        release = onset + round(length * TICKS_PER_QUARTER)
        events.append((onset, 1, "note_on", note, hit.velocity))
        events.append((release, 0, "note_off", note, 0))
    return events


def _write_events(track: list, events: list[_Event], end: int) -> None:
    """Append the events in order; whatever lasts longer ends on the last bar line."""
    import mido

    now = 0
    for tick, _, kind, note, velocity in sorted(
        (min(tick, end), *event) for tick, *event in events
    ):
        track.append(
            mido.Message(kind, channel=DRUM_CHANNEL, note=note, velocity=velocity, time=tick - now)
        )
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=end - now))
