"""Renders a whole set to one WAV file, streamed, so memory does not grow with length.

Every stroke is placed on the frame it belongs to, counted from the start of the set, and rings
across bar lines and into the next beat. Bars that are the same are mixed once, unless the beat has
a mixer, whose echoes and rooms go on from bar to bar. A beat that would go over the ceiling is
turned down as a whole.
"""

from __future__ import annotations

import bisect
import itertools
import math
import struct
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import SetError
from dj_core.files.file_names import one_line
from dj_core.files.storage import atomic_file, write_bytes_atomic
from dj_core.music.drum_maps import drum_of_note
from dj_core.music.drums import DRUMS, LANE, general_midi_note
from dj_core.sets.arrangement import Bar, bars_of
from dj_core.sets.set_names import slot_name
from dj_core.sets.set_plan import SetList
from dj_core.sound.kit_table import keys_of, kit_named, kit_or, note_of
from dj_core.sound.mixer_table import Mixer
from dj_core.sound.mixing import Console, voiced
from dj_core.sound.render import (
    CEILING,
    FULL_SCALE,
    RING_SECONDS,
    SAMPLE_RATE_HZ,
    SILENCE_DBFS,
    Striker,
    choked,
    fade_end,
    peak_of,
)

LARGEST_WAV_BYTES = 2**32 - 4096  # a WAV file counts its bytes with 32 bits
BYTES_A_FRAME = 4  # 16-bit stereo
MIXES_KEPT_BYTES = 24_000_000  # of bars that may come again
STROKES_KEPT_BYTES = 32_000_000
AROUND_BARS = 4  # heard of either beat where neither is mixed yet
GAIN_ROUNDS = 4  # each brings what is too loud nearer to the ceiling
CUE_FRAMES_A_SECOND = 75  # a compact disc's
Progress = Callable[[int, int], None]
"""Called with the bars done and the bars there are; what it raises stops the work."""

_Stroke = tuple[int, int, int, int]
"""(frame from the bar's start, key, velocity, frames it may ring)"""
_BarStrokes = tuple[tuple[_Stroke, ...], int]
"""A bar's strokes, and its length in frames."""
_Sound = NDArray[np.float32]
_Desk = tuple[Mixer, float]
"""How a slot is mixed, and its tempo."""


class Mixdown:
    """A set as the bytes of a 16-bit stereo WAV file, made while they are read.

    Attributes:
        frames, sample_rate: its length, known beforehand.
        start_frames: where each beat of the set begins.
        peak_dbfs: the loudest sample that was read so far.
    """

    def __init__(
        self,
        planned: SetList,
        kit: str = "standard",
        soundfont: Path | None = None,
        *,
        sample_rate: int = SAMPLE_RATE_HZ,
    ) -> None:
        """Nothing is played yet.

        Args:
            planned: the set.
            kit: a name from `dj_core.sound.kit_table.KITS`, for beats without one of their own.
            soundfont: an .sf2 file of the DJ's own choice; None for the best one at hand.
            sample_rate: frames per second.

        Raises:
            SetError: longer than a WAV file can be.
        """
        self.sample_rate = sample_rate
        self._soundfont = soundfont
        self._timeline = _Timeline(planned, sample_rate, kit)
        self._peak = 0
        if self.frames * BYTES_A_FRAME > LARGEST_WAV_BYTES:
            raise SetError(
                f"The set lasts {planned.duration_seconds / 3600:.1f} hours, which is more than "
                f"one WAV file can hold at {sample_rate} Hz. Take loops, or make two sets of it."
            )

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self._timeline.frames

    @property
    def start_frames(self) -> tuple[int, ...]:
        """Where each beat of the set begins."""
        timeline = self._timeline
        return tuple(timeline.bar_frames[slot.start] for slot in timeline.slots)

    @property
    def peak_dbfs(self) -> float:
        """The loudest sample that was read so far; -96 for silence."""
        return 20 * math.log10(self._peak / FULL_SCALE) if self._peak else SILENCE_DBFS

    def chunks(self, progress: Progress | None = None) -> Iterator[bytes]:
        """The file from its first to its last byte, about a bar at a time.

        Args:
            progress: told about every bar; it may raise to stop.

        Raises:
            SoundError: FluidSynth is missing, or the kit or SoundFont will not do.
        """
        bars = len(self._timeline.bar_frames) - 1
        yield _wav_head(self.frames, self.sample_rate)
        heard = _sounding(self._timeline, range(len(self._timeline.slots)), self._soundfont)
        for bar, sound in enumerate(heard, start=1):
            self._peak = max(self._peak, round(peak_of(sound)))
            yield sound.astype("<i2").tobytes()
            if progress:
                progress(bar, bars)


