"""Song form: intro, main, variation, fills, break, build, drop and outro made from one beat.

The main part is what the seed plays, or a beat one brings, repeated with small changes. Everything
else is made of it, so the sections belong together. In a dance style the model plays each section's
role; drums of the main part enter and leave where it has them enter and leave, and it adds drums
that the main part does not have. In a drummers' genre intro and outro leave drums out and the break
is the softer half of what is left. The variation is played around the main part's kick and snare,
and every section ends in a fill that leads to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dj_core.errors import GenerationError
from dj_core.evaluation.judged_clips import stretch
from dj_core.models.request import BeatModel, GenerationRequest, with_style_drawn
from dj_core.music.beat import Beat, Hit
from dj_core.music.drums import DRUM, DRUMS
from dj_core.music.genres import ROLES, is_dance
from dj_core.shaping.filling import add_fill
from dj_core.shaping.locks import Keep
from dj_core.shaping.morphing import looped
from dj_core.shaping.playing import request_like, shaped, shaper
from dj_core.shaping.rerolling import reroll, vary

PHRASES = (8, 16)  # bars
SEED_BARS, DANCE_BARS = 4, 8
SECTIONS = ("intro", "main", "variation", "fill", "break", "build", "drop", "outro")
DEFAULT_FORM = ("intro", "main", "variation", "break", "main", "outro")
DANCE_FORM = ("intro", "main", "break", "build", "drop", "variation", "outro")
MOST_SECTIONS = 16
_TOP = ("hat", "cymbal", "percussion")
_BOTTOM = ("kick", "tom")


@dataclass(frozen=True)
class Section:
    """A part of a song: its name, its first bar (from 1) and its length in bars."""

    name: str
    first_bar: int
    bars: int


@dataclass(frozen=True)
class Song:
    """A beat of many bars and what its parts are."""

    beat: Beat
    sections: tuple[Section, ...]

    def part(self, number: int) -> Beat:
        """The section of this number (from 0) as a beat of its own."""
        section = self.sections[number]
        return stretch(self.beat, section.first_bar - 1, section.bars)


def song_from(
    model: BeatModel,
    beat: Beat,
    *,
    form: Sequence[str] = (),
    phrase_bars: int = 8,
    seed: int = 1,
) -> Song:
    """A song grown from `beat`, whose first four bars (eight in a dance style) are its main part.

    Args:
        model: a groove model.
        beat: of one bar or more; shorter ones are repeated.
        form: sections in order; 'fill' is one bar, the others a phrase each; none for the form
            that is usual in its genre.
        phrase_bars: 8 or 16.
        seed: decides the variation, the break and the fills.

    Raises:
        GenerationError: an empty or unknown form, another phrase, or a meter or model that cannot
            be played around.
    """
    if phrase_bars not in PHRASES:
        raise GenerationError(f"Phrases have {PHRASES[0]} or {PHRASES[1]} bars; got {phrase_bars}.")
    form = tuple(form) or usual_form(beat.genre)
    unknown = [name for name in form if name not in SECTIONS]
    if unknown or not 1 <= len(form) <= MOST_SECTIONS:
        raise GenerationError(
            f"A form is 1 to {MOST_SECTIONS} of {', '.join(SECTIONS)}; got {', '.join(form)}."
        )
    groove = shaper(model)
    main = looped(beat, main_bars(beat.genre))
    parts = _Parts(model, main, seed, phrase_bars)
    sections: list[Section] = []
    hits: list[Hit] = []
    first = 0
    for number, name in enumerate(form):
        last = number + 1 == len(form)
        part = parts.section(name, number, leads_on=not last)
        shift = first * beat.meter.bar_quarters
        hits += [replace(hit, onset_quarters=hit.onset_quarters + shift) for hit in part.hits]
        sections.append(Section(name, first + 1, part.bars))
        first += part.bars
    settings: dict[str, Any] = {
        "shape": "song",
        "seed": seed,
        "phrase_bars": phrase_bars,
        "sections": [[s.name, s.first_bar, s.bars] for s in sections],
    }
    whole = replace(main, hits=tuple(hits), bars=first, provenance=shaped(beat, groove, settings))
    return Song(whole, tuple(sections))


def song(
    model: BeatModel,
    request: GenerationRequest,
    *,
    form: Sequence[str] = (),
    phrase_bars: int = 8,
) -> Song:
    """A song from one seed: the request's seed plays the main part and decides all else."""
    request = with_style_drawn(request, model.genres)
    main = model.generate(replace(request, bars=main_bars(request.genre), notes=None)).beat
    return song_from(model, main, form=form, phrase_bars=phrase_bars, seed=request.seed)


def usual_form(genre: str) -> tuple[str, ...]:
    """The sections of a song in a genre."""
    return DANCE_FORM if is_dance(genre) else DEFAULT_FORM


def main_bars(genre: str) -> int:
    """Bars of the beat a song of a genre is made of."""
    return DANCE_BARS if is_dance(genre) else SEED_BARS


