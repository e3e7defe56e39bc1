"""`Beat`: the one unit of music. Everything that makes, shows, stores or exports music uses it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from dj_core.errors import BeatError
from dj_core.music.conditions import Condition
from dj_core.music.drums import DRUM, DRUMS, LANE, Drum

DEFAULT_TEMPO_BPM = 120.0  # what MIDI files without a tempo event mean (Standard MIDI Files 1.0)
MIN_TEMPO_BPM, MAX_TEMPO_BPM = 10.0, 600.0
TRANSCRIBED = "transcribed"  # a setting of beats that were heard in a sound
MAX_BARS = 20_000  # an hour at the fastest tempo and shortest bar fits
MIN_LANE_QUARTERS = 0.125  # a drum's own length: a 32nd at least


@dataclass(frozen=True)
class Meter:
    """A time signature such as 4/4 or 12/8."""

    numerator: int = 4
    denominator: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.numerator <= 64 or self.denominator not in (1, 2, 4, 8, 16, 32):
            raise BeatError(
                f"A meter needs 1 to 64 beats of a whole to a 32nd note; got {self}. Try 4/4."
            )

    @property
    def bar_quarters(self) -> float:
        """Length of one bar in quarter notes."""
        return self.numerator * 4 / self.denominator

    @classmethod
    def parse(cls, text: str) -> Meter:
        """'12/8' (or Groove's '12-8') as a meter. Raises BeatError."""
        parts = text.strip().replace("-", "/").split("/")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
            raise BeatError(f"A meter is written like 4/4; got {text!r}.")
        return cls(int(parts[0]), int(parts[1]))

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True, slots=True)  # a server holds many thousands
class Hit:
    """One stroke.

    Attributes:
        onset_quarters: time from the start of the beat in quarter notes, microtiming included.
        lane: row of the drum in `dj_core.music.drums.DRUMS`, 0 (kick) to 15.
        velocity: 1 to 127.
        duration_quarters: as the file had it, or None where nobody knows.
        source_note: the MIDI note (0 to 127) as its corpus wrote it, or None for "the drum's own".
        condition: when it sounds and as how many strokes; None for always, as one.
    """

    onset_quarters: float
    lane: int
    velocity: int
    duration_quarters: float | None = None
    source_note: int | None = None
    condition: Condition | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.onset_quarters) and self.onset_quarters >= 0):
            raise BeatError(f"A hit starts at 0 quarters or later; got {self.onset_quarters}.")
        if not 0 <= self.lane < len(DRUMS):
            raise BeatError(f"A drum lane is 0 to {len(DRUMS) - 1}; got {self.lane}.")
        if not 1 <= self.velocity <= 127:
            raise BeatError(f"A velocity is 1 to 127; got {self.velocity}.")
        if self.source_note is not None and not 0 <= self.source_note <= 127:
            raise BeatError(f"A MIDI note is 0 to 127; got {self.source_note}.")
        if self.condition is not None and self.condition == Condition():
            object.__setattr__(self, "condition", None)  # it asks for nothing

    @property
    def drum(self) -> Drum:
        """The drum table's row."""
        return DRUMS[self.lane]

    @property
    def note(self) -> int:
        """The MIDI note as its corpus wrote it; the drum's own where no file wrote one."""
        return self.drum.note if self.source_note is None else self.source_note

    @classmethod
    def of(cls, drum: str, onset_quarters: float, velocity: int | None = None) -> Hit:
        """A hit on the drum called `drum`; without a velocity, the drum's usual one."""
        if drum not in DRUM:
            raise BeatError(f"No drum is called {drum!r}. Drums: {', '.join(DRUM)}.")
        return cls(onset_quarters, LANE[drum], velocity or DRUM[drum].default_velocity)


def _hit_order(hit: Hit) -> tuple[float, int, int, int]:
    return hit.onset_quarters, hit.lane, hit.note, hit.velocity


