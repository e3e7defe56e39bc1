"""The plan of a set: order of beats, tempos, durations and sections.

    beats --ordered--> entries (gaps among them) --plan_set--> SetList of slots
                                                                 each with its sections

Planning is a pure function: the same beats and settings give the same set. What a slot plays bar
by bar is written in `arrangement`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from dj_core.errors import SetError
from dj_core.files.beat_json import shown
from dj_core.files.file_names import one_line
from dj_core.music.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Beat
from dj_core.sets.bar_counts import AS_IS, Count, counted_tempo_bpm, in_count, nearest_count
from dj_core.sound.beat_sound import USUAL_SOUND, BeatSound

EnergyCurve = Literal["steady", "rise", "wave", "peak", "fall"]
SectionKind = Literal["intro", "groove", "breakdown", "outro"]

PHRASE_BARS = (8, 16, 32)  # what dance music counts in
MAX_BEATS = 99  # a cue sheet numbers its tracks with two digits
MAX_MINUTES = 240.0
MAX_PHRASES = 256  # of one beat
MAX_BARS = 50_000  # of a set: four hours at 600 BPM have 36,000
MAX_STROKES = 1_000_000  # of a set: four hours of busy 16ths have 300,000
MAX_NAME = 120  # characters
MAX_SEED = 2**63 - 1
LARGEST_TEMPO_STEP = 0.06  # the reach of a turntable's narrow pitch fader
DEFAULT_PHRASES = 4  # of a beat in a set without a length
LOUD_FROM = 0.4  # energy from which a groove opens with a crash


@dataclass(frozen=True)
class SetSettings:
    """What a DJ asks of a set.

    Attributes:
        name: what the set is called, on one line; up to 120 characters.
        beats: how many beats it has, up to 99; None for as many as are given. Where fewer are
            given, a model plays the missing ones.
        minutes: length to aim at, up to 240; None for four phrases a beat.
        phrase_bars: 8, 16 or 32.
        tempo_bpm: tempo of the first beat, 10 to 600; None plays every beat at its own.
        to_tempo_bpm: tempo of the last beat; None for that of the first.
        energy: how the set goes: 'steady', 'rise', 'wave', 'peak' or 'fall'.
        keep_order: play the beats as given instead of by energy and tempo.
        genres: what missing beats are played in; () for those of the beats beside them.
        mix_ends: begin and end every beat with half a phrase of kick and hats alone.
        fills: a fill in the last bar of every phrase.
        breakdowns: half a phrase without a kick in the middle of every longer beat.
        seed: for everything that is drawn, 0 to 2**63 - 1.

    Raises:
        SetError: a value out of range.
    """

    name: str = "Set"
    beats: int | None = None
    minutes: float | None = None
    phrase_bars: int = 16
    tempo_bpm: float | None = None
    to_tempo_bpm: float | None = None
    energy: EnergyCurve = "rise"
    keep_order: bool = False
    genres: tuple[str, ...] = ()
    mix_ends: bool = True
    fills: bool = True
    breakdowns: bool = True
    seed: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", one_line(self.name)[:MAX_NAME].strip() or "Set")
        if self.phrase_bars not in PHRASE_BARS:
            raise SetError(f"A phrase has 8, 16 or 32 bars; got {shown(self.phrase_bars)}.")
        if self.energy not in get_args(EnergyCurve):
            known = ", ".join(get_args(EnergyCurve))
            raise SetError(f"A set's energy goes like one of {known}; got {shown(self.energy)}.")
        if self.beats is not None and not 1 <= self.beats <= MAX_BEATS:
            raise SetError(f"A set has 1 to {MAX_BEATS} beats; got {shown(self.beats)}.")
        if self.minutes is not None and not 0 < self.minutes <= MAX_MINUTES:
            raise SetError(f"A set lasts up to {MAX_MINUTES:g} minutes; got {shown(self.minutes)}.")
        if not 0 <= self.seed <= MAX_SEED:
            raise SetError(f"A seed is 0 to {MAX_SEED}; got {shown(self.seed)}.")
        for tempo in (self.tempo_bpm, self.to_tempo_bpm):
            _check_tempo(tempo)
        if self.to_tempo_bpm is not None and self.tempo_bpm is None:
            raise SetError(
                f"A set that goes to {self.to_tempo_bpm:g} BPM needs a tempo to begin with."
            )

    @property
    def least_phrases(self) -> int:
        """The fewest phrases a beat can play: its ends are half a phrase each."""
        return 2 if self.mix_ends else 1

    def planned_tempo_bpm(self, place: float) -> float | None:
        """The tempo at `place`, 0 (first beat) to 1 (last); None where beats keep their own."""
        if self.tempo_bpm is None:
            return None
        last = self.to_tempo_bpm or self.tempo_bpm
        return round(self.tempo_bpm + (last - self.tempo_bpm) * place, 2)


@dataclass(frozen=True)
class Entry:
    """A line of the set list before it is planned.

    Attributes:
        beat: what plays, or None for a gap that a model fills.
        count: how to count its tempo; None for whatever suits the tempo it plays at best.
        phrases: how long it plays, up to 256; None for its share of the set.
        fills: beats of one bar to end phrases with, in the beat's meter; () for none.
        tempo_bpm: what it plays at, 10 to 600; None for what the set plans at its place.
        roles: phrases of the same style, each with its role in the provenance's feel: they say
            which drums play in which bar of an intro, a break or an outro; () for none.
        sound: what it is heard with; as the whole set is where nobody chose.

    Raises:
        SetError: a value out of range.
    """

    beat: Beat | None
    count: Count | None = None
    phrases: int | None = None
    fills: tuple[Beat, ...] = ()
    tempo_bpm: float | None = None
    roles: tuple[Beat, ...] = ()
    sound: BeatSound = USUAL_SOUND

    @property
    def own_beat(self) -> Beat:
        """The beat before the set counts it. Raises SetError for a gap."""
        if self.beat is None:
            raise SetError("A place of the set is empty. Choose a model to fill it.")
        return self.beat

    def __post_init__(self) -> None:
        if self.count is not None and self.count not in get_args(Count):
            known = ", ".join(get_args(Count))
            raise SetError(f"A beat is counted {known}; got {shown(self.count)}.")
        if self.phrases is not None and not 1 <= self.phrases <= MAX_PHRASES:
            raise SetError(f"A beat plays 1 to {MAX_PHRASES} phrases; got {shown(self.phrases)}.")
        _check_tempo(self.tempo_bpm)


@dataclass(frozen=True)
class Section:
    """A part of a slot: so many bars of one kind."""

    kind: SectionKind
    bars: int


@dataclass(frozen=True)
class Slot:
    """A beat's place in the set.

    Attributes:
        entry: the line it was planned from.
        beat: what loops here, counted as the set counts it, at the slot's tempo.
        energy: where the set's curve is here, 0 to 1.
        sections: what is played of it, in order.
    """

    entry: Entry
    beat: Beat
    energy: float
    sections: tuple[Section, ...]

    @property
    def bars(self) -> int:
        """Length in bars."""
        return sum(section.bars for section in self.sections)

    @property
    def tempo_bpm(self) -> float:
        """Tempo in quarter notes a minute."""
        return self.beat.playing_tempo_bpm

    @property
    def bar_seconds(self) -> float:
        """Length of one bar in seconds."""
        return self.beat.meter.bar_quarters * 60 / self.tempo_bpm

    @property
    def duration_seconds(self) -> float:
        """Length in seconds."""
        return self.bars * self.bar_seconds


@dataclass(frozen=True)
class SetWarning:
    """Something a DJ should hear before the crowd does.

    Attributes:
        slot: index of the slot it is about.
        words: what is the matter.
        offer: a way to count the slot's beat that removes the cause, or None.
    """

    slot: int
    words: str
    offer: Count | None = None


@dataclass(frozen=True)
class SetList:
    """A planned set; `slots` play one after another without a pause."""

    settings: SetSettings
    slots: tuple[Slot, ...]

    @property
    def bars(self) -> int:
        """Length in bars."""
        return sum(slot.bars for slot in self.slots)

    @property
    def duration_seconds(self) -> float:
        """Length in seconds."""
        return math.fsum(slot.duration_seconds for slot in self.slots)

    @property
    def start_seconds(self) -> tuple[float, ...]:
        """When each slot begins, from the start of the set."""
        lengths = [slot.duration_seconds for slot in self.slots]
        return tuple(math.fsum(lengths[:number]) for number in range(len(lengths)))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The lines it was planned from."""
        return tuple(slot.entry for slot in self.slots)


