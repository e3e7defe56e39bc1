"""What an index says of plain MIDI files, worked out in arrays over many files at a time.

`parse_midi` looks at one byte after another, which is most of what an import used to cost. Here
the bytes of many files lie in one array: what an event that began at a byte would be long is
worked out for all bytes at once, the events are found by hopping from one to the next, and all
else (times, running status, checks, strokes, sketches) is arithmetic on arrays of events.

A file is told of only if every one of its bytes is accounted for, just as strictly as there.
Whatever is not plain (system exclusive events, long texts, a word of ours about its making,
damage of any kind) is left to `parse_midi`, which knows what to do with it or how to refuse it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

import numpy as np

from dj_core import midi
from dj_core.beat import MAX_BARS, MAX_TEMPO_BPM, MIN_TEMPO_BPM, Meter
from dj_core.drums import (
    DRUM_CHANNEL,
    DRUMS,
    LANE,
    MAPPED_NOTES,
    TD_11_HAT_EDGES,
    DrumMap,
    drum_of_note,
)
from dj_core.errors import BeatError
from dj_core.families import Sketch, cells_per_bar, sketches

_HEADER = Struct(">4sIHHH")  # name, length, type, tracks, ticks a quarter
_CHUNK = Struct(">4sI")  # name, length
_NO_EVENT = 1 << 24  # a hop beyond the end of any file
_BEYOND = 8  # bytes after the last, so that looking ahead stays inside
_END_OF_TRACK, _TEMPO, _METER = 0x2F, 0x51, 0x58
_PROVENANCE = midi.PROVENANCE_MARK.encode()


class Summary(NamedTuple):
    """What an index says of a file's drums.

    Attributes:
        bars, tempo_bpm, meter: as in its `Beat`.
        lane_hits: strokes per lane, in drum table order.
        sketch: what grouping needs.
        read_by: the note map that `lane_hits` and `sketch` follow.
        speaks_for: the note map that this file alone would be read by.
    """

    bars: int
    tempo_bpm: float | None
    meter: Meter
    lane_hits: tuple[int, ...]
    sketch: Sketch
    read_by: DrumMap
    speaks_for: DrumMap


def plain_summaries(contents: Sequence[bytes], drum_map: DrumMap) -> list[Summary | None]:
    """What the index says of each file that is plain, in order; None for the others."""
    found: list[Summary | None] = [None] * len(contents)
    batch = _Batch.of(contents)
    if not batch.tracks:
        return found
    events = _events(batch)
    strokes = _strokes(events, batch)
    frames = _frames(events, strokes, batch)
    for file, summary in _summaries(strokes, frames, drum_map):
        found[file] = summary
    return found


# --- bytes to events --------------------------------------------------------------------------


class _Track(NamedTuple):
    file: int
    start: int  # in the batch's bytes
    end: int


@dataclass
class _Batch:
    """The bytes of all files in a row, and the tracks of those that can be plain."""

    data: np.ndarray
    divisions: list[int]  # ticks a quarter, 0 where the file is not plain
    tracks: list[_Track]
    marks: np.ndarray  # 1 where an event begins

    @classmethod
    def of(cls, contents: Sequence[bytes]) -> _Batch:
        data = np.frombuffer(b"".join((*contents, bytes(_BEYOND))), np.uint8)
        steps = _steps(data).tolist()
        marks = bytearray(len(data))
        divisions, tracks, place = [], [], 0
        for file, content in enumerate(contents):
            division, chunks = _header(content)
            inside = [_Track(file, place + start, place + end) for start, end in chunks]
            for _, start, end in inside:
                if not _mark_events(steps, start, end, marks):
                    marks[place : place + len(content)] = bytes(len(content))
                    division = 0
                    break
            divisions.append(division)
            if division:
                tracks += inside
            place += len(content)
        return cls(data, divisions, tracks, np.frombuffer(marks, np.uint8))


def _header(content: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Ticks a quarter, and where the tracks begin and end; 0 and none if anything is odd."""
    size = len(content)
    if not 14 <= size <= midi.LIMITS.bytes or _PROVENANCE in content:
        return 0, []
    name, length, form, count, division = _HEADER.unpack_from(content)
    known = name == b"MThd" and length == 6 and form <= 1 and 0 < division < 0x8000
    if not known or not 1 <= count <= midi.LIMITS.tracks:
        return 0, []
    place, chunks = 14, []
    for _ in range(count):
        if place + 8 > size:
            return 0, []
        name, length = _CHUNK.unpack_from(content, place)
        start = place + 8
        place = start + length
        if name != b"MTrk" or not length or place > size:
            return 0, []
        chunks.append((start, place))
    return (division, chunks) if place == size else (0, [])


