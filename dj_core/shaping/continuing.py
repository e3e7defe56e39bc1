"""Continues a beat: the given bars prime the model's state, and it plays on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dj_core.errors import GenerationError
from dj_core.evaluation.judged_clips import stretch
from dj_core.models.request import BeatModel
from dj_core.music.beat import MAX_BARS, Beat
from dj_core.shaping.locks import hits_in, struck
from dj_core.shaping.playing import bar_cells, guide_for, request_like, shaper, with_played


def bars_of(beat: Beat, first: int, last: int) -> Beat:
    """Bars `first` to `last` of `beat`, counted from 1, as a beat: a primer.

    Raises:
        GenerationError: bars that the beat does not have.
    """
    if not 1 <= first <= last <= beat.bars:
        raise GenerationError(
            f"This beat has bars 1 to {beat.bars}; bars {first} to {last} were asked for."
        )
    return stretch(beat, first - 1, last - first + 1)


def continue_beat(
    model: BeatModel,
    beat: Beat,
    bars: int,
    *,
    seed: int = 1,
    temperature: float = 1.0,
    count: int = 1,
) -> tuple[Beat, ...]:
    """`beat` with `bars` more, played on from where it ends; its own hits stay exactly.

    Hits that anticipate the join belong to the first bar that follows and stay, too.

    Args:
        model: a groove model.
        beat: in a meter the model knows.
        bars: how many to add, 1 or more.
        seed: of the first continuation; the others count up.
        temperature: 0 takes the likeliest.
        count: how many continuations.

    Raises:
        GenerationError: too few or too many bars, or a model or meter that cannot go on.
    """
    if count < 1:
        raise GenerationError(f"One continuation or more can be asked for; got {count}.")
    asked = [(beat, seed + number) for number in range(count)]
    return continue_all(model, asked, bars, temperature=temperature)


def continue_all(
    model: BeatModel, asked: Sequence[tuple[Beat, int]], bars: int, *, temperature: float = 1.0
) -> tuple[Beat, ...]:
    """A continuation per (beat, seed), side by side; beats of one length and meter.

    Raises:
        GenerationError: as `continue_beat`.
    """
    from dj_core.models.groove.infilling import is_past, play_guided, style_of

    groove = shaper(model)
    requests, guides, wholes = [], [], []
    for beat, seed in asked:
        if bars < 1 or beat.bars + bars > MAX_BARS:
            raise GenerationError(
                f"A continuation adds 1 bar or more, {MAX_BARS} in all; got {bars} after "
                f"{beat.bars}."
            )
        whole = replace(beat, bars=beat.bars + bars)
        wholes.append(whole)
        requests.append(request_like(model, whole, seed=seed, temperature=temperature))
        # the bars there are, and strokes that anticipate the first to come
        held = struck(whole)
        held[: beat.bars * bar_cells(beat)] = True
        style, fine = style_of(groove, beat) if beat.hits else (None, 0.0)
        guides.append(guide_for(whole, held, style=style, fine=fine, past=is_past(beat)))
    takes = play_guided(groove, requests, guides, particles=1)
    beats = []
    for (beat, seed), whole, guide, take in zip(asked, wholes, guides, takes, strict=True):
        settings = {"shape": "continue", "seed": seed, "given_bars": beat.bars, "bars": bars}
        kept = hits_in(whole, guide.held)
        beats.append(with_played(whole, kept, take.beat, groove, settings))
    return tuple(beats)