def plan_set(entries: Sequence[Entry], settings: SetSettings) -> SetList:
    """The entries as a set, in the order they are in.

    Args:
        entries: at least one, none a gap (`generating.fill_gaps` fills those).
        settings: `beats`, `keep_order` and `genres` were used up when the entries were made.

    Raises:
        SetError: nothing to play, a gap, a length the beats cannot keep to, or more than fits.
    """
    if not 1 <= len(entries) <= MAX_BEATS:
        raise SetError(f"A set has 1 to {MAX_BEATS} beats; got {len(entries)}.")
    beats = []
    for number, entry in enumerate(entries):
        if entry.beat is None:
            raise SetError(f"Place {number + 1} of the set is empty. Choose a model to fill it.")
        planned_bpm = settings.planned_tempo_bpm(place_of(number, len(entries)))
        beats.append(_counted(entry, entry.tempo_bpm or planned_bpm))
    phrases = _phrases(entries, beats, settings)
    _check_size(beats, [settings.phrase_bars * count for count in phrases])
    slots = tuple(
        Slot(
            entry,
            beat,
            energy_at(settings.energy, place_of(number, len(entries))),
            sections_of(phrases[number], settings),
        )
        for number, (entry, beat) in enumerate(zip(entries, beats, strict=True))
    )
    return SetList(settings, slots)