class _Parts:
    """The sections of one song; each kind is made once."""

    def __init__(self, model: BeatModel, main: Beat, seed: int, phrase_bars: int) -> None:
        self.model, self.main, self.seed, self.phrase_bars = model, main, seed, phrase_bars
        self._made: dict[str, Beat] = {}
        self._has_roles = is_dance(main.genre) and main.genre in model.genres

    def section(self, name: str, number: int, leads_on: bool) -> Beat:
        """A section of whole phrases; where another follows, it ends in a fill."""
        if name == "fill":
            filled = add_fill(self.model, self.main, crash=False, seed=self.seed + 31 * number)
            return stretch(filled, self.main.bars - 1, 1)
        if name not in self._made:
            plays_role = self._has_roles and name in ROLES
            self._made[name] = self._in_role(name) if plays_role else getattr(self, f"_{name}")()
        part = self._made[name]
        if leads_on:
            half = name in ("intro", "break")  # quiet sections do with less
            part = add_fill(
                self.model, part, half=half, crash=False, seed=self.seed + 31 * number + 7
            )
        if number and name in ("main", "variation"):
            part = _with_crash(part)
        return part

    def _main(self) -> Beat:
        """The seed, its second half a little different each time."""
        if self.main.bars >= self.phrase_bars:
            return looped(self.main, self.phrase_bars)
        close = vary(self.model, self.main, 2, seed=self.seed)[0].beat
        pairs = self.phrase_bars // (2 * self.main.bars)
        return _joined([self.main, close] * pairs)

    def _in_role(self, role: str) -> Beat:
        """The main part's drums, in the bars where the model has them play in this role.

        Where it has a drum play less than half of the main part's strokes, or has one that the
        main part lacks, its own are taken; so are the rolls of a build.
        """
        request = request_like(self.model, self.main, seed=self.seed, bars=self.phrase_bars)
        asked = replace(request, feel=replace(request.feel, role=role))
        played = self.model.generate(asked).beat
        main = looped(self.main, self.phrase_bars)
        own = {hit.lane for hit in main.hits}
        if role == "build":
            own -= {hit.lane for hit in main.hits if hit.drum.family in ("snare", "tom")}
        bar_quarters = self.main.meter.bar_quarters

        def place(hit: Hit) -> tuple[int, int]:
            return hit.lane, int((hit.onset_quarters + 0.125) // bar_quarters)

        asked_for = Counter(place(hit) for hit in played.hits)
        full = {
            where
            for where, strokes in Counter(place(hit) for hit in main.hits).items()
            if where[0] in own and asked_for[where] >= strokes / 2
        }
        kept = [hit for hit in main.hits if place(hit) in full]
        added = [hit for hit in played.hits if place(hit) not in full]
        return replace(main, hits=tuple(kept + added))

    def _drop(self) -> Beat:
        """The main part with a crash on one."""
        return _with_crash(self._main())

    def _build(self) -> Beat:
        """The main part without its kick at the end."""
        main = self._main()
        end = (self.phrase_bars - 1) * main.meter.bar_quarters
        left = [h for h in main.hits if h.drum.family != "kick" or h.onset_quarters < end]
        return replace(main, hits=tuple(left or main.hits))

    def _variation(self) -> Beat:
        """Kick and snare as they were, all else anew; hats and percussion may change places."""
        kept = frozenset(drum.name for drum in DRUMS if drum.family in ("kick", "snare"))
        fresh = reroll(self.model, self.main, Keep(drums=kept), seed=self.seed + 101)
        return looped(fresh, self.phrase_bars)

    def _intro(self) -> Beat:
        """Half a phrase of the top end alone, then the bottom end comes in."""
        return self._without(((*_BOTTOM, "snare"), ("snare", "tom")))

    def _outro(self) -> Beat:
        """The other way round: what came in last leaves first."""
        return self._without((("snare", "tom"), (*_BOTTOM, "snare")))

    def _without(self, halves: tuple[tuple[str, ...], tuple[str, ...]]) -> Beat:
        half = self.phrase_bars // 2
        parts = []
        for families in halves:
            left = [hit for hit in self.main.hits if hit.drum.family not in families]
            if not left:  # nothing but what was taken away: the kick carries it
                left = [hit for hit in self.main.hits if hit.drum.family == "kick"]
            parts.append(looped(replace(self.main, hits=tuple(left or self.main.hits)), half))
        return _joined(parts)

    def _break(self) -> Beat:
        """No kick, no backbeat; the quieter half of the strokes that are left."""
        left = [hit for hit in self.main.hits if hit.drum.family in _TOP]
        left = left or list(self.main.hits)
        middle = np.median([hit.velocity for hit in left]) if left else 0
        soft = [
            replace(hit, velocity=max(1, round(hit.velocity * 0.7)))
            for hit in left
            if hit.velocity <= middle or hit.onset_quarters % 1.0 < 0.1
        ]
        return looped(replace(self.main, hits=tuple(soft)), self.phrase_bars)


def _joined(parts: Sequence[Beat]) -> Beat:
    """Beats one after another; the first one's facts count."""
    hits, start = [], 0.0
    for part in parts:
        hits += [replace(hit, onset_quarters=hit.onset_quarters + start) for hit in part.hits]
        start += part.length_quarters
    return replace(parts[0], hits=tuple(hits), bars=sum(part.bars for part in parts))


def _with_crash(beat: Beat) -> Beat:
    """A crash on the one, where none is."""
    near = [hit for hit in beat.hits if hit.drum.name == "crash" and hit.onset_quarters < 0.125]
    if near:
        return beat
    return replace(beat, hits=(*beat.hits, Hit.of(DRUM["crash"].name, 0.0)))
