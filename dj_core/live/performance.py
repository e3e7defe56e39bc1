"""A jam without a screen: a plan of energy, faders and roles, performed bar by bar.

    JamPlan --roles, energy--> PhraseMaker --phrases--> bar_hits --> Jam: beat, set, events

The same model, plan and seed give the same jam to the last stroke.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

import numpy as np

from dj_core.errors import GenerationError
from dj_core.evaluation.judged_clips import stretch
from dj_core.live.jam_bar import PHRASE_BARS, Faders, Pads, Phrase, bar_hits
from dj_core.live.phrases import PhraseMaker
from dj_core.models.request import FOUR_FOUR, BeatModel
from dj_core.music.beat import Beat, Hit, Provenance
from dj_core.music.genres import MOST_ENERGY, genre_label
from dj_core.sets.bar_counts import AS_IS
from dj_core.sets.set_plan import (
    MAX_BEATS,
    MAX_SEED,
    EnergyCurve,
    Entry,
    SetList,
    SetSettings,
    energy_at,
    plan_set,
)
from dj_core.sound.beat_sound import USUAL_SOUND, BeatSound

CURVES = ("rise", "peak", "waves", "fall", "steady")
WAVE_BARS = 64  # from one low to the next
CURVE_POINTS = 257
MAX_JAM_BARS = 4_000  # two hours at 130 BPM
FILL_EVERY = 2  # phrases; before a change of role there is always one
CRASH_FROM = 0.4  # energy from which a fill leads to a crash
LOW, HIGH, STEP = 0.3, 0.85, 0.25  # energies and steps of energy that ask for roles
FADERS = tuple(field.name for field in fields(Faders))

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Move:
    """A fader moved at a bar, from 1; the energy fader then leaves the curve for good."""

    bar: int
    fader: str
    value: float

    def __post_init__(self) -> None:
        if self.fader not in FADERS or self.bar < 1:
            raise GenerationError(
                f"A fader is moved at a bar from 1 on, one of {', '.join(FADERS)}; got bar "
                f"{self.bar} and {self.fader!r}."
            )
        Faders(**{self.fader: self.value})


@dataclass(frozen=True)
class JamPlan:
    """What a jam shall be.

    Attributes:
        genres: its style, and a second one that the style fader goes to.
        bars: its length, whole phrases.
        energy: the curve, values of 0 to 1 evenly over its length.
        moves: of faders, in any order.
        seed: another seed, another jam.
        tempo_bpm: None for the style's usual one.

    Raises:
        GenerationError: a length or value out of range.
    """

    genres: tuple[str, ...]
    bars: int
    energy: tuple[float, ...]
    moves: tuple[Move, ...] = ()
    seed: int = 1
    tempo_bpm: float | None = None

    def __post_init__(self) -> None:
        if not PHRASE_BARS <= self.bars <= MAX_JAM_BARS or self.bars % PHRASE_BARS:
            raise GenerationError(
                f"A jam has {PHRASE_BARS} to {MAX_JAM_BARS:,} bars in phrases of {PHRASE_BARS}; "
                f"got {self.bars:,}."
            )
        if not 0 <= self.seed <= MAX_SEED:
            raise GenerationError(f"A seed is 0 to {MAX_SEED}; got {self.seed}.")
        if not self.energy or not all(0 <= value <= 1 for value in self.energy):
            raise GenerationError("An energy curve is numbers of 0 to 1, at least one.")

    def energy_at(self, bar: float) -> float:
        """Energy at a bar, from 0, by the curve."""
        places = np.linspace(0, self.bars - 1, len(self.energy))
        return round(float(np.interp(bar, places, self.energy)), 3)

    def faders_at(self, bar: int) -> Faders:
        """Where the faders stand at a bar, from 0."""
        moved = {"energy": self.energy_at(bar)}
        for move in sorted(self.moves, key=lambda move: move.bar):
            if move.bar <= bar + 1:
                moved[move.fader] = move.value
        return Faders(**moved)

    def role_at(self, number: int) -> str:
        """What phrase `number`, from 0, is for."""
        first = number * PHRASE_BARS
        last = number + 1 == self.bars // PHRASE_BARS
        before = self.faders_at(max(0, first - PHRASE_BARS)).energy
        now = self.faders_at(first + PHRASE_BARS // 2).energy
        after = self.faders_at(min(self.bars - 1, first + 2 * PHRASE_BARS - 1)).energy
        return role_of(now - before, now, after - now, first=not number, last=last)


@dataclass(frozen=True)
class Jam:
    """A jam that was performed.

    Attributes:
        plan: of it.
        phrases: in order.
        beat: all of it.
        events: what happened at which bar, from 1, as JSON-able values.
    """

    plan: JamPlan
    phrases: tuple[Phrase, ...]
    beat: Beat
    events: tuple[Mapping[str, Any], ...]


def curve(text: str, bars: int) -> tuple[float, ...]:
    """An energy curve by its name in `CURVES`, or numbers of 0 to 1 with commas between.

    Args:
        text: as a DJ writes it.
        bars: of the jam it is for.

    Raises:
        GenerationError: neither of these.
    """
    places = np.linspace(0, 1, CURVE_POINTS)
    if text == "waves":
        turns = 2 * math.pi * bars / WAVE_BARS * places
        return tuple((0.6 - 0.35 * np.cos(turns)).tolist())
    for name in get_args(EnergyCurve):
        if name == text:
            return tuple(energy_at(name, place) for place in places.tolist())
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(0 <= value <= 1 for value in values):
        raise GenerationError(
            f"An energy curve is {', '.join(CURVES)}, or numbers of 0 to 1 with commas between; "
            f"got {text!r}."
        )
    return values


def bars_for(minutes: float, tempo_bpm: float) -> int:
    """Whole phrases nearest to `minutes`, in bars of 4/4. Raises GenerationError."""
    bars = minutes * tempo_bpm / FOUR_FOUR.bar_quarters
    if not 0 < bars <= MAX_JAM_BARS:
        raise GenerationError(
            f"A jam lasts up to {MAX_JAM_BARS * 4 / tempo_bpm:.0f} minutes at this tempo; got "
            f"{minutes:g}."
        )
    return max(1, round(bars / PHRASE_BARS)) * PHRASE_BARS


def role_of(risen: float, now: float, rises: float, *, first: bool, last: bool) -> str:
    """What a phrase is for, by how the energy goes.

    Args:
        risen: since the phrase before.
        now: energy, 0 to 1.
        rises: until the next phrase.
        first, last: of a jam that begins or ends.
    """
    if first and now < HIGH:
        return "intro"
    if last:
        return "outro"
    if rises >= STEP:
        return "build"
    if now >= HIGH and risen >= STEP:
        return "drop"
    return "break" if now <= LOW else "groove"


def level_of(energy: float) -> int:
    """The energy to ask a model for, 1 to 5."""
    return 1 + min(MOST_ENERGY - 1, math.floor(energy * MOST_ENERGY))


def perform(model: BeatModel, plan: JamPlan, progress: Progress | None = None) -> Jam:
    """Play a jam from its first bar to its last.

    Args:
        model: a groove model.
        plan: what it shall be.
        progress: told about every phrase.

    Raises:
        GenerationError: a model that cannot go on from a beat, or genres it does not know.
    """
    maker = PhraseMaker(model, plan.genres, plan.seed, plan.tempo_bpm)
    count = plan.bars // PHRASE_BARS
    roles = [plan.role_at(number) for number in range(count)]
    phrases: list[Phrase] = []
    hits: list[Hit] = []
    events: list[dict[str, Any]] = []
    stood = None
    crash = False
    for number, role in enumerate(roles):
        first = number * PHRASE_BARS
        phrase = maker.next(role, level_of(plan.faders_at(first).energy))
        phrases.append(phrase)
        told = {"phrase": number, "role": role, "seed": phrase.seed}
        events.append({"bar": first + 1, **told, "energy": plan.faders_at(first).energy})
        changes = number + 1 < count and roles[number + 1] != role
        ends_in_fill = changes or (number + 1) % FILL_EVERY == 0
        for bar in range(PHRASE_BARS):
            faders = plan.faders_at(first + bar)
            fill = ends_in_fill and bar + 1 == PHRASE_BARS
            for name in FADERS[1:]:
                if stood and getattr(faders, name) != getattr(stood, name):
                    events.append({"bar": first + bar + 1, "fader": name,
                                   "value": getattr(faders, name)})  # fmt: skip
            events += [{"bar": first + bar + 1, "pad": "fill"}] if fill else []
            events += [{"bar": first + bar + 1, "pad": "crash"}] if crash else []
            start = (first + bar) * FOUR_FOUR.bar_quarters
            for hit in bar_hits(phrase, bar, faders, Pads(fill=fill, crash=crash)):
                hits.append(replace(hit, onset_quarters=start + hit.onset_quarters))
            stood, crash = faders, fill and faders.energy >= CRASH_FROM
        if progress:
            progress(number + 1, count)
    label = " to ".join(genre_label(genre) for genre in plan.genres)
    first_beat = phrases[0].sides[0].beat
    settings = {
        "shape": "jam",
        "jam": {"genres": [*plan.genres], "seed": plan.seed, "tempo_bpm": plan.tempo_bpm},
        "bars": plan.bars,
        "moves": [[move.bar, move.fader, move.value] for move in plan.moves],
    }
    beat = replace(
        first_beat,
        hits=tuple(hits),
        bars=plan.bars,
        title=f"Jam {label} {plan.seed}",
        provenance=replace(first_beat.provenance, seed=plan.seed, settings=settings),
    )
    return Jam(plan, tuple(phrases), beat, tuple(events))


def as_set(beat: Beat, most_tracks: int = MAX_BEATS, sound: BeatSound = USUAL_SOUND) -> SetList:
    """A jam as a set of whole phrases; with one track, its mixdown is the jam's sound file.

    Args:
        beat: the jam; silence fills its last phrase.
        most_tracks: into how many it is cut, up to 99.
        sound: what it is heard with.

    Raises:
        SetError: more strokes than a set can have.
    """
    phrases = -(-beat.bars // PHRASE_BARS)
    whole = replace(beat, bars=phrases * PHRASE_BARS)
    each = -(-phrases // most_tracks) * PHRASE_BARS
    entries = []
    for first in range(0, whole.bars, each):
        part = stretch(whole, first, min(each, whole.bars - first))
        told = Provenance(source=beat.title, seed=beat.provenance.seed)
        track = replace(part, title=f"{beat.title}, bar {first + 1}", provenance=told)
        entries.append(Entry(track, AS_IS, track.bars // PHRASE_BARS, sound=sound))
    settings = SetSettings(
        name=beat.title, phrase_bars=PHRASE_BARS, mix_ends=False, fills=False, breakdowns=False
    )
    return plan_set(entries, settings)
