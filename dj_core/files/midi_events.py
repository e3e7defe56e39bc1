"""The MIDI parser: bytes to events, lenient towards odd files, safe against hostile ones.

What a file holds besides well-formed events is read over where it is plain what was meant, and
counted (`MidiEvents.oddities`); so nothing is lost in silence. What cannot be read is refused with
a sentence. Sizes, tracks, events and time have limits, and no work is done twice for a byte.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from dj_core.errors import MidiError
from dj_core.host.limits import LIMITS

MIDI_ENDINGS = (".mid", ".midi", ".smf", ".kar", ".rmi")
"""How files that `parse_midi` reads are named, in lower case."""

DEFAULT_MICROSECONDS_PER_QUARTER = 500_000  # Standard MIDI Files 1.0: no tempo event means 120 BPM
SLOWEST, FASTEST = 6_000_000, 100_000
"""Microseconds a quarter at 10 and 600 BPM, between which a tempo can be played."""
_MOST_BYTES_BEFORE_HEAD = 256  # an old Mac's own head has 128
_END_MARK_BYTES = 4
_PADDING = b"\x00\x1a\r\n\t "
_DRUM_BANKS = (120, 127)  # bank select of drum kits: GM2, XG
_DATA_BYTES_OF_SYSTEM = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # MIDI 1.0; the other system messages: none
_TOO_MANY_EVENTS = f"The file has over {LIMITS.midi_events:,} events; no drum part needs that."
_OTHER_FILES = {
    b"RIFF": "a WAV recording or another RIFF file",
    b"PK\x03\x04": "a zip",
    b"ID3": "an MP3 recording",
    b"fLaC": "a FLAC recording",
    b"FORM": "an AIFF recording",
    b"OggS": "an Ogg recording",
}

Note = tuple[int, int, int, int, int]
"""(onset, channel, note, velocity, duration or -1 when no note-off came); times in ticks."""


@dataclass
class MidiEvents:
    """The events of a file that matter to a drummer; times in ticks.

    Attributes:
        ticks_per_quarter: as the file says, or as derived where it counts film frames.
        notes: in the file's order, track after track.
        tempos: (tick, microseconds a quarter).
        meters: (tick, numerator, denominator).
        texts: of text events.
        end_tick: of the last end mark, or the last event where there is none.
        track_starts: per track, how many notes come before it in `notes`.
        names: by track, its name as the file's bytes.
        programs: (track, channel) → the sound asked for last, 0 to 127.
        drum_banks: (track, channel) that asked for a bank of drum kits.
        patterns: of a file of type 2, how many follow one another; else 1.
        ticks_per_second: of a file that counts film frames; else None.
        oddities: what was read over, by kind (`ODDITIES`), and how often or how many bytes.
    """

    ticks_per_quarter: float
    notes: list[Note] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    meters: list[tuple[int, int, int]] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    end_tick: int = 0
    track_starts: list[int] = field(default_factory=list)
    names: dict[int, bytes] = field(default_factory=dict)
    programs: dict[tuple[int, int], int] = field(default_factory=dict)
    drum_banks: set[tuple[int, int]] = field(default_factory=set)
    patterns: int = 1
    ticks_per_second: float | None = None
    oddities: Counter[str] = field(default_factory=Counter)


ODDITIES: dict[str, tuple[str, str]] = {
    "before-head": ("byte", ""),
    "head-length": ("time", ""),
    "file-type": ("time", ""),
    "more-tracks": ("track", ""),
    "fewer-tracks": ("track", "Its head announces {n} more than it holds. If something is "
                              "missing, export it again."),
    "foreign-chunks": ("chunk", ""),
    "padding": ("byte", ""),
    "unread-bytes": ("byte", "Not read: {n} outside of its tracks."),
    "second-file": ("time", "Another MIDI file follows inside this one; it was not read."),
    "track-length": ("track", ""),
    "no-end-mark": ("track", ""),
    "cut-off": ("time", "The file is cut off: its end is missing. What is there was read; copy "
                        "or download it again."),
    "after-end-mark": ("note", "Read all the same: {n} after the mark that ends a track."),
    "running-status": ("event", ""),
    "system-messages": ("message", ""),
    "values-over-127": ("value", ""),
    "velocities-over-127": ("hit", "Played at full velocity: {n} louder than MIDI allows."),
    "notes-over-127": ("note", "Left out: {n} with a number that MIDI does not have."),
    "odd-lengths": ("event", ""),
    "odd-tempos": ("tempo", "Not heeded: {n} that cannot be read."),
    "odd-meters": ("time signature", "Not heeded: {n} that cannot be read."),
}  # fmt: skip
"""By kind of oddity what it counts and, where a DJ should know, the sentence that says it."""


def parse_midi(content: bytes) -> MidiEvents:
    """The events of a Standard MIDI File of any type, also inside a RIFF file.

    Raises MidiError where it is not a MIDI file, damaged, or beyond `LIMITS`.
    """
    if len(content) > LIMITS.midi_bytes:
        raise MidiError(
            f"This file has {len(content):,} bytes; drum MIDI is never over {LIMITS.midi_bytes:,}. "
            "Export a shorter clip."
        )
    return _FileParser(without_riff(content)).parse()


def without_riff(content: bytes) -> bytes:
    """The MIDI file inside a RIFF file (.rmi, or a .mid that is one); other content as it is."""
    if content[:4] != b"RIFF" or content[8:12] != b"RMID":
        return content
    position = 12
    while position + 8 <= len(content):
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        if content[position : position + 4] == b"data":
            inside = content[position + 8 :]
            return inside[:size] if 14 <= size <= len(inside) else inside
        position += 8 + size + size % 2
    return content


class _FileParser:
    """One pass over a file's bytes."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.events_left = LIMITS.midi_events
        self.track = -1

    def parse(self) -> MidiEvents:
        content = self.content
        head = 0 if content[:4] == b"MThd" else content.find(b"MThd", 0, _MOST_BYTES_BEFORE_HEAD)
        if head < 0 or len(content) < head + 14:
            named = (name for mark, name in _OTHER_FILES.items() if content.startswith(mark))
            known = next(named, "")
            raise MidiError(
                f"This is not a MIDI file{f' but {known}' if known else ''}. "
                "Choose a .mid file, or export the beat as MIDI."
            )
        length, form, announced, division = struct.unpack_from(">IHHH", content, head + 4)
        self.events = events = MidiEvents(division)
        if head:
            events.oddities["before-head"] += head
        if division >= 0x8000:  # it counts film frames
            frames, ticks_per_frame = 0x100 - (division >> 8), division & 0xFF
            if frames not in (24, 25, 29, 30) or not ticks_per_frame:
                raise MidiError(
                    "The file counts time in film frames that do not exist. Export it again with "
                    "musical time."
                )
            a_second = (30_000 / 1_001 if frames == 29 else frames) * ticks_per_frame
            events.ticks_per_second = a_second
            events.ticks_per_quarter = a_second * DEFAULT_MICROSECONDS_PER_QUARTER / 1e6
        if not events.ticks_per_quarter:
            raise MidiError(
                "The file does not say how it counts time: its quarter notes have 0 ticks. "
                "Export it again."
            )
        if form > 2:
            events.oddities["file-type"] += 1
        start = head + 14
        if length != 6:
            events.oddities["head-length"] += 1
            if self._is_chunk(head + 8 + length):
                start = head + 8 + length
        self._parse_chunks(start, is_patterns=form == 2)
        if missing := announced - len(events.track_starts):
            events.oddities["fewer-tracks" if missing > 0 else "more-tracks"] += abs(missing)
        if events.ticks_per_second:  # quarter notes by its first tempo that can be played
            tempos = (tempo for _, tempo in sorted(events.tempos) if FASTEST <= tempo <= SLOWEST)
            microseconds = next(tempos, DEFAULT_MICROSECONDS_PER_QUARTER)
            events.ticks_per_quarter = events.ticks_per_second * microseconds / 1e6
            events.tempos = [(0, microseconds)]
        return events

    def _parse_chunks(self, position: int, *, is_patterns: bool) -> None:
        """Parse every track; what stands between them is stepped over and counted."""
        content, events = self.content, self.events
        base = 0
        while position < len(content):
            if content[position : position + 4] == b"MTrk" and position + 8 <= len(content):
                self.track += 1
                if self.track >= LIMITS.midi_tracks:
                    raise MidiError(
                        f"The file has over {LIMITS.midi_tracks} tracks; no drum part needs that. "
                        "Export the drums alone."
                    )
                notes = len(events.notes)
                events.track_starts.append(notes)
                start = position + 8
                length = int.from_bytes(content[position + 4 : start])
                position, end_tick = self._parse_track(start, start + length, base)
                events.end_tick = max(events.end_tick, end_tick)
                if is_patterns and len(events.notes) > notes:  # the next begins on a bar line
                    events.patterns += base > 0
                    quarter = events.ticks_per_quarter
                    last = max(events.meters, default=(0, 4, 4), key=lambda meter: meter[0])
                    bar = max(round((last[1] or 4) * 4 / last[2] * quarter), 1)
                    base = -(-max(end_tick - few_ticks(quarter), 1) // bar) * bar
            elif content[position : position + 4] == b"MThd":
                events.oddities["second-file"] += 1
                return
            elif self._is_chunk(position):
                events.oddities["foreign-chunks"] += 1
                position += 8 + int.from_bytes(content[position + 4 : position + 8])
            else:
                position = self._skip_to_track(position, len(content))

    def _is_chunk(self, position: int) -> bool:
        """Whether a chunk, of whatever name, begins here and fits into the file."""
        content = self.content
        name = content[position : position + 4]
        length = int.from_bytes(content[position + 4 : position + 8])
        fits = len(content) >= position + 8 + length
        return name == b"MTrk" or (len(name) == 4 and name.isalnum() and fits)

    def _skip_to_track(self, position: int, end: int) -> int:
        """The next track before `end`, or `end`; what is stepped over is counted."""
        found = self.content.find(b"MTrk", position, end)
        found = end if found < 0 else found
        skipped = self.content[position:found]
        if skipped:
            kind = "unread-bytes" if skipped.strip(_PADDING) else "padding"
            self.events.oddities[kind] += len(skipped)
        return found

    def _parse_track(self, position: int, declared_end: int, base: int) -> tuple[int, int]:
        """Parse one track; the position after it, and the tick it ends at.

        Args:
            position: of the first event.
            declared_end: where the track says it ends. Where an end mark says otherwise, or no
                chunk begins there, that is what counts.
            base: the tick the track begins at.
        """
        content, events, notes = self.content, self.events, self.events.notes
        end = min(declared_end, len(content))
        tick, status, size, before = base, 0, 2, 0
        ended_with, end_tick = -1, base  # notes and time when the end mark came
        # note-ons waiting for their note-off, oldest first, per channel and note
        sounding: defaultdict[int, deque[int]] = defaultdict(deque)
        try:
            while True:
                while position < end:
                    byte = content[position]
                    if byte < 0x80:  # nearly every delta is one byte: a call for each would cost
                        tick += byte
                        position += 1
                    else:
                        delta, position = self._variable_length(position)
                        tick += delta
                    self.events_left -= 1
                    if self.events_left < 0:
                        raise MidiError(_TOO_MANY_EVENTS)
                    byte = content[position]
                    if byte >= 0xF0:
                        before, status = status or before, 0
                        position = self._parse_other(position, tick)
                        if position >= 0:
                            continue
                        position = -position  # the end mark
                        if position == declared_end:
                            return position, tick
                        if ended_with < 0:
                            ended_with, end_tick = len(notes), tick
                        before = 0
                        if position >= end or content[position : position + 4] == b"MTrk":
                            events.oddities["track-length"] += 1
                            return position, tick
                        if not content[position:end].strip(_PADDING):
                            events.oddities["padding"] += end - position
                            return end, tick
                        continue
                    if byte & 0x80:
                        status, size = byte, 1 if 0xC0 <= byte <= 0xDF else 2
                        position += 1
                    elif not status:
                        if not before:
                            raise self._damage(position)
                        events.oddities["running-status"] += 1
                        status = before
                        size = 1 if 0xC0 <= status <= 0xDF else 2
                    first, second = content[position], content[position + size - 1]
                    position += size
                    if (first | second) & 0x80:
                        first, second, position = self._odd_data(status, position - size, size)
                        if first > 0x7F:
                            continue
                    if 0x90 <= status <= 0x9F and second:
                        channel = status & 0x0F
                        sounding[channel << 8 | first].append(len(notes))
                        notes.append((tick, channel, first, second, -1))
                    elif status <= 0x9F:
                        if waiting := sounding[(status & 0x0F) << 8 | first]:
                            index = waiting.popleft()
                            onset, channel, _, velocity, _ = notes[index]
                            notes[index] = (onset, channel, first, velocity, tick - onset)
                    elif 0xC0 <= status <= 0xCF:
                        events.programs[self.track, status & 0x0F] = first
                    elif 0xB0 <= status <= 0xBF and not first and second in _DRUM_BANKS:
                        events.drum_banks.add((self.track, status & 0x0F))
                # no end mark up to here
                if ended_with >= 0:
                    return max(position, end), self._last_tick(ended_with, end_tick)
                if position == end == len(content) < declared_end:
                    self._note_cut_off(declared_end, whole_events=True)
                    return end, tick
                if position == end and (end == len(content) or self._ends_here(end)):
                    events.oddities["no-end-mark"] += 1
                    return end, tick
                if end == len(content) or self._ends_here(end):
                    raise self._damage(min(position, len(content) - 1))
                events.oddities["track-length"] += 1  # it goes on behind its declared end
                end = len(content)
        except IndexError:
            if ended_with >= 0:
                return self._skip_to_track(position, end), self._last_tick(ended_with, end_tick)
            if declared_end <= len(content):
                raise MidiError("The file ends in the middle of an event: it is damaged.") from None
            self._note_cut_off(declared_end, whole_events=False)
            return len(content), tick
        except MidiError:
            if ended_with < 0 or self.events_left < 0:
                raise
            return self._skip_to_track(position, end), self._last_tick(ended_with, end_tick)
        finally:
            if 0 <= ended_with < len(notes):
                events.oddities["after-end-mark"] += len(notes) - ended_with

    def _ends_here(self, position: int) -> bool:
        """Whether a track without an end mark may end here: a chunk follows, or padding."""
        return self._is_chunk(position) or not self.content[position:].strip(_PADDING)

    def _last_tick(self, ended_with: int, end_tick: int) -> int:
        """Where a track ends that goes on after its end mark: there, or at a note after it."""
        notes = self.events.notes
        return max(end_tick, notes[-1][0]) if len(notes) > ended_with else end_tick

    def _note_cut_off(self, declared_end: int, *, whole_events: bool) -> None:
        """Count that the last track stops short of its length.

        Where only its end mark is missing, or its length was never filled in, nothing is lost.
        """
        missing = declared_end - len(self.content)
        never_filled_in = whole_events and missing > LIMITS.midi_bytes
        lost = missing > _END_MARK_BYTES and not never_filled_in
        self.events.oddities["cut-off" if lost else "no-end-mark"] += 1

    def _odd_data(self, status: int, position: int, size: int) -> tuple[int, int, int]:
        """Data bytes of which one is over 127, and the position after them.

        A controller's value, a velocity and the like are cut to 127, as other programs do; a note
        of such a number is returned with it. Clock and sensing bytes that a recorder left before
        a note's number are stepped over.
        """
        oddities = self.events.oddities
        is_note = status <= 0x9F
        while is_note and 0xF8 <= self.content[position] <= 0xFE:
            oddities["system-messages"] += 1
            position += 1
        first, second = self.content[position], self.content[position + size - 1]
        position += size
        if not is_note:
            oddities["values-over-127"] += 1
            return min(first, 127), min(second, 127), position
        if first > 0x7F:
            oddities["notes-over-127" if status >= 0x90 and second else "values-over-127"] += 1
            return first, second, position
        if second > 0x7F and status >= 0x90:
            oddities["velocities-over-127"] += 1
        return first, min(second, 127), position

    def _parse_other(self, position: int, tick: int) -> int:
        """Parse a meta or system event; the position after it, negative behind an end mark."""
        content, byte = self.content, self.content[position]
        if byte == 0xFF:
            kind = content[position + 1]
            length, position = self._variable_length(position + 2)
            data = content[position : position + length]
            position += length
            if position > len(content):
                raise IndexError
            if kind == 0x2F:
                return -position
            events = self.events
            if kind == 0x01:
                events.texts.append(data)
            elif kind == 0x51:
                tempo = int.from_bytes(data)
                if len(data) == 3 or FASTEST <= tempo <= SLOWEST:
                    events.tempos.append((tick, tempo))
                    if len(data) != 3:
                        events.oddities["odd-lengths"] += 1
                else:
                    events.oddities["odd-tempos"] += 1
            elif kind == 0x58 and len(data) >= 2:
                events.meters.append((tick, data[0], 1 << min(data[1], 30)))
            elif kind == 0x58:
                events.oddities["odd-meters"] += 1
            elif kind == 0x03 or (kind == 0x04 and self.track not in events.names):
                events.names[self.track] = data  # of the track, else of its instrument
            return position
        if byte in (0xF0, 0xF7):
            length, position = self._variable_length(position + 1)
            if position + length > len(content):
                raise IndexError
            return position + length
        self.events.oddities["system-messages"] += 1
        return position + 1 + _DATA_BYTES_OF_SYSTEM.get(byte, 0)

    def _variable_length(self, position: int) -> tuple[int, int]:
        """A variable-length quantity (at most four bytes) and the position after it."""
        value = 0
        for _ in range(4):
            byte = self.content[position]
            position += 1
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, position
        raise self._damage(position - 4)

    def _damage(self, position: int) -> MidiError:
        return MidiError(
            f"The file is damaged at byte {position + 1:,}, in track {self.track + 1}: what "
            "follows cannot be told apart. Export it again, or copy it again."
        )


def few_ticks(ticks_per_quarter: float) -> int:
    """How far from a bar line an event may stand and still be meant to stand on it."""
    return max(1, int(ticks_per_quarter / 48))
