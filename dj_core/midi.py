"""MIDI files in and out.

Reading is strict: every byte of a file is accounted for before anything is believed, so no
damaged or hostile file reaches another parser, and no note is lost without being counted.
Writing follows what samplers and DAWs expect of a drum clip: type 1, 480 ticks a quarter,
channel 10, tempo and meter at tick 0, and the end of the track on the last bar line.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from dj_core import limits
from dj_core.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Beat, Hit, Meter, Provenance
from dj_core.beat_json import (
    MAX_TEXT,
    canonical_json,
    parse_json,
    provenance_from_json,
    provenance_to_json,
)
from dj_core.drums import (
    DRUM_CHANNEL,
    DRUMS,
    LANE,
    MAPPED_NOTES,
    TD_11_HAT_EDGES,
    DrumMap,
    drum_of_note,
    general_midi_note,
)
from dj_core.errors import BeatError, MidiError
from dj_core.note_maps import NOTE_MAP
from dj_core.storage import write_bytes_atomic
from dj_core.timing import straightened

if TYPE_CHECKING:
    from mido import MetaMessage, MidiTrack

TICKS_PER_QUARTER = 480
DEFAULT_DURATION_QUARTERS = 0.125  # drums ring as they like; long enough for any DAW to show
MICROSECONDS_PER_MINUTE = 60_000_000
DEFAULT_MICROSECONDS_PER_QUARTER = 500_000  # Standard MIDI Files 1.0: no tempo event means 120 BPM

MIDI_ENDINGS = (".mid", ".midi", ".smf", ".kar", ".rmi")
"""How files that `parse_midi` reads are named, in lower case."""

PROVENANCE_MARK = "digital-dj "  # begins the text event that says where a beat comes from

NoteChoice = Literal["general-midi", "as-in-corpus"]
Timing = Literal["as-played", "straight"]


@dataclass(frozen=True)
class MidiSettings:
    """How a MIDI file shall be written.

    Attributes:
        target: a name from `note_maps.NOTE_MAP`; or 'as-in-corpus', which keeps the note numbers
            and durations the beat's source used.
        midi_type: 1 (tempo and drums in tracks of their own) or 0 (all in one track).
        track_per_drum: a track for every drum that is played; type 1 only.
        timing: 'as-played' with swing and microtiming, or 'straight' (see `timing.straightened`).
        provenance: write down in the file whose notes these are, and what made the beat and its
            genre where they are known.

    Raises:
        MidiError: a value not named here.
    """

    target: str = "general-midi"
    midi_type: int = 1
    track_per_drum: bool = False
    timing: Timing = "as-played"
    provenance: bool = True

    def __post_init__(self) -> None:
        if self.target not in (*NOTE_MAP, "as-in-corpus"):
            known = ", ".join((*NOTE_MAP, "as-in-corpus"))
            raise MidiError(f"No target is called {self.target!r}. Targets: {known}.")
        if self.midi_type not in (0, 1) or (self.midi_type == 0 and self.track_per_drum):
            raise MidiError(
                "A MIDI file is of type 0 (one track) or 1; a track for each drum needs type 1. "
                f"Got type {self.midi_type!r}{' with tracks' if self.track_per_drum else ''}."
            )
        if self.timing not in get_args(Timing):
            raise MidiError(f"timing is 'as-played' or 'straight'; got {self.timing!r}.")


@dataclass(frozen=True)
class Marker:
    """A named place in a file, as DAWs show them: a drop, a transition."""

    onset_quarters: float
    text: str


@dataclass(frozen=True)
class MidiLimits:
    """What a file may hold; `dj_core.limits` says how much, and why."""

    bytes: int = limits.LIMITS.midi_bytes
    events: int = limits.LIMITS.midi_events
    tracks: int = limits.LIMITS.midi_tracks
    seconds: float = float(limits.LIMITS.midi_seconds)


LIMITS = MidiLimits()


@dataclass(frozen=True)
class Reading:
    """A beat as read, and what the file held that a beat does not.

    Attributes:
        beat: the drums.
        drum_map: the note map the notes were read by.
        notes_left_out: notes that are no drums.
        warnings: a sentence for each thing a DJ should know about the file.
        tempo_changes, meter_changes: changes after the first; the beat keeps the first.
    """

    beat: Beat
    drum_map: DrumMap = "general-midi"
    notes_left_out: int = 0
    warnings: tuple[str, ...] = ()
    tempo_changes: int = 0
    meter_changes: int = 0


def read_midi(source: Path | bytes, drum_map: DrumMap | None = None) -> Beat:
    """The drums of a MIDI file; see `read_midi_report`."""
    return read_midi_report(source, drum_map).beat


def read_midi_report(source: Path | bytes, drum_map: DrumMap | None = None) -> Reading:
    """Read a Standard MIDI File of type 0 or 1.

    Notes on channel 10 are the drums; a file without any (large archives write theirs on
    channel 1) is all drums. Onsets, velocities, durations and note numbers are kept as they are.

    Args:
        source: a path, or the file's bytes.
        drum_map: how note numbers become lanes; None asks `guess_drum_map`.

    Raises:
        MidiError: not a MIDI file, damaged, beyond `LIMITS`, or without a single note.
    """
    title = source.stem if isinstance(source, Path) else ""
    content = _content_of(source)
    return _reading(parse_midi(content), drum_map, title)


@dataclass
class MidiEvents:
    """The events of a file that matter to a drummer; times in ticks."""

    ticks_per_quarter: int
    notes: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    """(onset, channel, note, velocity, duration or -1 when no note-off came)"""
    tempos: list[tuple[int, int]] = field(default_factory=list)  # (tick, microseconds a quarter)
    meters: list[tuple[int, int, int]] = field(default_factory=list)  # (tick, over, under)
    texts: list[bytes] = field(default_factory=list)  # of text events
    end_tick: int = 0

    def drum_notes(self) -> list[tuple[int, int, int, int, int]]:
        """The notes on channel 10, or all notes when there are none."""
        return [note for note in self.notes if note[1] == DRUM_CHANNEL] or self.notes


def guess_drum_map(files: Iterable[MidiEvents]) -> DrumMap:
    """The note map a set of files was written in.

    Channel 10 promises General MIDI, or a Roland kit where there are the notes of its hi-hat's
    edges. Off channel 10, a note General MIDI does not know says that an extended map was used.
    """
    roland = False
    for events in files:
        drums = {note for _, channel, note, *_ in events.notes if channel == DRUM_CHANNEL}
        roland = roland or not TD_11_HAT_EDGES.isdisjoint(drums)
        if not drums and any(
            note not in MAPPED_NOTES["general-midi"] for _, _, note, *_ in events.notes
        ):
            return "extended"
    return "td-11" if roland else "general-midi"


def drum_map_of(events: MidiEvents) -> DrumMap | None:
    """The note map that a file tells by itself; None where it cannot say.

    A file with notes on channel 10 can, and one of ours. Of other files, `drum_map_vote` says
    what one suggests, and only many of them together decide.
    """
    if any(channel == DRUM_CHANNEL for _, channel, *_ in events.notes):
        return guess_drum_map([events])
    return None


def drum_map_vote(events: MidiEvents) -> DrumMap:
    """The note map that a file without notes on channel 10 suggests for files of its kind."""
    return guess_drum_map([events])


def without_riff(content: bytes) -> bytes:
    """The MIDI file inside a RIFF file (.rmi, or a .mid that is one); other content as it is."""
    if content[:4] != b"RIFF" or content[8:12] != b"RMID":
        return content
    position = 12
    while position + 8 <= len(content):
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        if content[position : position + 4] == b"data":
            return content[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    return content


def parse_midi(content: bytes) -> MidiEvents:
    """Check every byte of a MIDI file and return its events. Raises MidiError."""
    if len(content) > LIMITS.bytes:
        raise MidiError(
            f"This file has {len(content):,} bytes; drum MIDI is never over {LIMITS.bytes:,}. "
            "Export a shorter clip."
        )
    try:
        return _FileParser(without_riff(content)).parse()
    except IndexError:
        raise MidiError("The file ends in the middle of an event: it is damaged.") from None


def midi_bytes(
    beat: Beat,
    notes: str = "general-midi",
    *,
    settings: MidiSettings | None = None,
    markers: Sequence[Marker] = (),
) -> bytes:
    """The beat as a MIDI file.

    Args:
        beat: any beat; without a tempo it is written at MIDI's default of 120 BPM.
        notes: the target, for a file with everything else as usual.
        settings: everything about the file; what `notes` says is then not heeded.
        markers: places to name, inside the beat.
    """
    import mido

    settings = settings or MidiSettings(target=notes)
    if settings.timing == "straight":
        beat = straightened(beat)
    end = round(beat.length_quarters * TICKS_PER_QUARTER)
    parts = _parts(beat, settings, end)
    if settings.midi_type == 0:
        ((_, messages),) = parts
        tracks = [_track(_opening(beat, settings, markers, end) + messages, end)]
    else:
        tracks = [_track(_opening(beat, settings, markers, end), end)]
        for name, messages in parts:
            title = mido.MetaMessage("track_name", name=name)
            tracks.append(_track([(0, -1, title), *messages], end))
    file = mido.MidiFile(
        type=settings.midi_type, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8", tracks=tracks
    )
    buffer = BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def save_midi(
    beat: Beat,
    path: Path,
    notes: str = "general-midi",
    *,
    settings: MidiSettings | None = None,
    markers: Sequence[Marker] = (),
) -> Path:
    """Write `midi_bytes` to `path`, completely or not at all. Raises LibraryError."""
    return write_bytes_atomic(path, midi_bytes(beat, notes, settings=settings, markers=markers))


def read_beat(source: Path | bytes, drum_map: DrumMap | None = None) -> Beat:
    """The drums of a MIDI file and, where it is one of ours, what made them.

    Words about its making that were altered are not heeded: the notes are what counts. Raises
    MidiError as `read_midi`.
    """
    beat = read_midi(source, drum_map)
    told = _told(parse_midi(_content_of(source))) or {}
    try:
        origin = provenance_from_json(told["provenance"])
    except (BeatError, KeyError):
        origin = beat.provenance
    # a genre that was drawn is not the one asked for, which may be ''
    settings = origin.settings
    genres = (told.get("genre"), settings.get("played_genre"), settings.get("genre"))
    genre = next((one for one in genres if isinstance(one, str) and one), "")
    return replace(beat, provenance=origin, genre=genre[:MAX_TEXT])


def provenance_of(source: Path | bytes) -> Provenance | None:
    """What made the beat in a MIDI file, as `midi_bytes` wrote it down; None where nothing is.

    Raises:
        MidiError: no MIDI file, or one whose text was altered.
    """
    told = _told(parse_midi(_content_of(source)))
    if told is None or (told and "provenance" not in told):
        return None
    try:
        return provenance_from_json(told.get("provenance"))
    except BeatError as error:
        raise MidiError(f"What the file says about its making was altered: {error}") from error


# --- reading ----------------------------------------------------------------------------------


def _content_of(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        with source.open("rb") as file:
            return file.read(LIMITS.bytes + 1)
    except OSError as error:
        raise MidiError(f"{source.name} could not be opened: {error.strerror}.") from error


class _FileParser:
    """One pass over a file's bytes. An IndexError anywhere means the file stops short."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.events_left = LIMITS.events

    def parse(self) -> MidiEvents:
        content = self.content
        if content[:4] != b"MThd" or len(content) < 14:
            raise MidiError(
                f"This is not a MIDI file: it begins with {content[:4]!r}, not with b'MThd'."
            )
        header_length, form, tracks, division = (
            int.from_bytes(content[4:8]),
            int.from_bytes(content[8:10]),
            int.from_bytes(content[10:12]),
            int.from_bytes(content[12:14]),
        )
        if header_length != 6 or form not in (0, 1) or not 1 <= tracks <= LIMITS.tracks:
            raise MidiError(
                f"Only MIDI files of type 0 or 1 with 1 to {LIMITS.tracks} tracks can be read; "
                f"this one is type {form} with {tracks} tracks."
            )
        if not 0 < division < 0x8000:
            raise MidiError(
                "Only MIDI files timed in ticks per quarter note can be read; this one counts "
                "film frames. Export it again with musical time."
            )
        events = MidiEvents(division)
        position = 14
        for _ in range(tracks):
            position = self._parse_chunk(position, events)
        if position != len(content):
            raise MidiError(f"{len(content) - position} bytes follow the last track: damaged file.")
        _check_duration(events)
        return events

    def _parse_chunk(self, position: int, events: MidiEvents) -> int:
        """Parse one track chunk; returns the position after it."""
        name = self.content[position : position + 4]
        if name != b"MTrk":
            raise MidiError(f"A track should begin at byte {position}; found {name!r}.")
        start = position + 8
        end = start + int.from_bytes(self.content[position + 4 : start])
        if end > len(self.content):
            raise MidiError(
                f"A track claims {end - start} bytes but the file has only "
                f"{len(self.content) - start} left: it is cut off."
            )
        self._parse_track(start, end, events)
        return end

    def _parse_track(self, position: int, end: int, events: MidiEvents) -> None:
        content, notes = self.content, events.notes
        tick, status, size = 0, 0, 2
        # note-ons waiting for their note-off, oldest first, per channel and note
        sounding: defaultdict[int, deque[int]] = defaultdict(deque)
        while position < end:
            byte = content[position]
            if byte < 0x80:  # nearly every delta is one byte: a call for each would cost as much
                tick += byte
                position += 1
            else:
                delta, position = self._variable_length(position)
                tick += delta
            self.events_left -= 1
            if self.events_left < 0:
                raise MidiError(
                    f"The file has over {LIMITS.events:,} events; no drum part needs that."
                )
            byte = content[position]
            if byte >= 0xF0:
                position = self._parse_other(position, end, tick, events)
                if position < 0:
                    return
                status = 0
                continue
            if byte & 0x80:
                status, size = byte, 1 if 0xC0 <= byte <= 0xDF else 2
                position += 1
            elif not status:
                raise MidiError(f"Byte {position} is no MIDI event (status {status:#04x}).")
            first, second = content[position], content[position + size - 1]
            position += size
            if (first | second) & 0x80:
                raise MidiError(f"Byte {position} should be a data byte: damaged file.")
            if 0x90 <= status <= 0x9F and second:
                channel = status & 0x0F
                sounding[channel << 8 | first].append(len(notes))
                notes.append((tick, channel, first, second, -1))
            elif status <= 0x9F and (waiting := sounding[(status & 0x0F) << 8 | first]):
                index = waiting.popleft()
                onset, channel, _, velocity, _ = notes[index]
                notes[index] = (onset, channel, first, velocity, tick - onset)
        raise MidiError("A track has no end mark, or its last event runs past its end.")

    def _parse_other(self, position: int, end: int, tick: int, events: MidiEvents) -> int:
        """Parse a meta or system exclusive event; the position after it, -1 at the track's end."""
        content, byte = self.content, self.content[position]
        if byte == 0xFF:
            kind = content[position + 1]
            length, position = self._variable_length(position + 2)
            data = content[position : position + length]
            position += length
            if kind == 0x2F:
                if position != end:
                    raise MidiError("Data follows a track's end mark: damaged file.")
                events.end_tick = max(events.end_tick, tick)
                return -1
            _take_meta(kind, data, tick, events)
            return position
        if byte in (0xF0, 0xF7):
            length, position = self._variable_length(position + 1)
            return position + length
        raise MidiError(f"Byte {position + 1} is no MIDI event (status {byte:#04x}).")

    def _variable_length(self, position: int) -> tuple[int, int]:
        """A variable-length quantity (at most four bytes) and the position after it."""
        value = 0
        for _ in range(4):
            byte = self.content[position]
            position += 1
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, position
        raise MidiError(f"The number at byte {position} is longer than MIDI allows.")


