"""Alive: each hit of a loop sounds with the chance that the groove model gives it."""

from __future__ import annotations

import math
from dataclasses import replace

from dj_core.errors import BeatError
from dj_core.models.request import BeatModel
from dj_core.music.beat import Beat
from dj_core.music.conditions import Condition
from dj_core.shaping.playing import grid_of, request_like, shaper


def alive(beat: Beat, model: BeatModel, amount: float = 1.0) -> Beat:
    """`beat` with a chance for every hit: the model's own odds of a stroke there.

    Args:
        beat: what else it asks of its hits (loops, ratchets, flams) stays.
        model: a groove model; it hears the whole loop, and the other drums of the hit's 16th.
        amount: 0 (every hit sounds) to 1 (as likely as the model says).

    Raises:
        BeatError: an amount beyond 0 to 1.
        GenerationError, TokenizerError: a model or a meter that cannot do this.
    """
    from dj_core.models.groove.loop_odds import loop_log_odds

    if not 0 <= amount <= 1:
        raise BeatError(f"A beat is alive by 0 to 1; got {amount:g}.")
    asked = request_like(model, beat, seed=0)
    odds = loop_log_odds(
        shaper(model), [grid_of(beat)], beat.meter, asked.genre, beat.playing_tempo_bpm
    )[0]
    hits = []
    for hit in beat.hits:
        step = math.floor(hit.onset_quarters * 4 + 0.5) % len(odds)
        chance = 1 / (1 + math.exp(-odds[step, hit.lane]))
        percent = max(1, round(100 * (1 - amount * (1 - chance))))
        condition = replace(hit.condition or Condition(), chance_percent=percent)
        hits.append(replace(hit, condition=condition))
    origin = replace(beat.provenance, settings={"shape": "alive", "amount": amount})
    return replace(beat, hits=tuple(hits), provenance=origin)
