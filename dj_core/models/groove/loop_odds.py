"""The groove network's odds of a strike for every cell of a loop, in one pass.

The network reads the loop's last bars before its first. It is conditioned on the loop's own style
vector, so the answer is about where strokes belong in this beat, not in its genre at large.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dj_core.models.groove.groove_inference import Reading, heard_at
from dj_core.models.groove.groove_player import GrooveModel
from dj_core.models.groove.streams import A_BAR, OWN_STYLE, Conditions, lag_steps
from dj_core.models.groove.style_vector import StyleSums
from dj_core.models.groove.training_clips import KINDS, Clip, ClipSet
from dj_core.models.threads import one_thread
from dj_core.music.beat import Meter
from dj_core.music.step_grid import (
    CEILING_BIN,
    LANES,
    MAX_OFFSET,
    MAX_VELOCITY,
    METERS,
    MOST_BETWEEN,
    Grid,
    steps_per_bar,
)

LEAD_IN_BARS = 2  # of the loop, read before its first bar


def loop_log_odds(
    model: GrooveModel, grids: Sequence[Grid], meter: Meter, genre: str, tempo_bpm: float
) -> np.ndarray:
    """Log odds of a stroke (loops, 16ths, 16), given the loop before it and the 16th's other lanes.

    Args:
        model: its network answers.
        grids: loops of one length in whole bars.
        meter: one of the model's.
        genre: '' for any, or one the model does not know.
        tempo_bpm: quarters a minute.
    """
    lead_in = LEAD_IN_BARS * steps_per_bar(meter)
    loops = [_led_in(grid, lead_in) for grid in grids]
    silent = np.zeros(MAX_VELOCITY + 1)
    clips = ClipSet.of(
        [
            Clip(loop, METERS.index(meter), genre, tempo_bpm, KINDS[1], "", "", silent, 0.0)
            for loop in loops
        ],
        model.settings.genres,
    )
    with one_thread():
        return _logits(model, clips, loops, lead_in)[:, lead_in:]


def _led_in(grid: Grid, steps: int) -> Grid:
    """The loop with its last `steps` 16ths before it, as often round as that takes."""
    length = len(grid.velocity)
    places = np.arange(-steps, length) % length
    return Grid(*(part[places] for part in vars(grid).values()))


def _logits(model: GrooveModel, clips: ClipSet, loops: Sequence[Grid], lead_in: int) -> np.ndarray:
    """(loops, 16ths, 16), of the loops and what leads into them."""
    count, zeros = len(loops), np.zeros(len(loops), np.int64)
    style = StyleSums(clips).between(clips.starts[:-1] + lead_in, clips.starts[1:])
    network = model.stepwise
    standing = network.stand(
        Conditions(
            genre=clips.genre,
            tempo_bpm=clips.tempo_bpm,
            meter=clips.meter,
            kind=clips.kind,
            density=zeros,
            loudness=zeros,
            role=zeros,
            energy=zeros,
            style=model.tables.scale.scaled(style),
            style_source=np.full(count, OWN_STYLE),
        )
    )
    velocity, offset, flam, between = (
        np.stack([getattr(loop, name) for loop in loops]).astype(np.float32)
        for name in ("velocity", "offset", "second_velocity", "between")
    )
    struck = velocity > 0
    parts = (
        struck,
        struck * (velocity - 1) / CEILING_BIN,
        struck * (offset - 1 - MAX_OFFSET) / MAX_OFFSET,
        (flam > 0) * (1 + between / MOST_BETWEEN),
        np.ones_like(velocity[..., :1]),
    )
    # one 16th more: an empty one for what lies before the beginning
    content = np.pad(np.concatenate(parts, axis=2), ((0, 0), (0, 1), (0, 0)))
    bar = clips.bar_steps.astype(np.int64)
    reading = Reading.of(struck.shape[1], bar, np.stack(lag_steps(bar), axis=1))
    memory = network.no_memory(count)
    logits = np.zeros((count, struck.shape[1], LANES))
    for now in range(struck.shape[1]):
        heard = heard_at(now, content, reading)
        memory = network.remember(heard, standing, memory)
        units, copied = network.lane_heads(heard, standing, memory)
        # what the loop strikes, whatever the odds
        given = np.where(struck[:, now], -np.inf, np.inf)
        _, logits[:, now] = network.lanes.decide(units, copied, heard.lags[:, A_BAR], given)
    return logits
