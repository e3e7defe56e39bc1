"""Turns a MIDI file's events into a beat: finds its drums, tempo and meter.

Notes on channel 10 are the drums; then those of tracks that are called so; then those that look
like a drummer's. What holds for most of the hits is the beat's tempo and meter. Whatever is left
out, moved or taken on trust is said in a sentence (`Reading.warnings`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median_high
from typing import Any, TypeVar

from dj_core.errors import BeatError, MidiError
from dj_core.files.beat_json import parse_json
from dj_core.files.file_names import counted
from dj_core.files.midi_events import (
    DEFAULT_MICROSECONDS_PER_QUARTER,
    FASTEST,
    ODDITIES,
    SLOWEST,
    MidiEvents,
    Note,
    few_ticks,
    parse_midi,
)
from dj_core.host.limits import LIMITS
from dj_core.music.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Beat, Hit, Meter, Provenance
from dj_core.music.drum_maps import (
    DRUM_MAPS,
    drum_of_note,
    guessed_map,
    lanes_by_note,
    likelier_map,
)
from dj_core.music.drums import DRUM_CHANNEL, LANE, DrumMap
from dj_core.music.note_maps import NOTE_MAP

_Value = TypeVar("_Value")

MICROSECONDS_PER_MINUTE = 60_000_000
PROVENANCE_MARK = "digital-dj "  # begins the text event that says where a beat comes from
AS_IN_CORPUS = "as-in-corpus"
"""The target of a file of ours that keeps its corpus's notes, and says what they are."""
_MOST_SILENT_BARS = 4  # after the last hit, where the end mark is not quite on a bar line
_LONGEST_KEPT_LEAD_IN = 1 / 32  # of the file: so much silence before a long recording stays
_ENOUGH_FOR_ALL = 1 / 3  # of the hits, for a tempo that stands for them all


@dataclass(frozen=True)
class Reading:
    """A beat as read, and what a DJ should know about the file.

    Attributes:
        beat: the drums.
        drum_map: the note map they were read by.
        note_counts: hits by MIDI note, for `drum_maps` to say what another map would make of them.
        notes_left_out: notes that are no drums.
        warnings: a sentence for each thing that was left out, moved or taken on trust.
        oddities: what else was read over, by kind (`midi_events.ODDITIES`), and how often.
    """

    beat: Beat
    drum_map: DrumMap
    note_counts: dict[int, int] = field(default_factory=dict)
    notes_left_out: int = 0
    warnings: tuple[str, ...] = ()
    oddities: dict[str, int] = field(default_factory=dict)


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


def read_midi(source: Path | bytes, drum_map: DrumMap | None = None) -> Beat:
    """The drums of a MIDI file; see `read_midi_report`."""
    return read_midi_report(source, drum_map).beat


def read_midi_report(source: Path | bytes, drum_map: DrumMap | None = None) -> Reading:
    """Read a Standard MIDI File of any type.

    Velocities, durations and note numbers are kept as they are, and so are onsets, but that empty
    bars before the first hit are left out.

    Args:
        source: a path, or the file's bytes.
        drum_map: how note numbers become lanes, a name from `drum_maps.DRUM_MAPS`; None finds
            out from the file.

    Raises MidiError: not a MIDI file, damaged, beyond `LIMITS`, or without a single note.
    """
    title = source.stem if isinstance(source, Path) else ""
    events = parse_midi(content_of(source))
    frame = _frame(events)
    counts = Counter(note[2] for note in frame.notes)
    lanes, taken = _lanes_of(events, drum_map, counts)
    is_pad = taken in NOTE_MAP and taken != "general-midi"  # pads say nothing of a corpus
    per_quarter = events.ticks_per_quarter
    hits = tuple(
        Hit(
            onset / per_quarter,
            lanes[note],
            velocity,
            None if duration < 0 else duration / per_quarter,
            None if is_pad else note,
        )
        for onset, _, note, velocity, duration in frame.notes
    )
    return Reading(
        _framed(frame, hits, title),
        taken,
        dict(counts),
        frame.left_out + events.oddities["notes-over-127"],
        _warnings(events, frame, counts, taken, is_chosen=drum_map is not None),
        dict(events.oddities),
    )