def _take_meta(kind: int, data: bytes, tick: int, events: MidiEvents) -> None:
    """Keep text, tempo and time signature; other meta events say nothing to a beat."""
    if kind == 0x01:
        events.texts.append(data)
    elif kind == 0x51 and len(data) == 3:
        events.tempos.append((tick, int.from_bytes(data)))
    elif kind == 0x58 and len(data) >= 2:
        events.meters.append((tick, data[0], 1 << min(data[1], 30)))


def _check_duration(events: MidiEvents) -> None:
    """Refuse impossible tempos, and files of more than an hour at their first tempo."""
    for _, microseconds in events.tempos:
        tempo_bpm = MICROSECONDS_PER_MINUTE / microseconds if microseconds else 0
        if not MIN_TEMPO_BPM <= round(tempo_bpm, 3) <= MAX_TEMPO_BPM:
            raise MidiError(
                f"The file asks for {tempo_bpm:g} BPM; {MIN_TEMPO_BPM:g} to {MAX_TEMPO_BPM:g} "
                "can be played."
            )
    microseconds = events.tempos[0][1] if events.tempos else DEFAULT_MICROSECONDS_PER_QUARTER
    seconds = events.end_tick / events.ticks_per_quarter * microseconds / 1e6
    if seconds > LIMITS.seconds:
        most = "one hour" if LIMITS.seconds == 3600 else f"{LIMITS.seconds / 60:g} minutes"
        raise MidiError(f"The file lasts {seconds / 3600:.1f} hours; the limit is {most}.")