def _after_delta() -> np.ndarray:
    """By the byte after an event's time: how many bytes are left of it, that one included."""
    sizes = np.full(256, _NO_EVENT, np.int32)
    sizes[:0x80] = 2  # running status, of a kind that has two data bytes: checked later
    sizes[0x80:0xF0] = 3
    sizes[0xC0:0xE0] = 2
    return sizes


_AFTER_DELTA = _after_delta()


def _steps(data: np.ndarray) -> np.ndarray:
    """For every byte, how long an event that began there would be."""
    count = len(data) - _BEYOND
    left = _AFTER_DELTA[data]
    metas = np.flatnonzero(data[: count + 4] == 0xFF)
    lengths = data[metas + 2]
    left[metas] = np.where(lengths < 0x80, lengths.astype(np.int32) + 3, _NO_EVENT)
    steps = left[1 : count + 1] + 1
    places = np.flatnonzero(data[:count] >= 0x80)  # times of more than one byte
    for size in (2, 3, 4):
        ended = data[places + (size - 1)] < 0x80
        at = places[ended]
        steps[at] = left[at + size] + size
        places = places[~ended]
    steps[places] = _NO_EVENT
    return steps


def _mark_events(steps: list[int], start: int, end: int, marks: bytearray) -> bool:
    """Mark the events of a track; whether they fill it exactly."""
    while start < end:
        marks[start] = 1
        start += steps[start]
    return start == end


@dataclass
class _Events:
    """Every event of the plain files, in order."""

    file: np.ndarray
    tick: np.ndarray  # since its track began
    status: np.ndarray
    first: np.ndarray  # data byte; the kind of a meta event
    second: np.ndarray  # data byte; the length of a meta event
    data_at: np.ndarray  # place of the first data byte
    plain: np.ndarray  # per file of the batch: whether all holds


def _events(batch: _Batch) -> _Events:
    places = np.flatnonzero(batch.marks)
    track = np.searchsorted([track.start for track in batch.tracks], places, "right") - 1
    file = np.array([track.file for track in batch.tracks])[track]
    first_of_track = np.searchsorted(track, np.arange(len(batch.tracks)))
    delta, status_at = _deltas(batch.data, places)
    status = batch.data[status_at]
    explicit = status >= 0x80
    last = np.maximum.accumulate(np.where(explicit, np.arange(len(places)), 0))
    status = status[last]
    data_at = status_at + explicit
    first, second = batch.data[data_at], batch.data[data_at + 1]
    meta = status == 0xFF
    one_byte = (status & 0xE0) == 0xC0
    running_wrong = ~explicit & (meta | one_byte | (status < 0x80) | (last < first_of_track[track]))
    data_wrong = ~meta & ((first >= 0x80) | ((second >= 0x80) & ~one_byte))
    ends = meta & (first == _END_OF_TRACK)
    is_last = np.append(np.diff(track) != 0, True)
    wrong = running_wrong | data_wrong | (ends != is_last) | (ends & (second != 0))
    files = len(batch.divisions)
    plain = np.array(batch.divisions) > 0
    plain[file[wrong]] = False
    plain &= np.bincount(file, minlength=files) <= midi.LIMITS.events
    elapsed = np.cumsum(delta)
    tick = elapsed - (elapsed - delta)[first_of_track][track]
    return _Events(file, tick, status, first, second, data_at, plain)