def outline_of(events: MidiEvents, drum_map: DrumMap) -> Outline:
    """The outline of a file that was parsed. Raises MidiError just where `read_midi` does."""
    frame = _frame(events)
    notes, per_quarter = frame.notes, events.ticks_per_quarter
    struck = [note[2] for note in notes]
    lanes, taken = _lanes_of(events, drum_map, struck)
    last = max(notes)
    hit = Hit(last[0] / per_quarter, lanes[last[2]], last[3])
    return Outline(
        _framed(frame, (hit,), ""),
        [note[0] / per_quarter for note in notes],
        [lanes[note] for note in struck],
        struck,
        frame.left_out + events.oddities["notes-over-127"],
        _warnings(events, frame, Counter(struck), taken, is_chosen=True),
    )


def drum_map_of(events: MidiEvents) -> DrumMap | None:
    """The note map that a file tells by itself; None where it cannot say.

    A file with notes on channel 10 can, and one of ours. Of other files, `drum_map_vote` says
    what one suggests, and only many of them together decide.
    """
    notes = _drum_notes(events)[0]
    if told := _told_lanes(events, {note[2] for note in notes}):
        return told[0]
    counts = Counter(note[2] for note in notes if note[1] == DRUM_CHANNEL)
    return guessed_map(counts, on_channel_10=True) if counts else None


def drum_map_vote(events: MidiEvents) -> DrumMap:
    """The note map that a file without notes on channel 10 suggests for files of its kind."""
    counts = Counter(note[2] for note in _drum_notes(events)[0])
    return guessed_map(counts, on_channel_10=False)


def content_of(source: Path | bytes) -> bytes:
    """A file's bytes, cut off just past the limit. Raises MidiError."""
    if isinstance(source, bytes):
        return source
    try:
        with source.open("rb") as file:
            return file.read(LIMITS.midi_bytes + 1)
    except OSError as error:
        raise MidiError(f"{source.name} could not be opened: {error.strerror}.") from error


def told_in(events: MidiEvents) -> dict[str, Any] | None:
    """What we wrote into a file about it; {} where it was altered, None where nothing is."""
    mark = PROVENANCE_MARK.encode()
    text = next((text for text in events.texts if text.startswith(mark)), None)
    if text is None:
        return None
    try:
        told = parse_json(text.removeprefix(mark))
    except BeatError:
        return {}
    return told if isinstance(told, dict) else {}


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


# --- notes to lanes -----------------------------------------------------------------------------


def _lanes_of(
    events: MidiEvents, drum_map: DrumMap | None, notes: Collection[int]
) -> tuple[Sequence[int] | dict[int, int], DrumMap]:
    """Note → lane, and by which map."""
    if drum_map is None:
        if told := _told_lanes(events, set(notes)):
            return told[1], told[0]
        drum_map = drum_map_of(events) or drum_map_vote(events)
    if drum_map not in DRUM_MAPS:
        raise MidiError(f"No note map is called {drum_map!r}. Maps: {', '.join(DRUM_MAPS)}.")
    return lanes_by_note(drum_map), drum_map


def _told_lanes(
    events: MidiEvents, notes: set[int]
) -> tuple[DrumMap, Sequence[int] | dict[int, int]] | None:
    """The map that a file of ours says it is written by, if it names all these notes."""
    told = told_in(events) or {}
    target, drums = told.get("target"), told.get("drums")
    if target == AS_IN_CORPUS and isinstance(drums, dict):
        lanes = {
            int(note): LANE[name]
            for note, name in drums.items()
            if note.isdecimal() and len(note) <= 3 and isinstance(name, str) and name in LANE
        }
        if notes <= lanes.keys():
            return guessed_map(Counter(notes), on_channel_10=True), lanes
        return None
    name = told.get("map") if target == AS_IN_CORPUS else target
    if isinstance(name, str) and name in DRUM_MAPS and notes <= DRUM_MAPS[name].drums.keys():
        return name, lanes_by_note(name)
    return None