@dataclass(frozen=True)
class Outline:
    """What an index says of a file's drums, without a `Hit` for each of their strokes.

    Attributes:
        frame: the file's beat with nothing but its last stroke.
        onsets_quarters, lanes, notes: of all strokes, in the file's order.
        notes_left_out, warnings: as in its `Reading`.
    """

    frame: Beat
    onsets_quarters: list[float]
    lanes: list[int]
    notes: list[int]
    notes_left_out: int = 0
    warnings: tuple[str, ...] = ()


def outline_of(events: MidiEvents, drum_map: DrumMap) -> Outline:
    """The outline of a file that was parsed. Raises MidiError just where `read_midi` does."""
    notes = _drum_notes(events)
    lane, _ = _lanes_of(events, drum_map, {note[2] for note in notes})
    per_quarter, last = events.ticks_per_quarter, max(notes)
    hit = Hit(last[0] / per_quarter, lane[last[2]], last[3])
    return Outline(
        _framed(events, (hit,), last[0], ""),
        [note[0] / per_quarter for note in notes],
        [lane[note[2]] for note in notes],
        [note[2] for note in notes],
        len(events.notes) - len(notes),
    )


def _drum_notes(events: MidiEvents) -> list[tuple[int, int, int, int, int]]:
    notes = events.drum_notes()
    if not notes:
        raise MidiError("The file holds no notes: there is nothing to play.")
    return notes