def _deltas(data: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ticks since the event before, and where the status byte (or the first data byte) is."""
    byte = data[places]
    delta = (byte & 0x7F).astype(np.int64)
    after = places + 1
    more = np.flatnonzero(byte >= 0x80)
    while len(more):
        byte = data[after[more]]
        delta[more] = delta[more] << 7 | byte & 0x7F
        after[more] += 1
        more = more[byte >= 0x80]
    return delta, after


# --- events to strokes and frames -------------------------------------------------------------


@dataclass
class _Strokes:
    """What is played, of all files that are plain so far; by file, in no order within one."""

    file: np.ndarray
    tick: np.ndarray
    note: np.ndarray
    on_channel: np.ndarray  # whether on the drums' channel
    last_tick: np.ndarray  # per file of the batch; -1 where nothing is played


def _strokes(events: _Events, batch: _Batch) -> _Strokes:
    """The notes on channel 10, or all notes of a file that has none there."""
    files = len(batch.divisions)
    struck = np.flatnonzero(
        ((events.status & 0xF0) == 0x90) & (events.second > 0) & events.plain[events.file]
    )
    file = events.file[struck]
    on_channel = (events.status[struck] & 0x0F) == DRUM_CHANNEL
    has_channel = np.bincount(file[on_channel], minlength=files) > 0
    kept = on_channel | ~has_channel[file]
    struck, file, on_channel = struck[kept], file[kept], on_channel[kept]
    tick = events.tick[struck]
    last_tick = np.full(files, -1)
    if len(file):
        firsts = np.flatnonzero(np.append(True, np.diff(file) != 0))
        last_tick[file[firsts]] = np.maximum.reduceat(tick, firsts)
    return _Strokes(file, tick, events.first[struck], on_channel, last_tick)


class _Frame(NamedTuple):
    division: int
    bars: int
    tempo_bpm: float | None
    meter: Meter


def _frames(events: _Events, strokes: _Strokes, batch: _Batch) -> dict[int, _Frame]:
    """Meter, tempo and length of every file that is plain and plays something."""
    ends = np.flatnonzero((events.status == 0xFF) & (events.first == _END_OF_TRACK))
    end_tick = [0] * len(batch.divisions)
    for file, tick in zip(events.file[ends].tolist(), events.tick[ends].tolist(), strict=True):
        end_tick[file] = max(end_tick[file], tick)
    tempos, meters = _tempos_and_meters(events, batch)
    frames = {}
    for file, (is_plain, last_tick) in enumerate(
        zip(events.plain.tolist(), strokes.last_tick.tolist(), strict=True)
    ):
        if is_plain and last_tick >= 0:
            frame = _frame(
                batch.divisions[file],
                tuple(tempos.get(file, ())),
                meters.get(file, (4, 2)),
                end_tick[file],
                last_tick,
            )
            if frame:
                frames[file] = frame
    return frames


def _tempos_and_meters(
    events: _Events, batch: _Batch
) -> tuple[dict[int, list[int]], dict[int, tuple[int, int]]]:
    """Per file, microseconds a quarter of every tempo, and the first meter as a file writes it."""
    told = np.flatnonzero(
        (events.status == 0xFF)
        & (
            ((events.first == _TEMPO) & (events.second == 3))
            | ((events.first == _METER) & (events.second >= 2))
        )
    )
    tempos: dict[int, list[int]] = {}
    meters: dict[int, tuple[int, int]] = {}
    at = events.data_at[told]
    columns = (events.file[told], events.first[told], *(batch.data[at + n] for n in (2, 3, 4)))
    for file, kind, one, two, three in zip(*(column.tolist() for column in columns), strict=True):
        if kind == _TEMPO:
            tempos.setdefault(file, []).append(one << 16 | two << 8 | three)
        else:
            meters.setdefault(file, (one, two))
    return tempos, meters


def _frame(
    division: int,
    tempos: tuple[int, ...],
    meter: tuple[int, int],
    end_tick: int,
    last_tick: int,
) -> _Frame | None:
    """None where something is out of bounds: the one who refuses knows the words."""
    meter = _meter(*meter)
    first = tempos[0] if tempos else midi.DEFAULT_MICROSECONDS_PER_QUARTER
    if not meter or not all(map(_tempo, tempos)):
        return None
    if end_tick / division * first / 1e6 > midi.LIMITS.seconds:
        return None
    bars = midi.bars_of(last_tick, end_tick, meter.bar_quarters * division)
    if bars > MAX_BARS or last_tick / division >= bars * meter.bar_quarters:
        return None
    return _Frame(division, bars, _tempo(first) if tempos else None, meter)


@lru_cache(maxsize=1_024)
def _meter(numerator: int, power: int) -> Meter | None:
    try:
        return Meter(numerator, 1 << min(power, 30))
    except BeatError:
        return None


@lru_cache(maxsize=4_096)
def _tempo(microseconds: int) -> float | None:
    if not microseconds:
        return None
    tempo_bpm = midi.tempo_of(microseconds)
    return tempo_bpm if MIN_TEMPO_BPM <= tempo_bpm <= MAX_TEMPO_BPM else None


# --- to the index -----------------------------------------------------------------------------


def _summaries(
    strokes: _Strokes, frames: dict[int, _Frame], drum_map: DrumMap
) -> list[tuple[int, Summary]]:
    if not frames:
        return []
    files = len(strokes.last_tick)
    row = np.full(files, -1)  # only files with a frame go on
    row[list(frames)] = np.arange(len(frames))
    kept = row[strokes.file] >= 0
    owner, note = row[strokes.file[kept]], strokes.note[kept]
    divisions = np.array([frame.division for frame in frames.values()])
    lane = _lanes(drum_map)[note]
    steps = (strokes.tick[kept] / divisions[owner] * 4 + 0.5).astype(np.int64)
    count = len(DRUMS)
    counts = np.bincount(owner * count + lane, minlength=len(frames) * count)
    lane_hits = counts.reshape(-1, count).tolist()
    maps = _speaking_for(owner, note, strokes.on_channel[kept], len(frames))
    tokens = steps * count + lane
    reach = int(tokens.max()) + 1
    ordered = np.sort(owner * reach + tokens)
    distinct = ordered[np.append(True, np.diff(ordered) != 0)]
    bar_cells = [cells_per_bar(frame.meter) for frame in frames.values()]
    drawn = sketches(distinct // reach, distinct % reach, bar_cells)
    return [
        (file, Summary(frame.bars, frame.tempo_bpm, frame.meter, tuple(hits), sketch, drum_map, by))
        for (file, frame), hits, sketch, by in zip(
            frames.items(), lane_hits, drawn, maps, strict=True
        )
    ]


def _speaking_for(
    owner: np.ndarray, note: np.ndarray, on_channel: np.ndarray, files: int
) -> list[DrumMap]:
    """The note map that each file alone would be read by, as `midi.guess_drum_map` says."""
    roland = np.bincount(owner[on_channel & _HAT_EDGE[note]], minlength=files) > 0
    extended = np.bincount(owner[~on_channel & _UNKNOWN[note]], minlength=files) > 0
    names: dict[tuple[bool, bool], DrumMap] = {(False, False): "general-midi"}
    names |= {(True, False): "td-11", (False, True): "extended"}
    return [names[pair] for pair in zip(roland.tolist(), extended.tolist(), strict=True)]


_HAT_EDGE = np.isin(np.arange(128), list(TD_11_HAT_EDGES))
_UNKNOWN = ~np.isin(np.arange(128), list(MAPPED_NOTES["general-midi"]))


@lru_cache(maxsize=4)
def _lanes(drum_map: DrumMap) -> np.ndarray:
    """Note number to lane."""
    return np.array([LANE[drum_of_note(note, drum_map).name] for note in range(128)])