def _warnings(
    events: MidiEvents, frame: _Frame, counts: Counter[int], drum_map: DrumMap, *, is_chosen: bool
) -> tuple[str, ...]:
    """All that a DJ should know about a file as it was read."""
    said = [*frame.warnings]
    taken = DRUM_MAPS[drum_map]
    if is_chosen or not frame.is_ours:
        if unnamed := taken.unnamed(counts):
            numbers = sorted(note for note in counts if note not in taken.drums)
            said.append(
                f"Played as congas: {counted(unnamed, 'hit')} on {_listed('note', numbers)}, for "
                f"which {taken.label} has no drum."
            )
        if not is_chosen and frame.drums_seen and (other := likelier_map(counts, drum_map)):
            said.append(
                f"Read as {taken.label}. Its notes fit {DRUM_MAPS[other].label} better: choose "
                "that note map if the drums sound wrong."
            )
    for kind, count in events.oddities.items():
        noun, sentence = ODDITIES[kind]
        said += [sentence.format(n=counted(count, noun))] if sentence else []
    return tuple(said)


def _listed(noun: str, values: Sequence[object], most: int = 6) -> str:
    """'note 24', 'notes 24, 25 and 60', or the first few of many."""
    *texts, last = [str(value) for value in values[:most]]
    if len(values) > most:
        return f"{noun}s {', '.join((*texts, last))} …"
    return f"{noun}s {', '.join(texts)} and {last}" if texts else f"{noun} {last}"


# --- which notes are drums ----------------------------------------------------------------------

_DRUM_NAMES = re.compile(
    r"drum|\bfills?\b|kick|snare|hi-?hat|\bhats?\b|\bhh\b|\btoms?\b|cymbal|crash|\bride\b|\bclaps?\b|perc|"
    r"\bkit\b|conga|bongo|shaker|tambourine|cowbell|timbale|rim ?shot|schlag|batter|bater[ií]a|"
    r"ドラム|キック|スネア|ハイハット|鼓|드럼|удар|барабан"
)
_MELODY_NAMES = re.compile(
    r"steel ?drum|bass|piano|\bkeys?\b|synth|\blead\b|\bpads?\b|string|guitar|\bgtr\b|organ|brass|"
    r"horn|\bsax|trumpet|trombone|flute|oboe|clarinet|violin|viola|cello|voice|vocal|\bvox\b|"
    r"choir|melod|chord|\barp|pluck|harp|\bbells?\b|marimba|vibraphone|xylophone|rhodes|wurli|"
    r"clavi|\bstabs?\b|\bsub\b|accord|strings|ピアノ|ベース|ギター|シンセ"
)
_MOSTLY_KIT = 0.8  # of the hits of a drummer's part, on kick, snare, hats, toms and cymbals


@dataclass(frozen=True)
class _Part:
    """The notes of one track on one channel."""

    track: int
    channel: int
    name: str
    notes: list[Note]
    drums: bool | None
    """Whether its name or its sound says that these are drums; None where they do not say."""


def _drum_notes(events: MidiEvents) -> tuple[list[Note], int, str]:
    """The notes that are drums, how many others there are, and what to say of that."""
    notes = events.notes
    if not notes:
        raise MidiError("The file holds no notes: there is nothing to play.")
    channels = {note[1] for note in notes}
    if channels == {DRUM_CHANNEL}:
        return notes, 0, ""
    if len(channels) == 1 and (len(events.track_starts) == 1 or not events.names):
        # one part, of whatever name: nothing to choose from
        named = any(_DRUM_NAMES.search(_text(name).casefold()) for name in events.names.values())
        if named or _look_like_drums(notes, "extended", "ezdrummer"):
            return notes, 0, ""
        parts, drums = _parts(events), []
    else:
        parts = _parts(events)
        drums = _drum_parts(parts)
        if not drums and _look_like_drums(notes):
            return notes, 0, ""
    if not drums:
        names = list(dict.fromkeys(part.name for part in parts if part.name))
        where = f" ({', '.join(names[:4])})" if names else ""
        said = (
            f"There are no drums to be seen in this file{where}: its notes are read as drums all "
        )
        return notes, 0, said + "the same."
    chosen = {(part.track, part.channel) for part in drums}
    others = [part for part in parts if (part.track, part.channel) not in chosen]
    left_out = sum(len(part.notes) for part in others)
    if not left_out:
        return notes, 0, ""
    names = list(dict.fromkeys(part.name or f"channel {part.channel + 1}" for part in others))
    said = f"Left out: {counted(left_out, 'note')} of {_listed('part', names)}, which are no drums."
    return [note for part in drums for note in part.notes], left_out, said