def _framed(events: MidiEvents, hits: tuple[Hit, ...], last_onset: int, title: str) -> Beat:
    """A beat of `hits` in the meter, tempo and length that the file says."""
    try:
        meter = Meter(*events.meters[0][1:]) if events.meters else Meter()
        return Beat(
            hits,
            bars=_bars(events, last_onset, meter),
            tempo_bpm=_tempo_bpm(events),
            meter=meter,
            title=title,
            provenance=Provenance(source=title),
        )
    except BeatError as error:
        raise MidiError(f"The file describes a beat that cannot be: {error}") from error


def _reading(events: MidiEvents, drum_map: DrumMap | None, title: str) -> Reading:
    notes = _drum_notes(events)
    lane, ours = _lanes_of(events, drum_map, {note[2] for note in notes})
    per_quarter = events.ticks_per_quarter
    hits = tuple(
        Hit(
            onset / per_quarter,
            lane[note],
            velocity,
            None if duration < 0 else duration / per_quarter,
            None if ours else note,
        )
        for onset, _, note, velocity, duration in notes
    )
    beat = _framed(events, hits, max(note[0] for note in notes), title)
    return Reading(
        beat,
        drum_map=drum_map or guess_drum_map([events]),
        notes_left_out=len(events.notes) - len(notes),
        tempo_changes=len({microseconds for _, microseconds in events.tempos[1:]}),
        meter_changes=len(Counter(meter[1:] for meter in events.meters)) - bool(events.meters),
    )