def warnings_of(planned: SetList) -> tuple[SetWarning, ...]:
    """Tempo steps of over 6 % between beats, and beats played so far from their own tempo."""
    found = []
    for number, slot in enumerate(planned.slots):
        if number:
            before = planned.slots[number - 1]
            step = _step(before.tempo_bpm, slot.tempo_bpm)
            if abs(step) > LARGEST_TEMPO_STEP:
                words = (
                    f"{step:+.1%} in tempo from {before.tempo_bpm:.4g} to "
                    f"{slot.tempo_bpm:.4g} BPM: too far to mix by pitch."
                )
                found.append(SetWarning(number, words, _offer(slot, before, planned.settings)))
        own = counted_tempo_bpm(slot.entry.own_beat, _count(slot))
        stretch = _step(own, slot.tempo_bpm)
        if abs(stretch) > LARGEST_TEMPO_STEP:
            words = f"Made for {own:.4g} BPM, it plays at {slot.tempo_bpm:.4g} ({stretch:+.1%})."
            found.append(SetWarning(number, words))
    return tuple(found)


def place_of(number: int, total: int) -> float:
    """How far into the set the slot `number` is, 0 to 1."""
    return number / (total - 1) if total > 1 else 0.0


def energy_at(curve: EnergyCurve, place: float) -> float:
    """Energy from 0 (calm) to 1 (peak time) at `place`, 0 to 1."""
    if curve == "rise":
        return 0.2 + 0.8 * place
    if curve == "fall":
        return 1.0 - 0.8 * place
    if curve == "wave":  # up and down twice, the second time higher
        return 0.35 + 0.2 * place + 0.35 * math.sin(4 * math.pi * place - math.pi / 2)
    if curve == "peak":  # two thirds up, one third down
        return 0.2 + 1.2 * place if place < 2 / 3 else 1.0 - 1.8 * (place - 2 / 3)
    return 0.6


