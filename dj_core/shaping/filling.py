"""Fills: replaces the last bar or half bar of a phrase with a generated fill.

What comes before and after is given. The model is asked for a fill in the style of one of its
genre's fills, several candidates compete, and those from which the bar that follows is likeliest
win; on its one a crash is wanted.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dj_core.errors import GenerationError
from dj_core.evaluation.judged_clips import stretch
from dj_core.models.request import BeatModel, Feel
from dj_core.music.beat import Beat, Hit
from dj_core.music.drums import DRUMS, LANE
from dj_core.music.step_grid import STEPS_PER_QUARTER
from dj_core.shaping.locks import hits_in, struck
from dj_core.shaping.morphing import looped
from dj_core.shaping.playing import bar_cells, guide_for, request_like, shaper, with_played

if TYPE_CHECKING:
    from dj_core.models.groove.groove_player import GrooveModel

LEAD_IN_BARS = 4  # heard before a fill
PARTICLES = 8
CRASH_LEANING, KICK_LEANING = 6.0, 2.0  # log odds added on the one that follows
FILL_LEANING = {
    "kick": -0.3, "snare": 0.0, "tom": 0.5, "hat": -0.9, "cymbal": -0.7, "percussion": -0.5,
}  # fmt: skip
FILL_NOVELTY = 1.0  # keeps a fill from being the bar before once more
PHRASES = (4, 8)  # bars after which a fill may come
_ON_ONE = ("crash", "kick")


def add_fill(
    model: BeatModel,
    beat: Beat,
    *,
    bar: int | None = None,
    half: bool = False,
    crash: bool = True,
    seed: int = 1,
    temperature: float = 1.0,
) -> Beat:
    """`beat` with a fill in one bar; after the last bar comes the first, as in a loop.

    Args:
        model: a groove model.
        beat: in a meter the model knows.
        bar: which, from 1; None for the last.
        half: only the bar's second half.
        crash: want one on the bar that follows, and a kick under it.
        seed: another seed, another fill.
        temperature: 0 takes the likeliest.

    Raises:
        GenerationError: a bar the beat does not have, or a model or meter that cannot be filled.
    """
    groove = shaper(model)
    bar = beat.bars if bar is None else bar
    if not 1 <= bar <= beat.bars:
        raise GenerationError(f"This beat has bars 1 to {beat.bars}; a fill in {bar} was asked.")
    per_bar = bar_cells(beat)
    length = per_bar // 2 if half else per_bar
    freed = np.zeros_like(struck(beat))
    freed[bar * per_bar - length : bar * per_bar] = True
    played = _play(groove, beat, bar, length, crash, seed, temperature)
    kept = hits_in(beat, ~freed)
    settings = {"shape": "fill", "seed": seed, "bar": bar, "half": half, "crash": crash}
    return with_played(beat, kept, replace(beat, hits=played), groove, settings)


def add_fills(
    model: BeatModel,
    beat: Beat,
    *,
    every_bars: int = 4,
    chance: float = 1.0,
    half: bool = False,
    crash: bool = True,
    seed: int = 1,
    temperature: float = 1.0,
) -> Beat:
    """`beat` with a fill at the end of every phrase of 4 or 8 bars, as often as `chance` says.

    Args:
        model, beat, half, crash, temperature: see `add_fill`.
        every_bars: length of a phrase.
        chance: of a fill at a phrase's end, 0 to 1.
        seed: decides where fills come, and each of them.

    Raises:
        GenerationError: a chance or phrase out of range, a beat without a whole phrase, or what
            `add_fill` refuses.
    """
    if every_bars not in PHRASES or not 0 <= chance <= 1:
        raise GenerationError(
            f"Fills come every {' or '.join(map(str, PHRASES))} bars with a chance of 0 to 1; got "
            f"{every_bars} and {chance:g}."
        )
    if beat.bars < every_bars:
        raise GenerationError(
            f"This beat has {beat.bars} bars, less than a phrase of {every_bars}. "
            "Put a fill in its last bar instead."
        )
    draws = np.random.default_rng([seed, every_bars]).random(beat.bars)
    fill = partial(add_fill, half=half, crash=crash, temperature=temperature)
    for bar in range(every_bars, beat.bars + 1, every_bars):
        if draws[bar - 1] < chance:
            beat = fill(model, beat, bar=bar, seed=seed + bar)
    return beat


def _play(
    model: GrooveModel,
    beat: Beat,
    bar: int,
    length: int,
    crash: bool,
    seed: int,
    temperature: float,
) -> tuple[Hit, ...]:
    """The fill's hits, and those added on the one that follows, where they belong in `beat`."""
    from dj_core.models.groove.groove_player import DEFAULT_TUNING
    from dj_core.models.groove.infilling import Turn, play_guided, style_of

    per_bar = bar_cells(beat)
    turns = -(-LEAD_IN_BARS // beat.bars)  # so that enough bars lead in
    lead_in = looped(beat, (turns + 2) * beat.bars)
    start = turns * beat.bars + bar - 1 - LEAD_IN_BARS
    around = stretch(lead_in, start, LEAD_IN_BARS + 2)
    end = (LEAD_IN_BARS + 1) * per_bar
    held = np.ones_like(struck(around))
    held[end - length : end] = False
    leaning, novelty = np.zeros(held.shape), np.zeros(len(held))
    leaning[end - length : end] = [FILL_LEANING.get(drum.family, 0.0) for drum in DRUMS]
    novelty[end - length : end] = FILL_NOVELTY
    if crash:
        for name, log_odds in zip(_ON_ONE, (CRASH_LEANING, KICK_LEANING), strict=True):
            if not struck(around)[end, LANE[name]]:
                held[end, LANE[name]] = False
                leaning[end, LANE[name]] = log_odds
    request = request_like(model, around, seed=seed, temperature=temperature)
    wanted = replace(request, feel=Feel(kind="fill"))
    generator = np.random.default_rng([seed, bar])
    fill_style = model.draw_style(wanted, DEFAULT_TUNING, generator).style
    style, fine = style_of(model, beat) if beat.hits else (None, 0.0)
    guide = guide_for(
        around,
        held,
        leaning=leaning,
        novelty=novelty,
        style=style,
        fine=fine,
        turns={end - length: Turn("fill", fill_style), end: Turn("beat")},
    )
    played = play_guided(model, [request], [guide], PARTICLES)[0].beat
    # where the hits belong in the beat: after the last bar comes the first, whose one begins half
    # a 16th before the bar line; a stroke just ahead of it is moved onto it
    bar_quarters = beat.meter.bar_quarters
    shift = (bar - 1 - LEAD_IN_BARS) * bar_quarters
    line = (LEAD_IN_BARS + 1) * bar_quarters - 0.5 / STEPS_PER_QUARTER
    hits = []
    for hit in played.hits:
        onset = hit.onset_quarters + shift
        if bar == beat.bars and hit.onset_quarters >= line:
            onset -= beat.length_quarters
        hits.append(replace(hit, onset_quarters=max(onset, 0.0)))
    return tuple(hits)