def change_wav(planned: SetList, number: int, kit: str = "standard") -> bytes:
    """What is heard where slot `number` goes into the next, as a WAV file: the end of the one,
    from four bars before its outro, and the start of the next, to four bars after its intro.

    The bars are mixed as the whole set's WAV has them. Only what still rings of beats before slot
    `number` is missing.

    Raises:
        SoundError: FluidSynth is missing, or the kit will not do.
    """
    timeline = _Timeline(planned, SAMPLE_RATE_HZ, kit)
    line = timeline.slots[number + 1].start
    ending, opening = planned.slots[number].sections[-1], planned.slots[number + 1].sections[0]
    before = AROUND_BARS + (ending.bars if ending.kind == "outro" else 0)
    after = AROUND_BARS + (opening.bars if opening.kind == "intro" else 0)
    first = max(timeline.slots[number].start, line - before)
    last = min(timeline.slots[number + 1].stop, line + after)
    heard = _sounding(timeline, range(number, number + 2))
    skipped = first - timeline.slots[number].start
    bars = list(itertools.islice(heard, skipped, skipped + last - first))
    sound = np.concatenate(bars)
    fade_end(sound, SAMPLE_RATE_HZ)
    return _wav_head(len(sound), SAMPLE_RATE_HZ) + sound.astype("<i2").tobytes()


def save_mix(mixdown: Mixdown, path: Path, progress: Progress | None = None) -> Path:
    """Write the set to `path` as WAV, completely or not at all.

    Raises:
        SoundError: FluidSynth is missing, or the kit or SoundFont will not do.
        LibraryError: no space or permission.
    """
    with atomic_file(path) as file:
        for chunk in mixdown.chunks(progress):
            file.write(chunk)
    return path


def _wav_head(frames: int, sample_rate: int) -> bytes:
    """What a WAV file of 16-bit stereo PCM (format tag 1) begins with."""
    size = frames * BYTES_A_FRAME
    form = struct.pack("<HHIIHH", 1, 2, sample_rate, sample_rate * BYTES_A_FRAME, BYTES_A_FRAME, 16)
    riff = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE"
    return riff + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)


def cue_sheet(planned: SetList, wav_name: str) -> str:
    """A cue sheet for the set's WAV file: a track per beat, at 75ths of a second.

    Players that know cue sheets (foobar2000, VLC, burning programs) show and skip to the beats.
    """
    lines = [
        f'TITLE "{_cue_text(planned.settings.name)}"',
        'PERFORMER "Digital DJ"',
        f'FILE "{_cue_text(wav_name)}" WAVE',
    ]
    for number, start in enumerate(planned.start_seconds):
        slot = planned.slots[number]
        seconds, frames = divmod(round(start * CUE_FRAMES_A_SECOND), CUE_FRAMES_A_SECOND)
        lines += [
            f"  TRACK {number + 1:02} AUDIO",
            f'    TITLE "{_cue_text(slot_name(planned, number))} ({slot.tempo_bpm:.4g} BPM)"',
            f"    INDEX 01 {seconds // 60:02}:{seconds % 60:02}:{frames:02}",
        ]
    return "\r\n".join(lines) + "\r\n"


def save_cue_sheet(planned: SetList, path: Path, wav_name: str) -> Path:
    """Write `cue_sheet` to `path`, completely or not at all. Raises LibraryError."""
    # a mark tells players that the names are in UTF-8
    return write_bytes_atomic(path, cue_sheet(planned, wav_name).encode("utf-8-sig"))


def _cue_text(text: str) -> str:
    """Text as a cue sheet can hold it: on one line, without its quotation marks."""
    return one_line(text).replace('"', "'")


# -- time ----------------------------------------------------------------------------------------