def _lanes_of(
    events: MidiEvents, drum_map: DrumMap | None, notes: set[int]
) -> tuple[dict[int, int], bool]:
    """Note → lane; and whether it is a pad's number of ours, which says nothing of a corpus."""
    target = None if drum_map else (_told(events) or {}).get("target")
    if isinstance(target, str) and target in NOTE_MAP and target != "general-midi":
        lanes = {note: LANE[name] for name, note in reversed(NOTE_MAP[target].notes.items())}
        if notes <= lanes.keys():
            return lanes, True
    drum_map = drum_map or guess_drum_map([events])
    return {note: LANE[drum_of_note(note, drum_map).name] for note in notes}, False


def _tempo_bpm(events: MidiEvents) -> float | None:
    return tempo_of(events.tempos[0][1]) if events.tempos else None


def tempo_of(microseconds: int) -> float:
    """Microseconds a quarter as BPM, in as few decimals as whole microseconds still tell apart.

    174 BPM is stored as 344,828 microseconds, which are 173.9998 BPM; read back it is 174.
    """
    tempo_bpm = MICROSECONDS_PER_MINUTE / microseconds
    for decimals in range(4):
        rounded = round(tempo_bpm, decimals)
        if round(MICROSECONDS_PER_MINUTE / rounded) == microseconds:
            return rounded
    return tempo_bpm


