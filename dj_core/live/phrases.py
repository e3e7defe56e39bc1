"""Makes a jam's phrases, each of which goes on from the one before.

The model reads the phrase before as its own past. Most drum families go on as they were; one or two
are made anew, in another style vector of the genre, and so is the last beat of every fourth bar. So
a phrase is never the one before, and what has changed adds up. A break, a build or a drop is made
anew as a whole, and the groove that it interrupted goes on after it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from dj_core.errors import GenerationError
from dj_core.evaluation.judged_clips import stretch
from dj_core.live.jam_bar import PHRASE_BARS, Phrase, Side, needs_of
from dj_core.models.request import BeatModel, Feel, GenerationRequest
from dj_core.music.beat import Beat, Hit
from dj_core.music.drums import DRUMS
from dj_core.music.genres import MOST_ENERGY, ROLES, is_dance, typical_tempo_bpm
from dj_core.music.step_grid import STEPS_PER_QUARTER
from dj_core.shaping.filling import add_fill
from dj_core.shaping.locks import hits_in, struck
from dj_core.shaping.playing import bar_cells, guide_for, shaped, shaper, with_played

GOES_ON = ("groove", "drop", "intro", "outro")  # roles that the groove goes on in
ANEW = {"kick": 0.13, "snare": 0.21, "hat": 0.34, "cymbal": 0.34, "percussion": 0.38, "tom": 0.51}
"""Chance of a drum family's being made anew in a phrase."""
TIMEKEEPERS = frozenset({"hat", "cymbal"})  # a drummer has one hand for them
TURN_QUARTERS, TURN_BARS = 1.0, 4  # the end of every fourth bar is made anew
TURN_LEANING = 1.5  # log odds that pull it towards what it was
TRIES = 4  # at a phrase that is none of those before
MOST_REMEMBERED = 1_000  # phrases that no other is the same as