class _Timeline:
    """Where every bar and every stroke of the set begins, in frames.

    Attributes:
        frames: length of the set.
        bar_frames: start of every bar, and the end.
        sample_rate: frames per second.
        slots: the bars of each slot.
        kits: the kit of each slot.
        desks: how each slot is mixed, and its tempo.
        strokes: the strokes that begin in each bar.
    """

    def __init__(self, planned: SetList, sample_rate: int, kit: str) -> None:
        bars: list[Bar] = []
        seconds: list[float] = []
        self.sample_rate = sample_rate
        self.slots: list[range] = []
        self.kits = [kit_or(slot.entry.sound.kit, kit) for slot in planned.slots]
        self.desks = [(slot.entry.sound.mixer, slot.tempo_bpm) for slot in planned.slots]
        choked: list[frozenset[str]] = []  # bar by bar
        for number, start in enumerate(planned.start_seconds):
            slot = planned.slots[number]
            self.slots.append(range(len(bars), len(bars) + slot.bars))
            bars += bars_of(slot, planned.settings, number)
            choked += [kit_named(self.kits[number]).choked] * slot.bars
            seconds += [start + bar * slot.bar_seconds for bar in range(slot.bars)]
        seconds.append(planned.duration_seconds)
        self.bar_frames = [round(moment * sample_rate) for moment in seconds]
        self.frames = self.bar_frames[-1]
        struck: dict[tuple[int, int], tuple[int, bool]] = {}
        for start, bar, silenced in zip(self.bar_frames, bars, choked, strict=False):
            quarter_frames = 60 / bar.tempo_bpm * sample_rate
            onsets = [(hit, hit.onset_quarters) for hit in bar.hits]
            onsets += [(hit, -hit.onset_quarters) for hit in bar.pushed]
            for hit, quarters in onsets:
                frame = min(max(0, start + round(quarters * quarter_frames)), self.frames - 1)
                at = (frame, general_midi_note(hit.drum, hit.source_note))
                louder = max(hit.velocity, struck.get(at, (0, False))[0])
                struck[at] = louder, hit.drum.name in silenced  # two strokes at once are one
        chokes = sorted({frame for (frame, _), (_, is_choked) in struck.items() if is_choked})
        placed: list[list[_Stroke]] = [[] for _ in bars]
        ring = round(RING_SECONDS * sample_rate)
        strokes = sorted(struck.items())
        slot_frames = [self.bar_frames[slot.start] for slot in self.slots]

        def slot_at(stroke: tuple[tuple[int, int], tuple[int, bool]]) -> int:
            return bisect.bisect_right(slot_frames, stroke[0][0]) - 1

        for place, struck_there in itertools.groupby(strokes, slot_at):
            there = list(struck_there)
            own = self.kits[place]
            keys = keys_of((note for (_, note), _ in there), kit_named(own).alternated)
            for ((frame, _), (velocity, is_choked)), key in zip(there, keys, strict=True):
                length = ring
                following = bisect.bisect_right(chokes, frame)
                if is_choked and following < len(chokes):
                    length = min(ring, chokes[following] - frame)
                number = bisect.bisect_right(self.bar_frames, frame) - 1
                placed[number].append((frame - self.bar_frames[number], key, velocity, length))
        self.strokes = [tuple(strokes) for strokes in placed]

    def bar(self, number: int) -> _BarStrokes:
        """A bar's strokes and its length in frames."""
        return self.strokes[number], self.bar_frames[number + 1] - self.bar_frames[number]


# -- sound ---------------------------------------------------------------------------------------


def _sounding(
    timeline: _Timeline, slots: range, soundfont: Path | None = None
) -> Iterator[NDArray[np.float32]]:
    """These slots bar by bar, (frames, 2) of whole numbers at 16 bits' scale.

    One kit is loaded at a time: that of the slots which follow each other with it.
    """
    ringing = np.zeros((0, 2), np.float32)
    for kit, together in itertools.groupby(slots, lambda slot: timeline.kits[slot]):
        with Striker(kit, soundfont, timeline.sample_rate) as striker:
            mixer = _Mixer(striker)
            for slot in together:
                bars = [timeline.bar(bar) for bar in timeline.slots[slot]]
                desk = timeline.desks[slot]
                gain = mixer.gain(bars, ringing, desk)
                sounds = mixer.heard(bars, gain, ringing, desk)
                for number, heard in zip(timeline.slots[slot], sounds, strict=True):
                    if number == timeline.slots[-1][-1]:
                        fade_end(heard, timeline.sample_rate)
                    # rounding the gain may leave a hair too much
                    np.clip(heard, -CEILING, CEILING, out=heard)
                    yield np.rint(heard * np.float32(FULL_SCALE))
                ringing = mixer.ringing