def _parts(events: MidiEvents) -> list[_Part]:
    """The notes by track and channel."""
    parts = []
    for track, (start, end) in enumerate(pairwise([*events.track_starts, len(events.notes)])):
        by_channel: defaultdict[int, list[Note]] = defaultdict(list)
        for note in events.notes[start:end]:
            by_channel[note[1]].append(note)
        # a track of several channels has one name for all of them, which says nothing
        name = _text(events.names.get(track, b"")) if len(by_channel) == 1 else ""
        melody, drum = (kind.search(name.casefold()) for kind in (_MELODY_NAMES, _DRUM_NAMES))
        for channel, notes in by_channel.items():
            says: bool | None = None
            if (track, channel) in events.drum_banks:
                says = True
            elif drum and not (melody and "steel" in melody[0]):
                # 'Bass Drum' is a drum; 'Drum & Bass Piano' is not: what comes last is what it is
                says = not melody or drum.start() > melody.start()
            elif melody or (
                len(by_channel) == 1
                and channel != DRUM_CHANNEL
                and events.programs.get((track, channel))
            ):
                says = False
            parts.append(_Part(track, channel, name, notes, says))
    return parts


def _drum_parts(parts: Sequence[_Part]) -> list[_Part]:
    """The parts that are drums: by channel 10, then by name or sound, then by their shape."""
    told = [part for part in parts if part.drums]
    on_channel = [part for part in parts if part.channel == DRUM_CHANNEL]
    if told:  # a name outweighs the channel where the name says that it is something else
        on_channel = [part for part in on_channel if part.drums is not False]
    sure = {id(part) for part in (*told, *on_channel)}
    look = _surely_drums if sure else _look_like_drums
    return [part for part in parts if id(part) in sure or (part.drums is None and look(part.notes))]


def _look_like_drums(notes: Sequence[Note], *drum_maps: DrumMap) -> bool:
    """Whether notes look like a drummer's rather than a melody's, by any of some note maps."""
    pitches = Counter(note[2] for note in notes)
    if len(pitches) <= 2 and len(notes) >= 4 * len(pitches):
        return True  # one drum again and again
    if _is_melodic_line(notes, pitches):
        return False
    return any(
        DRUM_MAPS[name].kit_share(pitches) >= _MOSTLY_KIT and _families(pitches, name) >= 2
        for name in ("general-midi", *drum_maps)
    )


def _surely_drums(notes: Sequence[Note]) -> bool:
    """The same beyond doubt, beside notes that are known to be drums."""
    pitches = Counter(note[2] for note in notes)
    general_midi = DRUM_MAPS["general-midi"]
    if general_midi.unnamed(pitches) or general_midi.kit_share(pitches) < 1:
        return False
    families = {drum_of_note(pitch).family for pitch in pitches}
    hats_alone = families == {"hat"} and len(notes) >= 4
    kit = _families(pitches, "general-midi") >= 3
    return hats_alone or (kit and not _is_melodic_line(notes, pitches))


def _families(pitches: Iterable[int], drum_map: DrumMap) -> int:
    """How many of kick, snare, hats and cymbals are struck."""
    return len(DRUM_MAPS[drum_map].families(pitches) & {"kick", "snare", "hat", "cymbal"})


def _is_melodic_line(notes: Sequence[Note], pitches: Counter[int]) -> bool:
    """Whether each note is held until the next, never two at once, over several pitches."""
    if len(pitches) < 3 or len(notes) < 3:
        return False
    ordered = sorted(notes)
    held = 0
    for (onset, _, _, _, duration), following in pairwise(ordered):
        gap = following[0] - onset
        if gap <= 0:
            return False
        held += duration >= 0.6 * gap
    return held > 0.8 * (len(ordered) - 1)


