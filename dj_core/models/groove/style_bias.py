"""Style bias: how takes differ from their style vector, measured on training styles and corrected.

A generating network follows its own recent output a little more than drummers do: its takes are
more self-similar than the style vector they are conditioned on. ``python -m
scripts.settle_style_bias models/groove`` measures that and stores it in the model's tables, from
where `style_choice` subtracts it from every style drawn. The groove preset does so at the end of
training. No held-out beat is looked at.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dj_core.models.groove.groove_checkpoint import (
    GrooveCheckpoint,
    load_groove_model,
    save_groove_model,
)
from dj_core.models.groove.style_choice import PLAYED
from dj_core.models.groove.style_tables import STYLE_BARS, Tables
from dj_core.models.groove.style_vector import SHARED_NAMES, STYLE_SIZE, StyleSums
from dj_core.models.groove.training_clips import ClipSet, clip_of
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Beat

if TYPE_CHECKING:
    from dj_core.models.groove.groove_player import GrooveModel

TAKES = 400
ROUNDS = (0.9, 0.8, 0.7, 0.5, 0.4)
"""Share of the bias found in a round that the next one corrects; smaller later, against noise."""
FARTHEST = 0.8  # taken off at most, in spreads of the styles
FIRST_SEED = 900_000
STEPS_A_TAKE = 0.1  # a take that is measured costs about as much time as so many training steps
_AT_A_TIME = 40  # takes played side by side, between two looks at whether to go on
_SHARED = np.arange(STYLE_SIZE) < len(SHARED_NAMES)
"""Numbers of all drums together. Those of one drum say nothing in the many takes without it."""


def measure_style_bias(
    checkpoint: GrooveCheckpoint, takes: int = TAKES
) -> Generator[float, None, np.ndarray]:
    """What to subtract from a style so that takes have on average the one drawn, (STYLE_SIZE).

    Yields the share that is done, over 0 to 1, every few takes; the answer is what it returns. All
    zeros for a model that knows no played style at a known tempo.

    Args:
        checkpoint: its own style bias is not used.
        takes: of four bars, in each of five rounds.
    """
    from dj_core.models.groove.groove_player import GrooveModel

    settled = np.zeros(STYLE_SIZE, np.float32)
    for number, share in enumerate(ROUNDS):
        tables = replace(checkpoint.tables, bias=settled)
        model = GrooveModel("measured", replace(checkpoint, tables=tables))
        requests = _requests(tables, model.settings.genres, takes, number)
        if not requests:
            return settled
        beats: list[Beat] = []
        for first in range(0, len(requests), _AT_A_TIME):
            made = model.generate_all(requests[first : first + _AT_A_TIME])
            beats += [take.beat for take in made]
            yield (number + len(beats) / len(requests)) / len(ROUNDS)
        off = _styles_of(beats, model.tables) - _drawn_styles(model, requests)
        bias, error = off.mean(0), off.std(0) / np.sqrt(len(off))
        # what chance alone may have done is left where it is
        sure = np.clip((np.abs(bias) / np.maximum(error, 1e-6) - 1) / 2, 0, 1) * _SHARED
        settled = np.clip(settled + share * sure * bias, -FARTHEST, FARTHEST).astype(np.float32)
    return settled


def _requests(
    tables: Tables, genres: Sequence[str], takes: int, number: int
) -> list[GenerationRequest]:
    """As many beats as asked, in genres and at tempos as played training clips have them."""
    played = (tables.fine > PLAYED) & (tables.phrase < 0) & (tables.tempo_bpm > 0)
    rows = np.flatnonzero((tables.bars == STYLE_BARS[0]) & (tables.meter == 0) & played)
    if not len(rows):
        return []
    chosen = np.random.default_rng(FIRST_SEED + number).choice(rows, takes)
    first = FIRST_SEED + number * takes
    return [
        GenerationRequest(
            genre=genres[tables.genre[row]],
            tempo_bpm=float(tables.tempo_bpm[row]),
            bars=STYLE_BARS[0],
            seed=first + place,
        )
        for place, row in enumerate(chosen)
    ]


def _drawn_styles(model: GrooveModel, requests: Sequence[GenerationRequest]) -> np.ndarray:
    """The stored styles that the takes go by, before anything is added or taken off."""
    from dj_core.models.groove.groove_player import Tuning

    quiet, bias = Tuning(style_noise=0.0), model.tables.bias
    drawn = []
    for request in requests:
        generator = np.random.default_rng([request.seed, zlib.crc32(request.genre.encode())])
        drawn_style = model.draw_style(request, quiet, generator)
        drawn.append(drawn_style.style + bias * drawn_style.is_played)
    return np.array(drawn)


def _styles_of(beats: Sequence[Beat], tables: Tables) -> np.ndarray:
    clips = ClipSet.of([clip_of(beat, "beat", "measured") for beat in beats])
    styles = StyleSums(clips).between(clips.starts[:-1], clips.starts[1:])
    return tables.scale.scaled(styles)


def settle_style_bias(folder: Path, takes: int = TAKES) -> Iterator[float]:
    """Measure a model folder's style bias and store it there; the network stays as it is.

    Yields the share that is done, over 0 to 1; the bias is stored at the end.

    Raises:
        CheckpointError: no groove model.
        LibraryError: the folder cannot be written.
    """
    checkpoint = load_groove_model(folder)
    settled = yield from measure_style_bias(checkpoint, takes)
    tables = replace(checkpoint.tables, bias=settled)
    save_groove_model(folder, checkpoint.network, tables, checkpoint.facts)