class _Mixer:
    """Mixes bars of strokes, remembering strokes and bars while there is room.

    Attributes:
        ringing: what the bars heard last leave to the next.
    """

    def __init__(self, striker: Striker) -> None:
        self.ringing: _Sound = np.zeros((0, 2), np.float32)
        self._striker = striker
        self._strokes = _Shelf(STROKES_KEPT_BYTES)
        self._mixes = _Shelf(MIXES_KEPT_BYTES)

    def gain(self, bars: Sequence[_BarStrokes], ringing: _Sound, desk: _Desk) -> float:
        """How loud a slot plays: the kit's own gain, less where it would go over the ceiling.

        Args:
            bars: all the slot's bars.
            ringing: what is still heard of the slot before, as loud as it is heard.
            desk: how the slot is mixed.
        """
        gain = self._striker.gain
        for _ in range(GAIN_ROUNDS):
            peak = max(peak_of(heard) for heard in self.heard(bars, gain, ringing, desk))
            if peak <= CEILING:
                break
            gain *= CEILING / peak
        return gain

    def heard(
        self, bars: Iterable[_BarStrokes], gain: float, ringing: _Sound, desk: _Desk
    ) -> Iterator[_Sound]:
        """What is heard in each bar; afterwards `self.ringing` is what goes on ringing."""
        self.ringing = ringing
        if not desk[0].is_neutral:
            yield from self._through(desk, bars, gain)
            return
        for strokes, frames in bars:
            mix = self._mixes.get(strokes, partial(self._mix, strokes))
            sound = np.zeros((max(frames, len(self.ringing), len(mix)), 2), np.float32)
            np.multiply(mix, np.float32(gain), out=sound[: len(mix)])
            sound[: len(self.ringing)] += self.ringing
            self.ringing = sound[frames:]
            yield sound[:frames]

    def _through(self, desk: _Desk, bars: Iterable[_BarStrokes], gain: float) -> Iterator[_Sound]:
        """`heard` for a slot that has a mixer; the kit's own gain comes before it, as in a loop."""
        mixer, tempo_bpm = desk
        rate = self._striker.sample_rate
        console = Console(mixer, tempo_bpm, rate)
        strips = [mixer.values(drum.name) for drum in DRUMS]
        ringing: dict[int, _Sound] = {}  # by lane, before the mixer

        def played(strokes: tuple[_Stroke, ...], frames: int) -> _Sound:
            for frame, key, velocity, length in strokes:
                lane = LANE[drum_of_note(note_of(key)).name]
                how = (key, velocity, strips[lane]["tune"], strips[lane]["decay"])
                whole = self._strokes.get(how, partial(self._voiced, *how))
                part = choked(whole, length, rate)
                before = ringing.get(lane, np.zeros((0, 2), np.float32))
                sound = np.zeros((max(len(before), frame + len(part)), 2), np.float32)
                sound[: len(before)] = before
                sound[frame : frame + len(part)] += part
                ringing[lane] = sound
            for lane, sound in ringing.items():
                now = np.zeros((frames, 2), np.float32)
                now[: len(sound)] = sound[:frames]
                console.take(lane, now)
                ringing[lane] = sound[frames:]
            kicks = [(frame, velocity) for frame, key, velocity, _ in strokes
                     if drum_of_note(note_of(key)).family == "kick"]  # fmt: skip
            heard = console.play(frames, kicks) * np.float32(gain / self._striker.gain)
            sound = np.zeros((max(frames, len(self.ringing)), 2), np.float32)
            sound[:frames] = heard
            sound[: len(self.ringing)] += self.ringing
            self.ringing = sound[frames:]
            return sound[:frames]

        for strokes, frames in bars:
            yield played(strokes, frames)
        longest = max((len(sound) for sound in ringing.values()), default=0)
        self.ringing = played((), max(longest + console.rest_frames, len(self.ringing)))

    def _voiced(self, key: int, velocity: int, tune: float, decay: float) -> _Sound:
        """A stroke as loud as it comes to its strip."""
        struck = self._striker.strike(key, velocity) * np.float32(self._striker.gain)
        return voiced(struck, tune, decay, self._striker.sample_rate)

    def _mix(self, strokes: tuple[_Stroke, ...]) -> _Sound:
        """A bar's strokes until the last has died away, before any gain."""
        parts = []
        for frame, *stroke, length in strokes:
            whole = self._strokes.get(tuple(stroke), partial(self._striker.strike, *stroke))
            parts.append((frame, choked(whole, length, self._striker.sample_rate)))
        sound = np.zeros((max((at + len(part) for at, part in parts), default=0), 2), np.float32)
        for frame, part in parts:
            sound[frame : frame + len(part)] += part
        return sound


class _Shelf:
    """Sounds by name; those not asked for the longest are given up for want of room."""

    def __init__(self, room_bytes: int) -> None:
        self._room_bytes = room_bytes
        self._sounds: OrderedDict[Hashable, _Sound] = OrderedDict()
        self._bytes = 0

    def get(self, name: Hashable, make: Callable[[], _Sound]) -> _Sound:
        """The sound called `name`, made if it is not here."""
        if name in self._sounds:
            self._sounds.move_to_end(name)
            return self._sounds[name]
        sound = make()
        self._sounds[name] = sound
        self._bytes += sound.nbytes
        while self._bytes > self._room_bytes and len(self._sounds) > 1:
            _, given_up = self._sounds.popitem(last=False)
            self._bytes -= given_up.nbytes
        return sound