class PhraseMaker:
    """Makes phrases one after another; the same wishes, the same phrases.

    Attributes:
        genres: the jam's style, and the second one where there is one.
        tempo_bpm: all sounds at, and the first style is made for.
        asked: of each phrase so far its role, its energy, and whether it was made aside.
    """

    def __init__(
        self, model: BeatModel, genres: Sequence[str], seed: int, tempo_bpm: float | None = None
    ) -> None:
        """
        Args:
            model: a groove model.
            genres: one or two that it knows.
            seed: another seed, another jam.
            tempo_bpm: None for the first genre's usual one.

        Raises:
            GenerationError: a model that cannot go on from a beat, or genres it does not know.
        """
        self._groove = shaper(model)
        unknown = [genre for genre in genres if genre not in model.genres]
        if unknown or not 1 <= len(genres) <= 2:
            raise GenerationError(
                f"A jam is in one or two genres of {', '.join(model.genres)}; got "
                f"{', '.join(genres) or 'none'}."
            )
        self.genres, self.seed = tuple(genres), seed
        self.tempo_bpm = tempo_bpm or typical_tempo_bpm(self.genres[0])
        # a second style is made as it is danced to, and sounds at the jam's tempo
        others = [typical_tempo_bpm(genre) or self.tempo_bpm for genre in self.genres[1:]]
        self._tempos = (self.tempo_bpm, *others)
        self.asked: list[tuple[str, int, bool]] = []
        self._before: tuple[Beat, ...] = ()  # the phrase made last, by style
        self._main: tuple[Beat, ...] = ()  # the last one that the groove went on in
        self._known: set[tuple[Hit, ...]] = set()

    def next(self, role: str = "groove", energy: int = 3, *, aside: bool = False) -> Phrase:
        """The next phrase.

        Args:
            role: one of `genres.ROLES`.
            energy: 1 (least) to 5 (most).
            aside: it waits for a pad; what comes next goes on as if it were not there.

        Raises:
            GenerationError: a role or energy there is none of.
        """
        if role not in ROLES or not 1 <= energy <= MOST_ENERGY:
            raise GenerationError(
                f"A phrase is one of {', '.join(ROLES)}, its energy 1 to {MOST_ENERGY}; got "
                f"{role!r} and {energy!r}."
            )
        number = len(self.asked)
        self.asked.append((role, energy, aside))
        beats: tuple[Beat, ...] = ()
        seed = 0
        for turn in range(TRIES):
            drawn = np.random.SeedSequence([self.seed, number, turn]).generate_state(1, np.uint32)
            seed = int(drawn[0] >> 1)
            beats = tuple(
                self._made(place, role, energy, seed) for place in range(len(self.genres))
            )
            if not any(beat.hits in self._known for beat in beats):
                break
        if len(self._known) < MOST_REMEMBERED:
            self._known.update(beat.hits for beat in beats)
        if not aside:
            self._before = beats
            self._main = beats if role in GOES_ON or not self._main else self._main
        sides = []
        for beat in beats:
            filled = add_fill(self._groove, beat, crash=False, seed=seed)
            fill, whole = (
                replace(part, tempo_bpm=self.tempo_bpm)
                for part in (stretch(filled, PHRASE_BARS - 1, 1), beat)
            )
            sides.append(Side(whole, needs_of(whole), fill))
        return Phrase(number, role, energy, seed, tuple(sides))

    def _made(self, place: int, role: str, energy: int, seed: int) -> Beat:
        """The next phrase in the genre at `place`."""
        from dj_core.models.groove.groove_player import DEFAULT_TUNING, SILENT
        from dj_core.models.groove.infilling import play_guided, style_of

        groove, genre = self._groove, self.genres[place]
        feel = Feel(role=role if is_dance(genre) else "", energy=energy if is_dance(genre) else 0)
        request = GenerationRequest(
            genre=genre, tempo_bpm=self._tempos[place], bars=PHRASE_BARS, seed=seed, feel=feel
        )
        told = {
            "shape": "jam",
            "seed": seed,
            "jam": {"genres": [*self.genres], "seed": self.seed, "tempo_bpm": self.tempo_bpm},
            "side": place,
            "asked": [list(each) for each in self.asked],
            "feel": asdict(feel),
        }
        if not self._before:
            first = groove.generate(request).beat
            return replace(first, provenance=shaped(first, groove, told))
        before = self._before[place]
        chance = np.random.default_rng([seed, zlib.crc32(genre.encode())])
        drawn = groove.draw_style(request, DEFAULT_TUNING, chance)
        goes_on = role in GOES_ON
        base = self._main[place] if goes_on else before
        anew = _made_anew(chance) if goes_on else frozenset(ANEW)
        style, fine = drawn.style, drawn.fine
        if goes_on and not is_dance(genre) and base.hits:  # a drummer keeps a style of their own
            style, fine = style_of(groove, base)
            anew |= TIMEKEEPERS if anew & TIMEKEEPERS else frozenset()
        length = before.length_quarters
        later = (replace(hit, onset_quarters=hit.onset_quarters + length) for hit in base.hits)
        whole = replace(before, bars=2 * PHRASE_BARS, hits=(*before.hits, *later))
        bar, past = bar_cells(before), PHRASE_BARS * bar_cells(before)
        held = np.zeros_like(struck(whole))
        held[:past] = True
        leaning = np.zeros(held.shape)
        form = None if drawn.form is None else drawn.form.copy()
        for lane, drum in enumerate(DRUMS):
            if drum.family in anew:  # a phrase has its own drums
                leaning[past:, lane] = 0.0 if drawn.drums[lane] else SILENT
            else:
                held[past:, lane] = True
                if form is not None:
                    form[:, lane] = 0
                turn = round(TURN_QUARTERS * STEPS_PER_QUARTER)
                for end in range(past + TURN_BARS * bar, len(held) + 1, TURN_BARS * bar):
                    held[end - turn : end, lane] = False
                    was = struck(whole)[end - turn : end, lane]
                    leaning[end - turn : end, lane] = np.where(was, TURN_LEANING, -TURN_LEANING)
        guide = guide_for(whole, held, leaning=leaning, style=style, fine=fine, form=form)
        played = play_guided(groove, [replace(request, bars=whole.bars)], [guide])[0]
        told["anew"] = sorted(anew)
        joined = with_played(whole, hits_in(whole, held), played.beat, groove, told)
        phrase = stretch(joined, PHRASE_BARS, PHRASE_BARS)
        return replace(phrase, tempo_bpm=before.tempo_bpm, title=before.title)


def phrase_again(model: BeatModel, told: Mapping[str, Any]) -> Phrase:
    """The phrase whose provenance has these settings, made once more with all that led to it.

    Raises:
        GenerationError: they are not those of a jam's phrase.
    """
    try:
        jam, asked = told["jam"], told["asked"]
        maker = PhraseMaker(model, jam["genres"], jam["seed"], jam["tempo_bpm"])
        phrases = [maker.next(role, energy, aside=aside) for role, energy, aside in asked]
        return phrases[-1]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise GenerationError(
            "These are not the settings of a jam's phrase, or they were altered."
        ) from error


def _made_anew(chance: np.random.Generator) -> frozenset[str]:
    """Drum families that are made anew: by chance, at least one and never all."""
    drawn = chance.random(len(ANEW))
    anew = {family for (family, share), at in zip(ANEW.items(), drawn, strict=True) if at < share}
    if not anew & {"hat", "cymbal", "percussion", "snare"}:
        anew.add(("hat", "percussion")[int(chance.integers(2))])
    return frozenset(anew - {"kick"} if len(anew) == len(ANEW) else anew)