def _bars(events: MidiEvents, last_onset: int, meter: Meter) -> int:
    return bars_of(last_onset, events.end_tick, meter.bar_quarters * events.ticks_per_quarter)


def bars_of(last_onset: int, end_tick: int, bar_ticks: float) -> int:
    """Bars up to the last hit, or up to the end mark where that stands on a bar line.

    End marks elsewhere only say when the last note was released. All is in ticks.
    """
    played = int(last_onset // bar_ticks) + 1
    ended = end_tick / bar_ticks
    return max(played, int(ended)) if ended.is_integer() else played


# --- writing ----------------------------------------------------------------------------------

_Timed = tuple[int, int, Any]  # tick, order within the tick, a message of mido's


def _opening(
    beat: Beat, settings: MidiSettings, markers: Sequence[Marker], end: int
) -> list[_Timed]:
    """What stands before the drums: title, provenance, tempo, meter, markers."""
    from mido import MetaMessage

    tempo = round(MICROSECONDS_PER_MINUTE / beat.playing_tempo_bpm)
    messages: list[MetaMessage] = [MetaMessage("track_name", name=beat.title or "Beat")]
    messages.append(MetaMessage("set_tempo", tempo=tempo))
    messages.append(
        MetaMessage(
            "time_signature",
            numerator=beat.meter.numerator,
            denominator=beat.meter.denominator,
        )
    )
    if settings.provenance:
        messages.append(MetaMessage("text", text=_telling(beat, settings)))
    opening: list[_Timed] = [(0, -2, message) for message in messages]
    for marker in sorted(markers, key=lambda marker: marker.onset_quarters):
        tick = min(round(marker.onset_quarters * TICKS_PER_QUARTER), end)
        opening.append((tick, -1, MetaMessage("marker", text=marker.text)))
    return opening


def _is_worth_telling(provenance: Provenance) -> bool:
    """Whether there is more to say than a file's name."""
    return provenance.model is not None or provenance.seed is not None or provenance.edited


def _telling(beat: Beat, settings: MidiSettings) -> str:
    told: dict[str, Any] = {"target": settings.target}
    if _is_worth_telling(beat.provenance):
        told["provenance"] = provenance_to_json(beat.provenance)
    if beat.genre:
        told["genre"] = beat.genre
    return PROVENANCE_MARK + canonical_json(told)


def _told(events: MidiEvents) -> dict[str, Any] | None:
    """What `_telling` wrote into a file; {} where it was altered, None where nothing is."""
    mark = PROVENANCE_MARK.encode()
    for text in events.texts:
        if text.startswith(mark):
            try:
                told = parse_json(text.removeprefix(mark))
            except BeatError:
                return {}
            return told if isinstance(told, dict) else {}
    return None


def _parts(beat: Beat, settings: MidiSettings, end: int) -> list[tuple[str, list[_Timed]]]:
    """The drums as (track name, messages): one part, or one per drum that is played."""
    if not settings.track_per_drum:
        return [("Drums", _note_messages(beat.hits, settings.target, end))]
    return [
        (
            DRUMS[lane].label,
            _note_messages([hit for hit in beat.hits if hit.lane == lane], settings.target, end),
        )
        for lane in beat.lanes
    ]


def _note_messages(hits: Iterable[Hit], target: str, end: int) -> list[_Timed]:
    """Note-ons and note-offs.

    A note-off comes before a note-on of the same tick, except that of a note without length.
    """
    from mido import Message

    messages: list[_Timed] = []
    for note, onset, release, velocity in _notes(hits, target, end):
        messages.append(
            (onset, 1, Message("note_on", channel=DRUM_CHANNEL, note=note, velocity=velocity))
        )
        order = 0 if release > onset else 2
        messages.append(
            (release, order, Message("note_off", channel=DRUM_CHANNEL, note=note, velocity=0))
        )
    return messages


def _notes(hits: Iterable[Hit], target: str, end: int) -> list[tuple[int, int, int, int]]:
    """(note, onset tick, release tick, velocity) of every stroke, as the target wants them.

    As in the corpus, nothing is changed. Elsewhere a note lasts at least as long as DAWs can
    show and ends where the same note is struck again; and on a machine that plays two drums on
    one note, two strokes at once are the louder of them.
    """
    faithful = target == "as-in-corpus"
    shortest = 0.0 if faithful else DEFAULT_DURATION_QUARTERS
    notes = []
    for hit in hits:
        onset = min(round(hit.onset_quarters * TICKS_PER_QUARTER), end - 1)
        quarters = hit.duration_quarters
        quarters = DEFAULT_DURATION_QUARTERS if quarters is None else max(quarters, shortest)
        release = min(onset + round(quarters * TICKS_PER_QUARTER), end)
        notes.append((note_of(hit, target), onset, release, hit.velocity))
    if faithful:
        return notes
    return apart(notes, merge=target != "general-midi")


def note_of(hit: Hit, target: str) -> int:
    """The note a file for `target` (see `MidiSettings`) plays a stroke by."""
    if target == "as-in-corpus":
        return hit.note
    if target == "general-midi":
        return general_midi_note(hit.drum, hit.source_note)
    return NOTE_MAP[target].note(hit.drum)


def apart(notes: list[tuple[int, int, int, int]], merge: bool) -> list[tuple[int, int, int, int]]:
    """Notes of one number that do not overlap; with `merge`, one of them at a time."""
    by_note: defaultdict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
    for one in sorted(notes, key=lambda one: one[:2]):
        same = by_note[one[0]]
        if same and same[-1][1] == one[1] and merge:
            same[-1] = (*one[:2], max(same[-1][2], one[2]), max(same[-1][3], one[3]))
            continue
        if same and same[-1][1] < one[1] < same[-1][2]:
            same[-1] = (*same[-1][:2], one[1], same[-1][3])
        same.append(one)
    return [one for same in by_note.values() for one in same]


def _track(messages: list[_Timed], end: int) -> MidiTrack:
    """Timed messages as a track that ends on the last bar line."""
    from mido import MetaMessage, MidiTrack

    track, now = MidiTrack(), 0
    for tick, _, message in sorted(messages, key=lambda timed: timed[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(MetaMessage("end_of_track", time=end - now))
    return track