@lru_cache(maxsize=1_024)
def _text(data: bytes) -> str:
    """A name as the program that wrote it meant it: UTF-8, Shift-JIS or Latin-1."""
    for encoding in ("utf-8", "cp932"):
        try:
            return data.decode(encoding).strip("\0 \r\n\t")
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1").strip("\0 \r\n\t")


# --- tempo, meter and length --------------------------------------------------------------------


_Placed = tuple[float, int, int, int, int]
"""A `Note` moved onto the bars, where its onset need be no whole tick."""


@dataclass
class _Frame:
    """A file's drums on their bars, before they are hits."""

    notes: Sequence[_Placed]
    meter: Meter
    tempo_bpm: float | None
    bars: int
    left_out: int
    warnings: list[str]
    drums_seen: bool
    is_ours: bool


def _frame(events: MidiEvents) -> _Frame:
    """Tempo, meter and bars of a file, and its drums moved onto them. Raises MidiError."""
    drum_notes, left_out, said = _drum_notes(events)
    warnings = [said] if said else []
    onsets = [note[0] for note in drum_notes]
    first = min(onsets)
    last: float = max(onsets)
    microseconds = _tempo(events, onsets, warnings)
    quarters = events.end_tick / events.ticks_per_quarter
    seconds = quarters * (microseconds or DEFAULT_MICROSECONDS_PER_QUARTER) / 1e6
    if seconds > LIMITS.midi_seconds:
        limit = LIMITS.midi_seconds
        most = "one hour" if limit == 3600 else f"{limit / 60:g} minutes"
        raise MidiError(f"The file lasts {seconds / 3600:.1f} hours; the limit is {most}.")
    if events.patterns > 1:
        warnings.append(
            f"The file holds {counted(events.patterns, 'pattern')} of its own (MIDI type 2): they "
            "follow one another here."
        )
    meter, start = _meter(events, onsets, warnings)
    bar = meter.bar_quarters * events.ticks_per_quarter
    few = few_ticks(events.ticks_per_quarter)
    notes: Sequence[_Placed] = drum_notes
    end: float = events.end_tick
    shift = 0.0
    if start:
        # a pickup or count-in of another length: bars are counted from where the meter begins
        shift = (bar - start % bar) % bar
        if min(shift, bar - shift) <= few:
            shift = 0.0
    ours = told_in(events) is not None
    empty = int((first + shift + few // 2) // bar)
    # a bar of silence before a long recording is part of it
    if not ours and empty * bar > (last + shift) * _LONGEST_KEPT_LEAD_IN:
        shift -= empty * bar
        warnings.append(f"Left out: {counted(empty, 'empty bar')} before the first hit.")
    if shift:
        notes = [(max(note[0] + shift, 0), *note[1:]) for note in notes]
        last, end = max(last + shift, 0), end + shift
    # up to the last hit, or to the end mark where that stands on a bar line; elsewhere it only says
    # when the last note was released, and far behind the last hit it is near a line by chance
    bars = int(last // bar) + 1
    ended = round(end / bar)
    off = abs(end - ended * bar)
    if not off or (off <= few and ended <= bars + _MOST_SILENT_BARS):
        bars = max(bars, ended)
    line = (bars - 1) * bar
    if not ours and bars > 1 and line <= last <= line + few and abs(end - line) <= few:
        # the end mark stands before the last bar, whose hits are the first of the next time round
        overhang = sum(note[0] >= line for note in notes)
        warnings.append(
            f"{counted(overhang, 'hit')} on the line after the last bar moved to the first."
        )
        notes, bars = [(note[0] % line, *note[1:]) for note in notes], bars - 1
    tempo_bpm = tempo_of(microseconds) if microseconds else None
    drums_seen = bool(left_out or not said)
    return _Frame(notes, meter, tempo_bpm, bars, left_out, warnings, drums_seen, ours)


def _tempo(events: MidiEvents, onsets: list[int], warnings: list[str]) -> int | None:
    """Microseconds a quarter that hold for most of the hits; None where the file says none."""
    tempos = events.tempos
    if events.ticks_per_second:
        warnings.append(
            f"The file counts film frames, {events.ticks_per_second:,.4g} ticks a second; beats "
            f"are counted at {tempo_of(tempos[0][1]):g} BPM."
        )
    if len(tempos) == 1 and tempos[0][0] <= min(onsets) and FASTEST <= tempos[0][1] <= SLOWEST:
        return tempos[0][1]
    heeded = [tempo for tempo in tempos if FASTEST <= tempo[1] <= SLOWEST]
    if len(heeded) < len(tempos):
        wild = {tempo[1] for tempo in tempos} - {tempo[1] for tempo in heeded}
        asked = sorted(MICROSECONDS_PER_MINUTE / one if one else 0 for one in wild)
        warnings.append(
            f"Not heeded: {_listed('tempo', [f'{one:.3g} BPM' for one in asked], 3)}; "
            f"{MIN_TEMPO_BPM:g} to {MAX_TEMPO_BPM:g} can be played."
        )
    if not heeded:
        return None
    holding = _holding(heeded, onsets, DEFAULT_MICROSECONDS_PER_QUARTER)
    chosen, (hits, _) = max(holding.items(), key=lambda item: item[1][0])
    if hits < _ENOUGH_FOR_ALL * len(onsets):  # a tempo that never rests: the one in the middle
        counts = Counter({one: count for one, (count, _) in holding.items()})
        chosen = median_high(counts.elements())
    if len(holding) > 1:
        played = [f"{tempo_of(one):g}" for one in holding]
        warnings.append(
            f"The tempo changes ({_listed('BPM', played).removeprefix('BPMs ')} BPM); the beat "
            f"plays at {tempo_of(chosen):g}, as most of its hits."
        )
    return chosen


def _meter(events: MidiEvents, onsets: list[int], warnings: list[str]) -> tuple[Meter, int]:
    """The meter that holds for most of the hits, and the tick it begins at."""
    meters = events.meters
    if not meters:
        return Meter(), 0
    possible = []
    for tick, *parts in meters:
        with suppress(BeatError):
            possible.append((tick, Meter(*parts)))
    if len(possible) < len(meters):
        warnings.append(
            "Not heeded: a time signature that no beat can have. "
            f"Bars are counted in {possible[0][1] if possible else '4/4'}."
        )
        if not possible:
            return Meter(), 0
    if len(possible) == 1 and possible[0][0] <= 0:
        return possible[0][1], 0
    holding = _holding(possible, onsets, Meter())
    meter, (_, start) = max(holding.items(), key=lambda item: item[1][0])
    if len(holding) > 1:
        warnings.append(
            f"The meter changes ({_listed('meter', list(holding)).removeprefix('meters ')}); "
            f"bars are counted in {meter}, as most of its hits."
        )
    return meter, start


def _holding(
    changes: Sequence[tuple[int, _Value]], onsets: list[int], default: _Value
) -> dict[_Value, tuple[int, int]]:
    """By value that holds for any hit: for how many, and the tick from which it first does.

    Changes are taken in the order of time, over all tracks; of several at one tick the last wins.
    Before the first one the default holds.
    """
    at_tick = dict(sorted(changes, key=lambda change: change[0]))
    bounds = list(at_tick.items())
    if not bounds or bounds[0][0] > 0:
        bounds.insert(0, (0, default))
    ordered = sorted(onsets)
    holding: dict[_Value, tuple[int, int]] = {}
    for place, (tick, value) in enumerate(bounds):
        until = bounds[place + 1][0] if place + 1 < len(bounds) else ordered[-1] + 1
        hits = bisect_left(ordered, until) - bisect_left(ordered, tick)
        if hits:
            before, since = holding.get(value, (0, tick))
            holding[value] = before + hits, since
    return holding


def _framed(frame: _Frame, hits: tuple[Hit, ...], title: str) -> Beat:
    """A beat of `hits` in the frame of its file."""
    try:
        return Beat(
            hits,
            bars=frame.bars,
            tempo_bpm=frame.tempo_bpm,
            meter=frame.meter,
            title=title,
            provenance=Provenance(source=title),
        )
    except BeatError as error:
        raise MidiError(f"The file describes a beat that cannot be: {error}") from error