@dataclass(frozen=True)
class Provenance:
    """Where a beat comes from; enough to make it again.

    Attributes:
        source: file name, pattern name or model name a reader recognises.
        model, model_sha256, corpus, seed: for generated beats.
        settings: every other setting of the request, JSON-able values only.
        edited: True once a person changed hits by hand.
    """

    source: str = ""
    model: str | None = None
    model_sha256: str | None = None
    corpus: str | None = None
    seed: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    edited: bool = False


@dataclass(frozen=True)
class Beat:
    """A drum beat of whole bars.

    Attributes:
        hits: sorted by onset, then lane; every onset lies inside the bars.
        bars: number of bars, at least 1.
        tempo_bpm: quarter notes a minute, or None when the source does not say.
        meter: one time signature for the whole beat.
        genre: '' when unknown.
        lane_lengths: (lane, quarters) of drums that go round in a length of their own, shorter than
            the beat: they play what lies before it, and begin again. By lane.
    """

    hits: tuple[Hit, ...]
    bars: int
    tempo_bpm: float | None = None
    meter: Meter = Meter()
    genre: str = ""
    title: str = ""
    provenance: Provenance = Provenance()
    lane_lengths: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.bars <= MAX_BARS:
            raise BeatError(f"A beat has 1 to {MAX_BARS} bars; got {self.bars}.")
        tempo = self.tempo_bpm
        if tempo is not None and not MIN_TEMPO_BPM <= tempo <= MAX_TEMPO_BPM:
            raise BeatError(
                f"A tempo is {MIN_TEMPO_BPM:g} to {MAX_TEMPO_BPM:g} BPM; got {tempo:g}."
            )
        object.__setattr__(self, "hits", tuple(sorted(self.hits, key=_hit_order)))
        if self.hits and self.hits[-1].onset_quarters >= self.length_quarters:
            raise BeatError(
                f"The last hit is at quarter {self.hits[-1].onset_quarters:.3f}, after the end of "
                f"{self.bars} bars of {self.meter} ({self.length_quarters:g} quarters)."
            )
        if not self.lane_lengths:
            return
        lengths = dict(self.lane_lengths)
        for lane, quarters in self.lane_lengths:
            if not 0 <= lane < len(DRUMS) or lengths[lane] != quarters:
                raise BeatError(
                    f"A drum lane, 0 to {len(DRUMS) - 1}, has one length; got {self.lane_lengths}."
                )
            if not (math.isfinite(quarters) and quarters >= MIN_LANE_QUARTERS):
                raise BeatError(
                    f"A drum's own length is {MIN_LANE_QUARTERS:g} quarters or longer; "
                    f"got {quarters}."
                )
        shorter = ((lane, own) for lane, own in lengths.items() if own < self.length_quarters)
        object.__setattr__(self, "lane_lengths", tuple(sorted(shorter)))

    @property
    def length_quarters(self) -> float:
        """Length in quarter notes, to the last bar line."""
        return self.bars * self.meter.bar_quarters

    @property
    def playing_tempo_bpm(self) -> float:
        """The tempo to play at: the beat's own, else MIDI's default."""
        return self.tempo_bpm or DEFAULT_TEMPO_BPM

    @property
    def duration_seconds(self) -> float:
        """Length in seconds at the playing tempo."""
        return self.length_quarters * 60 / self.playing_tempo_bpm

    @property
    def lanes(self) -> tuple[int, ...]:
        """The lanes that are played, in table order."""
        return tuple(sorted({hit.lane for hit in self.hits}))

    @property
    def has_conditions(self) -> bool:
        """Whether it can sound otherwise the next time round than it is written."""
        return bool(self.lane_lengths) or any(hit.condition for hit in self.hits)

    def at_tempo(self, tempo_bpm: float) -> Beat:
        """The same beat at another tempo."""
        return replace(self, tempo_bpm=tempo_bpm)

    @classmethod
    def fit(cls, hits: Iterable[Hit], meter: Meter = Meter()) -> Beat:
        """A beat with just enough bars of `meter` for `hits` (one bar for none)."""
        hits = tuple(hits)
        last = max((hit.onset_quarters for hit in hits), default=0.0)
        return cls(hits, bars=int(last // meter.bar_quarters) + 1, meter=meter)
