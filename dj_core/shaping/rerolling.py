"""Reroll, vary and drum-to-beat: the model plays around the hits that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dj_core.errors import GenerationError
from dj_core.models.request import BeatModel
from dj_core.music.beat import Beat, Hit
from dj_core.shaping.distance import relative_distance
from dj_core.shaping.locks import Keep, hits_in, struck
from dj_core.shaping.playing import guide_for, request_like, shaper, with_played

if TYPE_CHECKING:
    from dj_core.models.groove.groove_player import GrooveModel
    from dj_core.models.groove.infilling import Guide

PARTICLES = 8
STYLE_NOISE = 0.3  # as in training: near the beat's own style, not exactly it
LADDER = 8  # candidates of a ladder of variations, from nearly the same to far away
NEAREST, FURTHEST = 3.5, -0.5  # log odds by which a cell is held to what it was
MOST_VARIATIONS = 16
MOST_CELLS_TOLD = 256
AUDIBLE = 0.01  # what lies nearer is passed over while there are others


@dataclass(frozen=True)
class Variation:
    """A beat and how far it lies from the one it varies, 0 (the same) to 1 (nothing alike)."""

    beat: Beat
    distance: float


def reroll(
    model: BeatModel,
    beat: Beat,
    keep: Keep = Keep(),  # noqa: B008 (frozen)
    *,
    seed: int = 1,
) -> Beat:
    """`beat` with what `keep` names exactly as it was, and the rest played anew around it.

    Args:
        model: a groove model.
        beat: in a meter the model knows.
        keep: what stays.
        seed: another seed, another answer.

    Raises:
        GenerationError: a model or meter that cannot be played around.
    """
    return reroll_all(model, [(beat, keep, seed)])[0]


def reroll_all(
    model: BeatModel,
    asked: Sequence[tuple[Beat, Keep, int]],
    *,
    temperature: float = 1.0,
    particles: int = PARTICLES,
) -> list[Beat]:
    """A reroll per (beat, keep, seed), side by side; beats of one length and meter.

    Args:
        model, asked: see `reroll`.
        temperature: 0 takes the likeliest.
        particles: candidates that compete, 1, 2, 4 or 8.
    """
    from dj_core.models.groove.infilling import play_guided, style_of

    groove = shaper(model)
    requests, guides = [], []
    for beat, keep, seed in asked:
        requests.append(request_like(model, beat, seed=seed, temperature=temperature))
        style, fine = style_of(groove, beat) if beat.hits else (None, 0.0)
        more = {"style": style, "fine": fine, "style_noise": STYLE_NOISE, "strays": True}
        guides.append(guide_for(beat, keep.mask(beat), **more))
    takes = play_guided(groove, requests, guides, particles)
    return [
        with_played(
            beat,
            hits_in(beat, guide.held),
            take.beat,
            groove,
            {"shape": "reroll", "seed": seed, "temperature": temperature, "keep": told(keep)},
        )
        for (beat, keep, seed), guide, take in zip(asked, guides, takes, strict=True)
    ]


def told(keep: Keep) -> dict[str, Any]:
    """A `Keep` as JSON-able settings; many single cells are only counted."""
    parts: dict[str, Any] = {
        name: sorted(getattr(keep, name)) for name in ("drums", "bars", "steps")
    }
    cells = [list(cell) for cell in sorted(keep.cells)]
    if cells:
        parts["cells"] = cells if len(cells) <= MOST_CELLS_TOLD else len(cells)
    return {name: part for name, part in parts.items() if part}


def vary(
    model: BeatModel,
    beat: Beat,
    count: int = 4,
    keep: Keep = Keep(),  # noqa: B008 (frozen)
    *,
    seed: int = 1,
    temperature: float = 1.0,
) -> tuple[Variation, ...]:
    """Variations of `beat`, nearest first, from nearly the same to far away.

    "More like this" is a ladder around the variation one likes.

    Args:
        model: a groove model.
        beat: in a meter the model knows.
        count: 1 to 16.
        keep: what no variation touches.
        seed: another seed, another ladder.
        temperature: 0 takes the likeliest.

    Raises:
        GenerationError: a count out of range, a model or meter that cannot be played around, or
            so much kept that there are not that many variations.
    """
    if not 1 <= count <= MOST_VARIATIONS:
        raise GenerationError(f"A ladder has 1 to {MOST_VARIATIONS} variations; got {count}.")
    groove = shaper(model)
    found: dict[tuple[Hit, ...], Variation] = {}
    for turn in range(4):
        for candidate in _candidates(groove, beat, keep, seed + 7919 * turn, seed, temperature):
            far = relative_distance(beat, candidate)
            if far > 0:
                found.setdefault(candidate.hits, Variation(candidate, far))
        if turn and len({round(item.distance, 9) for item in found.values()}) >= count:
            break
    by_distance = {item.distance: item for item in reversed(found.values())}  # the first of equals
    rungs = [by_distance[far] for far in sorted(by_distance)]
    audible = [item for item in rungs if item.distance >= AUDIBLE]
    rungs = audible if len(audible) >= count else rungs
    if len(rungs) < count:
        raise GenerationError(
            f"With so much kept, {len(rungs)} different variations were found; {count} were "
            "asked for. Keep less, or ask for fewer."
        )
    # as evenly spaced in distance as there are any
    low, high = rungs[0].distance, rungs[-1].distance
    chosen: list[int] = []
    for number in range(count):
        wanted = low + (high - low) * (number / (count - 1) if count > 1 else 0.3)
        first = chosen[-1] + 1 if chosen else 0
        last = len(rungs) - (count - number)  # the others need a place, too
        places = range(first, last + 1)
        chosen.append(min(places, key=lambda i: abs(rungs[i].distance - wanted)))
    return tuple(rungs[index] for index in chosen)


def _candidates(
    model: GrooveModel, beat: Beat, keep: Keep, draw_seed: int, seed: int, temperature: float
) -> list[Beat]:
    """Answers to ever weaker pulls towards the beat."""
    from dj_core.models.groove.infilling import play_guided, style_of

    style, fine = style_of(model, beat) if beat.hits else (None, 0.0)
    was, held = struck(beat), keep.mask(beat)
    base = guide_for(beat, held, style=style, fine=fine)
    requests, guides = [], []
    for number in range(LADDER):
        share = number / (LADDER - 1)
        pull = NEAREST + (FURTHEST - NEAREST) * share
        generator = np.random.default_rng([draw_seed, number])
        felt = (generator.random(held.shape) >= share) & ~held
        guide: Guide = replace(
            base,
            felt=felt,
            leaning=np.where(was, pull, -pull),
            style_noise=share,
            novelty=np.full(len(held), 0.5 * share),
        )
        guides.append(guide)
        requests.append(request_like(model, beat, seed=draw_seed + number, temperature=temperature))
    takes = play_guided(model, requests, guides, particles=1)
    answers = []
    for number, (guide, take) in enumerate(zip(guides, takes, strict=True)):
        # what is held, and what was to sound as before and was struck again
        kept = hits_in(beat, held) + hits_in(beat, guide.felt & ~held & take.struck)
        settings = {"shape": "vary", "seed": seed, "rung": number, "keep": told(keep)}
        answers.append(with_played(beat, kept, take.beat, model, settings))
    return answers


def drum_to_beat(
    model: BeatModel,
    rhythm: Beat,
    *,
    genre: str = "",
    seed: int = 1,
    temperature: float = 1.0,
) -> Beat:
    """A full beat around a rhythm: the drums it plays stay exactly, the model adds the others.

    Args:
        model: a groove model.
        rhythm: of one drum or a few, tapped or taken from a beat; its silences count, too.
        genre: to play in; '' for any.
        seed: another seed, another answer.
        temperature: 0 takes the likeliest.

    Raises:
        GenerationError: no hit at all, or a model, genre or meter that cannot be played around.
    """
    if not rhythm.hits:
        raise GenerationError("There is no hit to build on. Tap a rhythm, or choose a drum.")
    from dj_core.models.groove.infilling import play_guided

    groove = shaper(model)
    drums = frozenset(hit.drum.name for hit in rhythm.hits)
    held = Keep(drums=drums).mask(rhythm)
    request = request_like(model, rhythm, seed=seed, temperature=temperature, genre=genre)
    # one drum tells little of a style: every candidate draws one of the genre, and the rhythm
    # decides between them
    take = play_guided(groove, [request], [guide_for(rhythm, held)], PARTICLES)[0]
    settings = {"shape": "tap", "seed": seed, "genre": genre, "drums": sorted(drums)}
    beat = with_played(rhythm, hits_in(rhythm, held), take.beat, groove, settings)
    return replace(beat, genre=genre or rhythm.genre)
