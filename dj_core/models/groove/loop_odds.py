"""The groove network's odds of a strike for every cell of a loop, in one pass.

The network reads the loop's last bars before its first. It is conditioned on the loop's own style
vector, so the answer is about where strokes belong in this beat, not in its genre at large.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dj_core.models.groove.groove_likelihood import ClipTensors, remember
from dj_core.models.groove.groove_network import CONTENT, LAGS
from dj_core.models.groove.groove_player import GrooveModel
from dj_core.models.groove.streams import OWN_STYLE, Conditions, Streams, window_at
from dj_core.models.groove.style_vector import StyleSums
from dj_core.models.groove.training_clips import KINDS, Clip, ClipSet
from dj_core.models.threads import cpu_threads
from dj_core.music.beat import Meter
from dj_core.music.step_grid import LANES, MAX_VELOCITY, METERS, Grid, steps_per_bar

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
        model.network.settings.genres,
    )
    with torch.inference_mode(), cpu_threads(1):
        logits = _logits(model, clips, lead_in)
    return np.ascontiguousarray(logits[lead_in:].transpose(1, 0, 2))


def _led_in(grid: Grid, steps: int) -> Grid:
    """The loop with its last `steps` 16ths before it, as often round as that takes."""
    length = len(grid.velocity)
    places = np.arange(-steps, length) % length
    return Grid(*(part[places] for part in vars(grid).values()))


def _logits(model: GrooveModel, clips: ClipSet, lead_in: int) -> np.ndarray:
    """(16ths, loops, 16), of the loops and what leads into them."""
    count, zeros = len(clips.clips), np.zeros(len(clips.clips), np.int64)
    first, end = clips.starts[:-1], clips.starts[1:]
    style = model.tables.scale.scaled(StyleSums(clips).between(first + lead_in, end))
    asked = Conditions(
        genre=clips.genre,
        tempo_bpm=clips.tempo_bpm,
        meter=clips.meter,
        kind=clips.kind,
        density=zeros,
        loudness=zeros,
        role=zeros,
        energy=zeros,
        style=style,
        style_source=np.full(count, OWN_STYLE),
    )
    streams = Streams(np.arange(count), first, end, first)
    window = window_at(clips, streams, int(end[0] - first[0]), asked)
    tensors = ClipTensors(clips)
    memory, heard, _ = remember(model.network, tensors, window, None)
    struck = (tensors.velocity[torch.from_numpy(window.places)] > 0).float()
    lags = heard.lags.unflatten(-1, (LAGS, CONTENT))[..., :LANES]
    logits: torch.Tensor = model.network.lanes(memory, lags, heard.known, struck)
    return logits.double().numpy()