def sections_of(phrases: int, settings: SetSettings) -> tuple[Section, ...]:
    """How a slot of so many phrases is divided; always whole phrases together.

    Half a phrase in, half a phrase out, so that one beat's end and the next one's start make a
    phrase; a breakdown of half a phrase where at least one phrase comes before and one after.
    """
    phrase = settings.phrase_bars
    ends = phrase // 2 if settings.mix_ends else 0
    body = phrases * phrase - 2 * ends
    inner = body // phrase
    parts = [Section("intro", ends)]
    if settings.breakdowns and inner >= 2:
        before = (inner + 1) // 2 * phrase - phrase // 2
        parts += [Section("groove", before), Section("breakdown", phrase // 2)]
        parts += [Section("groove", body - before - phrase // 2)]
    else:
        parts += [Section("groove", body)]
    return tuple(part for part in (*parts, Section("outro", ends)) if part.bars)


def _check_tempo(tempo_bpm: float | None) -> None:
    """Refuse a tempo that cannot be played. Raises SetError."""
    if tempo_bpm is not None and not MIN_TEMPO_BPM <= tempo_bpm <= MAX_TEMPO_BPM:
        raise SetError(f"A tempo is 10 to 600 BPM; got {shown(tempo_bpm)}.")


def _check_size(beats: Sequence[Beat], bars: Sequence[int]) -> None:
    """Refuse a set that no machine here could play. Raises SetError."""
    if sum(bars) > MAX_BARS:
        raise SetError(
            f"The set would have {sum(bars):,} bars; up to {MAX_BARS:,} fit. Let its beats play "
            "fewer phrases, or ask for fewer minutes."
        )
    strokes = sum(
        len(beat.hits) * count / beat.bars for beat, count in zip(beats, bars, strict=True)
    )
    if strokes > MAX_STROKES:
        raise SetError(
            f"The set would have {strokes:,.0f} strokes; up to {MAX_STROKES:,} fit. Take out the "
            "busiest beats, or ask for fewer minutes."
        )


def _counted(entry: Entry, tempo_bpm: float | None) -> Beat:
    """The entry's beat, counted and at the tempo it plays at in the set."""
    count = entry.count
    if count is None:
        count = AS_IS if tempo_bpm is None else nearest_count(entry.own_beat, tempo_bpm)
    beat = in_count(entry.own_beat, count)
    return beat.at_tempo(tempo_bpm or beat.playing_tempo_bpm)


def _step(from_bpm: float, to_bpm: float) -> float:
    """The step between two tempos, as a share of the first; 100 to 106 is 0.06 and no more."""
    return round(to_bpm / from_bpm - 1, 6)


def _count(slot: Slot) -> Count:
    """How the slot's beat is counted, whoever decided it."""
    return slot.entry.count or nearest_count(slot.entry.own_beat, slot.tempo_bpm)


def _offer(slot: Slot, before: Slot, settings: SetSettings) -> Count | None:
    """The count that brings the slot within reach of the one before; None if there is none."""
    if settings.tempo_bpm is not None or slot.entry.tempo_bpm is not None:
        return None  # the plan makes the step, not the beat
    beat = slot.entry.own_beat
    best = nearest_count(beat, before.tempo_bpm)
    step = _step(before.tempo_bpm, counted_tempo_bpm(beat, best))
    return best if abs(step) <= LARGEST_TEMPO_STEP and best != _count(slot) else None


def _phrases(entries: Sequence[Entry], beats: Sequence[Beat], settings: SetSettings) -> list[int]:
    """How many phrases each beat plays, so that the set ends nearest to the minutes asked for.

    Every beat gets the same share of time, less where the ones after it need more; what rounding
    to phrases leaves is carried on.
    """
    seconds = [
        settings.phrase_bars * beat.meter.bar_quarters * 60 / beat.playing_tempo_bpm
        for beat in beats
    ]
    least = settings.least_phrases
    for entry in entries:
        if entry.phrases is not None and entry.phrases < least:
            raise SetError(f"A beat plays {least} phrases or more; got {entry.phrases}.")
    if settings.minutes is None:
        return [entry.phrases or max(DEFAULT_PHRASES, least) for entry in entries]
    target = settings.minutes * 60
    needed = [
        phrase * (entry.phrases or least) for phrase, entry in zip(seconds, entries, strict=True)
    ]
    shortest = math.fsum(needed)
    if shortest - target > max(seconds) / 2:
        raise SetError(
            f"{len(entries)} beats with phrases of {settings.phrase_bars} bars last "
            f"{shortest / 60:.0f} minutes at least; got {settings.minutes:g}. "
            "Ask for more minutes, fewer beats or shorter phrases."
        )
    phrases: list[int] = []
    elapsed = 0.0
    for number, (entry, phrase) in enumerate(zip(entries, seconds, strict=True)):
        end = min(target * (number + 1) / len(entries), target - math.fsum(needed[number + 1 :]))
        phrases.append(entry.phrases or max(least, round((end - elapsed) / phrase)))
        elapsed += phrases[-1] * phrase
    return phrases


def in_slot_order(entries: Sequence[Entry], order: Sequence[int | None]) -> tuple[Entry, ...]:
    """The entries as `order` names them; None is a gap."""
    return tuple(Entry(None) if number is None else entries[number] for number in order)
